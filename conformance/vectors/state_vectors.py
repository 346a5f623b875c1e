"""state-sequences.json, the part that comes from spec/states/*.csv: every state and event of the session's tables."""
import session_kit as kit
from names_vectors import case
from session_kit import Sequence, body, got, sent, told
from state_tables import CANNOT, Table

HELLO_WORLD = b"hello"
BAD_FIELDS = (("Upper", "1"),)
LENGTH = (("content-length", "5"),)
OWN_HALF_OPEN = "OwnHalfOpen"
MIB = 1 << 20


class Walk:
    """One case: the way to a state, the event in question, and perhaps one more."""

    role = "agent"
    settings = None
    peer = ()
    #: The event with which the next state shows itself, if any.
    probe = None
    #: Steps that are no way to a state, because another one is plainer.
    avoid = ()
    #: States in which the peer's half is over; the own half may then be given up by whoever likes.
    over = ()

    def __init__(self, table, final):
        self.table, self.final = table, final
        self.state = table.start
        #: Whether this end's half of the stream is over.
        self.own_over = False
        self.gave_up_possible = False
        self.sequence = Sequence(self.role, self.settings, peer=self.peer, connected=self.connects())
        self.start()

    def connects(self):
        return True

    def start(self):
        """What makes the first state."""

    def step(self, event):
        row = self.table.at[self.state, event]
        self.row = row
        getattr(self, "on_" + "".join(c if c.isalnum() else "_" for c in event).lower())()
        self.state = row.next
        return row

    def happens(self, *names):
        """Whether the row is about one of these states."""
        return self.state in names

    def broken(self, message, half_over, lane=0):
        """A stream error: RESET for the own half and STOP for the other one, unless they are over (ERR-002)."""
        sends, may = [], []
        if not self.own_over:
            sends.append(sent("RESET", 1, "BAD_MESSAGE"))
        (may if half_over else sends).append(sent("STOP", 1, "BAD_MESSAGE"))
        self.sequence.receive(message, lane=lane).expect(sends, [told("cut", 1, code="BAD_MESSAGE")], may)
        self.own_over = True

    def take(self, message, *events, bad=None, lane=0):
        """A frame as the row says: an error of the session, ignored or discarded, a broken one, or these events.

        `bad`: the frame breaks a rule where it is judged; "goes on" or "ends" the half.
        """
        scope = self.row.scope
        if scope == "session":
            self.sequence.receive(message, lane=lane)
        elif self.row.action in ("ignore", "discard", "nobody is told", "skip"):
            self.sequence.receive(message, lane=lane).expect()
        elif scope == "stream" and bad:
            self.broken(message, bad == "ends", lane)
        else:
            self.sequence.receive(message, lane=lane).expect(events=events)

    def cut(self, code="CANCELLED"):
        """RESET of the peer; a visitor may give up its own half when it hears of it."""
        if self.row.action in ("ignore", "nobody is told", "skip"):
            self.sequence.receive(kit.reset(1, code)).expect()
            return
        may = [] if self.own_over else [sent("RESET", 1), sent("STOP", 1)]
        self.gave_up_possible = self.gave_up_possible or bool(may)
        self.sequence.receive(kit.reset(1, code)).expect(events=[told("cut", 1, code=code)], may_send=may)

    @classmethod
    def cases(cls, name):
        table = Table(name)
        ways = table.ways(cls.avoid)
        for row in table.rows:
            if row.action == CANNOT:
                continue
            walk = cls(table, row)
            for event in ways[row.state]:
                walk.step(event)
            first = len(walk.sequence.steps)
            walk.step(row.event)
            yield walk.case(row, first)

    def case(self, row, first):
        last, comment = row, row.action
        if self.probe and row.scope != "session" and self.shows():
            probe = self.table.at[self.state, self.probe]
            if probe.action != CANNOT:
                last = self.step(self.probe)
                comment += f"; then {self.probe}: {probe.action}"
        # Who is refused has broken no rule.
        error = next((one for one in (last, row) if one.error not in ("", "REFUSED")), None)
        flags = [OWN_HALF_OPEN] if last.scope == "session" and self.gave_up_possible else []
        rest = {"step": first} | ({"error": error.error, "scope": error.scope} if error else {})
        name = f"{self.table.name}/{row.state}/{row.event}".replace(" ", "-")
        req = list(dict.fromkeys(row.req + (last.req if last is not row else [])))
        return case(self.prefix() + name, comment, self.sequence.input(rest.get("scope")),
                    "invalid" if error else "valid", req, flags, **rest)

    def prefix(self):
        return ""

    def shows(self):
        """Behind the end of both halves the stream is closed, and the table holds no more (SES-013)."""
        return not (self.own_over and self.state in self.over)


class RequestHalf(Walk):
    probe, over = "DATA", ("ended", "cut off")

    def start(self):
        exact = self.final.event in ("bad DATA", "bad DATA_END")
        self.sequence.receive(kit.request(1, "POST", fields=LENGTH if exact else (), end=False),
                              told("request", 1, method="POST", target="/"))

    def on_data(self):
        self.take(kit.data(1), got(1, HELLO_WORLD))

    def on_data_end(self):
        self.take(kit.data_end(1), got(1, HELLO_WORLD), told("end", 1))

    def on_trailers(self):
        self.take(kit.trailers(1), told("end", 1, trailers=[["x-sum", b"1".hex()]]))

    def on_bad_data(self):
        self.take(kit.data(1, b"too long", "DATA of 8 bytes on stream 1, beyond content-length"), bad="goes on")

    def on_bad_data_end(self):
        self.take(kit.data_end(1, b"hell", "DATA_END on stream 1, one byte short of content-length"), bad="ends")

    def on_bad_trailers(self):
        self.take(kit.trailers(1, BAD_FIELDS, "TRAILERS on stream 1 with a name in upper case"), bad="ends")

    def on_reset(self):
        self.cut()

    def on_request(self):
        self.take(kit.request(1, "POST", end=False))

    def on_response(self):
        self.take(kit.response(1))

    def on_websocket_frame(self):
        self.take(kit.ws("WS_TEXT", 1, b"hi"))

    def on_want_no_more(self):
        sends = [sent("STOP", 1, "NO_ERROR")] if self.state == "body" else []
        self.sequence.call("stop", stream=1, code="NO_ERROR").expect(sends)


class ResponseHalf(RequestHalf):
    role, probe = "visitor", "DATA"

    def start(self):
        self.sequence.call("open", stream=1, method="POST", target="/", end=False).expect([sent("REQUEST", 1, method="POST", end=False)])

    def fields(self):
        return LENGTH if self.final.event in ("bad DATA", "bad DATA_END") else ()

    def on_response_1xx(self):
        self.take(kit.response(1, 103), told("response", 1, status=103))

    def on_response(self):
        self.take(kit.response(1, fields=self.fields()), told("response", 1, status=200))

    def on_response_end(self):
        self.take(kit.response(1, 204, end=True), told("response", 1, status=204), told("end", 1))

    def on_bad_response(self):
        self.take(kit.response(1, fields=BAD_FIELDS, note="RESPONSE on stream 1 with a name in upper case"), bad="goes on")

    def on_bad_response_end(self):
        self.take(kit.response(1, fields=BAD_FIELDS, end=True, note="RESPONSE with end on stream 1, with a name in upper case"), bad="ends")

    def on_want_no_more(self):
        sends = [] if self.own_over else [sent("RESET", 1, "CANCELLED")]
        if self.state in ("head", "body", "connecting", "open", "in a text", "in a binary", "refused"):
            sends.append(sent("STOP", 1, "CANCELLED"))
        self.own_over = True
        self.sequence.call("cancel", stream=1).expect(sends)


class RequestSender(Walk):
    role, probe = "visitor", "bytes"
    avoid = {("body", "STOP")}
    #: STOP for the other half when the application gives up.
    stops = True

    def start(self):
        self.kept = False
        self.given_up = False
        self.sequence.call("open", stream=1, method="POST", target="/", end=False).expect([sent("REQUEST", 1, method="POST", end=False)])

    def keep(self, count=70_000):
        """More than the credit of 65,536 bytes."""
        self.sequence.call("write", stream=1, bytes=count).expect([body(1, 65_536)])
        self.kept = count - 65_536

    def turned_down(self, name, **values):
        self.sequence.call(name, stream=1, **values).expect(refused=True)

    def on_bytes(self):
        if self.row.action == "turn down":
            self.turned_down("write", hex=HELLO_WORLD.hex())
        else:
            self.sequence.call("write", stream=1, hex=HELLO_WORLD.hex()).expect([] if self.kept else [body(1, HELLO_WORLD)])

    def on_the_end(self):
        if self.row.action == "turn down":
            self.turned_down("finish")
        else:
            self.sequence.call("finish", stream=1).expect([body(1, b"", True)])

    def on_the_end_behind_kept_bytes(self):
        if self.row.action == "turn down":
            return self.turned_down("finish")
        self.keep()
        self.sequence.call("finish", stream=1).expect()

    def on_trailers(self):
        trailers = [["x-sum", b"1".hex()]]
        if self.row.action == "turn down":
            self.turned_down("finish", trailers=trailers)
        else:
            self.sequence.call("finish", stream=1, trailers=trailers).expect([sent("TRAILERS", 1)])

    def on_give_up(self):
        sends = [sent("RESET", 1, "CANCELLED")] if self.row.next != self.state else []
        if not self.given_up:
            sends.append(sent("STOP", 1, "CANCELLED"))
        self.given_up = True
        self.sequence.call("cancel", stream=1).expect(sends)

    def on_stop(self):
        self.sequence.receive(kit.stop(1, "INTERNAL"))
        if self.row.action == "ignore":
            self.sequence.expect()
        else:
            self.sequence.expect([sent("RESET", 1, "INTERNAL")], [told("stopped", 1, code="INTERNAL")])

    def on_credit(self):
        if self.state == "body":
            self.keep()
        self.sequence.receive(kit.credit(1, MIB))
        self.sequence.expect([body(1, self.kept, self.state == "ending")] if self.kept else [])
        self.kept = False


class ResponseSender(RequestSender):
    role = "agent"

    def start(self):
        self.kept = False
        self.given_up = True
        self.sequence.receive(kit.request(1), told("request", 1, method="GET", target="/"), told("end", 1))

    def head(self, status, end=False):
        if self.row.action == "turn down":
            self.turned_down("respond", status=status, end=end)
        else:
            self.sequence.call("respond", stream=1, status=status, end=end).expect([sent("RESPONSE", 1, status=status, end=end)])

    def on_1xx(self):
        self.head(103)

    def on_final(self):
        self.head(200)

    def on_final_with_end(self):
        self.head(204, True)

    def on_give_up(self):
        sends = [sent("RESET", 1, "INTERNAL")] if self.row.next != self.state else []
        self.sequence.call("reset", stream=1, code="INTERNAL").expect(sends)


class Streams(Walk):
    """Stream 3 on lane 0; what else there is, is on lane 1."""

    settings, peer, probe = {"lanes": 2}, (("lanes", 2),), "another frame"
    avoid = {("never opened", "both halves over")}

    def start(self):
        self.higher = 3
        if self.final.event == "REQUEST above max_streams":
            for stream in range(1001, 1201 - (0 if self.final.state == "never opened" else 2), 2):
                self.sequence.receive(kit.request(stream, end=True), told("request", stream, method="GET", target="/"),
                                      told("end", stream), lane=1)

    def open(self, fields=(), **rest):
        self.take(kit.request(3, "POST", fields=fields, end=False, **rest), told("request", 3, method="POST", target="/"))

    def on_request(self):
        self.open()

    def refused(self, code, message):
        self.sequence.receive(message).expect([sent("RESET", 3, code), sent("STOP", 3, code)])

    def on_bad_request(self):
        message = kit.request(3, "POST", fields=BAD_FIELDS, end=False, note="REQUEST on stream 3 with a name in upper case")
        self.take(message) if self.row.scope == "session" else self.refused("BAD_MESSAGE", message)

    def on_request_above_max_streams(self):
        message = kit.request(3, "POST", end=False, note="POST / on stream 3, beyond max_streams")
        self.take(message) if self.row.scope == "session" else self.refused("REFUSED", message)

    def on_request_above_last_stream(self):
        self.sequence.call("go_away").expect([sent("GOAWAY", code="NO_ERROR")])
        message = kit.request(3, "POST", end=False)
        self.take(message) if self.row.scope == "session" else self.refused("REFUSED", message)

    def on_another_frame(self):
        if self.row.scope == "session" or self.row.action.startswith("ignore"):
            self.sequence.receive(kit.data(3))
            if not self.row.scope:
                self.sequence.expect()
        else:
            self.sequence.receive(kit.data(3), got(3, HELLO_WORLD))

    def on_unknown_type(self):
        self.take(kit.frame(kit.GREASE, 3, b"?", "unknown type 0x21 on stream 3"))

    def on_frame_on_another_lane(self):
        self.take(kit.data(3), lane=1)

    def on_request_with_a_higher_id(self):
        self.higher += 2
        stream = self.higher
        self.sequence.receive(kit.request(stream), told("request", stream, method="GET", target="/"), told("end", stream))

    def on_both_halves_over(self):
        self.sequence.call("respond", stream=3, status=204, end=True).expect([sent("RESPONSE", 3, status=204, end=True)])
        self.sequence.receive(kit.data_end(3), got(3, HELLO_WORLD), told("end", 3))
        self.sequence.call("release", stream=3).expect()


class SessionTable(Walk):
    settings, peer = {"lanes": 2}, (("lanes", 2),)
    avoid = {("open", "meet a session error")}

    def connects(self):
        return False

    def start(self):
        self.next = 1

    def settle(self, message, lane=0, sends=(), events=(), may_tell=()):
        self.sequence.receive(message, lane=lane)
        if self.row.scope != "session":
            ignored = self.state == "closed"
            self.sequence.expect([] if ignored else sends, [] if ignored else events, (), () if ignored else may_tell)

    def on_hello(self):
        self.settle(kit.hello(self.peer), events=[told("connected")])

    def on_hello_without_a_version_in_common(self):
        self.settle(kit.hello(versions=(127, 2)))

    def on_hello_with_a_setting_out_of_range(self):
        self.settle(kit.hello((("lanes", 17),)))

    def on_ping(self):
        self.settle(kit.ping(), sends=[sent("PONG", token="7")])

    def on_pong(self):
        self.settle(kit.pong())

    def on_goaway_0(self):
        news = [told("goaway", last_stream="0")]
        if self.row.action == "the lower last_stream counts":
            # The number is as low as before: nothing new to tell.
            self.settle(kit.go_away(), may_tell=news)
        else:
            self.settle(kit.go_away(), events=news)

    def on_goaway_with_a_code(self):
        self.settle(kit.go_away("INTERNAL"), events=[told("closed", code="INTERNAL")])

    def on_credit_of_the_session(self):
        self.settle(kit.credit(0, MIB))

    def on_unknown_type(self):
        self.settle(kit.frame(kit.GREASE, 0, b"?", "unknown type 0x21"))

    def on_unknown_type_on_another_lane(self):
        self.settle(kit.frame(kit.GREASE, 0, b"?", "unknown type 0x21 on lane 1"), lane=1)

    def on_frame_on_a_lane_not_in_use(self):
        self.settle(kit.frame(kit.GREASE, 0, b"?", "unknown type 0x21 on lane 2, where both ends have 2 lanes"), lane=2)

    def on_frame_of_the_session_on_another_lane(self):
        self.settle(kit.ping(), lane=1)

    def on_frame_too_long(self):
        self.settle(kit.frame(kit.GREASE, 0, b"", "unknown type 0x21, 16,385 bytes in all", ("00", 16_383)))

    def on_message_without_bytes(self):
        self.settle(kit.Message(b"", "a message without bytes"))

    def on_meet_a_session_error(self):
        self.sequence.call("end", code="INTERNAL")
        if self.state == "closed":
            self.sequence.expect()
        else:
            self.sequence.expect([sent("GOAWAY", code="INTERNAL")], [told("closed", code="INTERNAL")])


class SessionAgent(SessionTable):
    role = "agent"

    def start(self):
        super().start()
        if self.final.state == "opening" and "above last_stream" in self.final.event:
            # Only who has begun to drain has a last_stream.
            self.sequence.call("go_away").expect([sent("GOAWAY", code="NO_ERROR", last_stream="0")])

    def opened(self, lane):
        stream, self.next = self.next, self.next + 2
        if self.row.error == "REFUSED":
            self.settle(kit.request(stream), lane, [sent("RESET", stream, "REFUSED"), sent("STOP", stream, "REFUSED")])
        else:
            self.settle(kit.request(stream), lane, events=[told("request", stream, method="GET", target="/"), told("end", stream)])

    def on_request_up_to_last_stream(self):
        self.opened(0)

    def on_request_above_last_stream(self):
        self.opened(0)

    def on_request_up_to_last_stream_on_another_lane(self):
        self.opened(1)

    def on_request_above_last_stream_on_another_lane(self):
        self.opened(1)

    def on_response(self):
        self.settle(kit.response(1))

    def on_finish(self):
        last = 0
        if self.state == "open" and self.final.state == "draining" and "up to last_stream" in self.final.event:
            # A higher stream, on the lane that the request in question does not come on.
            last, lane = 101, 0 if "another lane" in self.final.event else 1
            self.sequence.receive(kit.request(last), told("request", last, method="GET", target="/"), told("end", last), lane=lane)
        sends = [sent("GOAWAY", code="NO_ERROR", last_stream=str(last))] if self.row.action.startswith("GOAWAY") else []
        self.sequence.call("go_away").expect(sends)


class SessionVisitor(SessionTable):
    role = "visitor"

    def on_request(self):
        self.settle(kit.request(1))

    def on_open_a_stream(self):
        self.sequence.call("open", stream=1, method="GET", target="/", end=True)
        if self.row.action == "turn down":
            self.sequence.expect(refused=True)
        else:
            self.sequence.expect([sent("REQUEST", 1, method="GET", end=True)])


class Liveness(Walk):
    SILENCE = 15_000

    def prefix(self):
        return self.role + "/"

    def on_any_message(self):
        self.take(kit.pong(99))
        if self.state != "closed":
            self.sequence.expect(pings=self.pings())

    def pings(self):
        return sum(step.get("wait_ms", 0) for step in self.sequence.steps) // self.SILENCE

    def on_15_s_without_a_message(self):
        self.sequence.wait(self.SILENCE)
        if self.row.scope == "session":
            self.sequence.expect([sent("GOAWAY", code=self.row.error)], [told("closed", code=self.row.error)])
        else:
            self.sequence.expect(pings=min(self.pings(), 3) if self.state == "closed" else self.pings())


class LivenessVisitor(Liveness):
    role = "visitor"


class Path(Walk):
    """The path of the transport comes and goes."""

    probe = "30 s without a path"

    def prefix(self):
        return self.role + "/"

    def on_path_lost(self):
        self.sequence.call("path_lost").expect()

    def on_path_found(self):
        self.sequence.call("path_found").expect()

    def on_any_message(self):
        if self.state == "without a path":
            # The first 30 s end within the second wait.
            self.sequence.wait(29_999)
            self.take(kit.pong(99))
            self.sequence.wait(29_999).expect()
        else:
            self.take(kit.pong(99))

    def on_30_s_without_a_path(self):
        self.sequence.wait(30_000)
        if self.row.scope == "session":
            self.sequence.expect([sent("GOAWAY", code=self.row.error)], [told("closed", code=self.row.error)])
        else:
            self.sequence.expect()


class PathVisitor(Path):
    role = "visitor"


WALKS = [
    (RequestHalf, "request-half"), (ResponseHalf, "response-half"), (RequestSender, "request-sender"),
    (ResponseSender, "response-sender"), (Streams, "streams"), (SessionAgent, "session-agent"),
    (SessionVisitor, "session-visitor"), (Liveness, "liveness"), (LivenessVisitor, "liveness"),
    (Path, "path"), (PathVisitor, "path"),
]
