use super::*;
use crate::table_tests::{NOW_MS, SESSION, address, alias, key, sdp};
use p2claw_identity::statement::{VisitFacts, sign_visit};
use p2claw_identity::{IdentityKey, SessionId};
use p2claw_proto::v1::{self, VisitAnswer, VisitEnd};

const NONCE: Nonce = Nonce([2; 32]);

fn check(pinned: Option<PeerId>) -> VisitCheck {
    VisitCheck::new(address(), NONCE, sdp(3), pinned.into_iter().collect()).unwrap()
}

fn answer(visitor: u8, agent: u8) -> VisitAnswer {
    let facts = VisitFacts {
        session_id: SESSION,
        alias: alias(),
        app: address().app().clone(),
        nonce: NONCE,
        visitor_fingerprint: Fingerprint([visitor; 32]),
        agent_fingerprint: Fingerprint([agent; 32]),
    };
    let (statement, signature) = sign_visit(&key(), &facts, NOW_MS);
    VisitAnswer {
        session_id: Bytes::copy_from_slice(SESSION.as_bytes()),
        sdp: sdp(4),
        statement,
        signature,
    }
}

fn event(kind: Kind) -> VisitEvent {
    VisitEvent { kind: Some(kind) }
}

fn candidate() -> VisitEvent {
    event(Kind::Candidate(v1::Candidate {
        candidate: "candidate:1".into(),
        ..v1::Candidate::default()
    }))
}

/// SIG-018: the answer first, then candidates, then the end.
#[test]
fn sig_018_a_good_visit() {
    let mut visit = check(Some(key().peer_id()));
    let found = visit.handle(event(Kind::Answer(answer(3, 4))), NOW_MS);
    assert_eq!(
        found,
        Ok(Some(VisitorEvent::Answer {
            sdp: sdp(4),
            peer_id: key().peer_id(),
            max_message: 65_536
        }))
    );
    assert!(matches!(
        visit.handle(candidate(), NOW_MS),
        Ok(Some(VisitorEvent::Candidate(_)))
    ));
    assert_eq!(
        visit.handle(VisitEvent { kind: None }, NOW_MS),
        Ok(None),
        "an event of a later version is ignored"
    );
    let end = event(Kind::End(VisitEnd::default()));
    assert!(matches!(
        visit.handle(end.clone(), NOW_MS),
        Ok(Some(VisitorEvent::End { .. }))
    ));
    assert!(visit.handle(end, NOW_MS).is_err());
}

/// IDN-017: a wrong answer ends the visit for good; a later right one does not save it.
#[test]
fn idn_017_a_wrong_answer_ends_the_visit() {
    let other = IdentityKey::from_seed([8; 32]).peer_id();
    let two_certificates = VisitAnswer {
        sdp: sdp(4) + &sdp(5),
        ..answer(3, 4)
    };
    for (pinned, wrong) in [
        (None, answer(9, 4)),
        (None, answer(3, 9)),
        (Some(other), answer(3, 4)),
        (None, two_certificates),
        (
            None,
            VisitAnswer {
                signature: Bytes::new(),
                ..answer(3, 4)
            },
        ),
    ] {
        let mut visit = check(pinned);
        assert!(visit.handle(event(Kind::Answer(wrong)), NOW_MS).is_err());
        for later in [event(Kind::Answer(answer(3, 4))), candidate()] {
            assert!(matches!(
                visit.handle(later, NOW_MS),
                Err(VisitError::Order(_))
            ));
        }
    }
}

/// RTC-007, RTC-026: an answer says how long messages may be; one to which no frame fits is none.
#[test]
fn rtc_007_rtc_026_an_answer_limits_messages() {
    for (limit, expected) in [
        (20_000, Some(20_000)),
        (16_384, Some(16_384)),
        (16_383, None),
    ] {
        let sdp = format!("{}a=max-message-size:{limit}\r\n", sdp(4));
        let answer = VisitAnswer {
            sdp,
            ..answer(3, 4)
        };
        let mut visit = check(None);
        let found = match visit.handle(event(Kind::Answer(answer)), NOW_MS) {
            Ok(Some(VisitorEvent::Answer { max_message, .. })) => Some(max_message),
            Err(VisitError::Sdp(SdpError::ShortMessages(found))) => {
                assert_eq!(found, limit);
                None
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(found, expected);
        assert_eq!(visit.handle(candidate(), NOW_MS).is_ok(), found.is_some());
    }
}

/// SIG-018: candidates before the answer, a second answer, and too many candidates are refused.
#[test]
fn sig_018_order_is_kept() {
    assert!(check(None).handle(candidate(), NOW_MS).is_err());

    let mut visit = check(None);
    let good = event(Kind::Answer(answer(3, 4)));
    visit.handle(good.clone(), NOW_MS).unwrap();
    assert!(visit.handle(good.clone(), NOW_MS).is_err());

    let mut visit = check(None);
    visit.handle(good, NOW_MS).unwrap();
    for _ in 0..MAX_CANDIDATES {
        visit.handle(candidate(), NOW_MS).unwrap();
    }
    assert!(visit.handle(candidate(), NOW_MS).is_err());
}

/// SIG-020, VER-011, VER-012: what coord refuses of a request, and with which code.
#[test]
fn sig_020_requests_are_checked() {
    let good = check(None).request();
    assert!(CheckedRequest::parse(&good).is_ok());
    let change = |change: fn(&mut VisitRequest)| {
        let mut request = VisitRequest::decode(good.clone()).unwrap();
        change(&mut request);
        CheckedRequest::parse(&request.encode_to_vec()).map_err(|error| error.code())
    };
    assert_eq!(
        change(|request| request.versions.clear()),
        Err(SignalCode::Version)
    );
    assert_eq!(
        change(|request| request.nonce = Bytes::from_static(b"short")),
        Err(SignalCode::Malformed)
    );
    assert_eq!(
        change(|request| request.sdp.clear()),
        Err(SignalCode::BadOffer)
    );
    assert_eq!(
        change(|request| request.sdp = "x".repeat(40_000)),
        Err(SignalCode::BadOffer)
    );
    assert_eq!(
        CheckedRequest::parse(b"\xff").map_err(|error| error.code()),
        Err(SignalCode::Malformed)
    );
    assert_eq!(
        CheckedRequest::parse(&vec![0; MAX_VISIT_BODY + 1]).map_err(|error| error.code()),
        Err(SignalCode::Malformed)
    );
}

/// SIG-021: updates carry checked candidates.
#[test]
fn sig_021_updates_are_checked() {
    let one = IceCandidate::parse("candidate:1", "0").unwrap();
    let body = encode_update(vec![one.clone(), IceCandidate::end()]);
    assert_eq!(
        parse_update(&body),
        Ok(vec![one.clone(), IceCandidate::end()])
    );
    let many = encode_update(vec![one; MAX_CANDIDATES + 1]);
    assert!(parse_update(&many).is_err());
    let bad = VisitUpdate {
        candidates: vec![v1::Candidate {
            candidate: "candidate:1\na=x".into(),
            session_id: Bytes::copy_from_slice(SessionId([0; 16]).as_bytes()),
            sdp_mid: String::new(),
        }],
    };
    let error = parse_update(&bad.encode_to_vec()).unwrap_err();
    assert_eq!(error.code(), SignalCode::Malformed);
}
