//! Two sessions and a network between them with its own clock: each lane is reliable and ordered,
//! lanes overtake each other, and a loss is a retransmission later.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use p2claw_session::{Config, Event, LaneId, Read, Role, Session, SessionError};

use crate::peer::{get, id, lane, ok, post, start, write};

const MS: Duration = Duration::from_millis(1);
const LANES: u8 = 4;

/// How the network behaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conditions {
    pub(crate) delay: Duration,
    /// Up to so much more, for each message by itself.
    pub(crate) jitter: Duration,
    /// Messages of a hundred that need a retransmission.
    pub(crate) loss: u64,
    /// How much later a retransmission arrives.
    pub(crate) retransmission: Duration,
    /// Messages that a lane holds before the sender must wait.
    pub(crate) capacity: usize,
    pub(crate) seed: u64,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            delay: 20 * MS,
            jitter: 15 * MS,
            loss: 2,
            retransmission: 300 * MS,
            capacity: 16,
            seed: 1,
        }
    }
}

/// One direction.
#[derive(Default)]
struct Link {
    lanes: [VecDeque<(Instant, Bytes)>; LANES as usize],
    /// Nothing arrives before this.
    stalled: [Option<Instant>; LANES as usize],
}

impl Link {
    fn due(&self, lane: usize) -> Option<Instant> {
        let (at, _) = self.lanes[lane].front()?;
        Some(self.stalled[lane].map_or(*at, |until| until.max(*at)))
    }

    fn next(&self) -> Option<Instant> {
        (0..usize::from(LANES))
            .filter_map(|lane| self.due(lane))
            .min()
    }
}

/// Both ends and the network.
pub(crate) struct Pair {
    pub(crate) now: Instant,
    pub(crate) visitor: Session,
    pub(crate) agent: Session,
    pub(crate) errors: Vec<SessionError>,
    /// Messages that arrived.
    pub(crate) messages: usize,
    up: Link,
    down: Link,
    conditions: Conditions,
    random: u64,
}

impl Pair {
    pub(crate) fn new(visitor: Config, agent: Config, conditions: Conditions) -> Self {
        let now = start();
        Self {
            now,
            visitor: Session::new(Role::Visitor, visitor, now),
            agent: Session::new(Role::Agent, agent, now),
            errors: Vec::new(),
            messages: 0,
            up: Link::default(),
            down: Link::default(),
            conditions,
            random: conditions.seed | 1,
        }
    }

    /// Holds back what a lane carries, both ways.
    pub(crate) fn stall(&mut self, lane: u8, time: Duration) {
        let until = Some(self.now + time);
        self.up.stalled[usize::from(lane % LANES)] = until;
        self.down.stalled[usize::from(lane % LANES)] = until;
    }

    /// Lets so much time pass.
    pub(crate) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.transmit();
            let timers = [self.visitor.poll_timeout(), self.agent.poll_timeout()];
            let next = [self.up.next(), self.down.next(), timers[0], timers[1]]
                .into_iter()
                .flatten()
                .min();
            match next {
                Some(next) if next <= end => self.now = self.now.max(next),
                Some(_) | None => break,
            }
            self.visitor.handle_timeout(self.now);
            self.agent.handle_timeout(self.now);
            self.deliver();
        }
        self.now = end;
    }

    /// Lets time pass until nothing is under way, 30 s at most.
    pub(crate) fn settle(&mut self) {
        for _ in 0..300 {
            self.run(100 * MS);
            if self.is_idle() {
                return;
            }
        }
    }

    /// Whether nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.up.next().is_none() && self.down.next().is_none()
    }

    fn transmit(&mut self) {
        for (session, link) in [
            (&mut self.visitor, &mut self.up),
            (&mut self.agent, &mut self.down),
        ] {
            for number in 0..LANES {
                let queue = &mut link.lanes[usize::from(number)];
                while queue.len() < self.conditions.capacity
                    && let Some(message) = session.poll_transmit(lane(number))
                {
                    let late = delay(&self.conditions, &mut self.random);
                    let at = queue
                        .back()
                        .map_or(self.now, |(at, _)| *at)
                        .max(self.now + late);
                    queue.push_back((at, message));
                }
            }
        }
    }

    fn deliver(&mut self) {
        let now = self.now;
        for (session, link) in [
            (&mut self.agent, &mut self.up),
            (&mut self.visitor, &mut self.down),
        ] {
            for number in 0..LANES {
                while link.due(usize::from(number)).is_some_and(|at| at <= now) {
                    let Some((_, message)) = link.lanes[usize::from(number)].pop_front() else {
                        break;
                    };
                    self.messages += 1;
                    self.errors
                        .extend(session.handle_message(now, lane(number), message).err());
                }
            }
        }
    }
}

fn delay(conditions: &Conditions, random: &mut u64) -> Duration {
    let mut next = |below: u64| {
        // xorshift64
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        *random % below.max(1)
    };
    let jitter = u64::try_from(conditions.jitter.as_micros()).unwrap();
    let late = conditions.delay + Duration::from_micros(next(jitter + 1));
    match next(100) < conditions.loss {
        true => late + conditions.retransmission,
        false => late,
    }
}

/// Answers every request with so many bytes, as far as there is room.
fn serve(agent: &mut Session, len: usize) {
    while let Some(event) = agent.poll_event() {
        if let Event::Request { id, .. } = event {
            agent.respond(id, ok(false)).unwrap();
            write(agent, id, len);
            agent.finish(id, None).unwrap();
            agent.release(id);
        }
    }
}

fn roomy() -> Config {
    Config {
        send_buffer: 8 << 20,
        ..Config::default()
    }
}

/// SES-006: the response is there after one round trip, without waiting for HELLO.
#[test]
fn the_first_response_takes_one_round_trip() {
    let conditions = Conditions {
        jitter: Duration::ZERO,
        loss: 0,
        ..Conditions::default()
    };
    let mut pair = Pair::new(Config::default(), Config::default(), conditions);
    pair.visitor.open(get("/")).unwrap();
    pair.run(20 * MS);
    serve(&mut pair.agent, 10);
    pair.run(20 * MS);
    let events: Vec<Event> = std::iter::from_fn(|| pair.visitor.poll_event()).collect();
    assert!(
        matches!(
            events.as_slice(),
            [
                Event::Connected(_),
                Event::Response { .. },
                Event::Readable(_)
            ]
        ),
        "{events:?}"
    );
}

/// SES-045: three windows on each of four streams, over lanes that lose and overtake.
#[test]
fn bodies_arrive_whole_over_a_lossy_network() {
    for seed in 0..5 {
        let conditions = Conditions {
            loss: 5,
            seed,
            ..Conditions::default()
        };
        let mut pair = Pair::new(roomy(), roomy(), conditions);
        pair.run(100 * MS);
        for _ in 0..4 {
            pair.visitor.open(get("/")).unwrap();
        }
        let mut received = 0;
        let mut ended = 0;
        for _ in 0..1_000 {
            pair.run(50 * MS);
            serve(&mut pair.agent, 3 << 20);
            while let Some(event) = pair.visitor.poll_event() {
                let Event::Readable(stream) = event else {
                    continue;
                };
                loop {
                    match pair.visitor.read(stream).unwrap() {
                        Read::Data(data) => received += data.len(),
                        Read::Message { .. } | Read::Close(_) => panic!("a message in a body"),
                        Read::Blocked => break,
                        Read::End(_) => {
                            ended += 1;
                            break;
                        }
                    }
                }
            }
            if ended == 4 {
                break;
            }
        }
        assert_eq!((received, ended), (12 << 20, 4), "seed {seed}");
        assert_eq!(pair.errors, []);
        pair.agent.go_away();
        pair.settle();
        assert!(pair.agent.is_drained());
    }
}

/// SES-082: while one lane hangs, streams on the others go on.
#[test]
fn a_lane_that_hangs_stops_only_its_own_streams() {
    let mut pair = Pair::new(
        roomy(),
        roomy(),
        Conditions {
            loss: 0,
            ..Conditions::default()
        },
    );
    pair.run(100 * MS);
    for _ in 0..4 {
        pair.visitor.open(get("/")).unwrap();
    }
    pair.stall(1, Duration::from_secs(5));
    for _ in 0..10 {
        pair.run(50 * MS);
        serve(&mut pair.agent, 100_000);
    }
    let finished = |pair: &mut Pair, stream: u64| {
        let mut count = 0;
        while let Ok(Read::Data(data)) = pair.visitor.read(id(stream)) {
            count += data.len();
        }
        count == 100_000
    };
    // One stream on each lane, in order.
    assert_eq!(
        [1, 3, 5, 7].map(|stream| finished(&mut pair, stream)),
        [true, false, true, true]
    );
    pair.run(Duration::from_secs(6));
    serve(&mut pair.agent, 100_000);
    pair.settle();
    assert!(finished(&mut pair, 3));
}

/// SES-060, SES-062: PINGs keep an idle session alive, and end one whose network is gone.
#[test]
fn idle_sessions_live_as_long_as_the_network() {
    let mut pair = Pair::new(Config::default(), Config::default(), Conditions::default());
    pair.run(Duration::from_secs(600));
    assert!(!pair.visitor.is_closed() && !pair.agent.is_closed());
    // Two HELLOs, and a PING with its PONG in about 15 s.
    assert!(
        (2 + 2 * 35..2 + 4 * 41).contains(&pair.messages),
        "{}",
        pair.messages
    );
    pair.stall(0, Duration::from_secs(3_600));
    pair.run(Duration::from_secs(75));
    assert!(pair.visitor.is_closed() && pair.agent.is_closed());
}

/// SES-042: a reader that does nothing holds its stream at the window, and nothing more.
#[test]
fn a_reader_that_does_nothing_holds_one_window() {
    let mut pair = Pair::new(
        roomy(),
        roomy(),
        Conditions {
            loss: 0,
            ..Conditions::default()
        },
    );
    pair.run(100 * MS);
    let stalled = pair.visitor.open(get("/stalled")).unwrap();
    pair.run(100 * MS);
    serve(&mut pair.agent, 3 << 20);
    pair.run(Duration::from_secs(5));
    assert_eq!(pair.visitor.buffered(), (0, 1 << 20));
    let second = pair.visitor.open(post("/")).unwrap();
    write(&mut pair.visitor, second, 200_000);
    pair.visitor.finish(second, None).unwrap();
    pair.run(100 * MS);
    serve(&mut pair.agent, 10);
    pair.run(100 * MS);
    assert!(matches!(pair.visitor.read(second), Ok(Read::Data(_))));
    pair.visitor.release(stalled);
    pair.settle();
    assert_eq!(pair.agent.buffered().0, 0);
    assert!(pair.visitor.poll_transmit(LaneId::ZERO).is_none());
}
