//! How a connection ends.

use std::future::poll_fn;

use bytes::Bytes;
use p2claw_agent::transport::{LINGER, PathState, PeerEvent};
use p2claw_session::LaneId;
use tokio::time::timeout;

use crate::{
    PATIENCE, Stack,
    ends::{End, Ends},
};

/// Everything that happens until both ends are closed.
async fn last_events(ends: &mut Ends) -> Vec<(End, PeerEvent)> {
    let mut events = Vec::new();
    let over = async {
        let mut open = 2;
        while open > 0 {
            let (end, event) = ends.next().await;
            if matches!(event, PeerEvent::Closed(_)) {
                open -= 1;
            }
            events.push((end, event));
        }
    };
    timeout(PATIENCE, over).await.unwrap();
    events
}

fn reason(events: &[(End, PeerEvent)], of: End) -> &str {
    let mut closed = events.iter().filter_map(|(end, event)| match event {
        PeerEvent::Closed(reason) if *end == of => Some(reason),
        _ => None,
    });
    closed.next().unwrap()
}

/// RTC-025: what was handed over before the close arrives before the close.
pub(crate) async fn closing_waits_for_the_last_message(visitor: Stack, agent: Stack) {
    let mut ends = Ends::open(visitor, agent).await;
    let message = Bytes::from(vec![7; 16_000]);
    for _ in 0..8 {
        assert!(ends.agent.try_send(LaneId::ZERO, &message).unwrap());
    }
    ends.agent.close();
    let events = last_events(&mut ends).await;
    let received = events
        .iter()
        .filter(|(end, event)| {
            *end == End::Visitor && *event == PeerEvent::Message(LaneId::ZERO, message.clone())
        })
        .count();
    assert_eq!(received, 8);
    assert_eq!(reason(&events, End::Agent), "closed");
}

/// RTC-025: an end that is closed twice is gone at once, and does not wait for a word of the other
/// end's.
pub(crate) async fn closing_twice_waits_for_nobody(visitor: Stack, agent: Stack) {
    let mut ends = Ends::open(visitor, agent).await;
    ends.talk().await;
    let last = Bytes::from_static(b"last");
    assert!(ends.visitor.try_send(LaneId::ZERO, &last).unwrap());
    ends.visitor.close();
    ends.visitor.close();
    // The agent is not asked meanwhile, and so acknowledges nothing.
    let closed = timeout(LINGER / 2, async {
        while !matches!(
            poll_fn(|cx| ends.visitor.poll_event(cx)).await,
            PeerEvent::Closed(_)
        ) {}
    });
    assert!(closed.await.is_ok(), "it waits for an acknowledgement");
    ends.forget(End::Visitor);
    let mut heard = Vec::new();
    while !matches!(heard.last(), Some(PeerEvent::Closed(_))) {
        heard.push(timeout(PATIENCE, ends.next()).await.unwrap().1);
    }
    assert!(heard.contains(&PeerEvent::Message(LaneId::ZERO, last)));
}

/// SES-064: the other end is told, and need not find out from silence.
pub(crate) async fn a_peer_that_goes_says_so(visitor: Stack, agent: Stack) {
    let mut ends = Ends::open(visitor, agent).await;
    ends.talk().await;
    ends.visitor.close();
    let events = last_events(&mut ends).await;
    assert_eq!(reason(&events, End::Visitor), "closed");
    assert_eq!(
        reason(&events, End::Agent),
        "the other end closed the connection"
    );
    let lost = PeerEvent::Path(PathState::Disconnected);
    assert!(events.iter().all(|(_, event)| *event != lost));
    // From then on there is nothing to be had of it.
    let late = Bytes::from_static(b"late");
    assert!(ends.agent.try_send(LaneId::ZERO, &late).is_err());
    assert!(ends.agent.accept_restart("").is_err());
    assert!(ends.visitor.restart().is_err());
}
