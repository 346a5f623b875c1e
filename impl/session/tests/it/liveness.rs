//! PING, PONG and the dead peer.

use std::time::Duration;

use p2claw_session::frame::Frame;
use p2claw_session::{Config, ErrorCode, Event, Fault, Role};

use crate::peer::{Peer, request};

const SECOND: Duration = Duration::from_secs(1);

/// SES-060, SES-062
#[test]
fn a_dead_peer_ends_the_session_after_three_pings() {
    let mut agent = Peer::connected(Role::Agent);
    let mut tokens = Vec::new();
    for _ in 0..3 {
        agent.advance(14 * SECOND);
        assert!(agent.sent(0).is_empty());
        agent.advance(SECOND);
        match agent.sent(0).as_slice() {
            [Frame::Ping { token }] => tokens.push(*token),
            other => panic!("{other:?}"),
        }
    }
    tokens.dedup();
    assert_eq!(tokens.len(), 3);
    agent.advance(14 * SECOND);
    assert!(!agent.session.is_closed());
    agent.advance(SECOND);
    assert!(matches!(
        agent.sent(0).as_slice(),
        [Frame::GoAway {
            code: ErrorCode::IDLE_TIMEOUT,
            ..
        }]
    ));
    assert!(matches!(
        agent.events().as_slice(),
        [Event::Closed(error)] if error.code == ErrorCode::IDLE_TIMEOUT && error.fault == Fault::Peer
    ));
    assert_eq!(agent.session.poll_timeout(), None);
}

/// SES-060: whatever comes shows that the peer lives.
#[test]
fn any_message_starts_the_silence_over() {
    let mut agent = Peer::connected(Role::Agent);
    agent.advance(50 * SECOND);
    assert_eq!(agent.sent(0).len(), 1);
    agent.take(1, &request(1, true)).unwrap();
    agent.advance(14 * SECOND);
    assert!(agent.sent(0).is_empty());
    agent.advance(SECOND);
    assert!(matches!(agent.sent(0).as_slice(), [Frame::Ping { .. }]));
    agent.take(0, &Frame::Pong { token: 4 }).unwrap();
    agent.advance(44 * SECOND);
    assert!(!agent.session.is_closed());
}

/// SES-061
#[test]
fn pings_are_answered_at_once() {
    let mut visitor = Peer::connected(Role::Visitor);
    for token in [0, 7, u64::MAX] {
        visitor.take(0, &Frame::Ping { token }).unwrap();
        assert_eq!(visitor.sent(0), [Frame::Pong { token }]);
    }
}

/// Who measures often sends one PING a round trip and no more, and moves nothing of SES-060.
#[test]
fn a_round_trip_is_measured_with_one_ping_at_a_time() {
    const MILLI: Duration = Duration::from_millis(1);
    let mut agent = Peer::connected(Role::Agent);
    assert_eq!(agent.session.round_trip(), None);
    let mut trips = Vec::new();
    for millis in [40, 15, 30] {
        agent.session.measure(agent.now);
        assert!(agent.session.is_measuring());
        let sent = agent.sent(0);
        let [Frame::Ping { token }] = sent.as_slice() else {
            panic!("{sent:?}");
        };
        agent.advance(millis * MILLI);
        agent.session.measure(agent.now);
        assert!(agent.sent(0).is_empty());
        // One that nobody asked for measures nothing.
        agent.take(0, &Frame::Pong { token: token + 9 }).unwrap();
        assert!(agent.session.is_measuring());
        agent.take(0, &Frame::Pong { token: *token }).unwrap();
        assert!(!agent.session.is_measuring());
        trips.extend(agent.session.round_trip());
    }
    let expected = [(40, 40), (15, 15), (30, 15)];
    let found = trips.iter().map(|trip| (trip.latest, trip.least));
    assert!(found.eq(expected.map(|(latest, least)| (latest * MILLI, least * MILLI))));
    // The next silence is as long as ever.
    agent.session.measure(agent.now);
    assert_eq!(agent.sent(0).len(), 1);
    agent.advance(14 * SECOND);
    assert!(agent.sent(0).is_empty());
    agent.advance(SECOND);
    assert_eq!(agent.sent(0).len(), 1);
}

/// SES-005: nothing comes before HELLO, and nothing after the end.
#[test]
fn there_is_nothing_to_measure_outside_a_session() {
    let mut agent = Peer::fresh(Role::Agent, Config::default());
    agent.session.measure(agent.now);
    assert!(!agent.session.is_measuring());
    agent.session.close(ErrorCode::NO_ERROR, "");
    agent.session.measure(agent.now);
    assert!(!agent.session.is_measuring());
}

/// A PING that a full transport holds back is not replaced by the next one: its PONG is the one
/// that counts.
#[test]
fn a_ping_that_waits_for_the_transport_is_the_one_that_measures() {
    let mut agent = Peer::connected(Role::Agent);
    agent.session.measure(agent.now);
    // Not sent for 50 s: three PINGs of SES-060 come due meanwhile.
    agent.advance(50 * SECOND);
    let sent = agent.sent(0);
    let [Frame::Ping { token }] = sent.as_slice() else {
        panic!("{sent:?}");
    };
    agent.take(0, &Frame::Pong { token: *token }).unwrap();
    let measured = agent.session.round_trip().map(|trip| trip.latest);
    assert_eq!(measured, Some(50 * SECOND));
}

/// SES-063
#[test]
fn a_path_that_comes_back_within_30_s_changes_nothing() {
    let mut peer = Peer::connected(Role::Agent);
    peer.session.path_lost(peer.now);
    peer.advance(29 * SECOND);
    peer.session.path_found();
    peer.advance(10 * SECOND);
    assert!(!peer.session.is_closed());
    peer.session.path_lost(peer.now);
    peer.advance(5 * SECOND);
    // Said twice, it is still the same loss.
    peer.session.path_lost(peer.now);
    peer.take(0, &Frame::Pong { token: 1 }).unwrap();
    peer.session.path_lost(peer.now);
    peer.advance(29 * SECOND);
    assert!(!peer.session.is_closed());
    peer.advance(SECOND);
    assert!(matches!(
        peer.events().last(),
        Some(Event::Closed(error)) if error.code == ErrorCode::IDLE_TIMEOUT
    ));
}
