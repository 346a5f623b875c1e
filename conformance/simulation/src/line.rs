//! The line between a host and the rest of the world, and what it does to datagrams.

use std::time::Duration;

/// How good a line is; the same both ways. What passes two lines suffers from both.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// Time that each datagram takes.
    pub delay: Duration,
    /// At most this much more for each, at random: datagrams overtake one another.
    pub jitter: Duration,
    /// Probability that a datagram is lost.
    pub loss: f64,
    /// Probability that a datagram comes twice.
    pub duplication: f64,
    /// Largest datagram payload that passes, in bytes; larger ones are lost.
    pub largest: usize,
    /// Nothing passes.
    pub down: bool,
}

impl Default for Line {
    /// Nothing is lost, and a round trip between two hosts takes 40 ms.
    fn default() -> Self {
        Self {
            delay: Duration::from_millis(10),
            jitter: Duration::ZERO,
            loss: 0.0,
            duplication: 0.0,
            largest: 1472,
            down: false,
        }
    }
}

impl Line {
    /// After how long each copy of a datagram of `length` bytes comes out; none: it is lost.
    pub(crate) fn pass(&self, length: usize, random: &mut fastrand::Rng) -> Vec<Duration> {
        if self.down || length > self.largest || random.f64() < self.loss {
            return Vec::new();
        }
        let copies = if random.f64() < self.duplication {
            2
        } else {
            1
        };
        let delay = |_| self.delay + self.jitter.mul_f64(random.f64());
        (0..copies).map(delay).collect()
    }
}
