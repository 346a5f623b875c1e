//! Credit, fairness and what a stalled reader costs.

use bytes::Bytes;
use p2claw_session::frame::Frame;
use p2claw_session::{Config, ErrorCode, Event, Role};

use crate::peer::{Peer, data, data_end, get, hello, id, ok, post, request, response, stop, write};

fn body(frame: &Frame) -> Option<(u64, usize)> {
    if let Frame::Data { stream, data } | Frame::DataEnd { stream, data } = frame {
        return Some((stream.get(), data.len()));
    }
    None
}

fn body_bytes(frames: &[Frame]) -> usize {
    frames.iter().filter_map(body).map(|(_, len)| len).sum()
}

fn streams_of(frames: &[Frame]) -> Vec<u64> {
    frames
        .iter()
        .filter_map(body)
        .map(|(stream, _)| stream)
        .collect()
}

fn small_windows() -> Config {
    Config {
        stream_credit: 65_536,
        session_credit: 262_144,
        send_buffer: 1 << 20,
        ..Config::default()
    }
}

/// SES-027: every piece leaves as it was written, and is readable as it arrived.
#[test]
fn no_byte_waits_for_the_next_one() {
    let mut agent = Peer::connected(Role::Agent);
    agent.take_all(0, &[request(1, false), data(1, 1)]);
    assert_eq!(agent.read_all(1), (1, Ok(None)));
    agent.session.respond(id(1), ok(false)).unwrap();
    agent.sent(0);
    for _ in 0..3 {
        write(&mut agent.session, id(1), 1);
        assert_eq!(agent.sent(0), [data(1, 1)]);
    }
}

/// SES-042
#[test]
fn sending_beyond_the_credit_ends_the_session() {
    // One stream.
    let mut agent = Peer::with(Role::Agent, small_windows(), &[]);
    agent.take(0, &request(1, false)).unwrap();
    for _ in 0..4 {
        agent.take(0, &data(1, 16_000)).unwrap();
    }
    agent.take(0, &data(1, 1_536)).unwrap();
    assert_eq!(agent.fatal(0, &data(1, 1)), ErrorCode::FLOW_CONTROL);

    // The session: five streams within their own credit.
    let mut agent = Peer::with(Role::Agent, small_windows(), &[]);
    for stream in [1, 3, 5, 7, 9] {
        agent.take(0, &request(stream, false)).unwrap();
    }
    for stream in [1, 3, 5, 7] {
        agent.take_all(
            0,
            &[
                data(stream, 16_000),
                data(stream, 16_000),
                data(stream, 16_000),
                data(stream, 16_000),
                data(stream, 1_536),
            ],
        );
    }
    assert_eq!(agent.fatal(0, &data_end(9, 1)), ErrorCode::FLOW_CONTROL);
}

/// SES-040: only body bytes count, and never more of them than allowed are sent.
#[test]
fn a_sender_keeps_to_the_credit() {
    let mut agent = Peer::with(Role::Agent, small_windows(), &[]);
    agent.take(0, &request(1, true)).unwrap();
    agent.session.respond(id(1), ok(false)).unwrap();
    write(&mut agent.session, id(1), 100_000);
    assert_eq!(body_bytes(&agent.sent(0)), 65_536);
    agent
        .take(
            0,
            &Frame::Credit {
                stream: Some(id(1)),
                max_bytes: 70_000,
            },
        )
        .unwrap();
    assert_eq!(body_bytes(&agent.sent(0)), 70_000 - 65_536);
    // SES-041: less than before means nothing, behind a higher one too.
    for max_bytes in [70_010, 1] {
        let stream = Some(id(1));
        let credit = Frame::Credit { stream, max_bytes };
        agent.take(0, &credit).unwrap();
    }
    assert_eq!(body_bytes(&agent.sent(0)), 10);
    let credit = Frame::Credit {
        stream: None,
        max_bytes: 1,
    };
    agent.take(0, &credit).unwrap();
    let credit = Frame::Credit {
        stream: Some(id(1)),
        max_bytes: 70_011,
    };
    agent.take(0, &credit).unwrap();
    assert_eq!(body_bytes(&agent.sent(0)), 1);
}

/// SES-043: credit from a HELLO that comes late raises the limit of streams that are open.
#[test]
fn hello_raises_the_credit_of_open_streams() {
    let mut visitor = Peer::fresh(Role::Visitor, small_windows());
    let stream = visitor.session.open(post("/")).unwrap();
    write(&mut visitor.session, stream, 300_000);
    assert_eq!(body_bytes(&visitor.sent(0)), 65_536);
    visitor.take(0, &hello(&[(2, 100_000)])).unwrap();
    assert_eq!(body_bytes(&visitor.sent(0)), 100_000 - 65_536);
    visitor
        .take(
            0,
            &Frame::Credit {
                stream: Some(stream),
                max_bytes: 1 << 30,
            },
        )
        .unwrap();
    // Now the session's default holds it back.
    assert_eq!(body_bytes(&visitor.sent(0)), 262_144 - 100_000);
    visitor
        .take(
            0,
            &Frame::Credit {
                stream: None,
                max_bytes: 300_000,
            },
        )
        .unwrap();
    assert_eq!(body_bytes(&visitor.sent(0)), 300_000 - 262_144);
}

/// SES-045
#[test]
fn credit_comes_back_when_half_the_window_is_read() {
    let mut agent = Peer::with(Role::Agent, small_windows(), &[]);
    agent.take(0, &request(1, false)).unwrap();
    for _ in 0..4 {
        agent.take(0, &data(1, 16_000)).unwrap();
    }
    for _ in 0..2 {
        agent.session.read(id(1)).unwrap();
    }
    assert!(agent.sent(0).is_empty());
    agent.session.read(id(1)).unwrap();
    assert_eq!(
        agent.sent(0),
        [Frame::Credit {
            stream: Some(id(1)),
            max_bytes: 48_000 + 65_536
        }]
    );
    // A body that has ended needs no more.
    agent.take(0, &data_end(1, 0)).unwrap();
    assert_eq!(agent.read_all(1), (16_000, Ok(Some(None))));
    assert!(agent.sent(0).is_empty());
}

/// SES-044
#[test]
fn discarded_bytes_return_their_session_credit() {
    let mut agent = Peer::with(Role::Agent, small_windows(), &[]);
    // Unread when stopped, arriving afterwards, and for a stream that is closed.
    agent.take_all(0, &[request(1, false), data(1, 16_000), data(1, 16_000)]);
    agent.session.stop(id(1), ErrorCode::NO_ERROR);
    agent.take_all(0, &[data(1, 16_000), data_end(1, 16_000)]);
    agent.session.release(id(1));
    agent.sent(0);
    agent.take_all(0, &[request(3, true)]);
    agent.session.respond(id(3), ok(true)).unwrap();
    agent.session.release(id(3));
    agent.sent(0);
    for _ in 0..4 {
        agent.take(0, &data(3, 16_384 - 2)).unwrap();
    }
    agent.take(0, &data(3, 2_000)).unwrap();
    assert_eq!(
        agent.sent(0),
        [Frame::Credit {
            stream: None,
            max_bytes: 262_144 + 64_000 + 4 * 16_382 + 2_000
        }]
    );
}

/// SES-044: bytes that nobody read are given back when their stream goes.
#[test]
fn unread_bytes_return_their_session_credit() {
    let mut visitor = Peer::with(
        Role::Visitor,
        Config {
            stream_credit: 262_144,
            ..small_windows()
        },
        &[],
    );
    visitor.session.open(get("/")).unwrap();
    visitor.take(0, &response(1, 200, false)).unwrap();
    for _ in 0..9 {
        visitor.take(0, &data(1, 16_000)).unwrap();
    }
    visitor.take(0, &data_end(1, 0)).unwrap();
    visitor.sent(0);
    assert_eq!(visitor.session.buffered(), (0, 144_000));
    visitor.session.release(id(1));
    assert_eq!(visitor.session.open_streams(), 0);
    assert_eq!(
        visitor.sent(0),
        [Frame::Credit {
            stream: None,
            max_bytes: 262_144 + 144_000
        }]
    );
}

/// SES-080, SES-081
#[test]
fn bodies_take_turns_behind_control() {
    let mut agent = Peer::with(Role::Agent, small_windows(), &[]);
    for stream in [1, 3, 5] {
        agent.take(0, &request(stream, true)).unwrap();
        agent.session.respond(id(stream), ok(false)).unwrap();
        write(&mut agent.session, id(stream), 40_000);
        agent.session.finish(id(stream), None).unwrap();
    }
    agent.take(0, &request(7, true)).unwrap();
    agent.session.respond(id(7), ok(true)).unwrap();
    agent.take(0, &Frame::Ping { token: 42 }).unwrap();
    let sent = agent.sent(0);
    assert_eq!(sent.first(), Some(&Frame::Pong { token: 42 }));
    let responses = |frames: &[Frame]| {
        frames
            .iter()
            .all(|frame| matches!(frame, Frame::Response { .. }))
    };
    assert!(responses(sent.get(1..5).unwrap()), "{sent:?}");
    assert_eq!(streams_of(&sent), [1, 3, 5, 1, 3, 5, 1, 3, 5]);
}

/// SES-082
#[test]
fn a_stalled_stream_blocks_neither_others_nor_pings() {
    let mut agent = Peer::with(Role::Agent, small_windows(), &[(2, 65_536), (3, 1 << 20)]);
    for stream in [1, 3] {
        agent.take(0, &request(stream, true)).unwrap();
        agent.session.respond(id(stream), ok(false)).unwrap();
        write(&mut agent.session, id(stream), 200_000);
    }
    agent
        .take(
            0,
            &Frame::Credit {
                stream: Some(id(3)),
                max_bytes: 1 << 20,
            },
        )
        .unwrap();
    let sent = agent.sent(0);
    assert_eq!(
        streams_of(&sent)
            .iter()
            .filter(|stream| **stream == 1)
            .count(),
        5
    );
    assert_eq!(body_bytes(&sent), 65_536 + 200_000);
    agent.take(0, &Frame::Ping { token: 1 }).unwrap();
    assert_eq!(agent.sent(0), [Frame::Pong { token: 1 }]);

    // A stream with no body left ends, though the session has no credit at all.
    let mut agent = Peer::with(Role::Agent, small_windows(), &[(2, 1 << 20)]);
    for stream in [1, 3] {
        agent.take(0, &request(stream, true)).unwrap();
        agent.session.respond(id(stream), ok(false)).unwrap();
    }
    write(&mut agent.session, id(1), 262_144 + 1);
    assert_eq!(body_bytes(&agent.sent(0)), 262_144);
    agent.session.finish(id(3), None).unwrap();
    assert!(matches!(agent.sent(0).as_slice(), [Frame::DataEnd { .. }]));
    agent
        .take(
            0,
            &Frame::Credit {
                stream: None,
                max_bytes: 300_000,
            },
        )
        .unwrap();
    assert_eq!(streams_of(&agent.sent(0)), [1]);
}

/// SES-082: a stream that is given up while it waits for the session's credit leaves nothing behind.
#[test]
fn streams_that_wait_for_session_credit_can_be_given_up() {
    let mut agent = Peer::with(Role::Agent, small_windows(), &[(2, 1 << 20)]);
    agent.take(0, &request(1, true)).unwrap();
    agent.session.respond(id(1), ok(false)).unwrap();
    write(&mut agent.session, id(1), 300_000);
    assert_eq!(body_bytes(&agent.sent(0)), 262_144);
    agent.take(0, &stop(1, ErrorCode::CANCELLED)).unwrap();
    agent.session.release(id(1));
    agent.session.go_away();
    assert_eq!(agent.sent(0).len(), 2);
    assert!(agent.session.is_drained());
}

/// The send buffer takes what fits, and says when there is room again.
#[test]
fn writers_wait_for_room() {
    let mut agent = Peer::with(
        Role::Agent,
        Config {
            send_buffer: 65_536,
            ..small_windows()
        },
        &[(2, 100_000)],
    );
    agent.take(0, &request(1, true)).unwrap();
    agent.session.respond(id(1), ok(false)).unwrap();
    agent.events();
    let mut body = Bytes::from(vec![0; 150_000]);
    agent.session.write(id(1), &mut body).unwrap();
    assert_eq!(body.len(), 150_000 - 65_536);
    assert_eq!(body_bytes(&agent.sent(0)), 65_536);
    assert_eq!(agent.events(), [Event::Writable(id(1))]);
    agent.session.write(id(1), &mut body).unwrap();
    // The stream's credit leaves 31,072 of 65,536 bytes waiting: half is free.
    assert_eq!(body_bytes(&agent.sent(0)), 100_000 - 65_536);
    assert_eq!(agent.session.buffered(), (31_072, 0));
    assert_eq!(agent.events(), [Event::Writable(id(1))]);
    agent.session.write(id(1), &mut body).unwrap();
    assert!(agent.sent(0).is_empty());
    assert!(agent.events().is_empty());
    agent.take(0, &stop(1, ErrorCode::CANCELLED)).unwrap();
    assert_eq!(
        agent.events(),
        [Event::Stopped {
            id: id(1),
            code: ErrorCode::CANCELLED
        }]
    );
}

/// Pieces of a few bytes are bounded by number too.
#[test]
fn tiny_writes_are_bounded() {
    let mut agent = Peer::with(Role::Agent, small_windows(), &[]);
    agent.take(0, &request(1, true)).unwrap();
    agent.session.respond(id(1), ok(false)).unwrap();
    let mut taken = 0;
    loop {
        let mut data = Bytes::from_static(b"x");
        agent.session.write(id(1), &mut data).unwrap();
        if !data.is_empty() {
            break;
        }
        taken += 1;
    }
    assert_eq!(taken, p2claw_session::limits::SEND_CHUNKS_MAX);
    agent.events();
    // One frame carries all of them.
    assert_eq!(agent.sent(0).len(), 2);
    assert_eq!(agent.events(), [Event::Writable(id(1))]);
}

/// Body bytes reach the reader as a slice of the message that carried them.
#[test]
fn reading_copies_nothing() {
    let mut agent = Peer::connected(Role::Agent);
    agent.take(0, &request(1, false)).unwrap();
    let message = data(1, 5_000).encode();
    let inside = message.as_ptr_range();
    agent.take_bytes(0, message).unwrap();
    match agent.session.read(id(1)) {
        Ok(p2claw_session::Read::Data(data)) => assert!(inside.contains(&data.as_ptr())),
        other => panic!("{other:?}"),
    }
}
