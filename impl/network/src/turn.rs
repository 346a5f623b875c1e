//! A client of a TURN server (RFC 8656) with its connection and its clock. The protocol is
//! turn-client-proto's.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use tokio::time::Instant;
use tokio_rustls::rustls::ClientConfig;
use turn_client_proto::{
    api::{Transmit, TurnConfig, TurnEvent, TurnPollRet, TurnRecvRet},
    client::TurnClient,
    prelude::{DelayedTransmitBuild as _, TurnClientApi as _},
    stun::{Instant as TurnInstant, auth::Feature, types::TransportType},
    tcp::TurnClientTcp,
    types::{AddressFamily, TurnCredentials},
    udp::TurnClientUdp,
};

use crate::{
    network::Network,
    server::{RelayTransport, Server},
    wire::Wire,
};

/// A request is sent again so soon, less what [`Clock`] is put forward meanwhile, 250 ms at most;
/// RFC 8489's 500 ms would be felt where a packet is lost.
const FIRST_REPEAT: Duration = Duration::from_millis(450);
/// Longest time between two repetitions.
const LAST_REPEAT: Duration = Duration::from_secs(4);
/// Repetitions of a request.
const REPEATS: u32 = 6;

pub(crate) struct Turn {
    wire: Wire,
    client: TurnClient,
    clock: Clock,
}

impl Turn {
    /// Connects, and prepares the request for an allocation. `address` is the server's.
    pub(crate) async fn open(
        network: &dyn Network,
        tls: Option<Arc<ClientConfig>>,
        server: &Server,
        address: SocketAddr,
    ) -> io::Result<Self> {
        let Server::Turn {
            host,
            port: _,
            transport,
            username,
            credential,
        } = server
        else {
            return Err(io::Error::other("it is no TURN server"));
        };
        let mut config = TurnConfig::new(TurnCredentials::new(username, credential));
        // The server reads from the name until when the credential holds (`SIG-022`).
        config.set_anonymous_username(Feature::Disabled);
        if address.is_ipv6() {
            // Of both where the server has both (RFC 8656 section 7.1): a peer may have IPv4 only, and
            // this machine may have no way to it but the server.
            config.add_address_family(AddressFamily::IPV6);
        }
        config.set_request_retransmits(FIRST_REPEAT, LAST_REPEAT, REPEATS, LAST_REPEAT);
        let wire = Wire::open(network, tls, address, *transport, host).await?;
        let client = match transport {
            RelayTransport::Udp => TurnClientUdp::allocate(wire.local(), address, config).into(),
            RelayTransport::Tcp | RelayTransport::Tls => {
                TurnClientTcp::allocate(wire.local(), address, config).into()
            }
        };
        Ok(Self {
            wire,
            client,
            clock: Clock::new(),
        })
    }

    pub(crate) fn wire(&self) -> &Wire {
        &self.wire
    }

    pub(crate) fn poll_event(&mut self) -> Option<TurnEvent> {
        self.client.poll_event()
    }

    /// Sends the requests that are due.
    pub(crate) fn flush(&mut self) {
        loop {
            let now = self.clock.now();
            let due = self.client.poll_transmit(now).or_else(|| {
                let later = self.clock.forward()?;
                let due = self.client.poll_transmit(later)?;
                self.clock.put_forward();
                Some(due)
            });
            let Some(request) = due else { return };
            self.clock.count();
            self.wire.send(&request.data, true);
        }
    }

    /// When there is something to do without a message of the server's. `None`: it has refused the
    /// allocation, or ended it.
    pub(crate) fn timeout(&mut self) -> Option<Instant> {
        match self.client.poll(self.clock.now()) {
            TurnPollRet::WaitUntil(at) => Some(self.clock.true_time(at)),
            TurnPollRet::Closed => None,
            // For TCP allocations, of which there are none.
            TurnPollRet::AllocateTcpSocket { .. } | TurnPollRet::TcpClose { .. } => {
                Some(Instant::now())
            }
        }
    }

    /// Waits for the server; appends its messages. Cancel-safe.
    pub(crate) async fn read(&mut self, messages: &mut Vec<Bytes>) -> io::Result<()> {
        self.wire.receive(messages).await
    }

    /// Takes a message; `data` is called with what peers have sent, and their addresses.
    pub(crate) fn handle(&mut self, message: Bytes, mut data: impl FnMut(SocketAddr, &[u8])) {
        let now = self.clock.now();
        let (remote, local) = (self.wire.remote(), self.wire.local());
        let transmit = Transmit::new(message, self.wire.transport(), remote, local);
        match self.client.recv(transmit, now) {
            TurnRecvRet::PeerData(peer) => data(peer.peer, peer.data()),
            TurnRecvRet::Handled | TurnRecvRet::Ignored(_) | TurnRecvRet::PeerIcmp { .. } => {}
        }
        // A read of TCP may hold several messages.
        while let Some(peer) = self.client.poll_recv(now) {
            data(peer.peer, peer.data());
        }
    }

    pub(crate) fn has_permission(&self, peer: IpAddr) -> bool {
        self.client.have_permission(TransportType::Udp, peer)
    }

    /// Asks for a permission, unless that is under way.
    pub(crate) fn permit(&mut self, peer: IpAddr) {
        let now = self.clock.now();
        let _ = self.client.create_permission(TransportType::Udp, peer, now);
        self.flush();
    }

    /// Asks for a channel. `false`: there will be none.
    pub(crate) fn bind(&mut self, peer: SocketAddr) -> bool {
        let now = self.clock.now();
        let asked = self.client.bind_channel(TransportType::Udp, peer, now);
        self.flush();
        asked.is_ok()
    }

    /// Sends a datagram, through the peer's channel where there is one.
    pub(crate) fn send(&mut self, peer: SocketAddr, datagram: Bytes) {
        let now = self.clock.now();
        match self.client.send_to(TransportType::Udp, peer, datagram, now) {
            Ok(Some(transmit)) => self.wire.send(&transmit.data.build(), false),
            Ok(None) => {}
            Err(error) => tracing::debug!(%error, "datagram lost at the relay"),
        }
    }

    /// Asks the server to take the allocation back (RFC 8656 section 8). `false`: there is none.
    pub(crate) fn delete(&mut self) -> bool {
        let asked = self.client.delete(self.clock.now()).is_ok();
        self.flush();
        asked
    }

    /// Lets the last requests leave.
    pub(crate) async fn finish(self) {
        self.wire.finish().await;
    }
}

/// Time as turn-client-proto is told it.
///
/// The library leaves 50 ms between any two requests. Before a path through a relay is up there are
/// half a dozen of them: a login, a permission for each address of the peer, a channel. RFC 8489
/// section 6.2.1 lets ten be under way at once, so this clock goes forward by those 50 ms when a
/// request is due within them, a few times in a row. It never goes back; permissions and
/// allocations are renewed that much sooner.
struct Clock {
    epoch: Instant,
    /// Sum of all the times that it was put forward.
    ahead: Duration,
    /// Requests that may leave at once, as of `counted`.
    allowed: u32,
    counted: Instant,
}

impl Clock {
    /// The library's time between two requests.
    const CADENCE: Duration = Duration::from_millis(50);
    /// Requests that may leave at once; one more each [`Self::CADENCE`].
    const BURST: u32 = 4;

    fn new() -> Self {
        let now = Instant::now();
        Self {
            epoch: now,
            ahead: Duration::ZERO,
            allowed: Self::BURST,
            counted: now,
        }
    }

    fn now(&self) -> TurnInstant {
        let nanos = (self.epoch.elapsed() + self.ahead).as_nanos();
        TurnInstant::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
    }

    fn true_time(&self, at: TurnInstant) -> Instant {
        let nanos = at.duration_since(TurnInstant::ZERO).as_nanos();
        let since = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX / 2));
        self.epoch + since.saturating_sub(self.ahead)
    }

    /// What it would tell if it were put forward, where that is allowed.
    fn forward(&mut self) -> Option<TurnInstant> {
        self.fill();
        (self.allowed > 0).then(|| self.now() + Self::CADENCE)
    }

    fn fill(&mut self) {
        while self.allowed < Self::BURST && self.counted.elapsed() >= Self::CADENCE {
            self.allowed += 1;
            self.counted += Self::CADENCE;
        }
    }

    fn put_forward(&mut self) {
        self.ahead += Self::CADENCE;
    }

    /// A request leaves.
    fn count(&mut self) {
        self.fill();
        if self.allowed == Self::BURST {
            self.counted = Instant::now();
        }
        self.allowed = self.allowed.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_few_requests_leave_at_once_and_then_one_each_50_ms() {
        let mut clock = Clock::new();
        for _ in 0..Clock::BURST {
            assert!(clock.forward().is_some());
            clock.put_forward();
            clock.count();
        }
        assert!(clock.forward().is_none());
        tokio::time::advance(Clock::CADENCE).await;
        assert!(clock.forward().is_some());
        clock.count();
        assert!(clock.forward().is_none());
        tokio::time::advance(Duration::from_secs(60)).await;
        let later = (0..100).take_while(|_| clock.forward().map(|_| clock.count()).is_some());
        assert_eq!(later.count(), Clock::BURST as usize);
    }

    #[tokio::test(start_paused = true)]
    async fn times_of_the_library_are_told_in_true_time() {
        let mut clock = Clock::new();
        tokio::time::advance(Duration::from_secs(3)).await;
        let at = clock.now() + Duration::from_secs(1);
        let before = clock.true_time(at);
        assert_eq!(before, Instant::now() + Duration::from_secs(1));
        clock.put_forward();
        assert_eq!(clock.true_time(at), before - Clock::CADENCE);
    }
}
