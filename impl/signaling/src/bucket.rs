//! Token buckets: so many things at once, and one more each so often.

use std::time::{Duration, Instant};

/// A bucket that is full at first.
///
/// ```
/// # use std::time::{Duration, Instant};
/// # use p2claw_signaling::bucket::Bucket;
/// let now = Instant::now();
/// let mut bucket = Bucket::new(2, Duration::from_secs(1), now);
/// assert!(bucket.take(now) && bucket.take(now));
/// assert!(!bucket.take(now));
/// assert_eq!(bucket.empty_until(now), Some(now + Duration::from_secs(1)));
/// ```
#[derive(Debug)]
pub struct Bucket {
    burst: u32,
    every: Duration,
    tokens: u32,
    /// Up to when time has been turned into tokens.
    filled_at: Instant,
}

impl Bucket {
    /// `burst` at once, and one more after each `every`.
    #[must_use]
    pub const fn new(burst: u32, every: Duration, now: Instant) -> Self {
        Self {
            burst,
            every,
            tokens: burst,
            filled_at: now,
        }
    }

    /// `burst` at once, and `rate` a second for ever; with a rate of 0 there is nothing after the
    /// burst.
    #[must_use]
    pub fn per_second(burst: u32, rate: u32, now: Instant) -> Self {
        let every = Duration::from_secs(1).checked_div(rate);
        Self::new(burst, every.unwrap_or(Duration::MAX), now)
    }

    /// Whether one more may happen now; it counts as having happened.
    pub fn take(&mut self, now: Instant) -> bool {
        self.fill(now);
        let Some(left) = self.tokens.checked_sub(1) else {
            return false;
        };
        self.tokens = left;
        true
    }

    /// When the next may happen; `None`: now.
    pub fn empty_until(&mut self, now: Instant) -> Option<Instant> {
        self.fill(now);
        (self.tokens == 0).then(|| {
            let next = self.filled_at.checked_add(self.every);
            // In a hundred years: never.
            next.unwrap_or_else(|| now + Duration::from_secs(100 * 365 * 86_400))
        })
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled_at).as_nanos();
        let gained = passed / self.every.as_nanos().max(1);
        match u32::try_from(gained) {
            Ok(gained) if gained < self.burst - self.tokens => {
                self.tokens += gained;
                // Only the time that has bought whole tokens is used up.
                self.filled_at += self.every * gained;
            }
            _ => {
                self.tokens = self.burst;
                self.filled_at = now;
            }
        }
    }
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "an arbitrary origin for the tests' clock"
)]
mod tests {
    use super::*;

    #[test]
    fn bursts_and_rates_hold() {
        let start = Instant::now();
        let new = || Bucket::per_second(5, 3, start);
        let mut bucket = new();
        let count = |bucket: &mut Bucket, now| (0..100).filter(|_| bucket.take(now)).count();
        assert_eq!(count(&mut bucket, start), 5);
        assert_eq!(count(&mut bucket, start + Duration::from_millis(333)), 0);
        assert_eq!(count(&mut bucket, start + Duration::from_millis(334)), 1);
        assert_eq!(count(&mut bucket, start + Duration::from_secs(1000)), 5);
        let mut bucket = new();
        let taken = (0..10_000)
            .map(|step| start + Duration::from_millis(step))
            .filter(|now| bucket.take(*now));
        assert_eq!(taken.count(), 5 + 29);
    }

    #[test]
    fn a_rate_of_nothing_allows_its_burst_only() {
        let start = Instant::now();
        let mut bucket = Bucket::per_second(1, 0, start);
        assert!(bucket.take(start));
        let later = start + Duration::from_secs(3600);
        assert!(!bucket.take(later));
        assert!(bucket.empty_until(later) > Some(later + Duration::from_secs(86_400)));
    }

    #[test]
    fn a_time_that_goes_back_buys_nothing() {
        let start = Instant::now() + Duration::from_secs(10);
        let mut bucket = Bucket::new(1, Duration::from_secs(1), start);
        assert!(bucket.take(start));
        assert!(!bucket.take(start - Duration::from_secs(5)));
        assert!(bucket.take(start + Duration::from_secs(1)));
    }
}
