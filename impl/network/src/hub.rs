//! The sockets that all peers share, and what is known of the addresses they are reached at.

use std::{
    collections::BTreeMap,
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use p2claw_proto::v1::IceServer;
use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};
use tokio_rustls::rustls;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    candidate::{CandidateKind, LocalCandidate},
    demux::{Demux, PeerNumber},
    machine::Machine,
    network::{Network, UdpSocket},
    port::{Port, PortEvent},
    reflexive::{self, Transactions},
    relay::{self, RelayHandle},
    server::{RelayTransport, Server},
};

/// A pause after a read that failed.
const READ_PAUSE: Duration = Duration::from_millis(100);

/// How often the interfaces are looked at.
const INTERFACES_EVERY: Duration = Duration::from_secs(2);

/// How long allocations outlive the last peer: the next visitor need not wait for new ones.
const RELAYS_OUTLIVE_PEERS: Duration = Duration::from_secs(60);

/// How long a TURN server may take over UDP before it is tried over TCP and TLS as well: two round
/// trips (RFC 8656 section 3.2) of 150 ms.
const UDP_LEAD: Duration = Duration::from_millis(300);

/// News that wait for one peer, which has been told of what was there before.
const NEWS: usize = 64;

/// How a [`Hub`] uses the network.
#[derive(Clone, Default)]
pub struct HubConfig {
    /// UDP port on all addresses; 0 lets the system choose.
    pub port: u16,
    /// Offer `127.0.0.1` and `::1` beside the machine's other addresses. They are always offered
    /// where there is nothing else.
    pub loopback: bool,
    /// How `turns:` servers are checked.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// Offer relayed addresses only: the other end learns no address of this machine.
    pub relay_only: bool,
}

impl fmt::Debug for HubConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubConfig")
            .field("port", &self.port)
            .field("loopback", &self.loopback)
            .field("relay_only", &self.relay_only)
            .finish_non_exhaustive()
    }
}

/// UDP sockets shared by any number of peers. When the last clone is dropped, its readers, its
/// questions to STUN servers and its allocations end.
#[derive(Debug, Clone)]
pub struct Hub {
    inner: Arc<Inner>,
    _running: Arc<DropGuard>,
}

pub(crate) struct Inner {
    pub(crate) network: Arc<dyn Network>,
    pub(crate) config: HubConfig,
    ipv4: Option<Arc<dyn UdpSocket>>,
    ipv6: Option<Arc<dyn UdpSocket>>,
    pub(crate) demux: Demux,
    pub(crate) transactions: Transactions,
    /// Counts up with each change of the interfaces.
    interfaces: watch::Sender<u64>,
    state: Mutex<State>,
    shutdown: CancellationToken,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct State {
    servers: Vec<Server>,
    /// Ends the questions to the servers before.
    questions: Option<DropGuard>,
    hosts: Vec<SocketAddr>,
    /// By server's number and base.
    reflexive: BTreeMap<(usize, SocketAddr), SocketAddr>,
    relays: Vec<RelayHandle>,
    /// Servers that wait whether a quicker one answers.
    held: Vec<Server>,
    /// Servers whose first answer is awaited.
    pending: usize,
    ports: BTreeMap<PeerNumber, mpsc::Sender<PortEvent>>,
    /// Hubs of peers with sockets of their own, which use the same servers.
    apart: Vec<Weak<Inner>>,
    /// Which servers there are was said, or that there are none.
    told: bool,
    /// It is still to be said: what is known is not complete.
    untold: bool,
    /// Counts up with each port, so that a wait for idleness knows whether there was one.
    attached: u64,
}

/// Who goes first where a TURN server is reached over UDP and over streams.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lead {
    /// UDP: streams are tried only where it does not answer.
    Udp,
    /// Nobody.
    None,
}

/// A server whose first answer is awaited, until this is dropped.
pub(crate) struct Awaited(pub(crate) Arc<Inner>);

impl Drop for Awaited {
    fn drop(&mut self) {
        self.0.server_done();
    }
}

impl Hub {
    /// Binds one socket for IPv4 and, where the machine has it, one for IPv6. Must be called
    /// inside a tokio runtime.
    ///
    /// # Errors
    /// When no socket of either family can be bound to the port.
    pub fn bind(config: HubConfig) -> io::Result<Self> {
        Self::bind_on(Arc::new(Machine), config)
    }

    /// The same on another network.
    ///
    /// # Errors
    /// When no socket of either family can be bound to the port.
    pub fn bind_on(network: Arc<dyn Network>, config: HubConfig) -> io::Result<Self> {
        let ipv4 = network.bind_udp(SocketAddr::from((Ipv4Addr::UNSPECIFIED, config.port)));
        let ipv6 = network.bind_udp(SocketAddr::from((Ipv6Addr::UNSPECIFIED, config.port)));
        let (ipv4, ipv6) = match (ipv4, ipv6) {
            (Err(error), Err(_)) => return Err(error),
            // A chosen port that somebody else has is the user's to know about.
            (Err(error), Ok(_)) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            (ipv4, ipv6) => (ipv4.ok(), ipv6.ok()),
        };
        let shutdown = CancellationToken::new();
        let inner = Arc::new(Inner {
            network,
            config,
            ipv4,
            ipv6,
            demux: Demux::default(),
            transactions: Transactions::default(),
            interfaces: watch::Sender::new(0),
            state: Mutex::default(),
            shutdown: shutdown.clone(),
        });
        for socket in inner.sockets() {
            inner.spawn(read(Arc::clone(&inner), Arc::clone(socket)));
        }
        inner.spawn(watch_interfaces(Arc::clone(&inner)));
        Ok(Self {
            inner,
            _running: Arc::new(shutdown.drop_guard()),
        })
    }

    /// A place for one more peer.
    ///
    /// # Errors
    /// When the machine has no address to be reached at.
    pub fn attach(&self) -> io::Result<Port> {
        self.inner.look_at_interfaces()?;
        let (sender, news) = mpsc::channel(NEWS);
        let (number, datagrams) = self.inner.demux.insert();
        let mut state = self.inner.state();
        state.attached += 1;
        self.inner.start_relays(&mut state, Lead::Udp);
        let known = state.candidates(&self.inner.config);
        if state.pending == 0 && !state.untold {
            // The queue is new: there is room.
            let _ = sender.try_send(PortEvent::Complete);
        }
        state.ports.insert(number, sender);
        drop(state);
        Ok(Port::new(
            Arc::clone(&self.inner),
            number,
            datagrams,
            news,
            known,
        ))
    }

    /// The same on sockets and relays of its own. Two peers between the same two addresses cannot
    /// be told apart, and a visitor may visit an agent twice.
    ///
    /// It may come before the servers are known: what [`Hub::use_servers`] says later is for this
    /// peer, too, and its candidates are not complete before.
    ///
    /// # Errors
    /// When no socket can be bound, or the machine has no address to be reached at.
    pub fn attach_apart(&self) -> io::Result<Port> {
        let config = HubConfig {
            port: 0,
            ..self.inner.config.clone()
        };
        let apart = Self::bind_on(Arc::clone(&self.inner.network), config)?;
        let servers = {
            let mut state = self.inner.state();
            state.apart.retain(|apart| apart.strong_count() > 0);
            state.apart.push(Arc::downgrade(&apart.inner));
            apart.inner.state().untold = !state.told;
            state.servers.clone()
        };
        // The addresses have to be known before servers can be asked from them.
        apart.inner.look_at_interfaces()?;
        apart.inner.use_list(&servers);
        let mut port = apart.attach()?;
        port.own(apart);
        Ok(port)
    }

    /// The STUN and TURN servers to use from now on. Allocations that exist stay; what STUN
    /// servers see is asked at once and again every 25 s, which also keeps NAT mappings open.
    pub fn use_servers(&self, servers: &[IceServer]) {
        // A machine without an address now may have one at the next look.
        let _ = self.inner.look_at_interfaces();
        let servers = Server::list(servers);
        self.inner.use_list(&servers);
        let apart = {
            let mut state = self.inner.state();
            state.told = true;
            state.apart.clone()
        };
        for inner in apart.iter().filter_map(Weak::upgrade) {
            inner.use_list(&servers);
            inner.all_told();
        }
    }

    /// The UDP sockets that all peers share.
    #[must_use]
    pub fn local_addresses(&self) -> Vec<SocketAddr> {
        self.inner
            .sockets()
            .map(|socket| socket.local_addr())
            .collect()
    }

    /// The network underneath.
    #[must_use]
    pub fn network(&self) -> &Arc<dyn Network> {
        &self.inner.network
    }
}

impl Inner {
    fn use_list(self: &Arc<Self>, servers: &[Server]) {
        let mut state = self.state();
        if state.servers == servers {
            return;
        }
        let token = self.shutdown.child_token();
        state.questions = Some(token.clone().drop_guard());
        state.reflexive.clear();
        state.servers = servers.to_vec();
        if !state.ports.is_empty() {
            self.start_relays(&mut state, Lead::Udp);
        }
        if self.config.relay_only {
            return;
        }
        for (number, server) in servers.iter().enumerate() {
            // A TURN server over UDP answers STUN's questions, too (RFC 8656 section 4).
            let answers = match server {
                Server::Stun { .. } => true,
                Server::Turn { transport, .. } => *transport == RelayTransport::Udp,
            };
            if answers {
                state.pending += 1;
                let awaited = Awaited(Arc::clone(self));
                let task = reflexive::ask(awaited, number, server.clone());
                let token = token.clone();
                self.spawn(async move {
                    token.run_until_cancelled(task).await;
                });
            }
        }
    }

    /// All servers are known now; some may still be asked.
    fn all_told(&self) {
        let mut state = self.state();
        if std::mem::take(&mut state.untold) && state.pending == 0 {
            state.tell(PortEvent::Complete);
        }
    }

    pub(crate) fn socket_for(&self, address: SocketAddr) -> Option<&Arc<dyn UdpSocket>> {
        if address.is_ipv4() {
            self.ipv4.as_ref()
        } else {
            self.ipv6.as_ref()
        }
    }

    fn sockets(&self) -> impl Iterator<Item = &Arc<dyn UdpSocket>> {
        self.ipv4.iter().chain(&self.ipv6)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let shutdown = self.shutdown.clone();
        tokio::spawn(async move {
            shutdown.run_until_cancelled(task).await;
        });
    }

    /// Tells of changes of the interfaces.
    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.interfaces.subscribe()
    }

    /// The queue of an allocation; `None` where the address is no relay's.
    pub(crate) fn relay_at(&self, address: SocketAddr) -> Option<relay::Outbox> {
        let state = self.state();
        let relay = state.relays.iter().find(|relay| relay.has(address))?;
        Some(relay.outbox())
    }

    /// Starts what is missing of the allocations, for a peer that looks for a new path: an allocation
    /// over UDP may be worth nothing by now.
    pub(crate) fn refresh(self: &Arc<Self>) -> Vec<LocalCandidate> {
        // What the machine does not tell now it tells the next time.
        let _ = self.look_at_interfaces();
        let mut state = self.state();
        self.start_relays(&mut state, Lead::None);
        state.candidates(&self.config)
    }

    pub(crate) fn detach(self: &Arc<Self>, number: PeerNumber) {
        self.demux.remove(number);
        let mut state = self.state();
        state.ports.remove(&number);
        if !state.ports.is_empty() || state.relays.is_empty() {
            return;
        }
        let attached = state.attached;
        drop(state);
        let inner = Arc::clone(self);
        let idle = async move {
            sleep(RELAYS_OUTLIVE_PEERS).await;
            let mut state = inner.state();
            if state.ports.is_empty() && state.attached == attached {
                // Their tasks give the allocations back.
                state.relays.clear();
            }
        };
        // A peer may outlive the runtime that it was made in.
        if tokio::runtime::Handle::try_current().is_ok() {
            self.spawn(idle);
        }
    }

    fn start_relays(self: &Arc<Self>, state: &mut State, lead: Lead) {
        for server in state.missing_relays(lead) {
            state.pending += 1;
            let mut others = state.servers.iter();
            if lead == Lead::Udp && others.any(|other| other.is_quicker_than(&server)) {
                state.held.push(server.clone());
                self.spawn(hold(Awaited(Arc::clone(self)), server));
            } else {
                self.start_relay(state, server);
            }
        }
    }

    /// `pending` counts it already.
    fn start_relay(self: &Arc<Self>, state: &mut State, server: Server) {
        let (handle, task) = relay::allocate(Arc::clone(self), server);
        state.relays.push(handle);
        // Not by `spawn`: it has to say goodbye to its server.
        let shutdown = self.shutdown.clone();
        tokio::spawn(task.run(shutdown));
    }

    /// A STUN server has said what it sees of `base`.
    pub(crate) fn reflexive_found(&self, server: usize, base: SocketAddr, address: SocketAddr) {
        let mut state = self.state();
        let before = state.reflexive.insert((server, base), address);
        if before == Some(address) || state.hosts.contains(&address) {
            return;
        }
        let known = state
            .reflexive
            .iter()
            .filter(|(key, _)| **key != (server, base))
            .any(|((_, other), seen)| (*other, *seen) == (base, address));
        if !known {
            state.tell(PortEvent::Candidate(LocalCandidate {
                kind: CandidateKind::ServerReflexive,
                address,
                base,
            }));
        }
    }

    /// A TURN server has given an address.
    pub(crate) fn relay_up(&self, id: u64, address: SocketAddr) {
        let mut state = self.state();
        if let Some(relay) = state.relays.iter_mut().find(|relay| relay.id() == id) {
            relay.add(address);
            state.tell(PortEvent::Candidate(LocalCandidate {
                kind: CandidateKind::Relayed,
                address,
                base: address,
            }));
        }
    }

    pub(crate) fn relay_down(&self, id: u64) {
        self.state().relays.retain(|relay| relay.id() != id);
    }

    /// A server has answered for the first time, or was given up.
    pub(crate) fn server_done(&self) {
        let mut state = self.state();
        state.pending = state.pending.saturating_sub(1);
        if state.pending == 0 && !state.untold {
            state.tell(PortEvent::Complete);
        }
    }

    /// Host addresses that a server of this family can be asked from.
    pub(crate) fn bases_for(&self, server: SocketAddr) -> Vec<SocketAddr> {
        let loopback = server.ip().is_loopback();
        self.state()
            .hosts
            .iter()
            .filter(|host| {
                host.is_ipv4() == server.is_ipv4() && host.ip().is_loopback() == loopback
            })
            .copied()
            .collect()
    }

    /// Addresses of this machine, as they are now: interfaces come and go.
    fn look_at_interfaces(&self) -> io::Result<()> {
        let mut ips: Vec<IpAddr> = self.network.addresses()?;
        ips.retain(|ip| !is_link_local(*ip));
        let has_others = ips.iter().any(|ip| !ip.is_loopback());
        if has_others && !self.config.loopback {
            ips.retain(|ip| !ip.is_loopback());
        }
        // Others first: Firefox never pairs with a loopback candidate.
        ips.sort_by_key(|ip| (ip.is_loopback(), ip.is_ipv6()));
        ips.dedup();
        let hosts: Vec<SocketAddr> = ips
            .into_iter()
            .filter_map(|ip| {
                let socket = self.socket_for(SocketAddr::new(ip, 0))?;
                Some(SocketAddr::new(ip, socket.local_addr().port()))
            })
            .collect();
        if hosts.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::AddrNotAvailable,
                "this machine has no network address",
            ));
        }
        let mut state = self.state();
        if state.hosts == hosts {
            return Ok(());
        }
        let before = std::mem::replace(&mut state.hosts, hosts);
        if before.is_empty() {
            return Ok(());
        }
        tracing::info!("the machine's addresses have changed");
        let State {
            hosts, reflexive, ..
        } = &mut *state;
        reflexive.retain(|(_, base), _| hosts.contains(base));
        if !self.config.relay_only {
            let new: Vec<SocketAddr> = state
                .hosts
                .iter()
                .filter(|host| !before.contains(host))
                .copied()
                .collect();
            for address in new {
                state.tell(PortEvent::Candidate(host(address)));
            }
        }
        state.tell(PortEvent::AddressesChanged);
        self.interfaces.send_modify(|changes| *changes += 1);
        Ok(())
    }
}

impl State {
    fn missing_relays(&self, lead: Lead) -> Vec<Server> {
        let there = |server: &Server| {
            self.relays
                .iter()
                .any(|relay| relay.serves(server) || (lead == Lead::Udp && relay.replaces(server)))
        };
        let held = |server: &Server| lead == Lead::Udp && self.held.contains(server);
        let missing = self.servers.iter().filter(|server| {
            matches!(server, Server::Turn { .. }) && !there(server) && !held(server)
        });
        missing.cloned().collect()
    }

    fn candidates(&self, config: &HubConfig) -> Vec<LocalCandidate> {
        let mut known = Vec::new();
        if !config.relay_only {
            known.extend(self.hosts.iter().copied().map(host));
            for ((_, base), address) in &self.reflexive {
                let candidate = LocalCandidate {
                    kind: CandidateKind::ServerReflexive,
                    address: *address,
                    base: *base,
                };
                if !self.hosts.contains(address) && !known.contains(&candidate) {
                    known.push(candidate);
                }
            }
        }
        for address in self.relays.iter().flat_map(RelayHandle::addresses) {
            known.push(LocalCandidate {
                kind: CandidateKind::Relayed,
                address,
                base: address,
            });
        }
        known
    }

    fn tell(&mut self, event: PortEvent) {
        for port in self.ports.values() {
            // A peer that does not listen misses a way to be reached; it has others.
            let _ = port.try_send(event);
        }
    }
}

fn host(address: SocketAddr) -> LocalCandidate {
    LocalCandidate {
        kind: CandidateKind::Host,
        address,
        base: address,
    }
}

/// Gives the same server over UDP a lead. Where that answers, another relayed address on the same
/// machine would only be more pairs to check.
async fn hold(awaited: Awaited, server: Server) {
    sleep(UDP_LEAD).await;
    let inner = &awaited.0;
    let mut state = inner.state();
    state.held.retain(|held| *held != server);
    if state.missing_relays(Lead::Udp).contains(&server) && !state.ports.is_empty() {
        state.pending += 1;
        inner.start_relay(&mut state, server);
    }
}

/// Hands on what a socket receives.
async fn read(inner: Arc<Inner>, socket: Arc<dyn UdpSocket>) {
    let mut received = Vec::new();
    loop {
        if let Err(error) = socket.receive(&mut received).await {
            // A network that is down for now; an agent that is deaf is of no use.
            tracing::warn!(%error, local = %socket.local_addr(), "UDP socket failed");
            sleep(READ_PAUSE).await;
        }
        for datagram in received.drain(..) {
            if !inner.transactions.take(&datagram) {
                inner.demux.deliver(datagram);
            }
        }
    }
}

async fn watch_interfaces(inner: Arc<Inner>) {
    loop {
        sleep(INTERFACES_EVERY).await;
        if let Err(error) = inner.look_at_interfaces() {
            tracing::debug!(%error, "no look at the interfaces");
        }
    }
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
    use std::task::{Context, Waker};

    use super::*;

    fn news(port: &mut Port) -> Option<PortEvent> {
        let mut cx = Context::from_waker(Waker::noop());
        match port.poll_news(&mut cx) {
            std::task::Poll::Ready(event) => Some(event),
            std::task::Poll::Pending => None,
        }
    }

    /// RTC-011: a visitor makes its offer before it knows of any server.
    #[tokio::test]
    async fn a_peer_apart_is_complete_once_the_servers_are_told() {
        let hub = Hub::bind(HubConfig {
            loopback: true,
            ..HubConfig::default()
        })
        .unwrap();
        let mut early = hub.attach_apart().unwrap();
        assert_eq!(news(&mut early), None);
        let mut agents = hub.attach().unwrap();
        assert_eq!(news(&mut agents), Some(PortEvent::Complete));
        hub.use_servers(&[]);
        assert_eq!(news(&mut early), Some(PortEvent::Complete));
        assert_eq!(news(&mut agents), None);
        let mut late = hub.attach_apart().unwrap();
        assert_eq!(news(&mut late), Some(PortEvent::Complete));
    }
}
