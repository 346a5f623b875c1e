//! The sockets that clients come to.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use socket2::SockRef;
use stun_types::{
    attribute::XorMappedAddress,
    message::{BINDING, Message, MessageClass, MessageWriteVec},
    prelude::{MessageWrite as _, MessageWriteExt as _},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::{Semaphore, mpsc},
    task::JoinSet,
    time::{Instant, sleep, timeout_at},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::{
    client::{Client, Replies},
    config::Config,
    framing,
    quota::Accounts,
};

/// Datagrams that wait for one client's task; past that they are lost, as on a network.
const QUEUE: usize = 256;

/// Of a UDP socket, each way. The kernel counts about 2 KiB for a datagram of WebRTC's.
const KERNEL_BUFFER_BYTES: usize = 1 << 20;

/// Bytes of one read of a stream.
const READ_BYTES: usize = 16 * 1024;

/// How long a connection may take for its first byte, and a TLS handshake behind it.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);

/// A pause after a socket failed.
const PAUSE: Duration = Duration::from_millis(100);

/// Ports that are tried where any will do.
const BIND_ATTEMPTS: usize = 16;

/// Why a relay cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum RelayError {
    /// The port cannot be had.
    #[error("listen on {address} over UDP and TCP: {source}")]
    Bind {
        /// As asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

/// A relay that listens; [`Relay::run`] serves.
#[derive(Debug)]
pub struct Relay {
    udp: Arc<UdpSocket>,
    tcp: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// What all clients share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) accounts: Accounts,
    pub(crate) places: Arc<Semaphore>,
    pub(crate) listen: SocketAddr,
}

impl Relay {
    /// Listens on one port over UDP and TCP; port 0 takes any that is free for both.
    ///
    /// # Errors
    /// When another program has the port, or the machine does not have the address.
    pub async fn bind(address: SocketAddr, config: Config) -> Result<Self, RelayError> {
        let failed = |source| RelayError::Bind { address, source };
        let mut bound = bind_both(address).await;
        for _ in 0..BIND_ATTEMPTS {
            // A free UDP port may be taken for TCP.
            if bound.is_ok() || address.port() != 0 {
                break;
            }
            bound = bind_both(address).await;
        }
        let (udp, tcp) = bound.map_err(failed)?;
        let address = udp.local_addr().map_err(failed)?;
        Ok(Self {
            udp: Arc::new(udp),
            tcp,
            address,
            shared: Arc::new(Shared {
                accounts: Accounts::new(config.quota.allocations),
                places: Arc::new(Semaphore::new(config.clients)),
                listen: address,
                config,
            }),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URLs for coord to hand out, under a name or address that leads here.
    #[must_use]
    pub fn urls(&self, host: &str) -> Vec<String> {
        let host = match host.parse::<IpAddr>() {
            Ok(IpAddr::V6(ip)) => format!("[{ip}]"),
            _ => host.to_owned(),
        };
        let port = self.address.port();
        let mut urls = vec![
            format!("turn:{host}:{port}?transport=udp"),
            format!("turn:{host}:{port}?transport=tcp"),
        ];
        if self.shared.config.tls.is_some() {
            urls.push(format!("turns:{host}:{port}"));
        }
        urls
    }

    /// Serves until the shutdown; clients' allocations end with it.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut tasks = JoinSet::new();
        tasks.spawn(datagrams(Arc::clone(&self.udp), Arc::clone(&self.shared)));
        tasks.spawn(streams(self.tcp, self.shared));
        shutdown.cancelled().await;
        // Dropping the set ends what its tasks own, clients included.
        tasks.shutdown().await;
    }
}

async fn bind_both(address: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let udp = UdpSocket::bind(address).await?;
    widen(&udp);
    let tcp = TcpListener::bind(udp.local_addr()?).await?;
    Ok((udp, tcp))
}

/// Makes room in the kernel for what comes at once: a sender's whole window, while this program has
/// no turn. The kernel's limit may be below the wish, which is no reason to fail.
pub(crate) fn widen(socket: &UdpSocket) {
    let socket = SockRef::from(socket);
    let _ = socket.set_recv_buffer_size(KERNEL_BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(KERNEL_BUFFER_BYTES);
}

/// Reads the UDP socket, and hands each client its own.
async fn datagrams(socket: Arc<UdpSocket>, shared: Arc<Shared>) {
    let mut clients: HashMap<SocketAddr, mpsc::Sender<Bytes>> = HashMap::new();
    let mut tasks = JoinSet::new();
    let mut buffer = vec![0; framing::LONGEST];
    loop {
        while let Some(ended) = tasks.try_join_next() {
            if let Ok(address) = ended {
                clients.remove(&address);
            }
        }
        let (length, from) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => continue,
            Err(error) => {
                tracing::warn!(%error, "relay's socket failed");
                sleep(PAUSE).await;
                continue;
            }
        };
        let datagram = &buffer[..length];
        if !framing::may_be_message(datagram) {
            continue;
        }
        if let Some(client) = clients.get(&from) {
            // Full: lost, as on a network. Ended: the client begins anew with its next request.
            let _ = client.try_send(Bytes::copy_from_slice(datagram));
            continue;
        }
        // Whoever is new begins with a request: nothing else is worth a place.
        let Ok(request) = Message::from_bytes(datagram) else {
            continue;
        };
        if !request.has_class(MessageClass::Request) {
            continue;
        }
        if request.has_method(BINDING) {
            if let Some(answer) = mapped(&request, from) {
                let _ = socket.try_send_to(&answer, from);
            }
            continue;
        }
        let Ok(place) = Arc::clone(&shared.places).try_acquire_owned() else {
            tracing::debug!("relay is full");
            continue;
        };
        let (sender, messages) = mpsc::channel(QUEUE);
        let _ = sender.try_send(Bytes::copy_from_slice(datagram));
        clients.insert(from, sender);
        let replies = Replies::Datagrams(Arc::clone(&socket));
        let client = Client::new(Arc::clone(&shared), from, replies, place);
        tasks.spawn(async move {
            client.run(messages).await;
            from
        });
    }
}

/// The answer to a STUN server's question (RFC 8489 section 6.3), which needs no memory.
fn mapped(request: &Message<'_>, from: SocketAddr) -> Option<Vec<u8>> {
    let mut answer = Message::builder_success(request, MessageWriteVec::new());
    let mapped = XorMappedAddress::new(from, request.transaction_id());
    answer.add_attribute(&mapped).ok()?;
    Some(answer.finish())
}

async fn streams(listener: TcpListener, shared: Arc<Shared>) {
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) => {
                    let Ok(place) = Arc::clone(&shared.places).try_acquire_owned() else {
                        tracing::debug!("relay is full");
                        continue;
                    };
                    let shared = Arc::clone(&shared);
                    tasks.spawn(async move {
                        if let Err(error) = connection(stream, from, shared, place).await {
                            tracing::debug!(%error, "relay's connection ended");
                        }
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "relay takes no connections");
                    sleep(PAUSE).await;
                }
            },
            Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
        }
    }
}

async fn connection(
    stream: TcpStream,
    from: SocketAddr,
    shared: Arc<Shared>,
    place: tokio::sync::OwnedSemaphorePermit,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let deadline = Instant::now() + HANDSHAKE_DEADLINE;
    let mut first = [0];
    let looked = timeout_at(deadline, stream.peek(&mut first)).await?;
    if looked? == 1 && first[0] == framing::TLS_HANDSHAKE {
        let Some(config) = &shared.config.tls else {
            return Err(io::Error::other("TLS came, and there is no certificate"));
        };
        let acceptor = TlsAcceptor::from(Arc::clone(config));
        let stream = timeout_at(deadline, acceptor.accept(stream)).await??;
        return converse(stream, from, shared, place).await;
    }
    converse(stream, from, shared, place).await
}

/// Passes on between one connection and its client.
async fn converse<S>(
    stream: S,
    from: SocketAddr,
    shared: Arc<Shared>,
    place: tokio::sync::OwnedSemaphorePermit,
) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let (mut reader, mut writer) = tokio::io::split(stream);
    let (outgoing, mut queue) = mpsc::channel::<Bytes>(QUEUE);
    let (sender, messages) = mpsc::channel(QUEUE);
    let client = Client::new(shared, from, Replies::Stream(outgoing), place);
    let read = async {
        let mut buffer = BytesMut::new();
        loop {
            buffer.reserve(READ_BYTES);
            if reader.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
            loop {
                match framing::take(&mut buffer) {
                    // The client waits here for its turn, and with it the sender.
                    Ok(Some(message)) => {
                        if sender.send(message).await.is_err() {
                            return Ok(());
                        }
                    }
                    Ok(None) => break,
                    Err(framing::NoMessage) => {
                        return Err(io::Error::other("it is no TURN client"));
                    }
                }
            }
        }
    };
    let write = async {
        while let Some(message) = queue.recv().await {
            writer.write_all(&message).await?;
            writer.flush().await?;
        }
        Ok(())
    };
    tokio::select! {
        result = read => result,
        result = write => result,
        () = client.run(messages) => Ok(()),
    }
}
