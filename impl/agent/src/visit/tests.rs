//! A visitor in the same process, an agent's visit, and upstreams of every kind.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod forwarding;
mod sessions;
mod strangers;
mod websocket;

use std::{
    sync::Mutex,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll},
};

use bytes::Bytes;
use p2claw_identity::{Alias, Nonce};
use p2claw_session::{Fields, LaneId, Request, Response, Target, frame::Frame};
use p2claw_signaling::sdp::Description;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};

use super::*;
use crate::{
    connection::{Exchange, StreamError},
    memory::MemoryTransport,
    routes::RouteEntry,
    transport::{Path, Peer, PeerEvent, TransportError},
};

/// Longer than any step takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(10);

/// An upstream that the test plays by hand, and a visitor who is connected to its agent.
struct Scene {
    upstream: TcpListener,
    visitor: Connection,
    routes: Arc<Routes>,
    sessions: Arc<Sessions>,
    shutdown: CancellationToken,
    visit: JoinHandle<()>,
}

fn offer_of(sdp: String, app: &AppName, alias: &Alias) -> VisitOffer {
    let description = Description::parse(&sdp).unwrap();
    VisitOffer {
        session_id: SessionId([9; 16]),
        app: app.clone(),
        alias: alias.clone(),
        sdp,
        visitor_fingerprint: description.fingerprint,
        max_message: description.max_message,
        nonce: Nonce([5; 32]),
        restarts: None,
    }
}

fn welcome(alias: Alias) -> Welcome {
    Welcome {
        alias,
        public: PublicAddress {
            scheme: "https".to_owned(),
            parent: "example.net".to_owned(),
            port: None,
        },
        ice_servers: Vec::new(),
        max_routes: 8,
        max_visits: 8,
        heartbeat: Duration::from_secs(15),
    }
}

/// What answers visits: an agent without its link.
struct Hosting {
    host: Arc<Host>,
    network: MemoryTransport,
    app: AppName,
    alias: Alias,
    shutdown: CancellationToken,
}

/// The app is `recipes`.
fn hosting(upstream: &TcpListener, session: Config) -> Hosting {
    let routes = Arc::new(Routes::load(None).unwrap());
    let app = AppName::parse("recipes").unwrap();
    routes.expose(app.clone(), entry(upstream)).unwrap();
    let key = Arc::new(IdentityKey::from_seed([7; 32]));
    let alias = Alias::candidate(&key.peer_id(), 0);
    let network = MemoryTransport::new();
    let host = Arc::new(Host {
        key,
        routes,
        transport: Arc::new(network.clone()),
        network: Arc::new(p2claw_network::Machine),
        session,
        sessions: Arc::default(),
    });
    Hosting {
        host,
        network,
        app,
        alias,
        shutdown: CancellationToken::new(),
    }
}

fn entry(upstream: &TcpListener) -> RouteEntry {
    RouteEntry {
        upstream: upstream.local_addr().unwrap().to_string().parse().unwrap(),
        preserve_host: false,
    }
}

impl Hosting {
    /// A visit whose offer has these lines too: the visitor's end, and the agent's task.
    async fn visit(&self, lines: &str) -> (Box<dyn Peer>, JoinHandle<()>) {
        let mut offered = self.network.offer().await.unwrap();
        let offer = offer_of(offered.offer + lines, &self.app, &self.alias);
        let welcome = welcome(self.alias.clone());
        let (signed, visit) = answer(&self.host, &offer, &welcome).await.unwrap();
        offered.peer.accept_answer(&signed.sdp).unwrap();
        let (_, news) = mpsc::channel(1);
        let introduction = Introduction::new(&offer, mpsc::channel(1).0);
        let (host, shutdown) = (Arc::clone(&self.host), self.shutdown.clone());
        let visit = tokio::spawn(visit.run(host, introduction, news, shutdown));
        (offered.peer, visit)
    }
}

async fn scene() -> Scene {
    let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hosting = hosting(&upstream, Config::default());
    let (peer, visit) = hosting.visit("").await;
    let (visitor, driver) = connection::connect(Role::Visitor, Config::default(), peer);
    tokio::spawn(driver);
    Scene {
        upstream,
        visitor,
        routes: Arc::clone(&hosting.host.routes),
        sessions: Arc::clone(&hosting.host.sessions),
        shutdown: hosting.shutdown,
        visit,
    }
}

impl Scene {
    fn send(&self, method: &str, target: &str, fields: &[(&str, &str)], end: bool) -> Exchange {
        let mut request = Request {
            method: method.to_owned(),
            target: Target::parse(target).unwrap(),
            fields: Fields::new(),
            end,
            protocol: None,
        };
        for (name, value) in fields {
            request
                .fields
                .push(*name, value.as_bytes().to_vec())
                .unwrap();
        }
        self.visitor.open(request).unwrap()
    }

    /// The upstream's end of the next connection, with the head of its first request.
    async fn accept(&self) -> (TcpStream, String) {
        let (mut stream, _) = within(self.upstream.accept()).await.unwrap();
        let head = read_head(&mut stream).await;
        (stream, head)
    }
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work)
        .await
        .unwrap_or_else(|_| panic!("nothing happened within 10 s"))
}

async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(within(stream.read_u8()).await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

async fn head(exchange: &mut Exchange) -> Response {
    within(exchange.head()).await.unwrap()
}

async fn body(exchange: &mut Exchange) -> Result<Vec<u8>, StreamError> {
    let mut body = Vec::new();
    while let Some(data) = within(exchange.response.data()).await? {
        body.extend_from_slice(&data);
    }
    Ok(body)
}

fn field<'a>(response: &'a Response, name: &str) -> &'a [u8] {
    response
        .fields
        .get(name)
        .unwrap_or_else(|| panic!("no field {name}"))
}

/// Reads until the other end closes; what it sent meanwhile does not matter.
async fn closed(stream: &mut TcpStream) {
    let mut rest = [0; 4096];
    while !matches!(within(stream.read(&mut rest)).await, Ok(0) | Err(_)) {}
}

/// HTP-001, HTP-003, HTP-023
#[tokio::test]
async fn a_request_reaches_the_upstream_with_the_truth_about_where_it_came_from() {
    let scene = scene().await;
    let mut exchange = scene.send("POST", "/a?b=c", &[("content-length", "5")], false);
    exchange
        .body
        .write(Bytes::from_static(b"hello"))
        .await
        .unwrap();
    exchange.body.finish(None).unwrap();
    let (mut stream, request) = scene.accept().await;
    assert!(request.starts_with("POST /a?b=c HTTP/1.1\r\n"), "{request}");
    let port = scene.upstream.local_addr().unwrap().port();
    let alias = Alias::candidate(&IdentityKey::from_seed([7; 32]).peer_id(), 0);
    for line in [
        format!("host: 127.0.0.1:{port}\r\n"),
        "x-forwarded-proto: https\r\n".to_owned(),
        format!("x-forwarded-host: recipes-{alias}.example.net\r\n"),
        "content-length: 5\r\n".to_owned(),
        "accept-encoding: identity\r\n".to_owned(),
    ] {
        assert!(request.contains(&line), "{line} is not in {request}");
    }
    let mut sent = [0; 5];
    within(stream.read_exact(&mut sent)).await.unwrap();
    assert_eq!(&sent, b"hello");
    let response =
        b"HTTP/1.1 201 Created\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nTransfer-Encoding: \
        chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    stream.write_all(response).await.unwrap();
    let response = head(&mut exchange).await;
    assert_eq!(response.status, 201);
    assert_eq!(response.fields.get_all("set-cookie").count(), 2);
    assert!(response.fields.get("transfer-encoding").is_none());
    assert_eq!(body(&mut exchange).await.unwrap(), b"abc");
}

/// SES-027
#[tokio::test]
async fn each_piece_is_forwarded_before_the_next_one_comes() {
    let scene = scene().await;
    let mut exchange = scene.send("GET", "/events", &[], true);
    let (mut stream, _) = scene.accept().await;
    let start =
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(start).await.unwrap();
    assert_eq!(head(&mut exchange).await.status, 200);
    for round in 0..5 {
        stream
            .write_all(format!("2\r\n{round};\r\n").as_bytes())
            .await
            .unwrap();
        let data = within(exchange.response.data()).await.unwrap().unwrap();
        assert_eq!(data, format!("{round};"));
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    assert_eq!(body(&mut exchange).await.unwrap(), b"");
}

/// HTP-004, HTP-005
#[tokio::test]
async fn early_hints_come_before_the_response() {
    let scene = scene().await;
    let mut exchange = scene.send("GET", "/", &[], true);
    let (mut stream, _) = scene.accept().await;
    stream
        .write_all(b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n")
        .await
        .unwrap();
    let hint = head(&mut exchange).await;
    assert_eq!((hint.status, field(&hint, "link")), (103, &b"</a.css>"[..]));
    stream
        .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
        .await
        .unwrap();
    let response = head(&mut exchange).await;
    assert_eq!((response.status, response.end), (204, true));
    assert_eq!(body(&mut exchange).await.unwrap(), b"");
}

/// HTP-050
#[tokio::test]
async fn a_body_that_the_upstream_cuts_off_is_an_error() {
    let scene = scene().await;
    for start in [
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ] {
        let mut exchange = scene.send("GET", "/", &[], true);
        let (mut stream, _) = scene.accept().await;
        stream.write_all(start.as_bytes()).await.unwrap();
        assert_eq!(head(&mut exchange).await.status, 200);
        let data = within(exchange.response.data()).await.unwrap().unwrap();
        assert_eq!(data, "half");
        drop(stream);
        let error = body(&mut exchange).await.unwrap_err();
        assert!(
            matches!(&error, StreamError::Reset { code, .. } if *code == ErrorCode::UPSTREAM_FAILED),
            "{error}"
        );
    }
}

/// HTP-040, HTP-041, HTP-043
#[tokio::test]
async fn an_upstream_that_is_down_gets_a_page_and_is_found_again() {
    let mut scene = scene().await;
    let address = scene.upstream.local_addr().unwrap();
    drop(scene.upstream);
    for (accept, kind) in [("text/html,*/*", "text/html"), ("*/*", "text/plain")] {
        let request = Request {
            method: "GET".to_owned(),
            target: Target::parse("/").unwrap(),
            fields: [("accept".to_owned(), Bytes::from(accept))]
                .into_iter()
                .fold(Fields::new(), |mut fields, (name, value)| {
                    fields.push(name, value).unwrap();
                    fields
                }),
            end: true,
            protocol: None,
        };
        let mut exchange = scene.visitor.open(request).unwrap();
        let response = head(&mut exchange).await;
        assert_eq!(response.status, 502);
        assert_eq!(field(&response, "p2claw-error"), b"UPSTREAM_UNAVAILABLE");
        assert!(field(&response, "content-type").starts_with(kind.as_bytes()));
        assert!(!body(&mut exchange).await.unwrap().is_empty());
    }
    scene.upstream = TcpListener::bind(address).await.unwrap();
    let mut exchange = scene.send("GET", "/", &[], true);
    let (mut stream, _) = scene.accept().await;
    stream
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(head(&mut exchange).await.status, 200);
}

/// HTP-041
#[tokio::test]
async fn an_upstream_that_answers_nonsense_or_nothing_gets_a_502() {
    let scene = scene().await;
    for nonsense in ["", "SSH-2.0-OpenSSH_9\r\n\r\n"] {
        let mut exchange = scene.send("GET", "/", &[], true);
        let (mut stream, _) = scene.accept().await;
        stream.write_all(nonsense.as_bytes()).await.unwrap();
        drop(stream);
        let response = head(&mut exchange).await;
        assert_eq!(response.status, 502);
        assert_eq!(field(&response, "p2claw-error"), b"UPSTREAM_FAILED");
    }
}

/// HTP-041, SES-038
#[tokio::test]
async fn a_head_that_fits_no_frame_gets_a_502() {
    let scene = scene().await;
    for fields in [
        format!("x-large: {}\r\n", "a".repeat(20_000)),
        // More than the agent reads, and more fields than a head may have.
        format!("x-large: {}\r\n", "a".repeat(100_000)),
        "x: 1\r\n".repeat(300),
    ] {
        let mut exchange = scene.send("GET", "/", &[], true);
        let (mut stream, _) = scene.accept().await;
        let large = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
        // The agent may hang up before it has all of it.
        let _ = stream.write_all(large.as_bytes()).await;
        let response = head(&mut exchange).await;
        assert_eq!(response.status, 502);
        assert_eq!(field(&response, "p2claw-error"), b"HEAD_TOO_LARGE");
    }
}

/// HTP-013
#[tokio::test]
async fn a_visitor_who_leaves_ends_the_upstream_call() {
    let scene = scene().await;
    // Before the response.
    let exchange = scene.send("GET", "/", &[], true);
    let (mut stream, _) = scene.accept().await;
    drop(exchange);
    closed(&mut stream).await;
    // Within its body, while the upstream is silent.
    let mut exchange = scene.send("GET", "/", &[], true);
    let (mut stream, _) = scene.accept().await;
    stream
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")
        .await
        .unwrap();
    head(&mut exchange).await;
    drop(exchange);
    closed(&mut stream).await;
    // Within the request's body: the upstream must not take it for complete.
    let mut exchange = scene.send("POST", "/", &[], false);
    exchange
        .body
        .write(Bytes::from_static(b"half"))
        .await
        .unwrap();
    let (mut stream, request) = scene.accept().await;
    assert!(request.contains("transfer-encoding: chunked"), "{request}");
    drop(exchange);
    let mut rest = Vec::new();
    let _ = within(stream.read_to_end(&mut rest)).await;
    assert!(
        !rest.ends_with(b"0\r\n\r\n"),
        "a body that was cut off looked whole"
    );
}

/// HTP-013
#[tokio::test]
async fn a_session_that_dies_ends_every_upstream_call() {
    let scene = scene().await;
    let _one = scene.send("GET", "/1", &[], true);
    let (mut first, _) = scene.accept().await;
    let _two = scene.send("GET", "/2", &[], true);
    let (mut second, _) = scene.accept().await;
    scene.visitor.close(ErrorCode::NO_ERROR, "gone");
    closed(&mut first).await;
    closed(&mut second).await;
    within(scene.visit).await.unwrap();
}

/// HTP-012, HTP-032
#[tokio::test]
async fn redirects_are_passed_on_and_never_followed() {
    let scene = scene().await;
    let port = scene.upstream.local_addr().unwrap().port();
    let mut exchange = scene.send("GET", "/old", &[], true);
    let (mut stream, _) = scene.accept().await;
    let redirect = format!(
        "HTTP/1.1 302 Found\r\nlocation: http://localhost:{port}/new\r\ncontent-length: 0\r\n\r\n"
    );
    stream.write_all(redirect.as_bytes()).await.unwrap();
    let response = head(&mut exchange).await;
    assert_eq!(
        (response.status, field(&response, "location")),
        (302, &b"/new"[..])
    );
}

/// HTP-041
#[tokio::test]
async fn a_route_that_was_taken_away_is_a_404() {
    let scene = scene().await;
    scene
        .routes
        .unexpose(&AppName::parse("recipes").unwrap())
        .unwrap();
    let mut exchange = scene.send("HEAD", "/", &[], true);
    let response = head(&mut exchange).await;
    assert_eq!((response.status, response.end), (404, true));
    assert_eq!(field(&response, "p2claw-error"), b"NO_SUCH_APP");
}

/// SES-070
#[tokio::test]
async fn a_shutdown_lets_running_exchanges_finish() {
    let scene = scene().await;
    let mut exchange = scene.send("GET", "/", &[], true);
    let (mut stream, _) = scene.accept().await;
    scene.shutdown.cancel();
    stream
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwhole")
        .await
        .unwrap();
    assert_eq!(head(&mut exchange).await.status, 200);
    assert_eq!(body(&mut exchange).await.unwrap(), b"whole");
    within(scene.visit).await.unwrap();
}

/// A peer that says nothing, and connects and listens or does not even that. Told to close, it takes
/// its time.
struct Silent {
    polls: Arc<AtomicUsize>,
    /// What it was told, if it listens.
    told: Option<Arc<Mutex<Vec<Frame>>>>,
    opened: bool,
    closing: Option<std::pin::Pin<Box<tokio::time::Sleep>>>,
}

impl Peer for Silent {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<PeerEvent> {
        self.polls.fetch_add(1, Ordering::Relaxed);
        if self.told.is_some() && !std::mem::replace(&mut self.opened, true) {
            return Poll::Ready(PeerEvent::LaneOpen(LaneId::ZERO));
        }
        match &mut self.closing {
            Some(closing) => closing
                .as_mut()
                .poll(cx)
                .map(|()| PeerEvent::Closed("closed".to_owned())),
            None => Poll::Pending,
        }
    }

    fn try_send(&mut self, _: LaneId, message: &Bytes) -> Result<bool, TransportError> {
        if let Some(told) = &self.told {
            let frame = Frame::decode(message.clone()).unwrap();
            told.lock().unwrap().push(frame);
        }
        Ok(self.told.is_some())
    }

    fn restart(&mut self) -> Result<String, TransportError> {
        Err(TransportError::Closed)
    }

    fn accept_restart(&mut self, _: &str) -> Result<String, TransportError> {
        Err(TransportError::Closed)
    }

    fn accept_answer(&mut self, _: &str) -> Result<(), TransportError> {
        Ok(())
    }

    fn add_candidate(&mut self, _: &str) {}

    fn path(&self) -> Option<Path> {
        None
    }

    fn close(&mut self) {
        self.closing = Some(Box::pin(tokio::time::sleep(Duration::from_secs(2))));
    }
}

/// What ends a visit to such a peer, if not its own time.
#[derive(Clone, Copy, PartialEq)]
enum Ender {
    Time,
    /// Coord says that the visitor has given up.
    Visitor,
    /// The agent stops, after a second.
    Agent,
}

/// What came of such a visit.
struct Silence {
    lasted: Duration,
    polls: usize,
    /// The last GOAWAY, behind a HELLO.
    goaway: Option<(ErrorCode, String)>,
}

async fn silent_visit(listens: bool, ender: Ender) -> Silence {
    let network = MemoryTransport::new();
    let routes = Arc::new(Routes::load(None).unwrap());
    let app = AppName::parse("recipes").unwrap();
    let entry = RouteEntry {
        upstream: "1".parse().unwrap(),
        preserve_host: false,
    };
    routes.expose(app.clone(), entry).unwrap();
    let key = Arc::new(IdentityKey::from_seed([7; 32]));
    let alias = Alias::candidate(&key.peer_id(), 0);
    let host = Arc::new(Host {
        key,
        routes,
        transport: Arc::new(network.clone()),
        network: Arc::new(p2claw_network::Machine),
        session: Config::default(),
        sessions: Arc::default(),
    });
    let offered = network.offer().await.unwrap();
    let offer = offer_of(offered.offer.clone(), &app, &alias);
    let (_, mut visit) = answer(&host, &offer, &welcome(alias)).await.unwrap();
    let polls = Arc::new(AtomicUsize::new(0));
    let told = Arc::new(Mutex::new(Vec::new()));
    let silent = Silent {
        polls: Arc::clone(&polls),
        told: listens.then(|| Arc::clone(&told)),
        opened: false,
        closing: None,
    };
    let config = Config::for_role(Role::Agent);
    (visit.connection, visit.driver) = connection::connect(Role::Agent, config, Box::new(silent));
    let (sender, news) = mpsc::channel(1);
    if ender == Ender::Visitor {
        let over = News::Introduced(offer.session_id);
        sender.try_send(over).unwrap_or_else(|_| panic!("no room"));
    }
    let introduction = Introduction::new(&offer, mpsc::channel(1).0);
    let shutdown = CancellationToken::new();
    if ender == Ender::Agent {
        let shutdown = shutdown.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            shutdown.cancel();
        });
    }
    let started = Instant::now();
    let visit = visit.run(host, introduction, news, shutdown);
    timeout(SETUP_DEADLINE * 2, visit).await.unwrap();
    let told = told.lock().unwrap();
    let goaway = match &told[..] {
        [] => None,
        [Frame::Hello(_), .., Frame::GoAway { code, reason, .. }] => Some((*code, reason.clone())),
        other => panic!("told was {other:?}"),
    };
    Silence {
        lasted: started.elapsed(),
        polls: polls.load(Ordering::Relaxed),
        goaway,
    }
}

/// SIG-041: Deadlines are acted upon once, however long the peer takes to close.
#[tokio::test(start_paused = true)]
async fn a_visitor_who_never_says_hello_is_given_up() {
    for ender in [Ender::Time, Ender::Visitor, Ender::Agent] {
        let silence = silent_visit(false, ender).await;
        let lasted = silence.lasted;
        match ender {
            Ender::Time => assert!(lasted >= SETUP_DEADLINE, "{lasted:?}"),
            Ender::Visitor | Ender::Agent => assert!(lasted < SETUP_DEADLINE / 2, "{lasted:?}"),
        }
        assert!(silence.polls < 50, "{} polls", silence.polls);
    }
}

/// SIG-041, SES-070: and is told why, if it listens.
#[tokio::test(start_paused = true)]
async fn a_silent_visitor_is_told_why_its_visit_ends() {
    for (ender, code) in [
        (Ender::Time, ErrorCode::IDLE_TIMEOUT),
        (Ender::Agent, ErrorCode::NO_ERROR),
    ] {
        let silence = silent_visit(true, ender).await;
        let goaway = silence.goaway.expect("a GOAWAY");
        assert_eq!(goaway.0, code, "{}", goaway.1);
    }
}
