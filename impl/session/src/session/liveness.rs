//! Whether the peer lives, whether there is a path to it, and how long that takes.

use std::time::{Duration, Instant};

use super::Session;
use crate::limits::{PATH_GRACE, PINGS_MAX};
use crate::{ErrorCode, SessionError};

/// When the peer was last heard (SES-060 to SES-062).
#[derive(Debug)]
pub(super) struct Liveness {
    heard: Instant,
    /// PINGs since then.
    pings: u8,
    token: u64,
    /// The first PING that has no PONG yet, and when it was asked for.
    unanswered: Option<(u64, Instant)>,
    round_trip: Option<RoundTrip>,
    /// Since when there is no path.
    lost: Option<Instant>,
}

/// Time from a PING to its PONG, with everything that lay before them in the queues of both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoundTrip {
    /// The one measured last.
    pub latest: Duration,
    /// The shortest one of this session: the closest to what the network itself takes.
    pub least: Duration,
}

impl Liveness {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            heard: now,
            pings: 0,
            token: 0,
            unanswered: None,
            round_trip: None,
            lost: None,
        }
    }

    /// Since when there is no path.
    pub(super) const fn lost_since(&self) -> Option<Instant> {
        self.lost
    }

    pub(super) const fn round_trip(&self) -> Option<RoundTrip> {
        self.round_trip
    }

    pub(super) const fn is_measuring(&self) -> bool {
        self.unanswered.is_some()
    }

    /// A PING to measure with; one at a time. It has nothing to do with the silence.
    pub(super) fn measure(&mut self, now: Instant) -> Option<u64> {
        if self.unanswered.is_some() {
            return None;
        }
        Some(self.fresh_ping(now))
    }

    fn fresh_ping(&mut self, now: Instant) -> u64 {
        self.token += 1;
        self.unanswered.get_or_insert((self.token, now));
        self.token
    }

    /// A PONG came with the message that was heard last.
    pub(super) fn answered(&mut self, token: u64) {
        let Some((_, asked)) = self.unanswered.take_if(|(asked, _)| *asked == token) else {
            return;
        };
        let latest = self.heard.saturating_duration_since(asked);
        let least = self
            .round_trip
            .map_or(latest, |before| before.least.min(latest));
        self.round_trip = Some(RoundTrip { latest, least });
    }

    pub(super) fn path_lost(&mut self, now: Instant) {
        self.lost.get_or_insert(now);
    }

    pub(super) fn path_found(&mut self) {
        self.lost = None;
    }

    /// Whether there was no path for so long that nobody waits for it any more (SES-063).
    pub(super) fn is_abandoned(&self, now: Instant) -> bool {
        self.lost.is_some_and(|lost| now >= lost + PATH_GRACE)
    }

    pub(super) fn heard(&mut self, now: Instant) {
        self.heard = self.heard.max(now);
        self.pings = 0;
        self.lost = None;
    }

    pub(super) fn deadline(&self, keep_alive: Duration) -> Instant {
        let silence = self.ping_due(keep_alive);
        match self.lost {
            Some(lost) => silence.min(lost + PATH_GRACE),
            None => silence,
        }
    }

    pub(super) fn ping_due(&self, keep_alive: Duration) -> Instant {
        self.heard + keep_alive * (u32::from(self.pings) + 1)
    }

    /// The next PING's token, `None` when the peer is dead.
    pub(super) fn next_ping(&mut self, now: Instant) -> Option<u64> {
        if self.pings == PINGS_MAX {
            return None;
        }
        self.pings += 1;
        Some(self.fresh_ping(now))
    }
}

impl Session {
    /// When [`Self::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.closed {
            Some(_) => None,
            None => Some(self.liveness.deadline(self.config.keep_alive)),
        }
    }

    /// Sends a PING, or ends the session, when that is due (SES-060, SES-062, SES-063).
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_none_or(|deadline| now < deadline) {
            return;
        }
        if self.liveness.is_abandoned(now) {
            let reason = "there was no path to the peer for 30 s";
            return self.fail(SessionError::own(ErrorCode::IDLE_TIMEOUT, reason));
        }
        if now < self.liveness.ping_due(self.config.keep_alive) {
            return;
        }
        match self.liveness.next_ping(now) {
            Some(token) => self.queue_ping(token),
            None => self.fail(SessionError::own(
                ErrorCode::IDLE_TIMEOUT,
                "nothing was received for too long",
            )),
        }
    }

    /// The transport has lost its path to the peer. Streams survive that for
    /// [`crate::limits::PATH_GRACE`]; then the session ends with IDLE_TIMEOUT (SES-063).
    pub fn path_lost(&mut self, now: Instant) {
        self.liveness.path_lost(now);
    }

    /// The transport has a path again. A message from the peer says the same.
    pub fn path_found(&mut self) {
        self.liveness.path_found();
    }

    /// Asks for a PONG, to measure the round trip; [`Self::round_trip`] has it once that is here.
    /// Nothing happens while an earlier PING waits for its PONG, before the peer's HELLO and after
    /// the end, so whoever calls this often still sends no more than one PING a round trip.
    pub fn measure(&mut self, now: Instant) {
        if self.closed.is_none()
            && self.peer.is_some()
            && let Some(token) = self.liveness.measure(now)
        {
            self.queue_ping(token);
        }
    }

    /// One that the transport had no room for yet says the same, and may be the one that measures.
    fn queue_ping(&mut self, token: u64) {
        self.control.ping.get_or_insert(token);
    }

    /// Whether a PING waits for its PONG.
    pub const fn is_measuring(&self) -> bool {
        self.liveness.is_measuring()
    }

    /// What the PINGs of this session have measured; `None` before the first PONG.
    pub const fn round_trip(&self) -> Option<RoundTrip> {
        self.liveness.round_trip()
    }

    /// Since when the transport has no path to the peer; `None` while it has one.
    pub const fn path_lost_since(&self) -> Option<Instant> {
        self.liveness.lost_since()
    }
}
