//! The whole state x event table of both links, as snapshots.

use crate::agent_link::AgentLink;
use crate::coord_link::{CoordLink, CoordLinkConfig, WelcomeFacts};
use crate::limits::MAX_ENVELOPE;
use crate::link::kind_name;
use crate::visitor::{CheckedRequest, VisitCheck};
use bytes::Bytes;
use p2claw_identity::{
    Alias, AppName, Fingerprint, HostLabel, IdentityKey, Nonce, SessionId, statement,
};
use p2claw_proto::v1::envelope::Kind;
use p2claw_proto::v1::{self, Envelope};
use prost::Message;
use std::fmt::Write;
use std::time::{Duration, Instant};

pub(crate) const NOW_MS: i64 = 1_800_000_000_000;
pub(crate) const NONCE: Nonce = Nonce([9; 32]);
pub(crate) const SESSION: SessionId = SessionId([0x5e; 16]);
pub(crate) const DOMAIN: &str = "p2claw.example";

// Tests own the clock, so any instant will do as its start.
#[expect(
    clippy::disallowed_methods,
    reason = "an arbitrary origin for the test's clock"
)]
pub(crate) fn start() -> Instant {
    Instant::now()
}

pub(crate) fn key() -> IdentityKey {
    IdentityKey::from_seed([7; 32])
}

pub(crate) fn alias() -> Alias {
    Alias::parse("quiet-otter-0417").unwrap()
}

pub(crate) fn address() -> HostLabel {
    HostLabel::new(AppName::parse("recipes").unwrap(), alias())
}

pub(crate) fn sdp(byte: u8) -> String {
    format!(
        "v=0\r\na=fingerprint:sha-256 {}\r\n",
        Fingerprint([byte; 32])
    )
}

pub(crate) fn envelope(seq: u64, kind: Option<Kind>) -> Vec<u8> {
    Envelope { seq, re: 0, kind }.encode_to_vec()
}

pub(crate) fn label() -> HostLabel {
    HostLabel::new(AppName::parse("recipes").unwrap(), alias())
}

pub(crate) fn request() -> CheckedRequest {
    let check = VisitCheck::new(address(), Nonce([2; 32]), sdp(3), Vec::new()).unwrap();
    CheckedRequest::parse(&check.request()).unwrap()
}

/// One well-formed message of every kind.
pub(crate) fn every_kind() -> Vec<Kind> {
    let session_id = || Bytes::copy_from_slice(SESSION.as_bytes());
    let (registration, signature) = statement::sign_registration(&key(), DOMAIN, &NONCE, NOW_MS);
    let (revocation, revocation_signature) =
        statement::sign_revocation(&key(), DOMAIN, &NONCE, NOW_MS);
    vec![
        Kind::Challenge(v1::Challenge {
            versions: vec![7, 1],
            nonce: Bytes::copy_from_slice(NONCE.as_bytes()),
            domain: DOMAIN.into(),
            time_ms: NOW_MS,
        }),
        Kind::Hello(v1::Hello {
            registration,
            signature,
            software: "example/1".into(),
        }),
        Kind::Welcome(v1::Welcome {
            version: 1,
            alias: alias().to_string(),
            scheme: "https".into(),
            parent: DOMAIN.into(),
            max_routes: 64,
            max_visits: 256,
            heartbeat_seconds: 15,
            ..v1::Welcome::default()
        }),
        Kind::RouteAnnounce(v1::RouteAnnounce {
            apps: vec!["recipes".into(), "www".into(), "Bad".into()],
        }),
        Kind::RouteAck(v1::RouteAck {
            accepted: vec!["recipes".into()],
            refused: vec![],
        }),
        Kind::VisitOffer(v1::VisitOffer {
            session_id: session_id(),
            app: "recipes".into(),
            alias: alias().to_string(),
            versions: vec![1],
            sdp: sdp(3),
            nonce: Bytes::copy_from_slice(&[2; 32]),
            restarts: Bytes::new(),
        }),
        Kind::VisitAnswer(v1::VisitAnswer {
            session_id: session_id(),
            sdp: sdp(4),
            statement: Bytes::from_static(b"statement"),
            signature: Bytes::copy_from_slice(&[0; 64]),
        }),
        Kind::Candidate(v1::Candidate {
            session_id: session_id(),
            candidate: "candidate:1".into(),
            sdp_mid: "0".into(),
        }),
        Kind::VisitEnd(v1::VisitEnd {
            session_id: session_id(),
            code: v1::SignalCode::Ok.into(),
            reason: "done".into(),
        }),
        Kind::Goodbye(v1::Goodbye {
            code: v1::SignalCode::ShuttingDown.into(),
            reason: "bye".into(),
        }),
        Kind::Revoke(v1::Revoke {
            statement: revocation,
            signature: revocation_signature,
        }),
        Kind::ReplacedByNewer(v1::ReplacedByNewer {}),
        Kind::Heartbeat(v1::Heartbeat {}),
        Kind::HeartbeatAck(v1::HeartbeatAck { time_ms: NOW_MS }),
        Kind::Error(v1::Error {
            code: v1::SignalCode::Internal.into(),
            detail: "oops".into(),
        }),
        Kind::IceServers(v1::IceServers {
            ice_servers: Vec::new(),
        }),
    ]
}

/// Every input of the table: (name, bytes).
fn inputs() -> Vec<(&'static str, Vec<u8>)> {
    let mut inputs: Vec<_> = every_kind()
        .into_iter()
        .map(|kind| (kind_name(&kind), envelope(5, Some(kind))))
        .collect();
    inputs.push(("unknown kind", envelope(5, None)));
    inputs.push(("unknown, unnumbered", envelope(0, None)));
    inputs.push(("no envelope", vec![0xff]));
    inputs.push(("over 64 KiB", vec![0; MAX_ENVELOPE + 1]));
    inputs
}

/// What stands in an envelope, in short.
fn describe(bytes: &[u8]) -> String {
    let envelope = Envelope::decode(bytes).unwrap();
    match envelope.kind {
        None => "grease".into(),
        Some(Kind::Error(error)) => format!("Error {} re {}", code_name(error.code), envelope.re),
        Some(Kind::Goodbye(bye)) => format!("Goodbye {}", code_name(bye.code)),
        Some(Kind::VisitEnd(end)) => format!("VisitEnd {}", code_name(end.code)),
        Some(kind) => kind_name(&kind).into(),
    }
}

fn code_name(code: i32) -> &'static str {
    crate::code::name(crate::code::from_number(code))
}

/// The first word of a Debug form.
fn variant(value: &impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    text.split([' ', '(', '{']).next().unwrap().to_owned()
}

/// The links hide their states; this is what a driver can see of them.
fn row(
    table: &mut String,
    state: &str,
    input: &str,
    result: String,
    next: String,
    sent: &[String],
    events: &[String],
) {
    writeln!(
        table,
        "{state:<15} | {input:<19} | {result:<10} | {next:<15} | {:<26} | {}",
        sent.join(", "),
        events.join(", ")
    )
    .unwrap();
}

fn agent_state(link: &AgentLink) -> String {
    state_of(&format!("{link:?}"))
}

/// Takes the state's name out of the Debug form of a link.
fn state_of(debug: &str) -> String {
    let rest = debug.split(" state: ").nth(1).unwrap();
    rest.split([' ', ',']).next().unwrap().to_owned()
}

pub(crate) fn agents(now: Instant) -> Vec<AgentLink> {
    let kinds = every_kind();
    let take = |name: &&str| {
        let kind = kinds.iter().find(|kind| kind_name(kind) == *name).unwrap();
        envelope(1, Some(kind.clone()))
    };
    let steps: [&[&str]; 4] = [
        &[],
        &["Challenge"],
        &["Challenge", "Welcome"],
        &["Challenge", "Welcome", "Goodbye"],
    ];
    let links = steps.iter().map(|steps| {
        let mut link = AgentLink::new(key(), "example/1", now);
        for step in *steps {
            link.handle(now, NOW_MS, &take(step)).unwrap();
        }
        while link.poll_transmit().is_some() {}
        while link.poll_event().is_some() {}
        link
    });
    links.collect()
}

pub(crate) fn coords(now: Instant) -> Vec<CoordLink> {
    let hello = envelope(1, Some(every_kind().swap_remove(1)));
    let links = (0..4).map(|steps| {
        let mut link = CoordLink::new(CoordLinkConfig::new(DOMAIN), NONCE, now, NOW_MS);
        if steps > 0 {
            link.handle(now, NOW_MS, &hello).unwrap();
        }
        if steps > 1 {
            let facts = WelcomeFacts::for_alias(alias(), "https", DOMAIN);
            link.welcome(facts, now).unwrap();
        }
        if steps > 2 {
            link.replaced();
        }
        while link.poll_transmit().is_some() {}
        while link.poll_event().is_some() {}
        link
    });
    links.collect()
}

/// SIG-003 to SIG-011, SIG-007, VER-010, VER-012: what an agent does with every message in every state.
#[test]
fn sig_003_agent_link_table() {
    let now = start();
    let mut table = String::new();
    let mut note = |link: &mut AgentLink, before: &str, input: &str, result: String| {
        let sent: Vec<_> = std::iter::from_fn(|| link.poll_transmit())
            .map(|bytes| describe(&bytes))
            .collect();
        let events: Vec<_> = std::iter::from_fn(|| link.poll_event())
            .map(|event| variant(&event))
            .collect();
        row(
            &mut table,
            before,
            input,
            result,
            agent_state(link),
            &sent,
            &events,
        );
    };
    for state in 0..4 {
        for (input, bytes) in inputs() {
            let mut link = agents(now).swap_remove(state);
            let before = agent_state(&link);
            let result = match link.handle(now, NOW_MS, &bytes) {
                Ok(()) => "ok".to_owned(),
                Err(error) => variant(&error),
            };
            note(&mut link, &before, input, result);
        }
        for seconds in [9, 10, 15, 44, 45] {
            let mut link = agents(now).swap_remove(state);
            let before = agent_state(&link);
            link.handle_timeout(now + Duration::from_secs(seconds));
            note(
                &mut link,
                &before,
                &format!("{seconds} s pass"),
                String::new(),
            );
        }
    }
    insta::assert_snapshot!(table);
}

/// SIG-003 to SIG-011, SIG-007: what coord does with every message in every state.
#[test]
fn sig_003_coord_link_table() {
    let now = start();
    let mut table = String::new();
    let mut note = |link: &mut CoordLink, before: &str, input: &str, result: String| {
        let sent: Vec<_> = std::iter::from_fn(|| link.poll_transmit())
            .map(|bytes| describe(&bytes))
            .collect();
        let events: Vec<_> = std::iter::from_fn(|| link.poll_event())
            .map(|event| variant(&event))
            .collect();
        let after = state_of(&format!("{link:?}"));
        row(&mut table, before, input, result, after, &sent, &events);
    };
    for state in 0..4 {
        for (input, bytes) in inputs() {
            let mut link = coords(now).swap_remove(state);
            let before = state_of(&format!("{link:?}"));
            let result = match link.handle(now, NOW_MS, &bytes) {
                Ok(()) => "ok".to_owned(),
                Err(error) => variant(&error),
            };
            note(&mut link, &before, input, result);
        }
        for seconds in [9, 10, 44, 45] {
            let mut link = coords(now).swap_remove(state);
            let before = state_of(&format!("{link:?}"));
            link.handle_timeout(now + Duration::from_secs(seconds));
            note(
                &mut link,
                &before,
                &format!("{seconds} s pass"),
                String::new(),
            );
        }
        type Call = fn(&mut CoordLink, Instant) -> bool;
        let calls: [(&str, Call); 5] = [
            ("welcome()", |link, now| {
                let facts = WelcomeFacts::for_alias(alias(), "https", DOMAIN);
                link.welcome(facts, now).is_ok()
            }),
            ("refuse()", |link, _| {
                link.refuse(v1::SignalCode::Revoked, "");
                true
            }),
            ("offer()", |link, _| {
                link.offer(SESSION, &label(), request()).is_ok()
            }),
            ("replaced()", |link, _| {
                link.replaced();
                true
            }),
            ("goodbye()", |link, _| {
                link.goodbye(v1::SignalCode::ShuttingDown, "");
                true
            }),
        ];
        for (input, call) in calls {
            let mut link = coords(now).swap_remove(state);
            let before = state_of(&format!("{link:?}"));
            let result = if call(&mut link, now) {
                "ok"
            } else {
                "refused"
            };
            note(&mut link, &before, input, result.into());
        }
    }
    insta::assert_snapshot!(table);
}
