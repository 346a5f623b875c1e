//! What coord does when it is asked for too much.

use crate::agent::{RawAgent, TestAgent};
use crate::service::{Service, hasty};
use crate::visitor::{VISITS, Visit, check, post, request};
use http::{Method, StatusCode};
use p2claw_coord::Rate;
use p2claw_proto::v1::envelope::Kind;
use p2claw_proto::v1::{Heartbeat, SignalCode};
use p2claw_signaling::agent_link::AgentEvent;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Visits of one agent are limited by number and by rate; another agent does not notice.
#[tokio::test]
async fn visits_of_one_agent_are_limited() {
    let mut limits = hasty();
    limits.answer = Duration::from_secs(10);
    limits.visits_per_agent = 2;
    let service = Service::with_limits(limits).await;
    let mut agent = TestAgent::start(&service, 1, &["recipes"]).await;
    let mut other = TestAgent::start(&service, 2, &["recipes"]).await;
    let host = agent.host("recipes");
    let first = Visit::start(&service, &host, check(&agent.alias, None)).await;
    let _second = Visit::start(&service, &host, check(&agent.alias, None)).await;
    let body = check(&agent.alias, None).request();
    let third = post(&service, &host, VISITS, body).await;
    assert_eq!(third.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(third.code().await, "LIMIT");
    let _other = Visit::start(&service, &other.host("recipes"), check(&other.alias, None)).await;
    other.offer().await;
    // A place is free again once a visit is over.
    agent.offer().await;
    agent.offer().await;
    first.vanish();
    assert_eq!(agent.visit_end().await, SignalCode::Ok);
    let _third = Visit::start(&service, &host, check(&agent.alias, None)).await;
    agent.offer().await;
    service.stop().await;
}

/// Visits come at a limited rate.
#[tokio::test]
async fn visits_are_limited_by_rate() {
    let mut limits = hasty();
    limits.agent_rate = Rate {
        burst: 3,
        per_second: 0,
    };
    let service = Service::with_limits(limits).await;
    let agent = TestAgent::start(&service, 1, &["recipes"]).await;
    let host = agent.host("recipes");
    let mut taken = 0;
    for _ in 0..6 {
        let body = check(&agent.alias, None).request();
        let answer = post(&service, &host, VISITS, body).await;
        taken += usize::from(answer.status == StatusCode::CREATED);
    }
    assert_eq!(taken, 3);
    service.stop().await;
}

/// Everything together comes at a limited rate.
#[tokio::test]
async fn requests_are_limited_by_rate() {
    let mut limits = hasty();
    limits.total_rate = Rate {
        burst: 3,
        per_second: 0,
    };
    let service = Service::with_limits(limits).await;
    let mut statuses = Vec::new();
    for _ in 0..5 {
        let path = "/.well-known/p2claw/v1/ice-servers";
        let answer = request(&service, Method::GET, path, &[], "").await;
        statuses.push(answer.status.as_u16());
    }
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    service.stop().await;
}

/// Links are limited by number, and a place is free again once a link is gone.
#[tokio::test]
async fn links_are_limited() {
    let mut limits = hasty();
    limits.agents = 1;
    let service = Service::with_limits(limits).await;
    let agent = TestAgent::start(&service, 1, &["recipes"]).await;
    assert!(
        RawAgent::try_connect(&service, Some("p2claw.v1"))
            .await
            .is_err()
    );
    drop(agent);
    let again = async {
        while RawAgent::try_connect(&service, Some("p2claw.v1"))
            .await
            .is_err()
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(5), again).await.unwrap();
    service.stop().await;
}

/// SIG-011: a flood of messages ends its own link, and no other.
#[tokio::test]
async fn sig_011_a_flood_ends_its_own_link() {
    let service = Service::start().await;
    let mut flood = TestAgent::start(&service, 1, &["recipes"]).await;
    let mut other = TestAgent::start(&service, 2, &["recipes"]).await;
    let (mut sent, mut acks) = (0_u64, 0);
    let ended = loop {
        if sent < 3_000 {
            sent += 1;
            let envelope = p2claw_proto::v1::Envelope {
                seq: sent,
                re: 0,
                kind: Some(Kind::Heartbeat(Heartbeat {})),
            };
            let bytes = prost::Message::encode_to_vec(&envelope);
            let message = tokio_tungstenite::tungstenite::Message::Binary(bytes.into());
            let _ = futures_util::SinkExt::send(&mut flood.raw.socket, message).await;
        }
        match flood.raw.receive().await.map(|envelope| envelope.kind) {
            Some(Some(Kind::HeartbeatAck(_))) => acks += 1,
            Some(Some(Kind::Error(error))) => break Some(error.code()),
            Some(other) => panic!("{other:?}"),
            None => break None,
        }
    };
    assert_eq!(ended, Some(SignalCode::Limit));
    assert!(acks >= 1_000, "{acks}");
    let host = other.host("recipes");
    let _visit = Visit::start(&service, &host, check(&other.alias, None)).await;
    other.offer().await;
    service.stop().await;
}

/// An agent that does not read its link does not hold up others, nor the shutdown.
#[tokio::test]
async fn a_stuck_agent_holds_up_nobody() {
    let mut limits = hasty();
    limits.agent_rate = Rate {
        burst: 10_000,
        per_second: 0,
    };
    limits.answer = Duration::from_millis(50);
    let service = Service::with_limits(limits).await;
    let stuck = TestAgent::start(&service, 1, &["recipes"]).await;
    let mut other = TestAgent::start(&service, 2, &["recipes"]).await;
    let long = crate::sdp(3) + &"s=0123456789\r\n".repeat(2_300);
    for _ in 0..300 {
        let check = p2claw_signaling::visitor::VisitCheck::new(
            p2claw_identity::HostLabel::new(
                p2claw_identity::AppName::parse("recipes").unwrap(),
                stuck.alias.clone(),
            ),
            p2claw_identity::Nonce([2; 32]),
            long.clone(),
            Vec::new(),
        );
        let body = check.unwrap().request();
        let answer = post(&service, &stuck.host("recipes"), VISITS, body).await;
        assert!(matches!(answer.status.as_u16(), 201 | 429 | 503));
    }
    let host = other.host("recipes");
    let mut visit = Visit::start(&service, &host, check(&other.alias, None)).await;
    let offer = other.offer().await;
    other.answer(&offer).await;
    visit.event().await;
    service.begin_stop();
    // Everything that is left of the other agent is its goodbye.
    while !matches!(other.event().await, AgentEvent::Closed { .. }) {}
    timeout(Duration::from_secs(5), service.stop())
        .await
        .unwrap();
}

/// A connection that sends half a request does not hold up the shutdown.
#[tokio::test]
async fn half_a_request_does_not_hold_up_the_shutdown() {
    let service = Service::with_limits(hasty()).await;
    let mut half = TcpStream::connect(service.address).await.unwrap();
    half.write_all(b"POST /.well-known/p2claw/v1/visits HTTP/1.1\r\ncontent-le")
        .await
        .unwrap();
    let mut slow_body = TcpStream::connect(service.address).await.unwrap();
    slow_body
        .write_all(
            b"POST /.well-known/p2claw/v1/visits HTTP/1.1\r\nhost: a-bob.p2claw.example\r\n\
              content-type: application/x-protobuf\r\ncontent-length: 10\r\n\r\nabc",
        )
        .await
        .unwrap();
    timeout(Duration::from_secs(5), service.stop())
        .await
        .unwrap();
    let mut rest = Vec::new();
    let _ = half.read_to_end(&mut rest).await;
}
