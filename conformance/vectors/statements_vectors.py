"""statements.json: signatures, registrations, revocations and visits; spec/v1/identity.md."""
import hashlib

import ed25519
import wire
from names_vectors import case, key

REGISTRATION, VISIT, REVOKE = "p2claw/v1 registration", "p2claw/v1 visit", "p2claw/v1 revoke"
NOW = 1_795_219_200_000  # 2026-11-21T00:00:00Z
DOMAIN, ALIAS, APP = "coord.example.net", "honeyed-marble-4155", "recipes"


def digest(text):
    return hashlib.sha256(b"p2claw vector: " + text.encode()).digest()


def signed(seed, context, statement):
    return ed25519.sign(seed, context.encode() + b"\0" + statement)


def registration(public_key, nonce, version=1, domain=DOMAIN, issued=NOW, extra=b""):
    return wire.message((1, version), (2, public_key), (3, domain), (4, nonce), (5, issued)) + extra


def visit_statement(public_key, version=1, session=None, alias=ALIAS, nonce=None, visitor=None, agent=None,
                    expires=NOW + 60_000, app=APP, extra=b""):
    return wire.message(
        (1, version), (2, digest("session")[:16] if session is None else session), (3, alias),
        (4, digest("visitor nonce") if nonce is None else nonce),
        (5, digest("visitor certificate") if visitor is None else visitor),
        (6, digest("agent certificate") if agent is None else agent), (7, expires), (8, public_key), (9, app)) + extra


def forge(public_key, message):
    """A signature under a key of small order that plain verification accepts, made without any secret."""
    point = ed25519.decompress(public_key)
    order = next(n for n in (1, 2, 4, 8) if ed25519.equal(ed25519.multiply(n, point), ed25519.NEUTRAL))
    for s in range(1, 1000):
        r = ed25519.compress(ed25519.multiply(s, ed25519.BASE))
        if ed25519.challenge(r, public_key, message) % order == 0:
            signature = r + s.to_bytes(32, "little")
            assert ed25519.verify(public_key, message, signature)
            return signature
    raise AssertionError


def plus_l(signature):
    s = int.from_bytes(signature[32:], "little") + ed25519.L
    return signature[:32] + s.to_bytes(32, "little")


def flipped(data, index=0, bit=1):
    return data[:index] + bytes([data[index] ^ bit]) + data[index + 1:]


def signatures():
    seed, public_key = key("one")
    other = key("two")[1]
    text = b"what was signed"
    good = signed(seed, VISIT, text)
    over = VISIT.encode() + b"\0" + text

    def one(name, comment, result, req, flags=(), context=VISIT, pk=public_key, message=text, signature=good):
        full = context.encode() + b"\0" + message
        assert ed25519.verify_strict(pk, full, signature) == (result == "valid"), name
        return case("signature/" + name, comment,
                    {"public_key": pk.hex(), "context": context, "message": message.hex(), "signature": signature.hex()},
                    result, req, flags)

    cases = [
        one("plain", "", "valid", ["IDN-004"]),
        one("empty-message", "", "valid", ["IDN-004"], message=b"", signature=signed(seed, VISIT, b"")),
        one("registration-context", "", "valid", ["IDN-004"], context=REGISTRATION, signature=signed(seed, REGISTRATION, text)),
        one("other-context", "signed for a registration, checked for a visit", "invalid", ["IDN-006"],
            signature=signed(seed, REGISTRATION, text)),
        one("no-context", "signed without any context", "invalid", ["IDN-004"], signature=ed25519.sign(seed, text)),
        one("no-zero-byte", "context and message joined without the zero byte", "invalid", ["IDN-004"],
            signature=ed25519.sign(seed, VISIT.encode() + text)),
        one("context-of-v2", "another version", "invalid", ["IDN-006"], signature=signed(seed, "p2claw/v2 visit", text)),
        one("prehashed", "a signature over the SHA-512 of the bytes", "invalid", ["IDN-004"],
            signature=ed25519.sign(seed, hashlib.sha512(over).digest())),
        one("other-message", "", "invalid", ["IDN-004"], message=text + b"!"),
        one("other-key", "", "invalid", ["IDN-004"], pk=other),
        one("flipped-r", "one bit of R", "invalid", ["IDN-004"], signature=flipped(good, 3)),
        one("flipped-s", "one bit of S", "invalid", ["IDN-004"], signature=flipped(good, 35)),
        one("zero", "64 zero bytes", "invalid", ["IDN-007"], signature=bytes(64)),
        one("63-bytes", "", "invalid", ["IDN-007"], signature=good[:63]),
        one("65-bytes", "", "invalid", ["IDN-007"], signature=good + b"\0"),
        one("empty", "", "invalid", ["IDN-007"], signature=b""),
        one("key-of-31-bytes", "", "invalid", ["IDN-007"], pk=public_key[:31]),
        one("key-of-33-bytes", "", "invalid", ["IDN-007"], pk=public_key + b"\0"),
        one("s-plus-l", "S + L: plain arithmetic accepts it", "invalid", ["IDN-007"], ["LargeS"], signature=plus_l(good)),
        one("s-is-l", "S = L", "invalid", ["IDN-007"], ["LargeS"],
            signature=good[:32] + ed25519.L.to_bytes(32, "little")),
    ]
    assert ed25519.verify(public_key, over, plus_l(good), check_s=False)
    y = next(y for y in range(2, 100) if ed25519.decompress(y.to_bytes(32, "little")) is None)
    cases.append(one("key-not-on-curve", f"y = {y}", "invalid", ["IDN-007"], pk=y.to_bytes(32, "little")))
    canonical, others = ed25519.small_order_encodings()
    for index, encoding in enumerate(canonical + others):
        kind = "SmallOrder" if index < len(canonical) else "SmallOrderNonCanonical"
        cases.append(one(f"small-order-{encoding[:2].hex()}-{encoding[31:].hex()}",
                         "a key of small order; plain verification accepts this signature, made without a secret",
                         "invalid", ["IDN-007"], [kind], pk=encoding, signature=forge(encoding, over)))
    # S = k * a makes R the neutral element.
    neutral = ed25519.compress(ed25519.NEUTRAL)
    s = ed25519.challenge(neutral, public_key, over) * ed25519.scalar(seed) % ed25519.L
    small_r = neutral + s.to_bytes(32, "little")
    assert ed25519.verify(public_key, over, small_r)
    cases.append(one("small-order-r", "R is the neutral element; only the owner of the key can make this",
                     "acceptable", ["IDN-008"], ["SmallOrderR"], signature=small_r))
    return {"type": "signature", "comment": "Ed25519 over context, zero byte, message; all but `context` in hex.",
            "cases": cases}


def registrations():
    seed, public_key = key("one")
    nonce = digest("challenge nonce")
    neutral = ed25519.small_order_encodings()[0][2]

    def one(name, comment, result, statement=None, signature=None, check=None, req=("IDN-011",), now=NOW, flags=()):
        statement = registration(public_key, nonce) if statement is None else statement
        signature = signed(seed, REGISTRATION, statement) if signature is None else signature
        return case("registration/" + name, comment,
                    {"domain": DOMAIN, "nonce": nonce.hex(), "now_ms": now, "statement": statement.hex(),
                     "signature": signature.hex()},
                    result, req, flags, **({"code": check} if check else {"public_key": public_key.hex()}))

    def of(**given):
        return registration(public_key, given.pop("nonce", nonce), **given)

    honest = of()
    small = registration(neutral, nonce)
    cases = [
        one("plain", "", "valid"),
        one("clock-60-s-behind", "the agent's clock is 60 s behind", "valid", of(issued=NOW - 60_000), req=["IDN-011"]),
        one("clock-60-s-ahead", "the agent's clock is 60 s ahead", "valid", of(issued=NOW + 60_000), req=["IDN-011"]),
        one("unknown-field", "field 99 is ignored, and signed like the rest", "valid",
            of(extra=wire.message((99, "later"))), req=["IDN-005", "VER-013"]),
        one("other-field-order", "no order of fields is required; the bytes are checked as they came", "valid",
            wire.message((5, NOW), (4, nonce), (3, DOMAIN), (2, public_key), (1, 1)), req=["IDN-005"]),
        one("re-encoded", "signed in one order of fields, sent in another", "invalid", honest,
            signed(seed, REGISTRATION, wire.message((5, NOW), (4, nonce), (3, DOMAIN), (2, public_key), (1, 1))),
            "BAD_SIGNATURE", ["IDN-005"]),
        one("visit-context", "", "invalid", honest, signed(seed, VISIT, honest), "BAD_SIGNATURE", ["IDN-006"]),
        one("revoke-context", "the same message, signed for another purpose", "invalid", honest,
            signed(seed, REVOKE, honest), "BAD_SIGNATURE", ["IDN-006"]),
        one("other-signer", "", "invalid", honest, signed(key("two")[0], REGISTRATION, honest), "BAD_SIGNATURE"),
        one("small-order-key", "plain verification accepts this signature", "invalid", small,
            forge(neutral, REGISTRATION.encode() + b"\0" + small), "BAD_SIGNATURE", ["IDN-007"], flags=["SmallOrder"]),
        one("s-plus-l", "", "invalid", honest, plus_l(signed(seed, REGISTRATION, honest)), "BAD_SIGNATURE",
            ["IDN-007"], flags=["LargeS"]),
        one("no-key", "", "invalid", of_nothing := wire.message((1, 1), (3, DOMAIN), (4, nonce), (5, NOW)),
            signed(seed, REGISTRATION, of_nothing), "BAD_SIGNATURE", ["IDN-007"]),
        one("not-protobuf", "", "invalid", b"\xff\xff\xff", check="MALFORMED"),
        one("version-2", "", "invalid", of(version=2), check="VERSION"),
        one("version-0", "the field is left out", "invalid", of(version=0), check="VERSION"),
        one("other-domain", "", "invalid", of(domain="coord.example.org"), check="WRONG_DOMAIN", req=["IDN-009", "IDN-011"]),
        one("no-domain", "", "invalid", of(domain=""), check="WRONG_DOMAIN", req=["IDN-009", "IDN-011"]),
        one("other-nonce", "a registration of another link, replayed", "invalid", of(nonce=digest("older nonce")),
            check="STALE", req=["IDN-009", "IDN-011"]),
        one("short-nonce", "the first 31 bytes", "invalid", of(nonce=nonce[:31]), check="STALE"),
        one("too-old", "60.001 s", "invalid", of(issued=NOW - 60_001), check="STALE", req=["IDN-011"]),
        one("too-new", "60.001 s", "invalid", of(issued=NOW + 60_001), check="STALE", req=["IDN-011"]),
        one("negative-time", "", "invalid", of(issued=-1), check="STALE"),
        one("order-domain-before-nonce", "domain and nonce are both wrong", "invalid",
            of(domain="coord.example.org", nonce=digest("older nonce")), check="WRONG_DOMAIN", req=["IDN-009", "IDN-011"]),
    ]
    return {"type": "registration",
            "comment": "coord's checks of a Hello; `domain` and `nonce` are those of its Challenge, `now_ms` its clock. "
                       "`code` is the signal code of the answer.",
            "cases": cases}


def revocations():
    seed, public_key = key("one")
    nonce = digest("challenge nonce")
    neutral = ed25519.small_order_encodings()[0][2]

    def one(name, comment, result="invalid", statement=None, signature=None, check=None, req=("IDN-011",), flags=()):
        statement = of() if statement is None else statement
        signature = signed(seed, REVOKE, statement) if signature is None else signature
        return case("revoke/" + name, comment,
                    {"domain": DOMAIN, "nonce": nonce.hex(), "now_ms": NOW, "statement": statement.hex(),
                     "signature": signature.hex()},
                    result, req, flags, **({"code": check} if check else {"public_key": public_key.hex()}))

    def of(**given):
        return registration(public_key, given.pop("nonce", nonce), **given)

    honest, small = of(), registration(neutral, nonce)
    return {"type": "revoke",
            "comment": "like `registration`, under the context of Revoke. That the key is the one of the link is tried "
                       "in `link-coord` of signaling.json.",
            "cases": [
        one("plain", "", "valid", req=["IDN-006", "IDN-011"]),
        one("clock-60-s-behind", "the agent's clock is 60 s behind", "valid", of(issued=NOW - 60_000)),
        one("clock-60-s-ahead", "the agent's clock is 60 s ahead", "valid", of(issued=NOW + 60_000)),
        one("registration-context", "a registration cannot be turned into a revocation",
            signature=signed(seed, REGISTRATION, honest), check="BAD_SIGNATURE", req=["IDN-006"]),
        one("visit-context", "", signature=signed(seed, VISIT, honest), check="BAD_SIGNATURE", req=["IDN-006"]),
        one("no-context", "", signature=ed25519.sign(seed, honest), check="BAD_SIGNATURE", req=["IDN-004"]),
        one("other-signer", "names one key, signed by another: nobody gives up an alias that is not theirs",
            signature=signed(key("two")[0], REVOKE, honest), check="BAD_SIGNATURE"),
        one("no-signature", "", signature=b"", check="BAD_SIGNATURE", req=["IDN-007"]),
        one("small-order-key", "plain verification accepts this signature", statement=small,
            signature=forge(neutral, REVOKE.encode() + b"\0" + small), check="BAD_SIGNATURE", req=["IDN-007"], flags=["SmallOrder"]),
        one("s-plus-l", "", signature=plus_l(signed(seed, REVOKE, honest)), check="BAD_SIGNATURE", req=["IDN-007"], flags=["LargeS"]),
        one("not-protobuf", "", statement=b"\xff\xff\xff", check="MALFORMED"),
        one("version-2", "", statement=of(version=2), check="VERSION"),
        one("other-domain", "meant for another coord", statement=of(domain="coord.example.org"), check="WRONG_DOMAIN",
            req=["IDN-009", "IDN-011"]),
        one("other-nonce", "a revocation of another link, replayed", statement=of(nonce=digest("older nonce")), check="STALE",
            req=["IDN-009", "IDN-011", "SIG-024"]),
        one("short-nonce", "the first 31 bytes", statement=of(nonce=nonce[:31]), check="STALE"),
        one("too-old", "60.001 s", statement=of(issued=NOW - 60_001), check="STALE"),
        one("too-new", "60.001 s", statement=of(issued=NOW + 60_001), check="STALE"),
        one("order-domain-before-nonce", "domain and nonce are both wrong",
            statement=of(domain="coord.example.org", nonce=digest("older nonce")), check="WRONG_DOMAIN", req=["IDN-009", "IDN-011"]),
    ]}


def visits():
    seed, public_key = key("one")
    other_seed, other_key = key("two")
    visitor, agent = digest("visitor certificate"), digest("agent certificate")
    line = wire.fingerprint_line
    neutral = ed25519.small_order_encodings()[0][2]
    honest = visit_statement(public_key)
    pin, other_pin = wire.zbase32(public_key), wire.zbase32(other_key)

    def one(name, comment, result, statement=None, signature=None, check=None, req=("IDN-017",), fingerprints=None,
            session_level=(), pins=(), now=NOW, signer=seed, flags=(), pk=public_key):
        statement = honest if statement is None else statement
        signature = signed(signer, VISIT, statement) if signature is None else signature
        answer = wire.sdp("answer", [line(agent)] if fingerprints is None else fingerprints, session_level=session_level)
        given = {"alias": ALIAS, "app": APP, "pins": list(pins), "nonce": digest("visitor nonce").hex(),
                 "visitor_fingerprint": visitor.hex(), "answer_sdp": answer, "now_ms": now,
                 "statement": statement.hex(), "signature": signature.hex()}
        return case("visit/" + name, comment, given, result, req, flags,
                    **({"check": check} if check else {"public_key": pk.hex()}))

    def of(**given):
        return visit_statement(public_key, **given)

    small = visit_statement(neutral)
    by_other = visit_statement(other_key)
    cases = [
        one("plain", "no pin", "valid"),
        one("pinned", "", "valid", pins=[pin], req=["IDN-017", "IDN-019"]),
        one("two-pins", "fragment and stored pin are the same", "valid", pins=[pin, pin], req=["IDN-019", "IDN-020"]),
        one("unknown-field", "field 99 is ignored, and signed like the rest", "valid",
            of(extra=wire.message((99, "later"))), req=["IDN-005", "VER-013"]),
        one("fingerprint-at-both-levels", "the same one for the session and for the section", "valid",
            session_level=[line(agent)], req=["IDN-017", "IDN-022"]),
        one("expires-after-119.999-s", "", "valid", of(expires=NOW + 119_999), req=["IDN-017"]),
        one("expires-after-120-s", "the latest", "valid", of(expires=NOW + 120_000), req=["IDN-017"]),
        one("expired-59.999-s-ago", "within the allowance for clocks", "valid", of(expires=NOW - 59_999), req=["IDN-017"]),
        one("expired-60-s-ago", "", "invalid", of(expires=NOW - 60_000), check="EXPIRED", req=["IDN-017"]),
        one("expires-after-120.001-s", "too far ahead", "invalid", of(expires=NOW + 120_001), check="EXPIRED", req=["IDN-017"]),
        one("no-expiry", "", "invalid", of(expires=0), check="EXPIRED", req=["IDN-017"]),
        one("registration-context", "", "invalid", signature=signed(seed, REGISTRATION, honest), check="SIGNATURE",
            req=["IDN-006"]),
        one("no-context", "", "invalid", signature=ed25519.sign(seed, honest), check="SIGNATURE", req=["IDN-004"]),
        one("flipped-statement", "one bit changed after signing", "invalid", flipped(honest, 40),
            signed(seed, VISIT, honest), "SIGNATURE", ["IDN-005"]),
        one("other-signer", "names one key, signed by another", "invalid", signer=other_seed, check="SIGNATURE"),
        one("no-signature", "", "invalid", signature=b"", check="SIGNATURE", req=["IDN-007"]),
        one("empty-statement", "no key in it", "invalid", b"", check="SIGNATURE", req=["IDN-007"]),
        one("not-protobuf", "", "invalid", b"\xff\xff\xff", check="STATEMENT"),
        one("small-order-key", "plain verification accepts this signature, and nobody needs a secret for it", "invalid",
            small, forge(neutral, VISIT.encode() + b"\0" + small), "SIGNATURE", ["IDN-007"], flags=["SmallOrder"]),
        one("s-plus-l", "", "invalid", signature=plus_l(signed(seed, VISIT, honest)), check="SIGNATURE",
            req=["IDN-007"], flags=["LargeS"]),
        one("unpinned-other-key", "first visit: another key is taken, and pinned", "valid", by_other,
            signer=other_seed, req=["IDN-020"], pk=other_key),
        one("other-key", "a proper statement by another key than the pinned one", "invalid", by_other, signer=other_seed,
            pins=[pin], check="PINNED_KEY", req=["IDN-017", "IDN-019"]),
        one("pins-differ", "the fragment names one key, the stored pin another", "invalid", pins=[pin, other_pin],
            check="PINNED_KEY"),
        one("malformed-pin", "the fragment is no peer id", "invalid", pins=[pin[:-1]], check="PINNED_KEY", req=["IDN-019"]),
        one("version-2", "", "invalid", of(version=2), check="VERSION"),
        one("version-0", "the field is left out", "invalid", of(version=0), check="VERSION"),
        one("other-alias", "", "invalid", of(alias="silent-river-0001"), check="ALIAS"),
        one("alias-upper-case", "", "invalid", of(alias=ALIAS.title()), check="ALIAS"),
        one("no-alias", "", "invalid", of(alias=""), check="ALIAS"),
        one("other-app", "coord leads the visitor to another app of the same agent", "invalid", of(app="accounting"),
            check="APP"),
        one("app-upper-case", "", "invalid", of(app=APP.title()), check="APP"),
        one("no-app", "", "invalid", of(app=""), check="APP"),
        one("other-nonce", "an answer to an earlier visit, replayed", "invalid", of(nonce=digest("older nonce")),
            check="NONCE"),
        one("short-nonce", "the first 31 bytes", "invalid", of(nonce=digest("visitor nonce")[:31]), check="NONCE"),
        one("other-visitor-fingerprint", "somebody else's certificate stands in for the visitor's", "invalid",
            of(visitor=digest("another certificate")), check="FINGERPRINT"),
        one("fingerprints-swapped", "", "invalid", of(visitor=agent, agent=visitor), check="FINGERPRINT"),
        one("other-agent-fingerprint", "the SDP names a certificate that was not signed", "invalid",
            fingerprints=[line(digest("another certificate"))], check="FINGERPRINT"),
        one("two-fingerprints", "the signed one first, then another", "invalid",
            fingerprints=[line(agent), line(digest("another certificate"))], check="FINGERPRINT",
            req=["IDN-017", "IDN-022"]),
        one("two-fingerprints-levels", "another one for the session, the signed one for the section", "invalid",
            session_level=[line(digest("another certificate"))], check="FINGERPRINT",
            req=["IDN-017", "IDN-022"]),
        one("sha-1-beside", "a second line with another hash", "invalid",
            fingerprints=[line(agent), line(agent[:20], "sha-1")], check="FINGERPRINT",
            req=["IDN-017", "IDN-022"]),
        one("sha-1-only", "", "invalid", fingerprints=[line(agent[:20], "sha-1")], check="FINGERPRINT"),
        one("two-fingerprints-other-case", "attribute and hash in upper case: some parsers read it, so it counts",
            "invalid", fingerprints=[line(agent), line(digest("another certificate")).replace("a=fingerprint:sha", "a=FINGERPRINT:SHA")],
            check="FINGERPRINT", req=["IDN-022"]),
        one("fingerprint-behind-bare-cr", "a carriage return alone ends a line for some parsers", "invalid",
            fingerprints=[line(agent), "a=x\r" + line(digest("another certificate"))], check="FINGERPRINT",
            req=["IDN-022", "SIG-012"]),
        one("fingerprint-lower-case-hex", "", "valid", fingerprints=[line(agent).lower()], req=["IDN-022"]),
        one("fingerprint-short", "31 bytes", "invalid", fingerprints=[line(agent[:31])], check="FINGERPRINT", req=["IDN-022"]),
        one("no-fingerprint", "", "invalid", fingerprints=[], check="FINGERPRINT"),
        one("order-key-before-nonce", "another key and another nonce", "invalid",
            visit_statement(other_key, nonce=digest("older nonce")), signer=other_seed, pins=[pin], check="PINNED_KEY"),
        one("order-nonce-before-expiry", "an old answer, replayed after its time", "invalid",
            of(nonce=digest("older nonce"), expires=NOW - 3_600_000), check="NONCE"),
    ]
    return {"type": "visit",
            "comment": "the visitor's checks of a VisitAnswer, in the order of identity.md. `pins` are all keys that it "
                       "holds for the origin, as peer ids. `check` is the first that fails; "
                       "with `valid`, `public_key` is the key to pin.",
            "cases": cases}


def restarts():
    """Answers to a restart of a session between `visitor certificate` and `agent certificate`, whose key is the first one."""
    seed, public_key = key("one")
    other_seed, other_key = key("two")
    visitor, agent, another = digest("visitor certificate"), digest("agent certificate"), digest("another certificate")
    nonce, session = digest("restart nonce"), digest("restart")[:16]

    def one(name, comment, check=None, signer=seed, public=public_key, certificate=agent, **changed):
        changed = {"nonce": nonce, "session": session, "agent": certificate} | changed
        statement = visit_statement(public, **changed)
        given = {"alias": ALIAS, "app": APP, "session_seed": seed.hex(), "session_agent_fingerprint": agent.hex(),
                 "nonce": nonce.hex(), "visitor_fingerprint": visitor.hex(),
                 "answer_sdp": wire.sdp("answer", [wire.fingerprint_line(certificate)]), "now_ms": NOW,
                 "statement": statement.hex(), "signature": signed(signer, VISIT, statement).hex()}
        return case("restart/" + name, comment, given, "invalid" if check else "valid", ["SIG-046"], **({"check": check} if check else {}))

    cases = [
        one("plain", ""),
        one("another-agent-certificate", "a good answer, to a new visit: somebody on the way knows no restarts", "SESSION", certificate=another),
        one("another-key", "the right certificate, signed by another agent", "PINNED_KEY", signer=other_seed, public=other_key),
        one("answer-of-the-visit", "the one that set the session up, once more", "NONCE", nonce=digest("visitor nonce"),
            session=digest("session")[:16]),
        one("another-visitor-certificate", "the answer to somebody else's restart", "FINGERPRINT", visitor=another),
        one("another-app", "", "APP", app="accounting"),
        one("expired", "", "EXPIRED", expires=NOW - 60_000),
    ]
    return {"type": "restart",
            "comment": "the visitor's checks of a VisitAnswer to a restart of a session. The session's agent has the key of "
                       "`session_seed` and the certificate of `session_agent_fingerprint`. `check` is the one that fails, as in `visit`, or SESSION for SIG-046.",
            "cases": cases}


def statements():
    return {
        "vectors": "statements",
        "flags": {
            "LargeS": "S is not below the order of the group (IDN-007)",
            "SmallOrder": "the public key is a point of small order (IDN-007)",
            "SmallOrderNonCanonical": "the same, in an encoding that is not the canonical one (IDN-007)",
            "SmallOrderR": "R is a point of small order; a verifier may accept or refuse it (IDN-008)",
        },
        "keys": {name: {"seed": key(name)[0].hex(), "public_key": key(name)[1].hex()} for name in ("one", "two")},
        "groups": [signatures(), registrations(), revocations(), visits(), restarts()],
    }
