use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::Answer;
use super::messages::{MessageFault, RecvMessages};
use crate::head::BodyLength;
use crate::limits::{INFORMATIONAL_MAX, MESSAGE_CHARGE, SMALL_CHUNK};
use crate::{Close, ErrorCode, Fields, MessageKind, Read, ReadError};

/// Body bytes that wait for the application.
#[derive(Debug, Default)]
pub(crate) struct RecvBody {
    chunks: VecDeque<Bytes>,
    /// Small pieces gathered behind `chunks`, never empty between calls unless `chunks` may grow.
    tail: BytesMut,
    bytes: usize,
}

/// Why a receiving half failed: the code and words for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: ErrorCode,
    pub(crate) reason: String,
}

/// The receiving half of a stream.
///
/// ```text
///              1xx
///             ┌───┐
///             ▼   │ final response          END
///  visitor ─► Head ─────────────► Body ───────────────► Ended    unread bytes stay readable
///              │                 ▲ │
///              │        agent ───┘ │
///              ├── RESET ──────────┼──────────────────► Cut      unread bytes, then the error
///              │                   │                     ▲ broken rule
///              └── stop, or a broken rule ──► Stopped ───┤ RESET or END
///                                                        ▼ stopped by the application
///                                                       Dropped
/// ```
///
/// Stopped throws away what still comes. Ended, Cut and Dropped are over: a frame of the body
/// there is the peer's error, except RESET, which may cross.
///
/// A WebSocket takes this way instead; RESET, stop and broken rules end it likewise:
///
/// ```text
///  agent ───► Connecting ── 200 sent ──────► Messages ── WS_CLOSE ──► Closed
///                  └── other final response sent ──► Ended
///  visitor ─► Head ──────── 200 received ──► Messages ── WS_CLOSE ──► Closed
/// ```
#[derive(Debug)]
pub(crate) enum RecvHalf {
    /// The visitor waits for the final response.
    Head { informational: u8 },
    /// The agent has not answered the CONNECT yet (WSK-005).
    Connecting,
    /// The body comes in.
    Body(RecvBody),
    /// Messages of a WebSocket come in.
    Messages(RecvMessages),
    /// WS_CLOSE came.
    Closed(RecvMessages, Close),
    /// Messages, and then the WebSocket was cut off.
    MessagesCut(RecvMessages, Failure),
    /// The end of the body came.
    Ended(RecvBody, Option<Fields>),
    /// The body was cut off.
    Cut(RecvBody, Failure),
    /// STOP was sent: by a broken rule, or else by the application.
    Stopped(Option<Failure>),
    /// Stopped by the application, and over.
    Dropped,
}

/// Why received body bytes are not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecvFault {
    /// The session is over: PROTOCOL, the frame does not fit the state (SES-020).
    Unexpected,
    /// The session is over: FLOW_CONTROL.
    Credit,
    /// The stream is over: BAD_MESSAGE, `content-length` says otherwise (SES-037).
    Length,
    /// The stream is over: BAD_MESSAGE, a text is not UTF-8 (WSK-012).
    Utf8,
}

/// What became of received bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// They wait for the application.
    Kept,
    /// The application wants none: their session credit goes back at once (SES-044).
    Discarded,
}

/// How the peer ends a body.
#[derive(Debug)]
pub(crate) enum EndOfBody {
    /// DATA_END or TRAILERS.
    End(Option<Fields>),
    /// WS_CLOSE.
    Close(Close),
    /// RESET.
    Reset(ErrorCode, String),
}

/// The receiving half with its flow control.
#[derive(Debug)]
pub(crate) struct Receiver {
    half: RecvHalf,
    length: BodyLength,
    window: u64,
    granted: u64,
    received: u64,
    consumed: u64,
    /// WS_CLOSE came, whatever became of the half since.
    closed: bool,
}

impl Receiver {
    /// A visitor's half: a response is due.
    pub(crate) const fn response(window: u64) -> Self {
        Self::new(RecvHalf::Head { informational: 0 }, BodyLength::Any, window)
    }

    /// An agent's half behind the request.
    pub(crate) fn request(window: u64, end: bool, length: BodyLength) -> Self {
        let body = RecvBody::default();
        let half = if end {
            RecvHalf::Ended(body, None)
        } else {
            RecvHalf::Body(body)
        };
        Self::new(half, length, window)
    }

    /// An agent's half behind a CONNECT.
    pub(crate) const fn connect(window: u64) -> Self {
        Self::new(RecvHalf::Connecting, BodyLength::Any, window)
    }

    const fn new(half: RecvHalf, length: BodyLength, window: u64) -> Self {
        Self {
            half,
            length,
            window,
            granted: window,
            received: 0,
            consumed: 0,
            closed: false,
        }
    }

    /// Whether nothing more comes from the peer.
    pub(crate) const fn is_over(&self) -> bool {
        match self.half {
            RecvHalf::Head { .. }
            | RecvHalf::Connecting
            | RecvHalf::Body(_)
            | RecvHalf::Messages(_)
            | RecvHalf::Stopped(_) => false,
            RecvHalf::Ended(..)
            | RecvHalf::Cut(..)
            | RecvHalf::Closed(..)
            | RecvHalf::MessagesCut(..)
            | RecvHalf::Dropped => true,
        }
    }

    /// Whether it is neither over nor stopped.
    pub(crate) const fn is_open(&self) -> bool {
        matches!(
            self.half,
            RecvHalf::Head { .. }
                | RecvHalf::Connecting
                | RecvHalf::Body(_)
                | RecvHalf::Messages(_)
        )
    }

    /// Whether a head fits the state; a half that was stopped is not judged (SES-020, SES-028).
    pub(crate) const fn awaits_head(&self) -> bool {
        matches!(self.half, RecvHalf::Head { .. } | RecvHalf::Stopped(_))
    }

    /// Whether the end of a body does.
    pub(crate) const fn awaits_body(&self) -> bool {
        matches!(self.half, RecvHalf::Body(_) | RecvHalf::Stopped(_))
    }

    /// Whether the end of a WebSocket does.
    pub(crate) const fn awaits_close(&self) -> bool {
        matches!(self.half, RecvHalf::Messages(_) | RecvHalf::Stopped(_))
    }

    /// Whether the peer has closed the WebSocket.
    pub(crate) const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Bytes that wait for the application; those of messages with their charge (SES-040).
    pub(crate) const fn buffered(&self) -> usize {
        match &self.half {
            RecvHalf::Body(body) | RecvHalf::Ended(body, _) | RecvHalf::Cut(body, _) => body.bytes,
            RecvHalf::Messages(messages)
            | RecvHalf::Closed(messages, _)
            | RecvHalf::MessagesCut(messages, _) => messages.charge(),
            RecvHalf::Head { .. }
            | RecvHalf::Connecting
            | RecvHalf::Stopped(_)
            | RecvHalf::Dropped => 0,
        }
    }

    /// The agent has answered the CONNECT for good: messages may come, or nothing (WSK-005).
    pub(crate) fn answered(&mut self, accepted: bool) {
        match (&self.half, accepted) {
            (RecvHalf::Connecting, true) => {
                self.half = RecvHalf::Messages(RecvMessages::default());
            }
            (RecvHalf::Connecting, false) => {
                self.half = RecvHalf::Ended(RecvBody::default(), None);
            }
            // The visitor's half ends with the refusal, without a frame.
            (RecvHalf::Stopped(_), false) => self.half = RecvHalf::Dropped,
            _ => {}
        }
    }

    /// Takes a message, or a part of one.
    pub(crate) fn on_message(
        &mut self,
        kind: MessageKind,
        data: Bytes,
        last: bool,
    ) -> Result<Received, RecvFault> {
        let charge = (data.len() + MESSAGE_CHARGE) as u64;
        // SES-042
        if charge > self.granted.saturating_sub(self.received) {
            return Err(RecvFault::Credit);
        }
        self.received += charge;
        match &mut self.half {
            RecvHalf::Messages(messages) => match messages.push(kind, data, last) {
                Ok(()) => Ok(Received::Kept),
                Err(MessageFault::Kind) => Err(RecvFault::Unexpected),
                Err(MessageFault::Utf8) => Err(RecvFault::Utf8),
            },
            RecvHalf::Stopped(_) => Ok(Received::Discarded),
            RecvHalf::Head { .. }
            | RecvHalf::Connecting
            | RecvHalf::Body(_)
            | RecvHalf::Closed(..)
            | RecvHalf::MessagesCut(..)
            | RecvHalf::Ended(..)
            | RecvHalf::Cut(..)
            | RecvHalf::Dropped => Err(RecvFault::Unexpected),
        }
    }

    /// Takes note of a response head; `Ok(false)` when nobody wants it any more.
    ///
    /// `Err` with `Length` means one 1xx too many.
    pub(crate) fn on_response(
        &mut self,
        answer: Answer,
        length: BodyLength,
    ) -> Result<bool, RecvFault> {
        match &mut self.half {
            RecvHalf::Head {
                informational: seen,
            } if answer == Answer::Informational => {
                if *seen == INFORMATIONAL_MAX {
                    return Err(RecvFault::Length);
                }
                *seen += 1;
                Ok(true)
            }
            RecvHalf::Head { .. } => {
                self.length = length;
                self.half = match answer {
                    Answer::WithoutBody => RecvHalf::Ended(RecvBody::default(), None),
                    Answer::Accept => RecvHalf::Messages(RecvMessages::default()),
                    Answer::Informational | Answer::WithBody => RecvHalf::Body(RecvBody::default()),
                };
                Ok(true)
            }
            RecvHalf::Stopped(_) => {
                if answer == Answer::WithoutBody {
                    self.on_end(EndOfBody::End(None))?;
                }
                Ok(false)
            }
            RecvHalf::Connecting
            | RecvHalf::Body(_)
            | RecvHalf::Messages(_)
            | RecvHalf::Ended(..)
            | RecvHalf::Cut(..)
            | RecvHalf::Closed(..)
            | RecvHalf::MessagesCut(..)
            | RecvHalf::Dropped => Err(RecvFault::Unexpected),
        }
    }

    /// Takes body bytes.
    pub(crate) fn on_data(&mut self, data: Bytes) -> Result<Received, RecvFault> {
        let count = data.len() as u64;
        // SES-042
        if count > self.granted.saturating_sub(self.received) {
            return Err(RecvFault::Credit);
        }
        match &mut self.half {
            RecvHalf::Body(body) => {
                self.received += count;
                if matches!(self.length, BodyLength::Exactly(length) if self.received > length) {
                    return Err(RecvFault::Length);
                }
                body.push(data);
                Ok(Received::Kept)
            }
            RecvHalf::Stopped(_) => {
                self.received += count;
                Ok(Received::Discarded)
            }
            RecvHalf::Head { .. }
            | RecvHalf::Connecting
            | RecvHalf::Messages(_)
            | RecvHalf::Closed(..)
            | RecvHalf::MessagesCut(..)
            | RecvHalf::Ended(..)
            | RecvHalf::Cut(..)
            | RecvHalf::Dropped => Err(RecvFault::Unexpected),
        }
    }

    /// Ends the body; whether the application is to hear of it.
    pub(crate) fn on_end(&mut self, end: EndOfBody) -> Result<bool, RecvFault> {
        let closes = matches!(end, EndOfBody::Close(_));
        let short = matches!(self.length, BodyLength::Exactly(length) if self.received != length);
        let (half, outcome) = match (std::mem::replace(&mut self.half, RecvHalf::Dropped), end) {
            // The length is checked on the way in the other direction already (SES-037).
            (RecvHalf::Body(body), EndOfBody::End(_)) if short => {
                (RecvHalf::Body(body), Err(RecvFault::Length))
            }
            (RecvHalf::Body(body), EndOfBody::End(trailers)) => {
                (RecvHalf::Ended(body, trailers), Ok(true))
            }
            (RecvHalf::Body(body), EndOfBody::Reset(code, reason)) => {
                (RecvHalf::Cut(body, Failure { code, reason }), Ok(true))
            }
            (RecvHalf::Head { .. }, EndOfBody::Reset(code, reason)) => (
                RecvHalf::Cut(RecvBody::default(), Failure { code, reason }),
                Ok(true),
            ),
            (RecvHalf::Messages(messages), EndOfBody::Close(close)) => {
                (RecvHalf::Closed(messages, close), Ok(true))
            }
            (RecvHalf::Messages(messages), EndOfBody::Reset(code, reason)) => (
                RecvHalf::MessagesCut(messages, Failure { code, reason }),
                Ok(true),
            ),
            (RecvHalf::Connecting, EndOfBody::Reset(code, reason)) => (
                RecvHalf::Cut(RecvBody::default(), Failure { code, reason }),
                Ok(true),
            ),
            // Told when the rule was broken.
            (RecvHalf::Stopped(Some(failure)), _) => {
                (RecvHalf::Cut(RecvBody::default(), failure), Ok(false))
            }
            (RecvHalf::Stopped(None), _) => (RecvHalf::Dropped, Ok(false)),
            (
                half @ (RecvHalf::Ended(..)
                | RecvHalf::Cut(..)
                | RecvHalf::Closed(..)
                | RecvHalf::MessagesCut(..)
                | RecvHalf::Dropped),
                EndOfBody::Reset(..),
            ) => (half, Ok(false)),
            (half, EndOfBody::End(_) | EndOfBody::Close(_)) => (half, Err(RecvFault::Unexpected)),
        };
        self.closed |= closes && outcome.is_ok();
        self.half = half;
        outcome
    }

    /// The application wants no more: whether a STOP is due, and how many bytes are thrown away.
    pub(crate) fn stop(&mut self) -> (bool, usize) {
        let dropped = self.buffered();
        let (half, due) = match std::mem::replace(&mut self.half, RecvHalf::Dropped) {
            RecvHalf::Head { .. }
            | RecvHalf::Connecting
            | RecvHalf::Body(_)
            | RecvHalf::Messages(_) => (RecvHalf::Stopped(None), true),
            half @ RecvHalf::Stopped(_) => (half, false),
            RecvHalf::Ended(..)
            | RecvHalf::Cut(..)
            | RecvHalf::Closed(..)
            | RecvHalf::MessagesCut(..)
            | RecvHalf::Dropped => (RecvHalf::Dropped, false),
        };
        self.half = half;
        (due, dropped)
    }

    /// The peer broke a rule of HTTP: whether a STOP is due, and how many bytes are thrown away.
    ///
    /// `over` says that the peer has ended its half with the same frame.
    pub(crate) fn fail(&mut self, code: ErrorCode, reason: String, over: bool) -> (bool, usize) {
        let dropped = self.buffered();
        let failure = Failure { code, reason };
        let (half, due) = match std::mem::replace(&mut self.half, RecvHalf::Dropped) {
            RecvHalf::Head { .. }
            | RecvHalf::Connecting
            | RecvHalf::Body(_)
            | RecvHalf::Messages(_) => match over {
                true => (RecvHalf::Cut(RecvBody::default(), failure), false),
                false => (RecvHalf::Stopped(Some(failure)), true),
            },
            half @ (RecvHalf::Ended(..)
            | RecvHalf::Cut(..)
            | RecvHalf::Closed(..)
            | RecvHalf::MessagesCut(..)
            | RecvHalf::Stopped(_)
            | RecvHalf::Dropped) => return self.keep(half),
        };
        self.half = half;
        (due, dropped)
    }

    fn keep(&mut self, half: RecvHalf) -> (bool, usize) {
        self.half = half;
        (false, 0)
    }

    /// What the application reads next.
    pub(crate) fn read(&mut self) -> Result<Read, ReadError> {
        match &mut self.half {
            RecvHalf::Head { .. } | RecvHalf::Connecting => Ok(Read::Blocked),
            RecvHalf::Messages(messages) => Ok(messages.pop().map_or(Read::Blocked, message)),
            RecvHalf::Closed(messages, close) => Ok(messages
                .pop()
                .map_or_else(|| Read::Close(close.clone()), message)),
            RecvHalf::MessagesCut(messages, failure) => {
                messages.pop().map(message).ok_or_else(|| failure.error())
            }
            RecvHalf::Body(body) => Ok(body.pop().map_or(Read::Blocked, Read::Data)),
            RecvHalf::Ended(body, trailers) => Ok(body
                .pop()
                .map_or_else(|| Read::End(trailers.take()), Read::Data)),
            RecvHalf::Cut(body, failure) => {
                body.pop().map(Read::Data).ok_or_else(|| failure.error())
            }
            RecvHalf::Stopped(Some(failure)) => Err(failure.error()),
            RecvHalf::Stopped(None) | RecvHalf::Dropped => Err(ReadError::Closed),
        }
    }

    /// Takes note of bytes that the application has read; whether a CREDIT is due (SES-045).
    pub(crate) fn consume(&mut self, count: usize) -> bool {
        self.consumed += count as u64;
        matches!(self.half, RecvHalf::Body(_) | RecvHalf::Messages(_))
            && self.next_credit() - self.granted >= self.window / 2
    }

    /// The CREDIT to send now, `None` if it would help nobody.
    pub(crate) fn grant(&mut self) -> Option<u64> {
        if !matches!(self.half, RecvHalf::Body(_) | RecvHalf::Messages(_))
            || self.next_credit() <= self.granted
        {
            return None;
        }
        self.granted = self.next_credit();
        Some(self.granted)
    }

    const fn next_credit(&self) -> u64 {
        self.consumed + self.window
    }

    #[cfg(test)]
    pub(crate) const fn half(&self) -> &RecvHalf {
        &self.half
    }
}

fn message((kind, last, data): (MessageKind, bool, Bytes)) -> Read {
    Read::Message { kind, last, data }
}

impl Failure {
    fn error(&self) -> ReadError {
        ReadError::Reset {
            code: self.code,
            reason: self.reason.clone(),
        }
    }
}

impl RecvBody {
    /// Keeps a slice of the message; a small one behind others is copied together with its like.
    fn push(&mut self, data: Bytes) {
        if data.is_empty() {
            return;
        }
        self.bytes += data.len();
        let gather = self.bytes > data.len() && data.len() < SMALL_CHUNK;
        if !gather {
            self.close_tail();
            self.chunks.push_back(data);
            return;
        }
        if self.tail.len() + data.len() > SMALL_CHUNK {
            self.close_tail();
        }
        if self.tail.is_empty() {
            self.tail.reserve(SMALL_CHUNK);
        }
        self.tail.extend_from_slice(&data);
    }

    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            let tail = std::mem::take(&mut self.tail);
            self.chunks.push_back(tail.freeze());
        }
    }

    fn pop(&mut self) -> Option<Bytes> {
        if self.chunks.is_empty() {
            self.close_tail();
        }
        let chunk = self.chunks.pop_front()?;
        self.bytes -= chunk.len();
        Some(chunk)
    }
}
