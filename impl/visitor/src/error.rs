//! Why a visit did not come about, for people.

use std::sync::Arc;

use http::StatusCode;
use p2claw_agent::{StateError, transport::TransportError};
use p2claw_identity::{PeerId, statement::StatementError};
use p2claw_session::SessionError;
use p2claw_signaling::{
    SignalCode, code, event_stream::EventStreamError, sdp::SdpError, visitor::VisitError,
};

use crate::AddressError;

/// What the service behind an address did wrong, or said.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// No connection, or none that lasted.
    #[error("{0}")]
    Unreachable(String),
    /// It refused, with its code.
    #[error("{name}{}", colon(.detail), name = code::name(*.code))]
    Refused {
        /// Why.
        code: SignalCode,
        /// Why, for people; plain text.
        detail: String,
    },
    /// An HTTP status that means nothing here.
    #[error("it answered {0}, as no service of p2claw does")]
    Status(StatusCode),
    /// A visit's stream that cannot be read.
    #[error(transparent)]
    Stream(EventStreamError),
    /// An answer that cannot be read.
    #[error("{0}")]
    Nonsense(&'static str),
}

fn colon(detail: &str) -> String {
    match detail {
        "" => String::new(),
        detail => format!(": {detail}"),
    }
}

/// Why there is no session with an app. Each is a fragment that fits after "failed to", and says
/// what to do.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum VisitorError {
    /// The address cannot be used.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The pins cannot be used.
    #[error(transparent)]
    Pins(#[from] Arc<StateError>),
    /// The service that introduces visitors does not do so.
    #[error("reach the service at {origin}: {reason}{}", hint(.reason))]
    Service {
        /// Where it should be.
        origin: String,
        /// What is wrong.
        reason: ServiceError,
    },
    /// The visit was refused or ended before a session came of it.
    #[error("{}", refused(*.code, .detail, .address))]
    Refused {
        /// What was visited.
        address: String,
        /// Why.
        code: SignalCode,
        /// Why, for people.
        detail: String,
    },
    /// Another key than the expected one answered (`IDN-018`).
    #[error("{}", changed_key(.0))]
    ChangedKey(Box<ChangedKey>),
    /// The agent's answer failed another check (`IDN-018`).
    #[error(
        "trust the answer: failed to {0}; nothing was sent to the app and nothing taken from it. Ask \
         its owner, and do not use this address from here if they know of nothing"
    )]
    Untrusted(VisitError),
    /// The agent's answer or the order of events makes no sense.
    #[error("{0}; the service or the machine behind the address is at fault")]
    Broken(VisitError),
    /// Both ends are there, and packets do not get from one to the other.
    #[error(
        "find a path to the machine within {seconds} s: both ends are there, but no packet got \
         through; a firewall may block UDP. Run `p2claw doctor`, or try another network"
    )]
    NoPath {
        /// How long it was tried.
        seconds: u64,
    },
    /// This end's WebRTC stack cannot go on.
    #[error("{0}")]
    Transport(#[from] Arc<TransportError>),
    /// This end's offer cannot be used.
    #[error("offer a connection: failed to {0}")]
    Offer(SdpError),
    /// The session ended as soon as it had begun.
    #[error("keep the session: {0}")]
    Ended(SessionError),
    /// This system cannot do what is needed.
    #[error("{0}")]
    System(Arc<std::io::Error>),
}

/// Keys that should be one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedKey {
    /// `scheme://host[:port]`.
    pub origin: String,
    /// The key that answered; unknown where it is not told.
    pub presented: PeerId,
    /// The key in the address's fragment.
    pub link: Option<PeerId>,
    /// The key of earlier visits.
    pub stored: Option<PeerId>,
    /// Where that is kept.
    pub file: Option<std::path::PathBuf>,
}

/// What a failure means to whoever has to decide what to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// It may come about by itself later: somebody is offline, or a network is down.
    Unreachable,
    /// There is no such app or address, or not any more.
    NotThere,
    /// Whoever answered did not prove to be the agent.
    Untrusted,
    /// Something on this side has to change first.
    Own,
}

impl VisitorError {
    /// What it means.
    #[must_use]
    pub fn kind(&self) -> FailureKind {
        match self {
            Self::Address(_)
            | Self::Pins(_)
            | Self::Offer(_)
            | Self::System(_)
            | Self::Transport(_) => FailureKind::Own,
            Self::Service { .. } | Self::NoPath { .. } | Self::Ended(_) | Self::Broken(_) => {
                FailureKind::Unreachable
            }
            Self::Refused { code, .. } => match code {
                SignalCode::NoSuchAlias | SignalCode::NoSuchApp | SignalCode::Revoked => {
                    FailureKind::NotThere
                }
                SignalCode::Ok
                | SignalCode::Malformed
                | SignalCode::UnknownKind
                | SignalCode::Version
                | SignalCode::BadSignature
                | SignalCode::Stale
                | SignalCode::WrongDomain
                | SignalCode::Unexpected
                | SignalCode::NameInvalid
                | SignalCode::NameReserved
                | SignalCode::Limit
                | SignalCode::AgentOffline
                | SignalCode::AgentTimeout
                | SignalCode::NoSuchVisit
                | SignalCode::BadOffer
                | SignalCode::ShuttingDown
                | SignalCode::Internal
                | SignalCode::HeartbeatLost
                | SignalCode::CoordUnreachable => FailureKind::Unreachable,
            },
            Self::ChangedKey(_) | Self::Untrusted(_) => FailureKind::Untrusted,
        }
    }

    /// What a check of the agent's answer found.
    pub(crate) fn of_check(error: VisitError) -> Self {
        match &error {
            VisitError::Statement(StatementError::Version { .. })
            | VisitError::Candidate(_)
            | VisitError::Sdp(SdpError::ShortMessages(_))
            | VisitError::Order(_)
            | VisitError::OtherSession => Self::Broken(error),
            // Whatever it is, nobody has proved who answered.
            VisitError::Statement(_) | VisitError::Sdp(_) | _ => Self::Untrusted(error),
        }
    }
}

fn hint(reason: &ServiceError) -> &'static str {
    match reason {
        ServiceError::Unreachable(_) => "; check the address, and this machine's network",
        ServiceError::Status(_) | ServiceError::Nonsense(_) | ServiceError::Stream(_) => {
            "; check the address"
        }
        ServiceError::Refused { .. } => "",
    }
}

fn refused(code: SignalCode, detail: &str, address: &str) -> String {
    let (what, todo) = match code {
        SignalCode::AgentOffline | SignalCode::ShuttingDown => (
            "reach the app: the machine behind this address is offline",
            "try again when it is back, or ask its owner whether it is running",
        ),
        SignalCode::AgentTimeout => (
            "reach the app: the machine behind this address does not answer",
            "it may just have lost its network, so try again",
        ),
        SignalCode::NoSuchAlias => (
            "find the address: no machine has ever registered under this name",
            "compare it with the link that you were given",
        ),
        SignalCode::NoSuchApp => (
            "find the app: the machine is there, but it shares no app of this name",
            "compare the address with the link that you were given, or ask the owner",
        ),
        SignalCode::Revoked => (
            "find the address: its owner has given it up for good",
            "ask the owner for the new one",
        ),
        SignalCode::CoordUnreachable => (
            "be introduced to the machine: the service that does so does not answer",
            "the machine itself may be fine, so try again",
        ),
        SignalCode::Limit => (
            "be let in: there are too many visitors at the moment",
            "try again after a while",
        ),
        SignalCode::Version => (
            "understand the machine: the two ends speak different versions",
            "update this program, or ask the owner to update theirs",
        ),
        SignalCode::Ok
        | SignalCode::Malformed
        | SignalCode::UnknownKind
        | SignalCode::BadSignature
        | SignalCode::Stale
        | SignalCode::WrongDomain
        | SignalCode::Unexpected
        | SignalCode::NameInvalid
        | SignalCode::NameReserved
        | SignalCode::NoSuchVisit
        | SignalCode::BadOffer
        | SignalCode::Internal
        | SignalCode::HeartbeatLost => (
            "be introduced to the machine",
            "one of the programs between makes a mistake or is out of date",
        ),
    };
    let name = code::name(code);
    let detail = match detail {
        "" => String::new(),
        detail => format!(", {detail}"),
    };
    format!("{what} ({address}: {name}{detail}); {todo}")
}

fn changed_key(keys: &ChangedKey) -> String {
    let mut text = format!(
        "recognize the machine behind {}: another key answered than the one that belongs to it\n\
         \x20 answered now     {}\n",
        keys.origin, keys.presented
    );
    if let Some(link) = &keys.link {
        text.push_str(&format!("  in the address   {link}\n"));
    }
    if let Some(stored) = &keys.stored {
        text.push_str(&format!("  earlier visits   {stored}\n"));
    }
    let by_link = keys.stored.is_none_or(|stored| stored == keys.presented);
    if by_link {
        text.push_str(
            "Either the address was damaged or made for another machine, or somebody pretends to \
             be the machine. Nothing was sent to it. Ask whoever gave you the address to send it \
             again, over a channel you trust.",
        );
        return text;
    }
    text.push_str(
        "Either the owner has moved the app to a new key, or somebody pretends to be the machine. \
         Nothing was sent to it. Ask the owner, over a channel you trust, for the machine's key; \
         only if it is the one that answered now, ",
    );
    text.push_str(&match &keys.file {
        Some(file) => format!(
            "run `p2claw pins --forget {}` (it takes the old key out of {}), and visit again.",
            keys.origin,
            file.display()
        ),
        None => "visit again with a new program: this one keeps the old key.".to_owned(),
    });
    text
}
