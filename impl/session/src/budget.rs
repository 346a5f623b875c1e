use std::time::{Duration, Instant};

use crate::limits::{BUDGET, BUDGET_BYTES, BUDGET_PER_SECOND};

/// Milliseconds in which one token comes back.
const TOKEN_MILLIS: u64 = 1_000 / BUDGET_PER_SECOND as u64;

/// What a peer may make this end do without any use (SES-090).
///
/// Tokens are spent on frames that carry nothing and on streams that come to nothing; they come
/// back with time and with body bytes. An honest peer never runs out.
#[derive(Debug)]
pub(crate) struct Budget {
    tokens: u32,
    refilled: Instant,
    bytes: u64,
}

impl Budget {
    pub(crate) const fn new(now: Instant) -> Self {
        Self {
            tokens: BUDGET,
            refilled: now,
            bytes: 0,
        }
    }

    /// Gives back what has come due.
    pub(crate) fn advance(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.refilled);
        let due = elapsed.as_millis() / u128::from(TOKEN_MILLIS);
        let due = u32::try_from(due).unwrap_or(u32::MAX);
        self.refilled += Duration::from_millis(TOKEN_MILLIS) * due;
        self.refill(due);
    }

    /// Gives back for body bytes that went either way.
    pub(crate) fn bytes(&mut self, count: usize) {
        self.bytes += count as u64;
        let due = self.bytes / BUDGET_BYTES;
        self.bytes %= BUDGET_BYTES;
        self.refill(u32::try_from(due).unwrap_or(u32::MAX));
    }

    /// Takes tokens; `false` when there are too few.
    #[must_use]
    pub(crate) fn spend(&mut self, cost: u32) -> bool {
        match self.tokens.checked_sub(cost) {
            Some(left) => {
                self.tokens = left;
                true
            }
            None => false,
        }
    }

    fn refill(&mut self, tokens: u32) {
        self.tokens = self.tokens.saturating_add(tokens).min(BUDGET);
    }
}
