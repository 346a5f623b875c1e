//! What both ends of the control link have in common: envelopes, queues, timers, errors.

use crate::code;
use crate::limits::{LINK_QUEUE, MAX_ENVELOPE, MAX_TEXT};
use crate::registry::{GREASE_FIRST, GREASE_STEP};
use bytes::Bytes;
use p2claw_identity::statement::StatementError;
use p2claw_proto::v1::envelope::Kind;
use p2claw_proto::v1::{self, Envelope, SignalCode};
use prost::Message;
use std::collections::VecDeque;
use std::time::Instant;

/// Why a link is over. Its last words are in the transmit queue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// The peer sent a message of more than 64 KiB.
    #[error("take a message of {0} bytes: the peer must stay below 64 KiB")]
    TooLarge(usize),
    /// The peer sent bytes that are no envelope, or a field that breaks a rule.
    #[error("read the message: {0}")]
    Malformed(&'static str),
    /// The peer sent a known kind of message before the link was registered.
    #[error("take {kind} while {state}: the peer does not follow the order of registration")]
    Unexpected {
        /// Kind of the message.
        kind: &'static str,
        /// What this end was waiting for.
        state: &'static str,
    },
    /// No version in common.
    #[error("find a common version: the peer speaks {0:?} and this end 1, so update one of them")]
    Version(Vec<u32>),
    /// The challenge is bound to another domain than this agent was told to register with.
    #[error(
        "register with coord {got:?}: this agent was sent to {expected:?}; start coord with \
         --domain {expected}, or give this agent coord's own address"
    )]
    WrongDomain {
        /// Domain that the agent expects.
        expected: String,
        /// Domain in the challenge.
        got: String,
    },
    /// The peer's signed statement was refused.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// The peer sends faster than this end is ready to read.
    #[error("keep up: the peer sends more than 128 messages a second")]
    Overload,
    /// The driver of this end does not drain the link.
    #[error("queue another message: the driver must poll the link after each call")]
    Backlog,
}

impl LinkError {
    /// The code that the peer is told.
    #[must_use]
    pub fn code(&self) -> SignalCode {
        match self {
            Self::TooLarge(_) | Self::Malformed(_) => SignalCode::Malformed,
            Self::Unexpected { .. } => SignalCode::Unexpected,
            Self::Version(_) => SignalCode::Version,
            Self::WrongDomain { .. } => SignalCode::WrongDomain,
            Self::Statement(error) => code::for_statement(error),
            Self::Overload => SignalCode::Limit,
            Self::Backlog => SignalCode::Internal,
        }
    }
}

/// Why a message could not be queued. The link itself goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The link is not registered, or no longer.
    #[error("send on a link that is not registered: wait for the next registration")]
    NotRegistered,
    /// 256 messages are waiting.
    #[error("queue another message: 256 are waiting, so drain poll_transmit first")]
    Full,
    /// The message would be longer than 64 KiB.
    #[error("send a message of {0} bytes: 64 KiB is the limit")]
    TooLarge(usize),
}

/// Messages on their way out, numbered.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    sent: u64,
    queue: VecDeque<Bytes>,
}

impl Outbox {
    /// Queues a message and returns its number.
    pub(crate) fn send(&mut self, re: u64, kind: Kind) -> Result<u64, SendError> {
        if self.queue.len() >= LINK_QUEUE {
            return Err(SendError::Full);
        }
        let seq = self.sent + 1;
        let envelope = Envelope {
            seq,
            re,
            kind: Some(kind),
        };
        let length = envelope.encoded_len();
        if length > MAX_ENVELOPE {
            return Err(SendError::TooLarge(length));
        }
        self.sent = seq;
        self.queue.push_back(envelope.encode_to_vec().into());
        Ok(seq)
    }

    /// Queues an error, which nobody answers and which therefore has no number (spec SIG-004).
    pub(crate) fn send_error(
        &mut self,
        re: u64,
        code: SignalCode,
        detail: &str,
    ) -> Result<(), SendError> {
        if self.queue.len() >= LINK_QUEUE {
            return Err(SendError::Full);
        }
        self.queue.push_back(error_envelope(re, code, detail));
        Ok(())
    }

    /// Queues the last message of a link, whatever else is waiting.
    pub(crate) fn last_words(&mut self, kind: Kind) {
        self.sent += 1;
        let envelope = Envelope {
            seq: self.sent,
            re: 0,
            kind: Some(kind),
        };
        self.queue.push_back(envelope.encode_to_vec().into());
    }

    /// Queues the error that ends a link, whatever else is waiting.
    pub(crate) fn last_error(&mut self, re: u64, code: SignalCode, detail: &str) {
        self.queue.push_back(error_envelope(re, code, detail));
    }

    /// Queues a message of a kind that does not exist, to see that the peer lives with it.
    pub(crate) fn send_grease(&mut self, random: u64) -> Result<(), SendError> {
        if self.queue.len() >= LINK_QUEUE {
            return Err(SendError::Full);
        }
        self.sent += 1;
        // Field numbers of the form 0x1f * N + 0x21 are never given to a kind (spec SIG-005).
        let field = GREASE_STEP * (random % 1000) + GREASE_FIRST;
        let mut bytes = Envelope {
            seq: self.sent,
            re: 0,
            kind: None,
        }
        .encode_to_vec();
        prost::encoding::encode_varint(field << 3 | 2, &mut bytes);
        bytes.push(0);
        self.queue.push_back(bytes.into());
        Ok(())
    }

    pub(crate) fn poll(&mut self) -> Option<Bytes> {
        self.queue.pop_front()
    }
}

fn error_envelope(re: u64, code: SignalCode, detail: &str) -> Bytes {
    let error = v1::Error {
        code: code.into(),
        detail: clip(detail),
    };
    let envelope = Envelope {
        seq: 0,
        re,
        kind: Some(Kind::Error(error)),
    };
    envelope.encode_to_vec().into()
}

/// Reads one WebSocket message.
pub(crate) fn decode(bytes: &[u8]) -> Result<Envelope, LinkError> {
    if bytes.len() > MAX_ENVELOPE {
        return Err(LinkError::TooLarge(bytes.len()));
    }
    Envelope::decode(bytes).map_err(|_| LinkError::Malformed("it is no envelope of p2claw v1"))
}

/// Free text from the peer or for it, cut to 256 bytes and without control characters.
pub(crate) fn clip(text: &str) -> String {
    let mut clipped = String::new();
    for c in text.chars() {
        if clipped.len() + c.len_utf8() > MAX_TEXT {
            break;
        }
        clipped.push(if c.is_control() { ' ' } else { c });
    }
    clipped
}

/// The name of a kind, for errors and logs.
pub(crate) fn kind_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Challenge(_) => "Challenge",
        Kind::Hello(_) => "Hello",
        Kind::Welcome(_) => "Welcome",
        Kind::RouteAnnounce(_) => "RouteAnnounce",
        Kind::RouteAck(_) => "RouteAck",
        Kind::VisitOffer(_) => "VisitOffer",
        Kind::VisitAnswer(_) => "VisitAnswer",
        Kind::Candidate(_) => "Candidate",
        Kind::VisitEnd(_) => "VisitEnd",
        Kind::Goodbye(_) => "Goodbye",
        Kind::Revoke(_) => "Revoke",
        Kind::ReplacedByNewer(_) => "ReplacedByNewer",
        Kind::Heartbeat(_) => "Heartbeat",
        Kind::HeartbeatAck(_) => "HeartbeatAck",
        Kind::Error(_) => "Error",
        Kind::IceServers(_) => "IceServers",
    }
}

/// Everything on a link that happens by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Timer {
    /// Registration has taken too long.
    Handshake,
    /// The agent shows that it is there.
    Heartbeat,
    /// Nothing has come for too long.
    Silence,
}

impl Timer {
    const ALL: [Self; 3] = [Self::Handshake, Self::Heartbeat, Self::Silence];
}

/// When each timer goes off.
#[derive(Debug, Default)]
pub(crate) struct Timers([Option<Instant>; Timer::ALL.len()]);

impl Timers {
    pub(crate) fn set(&mut self, timer: Timer, at: Instant) {
        self.0[timer as usize] = Some(at);
    }

    pub(crate) fn stop(&mut self, timer: Timer) {
        self.0[timer as usize] = None;
    }

    pub(crate) fn clear(&mut self) {
        self.0 = [None; Timer::ALL.len()];
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.0.iter().flatten().min().copied()
    }

    /// Stops and returns one timer that has gone off.
    pub(crate) fn take_expired(&mut self, now: Instant) -> Option<Timer> {
        let timer = Timer::ALL
            .into_iter()
            .find(|timer| self.0[*timer as usize].is_some_and(|at| at <= now))?;
        self.stop(timer);
        Some(timer)
    }
}
