//! The simulated time.

use std::time::Duration;

/// Unix time when every simulation begins, in milliseconds: 2026-11-21 12:00 UTC.
pub const EPOCH: i64 = 1_795_262_400_000;

/// Since the beginning of the simulation; zero before it, and outside of its hosts.
#[must_use]
pub fn elapsed() -> Duration {
    turmoil::sim_elapsed().unwrap_or_default()
}

/// The true Unix time, in milliseconds.
#[must_use]
pub fn unix_millis() -> i64 {
    EPOCH + i64::try_from(elapsed().as_millis()).unwrap_or(i64::MAX - EPOCH)
}
