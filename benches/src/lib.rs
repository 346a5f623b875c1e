//! Benchmarks; `cargo bench -p p2claw-benches`.
//!
//! - `codec`: frames of the session, encoded and decoded.
//! - `session_pair`: two sessions in memory, bulk and small exchanges.
