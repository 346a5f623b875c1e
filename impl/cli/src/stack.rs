//! The WebRTC stacks that this program brings.

use std::sync::Arc;

use clap::ValueEnum;
use p2claw_agent::transport::PeerTransport;
use p2claw_network::Hub;

/// Lanes of a session (`RTC-002`).
const LANES: u8 = 4;

/// A WebRTC stack; what is said over the network is the same with each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Rtc {
    /// str0m: sets up sooner, and takes less of the processor for small requests
    #[default]
    Str0m,
    /// webrtc-rs: carries more over fast lines
    Webrtc,
}

impl Rtc {
    /// Peers on these sockets.
    pub(crate) fn endpoint(self, hub: Hub) -> Arc<dyn PeerTransport> {
        match self {
            Self::Str0m => Arc::new(p2claw_rtc_str0m::Endpoint::on(hub, LANES)),
            Self::Webrtc => Arc::new(p2claw_rtc_webrtc::Endpoint::on(hub, LANES)),
        }
    }
}
