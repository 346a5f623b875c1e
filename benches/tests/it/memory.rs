//! What one session holds at most, however its peer behaves (SES-093): the peer tries.

use std::time::Instant;

use allocation_counter::measure;
use bytes::Bytes;
use p2claw_proto::v1 as proto;
use p2claw_session::frame::Frame;
use p2claw_session::head::WEBSOCKET;
use p2claw_session::limits::{FIELDS_MAX, MESSAGE_CHARGE, worst_case_memory};
use p2claw_session::{
    Config, ErrorCode, Fields, LaneId, MessageKind, Request, Response, Role, Session, StreamId,
    Target,
};

/// The smallest windows there are, so that frames of one byte fill them in time.
fn config(role: Role) -> Config {
    Config {
        stream_credit: 65_536,
        session_credit: 100 * 65_536,
        ..Config::for_role(role)
    }
}

fn id(stream: u64) -> StreamId {
    StreamId::new(stream).unwrap()
}

/// A head that fills a frame, with as many fields as are allowed.
fn fat_fields() -> Vec<proto::Field> {
    let field = |number: usize| proto::Field {
        name: format!("x-{number:04}-{}", "n".repeat(20)),
        value: Bytes::from(vec![b'v'; 26]),
    };
    (0..FIELDS_MAX - 1).map(field).collect()
}

/// A session whose peer never reads, so that nothing it queues ever leaves.
struct Victim {
    session: Session,
    now: Instant,
}

impl Victim {
    fn new(role: Role, config: &Config) -> Self {
        let now = Instant::now();
        let mut victim = Self {
            session: Session::new(role, config.clone(), now),
            now,
        };
        let settings = [(0x5, 16), (0x4, 4_096), (0x2, 1 << 40), (0x3, 1 << 40)];
        let settings = settings.map(|(id, value)| proto::Setting { id, value });
        let hello = proto::SessionHello {
            versions: vec![1],
            settings: settings.to_vec(),
            software: "x".repeat(10_000),
        };
        assert!(victim.hit(0, &Frame::Hello(hello)));
        victim
    }

    /// Whether the session still stands.
    fn hit(&mut self, lane: u8, frame: &Frame) -> bool {
        let lane = LaneId::new(lane).unwrap();
        self.session
            .handle_message(self.now, lane, frame.encode())
            .is_ok()
    }
}

/// Runs the attack, and says how much was held at its height.
fn peak(role: Role, attack: impl FnOnce(&mut Victim)) -> u64 {
    let config = config(role);
    let bound = worst_case_memory(&config) as u64;
    let info = measure(|| {
        let mut victim = Victim::new(role, &config);
        attack(&mut victim);
        drop(victim);
    });
    assert!(
        info.bytes_max <= bound,
        "{} of {bound} bytes",
        info.bytes_max
    );
    info.bytes_max
}

fn fat_request(stream: u64, protocol: &str) -> Frame {
    let connect = !protocol.is_empty();
    let head = proto::Request {
        method: if connect { "CONNECT" } else { "POST" }.into(),
        target: "/".into(),
        fields: fat_fields(),
        end: false,
        protocol: protocol.into(),
    };
    Frame::Request {
        stream: id(stream),
        head,
    }
}

/// The odd streams of a session that is full.
fn streams() -> impl Iterator<Item = u64> {
    (0..100).map(|number| 2 * number + 1)
}

/// SES-093, SES-042: heads as large as they may be, and bodies in single bytes up to the credit.
#[test]
fn an_agent_that_is_filled_with_single_bytes() {
    let held = peak(Role::Agent, |agent| {
        for stream in streams() {
            assert!(agent.hit(0, &fat_request(stream, "")));
        }
        for stream in streams() {
            for _ in 0..65_536 / 16 {
                let data = Bytes::from_static(b"x");
                let stream = id(stream);
                assert!(agent.hit(0, &Frame::Data { stream, data }));
            }
            let data = Bytes::from(vec![b'x'; 1_100]);
            while agent.session.buffered().1 < usize::try_from((stream / 2 + 1) * 64_000).unwrap() {
                let (stream, data) = (id(stream), data.clone());
                assert!(agent.hit(0, &Frame::Data { stream, data }));
            }
        }
    });
    println!("agent, heads and bodies: {held} bytes");
    assert!(held > 100 * 64_000, "the attack really held something");
}

/// SES-040: messages without a byte count too.
#[test]
fn an_agent_that_is_filled_with_empty_messages() {
    let held = peak(Role::Agent, |agent| {
        for stream in streams() {
            assert!(agent.hit(0, &fat_request(stream, WEBSOCKET)));
            let accept = Response {
                status: 200,
                fields: Fields::new(),
                end: false,
            };
            agent.session.respond(id(stream), accept).unwrap();
            for _ in 0..65_536 / MESSAGE_CHARGE {
                let message = Frame::Message {
                    stream: id(stream),
                    kind: MessageKind::Binary,
                    last: true,
                    data: Bytes::new(),
                };
                assert!(agent.hit(0, &message));
            }
        }
    });
    println!("agent, empty messages: {held} bytes");
    assert!(held > 100 * 1_024 * 40, "each message costs something");
}

/// SES-090: what brings nothing ends the session long before it fills memory.
#[test]
fn an_agent_under_floods() {
    let floods: [fn(u64) -> Frame; 5] = [
        |token| Frame::Ping { token },
        |number| fat_request(2 * number + 1, ""),
        |number| Frame::Reset {
            stream: id(1),
            code: ErrorCode::new(number),
            reason: "r".repeat(10_000),
        },
        |number| Frame::Unknown {
            frame_type: 0x1f * number + 0x21,
            stream: 0,
            payload: Bytes::from(vec![0; 10_000]),
        },
        |number| Frame::Credit {
            stream: None,
            max_bytes: number,
        },
    ];
    for (number, flood) in floods.into_iter().enumerate() {
        let mut fell = false;
        let held = peak(Role::Agent, |agent| {
            assert!(agent.hit(0, &fat_request(1, "")));
            fell = !(1..100_000).all(|round| agent.hit(0, &flood(round)));
        });
        println!("agent, flood {number}: {held} bytes");
        assert!(fell, "flood {number} is stopped");
    }
}

/// SES-021, SES-093: interim heads, final heads, bodies and trailers that a page does not read.
#[test]
fn a_visitor_whose_page_reads_nothing() {
    let held = peak(Role::Visitor, |visitor| {
        for stream in streams() {
            let request = Request {
                method: "GET".into(),
                target: Target::parse("/").unwrap(),
                fields: Fields::new(),
                end: true,
                protocol: None,
            };
            assert_eq!(visitor.session.open(request), Ok(id(stream)));
        }
        for lane in (0..16).filter_map(LaneId::new) {
            while visitor.session.poll_transmit(lane).is_some() {}
        }
        for stream in streams() {
            // A visitor spreads its streams over its lanes.
            let lane = u8::try_from((stream / 2) % 4).unwrap();
            for status in [103, 103, 103, 103, 200] {
                let head = proto::Response {
                    status,
                    fields: fat_fields(),
                    end: false,
                };
                let stream = id(stream);
                assert!(visitor.hit(lane, &Frame::Response { stream, head }));
            }
            for _ in 0..65_536 / 1_024 {
                let (stream, data) = (id(stream), Bytes::from(vec![b'x'; 1_023]));
                assert!(visitor.hit(lane, &Frame::Data { stream, data }));
            }
            let trailers = proto::Trailers {
                fields: fat_fields(),
            };
            let stream = id(stream);
            assert!(visitor.hit(lane, &Frame::Trailers { stream, trailers }));
        }
    });
    println!("visitor, nothing is read: {held} bytes");
    assert!(held > 100 * 5 * 10_000, "the attack really held something");
}
