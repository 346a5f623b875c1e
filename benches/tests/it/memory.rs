//! What one session holds at most, however its peer behaves (SES-093): the peer tries.

use std::time::Instant;

use allocation_counter::measure;
use bytes::Bytes;
use p2claw_proto::v1 as proto;
use p2claw_session::frame::Frame;
use p2claw_session::head::WEBSOCKET;
use p2claw_session::limits::{
    FIELDS_MAX, MESSAGE_CHARGE, PONGS_MAX, REFUSALS_MAX, SEND_BUFFER, SEND_CHUNKS_MAX,
    worst_case_memory,
};
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

/// Fields that fill a frame, as many as are allowed and mostly names, which are copied.
fn fat_fields() -> Vec<proto::Field> {
    let field = |number: usize| proto::Field {
        name: format!("x-{number:04}-{}", "n".repeat(45)),
        value: Bytes::from_static(b"v"),
    };
    (0..FIELDS_MAX - 4).map(field).collect()
}

/// The same, as the application hands them over.
fn fat_list() -> Fields {
    let mut list = Fields::new();
    for field in fat_fields() {
        list.push(&field.name, field.value).unwrap();
    }
    list
}

/// A session whose peer never reads, so that nothing it queues ever leaves.
struct Victim {
    session: Session,
    window: usize,
    now: Instant,
}

impl Victim {
    fn new(role: Role, config: &Config) -> Self {
        let now = Instant::now();
        let mut victim = Self {
            session: Session::new(role, config.clone(), now),
            window: usize::try_from(config.stream_credit).unwrap(),
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

/// Runs the attack, and says how much was held at its height: never more than the bound.
fn peak(role: Role, config: &Config, attack: impl FnOnce(&mut Victim)) -> u64 {
    let bound = bound(role, config);
    let info = measure(|| {
        let mut victim = Victim::new(role, config);
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

fn bound(role: Role, config: &Config) -> u64 {
    worst_case_memory(role, config) as u64
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

/// What a peer sends into a body or a WebSocket, and the bytes that each piece has.
#[derive(Clone, Copy, Debug)]
enum Pieces {
    /// Of a body.
    Body(&'static [usize]),
    /// Messages of so many bytes.
    Messages(usize),
}

/// Sends pieces into a stream up to its window.
fn fill(victim: &mut Victim, lane: u8, stream: u64, pieces: Pieces) {
    let mut left = victim.window;
    let sizes: &[usize] = match &pieces {
        Pieces::Body(sizes) => sizes,
        Pieces::Messages(size) => std::slice::from_ref(size),
    };
    for size in sizes.iter().copied().cycle() {
        let data = Bytes::from(vec![b'x'; size]);
        let (stream, charge) = (id(stream), size);
        let (frame, charge) = match pieces {
            Pieces::Body(_) => (Frame::Data { stream, data }, charge),
            Pieces::Messages(_) => {
                let (kind, last) = (MessageKind::Binary, true);
                let message = Frame::Message {
                    stream,
                    kind,
                    last,
                    data,
                };
                (message, charge + MESSAGE_CHARGE)
            }
        };
        if charge > left {
            return;
        }
        left -= charge;
        assert!(victim.hit(lane, &frame));
    }
}

/// Hands over as many pieces of a body, or messages, as the session takes.
fn stuff(session: &mut Session, stream: u64, pieces: Pieces) {
    loop {
        let mut data = Bytes::from(vec![b'y'; SEND_BUFFER / SEND_CHUNKS_MAX]);
        match pieces {
            Pieces::Body(_) => session.write(id(stream), &mut data).unwrap(),
            Pieces::Messages(_) => {
                let kind = MessageKind::Binary;
                let _ = session.send_message(id(stream), kind, &mut data, true);
            }
        }
        if !data.is_empty() {
            return;
        }
    }
}

/// Both bodies, or all messages, behind the heads of a stream, and fat trailers where there are any.
fn crowd(victim: &mut Victim, lane: u8, stream: u64, pieces: Pieces) {
    stuff(&mut victim.session, stream, pieces);
    fill(victim, lane, stream, pieces);
    if matches!(pieces, Pieces::Body(_)) {
        let stream = id(stream);
        victim.session.finish(stream, Some(fat_list())).unwrap();
        let trailers = proto::Trailers {
            fields: fat_fields(),
        };
        assert!(victim.hit(lane, &Frame::Trailers { stream, trailers }));
    }
}

/// As many PINGs as may wait for their answers.
fn ping(victim: &mut Victim) {
    for token in 0..PONGS_MAX as u64 {
        assert!(victim.hit(0, &Frame::Ping { token }));
    }
}

/// An agent whose visitor sends all that it may and takes nothing: heads as large as they may be,
/// on both ways, full send buffers, refusals on every lane, PONGs, and bodies in the given pieces.
fn full_agent(agent: &mut Victim, pieces: Pieces) {
    let messages = matches!(pieces, Pieces::Messages(_));
    for stream in streams() {
        let lane = u8::try_from(stream / 2 % 4).unwrap();
        let protocol = if messages { WEBSOCKET } else { "" };
        assert!(agent.hit(lane, &fat_request(stream, protocol)));
        for status in [103, 103, 103, 103, 200] {
            let response = Response {
                status,
                fields: fat_list(),
                end: false,
            };
            agent.session.respond(id(stream), response).unwrap();
        }
        crowd(agent, lane, stream, pieces);
    }
    // As many refusals as may wait on each lane.
    for number in 0..4 * REFUSALS_MAX as u64 {
        let lane = u8::try_from(number % 4).unwrap();
        assert!(agent.hit(lane, &fat_request(201 + 2 * number, "")));
    }
    ping(agent);
}

/// A visitor whose page reads nothing, and whose agent takes nothing behind its requests.
fn full_visitor(visitor: &mut Victim, pieces: Pieces) {
    let messages = matches!(pieces, Pieces::Messages(_));
    for stream in streams() {
        let request = Request {
            method: if messages { "CONNECT" } else { "POST" }.into(),
            target: Target::parse("/").unwrap(),
            fields: fat_list(),
            end: false,
            protocol: messages.then(|| WEBSOCKET.to_owned()),
        };
        assert_eq!(visitor.session.open(request), Ok(id(stream)));
    }
    for lane in (0..16).filter_map(LaneId::new) {
        while visitor.session.poll_transmit(lane).is_some() {}
    }
    for stream in streams() {
        // A visitor spreads its streams over its lanes.
        let lane = u8::try_from(stream / 2 % 4).unwrap();
        for status in [103, 103, 103, 103, 200] {
            let head = proto::Response {
                status,
                fields: fat_fields(),
                end: false,
            };
            let stream = id(stream);
            assert!(visitor.hit(lane, &Frame::Response { stream, head }));
        }
        crowd(visitor, lane, stream, pieces);
    }
    ping(visitor);
}

/// SES-093, SES-040, SES-042: a peer that sends all that it may, in the pieces that cost most, and
/// takes nothing. The bound holds, and it is no idle one: the worst comes near it.
#[test]
fn a_session_that_is_filled_stays_within_its_bound() {
    let shapes = [
        Pieces::Body(&[16_000]),
        Pieces::Body(&[1]),
        // Buffers of 1,024 bytes that stay half empty.
        Pieces::Body(&[513]),
        Pieces::Body(&[1, 1_024]),
        Pieces::Messages(0),
        Pieces::Messages(1),
        Pieces::Messages(400),
    ];
    for (role, attack) in [
        (Role::Agent, full_agent as fn(&mut Victim, Pieces)),
        (Role::Visitor, full_visitor),
    ] {
        for (config, shapes) in [
            (config(role), shapes.as_slice()),
            (Config::for_role(role), &shapes[2..3]),
        ] {
            let bound = bound(role, &config);
            let mut most = 0;
            for pieces in shapes {
                let held = peak(role, &config, |victim| attack(victim, *pieces));
                println!("{role:?}, {pieces:?}: {held} of {bound} bytes");
                most = most.max(held);
            }
            assert!(most > bound / 4 * 3, "{role:?}: {most} of {bound} bytes");
        }
    }
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
        let held = peak(Role::Agent, &config(Role::Agent), |agent| {
            assert!(agent.hit(0, &fat_request(1, "")));
            fell = !(1..100_000).all(|round| agent.hit(0, &flood(round)));
        });
        println!("agent, flood {number}: {held} bytes");
        assert!(fell, "flood {number} is stopped");
    }
}
