//! Sessions between two stacks.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use p2claw_agent::{
    connection::{Connection, Driver, Incoming, StreamError, connect},
    transport::{LANES, Peer, PeerEvent, PeerTransport},
};
use p2claw_network::HubConfig;
use p2claw_session::{Config, ErrorCode, Fields, Request, Response, Role, Target};
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{PATIENCE, Stack, moving::Moving};

/// Two ends of a session, each driven by a task.
pub(crate) struct Pair {
    pub(crate) visitor: Connection,
    pub(crate) agent: Connection,
    visitor_driver: JoinHandle<()>,
    agent_driver: JoinHandle<()>,
    _endpoints: (Box<dyn PeerTransport>, Box<dyn PeerTransport>),
}

pub(crate) async fn pair(visitor: Stack, agent: Stack) -> Pair {
    between(visitor.endpoint(), agent.endpoint()).await
}

async fn between(near: Box<dyn PeerTransport>, far: Box<dyn PeerTransport>) -> Pair {
    let mut offered = near.offer().await.unwrap();
    let accepted = far.accept(&offered.offer).await.unwrap();
    assert!(
        accepted.answer.contains("a=setup:passive"),
        "{}",
        accepted.answer
    );
    offered.peer.accept_answer(&accepted.answer).unwrap();
    let config = Config {
        lanes: LANES,
        ..Config::default()
    };
    let (visitor, driver) = connect(Role::Visitor, config.clone(), offered.peer);
    let visitor_driver = tokio::spawn(drive(driver));
    let (agent, driver) = connect(Role::Agent, config, accepted.peer);
    let agent_driver = tokio::spawn(drive(driver));
    Pair {
        visitor,
        agent,
        visitor_driver,
        agent_driver,
        _endpoints: (near, far),
    }
}

pub(crate) async fn drive(driver: Driver) {
    driver.await;
}

fn get(path: &str) -> Request {
    Request {
        method: "GET".into(),
        target: Target::parse(path).unwrap(),
        fields: Fields::new(),
        end: true,
        protocol: None,
    }
}

fn ok() -> Response {
    Response {
        status: 200,
        fields: Fields::new(),
        end: false,
    }
}

/// Answers with as many bytes as the path says, in pieces of 64 KiB.
async fn serve(agent: Connection) {
    while let Some(Incoming {
        request,
        mut answer,
        ..
    }) = agent.accept().await
    {
        tokio::spawn(async move {
            let mut left: usize = request.target.as_str()[1..].parse().unwrap();
            answer.respond(ok()).unwrap();
            while left > 0 {
                let piece = left.min(65_536);
                if answer.write(Bytes::from(vec![7; piece])).await.is_err() {
                    return;
                }
                left -= piece;
            }
            answer.finish(None).unwrap();
        });
    }
}

async fn fetch(visitor: &Connection, path: &str) -> usize {
    let mut exchange = visitor.open(get(path)).unwrap();
    let head = exchange.head().await.unwrap();
    assert_eq!(head.status, 200);
    let mut received = 0;
    while let Some(data) = exchange.response.data().await.unwrap() {
        assert!(data.iter().all(|byte| *byte == 7));
        received += data.len();
    }
    received
}

/// RTC-003
pub(crate) async fn requests_and_large_bodies_arrive_whole(visitor: Stack, agent: Stack) {
    let pair = pair(visitor, agent).await;
    tokio::spawn(serve(pair.agent.clone()));
    let work = async {
        assert_eq!(fetch(&pair.visitor, "/0").await, 0);
        assert_eq!(fetch(&pair.visitor, "/1").await, 1);
        let (a, b, c) = tokio::join!(
            fetch(&pair.visitor, "/3000000"),
            fetch(&pair.visitor, "/20"),
            fetch(&pair.visitor, "/5000001"),
        );
        assert_eq!((a, b, c), (3_000_000, 20, 5_000_001));
    };
    timeout(PATIENCE, work).await.unwrap();
    assert_eq!(pair.visitor.peer_settings().unwrap().lanes, LANES);
    let path = pair.visitor.path().unwrap();
    assert_ne!(path.local, path.remote);
}

/// RTC-024: the session may end a little later.
pub(crate) async fn nothing_is_sent_to_who_is_gone(visitor: Stack, agent: Stack) {
    let (there, here) = (Arc::new(Moving::default()), Arc::new(Moving::default()));
    let near = visitor.on(there.clone(), HubConfig::default());
    let far = agent.on(here.clone(), HubConfig::default());
    let pair = between(near, far).await;
    tokio::spawn(serve(pair.agent.clone()));
    let mut exchange = pair.visitor.open(get("/100000000")).unwrap();
    exchange.head().await.unwrap();
    exchange.response.data().await.unwrap();
    there.cut(true);
    sleep(Duration::from_millis(4_500)).await;
    let early = here.records();
    sleep(Duration::from_secs(28)).await;
    let records = here.records();
    assert!(records > early, "it is tried again before");
    timeout(PATIENCE, pair.agent_driver).await.unwrap().unwrap();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(here.records(), records);
}

pub(crate) async fn a_reader_that_waits_stalls_its_own_stream_only(visitor: Stack, agent: Stack) {
    let pair = pair(visitor, agent).await;
    tokio::spawn(serve(pair.agent.clone()));
    let work = async {
        let mut stalled = pair.visitor.open(get("/30000000")).unwrap();
        stalled.head().await.unwrap();
        assert_eq!(fetch(&pair.visitor, "/2000000").await, 2_000_000);
        assert_eq!(fetch(&pair.visitor, "/2000000").await, 2_000_000);
        let mut received = 0;
        while let Some(data) = stalled.response.data().await.unwrap() {
            received += data.len();
        }
        assert_eq!(received, 30_000_000);
    };
    timeout(PATIENCE * 2, work).await.unwrap();
}

pub(crate) async fn a_body_that_is_given_up_is_an_error_at_the_other_end(
    visitor: Stack,
    agent: Stack,
) {
    let pair = pair(visitor, agent).await;
    let near = pair.visitor.clone();
    let reader = tokio::spawn(async move {
        let mut exchange = near.open(get("/cut")).unwrap();
        exchange.head().await.unwrap();
        loop {
            match exchange.response.data().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("a body that was cut off looked whole"),
                Err(error) => return error,
            }
        }
    });
    let mut incoming = timeout(PATIENCE, pair.agent.accept())
        .await
        .unwrap()
        .unwrap();
    incoming.answer.respond(ok()).unwrap();
    incoming
        .answer
        .write(Bytes::from_static(b"half"))
        .await
        .unwrap();
    incoming.answer.reset(ErrorCode::UPSTREAM_FAILED, "hung up");
    let error = timeout(PATIENCE, reader).await.unwrap().unwrap();
    assert!(
        matches!(&error, StreamError::Reset { code, .. } if *code == ErrorCode::UPSTREAM_FAILED),
        "{error}"
    );
}

pub(crate) async fn closing_one_end_ends_the_other_and_wakes_who_waits(
    visitor: Stack,
    agent: Stack,
) {
    let pair = pair(visitor, agent).await;
    let near = pair.visitor.clone();
    let waiting = tokio::spawn(async move {
        let mut exchange = near.open(get("/1")).unwrap();
        exchange.head().await
    });
    let incoming = timeout(PATIENCE, pair.agent.accept())
        .await
        .unwrap()
        .unwrap();
    pair.agent.close(ErrorCode::NO_ERROR, "enough");
    assert!(timeout(PATIENCE, waiting).await.unwrap().unwrap().is_err());
    assert!(
        timeout(PATIENCE, pair.agent.accept())
            .await
            .unwrap()
            .is_none()
    );
    timeout(PATIENCE, pair.agent_driver).await.unwrap().unwrap();
    timeout(PATIENCE, pair.visitor_driver)
        .await
        .unwrap()
        .unwrap();
    drop(incoming);
}

/// An end that finishes leaves nothing behind: not what waits in the session, and not what waits
/// in SCTP for its acknowledgement.
pub(crate) async fn finishing_waits_for_the_last_byte(visitor: Stack, agent: Stack) {
    let pair = pair(visitor, agent).await;
    let near = pair.visitor.clone();
    let fetched = tokio::spawn(async move { fetch(&near, "/2000001").await });
    let incoming = timeout(PATIENCE, pair.agent.accept()).await.unwrap();
    let Incoming { mut answer, .. } = incoming.unwrap();
    answer.respond(ok()).unwrap();
    pair.agent.finish("enough");
    let body = Bytes::from(vec![7; 2_000_001]);
    timeout(PATIENCE, answer.write(body))
        .await
        .unwrap()
        .unwrap();
    answer.finish(None).unwrap();
    drop(answer);
    assert_eq!(
        timeout(PATIENCE, fetched).await.unwrap().unwrap(),
        2_000_001
    );
    timeout(PATIENCE, pair.agent_driver).await.unwrap().unwrap();
    timeout(PATIENCE, pair.visitor_driver)
        .await
        .unwrap()
        .unwrap();
}

pub(crate) async fn a_visitor_that_vanishes_is_noticed_by_whoever_writes(
    visitor: Stack,
    agent: Stack,
) {
    let pair = pair(visitor, agent).await;
    let near = pair.visitor.clone();
    let mut exchange = near.open(get("/1")).unwrap();
    let mut incoming = timeout(PATIENCE, pair.agent.accept())
        .await
        .unwrap()
        .unwrap();
    incoming.answer.respond(ok()).unwrap();
    timeout(PATIENCE, exchange.head()).await.unwrap().unwrap();
    drop(exchange);
    let stopped = timeout(PATIENCE, incoming.answer.stopped()).await.unwrap();
    assert_eq!(stopped, StreamError::Stopped(ErrorCode::CANCELLED));
}

/// IDN-021
pub(crate) async fn a_wrong_certificate_never_connects(visitor: Stack, agent: Stack) {
    let (near, far, third) = (visitor.endpoint(), agent.endpoint(), agent.endpoint());
    let mut offered = near.offer().await.unwrap();
    let accepted = far.accept(&offered.offer).await.unwrap();
    let other = third.accept(&offered.offer).await.unwrap();
    let line = |sdp: &str| {
        sdp.lines()
            .find(|line| line.starts_with("a=fingerprint:"))
            .unwrap()
            .to_owned()
    };
    let forged = accepted
        .answer
        .replace(&line(&accepted.answer), &line(&other.answer));
    offered.peer.accept_answer(&forged).unwrap();
    let mut far_peer = accepted.peer;
    tokio::spawn(async move { while !closed(&mut *far_peer).await {} });
    let opened = timeout(Duration::from_secs(3), async {
        loop {
            match next(&mut *offered.peer).await {
                PeerEvent::LaneOpen(_) => return true,
                PeerEvent::Closed(_) => return false,
                PeerEvent::Message(..)
                | PeerEvent::Writable
                | PeerEvent::Candidate(_)
                | PeerEvent::Path(_) => {}
            }
        }
    });
    assert!(
        !opened.await.unwrap_or(false),
        "a lane opened over a forged certificate"
    );
}

async fn next(peer: &mut dyn Peer) -> PeerEvent {
    std::future::poll_fn(|cx| peer.poll_event(cx)).await
}

async fn closed(peer: &mut dyn Peer) -> bool {
    matches!(next(peer).await, PeerEvent::Closed(_))
}
