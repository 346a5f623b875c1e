//! The machine's network as the rest of this crate sees it.

use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};

/// What programs need of the machine that they run on, be it [`crate::Machine`] or a simulated one:
/// sockets, names, addresses, the time of day and random numbers.
pub trait Network: Send + Sync + fmt::Debug + 'static {
    /// Binds a UDP socket; the wildcard address stands for every address of its family.
    ///
    /// # Errors
    /// When the address or port cannot be had.
    fn bind_udp(&self, address: SocketAddr) -> io::Result<Arc<dyn UdpSocket>>;

    /// Opens a TCP connection.
    fn connect_tcp(
        &self,
        address: SocketAddr,
    ) -> BoxFuture<'static, io::Result<Box<dyn ByteStream>>>;

    /// Addresses of a host name; an address stands for itself.
    fn resolve<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>>;

    /// The addresses of the interfaces that are up, as they are now.
    ///
    /// # Errors
    /// When the system does not tell.
    fn addresses(&self) -> io::Result<Vec<IpAddr>>;

    /// Whether this machine has an address from which that one may be reached, as far as that can
    /// be told without a packet: one of its family, and loopback only for loopback.
    fn has_way_to(&self, address: SocketAddr) -> bool {
        let link_local = |ip: &IpAddr| match ip {
            IpAddr::V4(ip) => ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_unicast_link_local(),
        };
        // Where the system does not tell, it is worth a try.
        self.addresses().map_or(true, |own| {
            own.iter().any(|ip| {
                ip.is_ipv4() == address.is_ipv4()
                    && ip.is_loopback() == address.ip().is_loopback()
                    && !link_local(ip)
            })
        })
    }

    /// The wall clock: Unix time in milliseconds. It may jump.
    fn unix_millis(&self) -> i64 {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    /// Overwrites `bytes` with some that nobody can guess: nonces are made of them. Anything but the
    /// system's own source is for tests and simulations.
    ///
    /// # Errors
    /// When the system has none.
    fn fill_random(&self, bytes: &mut [u8]) -> io::Result<()> {
        getrandom::fill(bytes).map_err(|error| io::Error::other(error.to_string()))
    }
}

/// A TCP connection, or what stands for one.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// A datagram as it came in.
#[derive(Debug, Clone)]
pub struct Datagram {
    /// Who sent it.
    pub source: SocketAddr,
    /// The address of this end that it was sent to.
    pub destination: SocketAddr,
    /// Its payload.
    pub contents: Bytes,
}

/// Datagrams on their way out: one, or several of one size in a row.
#[derive(Debug, Clone, Copy)]
pub struct Transmit<'a> {
    /// The address of this machine to send from; `None` leaves it to the system.
    pub source: Option<IpAddr>,
    /// Who gets them.
    pub destination: SocketAddr,
    /// The payloads, one behind the other.
    pub contents: &'a [u8],
    /// Bytes of each payload but the last, which may be shorter.
    pub segment: usize,
}

/// A UDP socket of one address family.
pub trait UdpSocket: Send + Sync + fmt::Debug {
    /// What it is bound to.
    fn local_addr(&self) -> SocketAddr;

    /// Payloads that one [`UdpSocket::try_send`] takes (GSO where the system has it).
    fn max_segments(&self) -> usize {
        1
    }

    /// Sends at once or not at all.
    ///
    /// # Errors
    /// `WouldBlock` when the system's queue is full; wait for [`UdpSocket::writable`] then. Other
    /// errors are of these datagrams only.
    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()>;

    /// Waits until the socket may take more. Several may wait at once.
    fn writable(self: Arc<Self>) -> BoxFuture<'static, io::Result<()>>;

    /// Waits for datagrams and appends them to `received`. One reader at a time.
    fn receive<'a>(&'a self, received: &'a mut Vec<Datagram>) -> BoxFuture<'a, io::Result<()>>;
}
