//! The simulated internet by itself, then p2claw on it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod agents;
mod clocks;
mod coords;
mod hairpins;
mod lines;
mod mappings;
mod moves;
mod nat;
mod pairs;
mod relays;
mod scene;
mod traces;
