//! WebSockets inside a stream (spec/v1/websocket.md).

use bytes::Bytes;
use p2claw_proto::v1 as proto;
use p2claw_session::frame::Frame;
use p2claw_session::head::{MessageError, WEBSOCKET};
use p2claw_session::limits::MESSAGE_CHARGE;
use p2claw_session::{
    Close, Config, ErrorCode, Event, MessageKind, OpenError, Read, ReadError, Request, Response,
    Role, Session, WriteError,
};

use crate::peer::{Peer, data, data_end, fields, get, id, ok, request, reset, response, stop};

pub(crate) const TEXT: MessageKind = MessageKind::Text;
pub(crate) const BINARY: MessageKind = MessageKind::Binary;

pub(crate) fn connect() -> Request {
    Request {
        method: "CONNECT".into(),
        end: false,
        protocol: Some(WEBSOCKET.into()),
        ..get("/socket")
    }
}

fn connect_frame(stream: u64) -> Frame {
    let head = proto::Request {
        method: "CONNECT".into(),
        target: "/socket".into(),
        protocol: WEBSOCKET.into(),
        ..Default::default()
    };
    Frame::Request {
        stream: id(stream),
        head,
    }
}

fn message(stream: u64, kind: MessageKind, data: &'static [u8], last: bool) -> Frame {
    Frame::Message {
        stream: id(stream),
        kind,
        last,
        data: Bytes::from_static(data),
    }
}

fn close_frame(stream: u64, code: u32, reason: &str) -> Frame {
    Frame::Close {
        stream: id(stream),
        close: proto::WsClose {
            code,
            reason: reason.into(),
        },
    }
}

pub(crate) fn close(code: u16, reason: &str) -> Close {
    Close::new(code, reason).unwrap()
}

fn part(kind: MessageKind, data: &'static [u8], last: bool) -> Read {
    Read::Message {
        kind,
        last,
        data: Bytes::from_static(data),
    }
}

/// An agent with an open WebSocket on stream 1.
fn agent() -> Peer {
    let mut agent = Peer::connected(Role::Agent);
    agent.take(0, &connect_frame(1)).unwrap();
    agent.session.respond(id(1), ok(false)).unwrap();
    agent.sent(0);
    agent.events();
    agent
}

/// A visitor with an open WebSocket on stream 1.
fn visitor() -> Peer {
    let mut visitor = Peer::connected(Role::Visitor);
    visitor.session.open(connect()).unwrap();
    visitor.take(0, &response(1, 200, false)).unwrap();
    visitor.sent(0);
    visitor.events();
    visitor
}

fn send(session: &mut Session, kind: MessageKind, data: &'static [u8], last: bool) -> bool {
    session
        .send_message(id(1), kind, &mut Bytes::from_static(data), last)
        .unwrap()
}

/// WSK-001, SES-033
#[test]
fn a_connect_names_its_protocol_and_has_no_end() {
    let mut visitor = Peer::connected(Role::Visitor);
    for wrong in [
        Request {
            end: true,
            ..connect()
        },
        Request {
            protocol: None,
            ..connect()
        },
        Request {
            method: "GET".into(),
            ..connect()
        },
    ] {
        assert_eq!(
            visitor.session.open(wrong),
            Err(OpenError::Message(MessageError::Connect))
        );
    }
    let mut agent = Peer::connected(Role::Agent);
    for (stream, method, protocol, end) in [
        (1, "CONNECT", "", false),
        (3, "GET", WEBSOCKET, false),
        (5, "CONNECT", WEBSOCKET, true),
    ] {
        let head = proto::Request {
            method: method.into(),
            target: "/".into(),
            protocol: protocol.into(),
            end,
            ..Default::default()
        };
        let stream = id(stream);
        agent.take(0, &Frame::Request { stream, head }).unwrap();
        assert!(matches!(
            agent.sent(0).as_slice(),
            [
                Frame::Reset {
                    code: ErrorCode::BAD_MESSAGE,
                    ..
                },
                Frame::Stop { .. }
            ]
        ));
    }
    assert!(agent.events().is_empty());
}

/// WSK-002
#[test]
fn fields_of_one_connection_do_not_travel() {
    for name in [
        "sec-websocket-key",
        "sec-websocket-accept",
        "sec-websocket-version",
        "sec-websocket-extensions",
        "content-length",
    ] {
        let list = fields(&[(name, "0")]);
        let mut visitor = Peer::connected(Role::Visitor);
        let wrong = Request {
            fields: list.clone(),
            ..connect()
        };
        assert!(matches!(
            visitor.session.open(wrong),
            Err(OpenError::Message(_))
        ));

        let mut agent = Peer::connected(Role::Agent);
        agent.take(0, &connect_frame(1)).unwrap();
        let wrong = Response {
            fields: list,
            ..ok(false)
        };
        assert!(matches!(
            agent.session.respond(id(1), wrong),
            Err(WriteError::Message(_))
        ));
    }
}

/// WSK-003, WSK-010
#[test]
fn messages_flow_both_ways_once_it_is_accepted() {
    for mut peer in [agent(), visitor()] {
        assert!(send(&mut peer.session, TEXT, b"hello", true));
        assert!(send(&mut peer.session, BINARY, b"", true));
        assert!(send(&mut peer.session, BINARY, b"a", false));
        assert!(send(&mut peer.session, BINARY, b"b", true));
        peer.session
            .close_websocket(id(1), close(1000, "bye"))
            .unwrap();
        assert_eq!(
            peer.sent(0),
            [
                message(1, TEXT, b"hello", true),
                message(1, BINARY, b"", true),
                message(1, BINARY, b"a", false),
                message(1, BINARY, b"b", true),
                close_frame(1, 1000, "bye"),
            ]
        );
        peer.take_all(
            0,
            &[
                message(1, BINARY, b"\xff", false),
                message(1, BINARY, b"", true),
                message(1, TEXT, b"", true),
                close_frame(1, 0, ""),
            ],
        );
        assert_eq!(peer.events(), [Event::Readable(id(1))]);
        for expected in [
            part(BINARY, b"\xff", false),
            part(BINARY, b"", true),
            part(TEXT, b"", true),
            Read::Close(Close::NONE),
        ] {
            assert_eq!(peer.session.read(id(1)), Ok(expected));
        }
        peer.session.release(id(1));
        assert!(
            peer.sent(0).is_empty(),
            "both halves have ended by themselves"
        );
        assert_eq!(peer.session.open_streams(), 0);
    }
}

/// WSK-005: before the answer, the visitor has nothing to say but that it gives up.
#[test]
fn nothing_is_sent_before_the_answer() {
    let mut visitor = Peer::connected(Role::Visitor);
    visitor.session.open(connect()).unwrap();
    let session = &mut visitor.session;
    let mut data = Bytes::from_static(b"x");
    assert_eq!(
        session.send_message(id(1), TEXT, &mut data, true),
        Err(WriteError::NotOpen)
    );
    assert_eq!(
        session.close_websocket(id(1), Close::NONE),
        Err(WriteError::NotOpen)
    );
    assert_eq!(session.write(id(1), &mut data), Err(WriteError::NotOpen));
    assert_eq!(session.finish(id(1), None), Err(WriteError::NotOpen));
    session.release(id(1));
    assert!(matches!(
        visitor.sent(0).as_slice(),
        [
            Frame::Request { .. },
            Frame::Reset { .. },
            Frame::Stop { .. }
        ]
    ));

    for early in [message(1, TEXT, b"x", true), close_frame(1, 1000, "")] {
        let mut agent = Peer::connected(Role::Agent);
        agent.take(0, &connect_frame(1)).unwrap();
        assert_eq!(agent.fatal(0, &early), ErrorCode::PROTOCOL);
    }
}

/// WSK-005: a refusal is an ordinary response, and the request half is over.
#[test]
fn a_refusal_ends_the_request_half_without_a_frame() {
    let mut visitor = Peer::connected(Role::Visitor);
    visitor.session.open(connect()).unwrap();
    visitor.sent(0);
    visitor.take_all(
        0,
        &[
            response(1, 103, false),
            response(1, 403, false),
            data_end(1, 4),
        ],
    );
    assert_eq!(visitor.read_all(1), (4, Ok(Some(None))));
    assert!(visitor.sent(0).is_empty());
    assert_eq!(visitor.session.open_streams(), 0);

    let mut agent = Peer::connected(Role::Agent);
    agent.take(0, &connect_frame(1)).unwrap();
    let refusal = Response {
        status: 403,
        ..ok(true)
    };
    agent.session.respond(id(1), refusal).unwrap();
    agent.session.release(id(1));
    assert!(matches!(agent.sent(0).as_slice(), [Frame::Response { .. }]));
    assert_eq!(agent.session.open_streams(), 0);
    // The visitor's reset crosses the refusal.
    agent.take(0, &reset(1, ErrorCode::CANCELLED)).unwrap();
}

/// WSK-006
#[test]
fn only_status_200_accepts() {
    let wrong = |status, end, list: &[(&str, &str)]| proto::Response {
        status,
        fields: crate::peer::wire_fields(list),
        end,
    };
    for head in [
        wrong(200, true, &[]),
        wrong(201, false, &[]),
        wrong(204, true, &[]),
        wrong(200, false, &[("sec-websocket-protocol", "v3")]),
        wrong(200, false, &[("sec-websocket-protocol", "v1, v2")]),
        wrong(
            200,
            false,
            &[
                ("sec-websocket-protocol", "v1"),
                ("sec-websocket-protocol", "v2"),
            ],
        ),
    ] {
        let mut visitor = Peer::connected(Role::Visitor);
        let asking = Request {
            fields: fields(&[("sec-websocket-protocol", "v1, v2")]),
            ..connect()
        };
        visitor.session.open(asking).unwrap();
        visitor.sent(0);
        let case = format!("{head:?}");
        visitor
            .take(
                0,
                &Frame::Response {
                    stream: id(1),
                    head,
                },
            )
            .unwrap();
        assert!(
            matches!(
                visitor.events().as_slice(),
                [Event::Reset {
                    code: ErrorCode::BAD_MESSAGE,
                    ..
                }]
            ),
            "{case}"
        );
        assert!(
            matches!(visitor.sent(0).first(), Some(Frame::Reset { .. })),
            "{case}"
        );
    }
    let mut visitor = Peer::connected(Role::Visitor);
    let asking = Request {
        fields: fields(&[
            ("sec-websocket-protocol", "v1"),
            ("sec-websocket-protocol", "v2"),
        ]),
        ..connect()
    };
    visitor.session.open(asking).unwrap();
    let head = wrong(200, false, &[("sec-websocket-protocol", "v2")]);
    visitor
        .take(
            0,
            &Frame::Response {
                stream: id(1),
                head,
            },
        )
        .unwrap();
    assert!(matches!(
        visitor.events().as_slice(),
        [Event::Response { .. }]
    ));
}

/// WSK-010: bodies have no place in a WebSocket, and messages none elsewhere.
#[test]
fn bodies_and_messages_do_not_mix() {
    let trailers = Frame::Trailers {
        stream: id(1),
        trailers: proto::Trailers::default(),
    };
    for wrong in [data(1, 1), data_end(1, 0), trailers] {
        assert_eq!(agent().fatal(0, &wrong), ErrorCode::PROTOCOL);
        assert_eq!(visitor().fatal(0, &wrong), ErrorCode::PROTOCOL);
    }
    for wrong in [message(1, TEXT, b"x", true), close_frame(1, 1000, "")] {
        let mut agent = Peer::connected(Role::Agent);
        agent.take(0, &request(1, false)).unwrap();
        assert_eq!(agent.fatal(0, &wrong), ErrorCode::PROTOCOL);
    }
    let mut peer = agent();
    assert_eq!(
        peer.session.write(id(1), &mut Bytes::from_static(b"x")),
        Err(WriteError::WrongMode)
    );
    assert_eq!(peer.session.finish(id(1), None), Err(WriteError::WrongMode));
}

/// WSK-011, WSK-014
#[test]
fn a_message_keeps_its_kind() {
    let mut peer = agent();
    peer.take(0, &message(1, TEXT, b"a", false)).unwrap();
    assert_eq!(
        peer.fatal(0, &message(1, BINARY, b"b", true)),
        ErrorCode::PROTOCOL
    );

    let mut peer = agent();
    assert!(send(&mut peer.session, TEXT, b"a", false));
    let other = peer
        .session
        .send_message(id(1), BINARY, &mut Bytes::from_static(b"b"), true);
    assert_eq!(other, Err(WriteError::WithinMessage));
}

/// WSK-014: a close within a message cuts it off.
#[test]
fn a_close_may_come_within_a_message() {
    let mut peer = agent();
    assert!(send(&mut peer.session, TEXT, b"a", false));
    peer.session
        .close_websocket(id(1), close(1001, ""))
        .unwrap();
    assert_eq!(
        peer.sent(0),
        [message(1, TEXT, b"a", false), close_frame(1, 1001, "")]
    );
    peer.take_all(
        0,
        &[message(1, BINARY, b"b", false), close_frame(1, 1000, "")],
    );
    assert_eq!(peer.session.read(id(1)), Ok(part(BINARY, b"b", false)));
    assert_eq!(peer.session.read(id(1)), Ok(Read::Close(close(1000, ""))));
}

/// WSK-012
#[test]
fn a_text_that_is_not_utf8_is_refused() {
    for frames in [
        &[message(1, TEXT, b"\xff", true)][..],
        &[
            message(1, TEXT, b"\xc3", false),
            message(1, TEXT, b"(", true),
        ],
        &[message(1, TEXT, b"\xc3", true)],
    ] {
        let mut peer = agent();
        peer.take_all(0, frames);
        assert!(matches!(
            peer.events().last(),
            Some(Event::Reset {
                code: ErrorCode::BAD_MESSAGE,
                ..
            })
        ));
        assert!(matches!(
            peer.sent(0).as_slice(),
            [
                Frame::Reset { .. },
                Frame::Stop {
                    code: ErrorCode::BAD_MESSAGE,
                    ..
                }
            ]
        ));
    }
    let mut peer = agent();
    peer.take_all(
        0,
        &[
            message(1, TEXT, b"\xc3", false),
            message(1, TEXT, b"\xa9", true),
        ],
    );
    assert_eq!(peer.events(), [Event::Readable(id(1))]);
}

/// WSK-012: an end does not send such a text either.
#[test]
fn a_text_that_is_not_utf8_is_not_sent() {
    let mut peer = agent();
    assert!(send(&mut peer.session, TEXT, b"\xc3", false));
    let rest = &mut Bytes::from_static(b"(");
    assert_eq!(
        peer.session.send_message(id(1), TEXT, rest, true),
        Err(WriteError::NotUtf8)
    );
}

/// WSK-020
#[test]
fn closes_that_cannot_travel_are_refused() {
    let long = "x".repeat(124);
    for (code, reason) in [
        (1, ""),
        (999, ""),
        (1004, ""),
        (1005, ""),
        (1006, ""),
        (1015, ""),
        (1016, ""),
        (2999, ""),
        (5000, ""),
        (65_536, ""),
        (66_536, ""),
        (0, "why"),
        (1000, &*long),
    ] {
        let mut peer = agent();
        peer.take(0, &close_frame(1, code, reason)).unwrap();
        assert!(
            matches!(
                peer.events().as_slice(),
                [Event::Reset {
                    code: ErrorCode::BAD_MESSAGE,
                    ..
                }]
            ),
            "{code} {reason}"
        );
        if let Ok(code) = u16::try_from(code) {
            assert!(code == 0 || Close::new(code, reason).is_err());
        }
    }
    for code in [1000, 1003, 1007, 1014, 3000, 4999] {
        let mut peer = agent();
        let reason = "x".repeat(123);
        peer.take(0, &close_frame(1, code.into(), &reason)).unwrap();
        assert_eq!(
            peer.session.read(id(1)),
            Ok(Read::Close(close(code, &reason)))
        );
    }
}

/// WSK-021: behind the peer's close no message begins, and one that has begun may end.
#[test]
fn nothing_begins_behind_the_close_of_the_peer() {
    let mut peer = agent();
    assert!(send(&mut peer.session, TEXT, b"be", false));
    peer.take(0, &close_frame(1, 1000, "")).unwrap();
    assert!(send(&mut peer.session, TEXT, b"gun", true));
    assert!(send(&mut peer.session, TEXT, b"late", true));
    peer.session
        .close_websocket(id(1), close(1000, ""))
        .unwrap();
    assert_eq!(
        peer.sent(0),
        [
            message(1, TEXT, b"be", false),
            message(1, TEXT, b"gun", true),
            close_frame(1, 1000, ""),
        ]
    );
}

/// WSK-021: whether or not the application still wants to hear of the close.
#[test]
fn a_close_counts_also_behind_a_stop() {
    for stopped_first in [true, false] {
        let mut peer = agent();
        if stopped_first {
            peer.session.stop(id(1), ErrorCode::NO_ERROR);
        }
        peer.take(0, &close_frame(1, 1000, "")).unwrap();
        peer.session.stop(id(1), ErrorCode::NO_ERROR);
        assert!(send(&mut peer.session, TEXT, b"late", true));
        let sent = peer.sent(0);
        let message = |frame: &Frame| matches!(frame, Frame::Message { .. });
        assert!(!sent.iter().any(message), "{sent:?}");
    }
}

/// WSK-022: what ends without a close is an error, behind what came before.
#[test]
fn a_reset_is_no_close() {
    let mut peer = visitor();
    peer.take_all(
        0,
        &[
            message(1, TEXT, b"a", true),
            reset(1, ErrorCode::UPSTREAM_FAILED),
        ],
    );
    assert_eq!(peer.session.read(id(1)), Ok(part(TEXT, b"a", true)));
    assert!(matches!(
        peer.session.read(id(1)),
        Err(ReadError::Reset {
            code: ErrorCode::UPSTREAM_FAILED,
            ..
        })
    ));
}

/// SES-023: an end that cuts off loses nothing of what it had.
#[test]
fn what_was_written_goes_out_before_the_cut() {
    let mut peer = agent();
    assert!(send(&mut peer.session, TEXT, b"last words", true));
    peer.session
        .cut_off(id(1), ErrorCode::UPSTREAM_FAILED, "gone");
    assert!(matches!(
        peer.sent(0).as_slice(),
        [
            Frame::Message { .. },
            Frame::Reset {
                code: ErrorCode::UPSTREAM_FAILED,
                ..
            }
        ]
    ));

    let mut peer = Peer::connected(Role::Agent);
    peer.take(0, &request(1, true)).unwrap();
    peer.session.respond(id(1), ok(false)).unwrap();
    crate::peer::write(&mut peer.session, id(1), 10);
    peer.session
        .cut_off(id(1), ErrorCode::UPSTREAM_FAILED, "gone");
    assert!(matches!(
        peer.sent(0).as_slice(),
        [
            Frame::Response { .. },
            Frame::Data { .. },
            Frame::Reset { .. }
        ]
    ));
    peer.session.release(id(1));
    assert_eq!(peer.session.open_streams(), 0);
}

/// SES-024 for WebSockets: STOP is answered by RESET, and what waits is dropped.
#[test]
fn a_stop_ends_the_half() {
    let mut peer = agent();
    assert!(send(&mut peer.session, TEXT, b"x", true));
    peer.take(0, &stop(1, ErrorCode::CANCELLED)).unwrap();
    assert!(matches!(
        peer.sent(0).as_slice(),
        [Frame::Reset {
            code: ErrorCode::CANCELLED,
            ..
        }]
    ));
    assert!(matches!(peer.events().as_slice(), [Event::Stopped { .. }]));
}

/// SES-040: each message or part counts 64 bytes more, on the stream and in the session.
#[test]
fn short_messages_use_credit_too() {
    let window = 65_536 / MESSAGE_CHARGE;
    let config = Config {
        stream_credit: 65_536,
        session_credit: 262_144,
        ..Config::default()
    };
    let mut peer = Peer::with(Role::Agent, config, &[(5, 16)]);
    peer.take(0, &connect_frame(1)).unwrap();
    peer.session.respond(id(1), ok(false)).unwrap();
    for _ in 0..window {
        peer.take(0, &message(1, TEXT, b"", true)).unwrap();
    }
    assert_eq!(peer.session.buffered().1, 65_536);
    assert_eq!(
        peer.fatal(0, &message(1, TEXT, b"", true)),
        ErrorCode::FLOW_CONTROL
    );
}

/// SES-040, SES-042: a sender keeps to it, and splits a message where credit ends.
#[test]
fn a_sender_keeps_within_the_credit() {
    let mut peer = agent();
    let mut long = Bytes::from(vec![7; 70_000]);
    while !peer
        .session
        .send_message(id(1), BINARY, &mut long, true)
        .unwrap()
    {
        let sent = peer.sent(0);
        assert!(!sent.is_empty());
        for frame in sent {
            assert!(matches!(frame, Frame::Message { last: false, .. }));
        }
    }
    let mut rest = peer.sent(0);
    assert!(
        rest.iter()
            .all(|frame| matches!(frame, Frame::Message { last: false, .. }))
    );
    peer.take(
        0,
        &Frame::Credit {
            stream: Some(id(1)),
            max_bytes: 1 << 20,
        },
    )
    .unwrap();
    rest = peer.sent(0);
    assert!(matches!(
        rest.last(),
        Some(Frame::Message { last: true, .. })
    ));
}

/// SES-013, SES-044: messages for a WebSocket that is over give their session credit back.
#[test]
fn late_messages_are_ignored() {
    let mut peer = agent();
    peer.session.release(id(1));
    peer.take_all(
        0,
        &[message(1, TEXT, b"x", true), reset(1, ErrorCode::CANCELLED)],
    );
    peer.sent(0);
    assert_eq!(peer.session.open_streams(), 0);
    peer.take_all(0, &[message(1, TEXT, b"x", true), close_frame(1, 1000, "")]);
    assert!(!peer.session.is_closed());
}
