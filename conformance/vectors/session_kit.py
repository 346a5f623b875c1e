"""Frames of a session by name, and sequences of steps; README.md, "Sequences of a session"."""
import csv
import pathlib

import wire

REGISTRIES = pathlib.Path(__file__).resolve().parent.parent.parent / "spec" / "registries"


def numbers(name, key):
    with open(REGISTRIES / f"{name}.csv", newline="", encoding="utf-8") as file:
        return {row["name"]: int(row[key], 0) for row in csv.DictReader(file)}


TYPES = numbers("frame-types", "type")
CODES = numbers("error-codes", "code")
SETTINGS = numbers("settings", "id")
U64 = (1 << 64) - 1
GREASE = 0x21


def raw_field(name, value):
    """`name` and `value`: text or bytes, right or wrong."""
    return wire.message((1, name), (2, value.encode("latin-1") if isinstance(value, str) else value))


class Message:
    """One message on a lane: bytes, and words for people."""

    def __init__(self, data, note, then=None):
        self.data, self.note, self.then = data, note, then


def frame(kind, stream, payload=b"", note=None, then=None):
    number = TYPES.get(kind, kind)
    return Message(wire.frame(number, stream, payload), note or (f"{kind} on stream {stream}" if stream else str(kind)), then)


def hello(settings=(), versions=(1,), software="vectors"):
    listed = [wire.message((1, SETTINGS.get(name, name)), (2, value)) for name, value in settings]
    return frame("HELLO", 0, wire.message((1, list(versions)), (2, listed), (3, software)))


def request(stream, method="GET", target="/", fields=(), end=True, protocol="", note=None):
    payload = wire.message((1, method), (2, target), (3, [raw_field(*one) for one in fields]), (4, int(end)), (5, protocol))
    return frame("REQUEST", stream, payload, note or f"{method} {target} on stream {stream}" + ("" if end else ", a body follows"))


def connect(stream, fields=(), target="/socket"):
    return request(stream, "CONNECT", target, fields, False, "websocket", f"CONNECT for a WebSocket on stream {stream}")


def response(stream, status=200, fields=(), end=False, note=None):
    payload = wire.message((1, status), (2, [raw_field(*one) for one in fields]), (3, int(end)))
    return frame("RESPONSE", stream, payload, note or f"RESPONSE {status} on stream {stream}" + (" with end" if end else ""))


def data(stream, body=b"hello", note=None):
    return frame("DATA", stream, body, note)


def filled(kind, stream, count, note=None):
    """A body frame with so many bytes 0x78."""
    return frame(kind, stream, b"", note or f"{kind} of {count} bytes on stream {stream}", ("78", count))


def data_end(stream, body=b"hello", note=None):
    return frame("DATA_END", stream, body, note)


def trailers(stream, fields=(("x-sum", "1"),), note=None):
    return frame("TRAILERS", stream, wire.message((1, [raw_field(*one) for one in fields])), note)


def code_number(code):
    return CODES[code] if isinstance(code, str) else code


def reset(stream, code="CANCELLED"):
    return frame("RESET", stream, wire.message((1, code_number(code))), f"RESET {code} on stream {stream}")


def stop(stream, code="CANCELLED"):
    return frame("STOP", stream, wire.message((1, code_number(code))), f"STOP {code} on stream {stream}")


def credit(stream, limit):
    what = f"CREDIT of {limit} for " + (f"stream {stream}" if stream else "the session")
    return frame("CREDIT", stream, wire.message((1, limit)), what)


def ping(token=7):
    return frame("PING", 0, wire.message((1, token)))


def pong(token=7):
    return frame("PONG", 0, wire.message((1, token)))


def go_away(code="NO_ERROR", last=0):
    return frame("GOAWAY", 0, wire.message((1, code_number(code)), (2, last)), f"GOAWAY {code}")


def ws(kind, stream=1, payload=b"", note=None):
    """WS_TEXT, WS_BINARY or a part."""
    return frame(kind, stream, payload, note)


def ws_close(stream=1, code=1000, reason=""):
    reason = reason.encode() if isinstance(reason, str) else reason
    return frame("WS_CLOSE", stream, wire.message((1, code), (2, reason)), f"WS_CLOSE {code} on stream {stream}")


# --- what is expected --------------------------------------------------------------------------

def sent(kind, stream=None, code=None, **rest):
    entry = {"type": kind}
    if stream is not None:
        entry["stream"] = str(stream)
    if code is not None:
        entry["code"] = code if isinstance(code, str) else str(code)
    return entry | rest


def body(stream, content=b"", end=False):
    amount = {"bytes": content} if isinstance(content, int) else {"hex": content.hex()}
    return {"type": "BODY", "stream": str(stream), **amount, "end": end}


def told(event, stream=None, **rest):
    entry = {"event": event}
    if stream is not None:
        entry["stream"] = str(stream)
    return entry | rest


def got(stream, content):
    amount = {"bytes": content} if isinstance(content, int) else {"hex": content.hex()}
    return told("data", stream, **amount)


class Sequence:
    """Builds the input of one case. `connected`: both HELLOs are through."""

    def __init__(self, role, settings=None, take=True, connected=True, peer=()):
        self.role = role
        self.settings = settings or {}
        self.take = take
        self.steps = []
        if connected:
            self.receive(hello(peer), told("connected"))

    def _step(self, step, events):
        self.steps.append(step)
        if events:
            self.expect(events=events)
        return self

    def receive(self, message, *events, lane=0, times=1):
        step = {"receive": message.data.hex()}
        if message.then:
            step["then"] = {"hex": message.then[0], "times": message.then[1]}
        if lane:
            step["lane"] = lane
        if times > 1:
            step["times"] = times
        return self._step(step | {"note": message.note}, events)

    def call(self, name, *events, **values):
        shown = {key: (str(value) if key == "stream" else value) for key, value in values.items()}
        return self._step({"call": name, **shown}, events)

    def wait(self, ms, *events):
        return self._step({"wait_ms": ms}, events)

    def expect(self, sends=(), events=(), may_send=(), may_tell=(), **rest):
        """What has happened since the last expectation, all of it."""
        step = self.steps[-1]
        step["sends"] = step.get("sends", []) + list(sends)
        step["events"] = step.get("events", []) + list(events)
        for key, values in (("may_send", may_send), ("may_tell", may_tell)):
            if values:
                step[key] = step.get(key, []) + list(values)
        step.update(rest)
        return self

    def input(self, scope=None):
        """Of the message that ends the session, only that is compared."""
        steps = [dict(step) for step in self.steps]
        if scope == "session":
            for key in ("sends", "events", "may_send", "may_tell"):
                steps[-1].pop(key, None)
        elif "sends" not in steps[-1]:
            steps[-1]["sends"] = []
        for step in steps:
            if step.get("events") == []:
                del step["events"]
            elif step.get("sends") == []:
                del step["sends"]
        given = {"role": self.role}
        if self.settings:
            given["settings"] = self.settings
        if not self.take:
            given["take"] = False
        return given | {"steps": steps}
