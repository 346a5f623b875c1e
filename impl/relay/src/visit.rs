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

/// Bytes that may wait for one visit, however slow it is: at low rates that is longer.
const WAITING_MIN: usize = 64 * 1024;

/// Bytes that wait for all visits of one allocation.
const WAITING_MAX: usize = 1 << 20;

/// Memory of a datagram that waits, besides its bytes.
const OVERHEAD: usize = 128;

/// Visits of one allocation that are remembered.
const VISITS: usize = 256;

/// Until what waits is looked at again, at the latest.
const READY_MAX: Duration = Duration::from_secs(600);

/// A datagram on its way through the relay.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Passing {
    pub(crate) peer: SocketAddr,
    pub(crate) to: End,
    pub(crate) contents: Vec<u8>,
}

/// Where it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Client,
    /// From this relayed address.
    Peer(SocketAddr),
}

impl Passing {
    /// What it takes of the memory for what waits.
    fn size(&self) -> usize {
        self.contents.len() + OVERHEAD
    }
}

/// All visits of one allocation.
#[derive(Debug)]
pub(crate) struct Visits {
    quota: Quota,
    table: HashMap<SocketAddr, Visit>,
    /// Bytes of memory.
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
    /// Bytes of memory in the queue.
    waiting: usize,
}

impl Visits {
    pub(crate) fn new(quota: Quota) -> Self {
        Self {
            quota: Quota {
                bytes_per_second: quota.bytes_per_second.max(1),
                ..quota
            },
            table: HashMap::new(),
            waiting: 0,
        }
    }

    /// A datagram that has come: it is returned when it may pass now. Otherwise it waits, or is lost.
    pub(crate) fn pass(&mut self, datagram: Passing) -> Option<Passing> {
        let now = Instant::now();
        let peer = datagram.peer;
        if self.table.len() >= VISITS && !self.table.contains_key(&peer) {
            self.forget_one()?;
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
        let size = datagram.size();
        let fits = visit.waiting + size <= waiting_max(self.quota.bytes_per_second)
            && self.waiting + size <= WAITING_MAX;
        if fits {
            visit.waiting += size;
            self.waiting += size;
            visit.queue.push_back(datagram);
        }
        None
    }

    /// Forgets the visit that was silent for the longest time. `None`: all of them wait.
    fn forget_one(&mut self) -> Option<()> {
        let idle = self
            .table
            .iter()
            .filter(|(_, visit)| visit.queue.is_empty());
        let (peer, _) = idle.min_by_key(|(_, visit)| visit.heard)?;
        let peer = *peer;
        self.table.remove(&peer);
        Some(())
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
                visit.waiting -= datagram.size();
                self.waiting -= datagram.size();
                visit.pay(datagram.contents.len());
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
        self.refilled + wait.min(READY_MAX)
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
        assert_eq!(visits.table[&peer(1)].queue.len(), 88, "100 ms of it wait");
        let began = Instant::now();
        let mut released = 0;
        while let Some(due) = visits.due() {
            tokio::time::sleep_until(due).await;
            released += visits.release().len();
        }
        assert_eq!(released, 88);
        let took = began.elapsed().as_millis();
        assert!((86..=90).contains(&took), "{took} ms");
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
    }

    #[tokio::test(start_paused = true)]
    async fn empty_datagrams_take_their_turn_and_memory_as_well() {
        let mut visits = Visits::new(QUOTA);
        flood(&mut visits, 1, 1_000);
        for _ in 0..100_000 {
            visits.pass(datagram(1, 0));
        }
        let queued = visits.table[&peer(1)].queue.len();
        assert!(queued * OVERHEAD <= WAITING_MAX, "{queued}");
        tokio::time::sleep_until(visits.due().unwrap_or_else(Instant::now)).await;
        assert_eq!(visits.release().len(), queued);
        assert_eq!(visits.due(), None);
    }

    /// Whoever sends from many addresses takes no place from others.
    #[tokio::test(start_paused = true)]
    async fn a_new_visit_finds_room() {
        let mut visits = Visits::new(QUOTA);
        for from in 1..=1_000 {
            assert_eq!(flood(&mut visits, from, 1), 1, "{from}");
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert_eq!(visits.table.len(), VISITS);
        assert!(visits.table.contains_key(&peer(1_000)) && !visits.table.contains_key(&peer(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_of_nothing_makes_no_haste() {
        let mut visits = Visits::new(Quota {
            bytes_per_second: 0,
            ..QUOTA
        });
        flood(&mut visits, 1, 3);
        for _ in 0..3 {
            let due = visits.due().unwrap_or_else(Instant::now);
            assert!(due > Instant::now());
            tokio::time::sleep_until(due).await;
            visits.release();
        }
    }
}
