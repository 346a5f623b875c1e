//! Rules of HTTP: what breaks them ends one exchange, never the session.

use bytes::Bytes;
use p2claw_proto::v1 as proto;
use p2claw_session::frame::Frame;
use p2claw_session::head::{FieldError, MessageError, TargetError};
use p2claw_session::{
    ErrorCode, Event, Fields, OpenError, Request, Response, Role, Target, WriteError,
};

use crate::peer::{
    Peer, data, data_end, fields, get, id, ok, post, request, response, wire_fields,
};

fn head(method: &str, target: &str, list: &[(&str, &str)]) -> proto::Request {
    proto::Request {
        method: method.into(),
        target: target.into(),
        fields: wire_fields(list),
        end: false,
        ..Default::default()
    }
}

/// The agent refuses the request with BAD_MESSAGE, shows nothing to the application and goes on.
fn assert_refused(head: proto::Request) {
    let mut agent = Peer::connected(Role::Agent);
    let case = format!("{head:?}");
    agent
        .take(
            0,
            &Frame::Request {
                stream: id(1),
                head,
            },
        )
        .unwrap();
    assert!(agent.events().is_empty(), "{case}");
    let sent = agent.sent(0);
    assert!(
        matches!(
            sent.as_slice(),
            [
                Frame::Reset {
                    code: ErrorCode::BAD_MESSAGE,
                    ..
                },
                Frame::Stop {
                    code: ErrorCode::BAD_MESSAGE,
                    ..
                }
            ]
        ),
        "{case}: {sent:?}"
    );
    // Its body is thrown away, and the next request is served.
    agent.take_all(0, &[data(1, 100), data_end(1, 0), request(3, true)]);
    assert!(
        matches!(agent.events().as_slice(), [Event::Request { .. }]),
        "{case}"
    );
}

/// SES-034, SES-036: nothing but origin-form comes near an upstream.
#[test]
fn targets_that_are_not_origin_form_are_refused() {
    for target in [
        "",
        "@host/",
        "http://127.0.0.1/",
        "https://evil.example",
        "evil.example:443",
        "//evil.example/",
        "//",
        "path",
        "?query",
        "/a b",
        "/a\tb",
        "/a\r\nhost: x",
        "/#fragment",
        "/\u{e9}",
        "/\u{7f}",
        "/\0",
        "*",
    ] {
        assert_refused(head("GET", target, &[]));
    }
}

/// SES-034
#[test]
fn origin_form_targets_pass_unchanged() {
    for target in [
        "/",
        "/a//b",
        "/a?b=//c",
        "/%2e%2e/%00",
        "/\\",
        "/a@b:80",
        "/?q=http://x/",
    ] {
        let mut agent = Peer::connected(Role::Agent);
        agent
            .take(
                0,
                &Frame::Request {
                    stream: id(1),
                    head: head("GET", target, &[]),
                },
            )
            .unwrap();
        let events = agent.events();
        let [Event::Request { request, .. }] = events.as_slice() else {
            panic!("{target}: {events:?}");
        };
        assert_eq!(request.target.as_str(), target);
    }
    let mut agent = Peer::connected(Role::Agent);
    agent
        .take(
            0,
            &Frame::Request {
                stream: id(1),
                head: head("OPTIONS", "*", &[]),
            },
        )
        .unwrap();
    assert!(matches!(agent.events().as_slice(), [Event::Request { .. }]));
}

/// SES-033, SES-036
#[test]
fn methods_are_tokens_and_not_connect() {
    for method in ["", "CONNECT", "GE T", "GET\r\n", "GÉT", "(GET)"] {
        assert_refused(head(method, "/", &[]));
    }
}

/// SES-030, SES-031, SES-032, SES-035, SES-036, ERR-001, ERR-002
#[test]
fn fields_that_break_the_rules_are_refused() {
    for field in [
        ("", "x"),
        ("Accept", "x"),
        (":path", "/"),
        ("a b", "x"),
        ("a\r\nb", "x"),
        ("é", "x"),
        ("connection", "close"),
        ("keep-alive", "x"),
        ("proxy-connection", "x"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "websocket"),
        ("te", "gzip"),
        ("host", "evil.example"),
        ("x", "a\rb"),
        ("x", "a\nb"),
        ("x", "a\0b"),
        ("x", " a"),
        ("x", "a\t"),
        ("content-length", "-1"),
        ("content-length", "1, 1"),
        ("content-length", "+1"),
        ("content-length", ""),
        ("content-length", "99999999999999999999"),
    ] {
        assert_refused(head("POST", "/", &[field]));
    }
    assert_refused(head(
        "POST",
        "/",
        &[("content-length", "1"), ("content-length", "2")],
    ));
    assert_refused(head("POST", "/", &[("x", "y"); 257]));
}

/// SES-030, SES-031, SES-032, HTP-003
#[test]
fn fields_that_keep_the_rules_pass_in_order() {
    let list = [
        ("te", "trailers"),
        ("x", ""),
        ("accept", "a, b"),
        ("x", "\u{e9} \u{1}"),
        ("!#$%&'*+-.^_`|~0", "y"),
    ];
    let mut agent = Peer::connected(Role::Agent);
    agent
        .take(
            0,
            &Frame::Request {
                stream: id(1),
                head: head("POST", "/", &list),
            },
        )
        .unwrap();
    let events = agent.events();
    let [Event::Request { request, .. }] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(request.fields, fields(&list));
    assert_eq!(request.fields.get("x"), Some(&Bytes::new()));
    assert_eq!(request.fields.get_all("x").count(), 2);
}

/// SES-038
#[test]
fn heads_that_do_not_fit_one_frame_stay_here() {
    let big = fields(&[("x", &"y".repeat(16_384))]);
    let mut visitor = Peer::connected(Role::Visitor);
    let error = visitor.session.open(Request {
        fields: big.clone(),
        ..get("/")
    });
    assert_eq!(error, Err(OpenError::HeadTooLarge));
    assert_eq!(visitor.session.open_streams(), 0);
    let stream = visitor.session.open(post("/")).unwrap();
    assert_eq!(stream, id(1));
    assert_eq!(
        visitor.session.finish(stream, Some(big.clone())),
        Err(WriteError::HeadTooLarge)
    );
    visitor.session.finish(stream, None).unwrap();

    let mut agent = Peer::connected(Role::Agent);
    agent.take(0, &request(1, true)).unwrap();
    let error = agent.session.respond(
        id(1),
        Response {
            fields: big,
            ..ok(true)
        },
    );
    assert_eq!(error, Err(WriteError::HeadTooLarge));
    // The application can still answer 502.
    agent
        .session
        .respond(
            id(1),
            Response {
                status: 502,
                ..ok(true)
            },
        )
        .unwrap();
}

/// SES-033, SES-035: the own application is held to the same rules.
#[test]
fn own_heads_are_checked_too() {
    let mut visitor = Peer::connected(Role::Visitor);
    let mut open = |request| match visitor.session.open(request) {
        Err(OpenError::Message(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        open(Request {
            method: "CONNECT".into(),
            ..get("/")
        }),
        MessageError::Connect
    );
    assert_eq!(
        open(Request {
            target: Target::parse("*").unwrap(),
            ..get("/")
        }),
        MessageError::Asterisk
    );
    assert_eq!(
        open(Request {
            fields: fields(&[("host", "x")]),
            ..get("/")
        }),
        MessageError::Field(FieldError::Misplaced("host".into()))
    );
    assert_eq!(
        open(Request {
            fields: fields(&[("content-length", "1")]),
            ..get("/")
        }),
        MessageError::MissingBody
    );
    assert_eq!(Target::parse("//x"), Err(TargetError::DoubleSlash));
    assert_eq!(Fields::new().push("Accept", "x"), Err(FieldError::Name));

    let mut agent = Peer::connected(Role::Agent);
    agent.take(0, &request(1, true)).unwrap();
    for status in [99, 101, 600] {
        let error = agent
            .session
            .respond(id(1), Response { status, ..ok(true) });
        assert_eq!(
            error,
            Err(WriteError::Message(MessageError::Status(status.into())))
        );
    }
    let error = agent.session.respond(
        id(1),
        Response {
            status: 103,
            ..ok(true)
        },
    );
    assert_eq!(
        error,
        Err(WriteError::Message(MessageError::InformationalEnd))
    );
}

/// A visitor that posts, and the frames of a response that breaks a rule.
fn assert_bad_response(frames: &[Frame]) {
    let mut visitor = Peer::connected(Role::Visitor);
    visitor.session.open(post("/")).unwrap();
    visitor.sent(0);
    let (last, before) = frames.split_last().unwrap();
    visitor.take_all(0, before);
    visitor.events();
    visitor.take(0, last).unwrap();
    let events = visitor.events();
    assert!(
        matches!(
            events.as_slice(),
            [Event::Reset {
                code: ErrorCode::BAD_MESSAGE,
                ..
            }]
        ),
        "{frames:?}: {events:?}"
    );
    assert!(matches!(
        visitor.sent(0).first(),
        Some(Frame::Reset {
            code: ErrorCode::BAD_MESSAGE,
            ..
        })
    ));
    assert!(!visitor.session.is_closed());
}

/// SES-021, SES-036, SES-039, ERR-002
#[test]
fn responses_that_break_the_rules_end_their_exchange() {
    for status in [0, 99, 101, 600, 70_000] {
        assert_bad_response(&[response(1, status, false)]);
    }
    assert_bad_response(&[response(1, 103, true)]);
    let bad = |list| Frame::Response {
        stream: id(1),
        head: proto::Response {
            status: 200,
            fields: wire_fields(list),
            end: false,
        },
    };
    assert_bad_response(&[bad(&[("transfer-encoding", "chunked")])]);
    assert_bad_response(&[bad(&[("Etag", "x")])]);
    let trailers = |list| Frame::Trailers {
        stream: id(1),
        trailers: proto::Trailers {
            fields: wire_fields(list),
        },
    };
    assert_bad_response(&[
        response(1, 200, false),
        trailers(&[("content-length", "0")]),
    ]);
    assert_bad_response(&[response(1, 200, false), trailers(&[("X", "0")])]);
}

fn sized(status: u32, length: &str, end: bool) -> Frame {
    let fields = wire_fields(&[("content-length", length)]);
    Frame::Response {
        stream: id(1),
        head: proto::Response {
            status,
            fields,
            end,
        },
    }
}

/// SES-037
#[test]
fn content_length_must_be_true() {
    assert_bad_response(&[sized(200, "5", true)]);
    assert_bad_response(&[sized(200, "5", false), data_end(1, 4)]);
    assert_bad_response(&[sized(200, "5", false), data(1, 6)]);
    assert_bad_response(&[sized(200, "5", false), data(1, 5), data_end(1, 1)]);
    assert_bad_response(&[sized(200, "0", false), data(1, 1)]);
    assert_bad_response(&[response(1, 204, false), data(1, 1)]);
    assert_bad_response(&[sized(304, "5", false), data(1, 5)]);

    let mut visitor = Peer::connected(Role::Visitor);
    visitor.session.open(post("/")).unwrap();
    visitor.take_all(0, &[sized(200, "5", false), data(1, 3), data_end(1, 2)]);
    assert_eq!(visitor.read_all(1), (5, Ok(Some(None))));

    // HEAD and 304 tell the length of a body that does not come.
    for (method, status) in [("HEAD", 200), ("GET", 304), ("GET", 204)] {
        let mut visitor = Peer::connected(Role::Visitor);
        visitor
            .session
            .open(Request {
                method: method.into(),
                ..get("/")
            })
            .unwrap();
        visitor.take(0, &sized(status, "5", true)).unwrap();
        assert!(matches!(
            visitor.events().as_slice(),
            [Event::Response { .. }]
        ));
    }
}

/// SES-037: a request whose body is too short is no request that ended well.
#[test]
fn short_request_bodies_are_cut_off() {
    let mut agent = Peer::connected(Role::Agent);
    let head = head("POST", "/", &[("content-length", "10")]);
    agent.take_all(
        0,
        &[
            Frame::Request {
                stream: id(1),
                head,
            },
            data(1, 4),
            data_end(1, 5),
        ],
    );
    let events = agent.events();
    assert!(
        matches!(
            events.as_slice(),
            [
                Event::Request { .. },
                Event::Readable(_),
                Event::Reset {
                    code: ErrorCode::BAD_MESSAGE,
                    ..
                }
            ]
        ),
        "{events:?}"
    );
    assert!(matches!(
        agent.read_all(1).1,
        Err(p2claw_session::ReadError::Reset { .. })
    ));
    assert_eq!(
        agent.session.respond(id(1), ok(true)),
        Err(WriteError::Reset)
    );
}
