//! What carries the messages between an allocation and its server.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf, split},
    sync::mpsc,
    task::JoinHandle,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, pki_types::ServerName},
};
use turn_client_proto::stun::types::TransportType;

use crate::{
    framing,
    network::{ByteStream, Datagram, Network, Transmit, UdpSocket},
    server::RelayTransport,
};

/// Messages that wait for a TCP connection; past that datagrams are lost, as on a network.
const QUEUE: usize = 256;

/// Places that only requests of the protocol take: nobody sends them a second time over TCP.
const RESERVED: usize = 32;

/// Bytes of one read.
const READ_BYTES: usize = 16 * 1024;

/// How long the last message may take to leave.
const LAST_WORDS: Duration = Duration::from_millis(200);

pub(crate) enum Wire {
    Udp {
        socket: Arc<dyn UdpSocket>,
        remote: SocketAddr,
        datagrams: Vec<Datagram>,
    },
    Stream {
        remote: SocketAddr,
        reader: ReadHalf<Box<dyn ByteStream>>,
        buffer: BytesMut,
        /// Written by a task of its own: a full connection must not keep this end from reading.
        outgoing: mpsc::Sender<Bytes>,
        writer: JoinHandle<()>,
    },
}

impl Wire {
    pub(crate) async fn open(
        network: &dyn Network,
        tls: Option<Arc<ClientConfig>>,
        remote: SocketAddr,
        transport: RelayTransport,
        name: &str,
    ) -> io::Result<Self> {
        if transport == RelayTransport::Udp {
            return Ok(Self::Udp {
                socket: network.bind_udp(unspecified(remote))?,
                remote,
                datagrams: Vec::new(),
            });
        }
        let mut stream = network.connect_tcp(remote).await?;
        if transport == RelayTransport::Tls {
            let config = tls.ok_or_else(|| {
                io::Error::other("no certificate authorities are known to check it with")
            })?;
            let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
            let tls = TlsConnector::from(config).connect(name, stream).await?;
            stream = Box::new(tls);
        }
        let (reader, writer) = split(stream);
        let (outgoing, queue) = mpsc::channel(QUEUE);
        Ok(Self::Stream {
            remote,
            reader,
            buffer: BytesMut::new(),
            outgoing,
            writer: tokio::spawn(write(writer, queue)),
        })
    }

    /// The name that the protocol gives this end; the server does not look at it.
    pub(crate) fn local(&self) -> SocketAddr {
        match self {
            Self::Udp { socket, .. } => socket.local_addr(),
            Self::Stream { remote, .. } => unspecified(*remote),
        }
    }

    pub(crate) fn remote(&self) -> SocketAddr {
        match self {
            Self::Udp { remote, .. } | Self::Stream { remote, .. } => *remote,
        }
    }

    pub(crate) fn transport(&self) -> TransportType {
        match self {
            Self::Udp { .. } => TransportType::Udp,
            Self::Stream { .. } => TransportType::Tcp,
        }
    }

    /// Sends one message whole or not at all.
    pub(crate) fn send(&mut self, message: &[u8], request: bool) {
        match self {
            Self::Udp { socket, remote, .. } => {
                let transmit = Transmit {
                    source: None,
                    destination: *remote,
                    contents: message,
                    segment: message.len(),
                };
                // Lost, as on a network.
                let _ = socket.try_send(&transmit);
            }
            Self::Stream { outgoing, .. } => {
                if request || outgoing.capacity() > RESERVED {
                    let _ = outgoing.try_send(framing::padded(message));
                }
            }
        }
    }

    /// Waits for the server; appends the messages that are whole, none at times. Cancel-safe.
    pub(crate) async fn receive(&mut self, received: &mut Vec<Bytes>) -> io::Result<()> {
        match self {
            Self::Udp {
                socket,
                remote,
                datagrams,
            } => {
                socket.receive(datagrams).await?;
                let from_server = datagrams
                    .drain(..)
                    .filter(|datagram| datagram.source == *remote);
                received.extend(from_server.map(|datagram| datagram.contents));
            }
            Self::Stream { reader, buffer, .. } => {
                buffer.reserve(READ_BYTES);
                if reader.read_buf(buffer).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                while let Some(message) = framing::take(buffer)? {
                    received.push(message);
                }
            }
        }
        Ok(())
    }

    /// Lets the last messages leave.
    pub(crate) async fn finish(self) {
        if let Self::Stream {
            outgoing,
            mut writer,
            ..
        } = self
        {
            drop(outgoing);
            if tokio::time::timeout(LAST_WORDS, &mut writer).await.is_err() {
                writer.abort();
            }
        }
    }
}

async fn write(mut stream: WriteHalf<Box<dyn ByteStream>>, mut queue: mpsc::Receiver<Bytes>) {
    while let Some(message) = queue.recv().await {
        // The reader sees the end of the connection, too.
        if stream.write_all(&message).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
    let _ = stream.shutdown().await;
}

/// Any port of any address of the family.
fn unspecified(remote: SocketAddr) -> SocketAddr {
    if remote.is_ipv4() {
        ([0; 4], 0).into()
    } else {
        ([0_u16; 8], 0).into()
    }
}
