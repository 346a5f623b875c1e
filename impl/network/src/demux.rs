//! Which peer a datagram belongs to.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use stun_types::{
    attribute::Username,
    message::{BINDING, Message, MessageClass},
};
use tokio::sync::mpsc;

use crate::network::Datagram;

/// Datagrams that wait for one peer; past that they are dropped, as a full network queue would.
const PEER_QUEUE: usize = 2048;

/// Remote addresses remembered for one peer. A visitor has a handful of candidates.
const ADDRESSES_PER_PEER: usize = 32;

/// ICE user fragments of one peer: the present one, and those of checks still under way.
const NAMES_PER_PEER: usize = 4;

/// First byte of a STUN message (RFC 7983 section 7).
const STUN_FIRST_BYTE_MAX: u8 = 3;

/// A peer of this process.
pub(crate) type PeerNumber = u64;

#[derive(Debug, Default)]
pub(crate) struct Demux(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    last: PeerNumber,
    peers: HashMap<PeerNumber, Entry>,
    by_name: HashMap<String, PeerNumber>,
    by_address: HashMap<SocketAddr, PeerNumber>,
}

#[derive(Debug)]
struct Entry {
    queue: mpsc::Sender<Datagram>,
    names: Vec<String>,
    addresses: Vec<SocketAddr>,
}

impl Demux {
    pub(crate) fn insert(&self) -> (PeerNumber, mpsc::Receiver<Datagram>) {
        let (queue, datagrams) = mpsc::channel(PEER_QUEUE);
        let mut table = self.table();
        table.last += 1;
        let number = table.last;
        let entry = Entry {
            queue,
            names: Vec::new(),
            addresses: Vec::new(),
        };
        table.peers.insert(number, entry);
        (number, datagrams)
    }

    /// Binding requests for this user fragment are the peer's.
    pub(crate) fn name(&self, peer: PeerNumber, ufrag: &str) {
        let table = &mut *self.table();
        let Some(entry) = table.peers.get_mut(&peer) else {
            return;
        };
        if entry.names.len() >= NAMES_PER_PEER {
            table.by_name.remove(&entry.names.remove(0));
        }
        entry.names.push(ufrag.to_owned());
        table.by_name.insert(ufrag.to_owned(), peer);
    }

    pub(crate) fn remove(&self, peer: PeerNumber) {
        let table = &mut *self.table();
        let Some(entry) = table.peers.remove(&peer) else {
            return;
        };
        for name in entry.names {
            table.by_name.remove(&name);
        }
        for address in entry.addresses {
            table.forget(address, peer);
        }
    }

    /// A peer has sent to `address`: answers from there are its own.
    pub(crate) fn learn(&self, peer: PeerNumber, address: SocketAddr) {
        let mut table = self.table();
        if !table.by_address.contains_key(&address) {
            table.assign(peer, address);
        }
    }

    /// Hands a datagram to its peer; one that belongs to nobody is dropped.
    ///
    /// A binding request names its peer (RFC 8445 section 7.2.2), so it decides; everything else
    /// goes by address. A forged request can therefore misdirect an address only until the true
    /// peer's next check, and never gets past DTLS.
    pub(crate) fn deliver(&self, datagram: Datagram) {
        let mut table = self.table();
        if let Some(ufrag) = addressee(&datagram.contents) {
            let Some(peer) = table.by_name.get(&ufrag).copied() else {
                return;
            };
            if table.by_address.get(&datagram.source) != Some(&peer) {
                table.assign(peer, datagram.source);
            }
            table.send(peer, datagram);
        } else if let Some(peer) = table.by_address.get(&datagram.source).copied() {
            table.send(peer, datagram);
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The user fragment that a binding request is for.
fn addressee(contents: &[u8]) -> Option<String> {
    if *contents.first()? > STUN_FIRST_BYTE_MAX {
        return None;
    }
    let message = Message::from_bytes(contents).ok()?;
    if !message.has_class(MessageClass::Request) || !message.has_method(BINDING) {
        return None;
    }
    let username = message.attribute::<Username>().ok()?;
    let (ours, _) = username.username().split_once(':')?;
    Some(ours.to_owned())
}

impl Table {
    fn assign(&mut self, peer: PeerNumber, address: SocketAddr) {
        let Some(entry) = self.peers.get_mut(&peer) else {
            return;
        };
        let oldest =
            (entry.addresses.len() >= ADDRESSES_PER_PEER).then(|| entry.addresses.remove(0));
        entry.addresses.push(address);
        if let Some(oldest) = oldest {
            self.forget(oldest, peer);
        }
        self.by_address.insert(address, peer);
    }

    /// It may be another peer's by now.
    fn forget(&mut self, address: SocketAddr, peer: PeerNumber) {
        if self.by_address.get(&address) == Some(&peer) {
            self.by_address.remove(&address);
        }
    }

    fn send(&self, peer: PeerNumber, datagram: Datagram) {
        if let Some(entry) = self.peers.get(&peer) {
            // Full: the datagram is lost, as on a network, and SCTP sends it again.
            let _ = entry.queue.try_send(datagram);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An address that went over to another peer stays there when the first one forgets it.
    #[test]
    fn forgetting_takes_nothing_from_others() {
        let demux = Demux::default();
        let ((one, _first), (two, _second)) = (demux.insert(), demux.insert());
        let address = |port: usize| {
            let port = u16::try_from(port).unwrap_or(0);
            SocketAddr::from(([127, 0, 0, 1], port))
        };
        for port in 1..=ADDRESSES_PER_PEER {
            demux.learn(one, address(port));
        }
        demux.table().assign(two, address(1));
        demux.learn(one, address(ADDRESSES_PER_PEER + 1));
        let owner = |port| demux.table().by_address.get(&address(port)).copied();
        assert_eq!(owner(1), Some(two));
        assert_eq!(owner(ADDRESSES_PER_PEER + 1), Some(one));
        demux.remove(one);
        assert_eq!(owner(1), Some(two));
        assert_eq!(owner(2), None);
    }

    /// RTC: after a restart both names lead to the peer, and none does after its end.
    #[test]
    fn names_before_and_after_a_restart_lead_to_one_peer() {
        let demux = Demux::default();
        let (peer, _datagrams) = demux.insert();
        demux.name(peer, "before");
        demux.name(peer, "after");
        for name in ["before", "after"] {
            assert_eq!(demux.table().by_name.get(name), Some(&peer));
        }
        demux.remove(peer);
        assert!(demux.table().by_name.is_empty());
    }
}
