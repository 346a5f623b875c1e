//! The visitor's side of a visit, and what coord reads of it.
//!
//! [`VisitCheck`] is for native visitors (browsers have the same in TypeScript): it makes the
//! request and lets nothing through before the agent has proved who it is.

use crate::candidate::{CandidateError, IceCandidate};
use crate::limits::{MAX_CANDIDATES, MAX_VISIT_BODY};
use crate::link::clip;
use crate::sdp::{Description, SdpError};
use crate::{SignalCode, code};
use bytes::Bytes;
use p2claw_identity::statement::{StatementError, VisitExpectation, verify_visit};
use p2claw_identity::{Fingerprint, HostLabel, Nonce, PROTOCOL_VERSION, PeerId, SessionId};
use p2claw_proto::v1::visit_event::Kind;
use p2claw_proto::v1::{VisitEvent, VisitRequest, VisitUpdate};
use prost::Message;

/// Why a visit went wrong on the visitor's side. Nothing of the app may be accepted after it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VisitError {
    /// The agent's session description cannot be used.
    #[error("use the agent's answer: failed to {0}")]
    Sdp(#[from] SdpError),
    /// The agent did not prove who it is.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// A candidate broke a rule.
    #[error(transparent)]
    Candidate(#[from] CandidateError),
    /// Events came in an order that is not allowed.
    #[error("follow the visit: {0}")]
    Order(&'static str),
    /// The answer to a restart names another certificate than the session has: it is the answer to
    /// a new visit, from a service or an agent that knows no restarts.
    #[error("restart the session: the answer is that of another session, so visit anew")]
    OtherSession,
}

/// What the visit's stream says, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VisitorEvent {
    /// The agent's answer. Its key is to be pinned for the origin.
    Answer {
        /// The SDP answer.
        sdp: String,
        /// Who signed it.
        peer_id: PeerId,
        /// Bytes of the longest message that the agent takes (spec RTC-007).
        max_message: usize,
    },
    /// A candidate of the agent.
    Candidate(IceCandidate),
    /// Signaling is over.
    End {
        /// Why.
        code: SignalCode,
        /// Why, for people; at most 256 bytes.
        reason: String,
    },
}

/// ```text
///             answer that proves the key         end
///  AwaitAnswer ───────────────────────> Trusted ──────> Ended
///       │                                  └──┘ candidates  ^
///       └── end, or an answer that fails a check ───────────┘
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    AwaitAnswer,
    Trusted { candidates: usize },
    Ended,
}

/// One visit as a visitor sees it.
#[derive(Debug, Clone)]
pub struct VisitCheck {
    address: HostLabel,
    nonce: Nonce,
    sdp: String,
    visitor_fingerprint: Fingerprint,
    pins: Vec<PeerId>,
    restarts: Option<Running>,
    state: State,
    /// Who has answered, and with which certificate.
    agent: Option<(PeerId, Fingerprint)>,
}

/// The session that a visit restarts.
#[derive(Debug, Clone)]
struct Running {
    session_id: SessionId,
    agent_fingerprint: Fingerprint,
}

impl VisitCheck {
    /// Prepares a visit of an address. `nonce` must be 32 fresh random bytes; `pins` are the keys
    /// from the link's fragment and from an earlier visit, where there are any.
    ///
    /// # Errors
    /// When the visitor's own offer does not name exactly one certificate.
    pub fn new(
        address: HostLabel,
        nonce: Nonce,
        offer_sdp: String,
        pins: Vec<PeerId>,
    ) -> Result<Self, SdpError> {
        let visitor_fingerprint = Description::parse(&offer_sdp)?.fingerprint;
        Ok(Self {
            address,
            nonce,
            sdp: offer_sdp,
            visitor_fingerprint,
            pins,
            restarts: None,
            state: State::AwaitAnswer,
            agent: None,
        })
    }

    /// Prepares a restart of the session that this visit has set up or restarted (spec SIG-043).
    /// `session_id` is the one that coord gave this visit; `nonce` must be 32 fresh random bytes.
    /// The answer has to come from the same agent with the same certificate (spec SIG-046).
    ///
    /// # Errors
    /// When this visit has had no answer that proved a key, or the offer names another certificate
    /// than its own did.
    pub fn restart(
        &self,
        session_id: SessionId,
        nonce: Nonce,
        offer_sdp: String,
    ) -> Result<Self, VisitError> {
        let Some((peer_id, agent_fingerprint)) = self.agent else {
            return Err(VisitError::Order("there is no session to restart yet"));
        };
        if Description::parse(&offer_sdp)?.fingerprint != self.visitor_fingerprint {
            return Err(VisitError::OtherSession);
        }
        Ok(Self {
            address: self.address.clone(),
            nonce,
            sdp: offer_sdp,
            visitor_fingerprint: self.visitor_fingerprint,
            pins: vec![peer_id],
            restarts: Some(Running {
                session_id,
                agent_fingerprint,
            }),
            state: State::AwaitAnswer,
            agent: None,
        })
    }

    /// The body of `POST /.well-known/p2claw/v1/visits`.
    #[must_use]
    pub fn request(&self) -> Bytes {
        let request = VisitRequest {
            versions: vec![PROTOCOL_VERSION],
            sdp: self.sdp.clone(),
            nonce: Bytes::copy_from_slice(self.nonce.as_bytes()),
            restarts: self
                .restarts
                .as_ref()
                .map(|running| Bytes::copy_from_slice(running.session_id.as_bytes()))
                .unwrap_or_default(),
        };
        request.encode_to_vec().into()
    }

    /// Takes one event of the stream (spec SIG-018, IDN-017). `Ok(None)` is an event of a later
    /// version, to be ignored.
    ///
    /// # Errors
    /// When the agent did not prove who it is, or a rule was broken. The visit is over then.
    pub fn handle(
        &mut self,
        event: VisitEvent,
        now_unix_ms: i64,
    ) -> Result<Option<VisitorEvent>, VisitError> {
        let result = self.step(event, now_unix_ms);
        if result.is_err() {
            self.state = State::Ended;
        }
        result
    }

    fn step(
        &mut self,
        event: VisitEvent,
        now_unix_ms: i64,
    ) -> Result<Option<VisitorEvent>, VisitError> {
        let event = match (event.kind, self.state) {
            (None, _) => return Ok(None),
            (Some(_), State::Ended) => return Err(VisitError::Order("it has ended already")),
            (Some(Kind::Answer(answer)), State::AwaitAnswer) => {
                let description = Description::parse(&answer.sdp)?;
                let agent_fingerprint = description.fingerprint;
                let expected = VisitExpectation {
                    alias: self.address.alias().clone(),
                    app: self.address.app().clone(),
                    nonce: self.nonce,
                    visitor_fingerprint: self.visitor_fingerprint,
                    agent_fingerprint,
                    pins: self.pins.clone(),
                };
                let peer_id =
                    verify_visit(&answer.statement, &answer.signature, &expected, now_unix_ms)?;
                // IDN-017 says nothing of restarts: what it demands has passed.
                if self
                    .restarts
                    .as_ref()
                    .is_some_and(|running| running.agent_fingerprint != agent_fingerprint)
                {
                    return Err(VisitError::OtherSession);
                }
                let max_message = description.message_limit()?;
                self.agent = Some((peer_id, agent_fingerprint));
                self.state = State::Trusted { candidates: 0 };
                VisitorEvent::Answer {
                    sdp: answer.sdp,
                    peer_id,
                    max_message,
                }
            }
            (Some(Kind::Answer(_)), State::Trusted { .. }) => {
                return Err(VisitError::Order("a second answer came"));
            }
            (Some(Kind::Candidate(_)), State::AwaitAnswer) => {
                return Err(VisitError::Order("a candidate came before the answer"));
            }
            (Some(Kind::Candidate(candidate)), State::Trusted { candidates }) => {
                if candidates == MAX_CANDIDATES {
                    return Err(VisitError::Order("more than 128 candidates came"));
                }
                self.state = State::Trusted {
                    candidates: candidates + 1,
                };
                VisitorEvent::Candidate(candidate.try_into()?)
            }
            (Some(Kind::End(end)), State::AwaitAnswer | State::Trusted { .. }) => {
                self.state = State::Ended;
                VisitorEvent::End {
                    code: code::from_number(end.code),
                    reason: clip(&end.reason),
                }
            }
        };
        Ok(Some(event))
    }
}

/// The body of an update: candidates of the visitor, at most 128.
#[must_use]
pub fn encode_update(candidates: Vec<IceCandidate>) -> Bytes {
    let candidates = candidates
        .into_iter()
        .map(|candidate| p2claw_proto::v1::Candidate {
            // The visit is named by the URL (spec SIG-021).
            session_id: Bytes::new(),
            candidate: candidate.as_str().to_owned(),
            sdp_mid: candidate.sdp_mid().to_owned(),
        })
        .collect();
    VisitUpdate { candidates }.encode_to_vec().into()
}

/// Why coord refuses a visit request or an update.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The body is no such message or breaks a rule.
    #[error("read the request: {0}")]
    Malformed(&'static str),
    /// No version in common.
    #[error("find a common version: this service speaks version 1")]
    Version,
    /// The offer cannot be used.
    #[error("use the offer: failed to {0}")]
    Offer(#[from] SdpError),
    /// A candidate cannot be used.
    #[error(transparent)]
    Candidate(#[from] CandidateError),
}

impl RequestError {
    /// The code that the visitor is told.
    #[must_use]
    pub fn code(&self) -> SignalCode {
        match self {
            Self::Malformed(_) | Self::Candidate(_) => SignalCode::Malformed,
            Self::Version => SignalCode::Version,
            Self::Offer(_) => SignalCode::BadOffer,
        }
    }
}

/// A visit request that coord may pass on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedRequest {
    pub(crate) versions: Vec<u32>,
    pub(crate) sdp: String,
    pub(crate) nonce: Nonce,
    pub(crate) restarts: Option<SessionId>,
}

impl CheckedRequest {
    /// Reads the body of a visit request (spec SIG-020).
    ///
    /// # Errors
    /// When it is no request, names no version of ours, or its offer is unusable.
    pub fn parse(body: &[u8]) -> Result<Self, RequestError> {
        if body.len() > MAX_VISIT_BODY {
            return Err(RequestError::Malformed("the body is longer than 64 KiB"));
        }
        let request = VisitRequest::decode(body)
            .map_err(|_| RequestError::Malformed("the body is no VisitRequest"))?;
        if !request.versions.contains(&PROTOCOL_VERSION) {
            return Err(RequestError::Version);
        }
        let nonce = Nonce::from_bytes(&request.nonce)
            .map_err(|_| RequestError::Malformed("the nonce must have 32 bytes"))?;
        Description::parse(&request.sdp)?;
        let restarts = match &request.restarts[..] {
            [] => None,
            id => Some(SessionId::from_bytes(id).map_err(|_| {
                RequestError::Malformed("the session that is restarted must have 16 bytes")
            })?),
        };
        Ok(Self {
            // Versions that nobody speaks yet are passed on, but not without end.
            versions: request.versions.into_iter().take(16).collect(),
            sdp: request.sdp,
            nonce,
            restarts,
        })
    }
}

/// Reads the body of an update (spec SIG-021).
///
/// # Errors
/// When it is no update, or one of its candidates is unusable.
pub fn parse_update(body: &[u8]) -> Result<Vec<IceCandidate>, RequestError> {
    if body.len() > MAX_VISIT_BODY {
        return Err(RequestError::Malformed("the body is longer than 64 KiB"));
    }
    let update = VisitUpdate::decode(body)
        .map_err(|_| RequestError::Malformed("the body is no VisitUpdate"))?;
    if update.candidates.len() > MAX_CANDIDATES {
        return Err(RequestError::Malformed(
            "at most 128 candidates fit a visit",
        ));
    }
    update
        .candidates
        .into_iter()
        .map(|candidate| candidate.try_into().map_err(RequestError::Candidate))
        .collect()
}

#[cfg(test)]
#[path = "visitor_tests.rs"]
mod tests;
