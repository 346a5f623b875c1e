//! The remote app as a local server.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _, stream};
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use p2claw_visitor::{Visitor, proxy::Proxy};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_tungstenite::tungstenite::{
    Error as WebSocketError, Message, client::IntoClientRequest as _,
    protocol::frame::coding::CloseCode,
};
use tokio_util::sync::CancellationToken;

use crate::{
    within,
    world::{Stack, World},
};

type LocalBody = BoxBody<Bytes, std::io::Error>;

/// A proxy for the app of a world, and programs that use it.
struct Local {
    address: SocketAddr,
    client: Client<HttpConnector, LocalBody>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Local {
    async fn start(world: &World) -> Self {
        Self::with(world.visitor(), world).await
    }

    async fn with(visitor: Arc<Visitor>, world: &World) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let proxy = Proxy::new(visitor, world.address("/"), false);
        let task = tokio::spawn(proxy.serve(listener, shutdown.clone()));
        Self {
            address,
            client: Client::builder(TokioExecutor::new()).build_http(),
            shutdown,
            task,
        }
    }

    fn request(&self, method: Method, target: &str) -> http::request::Builder {
        let uri = format!("http://{}{target}", self.address);
        Request::builder().method(method).uri(uri)
    }

    async fn send(&self, request: Request<LocalBody>) -> Response<Incoming> {
        within(self.client.request(request)).await.unwrap()
    }

    async fn get(&self, target: &str) -> Response<Incoming> {
        let request = self.request(Method::GET, target).body(nothing()).unwrap();
        self.send(request).await
    }

    async fn stop(self) {
        self.shutdown.cancel();
        within(self.task).await.unwrap();
    }
}

fn nothing() -> LocalBody {
    Empty::new().map_err(|never| match never {}).boxed()
}

fn pieces(pieces: Vec<Bytes>) -> LocalBody {
    let frames = pieces.into_iter().map(|piece| Ok(Frame::data(piece)));
    BodyExt::boxed(StreamBody::new(stream::iter(frames)))
}

async fn text(response: Response<Incoming>) -> String {
    let body = within(response.into_body().collect()).await.unwrap();
    String::from_utf8(body.to_bytes().to_vec()).unwrap()
}

fn error_of(response: &Response<Incoming>) -> &str {
    response.headers()["p2claw-error"].to_str().unwrap()
}

/// HTP-052: the app sees its public name, whatever the local one is.
#[tokio::test]
async fn htp_052_the_app_sees_its_public_name() {
    let world = World::on(Stack::Memory).await;
    let local = Local::start(&world).await;
    let request = local
        .request(Method::POST, "/echo?a=b")
        .header("origin", format!("http://{}", local.address))
        .header("keep-alive", "timeout=5")
        .body(pieces(vec![Bytes::from_static(b"hello")]))
        .unwrap();
    let response = local.send(request).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["x-echo"], "1");
    let seen = text(response).await;
    assert!(seen.starts_with("POST /echo?a=b\n"), "{seen}");
    assert!(seen.ends_with("\n\nhello"), "{seen}");
    // The agent turns the public origin into the upstream's (HTP-022).
    let origin = format!("origin: http://{}\n", world.app.address);
    assert!(seen.contains(&origin), "{seen}");
    assert!(!seen.contains("keep-alive"), "{seen}");
    let response = local.get("/away").await;
    assert_eq!(response.status(), 302);
    assert_eq!(response.headers()[header::LOCATION], "/echo?from=away");
    local.stop().await;
}

/// HTP-005: what has no body, has none here either.
#[tokio::test]
async fn answers_without_a_body() {
    let world = World::on(Stack::Memory).await;
    let local = Local::start(&world).await;
    let head = local.request(Method::HEAD, "/bytes?bytes=10");
    let response = local.send(head.body(nothing()).unwrap()).await;
    assert_eq!(response.status(), 200);
    assert_eq!(text(response).await, "");
    for code in [204, 304] {
        let response = local.get(&format!("/status/{code}")).await;
        assert_eq!(response.status(), code);
        assert_eq!(text(response).await, "");
    }
    assert_eq!(local.get("/nothing").await.status(), 404);
    local.stop().await;
}

/// HTP-004, HTP-007: a body that is held back leaves when the app wants it.
#[tokio::test]
async fn a_body_that_is_held_back_is_asked_for() {
    let world = World::on(Stack::Memory).await;
    let local = Local::start(&world).await;
    let mut stream = TcpStream::connect(local.address).await.unwrap();
    let head = b"POST /count HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\n\
        expect: 100-continue\r\nconnection: close\r\n\r\n";
    stream.write_all(head).await.unwrap();
    let mut answer = vec![0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
    within(stream.read_exact(&mut answer)).await.unwrap();
    assert_eq!(answer, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hello").await.unwrap();
    let mut answer = String::new();
    within(stream.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.ends_with('5'), "{answer}");
    local.stop().await;
}

/// Large bodies both ways, and two requests at once, over one session and real stacks.
#[tokio::test]
async fn large_bodies_and_several_requests_share_a_session() {
    for stack in [Stack::Str0m, Stack::Webrtc] {
        share_a_session(stack).await;
    }
}

async fn share_a_session(stack: Stack) {
    const BYTES: usize = 4 << 20;
    let world = World::on(stack).await;
    let local = Local::start(&world).await;
    let download = async {
        let response = local.get(&format!("/bytes?bytes={BYTES}")).await;
        let mut body = response.into_body();
        let mut total = 0;
        while let Some(frame) = within(body.frame()).await {
            total += frame.unwrap().into_data().unwrap().len();
        }
        assert_eq!(total, BYTES);
    };
    let upload = async {
        let piece = Bytes::from(vec![7; 65_536]);
        let body = pieces(vec![piece; BYTES / 65_536]);
        let request = local.request(Method::POST, "/count").body(body).unwrap();
        assert_eq!(text(local.send(request).await).await, BYTES.to_string());
    };
    tokio::join!(download, upload);
    local.stop().await;
}

/// HTP-051, SES-023: a body that broke off ends the connection, and never cleanly.
#[tokio::test]
async fn a_body_that_breaks_off_breaks_off_here() {
    let world = World::on(Stack::Memory).await;
    let local = Local::start(&world).await;
    let mut body = local.get("/cut?bytes=100000").await.into_body();
    let mut received = 0;
    loop {
        if received == 100_000 {
            world.app.hang_up.notify_one();
        }
        match within(body.frame()).await {
            Some(Ok(frame)) => received += frame.into_data().unwrap().len(),
            Some(Err(_)) => break,
            None => panic!("it looked complete"),
        }
    }
    assert_eq!(received, 100_000);
    local.stop().await;
}

/// HTP-053: a website's name is not taken, and nothing is asked of the app.
#[tokio::test]
async fn htp_053_names_of_others_are_refused() {
    let world = World::on(Stack::Memory).await;
    let local = Local::start(&world).await;
    for (name, status) in [("evil.example", 421), ("app.localhost", 200)] {
        let request = local.request(Method::GET, "/echo").header("host", name);
        let response = local.send(request.body(nothing()).unwrap()).await;
        assert_eq!(response.status(), status, "{name}");
        if status == 421 {
            assert_eq!(error_of(&response), "WRONG_HOST");
        }
    }
    local.stop().await;
}

/// HTP-055: nor is a page of somebody else's, for requests and WebSockets alike.
#[tokio::test]
async fn htp_055_pages_of_others_are_refused() {
    let world = World::on(Stack::Memory).await;
    let local = Local::start(&world).await;
    let evil = header::HeaderValue::from_static("https://evil.example");
    let request = local.request(Method::POST, "/echo");
    let mut request = request.body(nothing()).unwrap();
    request.headers_mut().insert(header::ORIGIN, evil.clone());
    let response = local.send(request).await;
    assert_eq!(response.status(), 403);
    assert_eq!(error_of(&response), "WRONG_ORIGIN");
    let mut request = socket(&local, "/socket");
    request.headers_mut().insert(header::ORIGIN, evil);
    let error = within(tokio_tungstenite::connect_async(request)).await;
    assert!(matches!(error, Err(WebSocketError::Http(response)) if response.status() == 403));
    local.stop().await;
}

/// HTP-042, SES-038
#[tokio::test]
async fn htp_042_a_head_that_does_not_fit_is_431() {
    let world = World::on(Stack::Memory).await;
    let local = Local::start(&world).await;
    let large = "x".repeat(20_000);
    let request = local.request(Method::GET, "/echo").header("x-large", large);
    let response = local.send(request.body(nothing()).unwrap()).await;
    assert_eq!(
        response.status(),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
    );
    assert_eq!(error_of(&response), "REQUEST_HEAD_TOO_LARGE");
    local.stop().await;
}

/// HTP-051: without a session there is an answer that says why; with the agent, the app is back.
#[tokio::test]
async fn htp_051_a_lost_session_is_told_and_made_anew() {
    let mut world = World::on(Stack::Memory).await;
    let local = Local::start(&world).await;
    assert_eq!(local.get("/echo").await.status(), 200);
    let waiting = local.get("/never");
    let gone = async {
        // The request is with the agent before that stops.
        assert_eq!(local.get("/echo").await.status(), 200);
        world.stop_agent().await;
    };
    let (response, ()) = tokio::join!(waiting, gone);
    assert_eq!(response.status(), 502);
    assert_eq!(error_of(&response), "SESSION_LOST");
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");

    let response = local.get("/echo").await;
    assert_eq!(response.status(), 502);
    assert_eq!(error_of(&response), "NO_SESSION");
    assert!(text(response).await.contains("offline"));

    world.start_agent().await;
    // A failure is not looked into again within a second.
    let back = async { while local.get("/echo").await.status() != 200 {} };
    within(back).await;
    local.stop().await;
}

fn socket(local: &Local, path: &str) -> http::Request<()> {
    let url = format!("ws://{}{path}", local.address);
    let mut request = url.into_client_request().unwrap();
    let protocols = header::HeaderValue::from_static("v1, v2.test");
    request
        .headers_mut()
        .insert(header::SEC_WEBSOCKET_PROTOCOL, protocols);
    request
}

/// WSK-001 to WSK-022: messages, a subprotocol and close codes pass as they are.
#[tokio::test]
async fn websockets_pass_through() {
    let world = World::on(Stack::Memory).await;
    let local = Local::start(&world).await;
    let opening = tokio_tungstenite::connect_async(socket(&local, "/socket"));
    let (mut stream, response) = within(opening).await.unwrap();
    assert_eq!(
        response.headers()[header::SEC_WEBSOCKET_PROTOCOL],
        "v2.test"
    );
    let large = vec![7; 1 << 20];
    for message in [
        Message::text("hello"),
        Message::text(""),
        Message::binary(large),
    ] {
        within(stream.send(message.clone())).await.unwrap();
        assert_eq!(within(stream.next()).await.unwrap().unwrap(), message);
    }
    within(stream.send(Message::Ping(Bytes::from_static(b"?"))))
        .await
        .unwrap();
    let pong = within(stream.next()).await.unwrap().unwrap();
    assert_eq!(pong, Message::Pong(Bytes::from_static(b"?")));
    within(stream.send(Message::text("bye"))).await.unwrap();
    let closed = within(stream.next()).await.unwrap().unwrap();
    let Message::Close(Some(frame)) = closed else {
        panic!("{closed}");
    };
    assert_eq!(u16::from(frame.code), 4001);
    assert_eq!(frame.reason.as_str(), "as you wish");
    // The client's own close leaves with the next look.
    assert!(within(stream.next()).await.is_none());
    local.stop().await;
}

/// WSK-004, WSK-022, WSK-024: a refusal is the app's own; what is cut off ends without a close; and
/// a proxy that stops says so.
#[tokio::test]
async fn websockets_that_fail_say_how() {
    let world = World::on(Stack::Memory).await;
    let local = Local::start(&world).await;
    let opening = tokio_tungstenite::connect_async(socket(&local, "/nothing"));
    let error = within(opening).await.unwrap_err();
    let WebSocketError::Http(response) = error else {
        panic!("{error}");
    };
    assert_eq!(response.status(), 404);
    let opening = tokio_tungstenite::connect_async(socket(&local, "/socket"));
    let (mut stream, _) = within(opening).await.unwrap();
    within(stream.send(Message::text("die"))).await.unwrap();
    let end = within(stream.next()).await;
    assert!(!matches!(end, Some(Ok(_))), "no close is made up: {end:?}");

    let opening = tokio_tungstenite::connect_async(socket(&local, "/socket"));
    let (mut stream, _) = within(opening).await.unwrap();
    within(stream.send(Message::text("hello"))).await.unwrap();
    assert!(within(stream.next()).await.unwrap().is_ok());
    let stopping = tokio::spawn(local.stop());
    let closed = within(stream.next()).await.unwrap().unwrap();
    let Message::Close(Some(frame)) = closed else {
        panic!("{closed}");
    };
    assert_eq!(frame.code, CloseCode::Away);
    drop(stream);
    within(stopping).await.unwrap();
}

/// HTP-013: a caller that leaves gives its request up, and frees its place.
#[tokio::test]
async fn callers_that_leave_free_their_places() {
    let world = World::on(Stack::Memory).await;
    let local = Local::start(&world).await;
    // More than the agent takes at once.
    for _ in 0..150 {
        let mut stream = TcpStream::connect(local.address).await.unwrap();
        let head = b"GET /never HTTP/1.1\r\nhost: localhost\r\n\r\n";
        stream.write_all(head).await.unwrap();
    }
    assert_eq!(local.get("/echo").await.status(), 200);
    local.stop().await;
}
