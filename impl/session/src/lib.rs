//! HTTP over lanes: the session engine of p2claw (spec/v1/session.md), without IO and without a clock.
//!
//! The driver feeds messages and the time in, and takes events and messages out:
//!
//! ```
//! use std::time::Instant;
//! use p2claw_session::{Config, Event, Fields, LaneId, Request, Role, Session, Target};
//!
//! let now = Instant::now();
//! let mut visitor = Session::new(Role::Visitor, Config::default(), now);
//! let mut agent = Session::new(Role::Agent, Config::default(), now);
//! visitor.open(Request {
//!     method: "GET".into(),
//!     target: Target::parse("/recipes")?,
//!     fields: Fields::new(),
//!     end: true,
//!     protocol: None,
//! })?;
//! while let Some(message) = visitor.poll_transmit(LaneId::ZERO) {
//!     agent.handle_message(now, LaneId::ZERO, message)?;
//! }
//! assert!(matches!(agent.poll_event(), Some(Event::Connected(_))));
//! assert!(matches!(agent.poll_event(), Some(Event::Request { .. })));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod budget;
mod config;
mod error;
pub mod frame;
pub mod head;
pub mod limits;
pub mod registry;
mod session;
mod stream;
mod types;
pub mod varint;
mod websocket;

pub use config::{Config, ConfigError, PeerSettings};
pub use error::{ErrorCode, Fault, OpenError, ReadError, SessionError, WriteError};
pub use head::{Fields, Request, Response, Target};
pub use session::{Event, Read, RoundTrip, Session};
pub use types::{LaneId, Role, StreamId};
pub use websocket::{Close, CloseError, MessageKind};
