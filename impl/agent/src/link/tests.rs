//! A link to a coord that the test plays, over a real WebSocket.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod visits;

use bytes::Bytes;
use p2claw_identity::{Alias, IdentityKey, Nonce};
use p2claw_network::{Machine, Network as _};
use p2claw_proto::v1::IceServer;
use p2claw_session::Config;
use p2claw_signaling::coord_link::{CoordEvent, CoordLink, CoordLinkConfig, WelcomeFacts};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_tungstenite::{
    accept_hdr_async,
    tungstenite::handshake::server::{ErrorResponse, Request, Response},
};

use super::*;
use crate::{memory::MemoryTransport, routes::Routes};

/// Longer than any step takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

async fn within<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work)
        .await
        .unwrap_or_else(|_| panic!("nothing happened within 10 s"))
}

#[expect(
    clippy::result_large_err,
    reason = "the callback of tungstenite has it"
)]
fn agree(_: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    let subprotocol = http::HeaderValue::from_static("p2claw.v1");
    let fields = response.headers_mut();
    fields.insert("sec-websocket-protocol", subprotocol);
    Ok(response)
}

/// Coord's end of one link.
struct Coord {
    socket: WebSocketStream<TcpStream>,
    link: CoordLink,
}

impl Coord {
    async fn accept(listener: &TcpListener) -> Self {
        let domain = listener.local_addr().unwrap().to_string();
        let (stream, _) = within(listener.accept()).await.unwrap();
        let socket = within(accept_hdr_async(stream, agree)).await.unwrap();
        let now = Instant::now().into_std();
        let config = CoordLinkConfig::new(domain);
        let link = CoordLink::new(config, Nonce([9; 32]), now, Machine.unix_millis());
        Self { socket, link }
    }

    /// Registers the agent, and tells it of these servers.
    async fn welcome(&mut self, servers: Vec<IceServer>) {
        let CoordEvent::Registered { peer_id, .. } = self.event().await else {
            panic!("no registration")
        };
        let alias = Alias::candidate(&peer_id, 0);
        let facts = WelcomeFacts {
            ice_servers: servers,
            ..WelcomeFacts::for_alias(alias, "https", "example.net")
        };
        self.link.welcome(facts, Instant::now().into_std()).unwrap();
        self.flush().await;
    }

    async fn flush(&mut self) {
        while let Some(bytes) = self.link.poll_transmit() {
            self.socket.send(Message::Binary(bytes)).await.unwrap();
        }
    }

    async fn event(&mut self) -> CoordEvent {
        loop {
            self.flush().await;
            if let Some(event) = self.link.poll_event() {
                return event;
            }
            if let Message::Binary(bytes) = within(self.socket.next()).await.unwrap().unwrap() {
                let now = Instant::now().into_std();
                self.handle(now, &bytes);
            }
        }
    }

    fn handle(&mut self, now: std::time::Instant, bytes: &Bytes) {
        self.link.handle(now, Machine.unix_millis(), bytes).unwrap();
    }
}

fn agent(
    transport: &MemoryTransport,
    listener: &TcpListener,
) -> (
    watch::Receiver<LinkStatus>,
    CancellationToken,
    JoinHandle<Result<(), LinkError>>,
) {
    let coord = format!("http://{}", listener.local_addr().unwrap());
    let (url, domain) = link_url(&coord).unwrap();
    let (status, watched) = watch::channel(LinkStatus::default());
    let shutdown = CancellationToken::new();
    let host = Host {
        key: Arc::new(IdentityKey::from_seed([7; 32])),
        routes: Arc::new(Routes::load(None).unwrap()),
        transport: Arc::new(transport.clone()),
        network: Arc::new(Machine),
        session: Config::default(),
        sessions: Arc::default(),
    };
    let link = Link {
        host: Arc::new(host),
        url,
        domain,
        software: "test/1".to_owned(),
        status,
        shutdown: shutdown.clone(),
    };
    (watched, shutdown, tokio::spawn(link.run()))
}

fn relay(number: i64) -> IceServer {
    IceServer {
        urls: vec!["turn:relay.example:3478".to_owned()],
        username: format!("180000{number}:0102030405060708"),
        credential: "secret".to_owned(),
        expires_at: 1_800_000 + number,
    }
}

/// SIG-048: the servers of each registration are used, and those that come later in their place.
#[tokio::test]
async fn servers_are_used_as_they_come() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let transport = MemoryTransport::new();
    let (_status, shutdown, running) = agent(&transport, &listener);
    for round in 0..2 {
        let mut coord = Coord::accept(&listener).await;
        for number in 0..3 {
            let servers = vec![relay(10 * round + number)];
            if number == 0 {
                coord.welcome(servers.clone()).await;
            } else {
                coord.link.ice_servers(servers.clone()).unwrap();
            }
            // Whatever the agent says next, it says behind it.
            coord.link.grease(7).unwrap();
            while !matches!(coord.event().await, CoordEvent::Refused { .. }) {}
            assert_eq!(transport.servers(), servers);
        }
    }
    shutdown.cancel();
    within(running).await.unwrap().unwrap();
}

/// IDN-009: the domain is what the address names, whatever way it is written.
#[test]
fn idn_009_domains_of_addresses() {
    for (coord, domain) in [
        ("http://127.0.0.1:8788", "127.0.0.1:8788"),
        ("http://LocalHost:8788/", "localhost:8788"),
        ("https://Coord.Example.net", "coord.example.net"),
        ("https://coord.example.net:443", "coord.example.net"),
        ("https://coord.example.net:80", "coord.example.net:80"),
        ("ws://coord.example.net:80/", "coord.example.net"),
        ("http://[::1]:8788", "[::1]:8788"),
    ] {
        assert_eq!(link_url(coord).unwrap().1, domain, "{coord}");
    }
    for bad in [
        "",
        "coord.example.net",
        "ftp://coord.example.net",
        "https://coord.example.net/path",
        "https://coord.example.net/?x",
        "https://user@coord.example.net",
        "http://",
    ] {
        assert!(link_url(bad).is_err(), "{bad}");
    }
}

/// SIG-011: what an agent sends never goes beyond what coord takes, and goes in the end.
#[test]
fn a_flood_is_spread_over_time() {
    let start = std::time::Instant::now();
    let mut sent = Bucket::per_second(VISITS_BURST, VISITS_PER_SECOND, start);
    let mut taken = Bucket::per_second(limits::LINK_BURST, limits::LINK_PER_SECOND, start);
    let mut now = start;
    for _ in 0..3_000 {
        now = sent.empty_until(now).unwrap_or(now);
        assert!(sent.take(now) && taken.take(now));
    }
    let seconds = (now - start).as_secs();
    assert!((16..=18).contains(&seconds), "{seconds}");
}
