//! How many allocations each credential has, and how many permissions each client.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// Addresses that one client may have permissions for at a time: the library keeps them in a list,
/// which it walks for each datagram. An agent's allocation serves all its visitors; ours takes a new
/// one long before.
const PERMISSIONS: usize = 4096;

/// How long a permission holds (RFC 8656 section 9).
const PERMISSION_LIFETIME: Duration = Duration::from_secs(300);

/// The permissions that a client has asked for.
#[derive(Debug, Default)]
pub(crate) struct Permissions(HashMap<IpAddr, Instant>);

impl Permissions {
    /// None are left of an allocation that has ended.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Notes that one is asked for; `false` where there are enough.
    pub(crate) fn ask(&mut self, peer: IpAddr) -> bool {
        let now = Instant::now();
        if self.0.len() >= PERMISSIONS && !self.0.contains_key(&peer) {
            self.0
                .retain(|_, asked| now.duration_since(*asked) < PERMISSION_LIFETIME);
            if self.0.len() >= PERMISSIONS {
                return false;
            }
        }
        self.0.insert(peer, now);
        true
    }
}

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

    #[tokio::test(start_paused = true)]
    async fn permissions_are_bounded_and_end() {
        let peer = |number: usize| {
            let [.., high, low] = number.to_be_bytes();
            IpAddr::from([192, 0, high, low])
        };
        let mut permissions = Permissions::default();
        assert!((0..PERMISSIONS).all(|number| permissions.ask(peer(number))));
        assert!(!permissions.ask(peer(PERMISSIONS)));
        assert!(permissions.ask(peer(0)), "one that it has is renewed");
        tokio::time::advance(PERMISSION_LIFETIME / 2).await;
        assert!(permissions.ask(peer(1)));
        tokio::time::advance(PERMISSION_LIFETIME / 2).await;
        assert!(permissions.ask(peer(PERMISSIONS)), "the others have ended");
        assert_eq!(permissions.0.len(), 2);
    }

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
