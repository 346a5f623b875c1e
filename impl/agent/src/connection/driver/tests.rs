//! A driver over a peer that does what the test says.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{collections::VecDeque, sync::Mutex, task::Waker};

use p2claw_proto::v1::SessionHello;
use p2claw_session::{Config, Fields, Request, Role, Target, frame::Frame, limits::PATH_GRACE};
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
        Err(TransportError::Closed)
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
    let config = Config::for_role(Role::Visitor);
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
