//! The first flights of DTLS and SCTP, which are said again sooner than rtc would.
//!
//! rtc repeats a flight after a second. A DTLS server never does when the client has repeated its
//! own before: any part of a handshake stops its timer, also one that it has seen already
//! (`DTLSConn::wait` of rtc-dtls 0.21). Browsers repeat after 50 ms, so one lost packet of the
//! server's would end the visit. Here what was sent last is sent again, byte by byte, until the
//! other end answers; what it has had already it drops as a replay (RFC 6347 section 4.1.2.6).

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

/// Until the first repetition where no round trip is known.
const PAUSE: Duration = Duration::from_millis(200);

/// The shortest and the longest pause before one.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Repetitions of one flight. rtc's own timers go on behind that.
const REPETITIONS: u32 = 6;

/// Datagrams of one flight; one that is longer is no flight of a handshake.
const FLIGHT_MAX: usize = 16;

/// What was sent last, until the connection is open and has been heard of.
#[derive(Debug, Default)]
pub(crate) struct Opening {
    flight: Vec<Bytes>,
    /// Something came since the flight began: what is sent next answers it.
    answered: bool,
    repetitions: u32,
    pause: Duration,
    due: Option<Instant>,
    over: bool,
}

impl Opening {
    /// A datagram leaves, to an end that is `round_trip` away.
    pub(crate) fn sent(&mut self, datagram: &BytesMut, round_trip: Option<Duration>) {
        if self.over {
            return;
        }
        if std::mem::take(&mut self.answered) {
            self.flight.clear();
        }
        if self.flight.len() == FLIGHT_MAX {
            self.end();
            return;
        }
        if self.flight.is_empty() {
            self.repetitions = 0;
            let pause = round_trip.map_or(PAUSE, |time| time * 2);
            self.pause = pause.clamp(PAUSE_MIN, PAUSE_MAX);
        }
        self.flight.push(Bytes::copy_from_slice(datagram));
        self.due = Some(Instant::now() + self.pause);
    }

    /// A datagram has come, and `open` says whether lanes had opened before.
    pub(crate) fn heard(&mut self, open: bool) {
        self.answered = true;
        if open {
            self.end();
        }
    }

    fn end(&mut self) {
        *self = Self {
            over: true,
            ..Self::default()
        };
    }

    /// When the flight is to be repeated.
    pub(crate) const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// What has to be sent again now.
    pub(crate) fn repeat(&mut self) -> Vec<Bytes> {
        let now = Instant::now();
        if self.due.is_none_or(|due| now < due) {
            return Vec::new();
        }
        self.repetitions += 1;
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        self.due = (self.repetitions < REPETITIONS).then(|| now + self.pause);
        self.flight.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flight_is_repeated_until_it_is_answered() {
        let mut opening = Opening::default();
        let hello = BytesMut::from(&b"hello"[..]);
        opening.sent(&hello, Some(Duration::from_millis(40)));
        assert!(opening.repeat().is_empty());
        let mut pauses = Vec::new();
        while let Some(due) = opening.due() {
            pauses.push(due - Instant::now());
            tokio::time::sleep_until(due).await;
            assert_eq!(opening.repeat(), [hello.clone().freeze()]);
        }
        assert_eq!(pauses[0], Duration::from_millis(80));
        assert_eq!(pauses.len(), REPETITIONS as usize);
        assert!(pauses.is_sorted());
        // An answer alone stops nothing: it may be the half of one.
        opening.sent(&hello, None);
        opening.heard(false);
        assert!(opening.due().is_some());
        let next = BytesMut::from(&b"next"[..]);
        opening.sent(&next, None);
        tokio::time::sleep(PAUSE).await;
        assert_eq!(opening.repeat(), [next.freeze()]);
        opening.heard(true);
        assert_eq!(opening.due(), None);
        opening.sent(&hello, None);
        assert_eq!(opening.due(), None);
    }
}
