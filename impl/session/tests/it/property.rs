//! Any sequence of operations, over any network: bodies arrive equal and in order, halves end as
//! their sender meant them to, credit and memory hold, and the session drains.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use p2claw_session::{
    Config, ErrorCode, Event, Fields, Read, ReadError, Request, Response, Session, StreamId,
    WriteError,
};
use proptest::prelude::*;

use crate::network::{Conditions, Pair};
use crate::peer::{fields, get, ok};

const STREAM_WINDOW: u64 = 65_536;
const SESSION_WINDOW: u64 = 262_144;
const SEND_BUFFER: usize = 20_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Visitor,
    Agent,
}

impl Side {
    const fn other(self) -> Self {
        match self {
            Self::Visitor => Self::Agent,
            Self::Agent => Self::Visitor,
        }
    }
}

/// One thing that an application or the network does; streams are counted from the oldest.
#[derive(Clone, Debug)]
enum Step {
    Open {
        body: bool,
        head: bool,
    },
    Respond {
        stream: usize,
        informational: bool,
        end: bool,
    },
    Write {
        side: Side,
        stream: usize,
        len: usize,
    },
    Finish {
        side: Side,
        stream: usize,
        trailers: bool,
    },
    Reset {
        side: Side,
        stream: usize,
        code: u64,
    },
    Stop {
        side: Side,
        stream: usize,
        code: u64,
    },
    Read {
        side: Side,
        stream: usize,
        times: usize,
    },
    Release {
        stream: usize,
    },
    Cancel {
        stream: usize,
    },
    Run {
        millis: u64,
    },
    Stall {
        lane: u8,
        millis: u64,
    },
    GoAway,
}

/// What the application at one end knows of its sending half.
#[derive(Debug, Default)]
struct Sent {
    bytes: u64,
    finished: Option<bool>,
    /// Codes of resets by the application, and of the peer's STOP.
    aborted: Vec<u64>,
}

/// What the application at one end knows of its receiving half.
#[derive(Debug, Default)]
struct Got {
    bytes: u64,
    head: bool,
    over: bool,
    /// Event::Reset came.
    cut: bool,
    stopped: bool,
}

#[derive(Debug, Default)]
struct Exchange {
    sent: BTreeMap<Side, Sent>,
    got: BTreeMap<Side, Got>,
    responded: bool,
    to_head: bool,
    released: bool,
    cancelled: bool,
}

impl Exchange {
    fn sent(&mut self, side: Side) -> &mut Sent {
        self.sent.entry(side).or_default()
    }

    fn got(&mut self, side: Side) -> &mut Got {
        self.got.entry(side).or_default()
    }
}

struct World {
    pair: Pair,
    exchanges: BTreeMap<StreamId, Exchange>,
    gone_away: bool,
}

fn byte(side: Side, stream: StreamId, offset: u64) -> u8 {
    let mixed =
        offset * 31 + (offset >> 8) * 7 + stream.get() * 13 + u64::from(side == Side::Agent);
    mixed.to_le_bytes()[0]
}

impl World {
    fn new(conditions: Conditions, large_frames: bool) -> Self {
        let config = Config {
            stream_credit: STREAM_WINDOW,
            session_credit: SESSION_WINDOW,
            send_buffer: SEND_BUFFER,
            max_frame: if large_frames { 65_536 } else { 16_384 },
            grease_seed: Some(conditions.seed),
            ..Config::default()
        };
        Self {
            pair: Pair::new(config.clone(), config, conditions),
            exchanges: BTreeMap::new(),
            gone_away: false,
        }
    }

    fn session(&mut self, side: Side) -> &mut Session {
        match side {
            Side::Visitor => &mut self.pair.visitor,
            Side::Agent => &mut self.pair.agent,
        }
    }

    /// The n-th stream, as far as this side knows of it.
    fn pick(&self, side: Side, stream: usize) -> Option<StreamId> {
        let known = |(_, exchange): &(&StreamId, &Exchange)| match side {
            Side::Visitor => !exchange.cancelled,
            Side::Agent => exchange.got.contains_key(&Side::Agent) && !exchange.released,
        };
        let ids: Vec<StreamId> = self
            .exchanges
            .iter()
            .filter(known)
            .map(|(id, _)| *id)
            .collect();
        ids.get(stream % ids.len().max(1)).copied()
    }

    fn exchange(&mut self, id: StreamId) -> &mut Exchange {
        self.exchanges.get_mut(&id).unwrap()
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Open { body, head } => self.open(body, head),
            Step::Respond {
                stream,
                informational,
                end,
            } => {
                if let Some(id) = self.pick(Side::Agent, stream) {
                    self.respond(id, informational, end);
                }
            }
            Step::Write { side, stream, len } => {
                if let Some(id) = self.pick(side, stream) {
                    self.write(side, id, len);
                }
            }
            Step::Finish {
                side,
                stream,
                trailers,
            } => {
                if let Some(id) = self.pick(side, stream) {
                    self.finish(side, id, trailers);
                }
            }
            Step::Reset { side, stream, code } => {
                if let Some(id) = self.pick(side, stream) {
                    self.session(side)
                        .reset(id, ErrorCode::new(code), "because");
                    self.exchange(id).sent(side).aborted.push(code);
                }
            }
            Step::Stop { side, stream, code } => {
                if let Some(id) = self.pick(side, stream) {
                    self.session(side).stop(id, ErrorCode::new(code));
                    self.exchange(id).got(side).stopped = true;
                }
            }
            Step::Read {
                side,
                stream,
                times,
            } => {
                if let Some(id) = self.pick(side, stream) {
                    self.read(side, id, times);
                }
            }
            Step::Release { stream } => {
                if let Some(id) = self.pick(Side::Agent, stream) {
                    self.pair.agent.release(id);
                    let exchange = self.exchange(id);
                    exchange.released = true;
                    exchange
                        .sent(Side::Agent)
                        .aborted
                        .push(ErrorCode::INTERNAL.get());
                    exchange.got(Side::Agent).stopped = true;
                }
            }
            Step::Cancel { stream } => {
                if let Some(id) = self.pick(Side::Visitor, stream) {
                    self.pair.visitor.release(id);
                    let exchange = self.exchange(id);
                    exchange.cancelled = true;
                    exchange
                        .sent(Side::Visitor)
                        .aborted
                        .push(ErrorCode::CANCELLED.get());
                    exchange.got(Side::Visitor).stopped = true;
                }
            }
            Step::Run { millis } => self.pair.run(Duration::from_millis(millis)),
            Step::Stall { lane, millis } => self.pair.stall(lane, Duration::from_millis(millis)),
            Step::GoAway => {
                self.gone_away = true;
                self.pair.agent.go_away();
            }
        }
        self.events(Side::Visitor);
        self.events(Side::Agent);
        self.check_memory();
    }

    fn open(&mut self, body: bool, head: bool) {
        let method = match (head, body) {
            (true, _) => "HEAD",
            (false, true) => "POST",
            (false, false) => "GET",
        };
        let request = Request {
            method: method.into(),
            end: !body,
            ..get("/x?y")
        };
        match self.pair.visitor.open(request) {
            Ok(id) => {
                let exchange = self.exchanges.entry(id).or_default();
                exchange.to_head = head;
                if !body {
                    exchange.sent(Side::Visitor).finished = Some(false);
                }
            }
            Err(error) => assert!(self.gone_away, "{error}"),
        }
    }

    fn respond(&mut self, id: StreamId, informational: bool, end: bool) {
        let end = (end || self.exchange(id).to_head) && !informational;
        let status = if informational { 103 } else { 200 };
        let outcome = self.pair.agent.respond(id, Response { status, ..ok(end) });
        let exchange = self.exchange(id);
        if outcome.is_ok() && !informational {
            assert!(!exchange.responded);
            exchange.responded = true;
            if end {
                exchange.sent(Side::Agent).finished = Some(false);
            }
        }
    }

    fn write(&mut self, side: Side, id: StreamId, len: usize) {
        let from = self.exchange(id).sent(side).bytes;
        let body: Vec<u8> = (from..from + len as u64)
            .map(|offset| byte(side, id, offset))
            .collect();
        let mut body = Bytes::from(body);
        match self.session(side).write(id, &mut body) {
            Ok(()) => self.exchange(id).sent(side).bytes += (len - body.len()) as u64,
            Err(WriteError::Finished) => assert!(self.exchange(id).sent(side).finished.is_some()),
            Err(WriteError::NotResponded) => assert!(!self.exchange(id).responded),
            Err(WriteError::Reset | WriteError::Stopped { .. }) => self.assert_aborted(side, id),
            Err(WriteError::UnknownStream) => {}
            Err(error) => panic!("{error}"),
        }
    }

    fn assert_aborted(&mut self, side: Side, id: StreamId) {
        let gone_away = self.gone_away;
        assert!(gone_away || !self.exchange(id).sent(side).aborted.is_empty());
    }

    fn finish(&mut self, side: Side, id: StreamId, trailers: bool) {
        let trailers_sent = trailers.then(|| fields(&[("digest", "x")]));
        if self.session(side).finish(id, trailers_sent).is_ok() {
            let sent = self.exchange(id).sent(side);
            assert_eq!(sent.finished, None);
            sent.finished = Some(trailers);
        }
    }

    fn read(&mut self, side: Side, id: StreamId, times: usize) {
        for _ in 0..times {
            match self.session(side).read(id) {
                Ok(Read::Data(data)) => self.got_data(side, id, &data),
                Ok(Read::Message { .. } | Read::Close(_)) => panic!("a message in a body"),
                Ok(Read::Blocked) => break,
                Ok(Read::End(trailers)) => {
                    self.got_end(side, id, trailers);
                    break;
                }
                Err(ReadError::Reset { code, .. }) => {
                    self.got_reset(side, id, code);
                    break;
                }
                Err(ReadError::Closed) => {
                    assert!(self.exchange(id).got(side).stopped);
                    break;
                }
                Err(ReadError::UnknownStream) => {
                    let got = self.exchange(id).got(side);
                    assert!(got.over || got.cut || got.stopped, "{side:?} {id}");
                    break;
                }
            }
        }
    }

    fn got_data(&mut self, side: Side, id: StreamId, data: &[u8]) {
        let exchange = self.exchange(id);
        let got = exchange.got(side);
        assert!(!got.over && !got.stopped);
        let from = got.bytes;
        got.bytes += data.len() as u64;
        let so_far = got.bytes;
        assert!(so_far <= exchange.sent(side.other()).bytes);
        for (offset, seen) in (from..).zip(data) {
            assert_eq!(
                *seen,
                byte(side.other(), id, offset),
                "{side:?} stream {id} offset {offset}"
            );
        }
    }

    fn got_end(&mut self, side: Side, id: StreamId, trailers: Option<Fields>) {
        let exchange = self.exchange(id);
        let count = exchange.got(side).bytes;
        let again = exchange.got(side).over;
        exchange.got(side).over = true;
        let sent = exchange.sent(side.other());
        assert_eq!(count, sent.bytes, "{side:?} stream {id} ends early");
        if !again {
            assert_eq!(sent.finished, Some(trailers.is_some()));
        }
    }

    fn got_reset(&mut self, side: Side, id: StreamId, code: ErrorCode) {
        let gone_away = self.gone_away;
        let exchange = self.exchange(id);
        exchange.got(side).over = true;
        let aborted = exchange.sent(side.other()).aborted.contains(&code.get());
        assert!(
            aborted || gone_away && code == ErrorCode::REFUSED,
            "{side:?} stream {id}: {code}"
        );
    }

    fn events(&mut self, side: Side) {
        while let Some(event) = self.session(side).poll_event() {
            match event {
                Event::Request { id, request } => {
                    assert_eq!(request.target.as_str(), "/x?y");
                    let got = self.exchange(id).got(Side::Agent);
                    got.head = true;
                    got.over = request.end;
                }
                Event::Response { id, response } => {
                    let exchange = self.exchange(id);
                    if response.status == 200 {
                        assert!(exchange.responded);
                        let got = exchange.got(Side::Visitor);
                        assert!(!got.head);
                        got.head = true;
                        got.over = response.end;
                    }
                }
                Event::Stopped { id, code } => {
                    // The refusal behind a GOAWAY may overtake it on another lane.
                    let refused = self.gone_away && code == ErrorCode::REFUSED;
                    assert!(refused || self.exchange(id).got(side.other()).stopped);
                    self.exchange(id).sent(side).aborted.push(code.get());
                }
                Event::Reset { id, code, .. } => {
                    // What came before stays readable.
                    let before = self.exchange(id).got(side).over;
                    self.got_reset(side, id, code);
                    let got = self.exchange(id).got(side);
                    got.over = before;
                    got.cut = true;
                    if !self.exchange(id).got(side).stopped {
                        self.read(side, id, usize::MAX);
                        self.exchange(id).got(side).over = true;
                    }
                }
                Event::GoAway { code, .. } => assert_eq!(code, ErrorCode::NO_ERROR),
                Event::Closed(error) => panic!("{error}"),
                Event::Connected(_) | Event::Readable(_) | Event::Writable(_) => {}
            }
        }
    }

    fn check_memory(&mut self) {
        assert_eq!(self.pair.errors, []);
        for side in [Side::Visitor, Side::Agent] {
            let (to_send, to_read) = self.session(side).buffered();
            assert!(to_read as u64 <= SESSION_WINDOW);
            assert!(to_send <= SEND_BUFFER * self.session(side).open_streams());
        }
    }

    /// Brings every exchange to its end, and the session too.
    fn wind_up(&mut self) {
        for _ in 0..400 {
            let ids: Vec<StreamId> = self.exchanges.keys().copied().collect();
            for id in &ids {
                if self.exchange(*id).got.contains_key(&Side::Agent)
                    && !self.exchange(*id).responded
                {
                    self.respond(*id, false, false);
                }
                for side in [Side::Visitor, Side::Agent] {
                    self.finish(side, *id, false);
                    let got = self.exchange(*id).got.get(&side);
                    if got.is_none_or(|got| !got.over && !got.stopped)
                        && (side == Side::Visitor || got.is_some())
                    {
                        self.read(side, *id, usize::MAX);
                    }
                }
            }
            if self.pair.is_idle() && self.pair.visitor.open_streams() == 0 {
                break;
            }
            self.pair.run(Duration::from_millis(200));
            self.events(Side::Visitor);
            self.events(Side::Agent);
            self.check_memory();
        }
        let ids: Vec<StreamId> = self.exchanges.keys().copied().collect();
        for id in &ids {
            self.pair.agent.release(*id);
        }
        self.pair.visitor.go_away();
        self.pair.agent.go_away();
        self.pair.settle();
        assert_eq!(self.pair.visitor.open_streams(), 0, "{:#?}", self.exchanges);
        assert_eq!(self.pair.agent.open_streams(), 0, "{:#?}", self.exchanges);
        assert!(self.pair.visitor.is_drained());
        assert!(self.pair.agent.is_drained());
        assert_eq!(self.pair.errors, []);
        // What nobody gave up has arrived whole.
        for (id, exchange) in &self.exchanges {
            for (side, got) in &exchange.got {
                let other = side.other();
                let cut = got.stopped
                    || exchange
                        .sent
                        .get(&other)
                        .is_some_and(|sent| !sent.aborted.is_empty())
                    || self.gone_away;
                let sent = exchange.sent.get(&other).map_or(0, |sent| sent.bytes);
                assert!(
                    cut || got.over && got.bytes == sent,
                    "{side:?} stream {id}: {exchange:#?}"
                );
            }
        }
    }
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Visitor), Just(Side::Agent)]
}

fn code() -> impl Strategy<Value = u64> {
    prop_oneof![Just(1), Just(6), Just(8), Just(0x21), 0..u64::MAX]
}

fn step() -> impl Strategy<Value = Step> {
    let stream = 0..12_usize;
    prop_oneof![
        4 => (any::<bool>(), prop::bool::weighted(0.1)).prop_map(|(body, head)| Step::Open { body, head }),
        4 => (stream.clone(), prop::bool::weighted(0.2), prop::bool::weighted(0.2))
            .prop_map(|(stream, informational, end)| Step::Respond { stream, informational, end }),
        12 => (side(), stream.clone(), prop_oneof![0..10_usize, 1_000..40_000_usize])
            .prop_map(|(side, stream, len)| Step::Write { side, stream, len }),
        3 => (side(), stream.clone(), any::<bool>())
            .prop_map(|(side, stream, trailers)| Step::Finish { side, stream, trailers }),
        1 => (side(), stream.clone(), code()).prop_map(|(side, stream, code)| Step::Reset { side, stream, code }),
        1 => (side(), stream.clone(), code()).prop_map(|(side, stream, code)| Step::Stop { side, stream, code }),
        8 => (side(), stream.clone(), 1..20_usize).prop_map(|(side, stream, times)| Step::Read { side, stream, times }),
        1 => stream.clone().prop_map(|stream| Step::Release { stream }),
        1 => stream.prop_map(|stream| Step::Cancel { stream }),
        10 => (0..200_u64).prop_map(|millis| Step::Run { millis }),
        1 => (0..4_u8, 0..5_000_u64).prop_map(|(lane, millis)| Step::Stall { lane, millis }),
        1 => prop::bool::weighted(0.1).prop_map(|go| if go { Step::GoAway } else { Step::Run { millis: 20_000 } }),
    ]
}

fn conditions() -> impl Strategy<Value = Conditions> {
    (0..80_u64, 0..80_u64, 0..20_u64, 1..20_usize, any::<u64>()).prop_map(
        |(delay, jitter, loss, capacity, seed)| Conditions {
            delay: Duration::from_millis(delay),
            jitter: Duration::from_millis(jitter),
            loss,
            capacity,
            seed,
            ..Conditions::default()
        },
    )
}

/// As many cases as `PROPTEST_CASES` says, or few enough for every run of the tests.
pub(crate) fn config() -> ProptestConfig {
    let default = ProptestConfig::default();
    let cases = match std::env::var_os("PROPTEST_CASES") {
        Some(_) => default.cases,
        None => 96,
    };
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..default
    }
}

proptest! {
    #![proptest_config(config())]

    /// SES-020 to SES-026, SES-040 to SES-045, SES-070, SES-080 to SES-082.
    #[test]
    fn exchanges_end_as_meant(
        conditions in conditions(),
        large_frames in any::<bool>(),
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut world = World::new(conditions, large_frames);
        for step in steps {
            world.step(step);
        }
        world.wind_up();
    }
}
