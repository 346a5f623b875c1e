//! How a session is doing: its stage, path and round trip, and what went through it.

use std::time::{Duration, Instant};

use p2claw_session::RoundTrip;

use super::{Connection, State};
use crate::transport::Path;

/// A meter's unit of time, in milliseconds. It divides a second.
const SLOT_MILLIS: u32 = 500;

/// Slots over which a rate is averaged: those that are over, and the one that runs.
const SLOTS: usize = 4;

/// How far a session has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The other end's HELLO is not here yet.
    Connecting,
    /// Frames get through.
    Connected,
    /// No path for this long (`SES-063`).
    PathLost(Duration),
    /// No further streams are taken, or the session is over.
    Ending,
}

/// What went one way: frames as the transport carries them, without what it adds of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Bytes since the session began.
    pub bytes: u64,
    /// Bytes a second, averaged over the last 1.5 to 2 s.
    pub per_second: u64,
}

/// One session at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statistics {
    /// How far it has come.
    pub stage: Stage,
    /// The addresses in use, once there are any.
    pub path: Option<Path>,
    /// As far as it was measured: by the PINGs of a silent session, and by [`Connection::measure`].
    pub round_trip: Option<RoundTrip>,
    /// From the other end.
    pub received: Traffic,
    /// To the other end: what the transport was given.
    pub sent: Traffic,
    /// Streams that take a place now.
    pub streams: usize,
    /// Those among them that are WebSockets, or ask to be.
    pub websockets: usize,
}

/// Counts the bytes of one direction. It takes time as it is told, and never allocates.
#[derive(Debug)]
pub(super) struct Meter {
    began: Instant,
    bytes: u64,
    /// The newest slot's number since `began`.
    newest: u64,
    /// Bytes of the last slots, each at its number modulo [`SLOTS`].
    slots: [u64; SLOTS],
}

impl Meter {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            began: now,
            bytes: 0,
            newest: 0,
            slots: [0; SLOTS],
        }
    }

    pub(super) fn add(&mut self, now: Instant, bytes: usize) {
        self.advance(now);
        let bytes = bytes as u64;
        self.bytes += bytes;
        *self.slot(self.newest) += bytes;
    }

    pub(super) fn read(&mut self, now: Instant) -> Traffic {
        let running = self.advance(now).subsec_millis() % SLOT_MILLIS;
        let over = self.newest.min(SLOTS as u64 - 1) * u64::from(SLOT_MILLIS);
        // A session that is younger than a slot has no rate worth the name yet.
        let window = (over + u64::from(running)).max(u64::from(SLOT_MILLIS));
        let recent: u64 = self.slots.iter().sum();
        Traffic {
            bytes: self.bytes,
            per_second: recent.saturating_mul(1_000) / window,
        }
    }

    /// Empties the slots of the time in which nothing was counted; the age of the meter.
    fn advance(&mut self, now: Instant) -> Duration {
        let age = now.saturating_duration_since(self.began);
        let a_second = u64::from(1_000 / SLOT_MILLIS);
        let current = age.as_secs() * a_second + u64::from(age.subsec_millis() / SLOT_MILLIS);
        for number in 0..current.saturating_sub(self.newest).min(SLOTS as u64) {
            *self.slot(current - number) = 0;
        }
        self.newest = self.newest.max(current);
        age
    }

    /// The place of a slot.
    fn slot(&mut self, number: u64) -> &mut u64 {
        let place = usize::try_from(number % SLOTS as u64).unwrap_or(0);
        &mut self.slots[place]
    }
}

impl State {
    fn stage(&self, now: Instant) -> Stage {
        if self.ended.is_some() || self.finishing.is_some() || self.session.is_closed() {
            Stage::Ending
        } else if self.settings.is_none() {
            Stage::Connecting
        } else if let Some(since) = self.session.path_lost_since() {
            Stage::PathLost(now.saturating_duration_since(since))
        } else {
            Stage::Connected
        }
    }
}

impl Connection {
    /// How the session is doing now.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let now = tokio::time::Instant::now().into_std();
        let path = self.path();
        self.shared.look(|state| Statistics {
            stage: state.stage(now),
            path,
            round_trip: state.session.round_trip(),
            received: state.received.read(now),
            sent: state.sent.read(now),
            streams: state.session.open_streams(),
            websockets: state.session.open_websockets(),
        })
    }

    /// Measures the round trip with a PING, and waits for the PONG. Whoever asks while a PING is
    /// under way waits for that one: a session never has two on account of this. Returns at once
    /// where there is nobody to answer; what it found is in [`Connection::statistics`].
    pub async fn measure(&self) {
        let now = tokio::time::Instant::now().into_std();
        let answered = self.shared.with(|state| {
            state.session.measure(now);
            state.answered.clone()
        });
        loop {
            let mut change = std::pin::pin!(answered.notified());
            change.as_mut().enable();
            let waits = self
                .shared
                .look(|state| state.ended.is_none() && state.session.is_measuring());
            if !waits {
                return;
            }
            change.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(began: Instant, millis: u64) -> Instant {
        began + Duration::from_millis(millis)
    }

    #[test]
    fn a_steady_flow_has_its_rate() {
        let began = Instant::now();
        let mut meter = Meter::new(began);
        for step in 0..100 {
            meter.add(at(began, step * 50), 1_000);
            let traffic = meter.read(at(began, step * 50));
            assert_eq!(traffic.bytes, (step + 1) * 1_000);
            // From the third second on it is as good as exact.
            if step >= 60 {
                assert!(
                    (20_000..=20_700).contains(&traffic.per_second),
                    "{traffic:?}"
                );
            }
        }
    }

    #[test]
    fn the_first_bytes_of_a_session_are_no_burst() {
        let began = Instant::now();
        let mut meter = Meter::new(began);
        meter.add(at(began, 1), 500);
        assert_eq!(meter.read(at(began, 1)).per_second, 1_000);
        assert_eq!(meter.read(at(began, 1_000)).per_second, 500);
    }

    #[test]
    fn what_is_over_is_forgotten_within_two_seconds() {
        let began = Instant::now();
        let mut meter = Meter::new(began);
        for pause in [2_000, 2_500, 10_000, 10_000_000] {
            let mut meter = Meter::new(began);
            meter.add(at(began, 499), 1_000_000);
            let silent = Traffic {
                bytes: 1_000_000,
                per_second: 0,
            };
            assert_eq!(meter.read(at(began, pause)), silent);
            meter.add(at(began, pause), 1_000);
            assert!(meter.read(at(began, pause)).per_second <= 2_000);
        }
        meter.add(at(began, 0), 1_000);
        assert!(meter.read(at(began, 1_999)).per_second > 0);
    }

    /// Several threads read the clock before they take the lock.
    #[test]
    fn a_clock_that_is_read_late_does_no_harm() {
        let began = Instant::now();
        let mut meter = Meter::new(began);
        meter.add(at(began, 3_000), 10);
        meter.add(at(began, 0), 10);
        assert_eq!(meter.read(at(began, 2_900)).bytes, 20);
    }
}
