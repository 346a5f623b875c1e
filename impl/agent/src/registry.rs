//! The numbers of `spec/registries/limits.csv` that this crate keeps to.
//!
//! Generated from spec/registries by `python3 scripts/spec-check --write`; do not edit.

/// Numbers that the text fixes; registry `spec/registries/limits.csv`.
pub mod limit {
    use std::time::Duration;

    /// Lanes that an end makes (RTC-003).
    pub const LANES_MADE: u8 = 4;
    /// Time between two checks that is asked for (RTC-021).
    pub const PACING_WANTED: Duration = Duration::from_millis(20);
    /// Time between two checks where nothing is asked for (RTC-021).
    pub const PACING_USUAL: Duration = Duration::from_millis(50);
    /// Path lost, or relayed instead of direct, before a restart (RTC-019).
    pub const RESTART_AFTER: Duration = Duration::from_secs(2);
    /// From one restart for a lost path to the next (RTC-019).
    pub const RESTART_EVERY: Duration = Duration::from_secs(5);
    /// From one restart for a direct path to the next (RTC-019).
    pub const DETOUR_EVERY: Duration = Duration::from_secs(15);
    /// Further restarts for a direct path that the agent does not answer (RTC-019).
    pub const DETOUR_REPEATS: u32 = 2;
    /// Checks for a direct path beside a relayed one (RTC-022).
    pub const RELAY_SEARCH: Duration = Duration::from_secs(10);
    /// Sending to an address, behind its last answer (RTC-024).
    pub const CONSENT_END: Duration = Duration::from_secs(30);
    /// Wait for the other end's acknowledgement before a close (RTC-025).
    pub const LINGER: Duration = Duration::from_secs(2);
}
