"""cookies.json: the jar of the visitor's side; spec/v1/browser.md, Browser client: cookies."""
import datetime

from names_vectors import case

NOW = 1_795_219_200_000  # 2026-11-21T00:00:00Z
HOST = "recipes-honeyed-marble-4155.example.net"
DAY = 86_400_000
LONGEST = 400 * DAY


def millis(*parts):
    return int(datetime.datetime(*parts, tzinfo=datetime.timezone.utc).timestamp() * 1_000)


def lines():
    cases = []

    def add(case_name, comment, line, req, script=False, good=True, request="/list/page?x=/y/z", **cookie):
        given = {"line": line, "host": HOST, "request_path": request, "now_ms": NOW, "script": script}
        whole = {"name": "a", "value": "1", "path": "/list", "expires_ms": None, "http_only": False, "same_site": None} | cookie
        cases.append(case("line/" + case_name, comment, given, "valid" if good else "invalid", req, **({"cookie": whole} if good else {})))

    def bad(case_name, comment, line, req, **rest):
        add(case_name, comment, line, req, good=False, **rest)

    keep = ["BRO-011", "BRO-042"]
    add("plain", "", "a=1", keep)
    add("spaces", "", "  a \t=  1  ", keep)
    add("no-break-spaces", "which are no spaces", "a=\u00a01\u00a0", keep, value="\u00a01\u00a0")
    add("value-with-equals", "cut at the first `=`", "a=b=c=", keep, value="b=c=")
    add("value-empty", "", "a=", keep, value="")
    add("value-quoted", "quotes belong to the value", 'a="1 2"', keep, value='"1 2"')
    add("value-with-comma", "one line is one cookie", "a=1, b=2", keep, value="1, b=2")
    add("value-with-tab", "the one control character that may stand there", "a=1\t2", keep, value="1\t2")
    add("no-equals", "a cookie without a name", "lonely", keep, name="", value="lonely")
    add("name-empty", "", "=1", keep, name="", value="1")
    add("semicolon-last", "", "a=1;", keep)
    add("semicolons", "", "a=1;;; ;", keep)
    add("unknown-attributes", "", "a=1; Priority=High; Partitioned; x=y; =; z", keep)
    bad("empty", "", "", keep)
    bad("nothing-but-equals", "", "=", keep)
    bad("nothing-but-attributes", "", "; Path=/", keep)
    for name, text in (("nul", "\0"), ("start-of-heading", "\x01"), ("line-feed", "\n"), ("carriage-return", "\r"), ("delete", "\x7f"), ("escape", "\x1b")):
        bad(f"control-{name}", "", f"a=1{text}2", ["BRO-042"])
    bad("control-in-attribute", "", "a=1; Path=/\x01", ["BRO-042"])

    for name, attribute, path in (("given", "Path=/x", "/x"), ("upper-case", "PATH=/x", "/x"), ("spaces", " Path = /x ", "/x"), ("root", "Path=/", "/"),
                                  ("trailing-slash", "Path=/x/", "/x/"), ("without-slash", "Path=x", "/list"), ("empty", "Path=", "/list"),
                                  ("no-value", "Path", "/list"), ("twice", "Path=/x; Path=/y", "/y"), ("twice-last-bad", "Path=/x; Path=y", "/list"),
                                  ("query", "Path=/x?y", "/x?y"), ("equals", "Path=/x=y", "/x=y")):
        cases.append(path_case(name, f"a=1; {attribute}", "/list/page?x=/y/z", path))
    for name, request, path in (("deep", "/a/b/c", "/a/b"), ("one", "/a", "/"), ("root", "/", "/"), ("folder", "/a/", "/a"), ("query", "/a?b/c", "/"),
                                ("query-in-folder", "/a/b?c/d", "/a"), ("double-slash", "/a//b", "/a/")):
        cases.append(path_case(f"default-{name}", "a=1", request, path))
    cases.append(path_case("too-long", "a=1; Path=/" + "x" * 1_024, "/list/page", "/list", "an attribute of more than 1,024 characters is ignored"))
    cases.append(path_case("too-long-behind-another", "a=1; Path=/x; Path=/" + "x" * 1_024, "/list/page", "/x"))
    cases.append(path_case("longest", "a=1; Path=/" + "x" * 1_023, "/list/page", "/" + "x" * 1_023))

    for name, domain, good in (("same", HOST, True), ("leading-dot", "." + HOST, True), ("upper-case", HOST.upper(), True), ("empty", "", True), ("dot", ".", True),
                               ("parent", "example.net", False), ("parent-dot", ".example.net", False), ("top", "net", False), ("other", "other.example", False),
                               ("below", "x." + HOST, False), ("sibling", "other-honeyed-marble-4155.example.net", False), ("ends-alike", "net." + HOST[1:], False),
                               ("localhost", "localhost", False), ("two-dots", ".." + HOST, False), ("port", HOST + ":443", False)):
        (add if good else bad)(f"domain-{name}", "", f"a=1; Domain={domain}", ["BRO-042"])
    add("domain-twice", "the last one counts", f"a=1; Domain=other.example; Domain={HOST}", ["BRO-042"])
    add("domain-twice-last-empty", "", "a=1; Domain=other.example; Domain=", ["BRO-042"])
    bad("domain-twice-last-bad", "", f"a=1; Domain={HOST}; Domain=other.example", ["BRO-042"])

    life = ["BRO-043"]
    date = "Wed, 01 Dec 2027 00:00:00 GMT"
    at = millis(2027, 12, 1)
    for name, attributes, expires in (
        ("max-age", "Max-Age=60", NOW + 60_000), ("max-age-0", "Max-Age=0", 0), ("max-age-negative", "Max-Age=-1", 0), ("max-age-leading-zeros", "Max-Age=0060", NOW + 60_000),
        ("max-age-empty", "Max-Age=", None), ("max-age-words", "Max-Age=soon", None), ("max-age-fraction", "Max-Age=1.5", None), ("max-age-plus", "Max-Age=+60", None),
        ("max-age-unit", "Max-Age=60s", None), ("max-age-400-days", f"Max-Age={400 * 86_400}", NOW + LONGEST), ("max-age-longer", f"Max-Age={401 * 86_400}", NOW + LONGEST),
        ("max-age-huge", "Max-Age=" + "9" * 30, NOW + LONGEST), ("max-age-twice", "Max-Age=60; Max-Age=90", NOW + 90_000),
        ("max-age-twice-last-bad", "Max-Age=60; Max-Age=x", NOW + 60_000),
        ("expires", f"Expires={date}", at), ("expires-past", "Expires=Thu, 01 Jan 1970 00:00:01 GMT", 0), ("expires-nonsense", "Expires=tomorrow", None),
        ("expires-too-late", "Expires=Wed, 01 Jan 2031 00:00:00 GMT", NOW + LONGEST), ("max-age-before-expires", f"Max-Age=60; Expires={date}", NOW + 60_000),
        ("expires-before-max-age", f"Expires={date}; Max-Age=60", NOW + 60_000), ("expires-and-bad-max-age", f"Max-Age=x; Expires={date}", at),
        ("expires-twice-last-bad", f"Expires={date}; Expires=tomorrow", at), ("max-age-minus", "Max-Age=-", None),
        ("expires-with-dashes", "Expires=Wednesday, 01-Dec-27 00:00:00 GMT", at),
    ):
        add(f"life-{name}", "", "a=1; " + attributes, life, expires_ms=expires)

    add("http-only", "", "a=1; HttpOnly", ["BRO-043"], http_only=True)
    add("http-only-with-value", "", "a=1; httponly=false", ["BRO-043"], http_only=True)
    bad("script-http-only", "", "a=1; HttpOnly", ["BRO-044"], script=True)
    add("script", "", "a=1; Max-Age=60", ["BRO-044"], script=True, expires_ms=NOW + 60_000)
    for name, value, result in (("strict", "Strict", "strict"), ("lax", "lax", "lax"), ("none", "None; Secure", "none"), ("unknown", "Sometimes", None), ("empty", "", None),
                                ("upper-case", "STRICT", "strict"), ("twice", "Strict; SameSite=Lax", "lax"),
                                ("twice-last-unknown", "Strict; SameSite=Sometimes", None)):
        add(f"same-site-{name}", "", f"a=1; SameSite={value}", ["BRO-043"], same_site=result)
    bad("same-site-none-without-secure", "", "a=1; SameSite=None", ["BRO-043"])
    add("secure", "the origin is secure", "a=1; Secure", ["BRO-043"])
    prefix = ["BRO-043"]
    add("prefix-secure", "", "__Secure-a=1; Secure", prefix, name="__Secure-a")
    bad("prefix-secure-without", "", "__Secure-a=1", prefix)
    bad("prefix-secure-other-case", "", "__sEcUrE-a=1", prefix)
    bad("prefix-host-without-path", "", "__Host-a=1; Secure", prefix)
    bad("prefix-host-without-path-at-the-root", "", "__Host-a=1; Secure", prefix, request="/")
    add("prefix-host", "", "__Host-a=1; Secure; Path=/", prefix, name="__Host-a", path="/")
    bad("prefix-host-other-path", "", "__Host-a=1; Secure; Path=/x", prefix)
    bad("prefix-host-without-secure", "", "__Host-a=1; Path=/", prefix)
    bad("prefix-host-with-domain", "", f"__Host-a=1; Secure; Path=/; Domain={HOST}", prefix)
    bad("prefix-host-other-case", "", "__HOST-a=1; Path=/", prefix)
    add("prefix-only-alike", "", "__Securea=1", prefix, name="__Securea")
    bad("prefix-in-the-value", "a cookie without a name that would be sent as one with a prefix", "__Secure-a", prefix)
    bad("prefix-in-the-value-of-an-empty-name", "", "=__Host-a=1", prefix)
    add("longest", "4,096 characters of name and value", "a=" + "x" * 4_095, ["BRO-047"], value="x" * 4_095)
    return {"type": "set-cookie", "comment": "one `set-cookie` line; README.md, Cookies.", "cases": cases}


def path_case(name, line, request, path, comment=""):
    given = {"line": line, "host": HOST, "request_path": request, "now_ms": NOW, "script": False}
    cookie = {"name": "a", "value": "1", "path": path, "expires_ms": None, "http_only": False, "same_site": None}
    return case("line/path-" + name, comment, given, "valid", ["BRO-043"], cookie=cookie)


def dates():
    june = millis(2021, 6, 9, 10, 18, 14)
    good = [
        ("rfc-9110", "Wed, 09 Jun 2021 10:18:14 GMT", june), ("rfc-850", "Wednesday, 09-Jun-21 10:18:14 GMT", june), ("asctime", "Wed Jun  9 10:18:14 2021", june),
        ("no-weekday", "9 jun 2021 10:18:14", june), ("long-month", "9 June 2021 10:18:14", june),
        ("upper-case", "WED, 09 JUN 2021 10:18:14 GMT", june), ("single-digits", "Wed, 9 Jun 2021 1:8:4 GMT", millis(2021, 6, 9, 1, 8, 4)),
        ("zone-is-ignored", "Wed, 09 Jun 2021 10:18:14 +0200", june), ("time-first", "10:18:14 9 Jun 2021", june), ("tabs", "Wed,\t09\tJun\t2021\t10:18:14\tGMT", june),
        ("slashes", "09/Jun/2021/10:18:14", june), ("text-behind-the-time", "9 Jun 2021 10:18:14x", june), ("text-behind-the-day", "9th Jun 2021 10:18:14", june),
        ("epoch", "Thu, 01 Jan 1970 00:00:00 GMT", 0), ("year-70", "1 Jan 70 00:00:00", 0), ("year-99", "31 Dec 99 23:59:59", millis(1999, 12, 31, 23, 59, 59)),
        ("year-00", "1 Jan 00 00:00:00", millis(2000, 1, 1)), ("year-69", "31 Dec 69 00:00:00", millis(2069, 12, 31)), ("year-1601", "1 Jan 1601 00:00:00", millis(1601, 1, 1)),
        ("year-9999", "31 Dec 9999 23:59:59", millis(9999, 12, 31, 23, 59, 59)), ("leap-day", "29 Feb 2024 00:00:00", millis(2024, 2, 29)),
        ("second-time-is-ignored", "9 Jun 2021 10:18:14 11:11:11", june), ("two-months", "9 Jun Jul 2021 10:18:14", june),
    ]
    bad = [
        ("empty", ""), ("words", "tomorrow"), ("no-time", "Wed, 09 Jun 2021"), ("no-year", "Wed, 09 Jun 10:18:14 GMT"), ("no-day", "Jun 10:18:14"), ("no-month", "09 2021 10:18:14"),
        ("no-seconds", "9 Jun 2021 10:18"), ("hour-24", "9 Jun 2021 24:00:00"), ("minute-60", "9 Jun 2021 10:60:00"), ("second-60", "9 Jun 2021 10:18:60"),
        ("day-0", "0 Jun 2021 10:18:14"), ("day-32", "32 Jan 2021 10:18:14"), ("day-31-of-june", "31 Jun 2021 10:18:14"), ("leap-day-of-2023", "29 Feb 2023 00:00:00"),
        ("leap-day-of-1900", "29 Feb 1900 00:00:00"), ("year-1600", "31 Dec 1600 23:59:59"), ("year-of-three-digits", "9 Jun 210 10:18:14"),
        ("year-of-five-digits", "9 Jun 20211 10:18:14"), ("three-digits-in-the-time", "9 Jun 2021 010:18:14"), ("month-cut", "9 Ju 2021 10:18:14"), ("iso-8601", "2021-06-09T10:18:14Z"),
        ("unix-time", "1623233894"),
    ]
    cases = [case("date/" + name, "", text, "valid", ["BRO-043"], time_ms=time) for name, text, time in good]
    cases.append(case("date/year-first", "four digits are no day, so the first number that can be one is", "2021 9 Jun 10:18:14", "valid", ["BRO-043"], time_ms=june))
    cases += [case("date/" + name, "", text, "invalid", ["BRO-043"]) for name, text in bad]
    return {"type": "cookie-date", "comment": "`input` is a date in `Expires`; README.md, Cookies.", "cases": cases}


def jars():
    cases = []

    class Steps:
        def __init__(self):
            self.list, self.at = [], NOW

        def set(self, line, path="/", script=False, after=1):
            self.at += after
            self.list.append({"at_ms": self.at, "set": line, "path": path, "script": script})
            return self

        def get(self, cookie, target="/", script=False, site="same", after=1):
            self.at += after
            self.list.append({"at_ms": self.at, "get": target, "script": script, "site": site, "cookie": cookie})
            return self

    def add(name, comment, steps, req):
        cases.append(case("jar/" + name, comment, {"host": HOST, "steps": steps.list}, "valid", req))

    add("empty", "", Steps().get(""), ["BRO-045"])
    add("order", "longer paths first, and among equals the older ones", Steps().set("a=1; Path=/").set("b=2; Path=/x/y").set("c=3; Path=/x").set("d=4; Path=/")
        .set("e=5; Path=/x").get("b=2; c=3; e=5; a=1; d=4", "/x/y"), ["BRO-045"])
    add("changed", "a cookie that is set again keeps its place", Steps().set("a=1").set("b=2").set("a=3").get("a=3; b=2"), ["BRO-045"])
    add("deleted-and-set-again", "a new cookie is a younger one", Steps().set("a=1").set("b=2").set("a=; Max-Age=0").get("b=2").set("a=3").get("b=2; a=3"), ["BRO-045", "BRO-043"])
    add("same-name-other-path", "two cookies", Steps().set("a=1; Path=/").set("a=2; Path=/x").get("a=2; a=1", "/x").get("a=1", "/"), ["BRO-045"])
    add("names-are-told-apart-by-case", "", Steps().set("a=1").set("A=2").get("a=1; A=2"), ["BRO-045"])
    add("nameless", "sent as its value alone", Steps().set("lonely").set("=other").get("other"), ["BRO-045", "BRO-042"])
    match = Steps().set("a=1; Path=/x").set("b=2; Path=/y/")
    for target, cookie in (("/", ""), ("/x", "a=1"), ("/x/", "a=1"), ("/x/z", "a=1"), ("/x?q", "a=1"), ("/xy", ""), ("/X", ""), ("/y", ""), ("/y/", "b=2"), ("/y/z", "b=2"),
                           ("/?/x", ""), ("/z/x", "")):
        match.get(cookie, target)
    add("paths", "", match, ["BRO-043", "BRO-045"])
    add("deleted", "by a date that is over, with the same path", Steps().set("a=1; Path=/x", "/x").set("a=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT").get("a=1", "/x")
        .set("a=; Path=/x; Expires=Thu, 01 Jan 1970 00:00:00 GMT").get("", "/x"), ["BRO-043"])
    add("over", "", Steps().set("a=1; Max-Age=10").get("a=1", after=9_999).get("", after=1), ["BRO-043"])
    add("session-ends", "24 h after its last change", Steps().set("a=1").get("a=1", after=DAY - 1).get("", after=1), ["BRO-043"])
    add("session-goes-on", "a change counts anew", Steps().set("a=1").set("a=2", after=DAY - 1).get("a=2", after=DAY - 1), ["BRO-043"])
    add("life-taken-back", "the later line holds, also without a date", Steps().set("a=1; Max-Age=1000000").set("a=1").get("a=1").get("", after=DAY), ["BRO-043"])
    add("http-only", "not for scripts", Steps().set("a=1; HttpOnly").set("b=2").get("b=2", script=True).get("a=1; b=2"), ["BRO-044"])
    add("script-replaces-http-only", "ignored", Steps().set("a=1; HttpOnly").set("a=2", script=True).get("a=1"), ["BRO-044"])
    add("script-deletes-http-only", "ignored", Steps().set("a=1; HttpOnly").set("a=; Max-Age=0", script=True).get("a=1"), ["BRO-044"])
    add("script-behind-http-only", "once it is over, the name is free", Steps().set("a=1; HttpOnly; Max-Age=10").set("a=2", script=True, after=10_000).get("a=2", script=True), ["BRO-044"])
    add("script-sets-http-only", "ignored", Steps().set("a=1; HttpOnly", script=True).get(""), ["BRO-044"])
    add("script", "", Steps().set("a=1; Path=/x", "/x", script=True).get("a=1", "/x", script=True).get("a=1", "/x"), ["BRO-044"])
    sites = Steps().set("s=1; SameSite=Strict").set("l=2; SameSite=Lax").set("d=3").set("u=4; SameSite=Sometimes").set("n=5; SameSite=None; Secure")
    sites.get("s=1; l=2; d=3; u=4; n=5").get("l=2; d=3; u=4; n=5", site="cross-safe").get("n=5", site="cross-unsafe")
    add("same-site", "navigations that another site has begun", sites, ["BRO-046", "BRO-043"])
    add("omit", "credentials that are left out", Steps().set("a=1").get("", site="omit"), ["BRO-045"])
    add("refused-lines-change-nothing", "", Steps().set("a=1").set("a=2; Domain=other.example").set("a=3\x01").set("a=4; SameSite=None").get("a=1"), ["BRO-042", "BRO-043"])
    many = Steps()
    for number in range(50):
        many.set(f"c{number}={number}")
    many.get("; ".join(f"c{number}={number}" for number in range(50)))
    add("fifty", "as many as a jar takes at least", many, ["BRO-047"])
    return {"type": "jar", "comment": "a jar and what it is asked; README.md, Cookies.", "cases": cases}


def cookies():
    return {"vectors": "cookies", "flags": {}, "groups": [lines(), dates(), jars()]}
