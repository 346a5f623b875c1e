//! One peer's share of the sockets and relays.

use std::{
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::{
    batch::Batch,
    candidate::LocalCandidate,
    demux::PeerNumber,
    hub::{Hub, Inner},
    network::Datagram,
    relay::Outbox,
};

/// What a peer is told of its ways to be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortEvent {
    /// One more address.
    Candidate(LocalCandidate),
    /// All servers have answered or were given up.
    Complete,
    /// An interface came or went: the present path may be gone.
    AddressesChanged,
}

/// A peer's way to the network; dropping it takes its place away.
pub struct Port {
    inner: Arc<Inner>,
    number: PeerNumber,
    datagrams: mpsc::Receiver<Datagram>,
    news: mpsc::Receiver<PortEvent>,
    known: Vec<LocalCandidate>,
    batch: Batch,
    /// A datagram that did not fit the batch that the system would not take.
    held: Option<(SocketAddr, SocketAddr, Vec<u8>)>,
    /// Where the last datagram went.
    learned: Option<SocketAddr>,
    /// The relay that the last datagram left through.
    relay: Option<(SocketAddr, Outbox)>,
    /// Sockets that are nobody else's.
    own: Option<Hub>,
}

impl std::fmt::Debug for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Port")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

impl Port {
    pub(crate) fn new(
        inner: Arc<Inner>,
        number: PeerNumber,
        datagrams: mpsc::Receiver<Datagram>,
        news: mpsc::Receiver<PortEvent>,
        known: Vec<LocalCandidate>,
    ) -> Self {
        Self {
            inner,
            number,
            datagrams,
            news,
            known,
            batch: Batch::default(),
            held: None,
            learned: None,
            relay: None,
            own: None,
        }
    }

    /// Keeps a hub for as long as this port exists.
    pub(crate) fn own(&mut self, hub: Hub) {
        self.own = Some(hub);
    }

    /// The addresses that were known when the port was made or refreshed last; later ones come
    /// by [`Port::poll_news`].
    #[must_use]
    pub fn candidates(&self) -> &[LocalCandidate] {
        &self.known
    }

    /// Looks again, for an ICE restart: interfaces may have changed, allocations ended.
    pub fn refresh(&mut self) -> &[LocalCandidate] {
        self.known = self.inner.refresh();
        &self.known
    }

    /// Connectivity checks for this user fragment come here. The one before a restart stays
    /// valid for a while (RFC 8445 section 9: the old pair carries data until the new one does).
    pub fn name(&mut self, ufrag: &str) {
        self.inner.demux.name(self.number, ufrag);
    }

    /// The next datagram for this peer.
    pub fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Datagram> {
        match self.datagrams.poll_recv(cx) {
            Poll::Ready(Some(datagram)) => Poll::Ready(datagram),
            // The hub keeps the other end for as long as this port exists.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    /// The next change of the ways to be reached.
    pub fn poll_news(&mut self, cx: &mut Context<'_>) -> Poll<PortEvent> {
        match self.news.poll_recv(cx) {
            Poll::Ready(Some(event)) => Poll::Ready(event),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    /// Sends a datagram from an address of this machine, or from a relay's. `false`: the system
    /// takes no more now, and the task is woken when it does; this one was kept, and nothing may
    /// be sent before [`Port::poll_flush`] is ready.
    pub fn send(
        &mut self,
        source: SocketAddr,
        destination: SocketAddr,
        datagram: &[u8],
        cx: &mut Context<'_>,
    ) -> bool {
        if self.learned != Some(destination) {
            self.inner.demux.learn(self.number, destination);
            self.learned = Some(destination);
        }
        if let Some(outbox) = self.relay_at(source) {
            // Full: the datagram is lost, as on a network.
            outbox.send(destination, Bytes::copy_from_slice(datagram));
            return true;
        }
        let Some(socket) = self.inner.socket_for(source) else {
            return true;
        };
        if self
            .batch
            .fits(socket.as_ref(), source, destination, datagram.len())
        {
            self.batch.push(source, destination, datagram);
            return true;
        }
        if self.flush_batch(cx) {
            self.batch.push(source, destination, datagram);
            return true;
        }
        self.held = Some((source, destination, datagram.to_vec()));
        false
    }

    /// Sends what is collected. `Pending`: the system takes no more now.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.flush_batch(cx) {
            return Poll::Pending;
        }
        if let Some((source, destination, datagram)) = self.held.take() {
            self.batch.push(source, destination, &datagram);
            if !self.flush_batch(cx) {
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }

    /// Whether a datagram waits that the system did not take.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.held.is_some()
    }

    fn flush_batch(&mut self, cx: &mut Context<'_>) -> bool {
        if self.batch.is_empty() {
            return true;
        }
        let source = self.batch.source();
        let Some(socket) = source.and_then(|source| self.inner.socket_for(source)) else {
            return true;
        };
        self.batch.flush(socket, cx)
    }

    fn relay_at(&mut self, source: SocketAddr) -> Option<&Outbox> {
        // Direct ones are the rule: the sockets' own ports need no look at the relays.
        let own = self.inner.socket_for(source)?.local_addr();
        let known = self.known.iter().any(|candidate| {
            candidate.address == source && candidate.kind == crate::candidate::CandidateKind::Host
        });
        if known && own.port() == source.port() {
            return None;
        }
        let cached = self
            .relay
            .as_ref()
            .is_some_and(|(at, outbox)| *at == source && outbox.is_open());
        if !cached {
            self.relay = self.inner.relay_at(source).map(|outbox| (source, outbox));
        }
        self.relay.as_ref().map(|(_, outbox)| outbox)
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.inner.detach(self.number);
    }
}
