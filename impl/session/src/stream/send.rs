use std::collections::VecDeque;

use bytes::{BufMut, Bytes};

use crate::frame::{FrameType, Header};
use crate::limits::{INFORMATIONAL_MAX, SEND_CHUNKS_MAX};
use crate::{ErrorCode, StreamId, WriteError};

/// How a body ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BodyEnd {
    /// DATA_END.
    Plain,
    /// This TRAILERS frame.
    Trailers(Bytes),
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
#[derive(Debug)]
pub(crate) enum SendHalf {
    /// The agent owes the final response.
    Head { informational: u8 },
    /// The body goes out.
    Body(SendBody),
    /// The end of the body was sent.
    Done,
    /// This end gave up.
    Reset,
    /// The peer wanted no more.
    Stopped { code: ErrorCode },
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
    /// A frame with so many body bytes.
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
            SendHalf::Head { .. } | SendHalf::Body(_) => false,
            SendHalf::Done | SendHalf::Reset | SendHalf::Stopped { .. } => true,
        }
    }

    /// Whether the application still owes something: a response, or the end of the body.
    pub(crate) const fn is_open(&self) -> bool {
        match &self.half {
            SendHalf::Head { .. } => true,
            SendHalf::Body(body) => body.end.is_none(),
            SendHalf::Done | SendHalf::Reset | SendHalf::Stopped { .. } => false,
        }
    }

    /// Why nothing can be written, if so.
    pub(crate) const fn check(&self) -> Result<(), WriteError> {
        match &self.half {
            SendHalf::Head { .. } => Err(WriteError::NotResponded),
            SendHalf::Body(body) if body.end.is_some() => Err(WriteError::Finished),
            SendHalf::Body(_) => Ok(()),
            SendHalf::Done => Err(WriteError::Finished),
            SendHalf::Reset => Err(WriteError::Reset),
            SendHalf::Stopped { code } => Err(WriteError::Stopped { code: *code }),
        }
    }

    /// Takes note of a response; `Ok(false)` when it is one 1xx too many and better dropped.
    pub(crate) fn respond(&mut self, informational: bool, end: bool) -> Result<bool, WriteError> {
        let (half, outcome) = match std::mem::replace(&mut self.half, SendHalf::Reset) {
            SendHalf::Head {
                informational: sent,
            } if informational => {
                let send = sent < INFORMATIONAL_MAX;
                let informational = sent + u8::from(send);
                (SendHalf::Head { informational }, Ok(send))
            }
            SendHalf::Head { .. } if end => (SendHalf::Done, Ok(true)),
            SendHalf::Head { .. } => (SendHalf::Body(SendBody::default()), Ok(true)),
            half @ (SendHalf::Body(_) | SendHalf::Done) => {
                (half, Err(WriteError::AlreadyResponded))
            }
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
            SendHalf::Head { .. } | SendHalf::Done | SendHalf::Reset | SendHalf::Stopped { .. } => {
                false
            }
        }
    }

    /// Whether the round of bodies should ask, the session's credit aside.
    pub(crate) const fn can_send(&self) -> bool {
        match &self.half {
            SendHalf::Body(body) if body.bytes > 0 => self.sent < self.credit,
            SendHalf::Body(body) => body.end.is_some(),
            SendHalf::Head { .. } | SendHalf::Done | SendHalf::Reset | SendHalf::Stopped { .. } => {
                false
            }
        }
    }

    /// The next body frame within `max_frame` bytes and the session's credit.
    pub(crate) fn next_frame(&mut self, id: StreamId, max_frame: usize, session: u64) -> NextFrame {
        if !self.can_send() {
            return NextFrame::Nothing;
        }
        let SendHalf::Body(body) = &mut self.half else {
            return NextFrame::Nothing;
        };
        if body.bytes > 0 && session == 0 {
            return NextFrame::SessionBlocked;
        }
        // A body that is all sent ends with TRAILERS or an empty DATA_END.
        if body.bytes == 0 {
            let frame = match body.end.take() {
                Some(BodyEnd::Trailers(frame)) => frame,
                Some(BodyEnd::Plain) | None => {
                    Header::new(FrameType::DataEnd, Some(id)).begin(0).freeze()
                }
            };
            self.half = SendHalf::Done;
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

    /// Bytes that wait for the lane.
    pub(crate) const fn buffered(&self) -> usize {
        match &self.half {
            SendHalf::Body(body) => body.bytes,
            SendHalf::Head { .. } | SendHalf::Done | SendHalf::Reset | SendHalf::Stopped { .. } => {
                0
            }
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
