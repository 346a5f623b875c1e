//! Which streams exist: identifiers, the limit on them, and their end.

use p2claw_session::frame::Frame;
use p2claw_session::{Config, ErrorCode, Event, OpenError, ReadError, Role, WriteError};

use crate::peer::{Peer, data, data_end, get, id, ok, post, request, reset, response, stop, write};

/// SES-010, SES-016
#[test]
fn stream_ids_are_odd_and_rise_on_each_lane() {
    for (first, second) in [(2, None), (5, Some(3)), (5, Some(5)), (5, Some(6))] {
        let mut agent = Peer::connected(Role::Agent);
        let last = match second {
            Some(second) => {
                agent.take(0, &request(first, true)).unwrap();
                second
            }
            None => first,
        };
        assert_eq!(
            agent.fatal(0, &request(last, true)),
            ErrorCode::PROTOCOL,
            "{first} {second:?}"
        );
    }
    // Lanes overtake each other.
    let mut agent = Peer::connected(Role::Agent);
    agent.take(0, &request(5, true)).unwrap();
    agent.take(1, &request(3, true)).unwrap();
    agent.take(2, &request(1, true)).unwrap();
    assert_eq!(agent.events().len(), 3);
    assert_eq!(agent.fatal(3, &request(5, true)), ErrorCode::PROTOCOL);
}

/// SES-010: requests go one way, responses the other.
#[test]
fn only_visitors_request_and_only_agents_respond() {
    let mut visitor = Peer::connected(Role::Visitor);
    assert_eq!(visitor.fatal(0, &request(2, true)), ErrorCode::PROTOCOL);
    let mut agent = Peer::connected(Role::Agent);
    agent.take(0, &request(1, true)).unwrap();
    assert_eq!(agent.fatal(0, &response(1, 200, true)), ErrorCode::PROTOCOL);

    let mut agent = Peer::connected(Role::Agent);
    assert_eq!(agent.session.open(get("/")), Err(OpenError::WrongRole));
    let mut visitor = Peer::connected(Role::Visitor);
    visitor.session.open(get("/")).unwrap();
    assert_eq!(
        visitor.session.respond(id(1), ok(true)),
        Err(WriteError::WrongRole)
    );
}

/// SES-012
#[test]
fn frames_for_streams_never_opened_end_the_session() {
    let credit = Frame::Credit {
        stream: Some(id(3)),
        max_bytes: 1,
    };
    let cancelled = ErrorCode::CANCELLED;
    for frame in [
        data(3, 1),
        data_end(3, 0),
        reset(3, cancelled),
        stop(3, cancelled),
        credit,
        data(2, 1),
    ] {
        for role in [Role::Agent, Role::Visitor] {
            let mut peer = Peer::connected(role);
            match role {
                Role::Agent => peer.take(0, &request(1, false)).unwrap(),
                Role::Visitor => drop(peer.session.open(post("/")).unwrap()),
            }
            assert_eq!(
                peer.fatal(0, &frame),
                ErrorCode::PROTOCOL,
                "{role:?} {frame:?}"
            );
        }
    }
}

/// SES-013
#[test]
fn frames_for_closed_streams_are_ignored() {
    let mut agent = Peer::connected(Role::Agent);
    agent.take(0, &request(1, true)).unwrap();
    agent.session.respond(id(1), ok(true)).unwrap();
    agent.session.release(id(1));
    agent.sent(0);
    assert_eq!(agent.session.open_streams(), 0);
    agent.events();
    let credit = Frame::Credit {
        stream: Some(id(1)),
        max_bytes: 1,
    };
    agent.take_all(
        0,
        &[
            data(1, 5),
            reset(1, ErrorCode::CANCELLED),
            stop(1, ErrorCode::CANCELLED),
            credit,
            data_end(1, 0),
        ],
    );
    assert!(agent.events().is_empty());
    assert!(agent.sent(0).is_empty());
}

/// SES-013: whether the application still holds the stream makes no difference.
#[test]
fn frames_for_streams_closed_on_the_wire_are_ignored() {
    for release in [false, true] {
        let mut agent = Peer::connected(Role::Agent);
        agent.take_all(0, &[request(1, false), data_end(1, 3)]);
        agent.session.respond(id(1), ok(true)).unwrap();
        if release {
            agent.session.release(id(1));
        }
        assert_eq!(agent.sent(0).len(), 1);
        agent.events();
        let cancelled = ErrorCode::CANCELLED;
        agent.take_all(0, &[data(1, 5), reset(1, cancelled), stop(1, cancelled)]);
        assert!(agent.events().is_empty());
        assert!(agent.sent(0).is_empty());
        if !release {
            assert_eq!(agent.read_all(1), (3, Ok(Some(None))));
        }
    }
}

/// SES-020
#[test]
fn frames_out_of_order_end_the_session() {
    let sequences: [&[Frame]; 6] = [
        &[data(1, 1)],
        &[data_end(1, 0)],
        &[response(1, 200, false), response(1, 200, false)],
        &[response(1, 200, false), data_end(1, 1), data(1, 1)],
        &[response(1, 200, true), data_end(1, 0)],
        &[
            response(1, 200, false),
            reset(1, ErrorCode::INTERNAL),
            data(1, 1),
        ],
    ];
    for frames in sequences {
        let mut visitor = Peer::connected(Role::Visitor);
        visitor.session.open(post("/")).unwrap();
        let (last, before) = frames.split_last().unwrap();
        visitor.take_all(0, before);
        assert_eq!(visitor.fatal(0, last), ErrorCode::PROTOCOL, "{frames:?}");
    }
}

/// SES-050, SES-051
#[test]
fn streams_over_the_limit_are_refused_until_handlers_stop() {
    let mut agent = Peer::connected(Role::Agent);
    let streams: Vec<u64> = (0..100).map(|n| 2 * n + 1).collect();
    for stream in &streams {
        agent.take(0, &request(*stream, true)).unwrap();
    }
    assert_eq!(agent.events().len(), 100);

    // The visitor gives all of them up, which frees nothing while the handlers run.
    for stream in &streams {
        agent.take_all(0, &[stop(*stream, ErrorCode::CANCELLED)]);
    }
    assert_eq!(agent.events().len(), 100);
    agent.sent(0);
    agent.take(0, &request(201, false)).unwrap();
    assert!(agent.events().is_empty());
    let sent = agent.sent(0);
    assert!(
        matches!(
            sent.as_slice(),
            [
                Frame::Reset {
                    code: ErrorCode::REFUSED,
                    ..
                },
                Frame::Stop {
                    code: ErrorCode::REFUSED,
                    ..
                }
            ]
        ),
        "{sent:?}"
    );
    // The refused stream is closed: its body goes nowhere.
    agent.take_all(0, &[data(201, 10), reset(201, ErrorCode::REFUSED)]);

    agent.session.release(id(1));
    agent.take(0, &request(203, true)).unwrap();
    assert!(matches!(agent.events().as_slice(), [Event::Request { .. }]));
}

/// SES-050: the visitor keeps to the agent's limit.
#[test]
fn a_visitor_opens_no_more_than_allowed() {
    let config = Config {
        max_streams: 1_000,
        ..Config::default()
    };
    let mut visitor = Peer::with(Role::Visitor, config, &[(4, 150)]);
    for _ in 0..150 {
        visitor.session.open(get("/")).unwrap();
    }
    assert_eq!(
        visitor.session.open(get("/")),
        Err(OpenError::TooManyStreams)
    );
    visitor.sent(0);
    visitor.take(0, &response(1, 200, true)).unwrap();
    visitor.events();
    visitor.session.open(get("/")).unwrap();
}

/// SES-051: the visitor's application learns that it may retry.
#[test]
fn refusals_reach_the_application() {
    let mut visitor = Peer::connected(Role::Visitor);
    visitor.session.open(post("/")).unwrap();
    visitor.sent(0);
    visitor.take_all(
        0,
        &[reset(1, ErrorCode::REFUSED), stop(1, ErrorCode::REFUSED)],
    );
    let events = visitor.events();
    assert!(
        matches!(
            events.as_slice(),
            [
                Event::Reset {
                    code: ErrorCode::REFUSED,
                    ..
                },
                Event::Stopped {
                    code: ErrorCode::REFUSED,
                    ..
                }
            ]
        ),
        "{events:?}"
    );
    assert!(matches!(
        visitor.sent(0).as_slice(),
        [Frame::Reset {
            code: ErrorCode::REFUSED,
            ..
        }]
    ));
    assert_eq!(visitor.session.open_streams(), 0);
}

/// SES-050: a handler that is gone leaves nothing open behind it.
#[test]
fn release_gives_up_what_is_open() {
    let mut agent = Peer::connected(Role::Agent);
    agent.take(0, &request(1, false)).unwrap();
    agent.session.release(id(1));
    let sent = agent.sent(0);
    assert!(
        matches!(
            sent.as_slice(),
            [
                Frame::Reset {
                    code: ErrorCode::INTERNAL,
                    ..
                },
                Frame::Stop {
                    code: ErrorCode::NO_ERROR,
                    ..
                }
            ]
        ),
        "{sent:?}"
    );
    assert_eq!(agent.session.open_streams(), 1);
    agent.take(0, &reset(1, ErrorCode::NO_ERROR)).unwrap();
    assert_eq!(agent.session.open_streams(), 0);
    assert_eq!(agent.session.read(id(1)), Err(ReadError::UnknownStream));

    // A response that is complete but not sent yet is not given up.
    agent.take(0, &request(3, true)).unwrap();
    agent.session.respond(id(3), ok(false)).unwrap();
    write(&mut agent.session, id(3), 100);
    agent.session.finish(id(3), None).unwrap();
    agent.session.release(id(3));
    assert_eq!(agent.session.open_streams(), 1);
    let sent = agent.sent(0);
    assert!(
        matches!(
            sent.as_slice(),
            [Frame::Response { .. }, Frame::DataEnd { .. }]
        ),
        "{sent:?}"
    );
    assert_eq!(agent.session.open_streams(), 0);
}
