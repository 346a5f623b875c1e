"""names.json, aliases.json, peer-ids.json: spec/v1/names.md and identity.md."""
import hashlib
import re

import ed25519
import wire

APP = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?\Z")
HAIKU = re.compile(r"[a-z]{3,10}-[a-z]{3,10}-[0-9]{4}\Z")
VANITY = re.compile(r"(?=[0-9]*[a-z])[a-z0-9]{3,30}\Z")
RESERVED = []


def case(name, comment, given, result, req, flags=(), **rest):
    return {"id": name, "comment": comment, "input": given, "result": result, **rest,
            "flags": list(flags), "req": list(req)}


def app_reason(name):
    """None, or why this is no app name. The reasons are for people."""
    if not name:
        return "EMPTY"
    if len(name) > 32:
        return "TOO_LONG"
    if not re.fullmatch(r"[a-z0-9-]+", name, re.ASCII):
        return "CHARACTER"
    if not APP.match(name):
        return "HYPHEN_AT_END"
    if name[2:4] == "--":
        return "HYPHENS_AT_3_4"
    if name in RESERVED:
        return "RESERVED"
    return None


def alias_form(alias):
    return "haiku" if HAIKU.match(alias) else "vanity" if VANITY.match(alias) else None


def split_label(label):
    """(app, alias, form) or the reason why this is no host label."""
    if len(label) > 63:
        return "TOO_LONG"
    groups = label.split("-")
    if len(groups) < 2:
        return "NO_ALIAS"
    take = 3 if len(groups) >= 4 and re.fullmatch(r"[0-9]{4}", groups[-1]) else 1
    app, alias = "-".join(groups[:-take]), "-".join(groups[-take:])
    form = alias_form(alias)
    if form is None or (take == 3) != (form == "haiku"):
        return "BAD_ALIAS"
    return "BAD_APP_" + app_reason(app) if app_reason(app) else (app, alias, form)


def names(reserved):
    RESERVED[:] = reserved
    a32, a33 = "a" * 32, "a" * 33
    app_list = [
        ("one-letter", "shortest", "a", ["NAM-001"]),
        ("one-digit", "shortest, a digit", "7", ["NAM-001"]),
        ("plain", "", "recipes", ["NAM-001"]),
        ("digits-only", "digits alone are allowed", "4155", ["NAM-001"]),
        ("hyphen", "", "my-app", ["NAM-001"]),
        ("hyphens-2-3", "two hyphens at the second and third position", "a--b", ["NAM-002"]),
        ("hyphens-4-5", "two hyphens at the fourth and fifth position", "abc--d", ["NAM-002"]),
        ("longest", "32 characters", a32, ["NAM-001"]),
        ("empty", "", "", ["NAM-001"]),
        ("too-long", "33 characters", a33, ["NAM-001"]),
        ("hyphen-first", "", "-app", ["NAM-001"]),
        ("hyphen-last", "", "app-", ["NAM-001"]),
        ("hyphen-alone", "", "-", ["NAM-001"]),
        ("upper-case", "a name is judged as given, not lower-cased first", "Recipes", ["NAM-001"]),
        ("underscore", "", "my_app", ["NAM-001"]),
        ("dot", "", "my.app", ["NAM-001"]),
        ("space", "", "my app", ["NAM-001"]),
        ("space-at-end", "not trimmed", "app ", ["NAM-001"]),
        ("newline-at-end", "a `$` in a regular expression lets this through", "app\n", ["NAM-001"]),
        ("nul", "", "app\0", ["NAM-001"]),
        ("umlaut", "", "k\u00fcche", ["NAM-001"]),
        ("kelvin-sign", "lower-cases to k in Unicode", "\u212aitchen", ["NAM-001"]),
        ("arabic-digit", "a digit in Unicode, not here", "app\u0661", ["NAM-001"]),
        ("punycode", "hyphens at 3 and 4", "xn--kche-0ra", ["NAM-002"]),
        ("hyphens-3-4", "any name with hyphens at 3 and 4", "ab--c", ["NAM-002"]),
        ("hyphens-2-3-4", "three hyphens from the second position", "a---b", ["NAM-002"]),
    ]
    groups = []
    cases = []
    for name, comment, given, req in app_list:
        reason = app_reason(given)
        cases.append(case("app/" + name, comment, given, "invalid" if reason else "valid", req,
                          **({"reason": reason} if reason else {})))
    for name in reserved:
        cases.append(case(f"app/reserved-{name}", "", name, "invalid", ["NAM-003"], reason="RESERVED"))
    for name in ("www1", "my-admin", "admin-2", "apis", "logins", "p2claws", "xapi"):
        assert app_reason(name) is None, name
        cases.append(case(f"app/not-reserved-{name}", "only near a reserved name", name, "valid", ["NAM-003"]))
    for name in reserved:
        for kind, near in (("and-digit", name + "7"), ("shorter", name[:-1]), ("twice", f"{name}-{name}"), ("upper-case", name.upper())):
            reason = app_reason(near)
            cases.append(case(f"app/near-{name}-{kind}", "near a reserved name", near, "invalid" if reason else "valid",
                              ["NAM-001"] if reason == "CHARACTER" else ["NAM-003"], **({"reason": reason} if reason else {})))
    groups.append({"type": "app-name", "comment": "`input` is an app name.", "cases": cases})

    alias_list = [
        ("haiku", "", "honeyed-marble-4155", ["NAM-005"]),
        ("haiku-zeros", "the number keeps its zeros", "honeyed-marble-0007", ["NAM-005"]),
        ("haiku-unlisted", "words are judged by form, not by the lists", "zzz-qqqqqqqqqq-0000", ["NAM-005", "NAM-007"]),
        ("haiku-shortest", "", "abc-abc-1234", ["NAM-005"]),
        ("haiku-longest", "26 characters", "abcdefghij-abcdefghij-1234", ["NAM-005"]),
        ("haiku-short-word", "a word of two letters", "ab-marble-4155", ["NAM-005"]),
        ("haiku-long-word", "a word of eleven letters", "abcdefghijk-marble-4155", ["NAM-005"]),
        ("haiku-three-digits", "", "honeyed-marble-415", ["NAM-005"]),
        ("haiku-five-digits", "", "honeyed-marble-41555", ["NAM-005"]),
        ("haiku-digit-in-word", "", "h0neyed-marble-4155", ["NAM-005"]),
        ("haiku-one-word", "", "marble-4155", ["NAM-005"]),
        ("haiku-three-words", "", "very-honeyed-marble-4155", ["NAM-005"]),
        ("haiku-upper-case", "", "Honeyed-Marble-4155", ["NAM-005"]),
        ("haiku-unicode-digits", "", "honeyed-marble-\u0664\u0661\u0665\u0665", ["NAM-005"]),
        ("vanity-shortest", "", "joe", ["NAM-006"]),
        ("vanity-longest", "30 characters", "j" * 30, ["NAM-006"]),
        ("vanity-one-letter", "one letter is enough, anywhere", "1234x", ["NAM-006"]),
        ("vanity-too-short", "", "jo", ["NAM-006"]),
        ("vanity-too-long", "31 characters", "j" * 31, ["NAM-006"]),
        ("vanity-digits", "no letter", "4155", ["NAM-006"]),
        ("vanity-digits-long", "no letter", "123456789", ["NAM-006"]),
        ("vanity-hyphen", "", "jo-anne", ["NAM-006"]),
        ("vanity-upper-case", "", "Joe", ["NAM-006"]),
        ("empty", "", "", ["NAM-005", "NAM-006"]),
        ("newline", "", "joe\n", ["NAM-006"]),
    ]
    cases = []
    for name, comment, given, req in alias_list:
        form = alias_form(given)
        cases.append(case("alias/" + name, comment, given, "valid" if form else "invalid", req,
                          **({"form": form} if form else {})))
    groups.append({"type": "alias", "comment": "`input` is an alias; `form` says which form it has.",
                   "cases": cases})

    label_list = [
        ("haiku", "", "recipes-honeyed-marble-4155"),
        ("haiku-app-with-hyphens", "", "my-nice-app-honeyed-marble-4155"),
        ("haiku-app-of-one", "", "a-honeyed-marble-4155"),
        ("haiku-digit-app", "the app looks like the number of a haiku", "1234-honeyed-marble-4155"),
        ("haiku-in-haiku", "the app looks like an alias", "honeyed-marble-4155-silent-river-0001"),
        ("haiku-longest", "59 characters", a32 + "-abcdefghij-abcdefghij-1234"),
        ("vanity", "", "recipes-joe"),
        ("vanity-app-with-hyphens", "", "my-nice-app-joe"),
        ("vanity-longest", "63 characters", a32 + "-" + "j" * 30),
        ("vanity-looks-like-number", "a letter among the digits makes it a vanity alias",
         "recipes-honeyed-marble-4a55"),
        ("vanity-app-number", "", "4155-joe"),
        ("vanity-double-hyphen-in-app", "hyphens at 2 and 3 only", "a--b-joe"),
        ("no-hyphen", "an alias alone", "joe"),
        ("bare-haiku", "three groups: no app", "honeyed-marble-4155"),
        ("number-alias", "two groups, the last four digits: no letter in it", "recipes-4155"),
        ("three-groups-number", "", "my-recipes-4155"),
        ("four-groups-bad-words", "four groups and four digits, so it is a haiku, and a malformed one",
         "a-b-c-1234"),
        ("haiku-short-word", "", "recipes-ab-marble-4155"),
        ("haiku-digit-word", "", "recipes-h0neyed-marble-4155"),
        ("no-second-attempt", "the malformed haiku is not read as app and vanity", "my-app-x1-4155"),
        ("five-digits", "", "recipes-honeyed-marble-41555"),
        ("three-digits", "", "recipes-honeyed-marble-415"),
        ("vanity-too-short", "", "recipes-jo"),
        ("empty-app", "", "-joe"),
        ("empty-app-haiku", "five groups, the first two empty", "--honeyed-marble-4155"),
        ("app-ends-in-hyphen", "", "recipes--joe"),
        ("app-ends-in-hyphen-haiku", "", "a--honeyed-marble-4155"),
        ("app-too-long", "", a33 + "-joe"),
        ("app-punycode", "", "xn--kche-0ra-joe"),
        ("app-reserved", "", "admin-honeyed-marble-4155"),
        ("app-reserved-vanity", "", "www-joe"),
        ("app-reserved-twice", "a whole name is compared, and this is another one", "admin-admin-honeyed-marble-4155"),
        ("app-reserved-and-more", "", "admin7-joe"),
        ("alias-like-a-reserved-name", "reserved names are apps", "recipes-admin"),
        ("haiku-label-shortest", "14 characters", "a-abc-abc-1234"),
        ("digits-everywhere", "four groups and four digits, so it is a haiku, and a malformed one", "1-2-3-4567"),
        ("unicode-digits", "no ASCII digits at the end, so it is a vanity alias, and a malformed one",
         "recipes-honeyed-marble-\u0664\u0661\u0665\u0665"),
        ("newline-at-end", "a `$` in a regular expression lets this through", "recipes-joe\n"),
        ("hyphen-last", "", "recipes-joe-"),
        ("empty-word", "", "recipes-honeyed--4155"),
        ("upper-case", "a label is judged as given; whoever reads a host lower-cases it first",
         "Recipes-honeyed-marble-4155"),
        ("too-long", "64 characters", a32 + "-" + "j" * 31),
        ("dot", "", "recipes.joe-joe"),
        ("empty", "", ""),
    ]
    cases = []
    for name, comment, given in label_list:
        got = split_label(given)
        req = ["NAM-013"]
        if isinstance(got, str):
            if got == "TOO_LONG":
                req = ["NAM-012"]
            elif got.endswith("RESERVED"):
                req = ["NAM-003", "NAM-014"]
            cases.append(case("label/" + name, comment, given, "invalid", req, reason=got))
        else:
            app, alias, form = got
            cases.append(case("label/" + name, comment, given, "valid", req, app=app, alias=alias, form=form))
    groups.append({"type": "host-label", "comment": "`input` is a host label; `app` and `alias` are its parts.",
                   "cases": cases})

    hosts = [
        ("plain", "", "recipes-joe.example.net", "example.net", "recipes-joe"),
        ("port", "", "recipes-joe.example.net:8443", "example.net", "recipes-joe"),
        ("upper-case", "", "Recipes-JOE.Example.NET", "example.net", "recipes-joe"),
        ("localhost", "", "hello-honeyed-marble-4155.localhost:8080", "localhost", "hello-honeyed-marble-4155"),
        ("parent-of-three", "", "recipes-joe.p.example.net", "p.example.net", "recipes-joe"),
        ("dot-at-end", "a fully qualified name", "recipes-joe.example.net.", "example.net", "recipes-joe"),
        ("dot-and-port", "", "recipes-joe.example.net.:8443", "example.net", "recipes-joe"),
        ("two-dots-at-end", "", "recipes-joe.example.net..", "example.net", None),
        ("port-name", "a port is a number", "recipes-joe.example.net:http", "example.net", None),
        ("parent-itself", "no label", "example.net", "example.net", None),
        ("two-labels", "", "www.recipes-joe.example.net", "example.net", None),
        ("empty-label", "", ".example.net", "example.net", None),
        ("other-parent", "", "recipes-joe.example.org", "example.net", None),
        ("suffix-without-dot", "ends like the parent, but is not below it", "recipes-joeexample.net", "example.net", None),
        ("longer-parent", "", "recipes-joe.example.net.evil.example", "example.net", None),
        ("invalid-label", "", "recipes.example.net", "example.net", None),
        ("reserved-app", "", "admin-joe.example.net", "example.net", None),
        ("reserved-app-upper-case", "lower-cased before it is judged", "ADMIN-joe.example.net", "example.net", None),
        ("kelvin-sign", "only ASCII letters are lower-cased", "\u212aitchen-joe.example.net", "example.net", None),
        ("address", "", "192.0.2.7", "example.net", None),
        ("ipv6-address", "", "[2001:db8::7]:443", "example.net", None),
        ("empty", "", "", "example.net", None),
    ]
    cases = [
        case("host/" + name, comment, given, "valid" if label else "invalid", ["NAM-011", "NAM-012"],
             parent=parent, **({"label": label} if label else {}))
        for name, comment, given, parent, label in hosts
    ]
    groups.append({"type": "host", "comment": "`input` is the value of `Host`; `label` is the host label below `parent`.",
                   "cases": cases})
    return {"vectors": "names", "flags": {}, "groups": groups}


def key(name):
    """A key pair whose seed is the hash of a name: (seed, public key)."""
    seed = hashlib.sha256(b"p2claw vector key: " + name.encode()).digest()
    return seed, ed25519.public_key(seed)


def candidate(public_key, counter, words):
    h = hashlib.sha256(b"p2claw/v1 alias\0" + public_key + counter.to_bytes(4, "big")).digest()
    adjective = words["adjectives"][int.from_bytes(h[0:2], "big") % 512]
    noun = words["nouns"][int.from_bytes(h[2:4], "big") % 512]
    return f"{adjective}-{noun}-{int.from_bytes(h[4:8], 'big') % 10000:04}"


def aliases(words):
    assert len(words["adjectives"]) == len(words["nouns"]) == 512
    cases = []
    for name in ("one", "two", "three"):
        public_key = key(name)[1]
        for counter in (0, 1, 2):
            cases.append((name, public_key, counter, "" if counter else "the first candidate"))
    public_key = key("one")[1]
    cases += [("one", public_key, 255, ""), ("one", public_key, 256, "the counter is big-endian"),
              ("one", public_key, 2**32 - 1, "the last counter")]

    def first_counter(test):
        return next(i for i in range(3, 100_000) if test(candidate(public_key, i, words)))

    cases.append(("one", public_key, first_counter(lambda alias: alias[-4:-2] == "00"), "the number keeps its zeros"))
    for kind, place in (("adjectives", 0), ("nouns", 1)):
        for index in (0, 511):
            word = words[kind][index]
            counter = first_counter(lambda alias: alias.split("-")[place] == word)
            cases.append(("one", public_key, counter, f"entry {index} of the {kind}"))
    listed = [
        case(f"alias-of/{name}-{counter}", comment, {"public_key": public_key.hex(), "counter": counter},
             "valid", ["NAM-009"], alias=candidate(public_key, counter, words))
        for name, public_key, counter, comment in cases
    ]
    return {"vectors": "aliases", "flags": {}, "groups": [
        {"type": "alias-of-key", "comment": "`alias` is the candidate that the key has at this counter.", "cases": listed}]}


def peer_ids():
    good = []
    for name in ("one", "two", "three"):
        data = key(name)[1]
        good.append(case(f"peer-id/{name}", "a public key", wire.zbase32(data), "valid", ["IDN-002"],
                         public_key=data.hex()))
    # A point of the curve whose last bit is set, and one whose last bit is not.
    for wanted in (0, 1):
        name = next(f"bit {i}" for i in range(100) if key(f"bit {i}")[1][31] & 1 == wanted)
        data = key(name)[1]
        good.append(case(f"peer-id/last-bit-{wanted}", f"ends in {'yo'[wanted]!r}", wire.zbase32(data), "valid",
                         ["IDN-002"], public_key=data.hex()))
    text = wire.zbase32(key("one")[1])
    last = wire.ZBASE32.index(text[-1])
    bad = [
        ("too-short", "51 characters", text[:-1]),
        ("too-long", "53 characters", text + "y"),
        ("empty", "", ""),
        ("upper-case", "", text.upper()),
        ("mixed-case", "", text[:20] + text[20:21].upper() + text[21:] if text[20].isalpha() else text.title()),
        ("letter-l", "not in the alphabet", "l" + text[1:]),
        ("letter-v", "not in the alphabet", text[:10] + "v" + text[11:]),
        ("digit-0", "not in the alphabet", text[:10] + "0" + text[11:]),
        ("digit-2", "not in the alphabet", text[:10] + "2" + text[11:]),
        ("space-first", "", " " + text[1:]),
        ("newline-last", "53 characters", text + "\n"),
        ("padding", "", text + "===="),
        ("hyphen", "", text[:26] + "-" + text[27:]),
        ("unicode", "52 characters, more bytes", "\u00e9" + text[1:]),
        ("trailing-bit-1", "the lowest bit of the last character is set", text[:-1] + wire.ZBASE32[last | 1]),
        ("trailing-bit-4", "the highest of the four spare bits is set", text[:-1] + wire.ZBASE32[last | 8]),
        ("trailing-bits", "all four spare bits are set", text[:-1] + wire.ZBASE32[last | 15]),
        ("base32", "the alphabet of RFC 4648", "A" * 52),
        ("hex", "", key("one")[1].hex()),
    ]
    cases = good + [case("peer-id/" + name, comment, given, "invalid", ["IDN-003"]) for name, comment, given in bad]
    return {"vectors": "peer-ids", "flags": {}, "groups": [
        {"type": "peer-id", "comment": "`input` is a peer id; `public_key` is what it stands for.", "cases": cases}]}
