"""response-mapping.json: what a caller sees of the frames of a response; spec/v1/session.md and http.md."""
import session_kit as kit
from names_vectors import case

FIVE = (("content-length", "5"),)


def responses():
    cases = []

    def add(name, comment, frames, req, method="GET", status=200, body=b"", interim=(), trailers=(), cut=None, error=None, scope="stream"):
        given = {"method": method, "frames": [frame.data.hex() for frame in frames], "notes": [frame.note for frame in frames]}
        if error:
            cases.append(case("response/" + name, comment, given, "invalid", req, error=error, scope=scope))
        else:
            cases.append(case("response/" + name, comment, given, "valid", req, interim=list(interim), status=status, body=body.hex(),
                              trailers=[[key, value.encode().hex()] for key, value in trailers], cut=cut))

    head, data, end = kit.response, kit.data, kit.data_end
    hello = b"hello"
    add("plain", "", [head(1), data(1), end(1, b"!")], ["HTP-001"], body=b"hello!")
    add("one-frame", "", [head(1), end(1)], ["HTP-006"], body=hello)
    add("end-in-the-head", "", [head(1, end=True)], ["HTP-002"])
    add("empty-end", "", [head(1), end(1, b"")], ["HTP-002", "SES-022"])
    add("byte-by-byte", "the bounds of frames mean nothing", [head(1)] + [data(1, bytes([byte])) for byte in hello] + [end(1, b"")], ["HTP-006"], body=hello)
    add("length", "", [head(1, fields=FIVE), data(1, b"he"), end(1, b"llo")], ["SES-037"], body=hello)
    add("length-then-empty-end", "", [head(1, fields=FIVE), data(1), end(1, b"")], ["SES-037"], body=hello)
    add("length-twice", "", [head(1, fields=FIVE * 2), end(1)], ["SES-037"], body=hello)
    add("length-0", "", [head(1, fields=(("content-length", "0"),)), end(1, b"")], ["SES-037"])
    add("trailers", "", [head(1), data(1), kit.trailers(1)], ["HTP-008"], body=hello, trailers=[("x-sum", "1")])
    add("trailers-and-length", "", [head(1, fields=FIVE), data(1), kit.trailers(1)], ["SES-037", "HTP-008"], body=hello, trailers=[("x-sum", "1")])
    add("trailers-alone", "", [head(1), kit.trailers(1)], ["HTP-008"], trailers=[("x-sum", "1")])
    add("trailers-twice-the-same-name", "", [head(1), kit.trailers(1, (("x-a", "1"), ("x-a", "2")))], ["HTP-008", "HTP-003"],
        trailers=[("x-a", "1"), ("x-a", "2")])
    add("interim", "", [head(1, 103), head(1), end(1)], ["HTP-004", "SES-021"], interim=[103], body=hello)
    add("interim-100-and-103", "", [head(1, 100), head(1, 103), head(1, 103), head(1, end=True)], ["HTP-004"], interim=[100, 103, 103])
    add("interim-with-length", "it promises nothing for the final one", [head(1, 103, FIVE), head(1), end(1, b"hi")], ["SES-021", "SES-037"], interim=[103], body=b"hi")
    for status in (204, 304):
        add(f"{status}", "", [head(1, status, end=True)], ["HTP-005"], status=status)
        add(f"{status}-empty-end", "", [head(1, status), end(1, b"")], ["HTP-005", "HTP-002"], status=status)
        add(f"{status}-length", "content-length promises nothing", [head(1, status, FIVE, True)], ["SES-037"], status=status)
        add(f"{status}-length-empty-end", "", [head(1, status, FIVE), end(1, b"")], ["SES-037"], status=status)
        add(f"{status}-trailers", "trailers are no body", [head(1, status), kit.trailers(1)], ["SES-037", "HTP-008"], status=status, trailers=[("x-sum", "1")])
        add(f"{status}-body", "", [head(1, status), data(1)], ["SES-037", "HTP-005"], error="BAD_MESSAGE")
        add(f"{status}-body-at-the-end", "", [head(1, status), end(1)], ["SES-037", "HTP-005"], error="BAD_MESSAGE")
    add("head", "", [head(1, end=True)], ["HTP-005"], method="HEAD")
    add("head-length", "what GET would have", [head(1, fields=FIVE, end=True)], ["SES-037"], method="HEAD")
    add("head-length-empty-end", "", [head(1, fields=FIVE), end(1, b"")], ["SES-037", "HTP-002"], method="HEAD")
    add("head-body", "", [head(1, fields=FIVE), end(1)], ["SES-037", "HTP-005"], method="HEAD", error="BAD_MESSAGE")
    add("head-404-body", "", [head(1, 404), data(1)], ["SES-037", "HTP-005"], method="HEAD", error="BAD_MESSAGE")
    add("head-lower-case", "`head` is another method, and its response has a body", [head(1, fields=FIVE), end(1)], ["SES-033", "SES-037"], method="head", body=hello)
    add("205-body", "205 is like all others here", [head(1, 205, FIVE), end(1)], ["SES-037"], status=205, body=hello)
    add("206", "", [head(1, 206, FIVE + (("content-range", "bytes 0-4/9"),)), end(1)], ["SES-037"], status=206, body=hello)
    add("404", "", [head(1, 404), end(1)], ["HTP-001"], status=404, body=hello)
    add("599", "", [head(1, 599), end(1)], ["SES-021"], status=599, body=hello)
    add("unknown-type-within", "", [head(1), data(1), kit.frame(kit.GREASE, 1, b"?", "unknown type 0x21 on stream 1"), end(1, b"!")], ["SES-004"], body=b"hello!")

    add("longer", "", [head(1, fields=FIVE), data(1), data(1, b"!")], ["SES-037"], error="BAD_MESSAGE")
    add("longer-at-the-end", "", [head(1, fields=FIVE), data(1), end(1, b"!")], ["SES-037"], error="BAD_MESSAGE")
    add("longer-in-one-frame", "", [head(1, fields=FIVE), end(1, b"hello!")], ["SES-037"], error="BAD_MESSAGE")
    add("shorter", "", [head(1, fields=FIVE), data(1, b"hell"), end(1, b"")], ["SES-037"], error="BAD_MESSAGE")
    add("shorter-by-all", "", [head(1, fields=FIVE), end(1, b"")], ["SES-037"], error="BAD_MESSAGE")
    add("shorter-with-trailers", "", [head(1, fields=FIVE), data(1, b"hell"), kit.trailers(1)], ["SES-037"], error="BAD_MESSAGE")
    add("length-0-with-body", "", [head(1, fields=(("content-length", "0"),)), data(1, b"x")], ["SES-037"], error="BAD_MESSAGE")
    add("length-and-end", "", [head(1, fields=FIVE, end=True)], ["SES-037"], error="BAD_MESSAGE")
    add("trailers-with-length", "", [head(1), data(1), kit.trailers(1, FIVE)], ["SES-039"], error="BAD_MESSAGE")
    add("trailers-with-hop", "", [head(1), data(1), kit.trailers(1, (("connection", "close"),))], ["SES-031", "SES-036"], error="BAD_MESSAGE")
    add("bad-interim", "", [head(1, 103, (("Link", "x"),))], ["SES-036"], error="BAD_MESSAGE")
    add("switching-protocols", "", [head(1, 101)], ["SES-021", "HTP-015"], error="BAD_MESSAGE")

    add("cut-off", "an error behind the bytes", [head(1), data(1), kit.reset(1, "UPSTREAM_FAILED")], ["SES-023", "HTP-050"], body=hello, cut="UPSTREAM_FAILED")
    add("cut-off-within-length", "", [head(1, fields=FIVE), data(1, b"he"), kit.reset(1, "UPSTREAM_FAILED")], ["SES-023"], body=b"he", cut="UPSTREAM_FAILED")
    add("cut-off-at-its-length", "all bytes are there, and still it has not ended well", [head(1, fields=FIVE), data(1), kit.reset(1, "INTERNAL")],
        ["SES-023"], body=hello, cut="INTERNAL")
    add("cut-off-without-an-error", "NO_ERROR cuts off, too", [head(1), data(1), kit.reset(1, "NO_ERROR")], ["SES-023"], body=hello, cut="NO_ERROR")
    add("cut-off-trailers-too-large", "", [head(1), data(1), kit.reset(1, "HEAD_TOO_LARGE")], ["SES-038", "SES-023"], body=hello, cut="HEAD_TOO_LARGE")
    add("reset-behind-the-end", "", [head(1), end(1), kit.reset(1, "INTERNAL")], ["SES-023", "SES-013"], body=hello)

    add("body-first", "", [data(1)], ["SES-020"], error="PROTOCOL", scope="session")
    add("end-first", "", [end(1, b"")], ["SES-020"], error="PROTOCOL", scope="session")
    add("body-behind-an-interim-head", "", [head(1, 103), data(1)], ["SES-020"], error="PROTOCOL", scope="session")
    add("two-final-heads", "", [head(1), head(1)], ["SES-020", "SES-021"], error="PROTOCOL", scope="session")
    add("interim-behind-the-final-head", "", [head(1), head(1, 103)], ["SES-020", "SES-021"], error="PROTOCOL", scope="session")
    add("empty-data", "", [head(1), kit.frame("DATA", 1, b"", "DATA without a byte on stream 1")], ["SES-022"], error="PROTOCOL", scope="session")
    return {"vectors": "response-mapping", "flags": {}, "groups": [
        {"type": "response", "comment": "`frames` answer a request without a body on stream 1; README.md, Responses.", "cases": cases}]}
