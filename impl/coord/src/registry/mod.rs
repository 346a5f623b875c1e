//! Which key has which alias.
//!
//! One trait, two engines: [`EmbeddedRegistry`] on disk and [`MemoryRegistry`] for trials. Both
//! pass the same tests; an engine shared by several nodes must pass them too.

mod embedded;
mod memory;

pub use embedded::EmbeddedRegistry;
pub use memory::MemoryRegistry;

use async_trait::async_trait;
use p2claw_identity::{Alias, PeerId};
use std::path::PathBuf;

/// Candidates that are tried for one key (spec NAM-009). With a tenth of five billion aliases
/// taken, 64 candidates are all taken once in 10^64 cases.
pub(crate) const MAX_CANDIDATES: u32 = 64;

/// What the registry says about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It has this alias, for ever (spec NAM-008).
    Alias(Alias),
    /// It has given its alias up, for ever (spec SIG-024).
    Revoked,
}

/// Why the registry cannot answer.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// Another process uses the database.
    #[error("open the registry {0}: another process uses it, so stop that one first")]
    InUse(PathBuf),
    /// The file cannot be opened or made.
    #[error("open the registry {path}: {reason}; check that the folder exists and is writable")]
    Unopened {
        /// The database file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The database is damaged or something else. It is never overwritten.
    #[error("read the registry {path}: {reason}; restore it from a copy, or move it away")]
    Damaged {
        /// The database file.
        path: PathBuf,
        /// What the engine says.
        reason: String,
    },
    /// All candidates of a key are taken.
    #[error("find a free alias: the first 64 candidates of the key are taken")]
    Exhausted,
}

/// Keeps aliases. Each call is atomic: two links with one key, or two keys with one candidate,
/// never end up with two answers.
#[async_trait]
pub trait Registry: std::fmt::Debug + Send + Sync {
    /// The alias of a key; a new key gets its first free candidate (spec NAM-009).
    ///
    /// # Errors
    /// When the registry cannot be read or written, or no candidate is free.
    async fn register(&self, peer: PeerId) -> Result<Standing, RegistryError>;

    /// Whether an alias belongs to a key that has not revoked it.
    ///
    /// # Errors
    /// When the registry cannot be read.
    async fn is_given(&self, alias: &Alias) -> Result<bool, RegistryError>;

    /// Gives up the alias of a key for ever; nobody else will get it (spec NAM-008).
    ///
    /// # Errors
    /// When the registry cannot be written.
    async fn revoke(&self, peer: PeerId) -> Result<(), RegistryError>;
}

#[cfg(test)]
mod tests;
