//! What ICE demands of connectivity checks and str0m leaves out.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use p2claw_network::Datagram;

/// Bytes of a STUN message's header (RFC 8489 section 5).
const HEADER: usize = 20;
/// Message type of a binding request.
const REQUEST: [u8; 2] = [0, 1];
/// Message type of a success response to one.
const SUCCESS: [u8; 2] = [1, 1];

/// Own checks that are remembered: many more than can be under way at 20 a second.
const SENT: usize = 512;

/// Addresses of the other end that it never named, and that are remembered.
const STRANGERS: usize = 64;
/// New ones at once.
const STRANGERS_BURST: u32 = 16;
/// One more new one each so often: a NAT that forgets its mappings makes them.
const STRANGERS_EVERY: Duration = Duration::from_secs(5);

/// Checks in both directions.
#[derive(Debug)]
pub(crate) struct Checks {
    /// Transaction, source and destination; the newest last.
    sent: VecDeque<([u8; 12], SocketAddr, SocketAddr)>,
    /// The newest last.
    strangers: VecDeque<SocketAddr>,
    allowed: u32,
    counted: Instant,
}

impl Checks {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            sent: VecDeque::new(),
            strangers: VecDeque::new(),
            allowed: STRANGERS_BURST,
            counted: now,
        }
    }

    /// Notes what leaves.
    pub(crate) fn sent(&mut self, source: SocketAddr, destination: SocketAddr, datagram: &[u8]) {
        if let Some(id) = transaction(datagram, REQUEST) {
            if self.sent.len() == SENT {
                self.sent.pop_front();
            }
            self.sent.push_back((id, source, destination));
        }
    }

    /// Whether str0m may have what came. `named`: the other end has told of its source.
    pub(crate) fn admit(&mut self, datagram: &Datagram, named: bool, now: Instant) -> bool {
        let Datagram {
            source,
            destination,
            contents,
        } = datagram;
        if let Some(id) = transaction(contents, SUCCESS) {
            // RFC 8445 section 7.2.5.2.1: an answer from elsewhere is a check that failed. A pair
            // that came of it would carry packets one way.
            return self
                .sent
                .iter()
                .all(|(sent, from, to)| *sent != id || (from, to) == (destination, source));
        }
        if named || transaction(contents, REQUEST).is_none() || self.strangers.contains(source) {
            return true;
        }
        // Behind two NATs that map by port and filter nobody each check comes from a new address,
        // and makes the other end send from one. The pairs with them would keep ICE from all else.
        let more =
            now.saturating_duration_since(self.counted).as_secs() / STRANGERS_EVERY.as_secs();
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        if more > 0 {
            self.counted = now;
            self.allowed = self.allowed.saturating_add(more).min(STRANGERS_BURST);
        }
        let Some(left) = self.allowed.checked_sub(1) else {
            return false;
        };
        self.allowed = left;
        if self.strangers.len() == STRANGERS {
            self.strangers.pop_front();
        }
        self.strangers.push_back(*source);
        true
    }
}

/// The transaction of a message of this type.
fn transaction(datagram: &[u8], message_type: [u8; 2]) -> Option<[u8; 12]> {
    let header = datagram.get(..HEADER)?;
    let id = header.get(8..)?.try_into().ok()?;
    header.starts_with(&message_type).then_some(id)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    fn address(port: usize) -> SocketAddr {
        ([192, 0, 2, 1], u16::try_from(port).unwrap()).into()
    }

    fn message(message_type: [u8; 2], id: u8) -> Vec<u8> {
        let mut message = vec![0; HEADER];
        message[..2].copy_from_slice(&message_type);
        message[8..].fill(id);
        message
    }

    fn arrived(from: usize, to: usize, contents: Vec<u8>) -> Datagram {
        Datagram {
            source: address(from),
            destination: address(to),
            contents: contents.into(),
        }
    }

    /// RFC 8445 section 7.2.5.2.1
    #[test]
    fn an_answer_counts_from_where_its_check_went_and_at_where_it_left() {
        let now = Instant::now();
        let mut checks = Checks::new(now);
        checks.sent(address(1), address(2), &message(REQUEST, 7));
        for (from, to, admitted) in [(2, 1, true), (3, 1, false), (2, 4, false)] {
            let answer = arrived(from, to, message(SUCCESS, 7));
            assert_eq!(checks.admit(&answer, true, now), admitted, "{from} {to}");
        }
        // One of somebody else's: str0m knows what to do.
        assert!(checks.admit(&arrived(3, 1, message(SUCCESS, 8)), true, now));
        assert!(checks.admit(&arrived(3, 1, vec![22, 1]), false, now));
    }

    #[test]
    fn strangers_are_heard_a_few_at_a_time() {
        let now = Instant::now();
        let mut checks = Checks::new(now);
        let heard = |checks: &mut Checks, ports: std::ops::Range<usize>, now| {
            ports
                .filter(|port| checks.admit(&arrived(*port, 1, message(REQUEST, 7)), false, now))
                .count()
        };
        let burst = usize::try_from(STRANGERS_BURST).unwrap();
        assert_eq!(heard(&mut checks, 100..200, now), burst);
        // Those that were heard stay, and those that were named always are.
        assert_eq!(heard(&mut checks, 100..200, now), burst);
        assert!(checks.admit(&arrived(300, 1, message(REQUEST, 7)), true, now));
        let later = now + 3 * STRANGERS_EVERY;
        assert_eq!(heard(&mut checks, 200..300, later), 3);
    }
}
