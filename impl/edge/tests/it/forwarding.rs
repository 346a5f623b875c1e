//! Signaling on its way through the edge.

use crate::coord::FakeCoord;
use crate::edge::{APP, Edge, PATIENCE, first_part};
use bytes::Bytes;
use http::{Method, StatusCode};
use std::time::{Duration, Instant};
use tokio::time::timeout;

const VISITS: &str = "/.well-known/p2claw/v1/visits";

/// EDG-006, EDG-007: method, path, body and content type unchanged, and the host that was asked
/// for.
#[tokio::test]
async fn edg_006_requests_pass_unchanged() {
    let mut coord = FakeCoord::start().await;
    let edge = Edge::start(coord.address).await;
    let visit = format!("{VISITS}/{}?a=%2F", "5e".repeat(16));
    for (method, path) in [
        (Method::GET, "/.well-known/p2claw/v1/ice-servers"),
        (Method::POST, VISITS),
        (Method::POST, &visit),
        (Method::DELETE, &visit),
    ] {
        let fields = [
            ("content-type", "application/x-protobuf"),
            ("p2claw-host", "evil-bob.p2claw.example"),
        ];
        let host = format!("{APP}:8443");
        let (body, answer) = edge.begin(method.clone(), &host, path, &fields).await;
        if method == Method::POST {
            body.send(Bytes::from_static(b"\0offer")).await.unwrap();
        }
        drop(body);
        let asked = timeout(PATIENCE, coord.asked()).await.unwrap();
        assert_eq!(asked.method, method);
        assert_eq!(asked.target, path);
        assert_eq!(asked.headers["content-type"], "application/x-protobuf");
        let named: Vec<_> = asked.headers.get_all("p2claw-host").iter().collect();
        assert_eq!(named, [host.as_str()]);
        let part = asked
            .respond(StatusCode::IM_A_TEAPOT, &[("location", "/x")])
            .await;
        part.send(Bytes::from_static(b"tea")).await.unwrap();
        drop(part);
        if method == Method::POST {
            assert_eq!(first_part(asked.body).await, "\0offer");
        }
        let answer = timeout(PATIENCE, answer).await.unwrap().unwrap();
        assert_eq!(answer.status, StatusCode::IM_A_TEAPOT);
        assert_eq!(answer.field("location"), "/x");
        assert_eq!(answer.bytes().await, "tea");
    }
    edge.stop().await;
}

/// EDG-006: every part is passed on as it comes, in both directions.
#[tokio::test]
async fn edg_006_nothing_waits_for_the_next_part() {
    let mut coord = FakeCoord::start().await;
    let edge = Edge::start(coord.address).await;
    let (body, answer) = edge.begin(Method::POST, APP, VISITS, &[]).await;
    body.send(Bytes::from_static(b"one")).await.unwrap();
    let mut asked = timeout(PATIENCE, coord.asked()).await.unwrap();
    assert_eq!(asked.part().await.unwrap(), "one");
    let events = asked
        .respond(
            StatusCode::CREATED,
            &[("content-type", "application/x-protobuf-stream")],
        )
        .await;
    let mut answer = timeout(PATIENCE, answer).await.unwrap().unwrap();
    assert_eq!(answer.status, StatusCode::CREATED);
    for event in ["answer", "candidate", "end"] {
        events.send(Bytes::from(event)).await.unwrap();
        assert_eq!(answer.part().await.unwrap(), event);
    }
    body.send(Bytes::from_static(b"two")).await.unwrap();
    assert_eq!(asked.part().await.unwrap(), "two");
    drop(events);
    assert_eq!(answer.part().await, None);
    edge.stop().await;
}

/// SIG-028, EDG-024: a visitor that goes away is gone for coord too.
#[tokio::test]
async fn sig_028_a_vanished_visitor_is_noticed() {
    let mut coord = FakeCoord::start().await;
    let edge = Edge::start(coord.address).await;
    let (body, answer) = edge.begin(Method::POST, APP, VISITS, &[]).await;
    drop(body);
    let asked = timeout(PATIENCE, coord.asked()).await.unwrap();
    let events = asked.respond(StatusCode::CREATED, &[]).await;
    let mut answer = timeout(PATIENCE, answer).await.unwrap().unwrap();
    events.send(Bytes::from_static(b"answer")).await.unwrap();
    answer.part().await.unwrap();
    answer.vanish();
    timeout(PATIENCE, events.closed()).await.unwrap();
    edge.stop().await;
}

/// EDG-009: cookies that arrive at the edge go no further.
#[tokio::test]
async fn edg_009_cookies_are_not_passed_on() {
    let mut coord = FakeCoord::start().await;
    let edge = Edge::start(coord.address).await;
    let fields = [("cookie", "session=secret"), ("authorization", "Basic x")];
    let (body, _answer) = edge.begin(Method::POST, APP, VISITS, &fields).await;
    drop(body);
    let asked = timeout(PATIENCE, coord.asked()).await.unwrap();
    assert!(!asked.headers.contains_key("cookie"));
    assert!(!asked.headers.contains_key("authorization"));
    edge.stop().await;
}

/// EDG-009: no cookie is set on an address, not even by coord.
#[tokio::test]
async fn edg_009_cookies_are_not_set() {
    let mut coord = FakeCoord::start().await;
    let edge = Edge::start(coord.address).await;
    let (body, answer) = edge.begin(Method::POST, APP, VISITS, &[]).await;
    drop(body);
    let asked = timeout(PATIENCE, coord.asked()).await.unwrap();
    drop(
        asked
            .respond(StatusCode::OK, &[("set-cookie", "a=b")])
            .await,
    );
    let answer = timeout(PATIENCE, answer).await.unwrap().unwrap();
    assert_eq!(answer.field("set-cookie"), "");
    edge.stop().await;
}

/// EDG-008: coord that is away, or hangs up without an answer.
#[tokio::test]
async fn edg_008_coord_is_unreachable() {
    let edge = Edge::alone().await;
    let answer = edge.ask(Method::POST, APP, VISITS, &[], "offer").await;
    check_unreachable(answer).await;
    edge.stop().await;

    let mut coord = FakeCoord::start().await;
    let edge = Edge::start(coord.address).await;
    let (body, answer) = edge.begin(Method::POST, APP, VISITS, &[]).await;
    drop(body);
    drop(timeout(PATIENCE, coord.asked()).await.unwrap());
    check_unreachable(timeout(PATIENCE, answer).await.unwrap().unwrap()).await;
    edge.stop().await;
}

async fn check_unreachable(answer: crate::edge::Answer) {
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    assert_eq!(answer.field("content-type"), "application/json");
    assert_eq!(answer.field("cache-control"), "no-store");
    let json: serde_json::Value = serde_json::from_slice(&answer.bytes().await).unwrap();
    assert_eq!(json["code"], "COORD_UNREACHABLE");
}

/// EDG-008: coord that comes back is found again.
#[tokio::test]
async fn edg_008_coord_comes_back() {
    let coord = FakeCoord::start().await;
    let address = coord.address;
    let edge = Edge::start(address).await;
    drop(coord);
    let answer = edge.ask(Method::POST, APP, VISITS, &[], "offer").await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let accepted = tokio::spawn(async move { listener.accept().await.unwrap() });
    let (_body, _answer) = edge.begin(Method::POST, APP, VISITS, &[]).await;
    timeout(PATIENCE, accepted).await.unwrap().unwrap();
    edge.stop().await;
}

/// Hosts that are no address never reach coord.
#[tokio::test]
async fn edg_002_other_hosts_do_not_reach_coord() {
    let mut coord = FakeCoord::start().await;
    let edge = Edge::start(coord.address).await;
    for host in ["p2claw.example", "www.p2claw.example", "127.0.0.1"] {
        let answer = edge.ask(Method::POST, host, VISITS, &[], "offer").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{host}");
    }
    assert!(coord.is_idle());
    edge.stop().await;
}

/// A stream that is open does not hold up the shutdown for ever.
#[tokio::test]
async fn an_open_stream_does_not_hold_up_the_shutdown() {
    let mut coord = FakeCoord::start().await;
    let edge = Edge::start(coord.address).await;
    let (_body, answer) = edge.begin(Method::POST, APP, VISITS, &[]).await;
    let asked = timeout(PATIENCE, coord.asked()).await.unwrap();
    let _events = asked.respond(StatusCode::CREATED, &[]).await;
    let _answer = timeout(PATIENCE, answer).await.unwrap().unwrap();
    let began = Instant::now();
    edge.stop().await;
    assert!(began.elapsed() < Duration::from_secs(6));
}
