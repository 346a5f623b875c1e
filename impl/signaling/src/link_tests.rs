//! Both links against each other, and what the table cannot show.

use crate::agent_link::{AgentEvent, AgentLink, LinkError, SendError};
use crate::candidate::IceCandidate;
use crate::coord_link::{CoordEvent, CoordLink, CoordLinkConfig, WelcomeFacts};
use crate::limits::LINK_QUEUE;
use crate::table_tests::*;
use bytes::Bytes;
use p2claw_identity::statement::StatementError;
use p2claw_identity::{AppName, Nonce};
use p2claw_proto::v1::envelope::Kind;
use p2claw_proto::v1::{self, Envelope, SignalCode};
use proptest::prelude::*;
use prost::Message;
use std::time::{Duration, Instant};

fn registered(now: Instant) -> (AgentLink, CoordLink) {
    (agents(now).swap_remove(2), coords(now).swap_remove(2))
}

fn to_agent(now: Instant, coord: &mut CoordLink, agent: &mut AgentLink) {
    while let Some(bytes) = coord.poll_transmit() {
        agent.handle(now, NOW_MS, &bytes).unwrap();
    }
}

fn to_coord(now: Instant, agent: &mut AgentLink, coord: &mut CoordLink) {
    while let Some(bytes) = agent.poll_transmit() {
        coord.handle(now, NOW_MS, &bytes).unwrap();
    }
}

fn apps(names: &[&str]) -> Vec<AppName> {
    names.iter().map(|n| AppName::parse(n).unwrap()).collect()
}

/// IDN-011, SIG-003: each way in which a registration can be wrong has its code.
#[test]
fn idn_011_refused_registrations_have_codes() {
    let now = start();
    let cases: [(&str, &str, Nonce, i64, SignalCode); 5] = [
        ("good", DOMAIN, NONCE, NOW_MS, SignalCode::Ok),
        (
            "domain",
            "other.example",
            NONCE,
            NOW_MS,
            SignalCode::WrongDomain,
        ),
        ("replay", DOMAIN, Nonce([8; 32]), NOW_MS, SignalCode::Stale),
        ("late", DOMAIN, NONCE, NOW_MS - 60_001, SignalCode::Stale),
        ("early", DOMAIN, NONCE, NOW_MS + 60_001, SignalCode::Stale),
    ];
    for (name, domain, nonce, time, code) in cases {
        let challenge = Kind::Challenge(v1::Challenge {
            versions: vec![1],
            nonce: Bytes::copy_from_slice(nonce.as_bytes()),
            domain: domain.into(),
            time_ms: 0,
        });
        let mut agent = AgentLink::new(key(), "", now);
        agent
            .handle(now, time, &envelope(1, Some(challenge)))
            .unwrap();
        let mut coord = CoordLink::new(CoordLinkConfig::new(DOMAIN), NONCE, now, NOW_MS);
        coord.poll_transmit().unwrap();
        let result = coord.handle(now, NOW_MS, &agent.poll_transmit().unwrap());
        let found = result
            .as_ref()
            .map_or_else(LinkError::code, |()| SignalCode::Ok);
        assert_eq!(found, code, "{name}");
        if let Err(error) = result {
            assert!(matches!(error, LinkError::Statement(_)), "{name}");
            to_agent(now, &mut coord, &mut agent);
            let Some(AgentEvent::Closed { code: told, reason }) = agent.poll_event() else {
                panic!("{name}: the agent must learn why")
            };
            assert_eq!(told, code);
            assert!(reason.starts_with("failed to "), "{reason}");
        }
    }
    let mut coord = CoordLink::new(CoordLinkConfig::new(DOMAIN), NONCE, now, NOW_MS);
    let Kind::Hello(mut hello) = every_kind().swap_remove(1) else {
        panic!()
    };
    hello.signature = Bytes::copy_from_slice(&[1; 64]);
    assert_eq!(
        coord
            .handle(now, NOW_MS, &envelope(1, Some(Kind::Hello(hello))))
            .map_err(|error| error.code()),
        Err(SignalCode::BadSignature)
    );
}

/// IDN-010: what the agent signs is what coord asked, with its own key and time.
#[test]
fn idn_010_a_registration_answers_the_challenge() {
    let now = start();
    let mut coord = CoordLink::new(CoordLinkConfig::new(DOMAIN), NONCE, now, NOW_MS + 5);
    let mut agent = AgentLink::new(key(), "example/1", now);
    to_agent(now, &mut coord, &mut agent);
    let sent = Envelope::decode(agent.poll_transmit().unwrap()).unwrap();
    let Some(Kind::Hello(hello)) = sent.kind else {
        panic!("no Hello")
    };
    assert_eq!(
        v1::Registration::decode(hello.registration).unwrap(),
        v1::Registration {
            version: 1,
            public_key: Bytes::copy_from_slice(key().peer_id().as_bytes()),
            domain: DOMAIN.into(),
            nonce: Bytes::copy_from_slice(NONCE.as_bytes()),
            issued_at_ms: NOW_MS,
        }
    );
}

/// SIG-007: on a registered link, a message that breaks a rule is answered and costs nothing else.
#[test]
fn sig_007_messages_that_break_a_rule_are_answered() {
    let now = start();
    let candidate = Kind::Candidate(v1::Candidate {
        session_id: Bytes::copy_from_slice(SESSION.as_bytes()),
        candidate: "candidate:1\na=x".into(),
        sdp_mid: "0".into(),
    });
    let end = Kind::VisitEnd(v1::VisitEnd {
        session_id: Bytes::from_static(b"short"),
        ..v1::VisitEnd::default()
    });
    for (seq, bad) in [(5, candidate), (6, end)] {
        let (mut agent, mut coord) = registered(now);
        let bytes = envelope(seq, Some(bad));
        agent.handle(now, NOW_MS, &bytes).unwrap();
        coord.handle(now, NOW_MS, &bytes).unwrap();
        for answer in [agent.poll_transmit(), coord.poll_transmit()] {
            let answer = Envelope::decode(answer.unwrap()).unwrap();
            assert_eq!(answer.re, seq);
            assert!(
                matches!(&answer.kind, Some(Kind::Error(error)) if error.code() == SignalCode::Malformed),
                "{answer:?}"
            );
        }
        assert!(agent.is_registered() && coord.is_registered());
        assert_eq!((agent.poll_event(), coord.poll_event()), (None, None));
    }
}

/// IDN-009: an agent that knows its coord does not register with the challenge of another.
#[test]
fn idn_009_agent_compares_the_domain() {
    let now = start();
    let mut coord = CoordLink::new(CoordLinkConfig::new(DOMAIN), NONCE, now, NOW_MS);
    let challenge = coord.poll_transmit().unwrap();
    let mut agent = AgentLink::new(key(), "", now).expect_domain(DOMAIN);
    assert_eq!(agent.handle(now, NOW_MS, &challenge), Ok(()));
    let mut agent = AgentLink::new(key(), "", now).expect_domain("other.example");
    let result = agent.handle(now, NOW_MS, &challenge);
    assert!(matches!(result, Err(LinkError::WrongDomain { .. })));
    assert!(agent.is_closed());
}

/// SIG-008, NAM-004: every announced name is either accepted or refused with a code; duplicates count once.
#[test]
fn sig_008_routes_are_judged_one_by_one() {
    let now = start();
    let (mut agent, mut coord) = registered(now);
    let announce = Kind::RouteAnnounce(v1::RouteAnnounce {
        apps: ["b", "a", "b", "www", "A", ""].map(String::from).to_vec(),
    });
    coord
        .handle(now, NOW_MS, &envelope(1, Some(announce)))
        .unwrap();
    assert_eq!(
        coord.poll_event(),
        Some(CoordEvent::Routes {
            apps: apps(&["a", "b"])
        })
    );
    to_agent(now, &mut coord, &mut agent);
    let Some(AgentEvent::RouteAck { accepted, refused }) = agent.poll_event() else {
        panic!("no acknowledgement")
    };
    assert_eq!(accepted, apps(&["a", "b"]));
    let refused: Vec<_> = refused.iter().map(|r| (r.app.as_str(), r.code)).collect();
    assert_eq!(
        refused,
        [
            ("www", SignalCode::NameReserved),
            ("A", SignalCode::NameInvalid),
            ("", SignalCode::NameInvalid)
        ]
    );
}

/// SIG-008: more routes than granted are refused with LIMIT, and the answer stays small.
#[test]
fn sig_008_too_many_routes() {
    let now = start();
    let (mut agent, mut coord) = registered(now);
    let names: Vec<String> = (0..5000).map(|i| format!("app-{i}")).collect();
    let announce = Kind::RouteAnnounce(v1::RouteAnnounce { apps: names });
    coord
        .handle(now, NOW_MS, &envelope(1, Some(announce)))
        .unwrap();
    to_agent(now, &mut coord, &mut agent);
    let Some(AgentEvent::RouteAck { accepted, refused }) = agent.poll_event() else {
        panic!("no acknowledgement")
    };
    assert_eq!((accepted.len(), refused.len()), (64, 64));
    assert!(refused.iter().all(|r| r.code == SignalCode::Limit));
}

/// SIG-008: routes given before registration are announced right after it.
#[test]
fn sig_008_early_routes_are_kept() {
    let now = start();
    let mut coord = CoordLink::new(CoordLinkConfig::new(DOMAIN), NONCE, now, NOW_MS);
    let mut agent = AgentLink::new(key(), "", now);
    agent.announce_routes(apps(&["old"])).unwrap();
    agent.announce_routes(apps(&["a"])).unwrap();
    to_agent(now, &mut coord, &mut agent);
    to_coord(now, &mut agent, &mut coord);
    coord.poll_event().unwrap();
    coord
        .welcome(WelcomeFacts::for_alias(alias(), "https", DOMAIN), now)
        .unwrap();
    to_agent(now, &mut coord, &mut agent);
    to_coord(now, &mut agent, &mut coord);
    assert_eq!(
        coord.poll_event(),
        Some(CoordEvent::Routes { apps: apps(&["a"]) })
    );
}

/// SIG-014, SIG-016: a visit from offer to answer, candidates both ways, and the end.
#[test]
fn sig_016_a_visit_passes_through() {
    let now = start();
    let (mut agent, mut coord) = registered(now);
    coord.offer(SESSION, &label(), request()).unwrap();
    to_agent(now, &mut coord, &mut agent);
    let Some(AgentEvent::VisitOffer(offer)) = agent.poll_event() else {
        panic!()
    };
    assert_eq!(offer.session_id, SESSION);
    let answer = offer.answer(&key(), sdp(4), NOW_MS).unwrap();
    agent.answer(answer.clone()).unwrap();
    agent.candidate(SESSION, IceCandidate::end()).unwrap();
    agent.end_visit(SESSION, SignalCode::Ok, "up").unwrap();
    to_coord(now, &mut agent, &mut coord);
    assert_eq!(
        coord.poll_event(),
        Some(CoordEvent::Answer {
            session_id: SESSION,
            answer
        })
    );
    assert_eq!(
        coord.poll_event(),
        Some(CoordEvent::Candidate {
            session_id: SESSION,
            candidate: IceCandidate::end()
        })
    );
    assert!(matches!(
        coord.poll_event(),
        Some(CoordEvent::VisitEnd {
            code: SignalCode::Ok,
            ..
        })
    ));
    let candidate = IceCandidate::parse("candidate:9", "0").unwrap();
    coord.candidate(SESSION, candidate.clone()).unwrap();
    coord.end_visit(SESSION, SignalCode::Ok, "gone").unwrap();
    to_agent(now, &mut coord, &mut agent);
    assert_eq!(
        agent.poll_event(),
        Some(AgentEvent::Candidate {
            session_id: SESSION,
            candidate
        })
    );
    assert!(matches!(
        agent.poll_event(),
        Some(AgentEvent::VisitEnd { .. })
    ));
}

/// IDN-013: the statement holds every fact of the visit, and an end within a minute.
#[test]
fn idn_013_the_statement_says_all_of_the_visit() {
    let now = start();
    let (mut agent, mut coord) = registered(now);
    coord.offer(SESSION, &label(), request()).unwrap();
    to_agent(now, &mut coord, &mut agent);
    let Some(AgentEvent::VisitOffer(offer)) = agent.poll_event() else {
        panic!("no offer")
    };
    let answer = offer.answer(&key(), sdp(4), NOW_MS).unwrap();
    let statement = v1::VisitStatement::decode(answer.statement).unwrap();
    assert!((NOW_MS..=NOW_MS + 60_000).contains(&statement.expires_at_ms));
    assert_eq!(
        statement,
        v1::VisitStatement {
            version: 1,
            session_id: Bytes::copy_from_slice(SESSION.as_bytes()),
            alias: alias().to_string(),
            app: "recipes".into(),
            nonce: Bytes::from_static(&[2; 32]),
            visitor_fingerprint: Bytes::from_static(&[3; 32]),
            agent_fingerprint: Bytes::from_static(&[4; 32]),
            expires_at_ms: statement.expires_at_ms,
            public_key: Bytes::copy_from_slice(key().peer_id().as_bytes()),
        }
    );
}

/// SIG-014, VER-011: an offer that cannot be answered is ended by the link itself, with a code.
#[test]
fn sig_014_unusable_offers_are_ended() {
    type Change = fn(&mut v1::VisitOffer);
    let changes: [(Change, SignalCode); 6] = [
        (|offer| offer.versions = vec![9], SignalCode::Version),
        (|offer| offer.alias = "bob".into(), SignalCode::NoSuchAlias),
        (|offer| offer.app = "Bad".into(), SignalCode::NoSuchApp),
        (|offer| offer.nonce = Bytes::new(), SignalCode::Malformed),
        (|offer| offer.sdp = sdp(1) + &sdp(2), SignalCode::BadOffer),
        (
            |offer| offer.sdp = sdp(1) + "a=max-message-size:16383\r\n",
            SignalCode::BadOffer,
        ),
    ];
    let now = start();
    for (change, code) in changes {
        let (mut agent, mut coord) = registered(now);
        let Kind::VisitOffer(mut offer) = every_kind().swap_remove(5) else {
            panic!()
        };
        change(&mut offer);
        agent
            .handle(now, NOW_MS, &envelope(1, Some(Kind::VisitOffer(offer))))
            .unwrap();
        assert_eq!(agent.poll_event(), None);
        to_coord(now, &mut agent, &mut coord);
        let Some(CoordEvent::VisitEnd { code: found, .. }) = coord.poll_event() else {
            panic!()
        };
        assert_eq!(found, code);
    }
}

/// SIG-016: an answer that is too large ends the visit instead of leaving the visitor waiting.
#[test]
fn sig_016_an_oversized_answer_ends_the_visit() {
    let now = start();
    let Kind::VisitAnswer(good) = every_kind().swap_remove(6) else {
        panic!()
    };
    type Change = fn(&mut v1::VisitAnswer);
    let changes: [Change; 3] = [
        |answer| answer.sdp = "x".repeat(32 * 1024 + 1),
        |answer| answer.statement = Bytes::from(vec![0; 4097]),
        |answer| answer.signature = Bytes::from_static(&[0; 63]),
    ];
    for change in changes {
        let mut answer = good.clone();
        change(&mut answer);
        let (_, mut coord) = registered(now);
        coord
            .handle(now, NOW_MS, &envelope(1, Some(Kind::VisitAnswer(answer))))
            .unwrap();
        assert!(matches!(
            coord.poll_event(),
            Some(CoordEvent::VisitEnd {
                session_id: SESSION,
                code: SignalCode::Malformed,
                ..
            })
        ));
    }
}

/// SIG-006: heartbeats every 15 s keep both ends alive for ever.
#[test]
fn sig_006_heartbeats_keep_a_link_alive() {
    let mut now = start();
    let (mut agent, mut coord) = registered(now);
    for _ in 0..100 {
        let next = agent.poll_timeout().unwrap();
        assert!(next - now <= Duration::from_secs(15));
        now = next;
        agent.handle_timeout(now);
        coord.handle_timeout(now);
        to_coord(now, &mut agent, &mut coord);
        to_agent(now, &mut coord, &mut agent);
    }
    assert!(agent.is_registered() && coord.is_registered());
    coord.handle_timeout(now + Duration::from_secs(45));
    assert!(matches!(
        coord.poll_event(),
        Some(CoordEvent::Silent { .. })
    ));
}

/// SIG-005, VER-016: kinds that do not exist are answered and do no harm, either way.
#[test]
fn sig_005_grease_is_answered() {
    let now = start();
    let (mut agent, mut coord) = registered(now);
    for random in 0..200 {
        agent.grease(random).unwrap();
        coord.grease(random).unwrap();
        to_coord(now, &mut agent, &mut coord);
        to_agent(now, &mut coord, &mut agent);
        to_coord(now, &mut agent, &mut coord);
        let Some(AgentEvent::Refused { re, code, .. }) = agent.poll_event() else {
            panic!()
        };
        assert_eq!(code, SignalCode::UnknownKind);
        assert!(re > 0);
        assert!(matches!(
            coord.poll_event(),
            Some(CoordEvent::Refused {
                code: SignalCode::UnknownKind,
                ..
            })
        ));
        assert_eq!((agent.poll_event(), coord.poll_event()), (None, None));
    }
}

/// SIG-004, VER-015, ERR-006: an error is never answered, not even one of a later version.
#[test]
fn sig_004_errors_are_not_answered() {
    let now = start();
    let (mut agent, mut coord) = registered(now);
    let error = Kind::Error(v1::Error {
        code: 999,
        detail: "x\r\ny".into(),
    });
    coord
        .handle(now, NOW_MS, &envelope(5, Some(error.clone())))
        .unwrap();
    agent
        .handle(now, NOW_MS, &envelope(5, Some(error)))
        .unwrap();
    assert_eq!((agent.poll_transmit(), coord.poll_transmit()), (None, None));
    let Some(AgentEvent::Refused { code, detail, .. }) = agent.poll_event() else {
        panic!()
    };
    assert_eq!((code, detail.as_str()), (SignalCode::Internal, "x  y"));
}

/// SIG-011: a flood ends the link, ordinary traffic never does.
#[test]
fn sig_011_messages_are_budgeted() {
    let mut now = start();
    let (_, mut coord) = registered(now);
    let heartbeat = envelope(1, Some(Kind::Heartbeat(v1::Heartbeat {})));
    for _ in 0..10_000 {
        now += Duration::from_millis(8);
        coord.handle(now, NOW_MS, &heartbeat).unwrap();
        coord.poll_transmit().unwrap();
    }
    let mut taken = 0;
    while coord.handle(now, NOW_MS, &heartbeat).is_ok() {
        coord.poll_transmit().unwrap();
        taken += 1;
        assert!(taken <= 1024);
    }
    assert!(coord.is_closed());
    let last = Envelope::decode(coord.poll_transmit().unwrap()).unwrap();
    assert!(matches!(last.kind, Some(Kind::Error(e)) if e.code() == SignalCode::Limit));
}

/// A driver that does not drain a link gets an error; nothing grows without end.
#[test]
fn queues_are_bounded() {
    let now = start();
    let (mut agent, _) = registered(now);
    for _ in 0..LINK_QUEUE {
        agent.candidate(SESSION, IceCandidate::end()).unwrap();
    }
    assert_eq!(
        agent.candidate(SESSION, IceCandidate::end()),
        Err(SendError::Full)
    );
    let end = envelope(1, Some(every_kind().swap_remove(8)));
    for _ in 0..LINK_QUEUE {
        agent.handle(now, NOW_MS, &end).unwrap();
    }
    assert_eq!(agent.handle(now, NOW_MS, &end), Err(LinkError::Backlog));
}

/// SIG-002: nothing longer than 64 KiB is sent.
#[test]
fn sig_002_long_messages_are_refused_at_the_sender() {
    let (mut agent, _) = registered(start());
    let mut answer = v1::VisitAnswer {
        sdp: "x".repeat(70_000),
        ..v1::VisitAnswer::default()
    };
    assert!(matches!(
        agent.answer(answer.clone()),
        Err(SendError::TooLarge(_))
    ));
    answer.sdp.clear();
    assert_eq!(agent.answer(answer), Ok(()));
}

/// SIG-024: only the key that registered can give its alias up.
#[test]
fn sig_024_revocation() {
    let now = start();
    let (mut agent, mut coord) = registered(now);
    agent.revoke(NOW_MS).unwrap();
    to_coord(now, &mut agent, &mut coord);
    let peer_id = key().peer_id();
    assert_eq!(coord.poll_event(), Some(CoordEvent::Revoked { peer_id }));
    coord.goodbye(SignalCode::Revoked, "");
    to_agent(now, &mut coord, &mut agent);
    assert!(matches!(
        agent.poll_event(),
        Some(AgentEvent::Closed {
            code: SignalCode::Revoked,
            ..
        })
    ));

    let (_, mut coord) = registered(now);
    let other = p2claw_identity::IdentityKey::from_seed([8; 32]);
    let (statement, signature) =
        p2claw_identity::statement::sign_revocation(&other, DOMAIN, &NONCE, NOW_MS);
    let revoke = Kind::Revoke(v1::Revoke {
        statement,
        signature,
    });
    coord
        .handle(now, NOW_MS, &envelope(1, Some(revoke)))
        .unwrap();
    assert_eq!(coord.poll_event(), None);
    assert!(coord.is_registered());
}

#[test]
fn link_errors_of_statements_keep_their_code() {
    let error = LinkError::from(StatementError::WrongNonce);
    assert_eq!(error.code(), SignalCode::Stale);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// SIG-004: no sequence of messages crashes either end or makes it answer without end.
    #[test]
    fn sig_004_any_sequence_of_messages(
        state in 0_usize..4,
        picks in prop::collection::vec((0_usize..18, any::<u64>(), prop::collection::vec(any::<u8>(), 0..40)), 0..40),
    ) {
        let now = start();
        let (mut agent, mut coord) = (agents(now).swap_remove(state), coords(now).swap_remove(state));
        for (pick, seq, bytes) in picks {
            let message = every_kind().into_iter().nth(pick).map_or(bytes, |kind| envelope(seq, Some(kind)));
            let _ = agent.handle(now, NOW_MS, &message);
            let _ = coord.handle(now, NOW_MS, &message);
            prop_assert!(std::iter::from_fn(|| agent.poll_transmit()).count() <= 2);
            prop_assert!(std::iter::from_fn(|| coord.poll_transmit()).count() <= 2);
            prop_assert!(std::iter::from_fn(|| agent.poll_event()).count() <= 1);
            prop_assert!(std::iter::from_fn(|| coord.poll_event()).count() <= 1);
            prop_assert_eq!(agent.is_closed(), agent.poll_timeout().is_none());
            prop_assert_eq!(coord.is_closed(), coord.poll_timeout().is_none());
        }
    }
}
