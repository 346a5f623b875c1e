//! How many messages an agent sends over its link (`SIG-011`).

use std::time::Duration;

use tokio::time::Instant;

/// Coord takes 1,024 at once and 128 a second. What the link says of itself comes out of the rest.
const BURST: u32 = 960;
const EVERY: Duration = Duration::from_micros(1_000_000 / 120);

/// What may still be sent about visits. Beyond it messages wait: coord would end the link.
#[derive(Debug)]
pub(crate) struct Allowance {
    left: u32,
    counted: Instant,
}

impl Allowance {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            left: BURST,
            counted: now,
        }
    }

    /// When the next message may go; `None`: now.
    pub(crate) fn pause(&mut self, now: Instant) -> Option<Instant> {
        let gained = now.duration_since(self.counted).as_micros() / EVERY.as_micros();
        let gained = u32::try_from(gained).unwrap_or(u32::MAX);
        if gained >= BURST - self.left {
            *self = Self::new(now);
        } else {
            self.left += gained;
            self.counted += EVERY * gained;
        }
        (self.left == 0).then(|| self.counted + EVERY)
    }

    pub(crate) fn spend(&mut self) {
        self.left = self.left.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SIG-011: never more than coord takes, and all of it in the end.
    #[test]
    fn a_flood_is_spread_over_time() {
        let start = Instant::now();
        let (mut now, mut sent) = (start, 0_u32);
        let mut allowance = Allowance::new(now);
        while sent < 3_000 {
            if let Some(until) = allowance.pause(now) {
                assert!(until > now);
                now = until;
            } else {
                allowance.spend();
                sent += 1;
            }
            let taken = 1_024 + (now - start).as_millis() * 128 / 1_000;
            assert!(u128::from(sent) <= taken, "{sent} of {taken}");
        }
        let seconds = (now - start).as_secs();
        assert!((16..=18).contains(&seconds), "{seconds}");
    }
}
