"""flow-control.json: credit of streams and sessions, in both directions; spec/v1/session.md, Flow control."""
import session_kit as kit
from names_vectors import case
from session_kit import Sequence, body, got, sent, told

STREAM, SESSION = 65_536, 262_144
CHARGE = 64
#: Body bytes of a frame that is as long as a frame may be before HELLO says more, with an id of one or two bytes.
FULL = 16_384 - 3
CREDITS = ["SES-042", "SES-043"]


def limit(at_least, at_most):
    return {"at_least": str(at_least), "at_most": str(at_most)}


class Cases:
    def __init__(self):
        self.agent, self.visitor = [], []

    def add(self, name, comment, sequence, req, error=None, flags=()):
        scope = "session" if error else None
        rest = {"error": error, "scope": scope} if error else {}
        made = case(f"{sequence.role}/{name}", comment, sequence.input(scope), "invalid" if error else "valid", req, flags, **rest)
        (self.agent if sequence.role == "agent" else self.visitor).append(made)


def receiver(role, streams, take=False, websocket=False, **rest):
    """An end whose streams receive bodies: requests at an agent, responses at a visitor."""
    s = Sequence(role, take=take, **rest)
    for stream in streams:
        if role == "agent":
            method = "CONNECT" if websocket else "POST"
            extra = {"protocol": "websocket"} if websocket else {}
            target = "/socket" if websocket else "/"
            s.receive(kit.connect(stream) if websocket else kit.request(stream, "POST", end=False),
                      told("request", stream, method=method, target=target, **extra))
            if websocket:
                s.call("respond", stream=stream, status=200, end=False).expect([sent("RESPONSE", stream, status=200)])
        else:
            if websocket:
                s.call("open", stream=stream, method="CONNECT", target="/socket", end=False, protocol="websocket")
                s.expect([sent("REQUEST", stream, method="CONNECT")])
            else:
                s.call("open", stream=stream, method="GET", target="/", end=True).expect([sent("REQUEST", stream, method="GET")])
            s.receive(kit.response(stream), told("response", stream, status=200))
    return s


def sender(role, streams=(1,), connected=True, **rest):
    """An end whose streams send bodies. Before the peer's HELLO only a visitor can."""
    s = Sequence(role, connected=connected, **rest)
    for stream in streams:
        if role == "agent":
            s.receive(kit.request(stream), told("request", stream, method="GET", target="/"), told("end", stream))
            s.call("respond", stream=stream, status=200, end=False).expect([sent("RESPONSE", stream, status=200)])
        else:
            s.call("open", stream=stream, method="POST", target="/", end=False).expect([sent("REQUEST", stream, method="POST")])
    return s


def fill(s, stream, count, kind="DATA"):
    """Body frames of so many bytes in all; the last one of type `kind`."""
    while count > FULL:
        s.receive(kit.filled("DATA", stream, FULL))
        count -= FULL
    return s.receive(kit.filled(kind, stream, count))


def receiving(add):
    for role in ("agent", "visitor"):
        s = fill(receiver(role, [1]), 1, STREAM).expect()
        add("stream-at-the-limit", "65,536 bytes that nobody has taken", s, CREDITS)
        s = fill(receiver(role, [1]), 1, STREAM).expect().receive(kit.data(1, b"x"))
        add("stream-beyond-the-limit", "one byte more", s, CREDITS, "FLOW_CONTROL")
        s = fill(receiver(role, [1]), 1, STREAM).expect().receive(kit.data_end(1, b"x"))
        add("stream-beyond-the-limit-at-the-end", "DATA_END counts as well", s, ["SES-040", "SES-042"], "FLOW_CONTROL")
        s = fill(receiver(role, [1]), 1, STREAM).expect().receive(kit.data_end(1, b""))
        s.call("take", stream=1, bytes=STREAM).expect(events=[got(1, STREAM), told("end", 1)])
        add("stream-at-the-limit-ends", "an end without bytes needs no credit", s, ["SES-040"])
        s = fill(receiver(role, [1]), 1, STREAM).expect().receive(kit.trailers(1))
        s.call("take", stream=1, bytes=STREAM).expect(events=[got(1, STREAM), told("end", 1, trailers=[["x-sum", b"1".hex()]])])
        add("trailers-need-no-credit", "", s, ["SES-040"])

        four = [1, 3, 5, 7]
        s = receiver(role, four + [9])
        for stream in four:
            fill(s, stream, STREAM)
        s.expect()
        add("session-at-the-limit", "four streams use up 262,144 bytes", s, CREDITS)
        s = receiver(role, four + [9])
        for stream in four:
            fill(s, stream, STREAM)
        s.expect().receive(kit.data(9, b"x"))
        add("session-beyond-the-limit", "one byte on a fifth stream, whose own credit is whole", s, CREDITS, "FLOW_CONTROL")

        big = {"initial_stream_credit": 100_000, "initial_session_credit": 300_000}
        s = fill(receiver(role, [1], settings=big), 1, 100_000).expect()
        add("own-settings-at-the-limit", "what this end's HELLO gave", s, ["SES-043"])
        s = fill(receiver(role, [1], settings=big), 1, 100_000).expect().receive(kit.data(1, b"x"))
        add("own-settings-beyond-the-limit", "", s, ["SES-043", "SES-042"], "FLOW_CONTROL")
        s = receiver(role, [1, 3, 5, 7], settings=big)
        for stream in (1, 3, 5):
            fill(s, stream, 100_000)
        s.expect().receive(kit.data(7, b"x"))
        add("own-settings-session-beyond-the-limit", "", s, ["SES-043", "SES-042"], "FLOW_CONTROL")

        # What is taken gives credit back.
        s = fill(receiver(role, [1]), 1, STREAM).expect().call("take", stream=1, bytes=STREAM)
        s.expect(events=[got(1, STREAM)], credit={"1": limit(STREAM + 1, 2 * STREAM)})
        add("credit-when-all-is-taken", "the sender may go on, and by no more than the window", s, ["SES-045", "SES-041"], flags=["Should"])
        s = fill(receiver(role, [1]), 1, STREAM).expect(credit={"1": limit(STREAM, STREAM), "session": limit(SESSION, SESSION)})
        add("no-credit-for-what-waits", "an end grants only what it is ready to hold", s, ["SES-045"])

        # Bytes that are discarded give the session's credit back, or the session would stand still.
        s = Sequence(role, take=False)
        for index in range(5):
            stream = 2 * index + 1
            if role == "agent":
                s.receive(kit.request(stream, "POST", end=False)).call("stop", stream=stream, code="NO_ERROR")
                s.expect([sent("STOP", stream, "NO_ERROR")], [told("request", stream, method="POST", target="/")])
            else:
                s.call("open", stream=stream, method="GET", target="/", end=True).call("cancel", stream=stream)
                s.expect([sent("REQUEST", stream), sent("STOP", stream, "CANCELLED")])
        for index in range(4):
            fill(s, 2 * index + 1, STREAM)
        s.expect(credit={"session": limit(SESSION + STREAM, 2 * SESSION)})
        fill(s, 9, STREAM).expect(credit={"session": limit(SESSION + STREAM, 2 * SESSION + STREAM)})
        add("stopped-streams-give-credit-back", "262,144 bytes on stopped streams, and 65,536 more", s, ["SES-044", "SES-028"])
        s = receiver(role, [1], take=False)
        if role == "agent":
            s.receive(kit.reset(1), told("cut", 1, code="CANCELLED")).call("respond", stream=1, status=204, end=True)
            s.expect([sent("RESPONSE", 1, status=204, end=True)])
        else:
            s.receive(kit.reset(1, "UPSTREAM_FAILED"), told("cut", 1, code="UPSTREAM_FAILED"))
        for _ in range(5):
            fill(s, 1, STREAM)
        s.expect(credit={"session": limit(SESSION + STREAM, 2 * SESSION + STREAM)})
        add("closed-streams-give-credit-back", "327,680 bytes on a closed stream, which has no credit of its own any more", s,
            ["SES-044", "SES-013"], error=None)
        s = receiver(role, [1, 3, 5, 7, 9], take=False)
        for stream in (1, 3, 5, 7):
            fill(s, stream, STREAM)
        s.expect()
        if role == "agent":
            s.receive(kit.reset(9), told("cut", 9, code="CANCELLED")).call("respond", stream=9, status=204, end=True)
            s.expect([sent("RESPONSE", 9, status=204, end=True)])
        else:
            s.receive(kit.reset(9), told("cut", 9, code="CANCELLED"))
        s.receive(kit.data(9, b"x"))
        add("closed-streams-count", "one byte on a closed stream, when the session's credit is used up", s, ["SES-013", "SES-042"], "FLOW_CONTROL")
        s = receiver(role, [1], take=False)
        if role == "agent":
            s.call("stop", stream=1, code="NO_ERROR").expect([sent("STOP", 1, "NO_ERROR")])
        else:
            s.call("cancel", stream=1).expect([sent("STOP", 1, "CANCELLED")])
        fill(s, 1, STREAM).expect().receive(kit.data(1, b"x"))
        add("stopped-stream-beyond-the-limit", "the credit of a stream holds when nobody wants its bytes", s, ["SES-042", "SES-028"], "FLOW_CONTROL")

        for name, count, kind, payload in (("empty", 1_024, "WS_TEXT", 0), ("empty-binary", 1_024, "WS_BINARY", 0), ("full", 4, "WS_BINARY", FULL - 61)):
            used = count * (payload + CHARGE)
            message = kit.frame(kind, 1, b"", f"{kind} of {payload:,} bytes on stream 1", ("78", payload))
            s = receiver(role, [1], websocket=True).receive(message, times=count).expect()
            rest = STREAM - used
            if rest:
                s.receive(kit.frame(kind, 1, b"", f"{kind} of {rest - CHARGE} bytes on stream 1", ("78", rest - CHARGE))).expect()
            add(f"messages-at-the-limit-{name}", f"{count} frames, each with 64 bytes more than its payload", s, ["SES-040", "SES-042"])
            s.receive(kit.ws(kind, 1, b""))
            more = Sequence(role, take=False, connected=False)
            more.steps = [dict(step) for step in s.steps]
            add(f"messages-beyond-the-limit-{name}", "one more message without bytes", more, ["SES-040", "SES-042"], "FLOW_CONTROL")
        s = receiver(role, [1], websocket=True).receive(kit.frame("WS_TEXT_PART", 1, b"", "WS_TEXT_PART of one byte on stream 1", ("78", 1)), times=1_008)
        s.expect().receive(kit.ws("WS_TEXT", 1, b""))
        add("parts-count-each", "1,008 parts of 65, and then 64 more than the 16 that are left", s, ["SES-040"], "FLOW_CONTROL")
        s = receiver(role, [1], websocket=True).receive(kit.ws("WS_TEXT", 1, b""), times=1_024).expect().receive(kit.ws_close(1))
        s.expect()
        add("close-needs-no-credit", "", s, ["SES-040"])


def sending(add):
    for role in ("agent", "visitor"):
        def start(count=70_000, **rest):
            return sender(role, **rest).call("write", stream=1, bytes=count)

        s = start().expect([body(1, STREAM)], charge={"1": {"at_most": str(STREAM)}})
        s.receive(kit.credit(1, STREAM)).expect()
        s.receive(kit.credit(1, 68_000)).expect([body(1, 68_000 - STREAM)])
        s.receive(kit.credit(1, 66_000)).expect().receive(kit.credit(1, 0)).expect()
        s.receive(kit.credit(1, 69_000)).expect([body(1, 1_000)])
        s.receive(kit.credit(1, 1 << 20)).expect([body(1, 1_000)])
        add("credit-is-absolute", "a lower or equal limit is ignored", s, ["SES-041", "SES-042"])
        s = start().expect([body(1, STREAM)]).receive(kit.credit(1, kit.U64)).expect([body(1, 70_000 - STREAM)])
        s.call("write", stream=1, bytes=10).expect([body(1, 10)])
        add("credit-largest", "2^64 - 1", s, ["SES-041"])
        s = start().expect([body(1, STREAM)]).call("finish", stream=1).expect()
        s.receive(kit.credit(1, 70_000)).expect([body(1, 70_000 - STREAM, True)])
        add("credit-for-the-rest", "the end follows the last byte", s, ["SES-041", "SES-020"])
        s = start(STREAM).call("finish", stream=1).expect([body(1, STREAM, True)])
        add("all-of-the-credit", "exactly 65,536 bytes", s, ["SES-042", "SES-043"])
        s = sender(role, (1, 3, 5, 7, 9))
        for stream in (1, 3, 5, 7, 9):
            s.call("write", stream=stream, bytes=60_000)
        s.expect([body(stream, 60_000) for stream in (1, 3, 5, 7)] + [body(9, SESSION - 240_000)], charge={"session": {"at_most": str(SESSION)}})
        s.receive(kit.credit(9, 1 << 20)).expect()
        s.receive(kit.credit(0, SESSION)).expect().receive(kit.credit(0, 1)).expect()
        s.receive(kit.credit(0, 290_000)).expect([body(9, 290_000 - SESSION)])
        s.receive(kit.credit(0, kit.U64)).expect([body(9, 10_000)])
        add("session-credit", "the fifth stream waits for the session's credit, not for its own", s, ["SES-042", "SES-043", "SES-041"])
        s = sender(role, (1, 3), peer=(("initial_session_credit", 300_000), ("initial_stream_credit", 200_000)))
        s.call("write", stream=1, bytes=250_000).expect([body(1, 200_000)])
        s.call("write", stream=3, bytes=150_000).expect([body(3, 100_000)])
        s.receive(kit.credit(0, 1 << 20)).expect([body(3, 50_000)])
        add("settings-of-the-peer", "limits as its HELLO gave them", s, ["SES-043", "SES-042"])
        s = start(STREAM).call("finish", stream=1).expect([body(1, STREAM, True)])
        s.receive(kit.credit(1, 1 << 20)).expect().receive(kit.credit(1, kit.U64)).expect()
        add("credit-behind-the-end", "ignored", s, ["SES-041", "SES-013"])
        s = start().expect([body(1, STREAM)]).receive(kit.stop(1))
        s.expect([sent("RESET", 1, "CANCELLED")], [told("stopped", 1, code="CANCELLED")]).receive(kit.credit(1, 1 << 20)).expect()
        add("credit-behind-stop", "what was kept is dropped", s, ["SES-024", "SES-041"])
        s = sender(role).receive(kit.credit(9, 1 << 20))
        add("credit-for-unopened-stream", "", s, ["SES-012"], "PROTOCOL")
        s = sender(role, (1, 3)).call("write", stream=1, bytes=70_000).expect([body(1, STREAM)])
        s.call("write", stream=3, bytes=1_000).expect([body(3, 1_000)])
        add("a-stream-without-credit-holds-up-no-other", "", s, ["SES-082"])

        # One message that is longer than the credit, in whatever frames.
        s = receiver(role, [1], take=True, websocket=True).call("message", stream=1, kind="binary", bytes=100_000, last=True)
        s.expect(charge={"1": {"at_most": str(STREAM)}}, may_send=[{"type": "PARTS", "stream": "1", "kind": "binary"}])
        s.receive(kit.credit(1, 1 << 20)).expect([{"type": "MESSAGE", "stream": "1", "kind": "binary"}])
        add("long-message", "parts within the credit, then the rest", s, ["SES-040", "WSK-011"])
        s = receiver(role, [1], take=True, websocket=True)
        s.call("message", stream=1, kind="text", hex="", last=True, times=1_025)
        s.expect([{"type": "MESSAGE", "stream": "1", "kind": "text", "hex": "", "times": 1_024}], charge={"1": {"at_most": str(STREAM)}})
        s.receive(kit.credit(1, STREAM + CHARGE - 1)).expect()
        s.receive(kit.credit(1, STREAM + CHARGE)).expect([{"type": "MESSAGE", "stream": "1", "kind": "text", "hex": ""}])
        add("empty-messages", "1,024 use up 65,536; the next one needs 64 more", s, ["SES-040"])

    s = sender("visitor", (1, 3), connected=False).call("write", stream=1, bytes=100_000).expect([body(1, STREAM)])
    s.receive(kit.hello((("initial_stream_credit", 90_000),))).expect([body(1, 90_000 - STREAM)], [told("connected")])
    s.call("write", stream=3, bytes=90_001).expect([body(3, 90_000)])
    add("hello-raises-open-streams", "the limit of a stream that was open before the agent's HELLO", s, ["SES-043", "SES-006"])
    s = sender("visitor", (1, 3, 5, 7, 9), connected=False)
    for stream in (1, 3, 5, 7, 9):
        s.call("write", stream=stream, bytes=60_000)
    s.expect([body(stream, 60_000) for stream in (1, 3, 5, 7)] + [body(9, SESSION - 240_000)])
    s.receive(kit.hello((("initial_session_credit", 300_000),))).expect([body(9, 300_000 - SESSION)], [told("connected")])
    add("hello-raises-the-session", "", s, ["SES-043", "SES-006"])
    s = Sequence("agent", {"lanes": 2}, connected=False)
    s.receive(kit.request(1), told("request", 1, method="GET", target="/"), told("end", 1), lane=1)
    s.call("respond", stream=1, status=200, end=False).expect([sent("RESPONSE", 1)]).call("write", stream=1, bytes=70_000).expect([body(1, STREAM)])
    s.receive(kit.hello((("lanes", 2), ("initial_stream_credit", 1 << 20)))).expect([body(1, 70_000 - STREAM)], [told("connected")])
    add("hello-raises-overtaking-streams", "a stream whose REQUEST has overtaken the visitor's HELLO", s, ["SES-043", "SES-015"])


def flow_control():
    cases = Cases()
    receiving(cases.add)
    sending(cases.add)
    return {
        "vectors": "flow-control",
        "flags": {"Should": "follows a SHOULD; an end that differs knows why (SES-045)"},
        "groups": [
            {"type": "flow-agent", "comment": "credit at an agent; README.md, Sequences of a session.", "cases": cases.agent},
            {"type": "flow-visitor", "comment": "credit at a visitor; README.md, Sequences of a session.", "cases": cases.visitor},
        ],
    }
