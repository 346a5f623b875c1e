//! What the session engine allocates, counted: it is no timing, so it is a test.
//!
//! `cargo test -p p2claw-benches --test it -- --nocapture` prints the figures.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops at the first surprise, and these print what they counted"
)]

#[cfg(test)]
mod allocations;
#[cfg(test)]
mod memory;
