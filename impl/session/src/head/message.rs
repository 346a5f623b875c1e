use bytes::Bytes;
use p2claw_proto::v1 as proto;

use super::{FieldError, Fields, Target, TargetError, is_token_byte};
use crate::stream::Answer;
use crate::websocket::{NOT_IN_WEBSOCKET, SUBPROTOCOL};

/// Head of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// A token such as `GET`. `CONNECT` opens a WebSocket (SES-033).
    pub method: String,
    /// Path and query.
    pub target: Target,
    /// Fields, without `host` (SES-035).
    pub fields: Fields,
    /// No body follows.
    pub end: bool,
    /// With `CONNECT` only: [`WEBSOCKET`], or another protocol that the agent may not know.
    pub protocol: Option<String>,
}

/// The protocol of a WebSocket in an extended CONNECT (RFC 8441 section 5).
pub const WEBSOCKET: &str = "websocket";

/// Head of a response, informational (1xx) or final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// 100 to 599, not 101 (SES-021).
    pub status: u16,
    /// Fields.
    pub fields: Fields,
    /// No body follows.
    pub end: bool,
}

/// Why a head is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Not a token.
    #[error("the method is no token")]
    Method,
    /// CONNECT without a protocol or with `end`, or another method with a protocol (SES-033).
    #[error("CONNECT comes with a protocol and without end, and no other method has a protocol")]
    Connect,
    /// The response to a WebSocket is a success other than 200, or says that nothing follows (WSK-006).
    #[error("a WebSocket is accepted by status 200 alone, and without end")]
    Accept,
    /// A subprotocol that the visitor did not ask for (WSK-006).
    #[error("the subprotocol is none that was asked for")]
    Subprotocol,
    /// Not origin-form.
    #[error("{0}")]
    Target(#[from] TargetError),
    /// `*` with another method than OPTIONS.
    #[error("the target `*` belongs to OPTIONS")]
    Asterisk,
    /// A field breaks a rule.
    #[error("{0}")]
    Field(#[from] FieldError),
    /// Outside 100 to 599, or 101.
    #[error("the status {0} is none that travels here")]
    Status(u32),
    /// A 1xx response that says no body follows, though the final response must.
    #[error("an informational response cannot be the last")]
    InformationalEnd,
    /// No body follows, but `content-length` promises one (SES-037).
    #[error("content-length promises a body, but none follows")]
    MissingBody,
}

/// How long the body that follows a head must be (SES-037).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyLength {
    /// Any length.
    Any,
    /// As `content-length` says; 0 where HTTP allows no content.
    Exactly(u64),
}

impl Request {
    /// Checks what the types of the parts do not say already.
    pub fn validate(&self) -> Result<(), MessageError> {
        if self.method.is_empty() || !self.method.bytes().all(is_token_byte) {
            return Err(MessageError::Method);
        }
        // SES-033
        let connect = self.method == "CONNECT";
        if connect != self.protocol.is_some() || connect && self.end {
            return Err(MessageError::Connect);
        }
        if self.is_websocket() {
            for name in NOT_IN_WEBSOCKET {
                self.fields.forbid(name)?;
            }
        }
        if self.target.is_asterisk() && self.method != "OPTIONS" {
            return Err(MessageError::Asterisk);
        }
        self.fields.forbid("host")?;
        if self.end
            && self
                .fields
                .content_length()?
                .is_some_and(|length| length > 0)
        {
            return Err(MessageError::MissingBody);
        }
        self.fields.content_length()?;
        Ok(())
    }

    /// Whether it asks for a WebSocket (WSK-001).
    pub fn is_websocket(&self) -> bool {
        self.protocol.as_deref() == Some(WEBSOCKET)
    }

    /// Subprotocols that a WebSocket asks for, `None` for another exchange.
    ///
    /// Lists as they came: a list may be long, and only one name of it counts.
    pub(crate) fn subprotocols(&self) -> Option<Vec<Bytes>> {
        let lists = self.fields.get_all(SUBPROTOCOL).cloned();
        self.protocol.as_ref().map(|_| lists.collect())
    }

    pub(crate) fn body_length(&self) -> BodyLength {
        match self.fields.content_length() {
            Ok(Some(length)) => BodyLength::Exactly(length),
            Ok(None) | Err(_) => BodyLength::Any,
        }
    }

    pub(crate) fn from_wire(head: proto::Request) -> Result<Self, MessageError> {
        let request = Self {
            method: head.method,
            target: Target::try_from(head.target)?,
            fields: Fields::from_wire(head.fields)?,
            end: head.end,
            protocol: Some(head.protocol).filter(|protocol| !protocol.is_empty()),
        };
        request.validate()?;
        Ok(request)
    }

    pub(crate) fn into_wire(self) -> proto::Request {
        proto::Request {
            method: self.method,
            target: self.target.into_string(),
            fields: self.fields.into_wire(),
            end: self.end,
            protocol: self.protocol.unwrap_or_default(),
        }
    }
}

impl Response {
    /// What it means for the stream; `accepts` is [`Self::accepts`].
    pub(crate) const fn answer(&self, accepts: bool) -> Answer {
        match (self.is_informational(), self.end) {
            _ if accepts => Answer::Accept,
            (true, _) => Answer::Informational,
            (false, true) => Answer::WithoutBody,
            (false, false) => Answer::WithBody,
        }
    }

    /// Whether it opens the WebSocket that a request asked for (WSK-003), checked against the
    /// subprotocols of the request.
    pub(crate) fn accepts(&self, asked: &[Bytes]) -> Result<bool, MessageError> {
        if self.is_informational() || self.status >= 300 {
            return Ok(false);
        }
        // WSK-006
        if self.status != 200 || self.end {
            return Err(MessageError::Accept);
        }
        for name in NOT_IN_WEBSOCKET {
            self.fields.forbid(name)?;
        }
        let mut chosen = self.fields.get_all(SUBPROTOCOL);
        match (chosen.next(), chosen.next()) {
            (None, _) => Ok(true),
            (Some(one), None)
                if asked
                    .iter()
                    .flat_map(|list| list.split(|byte| *byte == b','))
                    .any(|name| name.trim_ascii() == &one[..]) =>
            {
                Ok(true)
            }
            (Some(_), _) => Err(MessageError::Subprotocol),
        }
    }

    /// Whether a further response follows.
    pub const fn is_informational(&self) -> bool {
        self.status < 200
    }

    /// Checks what the types of the parts do not say already.
    pub fn validate(&self) -> Result<(), MessageError> {
        if !(100..600).contains(&self.status) || self.status == 101 {
            return Err(MessageError::Status(self.status.into()));
        }
        if self.is_informational() && self.end {
            return Err(MessageError::InformationalEnd);
        }
        self.fields.content_length()?;
        Ok(())
    }

    /// RFC 9110 section 6.4.1: no content for HEAD, 204 and 304, whatever `content-length` says.
    pub(crate) fn body_length(&self, to_head: bool) -> BodyLength {
        if to_head || matches!(self.status, 204 | 304) {
            return BodyLength::Exactly(0);
        }
        match self.fields.content_length() {
            Ok(Some(length)) => BodyLength::Exactly(length),
            Ok(None) | Err(_) => BodyLength::Any,
        }
    }

    pub(crate) fn from_wire(head: proto::Response) -> Result<Self, MessageError> {
        let response = Self {
            status: u16::try_from(head.status).map_err(|_| MessageError::Status(head.status))?,
            fields: Fields::from_wire(head.fields)?,
            end: head.end,
        };
        response.validate()?;
        Ok(response)
    }

    pub(crate) fn into_wire(self) -> proto::Response {
        proto::Response {
            status: self.status.into(),
            fields: self.fields.into_wire(),
            end: self.end,
        }
    }
}
