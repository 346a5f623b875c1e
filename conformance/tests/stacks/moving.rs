//! A machine that moves from one address to another, within 127.0.0.0/8, loses its network, or
//! has a bad one.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use futures_util::future::BoxFuture;
use p2claw_network::{ByteStream, Datagram, Machine, Network, Transmit, UdpSocket};

/// Where it is at first.
pub(crate) const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// Where it may go.
pub(crate) const ROAD: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));

#[derive(Debug)]
pub(crate) struct Moving(Arc<Place>);

#[derive(Debug)]
struct Place {
    address: Mutex<IpAddr>,
    cut: AtomicBool,
    noisy: AtomicBool,
    datagrams: AtomicUsize,
    records: AtomicUsize,
}

impl Default for Moving {
    fn default() -> Self {
        Self(Arc::new(Place {
            address: Mutex::new(HOME),
            cut: AtomicBool::new(false),
            noisy: AtomicBool::new(false),
            datagrams: AtomicUsize::new(0),
            records: AtomicUsize::new(0),
        }))
    }
}

impl Moving {
    /// From now on nothing gets through but from and to this address.
    pub(crate) fn go(&self, address: IpAddr) {
        *self.0.address.lock().unwrap() = address;
    }

    /// From now on, of what arrives some is lost, cut short, changed or comes twice.
    pub(crate) fn be_noisy(&self) {
        self.0.noisy.store(true, Ordering::SeqCst);
    }

    /// Times that DTLS was sent from here, the only thing but checks.
    pub(crate) fn records(&self) -> usize {
        self.0.records.load(Ordering::SeqCst)
    }

    /// Whether nothing gets through at all.
    pub(crate) fn cut(&self, cut: bool) {
        self.0.cut.store(cut, Ordering::SeqCst);
    }
}

impl Place {
    fn passes(&self, local: IpAddr) -> bool {
        !self.cut.load(Ordering::SeqCst) && *self.address.lock().unwrap() == local
    }
}

impl Place {
    /// What becomes of a datagram.
    fn carry(&self, datagram: Datagram) -> Vec<Datagram> {
        if !self.noisy.load(Ordering::SeqCst) {
            return vec![datagram];
        }
        let number = self.datagrams.fetch_add(1, Ordering::SeqCst);
        let changed = |contents: Vec<u8>| Datagram {
            contents: contents.into(),
            ..datagram.clone()
        };
        let mut contents = datagram.contents.to_vec();
        let place = number % contents.len().max(1);
        match number % 100 {
            7 => Vec::new(),
            27 => {
                contents.truncate(place);
                vec![changed(contents)]
            }
            47 => {
                contents[place] ^= 0x55;
                vec![changed(contents)]
            }
            67 => {
                contents.extend_from_slice(&[0; 9]);
                vec![changed(contents), datagram]
            }
            87 => vec![datagram.clone(), datagram],
            _ => vec![datagram],
        }
    }
}

impl Network for Moving {
    fn bind_udp(&self, address: SocketAddr) -> io::Result<Arc<dyn UdpSocket>> {
        if address.is_ipv6() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        Ok(Arc::new(Socket {
            place: Arc::clone(&self.0),
            inner: Machine.bind_udp(address)?,
        }))
    }

    fn connect_tcp(
        &self,
        address: SocketAddr,
    ) -> BoxFuture<'static, io::Result<Box<dyn ByteStream>>> {
        Machine.connect_tcp(address)
    }

    fn resolve<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Machine.resolve(host, port)
    }

    fn addresses(&self) -> io::Result<Vec<IpAddr>> {
        Ok(vec![*self.0.address.lock().unwrap()])
    }
}

#[derive(Debug)]
struct Socket {
    place: Arc<Place>,
    inner: Arc<dyn UdpSocket>,
}

impl UdpSocket for Socket {
    fn local_addr(&self) -> SocketAddr {
        self.inner.local_addr()
    }

    fn max_segments(&self) -> usize {
        self.inner.max_segments()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        // RFC 7983.
        if matches!(transmit.contents.first(), Some(20..=63)) {
            self.place.records.fetch_add(1, Ordering::SeqCst);
        }
        match transmit.source {
            Some(source) if self.place.passes(source) => self.inner.try_send(transmit),
            _ => Ok(()),
        }
    }

    fn writable(self: Arc<Self>) -> BoxFuture<'static, io::Result<()>> {
        Arc::clone(&self.inner).writable()
    }

    fn receive<'a>(&'a self, received: &'a mut Vec<Datagram>) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(async move {
            let before = received.len();
            self.inner.receive(received).await?;
            let fresh = received.split_off(before);
            let passed = fresh
                .into_iter()
                .filter(|datagram| self.place.passes(datagram.destination.ip()));
            received.extend(passed.flat_map(|datagram| self.place.carry(datagram)));
            Ok(())
        })
    }
}
