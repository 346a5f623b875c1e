//! Benchmarks.
//!
//! `cargo bench -p p2claw-benches`: the cores, in memory.
//! - `codec`: frames of the session, encoded and decoded.
//! - `session_pair`: two sessions, bulk and small exchanges.
//!
//! `cargo run --release -p p2claw-benches --bin NAME`:
//! - `download`: a real download beside the raw channel.
//! - `compare`: the WebRTC stacks, and others, side by side in two processes.
//! - `soak`: visitors come and go for minutes; nothing may be left over.
//! - `path`: a slow and lossy line under a virtual clock.

pub mod child;
pub mod line;
pub mod raw;
pub mod stack;
pub mod stage;
pub mod transfer;
