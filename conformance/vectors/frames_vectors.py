"""frames.json: single messages on a lane; spec/v1/session.md."""
import wire
from names_vectors import case

U64 = (1 << 64) - 1


def setting(number, value):
    return wire.message((1, number), (2, value))


def field(name, value):
    return wire.message((1, name), (2, value if isinstance(value, bytes) else value.encode()))


def varints():
    cases = []
    for value in (0, 1, 37, 63, 64, 15293, 16383, 16384, 494878333, 2**30 - 1, 2**30, 151288809941952652, 2**62 - 1):
        cases.append(case(f"varint/{value}", "", wire.quic(value).hex(), "valid", ["SES-001"], value=str(value),
                          canonical=True))
    for value, length in ((0, 2), (0, 4), (0, 8), (37, 2), (63, 4), (16383, 8), (2**30 - 1, 8)):
        cases.append(case(f"varint/{value}-in-{length}", "longer than needed", wire.quic(value, length).hex(), "valid",
                          ["SES-001"], value=str(value), canonical=False))
    for name, data in (("empty", ""), ("1-of-2", "40"), ("1-of-4", "80"), ("3-of-4", "9d7f3e"), ("1-of-8", "c0"),
                       ("7-of-8", "c2197c5eff14e8")):
        cases.append(case(f"varint/{name}", "cut off", data, "invalid", ["SES-002"]))
    return {"type": "varint", "comment": "`input` is one varint, in hex, with nothing behind it; `value` in decimal. "
            "`canonical`: a writer produces these bytes.", "cases": cases}


def frames(types):
    number = {row["name"]: int(row["type"], 16) for row in types}

    def one(name, comment, data, result="valid", req=("SES-001",), flags=(), repeat=None, max_frame=16384,
            canonical=True, **rest):
        given = {"hex": data.hex(), "max_frame": max_frame}
        if repeat:
            given["then"] = {"hex": repeat[0].hex(), "times": repeat[1]}
        if result == "valid":
            rest["canonical"] = canonical
        return case("frame/" + name, comment, given, result, req, flags, **rest)

    def good(name, comment, kind, stream, payload, content, **rest):
        return one(name, comment, wire.frame(number[kind], stream, payload), type=kind, stream=str(stream),
                   content=content, **rest)

    def raw(name, comment, kind, stream, payload, **rest):
        return good(name, comment, kind, stream, payload, payload.hex(), **rest)

    def bad(name, comment, data, req, error="PROTOCOL", **rest):
        return one(name, comment, data, "invalid", req, error=error, **rest)

    def skipped(name, comment, kind, stream, payload, flags, **rest):
        return one(name, comment, wire.frame(kind, stream, payload), type=str(kind), stream=str(stream),
                   content=payload.hex(), skip=True, req=rest.pop("req", ["SES-004"]), flags=flags, **rest)

    hello = wire.message((1, [1]), (2, [setting(1, 65536), setting(5, 4)]), (3, "example/1.0"))
    hello_grease = wire.message((1, [0x7F, 1]), (2, [setting(0x1F * 7 + 0x21, 9)]), (3, ""))
    request = wire.message((1, "GET"), (2, "/a?b=c"), (3, [field("accept", "*/*"), field("x-empty", "")]), (4, 1))
    post = wire.message((1, "POST"), (2, "/upload"), (3, [field("content-length", "5")]))
    response = wire.message((1, 200), (2, [field("content-type", "text/plain"), field("x-bytes", b"\xff\x80")]))
    interim = wire.message((1, 103), (2, [field("link", "</s.css>; rel=preload")]))

    def head(method, target, end, *fields, protocol=""):
        return {"method": method, "target": target,
                "fields": [{"name": name, "value": value.hex()} for name, value in fields], "end": end, "protocol": protocol}

    def answer(status, end, *fields):
        return {"status": status, "fields": [{"name": name, "value": value.hex()} for name, value in fields], "end": end}

    decoded = [
        good("hello", "", "HELLO", 0, hello,
             {"versions": [1], "settings": [{"id": "1", "value": "65536"}, {"id": "5", "value": "4"}],
              "software": "example/1.0"}),
        good("hello-grease", "an unknown version first, and a setting that stands for nothing", "HELLO", 0, hello_grease,
             {"versions": [127, 1], "settings": [{"id": "250", "value": "9"}], "software": ""}, req=["SES-001", "VER-018"]),
        good("hello-empty", "no payload: a message with every field at its default", "HELLO", 0, b"",
             {"versions": [], "settings": [], "software": ""}),
        one("hello-unpacked", "versions as single fields: a reader of protobuf takes both forms",
            wire.frame(1, 0, bytes.fromhex("08010802")), type="HELLO", stream="0", canonical=False,
            content={"versions": [1, 2], "settings": [], "software": ""}),
        one("hello-unknown-field", "field 99 is ignored", wire.frame(1, 0, wire.message((1, [1]), (99, "later"))),
            type="HELLO", stream="0", canonical=False, req=["VER-013"],
            content={"versions": [1], "settings": [], "software": ""}),
        good("request-get", "", "REQUEST", 1, request,
             head("GET", "/a?b=c", True, ("accept", b"*/*"), ("x-empty", b""))),
        good("request-post", "", "REQUEST", 3, post, head("POST", "/upload", False, ("content-length", b"5"))),
        good("request-large-stream", "stream 2^62 - 1", "REQUEST", 2**62 - 1, request,
             head("GET", "/a?b=c", True, ("accept", b"*/*"), ("x-empty", b""))),
        good("request-connect", "field 5 of the message", "REQUEST", 7, wire.message((1, "CONNECT"), (2, "/chat"), (5, "websocket")),
             head("CONNECT", "/chat", False, protocol="websocket"), req=["SES-001", "WSK-001"]),
        good("response", "a value is bytes, not text", "RESPONSE", 1, response,
             answer(200, False, ("content-type", b"text/plain"), ("x-bytes", b"\xff\x80"))),
        good("response-103", "", "RESPONSE", 1, interim, answer(103, False, ("link", b"</s.css>; rel=preload"))),
        good("response-204", "", "RESPONSE", 5, wire.message((1, 204), (3, 1)), answer(204, True)),
        raw("data", "", "DATA", 1, b"hello"),
        raw("data-one-byte", "", "DATA", 1, b"\0"),
        raw("data-end", "", "DATA_END", 1, b"hello"),
        raw("data-end-empty", "zero bytes are fine here", "DATA_END", 1, b"", req=["SES-022"]),
        good("trailers", "", "TRAILERS", 1, wire.message((1, [field("server-timing", "db")])),
             {"fields": [{"name": "server-timing", "value": b"db".hex()}]}),
        good("trailers-empty", "", "TRAILERS", 1, b"", {"fields": []}),
        good("reset", "", "RESET", 1, wire.message((1, 6), (2, "gone")), {"code": "6", "reason": "gone"}),
        good("reset-unknown-code", "", "RESET", 1, wire.message((1, 0x1F * 3 + 0x21)), {"code": "126", "reason": ""},
             req=["SES-092"]),
        good("stop", "", "STOP", 1, wire.message((1, 7)), {"code": "7"}),
        good("credit-stream", "", "CREDIT", 1, wire.message((1, 1 << 20)), {"max_bytes": "1048576"}),
        good("credit-session", "stream 0", "CREDIT", 0, wire.message((1, 4 << 20)), {"max_bytes": "4194304"}),
        good("credit-largest", "2^64 - 1", "CREDIT", 1, wire.message((1, U64)), {"max_bytes": str(U64)}),
        good("ping", "", "PING", 0, wire.message((1, 7)), {"token": "7"}),
        good("ping-largest", "a token that no double holds", "PING", 0, wire.message((1, U64)), {"token": str(U64)}),
        good("ping-empty", "token 0", "PING", 0, b"", {"token": "0"}),
        good("pong", "", "PONG", 0, wire.message((1, 7)), {"token": "7"}),
        raw("ws-text", "", "WS_TEXT", 1, "h\u00e9".encode(), req=["WSK-010"]),
        raw("ws-text-empty", "a message without bytes", "WS_TEXT", 1, b"", req=["WSK-011"]),
        raw("ws-text-not-utf8", "a frame is not judged by its text; whoever puts the message together does that", "WS_TEXT", 1, b"\xff", req=["WSK-012"]),
        raw("ws-text-part", "it may end within a character", "WS_TEXT_PART", 1, b"h\xc3", req=["WSK-012"]),
        raw("ws-binary", "", "WS_BINARY", 1, b"\0\xff", req=["WSK-010"]),
        raw("ws-binary-empty", "", "WS_BINARY", 1, b"", req=["WSK-011"]),
        raw("ws-binary-part", "", "WS_BINARY_PART", 1, b"\0", req=["WSK-011"]),
        raw("ws-binary-large-stream", "", "WS_BINARY", 2**62 - 1, b"\0", req=["WSK-010"]),
        good("ws-close", "", "WS_CLOSE", 1, wire.message((1, 1000), (2, "done")), {"code": 1000, "reason": "done"}, req=["WSK-020"]),
        good("ws-close-none", "neither code nor reason", "WS_CLOSE", 1, b"", {"code": 0, "reason": ""}, req=["WSK-020"]),
        good("ws-close-code-that-does-not-travel", "the payload decodes; websocket-closes.json has what follows", "WS_CLOSE", 1,
             wire.message((1, 1005)), {"code": 1005, "reason": ""}, req=["WSK-020"]),
        one("ws-close-unknown-field", "field 99 is ignored", wire.frame(number["WS_CLOSE"], 1, wire.message((1, 1000), (99, "later"))),
            type="WS_CLOSE", stream="1", canonical=False, req=["VER-013"], content={"code": 1000, "reason": ""}),
        good("goaway", "", "GOAWAY", 0, wire.message((1, 2), (2, 9), (3, "even stream")),
             {"code": "2", "last_stream": "9", "reason": "even stream"}),
        good("goaway-drain", "", "GOAWAY", 0, wire.message((2, 9)), {"code": "0", "last_stream": "9", "reason": ""}),
        one("ping-field-twice", "of a single field the last one counts", wire.frame(10, 0, bytes.fromhex("08070809")), type="PING", stream="0",
            content={"token": "9"}, canonical=False, req=["SES-001"]),
        one("reset-other-field-order", "fields in any order", wire.frame(7, 1, wire.message((2, "gone"), (1, 6))), type="RESET", stream="1",
            content={"code": "6", "reason": "gone"}, canonical=False, req=["SES-001"]),
        one("long-type", "type 0x04 in two bytes", wire.quic(4, 2) + wire.quic(1) + b"x", type="DATA", stream="1",
            content=b"x".hex(), canonical=False),
        one("long-type-8", "type 0x04 in eight bytes", wire.quic(4, 8) + wire.quic(1) + b"x", type="DATA", stream="1",
            content=b"x".hex(), canonical=False),
        one("long-stream", "stream 1 in four bytes", wire.quic(4) + wire.quic(1, 4) + b"x", type="DATA", stream="1",
            content=b"x".hex(), canonical=False),
    ]
    unknown = [
        skipped("grease-0x21", "", 0x21, 0, b"\x00\x01", ["Grease"], req=["SES-004", "VER-018"]),
        skipped("grease-0x40", "", 0x40, 0, b"", ["Grease"], req=["SES-004", "VER-018"]),
        skipped("grease-on-stream", "", 0x1F * 1000 + 0x21, 1, b"anything", ["Grease"], req=["SES-004", "VER-018"]),
        skipped("grease-largest", "the largest of its form", 0x1F * ((2**62 - 1 - 0x21) // 0x1F) + 0x21, 0, b"", ["Grease"],
                req=["SES-004", "VER-018"]),
        skipped("type-0", "", 0, 0, b"x", ["Unknown"]),
        skipped("type-0x0d", "the first number that is not given out", 0x0D, 1, b"", ["Unknown"]),
        skipped("type-0x15", "behind the types of WebSockets", 0x15, 1, b"x", ["Unknown"]),
        skipped("type-0x1f", "the last core number", 0x1F, 1, b"", ["Unknown"]),
        skipped("type-largest", "2^62 - 1", 2**62 - 1, 2**62 - 1, b"", ["Unknown"]),
    ]
    malformed = [
        bad("empty", "a message of no bytes", b"", ["SES-002"]),
        bad("type-cut-off", "", b"\x40", ["SES-002"]),
        bad("no-stream", "type PING and nothing else", b"\x0a", ["SES-002"]),
        bad("stream-cut-off", "", b"\x04\x80\x00", ["SES-002"]),
        bad("unknown-type-no-stream", "an unknown type needs its stream too", wire.quic(0x21), ["SES-002"]),
        bad("data-empty", "DATA has at least one byte", wire.frame(4, 1), ["SES-022"]),
        bad("ws-text-part-empty", "a part has at least one byte", wire.frame(0x12, 1), ["WSK-011"]),
        bad("ws-binary-part-empty", "", wire.frame(0x13, 1), ["WSK-011"]),
        bad("ws-close-not-protobuf", "", wire.frame(0x14, 1, b"\xff\xff"), ["SES-002"]),
        bad("ws-close-as-in-rfc-6455", "two bytes of code and a text", wire.frame(0x14, 1, b"\x03\xe8done"), ["SES-002"]),
        bad("ws-close-reason-not-utf8", "", wire.frame(0x14, 1, wire.message((1, 1000), (2, b"\xff"))), ["SES-002"]),
        bad("known-field-other-wire-type", "the token of a PING as a text", wire.frame(10, 0, wire.message((1, "x"))), ["SES-002"]),
        bad("request-not-protobuf", "", wire.frame(2, 1, b"\xff\xff\xff"), ["SES-002"]),
        bad("request-cut-off", "the last byte of the payload is missing", wire.frame(2, 1, request)[:-1], ["SES-002"]),
        bad("request-length-beyond", "a field longer than the message", wire.frame(2, 1, b"\x0a\x7fGET"), ["SES-002"]),
        bad("request-method-not-utf8", "a string of protobuf is UTF-8", wire.frame(2, 1, b"\x0a\x02\xff\xfe\x12\x01/"),
            ["SES-002"]),
        bad("ping-varint-too-long", "eleven bytes", wire.frame(10, 0, b"\x08" + b"\xff" * 10 + b"\x01"), ["SES-002"]),
        bad("ping-field-zero", "field number 0 is not allowed in protobuf", wire.frame(10, 0, b"\x00\x01"), ["SES-002"]),
        bad("hello-on-stream", "", wire.frame(1, 1, hello), ["SES-009"]),
        bad("ping-on-stream", "", wire.frame(10, 1, b""), ["SES-009"]),
        bad("pong-on-stream", "", wire.frame(11, 3, b""), ["SES-009"]),
        bad("goaway-on-stream", "", wire.frame(12, 1, b""), ["SES-009"]),
        *(bad(f"{name.lower().replace('_', '-')}-on-session", "", wire.frame(number[name], 0, b"" if name != "DATA" else b"x"),
              ["SES-009"])
          for name in ("REQUEST", "RESPONSE", "DATA", "DATA_END", "TRAILERS", "RESET", "STOP", "WS_TEXT", "WS_BINARY", "WS_CLOSE")),
        *(bad(f"{name.lower().replace('_', '-')}-on-session", "", wire.frame(number[name], 0, b"x"), ["SES-009"])
          for name in ("WS_TEXT_PART", "WS_BINARY_PART")),
    ]
    sizes = [
        one("size-at-limit", "16,384 bytes with the header", wire.frame(4, 1), repeat=(b"a", 16382), type="DATA",
            stream="1", content_length=16382, req=["SES-003"]),
        bad("size-over-limit", "16,385 bytes", wire.frame(4, 1), ["SES-003"], "FRAME_SIZE", repeat=(b"a", 16383)),
        bad("size-header-counts", "payload of 16,384 bytes", wire.frame(4, 1), ["SES-003"], "FRAME_SIZE", repeat=(b"a", 16384)),
        bad("size-unknown-type", "an unknown type may not be longer either", wire.frame(0x21, 0), ["SES-003"], "FRAME_SIZE",
            repeat=(b"a", 16384)),
        one("size-message-at-limit", "the 64 bytes that a message counts more are no bytes of the frame", wire.frame(0x11, 1), repeat=(b"a", 16382),
            type="WS_BINARY", stream="1", content_length=16382, req=["SES-003", "SES-040"]),
        bad("size-message-over-limit", "", wire.frame(0x11, 1), ["SES-003"], "FRAME_SIZE", repeat=(b"a", 16383)),
        one("size-agreed", "65,536 bytes, which both ends agreed on", wire.frame(4, 1), repeat=(b"a", 65534),
            max_frame=65536, type="DATA", stream="1", content_length=65534, req=["SES-003"]),
        bad("size-over-agreed", "65,537 bytes", wire.frame(4, 1), ["SES-003"], "FRAME_SIZE", repeat=(b"a", 65535),
            max_frame=65536),
        bad("size-long-malformed", "too long, and otherwise malformed: the length comes first", wire.frame(4, 0),
            ["SES-003"], "FRAME_SIZE", repeat=(b"a", 16384)),
    ]
    comment = ("`input.hex`, then `input.then.hex` repeated `input.then.times` times, is one message on a lane where frames "
               "may have `input.max_frame` bytes. `type` is a name in the registry, or a number when `skip` is set. "
               "Numbers of 64 bits are decimal strings; field values and raw payloads are hex.")
    return {
        "vectors": "frames",
        "flags": {
            "Grease": "a type that stands for nothing, to be skipped (VER-018)",
            "Unknown": "a type that is not in the registry, to be skipped (SES-004)",
        },
        "groups": [
            varints(),
            {"type": "frame", "comment": comment, "cases": decoded + unknown + malformed + sizes},
        ],
    }
