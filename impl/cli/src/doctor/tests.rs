//! The doctor's judgement, and its questions to services of the test's own.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::net::SocketAddr;

use axum::{
    Router,
    body::Bytes,
    extract::{
        State,
        ws::{Message, WebSocketUpgrade},
    },
    routing::get,
};
use p2claw_network::{
    Machine,
    behaviour::{Behaviour, Filtering, Lifetime, Mapping, Nat, Reflection},
};
use p2claw_proto::v1::{Challenge, Envelope, IceServer, IceServers, envelope::Kind};
use p2claw_signaling::turn;
use prost::Message as _;
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{report::Verdict, servers::Found, *};
use p2claw_relay::{Config, Relay};

/// The secret of coord's credentials.
const SECRET: &str = "north";

/// A coord that says what the test wants.
#[derive(Clone, Default)]
struct FakeCoord {
    /// Gets the number of messages of a link when that has ended, the close aside.
    heard: Option<mpsc::Sender<usize>>,
    /// Its clock is so far off.
    off_ms: i64,
    versions: Vec<u32>,
    domain: String,
    servers: Vec<IceServer>,
}

impl FakeCoord {
    /// Its URL; it ends with the set of tasks.
    async fn start(mut self) -> (String, JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        self.domain = address.to_string();
        let router = Router::new()
            .route("/.well-known/p2claw/v1/agent", get(link))
            .route("/.well-known/p2claw/v1/ice-servers", get(ice_servers))
            .with_state(self);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        (format!("http://{address}"), tasks)
    }
}

async fn link(
    State(coord): State<FakeCoord>,
    upgrade: WebSocketUpgrade,
) -> axum::response::Response {
    upgrade
        .protocols(["p2claw.v1"])
        .on_upgrade(async move |mut socket| {
            let challenge = Challenge {
                versions: coord.versions,
                nonce: Bytes::from(vec![1; 32]),
                domain: coord.domain,
                time_ms: unix_millis() + coord.off_ms,
            };
            let envelope = Envelope {
                seq: 1,
                kind: Some(Kind::Challenge(challenge)),
                ..Envelope::default()
            };
            let message = Message::Binary(envelope.encode_to_vec().into());
            let _ = socket.send(message).await;
            let mut heard = 0;
            while let Some(Ok(message)) = socket.recv().await {
                heard += usize::from(!matches!(message, Message::Close(_)));
            }
            if let Some(told) = coord.heard {
                told.send(heard).await.unwrap();
            }
        })
}

async fn ice_servers(State(coord): State<FakeCoord>) -> Vec<u8> {
    let ice_servers = coord.servers;
    IceServers { ice_servers }.encode_to_vec()
}

fn find<'a>(checks: &'a [Check], name: &str) -> &'a Check {
    let found = checks.iter().find(|check| check.name == name);
    found.unwrap_or_else(|| unreachable!("no {name} among {checks:?}"))
}

async fn asked(coord: FakeCoord) -> coord::Found {
    let (url, _tasks) = coord.start().await;
    coord::examine(&Machine, &url, &authorities()).await
}

#[tokio::test]
async fn a_coord_that_is_well_is_found_well() {
    let named = IceServer {
        urls: vec!["stun:127.0.0.1:9".to_owned()],
        ..IceServer::default()
    };
    let (heard, mut told) = mpsc::channel(1);
    let coord = FakeCoord {
        heard: Some(heard),
        versions: vec![1],
        servers: vec![named.clone()],
        ..FakeCoord::default()
    };
    let (url, _tasks) = coord.start().await;
    let found = coord::examine(&Machine, &url, &authorities()).await;
    assert_eq!(
        told.recv().await,
        Some(0),
        "a Hello would replace the agent"
    );
    let verdicts: Vec<_> = found
        .checks
        .iter()
        .map(|check| (&*check.name, check.verdict))
        .collect();
    let ok = Verdict::Ok;
    assert_eq!(verdicts, [("connection", ok), ("link", ok), ("clock", ok)]);
    assert_eq!(found.servers, Some(vec![named]));
}

/// IDN-011: 60 s are the limit, and a person is told which way to turn the clock.
#[tokio::test]
async fn a_clock_that_is_wrong_prevents_visits() {
    for (off_ms, side) in [(-75_500, "ahead of"), (75_500, "behind")] {
        let found = asked(FakeCoord {
            versions: vec![1],
            off_ms,
            ..FakeCoord::default()
        })
        .await;
        let clock = find(&found.checks, "clock");
        assert_eq!(clock.verdict, Verdict::Failed);
        assert!(clock.summary.contains(&format!("75 s {side}")), "{clock:?}");
    }
}

#[tokio::test]
async fn a_coord_that_is_down_or_none_is_named_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let found = coord::examine(&Machine, &url, &authorities()).await;
    let check = find(&found.checks, "connection");
    assert_eq!(check.verdict, Verdict::Failed);
    assert!(check.summary.contains("refused"), "{check:?}");
    assert_eq!(found.servers, None);

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { axum::serve(listener, Router::new()).await.unwrap() });
    let found = coord::examine(&Machine, &url, &authorities()).await;
    let check = find(&found.checks, "link");
    assert_eq!(check.verdict, Verdict::Failed);
    assert!(check.summary.contains("404"), "{check:?}");
    assert_eq!(find(&found.checks, "ice-servers").verdict, Verdict::Warning);
}

/// A relay of coord's with this secret, and what the doctor says of it.
async fn tried(secret: &str, expired: bool) -> Vec<Check> {
    let config = Config::new(SECRET.as_bytes().to_vec());
    let relay = Relay::bind(([127, 0, 0, 1], 0).into(), config)
        .await
        .unwrap();
    let urls = relay.urls("127.0.0.1");
    let mut tasks = JoinSet::new();
    tasks.spawn(relay.run(CancellationToken::new()));
    let now = unix_millis() / 1_000;
    let issued = turn::issue(
        secret.as_bytes(),
        [7; 8],
        if expired { now - 7_200 } else { now },
    );
    let list = [IceServer {
        urls,
        username: issued.username,
        credential: issued.credential,
        expires_at: issued.expires_at,
    }];
    let (named, left_aside) = servers::read(&list, &[]);
    assert!(left_aside.is_empty(), "{left_aside:?}");
    let found = servers::examine(&Machine, &named, &authorities(), now, false).await;
    // Over UDP and over TCP.
    assert_eq!(found.checks.len(), 2, "{found:?}");
    found.checks
}

/// SIG-022
#[tokio::test]
async fn a_relay_is_tried_with_the_credential_of_coord() {
    let (well, refused, expired) = tokio::join!(
        tried(SECRET, false),
        tried("another secret", false),
        tried(SECRET, true)
    );
    for check in well {
        assert_eq!(check.verdict, Verdict::Ok, "{check:?}");
    }
    for (checks, error) in [(refused, "refused"), (expired, "expired")] {
        for check in checks {
            assert_eq!(check.verdict, Verdict::Failed, "{check:?}");
            assert_eq!(check.details["error"], error, "{check:?}");
        }
    }
}

fn behaviour(mapped: &str, mapping: Mapping, filtering: Filtering) -> Behaviour {
    let translated = mapping != Mapping::None;
    let local = if translated { "10.0.0.5:50000" } else { mapped };
    let local: SocketAddr = local.parse().unwrap();
    let mapped = mapped.parse().unwrap();
    let reflection = Reflection {
        local,
        mapped,
        round_trip: Duration::from_millis(21),
        has_other_address: filtering != Filtering::Unknown,
    };
    let server = "198.51.100.20:3478".parse().unwrap();
    Behaviour {
        servers: vec![(server, Some(reflection))],
        nat: Some(Nat {
            local,
            mapped,
            mapping,
            filtering,
            preserves_ports: !translated,
            hairpinning: translated.then_some(false),
        }),
    }
}

fn silent() -> Behaviour {
    Behaviour {
        servers: vec![("198.51.100.20:3478".parse().unwrap(), None)],
        nat: None,
    }
}

fn relays(over_udp: bool, over_tcp: bool) -> servers::Relays {
    servers::Relays {
        named: true,
        over_udp,
        over_tcp,
    }
}

/// Everything that can lie between, with a relay and without: who gets through.
#[test]
fn what_it_means_for_visitors() {
    let public = "203.0.113.7:50001";
    let nat = |mapping, filtering| Some(behaviour(public, mapping, filtering));
    let dependent = Filtering::AddressAndPortDependent;
    let ways = [
        ("open", nat(Mapping::None, Filtering::EndpointIndependent)),
        ("firewall", nat(Mapping::None, dependent)),
        (
            "full cone",
            nat(Mapping::EndpointIndependent, Filtering::EndpointIndependent),
        ),
        (
            "address-restricted",
            nat(Mapping::EndpointIndependent, Filtering::AddressDependent),
        ),
        (
            "port-restricted",
            nat(Mapping::EndpointIndependent, dependent),
        ),
        (
            "cone, filtering unknown",
            nat(Mapping::EndpointIndependent, Filtering::Unknown),
        ),
        (
            "address-dependent",
            nat(Mapping::AddressDependent, dependent),
        ),
        (
            "symmetric",
            nat(Mapping::AddressAndPortDependent, dependent),
        ),
        ("dependent", nat(Mapping::Dependent, Filtering::Unknown)),
        ("one server", nat(Mapping::Unknown, Filtering::Unknown)),
        (
            "private",
            Some(behaviour("192.168.1.9:5", Mapping::None, dependent)),
        ),
        (
            "this machine",
            Some(behaviour("127.0.0.1:5", Mapping::None, dependent)),
        ),
        ("blocked", Some(silent())),
        ("not asked", None),
    ];
    let mut lines = Vec::new();
    for (way, ipv4) in ways {
        for (relay, relays) in [
            ("relay", relays(true, false)),
            ("relay over tcp", relays(false, true)),
            ("no relay", relays(false, false)),
        ] {
            let found = Found {
                ipv4: ipv4.clone(),
                relays,
                ..Found::default()
            };
            let checks = nat::judge(&found, false);
            let check = find(&checks, "visitors");
            let (verdict, summary) = (check.verdict, &check.summary);
            lines.push(format!("{way}, {relay}: {verdict:?}: {summary}"));
        }
    }
    insta::assert_snapshot!(lines.join("\n"));
}

/// The report as a person behind a common home router sees it, at a terminal of 100 columns, and in
/// a file.
#[test]
fn people_see_a_line_a_check() {
    let mut checks = vec![
        Check::ok(
            Group::Machine,
            "state",
            "/home/a/.local/state/p2claw is yours alone",
        ),
        Check::warning(
            Group::Machine,
            "agent",
            "the agent is not running: nobody can visit now",
            "start it with `p2claw run`",
        ),
        Check::failed(
            Group::Coord,
            "clock",
            "this machine's clock is 75 s behind coord's; more than 60 s is refused",
            "set the clock, best by NTP (timedatectl set-ntp true)",
        ),
    ];
    let found = Found {
        ipv4: Some(behaviour(
            "203.0.113.7:50001",
            Mapping::EndpointIndependent,
            Filtering::AddressAndPortDependent,
        )),
        ipv6: Some(behaviour(
            "[2001:db8::7]:50001",
            Mapping::None,
            Filtering::AddressAndPortDependent,
        )),
        relays: relays(true, true),
        lifetime: Some(Lifetime::Between(
            Some(Duration::from_secs(10)),
            Duration::from_secs(20),
        )),
        ..Found::default()
    };
    checks.extend(nat::judge(&found, true));
    let report = Report(checks);
    assert_eq!(report.failures(), 1);
    insta::assert_snapshot!("terminal", report.lines(Some(100)).join("\n"));
    insta::assert_snapshot!("file", report.lines(None).join("\n"));
    insta::assert_json_snapshot!("programs", report.json());
}

#[test]
fn a_server_that_no_agent_can_use_is_a_warning() {
    let list = [IceServer {
        urls: vec!["stuns:a.example".to_owned(), "stun:a.example".to_owned()],
        ..IceServer::default()
    }];
    let more = [
        "stun:b.example:1".to_owned(),
        "stun:a.example:3478".to_owned(),
    ];
    let (named, checks) = servers::read(&list, &more);
    let named: Vec<String> = named.iter().map(|one| one.server.to_string()).collect();
    assert_eq!(named, ["stun:a.example:3478", "stun:b.example:1"]);
    assert_eq!(find(&checks, "stuns:a.example").verdict, Verdict::Warning);
}
