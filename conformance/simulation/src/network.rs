//! The network as one host has it.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::{FutureExt as _, future::BoxFuture};
use p2claw_network::{ByteStream, Datagram, Network, Transmit, UdpSocket};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil::net::TcpStream;

use crate::{
    clock,
    inbox::Inbox,
    internet::{HostId, Internet},
};

/// An [`Internet`] that all hosts of a simulation share.
#[derive(Debug, Clone)]
pub struct SharedInternet(Arc<Mutex<Internet>>);

impl SharedInternet {
    /// An empty one. `seed` decides everything that is random in it.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Internet::new(seed))))
    }

    /// The internet itself, for building it and for looking at it.
    pub fn lock(&self) -> MutexGuard<'_, Internet> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The network of one host.
    #[must_use]
    pub fn of(&self, host: HostId) -> HostNetwork {
        HostNetwork {
            internet: self.clone(),
            host,
        }
    }
}

/// One host's network. Used on that host only.
#[derive(Debug, Clone)]
pub struct HostNetwork {
    internet: SharedInternet,
    host: HostId,
}

impl HostNetwork {
    /// Opens a UDP socket; port 0 stands for any that is free.
    ///
    /// # Errors
    /// When the host does not have the address, or the port is taken.
    pub fn bind(&self, address: SocketAddr) -> io::Result<Socket> {
        let (local, inbox) = self.internet.lock().bind(self.host, address)?;
        Ok(Socket {
            network: self.clone(),
            local,
            inbox,
        })
    }

    fn moves(&self) -> u64 {
        self.internet.lock().moves(self.host)
    }
}

impl Network for HostNetwork {
    fn bind_udp(&self, address: SocketAddr) -> io::Result<Arc<dyn UdpSocket>> {
        Ok(Arc::new(self.bind(address)?))
    }

    fn connect_tcp(
        &self,
        address: SocketAddr,
    ) -> BoxFuture<'static, io::Result<Box<dyn ByteStream>>> {
        let network = self.clone();
        async move {
            // The host itself is where it was.
            let moves = (!address.ip().is_loopback()).then(|| network.moves());
            let stream = TcpStream::connect(address).await?;
            let stream = Stream {
                stream,
                network,
                moves,
            };
            Ok(Box::new(stream) as Box<dyn ByteStream>)
        }
        .boxed()
    }

    fn resolve<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        let found = match host.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) => self.internet.lock().resolve(host).to_vec(),
        };
        let found = found.into_iter().map(|ip| SocketAddr::new(ip, port));
        let found: Vec<SocketAddr> = found.collect();
        let result = if found.is_empty() {
            Err(io::ErrorKind::NotFound.into())
        } else {
            Ok(found)
        };
        std::future::ready(result).boxed()
    }

    fn addresses(&self) -> io::Result<Vec<IpAddr>> {
        Ok(self.internet.lock().addresses(self.host))
    }

    fn unix_millis(&self) -> i64 {
        clock::unix_millis() + self.internet.lock().clock_ahead(self.host)
    }

    fn fill_random(&self, bytes: &mut [u8]) -> io::Result<()> {
        self.internet.lock().fill_random(self.host, bytes);
        Ok(())
    }
}

/// A UDP socket.
#[derive(Debug)]
pub struct Socket {
    network: HostNetwork,
    local: SocketAddr,
    inbox: Arc<Inbox>,
}

impl Socket {
    /// What it is bound to.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Sends a datagram.
    ///
    /// # Errors
    /// When the host has no address of the destination's family.
    pub fn send(&self, destination: SocketAddr, contents: impl Into<Bytes>) -> io::Result<()> {
        self.send_from(None, destination, contents.into())
    }

    /// Waits for a datagram. One reader at a time.
    pub async fn receive(&self) -> Datagram {
        self.inbox.receive().await
    }

    fn send_from(
        &self,
        source: Option<IpAddr>,
        destination: SocketAddr,
        contents: Bytes,
    ) -> io::Result<()> {
        let HostNetwork { internet, host } = &self.network;
        let now = clock::elapsed();
        let mut internet = internet.lock();
        internet.send(now, *host, self.local, source, destination, contents)
    }
}

impl UdpSocket for Socket {
    fn local_addr(&self) -> SocketAddr {
        self.local
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        for datagram in transmit.contents.chunks(transmit.segment.max(1)) {
            let contents = Bytes::copy_from_slice(datagram);
            self.send_from(transmit.source, transmit.destination, contents)?;
        }
        Ok(())
    }

    fn writable(self: Arc<Self>) -> BoxFuture<'static, io::Result<()>> {
        // A line that is full loses datagrams; it never makes its senders wait.
        std::future::ready(Ok(())).boxed()
    }

    fn receive<'a>(&'a self, received: &'a mut Vec<Datagram>) -> BoxFuture<'a, io::Result<()>> {
        async move {
            received.push(self.inbox.receive().await);
            while let Some(datagram) = self.inbox.take(clock::elapsed()) {
                received.push(datagram);
            }
            Ok(())
        }
        .boxed()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let HostNetwork { internet, host } = &self.network;
        internet.lock().close(*host, self.local, &self.inbox);
    }
}

/// A TCP connection. Once its host has moved nothing comes through any more, and neither end is
/// told: the address that it was made from is gone.
struct Stream {
    stream: TcpStream,
    network: HostNetwork,
    /// How often the host had moved at the beginning, where that matters.
    moves: Option<u64>,
}

impl Stream {
    fn is_cut(&self) -> bool {
        self.moves
            .is_some_and(|moves| moves != self.network.moves())
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_cut() {
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.is_cut() {
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_cut() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
