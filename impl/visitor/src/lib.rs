//! Visiting an app from a program: no browser, the same protocol.
//!
//! A [`Visitor`] takes a public address, finds the app's agent through the service behind the
//! address, checks who answers, and connects. What it gives is a [`Visit`]: a session with the app,
//! over whatever WebRTC stack implements
//! [`PeerTransport`](p2claw_agent::transport::PeerTransport). [`proxy`] makes a local HTTP server of
//! one.
//!
//! ```no_run
//! use std::sync::Arc;
//! use p2claw_agent::transport::PeerTransport;
//! use p2claw_session::{Fields, Request};
//! use p2claw_visitor::{Address, Visitor, VisitorConfig};
//!
//! # async fn get(stack: Arc<dyn PeerTransport>) -> Result<(), Box<dyn std::error::Error>> {
//! let visitor = Visitor::new(VisitorConfig::new(stack));
//! let address: Address = "https://recipes-honeyed-marble-4155.example.net/list".parse()?;
//! let visit = visitor.visit(&address).await?;
//! let mut exchange = visit
//!     .open(Request {
//!         method: "GET".into(),
//!         target: address.target().clone(),
//!         fields: Fields::new(),
//!         end: true,
//!         protocol: None,
//!     })
//!     .await?;
//! println!("{}", exchange.head().await?.status);
//! while let Some(bytes) = exchange.response.data().await? {
//!     println!("{} bytes", bytes.len());
//! }
//! visit.close().await;
//! # Ok(())
//! # }
//! ```

mod address;
mod connector;
mod course;
mod error;
mod introduction;
mod pins;
pub mod proxy;
mod signaling;
mod visit;
mod visitor;

pub use address::{Address, AddressError};
pub use connector::ConnectTimes;
pub use error::{ChangedKey, FailureKind, ServiceError, VisitorError};
pub use pins::{Pinned, Pins};
pub use visit::{ExchangeError, Opened, Timings, Visit};
pub use visitor::{Visitor, VisitorConfig};
