//! A machine that moves from one address to another, within 127.0.0.0/8, or loses its network.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
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
}

impl Default for Moving {
    fn default() -> Self {
        Self(Arc::new(Place {
            address: Mutex::new(HOME),
            cut: AtomicBool::new(false),
        }))
    }
}

impl Moving {
    /// From now on nothing gets through but from and to this address.
    pub(crate) fn go(&self, address: IpAddr) {
        *self.0.address.lock().unwrap() = address;
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
            let mut fresh = received.split_off(before);
            fresh.retain(|datagram| self.place.passes(datagram.destination.ip()));
            received.append(&mut fresh);
            Ok(())
        })
    }
}
