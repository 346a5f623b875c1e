//! Messages, HELLO and lanes.

use bytes::{BufMut, Bytes, BytesMut};
use p2claw_proto::v1 as proto;
use p2claw_session::frame::{Frame, FrameType};
use p2claw_session::{Config, ErrorCode, Event, OpenError, Request, Role, WriteError};

use crate::peer::{Peer, data, fields, get, hello, id, lane, ok, request, response};

fn large(config: Config) -> Config {
    Config {
        max_frame: 65_536,
        ..config
    }
}

/// SES-002, ERR-001, ERR-003
#[test]
fn malformed_messages_end_the_session() {
    let cases: [(&str, &[u8]); 9] = [
        ("no bytes at all", &[]),
        ("type only", &[0x02]),
        ("type cut off", &[0x40]),
        ("stream cut off", &[0x02, 0xc0, 0, 0]),
        ("REQUEST that is no protobuf", &[0x02, 0x01, 0xff, 0xff]),
        (
            "REQUEST with a truncated string",
            &[0x02, 0x01, 0x0a, 0x05, b'G'],
        ),
        ("empty DATA", &[0x04, 0x01]),
        ("REQUEST without a stream", &[0x02, 0x00]),
        ("PING with a stream", &[0x0a, 0x01]),
    ];
    for (case, message) in cases {
        let mut agent = Peer::connected(Role::Agent);
        agent.take(0, &request(1, false)).unwrap();
        let code = agent.fatal_bytes(0, Bytes::copy_from_slice(message));
        assert_eq!(code, ErrorCode::PROTOCOL, "{case}");
    }
}

/// SES-001: the longest encodings of type and stream are as good as the shortest.
#[test]
fn long_varints_are_accepted() {
    let mut agent = Peer::connected(Role::Agent);
    let mut message = BytesMut::new();
    message.put_u64(0xc000_0000_0000_0000 | FrameType::Request.wire());
    message.put_u64(0xc000_0000_0000_0000 | 1);
    let short = request(1, true).encode();
    message.put_slice(short.get(2..).unwrap());
    agent.take_bytes(0, message.freeze()).unwrap();
    assert!(matches!(agent.events().as_slice(), [Event::Request { .. }]));
}

/// SES-003, ERR-001
#[test]
fn frames_above_the_agreed_size_end_the_session() {
    // 2 bytes of header.
    let longest = |len: usize| data(1, len - 2);

    let mut agent = Peer::with(Role::Agent, large(Config::default()), &[]);
    agent.take_all(0, &[request(1, false), longest(16_384)]);
    assert_eq!(agent.fatal(0, &longest(16_385)), ErrorCode::FRAME_SIZE);

    let mut agent = Peer::with(Role::Agent, large(Config::default()), &[(1, 20_000)]);
    agent.take_all(0, &[request(1, false), longest(20_000)]);
    assert_eq!(agent.fatal(0, &longest(20_001)), ErrorCode::FRAME_SIZE);

    let mut agent = Peer::with(Role::Agent, Config::default(), &[(1, 65_536)]);
    agent.take_all(0, &[request(1, false), longest(16_384)]);
    assert_eq!(agent.fatal(0, &longest(16_385)), ErrorCode::FRAME_SIZE);
}

/// SES-003: nothing is agreed on before HELLO, so HELLO itself is not longer.
#[test]
fn hello_has_the_default_size() {
    for (software, fits) in [(16_000, true), (16_384, false)] {
        let mut agent = Peer::fresh(Role::Agent, large(Config::default()));
        let frame = Frame::Hello(proto::SessionHello {
            versions: vec![1],
            software: "x".repeat(software),
            ..Default::default()
        });
        if fits {
            agent.take(0, &frame).unwrap();
        } else {
            assert_eq!(agent.fatal(0, &frame), ErrorCode::FRAME_SIZE);
        }
    }
}

/// SES-003, SES-015: a visitor that has the agent's HELLO may use lane 1 before its own HELLO has arrived.
#[test]
fn large_frames_may_overtake_hello_on_another_lane() {
    let mut agent = Peer::fresh(Role::Agent, large(Config::default()));
    agent.take_all(1, &[request(1, false), data(1, 65_534)]);
    assert_eq!(agent.fatal(1, &data(1, 65_535)), ErrorCode::FRAME_SIZE);

    // Whatever else is wrong with it.
    let mut agent = Peer::connected(Role::Agent);
    assert_eq!(agent.fatal(15, &data(2, 16_384)), ErrorCode::FRAME_SIZE);
}

/// SES-003
#[test]
fn sent_frames_keep_to_the_agreed_size() {
    let config = Config {
        send_buffer: 1 << 20,
        ..large(Config::default())
    };
    for (theirs, longest) in [(16_384, 16_384), (30_000, 30_000), (65_536, 65_536)] {
        let mut agent = Peer::with(
            Role::Agent,
            config.clone(),
            &[(1, theirs), (2, 1 << 20), (3, 1 << 20)],
        );
        agent.take(0, &request(1, true)).unwrap();
        agent.session.respond(id(1), ok(false)).unwrap();
        crate::peer::write(&mut agent.session, id(1), 200_000);
        let mut lengths = Vec::new();
        while let Some(message) = agent.session.poll_transmit(lane(0)) {
            lengths.push(message.len());
        }
        assert_eq!(lengths.iter().max(), Some(&longest));
    }
}

/// RTC-007: what the transport takes to the other end is a bound of what is sent, and of nothing
/// that comes in.
#[test]
fn sent_frames_keep_to_the_limit_of_the_transport() {
    let config = Config {
        send_buffer: 1 << 20,
        ..large(Config::default())
    };
    let settings = [(1, 65_536), (2, 1 << 20), (3, 1 << 20)];
    for (limit, longest) in [
        (usize::MAX, 65_536),
        (65_535, 65_535),
        (20_000, 20_000),
        (16_384, 16_384),
        (1, 16_384),
    ] {
        let mut agent = Peer::with(Role::Agent, config.clone(), &settings);
        agent.session.limit_frames(limit);
        let longest_head = |len: usize| {
            let mut head = ok(false);
            head.fields = fields(&[("x-long", &"x".repeat(len))]);
            head
        };
        agent.take(0, &request(1, true)).unwrap();
        let refused = agent.session.respond(id(1), longest_head(longest));
        assert_eq!(refused, Err(WriteError::HeadTooLarge));
        // Type, stream, status, and the names and lengths of the parts.
        agent
            .session
            .respond(id(1), longest_head(longest - 32))
            .unwrap();
        crate::peer::write(&mut agent.session, id(1), 200_000);
        let trailers = || fields(&[("x-long", &"x".repeat(longest))]);
        let refused = agent.session.finish(id(1), Some(trailers()));
        assert_eq!(refused, Err(WriteError::HeadTooLarge));
        let mut lengths = Vec::new();
        while let Some(message) = agent.session.poll_transmit(lane(0)) {
            lengths.push(message.len());
        }
        assert_eq!(lengths.iter().max(), Some(&longest), "limit {limit}");

        agent.take_all(0, &[request(5, false), data(5, 65_534)]);

        let mut visitor = Peer::with(Role::Visitor, config.clone(), &settings);
        visitor.session.limit_frames(limit);
        let asks = |len: usize| Request {
            fields: fields(&[("x-long", &"x".repeat(len))]),
            ..get("/")
        };
        let refused = visitor.session.open(asks(longest));
        assert_eq!(refused, Err(OpenError::HeadTooLarge));
        visitor.session.open(asks(longest - 32)).unwrap();
    }
}

/// SES-004, SES-091, VER-014: unknown types are skipped on any lane and any stream, open or not.
#[test]
fn unknown_frames_are_skipped() {
    let mut agent = Peer::connected(Role::Agent);
    for (on, frame_type, stream) in [
        (0, 0x21, 0),
        (0, 0x1f, 1),
        (1, 0x1f * 1_000 + 0x21, 7),
        (3, 0x0d, 2),
    ] {
        let payload = Bytes::from_static(b"\xff\xff");
        agent
            .take(
                on,
                &Frame::Unknown {
                    frame_type,
                    stream,
                    payload,
                },
            )
            .unwrap();
    }
    assert!(agent.events().is_empty());
    assert!(agent.sent(0).is_empty());
}

/// SES-005
#[test]
fn hello_comes_first_and_once() {
    let mut agent = Peer::fresh(Role::Agent, Config::default());
    assert_eq!(agent.fatal(0, &request(1, true)), ErrorCode::PROTOCOL);

    let mut agent = Peer::fresh(Role::Agent, Config::default());
    let unknown = Frame::Unknown {
        frame_type: 0x21,
        stream: 0,
        payload: Bytes::new(),
    };
    assert_eq!(agent.fatal(0, &unknown), ErrorCode::PROTOCOL);

    let mut agent = Peer::connected(Role::Agent);
    assert_eq!(agent.fatal(0, &hello(&[])), ErrorCode::PROTOCOL);
}

/// SES-006
#[test]
fn requests_go_right_behind_hello() {
    let mut visitor = Peer::fresh(Role::Visitor, without_grease());
    visitor.session.open(get("/a")).unwrap();
    visitor.session.open(get("/b")).unwrap();
    let sent = visitor.sent(0);
    assert!(
        matches!(
            sent.as_slice(),
            [
                Frame::Hello(_),
                Frame::Request { .. },
                Frame::Request { .. }
            ]
        ),
        "{sent:?}"
    );
}

/// SES-007, VER-010, VER-011, VER-012
#[test]
fn no_common_version_ends_the_session() {
    for (versions, fits) in [
        (vec![], false),
        (vec![2, 0xffff_ffff], false),
        (vec![7, 1], true),
    ] {
        let mut agent = Peer::fresh(Role::Agent, Config::default());
        let frame = Frame::Hello(proto::SessionHello {
            versions,
            ..Default::default()
        });
        if fits {
            agent.take(0, &frame).unwrap();
        } else {
            // Its own HELLO still leaves, so that the other end learns the versions.
            assert_eq!(agent.fatal(0, &frame), ErrorCode::VERSION);
        }
    }
}

/// SES-008, VER-014
#[test]
fn settings_are_checked() {
    let out_of_range: [(u64, u64); 10] = [
        (1, 16_383),
        (1, 65_537),
        (1, u64::MAX),
        (2, 65_535),
        (3, 262_143),
        (4, 99),
        (5, 0),
        (5, 17),
        (5, 257),
        (4, 0),
    ];
    for setting in out_of_range {
        let mut agent = Peer::fresh(Role::Agent, Config::default());
        assert_eq!(
            agent.fatal(0, &hello(&[setting])),
            ErrorCode::PROTOCOL,
            "{setting:?}"
        );
    }
    let mut agent = Peer::fresh(Role::Agent, Config::default());
    let settings = [
        (1, 65_536),
        (2, 1 << 40),
        (3, u64::MAX),
        (4, 100),
        (5, 16),
        (6, 3),
        (0x21, 7),
        (99, 0),
    ];
    agent.take(0, &hello(&settings)).unwrap();
    insta::assert_debug_snapshot!(agent.session.peer().unwrap(), @r#"
    PeerSettings {
        version: 1,
        max_frame: 65536,
        initial_stream_credit: 1099511627776,
        initial_session_credit: 18446744073709551615,
        max_streams: 100,
        lanes: 16,
        encodings: 3,
        software: "test",
    }
    "#);
}

/// SES-008, SES-046: what a HELLO leaves out has its default.
#[test]
fn own_hello_says_what_differs() {
    let hello_of = |role, config| {
        let mut peer = Peer::fresh(role, config);
        let Frame::Hello(hello) = peer.sent(0).remove(0) else {
            panic!("no HELLO");
        };
        let settings = hello.settings.iter().map(|s| (s.id, s.value));
        settings.collect::<Vec<_>>()
    };
    let many = Config {
        max_streams: 256,
        encodings: 3,
        max_frame: 65_536,
        ..without_grease()
    };
    assert_eq!(
        hello_of(Role::Agent, many.clone()),
        [
            (1, 65_536),
            (2, 1 << 20),
            (3, 100 << 20),
            (4, 256),
            (5, 4),
            (6, 3)
        ]
    );
    // The number of streams is the agent's to say.
    assert_eq!(
        hello_of(Role::Visitor, many),
        [(1, 65_536), (2, 1 << 20), (3, 100 << 20), (5, 4), (6, 3)]
    );
    let least = Config {
        stream_credit: 0,
        session_credit: 0,
        lanes: 0,
        ..without_grease()
    };
    assert!(hello_of(Role::Agent, least).is_empty());
}

/// SES-009
#[test]
fn session_frames_belong_to_lane_0() {
    let frames = [
        hello(&[]),
        Frame::Ping { token: 1 },
        Frame::Pong { token: 1 },
        Frame::Credit {
            stream: None,
            max_bytes: 1,
        },
        Frame::GoAway {
            code: ErrorCode::NO_ERROR,
            last_stream: 0,
            reason: String::new(),
        },
    ];
    for frame in frames {
        let mut agent = Peer::connected(Role::Agent);
        assert_eq!(agent.fatal(1, &frame), ErrorCode::PROTOCOL, "{frame:?}");
    }
}

/// SES-011
#[test]
fn frames_of_a_stream_stay_on_its_lane() {
    let mut agent = Peer::connected(Role::Agent);
    agent.take(1, &request(1, false)).unwrap();
    assert_eq!(agent.fatal(2, &data(1, 1)), ErrorCode::PROTOCOL);

    let mut agent = Peer::connected(Role::Agent);
    agent.take(1, &request(1, true)).unwrap();
    agent.session.respond(id(1), ok(true)).unwrap();
    assert!(agent.sent(0).is_empty());
    assert!(matches!(agent.sent(1).as_slice(), [Frame::Response { .. }]));

    let mut visitor = Peer::connected(Role::Visitor);
    visitor.session.open(get("/")).unwrap();
    assert_eq!(
        visitor.fatal(1, &response(1, 200, true)),
        ErrorCode::PROTOCOL
    );
}

/// SES-014
#[test]
fn lanes_above_the_agreed_number_end_the_session() {
    let mut agent = Peer::with(Role::Agent, Config::default(), &[(5, 2)]);
    assert_eq!(agent.session.lanes(), 2);
    agent.take(1, &request(1, true)).unwrap();
    assert_eq!(agent.fatal(2, &request(3, true)), ErrorCode::PROTOCOL);

    // SES-015: before the visitor's HELLO, the agent's own number counts.
    let mut agent = Peer::fresh(
        Role::Agent,
        Config {
            lanes: 4,
            ..Config::default()
        },
    );
    assert_eq!(agent.session.lanes(), 1);
    agent.take(3, &request(1, true)).unwrap();
    assert_eq!(agent.fatal(4, &request(3, true)), ErrorCode::PROTOCOL);
}

/// SES-014: lane 0 until the agent's HELLO, then wherever the fewest streams are.
#[test]
fn a_visitor_spreads_streams_over_lanes() {
    let mut visitor = Peer::fresh(Role::Visitor, Config::default());
    for _ in 0..2 {
        visitor.session.open(get("/")).unwrap();
    }
    visitor.take(0, &hello(&[(5, 3)])).unwrap();
    assert_eq!(visitor.session.lanes(), 3);
    for _ in 0..7 {
        visitor.session.open(get("/")).unwrap();
    }
    let requests = |frames: Vec<Frame>| -> Vec<u64> {
        let mut streams = Vec::new();
        for frame in frames {
            if let Frame::Request { stream, .. } = frame {
                streams.push(stream.get());
            }
        }
        streams
    };
    assert_eq!(requests(visitor.sent(0)), [1, 3, 13]);
    assert_eq!(requests(visitor.sent(1)), [5, 9, 15]);
    assert_eq!(requests(visitor.sent(2)), [7, 11, 17]);
    assert!(visitor.sent(3).is_empty());
}

/// SES-014: the lower of both numbers, whichever end has it.
#[test]
fn the_own_number_of_lanes_counts_too() {
    let config = Config {
        lanes: 2,
        ..Config::default()
    };
    let mut visitor = Peer::with(Role::Visitor, config, &[(5, 16)]);
    assert_eq!(visitor.session.lanes(), 2);
    for _ in 0..4 {
        visitor.session.open(get("/")).unwrap();
    }
    assert_eq!([visitor.sent(0).len(), visitor.sent(1).len()], [2, 2]);
}

fn without_grease() -> Config {
    Config {
        grease_seed: None,
        ..Config::default()
    }
}

/// SES-091: nobody has to ask for it.
#[test]
fn grease_is_sent_by_default() {
    for role in [Role::Agent, Role::Visitor] {
        let sent = Peer::fresh(role, Config::for_role(role)).sent(0);
        let [Frame::Hello(hello), Frame::Unknown { stream: 0, .. }] = sent.as_slice() else {
            panic!("{sent:?}");
        };
        assert!(hello.settings.iter().any(|setting| setting.id >= 0x21));
    }
    let silent = Peer::fresh(Role::Agent, without_grease()).sent(0);
    assert!(matches!(silent.as_slice(), [Frame::Hello(hello)]
        if hello.settings.iter().all(|setting| setting.id < 0x21)));
}

/// SES-091, VER-018, VER-019
#[test]
fn grease_is_sent_and_repeatable() {
    let greased = |seed| {
        let mut peer = Peer::fresh(
            Role::Visitor,
            Config {
                grease_seed: Some(seed),
                ..Config::default()
            },
        );
        peer.sent(0)
    };
    let sent = greased(7);
    let [
        Frame::Hello(hello),
        Frame::Unknown {
            frame_type,
            stream: 0,
            ..
        },
    ] = sent.as_slice()
    else {
        panic!("{sent:?}");
    };
    assert_eq!((frame_type - 0x21) % 0x1f, 0);
    assert!(
        hello
            .settings
            .iter()
            .any(|s| s.id >= 0x21 && (s.id - 0x21) % 0x1f == 0)
    );
    assert_eq!(sent, greased(7));
    assert_ne!(sent, greased(8));

    let mut agent = Peer::fresh(Role::Agent, Config::default());
    agent.take_all(0, &sent);
    assert!(matches!(agent.events().as_slice(), [Event::Connected(_)]));
}
