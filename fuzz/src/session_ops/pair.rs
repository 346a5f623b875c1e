//! Two sessions, their applications, and a network that the input drives message by message.

mod ending;
mod network;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use arbitrary::{Arbitrary, Result, Unstructured};
use bytes::Bytes;
use p2claw_session::{
    Close, Config, ErrorCode, Fields, MessageKind, OpenError, Read, ReadError, Response, Role,
    Session, StreamId, WriteError,
};

use self::network::LANES;
use super::model::{Half, Side};
use super::{config, request, start, trace};

/// Operations of one input: few enough that nobody's budget against abuse runs out.
const OPERATIONS: usize = 250;

#[derive(Clone, Copy, Debug, Arbitrary)]
enum Op {
    Open(Kind),
    Respond {
        stream: u8,
        how: Answer,
    },
    Write {
        side: Side,
        stream: u8,
        length: u16,
    },
    Send {
        side: Side,
        stream: u8,
        text: bool,
        length: u16,
        last: bool,
    },
    Close {
        side: Side,
        stream: u8,
        code: u16,
    },
    Finish {
        side: Side,
        stream: u8,
        trailers: bool,
    },
    Reset {
        side: Side,
        stream: u8,
        code: u8,
    },
    CutOff {
        side: Side,
        stream: u8,
        code: u8,
    },
    Stop {
        side: Side,
        stream: u8,
        code: u8,
    },
    Read {
        side: Side,
        stream: u8,
        times: u8,
    },
    Release {
        side: Side,
        stream: u8,
    },
    Transmit {
        from: Side,
        lane: u8,
        count: u8,
    },
    Deliver {
        to: Side,
        lane: u8,
        count: u8,
    },
    Exchange,
    Pass {
        millis: u16,
    },
    PathLost(Side),
    PathFound(Side),
    GoAway(Side),
    End {
        side: Side,
        code: u8,
    },
}

#[derive(Clone, Copy, Debug, Arbitrary)]
enum Kind {
    Get,
    Post,
    Head,
    WebSocket,
}

#[derive(Clone, Copy, Debug, Arbitrary)]
enum Answer {
    Informational,
    WithBody,
    WithoutBody,
    NotModified,
    Refusal,
}

#[derive(Debug)]
struct Exchange {
    kind: Kind,
    /// By sender.
    halves: BTreeMap<Side, Half>,
    /// The agent has heard of it.
    arrived: bool,
    responded: bool,
    /// The WebSocket was accepted.
    accepted: bool,
    released: BTreeMap<Side, bool>,
}

impl Exchange {
    fn half(&mut self, from: Side) -> &mut Half {
        self.halves.entry(from).or_default()
    }
}

struct World {
    now: Instant,
    visitor: Session,
    agent: Session,
    configs: BTreeMap<Side, Config>,
    /// Messages on their way to a side, by lane.
    wires: BTreeMap<Side, [VecDeque<Bytes>; LANES]>,
    exchanges: BTreeMap<StreamId, Exchange>,
    gone_away: bool,
    /// An application has ended the session, or nothing was heard for too long.
    ended: bool,
}

pub(super) fn run(input: &mut Unstructured<'_>) -> Result<()> {
    let mut world = World::new(config(input)?, config(input)?);
    for _ in 0..OPERATIONS {
        if input.is_empty() {
            break;
        }
        let Ok(op) = Op::arbitrary(input) else {
            break;
        };
        trace(&op);
        world.apply(op);
        world.look();
    }
    if world.ended || world.visitor.is_closed() || world.agent.is_closed() {
        world.over();
    } else {
        world.wind_up();
    }
    Ok(())
}

impl World {
    fn new(visitor: Config, agent: Config) -> Self {
        let now = start();
        Self {
            now,
            visitor: Session::new(Role::Visitor, visitor.clone(), now),
            agent: Session::new(Role::Agent, agent.clone(), now),
            configs: [(Side::Visitor, visitor), (Side::Agent, agent)].into(),
            wires: [
                (Side::Visitor, Default::default()),
                (Side::Agent, Default::default()),
            ]
            .into(),
            exchanges: BTreeMap::new(),
            gone_away: false,
            ended: false,
        }
    }

    fn session(&mut self, side: Side) -> &mut Session {
        match side {
            Side::Visitor => &mut self.visitor,
            Side::Agent => &mut self.agent,
        }
    }

    /// The n-th stream that this side knows of and still works with.
    fn pick(&self, side: Side, stream: u8) -> Option<StreamId> {
        let known = |exchange: &Exchange| {
            (side == Side::Visitor || exchange.arrived) && !exchange.released.contains_key(&side)
        };
        let ids: Vec<StreamId> = self
            .exchanges
            .iter()
            .filter(|(_, one)| known(one))
            .map(|(id, _)| *id)
            .collect();
        ids.get(usize::from(stream) % ids.len().max(1)).copied()
    }

    fn exchange(&mut self, id: StreamId) -> &mut Exchange {
        self.exchanges
            .get_mut(&id)
            .expect("streams are known once they are open")
    }

    fn half(&mut self, id: StreamId, from: Side) -> &mut Half {
        self.exchange(id).half(from)
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Open(kind) => self.open(kind),
            Op::Respond { stream, how } => {
                if let Some(id) = self.pick(Side::Agent, stream) {
                    self.respond(id, how);
                }
            }
            Op::Write {
                side,
                stream,
                length,
            } => {
                if let Some(id) = self.pick(side, stream) {
                    self.write(side, id, length.into());
                }
            }
            Op::Send {
                side,
                stream,
                text,
                length,
                last,
            } => {
                if let Some(id) = self.pick(side, stream) {
                    self.send(side, id, text, length.into(), last);
                }
            }
            Op::Close { side, stream, code } => {
                if let Some(id) = self.pick(side, stream) {
                    self.close_websocket(side, id, code);
                }
            }
            Op::Finish {
                side,
                stream,
                trailers,
            } => {
                if let Some(id) = self.pick(side, stream) {
                    self.finish(side, id, trailers);
                }
            }
            Op::Reset { side, stream, code } => {
                if let Some(id) = self.pick(side, stream) {
                    let code = ErrorCode::new(code.into());
                    self.session(side).reset(id, code, "because");
                    self.half(id, side).aborted.push(code);
                }
            }
            Op::CutOff { side, stream, code } => {
                if let Some(id) = self.pick(side, stream) {
                    let code = ErrorCode::new(code.into());
                    self.session(side).cut_off(id, code, "because");
                    self.half(id, side).cut_off(code);
                }
            }
            Op::Stop { side, stream, code } => {
                if let Some(id) = self.pick(side, stream) {
                    self.session(side).stop(id, ErrorCode::new(code.into()));
                    self.half(id, side.other()).stopped = true;
                }
            }
            Op::Read {
                side,
                stream,
                times,
            } => {
                if let Some(id) = self.pick(side, stream) {
                    self.read(side, id, times.into());
                }
            }
            Op::Release { side, stream } => {
                if let Some(id) = self.pick(side, stream) {
                    self.release(side, id);
                }
            }
            Op::Transmit { from, lane, count } => {
                self.transmit(from, usize::from(lane) % LANES, count.into())
            }
            Op::Deliver { to, lane, count } => {
                self.deliver(to, usize::from(lane) % LANES, count.into())
            }
            Op::Exchange => self.swap(),
            Op::Pass { millis } => self.pass(Duration::from_millis(millis.into())),
            Op::PathLost(side) => {
                let now = self.now;
                self.session(side).path_lost(now);
            }
            Op::PathFound(side) => self.session(side).path_found(),
            Op::GoAway(side) => {
                self.gone_away = true;
                self.session(side).go_away();
            }
            Op::End { side, code } => {
                self.ended = true;
                self.gone_away |= code == 0;
                self.session(side)
                    .close(ErrorCode::new(code.into()), "the application says so");
            }
        }
    }

    fn open(&mut self, kind: Kind) {
        let request = match kind {
            Kind::Get => request("GET", true, None),
            Kind::Post => request("POST", false, None),
            Kind::Head => request("HEAD", true, None),
            Kind::WebSocket => request("CONNECT", false, Some("websocket")),
        };
        let id = match self.visitor.open(request) {
            Ok(id) => id,
            Err(OpenError::Closed) => return assert!(self.visitor.is_closed()),
            Err(OpenError::GoingAway) => return assert!(self.gone_away),
            Err(OpenError::TooManyStreams) => return assert!(self.visitor.open_streams() >= 100),
            Err(error) => panic!("{error}"),
        };
        let mut exchange = Exchange {
            kind,
            halves: BTreeMap::new(),
            arrived: false,
            responded: false,
            accepted: false,
            released: BTreeMap::new(),
        };
        if matches!(kind, Kind::Get | Kind::Head) {
            exchange.half(Side::Visitor).finished = Some(false);
        }
        assert!(
            self.exchanges.insert(id, exchange).is_none(),
            "an id was given twice"
        );
    }

    fn respond(&mut self, id: StreamId, how: Answer) {
        let (kind, responded) = (self.exchange(id).kind, self.exchange(id).responded);
        let websocket = matches!(kind, Kind::WebSocket);
        let (status, end) = match how {
            Answer::Informational => (103, false),
            Answer::WithBody => (200, matches!(kind, Kind::Head)),
            // A WebSocket cannot be accepted without anything to follow (WSK-006).
            Answer::WithoutBody => (if websocket { 403 } else { 200 }, true),
            Answer::NotModified => (304, true),
            Answer::Refusal => (403, matches!(kind, Kind::Head)),
        };
        let response = Response {
            status,
            fields: Fields::new(),
            end,
        };
        match self.agent.respond(id, response) {
            Ok(()) => {}
            Err(WriteError::AlreadyResponded) => return assert!(responded),
            Err(error) => return self.check_refused(Side::Agent, id, &error),
        }
        assert!(!responded, "two final responses");
        if status < 200 {
            return;
        }
        let exchange = self.exchange(id);
        exchange.responded = true;
        exchange.accepted = websocket && status == 200;
        if end {
            exchange.half(Side::Agent).finished = Some(false);
        }
        if websocket && status != 200 {
            // The request half ends without a frame (WSK-005).
            exchange.half(Side::Visitor).finished = Some(false);
        }
    }

    fn write(&mut self, side: Side, id: StreamId, length: usize) {
        let mut data = self.half(id, side).body(side, id, length);
        match self.session(side).write(id, &mut data) {
            Ok(()) => self.half(id, side).written += (length - data.len()) as u64,
            Err(error) => self.check_refused(side, id, &error),
        }
    }

    fn send(&mut self, side: Side, id: StreamId, text: bool, length: usize, last: bool) {
        let kind = if text {
            MessageKind::Text
        } else {
            MessageKind::Binary
        };
        let begun = self
            .half(id, side)
            .messages
            .last()
            .filter(|message| !message.ended)
            .map(|message| message.kind);
        let mut data = self
            .half(id, side)
            .message(begun.unwrap_or(kind), length, last);
        let kind = begun.unwrap_or(kind);
        let whole = data.len();
        match self.session(side).send_message(id, kind, &mut data, last) {
            Ok(taken) => {
                // A message without a byte may have to wait for room, too.
                assert!(if taken {
                    data.is_empty()
                } else {
                    whole == 0 || !data.is_empty()
                });
                assert!(taken || whole > 0 || last, "nothing at all is always taken");
                let (count, ended) = (whole - data.len(), taken && last);
                if count > 0 || ended {
                    let closed = self.half(id, side.other()).close.is_some();
                    self.half(id, side).sent(kind, count, ended, closed);
                }
            }
            Err(error) => self.check_refused(side, id, &error),
        }
    }

    fn close_websocket(&mut self, side: Side, id: StreamId, code: u16) {
        let close = Close::new(code, "x".repeat(usize::from(code) % 124)).unwrap_or(Close::NONE);
        match self.session(side).close_websocket(id, close.clone()) {
            Ok(()) => {
                let half = self.half(id, side);
                assert_eq!(half.close, None, "two closes");
                half.close = Some(close);
            }
            Err(error) => self.check_refused(side, id, &error),
        }
    }

    fn finish(&mut self, side: Side, id: StreamId, trailers: bool) {
        let mut fields = Fields::new();
        fields.push("digest", "x").expect("a field");
        match self.session(side).finish(id, trailers.then_some(fields)) {
            Ok(()) => {
                let half = self.half(id, side);
                assert_eq!(half.finished, None, "two ends");
                half.finished = Some(trailers);
            }
            Err(error) => self.check_refused(side, id, &error),
        }
    }

    /// A session refuses for a reason that its application knows.
    fn check_refused(&mut self, side: Side, id: StreamId, error: &WriteError) {
        let (closed, gone_away) = (self.session(side).is_closed(), self.gone_away);
        let exchange = self.exchange(id);
        let (responded, accepted) = (exchange.responded, exchange.accepted);
        let websocket = matches!(exchange.kind, Kind::WebSocket);
        let half = exchange.half(side);
        let known = match error {
            WriteError::Closed => closed,
            WriteError::Finished => half.is_ended(),
            WriteError::NotResponded => side == Side::Agent && !responded,
            WriteError::NotOpen => side == Side::Visitor && websocket,
            WriteError::WrongMode => true,
            WriteError::Reset | WriteError::Stopped { .. } => !half.aborted.is_empty() || gone_away,
            // A stream is forgotten when both halves are over, or its place was refused.
            WriteError::UnknownStream => true,
            _ => false,
        };
        assert!(known, "{side:?} stream {id}, accepted: {accepted}: {error}");
    }

    fn read(&mut self, side: Side, id: StreamId, times: usize) {
        let from = side.other();
        for _ in 0..times {
            match self.session(side).read(id) {
                Ok(Read::Data(data)) => self.half(id, from).got_data(from, id, &data),
                Ok(Read::Message { kind, last, data }) => {
                    self.half(id, from).got_message(kind, &data, last)
                }
                Ok(Read::Close(close)) => return self.half(id, from).got_close(&close),
                Ok(Read::End(trailers)) => return self.half(id, from).got_end(trailers.is_some()),
                Ok(Read::Blocked) => {
                    assert!(!self.session(side).is_closed(), "a closed session blocks");
                    return;
                }
                Err(ReadError::Reset { code, .. }) => {
                    self.check_cut(side, id, code);
                    self.half(id, from).over = true;
                    return;
                }
                Err(ReadError::Closed) => {
                    let closed = self.session(side).is_closed();
                    return assert!(closed || self.half(id, from).stopped);
                }
                Err(ReadError::UnknownStream) => {
                    let half = self.half(id, from);
                    return assert!(
                        half.over || half.stopped || half.cut,
                        "{side:?} stream {id} is forgotten"
                    );
                }
            }
        }
    }

    /// A half is cut off for a reason that its sender gave.
    fn check_cut(&mut self, side: Side, id: StreamId, code: ErrorCode) {
        // Beyond the agent's streams, or behind its GOAWAY.
        let refused = code == ErrorCode::REFUSED && (self.gone_away || self.exchanges.len() > 100);
        let half = self.half(id, side.other());
        assert!(
            refused || half.aborted.contains(&code),
            "{side:?} stream {id} was cut off with {code}"
        );
    }

    fn release(&mut self, side: Side, id: StreamId) {
        self.session(side).release(id);
        let exchange = self.exchange(id);
        exchange.released.insert(side, true);
        let code = match side {
            Side::Visitor => ErrorCode::CANCELLED,
            Side::Agent => ErrorCode::INTERNAL,
        };
        // What was finished still goes out, and what has ended is not given up.
        let own = exchange.half(side);
        if !own.is_ended() {
            own.aborted.push(code);
        }
        let other = exchange.half(side.other());
        other.stopped |= !other.over;
    }
}
