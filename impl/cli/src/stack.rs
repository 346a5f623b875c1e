//! Which WebRTC stack carries the sessions.

use std::sync::Arc;

use clap::{Args, ValueEnum};
use p2claw_agent::transport::{LANES, PeerTransport};
use p2claw_network::Hub;

#[derive(Debug, Args)]
pub(crate) struct StackArguments {
    /// WebRTC stack to use. They carry the same protocol; visitors notice no difference
    #[arg(long, env = "P2CLAW_RTC", value_enum, default_value_t = Rtc::Str0m)]
    pub(crate) rtc: Rtc,
}

/// A WebRTC stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Rtc {
    /// str0m
    Str0m,
    /// webrtc-rs
    Webrtc,
}

impl Rtc {
    /// The stack on these sockets.
    pub(crate) fn on(self, hub: Hub) -> Arc<dyn PeerTransport> {
        match self {
            Self::Str0m => Arc::new(p2claw_rtc_str0m::Endpoint::on(hub, LANES)),
            Self::Webrtc => Arc::new(p2claw_rtc_webrtc::Endpoint::on(hub, LANES)),
        }
    }
}
