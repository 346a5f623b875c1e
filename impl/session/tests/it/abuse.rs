//! What a peer can do cheaply is bounded (SES-090).

use std::time::Duration;

use bytes::Bytes;
use p2claw_session::frame::Frame;
use p2claw_session::limits::{BUDGET, PONGS_MAX, REFUSALS_MAX, worst_case_memory};
use p2claw_session::{Config, ErrorCode, Role};

use crate::peer::{Peer, data, get, id, ok, request, reset, response, stop};

/// How often a step can be repeated until the session is over.
fn repeats(peer: &mut Peer, mut step: impl FnMut(&mut Peer, u64) -> Result<(), ErrorCode>) -> u64 {
    for n in 0..100_000 {
        if let Err(code) = step(peer, n) {
            assert_eq!(code, ErrorCode::EXCESSIVE_LOAD);
            return n;
        }
        peer.sent(0);
        peer.events();
    }
    panic!("never enough");
}

fn take(peer: &mut Peer, frame: &Frame) -> Result<(), ErrorCode> {
    peer.take(0, frame).map_err(|error| error.code)
}

/// SES-090, SES-094
#[test]
fn frames_that_bring_nothing_run_out_of_budget() {
    let budget = u64::from(BUDGET);
    let cases = [
        (
            Frame::Unknown {
                frame_type: 0x21,
                stream: 0,
                payload: Bytes::new(),
            },
            budget,
        ),
        (Frame::Ping { token: 0 }, budget),
        (Frame::Pong { token: 0 }, budget),
        (
            Frame::Credit {
                stream: None,
                max_bytes: 0,
            },
            budget,
        ),
        (
            Frame::Credit {
                stream: Some(id(1)),
                max_bytes: 0,
            },
            budget,
        ),
        (reset(3, ErrorCode::CANCELLED), budget / 2 - 1),
        (stop(3, ErrorCode::CANCELLED), budget / 2 - 1),
        (
            Frame::GoAway {
                code: ErrorCode::NO_ERROR,
                last_stream: 0,
                reason: String::new(),
            },
            budget / 2,
        ),
    ];
    for (frame, expected) in cases {
        let mut agent = Peer::connected(Role::Agent);
        agent.take(0, &request(1, false)).unwrap();
        // Stream 3 is closed.
        if matches!(frame, Frame::Reset { .. } | Frame::Stop { .. }) {
            let head = p2claw_proto::v1::Request::default();
            agent
                .take(
                    0,
                    &Frame::Request {
                        stream: id(3),
                        head,
                    },
                )
                .unwrap();
        }
        assert_eq!(
            repeats(&mut agent, |peer, _| take(peer, &frame)),
            expected,
            "{frame:?}"
        );
    }
}

/// SES-090, SES-094: tokens come back with time, so none of this disturbs an honest peer.
#[test]
fn budget_comes_back_with_time_and_bodies() {
    let mut agent = Peer::connected(Role::Agent);
    let frame = Frame::Unknown {
        frame_type: 0x21,
        stream: 0,
        payload: Bytes::new(),
    };
    for _ in 0..BUDGET {
        agent.take(0, &frame).unwrap();
    }
    agent.now += Duration::from_millis(10);
    agent.take_all(0, &[frame.clone(), frame.clone()]);
    agent.take_all(
        0,
        &[
            request(1, false),
            data(1, 3_072),
            frame.clone(),
            frame.clone(),
            frame.clone(),
        ],
    );
    assert_eq!(agent.fatal(0, &frame), ErrorCode::EXCESSIVE_LOAD);

    let mut agent = Peer::connected(Role::Agent);
    for _ in 0..10_000 {
        agent.now += Duration::from_millis(5);
        agent.take(0, &frame).unwrap();
    }
}

/// SES-090: a peer that gives credit in small steps gets bytes for it.
#[test]
fn small_credits_are_paid_for_by_bodies() {
    let mut agent = Peer::with(Role::Agent, Config::default(), &[(3, 1 << 30)]);
    agent.take(0, &request(1, true)).unwrap();
    agent.session.respond(id(1), ok(false)).unwrap();
    for step in 0..3 * u64::from(BUDGET) {
        let max_bytes = 65_536 + step * 1_024;
        let credit = Frame::Credit {
            stream: Some(id(1)),
            max_bytes,
        };
        agent.take(0, &credit).unwrap();
        let mut body = Bytes::from(vec![0; 2_048]);
        agent.session.write(id(1), &mut body).unwrap();
        agent.sent(0);
    }
}

/// SES-090, SES-094: heads and trailers for streams that are over cost like everything else there.
#[test]
fn late_heads_run_out_of_budget() {
    let mut visitor = Peer::connected(Role::Visitor);
    visitor.session.open(get("/")).unwrap();
    visitor.sent(0);
    visitor.take(0, &response(1, 200, true)).unwrap();
    visitor.events();
    let flood = |peer: &mut Peer, _| take(peer, &response(1, 103, false));
    assert!(repeats(&mut visitor, flood) >= 1_000);
    assert!(visitor.session.is_closed());

    // The response of a stopped stream may have begun; interim heads without end are none of it.
    let mut visitor = Peer::connected(Role::Visitor);
    visitor.session.open(get("/")).unwrap();
    visitor.session.stop(id(1), ErrorCode::CANCELLED);
    assert!(repeats(&mut visitor, flood) >= 1_000);

    let mut agent = Peer::connected(Role::Agent);
    agent.take(0, &request(1, true)).unwrap();
    agent.session.release(id(1));
    agent.sent(0);
    let trailers = Frame::Trailers {
        stream: id(1),
        trailers: p2claw_proto::v1::Trailers {
            fields: crate::peer::wire_fields(&[("Bad", "")]),
        },
    };
    assert!(repeats(&mut agent, |peer, _| take(peer, &trailers)) >= 1_000);
}

/// SES-090: opening streams only to give them up (CVE-2023-44487).
#[test]
fn rapid_resets_run_out_of_budget() {
    let mut agent = Peer::connected(Role::Agent);
    let rounds = repeats(&mut agent, |peer, n| {
        let stream = 2 * n + 1;
        take(peer, &request(stream, false))?;
        take(peer, &reset(stream, ErrorCode::CANCELLED))?;
        take(peer, &stop(stream, ErrorCode::CANCELLED))?;
        peer.session.release(id(stream));
        Ok(())
    });
    assert_eq!(rounds, u64::from(BUDGET) / 4);
}

/// SES-090, SES-094: a page that is left with 100 streams open, again and again, is no abuse.
#[test]
fn leaving_pages_is_no_abuse() {
    let mut agent = Peer::connected(Role::Agent);
    let mut stream = 1;
    for _ in 0..50 {
        let opened: Vec<u64> = (0..100).map(|n| stream + 2 * n).collect();
        stream += 200;
        for stream in &opened {
            agent.take(0, &request(*stream, true)).unwrap();
        }
        for stream in &opened {
            agent.take(0, &stop(*stream, ErrorCode::CANCELLED)).unwrap();
            agent.session.release(id(*stream));
        }
        agent.sent(0);
        agent.events();
        agent.now += Duration::from_secs(1);
    }
}

/// SES-090, SES-094: answers to a peer that reads nothing do not pile up.
#[test]
fn a_peer_that_reads_nothing_is_cut_off() {
    let mut agent = Peer::connected(Role::Agent);
    for token in 0..PONGS_MAX as u64 {
        agent.take(0, &Frame::Ping { token }).unwrap();
    }
    assert_eq!(
        agent.fatal(0, &Frame::Ping { token: 99 }),
        ErrorCode::EXCESSIVE_LOAD
    );

    let mut agent = Peer::connected(Role::Agent);
    let bad = |n: usize| Frame::Request {
        stream: id(2 * n as u64 + 1),
        head: Default::default(),
    };
    for n in 0..REFUSALS_MAX {
        agent.take(0, &bad(n)).unwrap();
    }
    assert_eq!(
        agent.fatal(0, &bad(REFUSALS_MAX)),
        ErrorCode::EXCESSIVE_LOAD
    );

    // Refusals that have left no longer count.
    let mut agent = Peer::connected(Role::Agent);
    for n in 0..3 * REFUSALS_MAX {
        agent.take(0, &bad(n)).unwrap();
        assert_eq!(agent.sent(0).len(), 2);
    }

    // Streams whose RESET cannot leave keep their place.
    let mut agent = Peer::connected(Role::Agent);
    for n in 0..100 {
        agent.take(0, &request(2 * n + 1, true)).unwrap();
        agent.session.reset(id(2 * n + 1), ErrorCode::INTERNAL, "");
        agent.session.release(id(2 * n + 1));
    }
    assert_eq!(agent.session.open_streams(), 100);
    agent.take(0, &request(201, true)).unwrap();
    assert_eq!(agent.sent(0).len(), 100 + 2);
    assert_eq!(agent.session.open_streams(), 0);
}

/// HTP-006: a body of single bytes costs little more than one of full frames.
#[test]
fn single_bytes_are_gathered() {
    let config = Config {
        stream_credit: 65_536,
        ..Config::default()
    };
    let mut visitor = Peer::with(Role::Visitor, config, &[]);
    visitor.session.open(get("/")).unwrap();
    visitor.take(0, &response(1, 200, false)).unwrap();
    for _ in 0..65_536 {
        visitor.take(0, &data(1, 1)).unwrap();
    }
    let mut chunks = 0;
    while let Ok(p2claw_session::Read::Data(_)) = visitor.session.read(id(1)) {
        chunks += 1;
    }
    assert!(chunks <= 66, "{chunks}");
}

/// SES-093: the bound that is written down stays in proportion.
#[test]
fn memory_is_bounded() {
    // What session.md says of the reference implementation.
    for (role, most) in [(Role::Agent, 90), (Role::Visitor, 290)] {
        let mib = worst_case_memory(role, &Config::for_role(role)).div_ceil(1 << 20);
        assert_eq!(mib, most, "{role:?}");
    }
    // Beyond what a session takes of a configuration nothing counts.
    let greedy = Config {
        max_frame: usize::MAX,
        stream_credit: u64::MAX,
        session_credit: u64::MAX,
        max_streams: u64::MAX,
        send_buffer: usize::MAX,
        ..Config::default()
    };
    assert!(worst_case_memory(Role::Agent, &greedy) < 1 << 40);
    let mut agent = Peer::connected(Role::Agent);
    agent.take(0, &request(1, true)).unwrap();
    agent.session.respond(id(1), ok(false)).unwrap();
    let mut body = Bytes::from(vec![0; 1 << 20]);
    agent.session.write(id(1), &mut body).unwrap();
    assert_eq!(
        agent.session.buffered().0,
        p2claw_session::limits::SEND_BUFFER
    );
}
