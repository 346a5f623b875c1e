//! Registration and the life of a link.

use crate::agent::{PATIENCE, RawAgent, TestAgent, hello, key, unix_ms};
use crate::service::{DOMAIN, Service, config, hasty};
use crate::visitor::request;
use http::Method;
use p2claw_coord::RandomSource;
use p2claw_identity::Alias;
use p2claw_proto::v1::envelope::Kind;
use p2claw_proto::v1::{self, SignalCode};
use p2claw_signaling::agent_link::AgentEvent;
use prost::Message as _;
use std::io;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

/// IDN-009, IDN-023: under several names, an agent is told the one that it has asked.
#[tokio::test]
async fn idn_009_the_domain_is_the_one_that_was_asked() {
    let mut config = config();
    config.domains.push("localhost:8788".to_owned());
    let service = Service::with(config).await;
    for (host, domain) in [
        ("localhost:8788", "localhost:8788"),
        ("LocalHost:8788", "localhost:8788"),
        (DOMAIN, DOMAIN),
        ("elsewhere.example", DOMAIN),
    ] {
        let mut raw = RawAgent::connect_as(&service, host).await;
        let challenge = raw.challenge().await;
        assert_eq!(challenge.domain, domain, "{host}");
        let hello = hello(&key(1), domain, &challenge.nonce, unix_ms());
        raw.send(7, Kind::Hello(hello)).await;
        let answer = raw.receive().await.unwrap();
        assert!(matches!(answer.kind, Some(Kind::Welcome(_))), "{host}");
    }
    // What was signed for another name of the same coord is for that one.
    for (host, other) in [("localhost:8788", DOMAIN), (DOMAIN, "localhost:8788")] {
        let mut raw = RawAgent::connect_as(&service, host).await;
        let challenge = raw.challenge().await;
        let hello = hello(&key(1), other, &challenge.nonce, unix_ms());
        raw.send(7, Kind::Hello(hello)).await;
        let answer = raw.receive().await.unwrap();
        assert!(matches!(answer.kind, Some(Kind::Error(_))), "{host}");
    }
}

/// What the random source gives is what is given out; where it fails nothing is.
#[tokio::test]
async fn random_bytes_come_from_the_source() {
    let asked = AtomicU8::new(0);
    let mut config = config();
    config.random = RandomSource::new(move |bytes| {
        let number = asked.fetch_add(1, Ordering::Relaxed);
        if number == 2 {
            return Err(io::ErrorKind::Other.into());
        }
        bytes.fill(number);
        Ok(())
    });
    let service = Service::with(config).await;
    for number in 0..2 {
        let challenge = RawAgent::connect(&service).await.challenge().await;
        assert_eq!(challenge.nonce, [number; 32][..]);
    }
    let mut refused = RawAgent::connect(&service).await;
    assert_eq!(refused.receive().await, None);
    // Then it gives some again.
    let path = "/.well-known/p2claw/v1/ice-servers";
    let answer = request(&service, Method::GET, path, &[], "").await;
    let servers = v1::IceServers::decode(answer.bytes().await).unwrap();
    let name = &servers.ice_servers[1].username;
    assert!(name.ends_with(":0303030303030303"), "{name}");
}

/// SIG-003, NAM-009: a new key gets its first candidate and is told where its apps are.
#[tokio::test]
async fn sig_003_registration() {
    let service = Service::start().await;
    let mut raw = RawAgent::connect(&service).await;
    let challenge = raw.challenge().await;
    assert_eq!(challenge.versions, [1]);
    assert_eq!(challenge.domain, DOMAIN);
    assert!((challenge.time_ms - unix_ms()).abs() < 5_000);
    let good = hello(&key(1), DOMAIN, &challenge.nonce, unix_ms());
    raw.send(7, Kind::Hello(good)).await;
    let answer = raw.receive_bytes().await.unwrap();
    // SEC-007: the relay's secret stays here.
    assert!(!answer.windows(5).any(|part| part == b"north"));
    let answer = v1::Envelope::decode(answer).unwrap();
    assert_eq!(answer.re, 7);
    let Some(Kind::Welcome(welcome)) = answer.kind else {
        panic!("no welcome")
    };
    let alias = Alias::candidate(&key(1).peer_id(), 0);
    assert_eq!(welcome.alias, alias.as_str());
    assert_eq!((welcome.scheme.as_str(), welcome.port), ("https", 8443));
    assert_eq!(welcome.heartbeat_seconds, 15);
    let [stun, turn] = welcome.ice_servers.as_slice() else {
        panic!("two servers")
    };
    assert_eq!((stun.username.as_str(), stun.expires_at), ("", 0));
    let now = unix_ms() / 1000;
    assert!((turn.expires_at - now - 3600).abs() < 5);
    // SIG-005: agents have to skip what they do not know.
    let grease = v1::Envelope::decode(raw.receive_bytes().await.unwrap()).unwrap();
    assert_eq!((grease.kind, grease.re), (None, 0));
    raw.send(8, Kind::Heartbeat(v1::Heartbeat {})).await;
    let ack = raw.receive().await.unwrap();
    assert_eq!(ack.re, 8);
    assert!(matches!(ack.kind, Some(Kind::HeartbeatAck(_))));
    service.stop().await;
}

/// IDN-011, IDN-012: what is wrong with a registration is answered with its code, and the link is
/// closed.
#[tokio::test]
async fn idn_011_bad_registrations() {
    let service = Service::start().await;
    let now = unix_ms();
    let mut first = RawAgent::connect(&service).await;
    let old_nonce = first.challenge().await.nonce;
    type Change = fn(&mut v1::Hello);
    let cases: [(&str, &str, i64, bool, Change, SignalCode); 7] = [
        (
            "signature",
            DOMAIN,
            0,
            false,
            |hello| {
                let mut bytes = hello.signature.to_vec();
                bytes[10] ^= 1;
                hello.signature = bytes.into();
            },
            SignalCode::BadSignature,
        ),
        (
            "no signature",
            DOMAIN,
            0,
            false,
            |hello| hello.signature.clear(),
            SignalCode::BadSignature,
        ),
        (
            "statement",
            DOMAIN,
            0,
            false,
            |hello| {
                hello.registration = vec![0xff; 9].into();
            },
            SignalCode::Malformed,
        ),
        (
            "slow clock",
            DOMAIN,
            -61_000,
            false,
            |_| {},
            SignalCode::Stale,
        ),
        (
            "fast clock",
            DOMAIN,
            62_000,
            false,
            |_| {},
            SignalCode::Stale,
        ),
        (
            "domain",
            "other.example",
            0,
            false,
            |_| {},
            SignalCode::WrongDomain,
        ),
        ("replay", DOMAIN, 0, true, |_| {}, SignalCode::Stale),
    ];
    for (name, domain, skew, replay, change, code) in cases {
        let mut raw = RawAgent::connect(&service).await;
        let nonce = raw.challenge().await.nonce;
        assert_ne!(nonce, old_nonce);
        let nonce = if replay { old_nonce.clone() } else { nonce };
        let mut message = hello(&key(1), domain, &nonce, now + skew);
        change(&mut message);
        raw.send(3, Kind::Hello(message)).await;
        assert_eq!(raw.error().await, (code, 3), "{name}");
        assert!(raw.receive().await.is_none(), "{name}: the link must close");
    }
    service.stop().await;
}

/// SIG-023: nothing else before Hello.
#[tokio::test]
async fn sig_023_nothing_before_hello() {
    let service = Service::start().await;
    let mut raw = RawAgent::connect(&service).await;
    raw.challenge().await;
    raw.send(1, Kind::RouteAnnounce(v1::RouteAnnounce::default()))
        .await;
    assert_eq!(raw.error().await, (SignalCode::Unexpected, 1));
    assert!(raw.receive().await.is_none());
    service.stop().await;
}

/// SIG-003: an agent that says nothing does not keep its link.
#[tokio::test]
async fn sig_003_a_silent_newcomer_is_sent_away() {
    let service = Service::with_limits(hasty()).await;
    let mut raw = RawAgent::connect(&service).await;
    raw.challenge().await;
    let last = raw.receive().await.unwrap();
    assert!(
        matches!(last.kind, Some(Kind::Goodbye(bye)) if bye.code() == SignalCode::HeartbeatLost)
    );
    assert!(raw.receive().await.is_none());
    service.stop().await;
}

/// SIG-006: a registered agent that falls silent loses its link after three heartbeats.
#[tokio::test]
async fn sig_006_a_silent_agent_is_dead() {
    let mut limits = hasty();
    limits.heartbeat = Duration::from_secs(1);
    let service = Service::with_limits(limits).await;
    let mut agent = TestAgent::start(&service, 1, &["recipes"]).await;
    sleep(Duration::from_millis(2_500)).await;
    let AgentEvent::Closed { code, .. } = agent.event().await else {
        panic!("not closed")
    };
    assert_eq!(code, SignalCode::HeartbeatLost);
    service.stop().await;
}

/// SIG-001: another subprotocol, or none, is no link.
#[tokio::test]
async fn sig_001_the_subprotocol_is_asked_for() {
    let service = Service::start().await;
    for name in [None, Some("p2claw.v2"), Some("chat")] {
        assert!(RawAgent::try_connect(&service, name).await.is_err());
    }
    service.stop().await;
}

/// SIG-001, SIG-002: text, too long messages and nonsense end the link; coord says why.
#[tokio::test]
async fn sig_002_unreadable_messages() {
    let service = Service::start().await;
    for bytes in [vec![0xff; 20], vec![0; 65_537]] {
        let mut raw = RawAgent::connect(&service).await;
        raw.challenge().await;
        raw.send_bytes(bytes).await;
        assert_eq!(raw.error().await, (SignalCode::Malformed, 0));
        assert!(raw.receive().await.is_none());
    }
    for message in [
        Message::text("hello"),
        Message::Binary(vec![0; 1_000_000].into()),
    ] {
        let mut raw = RawAgent::connect(&service).await;
        raw.challenge().await;
        let _ = futures_util::SinkExt::send(&mut raw.socket, message).await;
        // Where the other end still sends, the reason may be lost with the connection.
        while raw.receive_bytes().await.is_some() {}
    }
    service.stop().await;
}

/// SIG-005, VER-016: unknown kinds and unknown fields do no harm.
#[tokio::test]
async fn sig_005_unknown_kinds_are_answered() {
    let service = Service::start().await;
    let mut agent = TestAgent::start(&service, 1, &["recipes"]).await;
    for random in [0, 7, 999] {
        agent.link.grease(random).unwrap();
        let AgentEvent::Refused { re, code, .. } = agent.event().await else {
            panic!("not answered")
        };
        assert_eq!(code, SignalCode::UnknownKind);
        assert!(re > 0);
    }
    // Field 1000 of an envelope, and field 1000 of a known message.
    let mut heartbeat = vec![0x08, 0x63, 0xb2, 0x01, 0x03, 0xc0, 0x3e, 0x05];
    heartbeat.extend([0xc0, 0x3e, 0x05]);
    agent.raw.send_bytes(heartbeat).await;
    let ack = agent.raw.receive().await.unwrap();
    assert_eq!(ack.re, 0x63);
    assert!(matches!(ack.kind, Some(Kind::HeartbeatAck(_))));
    service.stop().await;
}

/// SIG-008, NAM-004: refused routes do not touch the others.
#[tokio::test]
async fn sig_008_routes() {
    let service = Service::start().await;
    let mut agent = TestAgent::start(&service, 1, &[]).await;
    let apps = ["recipes", "www", "No"].map(String::from).to_vec();
    agent
        .raw
        .send(50, Kind::RouteAnnounce(v1::RouteAnnounce { apps }))
        .await;
    let ack = agent.raw.receive().await.unwrap();
    assert_eq!(ack.re, 50);
    let Some(Kind::RouteAck(ack)) = ack.kind else {
        panic!("no acknowledgement")
    };
    assert_eq!(ack.accepted, ["recipes"]);
    let refused: Vec<_> = ack.refused.iter().map(|r| (&r.app[..], r.code())).collect();
    assert_eq!(
        refused,
        [
            ("www", SignalCode::NameReserved),
            ("No", SignalCode::NameInvalid)
        ]
    );
    service.stop().await;
}

/// SIG-009: a newer link takes over, the older is told and closed, and visits go to the newer.
#[tokio::test]
async fn sig_009_a_newer_link_replaces_an_older() {
    let service = Service::start().await;
    let mut older = TestAgent::start(&service, 1, &["recipes"]).await;
    let mut newer = TestAgent::start(&service, 1, &["recipes"]).await;
    assert_eq!(older.alias, newer.alias);
    assert_eq!(older.event().await, AgentEvent::Replaced);
    assert!(older.raw.receive().await.is_none());
    let check = crate::visitor::check(&newer.alias, None);
    let host = newer.host("recipes");
    let _visit = crate::visitor::Visit::start(&service, &host, check).await;
    newer.offer().await;
    service.stop().await;
}

/// NAM-008: a restart of the service keeps aliases; a key keeps its alias wherever it comes from.
#[tokio::test]
async fn nam_008_a_restart_keeps_the_alias() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("coord.redb");
    let service = Service::with_database(path.clone()).await;
    let first = TestAgent::start(&service, 1, &["recipes"]).await;
    let other = TestAgent::start(&service, 2, &["recipes"]).await;
    assert_ne!(first.alias, other.alias);
    service.stop().await;
    let service = Service::with_database(path).await;
    let again = TestAgent::start(&service, 1, &["recipes"]).await;
    assert_eq!(first.alias, again.alias);
    service.stop().await;
}

/// SIG-024: a revoked alias is gone, also after a restart.
#[tokio::test]
async fn sig_024_revocation() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("coord.redb");
    let service = Service::with_database(path.clone()).await;
    let mut agent = TestAgent::start(&service, 1, &["recipes"]).await;
    agent.link.revoke(unix_ms()).unwrap();
    let AgentEvent::Closed { code, .. } = agent.event().await else {
        panic!("not closed")
    };
    assert_eq!(code, SignalCode::Revoked);
    service.stop().await;

    let service = Service::with_database(path).await;
    let mut raw = RawAgent::connect(&service).await;
    let nonce = raw.challenge().await.nonce;
    let message = hello(&key(1), DOMAIN, &nonce, unix_ms());
    raw.send(2, Kind::Hello(message)).await;
    assert_eq!(raw.error().await, (SignalCode::Revoked, 2));
    service.stop().await;
}

/// SIG-031: a shutdown says goodbye on every link and ends in time, also while agents do not react.
#[tokio::test]
async fn a_shutdown_says_goodbye() {
    let service = Service::with_limits(hasty()).await;
    let mut agent = TestAgent::start(&service, 1, &["recipes"]).await;
    let _stuck = TestAgent::start(&service, 2, &["recipes"]).await;
    let mut newcomer = RawAgent::connect(&service).await;
    newcomer.challenge().await;
    service.begin_stop();
    let AgentEvent::Closed { code, .. } = agent.event().await else {
        panic!("not closed")
    };
    assert_eq!(code, SignalCode::ShuttingDown);
    let last = newcomer.receive().await.unwrap();
    assert!(matches!(last.kind, Some(Kind::Goodbye(_))));
    timeout(PATIENCE, service.stop()).await.unwrap();
}
