"""Sequences of WebSockets for state-sequences.json that the tables do not show, and websocket-closes.json."""
import session_kit as kit
import wire
from names_vectors import case
from session_kit import Sequence, sent, told

PROTOCOLS = (("sec-websocket-protocol", "v2.chat, v1.chat"),)


def message(kind, content):
    amount = {"bytes": content} if isinstance(content, int) else {"hex": content.hex()}
    return {"type": "MESSAGE", "stream": "1", "kind": kind, **amount}


def heard(kind, content):
    amount = {"bytes": content} if isinstance(content, int) else {"hex": content.hex()}
    return told("message", 1, kind=kind, **amount)


def agent(accepted=True, **rest):
    s = Sequence("agent", **rest).receive(kit.connect(1), told("request", 1, method="CONNECT", target="/socket", protocol="websocket"))
    if accepted:
        s.call("respond", stream=1, status=200, end=False).expect([sent("RESPONSE", 1, status=200, end=False)])
    return s


def visitor(accepted=True, fields=(), **rest):
    s = Sequence("visitor", **rest)
    given = {"fields": [list(one) for one in fields]} if fields else {}
    s.call("open", stream=1, method="CONNECT", target="/socket", end=False, protocol="websocket", **given)
    s.expect([sent("REQUEST", 1, method="CONNECT", protocol="websocket", end=False)])
    if accepted:
        s.receive(kit.response(1), told("response", 1, status=200))
    return s


def broken(bad="goes on", own_open=True):
    stop = [sent("STOP", 1, "BAD_MESSAGE")]
    sends = [sent("RESET", 1, "BAD_MESSAGE")] if own_open else []
    return dict(sends=sends + (stop if bad == "goes on" else []), events=[told("cut", 1, code="BAD_MESSAGE")],
                may_send=[] if bad == "goes on" else stop)


def websockets(add):
    for role, start in (("agent", agent), ("visitor", visitor)):
        s = start().receive(kit.ws("WS_TEXT", 1, b"hello"), heard("text", b"hello"))
        s.call("message", stream=1, kind="text", hex=b"hi".hex(), last=True).expect([message("text", b"hi")])
        s.call("message", stream=1, kind="binary", hex="ff00", last=True).expect([message("binary", b"\xff\0")])
        s.receive(kit.ws_close(1, 1000, "done"), told("close", 1, code=1000, reason="done"))
        s.expect(may_send=[sent("WS_CLOSE", 1)])
        s.call("close", stream=1, code=1000, reason="").expect([sent("WS_CLOSE", 1, 1000)])
        s.receive(kit.ws("WS_TEXT", 1, b"late", "WS_TEXT on stream 1, behind the end of both halves")).expect()
        add(f"{role}/websocket", "messages both ways, and a close that the other end begins", s, ["WSK-010", "WSK-013", "WSK-021", "SES-013"],
            flags=["ClosesItself"])
        s = start().call("close", stream=1, code=4000, reason="mine").expect([sent("WS_CLOSE", 1, 4000)])
        s.receive(kit.ws("WS_TEXT", 1, b"still"), heard("text", b"still")).receive(kit.ws_close(1, 4000, "yours"))
        s.expect(events=[told("close", 1, code=4000, reason="yours")])
        add(f"{role}/websocket-closes-first", "messages that were on their way still count", s, ["WSK-021"])
        s = start().receive(kit.ws_close(1, 1001)).call("close", stream=1, code=1000, reason="")
        s.expect([sent("WS_CLOSE", 1)], [told("close", 1, code=1001, reason="")])
        s.receive(kit.stop(1)).expect()
        add(f"{role}/websocket-closes-cross", "", s, ["WSK-021", "SES-013"], flags=["ClosesItself"])
        s = start().receive(kit.ws_close(1, 0), told("close", 1, code=1005, reason="")).expect(may_send=[sent("WS_CLOSE", 1)])
        add(f"{role}/websocket-close-without-code", "1005 for the application", s, ["WSK-020", "WSK-022"])
        s = start().call("close", stream=1, code=0, reason="").expect([sent("WS_CLOSE", 1, 0)])
        add(f"{role}/websocket-closes-without-code", "", s, ["WSK-020"])
        s = start().receive(kit.reset(1, "UPSTREAM_FAILED"), told("cut", 1, code="UPSTREAM_FAILED")).expect(
            may_send=[sent("RESET", 1), sent("WS_CLOSE", 1), sent("STOP", 1)])
        add(f"{role}/websocket-cut-off", "1006 for the application", s, ["WSK-022", "WSK-023"])

        for name, kind in (("text", "WS_TEXT"), ("binary", "WS_BINARY")):
            s = start().receive(kit.ws(kind, 1, b""), heard(name, b"")).receive(kit.ws(kind, 1, b""), heard(name, b""))
            add(f"{role}/websocket-empty-{name}", "a message without bytes is one", s, ["WSK-011", "WSK-013"])
            s = start().receive(kit.ws(kind + "_PART", 1, b""))
            add(f"{role}/websocket-empty-{name}-part", "", s, ["WSK-011"], "PROTOCOL")
            s = start().receive(kit.ws(kind + "_PART", 1, b"a")).receive(kit.ws(kind, 1, b"", f"{kind} on stream 1 that only ends the message"))
            s.expect(events=[heard(name, b"a")])
            add(f"{role}/websocket-{name}-ends-empty", "", s, ["WSK-011"])
            s = start()
            for _ in range(3):
                s.receive(kit.frame(kind + "_PART", 1, b"", f"{kind}_PART of 16,000 bytes on stream 1", ("78", 16_000)))
            s.receive(kit.ws(kind, 1, b"x"), heard(name, 48_001))
            add(f"{role}/websocket-{name}-in-parts", "four frames, one message", s, ["WSK-011", "WSK-013"])
        s = start().receive(kit.ws("WS_TEXT_PART", 1, b"half")).receive(kit.ws_close(1, 1001))
        s.expect(events=[told("close", 1, code=1001, reason="")], may_send=[sent("WS_CLOSE", 1)])
        add(f"{role}/websocket-close-within-a-message", "the message is dropped", s, ["WSK-014"])

        good = [("two-bytes", (b"\xc3", b"\xa9")), ("four-bytes-apart", (b"\xf0", b"\x9f", b"\xa6", b"\x80")), ("largest", (b"\xf4\x8f\xbf\xbf",)),
                ("nul", (b"\0",)), ("noncharacter", (b"\xef\xbf\xbf",)), ("bom", (b"\xef\xbb\xbfx",))]
        for name, pieces in good:
            s = start()
            for piece in pieces[:-1]:
                s.receive(kit.ws("WS_TEXT_PART", 1, piece))
            s.receive(kit.ws("WS_TEXT", 1, pieces[-1]), heard("text", b"".join(pieces)))
            add(f"{role}/websocket-utf8-{name}", "", s, ["WSK-012"])
        bad = [("byte-ff", (b"\xff",)), ("overlong", (b"\xc0\xaf",)), ("surrogate", (b"\xed\xa0\x80",)), ("above-10ffff", (b"\xf4\x90\x80\x80",)),
               ("lone-continuation", (b"\x80",)), ("ends-within", (b"\xe6\xb0",)), ("apart-and-wrong", (b"\xc3", b"\x28")),
               ("ends-within-a-part", (b"\xe6\xb0", b""))]
        for name, pieces in bad:
            s = start()
            for piece in pieces[:-1]:
                s.receive(kit.ws("WS_TEXT_PART", 1, piece))
            s.receive(kit.ws("WS_TEXT", 1, pieces[-1])).expect(**broken())
            add(f"{role}/websocket-not-utf8-{name}", "", s, ["WSK-012"], "BAD_MESSAGE", "stream")
        s = start().receive(kit.ws("WS_BINARY", 1, b"\xff\xed\xa0\x80"), heard("binary", b"\xff\xed\xa0\x80"))
        add(f"{role}/websocket-binary-is-not-judged", "", s, ["WSK-012"])

    s = agent(False).receive(kit.reset(1), told("cut", 1, code="CANCELLED")).receive(kit.stop(1))
    s.expect([sent("RESET", 1, "CANCELLED")], [told("stopped", 1, code="CANCELLED")])
    add("agent/websocket-given-up", "before the upstream has answered", s, ["WSK-005", "SES-025"])
    s = agent(False).call("respond", stream=1, status=403, end=True).expect([sent("RESPONSE", 1, status=403, end=True)])
    s.receive(kit.reset(1)).expect().receive(kit.ws("WS_TEXT", 1, b"x")).expect()
    add("agent/websocket-refused", "a refusal ends both halves", s, ["WSK-004", "WSK-005", "SES-013"])
    s = Sequence("agent").receive(kit.request(1, "CONNECT", fields=(), end=False, protocol="example"),
                                  told("request", 1, method="CONNECT", target="/", protocol="example"))
    s.call("respond", stream=1, status=501, end=True).expect([sent("RESPONSE", 1, status=501, end=True)])
    add("agent/unknown-protocol", "an extended CONNECT for something else reaches the agent's application, which answers 501", s, ["WSK-004", "SES-033"])
    s = agent()
    s.receive(kit.reset(1), told("cut", 1, code="CANCELLED")).expect(may_send=[sent("WS_CLOSE", 1), sent("RESET", 1)])
    add("agent/websocket-visitor-goes", "", s, ["WSK-023"])

    for name, fields, answer, error in (
        ("asked", PROTOCOLS, (("sec-websocket-protocol", "v1.chat"),), None),
        ("not-asked", PROTOCOLS, (("sec-websocket-protocol", "v3.chat"),), "BAD_MESSAGE"),
        ("none-asked", (), (("sec-websocket-protocol", "v1.chat"),), "BAD_MESSAGE"),
        ("none-chosen", PROTOCOLS, (), None),
        ("two-chosen", PROTOCOLS, (("sec-websocket-protocol", "v2.chat, v1.chat"),), "BAD_MESSAGE"),
        ("other-case", PROTOCOLS, (("sec-websocket-protocol", "V1.chat"),), "BAD_MESSAGE"),
        ("key", (), (("sec-websocket-accept", "x"),), "BAD_MESSAGE"),
        ("extensions", (), (("sec-websocket-extensions", "permessage-deflate"),), "BAD_MESSAGE"),
        ("length", (), (("content-length", "0"),), "BAD_MESSAGE"),
    ):
        s = visitor(False, fields).receive(kit.response(1, fields=answer))
        req = ["WSK-002"] if name in ("key", "extensions", "length") else ["WSK-006", "WSK-002"]
        s.expect(**(broken() if error else dict(events=[told("response", 1, status=200)])))
        add(f"visitor/websocket-accepted-{name}", "", s, req, error, "stream")
    s = visitor(False).receive(kit.response(1, 404, (("content-length", "5"),))).receive(kit.data_end(1))
    s.expect(events=[told("response", 1, status=404), told("data", 1, hex=b"hello".hex()), told("end", 1)])
    add("visitor/websocket-refused-with-content", "", s, ["WSK-005", "SES-037"])
    s = visitor(False).receive(kit.response(1, 502)).receive(kit.data(1)).receive(kit.reset(1, "UPSTREAM_FAILED"))
    s.expect(events=[told("response", 1, status=502), told("data", 1, hex=b"hello".hex()), told("cut", 1, code="UPSTREAM_FAILED")])
    add("visitor/websocket-refusal-cut-off", "", s, ["WSK-005", "SES-023"])


def closes():
    text123 = "r" * 123
    accented = "\u00e9" * 61 + "x"
    listed = [
        ("none", "no code", 0, "", True), ("none-with-reason", "a reason needs a code", 0, "why", False),
        ("1", "", 1, "", False), ("999", "", 999, "", False), ("1000", "", 1000, "", True), ("1000-reason", "", 1000, "done", True),
        ("1001", "", 1001, "", True), ("1002", "", 1002, "", True), ("1003", "", 1003, "", True),
        ("1004", "in no registry", 1004, "", False), ("1005", "only for applications to see", 1005, "", False),
        ("1006", "only for applications to see", 1006, "", False), ("1007", "", 1007, "", True), ("1008", "", 1008, "", True),
        ("1009", "", 1009, "", True), ("1010", "", 1010, "", True), ("1011", "", 1011, "", True), ("1012", "", 1012, "", True),
        ("1013", "", 1013, "", True), ("1014", "", 1014, "", True), ("1015", "only for applications to see", 1015, "", False),
        ("1016", "", 1016, "", False), ("1999", "", 1999, "", False), ("2000", "", 2000, "", False), ("2999", "", 2999, "", False),
        ("3000", "registered with IANA", 3000, "", True), ("3999", "", 3999, "", True), ("4000", "the app's own", 4000, "", True),
        ("4999", "", 4999, "", True), ("5000", "", 5000, "", False), ("65535", "", 65535, "", False),
        ("66536", "1000 in its lower 16 bits", 66536, "", False), ("largest", "2^32 - 1", (1 << 32) - 1, "", False),
        ("reason-123", "the longest", 1000, text123, True), ("reason-124", "", 1000, text123 + "r", False),
        ("reason-123-bytes-accented", "123 bytes, 62 characters", 1000, accented, True),
        ("reason-124-bytes-accented", "124 bytes, 62 characters", 1000, "\u00e9" * 62, False),
        ("reason-123-bytes-wide", "41 characters of three bytes", 1000, "\u6c34" * 41, True),
        ("reason-nul", "", 1000, "a\0b", True), ("reason-largest-character", "", 1000, "\U0010ffff", True),
    ]
    cases = []
    for name, comment, code, reason, good in listed:
        payload = wire.message((1, code), (2, reason))
        rest = ({"code": code, "reason": reason, "application_code": code or 1005} if good else {"error": "BAD_MESSAGE", "scope": "stream"})
        cases.append(case("close/" + name, comment, payload.hex(), "valid" if good else "invalid", ["WSK-020"] + ([] if code else ["WSK-022"]), **rest))
    for name, comment, payload in (
        ("reason-not-utf8", "a text of protobuf is UTF-8: the payload does not decode", wire.message((1, 1000), (2, b"\xff"))),
        ("reason-cut-character", "", wire.message((1, 1000), (2, b"\xc3"))),
        ("not-protobuf", "", b"\xff\xff\xff"),
        ("code-as-in-rfc-6455", "two bytes, not a message", b"\x03\xe8"),
    ):
        cases.append(case("close/" + name, comment, payload.hex(), "invalid", ["SES-002"], error="PROTOCOL", scope="session"))
    cases.append(case("close/unknown-field", "field 99 is ignored", wire.message((1, 1000), (2, "x"), (99, "later")).hex(), "valid",
                      ["VER-013", "WSK-020"], code=1000, reason="x", application_code=1000))
    return {"vectors": "websocket-closes", "flags": {}, "groups": [
        {"type": "ws-close", "comment": "`input` is the payload of a WS_CLOSE that an open WebSocket receives.", "cases": cases}]}
