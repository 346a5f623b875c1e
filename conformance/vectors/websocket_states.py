"""The walks through the tables of a WebSocket; state_vectors.py has the others."""
import session_kit as kit
from session_kit import got, sent, told
from state_vectors import HELLO_WORLD, MIB, RequestHalf, RequestSender, ResponseHalf, Walk


class WebSocketRequestHalf(RequestHalf):
    """The agent receives."""

    probe, over = "WS_TEXT", ("closed", "cut off")
    TEXT = "\u00e9t\u00e9".encode()
    #: Bytes of parts that came so far, until the message is whole.
    parts = b""

    def start(self):
        self.sequence.receive(kit.connect(1), told("request", 1, method="CONNECT", target="/socket", protocol="websocket"))

    def whole(self, frame, kind, content):
        message, self.parts = self.parts + content, b""
        self.take(kit.ws(frame, 1, content), told("message", 1, kind=kind, hex=message.hex()))

    def part(self, frame, content):
        self.take(kit.ws(frame, 1, content))
        if self.row.scope != "session":
            self.sequence.expect()
            self.parts += content if self.state in ("open", "in a text", "in a binary") else b""

    # A part may end within a character (WSK-012).
    def on_ws_text(self):
        self.whole("WS_TEXT", "text", self.TEXT[1:] if self.state == "in a text" else self.TEXT)

    def on_ws_text_part(self):
        self.part("WS_TEXT_PART", self.TEXT[1:] + self.TEXT[:1] if self.state == "in a text" else self.TEXT[:1])

    def on_ws_binary(self):
        self.whole("WS_BINARY", "binary", b"\xff\0")

    def on_ws_binary_part(self):
        self.part("WS_BINARY_PART", b"\xff")

    def on_bad_ws_text(self):
        self.take(kit.ws("WS_TEXT", 1, b"\xff", "WS_TEXT on stream 1 that is not UTF-8"), bad="goes on")

    def on_ws_close(self):
        message = kit.ws_close(1, 1000, "done")
        if self.row.action in ("discard", "ignore") or self.row.scope == "session":
            return self.take(message)
        self.gave_up_possible = True
        self.sequence.receive(message).expect(events=[told("close", 1, code=1000, reason="done")], may_send=[sent("WS_CLOSE", 1)])

    def on_bad_ws_close(self):
        self.take(kit.ws_close(1, 1005), bad="ends")

    def on_data(self):
        self.take(kit.data(1))

    def on_data_end(self):
        self.take(kit.data_end(1))

    def on_trailers(self):
        self.take(kit.trailers(1))

    def on_want_no_more(self):
        sends = [sent("STOP", 1, "NO_ERROR")] if self.row.next != self.state else []
        self.sequence.call("stop", stream=1, code="NO_ERROR").expect(sends)

    def answer(self, status):
        self.sequence.call("respond", stream=1, status=status, end=False)
        if self.row.action == "turn down":
            self.sequence.expect(refused=True)
        else:
            self.sequence.expect([sent("RESPONSE", 1, status=status, end=False)])

    def on_accept(self):
        self.answer(200)

    def on_refuse(self):
        self.answer(404)


class WebSocketResponseHalf(WebSocketRequestHalf):
    """The visitor receives."""

    role, over = "visitor", ("closed", "cut off")

    def start(self):
        self.sequence.call("open", stream=1, method="CONNECT", target="/socket", end=False, protocol="websocket").expect(
            [sent("REQUEST", 1, method="CONNECT", protocol="websocket", end=False)])

    on_want_no_more = ResponseHalf.on_want_no_more

    def head(self, status, end=False, bad=None):
        events = [told("response", 1, status=status)] + ([told("end", 1)] if end else [])
        self.take(kit.response(1, status, end=end), *events, bad=bad)

    def on_response_1xx(self):
        self.take(kit.response(1, 103), told("response", 1, status=103))

    def on_response_200(self):
        self.head(200)

    def on_response_200_end(self):
        self.head(200, True, "ends")

    def on_response_201_to_299(self):
        self.head(201, bad="goes on")

    def refused(self, end):
        if self.state == "connecting":
            self.own_over = True
        self.head(403, end)

    def on_response_from_300(self):
        self.refused(False)

    def on_response_from_300_end(self):
        self.refused(True)

    def on_data(self):
        self.take(kit.data(1), got(1, HELLO_WORLD))

    def on_data_end(self):
        self.take(kit.data_end(1), got(1, HELLO_WORLD), told("end", 1))

    def on_trailers(self):
        self.take(kit.trailers(1), told("end", 1, trailers=[["x-sum", b"1".hex()]]))

    def on_reset(self):
        self.cut()


class WebSocketSender(Walk):
    """The visitor sends; what comes out is the same at the agent."""

    role, probe = "visitor", "message"
    avoid = {("connecting", "STOP"), ("open", "STOP")}

    def start(self):
        self.given_up = False
        self.message = b""
        self.sequence.call("open", stream=1, method="CONNECT", target="/socket", end=False, protocol="websocket").expect(
            [sent("REQUEST", 1, method="CONNECT", protocol="websocket", end=False)])

    def on_response_200(self):
        events = [told("response", 1, status=200)] if self.state == "connecting" else []
        self.sequence.receive(kit.response(1)).expect(events=events)

    def send(self, content, last, kind="text"):
        self.sequence.call("message", stream=1, kind=kind, hex=content.hex(), last=last)
        if self.row.action == "turn down":
            return self.sequence.expect(refused=True)
        name = "MESSAGE" if last else "PARTS"
        return self.sequence.expect([{"type": name, "stream": "1", "kind": kind, "hex": content.hex()}])

    def on_message(self):
        self.send(b"whole", True)

    def on_part(self):
        self.send(b"part ", False)

    def on_last_part(self):
        self.send(b"last", True)

    def on_part_of_another_kind(self):
        self.send(b"other", False, "binary")

    def on_close(self):
        self.sequence.call("close", stream=1, code=1000, reason="done")
        if self.row.action == "turn down":
            self.sequence.expect(refused=True)
        else:
            self.sequence.expect([sent("WS_CLOSE", 1, 1000)])

    def on_give_up(self):
        RequestSender.on_give_up(self)

    def on_ws_close_received(self):
        self.sequence.receive(kit.ws_close(1, 1001, "leaving"))
        events = [told("close", 1, code=1001, reason="leaving")] if not self.given_up else []
        # The other half is over with it: nobody has to ask for its end any more.
        self.given_up = True
        self.sequence.expect(events=events)

    def on_stop(self):
        RequestSender.on_stop(self)

    def on_credit(self):
        self.sequence.receive(kit.credit(1, MIB)).expect()


WALKS = [
    (WebSocketRequestHalf, "websocket-request-half"), (WebSocketResponseHalf, "websocket-response-half"),
    (WebSocketSender, "websocket-sender"),
]
