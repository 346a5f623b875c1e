//! What the agent's end of a link reads, and tells its driver.

use crate::address::PublicAddress;
use crate::candidate::IceCandidate;
use crate::limits::HEARTBEAT;
use crate::link::{LinkError, clip};
use crate::registry::limit::HEARTBEAT_MAX;
use crate::sdp::{Description, SdpError};
use crate::{SignalCode, code};
use bytes::Bytes;
use p2claw_identity::statement::{self, VisitFacts};
use p2claw_identity::{
    Alias, AppName, Fingerprint, IdentityKey, Nonce, PROTOCOL_VERSION, SessionId,
};
use p2claw_proto::v1::{self, IceServer, VisitAnswer};
use std::time::Duration;

/// What coord grants a registered agent.
#[derive(Debug, Clone, PartialEq)]
pub struct Welcome {
    /// The agent's alias, the same for ever.
    pub alias: Alias,
    /// Under which addresses its apps are reached.
    pub public: PublicAddress,
    /// STUN and TURN servers to gather candidates with.
    pub ice_servers: Vec<IceServer>,
    /// Apps that may be announced.
    pub max_routes: u32,
    /// Visits that coord lets be open at a time.
    pub max_visits: u32,
    /// How often this link sends a heartbeat.
    pub heartbeat: Duration,
}

/// A visitor wants to talk. Answer with [`VisitOffer::answer`] or end it with
/// [`AgentLink::end_visit`], within 10 s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisitOffer {
    /// The visit, as coord named it.
    pub session_id: SessionId,
    /// The app that is asked for.
    pub app: AppName,
    /// The agent's own alias; the link has compared it.
    pub alias: Alias,
    /// The visitor's SDP offer, at most 32 KiB, with one certificate.
    pub sdp: String,
    /// The certificate in it.
    pub visitor_fingerprint: Fingerprint,
    /// Bytes of the longest message that the visitor takes (spec RTC-007).
    pub max_message: usize,
    /// The visitor's nonce.
    pub nonce: Nonce,
    /// The session that this offer restarts (spec SIG-044), by the id of the visit that set it up
    /// or that restarted it before. `None`: a new session.
    pub restarts: Option<SessionId>,
}

impl VisitOffer {
    /// Signs an SDP answer for this visit. The certificate is read from the answer itself, so that
    /// what is signed is what is sent.
    ///
    /// # Errors
    /// When the answer is too long or does not name exactly one certificate.
    pub fn answer(
        &self,
        key: &IdentityKey,
        sdp: String,
        now_unix_ms: i64,
    ) -> Result<VisitAnswer, SdpError> {
        let facts = VisitFacts {
            session_id: self.session_id,
            alias: self.alias.clone(),
            app: self.app.clone(),
            nonce: self.nonce,
            visitor_fingerprint: self.visitor_fingerprint,
            agent_fingerprint: Description::parse(&sdp)?.fingerprint,
        };
        let (statement, signature) = statement::sign_visit(key, &facts, now_unix_ms);
        Ok(VisitAnswer {
            session_id: Bytes::copy_from_slice(self.session_id.as_bytes()),
            sdp,
            statement,
            signature,
        })
    }
}

/// A route that coord refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRoute {
    /// The name as it was announced.
    pub app: String,
    /// Why.
    pub code: SignalCode,
    /// Why, for people; at most 256 bytes.
    pub reason: String,
}

/// What the link tells its driver.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum AgentEvent {
    /// The link is up.
    Registered(Welcome),
    /// Which of the announced routes stand.
    RouteAck {
        /// These do.
        accepted: Vec<AppName>,
        /// These do not.
        refused: Vec<RefusedRoute>,
    },
    /// A visitor wants to talk.
    VisitOffer(VisitOffer),
    /// A candidate of the visitor.
    Candidate {
        /// The visit it belongs to.
        session_id: SessionId,
        /// The candidate, or the end of candidates.
        candidate: IceCandidate,
    },
    /// STUN and TURN servers to gather with from now on, in place of those in [`Welcome`]: their
    /// credentials end later.
    IceServers(Vec<IceServer>),
    /// Signaling for a visit is over. A session that is already up goes on.
    VisitEnd {
        /// The visit.
        session_id: SessionId,
        /// Why.
        code: SignalCode,
        /// Why, for people; at most 256 bytes.
        reason: String,
    },
    /// coord did not like a message; the link goes on. For logs.
    Refused {
        /// Number of the message, 0 where coord did not say.
        re: u64,
        /// Why.
        code: SignalCode,
        /// Why, for people; at most 256 bytes.
        detail: String,
    },
    /// Another agent with the same key has taken over: do not connect again. The link is closed.
    Replaced,
    /// The link is closed. Also after a refused registration, where `code` says why.
    Closed {
        /// Why.
        code: SignalCode,
        /// Why, for people; at most 256 bytes.
        reason: String,
    },
}

pub(super) fn read_offer(
    offer: v1::VisitOffer,
    session_id: SessionId,
    alias: &Alias,
) -> Result<VisitOffer, (SignalCode, String)> {
    if !offer.versions.contains(&PROTOCOL_VERSION) {
        return Err((SignalCode::Version, "this agent speaks version 1".into()));
    }
    if offer.alias != alias.as_str() {
        return Err((SignalCode::NoSuchAlias, format!("this agent is {alias}")));
    }
    let app = AppName::parse(&offer.app)
        .map_err(|error| (SignalCode::NoSuchApp, format!("failed to {error}")))?;
    let nonce = Nonce::from_bytes(&offer.nonce)
        .map_err(|error| (SignalCode::Malformed, format!("failed to {error}")))?;
    let (visitor_fingerprint, max_message) = Description::parse(&offer.sdp)
        .and_then(|description| Ok((description.fingerprint, description.message_limit()?)))
        .map_err(|error| (SignalCode::BadOffer, format!("failed to {error}")))?;
    // SIG-044: behind the checks that every offer has to pass.
    let restarts = match &offer.restarts[..] {
        [] => None,
        id => Some(
            SessionId::from_bytes(id)
                .map_err(|error| (SignalCode::Malformed, format!("failed to {error}")))?,
        ),
    };
    Ok(VisitOffer {
        session_id,
        app,
        alias: alias.clone(),
        sdp: offer.sdp,
        visitor_fingerprint,
        max_message,
        nonce,
        restarts,
    })
}

pub(super) fn read_welcome(welcome: v1::Welcome) -> Result<Welcome, LinkError> {
    if welcome.version != PROTOCOL_VERSION {
        return Err(LinkError::Version(vec![welcome.version]));
    }
    let alias = Alias::parse(&welcome.alias)
        .map_err(|_| LinkError::Malformed("the alias in Welcome breaks the grammar"))?;
    if !matches!(welcome.scheme.as_str(), "http" | "https") {
        return Err(LinkError::Malformed(
            "the scheme in Welcome is neither http nor https",
        ));
    }
    let port = u16::try_from(welcome.port)
        .map_err(|_| LinkError::Malformed("the port in Welcome is above 65535"))?;
    // 0 comes from a coord that does not say; an hour would outlast any NAT binding.
    let heartbeat = match welcome.heartbeat_seconds {
        0 => HEARTBEAT,
        seconds => HEARTBEAT_MAX.min(Duration::from_secs(seconds.into())),
    };
    Ok(Welcome {
        alias,
        public: PublicAddress {
            scheme: welcome.scheme,
            parent: welcome.parent,
            port: (port != 0).then_some(port),
        },
        ice_servers: welcome.ice_servers,
        max_routes: welcome.max_routes,
        max_visits: welcome.max_visits,
        heartbeat,
    })
}

pub(super) fn read_route_ack(ack: v1::RouteAck) -> AgentEvent {
    AgentEvent::RouteAck {
        // A name that this end could not have announced is of no use to anyone.
        accepted: ack
            .accepted
            .iter()
            .filter_map(|app| AppName::parse(app).ok())
            .collect(),
        refused: ack
            .refused
            .into_iter()
            .map(|refused| RefusedRoute {
                app: clip(&refused.app),
                code: code::from_number(refused.code),
                reason: clip(&refused.reason),
            })
            .collect(),
    }
}
