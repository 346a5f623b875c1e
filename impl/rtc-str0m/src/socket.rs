//! A UDP socket that knows on which local address a datagram arrived, with GSO and GRO.

use std::{
    io::{self, IoSliceMut},
    net::{IpAddr, SocketAddr},
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use socket2::{Domain, Protocol, Socket as RawSocket, Type};
use std::sync::Arc;
use tokio::{io::Interest, net::UdpSocket};

/// Kernel buffers each way. The default of 208 KiB overflows within one burst of a fast sender
/// (measured: 119 against 30 MB/s).
const KERNEL_BUFFER_BYTES: usize = 4 * 1024 * 1024;

/// What one GRO read may return (UDP's limit).
const READ_BYTES: usize = 64 * 1024;

/// A datagram as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Datagram {
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) contents: Bytes,
}

/// One socket of one address family, bound to the wildcard address.
#[derive(Debug)]
pub(crate) struct Socket {
    io: UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
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
        let io = UdpSocket::from_std(raw.into())?;
        let state = UdpSocketState::new(UdpSockRef::from(&io))?;
        let local = io.local_addr()?;
        Ok(Self { io, state, local })
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Segments that one [`Socket::try_send`] may carry.
    pub(crate) fn max_segments(&self) -> usize {
        self.state.max_gso_segments()
    }

    /// Sends `contents`, cut by the kernel into datagrams of `segment` bytes.
    pub(crate) fn try_send(
        &self,
        source: IpAddr,
        destination: SocketAddr,
        contents: &[u8],
        segment: usize,
    ) -> io::Result<()> {
        let transmit = Transmit {
            destination,
            ecn: None,
            contents,
            segment_size: (segment < contents.len()).then_some(segment),
            src_ip: (!source.is_unspecified()).then_some(source),
        };
        self.io.try_io(Interest::WRITABLE, || {
            self.state.try_send(UdpSockRef::from(&self.io), &transmit)
        })
    }

    /// Waits until the kernel takes datagrams again. tokio keeps one waker a socket for its poll
    /// methods; several peers share this one, so each waits with a future of its own.
    pub(crate) fn writable(self: &Arc<Self>) -> BoxFuture<'static, io::Result<()>> {
        let socket = Arc::clone(self);
        Box::pin(async move { socket.io.writable().await })
    }

    /// Reads once and hands each datagram to `deliver`.
    pub(crate) async fn read(
        &self,
        buffer: &mut ReadBuffer,
        mut deliver: impl FnMut(Datagram),
    ) -> io::Result<()> {
        let received = loop {
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
                Ok(received) => break received,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // An ICMP answer to something sent earlier; the peer's own timers deal with it.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
                Err(error) => return Err(error),
            }
        };
        for (meta, bytes) in buffer.metas[..received]
            .iter()
            .zip(buffer.storage.chunks(READ_BYTES))
        {
            let contents = Bytes::copy_from_slice(&bytes[..meta.len]);
            let ip = meta.dst_ip.unwrap_or_else(|| self.local.ip());
            let destination = SocketAddr::new(ip, self.local.port());
            let stride = meta.stride.max(1);
            for start in (0..meta.len).step_by(stride) {
                let end = (start + stride).min(meta.len);
                deliver(Datagram {
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

/// A pending wait for [`Socket::writable`].
#[derive(Default)]
pub(crate) struct WriteWait(Option<BoxFuture<'static, io::Result<()>>>);

impl WriteWait {
    /// `Ready` when the kernel is expected to take more.
    pub(crate) fn poll(&mut self, socket: &Arc<Socket>, cx: &mut Context<'_>) -> Poll<()> {
        let wait = self.0.get_or_insert_with(|| socket.writable());
        match wait.as_mut().poll(cx) {
            Poll::Ready(_) => {
                self.0 = None;
                Poll::Ready(())
            }
            Poll::Pending => Poll::Pending,
        }
    }
}
