//! Paths through a relay of the field.

use std::{sync::Arc, time::Duration};

use p2claw_agent::transport::{CandidateKind, PeerEvent};
use p2claw_conformance::coturn::Coturn;
use p2claw_network::{HubConfig, Machine};
use p2claw_session::LaneId;
use tokio::time::{sleep, timeout};

use crate::{
    PATIENCE, Stack,
    ends::{End, Ends},
    moving::Moving,
};

fn relay_only(stack: Stack) -> Box<dyn p2claw_agent::transport::PeerTransport> {
    let config = HubConfig {
        relay_only: true,
        ..HubConfig::default()
    };
    stack.on(Arc::new(Machine), config)
}

/// RTC-016: the session is the same through a relay; both ends know that it is one.
pub(crate) async fn a_relayed_path_is_known_as_one(visitor: Stack, agent: Stack) {
    let coturn = Coturn::start().await;
    let near = relay_only(visitor);
    near.use_servers(&[coturn.server("udp")]);
    let mut ends = Ends::between(near, agent.endpoint()).await;
    ends.opened().await;
    ends.talk().await;
    let path = ends.visitor.path().unwrap();
    assert_eq!(path.local_kind, CandidateKind::Relayed, "{path:?}");
    let path = ends.agent.path().unwrap();
    assert_eq!(path.remote_kind, CandidateKind::Relayed, "{path:?}");
    // A new allocation, and through it on.
    ends.restart();
    ends.talk().await;
    assert!(ends.visitor.path().unwrap().is_relayed());
}

/// RTC-016: checks may come over a relay before the word that it is one.
pub(crate) async fn a_relay_that_is_named_late_is_known_as_one(visitor: Stack, agent: Stack) {
    let coturn = Coturn::start().await;
    let far = relay_only(agent);
    far.use_servers(&[coturn.server("udp")]);
    let mut ends = Ends::between(visitor.endpoint(), far).await;
    ends.hold_back(End::Agent);
    ends.opened().await;
    let path = ends.visitor.path().unwrap();
    assert_eq!(path.remote_kind, CandidateKind::PeerReflexive, "{path:?}");
    ends.name_candidates();
    let path = ends.visitor.path().unwrap();
    assert_eq!(path.remote_kind, CandidateKind::Relayed, "{path:?}");
    ends.talk().await;
}

/// RTC-011: an offer leaves without what has to be asked for first; that follows, and so does the
/// word that there is no more.
pub(crate) async fn candidates_are_told_as_they_come(visitor: Stack, agent: Stack) {
    let coturn = Coturn::start().await;
    let (near, far) = (relay_only(visitor), relay_only(agent));
    near.use_servers(&[coturn.server("udp")]);
    far.use_servers(&[coturn.server("tcp")]);
    let mut offered = near.offer().await.unwrap();
    assert!(!offered.offer.contains("a=candidate:"), "{}", offered.offer);
    let accepted = far.accept(&offered.offer).await.unwrap();
    assert!(!accepted.answer.contains("a=candidate:"));
    offered.peer.accept_answer(&accepted.answer).unwrap();
    let mut ends = Ends::new(offered.peer, accepted.peer, (near, far));
    let (mut told, mut complete, mut open) = (Vec::new(), Vec::new(), Vec::new());
    ends.until(
        "both ends open, and have no more candidates",
        |end, event| {
            match event {
                PeerEvent::Candidate(Some(candidate)) => {
                    assert!(candidate.starts_with("candidate:"), "{candidate}");
                    assert!(candidate.contains(" typ relay"), "{candidate}");
                    told.push(end);
                }
                PeerEvent::Candidate(None) => complete.push(end),
                PeerEvent::LaneOpen(LaneId::ZERO) => open.push(end),
                _ => {}
            }
            complete.len() == 2 && open.len() == 2
        },
    )
    .await;
    for end in [End::Visitor, End::Agent] {
        assert!(told.contains(&end), "{told:?}");
    }
    ends.talk().await;
}

/// RTC-011, RTC-020: what a restart finds before its answer is there belongs to its offer, not to the
/// description before it. The agent would not take it.
pub(crate) async fn candidates_of_a_restart_are_its_own(visitor: Stack, agent: Stack) {
    let coturn = Coturn::start().await;
    let mut ends = Ends::open(visitor, agent).await;
    let offer = ends.visitor.restart().unwrap();
    let fragment = offer
        .lines()
        .find_map(|line| line.strip_prefix("a=ice-ufrag:"));
    let fragment = fragment.unwrap();
    ends.endpoints.0.use_servers(&[coturn.server("udp")]);
    ends.hold_back(End::Visitor);
    let mut told = String::new();
    ends.until("a relay", |end, event| match (end, event) {
        (End::Visitor, PeerEvent::Candidate(Some(candidate))) => {
            told.clone_from(candidate);
            candidate.contains(" typ relay")
        }
        _ => false,
    })
    .await;
    let named = told
        .split_once(" ufrag ")
        .map(|(_, rest)| rest.split(' ').next());
    assert!(
        named.is_none_or(|named| named == Some(fragment)),
        "{told}, not {fragment}"
    );
    // webrtc-rs writes none.
    assert_eq!(named.is_some(), visitor == Stack::Str0m, "{told}");
    let answer = ends.agent.accept_restart(&offer).unwrap();
    ends.name_candidates();
    ends.visitor.accept_answer(&answer).unwrap();
    ends.talk().await;
}

/// RTC-022, RTC-023: a visit that had to begin on a relay goes on without it once UDP gets through.
pub(crate) async fn a_direct_path_takes_over_from_a_relay(visitor: Stack, agent: Stack) {
    let (mut ends, network, _coturn) = cut_off(visitor, agent).await;
    network.cut(false);
    becomes_direct(&mut ends).await;
}

/// RTC-022: a restart that finds nothing but the same relay is no reason to stay there.
pub(crate) async fn a_direct_path_takes_over_behind_a_restart(visitor: Stack, agent: Stack) {
    let (mut ends, network, _coturn) = cut_off(visitor, agent).await;
    ends.restart();
    for _ in 0..3 {
        ends.talk().await;
    }
    assert!(ends.visitor.path().unwrap().is_relayed());
    network.cut(false);
    becomes_direct(&mut ends).await;
}

/// A visit without UDP but that of its relay, which is reached by TCP.
async fn cut_off(visitor: Stack, agent: Stack) -> (Ends, Arc<Moving>, Coturn) {
    let coturn = Coturn::start().await;
    let network = Arc::new(Moving::default());
    network.cut(true);
    let near = visitor.on(network.clone(), HubConfig::default());
    near.use_servers(&[coturn.server("tcp")]);
    let mut ends = Ends::between(near, agent.endpoint()).await;
    ends.opened().await;
    ends.talk().await;
    assert!(ends.visitor.path().unwrap().is_relayed());
    (ends, network, coturn)
}

async fn becomes_direct(ends: &mut Ends) {
    let direct = async {
        loop {
            ends.talk().await;
            let paths = [ends.visitor.path(), ends.agent.path()];
            if paths.iter().all(|path| !path.unwrap().is_relayed()) {
                break;
            }
            // The checks go at a pace of their own.
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, direct).await.unwrap();
}
