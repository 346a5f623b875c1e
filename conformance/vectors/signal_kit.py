"""Messages of signaling.proto: their bytes and their form in the vectors, from one table."""
import csv

import wire
from session_kit import REGISTRIES

#: message -> (number, field, type); `*` marks a repeated one. Types that are messages stand in this table.
MESSAGES = {
    "Challenge": [(1, "versions", "u32*"), (2, "nonce", "bytes"), (3, "domain", "text"), (4, "time_ms", "i64")],
    "Hello": [(1, "registration", "bytes"), (2, "signature", "bytes"), (3, "software", "text")],
    "Welcome": [(1, "version", "u32"), (2, "alias", "text"), (3, "scheme", "text"), (4, "parent", "text"), (5, "port", "u32"),
                (6, "ice_servers", "IceServer*"), (7, "max_routes", "u32"), (8, "max_visits", "u32"), (9, "heartbeat_seconds", "u32")],
    "IceServer": [(1, "urls", "text*"), (2, "username", "text"), (3, "credential", "text"), (4, "expires_at", "i64")],
    "RouteAnnounce": [(1, "apps", "text*")],
    "RouteAck": [(1, "accepted", "text*"), (2, "refused", "RefusedRoute*")],
    "RefusedRoute": [(1, "app", "text"), (2, "code", "code"), (3, "reason", "text")],
    "VisitOffer": [(1, "session_id", "bytes"), (2, "app", "text"), (3, "alias", "text"), (4, "versions", "u32*"), (5, "sdp", "text"),
                   (6, "nonce", "bytes"), (7, "restarts", "bytes")],
    "VisitAnswer": [(1, "session_id", "bytes"), (2, "sdp", "text"), (3, "statement", "bytes"), (4, "signature", "bytes")],
    "Candidate": [(1, "session_id", "bytes"), (2, "candidate", "text"), (3, "sdp_mid", "text")],
    "VisitEnd": [(1, "session_id", "bytes"), (2, "code", "code"), (3, "reason", "text")],
    "Goodbye": [(1, "code", "code"), (2, "reason", "text")],
    "Revoke": [(1, "statement", "bytes"), (2, "signature", "bytes")],
    "ReplacedByNewer": [],
    "Heartbeat": [],
    "HeartbeatAck": [(1, "time_ms", "i64")],
    "Error": [(1, "code", "code"), (2, "detail", "text")],
    "IceServers": [(1, "ice_servers", "IceServer*")],
    "VisitRequest": [(1, "versions", "u32*"), (2, "sdp", "text"), (3, "nonce", "bytes"), (4, "restarts", "bytes")],
    "VisitUpdate": [(1, "candidates", "Candidate*")],
}
#: Envelope.kind, in its order from field 10.
KINDS = ["Challenge", "Hello", "Welcome", "RouteAnnounce", "RouteAck", "VisitOffer", "VisitAnswer", "Candidate", "VisitEnd", "Goodbye",
         "Revoke", "ReplacedByNewer", "Heartbeat", "HeartbeatAck", "Error", "IceServers"]
EVENTS = {"answer": (1, "VisitAnswer"), "candidate": (2, "Candidate"), "end": (3, "VisitEnd")}

with open(REGISTRIES / "signal-codes.csv", newline="", encoding="utf-8") as file:
    REGISTERED = list(csv.DictReader(file))
CODES = {row["name"]: int(row["code"]) for row in REGISTERED}


def encode(message, content):
    fields = []
    for number, name, kind in MESSAGES[message]:
        value = content.get(name)
        if value is None:
            continue
        plain, repeated = kind.rstrip("*"), kind.endswith("*")

        def one(item, plain=plain):
            if plain in MESSAGES:
                return encode(plain, item)
            return CODES.get(item, item) if plain == "code" else item

        fields.append((number, [one(item) for item in value] if repeated else one(value)))
    return wire.message(*fields)


def shown(message, content):
    """As README.md says: bytes in hex, 64 bits as text, codes by name, defaults left out."""
    out = {}
    for _, name, kind in MESSAGES[message]:
        value = content.get(name)
        if not value:
            continue
        plain = kind.rstrip("*")

        def one(item, plain=plain):
            if plain in MESSAGES:
                return shown(plain, item)
            if plain == "bytes":
                return item.hex()
            if plain == "i64":
                return str(item)
            if plain == "code" and isinstance(item, int):
                return next((code for code, number in CODES.items() if number == item), "INTERNAL")
            return item

        value = [one(item) for item in value] if kind.endswith("*") else one(value)
        if value != "OK" or plain != "code":
            out[name] = value
    return out


def envelope(kind, content=None, seq=1, re=0):
    payload = wire.embedded(10 + KINDS.index(kind), encode(kind, content or {}))
    return wire.message((1, seq), (2, re)) + payload


def unknown(seq, field=0x21):
    """An envelope of a kind that stands for nothing."""
    return wire.message((1, seq)) + wire.embedded(field, b"")


def event(kind, content):
    number, message = EVENTS[kind]
    return wire.embedded(number, encode(message, content))


def delimited(data):
    return wire.varint(len(data)) + data
