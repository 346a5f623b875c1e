//! Any sequence of frames, sensible or not, while the application goes on with its work: no panic,
//! no memory beyond the limits, and nothing sent that does not decode.

use bytes::Bytes;
use p2claw_proto::v1 as proto;
use p2claw_session::frame::Frame;
use p2claw_session::{Config, ErrorCode, Request, Role, Session};
use proptest::prelude::*;

use crate::peer::{get, id, lane, ok, start};
use crate::property::config;

const STREAM_WINDOW: u64 = 65_536;
const SESSION_WINDOW: u64 = 262_144;

/// Frames that make sense by themselves, though not always in their order.
fn frame() -> impl Strategy<Value = Frame> {
    let stream = prop_oneof![9 => (0..5_u64).prop_map(|n| 2 * n + 1), 1 => 1..12_u64].prop_map(id);
    let len = prop_oneof![0..20_usize, 16_000..16_380_usize];
    let request = (
        stream.clone(),
        any::<bool>(),
        prop_oneof!["/[a-z]{0,5}", "[@/:a-z]{0,9}"],
    )
        .prop_map(|(stream, end, target)| {
            let head = proto::Request {
                method: "GET".into(),
                target,
                fields: Vec::new(),
                end,
                ..Default::default()
            };
            Frame::Request { stream, head }
        });
    let response = (
        stream.clone(),
        prop_oneof![Just(103), Just(200), 0..1_000_u32],
        any::<bool>(),
    )
        .prop_map(|(stream, status, end)| Frame::Response {
            stream,
            head: proto::Response {
                status,
                fields: Vec::new(),
                end,
            },
        });
    let body = (stream.clone(), len, any::<bool>()).prop_map(|(stream, len, end)| {
        let data = Bytes::from(vec![0; len.max(usize::from(!end))]);
        if end {
            Frame::DataEnd { stream, data }
        } else {
            Frame::Data { stream, data }
        }
    });
    let control =
        (stream.clone(), 0..7_u8, any::<u64>()).prop_map(|(stream, kind, number)| match kind {
            0 => Frame::Reset {
                stream,
                code: ErrorCode::new(number),
                reason: "\u{e9}".repeat(200),
            },
            1 => Frame::Stop {
                stream,
                code: ErrorCode::new(number),
            },
            2 => Frame::Credit {
                stream: Some(stream),
                max_bytes: number,
            },
            3 => Frame::Credit {
                stream: None,
                max_bytes: number,
            },
            4 => Frame::Ping { token: number },
            5 => Frame::Trailers {
                stream,
                trailers: proto::Trailers::default(),
            },
            _ => Frame::GoAway {
                code: ErrorCode::NO_ERROR,
                last_stream: number % 12,
                reason: String::new(),
            },
        });
    prop_oneof![4 => request, 4 => response, 8 => body, 6 => control]
}

/// What a hostile peer sends, and what the application does meanwhile.
#[derive(Clone, Debug)]
enum Hostile {
    Frame(u8, Frame),
    Bytes(u8, Vec<u8>),
    Open(bool),
    Respond(u64, bool),
    Write(u64, usize),
    Finish(u64),
    Reset(u64),
    Stop(u64),
    Read(u64),
    Release(u64),
    Send,
}

fn hostile() -> impl Strategy<Value = Hostile> {
    let stream = || (0..5_u64).prop_map(|n| 2 * n + 1);
    let on = || prop_oneof![20 => Just(0_u8), 1 => 0..6_u8];
    prop_oneof![
        20 => (on(), frame()).prop_map(|(lane, frame)| Hostile::Frame(lane, frame)),
        1 => (on(), prop::collection::vec(any::<u8>(), 0..40)).prop_map(|(lane, bytes)| Hostile::Bytes(lane, bytes)),
        3 => any::<bool>().prop_map(Hostile::Open),
        3 => (stream(), any::<bool>()).prop_map(|(stream, end)| Hostile::Respond(stream, end)),
        3 => (stream(), 0..70_000_usize).prop_map(|(stream, len)| Hostile::Write(stream, len)),
        2 => stream().prop_map(Hostile::Finish),
        1 => stream().prop_map(Hostile::Reset),
        1 => stream().prop_map(Hostile::Stop),
        3 => stream().prop_map(Hostile::Read),
        2 => stream().prop_map(Hostile::Release),
        4 => Just(Hostile::Send),
    ]
}

fn endure(role: Role, steps: Vec<Hostile>) {
    let now = start();
    let config = Config {
        stream_credit: STREAM_WINDOW,
        session_credit: SESSION_WINDOW,
        ..Config::default()
    };
    let mut session = Session::new(role, config, now);
    session
        .handle_message(now, lane(0), crate::peer::hello(&[(5, 4)]).encode())
        .unwrap();
    let mut ended = false;
    for step in steps {
        match step {
            Hostile::Frame(on, frame) => {
                ended |= session
                    .handle_message(now, lane(on), frame.encode())
                    .is_err()
            }
            Hostile::Bytes(on, bytes) => {
                ended |= session.handle_message(now, lane(on), bytes.into()).is_err()
            }
            Hostile::Open(end) => drop(session.open(Request { end, ..get("/") })),
            Hostile::Respond(stream, end) => drop(session.respond(id(stream), ok(end))),
            Hostile::Write(stream, len) => {
                drop(session.write(id(stream), &mut Bytes::from(vec![0; len])))
            }
            Hostile::Finish(stream) => drop(session.finish(id(stream), None)),
            Hostile::Reset(stream) => session.reset(id(stream), ErrorCode::CANCELLED, ""),
            Hostile::Stop(stream) => session.stop(id(stream), ErrorCode::CANCELLED),
            Hostile::Read(stream) => drop(session.read(id(stream))),
            Hostile::Release(stream) => session.release(id(stream)),
            Hostile::Send => {
                for on in 0..4 {
                    while let Some(message) = session.poll_transmit(lane(on)) {
                        assert!(message.len() <= 16_384);
                        Frame::decode(message).unwrap();
                    }
                }
                while session.poll_event().is_some() {}
            }
        }
        assert!(!ended || session.is_closed());
        let (to_send, to_read) = session.buffered();
        assert!(to_read as u64 <= SESSION_WINDOW && to_send <= 65_536 * session.open_streams());
    }
}

proptest! {
    #![proptest_config(config())]

    /// SES-002, SES-090: nothing that a peer sends does harm.
    #[test]
    fn hostile_peers_do_no_harm(agent in any::<bool>(), steps in prop::collection::vec(hostile(), 1..200)) {
        endure(if agent { Role::Agent } else { Role::Visitor }, steps);
    }
}
