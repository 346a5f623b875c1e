//! Two sessions in memory: bulk bytes and small exchanges, without a network between them.

use std::time::Instant;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use p2claw_session::head::WEBSOCKET;
use p2claw_session::{
    Config, Event, Fields, LaneId, MessageKind, Read, Request, Response, Role, Session, StreamId,
    Target,
};

/// Bytes of one download.
const BULK: usize = 8 << 20;

/// Bytes that the agent's application writes at a time.
const PIECE: usize = 64 << 10;

/// Messages of one round over a WebSocket.
const MESSAGES: u64 = 1_000;

/// Exchanges that run at the same time.
const CONCURRENT: u64 = 50;

struct Pair {
    now: Instant,
    visitor: Session,
    agent: Session,
}

impl Pair {
    fn new(max_frame: usize) -> Self {
        let now = Instant::now();
        let config = |role| Config {
            max_frame,
            ..Config::for_role(role)
        };
        let mut pair = Self {
            now,
            visitor: Session::new(Role::Visitor, config(Role::Visitor), now),
            agent: Session::new(Role::Agent, config(Role::Agent), now),
        };
        pair.exchange();
        pair
    }

    /// Carries what both ends have to send; whether there was something.
    fn exchange(&mut self) -> bool {
        let mut moved = false;
        for lane in (0..16).filter_map(LaneId::new) {
            while let Some(message) = self.visitor.poll_transmit(lane) {
                moved = true;
                self.agent
                    .handle_message(self.now, lane, message)
                    .expect("a sound frame");
            }
            while let Some(message) = self.agent.poll_transmit(lane) {
                moved = true;
                self.visitor
                    .handle_message(self.now, lane, message)
                    .expect("a sound frame");
            }
        }
        moved
    }

    fn get(&mut self, target: &Target) -> StreamId {
        let request = Request {
            method: "GET".into(),
            target: target.clone(),
            fields: Fields::new(),
            end: true,
            protocol: None,
        };
        self.visitor.open(request).expect("room for a stream")
    }

    /// One response of `BULK` bytes, written and read with back-pressure.
    fn bulk(&mut self, target: &Target, piece: &Bytes) -> usize {
        let id = self.get(target);
        self.exchange();
        while self.agent.poll_event().is_some() {}
        self.agent
            .respond(id, response(false))
            .expect("a response is due");
        let mut left = BULK;
        let mut received = 0;
        loop {
            while left > 0 {
                let mut data = piece.slice(..piece.len().min(left));
                let offered = data.len();
                self.agent.write(id, &mut data).expect("the body is open");
                left -= offered - data.len();
                if !data.is_empty() {
                    break;
                }
                if left == 0 {
                    self.agent.finish(id, None).expect("the body is open");
                    self.agent.release(id);
                }
            }
            self.exchange();
            loop {
                match self.visitor.read(id).expect("a sound stream") {
                    Read::Data(data) => received += data.len(),
                    Read::Blocked | Read::Message { .. } | Read::Close(_) => break,
                    Read::End(_) => return received,
                }
            }
            while self.visitor.poll_event().is_some() {}
            while self.agent.poll_event().is_some() {}
        }
    }

    /// So many exchanges with a small body each, all at the same time.
    fn requests(&mut self, target: &Target, body: &Bytes) -> u64 {
        for _ in 0..CONCURRENT {
            self.get(target);
        }
        let mut ended = 0;
        while self.exchange() {
            while let Some(event) = self.agent.poll_event() {
                if let Event::Request { id, .. } = event {
                    self.agent
                        .respond(id, response(false))
                        .expect("a response is due");
                    self.agent
                        .write(id, &mut body.clone())
                        .expect("the body is open");
                    self.agent.finish(id, None).expect("the body is open");
                    self.agent.release(id);
                }
            }
            while let Some(event) = self.visitor.poll_event() {
                if let Event::Readable(id) = event {
                    while let Ok(Read::Data(_)) = self.visitor.read(id) {}
                    ended += 1;
                }
            }
        }
        ended
    }

    /// An open WebSocket.
    fn connect(&mut self, target: &Target) -> StreamId {
        let request = Request {
            method: "CONNECT".into(),
            target: target.clone(),
            fields: Fields::new(),
            end: false,
            protocol: Some(WEBSOCKET.into()),
        };
        let id = self.visitor.open(request).expect("room for a stream");
        self.exchange();
        self.agent
            .respond(id, response(false))
            .expect("a response is due");
        self.exchange();
        id
    }

    /// So many messages from the agent, as fast as credit and buffers allow.
    fn messages(&mut self, id: StreamId, message: &Bytes) -> u64 {
        let (mut sent, mut received) = (0, 0);
        while received < MESSAGES {
            while sent < MESSAGES {
                let mut data = message.clone();
                let taken = self
                    .agent
                    .send_message(id, MessageKind::Binary, &mut data, true);
                if !taken.expect("an open WebSocket") {
                    break;
                }
                sent += 1;
            }
            self.exchange();
            while let Ok(Read::Message { .. }) = self.visitor.read(id) {
                received += 1;
            }
            while self.visitor.poll_event().is_some() || self.agent.poll_event().is_some() {}
        }
        received
    }
}

fn response(end: bool) -> Response {
    let mut fields = Fields::new();
    fields
        .push("content-type", "text/plain")
        .expect("a sound field");
    Response {
        status: 200,
        fields,
        end,
    }
}

fn session_pair(criterion: &mut Criterion) {
    let target = Target::parse("/file").expect("origin-form");
    let piece = Bytes::from(vec![0x5a; PIECE]);

    let mut group = criterion.benchmark_group("bulk");
    group.throughput(Throughput::Bytes(BULK as u64));
    for max_frame in [16_384, 65_536] {
        let mut pair = Pair::new(max_frame);
        group.bench_function(format!("frames_of_{max_frame}"), |bencher| {
            bencher.iter(|| assert_eq!(pair.bulk(&target, &piece), BULK));
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("requests");
    group.throughput(Throughput::Elements(CONCURRENT));
    let body = piece.slice(..1_000);
    let mut pair = Pair::new(16_384);
    group.bench_function("1000_bytes", |bencher| {
        bencher.iter(|| assert_eq!(pair.requests(&target, &body), CONCURRENT));
    });
    group.finish();

    let mut group = criterion.benchmark_group("messages");
    group.throughput(Throughput::Elements(MESSAGES));
    let message = piece.slice(..100);
    let mut pair = Pair::new(16_384);
    let id = pair.connect(&target);
    group.bench_function("100_bytes", |bencher| {
        bencher.iter(|| assert_eq!(pair.messages(id, &message), MESSAGES));
    });
    group.finish();
}

criterion_group!(benches, session_pair);
criterion_main!(benches);
