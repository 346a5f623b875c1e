//! A driver over a peer that does what the test says.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{collections::VecDeque, sync::Mutex, task::Waker};

use p2claw_proto::v1::SessionHello;
use p2claw_session::{Config, Fields, Request, Role, Target, frame::Frame, limits::PATH_GRACE};
use p2claw_signaling::limits::MAX_CANDIDATES;
use tokio::time::timeout;

use super::*;
use crate::{
    connection::{Connection, connect},
    transport::{LINGER, Path, TransportError},
};

/// What the test sets, and sees.
#[derive(Default)]
struct Script {
    events: VecDeque<PeerEvent>,
    /// Messages that it still takes, on whatever lane.
    room: usize,
    sent: Vec<(u8, Bytes)>,
    closed: bool,
}

#[derive(Clone, Default)]
struct Puppet(Arc<Mutex<Script>>);

impl Puppet {
    fn script<T>(&self, work: impl FnOnce(&mut Script) -> T) -> T {
        work(&mut self.0.lock().unwrap())
    }
}

impl Peer for Puppet {
    fn poll_event(&mut self, _: &mut Context<'_>) -> Poll<PeerEvent> {
        self.script(|script| match script.events.pop_front() {
            Some(event) => Poll::Ready(event),
            None if script.closed => Poll::Ready(PeerEvent::Closed("closed".to_owned())),
            None => Poll::Pending,
        })
    }

    fn try_send(&mut self, lane: LaneId, message: &Bytes) -> Result<bool, TransportError> {
        self.script(|script| {
            if script.room == 0 {
                return Ok(false);
            }
            script.room -= 1;
            script.sent.push((lane.get(), message.clone()));
            Ok(true)
        })
    }

    fn restart(&mut self) -> Result<String, TransportError> {
        Ok("v=0\r\n".to_owned())
    }

    fn accept_restart(&mut self, _: &str) -> Result<String, TransportError> {
        Err(TransportError::Closed)
    }

    fn accept_answer(&mut self, _: &str) -> Result<(), TransportError> {
        Ok(())
    }

    fn add_candidate(&mut self, _: &str) {}

    fn path(&self) -> Option<Path> {
        None
    }

    fn close(&mut self) {
        self.script(|script| script.closed = true);
    }
}

/// A visitor whose agent has said HELLO, with four lanes.
fn visitor() -> (Puppet, Connection, Driver) {
    let puppet = Puppet::default();
    let hello = Frame::Hello(SessionHello {
        versions: vec![1],
        settings: vec![p2claw_proto::v1::Setting { id: 5, value: 4 }],
        software: String::new(),
    });
    puppet.script(|script| {
        let lanes = (0..4).filter_map(LaneId::new);
        script.events.extend(lanes.map(PeerEvent::LaneOpen));
        let hello = PeerEvent::Message(LaneId::ZERO, hello.encode());
        script.events.push_back(hello);
        script.room = 100;
    });
    // Nothing but what the tests ask for.
    let config = Config {
        grease_seed: None,
        ..Config::for_role(Role::Visitor)
    };
    let (connection, mut driver) = connect(Role::Visitor, config, Box::new(puppet.clone()));
    turn(&mut driver);
    assert!(connection.peer_settings().is_some());
    (puppet, connection, driver)
}

fn turn(driver: &mut Driver) {
    let mut cx = Context::from_waker(Waker::noop());
    assert!(Pin::new(driver).poll(&mut cx).is_pending());
}

/// SES-082: room that all lanes share goes to each of them in turn.
#[tokio::test]
async fn busy_lanes_take_turns() {
    let (puppet, connection, mut driver) = visitor();
    puppet.script(|script| script.room = 0);
    let mut exchanges = Vec::new();
    for _ in 0..3 {
        let mut exchange = connection
            .open(Request {
                method: "POST".to_owned(),
                target: Target::parse("/").unwrap(),
                fields: Fields::new(),
                end: false,
                protocol: None,
            })
            .unwrap();
        let body = Bytes::from(vec![0; 64 << 10]);
        exchange.body.write(body).await.unwrap();
        exchanges.push(exchange);
    }
    for _ in 0..12 {
        puppet.script(|script| script.room = 1);
        turn(&mut driver);
    }
    let lanes: Vec<u8> = puppet.script(|script| {
        let sent = script.sent.iter().skip_while(|(_, frame)| frame[0] == 1);
        sent.map(|(lane, _)| *lane).collect()
    });
    for lane in 0..3 {
        let frames = lanes.iter().filter(|other| **other == lane).count();
        assert_eq!(frames, 4, "frames of lane {lane} among {lanes:?}");
    }
}

/// RTC-015: a path that is lost for good ends the driver, although nobody says so any more.
#[tokio::test(start_paused = true)]
async fn a_path_that_does_not_come_back_is_given_up() {
    let (puppet, connection, driver) = visitor();
    puppet.script(|script| {
        script.room = 0;
        let lost = PeerEvent::Path(PathState::Disconnected);
        script.events.push_back(lost);
    });
    let began = Instant::now();
    let patience = PATH_GRACE + CLOSE_DEADLINE + LINGER;
    timeout(patience, driver).await.unwrap();
    assert!(began.elapsed() >= PATH_GRACE);
    assert!(puppet.script(|script| script.closed));
    assert!(connection.accept().await.is_none());
}

/// RTC-015
#[tokio::test(start_paused = true)]
async fn a_path_that_comes_back_is_used_again() {
    let (puppet, _connection, mut driver) = visitor();
    for state in [PathState::Disconnected, PathState::Connected] {
        puppet.script(|script| script.events.push_back(PeerEvent::Path(state)));
        turn(&mut driver);
        tokio::time::advance(PATH_GRACE / 2 + Duration::from_secs(1)).await;
    }
    turn(&mut driver);
    assert!(!puppet.script(|script| script.closed));
}

/// An agent with four open lanes, whose visitor has said nothing yet.
fn agent() -> (Puppet, Connection, Driver) {
    let puppet = Puppet::default();
    puppet.script(|script| {
        let lanes = (0..4).filter_map(LaneId::new);
        script.events.extend(lanes.map(PeerEvent::LaneOpen));
        script.room = 100;
    });
    let config = Config::for_role(Role::Agent);
    let (connection, mut driver) = connect(Role::Agent, config, Box::new(puppet.clone()));
    turn(&mut driver);
    (puppet, connection, driver)
}

fn sent(puppet: &Puppet) -> Vec<Frame> {
    puppet.script(|script| {
        let messages = script.sent.drain(..);
        messages
            .filter_map(|(_, message)| Frame::decode(message).ok())
            .collect()
    })
}

/// RTC-018: an agent speaks once it has been spoken to, on whatever lane.
#[tokio::test]
async fn an_agent_is_silent_until_its_visitor_has_spoken() {
    for lane in [0, 3] {
        let (puppet, _connection, mut driver) = agent();
        assert_eq!(sent(&puppet), []);
        // Of a type that nobody knows: a lane above 0 may be faster than lane 0.
        let hello = Frame::Hello(SessionHello {
            versions: vec![1],
            settings: Vec::new(),
            software: String::new(),
        });
        let grease = Bytes::from_static(&[0x21, 0x00]);
        let message = if lane == 0 { hello.encode() } else { grease };
        let message = PeerEvent::Message(LaneId::new(lane).unwrap(), message);
        puppet.script(|script| script.events.push_back(message));
        turn(&mut driver);
        let frames = sent(&puppet);
        assert!(matches!(frames[..], [Frame::Hello(_), ..]), "{frames:?}");
    }
}

/// RTC-018: an agent that stops, or gives up, does not wait for it.
#[tokio::test]
async fn the_last_words_of_an_agent_are_not_held_back() {
    for close in [true, false] {
        let (puppet, connection, mut driver) = agent();
        if close {
            connection.close(ErrorCode::IDLE_TIMEOUT, "no HELLO");
        } else {
            connection.finish("the agent stops");
        }
        // The peer may be closed by then, and the driver done.
        let mut cx = Context::from_waker(Waker::noop());
        let _ = Pin::new(&mut driver).poll(&mut cx);
        let frames = sent(&puppet);
        let last = |frame: &Frame| matches!(frame, Frame::GoAway { .. });
        assert!(matches!(frames[0], Frame::Hello(_)), "{frames:?}");
        assert!(frames.iter().any(last), "{frames:?}");
    }
}

/// SIG-013, RTC-017: candidates wait for their owner, as many as a visit takes; a new description
/// has candidates of its own.
#[tokio::test]
async fn candidates_wait_until_they_are_asked_for() {
    let (puppet, connection, mut driver) = visitor();
    let gather = |driver: &mut Driver, count: usize| {
        puppet.script(|script| {
            let candidates = (0..count).map(|number| Some(format!("candidate:{number}")));
            let events = candidates.chain([None, None]).map(PeerEvent::Candidate);
            script.events.extend(events);
        });
        turn(driver);
    };
    gather(&mut driver, 2);
    assert_eq!(connection.next_candidate().await.unwrap(), "candidate:0");
    assert_eq!(connection.next_candidate().await.unwrap(), "candidate:1");
    assert_eq!(connection.next_candidate().await, None);
    driver.restart().unwrap();
    gather(&mut driver, MAX_CANDIDATES + 1);
    let mut count = 1;
    while connection.next_candidate().await.is_some() {
        count += 1;
    }
    assert_eq!(count, MAX_CANDIDATES);
    let mut waiting = std::pin::pin!(connection.next_candidate());
    let mut cx = Context::from_waker(Waker::noop());
    assert!(waiting.as_mut().poll(&mut cx).is_pending());
    driver.restart().unwrap();
    gather(&mut driver, 1);
    assert_eq!(waiting.await.unwrap(), "candidate:0");
}

/// RTC-015, SIG-043: who restarts a session is told of its path.
#[tokio::test(start_paused = true)]
async fn a_path_can_be_watched() {
    let (puppet, connection, mut driver) = visitor();
    let mut path = connection.watch_path();
    assert_eq!(path.borrow_and_update().lost_since, None);
    let mut tell = |state| {
        puppet.script(|script| script.events.push_back(PeerEvent::Path(state)));
        turn(&mut driver);
    };
    tell(PathState::Disconnected);
    let lost_at = Instant::now();
    assert_eq!(path.borrow_and_update().lost_since, Some(lost_at));
    tokio::time::advance(Duration::from_secs(2)).await;
    tell(PathState::Disconnected);
    assert!(!path.has_changed().unwrap());
    assert_eq!(path.borrow().lost_since, Some(lost_at));
    tell(PathState::Connected);
    assert_eq!(path.borrow_and_update().lost_since, None);
}
