//! The session: what the application and the driver call.

mod control;
mod event;
mod liveness;
mod receive;
mod transmit;
mod websocket;

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use bytes::Bytes;

use self::control::{Control, Lane, SessionControl};
use self::liveness::Liveness;
use crate::budget::Budget;
use crate::frame::{Frame, FrameType, Header};
use crate::limits::{
    FRAME_DEFAULT, LANES_MAX, MESSAGE_CHARGE, REASON_MAX, SESSION_CREDIT_DEFAULT,
    STREAM_CREDIT_DEFAULT, STREAMS_DEFAULT,
};
use crate::stream::{Answer, BodyEnd, Receiver, Sender, Stream};
use crate::{
    Config, ErrorCode, Fields, LaneId, OpenError, PeerSettings, ReadError, Request, Response, Role,
    SessionError, StreamId, WriteError,
};
use p2claw_proto::v1 as proto;

pub use self::event::{Event, Read};
pub use self::liveness::RoundTrip;

/// Credit in both directions, in body bytes since the session began (RFC 9000 section 4.1, SES-040).
#[derive(Debug)]
struct SessionCredit {
    /// What the peer allows.
    allowed: u64,
    sent: u64,
    granted: u64,
    received: u64,
    consumed: u64,
}

/// One end of a session.
///
/// ```text
///          own HELLO queued              peer's HELLO
///  new ──────────────────────► Opening ───────────────► Connected
///                                 │                         │ go_away, or GOAWAY 0 received
///                                 │                         ▼
///                                 │                      Draining ── no streams ──► drained
///                                 ▼                         ▼
///                              Closed: close, fatal GOAWAY either way, or dead
/// ```
///
/// A visitor opens streams while Opening and Connected. What was received whole stays readable
/// when the session is closed.
#[derive(Debug)]
pub struct Session {
    role: Role,
    config: Config,
    peer: Option<PeerSettings>,
    closed: Option<SessionError>,
    /// Own GOAWAY: the highest stream that is acted upon.
    going_away: Option<u64>,
    /// The peer's GOAWAY: the highest stream that it acts upon.
    peer_going_away: Option<u64>,
    streams: BTreeMap<StreamId, Stream>,
    /// Bytes of the longest message that the transport takes to the peer.
    send_limit: usize,
    /// What the visitor opens next.
    next_stream: u64,
    /// Highest stream of any lane, on the agent.
    highest: u64,
    credit: SessionCredit,
    lanes: Vec<Lane>,
    control: SessionControl,
    events: VecDeque<Event>,
    liveness: Liveness,
    budget: Budget,
}

impl Session {
    /// A session whose HELLO is queued on lane 0 (SES-005). Values of `config` out of range are
    /// moved into it; [`Config::validate`] names them.
    pub fn new(role: Role, config: Config, now: Instant) -> Self {
        let config = config.clamped();
        let hello = Header::new(FrameType::Hello, None).message(&config.hello(role));
        Self {
            role,
            peer: None,
            closed: None,
            going_away: None,
            peer_going_away: None,
            send_limit: usize::MAX,
            streams: BTreeMap::new(),
            next_stream: 1,
            highest: 0,
            credit: SessionCredit {
                allowed: SESSION_CREDIT_DEFAULT,
                sent: 0,
                granted: config.session_credit,
                received: 0,
                consumed: 0,
            },
            lanes: (0..config.lanes).map(|_| Lane::default()).collect(),
            control: SessionControl::new(hello, config.grease_seed),
            events: VecDeque::new(),
            liveness: Liveness::new(now),
            budget: Budget::new(now),
            config,
        }
    }

    /// Sends no frame that is longer than this many bytes, whatever both HELLOs allow: the bound of
    /// the transport (RTC-007). It counts for what is queued from now on; until the peer's HELLO
    /// nothing is longer than [`crate::limits::FRAME_DEFAULT`], and a bound below that counts as that.
    pub fn limit_frames(&mut self, bytes: usize) {
        self.send_limit = bytes.max(FRAME_DEFAULT);
    }

    /// Opens a stream with a request, on the visitor.
    ///
    /// A stream takes its place until its response was read to the end, or [`Self::release`].
    pub fn open(&mut self, request: Request) -> Result<StreamId, OpenError> {
        if self.role == Role::Agent {
            return Err(OpenError::WrongRole);
        }
        if self.closed.is_some() {
            return Err(OpenError::Closed);
        }
        if self.going_away.is_some() || self.peer_going_away.is_some() {
            return Err(OpenError::GoingAway);
        }
        let allowed = self
            .peer
            .as_ref()
            .map_or(STREAMS_DEFAULT, |peer| peer.max_streams);
        if self.streams.len() as u64 >= allowed.min(self.config.max_streams) {
            return Err(OpenError::TooManyStreams);
        }
        request.validate()?;
        let Some(id) = StreamId::new(self.next_stream) else {
            return Err(OpenError::GoingAway);
        };
        let end = request.end;
        let credit = self.initial_stream_credit();
        let stream = Stream::new(
            self.least_loaded_lane(),
            match request.protocol {
                Some(_) => Sender::connect(credit),
                None => Sender::request(credit, end),
            },
            Receiver::response(self.config.stream_credit),
            &request,
        );
        let frame = Header::new(FrameType::Request, Some(id)).message(&request.into_wire());
        if frame.len() > self.longest_to_send() {
            return Err(OpenError::HeadTooLarge);
        }
        self.next_stream += 2;
        self.streams.insert(id, stream);
        self.queue_control(id, Control::Head(id, frame));
        Ok(id)
    }

    /// Responds, on the agent: any 1xx, then the final response, which need not wait for the end of
    /// the request's body (SES-026).
    ///
    /// Of 1xx responses only the first [`crate::limits::INFORMATIONAL_MAX`] are sent. Status 200
    /// accepts a WebSocket, and from then on both ends send messages (WSK-003).
    pub fn respond(&mut self, id: StreamId, response: Response) -> Result<(), WriteError> {
        if self.role == Role::Visitor {
            return Err(WriteError::WrongRole);
        }
        response.validate()?;
        let longest = self.longest_to_send();
        let stream = self.stream_to_write(id)?;
        let accepts = match &stream.subprotocols {
            Some(asked) => response.accepts(asked)?,
            None => false,
        };
        let answer = response.answer(accepts);
        let frame = Header::new(FrameType::Response, Some(id)).message(&response.into_wire());
        if frame.len() > longest {
            return Err(WriteError::HeadTooLarge);
        }
        if !stream.send.respond(answer)? {
            return Ok(());
        }
        if stream.subprotocols.is_some() && answer != Answer::Informational {
            stream.recv.answered(accepts);
        }
        self.queue_control(id, Control::Head(id, frame));
        Ok(())
    }

    /// Takes as much of `data` as the send buffer has room for, advancing it.
    ///
    /// If something is left, [`Event::Writable`] follows when half of the buffer is free.
    pub fn write(&mut self, id: StreamId, data: &mut Bytes) -> Result<(), WriteError> {
        let limit = self.config.send_buffer;
        let stream = self.stream_to_write(id)?;
        stream.send.write(data, limit)?;
        stream.want_writable = !data.is_empty();
        self.schedule(id);
        Ok(())
    }

    /// Ends the body, with or without trailers.
    pub fn finish(&mut self, id: StreamId, trailers: Option<Fields>) -> Result<(), WriteError> {
        let longest = self.longest_to_send();
        let stream = self.stream_to_write(id)?;
        stream.send.check()?;
        let end = match trailers {
            None => BodyEnd::Plain,
            Some(fields) => {
                for name in crate::head::NOT_IN_TRAILERS {
                    fields
                        .forbid(name)
                        .map_err(crate::head::MessageError::from)?;
                }
                let trailers = proto::Trailers {
                    fields: fields.into_wire(),
                };
                let frame = Header::new(FrameType::Trailers, Some(id)).message(&trailers);
                if frame.len() > longest {
                    return Err(WriteError::HeadTooLarge);
                }
                BodyEnd::Trailers(frame)
            }
        };
        stream.send.finish(end)?;
        stream.want_writable = false;
        self.schedule(id);
        Ok(())
    }

    /// Gives up the own half, and what was not sent yet (SES-023). The other half goes on; a
    /// visitor that wants nothing at all calls [`Self::stop`] too (SES-025).
    pub fn reset(&mut self, id: StreamId, code: ErrorCode, reason: &str) {
        if self.closed.is_some() {
            return;
        }
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        if stream.send.reset() {
            let mut reason = reason.to_owned();
            reason_cut(&mut reason, REASON_MAX);
            self.queue_control(id, Control::Reset { id, code, reason });
        }
        self.forget_if_over(id);
    }

    /// Gives up the own half behind what was written: the peer gets that, and then the error. A body
    /// that broke off at its source loses nothing of what had come (SES-023).
    pub fn cut_off(&mut self, id: StreamId, code: ErrorCode, reason: &str) {
        let mut cut = reason.to_owned();
        reason_cut(&mut cut, REASON_MAX);
        let frame = Frame::Reset {
            stream: id,
            code,
            reason: cut,
        };
        let queued = self.closed.is_none()
            && self
                .streams
                .get_mut(&id)
                .is_some_and(|stream| stream.send.cut_off(frame.encode()));
        match queued {
            true => self.schedule(id),
            false => self.reset(id, code, reason),
        }
    }

    /// Asks the peer to give up its half, and throws away what was not read yet.
    pub fn stop(&mut self, id: StreamId, code: ErrorCode) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        let (due, dropped) = stream.recv.stop();
        stream.observed = true;
        self.session_consume(dropped);
        if due && self.closed.is_none() {
            self.queue_control(id, Control::Stop { id, code });
        }
        self.forget_if_over(id);
    }

    /// Reads the next body bytes, a slice of a message as it arrived; gives credit back.
    pub fn read(&mut self, id: StreamId) -> Result<Read, ReadError> {
        let Some(stream) = self.streams.get_mut(&id) else {
            return Err(match self.closed {
                Some(_) => ReadError::Closed,
                None => ReadError::UnknownStream,
            });
        };
        let read = stream.recv.read();
        match &read {
            Ok(Read::Data(data)) => {
                let count = data.len();
                if stream.recv.consume(count) {
                    self.queue_credit(id);
                }
                self.session_consume(count);
            }
            Ok(Read::Message { data, .. }) => {
                let charge = data.len() + MESSAGE_CHARGE;
                if stream.recv.consume(charge) {
                    self.queue_credit(id);
                }
                self.session_consume(charge);
            }
            Ok(Read::Blocked) if self.closed.is_some() => {
                self.streams.remove(&id);
                return Err(ReadError::Closed);
            }
            Ok(Read::Blocked) => {}
            Ok(Read::End(_) | Read::Close(_)) | Err(_) => {
                stream.observed = true;
                self.forget_if_over(id);
            }
        }
        read
    }

    /// The application is done with the stream: on the agent, its handler has really stopped, which
    /// frees its place among `max_streams` (SES-050). Halves that are still open are given up.
    pub fn release(&mut self, id: StreamId) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        stream.released = true;
        let open = stream.send.is_open();
        let (reset, stop) = match self.role {
            Role::Visitor => (ErrorCode::CANCELLED, ErrorCode::CANCELLED),
            Role::Agent => (ErrorCode::INTERNAL, ErrorCode::NO_ERROR),
        };
        if open {
            self.reset(id, reset, "given up by the application");
        }
        self.stop(id, stop);
        self.forget_if_over(id);
    }

    /// Starts the drain: no further streams; those that are open go on (SES-070).
    pub fn go_away(&mut self) {
        if self.going_away.is_none() && self.closed.is_none() {
            self.going_away = Some(self.highest);
            self.control
                .go_away(ErrorCode::NO_ERROR, self.highest, String::new());
        }
    }

    /// Ends the session at once, with a GOAWAY as the last frame.
    pub fn close(&mut self, code: ErrorCode, reason: &str) {
        let error = SessionError::own(code, reason);
        self.fail(error);
    }

    /// Whether the session is over, for whatever reason.
    pub const fn is_closed(&self) -> bool {
        self.closed.is_some()
    }

    /// Whether the drain is done: GOAWAY sent, no streams, nothing to send. The transport may close.
    pub fn is_drained(&self) -> bool {
        let nothing_queued = self.control.is_idle() && self.lanes.iter().all(Lane::is_idle);
        match self.closed {
            Some(_) => self.control.is_idle(),
            None => self.going_away.is_some() && self.streams.is_empty() && nothing_queued,
        }
    }

    /// Lanes in use now: 1 until the peer's HELLO, then as many as both ends have (SES-014).
    pub fn lanes(&self) -> u8 {
        self.peer
            .as_ref()
            .map_or(1, |peer| peer.lanes.min(self.config.lanes))
    }

    /// What the peer's HELLO said, `None` until then.
    pub const fn peer(&self) -> Option<&PeerSettings> {
        self.peer.as_ref()
    }

    /// Body bytes that this end holds now, for tests and metrics: those to send and those to read.
    pub fn buffered(&self) -> (usize, usize) {
        let streams = || self.streams.values();
        (
            streams().map(|stream| stream.send.buffered()).sum(),
            streams().map(|stream| stream.recv.buffered()).sum(),
        )
    }

    /// Streams that take a place now.
    pub fn open_streams(&self) -> usize {
        self.streams.len()
    }

    /// Those among them that are WebSockets, or ask to be.
    pub fn open_websockets(&self) -> usize {
        let streams = self.streams.values();
        streams
            .filter(|stream| stream.subprotocols.is_some())
            .count()
    }

    /// Ends the session with this error; a GOAWAY is the last frame (SES-072).
    fn fail(&mut self, error: SessionError) {
        if self.closed.is_some() {
            return;
        }
        self.control
            .go_away(error.code, self.highest, error.reason.clone());
        self.over(error);
    }

    fn over(&mut self, error: SessionError) {
        for lane in &mut self.lanes {
            *lane = Lane::default();
        }
        self.control.close();
        self.closed = Some(error.clone());
        self.events.push_back(Event::Closed(error));
        // What was received stays readable.
        self.streams
            .retain(|_, stream| stream.recv.buffered() > 0 || stream.recv.is_over());
        for stream in self.streams.values_mut() {
            stream.send.reset();
            stream.control = 0;
            stream.queued = false;
        }
    }

    /// Bytes of the longest frame that may be sent (SES-003, RTC-007).
    fn longest_to_send(&self) -> usize {
        self.max_frame().min(self.send_limit)
    }

    /// Bytes of the longest frame that both HELLOs allow (SES-003).
    fn max_frame(&self) -> usize {
        self.peer.as_ref().map_or(FRAME_DEFAULT, |peer| {
            peer.max_frame.min(self.config.max_frame)
        })
    }

    fn initial_stream_credit(&self) -> u64 {
        self.peer
            .as_ref()
            .map_or(STREAM_CREDIT_DEFAULT, |peer| peer.initial_stream_credit)
    }

    fn stream_to_write(&mut self, id: StreamId) -> Result<&mut Stream, WriteError> {
        if self.closed.is_some() {
            return Err(WriteError::Closed);
        }
        self.streams.get_mut(&id).ok_or(WriteError::UnknownStream)
    }

    /// Lane 0 until the agent's HELLO (SES-006), then the one with the fewest streams (SES-014).
    fn least_loaded_lane(&self) -> LaneId {
        let mut load = [0_usize; LANES_MAX as usize];
        for stream in self.streams.values() {
            load[stream.lane.index()] += 1;
        }
        (0..self.lanes())
            .min_by_key(|lane| load[usize::from(*lane)])
            .and_then(LaneId::new)
            .unwrap_or(LaneId::ZERO)
    }

    /// Takes note of body bytes that need no more room, of whatever stream (SES-044).
    fn session_consume(&mut self, count: usize) {
        self.credit.consumed += count as u64;
        let next = self.credit.consumed + self.config.session_credit;
        if next - self.credit.granted >= self.config.session_credit / 2 {
            self.control.credit = true;
        }
    }

    fn forget_if_over(&mut self, id: StreamId) {
        let role = self.role;
        let closed = self.closed.is_some();
        let over = |stream: &Stream| {
            stream.is_over(role) || closed && (stream.released || stream.observed)
        };
        if self.streams.get(&id).is_some_and(over)
            && let Some(stream) = self.streams.remove(&id)
            && stream.queued
        {
            self.lanes[stream.lane.index()].forget(id);
        }
    }
}

/// Cuts a text to so many bytes, between two characters.
pub(crate) fn reason_cut(text: &mut String, max: usize) {
    text.truncate(text.floor_char_boundary(max));
}
