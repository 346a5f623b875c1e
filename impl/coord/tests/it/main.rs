//! The coordination service over real sockets: WebSocket agents and HTTP visitors on loopback.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "tests stop at the first surprise"
)]

mod agent;
mod limits;
mod registration;
mod restart;
mod service;
mod visit;
mod visitor;

use p2claw_identity::Fingerprint;

/// The parent of all addresses in these tests.
const PARENT: &str = "p2claw.example";

/// A session description with one certificate.
fn sdp(byte: u8) -> String {
    let fingerprint = Fingerprint([byte; 32]);
    format!("v=0\r\na=fingerprint:sha-256 {fingerprint}\r\n")
}
