//! Allocations for each frame and each exchange.

use std::time::Instant;

use allocation_counter::{AllocationInfo, measure};
use bytes::Bytes;
use p2claw_session::frame::Frame;
use p2claw_session::{
    Config, Event, Fields, LaneId, Read, Request, Response, Role, Session, StreamId, Target,
};

/// Bytes of a body frame.
const BODY: usize = 16_000;

fn report(what: &str, times: u64, info: &AllocationInfo) {
    println!(
        "{what:<42} {:>7.2} allocations, {:>9.1} bytes",
        info.count_total as f64 / times as f64,
        info.bytes_total as f64 / times as f64,
    );
}

fn fields(count: usize) -> Fields {
    let mut fields = Fields::new();
    for number in 0..count {
        fields
            .push(format!("x-field-{number}"), "some ordinary value")
            .unwrap();
    }
    fields
}

fn request() -> Request {
    Request {
        method: "GET".into(),
        target: Target::parse("/assets/app.js?v=1").unwrap(),
        fields: fields(10),
        end: true,
        protocol: None,
    }
}

struct Pair {
    now: Instant,
    visitor: Session,
    agent: Session,
}

impl Pair {
    fn new() -> Self {
        let now = Instant::now();
        let mut pair = Self {
            now,
            visitor: Session::new(Role::Visitor, Config::for_role(Role::Visitor), now),
            agent: Session::new(Role::Agent, Config::for_role(Role::Agent), now),
        };
        pair.exchange();
        while pair.visitor.poll_event().is_some() || pair.agent.poll_event().is_some() {}
        pair
    }

    fn exchange(&mut self) {
        for lane in (0..16).filter_map(LaneId::new) {
            while let Some(message) = self.visitor.poll_transmit(lane) {
                self.agent.handle_message(self.now, lane, message).unwrap();
            }
            while let Some(message) = self.agent.poll_transmit(lane) {
                self.visitor
                    .handle_message(self.now, lane, message)
                    .unwrap();
            }
        }
    }

    fn open(&mut self) -> StreamId {
        let id = self.visitor.open(request()).unwrap();
        self.exchange();
        while self.agent.poll_event().is_some() {}
        id
    }

    /// One whole exchange with a small body; both applications do what they must.
    fn small_exchange(&mut self) {
        let id = self.open();
        let response = Response {
            status: 200,
            fields: fields(5),
            end: false,
        };
        self.agent.respond(id, response).unwrap();
        let mut body = Bytes::from_static(b"a small body");
        self.agent.write(id, &mut body).unwrap();
        self.agent.finish(id, None).unwrap();
        self.agent.release(id);
        self.exchange();
        while let Some(event) = self.visitor.poll_event() {
            if let Event::Readable(id) = event {
                while let Ok(Read::Data(_)) = self.visitor.read(id) {}
            }
        }
        assert_eq!(self.visitor.open_streams(), 0);
    }
}

/// A frame is encoded with one allocation, its own, and decoded with none for body bytes.
#[test]
fn frames() {
    let data = Frame::Data {
        stream: StreamId::new(1).unwrap(),
        data: Bytes::from(vec![7; BODY]),
    };
    let encode = measure(|| drop(data.encode()));
    report("encode DATA of 16,000 bytes", 1, &encode);
    // The buffer, and the counter by which it is shared.
    assert!(encode.count_total <= 2, "{encode:?}");
    assert!(encode.bytes_total <= BODY as u64 + 100, "{encode:?}");

    let encoded = data.encode();
    let decode = measure(|| drop(Frame::decode(encoded.clone())));
    report("decode DATA of 16,000 bytes", 1, &decode);
    assert!(decode.count_total <= 1, "{decode:?}");
    assert!(
        decode.bytes_total <= 100,
        "no byte of the body is copied: {decode:?}"
    );
}

/// Body bytes are copied once on their way out, into their frame, and not at all on their way in.
#[test]
fn bodies_are_copied_once() {
    const TIMES: u64 = 32;
    let mut pair = Pair::new();
    let id = pair.open();
    let response = Response {
        status: 200,
        fields: Fields::new(),
        end: false,
    };
    pair.agent.respond(id, response).unwrap();
    pair.exchange();
    let body = Bytes::from(vec![7; BODY]);
    let (now, lane) = (pair.now, (0..16).filter_map(LaneId::new));
    let mut frames = Vec::new();
    let lanes: Vec<LaneId> = lane.collect();
    let mut out = AllocationInfo::default();
    let mut incoming = AllocationInfo::default();
    for _ in 0..TIMES {
        let mut piece = body.clone();
        out += measure(|| {
            pair.agent.write(id, &mut piece).unwrap();
            for lane in &lanes {
                while let Some(frame) = pair.agent.poll_transmit(*lane) {
                    frames.push((*lane, frame));
                }
            }
        });
        assert!(piece.is_empty());
        incoming += measure(|| {
            for (lane, frame) in frames.drain(..) {
                pair.visitor.handle_message(now, lane, frame).unwrap();
            }
            while let Some(event) = pair.visitor.poll_event() {
                if let Event::Readable(id) = event {
                    while let Ok(Read::Data(data)) = pair.visitor.read(id) {
                        assert_eq!(data.len(), BODY);
                    }
                }
            }
        });
        pair.exchange();
    }
    report("send 16,000 body bytes", TIMES, &out);
    report("receive 16,000 body bytes", TIMES, &incoming);
    let copied = |info: &AllocationInfo| info.bytes_total / TIMES;
    assert!(copied(&out) < BODY as u64 * 11 / 10, "{out:?}");
    assert!(copied(&incoming) < 512, "{incoming:?}");
    assert!(out.count_total / TIMES <= 4, "{out:?}");
    assert!(incoming.count_total / TIMES <= 4, "{incoming:?}");
}

/// What one request costs both engines together, with ten fields and five in the response. What
/// the application itself allocates for the heads is among it.
#[test]
fn exchanges() {
    const TIMES: u64 = 100;
    let mut pair = Pair::new();
    pair.small_exchange();
    let info = measure(|| {
        for _ in 0..TIMES {
            pair.small_exchange();
        }
    });
    report("one exchange, both ends", TIMES, &info);
    let head = measure(|| drop((request(), fields(5))));
    report("of these, heads by the application", 1, &head);
    assert!(info.count_total / TIMES <= 160, "{info:?}");
    assert_eq!(
        info.count_current, 0,
        "nothing is kept of an exchange that is over"
    );
}
