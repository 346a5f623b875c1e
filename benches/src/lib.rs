//! Benchmarks.
//!
//! `cargo bench -p p2claw-benches`: the cores, in memory.
//! - `codec`: frames of the session, encoded and decoded.
//! - `session_pair`: two sessions, bulk and small exchanges.
//!
//! `cargo run --release -p p2claw-benches --bin download`: a real download beside the raw channel.

pub mod stage;
