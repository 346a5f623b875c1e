//! One client: its allocation, its relayed sockets and what they may pass on.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use p2claw_signaling::turn as credentials;
use stun_types::{
    TransportType,
    attribute::{AttributeFromRaw as _, Username},
    message::{Message, MessageClass},
};
use tokio::{
    net::UdpSocket,
    sync::{OwnedSemaphorePermit, mpsc},
    time::{Instant, sleep_until},
};
use turn_server_proto::{
    api::{SocketAllocateError, Transmit, TurnServerApi as _, TurnServerPollRet},
    server::TurnServer,
    stun::Instant as TurnInstant,
    types::{AddressFamily, attribute::XorPeerAddress, prelude::DelayedTransmitBuild as _},
};

use crate::{
    framing, peers,
    quota::{Permissions, Share},
    relay::{self, Shared},
    visit::{End, Passing, Visits},
};

/// TURN's realm; part of the key that the password becomes.
const REALM: &str = "p2claw";

/// A client that has no allocation any more is forgotten after this.
const IDLE: Duration = Duration::from_secs(30);

/// One that has never had any, whatever it says: anybody can write a request in somebody's name.
const NEVER_ALLOCATED: Duration = Duration::from_secs(10);

/// Relayed sockets of one client: one for each address family.
const SOCKETS: usize = 2;

/// Bytes of the longest datagram of a peer, less one: far above what WebRTC sends.
const DATAGRAM: usize = 2048;

/// Usernames that one client may try.
const USERNAMES: usize = 4;

/// The way back to a client.
pub(crate) enum Replies {
    Datagrams(Arc<UdpSocket>),
    Stream(mpsc::Sender<Bytes>),
}

pub(crate) struct Client {
    shared: Arc<Shared>,
    from: SocketAddr,
    replies: Replies,
    server: TurnServer,
    transport: TransportType,
    epoch: Instant,
    sockets: Vec<Relayed>,
    known: Vec<String>,
    permissions: Permissions,
    share: Option<Share>,
    visits: Visits,
    _place: OwnedSemaphorePermit,
}

/// A socket that peers send to.
struct Relayed {
    socket: UdpSocket,
    /// As peers know it.
    address: SocketAddr,
}

impl Client {
    pub(crate) fn new(
        shared: Arc<Shared>,
        from: SocketAddr,
        replies: Replies,
        place: OwnedSemaphorePermit,
    ) -> Self {
        let transport = match &replies {
            Replies::Datagrams(_) => TransportType::Udp,
            Replies::Stream(_) => TransportType::Tcp,
        };
        Self {
            server: TurnServer::new(transport, shared.listen, REALM.to_owned()),
            visits: Visits::new(shared.config.quota),
            shared,
            from,
            replies,
            transport,
            epoch: Instant::now(),
            sockets: Vec::new(),
            known: Vec::new(),
            permissions: Permissions::default(),
            share: None,
            _place: place,
        }
    }

    fn now(&self) -> TurnInstant {
        let nanos = self.epoch.elapsed().as_nanos();
        TurnInstant::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
    }

    /// Serves until the client has been silent for 30 s without an allocation, or has none within 10 s.
    pub(crate) async fn run(mut self, mut messages: mpsc::Receiver<Bytes>) {
        let begun = Instant::now();
        let mut heard = None;
        let mut buffers = [[0; DATAGRAM]; SOCKETS];
        loop {
            for datagram in self.visits.release() {
                self.forward(datagram);
            }
            let wait = self.progress();
            let wait = self.visits.due().map_or(wait, |due| due.min(wait));
            if !self.sockets.is_empty() {
                heard.get_or_insert(begun);
            }
            let idle = heard.map_or(begun + NEVER_ALLOCATED, |heard| heard + IDLE);
            if self.sockets.is_empty() && Instant::now() >= idle {
                return;
            }
            let wait = if self.sockets.is_empty() {
                wait.min(idle)
            } else {
                wait
            };
            let [first, second] = &mut buffers;
            let (one, two) = (self.sockets.first(), self.sockets.get(1));
            tokio::select! {
                message = messages.recv() => match message {
                    Some(message) => {
                        heard = heard.map(|_| Instant::now());
                        self.take_from_client(message);
                    }
                    None => return,
                },
                Some((length, peer)) = receive(one, first) => {
                    let to = one.map(|socket| socket.address);
                    self.take_from_peer(to, peer, &buffers[0][..length]);
                }
                Some((length, peer)) = receive(two, second) => {
                    let to = two.map(|socket| socket.address);
                    self.take_from_peer(to, peer, &buffers[1][..length]);
                }
                () = sleep_until(wait) => {}
            }
        }
    }

    /// Does what the protocol asks for; until when it has nothing to ask.
    fn progress(&mut self) -> Instant {
        loop {
            let now = self.now();
            let polled = self.server.poll(now);
            while let Some(transmit) = self.server.poll_transmit(now) {
                self.pass_on(transmit.from, transmit.to, transmit.data);
            }
            match polled {
                TurnServerPollRet::WaitUntil(at) => {
                    let after = at.duration_since(TurnInstant::ZERO);
                    // Something to do at once: but others have their turn first.
                    return (self.epoch + after).max(Instant::now() + Duration::from_millis(1));
                }
                TurnServerPollRet::AllocateSocket {
                    allocation_transport,
                    family,
                    ..
                } => {
                    let socket = self.allocate(allocation_transport, family);
                    self.server.allocated_socket(
                        self.transport,
                        self.shared.listen,
                        self.from,
                        allocation_transport,
                        family,
                        socket,
                        now,
                    );
                }
                TurnServerPollRet::SocketClose { listen_addr, .. } => {
                    self.sockets.retain(|socket| socket.address != listen_addr);
                    if self.sockets.is_empty() {
                        self.share = None;
                        self.permissions.clear();
                    }
                }
                // Of TCP allocations, of which there are none.
                TurnServerPollRet::TcpConnect { .. } | TurnServerPollRet::TcpClose { .. } => {}
            }
        }
    }

    fn allocate(
        &mut self,
        transport: TransportType,
        family: AddressFamily,
    ) -> Result<SocketAddr, SocketAllocateError> {
        let full = SocketAllocateError::InsufficientCapacity;
        if transport != TransportType::Udp || self.sockets.len() >= SOCKETS {
            return Err(full);
        }
        let username = self.known.last().ok_or(full)?;
        if self.share.is_none() {
            let share = self.shared.accounts.enter(username);
            self.share = Some(share.ok_or_else(|| {
                tracing::info!("a credential has all its allocations at the relay");
                full
            })?);
        }
        let here = self.shared.listen.ip();
        let ip = match (family, here) {
            (AddressFamily::IPV4, IpAddr::V4(ip)) => IpAddr::V4(ip),
            (AddressFamily::IPV6, IpAddr::V6(ip)) => IpAddr::V6(ip),
            (AddressFamily::IPV4, IpAddr::V6(ip)) if ip.is_unspecified() => {
                Ipv4Addr::UNSPECIFIED.into()
            }
            (AddressFamily::IPV6, IpAddr::V4(ip)) if ip.is_unspecified() => {
                Ipv6Addr::UNSPECIFIED.into()
            }
            (AddressFamily::IPV4 | AddressFamily::IPV6, _) => {
                return Err(SocketAllocateError::AddressFamilyNotSupported);
            }
        };
        let public = match self.shared.config.public_ip {
            Some(public) if public.is_ipv4() == ip.is_ipv4() => public,
            _ if ip.is_unspecified() => {
                // Peers cannot send to a wildcard.
                return Err(SocketAllocateError::AddressFamilyNotSupported);
            }
            _ => ip,
        };
        let bound = std::net::UdpSocket::bind((ip, 0)).and_then(|socket| {
            socket.set_nonblocking(true)?;
            let socket = UdpSocket::from_std(socket)?;
            relay::widen(&socket);
            Ok(socket)
        });
        let socket = bound.map_err(|error| {
            tracing::warn!(%error, "relay has no socket for a client");
            full
        })?;
        let port = socket.local_addr().map_err(|_| full)?.port();
        let address = SocketAddr::new(public, port);
        self.sockets.push(Relayed { socket, address });
        Ok(address)
    }

    fn take_from_client(&mut self, message: Bytes) {
        if let Ok(request) = Message::from_bytes(&message)
            && request.has_class(MessageClass::Request)
        {
            self.admit(&request);
            if !self.may_permit(&request) {
                tracing::debug!("a client has all its permissions at the relay");
                return;
            }
        }
        let now = self.now();
        let transmit = Transmit::new(message, self.transport, self.from, self.shared.listen);
        if let Some(reply) = self.server.recv(transmit, now) {
            let (from, to) = (reply.from, reply.to);
            self.pass_on(from, to, reply.data.build());
        }
    }

    fn take_from_peer(&mut self, to: Option<SocketAddr>, peer: SocketAddr, datagram: &[u8]) {
        let Some(to) = to else {
            return;
        };
        if !self.may_relay(peer.ip()) {
            return;
        }
        let now = self.now();
        let transmit = Transmit::new(
            Bytes::copy_from_slice(datagram),
            TransportType::Udp,
            peer,
            to,
        );
        // Nothing comes of it where the client has not permitted the peer.
        if let Some(reply) = self.server.recv(transmit, now) {
            let contents = reply.data.build();
            let to = End::Client;
            self.relay(Passing { peer, to, contents });
        }
    }

    /// Passes a datagram on when it has its turn, if it may pass at all.
    fn relay(&mut self, datagram: Passing) {
        if self.may_relay(datagram.peer.ip())
            && let Some(datagram) = self.visits.pass(datagram)
        {
            self.forward(datagram);
        }
    }

    fn forward(&self, datagram: Passing) {
        match datagram.to {
            End::Peer(from) => {
                let mut sockets = self.sockets.iter();
                if let Some(relayed) = sockets.find(|socket| socket.address == from) {
                    // Lost where the system does not take it, as on a network.
                    let _ = relayed
                        .socket
                        .try_send_to(&datagram.contents, datagram.peer);
                }
            }
            End::Client => self.reply(datagram.contents),
        }
    }

    /// Lets a username in that coord has issued and that has not ended (`SIG-022`).
    fn admit(&mut self, request: &Message<'_>) {
        let Ok(username) = request.attribute::<Username>() else {
            return;
        };
        let username = username.username();
        if self.known.iter().any(|known| known == username) || self.known.len() >= USERNAMES {
            return;
        }
        let unix = SystemTime::now().duration_since(UNIX_EPOCH);
        let unix = unix.map_or(0, |unix| i64::try_from(unix.as_secs()).unwrap_or(i64::MAX));
        match credentials::password_for(&self.shared.config.secret, username, unix) {
            Ok(password) => {
                self.known.push(username.to_owned());
                self.server.add_user(username.to_owned(), password);
            }
            Err(error) => tracing::debug!(%error, "relay refused a credential"),
        }
    }

    /// Whether there is room for the permissions that a request asks for, and notes them. Without an
    /// allocation there are none.
    fn may_permit(&mut self, request: &Message<'_>) -> bool {
        if self.sockets.is_empty() {
            return true;
        }
        let id = request.transaction_id();
        let mut asked = request
            .iter_attributes()
            .filter_map(|(_, raw)| XorPeerAddress::from_raw_ref(&raw).ok());
        asked.all(|peer| self.permissions.ask(peer.addr(id).ip()))
    }

    fn may_relay(&self, peer: IpAddr) -> bool {
        self.shared.config.private_peers || peers::is_public(peer)
    }

    /// Sends what the protocol says: to the client, or from a relayed address to a peer.
    fn pass_on(&mut self, from: SocketAddr, to: SocketAddr, contents: Vec<u8>) {
        if self.sockets.iter().any(|socket| socket.address == from) {
            let (peer, to) = (to, End::Peer(from));
            self.relay(Passing { peer, to, contents });
        } else {
            // What the protocol itself says is small and free.
            self.reply(contents);
        }
    }

    fn reply(&self, mut contents: Vec<u8>) {
        match &self.replies {
            Replies::Datagrams(socket) => {
                let _ = socket.try_send_to(&contents, self.from);
            }
            Replies::Stream(outgoing) => {
                framing::pad(&mut contents);
                let _ = outgoing.try_send(contents.into());
            }
        }
    }
}

async fn receive(socket: Option<&Relayed>, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
    match socket {
        Some(relayed) => loop {
            match relayed.socket.recv_from(buffer).await {
                // Cut off: it was longer.
                Ok((DATAGRAM, _)) => {}
                Ok(received) => return Some(received),
                // A peer's ICMP answer.
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {}
                Err(_) => return None,
            }
        },
        None => std::future::pending().await,
    }
}
