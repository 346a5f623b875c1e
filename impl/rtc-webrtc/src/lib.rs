//! [`PeerTransport`](p2claw_agent::transport::PeerTransport) over `rtc`, the sans-IO core of
//! webrtc-rs.
//!
//! One UDP socket per address family serves all peers of an [`Endpoint`]. A peer runs inside
//! whoever polls it; only the socket readers are tasks, and they end with the endpoint.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use p2claw_agent::transport::{LANES, PeerTransport};
//! use p2claw_network::{Hub, HubConfig};
//! use p2claw_rtc_webrtc::Endpoint;
//!
//! let endpoint = Endpoint::on(Hub::bind(HubConfig::default())?, LANES);
//! let accepted = endpoint.accept("v=0 ...").await?;
//! println!("{}", accepted.answer);
//! # Ok(())
//! # }
//! ```

mod checks;
mod description;
mod endpoint;
mod opening;
mod peer;
mod renomination;
mod settings;

pub use endpoint::Endpoint;
