//! A UDP socket that knows on which local address a datagram arrived, with GSO and GRO.

use std::{
    fmt,
    io::{self, IoSliceMut},
    net::SocketAddr,
    sync::Arc,
};

use bytes::Bytes;
use futures_util::{FutureExt as _, future::BoxFuture};
use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Socket as RawSocket, Type};
use tokio::{io::Interest, sync::Mutex};

use crate::network::{Datagram, Transmit, UdpSocket};

/// Kernel buffers each way. The default of 208 KiB overflows within one burst of a fast sender
/// (measured: 119 against 30 MB/s).
const KERNEL_BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// What one GRO read may return (UDP's limit).
const READ_BYTES: usize = 64 * 1024;

/// One socket of one address family, bound to the wildcard address.
#[derive(Debug)]
pub(crate) struct Socket {
    io: tokio::net::UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
    /// Held by the one reader.
    buffer: Mutex<ReadBuffer>,
}

impl Socket {
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        let raw = RawSocket::new(
            Domain::for_address(address),
            Type::DGRAM,
            Some(Protocol::UDP),
        )?;
        if address.is_ipv6() {
            raw.set_only_v6(true)?;
        }
        raw.set_nonblocking(true)?;
        raw.bind(&address.into())?;
        // A kernel limit below the wish is no reason to fail.
        let _ = raw.set_recv_buffer_size(KERNEL_BUFFER_BYTES);
        let _ = raw.set_send_buffer_size(KERNEL_BUFFER_BYTES);
        let io = tokio::net::UdpSocket::from_std(raw.into())?;
        let state = UdpSocketState::new(UdpSockRef::from(&io))?;
        let local = io.local_addr()?;
        Ok(Self {
            io,
            state,
            local,
            buffer: Mutex::new(ReadBuffer::new()),
        })
    }
}

impl UdpSocket for Socket {
    fn local_addr(&self) -> SocketAddr {
        self.local
    }

    fn max_segments(&self) -> usize {
        self.state.max_gso_segments()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let transmit = quinn_udp::Transmit {
            destination: transmit.destination,
            ecn: None,
            contents: transmit.contents,
            segment_size: (transmit.segment < transmit.contents.len()).then_some(transmit.segment),
            src_ip: transmit.source,
        };
        let mut tried = false;
        let mut send = || {
            tried = true;
            self.state.try_send(UdpSockRef::from(&self.io), &transmit)
        };
        match self.io.try_io(Interest::WRITABLE, &mut send) {
            // tokio takes a socket for full until its reactor has seen it once, and that would
            // cost the first datagram.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && !tried => {
                self.state.try_send(UdpSockRef::from(&self.io), &transmit)
            }
            sent => sent,
        }
    }

    /// tokio keeps one waker a socket for its poll methods; several peers share this one, so each
    /// waits with a future of its own.
    fn writable(self: Arc<Self>) -> BoxFuture<'static, io::Result<()>> {
        async move { self.io.writable().await }.boxed()
    }

    fn receive<'a>(&'a self, received: &'a mut Vec<Datagram>) -> BoxFuture<'a, io::Result<()>> {
        self.read(received).boxed()
    }
}

impl Socket {
    /// Reads once: as many datagrams as one call of the system gives.
    async fn read(&self, received: &mut Vec<Datagram>) -> io::Result<()> {
        let mut buffer = self.buffer.lock().await;
        let buffer = &mut *buffer;
        let count = loop {
            self.io.readable().await?;
            let ReadBuffer { storage, metas } = &mut *buffer;
            let mut chunks = storage.chunks_mut(READ_BYTES);
            let mut slices: [IoSliceMut<'_>; BATCH_SIZE] =
                std::array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
            let attempt = self.io.try_io(Interest::READABLE, || {
                self.state
                    .recv(UdpSockRef::from(&self.io), &mut slices, metas)
            });
            match attempt {
                Ok(count) => break count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // An ICMP answer to something sent earlier; the peer's own timers deal with it.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
                Err(error) => return Err(error),
            }
        };
        for (meta, bytes) in buffer.metas[..count]
            .iter()
            .zip(buffer.storage.chunks(READ_BYTES))
        {
            let contents = Bytes::copy_from_slice(&bytes[..meta.len]);
            let ip = meta.dst_ip.unwrap_or_else(|| self.local.ip());
            let destination = SocketAddr::new(ip, self.local.port());
            let stride = meta.stride.max(1);
            for start in (0..meta.len).step_by(stride) {
                let end = (start + stride).min(meta.len);
                received.push(Datagram {
                    source: meta.addr,
                    destination,
                    contents: contents.slice(start..end),
                });
            }
        }
        Ok(())
    }
}

/// Room for one batched read.
pub(crate) struct ReadBuffer {
    storage: Vec<u8>,
    metas: [RecvMeta; BATCH_SIZE],
}

impl ReadBuffer {
    pub(crate) fn new() -> Self {
        Self {
            storage: vec![0; READ_BYTES * BATCH_SIZE],
            metas: [RecvMeta::default(); BATCH_SIZE],
        }
    }
}

impl fmt::Debug for ReadBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadBuffer").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
    use super::*;

    /// A request that is lost costs a quarter of a second.
    #[tokio::test]
    async fn the_first_datagram_of_a_socket_leaves_at_once() {
        let to = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let from = Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let first = Transmit {
            source: None,
            destination: to.local_addr().unwrap(),
            contents: b"first",
            segment: 5,
        };
        // Nothing was awaited: the reactor has not turned yet.
        from.try_send(&first).unwrap();
        let mut buffer = [0; 8];
        assert_eq!(to.recv(&mut buffer).unwrap(), 5);
    }
}
