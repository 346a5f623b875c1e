//! What coord's end of a link is told, and tells its driver.

use crate::address::PublicAddress;
use crate::candidate::IceCandidate;
use crate::limits::{HANDSHAKE, HEARTBEAT};
use crate::link::clip;
use crate::registry::limit::REFUSALS_MAX;
use crate::{SignalCode, code};
use p2claw_identity::{Alias, AppName, PeerId, SessionId};
use p2claw_proto::v1::{self, IceServer, VisitAnswer};
use std::collections::BTreeSet;
use std::time::Duration;

/// What every link of one coord is started with.
#[derive(Debug, Clone)]
pub struct CoordLinkConfig {
    /// The domain that registrations are bound to.
    pub domain: String,
    /// How often agents are told to send a heartbeat, in whole seconds; 15 s.
    pub heartbeat: Duration,
    /// How long registration may take; 10 s.
    pub handshake: Duration,
}

impl CoordLinkConfig {
    /// The times of the specification.
    #[must_use]
    pub fn new(domain: impl Into<String>) -> Self {
        Self {
            domain: domain.into(),
            heartbeat: HEARTBEAT,
            handshake: HANDSHAKE,
        }
    }
}

/// What an agent is told when it is welcome.
#[derive(Debug, Clone)]
pub struct WelcomeFacts {
    /// Its alias.
    pub alias: Alias,
    /// Under which addresses its apps are reached.
    pub public: PublicAddress,
    /// STUN and TURN servers.
    pub ice_servers: Vec<IceServer>,
    /// Apps it may announce.
    pub max_routes: u32,
    /// Visits that may be open at a time.
    pub max_visits: u32,
}

impl WelcomeFacts {
    /// No ICE servers, 64 routes, 256 visits.
    #[must_use]
    pub fn for_alias(alias: Alias, scheme: &str, parent: &str) -> Self {
        Self {
            alias,
            public: PublicAddress {
                scheme: scheme.to_owned(),
                parent: parent.to_owned(),
                port: None,
            },
            ice_servers: Vec::new(),
            max_routes: 64,
            max_visits: 256,
        }
    }
}

/// What the link tells its driver.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum CoordEvent {
    /// The agent has proved its key. Call [`CoordLink::welcome`] or [`CoordLink::refuse`].
    Registered {
        /// Who it is.
        peer_id: PeerId,
        /// What it calls itself; at most 256 bytes, for logs.
        software: String,
    },
    /// The routes that stand from now on. The link has told the agent.
    Routes {
        /// All of them.
        apps: Vec<AppName>,
    },
    /// The agent answers a visit.
    Answer {
        /// The visit.
        session_id: SessionId,
        /// The answer, as it came.
        answer: VisitAnswer,
    },
    /// A candidate of the agent.
    Candidate {
        /// The visit.
        session_id: SessionId,
        /// The candidate, or the end of candidates.
        candidate: IceCandidate,
    },
    /// The agent refuses or ends a visit, or sent something about it that cannot be passed on.
    VisitEnd {
        /// The visit.
        session_id: SessionId,
        /// Why.
        code: SignalCode,
        /// Why, for people; at most 256 bytes.
        reason: String,
    },
    /// The agent gives up its alias for ever; the statement has been checked. The driver does it
    /// and calls [`CoordLink::goodbye`] with `REVOKED`.
    Revoked {
        /// Who it is.
        peer_id: PeerId,
    },
    /// The agent leaves in good order. The link is closed.
    Goodbye {
        /// Why.
        code: SignalCode,
        /// Why, for people; at most 256 bytes.
        reason: String,
    },
    /// The agent did not like a message; the link goes on. For logs.
    Refused {
        /// Number of the message.
        re: u64,
        /// Why.
        code: SignalCode,
        /// Why, for people; at most 256 bytes.
        detail: String,
    },
    /// The link is closed because nothing came for too long.
    Silent {
        /// What was waited for.
        reason: &'static str,
    },
}

/// Sorts announced names into those that stand and those that do not (SIG-008).
pub(super) fn judge_routes(
    announce: v1::RouteAnnounce,
    max_routes: usize,
) -> (Vec<AppName>, v1::RouteAck) {
    let mut accepted = BTreeSet::new();
    let mut refused = Vec::new();
    for name in announce.apps {
        let verdict = match AppName::parse(&name) {
            Ok(app) if accepted.contains(&app) => continue,
            Ok(app) if accepted.len() < max_routes => {
                accepted.insert(app);
                continue;
            }
            Ok(_) => (
                SignalCode::Limit,
                format!("at most {max_routes} routes are allowed"),
            ),
            Err(error) => (code::for_name(&error), format!("failed to {error}")),
        };
        // An agent that announces thousands learns of the first refusals only.
        if refused.len() < REFUSALS_MAX {
            refused.push(v1::RefusedRoute {
                app: clip(&name),
                code: verdict.0.into(),
                reason: clip(&verdict.1),
            });
        }
    }
    let ack = v1::RouteAck {
        accepted: accepted.iter().map(ToString::to_string).collect(),
        refused,
    };
    (accepted.into_iter().collect(), ack)
}
