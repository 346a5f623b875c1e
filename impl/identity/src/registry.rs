//! The numbers of `spec/registries/limits.csv` that this crate keeps to.
//!
//! Generated from spec/registries by `python3 scripts/spec-check --write`; do not edit.

/// Numbers that the text fixes; registry `spec/registries/limits.csv`.
pub mod limit {
    /// Longest app name, in characters (NAM-001).
    pub const APP_NAME_MAX: usize = 32;
    /// Shortest word of a haiku alias (NAM-005).
    pub const ALIAS_WORD_MIN: usize = 3;
    /// Longest word of a haiku alias (NAM-005).
    pub const ALIAS_WORD_MAX: usize = 10;
    /// Number of a haiku alias (NAM-005, NAM-013).
    pub const ALIAS_DIGITS: usize = 4;
    /// Groups of a haiku alias (NAM-013).
    pub const HAIKU_GROUPS: usize = 3;
    /// Shortest vanity alias, in characters (NAM-006).
    pub const VANITY_MIN: usize = 3;
    /// Longest alias, in characters (NAM-006).
    pub const ALIAS_MAX: usize = 30;
    /// Host label, in characters (NAM-012).
    pub const HOST_LABEL_MAX: usize = 63;
    /// Each list of words of aliases (NAM-009).
    pub const ALIAS_WORDS: usize = 512;
    /// Public key of Ed25519, in bytes (IDN-002, IDN-007).
    pub const PUBLIC_KEY_BYTES: usize = 32;
    /// Peer id, in characters (IDN-002).
    pub const PEER_ID_CHARACTERS: usize = 52;
    /// Signature of Ed25519, in bytes (IDN-007).
    pub const SIGNATURE_BYTES: usize = 64;
    /// Nonce, in bytes (IDN-012, IDN-014, IDN-016, SIG-020).
    pub const NONCE_BYTES: usize = 32;
    /// Session id, in bytes (BWS-011, SIG-014, SIG-026, SIG-044).
    pub const SESSION_ID_BYTES: usize = 16;
    /// Difference of clocks, in milliseconds (IDN-011, IDN-017).
    pub const CLOCK_SKEW_MS: i64 = 60_000;
    /// Expiry of a statement about a visit, in milliseconds (BWS-011, IDN-013, IDN-017).
    pub const STATEMENT_LIFETIME_MS: i64 = 60_000;
}
