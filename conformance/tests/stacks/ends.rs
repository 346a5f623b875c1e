//! Two peers without a session, driven by one task.

use std::{future::poll_fn, sync::Arc, task::Poll};

use bytes::Bytes;
use p2claw_agent::transport::{Peer, PeerEvent, PeerTransport};
use p2claw_network::{HubConfig, Machine, Network};
use p2claw_session::LaneId;
use tokio::time::timeout;

use crate::{PATIENCE, Stack};

/// One of two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Visitor,
    Agent,
}

pub(crate) struct Ends {
    pub(crate) visitor: Box<dyn Peer>,
    pub(crate) agent: Box<dyn Peer>,
    closed: Vec<End>,
    /// An end whose candidates are told later, and those that wait.
    held_back: Option<(End, Vec<String>)>,
    /// The visitor's, and the agent's.
    pub(crate) endpoints: (Box<dyn PeerTransport>, Box<dyn PeerTransport>),
}

impl End {
    fn other(self) -> Self {
        match self {
            Self::Visitor => Self::Agent,
            Self::Agent => Self::Visitor,
        }
    }
}

impl Ends {
    /// Two peers whose descriptions are exchanged.
    pub(crate) fn new(
        visitor: Box<dyn Peer>,
        agent: Box<dyn Peer>,
        endpoints: (Box<dyn PeerTransport>, Box<dyn PeerTransport>),
    ) -> Self {
        Self {
            visitor,
            agent,
            closed: Vec::new(),
            held_back: None,
            endpoints,
        }
    }

    /// A visit on this machine, as far as the answer.
    pub(crate) async fn call(visitor: Stack, agent: Stack) -> Self {
        Self::call_from(Arc::new(Machine), visitor, agent).await
    }

    /// A visit from another network.
    pub(crate) async fn call_from(network: Arc<dyn Network>, visitor: Stack, agent: Stack) -> Self {
        let near = visitor.on(network, HubConfig::default());
        Self::between(near, agent.endpoint()).await
    }

    /// A visit between two endpoints.
    pub(crate) async fn between(near: Box<dyn PeerTransport>, far: Box<dyn PeerTransport>) -> Self {
        let mut offered = near.offer().await.unwrap();
        let accepted = far.accept(&offered.offer).await.unwrap();
        offered.peer.accept_answer(&accepted.answer).unwrap();
        Self::new(offered.peer, accepted.peer, (near, far))
    }

    /// The same, with lane 0 open at both ends.
    pub(crate) async fn open(visitor: Stack, agent: Stack) -> Self {
        let mut ends = Self::call(visitor, agent).await;
        ends.opened().await;
        ends
    }

    /// Until lane 0 is open at both ends.
    pub(crate) async fn opened(&mut self) {
        let mut open = Vec::new();
        self.until("both ends open", |end, event| {
            if *event == PeerEvent::LaneOpen(LaneId::ZERO) {
                open.push(end);
            }
            open.len() == 2
        })
        .await;
    }

    pub(crate) fn peer(&mut self, end: End) -> &mut dyn Peer {
        match end {
            End::Visitor => &mut *self.visitor,
            End::Agent => &mut *self.agent,
        }
    }

    /// What happens next, at an end that is not closed. Candidates are passed on.
    pub(crate) async fn next(&mut self) -> (End, PeerEvent) {
        let (end, event) = poll_fn(|cx| {
            for end in [End::Visitor, End::Agent] {
                if !self.closed.contains(&end)
                    && let Poll::Ready(event) = self.peer(end).poll_event(cx)
                {
                    return Poll::Ready((end, event));
                }
            }
            Poll::Pending
        })
        .await;
        match &event {
            PeerEvent::Candidate(Some(candidate)) => match &mut self.held_back {
                Some((of, candidates)) if *of == end => candidates.push(candidate.clone()),
                _ => self.peer(end.other()).add_candidate(candidate),
            },
            PeerEvent::Closed(_) => self.closed.push(end),
            _ => {}
        }
        (end, event)
    }

    /// This end is over, and is not asked any more.
    pub(crate) fn forget(&mut self, end: End) {
        self.closed.push(end);
    }

    /// The other end does not hear of this end's candidates before [`Self::name_candidates`].
    pub(crate) fn hold_back(&mut self, end: End) {
        self.held_back = Some((end, Vec::new()));
    }

    pub(crate) fn name_candidates(&mut self) {
        let (end, candidates) = self.held_back.take().unwrap();
        for candidate in candidates {
            self.peer(end.other()).add_candidate(&candidate);
        }
    }

    /// Goes on until `wanted` has seen what it waits for.
    pub(crate) async fn until(
        &mut self,
        what: &str,
        mut wanted: impl FnMut(End, &PeerEvent) -> bool,
    ) {
        let waiting = async {
            loop {
                let (end, event) = self.next().await;
                if wanted(end, &event) {
                    return;
                }
                if let PeerEvent::Closed(reason) = event {
                    panic!("{end:?} was closed before {what}: {reason}");
                }
            }
        };
        timeout(PATIENCE, waiting)
            .await
            .unwrap_or_else(|_| panic!("waited for: {what}"));
    }

    /// A message from `end` arrives at the other one.
    pub(crate) async fn say(&mut self, end: End, message: &'static [u8]) {
        let sent = Bytes::from_static(message);
        assert!(self.peer(end).try_send(LaneId::ZERO, &sent).unwrap());
        self.until("a message", |heard, event| {
            heard != end && *event == PeerEvent::Message(LaneId::ZERO, sent.clone())
        })
        .await;
    }

    /// Messages pass both ways.
    pub(crate) async fn talk(&mut self) {
        self.say(End::Visitor, b"here").await;
        self.say(End::Agent, b"there").await;
    }

    /// The restart as signaling would carry it.
    pub(crate) fn restart(&mut self) {
        let offer = self.visitor.restart().unwrap();
        let answer = self.agent.accept_restart(&offer).unwrap();
        self.visitor.accept_answer(&answer).unwrap();
    }
}
