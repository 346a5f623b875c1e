//! Any sequence of messages, over any network, against a model: they arrive whole, in order, of
//! their kind, and before the end that their sender chose.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use p2claw_session::limits::MESSAGE_CHARGE;
use p2claw_session::{Config, ErrorCode, Event, MessageKind, Read, ReadError, Session, StreamId};
use proptest::prelude::*;

use crate::network::{Conditions, Pair};
use crate::peer::ok;
use crate::websocket::{BINARY, TEXT, close, connect};

#[derive(Clone, Debug)]
enum Step {
    /// A message, in parts of these lengths.
    Send {
        agent: bool,
        stream: usize,
        text: bool,
        parts: Vec<usize>,
    },
    Close {
        agent: bool,
        stream: usize,
    },
    Cut {
        agent: bool,
        stream: usize,
    },
    Read {
        agent: bool,
        stream: usize,
        times: usize,
    },
    Run {
        millis: u64,
    },
}

/// What one direction of a WebSocket should carry: the model.
#[derive(Debug, Default)]
struct Half {
    sent: Vec<(MessageKind, Vec<u8>)>,
    /// What the session has not taken yet: it goes first.
    rest: Option<(MessageKind, Bytes, bool)>,
    closed: bool,
    cut: bool,
    got: Vec<(MessageKind, Vec<u8>)>,
    partial: Vec<u8>,
    ended: bool,
    /// The close of this half has arrived.
    closing_seen: bool,
}

struct World {
    pair: Pair,
    halves: BTreeMap<(StreamId, bool), Half>,
    ids: Vec<StreamId>,
}

impl World {
    fn new(conditions: Conditions, count: usize) -> Self {
        let config = Config {
            stream_credit: 65_536,
            session_credit: 262_144,
            send_buffer: 10_000,
            ..Config::default()
        };
        let mut pair = Pair::new(config.clone(), config, conditions);
        let ids: Vec<StreamId> = (0..count)
            .map(|_| pair.visitor.open(connect()).unwrap())
            .collect();
        let mut halves = BTreeMap::new();
        for id in &ids {
            halves.insert((*id, false), Half::default());
            halves.insert((*id, true), Half::default());
        }
        pair.settle();
        while let Some(event) = pair.agent.poll_event() {
            if let Event::Request { id, .. } = event {
                pair.agent.respond(id, ok(false)).unwrap();
            }
        }
        pair.settle();
        Self { pair, halves, ids }
    }

    fn session(&mut self, agent: bool) -> &mut Session {
        match agent {
            true => &mut self.pair.agent,
            false => &mut self.pair.visitor,
        }
    }

    fn half(&mut self, id: StreamId, agent: bool) -> &mut Half {
        self.halves.get_mut(&(id, agent)).unwrap()
    }

    /// Hands over what the session did not take before.
    fn flush(&mut self, id: StreamId, agent: bool) -> bool {
        let Some((kind, mut data, last)) = self.half(id, agent).rest.take() else {
            return true;
        };
        let taken = self
            .session(agent)
            .send_message(id, kind, &mut data, last)
            .unwrap();
        if !taken {
            self.half(id, agent).rest = Some((kind, data, last));
        }
        taken
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Send {
                agent,
                stream,
                text,
                parts,
            } => {
                let id = self.ids[stream % self.ids.len()];
                let half = self.half(id, agent);
                if half.closed || half.cut || !self.flush(id, agent) {
                    return;
                }
                let kind = if text { TEXT } else { BINARY };
                let mut whole: Vec<u8> =
                    "aé水🦀".bytes().cycle().take(parts.iter().sum()).collect();
                if text && let Err(error) = std::str::from_utf8(&whole) {
                    whole.truncate(error.valid_up_to());
                }
                let mut left = Bytes::from(whole.clone());
                let count = parts.len();
                let mut begun = false;
                for (number, len) in parts.into_iter().enumerate() {
                    let last = number + 1 == count;
                    let len = if last {
                        left.len()
                    } else {
                        len.min(left.len())
                    };
                    let mut part = left.split_to(len);
                    loop {
                        // WSK-021: what has not begun when the peer's close is there is dropped.
                        self.read(id, agent, usize::MAX);
                        let dropped = self.half(id, !agent).closing_seen && !begun;
                        let session = self.session(agent);
                        let taken = session.send_message(id, kind, &mut part, last).unwrap();
                        if dropped {
                            assert!(taken && part.is_empty());
                            return;
                        }
                        begun |= part.len() < len;
                        if taken {
                            break;
                        }
                        if last {
                            if begun {
                                self.half(id, agent).rest = Some((kind, part, true));
                                break;
                            }
                            return;
                        }
                        self.pair.run(Duration::from_millis(50));
                        self.read(id, !agent, usize::MAX);
                    }
                }
                self.half(id, agent).sent.push((kind, whole));
            }
            Step::Close { agent, stream } => {
                let id = self.ids[stream % self.ids.len()];
                let half = self.half(id, agent);
                if !half.closed && !half.cut && self.flush(id, agent) {
                    self.session(agent)
                        .close_websocket(id, close(1000, "x"))
                        .unwrap();
                    self.half(id, agent).closed = true;
                }
            }
            Step::Cut { agent, stream } => {
                let id = self.ids[stream % self.ids.len()];
                let half = self.half(id, agent);
                if !half.closed && !half.cut && self.flush(id, agent) {
                    self.session(agent).cut_off(id, ErrorCode::CANCELLED, "");
                    self.half(id, agent).cut = true;
                }
            }
            Step::Read {
                agent,
                stream,
                times,
            } => {
                let id = self.ids[stream % self.ids.len()];
                self.read(id, agent, times);
            }
            Step::Run { millis } => self.pair.run(Duration::from_millis(millis)),
        }
        assert_eq!(self.pair.errors, []);
        for agent in [false, true] {
            let (to_send, to_read) = self.session(agent).buffered();
            assert!(to_read <= 262_144);
            assert!(to_send <= (10_000 + MESSAGE_CHARGE) * 4);
        }
    }

    /// Reads at one end, and holds what comes against what the other end sent.
    fn read(&mut self, id: StreamId, agent: bool, times: usize) {
        for _ in 0..times {
            if self.half(id, !agent).ended {
                return;
            }
            let read = self.session(agent).read(id);
            let half = self.half(id, !agent);
            match read {
                Ok(Read::Message { kind, last, data }) => {
                    half.partial.extend_from_slice(&data);
                    if last {
                        let whole = std::mem::take(&mut half.partial);
                        half.got.push((kind, whole));
                        let at = half.got.len() - 1;
                        assert_eq!(half.got[at], half.sent[at]);
                    }
                }
                Ok(Read::Blocked) => return,
                Ok(Read::Close(closed)) => {
                    assert!(half.closed);
                    assert_eq!(closed, close(1000, "x"));
                    assert_eq!(half.got.len(), half.sent.len());
                    half.ended = true;
                    half.closing_seen = true;
                }
                Err(ReadError::Reset { .. }) => {
                    assert!(half.cut);
                    assert_eq!(half.got.len(), half.sent.len(), "what came before the cut");
                    half.ended = true;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn wind_up(&mut self) {
        for _ in 0..400 {
            for id in self.ids.clone() {
                for agent in [false, true] {
                    self.step(Step::Close {
                        agent,
                        stream: usize::try_from(id.get() / 2).unwrap(),
                    });
                    self.read(id, agent, usize::MAX);
                }
            }
            if self.halves.values().all(|half| half.ended) {
                break;
            }
            self.pair.run(Duration::from_millis(100));
        }
        assert!(
            self.halves.values().all(|half| half.ended),
            "{:#?}",
            self.halves
        );
        for id in self.ids.clone() {
            self.pair.agent.release(id);
            self.pair.visitor.release(id);
        }
        self.pair.settle();
        assert_eq!(self.pair.errors, []);
        assert_eq!(
            self.pair.visitor.open_streams() + self.pair.agent.open_streams(),
            0
        );
    }
}

fn step() -> impl Strategy<Value = Step> {
    let stream = 0..3_usize;
    let length = prop_oneof![4 => 0..20_usize, 2 => 0..3_000_usize, 1 => 0..40_000_usize];
    prop_oneof![
        8 => (any::<bool>(), stream.clone(), any::<bool>(), prop::collection::vec(length, 1..4))
            .prop_map(|(agent, stream, text, parts)| Step::Send { agent, stream, text, parts }),
        1 => (any::<bool>(), stream.clone()).prop_map(|(agent, stream)| Step::Close { agent, stream }),
        1 => (any::<bool>(), stream.clone()).prop_map(|(agent, stream)| Step::Cut { agent, stream }),
        6 => (any::<bool>(), stream, 1..20_usize)
            .prop_map(|(agent, stream, times)| Step::Read { agent, stream, times }),
        6 => (0..200_u64).prop_map(|millis| Step::Run { millis }),
    ]
}

proptest! {
    #![proptest_config(crate::property::config())]

    /// WSK-010 to WSK-014, SES-040: messages arrive whole, in order, of their kind and before the end.
    #[test]
    fn messages_arrive_as_they_were_sent(
        seed in any::<u64>(),
        loss in 0..10_u64,
        count in 1..4_usize,
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let conditions = Conditions { seed, loss, ..Conditions::default() };
        let mut world = World::new(conditions, count);
        for step in steps {
            world.step(step);
        }
        world.wind_up();
    }
}
