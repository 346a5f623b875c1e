//! A TURN server (RFC 8656) over UDP and TCP, by `turn-server-proto`.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use p2claw_network::Network as _;
use p2claw_signaling::turn;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::mpsc,
    task::{AbortHandle, JoinSet},
    time::sleep,
};
use turmoil::net::{TcpListener, TcpStream};
use turn_server_proto::{
    api::{SocketAllocateError, Transmit, TurnServerApi, TurnServerPollRet},
    server::TurnServer,
    types::{
        AddressFamily, Instant, TransportType,
        prelude::DelayedTransmitBuild as _,
        stun::{attribute::Username, message::Message},
    },
};

use crate::{
    clock,
    network::{HostNetwork, Socket},
    stun,
};

/// The usual port, for UDP and TCP.
pub const PORT: u16 = 3478;

/// What waits for one of the relay's queues; more is lost, or waits where it is TCP.
const QUEUE: usize = 1024;

/// Header of a STUN message, in bytes.
const STUN_HEADER: usize = 20;
/// Header of channel data, in bytes.
const CHANNEL_HEADER: usize = 4;

/// What a relay is told.
#[derive(Debug, Clone)]
pub struct RelayConfig {
    /// Where it listens and relays.
    pub address: IpAddr,
    /// Shared with coord.
    pub secret: Vec<u8>,
}

/// Something that came in.
struct Incoming {
    transport: TransportType,
    from: SocketAddr,
    to: SocketAddr,
    contents: Bytes,
    /// The way back, for TCP.
    client: Option<mpsc::Sender<Vec<u8>>>,
}

struct Allocation {
    /// Which of the servers has it.
    server: usize,
    socket: Arc<Socket>,
    reader: AbortHandle,
}

/// Serves until its host goes down.
///
/// # Errors
/// When a socket cannot be had.
pub async fn serve(network: HostNetwork, config: RelayConfig) -> io::Result<()> {
    let address = SocketAddr::new(config.address, PORT);
    let udp = Arc::new(network.bind(address)?);
    let listener = TcpListener::bind(("0.0.0.0", PORT)).await?;
    let (sender, mut incoming) = mpsc::channel(QUEUE);
    let mut relay = Relay {
        network,
        config,
        servers: [TransportType::Udp, TransportType::Tcp]
            .map(|transport| TurnServer::new(transport, address, "p2claw".to_owned())),
        udp: Arc::clone(&udp),
        allocations: BTreeMap::new(),
        clients: BTreeMap::new(),
        tasks: JoinSet::new(),
        sender: sender.clone(),
    };
    relay.tasks.spawn(read(udp, sender.clone()));
    relay.tasks.spawn(accept(listener, address, sender));
    loop {
        let wait = relay.poll();
        tokio::select! {
            biased;
            Some(packet) = incoming.recv() => relay.receive(packet),
            () = sleep(wait) => {}
        }
    }
}

struct Relay {
    network: HostNetwork,
    config: RelayConfig,
    /// For clients by UDP, and for those by TCP.
    servers: [TurnServer; 2],
    udp: Arc<Socket>,
    /// By relayed address.
    allocations: BTreeMap<SocketAddr, Allocation>,
    /// The ways to those that came by TCP.
    clients: BTreeMap<SocketAddr, mpsc::Sender<Vec<u8>>>,
    tasks: JoinSet<()>,
    sender: mpsc::Sender<Incoming>,
}

impl Relay {
    /// Lets both servers do what is due; returns for how long nothing will be.
    fn poll(&mut self) -> Duration {
        let mut wait = Duration::from_secs(60);
        for index in 0..self.servers.len() {
            loop {
                let now = now();
                while let Some(transmit) = self.servers[index].poll_transmit(now) {
                    self.transmit(transmit);
                }
                match self.servers[index].poll(now) {
                    TurnServerPollRet::WaitUntil(until) => {
                        // Never at once: that would be a loop without end.
                        let until = until.saturating_duration_since(now);
                        wait = wait.min(until.max(Duration::from_millis(1)));
                        break;
                    }
                    TurnServerPollRet::AllocateSocket {
                        transport,
                        listen_addr,
                        client_addr,
                        allocation_transport,
                        family,
                    } => {
                        let socket = self.allocate(index, allocation_transport, family);
                        self.servers[index].allocated_socket(
                            transport,
                            listen_addr,
                            client_addr,
                            allocation_transport,
                            family,
                            socket,
                            now,
                        );
                    }
                    TurnServerPollRet::SocketClose { listen_addr, .. } => {
                        if let Some(allocation) = self.allocations.remove(&listen_addr) {
                            allocation.reader.abort();
                        }
                    }
                    TurnServerPollRet::TcpClose { remote_addr, .. } => {
                        self.clients.remove(&remote_addr);
                    }
                    // RFC 6062, which no client here asks for.
                    TurnServerPollRet::TcpConnect { .. } => {}
                }
            }
        }
        wait
    }

    fn allocate(
        &mut self,
        server: usize,
        transport: TransportType,
        family: AddressFamily,
    ) -> Result<SocketAddr, SocketAllocateError> {
        let ours = self.config.address.is_ipv4() == (family == AddressFamily::IPV4);
        if transport != TransportType::Udp || !ours {
            return Err(SocketAllocateError::AddressFamilyNotSupported);
        }
        let socket = self
            .network
            .bind(SocketAddr::new(self.config.address, 0))
            .map_err(|_| SocketAllocateError::InsufficientCapacity)?;
        let socket = Arc::new(socket);
        let address = socket.local_addr();
        let reader = self
            .tasks
            .spawn(read(Arc::clone(&socket), self.sender.clone()));
        let allocation = Allocation {
            server,
            socket,
            reader,
        };
        self.allocations.insert(address, allocation);
        Ok(address)
    }

    fn receive(&mut self, packet: Incoming) {
        if let Some(answers) = packet.client {
            self.clients.insert(packet.from, answers);
        }
        let index = match (self.allocations.get(&packet.to), packet.transport) {
            // Peers come by UDP, whatever their client came by.
            (Some(allocation), TransportType::Udp) => allocation.server,
            (None, TransportType::Udp) => 0,
            (_, TransportType::Tcp) => 1,
        };
        if packet.to.port() == PORT {
            // turn-server-proto 0.7 sends its answers to these to itself.
            if let Some(answer) = stun::binding_success(packet.from, &packet.contents) {
                self.transmit(Transmit::new(
                    answer,
                    packet.transport,
                    packet.to,
                    packet.from,
                ));
                return;
            }
            self.admit(index, &packet.contents);
        }
        let transmit = Transmit::new(packet.contents, packet.transport, packet.from, packet.to);
        if let Some(built) = self.servers[index].recv(transmit, now()) {
            let (transport, from, to) = (built.transport, built.from, built.to);
            let data = built.data.build();
            self.transmit(Transmit::new(data, transport, from, to));
        }
    }

    /// Makes the user of a request known, if coord gave out the name and its time is not over.
    fn admit(&mut self, index: usize, contents: &[u8]) {
        let Ok(message) = Message::from_bytes(contents) else {
            return;
        };
        let Ok(user) = message.attribute::<Username>() else {
            return;
        };
        let now = self.network.unix_millis() / 1000;
        if let Ok(password) = turn::password_for(&self.config.secret, user.username(), now) {
            self.servers[index].add_user(user.username().to_owned(), password);
        }
    }

    fn transmit(&mut self, transmit: Transmit<Vec<u8>>) {
        let Transmit {
            data,
            transport,
            from,
            to,
        } = transmit;
        match transport {
            TransportType::Udp => {
                let relayed = self.allocations.get(&from);
                let socket = relayed.map_or(&self.udp, |allocation| &allocation.socket);
                // A datagram that cannot leave is lost, as on any network.
                let _ = socket.send(to, data);
            }
            TransportType::Tcp => {
                let mut data = data;
                // Channel data is padded on a stream, and messages are of such lengths already.
                data.resize(data.len().next_multiple_of(4), 0);
                if let Some(client) = self.clients.get(&to) {
                    // So is one for a client that does not read.
                    let _ = client.try_send(data);
                }
            }
        }
    }
}

fn now() -> Instant {
    let nanos = clock::elapsed().as_nanos();
    Instant::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
}

async fn read(socket: Arc<Socket>, sender: mpsc::Sender<Incoming>) {
    loop {
        let arrival = socket.receive().await;
        let packet = Incoming {
            transport: TransportType::Udp,
            from: arrival.source,
            to: arrival.destination,
            contents: arrival.contents,
            client: None,
        };
        if sender.send(packet).await.is_err() {
            return;
        }
    }
}

async fn accept(listener: TcpListener, address: SocketAddr, sender: mpsc::Sender<Incoming>) {
    let mut clients = JoinSet::new();
    while let Ok((stream, from)) = listener.accept().await {
        clients.spawn(converse(stream, from, address, sender.clone()));
    }
}

/// Carries messages of one client both ways; it ends when either side closes.
async fn converse(
    mut stream: TcpStream,
    from: SocketAddr,
    to: SocketAddr,
    sender: mpsc::Sender<Incoming>,
) {
    let (answers, mut outgoing) = mpsc::channel::<Vec<u8>>(QUEUE);
    let mut client = Some(answers);
    let mut buffer = BytesMut::new();
    loop {
        tokio::select! {
            biased;
            answer = outgoing.recv() => {
                let Some(answer) = answer else { return };
                if stream.write_all(&answer).await.is_err() {
                    return;
                }
            }
            read = stream.read_buf(&mut buffer) => {
                if !matches!(read, Ok(1..)) {
                    return;
                }
                while let Some(contents) = next_message(&mut buffer) {
                    let packet = Incoming {
                        transport: TransportType::Tcp,
                        from,
                        to,
                        contents,
                        client: client.take(),
                    };
                    if sender.send(packet).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

/// Cuts the next STUN message or channel data off a stream (RFC 8656 section 12.5).
fn next_message(buffer: &mut BytesMut) -> Option<Bytes> {
    let (first, length) = match &buffer[..] {
        [first, _, high, low, ..] => (*first, u16::from_be_bytes([*high, *low])),
        _ => return None,
    };
    let length = usize::from(length)
        + if (64..=79).contains(&first) {
            CHANNEL_HEADER
        } else {
            STUN_HEADER
        };
    let padded = length.next_multiple_of(4);
    (buffer.len() >= padded).then(|| buffer.split_to(padded).freeze().slice(..length))
}
