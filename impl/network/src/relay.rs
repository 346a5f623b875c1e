//! Allocations on TURN servers (RFC 8656), over UDP, TCP and TLS.
//!
//! Here are the queues between an allocation and the peers that share it, and who of them has a
//! permission and a channel.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use stun_types::{attribute::AttributeType, message::Message};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tokio_util::sync::{CancellationToken, DropGuard};
use turn_client_proto::api::TurnEvent;

use crate::{hub::Inner, network::Datagram, server::Server, turn::Turn};

/// Datagrams that wait for one allocation, of all its peers; past that they are lost.
const OUTBOX: usize = 512;

/// From the first packet to the allocation: a refused credential shows in silence only.
const ALLOCATE_DEADLINE: Duration = Duration::from_secs(8);

/// Datagrams that wait for a permission.
const WAITING: usize = 64;

/// A request of RFC 8489, as its first two bytes tell.
const BINDING_REQUEST: [u8; 2] = [0, 1];
/// The attribute of a check by which its pair is nominated (RFC 8445 section 16.1).
const USE_CANDIDATE: AttributeType = AttributeType::new(0x0025);

/// Bytes of the largest datagram that goes before there is a channel, for a path of 1200 bytes: less
/// IPv4, UDP and the Send indication around it (RFC 8656 section 11.1). Flights of DTLS are larger.
const INDICATION_ROOM: usize = 1200 - 20 - 8 - 36;

/// Peers that an allocation keeps count of.
const PEERS: usize = 512;

/// Addresses that one allocation is used for. Behind them it is given back, and who is in need of one
/// makes another: a restart finds it.
const PERMISSIONS: usize = 1024;

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// The way into an allocation.
#[derive(Debug, Clone)]
pub(crate) struct Outbox(mpsc::Sender<(SocketAddr, Bytes)>);

impl Outbox {
    pub(crate) fn send(&self, to: SocketAddr, datagram: Bytes) {
        let _ = self.0.try_send((to, datagram));
    }

    pub(crate) fn is_open(&self) -> bool {
        !self.0.is_closed()
    }
}

/// An allocation as the hub knows it. Dropping it gives the allocation back.
pub(crate) struct RelayHandle {
    id: u64,
    server: Server,
    addresses: Vec<SocketAddr>,
    outbox: Outbox,
    _end: DropGuard,
}

impl RelayHandle {
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Whether this is an allocation on that server, whatever the credential.
    pub(crate) fn serves(&self, server: &Server) -> bool {
        self.server.to_string() == server.to_string()
    }

    /// Whether it has an allocation on a server that makes `server` superfluous.
    pub(crate) fn replaces(&self, server: &Server) -> bool {
        !self.addresses.is_empty() && self.server.is_quicker_than(server)
    }

    pub(crate) fn add(&mut self, address: SocketAddr) {
        self.addresses.push(address);
    }

    pub(crate) fn has(&self, address: SocketAddr) -> bool {
        self.addresses.contains(&address)
    }

    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.addresses.iter().copied()
    }

    pub(crate) fn outbox(&self) -> Outbox {
        self.outbox.clone()
    }
}

/// Prepares an allocation; run the task to have it.
pub(crate) fn allocate(inner: Arc<Inner>, server: Server) -> (RelayHandle, RelayTask) {
    let (sender, outbox) = mpsc::channel(OUTBOX);
    let end = CancellationToken::new();
    let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
    let handle = RelayHandle {
        id,
        server: server.clone(),
        addresses: Vec::new(),
        outbox: Outbox(sender),
        _end: end.clone().drop_guard(),
    };
    let task = RelayTask {
        inner,
        id,
        server,
        outbox,
        end,
        relayed: Vec::new(),
        answered: false,
    };
    (handle, task)
}

/// Keeps one allocation.
pub(crate) struct RelayTask {
    inner: Arc<Inner>,
    id: u64,
    server: Server,
    outbox: mpsc::Receiver<(SocketAddr, Bytes)>,
    end: CancellationToken,
    /// What the server relays for: one address of a family.
    relayed: Vec<SocketAddr>,
    /// The hub knows whether this worked.
    answered: bool,
}

impl RelayTask {
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        if let Err(error) = self.relay(&shutdown).await {
            tracing::info!(server = %self.server, %error, "no relay here");
        }
        self.inner.relay_down(self.id);
        self.done();
    }

    fn done(&mut self) {
        if !std::mem::replace(&mut self.answered, true) {
            self.inner.server_done();
        }
    }

    async fn relay(&mut self, shutdown: &CancellationToken) -> io::Result<()> {
        let deadline = Instant::now() + ALLOCATE_DEADLINE;
        let opening = tokio::time::timeout_at(deadline, self.open());
        let mut turn = tokio::select! {
            biased;
            opened = opening => opened.map_err(|_| silent())??,
            () = self.end.cancelled() => return Ok(()),
            () = shutdown.cancelled() => return Ok(()),
        };
        let mut peers = Peers::default();
        let mut received = Vec::new();
        loop {
            while let Some(event) = turn.poll_event() {
                self.handle(event, &mut peers, &mut turn)?;
            }
            turn.flush();
            if peers.permissions.len() > PERMISSIONS {
                tracing::info!(server = %self.server, "the relay has served enough addresses");
                break;
            }
            let wait = turn.timeout().ok_or_else(|| {
                io::Error::other(match self.answered {
                    true => "the server ended the allocation",
                    false => "the server refuses an allocation",
                })
            })?;
            let wait = if self.answered {
                wait
            } else {
                wait.min(deadline)
            };
            tokio::select! {
                // Own datagrams first: where they go on without end, the other end's acknowledgements
                // have come through.
                biased;
                () = self.end.cancelled() => break,
                () = shutdown.cancelled() => break,
                Some((peer, datagram)) = self.outbox.recv() => {
                    peers.send(peer, datagram, &mut turn);
                    // More is waiting, most of the time.
                    for _ in 0..OUTBOX {
                        let Ok((peer, datagram)) = self.outbox.try_recv() else { break };
                        peers.send(peer, datagram, &mut turn);
                    }
                }
                read = turn.read(&mut received) => {
                    read?;
                    for message in received.drain(..) {
                        turn.handle(message, |peer, data| self.deliver(peer, data));
                    }
                }
                () = sleep_until(wait) => {
                    if !self.answered && Instant::now() >= deadline {
                        return Err(silent());
                    }
                }
            }
        }
        // Once: it ends by itself, too.
        if turn.delete() {
            turn.finish().await;
        }
        Ok(())
    }

    async fn open(&self) -> io::Result<Turn> {
        let Server::Turn { host, port, .. } = &self.server else {
            return Err(io::Error::other("it is no TURN server"));
        };
        let addresses = self.inner.network.resolve(host, *port).await?;
        // IPv4 first: what most peers have.
        let address = addresses
            .iter()
            .filter(|address| {
                !self.inner.bases_for(**address).is_empty() || address.ip().is_loopback()
            })
            .min_by_key(|address| address.is_ipv6())
            .or(addresses.first())
            .copied()
            .ok_or_else(|| io::Error::other("its name has no address"))?;
        let (network, tls) = (&*self.inner.network, self.inner.config.tls.clone());
        Turn::open(network, tls, &self.server, address).await
    }

    fn deliver(&self, source: SocketAddr, contents: &[u8]) {
        let of_its_family = |address: &&SocketAddr| address.is_ipv4() == source.is_ipv4();
        if let Some(&destination) = self.relayed.iter().find(of_its_family) {
            self.inner.demux.deliver(Datagram {
                source,
                destination,
                contents: Bytes::copy_from_slice(contents),
            });
        }
    }

    fn handle(&mut self, event: TurnEvent, peers: &mut Peers, turn: &mut Turn) -> io::Result<()> {
        match event {
            TurnEvent::AllocationCreated(_, address) => {
                tracing::debug!(server = %self.server, "relay ready");
                self.relayed.push(address);
                self.inner.relay_up(self.id, address);
                self.done();
            }
            // Another family may do; without any the client is done.
            TurnEvent::AllocationCreateFailed(family) => {
                tracing::debug!(server = %self.server, ?family, "no relay for this family");
            }
            TurnEvent::PermissionCreated(_, ip) => peers.permitted(ip, turn),
            TurnEvent::PermissionCreateFailed(_, ip) => {
                tracing::debug!(server = %self.server, "the relay refuses a peer");
                peers.refused(ip);
            }
            TurnEvent::ChannelCreated(_, peer) | TurnEvent::ChannelCreateFailed(_, peer) => {
                peers.settled(peer, turn);
            }
            TurnEvent::TcpConnected(_) | TurnEvent::TcpConnectFailed(_) => {}
        }
        Ok(())
    }
}

/// Whether nothing may come of it: a check of many.
fn only_asks(datagram: &[u8]) -> bool {
    datagram.starts_with(&BINDING_REQUEST)
        && Message::from_bytes(datagram).is_ok_and(|check| !check.has_attribute(USE_CANDIDATE))
}

fn silent() -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        "no allocation within 8 s: the server is unreachable or refuses the credential",
    )
}

/// Who is sent to.
#[derive(Default)]
struct Peers {
    /// Addresses that permissions were asked for: the TURN library renews them for as long as the
    /// allocation lives.
    permissions: BTreeSet<IpAddr>,
    channels: BTreeMap<SocketAddr, Channel>,
    /// Datagrams that wait for their permission, or for their channel.
    waiting: VecDeque<(SocketAddr, Bytes)>,
}

/// Of a peer that is known to be there. A channel saves 32 bytes on each datagram, in both directions.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Channel {
    /// The server has not answered yet.
    Asked,
    /// There is one, or there will be none: data goes in indications then.
    Settled,
}

impl Peers {
    fn send(&mut self, to: SocketAddr, datagram: Bytes, turn: &mut Turn) {
        if !turn.has_permission(to.ip()) {
            self.permissions.insert(to.ip());
            turn.permit(to.ip());
            self.wait(to, datagram);
            return;
        }
        if !self.channels.contains_key(&to) && !only_asks(&datagram) {
            // The answer to a check, or the one that nominates, comes before anything large of either
            // end, and this before it.
            self.bind(to, turn);
        }
        let large = datagram.len() > INDICATION_ROOM;
        if large && self.channels.get(&to) == Some(&Channel::Asked) {
            self.wait(to, datagram);
            return;
        }
        turn.send(to, datagram);
    }

    fn bind(&mut self, to: SocketAddr, turn: &mut Turn) {
        if self.channels.len() >= PEERS {
            self.channels.clear();
        }
        let channel = if turn.bind(to) {
            Channel::Asked
        } else {
            Channel::Settled
        };
        self.channels.insert(to, channel);
    }

    fn wait(&mut self, to: SocketAddr, datagram: Bytes) {
        if self.waiting.len() == WAITING {
            self.waiting.pop_front();
        }
        self.waiting.push_back((to, datagram));
    }

    fn permitted(&mut self, ip: IpAddr, turn: &mut Turn) {
        self.release(|to| to.ip() == ip, turn);
    }

    /// There is a channel, or there will be none.
    fn settled(&mut self, address: SocketAddr, turn: &mut Turn) {
        self.channels.insert(address, Channel::Settled);
        self.release(|to| to == address, turn);
    }

    fn release(&mut self, ready: impl Fn(SocketAddr) -> bool, turn: &mut Turn) {
        let (ready, waiting) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition::<VecDeque<_>, _>(|(to, _)| ready(*to));
        self.waiting = waiting;
        for (to, datagram) in ready {
            self.send(to, datagram, turn);
        }
    }

    fn refused(&mut self, ip: IpAddr) {
        self.waiting.retain(|(to, _)| to.ip() != ip);
    }
}
