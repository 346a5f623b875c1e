//! What comes in.

use std::time::Instant;

use bytes::Bytes;
use p2claw_proto::v1 as proto;

use super::control::Control;
use super::{Event, Session, reason_cut};
use crate::frame::Frame;
use crate::head::{BodyLength, NOT_IN_TRAILERS};
use crate::limits::{COST_FRAME, COST_STREAM, FRAME_DEFAULT, REASON_MAX, REFUSALS_MAX};
use crate::stream::{Answer, EndOfBody, Received, Receiver, RecvFault, Sender, StopAnswer, Stream};
use crate::{
    ErrorCode, Fields, LaneId, PeerSettings, Request, Response, Role, SessionError, StreamId,
};

/// Where a frame's stream stands.
pub(super) enum Place {
    Live,
    /// Was open, and is not any more: the frame is ignored (SES-013).
    Closed,
}

impl Session {
    /// Takes one message of a lane. An error means that the session is over; a fatal GOAWAY is
    /// queued, and [`Event::Closed`] follows. After the end, messages are ignored.
    pub fn handle_message(
        &mut self,
        now: Instant,
        lane: LaneId,
        message: Bytes,
    ) -> Result<(), SessionError> {
        if self.closed.is_some() {
            return Ok(());
        }
        self.liveness.heard(now);
        self.budget.advance(now);
        let outcome = self.take(lane, message);
        if let Err(error) = &outcome {
            self.fail(error.clone());
        }
        outcome
    }

    fn take(&mut self, lane: LaneId, message: Bytes) -> Result<(), SessionError> {
        let longest = self.longest_frame(lane);
        if message.len() > longest {
            // SES-003
            return Err(SessionError::own(
                ErrorCode::FRAME_SIZE,
                format!(
                    "a frame of {} bytes, where {longest} are allowed",
                    message.len()
                ),
            ));
        }
        // SES-014, SES-015: the own number of lanes is the bound until the peer's HELLO, which
        // other lanes' messages may overtake.
        let lanes = self
            .peer
            .as_ref()
            .map_or(self.config.lanes, |_| self.lanes());
        if lane.get() >= lanes {
            return Err(protocol(format!("lane {lane} is not in use")));
        }
        let frame = Frame::decode(message).map_err(|error| protocol(error.to_string()))?;
        // SES-005
        let is_hello = matches!(frame, Frame::Hello(_));
        if lane == LaneId::ZERO && self.peer.is_none() != is_hello {
            return Err(protocol(match is_hello {
                true => "a second HELLO",
                false => "the first frame is no HELLO",
            }));
        }
        self.dispatch(lane, frame)
    }

    /// Bytes of the longest frame that may come in. On lanes above 0 it may overtake the peer's
    /// HELLO, so the own limit counts until that has come (SES-015).
    fn longest_frame(&self, lane: LaneId) -> usize {
        match self.peer {
            None if lane == LaneId::ZERO => FRAME_DEFAULT,
            None => self.config.max_frame,
            Some(_) => self.max_frame(),
        }
    }

    fn dispatch(&mut self, lane: LaneId, frame: Frame) -> Result<(), SessionError> {
        match frame {
            Frame::Hello(_)
            | Frame::Ping { .. }
            | Frame::Pong { .. }
            | Frame::GoAway { .. }
            | Frame::Credit { stream: None, .. }
                if lane != LaneId::ZERO =>
            {
                // SES-009
                Err(protocol(
                    "a frame of the session came on another lane than 0",
                ))
            }
            Frame::Hello(hello) => self.on_hello(hello),
            Frame::Request { stream, head } => self.on_request(lane, stream, head),
            Frame::Response { stream, head } => self.on_response(lane, stream, head),
            Frame::Data { stream, data } => self.on_data(lane, stream, data, None),
            Frame::DataEnd { stream, data } => self.on_data(lane, stream, data, Some(None)),
            Frame::Message {
                stream,
                kind,
                last,
                data,
            } => self.on_message(lane, stream, kind, data, last),
            Frame::Close { stream, close } => self.on_close(lane, stream, close),
            Frame::Trailers { stream, trailers } => self.on_trailers(lane, stream, trailers),
            Frame::Reset {
                stream,
                code,
                reason,
            } => self.on_reset(lane, stream, code, reason),
            Frame::Stop { stream, code } => self.on_stop(lane, stream, code),
            Frame::Credit {
                stream: Some(stream),
                max_bytes,
            } => self.on_credit(lane, stream, max_bytes),
            Frame::Credit {
                stream: None,
                max_bytes,
            } => {
                self.spend(COST_FRAME, "CREDIT")?;
                self.on_session_credit(max_bytes);
                Ok(())
            }
            Frame::Ping { token } => {
                self.spend(COST_FRAME, "PING")?;
                // SES-061
                match self.control.pong(token) {
                    true => Ok(()),
                    false => Err(excessive("PINGs faster than lane 0 takes PONGs")),
                }
            }
            // Any message at all shows that the peer lives.
            Frame::Pong { token } => {
                self.liveness.answered(token);
                self.spend(COST_FRAME, "PONG")
            }
            Frame::GoAway {
                code,
                last_stream,
                reason,
            } => self.on_go_away(code, last_stream, reason),
            // SES-004
            Frame::Unknown { .. } => self.spend(COST_FRAME, "unknown frames"),
        }
    }

    fn on_hello(&mut self, hello: proto::SessionHello) -> Result<(), SessionError> {
        let settings = PeerSettings::from_hello(hello)?;
        // SES-043: the initial credit is absolute, so it raises what every stream has.
        let ids: Vec<StreamId> = self.streams.keys().copied().collect();
        for id in ids {
            if let Some(stream) = self.streams.get_mut(&id) {
                stream.send.on_credit(settings.initial_stream_credit);
            }
            self.schedule(id);
        }
        self.on_session_credit(settings.initial_session_credit);
        self.peer = Some(settings.clone());
        self.events.push_back(Event::Connected(settings));
        Ok(())
    }

    fn on_request(
        &mut self,
        lane: LaneId,
        id: StreamId,
        head: proto::Request,
    ) -> Result<(), SessionError> {
        // SES-010
        if self.role == Role::Visitor || !id.is_visitors() {
            return Err(protocol(format!(
                "REQUEST on stream {id}, which only the agent may open"
            )));
        }
        if id.get() <= self.lanes[lane.index()].opened || self.streams.contains_key(&id) {
            return Err(protocol(format!(
                "stream {id} was opened before, or a later one was"
            )));
        }
        self.lanes[lane.index()].opened = id.get();
        // SES-070
        if self.going_away.is_some_and(|last| id.get() > last) {
            return self.refuse(
                lane,
                id,
                ErrorCode::REFUSED,
                "the session is going away".to_owned(),
            );
        }
        // SES-051
        if self.streams.len() as u64 >= self.config.max_streams {
            return self.refuse(lane, id, ErrorCode::REFUSED, "too many streams".to_owned());
        }
        let request = match Request::from_wire(head) {
            Ok(request) => request,
            // SES-036
            Err(error) => {
                return self.refuse(lane, id, ErrorCode::BAD_MESSAGE, error.to_string());
            }
        };
        self.highest = self.highest.max(id.get());
        let window = self.config.stream_credit;
        let stream = Stream::new(
            lane,
            Sender::response(self.initial_stream_credit()),
            match request.protocol {
                Some(_) => Receiver::connect(window),
                None => Receiver::request(window, request.end, request.body_length()),
            },
            &request,
        );
        self.streams.insert(id, stream);
        self.events.push_back(Event::Request { id, request });
        Ok(())
    }

    fn on_response(
        &mut self,
        lane: LaneId,
        id: StreamId,
        head: proto::Response,
    ) -> Result<(), SessionError> {
        if self.role == Role::Agent {
            return Err(protocol("RESPONSE from the visitor"));
        }
        let Place::Live = self.place(lane, id)? else {
            return self.spend(COST_FRAME, "frames of closed streams");
        };
        // A head out of place is wrong whatever it says (SES-020).
        if !self
            .streams
            .get(&id)
            .is_some_and(|stream| stream.recv.awaits_head())
        {
            return Err(session_fault(RecvFault::Unexpected, id));
        }
        let end = head.end;
        let response = match Response::from_wire(head) {
            Ok(response) => response,
            Err(error) => {
                return self.bad_message(id, error.to_string(), end);
            }
        };
        let Some(stream) = self.streams.get_mut(&id) else {
            return Ok(());
        };
        let accepts = match &stream.subprotocols {
            Some(asked) => response.accepts(asked),
            None => Ok(false),
        };
        let answer = match accepts {
            Ok(accepts) => response.answer(accepts),
            // WSK-006
            Err(error) => return self.bad_message(id, error.to_string(), end),
        };
        let length = response.body_length(stream.to_head);
        if end && matches!(length, BodyLength::Exactly(1..)) {
            let error = crate::head::MessageError::MissingBody;
            return self.bad_message(id, error.to_string(), end);
        }
        let outcome = stream.recv.on_response(answer, length);
        if outcome.is_ok() && answer != Answer::Informational {
            stream.send.answered(answer == Answer::Accept);
        }
        match outcome {
            Ok(true) => self.events.push_back(Event::Response { id, response }),
            Ok(false) => {
                self.forget_if_over(id);
                return self.spend(COST_FRAME, "heads that nobody waits for");
            }
            Err(RecvFault::Length) => {
                return self.bad_message(id, "too many 1xx responses".to_owned(), end);
            }
            Err(fault) => return Err(session_fault(fault, id)),
        }
        Ok(())
    }

    /// DATA, or the last of it: with trailers or without.
    fn on_data(
        &mut self,
        lane: LaneId,
        id: StreamId,
        data: Bytes,
        end: Option<Option<Fields>>,
    ) -> Result<(), SessionError> {
        let count = data.len();
        let place = self.place(lane, id)?;
        self.charge(id, count)?;
        let Place::Live = place else {
            // SES-013, SES-044
            self.session_consume(count);
            return self.spend(COST_FRAME, "frames of closed streams");
        };
        if count > 0 {
            let Some(stream) = self.streams.get_mut(&id) else {
                return Ok(());
            };
            match stream.recv.on_data(data) {
                Ok(Received::Kept) => {}
                Ok(Received::Discarded) => self.session_consume(count),
                Err(RecvFault::Length) => {
                    self.session_consume(count);
                    let reason = "the body is longer than content-length, or than HTTP allows";
                    return self.bad_message(id, reason.to_owned(), end.is_some());
                }
                Err(fault) => return Err(session_fault(fault, id)),
            }
        }
        match end {
            Some(trailers) => self.on_end(id, EndOfBody::End(trailers)),
            None => {
                self.notify_readable(id);
                Ok(())
            }
        }
    }

    /// Counts bytes against the session's credit, of whatever stream (SES-042).
    pub(super) fn charge(&mut self, id: StreamId, count: usize) -> Result<(), SessionError> {
        self.credit.received += count as u64;
        if self.credit.received > self.credit.granted {
            return Err(session_fault(RecvFault::Credit, id));
        }
        self.budget.bytes(count);
        Ok(())
    }

    fn on_trailers(
        &mut self,
        lane: LaneId,
        id: StreamId,
        trailers: proto::Trailers,
    ) -> Result<(), SessionError> {
        let fields = Fields::from_wire(trailers.fields).and_then(|fields| {
            NOT_IN_TRAILERS
                .iter()
                .try_for_each(|name| fields.forbid(name))?;
            Ok(fields)
        });
        match fields {
            Ok(fields) => self.on_data(lane, id, Bytes::new(), Some(Some(fields))),
            Err(error) => match self.place(lane, id)? {
                Place::Live => {
                    let stream = self.streams.get(&id);
                    match stream.is_some_and(|stream| stream.recv.awaits_body()) {
                        true => self.bad_message(id, error.to_string(), true),
                        false => Err(session_fault(RecvFault::Unexpected, id)),
                    }
                }
                Place::Closed => self.spend(COST_FRAME, "frames of closed streams"),
            },
        }
    }

    pub(super) fn on_end(&mut self, id: StreamId, end: EndOfBody) -> Result<(), SessionError> {
        let Some(stream) = self.streams.get_mut(&id) else {
            return Ok(());
        };
        match stream.recv.on_end(end) {
            Ok(true) => self.event_readable(id),
            Ok(false) => self.forget_if_over(id),
            Err(RecvFault::Length) => {
                let reason = "the body is shorter than content-length";
                return self.bad_message(id, reason.to_owned(), true);
            }
            Err(fault) => return Err(session_fault(fault, id)),
        }
        Ok(())
    }

    fn on_reset(
        &mut self,
        lane: LaneId,
        id: StreamId,
        code: ErrorCode,
        mut reason: String,
    ) -> Result<(), SessionError> {
        self.spend(COST_STREAM, "RESET")?;
        let Place::Live = self.place(lane, id)? else {
            return Ok(());
        };
        reason_cut(&mut reason, REASON_MAX);
        let Some(stream) = self.streams.get_mut(&id) else {
            return Ok(());
        };
        let end = EndOfBody::Reset(code, reason.clone());
        match stream.recv.on_end(end) {
            Ok(true) => self.events.push_back(Event::Reset { id, code, reason }),
            Ok(false) => self.forget_if_over(id),
            Err(fault) => return Err(session_fault(fault, id)),
        }
        Ok(())
    }

    fn on_stop(&mut self, lane: LaneId, id: StreamId, code: ErrorCode) -> Result<(), SessionError> {
        self.spend(COST_STREAM, "STOP")?;
        let Place::Live = self.place(lane, id)? else {
            return Ok(());
        };
        let Some(stream) = self.streams.get_mut(&id) else {
            return Ok(());
        };
        // SES-024
        if stream.send.on_stop(code) == StopAnswer::Reset {
            let reason = "stopped by the peer".to_owned();
            self.queue_control(id, Control::Reset { id, code, reason });
            self.events.push_back(Event::Stopped { id, code });
        }
        Ok(())
    }

    fn on_credit(&mut self, lane: LaneId, id: StreamId, max: u64) -> Result<(), SessionError> {
        self.spend(COST_FRAME, "CREDIT")?;
        let Place::Live = self.place(lane, id)? else {
            return Ok(());
        };
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.send.on_credit(max);
        }
        self.schedule(id);
        Ok(())
    }

    /// Absolute credit; a lower one than before is ignored (SES-041).
    fn on_session_credit(&mut self, max_bytes: u64) {
        if max_bytes > self.credit.allowed {
            self.credit.allowed = max_bytes;
            for lane in &mut self.lanes {
                lane.feed();
            }
        }
    }

    fn on_go_away(
        &mut self,
        code: ErrorCode,
        last_stream: u64,
        mut reason: String,
    ) -> Result<(), SessionError> {
        self.spend(COST_STREAM, "GOAWAY")?;
        reason_cut(&mut reason, REASON_MAX);
        // SES-072
        if code != ErrorCode::NO_ERROR {
            self.over(SessionError::received(code, reason));
            return Ok(());
        }
        // SES-071: a second one only lowers the number.
        let last = self
            .peer_going_away
            .map_or(last_stream, |before| before.min(last_stream));
        self.peer_going_away = Some(last);
        self.events.push_back(Event::GoAway {
            code,
            last_stream: last,
            reason,
        });
        if self.role == Role::Visitor {
            self.refused_above(last);
        }
        Ok(())
    }

    /// Ends the streams that the agent does not act upon: they are safe to retry (SES-071).
    fn refused_above(&mut self, last: u64) {
        let ids: Vec<StreamId> = self
            .streams
            .keys()
            .copied()
            .filter(|id| id.get() > last)
            .collect();
        for id in ids {
            let Some(stream) = self.streams.get_mut(&id) else {
                continue;
            };
            stream.send.reset();
            let code = ErrorCode::REFUSED;
            let reason = "the agent is going away".to_owned();
            if let Ok(true) = stream.recv.on_end(EndOfBody::Reset(code, reason.clone())) {
                self.events.push_back(Event::Reset { id, code, reason });
            }
            self.forget_if_over(id);
        }
    }

    /// Answers a REQUEST with RESET and STOP, and keeps nothing of it (SES-036, SES-051).
    fn refuse(
        &mut self,
        lane: LaneId,
        id: StreamId,
        code: ErrorCode,
        reason: String,
    ) -> Result<(), SessionError> {
        self.spend(COST_STREAM, "refused streams")?;
        let lane = &mut self.lanes[lane.index()];
        if lane.refusals >= REFUSALS_MAX {
            return Err(excessive("REQUESTs faster than the lane takes refusals"));
        }
        lane.refusals += 1;
        lane.control.push_back(Control::Refuse { id, code, reason });
        Ok(())
    }

    /// The peer broke a rule of HTTP on this stream: the exchange is over, the session goes on.
    ///
    /// `over` says that the peer has ended its half with the same frame.
    pub(super) fn bad_message(
        &mut self,
        id: StreamId,
        reason: String,
        over: bool,
    ) -> Result<(), SessionError> {
        self.spend(COST_STREAM, "malformed messages")?;
        let Some(stream) = self.streams.get_mut(&id) else {
            return Ok(());
        };
        let code = ErrorCode::BAD_MESSAGE;
        let was_open = stream.recv.is_open();
        let stream_is_over = stream.recv.is_over();
        let (stop, dropped) = stream.recv.fail(code, reason.clone(), over);
        let reset = was_open && stream.send.reset();
        self.session_consume(dropped);
        if reset {
            self.queue_control(
                id,
                Control::Reset {
                    id,
                    code,
                    reason: reason.clone(),
                },
            );
        }
        if stop {
            self.queue_control(id, Control::Stop { id, code });
        }
        if was_open {
            self.events.push_back(Event::Reset { id, code, reason });
        } else if over {
            // Stopped before: only the end counts.
            return self.on_end(id, EndOfBody::End(None));
        } else if stream_is_over {
            return Err(session_fault(RecvFault::Unexpected, id));
        }
        Ok(())
    }

    fn notify_readable(&mut self, id: StreamId) {
        if self
            .streams
            .get(&id)
            .is_some_and(|stream| stream.recv.buffered() > 0)
        {
            self.event_readable(id);
        }
    }

    /// Finds the stream of a frame (SES-011 to SES-013).
    pub(super) fn place(&self, lane: LaneId, id: StreamId) -> Result<Place, SessionError> {
        if let Some(stream) = self.streams.get(&id) {
            return match stream.lane == lane {
                // Only the application still holds it.
                true if stream.is_closed() => Ok(Place::Closed),
                true => Ok(Place::Live),
                false => Err(protocol(format!("stream {id} belongs to another lane"))),
            };
        }
        let was_opened = id.is_visitors()
            && match self.role {
                Role::Visitor => id.get() < self.next_stream,
                Role::Agent => id.get() <= self.lanes[lane.index()].opened,
            };
        match was_opened {
            true => Ok(Place::Closed),
            // SES-012
            false => Err(protocol(format!("stream {id} was never opened"))),
        }
    }

    pub(super) fn spend(&mut self, cost: u32, what: &str) -> Result<(), SessionError> {
        match self.budget.spend(cost) {
            true => Ok(()),
            false => Err(excessive(what)),
        }
    }
}

fn protocol(reason: impl Into<String>) -> SessionError {
    SessionError::own(ErrorCode::PROTOCOL, reason)
}

fn excessive(what: &str) -> SessionError {
    SessionError::own(
        ErrorCode::EXCESSIVE_LOAD,
        format!("too much of what brings nothing: {what}"),
    )
}

pub(super) fn session_fault(fault: RecvFault, id: StreamId) -> SessionError {
    match fault {
        RecvFault::Credit => SessionError::own(
            ErrorCode::FLOW_CONTROL,
            format!("stream {id} carries more than its credit allows"),
        ),
        RecvFault::Unexpected | RecvFault::Length | RecvFault::Utf8 => {
            protocol(format!("a frame does not fit the state of stream {id}"))
        }
    }
}
