"""turn-credentials.json: spec/v1/signaling.md, TURN credentials."""
import base64
import hashlib
import hmac

from names_vectors import case

NOW = 1_800_000_000


def credential(secret, username):
    return base64.b64encode(hmac.new(secret.encode(), username.encode(), hashlib.sha1).digest()).decode()


def turn_credentials():
    issued, checked = [], []
    for name, comment, secret, random, now in (
        ("plain", "the example of the specification", "north", "0102030405060708", NOW),
        ("zeros", "digits keep their zeros", "north", "0000000000000000", NOW),
        ("letters", "hex in lower case", "north", "fedcba9876543210", NOW),
        ("secret-of-64-bytes", "a whole block of the hash", "s" * 64, "0102030405060708", NOW),
        ("secret-of-65-bytes", "longer than a block, so it is hashed first", "s" * 65, "0102030405060708", NOW),
        ("secret-not-ascii", "the secret is its UTF-8", "n\u00f6rdlich", "0102030405060708", NOW),
        ("other-time", "", "north", "0102030405060708", 1_795_219_200),
    ):
        username = f"{now + 3_600}:{random}"
        issued.append(case("issue/" + name, comment, {"secret": secret, "now": now, "random": random}, "valid", ["SIG-022"], username=username,
                           credential=credential(secret, username), expires_at=now + 3_600))
    assert issued[0]["credential"] == "O49NYcaDfa5TLU1EGDSa4pGe5UI="

    def check(name, comment, username, given=None, good=False, now=NOW, secret="north", req=("SIG-022",), **rest):
        given = credential(secret, username) if given is None else given
        result = rest.pop("result", "valid" if good else "invalid")
        checked.append(case("check/" + name, comment, {"secret": secret, "username": username, "credential": given, "now": now}, result, list(req), **rest))

    good = f"{NOW + 3_600}:0102030405060708"
    right = credential("north", good)
    check("plain", "", good, good=True)
    check("last-second", "", good, good=True, now=NOW + 3_599, req=["SIG-029"])
    check("over", "one second too late", good, now=NOW + 3_601, req=["SIG-029"])
    check("long-over", "", good, now=NOW + 86_400, req=["SIG-029"])
    check("expired-in-1970", "", "1:0102030405060708", req=["SIG-029"])
    check("other-secret", "", good, credential("south", good))
    check("time-changed", "the credential of an hour ago, with a later time", f"{NOW + 7_200}:0102030405060708", right)
    check("random-changed", "", f"{NOW + 3_600}:0102030405060709", right)
    check("no-credential", "", good, "")
    check("one-character-changed", "", good, ("P" if right[0] != "P" else "Q") + right[1:])
    check("cut", "", good, right[:-2])
    check("other-case", "", good, right.swapcase())
    check("hex", "the same hash in hex", good, base64.b64decode(right).hex())
    check("sha-256", "", good, base64.b64encode(hmac.new(b"north", good.encode(), hashlib.sha256).digest()).decode())
    check("time-not-a-number", "", "soon:0102030405060708", req=["SIG-029"])
    for name, comment, username in (("no-random", "coturn takes such a username", str(NOW + 3_600)), ("a-name", "", f"{NOW + 3_600}:somebody"),
                                    ("random-upper-case", "", f"{NOW + 3_600}:0102030405060708".replace("08", "AB"))):
        check(name, comment or "another form than coord's", username, result="acceptable", flags=["OtherForm"], req=["SIG-042"])
    return {
        "vectors": "turn-credentials",
        "flags": {"OtherForm": "a username of another form, which only who holds the secret can make; a relay may take it or not (SIG-042)"},
        "groups": [
            {"type": "turn-issue", "comment": "what coord issues.", "cases": issued},
            {"type": "turn-check", "comment": "whether a relay lets somebody in.", "cases": checked},
        ],
    }
