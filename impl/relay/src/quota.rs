//! How many allocations each credential has.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// All credentials that have an allocation.
#[derive(Debug, Clone)]
pub(crate) struct Accounts {
    allocations: usize,
    table: Arc<Mutex<HashMap<String, usize>>>,
}

impl Accounts {
    /// With so many allocations for each.
    pub(crate) fn new(allocations: usize) -> Self {
        Self {
            allocations,
            table: Arc::default(),
        }
    }

    /// One more allocation of a credential; `None` where it has its number already.
    pub(crate) fn enter(&self, username: &str) -> Option<Share> {
        let mut table = self.table();
        let had = table.get(username).copied().unwrap_or(0);
        if had >= self.allocations {
            return None;
        }
        table.insert(username.to_owned(), had + 1);
        Some(Share {
            accounts: self.clone(),
            username: username.to_owned(),
        })
    }

    fn table(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One allocation of a credential; dropping it makes room for another.
#[derive(Debug)]
pub(crate) struct Share {
    accounts: Accounts,
    username: String,
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut table = self.accounts.table();
        if let Some(had) = table.get_mut(&self.username) {
            *had -= 1;
            if *had == 0 {
                table.remove(&self.username);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_has_its_number_of_allocations() {
        let accounts = Accounts::new(2);
        let (one, two) = (accounts.enter("a"), accounts.enter("a"));
        assert!(one.is_some() && two.is_some() && accounts.enter("a").is_none());
        assert!(accounts.enter("b").is_some());
        drop(one);
        assert!(accounts.enter("a").is_some());
        drop(two);
        assert!(
            accounts.table().is_empty(),
            "nothing is kept of who has left"
        );
    }
}
