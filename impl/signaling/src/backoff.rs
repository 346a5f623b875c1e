//! How long an agent waits before it connects again (spec SIG-010).

use crate::registry::limit::{LINK_HEALTHY, RECONNECT_FIRST, RECONNECT_MAX, RECONNECT_MIN};
use std::time::{Duration, Instant};

/// Waits that double and are spread at random, so that the agents of a coord that restarted do
/// not all come back in the same moment.
#[derive(Debug, Clone, Default)]
pub struct Backoff {
    failures: u32,
    registered_at: Option<Instant>,
}

impl Backoff {
    /// Starts with the shortest waits.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that the link is registered.
    pub fn registered(&mut self, now: Instant) {
        self.registered_at = Some(now);
    }

    /// How long to wait now that a link has ended or failed to come up: between 1 s and a cap that
    /// doubles from 2 s to 60 s. `random` is any random number.
    pub fn after_failure(&mut self, now: Instant, random: u64) -> Duration {
        if let Some(since) = self.registered_at.take()
            && now.saturating_duration_since(since) >= LINK_HEALTHY
        {
            self.failures = 0;
        }
        let cap = RECONNECT_FIRST
            .saturating_mul(2_u32.saturating_pow(self.failures))
            .min(RECONNECT_MAX);
        self.failures = self.failures.saturating_add(1);
        // Both are at most 60 s, so milliseconds fit; 2^64 possible draws make the bias harmless.
        let spread = u64::try_from((cap - RECONNECT_MIN).as_millis()).unwrap_or(0);
        RECONNECT_MIN + Duration::from_millis(random % (spread + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    // Tests own the clock, so any instant will do as its start.
    #[expect(
        clippy::disallowed_methods,
        reason = "an arbitrary origin for the test's clock"
    )]
    fn start() -> Instant {
        Instant::now()
    }

    /// SIG-010: caps double up to a minute, and start over after a healthy minute only.
    #[test]
    fn sig_010_caps_double_and_start_over() {
        let now = start();
        let mut backoff = Backoff::new();
        let cap = |backoff: &mut Backoff, now| {
            // The largest draw that every spread divides into: try many and take the longest.
            (0..60_001)
                .map(|random| backoff.clone().after_failure(now, random))
                .max()
                .map(|longest| {
                    backoff.after_failure(now, 0);
                    longest.as_secs()
                })
                .unwrap()
        };
        let caps: Vec<u64> = (0..8).map(|_| cap(&mut backoff, now)).collect();
        assert_eq!(caps, [2, 4, 8, 16, 32, 60, 60, 60]);
        backoff.registered(now);
        assert_eq!(cap(&mut backoff, now + Duration::from_secs(59)), 60);
        backoff.registered(now);
        assert_eq!(cap(&mut backoff, now + LINK_HEALTHY), 2);
        assert_eq!(
            cap(&mut backoff, now + LINK_HEALTHY * 9),
            4,
            "counted once only"
        );
    }

    proptest! {
        /// SIG-010: never below 1 s, never above 60 s.
        #[test]
        fn sig_010_waits_stay_in_bounds(draws: Vec<u64>) {
            let (mut backoff, now) = (Backoff::new(), start());
            for random in draws {
                let wait = backoff.after_failure(now, random);
                prop_assert!((RECONNECT_MIN..=RECONNECT_MAX).contains(&wait));
            }
        }
    }
}
