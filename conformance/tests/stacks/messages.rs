//! Messages between two peers, without a session.

use std::{future::poll_fn, task::Poll};

use bytes::Bytes;
use p2claw_agent::transport::{Peer, PeerEvent};
use p2claw_session::LaneId;
use tokio::time::timeout;

use crate::{
    PATIENCE, Stack,
    ends::{End, Ends},
};

/// Handshakes whose timing differs.
const VISITS: usize = 50;

/// A lane carries messages from its opening on: the visitor's first one, sent at once, and the
/// agent's answer to it.
pub(crate) async fn the_first_message_arrives(visitor: Stack, agent: Stack) {
    let (near, far) = (visitor.endpoint(), agent.endpoint());
    let first = Bytes::from_static(b"first");
    for visit in 0..VISITS {
        let mut offered = near.offer().await.unwrap();
        let accepted = far.accept(&offered.offer).await.unwrap();
        offered.peer.accept_answer(&accepted.answer).unwrap();
        let mut ends = Pair {
            visitor: offered.peer,
            agent: accepted.peer,
        };
        timeout(PATIENCE, ends.greet(&first))
            .await
            .unwrap_or_else(|_| panic!("a first message was lost in visit {visit}"));
    }
}

struct Pair {
    visitor: Box<dyn Peer>,
    agent: Box<dyn Peer>,
}

impl Pair {
    async fn greet(&mut self, first: &Bytes) {
        let mut agent = Vec::new();
        poll_fn(|cx| {
            while let Poll::Ready(event) = self.agent.poll_event(cx) {
                match event {
                    PeerEvent::Message(lane, message) => {
                        assert!(self.agent.try_send(lane, &message).unwrap());
                        agent.push(lane);
                    }
                    PeerEvent::Closed(reason) => panic!("{reason}"),
                    _ => {}
                }
            }
            while let Poll::Ready(event) = self.visitor.poll_event(cx) {
                match event {
                    PeerEvent::LaneOpen(lane) => {
                        assert!(self.visitor.try_send(lane, first).unwrap());
                    }
                    PeerEvent::Message(LaneId::ZERO, message) => {
                        assert_eq!(message, first);
                        return Poll::Ready(());
                    }
                    PeerEvent::Closed(reason) => panic!("{reason}"),
                    _ => {}
                }
            }
            Poll::Pending
        })
        .await;
        assert!(agent.contains(&LaneId::ZERO));
    }
}

/// RTC-005: an empty message looks like one, so that the session can refuse it.
pub(crate) async fn an_empty_message_arrives_as_one(agent: Stack) {
    // str0m's own never leaves.
    let mut ends = Ends::open(Stack::Webrtc, agent).await;
    ends.say(End::Visitor, b"").await;
    ends.talk().await;
}

/// RTC-014: what the stack holds cannot be put in another order any more, so it holds little.
pub(crate) async fn the_stack_takes_256_kib_and_no_more(stack: Stack) {
    let mut ends = Ends::open(stack, Stack::Str0m).await;
    // Not polled meanwhile, so nothing of it leaves.
    let taken = fill(&mut ends, End::Visitor);
    assert!(taken <= 256 * 1024, "{taken} bytes");
    assert!(taken >= 128 * 1024, "{taken} bytes");
}

/// Sends until the stack refuses; returns how many bytes it took.
fn fill(ends: &mut Ends, end: End) -> usize {
    let message = Bytes::from(vec![7; 16_384]);
    let mut taken = 0;
    while ends.peer(end).try_send(LaneId::ZERO, &message).unwrap() {
        taken += message.len();
        assert!(taken <= 1 << 20, "it takes everything");
    }
    taken
}

/// A refusal is followed by `Writable`, and nothing of what was taken is lost.
pub(crate) async fn a_full_stack_takes_more_once_it_has_room(visitor: Stack, agent: Stack) {
    let mut ends = Ends::open(visitor, agent).await;
    for end in [End::Visitor, End::Agent] {
        let (mut sent, mut received) = (fill(&mut ends, end), 0);
        for _ in 0..4 {
            ends.until("room", |at, event| {
                if let PeerEvent::Message(_, data) = event {
                    received += data.len();
                }
                (at, event) == (end, &PeerEvent::Writable)
            })
            .await;
            let more = fill(&mut ends, end);
            assert!(more > 0, "told of room that is not there");
            sent += more;
        }
        while received < sent {
            ends.until("the rest", |_, event| {
                if let PeerEvent::Message(_, data) = event {
                    received += data.len();
                }
                true
            })
            .await;
        }
        assert_eq!(received, sent);
    }
}
