//! Visits from the request to the end of their signaling.

use crate::agent::{TestAgent, unix_ms};
use crate::service::{Service, hasty};
use crate::visitor::{PROTOBUF, VISITS, Visit, check, post, request};
use bytes::Bytes;
use http::{Method, StatusCode};
use p2claw_identity::Alias;
use p2claw_proto::v1::{IceServers, visit_event::Kind};
use p2claw_signaling::SignalCode;
use p2claw_signaling::agent_link::AgentEvent;
use p2claw_signaling::candidate::IceCandidate;
use p2claw_signaling::visitor::{VisitorEvent, encode_update};
use prost::Message as _;

fn candidate(number: usize) -> IceCandidate {
    let text = format!("candidate:{number} 1 udp 2130706431 192.0.2.1 5000 typ host");
    IceCandidate::parse(text, "0").unwrap()
}

/// SIG-014 to SIG-018, SIG-021, IDN-017: a whole visit, with candidates both ways.
#[tokio::test]
async fn sig_016_a_whole_visit() {
    let service = Service::start().await;
    let mut agent = TestAgent::start(&service, 1, &["recipes"]).await;
    let pinned = Some(agent.key.peer_id());
    let host = agent.host("recipes");
    let mut visit = Visit::start(&service, &host, check(&agent.alias, pinned)).await;

    let offer = agent.offer().await;
    assert_eq!(offer.app.as_str(), "recipes");
    assert_eq!(visit.location, format!("{VISITS}/{}", offer.session_id));
    agent.answer(&offer).await;
    let VisitorEvent::Answer { sdp, peer_id, .. } = visit.event().await else {
        panic!("no answer")
    };
    assert_eq!((sdp, peer_id), (crate::sdp(4), agent.key.peer_id()));

    for number in 1..4 {
        let sent = candidate(number);
        agent
            .link
            .candidate(offer.session_id, sent.clone())
            .unwrap();
        agent.flush().await;
        assert_eq!(visit.event().await, VisitorEvent::Candidate(sent));
    }
    let update = encode_update(vec![candidate(8), IceCandidate::end()]);
    assert_eq!(visit.update(&service, update).await, StatusCode::NO_CONTENT);
    for expected in [candidate(8), IceCandidate::end()] {
        let AgentEvent::Candidate { candidate, .. } = agent.event().await else {
            panic!("no candidate")
        };
        assert_eq!(candidate, expected);
    }
    agent
        .link
        .end_visit(offer.session_id, SignalCode::Ok, "up")
        .unwrap();
    agent.flush().await;
    assert_eq!(visit.end().await, SignalCode::Ok);
    let update = encode_update(vec![candidate(9)]);
    assert_eq!(visit.update(&service, update).await, StatusCode::NOT_FOUND);
    service.stop().await;
}

/// SIG-026: nobody can guess the id of a visit, nor tell the next one from those before.
#[tokio::test]
async fn sig_026_session_ids_are_fresh_and_random() {
    let service = Service::start().await;
    let mut agent = TestAgent::start(&service, 1, &["recipes"]).await;
    let host = agent.host("recipes");
    let mut ids = Vec::new();
    for _ in 0..8 {
        let visit = Visit::start(&service, &host, check(&agent.alias, None)).await;
        let offer = agent.offer().await;
        assert_eq!(visit.location, format!("{VISITS}/{}", offer.session_id));
        ids.push(*offer.session_id.as_bytes());
        visit.delete(&service).await;
        agent.visit_end().await;
    }
    // No byte is the same in all of them: 16 counters, clocks or constants would show.
    for place in 0..16 {
        let mut values: Vec<u8> = ids.iter().map(|id| id[place]).collect();
        values.sort_unstable();
        values.dedup();
        assert!(values.len() > 1, "byte {place} is always {values:?}");
    }
    service.stop().await;
}

/// SIG-018, SIG-032: candidates that an agent sends before its answer reach the visitor after it.
#[tokio::test]
async fn sig_018_the_answer_comes_first() {
    let service = Service::start().await;
    let mut agent = TestAgent::start(&service, 1, &["recipes"]).await;
    let host = agent.host("recipes");
    let mut visit = Visit::start(&service, &host, check(&agent.alias, None)).await;
    let offer = agent.offer().await;
    agent
        .link
        .candidate(offer.session_id, candidate(1))
        .unwrap();
    agent.answer(&offer).await;
    agent.answer(&offer).await;
    assert!(matches!(visit.event().await, VisitorEvent::Answer { .. }));
    assert_eq!(visit.event().await, VisitorEvent::Candidate(candidate(1)));
    agent
        .link
        .end_visit(offer.session_id, SignalCode::Ok, "")
        .unwrap();
    agent.flush().await;
    assert_eq!(visit.end().await, SignalCode::Ok, "one answer only");
    service.stop().await;
}

/// SIG-027: who cannot be visited, and why.
#[tokio::test]
async fn sig_027_who_cannot_be_visited() {
    let service = Service::start().await;
    let agent = TestAgent::start(&service, 1, &["recipes"]).await;
    let body = check(&agent.alias, None).request();
    let visit = async |host: &str| {
        let answer = post(&service, host, VISITS, body.clone()).await;
        (answer.status.as_u16(), answer.code().await)
    };
    let code = |status, code: &str| (status, code.to_owned());
    assert_eq!(visit(&agent.host("other")).await, code(404, "NO_SUCH_APP"));
    for host in [
        "recipes-nobody.p2claw.example",
        "www.p2claw.example",
        "p2claw.example",
        "127.0.0.1",
        "",
    ] {
        assert_eq!(visit(host).await, code(404, "NO_SUCH_ALIAS"), "{host}");
    }
    let host = agent.host("recipes");
    drop(agent);
    loop {
        let found = visit(&host).await;
        if found == code(503, "AGENT_OFFLINE") {
            break;
        }
        // The service may not have noticed yet that the agent is gone.
        assert_eq!(found.0, 201, "{found:?}");
    }
    service.stop().await;
}

/// SIG-027: the edge says which host was asked for, and case and port do not matter.
#[tokio::test]
async fn sig_027_the_edge_names_the_host() {
    let service = Service::start().await;
    let mut agent = TestAgent::start(&service, 1, &["recipes"]).await;
    let host = agent.host("recipes").to_uppercase() + ":8443";
    let fields = [
        ("host", "127.0.0.1:1234"),
        ("p2claw-host", host.as_str()),
        ("content-type", PROTOBUF),
    ];
    let body = check(&agent.alias, None).request();
    let answer = request(&service, Method::POST, VISITS, &fields, body).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    agent.offer().await;
    service.stop().await;
}

/// SIG-020, VER-011, SIG-040: bodies that cannot be used.
#[tokio::test]
async fn sig_020_bad_requests() {
    let service = Service::start().await;
    let agent = TestAgent::start(&service, 1, &["recipes"]).await;
    let host = agent.host("recipes");
    let with = |change: fn(&mut p2claw_proto::v1::VisitRequest)| {
        let body = check(&agent.alias, None).request();
        let mut request = p2claw_proto::v1::VisitRequest::decode(body).unwrap();
        change(&mut request);
        Bytes::from(request.encode_to_vec())
    };
    for (body, expected) in [
        (Bytes::from_static(b"\xff"), "MALFORMED"),
        (Bytes::from(vec![0; 64 * 1024 + 1]), "MALFORMED"),
        (with(|request| request.nonce.clear()), "MALFORMED"),
        (with(|request| request.versions = vec![9]), "VERSION"),
        (with(|request| request.sdp.clear()), "BAD_OFFER"),
        (with(|request| request.sdp += &crate::sdp(9)), "BAD_OFFER"),
        (
            with(|request| request.sdp = "s=x\n".repeat(9000)),
            "BAD_OFFER",
        ),
    ] {
        let answer = post(&service, &host, VISITS, body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{expected}");
        assert_eq!(answer.code().await, expected);
    }
    // The types that pages of other sites can send without being asked for permission, and none.
    let visit = Visit::start(&service, &host, check(&agent.alias, None)).await;
    for content_type in [
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("multipart/form-data; boundary=application/x-protobuf"),
        None,
    ] {
        let content_type = content_type.map(|value| ("content-type", value));
        let fields: Vec<_> = [("host", host.as_str())]
            .into_iter()
            .chain(content_type)
            .collect();
        let body = check(&agent.alias, None).request();
        let answer = request(&service, Method::POST, VISITS, &fields, body).await;
        assert_eq!(answer.code().await, "MALFORMED", "{content_type:?}");
        let body = encode_update(vec![candidate(0)]);
        let answer = request(&service, Method::POST, &visit.location, &fields, body).await;
        assert_eq!(answer.code().await, "MALFORMED", "{content_type:?}");
    }
    service.stop().await;
}

/// SIG-021: updates of visits that do not exist, and updates that are nonsense.
#[tokio::test]
async fn sig_021_bad_updates() {
    let service = Service::start().await;
    let mut agent = TestAgent::start(&service, 1, &["recipes"]).await;
    let host = agent.host("recipes");
    let visit = Visit::start(&service, &host, check(&agent.alias, None)).await;
    agent.offer().await;
    for session in ["0".repeat(32), "zz".into(), "A".repeat(32)] {
        let path = format!("{VISITS}/{session}");
        let answer = post(&service, &host, &path, Bytes::new()).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert_eq!(answer.code().await, "NO_SUCH_VISIT");
    }
    let bad = visit.update(&service, Bytes::from_static(b"\xff")).await;
    assert_eq!(bad, StatusCode::BAD_REQUEST);
    let full = encode_update((0..128).map(candidate).collect());
    assert_eq!(visit.update(&service, full).await, StatusCode::NO_CONTENT);
    let more = encode_update(vec![candidate(0)]);
    assert_eq!(
        visit.update(&service, more).await,
        StatusCode::TOO_MANY_REQUESTS
    );
    service.stop().await;
}

/// SIG-028, SIG-030, SIG-032: a visitor that gives up, in either way; the agent is told.
#[tokio::test]
async fn sig_028_the_agent_learns_that_a_visitor_is_gone() {
    let service = Service::start().await;
    let mut agent = TestAgent::start(&service, 1, &["recipes"]).await;
    let host = agent.host("recipes");

    let visit = Visit::start(&service, &host, check(&agent.alias, None)).await;
    agent.offer().await;
    visit.vanish();
    assert_eq!(agent.visit_end().await, SignalCode::Ok);

    let mut visit = Visit::start(&service, &host, check(&agent.alias, None)).await;
    let offer = agent.offer().await;
    assert_eq!(visit.delete(&service).await, StatusCode::NO_CONTENT);
    assert_eq!(agent.visit_end().await, SignalCode::Ok);
    assert_eq!(visit.end().await, SignalCode::Ok);
    assert_eq!(visit.delete(&service).await, StatusCode::NOT_FOUND);

    // An answer that comes too late is refused.
    agent.answer(&offer).await;
    assert_eq!(agent.visit_end().await, SignalCode::NoSuchVisit);
    service.stop().await;
}

/// SIG-016: an agent that does not answer, and one that refuses.
#[tokio::test]
async fn sig_016_no_answer() {
    let service = Service::with_limits(hasty()).await;
    let mut agent = TestAgent::start(&service, 1, &["recipes"]).await;
    let host = agent.host("recipes");

    let mut visit = Visit::start(&service, &host, check(&agent.alias, None)).await;
    agent.offer().await;
    assert_eq!(visit.end().await, SignalCode::AgentTimeout);
    assert_eq!(agent.visit_end().await, SignalCode::AgentTimeout);

    let mut visit = Visit::start(&service, &host, check(&agent.alias, None)).await;
    let offer = agent.offer().await;
    agent
        .link
        .end_visit(offer.session_id, SignalCode::Limit, "too many")
        .unwrap();
    agent.flush().await;
    let event = visit.raw_event().await.unwrap();
    let Some(Kind::End(end)) = event.kind else {
        panic!("no end")
    };
    assert_eq!(
        (end.code(), &end.reason[..]),
        (SignalCode::Limit, "too many")
    );
    service.stop().await;
}

/// SIG-017: the stream ends some time after the answer, cleanly; both ends are told.
#[tokio::test]
async fn sig_017_the_stream_ends_after_the_answer() {
    let service = Service::with_limits(hasty()).await;
    let mut agent = TestAgent::start(&service, 1, &["recipes"]).await;
    let host = agent.host("recipes");
    let mut visit = Visit::start(&service, &host, check(&agent.alias, None)).await;
    let offer = agent.offer().await;
    agent.answer(&offer).await;
    assert!(matches!(visit.event().await, VisitorEvent::Answer { .. }));
    assert_eq!(visit.end().await, SignalCode::Ok);
    assert_eq!(agent.visit_end().await, SignalCode::Ok);
    service.stop().await;
}

/// A lost link ends the visits that wait on it, and a shutdown all of them.
#[tokio::test]
async fn visits_end_with_their_link_and_with_the_service() {
    let service = Service::start().await;
    let mut agent = TestAgent::start(&service, 1, &["recipes"]).await;
    let host = agent.host("recipes");
    let mut visit = Visit::start(&service, &host, check(&agent.alias, None)).await;
    agent.offer().await;
    let alias = agent.alias.clone();
    drop(agent);
    assert_eq!(visit.end().await, SignalCode::AgentOffline);

    let mut agent = TestAgent::start(&service, 1, &["recipes"]).await;
    let mut visit = Visit::start(&service, &host, check(&alias, None)).await;
    agent.offer().await;
    service.begin_stop();
    assert!(matches!(
        visit.end().await,
        SignalCode::ShuttingDown | SignalCode::AgentOffline
    ));
    service.stop().await;
}

/// SIG-032: an agent can say nothing about the visits of another.
#[tokio::test]
async fn sig_016_agents_touch_their_own_visits_only() {
    let service = Service::start().await;
    let mut agent = TestAgent::start(&service, 1, &["recipes"]).await;
    let mut other = TestAgent::start(&service, 2, &["recipes"]).await;
    let host = agent.host("recipes");
    let mut visit = Visit::start(&service, &host, check(&agent.alias, None)).await;
    let offer = agent.offer().await;
    other.answer(&offer).await;
    assert_eq!(other.visit_end().await, SignalCode::NoSuchVisit);
    other
        .link
        .end_visit(offer.session_id, SignalCode::Ok, "")
        .unwrap();
    other.flush().await;
    agent.answer(&offer).await;
    assert!(matches!(visit.event().await, VisitorEvent::Answer { .. }));
    service.stop().await;
}

/// SIG-022, SEC-007: ICE servers for visitors, with a fresh credential each time, and without the
/// secret behind it.
#[tokio::test]
async fn sig_022_ice_servers() {
    let service = Service::start().await;
    let mut usernames = Vec::new();
    for _ in 0..2 {
        let path = "/.well-known/p2claw/v1/ice-servers";
        let answer = request(&service, Method::GET, path, &[], "").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.headers["content-type"], PROTOBUF);
        assert_eq!(answer.headers["cache-control"], "no-store");
        let body = answer.bytes().await;
        assert!(!body.windows(5).any(|part| part == b"north"));
        let servers = IceServers::decode(body).unwrap();
        let [_, turn] = servers.ice_servers.as_slice() else {
            panic!("two servers")
        };
        let now = unix_ms() / 1000;
        let password = p2claw_signaling::turn::password_for(b"north", &turn.username, now).unwrap();
        assert_eq!(password, turn.credential);
        usernames.push(turn.username.clone());
    }
    assert_ne!(usernames[0], usernames[1]);
    let health = request(&service, Method::GET, "/healthz", &[], "").await;
    assert!(health.bytes().await.starts_with(b"ok\n"));
    service.stop().await;
}

/// An address that is nobody's yet is NO_SUCH_ALIAS even if its form is right.
#[tokio::test]
async fn nam_009_an_alias_is_given_only_at_registration() {
    let service = Service::start().await;
    let alias = Alias::candidate(&crate::agent::key(9).peer_id(), 0);
    let host = format!("recipes-{alias}.{}", crate::PARENT);
    let body = check(&alias, None).request();
    let answer = post(&service, &host, VISITS, body).await;
    assert_eq!(answer.code().await, "NO_SUCH_ALIAS");
    service.stop().await;
}
