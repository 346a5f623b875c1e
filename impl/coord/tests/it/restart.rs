//! Restarts of sessions, which coord passes on like visits, and fresh credentials for agents.

use crate::agent::{RawAgent, TestAgent, hello, key, unix_ms};
use crate::service::{DOMAIN, Service, config, hasty};
use crate::visitor::{VISITS, Visit, check, post};
use http::StatusCode;
use p2claw_coord::{Limits, Rate};
use p2claw_identity::Nonce;
use p2claw_proto::v1::envelope::Kind;
use p2claw_proto::v1::{self, VisitRequest};
use p2claw_signaling::SignalCode;
use p2claw_signaling::agent_link::AgentEvent;
use p2claw_signaling::visitor::VisitorEvent;
use prost::Message as _;
use std::collections::BTreeSet;
use std::time::Duration;

/// SIG-043, SIG-044: a restart is a visit of its own with an id of its own, also at a coord that was
/// not there when the session began.
#[tokio::test]
async fn sig_044_a_restart_passes_through() {
    let service = Service::start().await;
    let mut agent = TestAgent::start(&service, 1, &["recipes"]).await;
    let host = agent.host("recipes");
    let mut visit = Visit::start(&service, &host, check(&agent.alias, None)).await;
    let first = agent.offer().await;
    assert_eq!(first.restarts, None);
    agent.answer(&first).await;
    assert!(matches!(visit.event().await, VisitorEvent::Answer { .. }));
    assert_eq!(visit.delete(&service).await, StatusCode::NO_CONTENT);

    let restart = visit.restart(first.session_id, Nonce([3; 32]));
    service.stop().await;
    let service = Service::start().await;
    let mut agent = TestAgent::start(&service, 1, &["recipes"]).await;
    let mut visit = Visit::start(&service, &host, restart).await;
    let offer = agent.offer().await;
    assert_eq!(offer.restarts, Some(first.session_id));
    assert_ne!(offer.session_id, first.session_id);
    assert_eq!(visit.location, format!("{VISITS}/{}", offer.session_id));
    agent.answer(&offer).await;
    assert!(matches!(visit.event().await, VisitorEvent::Answer { .. }));
    service.stop().await;
}

/// SIG-044: what an agent says of a restart reaches the visitor; coord itself knows no sessions.
#[tokio::test]
async fn sig_045_the_agent_alone_knows_its_sessions() {
    let service = Service::start().await;
    let mut agent = TestAgent::start(&service, 1, &["recipes"]).await;
    let host = agent.host("recipes");
    let mut request = VisitRequest::decode(check(&agent.alias, None).request()).unwrap();
    request.restarts = vec![0xee; 16].into();
    let mut visit = Visit::start_with(&service, &host, request.encode_to_vec()).await;
    let offer = agent.offer().await;
    let code = SignalCode::NoSuchVisit;
    agent.link.end_visit(offer.session_id, code, "").unwrap();
    agent.flush().await;
    assert_eq!(visit.end().await, code);

    request.restarts = vec![0xee; 15].into();
    let refused = post(&service, &host, VISITS, request.encode_to_vec().into()).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert_eq!(refused.code().await, "MALFORMED");
    service.stop().await;
}

/// SIG-044: restarts count as visits, in number and in rate.
#[tokio::test]
async fn sig_044_restarts_are_limited_like_visits() {
    let service = Service::with_limits(Limits {
        agent_rate: Rate {
            burst: 2,
            per_second: 0,
        },
        ..hasty()
    })
    .await;
    let agent = TestAgent::start(&service, 1, &["recipes"]).await;
    let host = agent.host("recipes");
    let mut request = VisitRequest::decode(check(&agent.alias, None).request()).unwrap();
    let _visit = Visit::start_with(&service, &host, request.encode_to_vec()).await;
    request.restarts = vec![0xee; 16].into();
    let _restart = Visit::start_with(&service, &host, request.encode_to_vec()).await;
    let refused = post(&service, &host, VISITS, request.encode_to_vec().into()).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.code().await, "LIMIT");
    service.stop().await;
}

/// SIG-048: an agent gets newer credentials while it is there, and no two the same.
#[tokio::test]
async fn sig_048_credentials_are_renewed() {
    let service = Service::with_limits(Limits {
        renewal: Duration::from_millis(20),
        ..Limits::default()
    })
    .await;
    let mut agent = TestAgent::start(&service, 1, &["recipes"]).await;
    let mut usernames = BTreeSet::new();
    for round in 1..4 {
        let AgentEvent::IceServers(servers) = agent.event().await else {
            panic!("no servers")
        };
        assert_eq!(servers[0].urls, ["stun:stun.example:3478"]);
        let relay = &servers[1];
        assert_eq!(relay.urls, ["turn:relay.example:3478"]);
        assert!(relay.expires_at * 1000 > unix_ms() + 3_500_000);
        usernames.insert(relay.username.clone());
        assert_eq!(usernames.len(), round);
    }
    service.stop().await;
}

/// SIG-005, SIG-048: an agent of before that time says that it does not know the kind, and stays.
#[tokio::test]
async fn sig_048_an_older_agent_keeps_its_link() {
    let service = Service::with_limits(Limits {
        renewal: Duration::from_millis(20),
        ..Limits::default()
    })
    .await;
    let mut agent = RawAgent::connect(&service).await;
    let challenge = agent.challenge().await;
    let hello = hello(&key(1), DOMAIN, &challenge.nonce, unix_ms());
    agent.send(1, Kind::Hello(hello)).await;
    let mut seen = 0;
    while seen < 3 {
        let envelope = agent.receive().await.unwrap();
        if let Some(Kind::IceServers(_)) = envelope.kind {
            seen += 1;
            let error = v1::Error {
                code: SignalCode::UnknownKind.into(),
                detail: String::new(),
            };
            let answer = v1::Envelope {
                seq: 0,
                re: envelope.seq,
                kind: Some(Kind::Error(error)),
            };
            agent.send_bytes(answer.encode_to_vec()).await;
        }
    }
    agent.send(2, Kind::Heartbeat(v1::Heartbeat {})).await;
    loop {
        let envelope = agent.receive().await.unwrap();
        match envelope.kind.unwrap() {
            Kind::HeartbeatAck(_) => break,
            Kind::IceServers(_) => {}
            other => panic!("{other:?}"),
        }
    }
    service.stop().await;
}

/// SIG-048: without a relay there is nothing that ends.
#[tokio::test]
async fn sig_048_nothing_is_renewed_without_a_relay() {
    let mut config = config();
    config.relay = None;
    config.limits.renewal = Duration::from_millis(1);
    config.limits.heartbeat = Duration::from_secs(1);
    let service = Service::with(config).await;
    let mut agent = RawAgent::connect(&service).await;
    let challenge = agent.challenge().await;
    let hello = hello(&key(1), DOMAIN, &challenge.nonce, unix_ms());
    agent.send(1, Kind::Hello(hello)).await;
    let welcome = agent.receive().await.unwrap();
    assert!(matches!(welcome.kind, Some(Kind::Welcome(_))));
    // Silent until it takes the agent for dead.
    let last = agent.receive().await.unwrap();
    assert!(matches!(last.kind, Some(Kind::Goodbye(_))), "{last:?}");
    service.stop().await;
}
