//! Collects datagrams of one size for one destination, so that the kernel takes them in one call.

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::BoxFuture;

use crate::network::{Transmit, UdpSocket};

/// What one GSO call may carry (UDP's limit, less its header).
const BATCH_BYTES: usize = 65_000;

/// Datagrams on their way to the socket; at most [`BATCH_BYTES`].
#[derive(Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    segment: usize,
    /// A segment shorter than the others ends a batch.
    closed: bool,
    route: Option<(SocketAddr, SocketAddr)>,
    wait: WriteWait,
}

impl Batch {
    /// Whether a datagram can join without a send first.
    pub(crate) fn fits(
        &self,
        socket: &dyn UdpSocket,
        source: SocketAddr,
        destination: SocketAddr,
        length: usize,
    ) -> bool {
        self.bytes.is_empty()
            || (!self.closed
                && self.route == Some((source, destination))
                && length <= self.segment
                && self.bytes.len() + length <= BATCH_BYTES
                && self.bytes.len() / self.segment < socket.max_segments())
    }

    pub(crate) fn push(&mut self, source: SocketAddr, destination: SocketAddr, datagram: &[u8]) {
        if self.bytes.is_empty() {
            self.segment = datagram.len();
            self.route = Some((source, destination));
            self.closed = false;
        }
        self.closed |= datagram.len() < self.segment;
        self.bytes.extend_from_slice(datagram);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Address that the datagrams leave from.
    pub(crate) fn source(&self) -> Option<SocketAddr> {
        self.route.map(|(source, _)| source)
    }

    /// Sends what is there. `false`: the kernel is full; the task is woken when that changes.
    ///
    /// Other errors lose the datagrams, as a network may: ICE and SCTP recover from that.
    pub(crate) fn flush(&mut self, socket: &Arc<dyn UdpSocket>, cx: &mut Context<'_>) -> bool {
        let Some((source, destination)) = self.route else {
            return true;
        };
        while !self.bytes.is_empty() {
            let transmit = Transmit {
                source: (!source.ip().is_unspecified()).then_some(source.ip()),
                destination,
                contents: &self.bytes,
                segment: self.segment,
            };
            match socket.try_send(&transmit) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if self.wait.poll(socket, cx).is_pending() {
                        return false;
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, bytes = self.bytes.len(), "datagrams lost");
                    self.bytes.clear();
                }
                Ok(()) => self.bytes.clear(),
            }
        }
        true
    }
}

/// A pending wait for [`UdpSocket::writable`].
#[derive(Default)]
struct WriteWait(Option<BoxFuture<'static, io::Result<()>>>);

impl WriteWait {
    /// `Ready` when the system is expected to take more.
    fn poll(&mut self, socket: &Arc<dyn UdpSocket>, cx: &mut Context<'_>) -> Poll<()> {
        let wait = self.0.get_or_insert_with(|| Arc::clone(socket).writable());
        match wait.as_mut().poll(cx) {
            Poll::Ready(_) => {
                self.0 = None;
                Poll::Ready(())
            }
            Poll::Pending => Poll::Pending,
        }
    }
}
