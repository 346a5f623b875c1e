//! One exchange: its order, its ends and its races.

use bytes::Bytes;
use p2claw_session::frame::Frame;
use p2claw_session::{
    ErrorCode, Event, Fault, Read, ReadError, Response, Role, SessionError, WriteError,
};

use crate::peer::{
    Peer, data, data_end, fields, get, id, ok, post, request, reset, response, stop, write,
};

/// SES-020, SES-021
#[test]
fn an_exchange_in_full() {
    let mut agent = Peer::connected(Role::Agent);
    agent.take(0, &request(1, false)).unwrap();
    agent.events();
    agent
        .session
        .respond(
            id(1),
            Response {
                status: 100,
                ..ok(false)
            },
        )
        .unwrap();
    agent
        .session
        .respond(
            id(1),
            Response {
                status: 103,
                ..ok(false)
            },
        )
        .unwrap();
    agent.take_all(0, &[data(1, 10), data_end(1, 1)]);
    assert_eq!(agent.read_all(1), (11, Ok(Some(None))));
    assert_eq!(
        agent.session.write(id(1), &mut Bytes::from_static(b"x")),
        Err(WriteError::NotResponded)
    );
    agent.session.respond(id(1), ok(false)).unwrap();
    assert_eq!(
        agent.session.respond(id(1), ok(false)),
        Err(WriteError::AlreadyResponded)
    );
    write(&mut agent.session, id(1), 20_000);
    agent
        .session
        .finish(id(1), Some(fields(&[("etag", "x")])))
        .unwrap();
    assert_eq!(agent.session.finish(id(1), None), Err(WriteError::Finished));
    let names: Vec<&str> = agent.sent(0).iter().map(name).collect();
    assert_eq!(
        names,
        [
            "RESPONSE", "RESPONSE", "RESPONSE", "DATA", "DATA", "TRAILERS"
        ]
    );
    agent.session.release(id(1));
    assert_eq!(agent.session.open_streams(), 0);
}

fn name(frame: &Frame) -> &'static str {
    match frame {
        Frame::Hello(_) => "HELLO",
        Frame::Request { .. } => "REQUEST",
        Frame::Response { .. } => "RESPONSE",
        Frame::Data { .. } => "DATA",
        Frame::DataEnd { .. } => "DATA_END",
        Frame::Trailers { .. } => "TRAILERS",
        Frame::Reset { .. } => "RESET",
        Frame::Stop { .. } => "STOP",
        Frame::Credit { .. } => "CREDIT",
        Frame::Ping { .. } => "PING",
        Frame::Pong { .. } => "PONG",
        Frame::GoAway { .. } => "GOAWAY",
        Frame::Message { .. } | Frame::Close { .. } | Frame::Unknown { .. } => "?",
    }
}

/// SES-021: 1xx responses that nobody needs do not pile up.
#[test]
fn informational_responses_are_bounded() {
    let mut agent = Peer::connected(Role::Agent);
    agent.take(0, &request(1, true)).unwrap();
    for _ in 0..10 {
        agent
            .session
            .respond(
                id(1),
                Response {
                    status: 103,
                    ..ok(false)
                },
            )
            .unwrap();
    }
    agent.session.respond(id(1), ok(true)).unwrap();
    assert_eq!(agent.sent(0).len(), 5);

    let mut visitor = Peer::connected(Role::Visitor);
    visitor.session.open(get("/")).unwrap();
    for _ in 0..4 {
        visitor.take(0, &response(1, 103, false)).unwrap();
    }
    assert_eq!(visitor.events().len(), 4);
    visitor.take(0, &response(1, 103, false)).unwrap();
    assert!(matches!(
        visitor.events().as_slice(),
        [Event::Reset {
            code: ErrorCode::BAD_MESSAGE,
            ..
        }]
    ));
}

/// SES-022, HTP-002: the last bytes carry the end with them, and an empty body costs one empty frame.
#[test]
fn the_end_rides_with_the_last_bytes() {
    let mut visitor = Peer::connected(Role::Visitor);
    for len in [0, 5] {
        let stream = visitor.session.open(post("/")).unwrap();
        write(&mut visitor.session, stream, len);
        visitor.session.finish(stream, None).unwrap();
        let sent: Vec<Frame> = (0..4).flat_map(|lane| visitor.sent(lane)).collect();
        assert!(
            matches!(sent.as_slice(), [Frame::Request { .. }, Frame::DataEnd { data, .. }] if data.len() == len),
            "{sent:?}"
        );
    }
}

/// SES-026
#[test]
fn a_response_may_overtake_the_request_body() {
    let mut visitor = Peer::connected(Role::Visitor);
    let stream = visitor.session.open(post("/")).unwrap();
    visitor.take_all(
        0,
        &[
            response(1, 413, false),
            data_end(1, 3),
            stop(1, ErrorCode::NO_ERROR),
        ],
    );
    let events = visitor.events();
    assert!(
        matches!(
            events.as_slice(),
            [
                Event::Response { .. },
                Event::Readable(_),
                Event::Stopped {
                    code: ErrorCode::NO_ERROR,
                    ..
                }
            ]
        ),
        "{events:?}"
    );
    assert_eq!(visitor.read_all(1), (3, Ok(Some(None))));
    assert_eq!(
        visitor.session.write(stream, &mut Bytes::from_static(b"x")),
        Err(WriteError::Stopped {
            code: ErrorCode::NO_ERROR
        })
    );
    assert!(matches!(
        visitor.sent(0).as_slice(),
        [Frame::Request { .. }, Frame::Reset { .. }]
    ));
    assert_eq!(visitor.session.open_streams(), 0);
}

/// SES-023
#[test]
fn a_body_that_is_cut_off_never_ends() {
    let mut visitor = Peer::connected(Role::Visitor);
    visitor.session.open(get("/")).unwrap();
    visitor.sent(0);
    visitor.take_all(
        0,
        &[
            response(1, 200, false),
            data(1, 7),
            reset(1, ErrorCode::UPSTREAM_FAILED),
        ],
    );
    let events = visitor.events();
    assert!(
        matches!(
            events.as_slice(),
            [
                Event::Response { .. },
                Event::Readable(_),
                Event::Reset {
                    code: ErrorCode::UPSTREAM_FAILED,
                    ..
                }
            ]
        ),
        "{events:?}"
    );
    // What came before the cut can be read, then the error.
    let cut = ReadError::Reset {
        code: ErrorCode::UPSTREAM_FAILED,
        reason: String::new(),
    };
    assert_eq!(visitor.read_all(1), (7, Err(cut)));
    assert_eq!(visitor.session.open_streams(), 0);
}

/// SES-023: the same when the session ends, but not for a body that was complete.
#[test]
fn bodies_when_the_session_ends() {
    let mut visitor = Peer::connected(Role::Visitor);
    for _ in 0..2 {
        visitor.session.open(get("/")).unwrap();
    }
    visitor.take_all(0, &[response(1, 200, false), data_end(1, 7)]);
    visitor.take_all(1, &[response(3, 200, false), data(3, 7)]);
    let reason = "restart".to_owned();
    visitor
        .take(
            0,
            &Frame::GoAway {
                code: ErrorCode::INTERNAL,
                last_stream: 3,
                reason: reason.clone(),
            },
        )
        .unwrap();
    let error = SessionError {
        code: ErrorCode::INTERNAL,
        reason,
        fault: Fault::Peer,
    };
    assert_eq!(visitor.events().pop(), Some(Event::Closed(error)));
    assert_eq!(visitor.read_all(1), (7, Ok(Some(None))));
    assert_eq!(visitor.read_all(3), (7, Err(ReadError::Closed)));
    assert_eq!(visitor.session.read(id(5)), Err(ReadError::Closed));
    assert!(visitor.sent(0).is_empty());
}

/// SES-024
#[test]
fn stop_is_answered_by_reset_unless_finished() {
    // While the response is due, while the body flows, and while its end waits for credit.
    for phase in 0..3 {
        let mut agent = Peer::connected(Role::Agent);
        agent.take(0, &request(1, true)).unwrap();
        if phase > 0 {
            agent.session.respond(id(1), ok(false)).unwrap();
            write(&mut agent.session, id(1), 65_536);
            agent.sent(0);
            write(&mut agent.session, id(1), 10);
        }
        if phase > 1 {
            agent.session.finish(id(1), None).unwrap();
        }
        assert!(agent.sent(0).is_empty());
        agent.events();
        agent.take(0, &stop(1, ErrorCode::CANCELLED)).unwrap();
        assert_eq!(
            agent.events(),
            [Event::Stopped {
                id: id(1),
                code: ErrorCode::CANCELLED
            }]
        );
        let sent = agent.sent(0);
        assert!(
            matches!(
                sent.as_slice(),
                [Frame::Reset {
                    code: ErrorCode::CANCELLED,
                    ..
                }]
            ),
            "{phase} {sent:?}"
        );
        assert_eq!(agent.session.buffered(), (0, 0));
    }
    // A body that was sent in full needs no answer.
    let mut agent = Peer::connected(Role::Agent);
    agent.take(0, &request(1, true)).unwrap();
    agent.session.respond(id(1), ok(true)).unwrap();
    agent.sent(0);
    agent.events();
    agent.take(0, &stop(1, ErrorCode::CANCELLED)).unwrap();
    assert!(agent.events().is_empty());
    assert!(agent.sent(0).is_empty());
}

/// SES-025, SES-028
#[test]
fn cancelling_is_reset_and_stop() {
    let mut visitor = Peer::connected(Role::Visitor);
    let stream = visitor.session.open(post("/")).unwrap();
    write(&mut visitor.session, stream, 100);
    visitor
        .session
        .reset(stream, ErrorCode::CANCELLED, "left the page");
    visitor.session.stop(stream, ErrorCode::CANCELLED);
    let names: Vec<&str> = visitor.sent(0).iter().map(name).collect();
    assert_eq!(names, ["REQUEST", "RESET", "STOP"]);

    // What is under way is thrown away; the place is free when the agent has answered.
    visitor.take_all(0, &[response(1, 200, false), data(1, 9)]);
    assert!(visitor.events().is_empty());
    assert_eq!(visitor.session.read(stream), Err(ReadError::Closed));
    assert_eq!(visitor.session.open_streams(), 1);
    visitor.take(0, &reset(1, ErrorCode::CANCELLED)).unwrap();
    assert!(visitor.events().is_empty());
    assert_eq!(visitor.session.open_streams(), 0);

    // A request without a body needs only STOP; release does all of it.
    let stream = visitor.session.open(get("/")).unwrap();
    visitor.session.release(stream);
    let names: Vec<&str> = visitor.sent(0).iter().map(name).collect();
    assert_eq!(names, ["REQUEST", "STOP"]);
}

/// Both ends give up at the same time.
#[test]
fn resets_cross() {
    let mut visitor = Peer::connected(Role::Visitor);
    let stream = visitor.session.open(post("/")).unwrap();
    visitor.session.reset(stream, ErrorCode::CANCELLED, "");
    visitor.session.stop(stream, ErrorCode::CANCELLED);
    visitor.take_all(
        0,
        &[
            reset(1, ErrorCode::UPSTREAM_FAILED),
            stop(1, ErrorCode::NO_ERROR),
        ],
    );
    assert!(visitor.events().is_empty());
    // One RESET, not a second one for the STOP.
    assert_eq!(
        visitor
            .sent(0)
            .iter()
            .filter(|frame| name(frame) == "RESET")
            .count(),
        1
    );
    assert_eq!(visitor.session.open_streams(), 0);

    let mut agent = Peer::connected(Role::Agent);
    agent.take(0, &request(1, false)).unwrap();
    agent.events();
    agent.session.reset(id(1), ErrorCode::INTERNAL, "");
    agent.session.stop(id(1), ErrorCode::INTERNAL);
    agent.take_all(
        0,
        &[
            reset(1, ErrorCode::CANCELLED),
            stop(1, ErrorCode::CANCELLED),
        ],
    );
    assert!(agent.events().is_empty());
    assert_eq!(
        agent.session.respond(id(1), ok(true)),
        Err(WriteError::Reset)
    );
    agent.session.release(id(1));
    let names: Vec<&str> = agent.sent(0).iter().map(name).collect();
    assert_eq!(names, ["RESET", "STOP"]);
    assert_eq!(agent.session.open_streams(), 0);
}

/// SES-023, SES-024: a RESET behind the end changes nothing.
#[test]
fn reset_behind_the_end_is_ignored() {
    let mut agent = Peer::connected(Role::Agent);
    agent.take_all(
        0,
        &[
            request(1, false),
            data_end(1, 5),
            reset(1, ErrorCode::CANCELLED),
        ],
    );
    assert!(matches!(
        agent.events().as_slice(),
        [Event::Request { .. }, Event::Readable(_)]
    ));
    assert_eq!(
        agent.session.read(id(1)),
        Ok(Read::Data(Bytes::from_static(b"xxxxx")))
    );
    assert_eq!(agent.session.read(id(1)), Ok(Read::End(None)));
}

/// Nothing can be done with a session that is closed.
#[test]
fn a_closed_session_says_so() {
    let mut agent = Peer::connected(Role::Agent);
    agent.take(0, &request(1, false)).unwrap();
    agent.session.close(ErrorCode::INTERNAL, "shutting down");
    assert_eq!(
        agent.session.respond(id(1), ok(true)),
        Err(WriteError::Closed)
    );
    assert_eq!(
        agent.session.write(id(1), &mut Bytes::from_static(b"x")),
        Err(WriteError::Closed)
    );
    agent.session.reset(id(1), ErrorCode::CANCELLED, "");
    agent.session.stop(id(1), ErrorCode::CANCELLED);
    agent.session.release(id(1));
    assert_eq!(agent.session.read(id(1)), Err(ReadError::Closed));
    let sent = agent.sent(0);
    assert!(
        matches!(
            sent.as_slice(),
            [Frame::GoAway {
                code: ErrorCode::INTERNAL,
                last_stream: 1,
                ..
            }]
        ),
        "{sent:?}"
    );
    assert!(agent.take(0, &data(1, 1)).is_ok());
    assert_eq!(agent.events().len(), 2);
    assert!(agent.session.is_drained());
}
