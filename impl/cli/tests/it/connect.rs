//! `p2claw connect`, against `p2claw demo` over a real WebRTC stack.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    process::Stdio,
    thread,
};

use axum::{
    Router,
    extract::{WebSocketUpgrade, ws},
    routing::get,
};
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, header};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::runtime::Runtime;

use super::{
    PATIENCE, Service,
    demo::{Demo, start},
    p2claw, text,
};

struct Connected {
    service: Service,
    /// `127.0.0.1:<port>`
    at: String,
    said: Value,
}

impl Connected {
    fn to(demo: &Demo) -> Self {
        let arguments = ["connect", &demo.url, "--listen", "127.0.0.1:0", "--json"];
        let (service, said) = start(demo.home.path(), &arguments);
        let at = said["listening"].as_str().unwrap().to_owned();
        Self { service, at, said }
    }

    fn open(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.at).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// The whole answer to a GET, as it comes.
    fn get(&self, target: &str) -> Vec<u8> {
        let mut stream = self.open();
        let head = format!(
            "GET {target} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
            self.at
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    }
}

/// Head and body.
fn parts(answer: &[u8]) -> (String, &[u8]) {
    let end = answer
        .windows(4)
        .position(|end| end == b"\r\n\r\n")
        .unwrap();
    (text(&answer[..end]), &answer[end + 4..])
}

#[test]
fn an_app_is_on_a_local_port() {
    const BYTES: usize = 50_000_000;
    let demo = Demo::start();
    let mut connected = Connected::to(&demo);
    assert_eq!(connected.said["peer_id"], demo.peer_id.as_str());
    // What answers first carries first, and that may be the relay.
    let path = connected.said["path"].as_str();
    assert!(matches!(path, Some("direct" | "relayed")), "{path:?}");
    let answer = connected.get(&format!("/download/sha256?bytes={BYTES}"));
    let expected: Value = serde_json::from_slice(parts(&answer).1).unwrap();
    thread::scope(|scope| {
        let large = || {
            let answer = connected.get(&format!("/download?bytes={BYTES}"));
            let (head, body) = parts(&answer);
            assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
            assert_eq!(body.len(), BYTES);
            let sha256 = data_encoding::HEXLOWER.encode(&Sha256::digest(body));
            assert_eq!(sha256, expected["sha256"]);
        };
        let both = [scope.spawn(large), scope.spawn(large)];
        // Beside them the app still answers.
        let answer = connected.get("/status/202");
        assert!(answer.ends_with(b"202 Accepted\n"));
        for one in both {
            one.join().unwrap();
        }
    });
    assert_eq!(connected.service.interrupt(), Some(0));
}

/// HTP-054
#[test]
fn other_machines_are_kept_out_unless_allowed() {
    let demo = Demo::start();
    let arguments = ["connect", &demo.url, "--listen", "0.0.0.0:0"];
    let output = p2claw(demo.home.path(), &arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("--allow-remote"));
    assert!(output.stdout.is_empty());
}

#[test]
fn an_address_without_an_app_is_told_at_once() {
    let demo = Demo::start();
    let url = demo.url.replace("hello-", "other-");
    let output = p2claw(demo.home.path(), &["connect", &url])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(7));
    assert!(text(&output.stderr).contains("NO_SUCH_APP"));
    assert!(output.stdout.is_empty());
}

/// An app with a WebSocket, and with compression.
struct App {
    port: u16,
    _runtime: Runtime,
}

impl App {
    fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let port = listener.local_addr().unwrap().port();
        let router = Router::new()
            .route("/socket", get(echo))
            .route("/text", get(compressed));
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self {
            port,
            _runtime: runtime,
        }
    }
}

async fn echo(upgrade: WebSocketUpgrade) -> axum::response::Response {
    upgrade.on_upgrade(|mut socket| async move {
        while let Some(Ok(message)) = socket.recv().await {
            let own = matches!(message, ws::Message::Text(_) | ws::Message::Binary(_));
            if own && socket.send(message).await.is_err() {
                return;
            }
        }
    })
}

async fn compressed(headers: HeaderMap) -> ([(header::HeaderName, &'static str); 1], Vec<u8>) {
    let asked = headers[header::ACCEPT_ENCODING].to_str().unwrap();
    if !asked.contains("gzip") {
        return ([(header::CONTENT_ENCODING, "identity")], b"plain".to_vec());
    }
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(b"compressed").unwrap();
    let coded = encoder.finish().unwrap();
    ([(header::CONTENT_ENCODING, "gzip")], coded)
}

fn read_exactly(stream: &mut TcpStream, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// WSK-001, WSK-022: a WebSocket of the app's, byte by byte.
#[test]
fn websockets_echo_and_close() {
    let app = App::start();
    let demo = Demo::with(&["--upstream", &app.port.to_string()]);
    let connected = Connected::to(&demo);
    let mut stream = connected.open();
    let handshake = "GET /socket HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\n\
        connection: upgrade\r\nsec-websocket-version: 13\r\n\
        sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(handshake.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.extend(read_exactly(&mut stream, 1));
    }
    let head = text(&head).to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101"), "{head}");
    // RFC 6455 section 1.3 has this pair.
    let accept = "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n";
    assert!(head.contains(accept), "{head}");
    // A text frame with the mask 1, 2, 3, 4, and its echo without one.
    let masked: Vec<u8> = b"hi"
        .iter()
        .zip([1, 2])
        .map(|(byte, mask)| byte ^ mask)
        .collect();
    stream
        .write_all(&[&[0x81, 0x82, 1, 2, 3, 4], &masked[..]].concat())
        .unwrap();
    assert_eq!(read_exactly(&mut stream, 4), [0x81, 2, b'h', b'i']);
    // Close 1000, and the app's answer to it.
    stream
        .write_all(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8])
        .unwrap();
    assert_eq!(read_exactly(&mut stream, 4), [0x88, 2, 0x03, 0xe8]);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty());
}

/// HTP-023: codings are asked for by those who decode them, and by nobody else.
#[test]
fn codings_are_decoded_where_they_are_asked_for() {
    let app = App::start();
    let demo = Demo::with(&["--upstream", &app.port.to_string()]);
    assert_eq!(demo.body(&[], "text"), "plain");
    assert_eq!(demo.body(&["--compressed"], "text"), "compressed");
    let connected = Connected::to(&demo);
    assert!(connected.get("/text").ends_with(b"plain"));
}

/// A user who stops it while something hangs is not kept waiting.
#[test]
fn ctrl_c_ends_it_with_requests_under_way() {
    let demo = Demo::start();
    let arguments = ["connect", &demo.url, "--json"];
    let mut command = p2claw(demo.home.path(), &arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut service = Service::start(command);
    let said = super::demo::ready(&mut service);
    let mut stream = TcpStream::connect(said["listening"].as_str().unwrap()).unwrap();
    let head = b"GET /slow?chunks=3000 HTTP/1.1\r\nhost: localhost\r\n\r\n";
    stream.write_all(head).unwrap();
    read_exactly(&mut stream, 12);
    assert_eq!(service.interrupt(), Some(0));
    let mut log = String::new();
    service
        .0
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut log)
        .unwrap();
    assert!(!log.contains("panicked"), "{log}");
}
