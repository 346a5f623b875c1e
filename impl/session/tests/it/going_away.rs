//! GOAWAY and its races.

use p2claw_session::frame::Frame;
use p2claw_session::{ErrorCode, Event, Fault, OpenError, Role};

use crate::peer::{Peer, data_end, get, id, ok, post, request, response, write};

fn go_away(last_stream: u64) -> Frame {
    Frame::GoAway {
        code: ErrorCode::NO_ERROR,
        last_stream,
        reason: String::new(),
    }
}

/// SES-070
#[test]
fn an_agent_drains() {
    let mut agent = Peer::connected(Role::Agent);
    agent.take(1, &request(3, false)).unwrap();
    agent.session.go_away();
    agent.session.go_away();
    assert!(!agent.session.is_drained());
    assert_eq!(agent.sent(0), [go_away(3)]);
    agent.events();

    // A lower stream was under way on another lane: the visitor counts on it.
    agent.take(0, &request(1, true)).unwrap();
    assert!(matches!(agent.events().as_slice(), [Event::Request { .. }]));
    // A higher one was not, and the visitor retries it elsewhere.
    agent.take(0, &request(5, true)).unwrap();
    assert!(agent.events().is_empty());
    assert!(matches!(
        agent.sent(0).as_slice(),
        [
            Frame::Reset {
                code: ErrorCode::REFUSED,
                ..
            },
            Frame::Stop { .. }
        ]
    ));

    // The open ones go on to their end.
    agent.take(1, &data_end(3, 10)).unwrap();
    assert_eq!(agent.read_all(3), (10, Ok(Some(None))));
    for stream in [1, 3] {
        agent.session.respond(id(stream), ok(true)).unwrap();
        agent.session.release(id(stream));
        assert!(!agent.session.is_drained());
    }
    agent.sent(0);
    assert!(!agent.session.is_drained());
    agent.sent(1);
    assert!(agent.session.is_drained());
    assert!(!agent.session.is_closed());
}

/// SES-071: the highest stream counts, not the latest.
#[test]
fn the_last_stream_is_the_highest() {
    let mut agent = Peer::connected(Role::Agent);
    agent.take(1, &request(3, true)).unwrap();
    agent.take(0, &request(1, true)).unwrap();
    agent.session.go_away();
    assert_eq!(agent.sent(0), [go_away(3)]);
}

/// SES-071
#[test]
fn streams_above_the_last_one_are_safe_to_retry() {
    let mut visitor = Peer::connected(Role::Visitor);
    for _ in 0..3 {
        visitor.session.open(post("/")).unwrap();
    }
    // Streams 1, 3 and 5 are on lanes 0, 1 and 2; REQUEST 5 has not left yet.
    visitor.sent(0);
    visitor.sent(1);
    write(&mut visitor.session, id(3), 10);
    visitor.take(0, &go_away(1)).unwrap();
    let events = visitor.events();
    let retry = |stream| Event::Reset {
        id: id(stream),
        code: ErrorCode::REFUSED,
        reason: "the agent is going away".into(),
    };
    let notice = Event::GoAway {
        code: ErrorCode::NO_ERROR,
        last_stream: 1,
        reason: String::new(),
    };
    assert_eq!(events, [notice, retry(3), retry(5)]);
    assert_eq!(visitor.session.open(get("/")), Err(OpenError::GoingAway));
    assert!(visitor.sent(1).is_empty());
    assert!(visitor.sent(2).is_empty());
    assert_eq!(visitor.session.open_streams(), 1);

    // The agent's refusal of stream 3 crosses, and is ignored.
    visitor
        .take(1, &crate::peer::reset(3, ErrorCode::REFUSED))
        .unwrap();
    visitor
        .take(1, &crate::peer::stop(3, ErrorCode::REFUSED))
        .unwrap();
    assert!(visitor.events().is_empty());
    // Stream 1 goes on.
    visitor.session.finish(id(1), None).unwrap();
    visitor.take(0, &response(1, 200, true)).unwrap();
    assert!(matches!(
        visitor.events().as_slice(),
        [Event::Response { .. }]
    ));
    assert!(matches!(
        visitor.sent(0).as_slice(),
        [Frame::DataEnd { .. }]
    ));
    assert_eq!(visitor.session.open_streams(), 0);
}

/// SES-071: a second GOAWAY lowers the number, never raises it.
#[test]
fn a_second_goaway_only_lowers() {
    let mut visitor = Peer::connected(Role::Visitor);
    for _ in 0..2 {
        visitor.session.open(get("/")).unwrap();
    }
    visitor.take(0, &go_away(u64::MAX)).unwrap();
    assert_eq!(visitor.events().len(), 1);
    visitor.take(0, &go_away(1)).unwrap();
    assert_eq!(visitor.events().len(), 2);
    visitor.take(0, &go_away(9)).unwrap();
    assert!(matches!(
        visitor.events().as_slice(),
        [Event::GoAway { last_stream: 1, .. }]
    ));
}

/// SES-070: a visitor that leaves opens nothing more, and its streams go on.
#[test]
fn a_visitor_drains() {
    let mut visitor = Peer::connected(Role::Visitor);
    visitor.session.open(get("/")).unwrap();
    visitor.session.go_away();
    assert_eq!(visitor.session.open(get("/")), Err(OpenError::GoingAway));
    assert_eq!(visitor.sent(0).len(), 2);
    visitor.take(0, &response(1, 200, true)).unwrap();
    assert!(!visitor.session.is_drained());
    visitor.events();
    assert!(visitor.session.is_drained());

    // The agent goes on to serve what is open: the number is the visitor's own and means nothing to it.
    let mut agent = Peer::connected(Role::Agent);
    agent.take_all(0, &[request(1, true), go_away(0)]);
    agent.session.respond(id(1), ok(true)).unwrap();
    assert!(matches!(agent.sent(0).as_slice(), [Frame::Response { .. }]));
}

/// SES-072
#[test]
fn a_fatal_goaway_ends_the_session() {
    let mut agent = Peer::connected(Role::Agent);
    let frame = Frame::GoAway {
        code: ErrorCode::PROTOCOL,
        last_stream: 0,
        reason: "no such thing".into(),
    };
    agent.take(0, &frame).unwrap();
    assert!(agent.session.is_closed());
    assert!(agent.sent(0).is_empty());
    let events = agent.events();
    assert!(
        matches!(
            events.as_slice(),
            [Event::Closed(error)] if error.fault == Fault::Own && error.reason == "no such thing"
        ),
        "{events:?}"
    );
}

/// SES-092, VER-015: a code that is not registered is no reason to fail.
#[test]
fn unknown_codes_count_as_internal() {
    let mut agent = Peer::connected(Role::Agent);
    let code = ErrorCode::new(0x1f * 9 + 0x21);
    agent.take(0, &request(1, false)).unwrap();
    agent.take(0, &crate::peer::reset(1, code)).unwrap();
    assert!(matches!(agent.events().pop(), Some(Event::Reset { code: seen, .. }) if seen == code));
    agent
        .take(
            0,
            &Frame::GoAway {
                code,
                last_stream: 0,
                reason: String::new(),
            },
        )
        .unwrap();
    assert!(
        matches!(agent.events().pop(), Some(Event::Closed(error)) if error.fault == Fault::Peer)
    );
}
