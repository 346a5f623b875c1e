//! TCP connections of which one end is listened to: what it writes.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::{FutureExt as _, future::BoxFuture};
use p2claw_network::{ByteStream, Network, UdpSocket};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Party, Tap};
use crate::network::HostNetwork;

/// Where one connection's bytes go.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) tap: Tap,
    pub(super) stream: usize,
}

/// A connection that may be listened to.
#[derive(Debug)]
pub struct Overheard<S> {
    stream: S,
    writer: Option<Writer>,
}

impl<S> Overheard<S> {
    pub(super) fn new(stream: S, writer: Option<Writer>) -> Self {
        Self { stream, writer }
    }

    /// One that nobody listens to.
    pub(crate) fn by_nobody(stream: S) -> Self {
        Self::new(stream, None)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Overheard<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Overheard<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if let (Poll::Ready(Ok(length)), Some(writer)) = (&written, &self.writer) {
            writer.tap.note_bytes(writer.stream, &bytes[..*length]);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A host's network whose TCP connections are listened to.
#[derive(Debug)]
pub struct TappedNetwork {
    network: HostNetwork,
    tap: Tap,
    of: Party,
}

impl TappedNetwork {
    pub(super) fn new(network: HostNetwork, tap: Tap, of: Party) -> Self {
        Self { network, tap, of }
    }
}

impl Network for TappedNetwork {
    fn bind_udp(&self, address: SocketAddr) -> io::Result<Arc<dyn UdpSocket>> {
        self.network.bind_udp(address)
    }

    fn connect_tcp(
        &self,
        address: SocketAddr,
    ) -> BoxFuture<'static, io::Result<Box<dyn ByteStream>>> {
        let connecting = self.network.connect_tcp(address);
        let (tap, of) = (self.tap.clone(), self.of);
        async move {
            let stream = connecting.await?;
            let heard = Overheard::new(stream, Some(tap.writer(of)));
            Ok(Box::new(heard) as Box<dyn ByteStream>)
        }
        .boxed()
    }

    fn resolve<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        self.network.resolve(host, port)
    }

    fn addresses(&self) -> io::Result<Vec<IpAddr>> {
        self.network.addresses()
    }

    fn unix_millis(&self) -> i64 {
        self.network.unix_millis()
    }

    fn fill_random(&self, bytes: &mut [u8]) -> io::Result<()> {
        self.network.fill_random(bytes)
    }
}
