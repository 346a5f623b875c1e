//! ICE restarts (RFC 8445 section 9), and paths that break.

use std::sync::Arc;

use bytes::Bytes;
use p2claw_agent::transport::{PathState, PeerEvent};
use p2claw_session::LaneId;

use crate::{
    Stack,
    ends::{End, Ends},
    moving::{HOME, Moving, ROAD},
};

/// Messages of a download.
const MESSAGES: usize = 600;
const LENGTH: usize = 16_000;

/// A download from the agent, and what is done in its middle.
async fn download(ends: &mut Ends, halfway: impl FnOnce(&mut Ends)) {
    let mut halfway = Some(halfway);
    let (mut sent, mut received) = (0_usize, 0_usize);
    while received < MESSAGES {
        while sent < MESSAGES {
            let byte = u8::try_from(sent % 251).unwrap();
            let message = Bytes::from(vec![byte; LENGTH]);
            if !ends.agent.try_send(LaneId::ZERO, &message).unwrap() {
                break;
            }
            sent += 1;
        }
        if received >= MESSAGES / 2
            && let Some(halfway) = halfway.take()
        {
            halfway(ends);
        }
        ends.until("the download", |end, event| match (end, event) {
            (End::Visitor, PeerEvent::Message(_, data)) => {
                let byte = u8::try_from(received % 251).unwrap();
                assert!(data.len() == LENGTH && data.iter().all(|one| *one == byte));
                received += 1;
                true
            }
            (_, event) => *event == PeerEvent::Writable,
        })
        .await;
    }
}

/// SES-063: streams survive a restart, whichever end sends meanwhile.
pub(crate) async fn a_restart_loses_nothing(visitor: Stack, agent: Stack) {
    let mut ends = Ends::open(visitor, agent).await;
    download(&mut ends, Ends::restart).await;
    ends.talk().await;
    // Again, and with nothing under way.
    ends.restart();
    ends.talk().await;
    let path = ends.visitor.path().unwrap();
    assert!(!path.is_relayed());
}

/// An offer that nobody answers leaves the present path as it is, and the next one works.
pub(crate) async fn a_restart_that_is_never_answered_is_forgotten(visitor: Stack, agent: Stack) {
    let mut ends = Ends::open(visitor, agent).await;
    let lost = ends.visitor.restart().unwrap();
    ends.talk().await;
    let offer = ends.visitor.restart().unwrap();
    assert_ne!(offer, lost);
    ends.talk().await;
    let answer = ends.agent.accept_restart(&offer).unwrap();
    ends.visitor.accept_answer(&answer).unwrap();
    ends.talk().await;
    assert!(
        ends.visitor.accept_answer(&answer).is_err(),
        "an answer counts once"
    );
}

/// IDN-021: whoever holds the signaling cannot have a restart lead to somebody else.
pub(crate) async fn another_certificate_never_takes_over(visitor: Stack, agent: Stack) {
    let mut ends = Ends::open(visitor, agent).await;
    let mut others = Ends::open(visitor, agent).await;
    let foreign = others.visitor.restart().unwrap();
    let error = ends.agent.accept_restart(&foreign).unwrap_err();
    assert!(error.to_string().contains("another certificate"), "{error}");
    ends.talk().await;
    ends.visitor.restart().unwrap();
    let foreign = others.agent.accept_restart(&foreign).unwrap();
    let error = ends.visitor.accept_answer(&foreign).unwrap_err();
    assert!(error.to_string().contains("another certificate"), "{error}");
    ends.talk().await;
    // Nothing of it is left.
    ends.restart();
    ends.talk().await;
}

/// SES-063: the visitor's address changes in the middle of a download, which goes on from another
/// one once the visitor has restarted.
pub(crate) async fn a_move_to_another_address_is_survived(visitor: Stack, agent: Stack) {
    let network = Arc::new(Moving::default());
    let mut ends = Ends::call_from(network.clone(), visitor, agent).await;
    ends.opened().await;
    ends.talk().await;
    assert_eq!(ends.visitor.path().unwrap().local.ip(), HOME);
    download(&mut ends, |ends| {
        network.go(ROAD);
        ends.restart();
    })
    .await;
    ends.talk().await;
    assert_eq!(ends.visitor.path().unwrap().local.ip(), ROAD);
    assert_eq!(ends.agent.path().unwrap().remote.ip(), ROAD);
}

/// RTC-015: a path that is silent is told of and ends nothing; a restart finds one that works.
pub(crate) async fn a_lost_path_is_told_and_a_restart_brings_it_back(visitor: Stack, agent: Stack) {
    let network = Arc::new(Moving::default());
    let mut ends = Ends::call_from(network.clone(), visitor, agent).await;
    ends.opened().await;
    ends.talk().await;
    network.cut(true);
    both_are_told(&mut ends, PathState::Disconnected).await;
    network.cut(false);
    ends.restart();
    both_are_told(&mut ends, PathState::Connected).await;
    ends.talk().await;
}

async fn both_are_told(ends: &mut Ends, state: PathState) {
    let mut told = Vec::new();
    ends.until("both ends know", |end, event| {
        if *event == PeerEvent::Path(state) && !told.contains(&end) {
            told.push(end);
        }
        told.len() == 2
    })
    .await;
}

/// Packets that are lost, changed, cut short or come twice cost time, and nothing else.
pub(crate) async fn a_bad_path_costs_time_only(visitor: Stack, agent: Stack) {
    let network = Arc::new(Moving::default());
    let mut ends = Ends::call_from(network.clone(), visitor, agent).await;
    network.be_noisy();
    ends.opened().await;
    download(&mut ends, Ends::restart).await;
    ends.talk().await;
}
