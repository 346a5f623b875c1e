//! What each credential has used.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::config::Quota;

/// Credentials that are remembered; each ends within the hour (`SIG-022`).
const REMEMBERED: usize = 65_536;

/// How long a credential is remembered after its last client has gone: longer than it holds.
const FORGET_AFTER: Duration = Duration::from_secs(2 * 3600);

/// All credentials in use, and those that were.
#[derive(Debug, Clone)]
pub(crate) struct Accounts {
    quota: Quota,
    table: Arc<Mutex<HashMap<String, Account>>>,
}

#[derive(Debug)]
struct Account {
    clients: usize,
    bytes: u64,
    /// Bytes that may pass at once, as of `refilled`.
    credit: u64,
    refilled: Instant,
    left: Instant,
}

impl Accounts {
    pub(crate) fn new(quota: Quota) -> Self {
        Self {
            quota,
            table: Arc::default(),
        }
    }

    /// One more client of a credential; `None` where it has its number already.
    pub(crate) fn enter(&self, username: &str) -> Option<Share> {
        let now = Instant::now();
        let mut table = self.table();
        if table.len() >= REMEMBERED && !table.contains_key(username) {
            table.retain(|_, account| account.clients > 0 || now < account.left + FORGET_AFTER);
            if table.len() >= REMEMBERED {
                return None;
            }
        }
        let account = table.entry(username.to_owned()).or_insert(Account {
            clients: 0,
            bytes: 0,
            credit: self.quota.bytes_per_second,
            refilled: now,
            left: now,
        });
        if account.clients >= self.quota.allocations {
            return None;
        }
        account.clients += 1;
        Some(Share {
            accounts: self.clone(),
            username: username.to_owned(),
        })
    }

    fn table(&self) -> MutexGuard<'_, HashMap<String, Account>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One client's part of its credential's quota.
#[derive(Debug)]
pub(crate) struct Share {
    accounts: Accounts,
    username: String,
}

impl Share {
    /// Whether so many bytes may pass now; they count if so.
    pub(crate) fn take(&self, bytes: usize) -> bool {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let Quota {
            bytes: most,
            bytes_per_second: rate,
            ..
        } = self.accounts.quota;
        let now = Instant::now();
        let mut table = self.accounts.table();
        let Some(account) = table.get_mut(&self.username) else {
            return false;
        };
        let since = now.duration_since(account.refilled);
        let refill = u128::from(rate) * since.as_micros() / 1_000_000;
        if refill > 0 {
            let refill = u64::try_from(refill).unwrap_or(u64::MAX);
            account.credit = account.credit.saturating_add(refill).min(rate);
            account.refilled = now;
        }
        let used = account.bytes.saturating_add(bytes);
        if used > most || account.credit < bytes {
            return false;
        }
        account.bytes = used;
        account.credit -= bytes;
        true
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if let Some(account) = self.accounts.table().get_mut(&self.username) {
            account.clients = account.clients.saturating_sub(1);
            account.left = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTA: Quota = Quota {
        allocations: 2,
        bytes: 5_000,
        bytes_per_second: 1_000,
    };

    #[tokio::test(start_paused = true)]
    async fn a_credential_has_its_number_of_clients() {
        let accounts = Accounts::new(QUOTA);
        let (one, two) = (accounts.enter("a"), accounts.enter("a"));
        assert!(one.is_some() && two.is_some() && accounts.enter("a").is_none());
        assert!(accounts.enter("b").is_some());
        drop(one);
        assert!(accounts.enter("a").is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_have_a_rate_and_an_end() {
        let accounts = Accounts::new(QUOTA);
        let Some(share) = accounts.enter("a") else {
            unreachable!("it is the first");
        };
        assert!(share.take(1_000) && !share.take(1));
        tokio::time::advance(Duration::from_millis(500)).await;
        assert!(share.take(500) && !share.take(1));
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(
            share.take(1_000) && !share.take(1),
            "no more than a second's worth at once"
        );
        // Another client of the same credential begins where this one ended.
        drop(share);
        let Some(share) = accounts.enter("a") else {
            unreachable!("the first has left");
        };
        for _ in 0..2 {
            tokio::time::advance(Duration::from_secs(1)).await;
            assert!(share.take(1_000));
        }
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!share.take(501) && share.take(500) && !share.take(1));
    }
}
