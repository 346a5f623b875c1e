//! Which peer a datagram on the shared socket belongs to.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use str0m::ice::StunMessage;
use tokio::sync::mpsc;

use crate::socket::Datagram;

/// Datagrams that wait for one peer; past that they are dropped, as a full network queue would.
pub(crate) const PEER_QUEUE: usize = 2048;

/// Remote addresses remembered for one peer. A visitor has a handful of candidates.
const ADDRESSES_PER_PEER: usize = 32;

#[derive(Debug, Default)]
pub(crate) struct Demux(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    peers: HashMap<String, Entry>,
    by_address: HashMap<SocketAddr, String>,
}

#[derive(Debug)]
struct Entry {
    queue: mpsc::Sender<Datagram>,
    addresses: Vec<SocketAddr>,
}

impl Demux {
    /// Adds a peer under its own ICE user fragment.
    pub(crate) fn insert(&self, ufrag: &str) -> mpsc::Receiver<Datagram> {
        let (queue, datagrams) = mpsc::channel(PEER_QUEUE);
        let entry = Entry {
            queue,
            addresses: Vec::new(),
        };
        self.table().peers.insert(ufrag.to_owned(), entry);
        datagrams
    }

    pub(crate) fn remove(&self, ufrag: &str) {
        let mut table = self.table();
        if let Some(entry) = table.peers.remove(ufrag) {
            for address in entry.addresses {
                if table
                    .by_address
                    .get(&address)
                    .is_some_and(|owner| owner == ufrag)
                {
                    table.by_address.remove(&address);
                }
            }
        }
    }

    /// A peer has sent to `address`: answers from there are its own.
    pub(crate) fn learn(&self, ufrag: &str, address: SocketAddr) {
        let mut table = self.table();
        if !table.by_address.contains_key(&address) {
            table.assign(ufrag, address);
        }
    }

    /// Hands a datagram to its peer; one that belongs to nobody is dropped.
    ///
    /// A binding request names its peer (RFC 8445 section 7.2.2), so it decides; everything else
    /// goes by address. A forged request can therefore misdirect an address only until the true
    /// peer's next check, and never gets past DTLS.
    pub(crate) fn deliver(&self, datagram: Datagram) {
        let mut table = self.table();
        let named = datagram
            .contents
            .first()
            .is_some_and(|first| *first < 4)
            .then(|| {
                let message = StunMessage::parse(&datagram.contents).ok()?;
                if !message.is_binding_request() {
                    return None;
                }
                message.split_username().map(|(ours, _)| ours.to_owned())
            });
        if let Some(ufrag) = named.flatten() {
            if !table.peers.contains_key(&ufrag) {
                return;
            }
            if table.by_address.get(&datagram.source) != Some(&ufrag) {
                table.assign(&ufrag, datagram.source);
            }
            table.send(&ufrag, datagram);
        } else if let Some(ufrag) = table.by_address.get(&datagram.source).cloned() {
            table.send(&ufrag, datagram);
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn assign(&mut self, ufrag: &str, address: SocketAddr) {
        let Some(entry) = self.peers.get_mut(ufrag) else {
            return;
        };
        if entry.addresses.len() >= ADDRESSES_PER_PEER {
            let oldest = entry.addresses.remove(0);
            entry.addresses.push(address);
            // It may be another peer's by now.
            if self
                .by_address
                .get(&oldest)
                .is_some_and(|owner| owner == ufrag)
            {
                self.by_address.remove(&oldest);
            }
        } else {
            entry.addresses.push(address);
        }
        self.by_address.insert(address, ufrag.to_owned());
    }

    fn send(&self, ufrag: &str, datagram: Datagram) {
        if let Some(entry) = self.peers.get(ufrag) {
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
        let _queues = (demux.insert("one"), demux.insert("two"));
        let address = |port: usize| {
            let port = u16::try_from(port).unwrap_or(0);
            SocketAddr::from(([127, 0, 0, 1], port))
        };
        for port in 1..=ADDRESSES_PER_PEER {
            demux.learn("one", address(port));
        }
        demux.table().assign("two", address(1));
        demux.learn("one", address(ADDRESSES_PER_PEER + 1));
        let owner = |port| demux.table().by_address.get(&address(port)).cloned();
        assert_eq!(owner(1).as_deref(), Some("two"));
        assert_eq!(owner(ADDRESSES_PER_PEER + 1).as_deref(), Some("one"));
        demux.remove("one");
        assert_eq!(owner(1).as_deref(), Some("two"));
        assert_eq!(owner(2), None);
    }
}
