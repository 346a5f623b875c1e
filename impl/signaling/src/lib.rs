//! Introducing the two ends: the control link, visits, SDP facts, TURN credentials, back-off.
//!
//! Sans-IO throughout: messages go in as bytes and come out as bytes, `now` and random numbers are
//! parameters. The drivers are `p2claw-agent` and `p2claw-coord`.
//!
//! ```
//! use p2claw_identity::{IdentityKey, Nonce};
//! use p2claw_signaling::agent_link::{AgentEvent, AgentLink};
//! use p2claw_signaling::coord_link::{CoordEvent, CoordLink, CoordLinkConfig, WelcomeFacts};
//! use p2claw_identity::Alias;
//! # use std::time::Instant;
//!
//! # let now = Instant::now();
//! let now_ms = 1_800_000_000_000;
//! let key = IdentityKey::from_seed([7; 32]);
//! let mut agent = AgentLink::new(key, "example/1", now);
//! let config = CoordLinkConfig::new("p2claw.example");
//! let mut coord = CoordLink::new(config, Nonce([9; 32]), now, now_ms);
//!
//! let challenge = coord.poll_transmit().unwrap();
//! agent.handle(now, now_ms, &challenge).unwrap();
//! let hello = agent.poll_transmit().unwrap();
//! coord.handle(now, now_ms, &hello).unwrap();
//! let Some(CoordEvent::Registered { peer_id, .. }) = coord.poll_event() else { panic!() };
//! let alias = Alias::candidate(&peer_id, 0);
//! coord.welcome(WelcomeFacts::for_alias(alias, "https", "p2claw.example"), now).unwrap();
//! agent.handle(now, now_ms, &coord.poll_transmit().unwrap()).unwrap();
//! assert!(matches!(agent.poll_event(), Some(AgentEvent::Registered(_))));
//! ```

pub mod address;
pub mod agent_link;
pub mod backoff;
pub mod bucket;
pub mod candidate;
pub mod code;
pub mod coord_link;
pub mod event_stream;
pub mod limits;
mod link;
pub mod registry;
pub mod sdp;
pub mod turn;
pub mod visitor;

pub use p2claw_proto::v1::SignalCode;

#[cfg(test)]
mod link_tests;
#[cfg(test)]
mod restart_tests;
#[cfg(test)]
mod table_tests;
