//! What WebSockets add to a session: kinds of messages and the close (spec/v1/websocket.md).

use p2claw_proto::v1 as proto;

use crate::frame::FrameType;
use crate::limits::CLOSE_REASON_MAX;
use crate::registry::close_code;

/// Fields that belong to one connection, and never travel in the heads of a WebSocket (WSK-002).
pub(crate) const NOT_IN_WEBSOCKET: &[&str] = &[
    "sec-websocket-key",
    "sec-websocket-accept",
    "sec-websocket-version",
    "sec-websocket-extensions",
    "content-length",
];

/// Field that names the subprotocols (RFC 6455 section 11.3.4).
pub(crate) const SUBPROTOCOL: &str = "sec-websocket-protocol";

/// What a message holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// UTF-8 (WSK-012).
    Text,
    /// Any bytes.
    Binary,
}

impl MessageKind {
    pub(crate) const fn frame_type(self, last: bool) -> FrameType {
        match (self, last) {
            (Self::Text, true) => FrameType::WsText,
            (Self::Text, false) => FrameType::WsTextPart,
            (Self::Binary, true) => FrameType::WsBinary,
            (Self::Binary, false) => FrameType::WsBinaryPart,
        }
    }
}

/// How an end closes a WebSocket (RFC 6455 section 7; WSK-020).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Close {
    code: u16,
    reason: String,
}

/// Why a close cannot travel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloseError {
    /// Reserved, or out of range.
    #[error("the close code {0} is none that travels: use 1000, or one from 3000 to 4999")]
    Code(u32),
    /// Longer than RFC 6455 section 5.5 allows.
    #[error("the close reason has {0} bytes, where {CLOSE_REASON_MAX} are allowed")]
    Reason(usize),
    /// A reason needs a code.
    #[error("a close reason without a code")]
    ReasonWithoutCode,
}

impl Close {
    /// A close without code and reason, which applications see as 1005.
    pub const NONE: Self = Self {
        code: 0,
        reason: String::new(),
    };

    /// A close with a code from 1000 to 4999 that may travel, and at most 123 bytes of reason.
    pub fn new(code: u16, reason: impl Into<String>) -> Result<Self, CloseError> {
        let reason = reason.into();
        if !travels(code) {
            return Err(CloseError::Code(code.into()));
        }
        if reason.len() > CLOSE_REASON_MAX {
            return Err(CloseError::Reason(reason.len()));
        }
        Ok(Self { code, reason })
    }

    /// The code, `None` if there is none.
    pub const fn code(&self) -> Option<u16> {
        match self.code {
            0 => None,
            code => Some(code),
        }
    }

    /// Why, in the application's words; often empty.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    pub(crate) fn from_wire(close: proto::WsClose) -> Result<Self, CloseError> {
        match u16::try_from(close.code) {
            Ok(0) if close.reason.is_empty() => Ok(Self::NONE),
            Ok(0) => Err(CloseError::ReasonWithoutCode),
            Ok(code) => Self::new(code, close.reason),
            Err(_) => Err(CloseError::Code(close.code)),
        }
    }

    pub(crate) fn into_wire(self) -> proto::WsClose {
        proto::WsClose {
            code: self.code.into(),
            reason: self.reason,
        }
    }
}

/// RFC 6455 section 7.4.2: codes below 1000 are unused, those up to 2999 are given out by the
/// registry, and the rest are for libraries and applications.
fn travels(code: u16) -> bool {
    close_code::TRAVEL.contains(&code) || close_code::OTHERS.contains(&code)
}
