//! What each visit may relay: bytes, and how quickly.
//!
//! A relay cannot look into what it passes on. To it a visit is what goes between one allocation
//! and one peer: a visitor's allocation has its agent as peer, and an agent's, which all its visits
//! share, has every visitor. What comes too quickly waits as it would before a slow line, and is
//! lost only where too much waits already: a sender that had whole windows dropped would stand still
//! for a second at a time.

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    time::Duration,
};

use tokio::time::Instant;

use crate::config::Quota;

/// How long a datagram may wait for its turn.
const WAIT_MAX: Duration = Duration::from_millis(100);

/// Bytes that may wait for one visit, however slow it is.
const WAITING_MIN: usize = 64 * 1024;

/// Bytes that wait for all visits of one allocation.
const WAITING_MAX: usize = 1 << 20;

/// Visits of one allocation at a time.
const VISITS: usize = 256;

/// A visit that is silent for so long is over.
const IDLE: Duration = Duration::from_secs(600);

/// A datagram on its way through the relay.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Passing {
    /// A relayed address, which it comes to or leaves from.
    pub(crate) relayed: SocketAddr,
    pub(crate) peer: SocketAddr,
    pub(crate) to: End,
    pub(crate) contents: Vec<u8>,
}

/// Where it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Client,
    Peer,
}

/// All visits of one allocation.
#[derive(Debug)]
pub(crate) struct Visits {
    quota: Quota,
    table: HashMap<SocketAddr, Visit>,
    /// Bytes.
    waiting: usize,
}

#[derive(Debug)]
struct Visit {
    /// Bytes that have passed.
    used: u64,
    /// Bytes that may pass at once, as of `refilled`. The last datagram may overdraw it.
    credit: i64,
    refilled: Instant,
    heard: Instant,
    queue: VecDeque<Passing>,
    /// Bytes in the queue.
    waiting: usize,
}

impl Visits {
    pub(crate) fn new(quota: Quota) -> Self {
        Self {
            quota,
            table: HashMap::new(),
            waiting: 0,
        }
    }

    /// A datagram that has come: it is returned when it may pass now. Otherwise it waits, or is lost.
    pub(crate) fn pass(&mut self, datagram: Passing) -> Option<Passing> {
        let now = Instant::now();
        let peer = datagram.peer;
        if !self.table.contains_key(&peer) && !self.make_room(now) {
            return None;
        }
        let rate = signed(self.quota.bytes_per_second);
        let visit = self.table.entry(peer).or_insert_with(|| Visit {
            used: 0,
            credit: rate,
            refilled: now,
            heard: now,
            queue: VecDeque::new(),
            waiting: 0,
        });
        visit.heard = now;
        let bytes = datagram.contents.len();
        let used = visit.used.saturating_add(bytes as u64);
        if used > self.quota.bytes {
            return None;
        }
        visit.refill(rate, now);
        if visit.queue.is_empty() && visit.credit > 0 {
            visit.pay(bytes);
            return Some(datagram);
        }
        let fits = visit.waiting + bytes <= waiting_max(self.quota.bytes_per_second)
            && self.waiting + bytes <= WAITING_MAX;
        if fits {
            visit.waiting += bytes;
            self.waiting += bytes;
            visit.queue.push_back(datagram);
        }
        None
    }

    /// Forgets who is gone; whether there is room for another visit.
    fn make_room(&mut self, now: Instant) -> bool {
        if self.table.len() >= VISITS {
            self.table
                .retain(|_, visit| !visit.queue.is_empty() || now < visit.heard + IDLE);
        }
        self.table.len() < VISITS
    }

    /// When [`Self::release`] has something; `None` while nothing waits.
    pub(crate) fn due(&self) -> Option<Instant> {
        if self.waiting == 0 {
            return None;
        }
        let waiting = self.table.values().filter(|visit| !visit.queue.is_empty());
        waiting
            .map(|visit| visit.ready(self.quota.bytes_per_second))
            .min()
    }

    /// What has waited long enough.
    pub(crate) fn release(&mut self) -> Vec<Passing> {
        let mut released = Vec::new();
        if self.waiting == 0 {
            return released;
        }
        let now = Instant::now();
        let rate = signed(self.quota.bytes_per_second);
        for visit in self.table.values_mut() {
            visit.refill(rate, now);
            while visit.credit > 0
                && let Some(datagram) = visit.queue.pop_front()
            {
                let bytes = datagram.contents.len();
                visit.waiting -= bytes;
                self.waiting -= bytes;
                visit.pay(bytes);
                released.push(datagram);
            }
        }
        released
    }
}

impl Visit {
    fn refill(&mut self, rate: i64, now: Instant) {
        let since = now.duration_since(self.refilled).as_micros();
        let refill = i128::from(rate) * i128::try_from(since).unwrap_or(i128::MAX) / 1_000_000;
        if refill > 0 {
            let refill = i64::try_from(refill).unwrap_or(i64::MAX);
            self.credit = self.credit.saturating_add(refill).min(rate);
            self.refilled = now;
        }
    }

    fn pay(&mut self, bytes: usize) {
        self.used = self.used.saturating_add(bytes as u64);
        self.credit -= signed(bytes as u64);
    }

    /// When there is credit again.
    fn ready(&self, rate: u64) -> Instant {
        let missing = u64::try_from(1 - self.credit).unwrap_or(0);
        let micros = (u128::from(missing) * 1_000_000).div_ceil(u128::from(rate.max(1)));
        let wait = Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX));
        self.refilled + wait.min(IDLE)
    }
}

/// Bytes that may wait for one visit at this rate.
fn waiting_max(rate: u64) -> usize {
    let most = u128::from(rate) * WAIT_MAX.as_millis() / 1_000;
    usize::try_from(most).unwrap_or(usize::MAX).max(WAITING_MIN)
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTA: Quota = Quota {
        allocations: 1,
        bytes: 10_000_000,
        bytes_per_second: 1_000_000,
    };

    fn peer(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    fn datagram(from: u16, bytes: usize) -> Passing {
        Passing {
            relayed: SocketAddr::from(([192, 0, 2, 9], 9)),
            peer: peer(from),
            to: End::Client,
            contents: vec![0; bytes],
        }
    }

    /// Passes so many datagrams of 1,000 bytes; how many of them went at once.
    fn flood(visits: &mut Visits, from: u16, number: usize) -> usize {
        (0..number)
            .filter_map(|_| visits.pass(datagram(from, 1_000)))
            .count()
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_too_quickly_waits_and_is_lost_only_where_much_waits_already() {
        let mut visits = Visits::new(QUOTA);
        assert_eq!(visits.due(), None);
        assert_eq!(
            flood(&mut visits, 1, 1_000),
            1_000,
            "a second's worth at once"
        );
        assert_eq!(flood(&mut visits, 1, 500), 0);
        assert_eq!(visits.waiting, 100_000, "100 ms of it wait");
        let began = Instant::now();
        let mut released = 0;
        while let Some(due) = visits.due() {
            tokio::time::sleep_until(due).await;
            released += visits.release().len();
        }
        assert_eq!(released, 100);
        let took = began.elapsed().as_millis();
        assert!((98..=102).contains(&took), "{took} ms");
        assert_eq!(visits.waiting, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn datagrams_keep_their_order() {
        let mut visits = Visits::new(QUOTA);
        flood(&mut visits, 1, 1_000);
        for bytes in [1, 2, 3] {
            assert_eq!(visits.pass(datagram(1, bytes)), None);
        }
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(visits.pass(datagram(1, 4)), None, "others wait before it");
        let released = visits.release();
        let lengths: Vec<_> = released.iter().map(|one| one.contents.len()).collect();
        assert_eq!(lengths, [1, 2, 3, 4]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_visit_has_its_bytes_whatever_others_do() {
        let mut visits = Visits::new(Quota {
            bytes: 5_000,
            ..QUOTA
        });
        assert_eq!(flood(&mut visits, 1, 9), 5);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(flood(&mut visits, 1, 1), 0);
        assert_eq!(flood(&mut visits, 2, 9), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_visit_that_is_quick_does_not_slow_down_another() {
        let mut visits = Visits::new(QUOTA);
        flood(&mut visits, 1, 2_000);
        assert_eq!(flood(&mut visits, 2, 900), 900);
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded() {
        let mut visits = Visits::new(Quota {
            bytes_per_second: 100_000,
            ..QUOTA
        });
        for from in 1..400 {
            for _ in 0..5 {
                visits.pass(datagram(from, 50_000));
            }
        }
        assert_eq!(visits.table.len(), VISITS);
        assert!(visits.waiting > WAITING_MAX / 2 && visits.waiting <= WAITING_MAX);
        tokio::time::advance(IDLE).await;
        visits.release();
        assert_eq!(flood(&mut visits, 5_000, 1), 1, "who is gone makes room");
    }
}
