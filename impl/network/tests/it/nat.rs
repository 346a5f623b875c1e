//! A NAT in user space: sockets of a machine behind it, with real sockets as its public side.

use std::{
    collections::{HashMap, HashSet},
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering},
    },
};

use bytes::Bytes;
use futures_util::{FutureExt as _, future::BoxFuture};
use p2claw_network::{
    ByteStream, Datagram, Network, Transmit, UdpSocket,
    behaviour::{Filtering, Mapping},
};
use tokio::{net::UdpSocket as PublicSocket, sync::mpsc, task::JoinSet};

/// The address behind the NAT. No packet ever has it.
const INSIDE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

/// Datagrams that wait for their reader.
const QUEUE: usize = 64;

/// How it behaves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) mapping: Mapping,
    pub(crate) filtering: Filtering,
    pub(crate) hairpinning: bool,
    pub(crate) preserves_ports: bool,
    /// Nothing goes out.
    pub(crate) blocks: bool,
}

impl Rules {
    pub(crate) fn new(mapping: Mapping, filtering: Filtering) -> Self {
        Self {
            mapping,
            filtering,
            hairpinning: false,
            preserves_ports: false,
            blocks: false,
        }
    }
}

/// The NAT, and the machine behind it. Public sockets are at 127.0.0.`host`.
#[derive(Debug)]
pub(crate) struct NatNetwork {
    rules: Rules,
    public: Ipv4Addr,
    next_port: AtomicU16,
}

impl NatNetwork {
    pub(crate) fn new(host: u8, rules: Rules) -> Self {
        Self {
            rules,
            public: Ipv4Addr::new(127, 0, 0, host),
            next_port: AtomicU16::new(1),
        }
    }

    fn open(&self) -> io::Result<std::net::UdpSocket> {
        open(self.public)
    }
}

fn open(public: Ipv4Addr) -> io::Result<std::net::UdpSocket> {
    let socket = std::net::UdpSocket::bind((public, 0))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

impl Network for NatNetwork {
    fn bind_udp(&self, _: SocketAddr) -> io::Result<Arc<dyn UdpSocket>> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        // The public port that is free decides what the port behind it is.
        let reserved = self.open()?;
        let port = match self.rules.preserves_ports {
            true => reserved.local_addr()?.port(),
            false => self.next_port.fetch_add(1, Ordering::Relaxed),
        };
        Ok(Arc::new(InsideSocket {
            local: (INSIDE, port).into(),
            rules: self.rules,
            public: self.public,
            reserved: Mutex::new(Some(reserved)),
            mappings: Mutex::default(),
            sender,
            receiver: tokio::sync::Mutex::new(receiver),
        }))
    }

    fn connect_tcp(&self, _: SocketAddr) -> BoxFuture<'static, io::Result<Box<dyn ByteStream>>> {
        async { Err(io::ErrorKind::Unsupported.into()) }.boxed()
    }

    fn resolve<'a>(&'a self, _: &'a str, _: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        async { Ok(Vec::new()) }.boxed()
    }

    fn addresses(&self) -> io::Result<Vec<IpAddr>> {
        Ok(vec![INSIDE.into()])
    }
}

/// On what a mapping depends: nothing, an address, or an address and a port.
type Key = Option<(IpAddr, Option<u16>)>;

#[derive(Debug)]
struct InsideSocket {
    local: SocketAddr,
    rules: Rules,
    public: Ipv4Addr,
    /// The public side of the first mapping.
    reserved: Mutex<Option<std::net::UdpSocket>>,
    mappings: Mutex<HashMap<Key, PublicSide>>,
    sender: mpsc::Sender<Datagram>,
    receiver: tokio::sync::Mutex<mpsc::Receiver<Datagram>>,
}

/// A mapping: a public socket, and whom was sent to through it.
#[derive(Debug)]
struct PublicSide {
    out: std::net::UdpSocket,
    contacted: Arc<Mutex<HashSet<SocketAddr>>>,
    _reader: JoinSet<()>,
}

impl InsideSocket {
    fn key(&self, to: SocketAddr) -> Key {
        match self.rules.mapping {
            Mapping::EndpointIndependent => None,
            Mapping::AddressDependent => Some((to.ip(), None)),
            Mapping::AddressAndPortDependent => Some((to.ip(), Some(to.port()))),
            other @ (Mapping::None | Mapping::Dependent | Mapping::Unknown) => {
                panic!("no NAT is {other}")
            }
        }
    }

    fn open(&self) -> io::Result<PublicSide> {
        let reserved = self.reserved.lock().unwrap().take();
        let socket = match reserved {
            Some(socket) => socket,
            None => open(self.public)?,
        };
        let out = socket.try_clone()?;
        let socket = PublicSocket::from_std(socket)?;
        let contacted = Arc::<Mutex<HashSet<SocketAddr>>>::default();
        let mut reader = JoinSet::new();
        let inbound = Inbound {
            rules: self.rules,
            public: self.public,
            local: self.local,
            contacted: Arc::clone(&contacted),
            sender: self.sender.clone(),
        };
        reader.spawn(inbound.run(socket));
        Ok(PublicSide {
            out,
            contacted,
            _reader: reader,
        })
    }
}

struct Inbound {
    rules: Rules,
    public: Ipv4Addr,
    local: SocketAddr,
    contacted: Arc<Mutex<HashSet<SocketAddr>>>,
    sender: mpsc::Sender<Datagram>,
}

impl Inbound {
    async fn run(self, socket: PublicSocket) {
        let mut buffer = [0; 1500];
        loop {
            let Ok((length, source)) = socket.recv_from(&mut buffer).await else {
                return;
            };
            if self.lets_in(source) {
                let _ = self.sender.try_send(Datagram {
                    source,
                    destination: self.local,
                    contents: Bytes::copy_from_slice(&buffer[..length]),
                });
            }
        }
    }

    fn lets_in(&self, source: SocketAddr) -> bool {
        if source.ip() == self.public && !self.rules.hairpinning {
            return false;
        }
        let contacted = self.contacted.lock().unwrap();
        match self.rules.filtering {
            Filtering::EndpointIndependent => true,
            Filtering::AddressDependent => contacted.iter().any(|one| one.ip() == source.ip()),
            Filtering::AddressAndPortDependent => contacted.contains(&source),
            Filtering::Unknown => panic!("no NAT is unknown to itself"),
        }
    }
}

impl UdpSocket for InsideSocket {
    fn local_addr(&self) -> SocketAddr {
        self.local
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        if self.rules.blocks {
            return Ok(());
        }
        let mut mappings = self.mappings.lock().unwrap();
        let key = self.key(transmit.destination);
        let side = match mappings.entry(key) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => place.insert(self.open()?),
        };
        side.contacted.lock().unwrap().insert(transmit.destination);
        side.out
            .send_to(transmit.contents, transmit.destination)
            .map(drop)
    }

    fn writable(self: Arc<Self>) -> BoxFuture<'static, io::Result<()>> {
        async { Ok(()) }.boxed()
    }

    fn receive<'a>(&'a self, received: &'a mut Vec<Datagram>) -> BoxFuture<'a, io::Result<()>> {
        async {
            let next = self.receiver.lock().await.recv().await;
            received.extend(next);
            Ok(())
        }
        .boxed()
    }
}
