//! A transport within one process: for tests of everything above the seam.
//!
//! Lanes are bounded queues, so that back-pressure works as it does on a network. A "network"
//! shares its offers: an agent and a visitor on the same [`MemoryTransport`] find each other.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use p2claw_proto::v1::IceServer;
use p2claw_session::LaneId;
use tokio::sync::mpsc;
use tokio_util::sync::PollSender;

use crate::transport::{
    Accepted, CandidateKind, Offered, Path, PathState, Peer, PeerEvent, PeerTransport,
    TransportError,
};

/// Messages on their way, for each direction.
const QUEUE: usize = 16;

/// Lanes of every peer.
const LANES: u8 = 4;

/// Peers that find each other by their offers.
#[derive(Debug, Default, Clone)]
pub struct MemoryTransport(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    offers: HashMap<u64, Ends>,
}

#[derive(Debug)]
struct Ends {
    send: mpsc::Sender<(LaneId, Bytes)>,
    receive: mpsc::Receiver<(LaneId, Bytes)>,
}

impl MemoryTransport {
    /// A network of its own.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn answer(&self, offer: &str) -> Result<Accepted, TransportError> {
        let unknown = || TransportError::BadDescription("no such offer".to_owned());
        let number = offer
            .lines()
            .find_map(|line| line.strip_prefix("a=memory:"))
            .and_then(|number| number.parse().ok())
            .ok_or_else(unknown)?;
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ends = waiting.offers.remove(&number).ok_or_else(unknown)?;
        let peer = MemoryPeer::new(ends.send, ends.receive, true);
        Ok(Accepted {
            answer: description(number, 2),
            peer: Box::new(peer),
        })
    }

    fn make_offer(&self) -> Offered {
        let (to_agent, from_visitor) = mpsc::channel(QUEUE);
        let (to_visitor, from_agent) = mpsc::channel(QUEUE);
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.next += 1;
        let number = waiting.next;
        waiting.offers.insert(
            number,
            Ends {
                send: to_visitor,
                receive: from_visitor,
            },
        );
        let peer = MemoryPeer::new(to_agent, from_agent, false);
        Offered {
            offer: description(number, 1),
            peer: Box::new(peer),
        }
    }
}

/// As much SDP as signaling looks at.
fn description(number: u64, side: u8) -> String {
    let fingerprint = vec![format!("{side:02X}"); 32].join(":");
    format!("v=0\r\na=memory:{number}\r\na=fingerprint:sha-256 {fingerprint}\r\n")
}

impl PeerTransport for MemoryTransport {
    fn accept<'a>(&'a self, offer: &'a str) -> BoxFuture<'a, Result<Accepted, TransportError>> {
        Box::pin(async move { self.answer(offer) })
    }

    fn offer(&self) -> BoxFuture<'_, Result<Offered, TransportError>> {
        Box::pin(async move { Ok(self.make_offer()) })
    }

    fn use_servers(&self, _: &[IceServer]) {}

    fn local_addresses(&self) -> Vec<SocketAddr> {
        Vec::new()
    }
}

struct MemoryPeer {
    send: PollSender<(LaneId, Bytes)>,
    receive: mpsc::Receiver<(LaneId, Bytes)>,
    /// Lanes whose opening was not told yet.
    opening: std::ops::Range<u8>,
    connected: bool,
    refused: bool,
    closed: bool,
}

impl MemoryPeer {
    fn new(
        send: mpsc::Sender<(LaneId, Bytes)>,
        receive: mpsc::Receiver<(LaneId, Bytes)>,
        answered: bool,
    ) -> Self {
        Self {
            send: PollSender::new(send),
            receive,
            opening: if answered { 0..LANES } else { 0..0 },
            connected: false,
            refused: false,
            closed: false,
        }
    }
}

impl Peer for MemoryPeer {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<PeerEvent> {
        if self.closed {
            return Poll::Ready(PeerEvent::Closed("closed".to_owned()));
        }
        if let Some(lane) = self.opening.next().and_then(LaneId::new) {
            if !self.connected {
                self.connected = true;
                self.opening.start = 0;
                return Poll::Ready(PeerEvent::Path(PathState::Connected));
            }
            return Poll::Ready(PeerEvent::LaneOpen(lane));
        }
        if self.refused {
            match self.send.poll_reserve(cx) {
                Poll::Ready(Ok(())) => {
                    self.refused = false;
                    return Poll::Ready(PeerEvent::Writable);
                }
                Poll::Ready(Err(_)) => self.closed = true,
                Poll::Pending => {}
            }
        }
        match self.receive.poll_recv(cx) {
            Poll::Ready(Some((lane, message))) => Poll::Ready(PeerEvent::Message(lane, message)),
            Poll::Ready(None) => {
                self.closed = true;
                Poll::Ready(PeerEvent::Closed(
                    "the other end closed the connection".to_owned(),
                ))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn try_send(&mut self, lane: LaneId, message: &Bytes) -> Result<bool, TransportError> {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        match self.send.poll_reserve(&mut cx) {
            Poll::Ready(Ok(())) => self
                .send
                .send_item((lane, message.clone()))
                .map(|()| true)
                .map_err(|_| TransportError::Closed),
            Poll::Ready(Err(_)) => Err(TransportError::Closed),
            Poll::Pending => {
                self.refused = true;
                Ok(false)
            }
        }
    }

    fn restart(&mut self) -> Result<String, TransportError> {
        Err(TransportError::Closed)
    }

    fn accept_restart(&mut self, _: &str) -> Result<String, TransportError> {
        Err(TransportError::Closed)
    }

    fn accept_answer(&mut self, answer: &str) -> Result<(), TransportError> {
        if !answer.contains("a=memory:") {
            return Err(TransportError::BadDescription(
                "no answer of this transport".to_owned(),
            ));
        }
        self.opening = 0..LANES;
        Ok(())
    }

    fn add_candidate(&mut self, _: &str) {}

    fn path(&self) -> Option<Path> {
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        self.connected.then_some(Path {
            local: here,
            remote: here,
            local_kind: CandidateKind::Host,
            remote_kind: CandidateKind::Host,
        })
    }

    fn close(&mut self) {
        self.closed = true;
        self.send.close();
        self.receive.close();
    }
}
