"""signaling.json: messages, descriptions, requests and streams of events; link_vectors.py adds the sequences."""
import signal_kit as kit
import wire
from link_vectors import links
from names_vectors import case
from statements_vectors import ALIAS, APP, DOMAIN, NOW, digest

LIMIT = 65_536
SESSION = digest("session")[:16]
VISITOR, AGENT = digest("visitor certificate"), digest("agent certificate")
CANDIDATE = "candidate:1 1 udp 2122260223 192.0.2.7 49152 typ host"
LINE = wire.fingerprint_line


def content_of(kind):
    """Every field of a kind."""
    return {
        "Challenge": {"versions": [7, 1], "nonce": digest("challenge nonce"), "domain": DOMAIN, "time_ms": NOW},
        "Hello": {"registration": b"\x08\x01", "signature": bytes(range(64)), "software": "example/1"},
        "Welcome": {"version": 1, "alias": ALIAS, "scheme": "https", "parent": "example.net", "port": 8443, "max_routes": 32, "max_visits": 64,
                    "heartbeat_seconds": 15, "ice_servers": [
                        {"urls": ["stun:relay.example.net:3478"]},
                        {"urls": ["turn:relay.example.net:3478", "turns:relay.example.net:5349"], "username": "1800003600:0102030405060708",
                         "credential": "x", "expires_at": 1_800_003_600}]},
        "RouteAnnounce": {"apps": ["recipes", "my-app"]},
        "RouteAck": {"accepted": ["recipes"], "refused": [{"app": "admin", "code": "NAME_RESERVED", "reason": "reserved"}]},
        "VisitOffer": {"session_id": SESSION, "app": APP, "alias": ALIAS, "versions": [1], "sdp": "v=0\r\n", "nonce": digest("visitor nonce"),
                       "restarts": digest("earlier session")[:16]},
        "VisitAnswer": {"session_id": SESSION, "sdp": "v=0\r\n", "statement": b"\x08\x01", "signature": bytes(64)},
        "Candidate": {"session_id": SESSION, "candidate": CANDIDATE, "sdp_mid": "0"},
        "VisitEnd": {"session_id": SESSION, "code": "NO_SUCH_APP", "reason": "gone"},
        "Goodbye": {"code": "SHUTTING_DOWN", "reason": "later"},
        "Revoke": {"statement": b"\x08\x01", "signature": bytes(64)},
        "ReplacedByNewer": {},
        "Heartbeat": {},
        "HeartbeatAck": {"time_ms": NOW},
        "Error": {"code": "UNEXPECTED", "detail": "not now"},
        "IceServers": {"ice_servers": [{"urls": ["stun:relay.example.net:3478"]},
                                       {"urls": ["turn:relay.example.net:3478?transport=tcp"], "username": "1800007200:0102030405060708",
                                        "credential": "x", "expires_at": 1_800_007_200}]},
    }[kind]


def filled(data, count, byte=b"\0"):
    """`hex` and `then`, as one input."""
    return {"hex": data.hex(), "then": {"hex": byte.hex(), "times": count}}


def envelopes():
    cases = []

    def good(name, comment, data, kind, content, req, seq=1, re=0, given=None):
        cases.append(case("envelope/" + name, comment, given or {"hex": data.hex()}, "valid", req, seq=str(seq), re=str(re), kind=kind,
                          content=kit.shown(kind, content) if kind else {}))

    def bad(name, comment, given):
        cases.append(case("envelope/" + name, comment, given if isinstance(given, dict) else {"hex": given.hex()}, "invalid", ["SIG-002"],
                          code="MALFORMED"))

    for kind in kit.KINDS:
        content = content_of(kind)
        seq = 0 if kind == "Error" else 3
        good(f"{kind}", "every field", kit.envelope(kind, content, seq, 2), kind, content, ["SIG-004"], seq, 2)
        if content:
            good(f"{kind}-empty", "no field", kit.envelope(kind, {}, seq), kind, {}, ["SIG-002"], seq)
    good("largest-numbers", "2^64 - 1", kit.envelope("Heartbeat", {}, (1 << 64) - 1, (1 << 64) - 1), "Heartbeat", {}, ["SIG-004"], (1 << 64) - 1, (1 << 64) - 1)
    good("negative-time", "", kit.envelope("HeartbeatAck", {"time_ms": -1}, 1), "HeartbeatAck", {"time_ms": -1}, ["SIG-002"])
    good("unknown-code", "like INTERNAL", kit.envelope("Goodbye", {"code": 9999}, 1), "Goodbye", {"code": "INTERNAL"}, ["VER-015"])
    good("unknown-field", "field 99 of the kind is ignored", wire.message((1, 1)) + wire.embedded(19, wire.message((1, 18), (99, "later"))), "Goodbye",
         {"code": "SHUTTING_DOWN"}, ["VER-013"])
    good("unknown-field-of-the-envelope", "field 99 beside a kind is ignored", kit.envelope("Heartbeat", {}, 1) + wire.message((99, "later")), "Heartbeat", {},
         ["VER-013"])
    good("kind-first", "fields in any order", wire.embedded(22, b"") + wire.message((2, 4), (1, 3)), "Heartbeat", {}, ["SIG-002"], 3, 4)
    good("versions-unpacked", "a reader of protobuf takes both forms", wire.message((1, 1)) + wire.embedded(10, bytes.fromhex("08070801")), "Challenge",
         {"versions": [7, 1]}, ["SIG-002"])
    good("versions-unknown", "", kit.envelope("Challenge", {"versions": [(1 << 32) - 1, 2]}, 1), "Challenge", {"versions": [(1 << 32) - 1, 2]}, ["VER-012"])
    good("unknown-kind", "to be answered with UNKNOWN_KIND", kit.unknown(9), None, {}, ["SIG-005", "VER-016"], 9)
    good("unknown-kind-of-a-later-version", "field 26, the next one to be given out", kit.unknown(9, 26), None, {}, ["SIG-005"], 9)
    good("unknown-kind-unnumbered", "nobody answers this", kit.unknown(0), None, {}, ["SIG-005", "VER-016"], 0)
    good("no-kind", "like an unknown one", wire.message((1, 5)), None, {}, ["SIG-005"], 5)
    good("no-bytes", "an envelope with every field at its default", b"", None, {}, ["SIG-005"], 0)
    head = wire.message((1, 1)) + wire.varint(19 << 3 | 2)
    for name, length, result in (("at-limit", LIMIT, True), ("over-limit", LIMIT + 1, False)):
        reason = length - len(head) - 3 - 4
        inner = wire.varint(2 << 3 | 2) + wire.varint(reason)
        data = head + wire.varint(len(inner) + reason) + inner
        assert len(data) + reason == length
        given = filled(data, reason, b"a")
        if result:
            cases.append(case("envelope/" + name, "65,536 bytes", given, "valid", ["SIG-002"], seq="1", re="0", kind="Goodbye"))
        else:
            bad(name, "65,537 bytes", given)
    whole = kit.envelope("Goodbye", content_of("Goodbye"), 3)
    bad("cut-off", "the last byte is missing", whole[:-1])
    bad("cut-off-in-a-number", "", b"\x08\x80")
    bad("not-protobuf", "", b"\xff\xff\xff")
    bad("text", "a text in the place of a message", b"hello")
    bad("length-beyond", "a field longer than the message", b"\x9a\x01\x7fx")
    bad("inner-cut-off", "the kind is whole, the message in it is not", wire.message((1, 1)) + wire.embedded(19, b"\x12\x05a"))
    bad("text-not-utf8", "", wire.message((1, 1)) + wire.embedded(19, wire.message((2, b"\xff"))))
    bad("number-too-long", "eleven bytes", b"\x08" + b"\xff" * 10 + b"\x01")
    bad("field-zero", "field number 0 is not allowed in protobuf", b"\x00\x01")
    return {"type": "envelope", "comment": "`input` is one message on an agent link. `kind` is null for one that is not known.", "cases": cases}


def descriptions():
    cases = []
    good_line, other = LINE(VISITOR), LINE(AGENT)

    def add(name, comment, text, req, good=True, then=None):
        given = {"text": text} | ({"then": {"text": then[0], "times": then[1]}} if then else {})
        rest = {"fingerprint": VISITOR.hex()} if good else {"code": "BAD_OFFER"}
        cases.append(case("description/" + name, comment, given, "valid" if good else "invalid", req, **rest))

    def offer(*lines, **rest):
        return wire.sdp("offer", list(lines), **rest)

    req = ["IDN-022"]
    add("plain", "", offer(good_line), req)
    add("at-both-levels", "the same one for the session and for the section", offer(good_line, session_level=[good_line]), req)
    add("session-level", "", offer(session_level=[good_line]), req)
    add("lower-case", "hash and digits", offer(good_line.lower().replace("sha-256", "SHA-256")), req)
    add("line-feeds", "lines that end in LF alone", offer(good_line).replace("\r\n", "\n"), ["SIG-012", "IDN-022"])
    add("no-last-line-end", "", offer(good_line)[:-2], ["SIG-012"])
    add("candidates", "", offer(good_line, candidates=[CANDIDATE] * 128), ["SIG-012", "SIG-013"])
    add("unknown-lines", "attributes and sections that nobody here knows", offer(good_line) + "a=x-later:1\r\nm=audio 0 UDP/TLS/RTP/SAVPF 0\r\na=x\r\n", req)
    add("two", "", offer(good_line, other), req, False)
    add("two-at-different-levels", "", offer(good_line, session_level=[other]), req, False)
    add("two-in-different-sections", "", offer(good_line) + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n" + other + "\r\n", req, False)
    add("none", "", offer(), req, False)
    add("empty", "", "", req, False)
    add("sha-1", "", offer(LINE(VISITOR[:20], "sha-1")), req, False)
    add("sha-1-beside", "", offer(good_line, LINE(VISITOR[:20], "sha-1")), req, False)
    add("sha-512-beside", "", offer(good_line, LINE(VISITOR + AGENT, "sha-512")), req, False)
    add("short", "31 bytes", offer(LINE(VISITOR[:31])), req, False)
    add("long", "33 bytes", offer(LINE(VISITOR + b"\0")), req, False)
    add("no-colons", "", offer("a=fingerprint:sha-256 " + VISITOR.hex()), req, False)
    add("no-value", "", offer(good_line, "a=fingerprint"), req, False)
    add("no-hash", "", offer(good_line, "a=fingerprint:" + good_line.split(" ")[1]), req, False)
    add("third-word", "", offer(good_line + " more"), req, False)
    for name, line in (
        ("other-case", other.replace("a=fingerprint", "a=FingerPrint")), ("upper-case-a", other.replace("a=", "A=", 1)),
        ("spaces", other.replace("a=fingerprint:", " a = fingerprint : ")), ("tabless-space-first", " " + other),
        ("hash-other-case", other.replace("sha-256", "SHA-256")),
    ):
        add(f"hidden-{name}", "some parser reads the second line as a fingerprint, so it counts", offer(good_line, line), req, False)
    for name, text in (("bare-cr", "a=x\r" + other), ("cr-cr", "a=x\r\ra=y"), ("nul", "a=x\0y"), ("tab", "a=x\ty"), ("escape", "a=\x1b"), ("delete", "a=\x7f"),
                       ("next-line", "a=\u0085"), ("form-feed", "a=\x0cb")):
        add(f"control-{name}", "", offer(good_line, text), ["SIG-012"], False)
    add("not-ascii", "is no control character", offer(good_line, "s=caf\u00e9 \U0001f980"), ["SIG-012"])
    text = offer(good_line) + "a=x-filler:"
    for name, length, good in (("at-limit", 32_768, True), ("over-limit", 32_769, False)):
        add(name, f"{length:,} bytes", text, ["SIG-012"], good, ("a", length - len(text)))
    wide = offer(good_line) + "a=x-filler:"
    count = (32_768 - len(wide)) // 3 + 1
    add("over-limit-in-bytes", "fewer characters than bytes", wide, ["SIG-012"], False, ("\u6c34", count))
    add("candidates-129", "", offer(good_line, candidates=[CANDIDATE] * 129), ["SIG-013"], False)
    longest = CANDIDATE + " " + "x" * (1_024 - len(CANDIDATE) - 1)
    add("candidate-at-limit", "1,024 bytes", offer(good_line, candidates=[longest]), ["SIG-012", "SIG-013"])
    add("candidate-over-limit", "1,025 bytes", offer(good_line, candidates=[longest + "x"]), ["SIG-012", "SIG-013"], False)
    return {"type": "description", "comment": "`text`, then `then.text` repeated `then.times` times, is the SDP of an offer.", "cases": cases}


def message_limits():
    cases = []
    attribute = "a=max-message-size:262144"

    def add(name, comment, line, limit):
        text = wire.sdp("offer", [LINE(VISITOR)]).replace(attribute + "\r\n", line and line + "\r\n")
        rest = {"code": "BAD_OFFER"} if limit == "short" else {"max_message": limit}
        cases.append(case("message-limit/" + name, comment, text, "invalid" if limit == "short" else "valid", ["RTC-007", "RTC-026"], **rest))

    add("usual", "what browsers say", attribute, 262_144)
    add("missing", "RFC 8841 section 6.1", "", 65_536)
    add("none", "0 sets no limit", "a=max-message-size:0", None)
    add("least", "a frame of the default `max_frame`", "a=max-message-size:16384", 16_384)
    add("short", "", "a=max-message-size:16383", "short")
    add("one", "", "a=max-message-size:1", "short")
    add("below-the-default", "", "a=max-message-size:40000", 40_000)
    add("no-number", "counts as missing", "a=max-message-size:many", 65_536)
    add("two", "the lowest counts", attribute + "\r\na=max-message-size:40000", 40_000)
    add("two-of-which-one-is-short", "", attribute + "\r\na=max-message-size:1", "short")
    add("two-of-which-one-sets-none", "", "a=max-message-size:0\r\n" + attribute, 262_144)
    add("beyond-any-frame", "more than 32 bits", "a=max-message-size:4294967296", 4_294_967_296)
    return {"type": "message-limit", "comment": "`input` is the SDP of the other end.", "cases": cases}


def candidates():
    cases = []

    def add(name, comment, text, good=True):
        cases.append(case("candidate/" + name, comment, text, "valid" if good else "invalid", ["SIG-013"], **({} if good else {"code": "MALFORMED"})))

    add("host", "", CANDIDATE)
    add("mdns", "", "candidate:1 1 udp 2113937151 4ed4a0d2-6a1c-4b0e-9d6f-1a2b3c4d5e6f.local 50000 typ host generation 0 ufrag vIsI network-cost 999")
    add("relay", "", "candidate:3 1 udp 41885439 198.51.100.9 50001 typ relay raddr 192.0.2.7 rport 49152")
    add("ipv6", "", "candidate:2 1 udp 2122197247 2001:db8::7 49153 typ host")
    add("tcp", "", "candidate:4 1 tcp 1518280447 192.0.2.7 9 typ host tcptype active")
    add("end", "there will be no more", "")
    add("bare", "", "candidate:")
    add("not-ascii", "is no control character", "candidate:\u00e9")
    longest = CANDIDATE + " " + "x" * (1_024 - len(CANDIDATE) - 1)
    add("at-limit", "1,024 bytes", longest)
    add("over-limit", "1,025 bytes", longest + "x", False)
    add("over-limit-in-bytes", "1,023 characters, 1,026 bytes", longest[:-4] + "\u00e9" * 3, False)
    for name, text in (("attribute", "a=" + CANDIDATE), ("upper-case", CANDIDATE.upper()), ("space-first", " " + CANDIDATE), ("other", "ufrag:x"),
                       ("space", " "), ("cut", "candidate"), ("line", CANDIDATE + "\r\na=fingerprint:sha-256 AA"), ("line-feed", CANDIDATE + "\n"),
                       ("carriage-return", CANDIDATE + "\r"), ("nul", CANDIDATE + "\0"), ("tab", "candidate:1\t1"), ("delete", "candidate:\x7f"),
                       ("next-line", "candidate:\u0085"), ("line-feed-alone", "\n")):
        add(name, "", text, False)
    return {"type": "candidate", "comment": "`input` is the field `candidate` of a Candidate.", "cases": cases}


def requests():
    cases, updates = [], []
    offer = wire.sdp("offer", [LINE(VISITOR)])
    nonce = digest("visitor nonce")

    def add(name, comment, req, code=None, given=None, **changed):
        content = {"versions": [1], "sdp": offer, "nonce": nonce} | changed
        given = given or {"hex": kit.encode("VisitRequest", content).hex()}
        rest = {"code": code} if code else {"versions": content["versions"], "sdp": content["sdp"], "nonce": content["nonce"].hex()} | (
            {"restarts": content["restarts"].hex()} if "restarts" in content else {})
        cases.append(case("request/" + name, comment, given, "invalid" if code else "valid", req, **rest))

    plain = kit.encode("VisitRequest", {"versions": [1], "sdp": offer, "nonce": nonce})
    add("plain", "", ["SIG-020"])
    add("versions", "one that nobody knows yet stands first", ["VER-012", "SIG-020"], versions=[2, 1])
    add("unknown-field", "", ["VER-013"], given={"hex": (plain + wire.message((99, "later"))).hex()})
    add("no-versions", "", ["SIG-020", "VER-012"], "VERSION", versions=[])
    add("version-2", "", ["SIG-020", "VER-011"], "VERSION", versions=[2])
    add("no-nonce", "", ["SIG-020"], "MALFORMED", nonce=b"")
    add("nonce-31", "", ["SIG-020"], "MALFORMED", nonce=nonce[:31])
    add("nonce-33", "", ["SIG-020"], "MALFORMED", nonce=nonce + b"\0")
    add("restart", "of a session that runs", ["SIG-043", "SIG-044"], restarts=SESSION)
    add("restarts-15", "", ["SIG-044"], "MALFORMED", restarts=SESSION[:15])
    add("restarts-17", "", ["SIG-044"], "MALFORMED", restarts=SESSION + b"\0")
    add("no-sdp", "", ["SIG-020", "IDN-022"], "BAD_OFFER", sdp="")
    add("two-fingerprints", "", ["SIG-020", "IDN-022"], "BAD_OFFER", sdp=wire.sdp("offer", [LINE(VISITOR), LINE(AGENT)]))
    add("control-character", "", ["SIG-020", "SIG-012"], "BAD_OFFER", sdp=offer + "a=\0\r\n")
    add("sdp-too-long", "32,769 bytes", ["SIG-020", "SIG-012"], "BAD_OFFER",
        given=filled(wire.message((1, [1]), (3, nonce)) + wire.varint(2 << 3 | 2) + wire.varint(32_769) + offer.encode(), 32_769 - len(offer), b"a"))
    add("empty", "no bytes: neither version nor nonce", ["SIG-020", "VER-012"], "VERSION", given={"hex": ""})
    cases.pop()  # Which of the two is said, the text leaves open.
    add("not-protobuf", "", ["SIG-020"], "MALFORMED", given={"hex": "ffffff"})
    add("cut-off", "", ["SIG-020"], "MALFORMED", given={"hex": plain[:-1].hex()})
    add("text", "JSON in the place of a message", ["SIG-020"], "MALFORMED", given={"hex": b'{"sdp":"v=0"}'.hex()})
    add("sdp-not-utf8", "", ["SIG-020"], "MALFORMED", given={"hex": wire.message((1, [1]), (2, b"v=0\xff"), (3, nonce)).hex()})
    pad = wire.varint(99 << 3 | 2)
    for name, length, code in (("at-limit", LIMIT, None), ("over-limit", LIMIT + 1, "MALFORMED")):
        count = length - len(plain) - len(pad) - 3
        assert 16_384 <= count < 1 << 21
        add(f"body-{name}", f"{length:,} bytes, most of them in a field that is not known", ["SIG-020"], code,
            given=filled(plain + pad + wire.varint(count), count))

    def update(name, comment, listed, code=None, given=None, req=("SIG-021", "SIG-013")):
        body = kit.encode("VisitUpdate", {"candidates": [{"candidate": text, "sdp_mid": "0"} for text in listed]})
        rest = {"code": code} if code else {"candidates": listed}
        updates.append(case("update/" + name, comment, given or {"hex": body.hex()}, "invalid" if code else "valid", list(req), **rest))

    update("one", "", [CANDIDATE])
    update("end", "there will be no more", [CANDIDATE, ""], given={"hex": (kit.encode("VisitUpdate", {"candidates": [{"candidate": CANDIDATE, "sdp_mid": "0"}]})
                                                                        + wire.embedded(1, b"")).hex()})
    update("none", "", [])
    update("128", "as many as a visit may have", [f"candidate:{n}" for n in range(128)])
    update("bad-candidate", "", [CANDIDATE, "a=" + CANDIDATE], "MALFORMED")
    update("candidate-with-line", "", [CANDIDATE + "\r\na=x"], "MALFORMED")
    update("not-protobuf", "", [], "MALFORMED", {"hex": "ffffff"}, ["SIG-020", "SIG-021"])
    update("over-limit", "65,537 bytes", [], "MALFORMED", filled(pad + wire.varint(LIMIT + 1 - len(pad) - 3), LIMIT + 1 - len(pad) - 3), ["SIG-020"])
    return [{"type": "visit-request", "comment": "`input` is the body of `POST visits`.", "cases": cases},
            {"type": "visit-update", "comment": "`input` is the body of `POST visits/<session id>`.", "cases": updates}]


def event_streams():
    cases = []
    answer = {"sdp": "v=0\r\n", "statement": b"\x08\x01", "signature": bytes(64), "session_id": SESSION}
    listed = [("answer", answer), ("candidate", {"candidate": CANDIDATE, "sdp_mid": "0"}), ("candidate", {}), ("end", {"session_id": SESSION})]
    shown = [{"kind": kind, "content": kit.shown(kit.EVENTS[kind][1], content)} for kind, content in listed]
    body = b"".join(kit.delimited(kit.event(kind, content)) for kind, content in listed)

    def add(name, comment, chunks, events, req=("SIG-015",), good=True, rest=0):
        given = {"chunks": [chunk if isinstance(chunk, dict) else {"hex": chunk.hex()} for chunk in chunks]}
        cases.append(case("stream/" + name, comment, given, "valid" if good else "invalid", list(req), events=events, **({"rest": rest} if good else {})))

    add("whole", "", [body], shown)
    add("byte-by-byte", "", [bytes([byte]) for byte in body], shown)
    first = len(kit.delimited(kit.event(*listed[0])))
    add("event-by-event", "", [body[:first], body[first:]], shown)
    add("cut-in-a-length", "a length of two bytes, apart", [body[:1], body[1:first], body[first:]], shown)
    add("one-and-a-half", "an event and the beginning of another one", [body[:first + 5]], shown[:1], rest=5)
    add("half-a-length", "", [body[:1]], [], rest=1)
    add("nothing", "", [], [])
    add("empty-event", "an event of no bytes: its kind is not known", [b"\0" + body], [{"kind": None, "content": {}}] + shown, ["SIG-015", "SIG-018"])
    add("unknown-event", "field 99, to be ignored", [kit.delimited(wire.embedded(99, b"x")) + body], [{"kind": None, "content": {}}] + shown, ["SIG-018", "VER-013"])
    add("long-length", "a length in more bytes than it needs", [b"\x80\x00" + body], [{"kind": None, "content": {}}] + shown)
    inner = LIMIT - 3 - 1 - 3 - 1 - 3
    head = wire.varint(3 << 3 | 2) + wire.varint(inner + 4) + wire.varint(3 << 3 | 2) + wire.varint(inner)
    for extra in (0, 1):
        size = LIMIT + extra
        count = size - 1 - 3 - 1 - 3
        head = wire.varint(3 << 3 | 2) + wire.varint(count + 4) + wire.varint(3 << 3 | 2) + wire.varint(count)
        assert len(head) + count == size
        chunk = filled(wire.varint(size) + head, count, b"a")
        if extra:
            add("over-limit", "an event of 65,537 bytes", [body, chunk], shown, good=False)
        else:
            add("at-limit", "an event of 65,536 bytes, whose content is not compared", [chunk, body], [{"kind": "end"}] + shown)
    add("over-limit-announced", "the length alone is too much", [body[:first], wire.varint(LIMIT + 1)], shown[:1], good=False)
    add("length-largest", "2^64 - 1", [b"\xff" * 9 + b"\x01"], [], good=False)
    add("length-without-end", "eleven bytes of a length", [b"\xff" * 11], [], good=False)
    add("broken-event", "", [body[:first] + b"\x02\xff\xff"], shown[:1], good=False)
    add("event-cut-short", "a length that is too small for the message", [b"\x03" + kit.event(*listed[1])], [], good=False)
    return {"type": "event-stream", "comment": "`chunks` are the pieces of the body of a visit's answer, as they arrive.", "cases": cases}


def http_errors():
    cases = []
    for row in kit.REGISTERED:
        if row["name"] == "OK":
            continue
        status = 500 if row["http_status"] == "-" else int(row["http_status"])
        cases.append(case(f"error/{row['name']}", "" if row["http_status"] != "-" else "the table has no status", {"code": row["name"], "detail": "why"}, "valid",
                          ["SIG-019"], status=status, body={"code": row["name"], "detail": "why"}))
    for name, detail in (("quotes", 'a "b" \\ c'), ("controls", "a\n\t\0\u001f\u007f"), ("not-ascii", "caf\u00e9 \U0001f980"), ("empty", "")):
        cases.append(case(f"error/detail-{name}", "", {"code": "BAD_OFFER", "detail": detail}, "valid", ["SIG-019"], status=400,
                          body={"code": "BAD_OFFER", "detail": detail}))
    return {"type": "http-error", "comment": "`body` is the JSON of an error with this code, as a value.", "cases": cases}


def signaling():
    return {"vectors": "signaling", "flags": {
        "Should": "follows a SHOULD; an end that differs knows why (SIG-011, SIG-031, SIG-032, SIG-041, SIG-047)",
        "OneSession": "the agent takes `max_visits` as the number of sessions that it bears; one that bears more knows why (SIG-014)",
    }, "groups": [envelopes(), descriptions(), message_limits(), candidates(), *requests(), event_streams(), http_errors(), *links()]}
