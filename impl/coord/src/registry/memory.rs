//! Aliases in memory.

use super::{MAX_CANDIDATES, Registry, RegistryError, Standing};
use async_trait::async_trait;
use p2claw_identity::{Alias, PeerId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A registry that forgets everything when it is dropped.
#[derive(Debug, Default)]
pub struct MemoryRegistry {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    standings: BTreeMap<PeerId, Standing>,
    taken: BTreeSet<Alias>,
    given: BTreeSet<Alias>,
}

impl MemoryRegistry {
    /// Starts with no alias given.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No code that holds the lock can panic halfway through a change.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Registry for MemoryRegistry {
    async fn register(&self, peer: PeerId) -> Result<Standing, RegistryError> {
        let mut inner = self.lock();
        if let Some(standing) = inner.standings.get(&peer) {
            return Ok(standing.clone());
        }
        let alias = (0..MAX_CANDIDATES)
            .map(|counter| Alias::candidate(&peer, counter))
            .find(|alias| !inner.taken.contains(alias))
            .ok_or(RegistryError::Exhausted)?;
        inner.taken.insert(alias.clone());
        inner.given.insert(alias.clone());
        let standing = Standing::Alias(alias);
        inner.standings.insert(peer, standing.clone());
        Ok(standing)
    }

    async fn is_given(&self, alias: &Alias) -> Result<bool, RegistryError> {
        Ok(self.lock().given.contains(alias))
    }

    async fn revoke(&self, peer: PeerId) -> Result<(), RegistryError> {
        let mut inner = self.lock();
        if let Some(Standing::Alias(alias)) = inner.standings.insert(peer, Standing::Revoked) {
            inner.given.remove(&alias);
        }
        Ok(())
    }
}
