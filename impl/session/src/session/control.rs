//! What goes out before bodies (SES-080).

use std::collections::VecDeque;

use bytes::Bytes;
use p2claw_proto::v1 as proto;

use super::{Session, reason_cut};
use crate::config::Grease;
use crate::frame::{Frame, FrameType, Header, grease};
use crate::limits::{PONGS_MAX, REASON_MAX};
use crate::{ErrorCode, StreamId};

/// A frame of a stream that waits before the bodies of its lane, in order with its like.
#[derive(Debug)]
pub(super) enum Control {
    /// REQUEST or RESPONSE, encoded.
    Head(StreamId, Bytes),
    /// The amount is settled when the frame leaves.
    Credit(StreamId),
    Reset {
        id: StreamId,
        code: ErrorCode,
        reason: String,
    },
    Stop {
        id: StreamId,
        code: ErrorCode,
    },
    /// RESET and STOP for a stream that is not kept.
    Refuse {
        id: StreamId,
        code: ErrorCode,
        reason: String,
    },
    /// Second half of a refusal.
    RefuseStop {
        id: StreamId,
        code: ErrorCode,
    },
}

impl Control {
    pub(super) const fn stream(&self) -> StreamId {
        match self {
            Self::Head(id, _)
            | Self::Credit(id)
            | Self::Reset { id, .. }
            | Self::Stop { id, .. }
            | Self::Refuse { id, .. }
            | Self::RefuseStop { id, .. } => *id,
        }
    }
}

/// One lane.
///
/// Its control queue holds, for each stream that is kept, at most INFORMATIONAL_MAX + 1 heads, one
/// CREDIT, one RESET and one STOP, and REFUSALS_MAX refusals; the round has each stream once.
#[derive(Debug, Default)]
pub(super) struct Lane {
    pub(super) control: VecDeque<Control>,
    pub(super) refusals: usize,
    /// Streams with body bytes and credit, one frame each turn (SES-081).
    pub(super) round: VecDeque<StreamId>,
    /// Streams that wait for the session's credit.
    pub(super) starved: VecDeque<StreamId>,
    /// Highest stream that was opened here.
    pub(super) opened: u64,
}

impl Lane {
    pub(super) fn is_idle(&self) -> bool {
        self.control.is_empty() && self.round.is_empty() && self.starved.is_empty()
    }

    pub(super) fn forget(&mut self, id: StreamId) {
        self.round.retain(|other| *other != id);
        self.starved.retain(|other| *other != id);
    }

    pub(super) fn feed(&mut self) {
        self.round.append(&mut self.starved);
    }
}

/// Frames of the session itself, all on lane 0 (SES-009). Bounded: one of each, and PONGS_MAX.
#[derive(Debug)]
pub(super) struct SessionControl {
    hello: Option<Bytes>,
    grease: Option<Bytes>,
    go_away: Option<Bytes>,
    pongs: VecDeque<u64>,
    pub(super) ping: Option<u64>,
    pub(super) credit: bool,
}

impl SessionControl {
    pub(super) fn new(hello: Bytes, grease_seed: Option<u64>) -> Self {
        // SES-091
        let grease = grease_seed.map(|seed| {
            let mut numbers = Grease(!seed);
            let frame = Frame::Unknown {
                frame_type: grease(numbers.small()),
                stream: 0,
                payload: Bytes::copy_from_slice(&numbers.small().to_be_bytes()),
            };
            frame.encode()
        });
        Self {
            hello: Some(hello),
            grease,
            go_away: None,
            pongs: VecDeque::new(),
            ping: None,
            credit: false,
        }
    }

    pub(super) fn go_away(&mut self, code: ErrorCode, last_stream: u64, mut reason: String) {
        reason_cut(&mut reason, REASON_MAX);
        let payload = proto::GoAway {
            code: code.get(),
            last_stream,
            reason,
        };
        self.go_away = Some(Header::new(FrameType::GoAway, None).message(&payload));
    }

    /// Whether there was room.
    #[must_use]
    pub(super) fn pong(&mut self, token: u64) -> bool {
        let room = self.pongs.len() < PONGS_MAX;
        if room {
            self.pongs.push_back(token);
        }
        room
    }

    /// Only HELLO and GOAWAY still go out.
    pub(super) fn close(&mut self) {
        self.grease = None;
        self.pongs.clear();
        self.ping = None;
        self.credit = false;
    }

    pub(super) fn is_idle(&self) -> bool {
        self.hello.is_none()
            && self.grease.is_none()
            && self.go_away.is_none()
            && self.pongs.is_empty()
            && self.ping.is_none()
    }

    /// The next frame but CREDIT.
    pub(super) fn next(&mut self) -> Option<Bytes> {
        let first = self
            .hello
            .take()
            .or_else(|| self.grease.take())
            .or_else(|| self.go_away.take());
        if first.is_some() {
            return first;
        }
        if let Some(token) = self.pongs.pop_front() {
            return Some(Frame::Pong { token }.encode());
        }
        self.ping.take().map(|token| Frame::Ping { token }.encode())
    }
}

impl Session {
    /// Queues a frame of a stream that is kept.
    pub(super) fn queue_control(&mut self, id: StreamId, control: Control) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.control += 1;
            self.lanes[stream.lane.index()].control.push_back(control);
        }
    }

    pub(super) fn queue_credit(&mut self, id: StreamId) {
        if self.closed.is_none()
            && let Some(stream) = self.streams.get_mut(&id)
            && !stream.credit_queued
        {
            stream.credit_queued = true;
            self.queue_control(id, Control::Credit(id));
        }
    }

    /// Puts a stream into the round of its lane if it has something to send.
    pub(super) fn schedule(&mut self, id: StreamId) {
        if let Some(stream) = self.streams.get_mut(&id)
            && !stream.queued
            && stream.send.can_send()
        {
            stream.queued = true;
            self.lanes[stream.lane.index()].round.push_back(id);
        }
    }
}
