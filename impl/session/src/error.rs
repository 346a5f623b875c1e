use std::fmt;

use crate::head::MessageError;

/// A code of the registry `spec/registries/error-codes.csv`, as RESET, STOP and GOAWAY carry it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ErrorCode(u64);

/// Whose fault an error is, seen from this end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The other end broke the protocol or failed.
    Peer,
    /// This end broke the protocol or failed.
    Own,
    /// The HTTP server behind the agent.
    Upstream,
    /// The application asked for it.
    Caller,
    /// A limit was reached.
    Limit,
}

// The registered codes, their names and faults stand in registry.rs.
impl ErrorCode {
    /// The code with this number, registered or not.
    pub const fn new(code: u64) -> Self {
        Self(code)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            "UNKNOWN" => write!(f, "code {:#x}", self.0),
            name => f.write_str(name),
        }
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Fault {
    /// The same fault, seen from the other end.
    pub(crate) const fn mirrored(self) -> Self {
        match self {
            Self::Peer => Self::Own,
            Self::Own => Self::Peer,
            Self::Upstream => Self::Upstream,
            Self::Caller => Self::Peer,
            Self::Limit => Self::Limit,
        }
    }
}

/// Why the session is over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("session over ({code}): {reason}")]
pub struct SessionError {
    /// Code of the GOAWAY that was sent or received.
    pub code: ErrorCode,
    /// What happened, for people.
    pub reason: String,
    /// Whose fault it is, seen from this end.
    pub fault: Fault,
}

impl SessionError {
    pub(crate) fn own(code: ErrorCode, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
            fault: code.fault(),
        }
    }

    pub(crate) fn received(code: ErrorCode, reason: String) -> Self {
        Self {
            code,
            reason,
            fault: code.fault().mirrored(),
        }
    }
}

/// Why a stream could not be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The agent's `max_streams` are open; try again when one has ended.
    #[error("as many streams as the agent allows are open")]
    TooManyStreams,
    /// One end has sent GOAWAY; open the stream in another session.
    #[error("the session is going away")]
    GoingAway,
    /// The session is over.
    #[error("the session is closed")]
    Closed,
    /// The head does not fit into one frame: HTTP 431 (SES-038).
    #[error("the request head does not fit into one frame")]
    HeadTooLarge,
    /// Only a visitor opens streams.
    #[error("only a visitor opens streams")]
    WrongRole,
    /// The head breaks a rule of HTTP.
    #[error("invalid request: {0}")]
    Message(#[from] MessageError),
}

/// Why a stream does not take what the application wants to send.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The peer asked for no more.
    #[error("the peer wants no more of this body ({code})")]
    Stopped {
        /// Code of the peer's STOP.
        code: ErrorCode,
    },
    /// This end has reset its half of the stream.
    #[error("this half of the stream was reset")]
    Reset,
    /// No such stream, or not any more.
    #[error("no such stream")]
    UnknownStream,
    /// The body is already finished.
    #[error("the body is already finished")]
    Finished,
    /// The session is over.
    #[error("the session is closed")]
    Closed,
    /// The head or the trailers do not fit into one frame (SES-038).
    #[error("the head does not fit into one frame")]
    HeadTooLarge,
    /// An agent writes a body only behind its final response.
    #[error("no final response has been given yet")]
    NotResponded,
    /// The final response was given before.
    #[error("the final response has been given already")]
    AlreadyResponded,
    /// Only an agent responds.
    #[error("only an agent responds")]
    WrongRole,
    /// The WebSocket was not accepted yet (WSK-005).
    #[error("the WebSocket is not open yet")]
    NotOpen,
    /// A body was written to a WebSocket, or a message to an exchange without one.
    #[error("WebSockets carry messages, and other exchanges bodies")]
    WrongMode,
    /// The bytes of a text message are not UTF-8 (WSK-012).
    #[error("the text is not UTF-8")]
    NotUtf8,
    /// A message of another kind has not ended yet (WSK-014).
    #[error("a message of the other kind has not ended yet")]
    WithinMessage,
    /// The head or the trailers break a rule of HTTP.
    #[error("invalid message: {0}")]
    Message(#[from] MessageError),
}

/// Why a stream has nothing to read, now and later.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The body was cut off; what was read so far is not all of it (SES-023).
    #[error("the body was cut off ({code}): {reason}")]
    Reset {
        /// Code of the RESET, or of the rule that the peer broke.
        code: ErrorCode,
        /// What happened, for people.
        reason: String,
    },
    /// The session ended before the body did, or this end stopped the body.
    #[error("the stream is closed")]
    Closed,
    /// No such stream, or not any more.
    #[error("no such stream")]
    UnknownStream,
}
