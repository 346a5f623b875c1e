//! Services that do what none should.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::Bytes;
use futures_util::{StreamExt as _, future::BoxFuture, stream};
use http::{Method, StatusCode, header};
use p2claw_agent::memory::MemoryTransport;
use p2claw_network::{ByteStream, Network, UdpSocket};
use p2claw_proto::v1::{Candidate, VisitAnswer, VisitEnd, VisitEvent, visit_event::Kind};
use p2claw_signaling::{SignalCode, event_stream};
use p2claw_visitor::{Address, FailureKind, Visitor, VisitorConfig, VisitorError};
use tokio::net::TcpListener;

use crate::within;

/// A network in which no name leads anywhere.
#[derive(Debug)]
struct Nowhere;

pub(crate) fn nowhere() -> Arc<dyn Network> {
    Arc::new(Nowhere)
}

impl Network for Nowhere {
    fn bind_udp(&self, _: SocketAddr) -> io::Result<Arc<dyn UdpSocket>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn connect_tcp(&self, _: SocketAddr) -> BoxFuture<'static, io::Result<Box<dyn ByteStream>>> {
        Box::pin(async { Err(io::ErrorKind::ConnectionRefused.into()) })
    }

    fn resolve<'a>(&'a self, _: &'a str, _: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async { Err(io::Error::other("no such name")) })
    }

    fn addresses(&self) -> io::Result<Vec<IpAddr>> {
        Ok(Vec::new())
    }
}

const LOCATION: &str = "/.well-known/p2claw/v1/visits/00112233445566778899aabbccddeeff";

/// What a service answers to an offer.
#[derive(Debug, Clone)]
enum Script {
    /// These events, and then the end of the stream, or silence.
    Events {
        events: Vec<VisitEvent>,
        hangs_up: bool,
    },
    /// No stream.
    Plain(StatusCode, &'static str),
    /// A stream at this place.
    At(&'static str),
    /// These bytes in the place of events.
    Bytes(&'static [u8]),
}

#[derive(Debug, Default)]
struct Seen {
    given_up: Vec<String>,
}

#[derive(Clone)]
struct Service {
    script: Script,
    seen: Arc<Mutex<Seen>>,
}

async fn visit(State(service): State<Service>) -> Response {
    let stream = |bytes: Vec<Bytes>, hangs_up: bool, location: &'static str| {
        let said = stream::iter(bytes).map(Ok::<_, io::Error>);
        let body = match hangs_up {
            true => Body::from_stream(said),
            false => Body::from_stream(said.chain(stream::pending())),
        };
        (StatusCode::CREATED, [(header::LOCATION, location)], body).into_response()
    };
    match service.script {
        Script::Events { events, hangs_up } => {
            let bytes = events.iter().map(event_stream::encode).collect();
            stream(bytes, hangs_up, LOCATION)
        }
        Script::Plain(status, body) => (status, body).into_response(),
        Script::At(location) => stream(Vec::new(), false, location),
        Script::Bytes(bytes) => stream(vec![Bytes::from_static(bytes)], false, LOCATION),
    }
}

async fn location(State(service): State<Service>, method: Method) -> StatusCode {
    service
        .seen
        .lock()
        .unwrap()
        .given_up
        .push(method.to_string());
    StatusCode::NO_CONTENT
}

/// Starts a service and visits it: what came of it, and which methods the visit's place saw.
async fn visited(script: Script) -> (VisitorError, Vec<String>) {
    let service = Service {
        script,
        seen: Arc::default(),
    };
    let router = Router::new()
        .route("/.well-known/p2claw/v1/visits", post(visit))
        .route(LOCATION, post(location).delete(location))
        // The list of ICE servers never comes: nothing waits for it.
        .route(
            "/.well-known/p2claw/v1/ice-servers",
            get(std::future::pending::<()>),
        )
        .with_state(service.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    let visitor = Visitor::new(VisitorConfig::new(Arc::new(MemoryTransport::new())));
    let address: Address = format!("http://recipes-bob.localhost:{port}/")
        .parse()
        .unwrap();
    let error = within(visitor.visit(&address)).await.unwrap_err();
    task.abort();
    let seen = service.seen.lock().unwrap();
    (error, seen.given_up.clone())
}

fn event(kind: Kind) -> VisitEvent {
    VisitEvent { kind: Some(kind) }
}

fn events(kinds: Vec<Kind>, hangs_up: bool) -> Script {
    Script::Events {
        events: kinds.into_iter().map(event).collect(),
        hangs_up,
    }
}

fn end(code: SignalCode) -> Kind {
    Kind::End(VisitEnd {
        session_id: Bytes::new(),
        code: code.into(),
        reason: "so\u{1b}[31m it is".to_owned(),
    })
}

/// SIG-018, ERR-006: an end before the answer is told by its code, and its text is only text.
#[tokio::test]
async fn an_end_before_the_answer_is_told() {
    let (error, _) = visited(events(vec![end(SignalCode::AgentTimeout)], true)).await;
    assert!(
        matches!(&error, VisitorError::Refused { code, .. } if *code == SignalCode::AgentTimeout),
        "{error}"
    );
    assert!(!error.to_string().contains('\u{1b}'), "{error}");
    assert_eq!(error.kind(), FailureKind::Unreachable);
}

/// SIG-017, SIG-018, SIG-028: events out of order end the visit, and coord hears of it.
#[tokio::test]
async fn sig_018_another_order_ends_the_visit() {
    let candidate = Kind::Candidate(Candidate {
        candidate: "candidate:1 1 udp 1 192.0.2.1 9 typ host".to_owned(),
        ..Candidate::default()
    });
    let (error, methods) = visited(events(vec![candidate], false)).await;
    assert!(matches!(error, VisitorError::Broken(_)), "{error}");
    assert!(methods.contains(&"DELETE".to_owned()), "{methods:?}");
}

/// IDN-017, IDN-018: an answer that proves nothing is refused, and nothing goes on regardless.
#[tokio::test]
async fn idn_017_an_answer_without_proof_is_refused() {
    let answer = Kind::Answer(VisitAnswer {
        sdp: "v=0\r\n".to_owned(),
        ..VisitAnswer::default()
    });
    let (error, methods) = visited(events(vec![answer], false)).await;
    assert_eq!(error.kind(), FailureKind::Untrusted, "{error}");
    assert!(error.to_string().contains("nothing was sent"), "{error}");
    assert!(methods.contains(&"DELETE".to_owned()), "{methods:?}");
}

/// SIG-015, SIG-019: what is no service of p2claw is said to be none.
#[tokio::test]
async fn nonsense_is_called_so() {
    for (script, word) in [
        (Script::Plain(StatusCode::OK, "<!doctype html>"), "200"),
        (Script::Plain(StatusCode::BAD_GATEWAY, "no"), "502"),
        (
            Script::Plain(StatusCode::NOT_FOUND, r#"{"code":"NO_SUCH_ALIAS"}"#),
            "NO_SUCH_ALIAS",
        ),
        (
            Script::Plain(
                StatusCode::IM_A_TEAPOT,
                r#"{"code":"OF_LATER","detail":"x"}"#,
            ),
            "INTERNAL",
        ),
        (Script::At("https://elsewhere.example/visits/1"), "no place"),
        (Script::At("/.well-known/p2claw/v1/visits/xyz"), "no place"),
        (Script::Bytes(&[0xff; 12]), "no sequence of events"),
        (events(Vec::new(), true), "hung up before the answer"),
    ] {
        let said = format!("{script:?}");
        let (error, _) = visited(script).await;
        assert!(error.to_string().contains(word), "{said}: {error}");
        assert_ne!(error.kind(), FailureKind::Untrusted);
    }
}
