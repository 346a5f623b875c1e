//! The network from outside.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod allocation;
mod behaviour;
mod lifetime;
mod nat;
mod stun_server;
