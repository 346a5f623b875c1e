"""ten-messages.json: the bytes in spec/v1/agent-in-ten-messages.md."""
import wire
from frames_vectors import field, setting
from names_vectors import candidate, key
from statements_vectors import DOMAIN, NOW, REGISTRATION, VISIT, digest, registration, signed, visit_statement


def envelope(seq, re, kind, payload):
    return wire.message((1, seq), (2, re)) + wire.embedded(kind, payload)


def ten_messages(words):
    seed, public_key = key("one")
    alias = candidate(public_key, 0, words)
    session = digest("session")[:16]
    nonce, visitor_nonce = digest("challenge nonce"), digest("visitor nonce")
    visitor, agent = digest("visitor certificate"), digest("agent certificate")
    offer = wire.sdp("offer", [wire.fingerprint_line(visitor)])
    answer = wire.sdp("answer", [wire.fingerprint_line(agent)],
                      ["candidate:1 1 udp 2122260223 192.0.2.7 49152 typ host"])
    reg = registration(public_key, nonce)
    statement = visit_statement(public_key, alias=alias)
    hello_visitor = wire.message((1, [1]), (2, [setting(5, 4)]), (3, "visitor/1"))
    hello_agent = wire.message((1, [1]), (2, [setting(2, 262144), setting(5, 4)]), (3, "agent/1"))
    request = wire.message((1, "GET"), (2, "/"), (3, [field("accept", "text/html")]), (4, 1))
    response = wire.message((1, 200), (2, [field("content-type", "text/html"), field("content-length", "14")]))
    link = "binary message on the agent link"
    rows = [
        ("challenge", "coord", "agent", link, envelope(1, 0, 10, wire.message(
            (1, [1]), (2, nonce), (3, DOMAIN), (4, NOW)))),
        ("hello", "agent", "coord", link, envelope(1, 0, 11, wire.message(
            (1, reg), (2, signed(seed, REGISTRATION, reg)), (3, "agent/1")))),
        ("welcome", "coord", "agent", link, envelope(2, 1, 12, wire.message(
            (1, 1), (2, alias), (3, "https"), (4, "example.net"), (7, 32), (8, 64), (9, 15)))),
        ("route-announce", "agent", "coord", link, envelope(2, 0, 13, wire.message((1, ["recipes", "admin"])))),
        ("route-ack", "coord", "agent", link, envelope(3, 2, 14, wire.message((1, ["recipes"]), (2, [wire.message(
            (1, "admin"), (2, 9), (3, "reserved"))])))),
        ("visit-offer", "coord", "agent", link, envelope(4, 0, 15, wire.message(
            (1, session), (2, "recipes"), (3, alias), (4, [1]), (5, offer), (6, visitor_nonce)))),
        ("visit-answer", "agent", "coord", link, envelope(3, 0, 16, wire.message(
            (1, session), (2, answer), (3, statement), (4, signed(seed, VISIT, statement))))),
        ("session-hello-visitor", "visitor", "agent", "lane 0", wire.frame(1, 0, hello_visitor)),
        ("session-hello-agent", "agent", "visitor", "lane 0", wire.frame(1, 0, hello_agent)),
        ("request", "visitor", "agent", "lane 0", wire.frame(2, 1, request)),
        ("response", "agent", "visitor", "lane 0", wire.frame(3, 1, response)),
        ("data-end", "agent", "visitor", "lane 0", wire.frame(5, 1, b"<h1>Hello</h1>")),
    ]
    assert len(b"<h1>Hello</h1>") == 14
    return {
        "vectors": "ten-messages",
        "spec": "v1",
        "generator": "conformance/vectors/make.py",
        "format": 1,
        "count": len(rows),
        "key": {"seed": seed.hex(), "public_key": public_key.hex(), "peer_id": wire.zbase32(public_key)},
        "alias": alias,
        "registration": reg.hex(),
        "visit_statement": statement.hex(),
        "offer_sdp": offer,
        "answer_sdp": answer,
        "messages": [{"name": name, "from": sender, "to": receiver, "on": carrier, "hex": data.hex()}
                     for name, sender, receiver, carrier, data in rows],
    }
