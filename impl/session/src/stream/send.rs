use std::collections::VecDeque;

use bytes::{BufMut, Bytes};

use super::messages::{MessagesEnd, SendMessages};
use crate::frame::{FrameType, Header};
use crate::limits::{INFORMATIONAL_MAX, SEND_CHUNKS_MAX};
use crate::{Close, ErrorCode, MessageKind, StreamId, WriteError};

/// How a body ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BodyEnd {
    /// DATA_END.
    Plain,
    /// This TRAILERS frame.
    Trailers(Bytes),
    /// This RESET frame: what waits is sent, and then the body is cut off.
    Cut(Bytes),
}

/// Body bytes that wait for the lane.
#[derive(Debug, Default)]
pub(crate) struct SendBody {
    chunks: VecDeque<Bytes>,
    bytes: usize,
    end: Option<BodyEnd>,
}

/// The sending half of a stream.
///
/// ```text
///            1xx
///           ┌───┐
///           ▼   │ final response            END sent
///  agent ─► Head ─────────────► Body ──────────────────► Done
///            │                 ▲ │ │
///            │       visitor ──┘ │ │ finish: keeps what waits, takes no more
///            │                   │ │
///            ├── reset ──────────┴─┼──► Reset      RESET is sent
///            └── STOP received ────┴──► Stopped    RESET with the same code is sent
/// ```
///
/// Done, Reset and Stopped are over: STOP, CREDIT and a further reset change nothing.
///
/// A WebSocket takes this way instead; reset and STOP end it likewise:
///
/// ```text
///  visitor ─► Connecting ── 200 received ──► Messages ── WS_CLOSE sent ──► Done
///                  └── other final response received ──────────────────────► ▲
///  agent ───► Head ──────── 200 sent ──────► Messages ── WS_CLOSE sent ──────┘
/// ```
#[derive(Debug)]
pub(crate) enum SendHalf {
    /// The agent owes the final response.
    Head { informational: u8 },
    /// The visitor waits for the answer to its CONNECT (WSK-005).
    Connecting,
    /// The body goes out.
    Body(SendBody),
    /// Messages of a WebSocket go out.
    Messages(SendMessages),
    /// The end of the body was sent.
    Done,
    /// This end gave up.
    Reset,
    /// The peer wanted no more.
    Stopped { code: ErrorCode },
}

/// What a response means for the agent's half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// 1xx.
    Informational,
    /// Final, with `end`.
    WithoutBody,
    /// Final, with a body to follow.
    WithBody,
    /// 200 to a WebSocket: messages follow, both ways.
    Accept,
}

/// What a STOP calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopAnswer {
    /// RESET with the same code (SES-024).
    Reset,
    /// Nothing: this half was over.
    Nothing,
}

/// What the round of bodies gets from a stream.
#[derive(Debug)]
pub(crate) enum NextFrame {
    /// A frame that counts so many bytes against the credit (SES-040).
    Frame { frame: Bytes, body: usize },
    /// It could send, but the session has no credit.
    SessionBlocked,
    /// Nothing to send, or no credit of its own.
    Nothing,
}

/// The sending half with its flow control.
#[derive(Debug)]
pub(crate) struct Sender {
    half: SendHalf,
    credit: u64,
    sent: u64,
}

impl Sender {
    /// An agent's half: a response is due.
    pub(crate) const fn response(credit: u64) -> Self {
        let half = SendHalf::Head { informational: 0 };
        Self {
            half,
            credit,
            sent: 0,
        }
    }

    /// A visitor's half behind a CONNECT.
    pub(crate) const fn connect(credit: u64) -> Self {
        Self {
            half: SendHalf::Connecting,
            credit,
            sent: 0,
        }
    }

    /// A visitor's half behind its request.
    pub(crate) fn request(credit: u64, end: bool) -> Self {
        let half = if end {
            SendHalf::Done
        } else {
            SendHalf::Body(SendBody::default())
        };
        Self {
            half,
            credit,
            sent: 0,
        }
    }

    pub(crate) const fn is_over(&self) -> bool {
        match self.half {
            SendHalf::Head { .. }
            | SendHalf::Connecting
            | SendHalf::Body(_)
            | SendHalf::Messages(_) => false,
            SendHalf::Done | SendHalf::Reset | SendHalf::Stopped { .. } => true,
        }
    }

    /// Whether the application still owes something: a response, or the end of the body.
    pub(crate) const fn is_open(&self) -> bool {
        match &self.half {
            SendHalf::Head { .. } | SendHalf::Connecting => true,
            SendHalf::Body(body) => body.end.is_none(),
            SendHalf::Messages(messages) => !messages.is_closing(),
            SendHalf::Done | SendHalf::Reset | SendHalf::Stopped { .. } => false,
        }
    }

    /// Why no body can be written, if so.
    pub(crate) const fn check(&self) -> Result<(), WriteError> {
        match &self.half {
            SendHalf::Body(body) if body.end.is_none() => Ok(()),
            SendHalf::Messages(messages) if !messages.is_closing() => Err(WriteError::WrongMode),
            SendHalf::Head { .. }
            | SendHalf::Connecting
            | SendHalf::Body(_)
            | SendHalf::Messages(_)
            | SendHalf::Done
            | SendHalf::Reset
            | SendHalf::Stopped { .. } => Err(self.refusal()),
        }
    }

    /// Why no message can be sent, if so.
    fn messages(&mut self) -> Result<&mut SendMessages, WriteError> {
        let refusal = match &self.half {
            SendHalf::Messages(messages) if !messages.is_closing() => None,
            SendHalf::Body(body) if body.end.is_none() => Some(WriteError::WrongMode),
            SendHalf::Head { .. }
            | SendHalf::Connecting
            | SendHalf::Body(_)
            | SendHalf::Messages(_)
            | SendHalf::Done
            | SendHalf::Reset
            | SendHalf::Stopped { .. } => Some(self.refusal()),
        };
        match (&mut self.half, refusal) {
            (SendHalf::Messages(messages), None) => Ok(messages),
            (_, refusal) => Err(refusal.unwrap_or(WriteError::WrongMode)),
        }
    }

    /// Why nothing at all can be written in this state.
    const fn refusal(&self) -> WriteError {
        match &self.half {
            SendHalf::Head { .. } => WriteError::NotResponded,
            SendHalf::Connecting => WriteError::NotOpen,
            SendHalf::Body(_) | SendHalf::Messages(_) | SendHalf::Done => WriteError::Finished,
            SendHalf::Reset => WriteError::Reset,
            SendHalf::Stopped { code } => WriteError::Stopped { code: *code },
        }
    }

    /// Takes note of a response; `Ok(false)` when it is one 1xx too many and better dropped.
    pub(crate) fn respond(&mut self, answer: Answer) -> Result<bool, WriteError> {
        let (half, outcome) = match std::mem::replace(&mut self.half, SendHalf::Reset) {
            SendHalf::Head {
                informational: sent,
            } if answer == Answer::Informational => {
                let send = sent < INFORMATIONAL_MAX;
                let informational = sent + u8::from(send);
                (SendHalf::Head { informational }, Ok(send))
            }
            SendHalf::Head { .. } => {
                let half = match answer {
                    Answer::WithoutBody => SendHalf::Done,
                    Answer::Accept => SendHalf::Messages(SendMessages::default()),
                    Answer::Informational | Answer::WithBody => SendHalf::Body(SendBody::default()),
                };
                (half, Ok(true))
            }
            half @ (SendHalf::Connecting
            | SendHalf::Body(_)
            | SendHalf::Messages(_)
            | SendHalf::Done) => (half, Err(WriteError::AlreadyResponded)),
            half @ SendHalf::Reset => (half, Err(WriteError::Reset)),
            half @ SendHalf::Stopped { code } => (half, Err(WriteError::Stopped { code })),
        };
        self.half = half;
        outcome
    }

    /// Takes what fits, advancing `data`.
    pub(crate) fn write(&mut self, data: &mut Bytes, limit: usize) -> Result<(), WriteError> {
        self.check()?;
        if let SendHalf::Body(body) = &mut self.half {
            let room = limit.saturating_sub(body.bytes).min(data.len());
            if room > 0 && body.chunks.len() < SEND_CHUNKS_MAX {
                body.bytes += room;
                body.chunks.push_back(data.split_to(room));
            }
        }
        Ok(())
    }

    /// The visitor's CONNECT was answered for good: messages may follow, or nothing (WSK-005).
    pub(crate) fn answered(&mut self, accepted: bool) {
        if matches!(self.half, SendHalf::Connecting) {
            self.half = match accepted {
                true => SendHalf::Messages(SendMessages::default()),
                false => SendHalf::Done,
            };
        }
    }

    /// Whether a message has begun and not ended; an error when none can be sent.
    pub(crate) fn message_has_begun(&mut self) -> Result<bool, WriteError> {
        self.messages().map(|messages| messages.has_begun())
    }

    /// Takes what fits of a message, advancing `data`; whether that was all of it.
    pub(crate) fn send_message(
        &mut self,
        kind: MessageKind,
        data: &mut Bytes,
        last: bool,
        limit: usize,
    ) -> Result<bool, WriteError> {
        self.messages()?.write(kind, data, last, limit)
    }

    /// Ends a WebSocket's half behind what waits.
    pub(crate) fn close(&mut self, close: Close) -> Result<(), WriteError> {
        self.messages()?.finish(MessagesEnd::Close(close));
        Ok(())
    }

    /// Ends the half by a RESET behind what waits; `false` when it has to go out at once.
    pub(crate) fn cut_off(&mut self, frame: Bytes) -> bool {
        match &mut self.half {
            SendHalf::Body(body) if body.end.is_none() => body.end = Some(BodyEnd::Cut(frame)),
            SendHalf::Messages(messages) if !messages.is_closing() => {
                messages.finish(MessagesEnd::Cut(frame));
            }
            SendHalf::Head { .. }
            | SendHalf::Connecting
            | SendHalf::Body(_)
            | SendHalf::Messages(_)
            | SendHalf::Done
            | SendHalf::Reset
            | SendHalf::Stopped { .. } => return false,
        }
        true
    }

    pub(crate) fn finish(&mut self, end: BodyEnd) -> Result<(), WriteError> {
        self.check()?;
        if let SendHalf::Body(body) = &mut self.half {
            body.end = Some(end);
        }
        Ok(())
    }

    /// Gives the half up; whether a RESET is due. What waits is dropped.
    pub(crate) fn reset(&mut self) -> bool {
        let due = !self.is_over();
        if due {
            self.half = SendHalf::Reset;
        }
        due
    }

    pub(crate) fn on_stop(&mut self, code: ErrorCode) -> StopAnswer {
        if self.is_over() {
            return StopAnswer::Nothing;
        }
        self.half = SendHalf::Stopped { code };
        StopAnswer::Reset
    }

    /// Absolute credit; a lower one than before is ignored (SES-041).
    pub(crate) fn on_credit(&mut self, max_bytes: u64) {
        self.credit = self.credit.max(max_bytes);
    }

    /// Whether half of the send buffer is free.
    pub(crate) fn has_room(&self, limit: usize) -> bool {
        match &self.half {
            SendHalf::Body(body) => {
                body.end.is_none()
                    && body.bytes <= limit / 2
                    && body.chunks.len() <= SEND_CHUNKS_MAX / 2
            }
            SendHalf::Messages(messages) => messages.has_room(limit),
            SendHalf::Head { .. }
            | SendHalf::Connecting
            | SendHalf::Done
            | SendHalf::Reset
            | SendHalf::Stopped { .. } => false,
        }
    }

    /// Whether the round of bodies should ask, the session's credit aside.
    pub(crate) fn can_send(&self) -> bool {
        match &self.half {
            SendHalf::Body(body) if body.bytes > 0 => self.sent < self.credit,
            SendHalf::Body(body) => body.end.is_some(),
            SendHalf::Messages(messages) => messages
                .needs()
                .is_some_and(|needs| needs <= self.credit - self.sent),
            SendHalf::Head { .. }
            | SendHalf::Connecting
            | SendHalf::Done
            | SendHalf::Reset
            | SendHalf::Stopped { .. } => false,
        }
    }

    /// The next body frame within `max_frame` bytes and the session's credit.
    pub(crate) fn next_frame(&mut self, id: StreamId, max_frame: usize, session: u64) -> NextFrame {
        if !self.can_send() {
            return NextFrame::Nothing;
        }
        let body = match &mut self.half {
            SendHalf::Body(body) => body,
            SendHalf::Messages(_) => return self.next_message(id, max_frame, session),
            SendHalf::Head { .. }
            | SendHalf::Connecting
            | SendHalf::Done
            | SendHalf::Reset
            | SendHalf::Stopped { .. } => return NextFrame::Nothing,
        };
        if body.bytes > 0 && session == 0 {
            return NextFrame::SessionBlocked;
        }
        // A body that is all sent ends with TRAILERS or an empty DATA_END.
        if body.bytes == 0 {
            let (frame, half) = match body.end.take() {
                Some(BodyEnd::Trailers(frame)) => (frame, SendHalf::Done),
                Some(BodyEnd::Cut(frame)) => (frame, SendHalf::Reset),
                Some(BodyEnd::Plain) | None => {
                    let frame = Header::new(FrameType::DataEnd, Some(id)).begin(0).freeze();
                    (frame, SendHalf::Done)
                }
            };
            self.half = half;
            return NextFrame::Frame { frame, body: 0 };
        }
        let room = max_frame - Header::new(FrameType::DataEnd, Some(id)).len();
        let credit = usize::try_from(session.min(self.credit - self.sent)).unwrap_or(usize::MAX);
        let count = body.bytes.min(room).min(credit);
        let last = count == body.bytes && body.end == Some(BodyEnd::Plain);
        let frame_type = if last {
            FrameType::DataEnd
        } else {
            FrameType::Data
        };
        let mut frame = Header::new(frame_type, Some(id)).begin(count);
        body.take(count, &mut frame);
        self.sent += count as u64;
        if last {
            self.half = SendHalf::Done;
        }
        NextFrame::Frame {
            frame: frame.freeze(),
            body: count,
        }
    }

    fn next_message(&mut self, id: StreamId, max_frame: usize, session: u64) -> NextFrame {
        let SendHalf::Messages(messages) = &mut self.half else {
            return NextFrame::Nothing;
        };
        if messages.needs().is_some_and(|needs| needs > session) {
            return NextFrame::SessionBlocked;
        }
        let credit = session.min(self.credit - self.sent);
        let Some((frame, body, end)) = messages.next_frame(id, max_frame, credit) else {
            return NextFrame::Nothing;
        };
        self.sent += body as u64;
        if let Some(half) = end {
            self.half = half;
        }
        NextFrame::Frame { frame, body }
    }

    /// Bytes that wait for the lane; those of messages with their charge (SES-040).
    pub(crate) const fn buffered(&self) -> usize {
        match &self.half {
            SendHalf::Body(body) => body.bytes,
            SendHalf::Messages(messages) => messages.charge(),
            SendHalf::Head { .. }
            | SendHalf::Connecting
            | SendHalf::Done
            | SendHalf::Reset
            | SendHalf::Stopped { .. } => 0,
        }
    }

    #[cfg(test)]
    pub(crate) const fn half(&self) -> &SendHalf {
        &self.half
    }
}

impl SendBody {
    /// Copies exactly `count` bytes, which must be there: the one copy of a body on its way out.
    fn take(&mut self, count: usize, out: &mut impl BufMut) {
        let mut left = count;
        while left > 0 {
            let Some(chunk) = self.chunks.front_mut() else {
                break;
            };
            let part = chunk.split_to(left.min(chunk.len()));
            left -= part.len();
            if chunk.is_empty() {
                self.chunks.pop_front();
            }
            out.put_slice(&part);
        }
        self.bytes -= count;
    }
}
