//! Restarts of a session, from the visitor's request to the check of the answer, and servers that
//! an agent is told of later.

use crate::SignalCode;
use crate::agent_link::{AgentEvent, SendError, VisitOffer};
use crate::sdp::SdpError;
use crate::table_tests::*;
use crate::visitor::{CheckedRequest, VisitCheck, VisitError, VisitorEvent};
use bytes::Bytes;
use p2claw_identity::statement::StatementError;
use p2claw_identity::{IdentityKey, Nonce, SessionId};
use p2claw_proto::v1::envelope::Kind;
use p2claw_proto::v1::visit_event;
use p2claw_proto::v1::{self, Envelope, VisitAnswer, VisitEvent, VisitRequest};
use prost::Message;

const RESTART: SessionId = SessionId([0x5f; 16]);

/// Carries a request to an agent, as coord does under this id; what the agent makes of it.
fn offered(session_id: SessionId, check: &VisitCheck) -> VisitOffer {
    let now = start();
    let mut coord = coords(now).swap_remove(2);
    let mut agent = agents(now).swap_remove(2);
    let request = CheckedRequest::parse(&check.request()).unwrap();
    coord.offer(session_id, &label(), request).unwrap();
    let bytes = coord.poll_transmit().unwrap();
    agent.handle(now, NOW_MS, &bytes).unwrap();
    match agent.poll_event() {
        Some(AgentEvent::VisitOffer(offer)) => offer,
        other => panic!("expected an offer, got {other:?}"),
    }
}

fn handle(check: &mut VisitCheck, answer: VisitAnswer) -> Result<VisitorEvent, VisitError> {
    let kind = Some(visit_event::Kind::Answer(answer));
    let event = check.handle(VisitEvent { kind }, NOW_MS)?;
    Ok(event.unwrap())
}

/// A visit that was answered, with the certificate of `sdp(4)` at the agent's end.
fn visited() -> VisitCheck {
    let mut check = VisitCheck::new(address(), Nonce([2; 32]), sdp(3), Vec::new()).unwrap();
    let offer = offered(SESSION, &check);
    assert_eq!(offer.restarts, None);
    let answer = offer.answer(&key(), sdp(4), NOW_MS).unwrap();
    handle(&mut check, answer).unwrap();
    check
}

/// SIG-043, SIG-044: the request names the session, coord passes it on, and the answer is checked
/// against the session. A restart can be restarted.
#[test]
fn sig_043_a_restart_passes_through() {
    let mut running = visited();
    for round in 0..2 {
        let nonce = Nonce([3 + round; 32]);
        let mut check = running.restart(SESSION, nonce, sdp(3)).unwrap();
        let offer = offered(RESTART, &check);
        assert_eq!(offer.restarts, Some(SESSION));
        assert_eq!((offer.session_id, offer.nonce), (RESTART, nonce));
        let answer = offer.answer(&key(), sdp(4), NOW_MS).unwrap();
        let found = handle(&mut check, answer).unwrap();
        let peer_id = key().peer_id();
        assert_eq!(
            found,
            VisitorEvent::Answer {
                sdp: sdp(4),
                peer_id,
                max_message: 65_536
            }
        );
        running = check;
    }
}

/// SIG-043: only a visit that was answered has a session to restart, and that with the certificate
/// that it was made with.
#[test]
fn sig_043_what_cannot_be_restarted() {
    let unanswered = VisitCheck::new(address(), Nonce([2; 32]), sdp(3), Vec::new()).unwrap();
    let early = unanswered.restart(SESSION, Nonce([3; 32]), sdp(3));
    assert!(matches!(early, Err(VisitError::Order(_))));
    let other = visited().restart(SESSION, Nonce([3; 32]), sdp(9));
    assert_eq!(other.unwrap_err(), VisitError::OtherSession);
    let none = visited().restart(SESSION, Nonce([3; 32]), "v=0\r\n".into());
    assert_eq!(none.unwrap_err(), VisitError::Sdp(SdpError::NoFingerprint));
}

/// SIG-046: the same agent, the same certificate, and this restart's own nonce; anything else ends
/// the restart, and a right answer that comes later does not save it.
#[test]
fn sig_046_only_the_sessions_own_agent_answers() {
    let running = visited();
    let nonce = Nonce([3; 32]);
    let good = {
        let check = running.restart(SESSION, nonce, sdp(3)).unwrap();
        offered(RESTART, &check)
    };
    let stranger = IdentityKey::from_seed([8; 32]);
    let mut replayed = good.clone();
    replayed.nonce = Nonce([2; 32]);
    type Expected = fn(&VisitError) -> bool;
    let not_pinned: Expected = |error| {
        matches!(
            error,
            VisitError::Statement(StatementError::NotPinned { .. })
        )
    };
    let other_session: Expected = |error| *error == VisitError::OtherSession;
    let wrong_nonce: Expected = |error| *error == VisitError::Statement(StatementError::WrongNonce);
    for (offer, key, agent_sdp, as_expected) in [
        (&good, &stranger, sdp(4), not_pinned),
        (&good, &key(), sdp(5), other_session),
        (&replayed, &key(), sdp(4), wrong_nonce),
    ] {
        let mut check = running.restart(SESSION, nonce, sdp(3)).unwrap();
        let answer = offer.answer(key, agent_sdp, NOW_MS).unwrap();
        let error = handle(&mut check, answer).unwrap_err();
        assert!(as_expected(&error), "{error}");
        let answer = good.answer(&self::key(), sdp(4), NOW_MS).unwrap();
        let late = handle(&mut check, answer).unwrap_err();
        assert!(matches!(late, VisitError::Order(_)));
        // Nor is there a session that could be restarted from here.
        assert!(check.restart(SESSION, nonce, sdp(3)).is_err());
    }
}

/// SIG-020, SIG-044: a session id has 16 bytes, or is left out.
#[test]
fn sig_044_a_session_is_named_in_full() {
    let check = visited().restart(SESSION, Nonce([3; 32]), sdp(3)).unwrap();
    let whole = VisitRequest::decode(check.request()).unwrap();
    for length in [0, 1, 15, 16, 17, 32] {
        let restarts = Bytes::from(vec![0x5e; length]);
        let fits = matches!(length, 0 | 16);
        let request = VisitRequest {
            restarts: restarts.clone(),
            ..whole.clone()
        };
        let parsed = CheckedRequest::parse(&request.encode_to_vec());
        let code = parsed.map_err(|error| error.code()).err();
        assert_eq!(code, (!fits).then_some(SignalCode::Malformed), "{length}");

        let now = start();
        let mut agent = agents(now).swap_remove(2);
        let Kind::VisitOffer(mut offer) = every_kind().swap_remove(5) else {
            panic!()
        };
        offer.restarts = restarts;
        agent
            .handle(now, NOW_MS, &envelope(1, Some(Kind::VisitOffer(offer))))
            .unwrap();
        let ended =
            agent
                .poll_transmit()
                .map(|bytes| match Envelope::decode(bytes).unwrap().kind {
                    Some(Kind::VisitEnd(end)) => end.code(),
                    other => panic!("expected an end, got {other:?}"),
                });
        assert_eq!(ended, (!fits).then_some(SignalCode::Malformed), "{length}");
        assert_eq!(agent.poll_event().is_some(), fits, "{length}");
    }
}

/// SIG-048: servers come on a registered link only, and replace those before.
#[test]
fn sig_048_servers_come_later_too() {
    let now = start();
    let mut coord = coords(now).swap_remove(2);
    let mut agent = agents(now).swap_remove(2);
    let server = v1::IceServer {
        urls: vec!["turn:relay.example".into()],
        username: "1800003600:0102030405060708".into(),
        credential: "secret".into(),
        expires_at: 1_800_003_600,
    };
    coord.ice_servers(vec![server.clone()]).unwrap();
    let bytes = coord.poll_transmit().unwrap();
    agent.handle(now, NOW_MS, &bytes).unwrap();
    let told = agent.poll_event();
    assert_eq!(told, Some(AgentEvent::IceServers(vec![server])));
    assert_eq!(agent.poll_transmit(), None);
    for state in [0, 1, 3] {
        let mut coord = coords(now).swap_remove(state);
        let refused = coord.ice_servers(Vec::new());
        assert_eq!(refused, Err(SendError::NotRegistered));
    }
}
