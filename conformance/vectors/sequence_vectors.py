"""state-sequences.json: the walks through the tables, and sequences for what tables do not show."""
import session_kit as kit
import state_vectors
import websocket_sequences
import websocket_states
from names_vectors import case
from session_kit import Sequence, body, got, sent, told

GREASE_CODE = 0x1F * 3 + 0x21


def opened(stream, method="GET", target="/", end=True, **rest):
    events = [told("request", stream, method=method, target=target, **rest)]
    return events + [told("end", stream)] if end else events


def asked(sequence, stream=1, method="GET", end=True, **rest):
    """The visitor under test opens a stream."""
    return sequence.call("open", stream=stream, method=method, target="/", end=end, **rest).expect(
        [sent("REQUEST", stream, method=method, end=end)])


def refusal(stream, code):
    return [sent("RESET", stream, code), sent("STOP", stream, code)]


class Cases:
    def __init__(self):
        self.agent, self.visitor = [], []

    def add(self, name, comment, sequence, req, error=None, scope="session", flags=(), result=None):
        result = result or ("invalid" if error else "valid")
        rest = {"error": error, "scope": scope} if error else {}
        made = case(name, comment, sequence.input(scope if error else None), result, req, flags, **rest)
        (self.agent if sequence.role == "agent" else self.visitor).append(made)


def greetings(add):
    def hello(name, comment, message, req, error=None, **rest):
        for role in ("agent", "visitor"):
            sequence = Sequence(role, connected=False)
            sequence.receive(message).expect(events=[] if error else [told("connected")])
            add(f"{role}/hello/{name}", comment, sequence, req, error, **rest)

    hello("versions-2-1", "a version that nobody knows yet stands first", kit.hello(versions=(2, 1)), ["VER-010", "VER-012"])
    hello("no-versions", "", kit.hello(versions=()), ["SES-007", "VER-012"], "VERSION")
    hello("version-2", "", kit.hello(versions=(2,)), ["SES-007", "VER-011"], "VERSION")
    hello("version-largest", "2^32 - 1", kit.hello(versions=((1 << 32) - 1,)), ["SES-007"], "VERSION")
    hello("grease", "a version, a setting with the largest value, all of them grease", kit.hello(((0x21, kit.U64),), (0x7F, 1)),
          ["SES-008", "VER-018", "VER-020"])
    hello("unknown-setting", "0x3f is in no registry", kit.hello(((0x3F, 0),)), ["SES-008", "VER-014"])
    hello("encodings-largest", "all bits of a set, known or not", kit.hello((("encodings", kit.U64),)), ["SES-008", "VER-014"])
    for name, value, good in (
        ("max_frame", 16_383, False), ("max_frame", 16_384, True), ("max_frame", 65_536, True), ("max_frame", 65_537, False),
        ("initial_stream_credit", 65_535, False), ("initial_stream_credit", kit.U64, True),
        ("initial_session_credit", 262_143, False), ("initial_session_credit", kit.U64, True),
        ("max_streams", 99, False), ("max_streams", kit.U64, True), ("lanes", 0, False), ("lanes", 1, True), ("lanes", 16, True),
        ("lanes", 17, False), ("lanes", 257, False),
    ):
        shown = "largest" if value == kit.U64 else value
        hello(f"{name.replace('_', '-')}-{shown}", "", kit.hello(((name, value),)), ["SES-008"], None if good else "PROTOCOL")
    hello("twice-last-out-of-range", "a setting twice", kit.hello((("max_streams", 100), ("max_streams", 99))), ["SES-008"], "PROTOCOL")
    two = Sequence("agent", {"lanes": 4}, connected=False)
    two.receive(kit.hello((("lanes", 4), ("lanes", 1))), told("connected")).receive(kit.request(1), lane=1)
    add("agent/hello/twice-last-counts", "lanes 4 and then 1: lane 1 is not in use", two, ["SES-008", "SES-014"], "PROTOCOL")
    for role in ("agent", "visitor"):
        sequence = Sequence(role, {"lanes": 2}, connected=False).receive(kit.hello((("lanes", 2),)), lane=1)
        add(f"{role}/hello/on-lane-1", "", sequence, ["SES-009"], "PROTOCOL")


def lanes(add):
    def early(**settings):
        return Sequence("agent", {"lanes": 2} | settings, connected=False)

    s = early().receive(kit.request(1), *opened(1), lane=1)
    s.call("respond", stream=1, status=200, end=False).expect([sent("RESPONSE", 1, status=200, lane=1)])
    s.receive(kit.hello((("lanes", 2),)), told("connected"))
    s.call("write", stream=1, hex="6869").expect([body(1, b"hi")])
    add("agent/overtaken-hello", "a REQUEST on lane 1 is there before the HELLO on lane 0, and is answered", s, ["SES-015", "SES-011"])
    s = early().receive(kit.request(1), lane=2)
    add("agent/overtaken-hello-beyond-own-lanes", "", s, ["SES-014", "SES-015"], "PROTOCOL")
    s = early(max_frame=65_536).receive(kit.request(1, "POST", end=False), *opened(1, "POST", end=False), lane=1)
    s.receive(kit.filled("DATA", 1, 20_000), got(1, 20_000), lane=1)
    add("agent/overtaken-hello-long-frame", "the agent's own max_frame is the bound on this lane", s, ["SES-015", "SES-003"])
    s = early().receive(kit.request(1, "POST", end=False), *opened(1, "POST", end=False), lane=1).receive(kit.filled("DATA", 1, 16_383), lane=1)
    add("agent/overtaken-hello-too-long-frame", "", s, ["SES-015", "SES-003"], "FRAME_SIZE")
    s = early().receive(kit.request(1, "POST", end=False), *opened(1, "POST", end=False), lane=1)
    s.receive(kit.hello(), told("connected")).receive(kit.data(1), lane=1)
    add("agent/overtaken-hello-says-one-lane", "the stream's lane is not in use after all", s, ["SES-014"], "PROTOCOL")
    for role in ("agent", "visitor"):
        for own, peer, size, error in ((65_536, 20_000, 20_000, None), (65_536, 20_000, 20_001, "FRAME_SIZE"),
                                       (20_000, 65_536, 20_000, None), (20_000, 65_536, 20_001, "FRAME_SIZE")):
            s = Sequence(role, {"max_frame": own}, peer=(("max_frame", peer),))
            s.receive(kit.frame(kit.GREASE, 0, b"", f"unknown type 0x21, {size:,} bytes in all", ("00", size - 2))).expect()
            add(f"{role}/frame-of-{size}-with-own-{own}", "the lower max_frame holds", s, ["SES-003"], error)
    two = {"lanes": 2}
    s = Sequence("agent", two, peer=(("lanes", 2),)).receive(kit.request(5), *opened(5)).receive(kit.request(1), *opened(1), lane=1)
    add("agent/lower-id-on-another-lane", "ids increase on each lane only", s, ["SES-010"])
    s = Sequence("agent", two, peer=(("lanes", 2),)).receive(kit.request(1), *opened(1)).receive(kit.request(1), lane=1)
    add("agent/same-id-on-another-lane", "while the first one is open", s, ["SES-016"], "PROTOCOL")
    s = Sequence("agent", two, peer=(("lanes", 2),)).receive(kit.request(1, "POST", end=False), *opened(1, "POST", end=False), lane=1)
    s.receive(kit.request(3), *opened(3))
    s.receive(kit.data(1))
    add("agent/data-on-the-lane-of-another-stream", "", s, ["SES-011"], "PROTOCOL")


def ids(add):
    def agent(*streams):
        s = Sequence("agent")
        for stream in streams:
            s.receive(kit.request(stream), *opened(stream))
        return s

    add("agent/ids-with-gaps", "", agent(1, 101, 103), ["SES-010"])
    add("agent/id-largest", "2^62 - 1", agent((1 << 62) - 1), ["SES-010"])
    add("agent/id-goes-down", "", agent(5).receive(kit.request(3)), ["SES-010"], "PROTOCOL")
    add("agent/id-twice", "", agent(1).receive(kit.request(1)), ["SES-010"], "PROTOCOL")
    add("agent/id-even", "", agent().receive(kit.request(2)), ["SES-010"], "PROTOCOL")
    add("agent/id-even-frame", "DATA on a stream that only the agent could open", agent(3).receive(kit.data(2)), ["SES-012"], "PROTOCOL")
    for kind, message in (("reset", kit.reset(7)), ("stop", kit.stop(7)), ("credit", kit.credit(7, 1)), ("data", kit.data(7)),
                          ("trailers", kit.trailers(7)), ("ws-text", kit.ws("WS_TEXT", 7, b"x"))):
        add(f"agent/never-opened-{kind}", "", agent(5).receive(message), ["SES-012"], "PROTOCOL")
        s = asked(Sequence("visitor"))
        add(f"visitor/never-opened-{kind}", "", s.receive(message), ["SES-012"], "PROTOCOL")
    s = Sequence("visitor").receive(kit.response(1))
    add("visitor/response-without-request", "", s, ["SES-012"], "PROTOCOL")
    s = agent().receive(kit.frame(kit.GREASE, 9, b"x", "unknown type 0x21 on stream 9"))
    add("agent/unknown-type-on-unopened-stream", "skipped, and it opens nothing", s.expect().receive(kit.request(1), *opened(1)), ["SES-004"])

    s = Sequence("agent")
    for stream in range(1, 201, 2):
        s.receive(kit.request(stream))
    s.expect(events=[event for stream in range(1, 201, 2) for event in opened(stream)])
    s.receive(kit.request(201, "POST", end=False)).expect(refusal(201, "REFUSED"))
    s.receive(kit.data(201)).expect()
    s.call("respond", stream=1, status=204, end=True).expect([sent("RESPONSE", 1, status=204, end=True)])
    s.receive(kit.request(203)).expect(refusal(203, "REFUSED"))
    s.call("release", stream=1).expect()
    s.receive(kit.request(205), *opened(205))
    add("agent/max-streams", "the 101st is refused, what follows on it is ignored; a place is free when the upstream call has stopped", s,
        ["SES-050", "SES-051", "SES-013"])
    s = Sequence("agent")
    for stream in range(1, 201, 2):
        s.receive(kit.request(stream))
    s.expect(events=[event for stream in range(1, 201, 2) for event in opened(stream)])
    s.receive(kit.stop(1)).expect([sent("RESET", 1, "CANCELLED")], [told("stopped", 1, code="CANCELLED")])
    s.receive(kit.request(201)).expect(refusal(201, "REFUSED"))
    add("agent/max-streams-after-stop", "a stream that was given up counts until its upstream call has stopped", s, ["SES-050"])


def crossing(add):
    def agent(method="POST", end=False):
        return Sequence("agent").receive(kit.request(1, method, end=end), *opened(1, method, end=end))

    def responded(s, end=False):
        return s.call("respond", stream=1, status=200 if not end else 204, end=end).expect([sent("RESPONSE", 1, end=end)])

    s = responded(agent(), True).receive(kit.stop(1)).expect()
    s.receive(kit.data_end(1), got(1, b"hello"), told("end", 1))
    add("agent/stop-behind-the-end", "STOP crosses the end of the response: it changes nothing, the request goes on", s, ["SES-024", "SES-026"])
    s = responded(agent("GET", True)).receive(kit.reset(1)).expect()
    s.call("finish", stream=1).expect([body(1, b"", True)])
    add("agent/reset-behind-the-end", "RESET behind the end of the request is ignored", s, ["SES-023"])
    for order, first, second in (("reset-stop", kit.reset, kit.stop), ("stop-reset", kit.stop, kit.reset)):
        s = responded(agent())
        s.receive(first(1)).receive(second(1))
        s.expect([sent("RESET", 1, "CANCELLED")], [told("cut", 1, code="CANCELLED"), told("stopped", 1, code="CANCELLED")]
                 if order == "reset-stop" else [told("stopped", 1, code="CANCELLED"), told("cut", 1, code="CANCELLED")])
        s.receive(kit.data(1)).expect().receive(kit.credit(1, 1 << 20)).expect()
        add(f"agent/cancelled-{order}", "the visitor gives up, and what comes later is ignored", s, ["SES-025", "SES-024", "SES-013"])
    s = responded(agent("GET", True)).receive(kit.stop(1, GREASE_CODE))
    s.expect([sent("RESET", 1, GREASE_CODE)], [told("stopped", 1, code=str(GREASE_CODE))])
    add("agent/stop-with-unknown-code", "the same code comes back", s, ["SES-024", "SES-092", "VER-018"])
    s = agent().receive(kit.reset(1, GREASE_CODE), told("cut", 1, code=str(GREASE_CODE)))
    add("agent/reset-with-unknown-code", "like INTERNAL", s, ["SES-092", "VER-015"])
    s = agent().call("stop", stream=1, code="NO_ERROR").expect([sent("STOP", 1, "NO_ERROR")])
    s.receive(kit.data(1)).expect().receive(kit.data(1)).expect().receive(kit.reset(1, "NO_ERROR")).expect()
    responded(s)
    add("agent/stop-crosses-data", "what was on its way is discarded; the response goes on", s, ["SES-026", "SES-028"])
    s = responded(agent()).call("stop", stream=1, code="NO_ERROR").expect([sent("STOP", 1, "NO_ERROR")])
    s.receive(kit.stop(1)).expect([sent("RESET", 1, "CANCELLED")], [told("stopped", 1, code="CANCELLED")])
    s.receive(kit.reset(1)).expect().receive(kit.data(1)).expect()
    add("agent/both-stop", "", s, ["SES-024", "SES-013"])
    s = agent("GET", True)
    s.receive(kit.stop(1)).expect([sent("RESET", 1, "CANCELLED")], [told("stopped", 1, code="CANCELLED")])
    s.call("respond", stream=1, status=200, end=False).expect(refused=True)
    add("agent/stop-before-the-response", "no RESPONSE follows the RESET", s, ["SES-024", "SES-020"])

    for name, message in (("data", kit.data(1)), ("data-end", kit.data_end(1)), ("trailers", kit.trailers(1)), ("reset", kit.reset(1)),
                          ("stop", kit.stop(1)), ("credit", kit.credit(1, kit.U64)), ("ws-text", kit.ws("WS_TEXT", 1, b"x")),
                          ("bad-trailers", kit.trailers(1, (("Upper", "1"),))), ("ws-close", kit.ws_close(1))):
        s = responded(agent("GET", True), True).receive(message).expect()
        add(f"agent/late-{name}", "both halves are over: ignored", s, ["SES-013"])
        s = asked(Sequence("visitor")).receive(kit.response(1, 204, end=True), told("response", 1, status=204), told("end", 1))
        add(f"visitor/late-{name}", "both halves are over: ignored", s.receive(message).expect(), ["SES-013"])
    s = asked(Sequence("visitor")).receive(kit.response(1, 204, end=True), told("response", 1, status=204), told("end", 1))
    add("visitor/late-response", "a second RESPONSE for a stream that is closed", s.receive(kit.response(1)).expect(), ["SES-013"])
    s = responded(agent("GET", True), True).receive(kit.frame("TRAILERS", 1, b"\xff", "TRAILERS on stream 1 that do not decode"))
    add("agent/late-undecodable", "the payload of every frame has to decode", s, ["SES-002"], "PROTOCOL")
    s = responded(agent("GET", True), True).receive(kit.frame("DATA", 1, b"", "DATA without a byte on stream 1"))
    add("agent/late-empty-data", "DATA has at least one byte everywhere", s, ["SES-022"], "PROTOCOL")

    s = asked(Sequence("visitor"), method="POST", end=False).call("cancel", stream=1).expect(
        [sent("RESET", 1, "CANCELLED"), sent("STOP", 1, "CANCELLED")])
    s.receive(kit.response(1)).receive(kit.data(1)).receive(kit.response(1, 200)).receive(kit.stop(1)).receive(kit.reset(1)).expect()
    s.receive(kit.data(1)).expect()
    add("visitor/cancelled", "what the agent had sent by then is discarded, in whatever order", s, ["SES-025", "SES-028", "SES-013"])
    s = asked(Sequence("visitor")).receive(kit.reset(1, "REFUSED")).receive(kit.stop(1, "REFUSED"))
    s.expect(events=[told("cut", 1, code="REFUSED")])
    add("visitor/refused", "RESET and STOP in answer to a request without a body", s, ["SES-051", "ERR-004"])
    s = asked(Sequence("visitor"), method="POST", end=False).receive(kit.reset(1, "REFUSED")).receive(kit.stop(1, "REFUSED"))
    # A visitor that gives up its own half over the RESET has nothing left that the STOP could stop.
    s.expect([sent("RESET", 1)], [told("cut", 1, code="REFUSED")], may_send=[sent("STOP", 1)], may_tell=[told("stopped", 1, code="REFUSED")])
    add("visitor/refused-with-body", "both halves are over: RESET for the own one", s, ["SES-051", "SES-024"])


def going_away(add):
    s = Sequence("agent").receive(kit.request(1, "POST", end=False), *opened(1, "POST", end=False))
    s.call("go_away").expect([sent("GOAWAY", code="NO_ERROR", last_stream="1")])
    s.receive(kit.request(3, "POST", end=False)).expect(refusal(3, "REFUSED")).receive(kit.data(3)).expect()
    s.receive(kit.data_end(1), got(1, b"hello"), told("end", 1))
    s.call("respond", stream=1, status=204, end=True).expect([sent("RESPONSE", 1, status=204, end=True)])
    add("agent/drain", "what is open is completed, what comes later is refused", s, ["SES-070"])
    s = Sequence("agent", {"lanes": 2}, peer=(("lanes", 2),)).receive(kit.request(5), *opened(5)).call("go_away")
    s.expect([sent("GOAWAY", code="NO_ERROR", last_stream="5")]).receive(kit.request(3), *opened(3), lane=1)
    add("agent/drain-lower-id-on-another-lane", "3 is not above last_stream, so it is acted upon", s, ["SES-070", "SES-010"])
    s = Sequence("agent").receive(kit.go_away(), told("goaway")).receive(kit.ping(3)).expect([sent("PONG", token="3")])
    add("agent/goaway-of-the-visitor", "", s, ["SES-070"])
    s = asked(asked(asked(Sequence("visitor")), 3), 5, "POST", False)
    s.receive(kit.go_away(last=3)).expect(events=[told("goaway", last_stream="3"), told("cut", 5, code="REFUSED")],
                                          may_send=[sent("RESET", 5), sent("STOP", 5)])
    s.receive(kit.response(3, 204, end=True), told("response", 3, status=204), told("end", 3))
    s.receive(kit.go_away(last=9)).expect(may_tell=[told("goaway", last_stream="3")])
    s.receive(kit.response(1), told("response", 1, status=200)).receive(kit.go_away(last=0))
    s.expect(events=[told("cut", 1, code="REFUSED")], may_send=[sent("STOP", 1)], may_tell=[told("goaway", last_stream="0")])
    s.call("open", stream=7, method="GET", target="/", end=True).expect(refused=True)
    add("visitor/goaway-thrice", "only a lower last_stream counts", s, ["SES-071"])
    s = Sequence("visitor").receive(kit.go_away(GREASE_CODE), told("closed", code=str(GREASE_CODE)))
    add("visitor/goaway-unknown-code", "a code other than 0 ends the session, known or not", s, ["SES-072", "SES-092"])
    s = asked(Sequence("visitor")).receive(kit.response(1)).receive(kit.data(1)).receive(kit.go_away("INTERNAL", 1))
    s.expect(events=[told("response", 1, status=200), got(1, b"hello"), told("closed", code="INTERNAL")],
             may_tell=[told("cut", 1)])
    add("visitor/goaway-within-a-body", "the body is cut off", s, ["SES-072", "SES-023"])
    s = Sequence("agent").receive(kit.go_away(last=7), told("goaway")).receive(kit.go_away("PROTOCOL"), told("closed", code="PROTOCOL"))
    s.receive(kit.ping()).expect()
    add("agent/nothing-behind-the-end", "", s, ["SES-072"])


def grease(add):
    s = Sequence("agent", {"lanes": 2}, peer=(("lanes", 2), (0x21, 7)))
    unknown = [kit.frame(kit.GREASE, 0, b"", "unknown type 0x21"), kit.frame(0x40, 1, b"\xff" * 9, "unknown type 0x40 on stream 1"),
               kit.frame(0x3F, 2, b"x", "unknown type 0x3f on stream 2"), kit.frame(0x1F * 500 + 0x21, 1, b"", "unknown type, two bytes long"),
               kit.frame((1 << 62) - 1, (1 << 62) - 1, b"x", "the largest type and stream")]
    for index, message in enumerate(unknown):
        s.receive(message, lane=index % 2)
    s.receive(kit.request(1, "POST", end=False), *opened(1, "POST", end=False))
    s.receive(kit.data(1)).receive(unknown[1]).receive(unknown[3]).receive(kit.data_end(1))
    s.expect(events=[got(1, b"hellohello"), told("end", 1)])
    add("agent/grease-everywhere", "types that nobody knows, before, within and between streams", s, ["SES-004", "VER-014", "VER-018", "VER-019"])
    s = asked(Sequence("visitor", peer=((0x21, 7),)))
    s.receive(unknown[1]).receive(kit.response(1, 103)).receive(unknown[0]).receive(kit.response(1)).receive(unknown[1]).receive(kit.data_end(1))
    s.expect(events=[told("response", 1, status=103), told("response", 1, status=200), got(1, b"hello"), told("end", 1)])
    add("visitor/grease-everywhere", "", s, ["SES-004", "VER-014", "VER-018"])
    for role in ("agent", "visitor"):
        s = Sequence(role).receive(kit.frame(kit.GREASE, 0, b"", "unknown type 0x21"), times=1_000).expect()
        s.receive(kit.ping(1)).expect([sent("PONG", token="1")])
        add(f"{role}/unknown-types-1000", "as many as an honest peer may send at once", s, ["SES-094"])
        s = Sequence(role).receive(kit.ping(1), times=16).expect([sent("PONG", token="1", times=16)])
        add(f"{role}/pings-16", "16 PINGs without a PONG in between", s, ["SES-094", "SES-061"])
        s = Sequence(role).receive(kit.ping(kit.U64)).expect([sent("PONG", token=str(kit.U64))])
        add(f"{role}/ping-largest-token", "", s, ["SES-061"])
        s = Sequence(role).receive(kit.frame("PING", 0, b"", "PING without a token: 0")).expect([sent("PONG", token="0")])
        add(f"{role}/ping-token-0", "", s, ["SES-061"])
        s = Sequence(role).receive(kit.pong(77)).expect()
        add(f"{role}/pong-unasked", "a PONG that answers nothing", s, ["SES-061"])
    s = Sequence("agent")
    for stream in range(1, 201, 2):
        s.receive(kit.request(stream, fields=(("Upper", "1"),), note=f"REQUEST on stream {stream} with a name in upper case"))
    s.expect([one for stream in range(1, 201, 2) for one in refusal(stream, "BAD_MESSAGE")])
    add("agent/refused-100", "100 requests that come to nothing", s, ["SES-094", "SES-036"], "BAD_MESSAGE", "stream")


def floods(add):
    """What brings nothing: as much as a peer may always send, and far more than anybody has to take."""
    honest, flood = 1_000, 100_000

    def closed(role):
        if role == "visitor":
            return asked(Sequence("visitor")).receive(kit.response(1, 204, end=True), told("response", 1, status=204), told("end", 1))
        s = Sequence("agent").receive(kit.request(1), *opened(1))
        return s.call("respond", stream=1, status=204, end=True).expect([sent("RESPONSE", 1, end=True)])

    def stopped():
        return asked(Sequence("visitor")).call("cancel", stream=1).expect([sent("STOP", 1, "CANCELLED")])

    bad_trailers = kit.trailers(1, (("Upper", "1"),), "TRAILERS on stream 1 with a name in upper case")
    for name, comment, role, start, message in (
        ("responses", "RESPONSEs for a stream that is closed", "visitor", lambda: closed("visitor"), kit.response(1)),
        ("interim-responses", "1xx RESPONSEs for a stream that is closed", "visitor", lambda: closed("visitor"), kit.response(1, 103)),
        ("stopped-interim-responses", "1xx RESPONSEs in a half that was stopped", "visitor", stopped, kit.response(1, 103)),
        ("bad-trailers", "bad TRAILERS for a stream that is closed", "visitor", lambda: closed("visitor"), bad_trailers),
        ("bad-trailers", "bad TRAILERS for a stream that is closed", "agent", lambda: closed("agent"), bad_trailers),
    ):
        s = start().receive(message, times=honest).expect().receive(kit.ping(1)).expect([sent("PONG", token="1")])
        add(f"{role}/{name}-{honest}", comment + ", as many as an honest peer may send at once", s, ["SES-094"])
        add(f"{role}/{name}-{flood}", comment + ", without end", start().receive(message, times=flood), ["SES-090", "SES-013"], "EXCESSIVE_LOAD",
            flags=["Should"])


def lost_paths(add):
    half_a_minute = 30_000
    for role in ("agent", "visitor"):
        s = Sequence(role).call("path_lost").wait(half_a_minute - 1).expect().wait(1)
        add(f"{role}/path-lost", "30 s without a path", s, ["SES-063"], "IDLE_TIMEOUT")
        s = Sequence(role).call("path_lost").wait(half_a_minute - 1).call("path_found").wait(1).expect().receive(kit.ping(4))
        s.expect([sent("PONG", token="4")]).wait(14_999).expect()
        add(f"{role}/path-found", "a path that is found again in time", s, ["SES-063"])
        s = Sequence(role).call("path_lost").wait(half_a_minute - 1).receive(kit.pong(1)).wait(half_a_minute - 1).expect()
        s.receive(kit.ping(4)).expect([sent("PONG", token="4")])
        add(f"{role}/path-lost-and-a-message", "a message from the peer starts it anew", s, ["SES-063"])
    s = asked(Sequence("visitor")).receive(kit.response(1), told("response", 1, status=200)).call("path_lost").wait(29_000).expect()
    s.call("path_found").receive(kit.data_end(1), got(1, b"hello"), told("end", 1))
    add("visitor/path-lost-within-a-body", "streams are as they were", s, ["SES-063"])


def heads(add):
    def visitor(method="GET", end=True):
        return asked(Sequence("visitor"), 1, method, end)

    def broken(end=False, own_open=False):
        sends = [] if end else [sent("STOP", 1, "BAD_MESSAGE")]
        return dict(sends=([sent("RESET", 1, "BAD_MESSAGE")] if own_open else []) + sends, events=[told("cut", 1, code="BAD_MESSAGE")],
                    may_send=[sent("STOP", 1, "BAD_MESSAGE")] if end else [])

    s = visitor()
    for status in (100, 103, 102, 199):
        s.receive(kit.response(1, status), told("response", 1, status=status))
    s.receive(kit.response(1)).receive(kit.data(1)).receive(kit.data(1)).receive(kit.trailers(1))
    s.expect(events=[told("response", 1, status=200), got(1, b"hellohello"), told("end", 1, trailers=[["x-sum", b"1".hex()]])])
    add("visitor/interim-4", "four interim responses, then the final one, a body and trailers", s, ["SES-021", "HTP-004"])
    s = visitor()
    for _ in range(5):
        s.receive(kit.response(1, 103))
    s.expect(**broken())
    add("visitor/interim-5", "a fifth one may be too many", s, ["SES-021"], "BAD_MESSAGE", "stream", ["ManyInterim"], "acceptable")
    for count in (5, 100):
        s = visitor().receive(kit.response(1, 103), times=count).receive(kit.response(1, 204, end=True))
        s.expect(events=[told("response", 1, status=103)] * count + [told("response", 1, status=204), told("end", 1)])
        add(f"visitor/interim-{count}-and-final", "so many may be handed on as well", s, ["SES-021"], flags=["ManyInterim"], result="acceptable")
    for status in (0, 1, 99, 101, 600, 999, 1000, 65_736):
        s = visitor().receive(kit.response(1, status)).expect(**broken())
        add(f"visitor/status-{status}", "" if status != 65_736 else "200 in its lower 16 bits", s, ["SES-021"], "BAD_MESSAGE", "stream")
    for status in (200, 204, 299, 304, 399, 404, 418, 500, 599):
        s = visitor().receive(kit.response(1, status, end=True), told("response", 1, status=status), told("end", 1))
        add(f"visitor/status-{status}", "", s, ["SES-021"])
    s = visitor().receive(kit.response(1, 103, end=True)).expect(**broken(True))
    add("visitor/interim-with-end", "", s, ["SES-021"], "BAD_MESSAGE", "stream")
    s = visitor("POST", False).receive(kit.response(1, 204, end=True), told("response", 1, status=204), told("end", 1))
    s.call("write", stream=1, hex="6869").expect([body(1, b"hi")]).call("finish", stream=1).expect([body(1, b"", True)])
    add("visitor/response-before-the-body-ends", "a complete response does not end the request", s, ["SES-026"])
    s = visitor("POST", False).receive(kit.response(1, 413, end=True)).receive(kit.stop(1, "NO_ERROR"))
    s.expect([sent("RESET", 1, "NO_ERROR")], [told("response", 1, status=413), told("end", 1), told("stopped", 1, code="NO_ERROR")])
    add("visitor/response-and-stop", "the agent wants no more of the request", s, ["SES-026", "SES-024"])
    s = visitor().receive(kit.response(1)).receive(kit.data(1)).receive(kit.reset(1, "UPSTREAM_FAILED"))
    s.expect(events=[told("response", 1, status=200), got(1, b"hello"), told("cut", 1, code="UPSTREAM_FAILED")])
    add("visitor/cut-off", "an error behind the bytes that came", s, ["SES-023", "HTP-050"])
    s = Sequence("agent").receive(kit.request(1, end=False), *opened(1, end=False)).receive(kit.data_end(1, b""), told("end", 1))
    add("agent/empty-data-end", "no content: the same as `end` in the head", s, ["HTP-002", "SES-022"])
    s = Sequence("agent").receive(kit.request(1, end=False), *opened(1, end=False))
    s.receive(kit.frame("TRAILERS", 1, b"", "TRAILERS without fields on stream 1"), told("end", 1))
    add("agent/empty-trailers", "they end the body all the same", s, ["SES-020"])
    s = Sequence("agent").receive(kit.request(1), *opened(1)).call("reset", stream=1, code="UPSTREAM_FAILED")
    s.expect([sent("RESET", 1, "UPSTREAM_FAILED")])
    add("agent/gives-up-before-the-head", "RESET in the place of a response", s, ["SES-023"])


def sequences():
    cases = Cases()
    for walk, table in state_vectors.WALKS + websocket_states.WALKS:
        (cases.agent if walk.role == "agent" else cases.visitor).extend(walk.cases(table))
    for part in (greetings, lanes, ids, crossing, going_away, grease, floods, lost_paths, heads, websocket_sequences.websockets):
        part(cases.add)
    return {
        "vectors": "state-sequences",
        "flags": {
            "ClosesItself": "an end that answers WS_CLOSE by itself has sent its own before the call (may_send), and turns the call down",
            "ManyInterim": "a receiver may refuse more than 4 interim responses (SES-021)",
            "Should": "follows a SHOULD; an end that differs knows why (SES-090)",
            state_vectors.OWN_HALF_OPEN: "an end that has given up its own half before (it has sent the RESET or WS_CLOSE that an earlier "
                                         "step names in may_send) has a closed stream: it ignores the last message (SES-013)",
        },
        "groups": [
            {"type": "session-agent", "comment": "what an agent does; README.md, Sequences of a session.", "cases": cases.agent},
            {"type": "session-visitor", "comment": "what a visitor does; README.md, Sequences of a session.", "cases": cases.visitor},
        ],
    }
