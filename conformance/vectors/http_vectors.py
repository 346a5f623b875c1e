"""http-fields.json: heads and trailers, and what an agent changes in them; spec/v1/session.md (Heads) and http.md."""
import wire
from names_vectors import case
from session_kit import TYPES, raw_field

ALIAS_HOST = "recipes-honeyed-marble-4155.example.net"
SESSION = "5d0c7a1e9b3f48c2a6d1e0f9b8c7a6d5"
TOKEN = "!#$%&'*+-.^_`|~09az"


def shown(fields):
    """Names as text, values as hex; a name that is no UTF-8 as `hex_name`."""
    rows = []
    for name, value in fields:
        value = value.encode("latin-1") if isinstance(value, str) else value
        rows.append({"hex_name": name.hex(), "value": value.hex()} if isinstance(name, bytes) else {"name": name, "value": value.hex()})
    return rows


def verdict(error):
    """BAD_MESSAGE ends the stream; what does not decode ends the session."""
    if error is None:
        return "valid", {}
    return "invalid", {"error": error, "scope": "session" if error == "PROTOCOL" else "stream"}


def field_rules(kind):
    """(name, comment, fields, req, error) that hold for requests, responses and trailers alike."""
    rows = [
        ("name-token", "every character that a name may have", [(TOKEN, "1")], ["SES-030"], None),
        ("name-one-letter", "", [("x", "1")], ["SES-030"], None),
        ("name-empty", "", [("", "1")], ["SES-030"], "BAD_MESSAGE"),
        ("name-upper-case", "", [("X-Mine", "1")], ["SES-030"], "BAD_MESSAGE"),
        ("name-one-upper-case", "", [("x-minE", "1")], ["SES-030"], "BAD_MESSAGE"),
        ("name-pseudo", "a pseudo-header field of HTTP/2", [(":path", "/other")], ["SES-030"], "BAD_MESSAGE"),
        ("name-colon", "", [("x-mine:", "1")], ["SES-030"], "BAD_MESSAGE"),
        ("name-space", "", [("x mine", "1")], ["SES-030"], "BAD_MESSAGE"),
        ("name-space-at-end", "a parser of HTTP/1.1 may take it for the name without the space", [("x-mine ", "1")], ["SES-030"], "BAD_MESSAGE"),
        ("name-tab", "", [("x\tmine", "1")], ["SES-030"], "BAD_MESSAGE"),
        ("name-line", "a second field hides in the name", [("x: 1\r\ny", "1")], ["SES-030"], "BAD_MESSAGE"),
        ("name-nul", "", [("x\0", "1")], ["SES-030"], "BAD_MESSAGE"),
        ("name-delete", "0x7f", [("x\x7f", "1")], ["SES-030"], "BAD_MESSAGE"),
        ("name-not-ascii", "", [("x-\u00e9", "1")], ["SES-030"], "BAD_MESSAGE"),
        ("name-kelvin-sign", "lower-cases to k in Unicode", [("\u212aey", "1")], ["SES-030"], "BAD_MESSAGE"),
        ("name-slash", "", [("x/y", "1")], ["SES-030"], "BAD_MESSAGE"),
        ("name-quote", "", [('"x"', "1")], ["SES-030"], "BAD_MESSAGE"),
        ("name-brace", "", [("{x}", "1")], ["SES-030"], "BAD_MESSAGE"),
        ("name-at", "", [("x@y", "1")], ["SES-030"], "BAD_MESSAGE"),
        ("name-not-utf8", "the payload does not decode", [(b"x\xff", "1")], ["SES-002"], "PROTOCOL"),
        ("value-empty", "", [("x-mine", "")], ["SES-032"], None),
        ("value-inner-space", "", [("x-mine", "a b\tc")], ["SES-032"], None),
        ("value-bytes", "all bytes but NUL, LF and CR", [("x-mine", b"a" + bytes(b for b in range(1, 256) if b not in (10, 13)) + b"z")], ["SES-032"], None),
        ("value-not-utf8", "a value is bytes", [("x-mine", b"\xff\xfe")], ["SES-032"], None),
        ("value-cr", "", [("x-mine", "a\rb")], ["SES-032"], "BAD_MESSAGE"),
        ("value-lf", "", [("x-mine", "a\nb")], ["SES-032"], "BAD_MESSAGE"),
        ("value-line", "a second field hides in the value", [("x-mine", "a\r\nx-other: b")], ["SES-032"], "BAD_MESSAGE"),
        ("value-nul", "", [("x-mine", "a\0b")], ["SES-032"], "BAD_MESSAGE"),
        ("value-space-first", "", [("x-mine", " a")], ["SES-032"], "BAD_MESSAGE"),
        ("value-space-last", "", [("x-mine", "a ")], ["SES-032"], "BAD_MESSAGE"),
        ("value-tab-first", "", [("x-mine", "\ta")], ["SES-032"], "BAD_MESSAGE"),
        ("value-tab-last", "", [("x-mine", "a\t")], ["SES-032"], "BAD_MESSAGE"),
        ("value-one-space", "", [("x-mine", " ")], ["SES-032"], "BAD_MESSAGE"),
        ("second-field-bad", "", [("x-mine", "1"), ("x-other", "a\nb")], ["SES-032"], "BAD_MESSAGE"),
        ("same-name-twice", "", [("x-mine", "1"), ("x-mine", "2")], ["HTP-003"], None),
        ("te-trailers", "", [("te", "trailers")], ["SES-031"], None),
        ("te-gzip", "", [("te", "gzip")], ["SES-031"], "BAD_MESSAGE"),
        ("te-list", "", [("te", "trailers, deflate")], ["SES-031"], "BAD_MESSAGE"),
        ("te-empty", "", [("te", "")], ["SES-031"], "BAD_MESSAGE"),
        ("near-misses", "", [("connections", "close"), ("x-connection", "close"), ("keep_alive", "1"), ("upgrade-insecure-requests", "1"),
                             ("proxy-authorization", "x")], ["SES-031"], None),
        ("fields-256", "", [(f"x-{n}", "1") for n in range(256)], ["SES-036"], None),
    ]
    for name in ("connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"):
        rows.append((f"hop-{name}", "", [(name, "close" if name == "connection" else "x")], ["SES-031"], "BAD_MESSAGE"))
    return [(f"{kind}/{name}", comment, fields, req, error) for name, comment, fields, req, error in rows]


def request_heads():
    cases = []

    def add(name, comment, req, error=None, method="GET", target="/", fields=(), end=True, protocol="", flags=(), result=None):
        payload = wire.message((1, method), (2, target), (3, [raw_field(*one) for one in fields]), (4, int(end)), (5, protocol))
        given = {"frame": wire.frame(TYPES["REQUEST"], 1, payload).hex(), "method": method, "target": target}
        given |= {"protocol": protocol} if protocol else {}
        given |= {"end": end, "fields": shown(fields)}
        outcome, rest = verdict(error)
        cases.append(case(name, comment, given, result or outcome, req, flags, **rest))

    for name, comment, fields, req, error in field_rules("request"):
        add(name, comment, req, error, fields=fields)
    bad = "BAD_MESSAGE"
    add("request/fields-257", "a receiver may stop at 256", ["SES-036"], bad, fields=[(f"x-{n}", "1") for n in range(257)],
        flags=["ManyFields"], result="acceptable")
    for method, error in (("GET", None), ("HEAD", None), ("get", None), ("M-SEARCH", None), ("X", None), (TOKEN + "AZ", None), ("", bad),
                          ("GE T", bad), (" GET", bad), ("GET ", bad), ("GET\n", bad), ("GET\0", bad), ("G\u00c9T", bad), ("GET/", bad),
                          ("G(T", bad), ("GET /other HTTP/1.1\r\nx:", bad)):
        shown_name = {"": "empty"}.get(method) or "".join(c if c.isalnum() and c.isascii() else f"-{ord(c):x}-" for c in method).strip("-")
        add(f"request/method-{shown_name}", "", ["SES-033"], error, method=method)
    add("request/connect", "", ["SES-033", "WSK-001"], method="CONNECT", end=False, protocol="websocket")
    add("request/connect-other-protocol", "", ["SES-033"], method="CONNECT", end=False, protocol="example")
    add("request/connect-without-protocol", "", ["SES-033"], bad, method="CONNECT", end=False)
    add("request/connect-authority", "a CONNECT of HTTP/1.1", ["SES-033", "SES-034"], bad, method="CONNECT", target="host.example:443", end=False)
    add("request/connect-with-end", "", ["SES-033"], bad, method="CONNECT", end=True, protocol="websocket")
    add("request/connect-authority-and-protocol", "", ["SES-034"], bad, method="CONNECT", target="host.example:443", end=False, protocol="websocket")
    add("request/get-with-protocol", "", ["SES-033"], bad, protocol="websocket")
    add("request/connect-lower-case", "another method, and none of those has a protocol", ["SES-033"], bad, method="connect", end=False, protocol="websocket")
    add("request/websocket-subprotocols", "", ["WSK-002"], method="CONNECT", end=False, protocol="websocket",
        fields=[("sec-websocket-protocol", "v2.chat, v1.chat"), ("origin", "https://" + ALIAS_HOST)])
    for name in ("sec-websocket-key", "sec-websocket-accept", "sec-websocket-version", "sec-websocket-extensions", "content-length"):
        add(f"request/websocket-{name}", "", ["WSK-002"], bad, method="CONNECT", end=False, protocol="websocket",
            fields=[(name, {"sec-websocket-version": "13", "content-length": "0"}.get(name, "x"))])
    add("request/sec-websocket-key-elsewhere", "without a meaning in another request", ["WSK-002"], fields=[("sec-websocket-key", "x")])

    targets = [
        ("root", "/", None), ("query", "/a?b=c&d", None), ("empty-query", "/?", None), ("two-question-marks", "/a?b?c", None),
        ("double-slash-inside", "/a//b", None), ("dots", "/../a/./b", None), ("percent", "/%2e%2E%zz", None), ("at", "/@host.example/", None),
        ("colon", "/a:b", None), ("tilde", "/~", None), ("brackets", "/[<{|}>]\\^`\"", None), ("backslash", "/\\host.example/", None),
        ("double-slash", "//host.example/", bad), ("triple-slash", "///", bad), ("empty", "", bad), ("no-slash", "a", bad), ("query-alone", "?a", bad),
        ("absolute", "http://host.example/", bad), ("authority", "host.example:80", bad), ("at-first", "@host.example/", bad),
        ("fragment", "/a#b", bad), ("fragment-alone", "/#", bad), ("space", "/a b", bad), ("space-first", " /", bad), ("tab", "/a\tb", bad),
        ("line", "/ HTTP/1.1\r\nx: y", bad), ("nul", "/a\0", bad), ("delete", "/\x7f", bad), ("not-ascii", "/\u00e9", bad),
        ("asterisk", "*", bad),
    ]
    for name, target, error in targets:
        add(f"request/target-{name}", "", ["SES-034"], error, target=target)
    add("request/options-asterisk", "", ["SES-034"], method="OPTIONS", target="*")
    add("request/options-path", "", ["SES-034"], method="OPTIONS", target="/")
    add("request/options-asterisk-query", "", ["SES-034"], bad, method="OPTIONS", target="*?a")
    add("request/options-asterisk-lower-case", "options is another method", ["SES-034"], bad, method="options", target="*")
    add("request/host", "", ["SES-035"], bad, fields=[("host", ALIAS_HOST)])
    add("request/host-empty", "", ["SES-035"], bad, fields=[("host", "")])
    add("request/x-host", "", ["SES-035"], fields=[("x-host", "elsewhere"), ("hostname", "elsewhere")])
    lengths = [
        ("0-with-end", [("content-length", "0")], True, None), ("5", [("content-length", "5")], False, None),
        ("5-with-end", [("content-length", "5")], True, bad), ("leading-zeros", [("content-length", "005")], False, None),
        ("15-digits", [("content-length", "999999999999999")], False, None), ("equal-twice", [("content-length", "5")] * 2, False, None),
        ("two-differ", [("content-length", "5"), ("content-length", "6")], False, bad), ("list", [("content-length", "5, 5")], False, bad),
        ("empty", [("content-length", "")], False, bad), ("plus", [("content-length", "+5")], False, bad), ("minus", [("content-length", "-1")], False, bad),
        ("hex", [("content-length", "0x5")], False, bad), ("fraction", [("content-length", "5.0")], False, bad),
        ("exponent", [("content-length", "1e3")], False, bad), ("words", [("content-length", "five")], False, bad),
        ("inner-space", [("content-length", "1 2")], False, bad), ("arabic-digit", [("content-length", "\u0665".encode())], False, bad),
        ("nothing-with-end", [], True, None), ("nothing", [], False, None),
    ]
    for name, fields, end, error in lengths:
        add(f"request/content-length-{name}", "", ["SES-037"], error, method="POST", fields=fields, end=end)
    add("request/cookie-in-pieces", "", ["HTP-003"], fields=[("cookie", "a=1"), ("cookie", "b=2")])
    add("request/trailer-and-expect", "fields of a head that are about what follows", ["SES-039", "HTP-007"], method="POST", end=False,
        fields=[("trailer", "x-sum"), ("expect", "100-continue")])
    return {"type": "request-head", "comment": "one REQUEST at an agent; README.md, Heads.", "cases": cases}


def response_heads():
    cases = []

    def add(name, comment, req, error=None, status=200, fields=(), end=True, to_method="GET", flags=(), result=None):
        payload = wire.message((1, status), (2, [raw_field(*one) for one in fields]), (3, int(end)))
        given = {"frame": wire.frame(TYPES["RESPONSE"], 1, payload).hex(), "to_method": to_method, "status": status, "end": end,
                 "fields": shown(fields)}
        outcome, rest = verdict(error)
        cases.append(case(name, comment, given, result or outcome, req, flags, **rest))

    for name, comment, fields, req, error in field_rules("response"):
        add(name, comment, req, error, fields=fields)
    bad = "BAD_MESSAGE"
    add("response/fields-257", "a receiver may stop at 256", ["SES-036"], bad, fields=[(f"x-{n}", "1") for n in range(257)],
        flags=["ManyFields"], result="acceptable")
    add("response/host", "only a REQUEST must not have it", ["SES-035"], fields=[("host", "x")])
    five = [("content-length", "5")]
    add("response/content-length-5-with-end", "", ["SES-037"], bad, fields=five)
    add("response/content-length-0-with-end", "", ["SES-037"], fields=[("content-length", "0")])
    add("response/content-length-205-with-end", "205 is like all others here", ["SES-037"], bad, 205, five)
    add("response/content-length-to-head", "what GET would have", ["SES-037"], fields=five, to_method="HEAD")
    add("response/content-length-304", "what 200 would have", ["SES-037"], status=304, fields=five)
    add("response/content-length-204", "has no place there, and is not checked", ["SES-037"], status=204, fields=five)
    add("response/content-length-to-head-no-number", "", ["SES-037"], bad, fields=[("content-length", "five")], to_method="HEAD")
    add("response/content-length-304-two-differ", "", ["SES-037"], bad, 304, [("content-length", "5"), ("content-length", "6")])
    add("response/content-length-two-differ", "", ["SES-037"], bad, fields=[("content-length", "5"), ("content-length", "6")], end=False)
    add("response/content-length-minus", "", ["SES-037"], bad, fields=[("content-length", "-1")], end=False)
    add("response/interim-bad-name", "rules for heads hold for interim ones", ["SES-036", "SES-030"], bad, 103, [("Link", "</a>")], False)
    add("response/interim-hop", "", ["SES-036", "SES-031"], bad, 103, [("connection", "close")], False)
    return {"type": "response-head", "comment": "one RESPONSE at a visitor; README.md, Heads.", "cases": cases}


def trailer_sections():
    cases = []

    def add(name, comment, fields, req, error):
        payload = wire.message((1, [raw_field(*one) for one in fields]))
        outcome, rest = verdict(error)
        cases.append(case(name, comment, {"frame": wire.frame(TYPES["TRAILERS"], 1, payload).hex(), "fields": shown(fields)}, outcome, req, **rest))

    for row in field_rules("trailers"):
        add(*row)
    for name in ("content-length", "host", "trailer"):
        add(f"trailers/{name}", "", [(name, "5")], ["SES-039"], "BAD_MESSAGE")
    add("trailers/none", "", [], ["SES-039"], None)
    add("trailers/set-cookie", "odd, and not forbidden", [("set-cookie", "a=1")], ["SES-039"], None)
    add("trailers/near-forbidden", "", [("x-content-length", "5"), ("hosts", "x"), ("trailers", "x")], ["SES-039"], None)
    return {"type": "trailers", "comment": "one TRAILERS frame that ends a body without bytes; README.md, Heads.", "cases": cases}


# --- what an agent changes --------------------------------------------------------------------

HOP = ("connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "te")
OWN = ("forwarded", "x-real-ip", "x-client-ip", "true-client-ip")
CODINGS = (("gzip", 1), ("deflate", 2))


def authority(upstream):
    return "localhost" if upstream.startswith("unix:") else upstream


def to_upstream(fields, visit):
    """HTP-003 and HTP-020 to HTP-026, in the order in which the text says them."""
    out, cookies, wanted, ranged = [], [], None, False
    for name, value in fields:
        plain = name.replace("_", "-")
        if name in HOP or name == "proxy-authorization":
            continue
        if plain in OWN or plain.startswith(("x-forwarded-", "x-p2claw-")):
            continue
        ranged = ranged or name == "range"
        if name == "cookie":
            cookies.append(value)
        elif name == "accept-encoding":
            wanted = (wanted or []) + [one.strip().lower() for one in value.split(",")]
        elif name == "origin" and not visit["preserve_host"] and value == f"{visit['public_scheme']}://{visit['public_authority']}":
            out.append((name, "http://" + authority(visit["upstream"])))
        else:
            out.append((name, value))
    if cookies:
        out.append(("cookie", "; ".join(cookies)))
    out.append(("host", visit["public_authority"] if visit["preserve_host"] else authority(visit["upstream"])))

    def is_wanted(coding):
        if wanted is None:
            return True
        for one in wanted:
            name, *parameters = [part.strip() for part in one.split(";")]
            weight = next((float(p[2:]) for p in parameters if p.startswith("q=")), 1.0)
            if name == coding:
                return weight > 0
        return False

    codings = [coding for coding, bit in CODINGS if visit["encodings"] & bit and is_wanted(coding)]
    out.append(("accept-encoding", ", ".join(codings) if codings and not ranged else "identity"))
    address = visit["visitor_address"]
    shown_address = "unknown" if address is None else f'"[{address}]"' if ":" in address else address
    out.append(("forwarded", f'for={shown_address};host="{visit["public_authority"]}";proto={visit["public_scheme"]}'))
    if address is not None:
        out.append(("x-forwarded-for", address))
    out += [("x-forwarded-host", visit["public_authority"]), ("x-forwarded-proto", visit["public_scheme"]), ("x-p2claw-session", visit["session"])]
    return out


def upstream_fields():
    cases = []
    always = ["HTP-021", "HTP-025", "HTP-026"]

    def add(name, comment, fields, req, **changed):
        visit = {"public_scheme": "https", "public_authority": ALIAS_HOST, "upstream": "localhost:5173", "preserve_host": False,
                 "session": SESSION, "encodings": 3, "visitor_address": "192.0.2.7"} | changed
        result = to_upstream(fields, visit)
        cases.append(case("upstream/" + name, comment, visit | {"fields": [list(one) for one in fields]}, "valid",
                          list(dict.fromkeys(req + always)), fields=[list(one) for one in result]))

    add("nothing", "what an agent writes by itself", [], ["HTP-023"])
    add("plain", "", [("accept", "*/*"), ("user-agent", "x"), ("authorization", "Bearer x"), ("via", "1.1 x"), ("expect", "100-continue"),
                      ("trailer", "x-sum"), ("content-length", "5"), ("sec-fetch-site", "same-origin"), ("if-none-match", '"x"')], ["HTP-020", "HTP-007"])
    add("proxy-authorization", "", [("proxy-authorization", "Basic x"), ("authorization", "Basic y")], ["HTP-020"])
    add("order", "fields of one name keep their order", [("x-a", "1"), ("x-b", "2"), ("x-a", "3"), ("x-a", "2")], ["HTP-003"])
    add("cookie-in-pieces", "", [("cookie", "a=1"), ("accept", "*/*"), ("cookie", "b=2; c=3"), ("cookie", "d=4")], ["HTP-003"])
    add("bytes", "a value is bytes", [("x-name", "caf\u00e9\u00ff")], ["HTP-003"])
    forged = [("forwarded", "for=10.0.0.1"), ("x-forwarded-for", "10.0.0.1"), ("x-forwarded-host", "evil.example"), ("x-forwarded-proto", "http"),
              ("x-forwarded-port", "1"), ("x-forwarded-prefix", "/x"), ("x-forwarded-", "x"), ("x-real-ip", "10.0.0.1"), ("x-client-ip", "10.0.0.1"),
              ("true-client-ip", "10.0.0.1"), ("x-p2claw-session", "00"), ("x-p2claw-anything", "1")]
    add("forged", "what a visitor says about where it comes from", forged, ["HTP-024"])
    add("forged-underscores", "the same variables for many servers", [(name.replace("-", "_"), value) for name, value in forged[1:]], ["HTP-024"])
    add("forged-mixed", "", [("x-forwarded_for", "10.0.0.1"), ("x_real-ip", "10.0.0.1"), ("true_client-ip", "10.0.0.1"), ("x-p2claw_session", "00")], ["HTP-024"])
    add("near-misses", "", [("x-forwarded", "1"), ("x-forwardedfor", "1"), ("xx-forwarded-for", "1"), ("x-p2claw", "1"), ("x-real-ip2", "1"),
                            ("my-forwarded", "1"), ("client-ip", "1"), ("x--real-ip", "1")], ["HTP-024"])
    add("ipv6", "", [], ["HTP-025"], visitor_address="2001:db8::7")
    add("no-address", "", [("x-forwarded-for", "10.0.0.1")], ["HTP-025", "HTP-024"], visitor_address=None)
    local = {"public_scheme": "http", "public_authority": "recipes-honeyed-marble-4155.localhost:8787"}
    add("public-port", "", [("origin", "http://recipes-honeyed-marble-4155.localhost:8787")], ["HTP-022"], **local)
    own = "https://" + ALIAS_HOST
    add("origin-own", "", [("origin", own)], ["HTP-022"])
    add("origin-own-preserved", "", [("origin", own)], ["HTP-022"], preserve_host=True)
    add("origin-other", "", [("origin", "https://other.example")], ["HTP-022"])
    add("origin-null", "", [("origin", "null")], ["HTP-022"])
    add("origin-other-scheme", "", [("origin", "http://" + ALIAS_HOST)], ["HTP-022"])
    add("origin-other-port", "", [("origin", own + ":8443")], ["HTP-022"])
    add("origin-longer", "ends like another site's", [("origin", own + ".evil.example")], ["HTP-022"])
    add("referer", "stays as it came", [("referer", own + "/page"), ("origin", own)], ["HTP-022"])
    add("preserved", "the public host for the upstream", [], ["HTP-021"], preserve_host=True)
    add("address-upstream", "", [("origin", own)], ["HTP-021", "HTP-022"], upstream="127.0.0.1:3000")
    add("ipv6-upstream", "", [("origin", own)], ["HTP-021", "HTP-022"], upstream="[::1]:3000")
    add("unix-upstream", "", [("origin", own)], ["HTP-021", "HTP-022"], upstream="unix:/run/app.sock")
    for name, value, encodings in (
        ("gzip", "gzip", 3), ("browser", "gzip, deflate, br, zstd", 3), ("only-gzip-known", "gzip, deflate, br", 1), ("only-deflate-known", "gzip, deflate", 2),
        ("none-known", "gzip, deflate", 0), ("unknown-bits", "gzip, deflate, br", (1 << 40) | 4), ("unknown-bits-beside", "gzip, br", 5), ("only-br", "br", 3),
        ("weights", "gzip;q=0.5, deflate; q=0.8, br;q=1", 3), ("q-0", "gzip;q=0, deflate", 3), ("q-0-spaces", "gzip ; q=0", 3),
        ("q-0.000", "gzip;q=0.000, deflate;q=0.0", 3), ("upper-case", "GZIP", 3), ("identity", "identity", 3), ("empty", "", 3),
        ("like-gzip", "xgzip, gzipped", 3),
    ):
        add(f"encodings-{name}", "", [("accept-encoding", value)], ["HTP-023"], encodings=encodings)
    add("encodings-two-fields", "", [("accept-encoding", "br"), ("accept-encoding", "gzip")], ["HTP-023"])
    add("encodings-nothing-asked-none-known", "", [], ["HTP-023"], encodings=0)
    add("range", "a part of a coded representation is of no use", [("range", "bytes=0-1"), ("accept-encoding", "gzip")], ["HTP-023"])
    add("range-alone", "", [("range", "bytes=0-1")], ["HTP-023"])
    return {"type": "upstream-fields", "comment": "what goes to the upstream of a visitor's fields; README.md, Heads.", "cases": cases}


def visitor_fields():
    cases = []

    def add(name, comment, fields, result, req, upstream="localhost:5173"):
        cases.append(case("visitor/" + name, comment, {"upstream": upstream, "fields": [list(one) for one in fields]}, "valid", req,
                          fields=[list(one) for one in result]))

    plain = [("content-type", "text/html"), ("set-cookie", "a=1; Domain=localhost"), ("set-cookie", "b=2"), ("x-powered-by", "x"),
             ("link", "<http://localhost:5173/s.css>; rel=preload"), ("content-location", "http://localhost:5173/x"), ("refresh", "0;url=http://localhost:5173/"),
             ("content-length", "5"), ("content-encoding", "br"), ("access-control-allow-origin", "http://localhost:5173")]
    add("plain", "passes, in its order", plain, plain, ["HTP-003", "HTP-032"])
    add("upper-case", "names of HTTP/1.1 come in any case", [("Content-Type", "text/html"), ("X-Mine", "1")], [("content-type", "text/html"), ("x-mine", "1")],
        ["SES-030"])
    hop = [("Connection", "close, X-Mine"), ("x-mine", "1"), ("keep-alive", "timeout=5"), ("proxy-connection", "x"), ("upgrade", "h2c"), ("te", "gzip"),
           ("proxy-authenticate", "Basic"), ("x-other", "2")]
    add("hop", "", hop, [("x-other", "2")], ["HTP-030", "SES-031"])
    add("connection-names-another", "also what looks like a field of the message", [("connection", "x-a"), ("connection", " X-B , content-type"), ("x-a", "1"),
        ("x-b", "1"), ("content-type", "text/html"), ("x-c", "1")], [("x-c", "1")], ["HTP-030"])
    add("chunked", "", [("transfer-encoding", "chunked"), ("content-type", "text/html")], [("content-type", "text/html")], ["HTP-030"])
    add("chunked-with-length", "chunks say where the body ends", [("transfer-encoding", "chunked"), ("content-length", "5")], [], ["HTP-030"])
    add("forged-error", "an app does not speak in the agent's name", [("p2claw-error", "NO_SUCH_APP"), ("x-p2claw-error", "x"), ("x-p2claw-session", "x"),
        ("X-P2CLAW-Other", "x"), ("x-mine", "1")], [("x-mine", "1")], ["HTP-031"])
    add("near-misses", "", [("p2claw-errors", "1"), ("x-p2claw", "1"), ("www-authenticate", "Basic"), ("server", "x")],
        [("p2claw-errors", "1"), ("x-p2claw", "1"), ("www-authenticate", "Basic"), ("server", "x")], ["HTP-031", "HTP-030"])
    here = [
        ("path", "http://localhost:5173/next?a=1#part", "/next?a=1#part"), ("root", "http://localhost:5173/", "/"), ("bare", "http://localhost:5173", "/"),
        ("query-alone", "http://localhost:5173?a=1", "/?a=1"), ("fragment-alone", "http://localhost:5173#part", "/#part"),
        ("address", "http://127.0.0.1:5173/next", "/next"), ("other-loopback", "http://127.9.9.9:5173/next", "/next"), ("ipv6", "http://[::1]:5173/next", "/next"),
        ("unspecified", "http://0.0.0.0:5173/next", "/next"), ("unspecified-ipv6", "http://[::]:5173/next", "/next"),
        ("upper-case", "HTTP://LOCALHOST:5173/Next", "/Next"), ("without-scheme", "//127.0.0.1:5173/next", "/next"), ("without-scheme-bare", "//localhost:5173", "/"),
        ("double-slash", "http://localhost:5173//elsewhere.example/", "/elsewhere.example/"), ("triple-slash", "http://localhost:5173///x", "/x"),
        ("double-slash-inside", "http://localhost:5173/a//b", "/a//b"), ("percent", "http://localhost:5173/%C3%A9?%23", "/%C3%A9?%23"),
        ("url-in-query", "http://localhost:5173/a?next=http://localhost:5173/b", "/a?next=http://localhost:5173/b"),
    ]
    for name, value, result in here:
        add(f"location-{name}", "points at the upstream itself", [("location", value)], [("location", result)], ["HTP-032"])
    for name, value in (("relative", "next"), ("absolute-path", "/next"), ("query", "?a=1"), ("fragment", "#x"), ("other-port", "http://localhost:9999/"),
                        ("longer-port", "http://localhost:51730/"), ("no-port", "http://localhost/next"), ("other-host", "https://example.com/"),
                        ("other-host-without-scheme", "//elsewhere.example/"), ("host-begins-alike", "http://localhost.evil.example:5173/"),
                        ("host-ends-alike", "http://notlocalhost:5173/"), ("private-address", "http://192.168.0.1:5173/"),
                        ("url-in-query", "https://example.com/?http://localhost:5173/"), ("other-scheme", "mailto:a@localhost"), ("empty", "")):
        add(f"location-stays-{name}", "", [("location", value)], [("location", value)], ["HTP-032"])
    add("location-port-80", "", [("location", "http://localhost/next")], [("location", "/next")], ["HTP-032"], "localhost:80")
    add("location-port-80-said", "", [("location", "http://127.0.0.1:80/next")], [("location", "/next")], ["HTP-032"], "localhost:80")
    add("location-address-upstream", "", [("location", "http://localhost:3000/next")], [("location", "/next")], ["HTP-032"], "127.0.0.1:3000")
    add("location-unix-upstream", "", [("location", "http://localhost/next")], [("location", "/next")], ["HTP-032"], "unix:/run/app.sock")
    return {"type": "visitor-fields", "comment": "what goes to the visitor of an upstream's fields; README.md, Heads.", "cases": cases}


def http_fields():
    return {
        "vectors": "http-fields",
        "flags": {"ManyFields": "a receiver may refuse more than 256 fields (SES-036)"},
        "groups": [request_heads(), response_heads(), trailer_sections(), upstream_fields(), visitor_fields()],
    }
