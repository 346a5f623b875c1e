//! A visitor that changes its network while it downloads: coord, an agent and a visitor of the
//! reference over real sockets, with one WebRTC stack at both ends.
//!
//! Every address of `127.0.0.0/8` is one of this machine, so a visitor can move from one to the
//! next; what it has left behind is gone.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use p2claw_agent::connection::{Connection, Driver, Exchange, connect};
use p2claw_agent::transport::{LANES, PeerTransport};
use p2claw_agent::{Agent, LinkStatus, RouteEntry, Routes};
use p2claw_coord::Config;
use p2claw_identity::{Alias, AppName, HostLabel, IdentityKey, Nonce, SessionId};
use p2claw_network::{ByteStream, Datagram, Hub, HubConfig, Machine, Network, Transmit, UdpSocket};
use p2claw_session::{ErrorCode, Fields, Role, Target};
use p2claw_signaling::SignalCode;
use p2claw_signaling::address::PublicAddress;
use p2claw_signaling::candidate::IceCandidate;
use p2claw_signaling::event_stream::EventReader;
use p2claw_signaling::visitor::{VisitCheck, VisitorEvent, encode_update};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Longer than any step takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
const VISITS: &str = "/.well-known/p2claw/v1/visits";

async fn within<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work)
        .await
        .unwrap_or_else(|_| panic!("nothing happened within 20 s"))
}

fn unix_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap()
}

/// A WebRTC stack on these sockets.
type Stack = fn(Hub) -> Arc<dyn PeerTransport>;

fn str0m(hub: Hub) -> Arc<dyn PeerTransport> {
    Arc::new(p2claw_rtc_str0m::Endpoint::on(hub, LANES))
}

fn webrtc(hub: Hub) -> Arc<dyn PeerTransport> {
    Arc::new(p2claw_rtc_webrtc::Endpoint::on(hub, LANES))
}

/// A machine with one address, which changes.
#[derive(Debug, Clone)]
struct Moving(Arc<Mutex<IpAddr>>);

impl Moving {
    fn at(host: u8) -> Self {
        Self(Arc::new(Mutex::new(Self::address(host))))
    }

    fn address(host: u8) -> IpAddr {
        IpAddr::from(Ipv4Addr::new(127, 0, 0, host))
    }

    fn move_to(&self, host: u8) {
        *self.0.lock().unwrap() = Self::address(host);
    }

    fn here(&self) -> IpAddr {
        *self.0.lock().unwrap()
    }
}

impl Network for Moving {
    fn bind_udp(&self, address: SocketAddr) -> io::Result<Arc<dyn UdpSocket>> {
        if address.is_ipv6() {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        Ok(Arc::new(MovingSocket {
            socket: Machine.bind_udp(address)?,
            machine: self.clone(),
        }))
    }

    fn connect_tcp(
        &self,
        address: SocketAddr,
    ) -> BoxFuture<'static, io::Result<Box<dyn ByteStream>>> {
        Machine.connect_tcp(address)
    }

    fn resolve<'a>(&'a self, _: &'a str, _: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn addresses(&self) -> io::Result<Vec<IpAddr>> {
        Ok(vec![self.here()])
    }
}

struct MovingSocket {
    socket: Arc<dyn UdpSocket>,
    machine: Moving,
}

impl fmt::Debug for MovingSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket.fmt(f)
    }
}

impl UdpSocket for MovingSocket {
    fn local_addr(&self) -> SocketAddr {
        self.socket.local_addr()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        match transmit.source {
            // From an address that is no longer there: nothing leaves.
            Some(source) if source != self.machine.here() => Ok(()),
            _ => self.socket.try_send(transmit),
        }
    }

    fn writable(self: Arc<Self>) -> BoxFuture<'static, io::Result<()>> {
        Arc::clone(&self.socket).writable()
    }

    fn receive<'a>(&'a self, received: &'a mut Vec<Datagram>) -> BoxFuture<'a, io::Result<()>> {
        Box::pin(async move {
            self.socket.receive(received).await?;
            let here = self.machine.here();
            received.retain(|datagram| datagram.destination.ip() == here);
            Ok(())
        })
    }
}

struct Coord {
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Coord {
    async fn start(address: &str) -> (Self, SocketAddr) {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let public = PublicAddress {
            scheme: "https".to_owned(),
            parent: "example.net".to_owned(),
            port: None,
        };
        let config = Config::new(address.to_string(), public);
        let shutdown = CancellationToken::new();
        let running = p2claw_coord::run(listener, config, shutdown.clone());
        let task = tokio::spawn(async move { running.await.unwrap() });
        (Self { shutdown, task }, address)
    }

    async fn stop(self) {
        self.shutdown.cancel();
        within(self.task).await.unwrap();
    }
}

/// A stream of events, and what it is about.
struct Events {
    session_id: SessionId,
    check: VisitCheck,
    body: Incoming,
    reader: EventReader,
}

impl Events {
    async fn next(&mut self) -> VisitorEvent {
        loop {
            if let Some(event) = self.reader.next_event().unwrap() {
                return self.check.handle(event, unix_ms()).unwrap().unwrap();
            }
            let frame = within(self.body.frame()).await.unwrap().unwrap();
            self.reader.push(frame.data_ref().unwrap());
        }
    }

    async fn answer(&mut self) -> String {
        match self.next().await {
            VisitorEvent::Answer { sdp, .. } => sdp,
            other => panic!("expected an answer, got {other:?}"),
        }
    }
}

/// One request on a connection of its own.
async fn post(coord: SocketAddr, path: &str, host: &str, body: Bytes) -> http::Response<Incoming> {
    let stream = TcpStream::connect(coord).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake::<_, Full<Bytes>>(TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    let request = Request::builder()
        .method(Method::POST)
        .uri(path)
        .header("host", host)
        .header("content-type", "application/x-protobuf")
        .body(Full::new(body))
        .unwrap();
    within(sender.send_request(request)).await.unwrap()
}

struct World {
    coord: SocketAddr,
    host: String,
    upstream: TcpListener,
    status: watch::Receiver<LinkStatus>,
    shutdown: CancellationToken,
    agent: JoinHandle<()>,
}

impl World {
    async fn start(coord: SocketAddr, stack: Stack) -> Self {
        let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = upstream.local_addr().unwrap().to_string();
        let routes = Arc::new(Routes::load(None).unwrap());
        let entry = RouteEntry {
            upstream: address.parse().unwrap(),
            preserve_host: false,
        };
        let app = AppName::parse("recipes").unwrap();
        routes.expose(app.clone(), entry).unwrap();
        let key = Arc::new(IdentityKey::from_seed([7; 32]));
        let label = HostLabel::new(app, Alias::candidate(&key.peer_id(), 0));
        let hub = Hub::bind(HubConfig {
            loopback: true,
            ..HubConfig::default()
        });
        let agent = Agent {
            key,
            routes,
            transport: stack(hub.unwrap()),
            coord: format!("http://{coord}"),
            software: "test/1".to_owned(),
            api: None,
        };
        let (sender, status) = watch::channel(LinkStatus::default());
        let shutdown = CancellationToken::new();
        let running = agent.run(sender, shutdown.clone());
        let mut world = Self {
            coord,
            host: format!("{label}.example.net"),
            upstream,
            status,
            shutdown,
            agent: tokio::spawn(async move { running.await.unwrap() }),
        };
        world.registered(true).await;
        world
    }

    async fn registered(&mut self, registered: bool) {
        let told = |status: &LinkStatus| status.accepted.is_empty() != registered;
        within(self.status.wait_for(told)).await.unwrap();
    }

    async fn ask(&self, check: VisitCheck) -> Events {
        let response = post(self.coord, VISITS, &self.host, check.request()).await;
        assert_eq!(response.status(), StatusCode::CREATED);
        let location = response.headers()["location"].to_str().unwrap().to_owned();
        let (_, id) = location.rsplit_once('/').unwrap();
        Events {
            session_id: id.parse().unwrap(),
            check,
            body: response.into_body(),
            reader: EventReader::new(),
        }
    }

    async fn tell(&self, events: &Events, candidate: Option<String>) {
        let candidate = candidate.map_or_else(IceCandidate::end, |candidate| {
            IceCandidate::parse(candidate, "0").unwrap()
        });
        let path = format!("{VISITS}/{}", events.session_id);
        let body = encode_update(vec![candidate]);
        let response = post(self.coord, &path, &self.host, body).await;
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
    }

    /// The upstream's end of the next connection, with the head of its request.
    async fn accept(&self) -> (TcpStream, String) {
        let (mut stream, _) = self.upstream.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        (stream, String::from_utf8(head).unwrap())
    }
}

struct Visitor {
    machine: Moving,
    /// Its sockets are read for as long as it is there.
    _endpoint: Arc<dyn PeerTransport>,
    connection: Connection,
    driver: Driver,
    events: Events,
}

impl Visitor {
    async fn visit(world: &World, machine: Moving, stack: Stack) -> Self {
        let config = HubConfig {
            loopback: true,
            ..HubConfig::default()
        };
        let hub = Hub::bind_on(Arc::new(machine.clone()), config).unwrap();
        let endpoint = stack(hub);
        let mut offered = endpoint.offer().await.unwrap();
        let (label, _) = world.host.split_once('.').unwrap();
        let label = HostLabel::parse(label).unwrap();
        let check = VisitCheck::new(label, Nonce([1; 32]), offered.offer, Vec::new()).unwrap();
        let mut events = world.ask(check).await;
        let answer = events.answer().await;
        offered.peer.accept_answer(&answer).unwrap();
        let config = p2claw_session::Config::for_role(Role::Visitor);
        let (connection, driver) = connect(Role::Visitor, config, offered.peer);
        Self {
            machine,
            _endpoint: endpoint,
            connection,
            driver,
            events,
        }
    }

    /// Drives the session, and signaling with it, until `work` is done.
    async fn while_driven<T>(&mut self, world: &World, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(within(work));
        loop {
            tokio::select! {
                ended = &mut self.driver => panic!("the session has ended: {ended}"),
                candidate = self.connection.next_candidate() => {
                    world.tell(&self.events, candidate).await;
                }
                done = &mut work => return done,
            }
        }
    }

    async fn restart(&mut self, world: &World, nonce: u8) {
        let offer = self.driver.restart().unwrap();
        let session = self.events.session_id;
        let check = self
            .events
            .check
            .restart(session, Nonce([nonce; 32]), offer);
        let mut events = world.ask(check.unwrap()).await;
        let answer = events.answer().await;
        self.driver.accept_answer(&answer).unwrap();
        self.events = events;
    }

    fn get(&self, target: &str) -> Exchange {
        let request = p2claw_session::Request {
            method: "GET".to_owned(),
            target: Target::parse(target).unwrap(),
            fields: Fields::new(),
            end: true,
            protocol: None,
        };
        self.connection.open(request).unwrap()
    }
}

/// Sends a piece of the body, and sees that it arrives whole.
async fn piece(stream: &mut TcpStream, exchange: &mut Exchange, length: usize) {
    let head = format!("{length:x}\r\n");
    let body = vec![b'x'; length];
    let sending = async {
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&body).await.unwrap();
        stream.write_all(b"\r\n").await.unwrap();
    };
    let receiving = async {
        let mut received = 0;
        while received < length {
            received += exchange.response.data().await.unwrap().unwrap().len();
        }
        assert_eq!(received, length);
    };
    tokio::join!(sending, receiving);
}

/// SIG-043, SIG-045, SIG-046, RTC-020, HTP-025: a download goes on over two changes of the
/// visitor's address, with a coord that was started anew in between.
async fn a_download_survives_a_change_of_networks(stack: Stack) {
    let (coord, address) = Coord::start("127.0.0.1:0").await;
    let mut world = World::start(address, stack).await;
    let mut visitor = Visitor::visit(&world, Moving::at(2), stack).await;
    let mut exchange = visitor.get("/download");
    let (mut stream, head) = visitor.while_driven(&world, world.accept()).await;
    assert!(head.contains("x-forwarded-for: 127.0.0.2\r\n"), "{head}");
    let start = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(start).await.unwrap();
    visitor.while_driven(&world, exchange.head()).await.unwrap();
    let before = piece(&mut stream, &mut exchange, 300_000);
    visitor.while_driven(&world, before).await;

    coord.stop().await;
    world.registered(false).await;
    let (coord, _) = Coord::start(&address.to_string()).await;
    world.registered(true).await;

    for host in [3, 4] {
        visitor.machine.move_to(host);
        visitor.restart(&world, host).await;
        let behind = piece(&mut stream, &mut exchange, 300_000);
        visitor.while_driven(&world, behind).await;
        let _where = visitor.get("/where");
        let (_, head) = visitor.while_driven(&world, world.accept()).await;
        let line = format!("x-forwarded-for: 127.0.0.{host}\r\n");
        assert!(head.contains(&line), "{line} is not in {head}");
        let path = visitor.connection.path().unwrap();
        assert_eq!(path.local.ip(), Moving::address(host));
    }

    visitor.connection.close(ErrorCode::NO_ERROR, "");
    within(visitor.driver).await;
    world.shutdown.cancel();
    within(world.agent).await.unwrap();
    coord.stop().await;
}

/// SIG-045, SIG-046: an agent that was started anew has no such session, and says so.
async fn an_agent_that_was_started_anew_knows_nothing(stack: Stack) {
    let (coord, address) = Coord::start("127.0.0.1:0").await;
    let world = World::start(address, stack).await;
    let mut visitor = Visitor::visit(&world, Moving::at(2), stack).await;
    let _exchange = visitor.get("/");
    let (_stream, _) = visitor.while_driven(&world, world.accept()).await;
    // Without a word, as when it is killed.
    world.agent.abort();
    assert!(within(world.agent).await.unwrap_err().is_cancelled());
    let world = World::start(address, stack).await;
    let offer = visitor.driver.restart().unwrap();
    let session = visitor.events.session_id;
    let check = visitor.events.check.restart(session, Nonce([9; 32]), offer);
    let mut events = world.ask(check.unwrap()).await;
    match events.next().await {
        VisitorEvent::End { code, .. } => assert_eq!(code, SignalCode::NoSuchVisit),
        other => panic!("expected the end, got {other:?}"),
    }
    world.shutdown.cancel();
    within(world.agent).await.unwrap();
    coord.stop().await;
}

mod on_str0m {
    #[tokio::test]
    async fn a_download_survives_a_change_of_networks() {
        super::a_download_survives_a_change_of_networks(super::str0m).await;
    }

    #[tokio::test]
    async fn an_agent_that_was_started_anew_knows_nothing() {
        super::an_agent_that_was_started_anew_knows_nothing(super::str0m).await;
    }
}

mod on_webrtc {
    #[tokio::test]
    async fn a_download_survives_a_change_of_networks() {
        super::a_download_survives_a_change_of_networks(super::webrtc).await;
    }

    #[tokio::test]
    async fn an_agent_that_was_started_anew_knows_nothing() {
        super::an_agent_that_was_started_anew_knows_nothing(super::webrtc).await;
    }
}
