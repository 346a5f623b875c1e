//! The WebRTC stacks that are compared.

use std::sync::Arc;

use clap::ValueEnum;
use p2claw_agent::transport::{LANES, PeerTransport};
use p2claw_network::{Hub, HubConfig, Machine, Network};

use crate::stage::Failure;

/// A WebRTC stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Stack {
    /// str0m
    Str0m,
    /// webrtc-rs
    Webrtc,
}

impl Stack {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Str0m, Self::Webrtc];

    /// The name that options use.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Str0m => "str0m",
            Self::Webrtc => "webrtc",
        }
    }

    /// Sockets of one end, to be found at 127.0.0.1, too.
    ///
    /// # Errors
    /// When none can be bound.
    pub fn endpoint(self) -> Result<Arc<dyn PeerTransport>, Failure> {
        self.endpoint_on(Arc::new(Machine))
    }

    /// The same on another network.
    ///
    /// # Errors
    /// When no socket can be bound there.
    pub fn endpoint_on(self, network: Arc<dyn Network>) -> Result<Arc<dyn PeerTransport>, Failure> {
        let config = HubConfig {
            loopback: true,
            ..HubConfig::default()
        };
        let hub = Hub::bind_on(network, config)?;
        Ok(match self {
            Self::Str0m => Arc::new(p2claw_rtc_str0m::Endpoint::on(hub, LANES)),
            Self::Webrtc => Arc::new(p2claw_rtc_webrtc::Endpoint::on(hub, LANES)),
        })
    }
}
