//! A TURN relay (RFC 8656) and STUN server (RFC 8489) for small services: over UDP, TCP and TLS,
//! with the time-limited credentials that coord issues (`SIG-022`), and quotas for each visit.
//!
//! It passes on datagrams that it cannot read. The protocol is turn-server-proto's; here are the
//! sockets, the credentials and the quotas. Past one machine, or for measured capacity, run coturn
//! with the same secret.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use p2claw_relay::{Config, Relay};
//! use tokio_util::sync::CancellationToken;
//!
//! let relay = Relay::bind("0.0.0.0:3478".parse()?, Config::new(b"secret".to_vec())).await?;
//! println!("{:?}", relay.urls("relay.example.net"));
//! relay.run(CancellationToken::new()).await;
//! # Ok(())
//! # }
//! ```

mod client;
mod config;
mod framing;
mod peers;
mod quota;
mod relay;
mod visit;

pub use config::{Config, Quota};
pub use relay::{Relay, RelayError};
