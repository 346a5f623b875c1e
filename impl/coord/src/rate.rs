//! Token buckets.

use crate::Rate;
use std::time::{Duration, Instant};

/// Lets [`Rate::burst`] things happen at once and [`Rate::per_second`] for ever.
#[derive(Debug)]
pub(crate) struct Bucket {
    rate: Rate,
    tokens: u32,
    filled_at: Instant,
}

impl Bucket {
    pub(crate) fn new(rate: Rate, now: Instant) -> Self {
        Self {
            rate,
            tokens: rate.burst,
            filled_at: now,
        }
    }

    /// Whether one more may happen now.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.filled_at).as_millis();
        let gained = u32::try_from(passed * u128::from(self.rate.per_second) / 1000)
            .unwrap_or(self.rate.burst);
        if gained > 0 {
            self.tokens = self.tokens.saturating_add(gained).min(self.rate.burst);
            // Only the time that has bought whole tokens is used up.
            self.filled_at +=
                Duration::from_millis(u64::from(gained) * 1000) / self.rate.per_second;
        }
        let Some(left) = self.tokens.checked_sub(1) else {
            return false;
        };
        self.tokens = left;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_and_rates_hold() {
        let rate = Rate {
            burst: 5,
            per_second: 3,
        };
        let start = Instant::now();
        let mut bucket = Bucket::new(rate, start);
        let count = |bucket: &mut Bucket, now| (0..100).filter(|_| bucket.take(now)).count();
        assert_eq!(count(&mut bucket, start), 5);
        assert_eq!(count(&mut bucket, start + Duration::from_millis(333)), 0);
        assert_eq!(count(&mut bucket, start + Duration::from_millis(334)), 1);
        assert_eq!(count(&mut bucket, start + Duration::from_secs(1000)), 5);
        let mut bucket = Bucket::new(rate, start);
        let taken: usize = (0..10_000)
            .map(|step| start + Duration::from_millis(step))
            .filter(|now| bucket.take(*now))
            .count();
        assert_eq!(taken, 5 + 29);
    }

    #[test]
    fn a_rate_of_nothing_allows_its_burst_only() {
        let rate = Rate {
            burst: 1,
            per_second: 0,
        };
        let start = Instant::now();
        let mut bucket = Bucket::new(rate, start);
        assert!(bucket.take(start));
        assert!(!bucket.take(start + Duration::from_secs(3600)));
    }
}
