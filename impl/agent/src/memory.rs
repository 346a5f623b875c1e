//! A transport within one process: for tests of everything above the seam.
//!
//! Lanes are bounded queues, so that back-pressure works as it does on a network. A "network"
//! shares its offers: an agent and a visitor on the same [`MemoryTransport`] find each other.
//! [`MemoryTransport::cut`] takes their paths away until they restart, and what is under way waits
//! meanwhile, as it does in SCTP. Each restart moves the visitor to another address.

use std::{
    collections::{HashMap, VecDeque},
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use p2claw_proto::v1::IceServer;
use p2claw_session::LaneId;
use p2claw_signaling::limits::MAX_CANDIDATES;
use tokio::sync::mpsc;
use tokio_util::sync::PollSender;

use crate::transport::{
    Accepted, CandidateKind, LANES, Offered, Path, PathState, Peer, PeerEvent, PeerTransport,
    TransportError,
};

/// Messages on their way, for each direction.
const QUEUE: usize = 16;

/// What either end gathers for each description: the address at which nobody listens, and the end.
const CANDIDATE: &str = "candidate:1 1 udp 2130706431 127.0.0.1 9 typ host";

/// Peers that find each other by their offers.
#[derive(Debug, Default, Clone)]
pub struct MemoryTransport(Arc<Mutex<Network>>);

#[derive(Debug, Default)]
struct Network {
    pairs: u64,
    offers: HashMap<u64, Ends>,
    wires: Vec<Weak<Mutex<Wire>>>,
    servers: Vec<IceServer>,
}

#[derive(Debug)]
struct Ends {
    send: mpsc::Sender<(LaneId, Bytes)>,
    receive: mpsc::Receiver<(LaneId, Bytes)>,
    wire: Arc<Mutex<Wire>>,
}

/// What two peers have in common besides their lanes.
#[derive(Debug, Default)]
struct Wire {
    /// Restarts that took.
    restarts: u8,
    /// Nothing gets through until the next.
    cut: bool,
    /// The path leads through a relay until the next.
    relayed: bool,
    /// Candidates that either end was told of; the first ones.
    heard: Vec<String>,
    wakers: [Option<Waker>; 2],
}

impl Wire {
    fn wake(&mut self) {
        for waker in self.wakers.iter_mut().filter_map(Option::take) {
            waker.wake();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryTransport {
    /// A network of its own.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the paths of all its peers away, until each pair restarts.
    pub fn cut(&self) {
        self.each_wire(|wire| wire.cut = true);
    }

    /// Leads the paths of all its peers through a relay, until each pair restarts.
    pub fn detour(&self) {
        self.each_wire(|wire| wire.relayed = true);
    }

    fn each_wire(&self, change: impl Fn(&mut Wire)) {
        let mut network = lock(&self.0);
        network.wires.retain(|wire| wire.strong_count() > 0);
        for wire in network.wires.iter().filter_map(Weak::upgrade) {
            let mut wire = lock(&wire);
            change(&mut wire);
            wire.wake();
        }
    }

    /// The candidates that its peers were told of, as many as a visit may have.
    #[must_use]
    pub fn candidates(&self) -> Vec<String> {
        let wires = lock(&self.0).wires.clone();
        let wires = wires.iter().filter_map(Weak::upgrade);
        wires.flat_map(|wire| lock(&wire).heard.clone()).collect()
    }

    /// The servers that it was told of last.
    #[must_use]
    pub fn servers(&self) -> Vec<IceServer> {
        lock(&self.0).servers.clone()
    }

    fn answer(&self, offer: &str) -> Result<Accepted, TransportError> {
        let unknown = || TransportError::BadDescription("no such offer".to_owned());
        let offer = Description::read(offer).ok_or_else(unknown)?;
        let ends = lock(&self.0)
            .offers
            .remove(&offer.pair)
            .ok_or_else(unknown)?;
        let answer = offer.answer();
        let mut peer = MemoryPeer::new(Side::Agent, offer.pair, ends);
        peer.opening = 0..LANES;
        peer.gather();
        Ok(Accepted {
            answer: answer.to_string(),
            peer: Box::new(peer),
        })
    }

    fn make_offer(&self) -> Offered {
        let (to_agent, from_visitor) = mpsc::channel(QUEUE);
        let (to_visitor, from_agent) = mpsc::channel(QUEUE);
        let wire = Arc::new(Mutex::new(Wire::default()));
        let mut network = lock(&self.0);
        network.pairs += 1;
        let pair = network.pairs;
        network.wires.push(Arc::downgrade(&wire));
        let agent = Ends {
            send: to_visitor,
            receive: from_visitor,
            wire: Arc::clone(&wire),
        };
        network.offers.insert(pair, agent);
        let visitor = Ends {
            send: to_agent,
            receive: from_agent,
            wire,
        };
        let mut peer = MemoryPeer::new(Side::Visitor, pair, visitor);
        peer.offered = Some(0);
        peer.gather();
        let offer = Description {
            side: Side::Visitor,
            pair,
            restarts: 0,
        };
        Offered {
            offer: offer.to_string(),
            peer: Box::new(peer),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Visitor,
    Agent,
}

/// As much SDP as signaling looks at, and what one of these peers has to know of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Description {
    side: Side,
    pair: u64,
    /// How many restarts there were before, and with this one.
    restarts: u8,
}

impl Description {
    fn read(sdp: &str) -> Option<Self> {
        let value = sdp
            .lines()
            .find_map(|line| line.strip_prefix("a=memory:"))?;
        let mut words = value.split(' ');
        let side = match words.next()? {
            "visitor" => Side::Visitor,
            "agent" => Side::Agent,
            _ => return None,
        };
        let pair = words.next()?.parse().ok()?;
        let restarts = words.next()?.parse().ok()?;
        Some(Self {
            side,
            pair,
            restarts,
        })
    }

    const fn answer(self) -> Self {
        Self {
            side: Side::Agent,
            ..self
        }
    }
}

impl std::fmt::Display for Description {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (name, byte) = match self.side {
            Side::Visitor => ("visitor", "01"),
            Side::Agent => ("agent", "02"),
        };
        // A certificate of its own for each end of each pair (RTC-009).
        let pair = self.pair.to_be_bytes().map(|byte| format!("{byte:02X}"));
        let fingerprint = [vec![byte.to_owned(); 24], pair.to_vec()]
            .concat()
            .join(":");
        let (pair, restarts) = (self.pair, self.restarts);
        write!(
            f,
            "v=0\r\na=mid:0\r\na=memory:{name} {pair} {restarts}\r\na=fingerprint:sha-256 {fingerprint}\r\n"
        )
    }
}

impl PeerTransport for MemoryTransport {
    fn accept<'a>(&'a self, offer: &'a str) -> BoxFuture<'a, Result<Accepted, TransportError>> {
        Box::pin(async move { self.answer(offer) })
    }

    fn offer(&self) -> BoxFuture<'_, Result<Offered, TransportError>> {
        Box::pin(async move { Ok(self.make_offer()) })
    }

    fn use_servers(&self, servers: &[IceServer]) {
        lock(&self.0).servers = servers.to_vec();
    }

    fn local_addresses(&self) -> Vec<SocketAddr> {
        Vec::new()
    }
}

/// A path, as its ends are told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Seen {
    /// The restart that made it.
    restarts: u8,
    cut: bool,
    relayed: bool,
}

struct MemoryPeer {
    side: Side,
    pair: u64,
    send: PollSender<(LaneId, Bytes)>,
    receive: mpsc::Receiver<(LaneId, Bytes)>,
    wire: Arc<Mutex<Wire>>,
    /// The restart that an answer is awaited for; 0 is the first description.
    offered: Option<u8>,
    /// Lanes whose opening was not told yet.
    opening: std::ops::Range<u8>,
    /// Candidates that were not told yet, and their end.
    gathered: VecDeque<Option<String>>,
    connected: bool,
    /// What was told of the path last.
    seen: Seen,
    refused: bool,
    closed: bool,
}

impl MemoryPeer {
    fn new(side: Side, pair: u64, ends: Ends) -> Self {
        Self {
            side,
            pair,
            send: PollSender::new(ends.send),
            receive: ends.receive,
            wire: ends.wire,
            offered: None,
            opening: 0..0,
            gathered: VecDeque::new(),
            connected: false,
            seen: Seen::default(),
            refused: false,
            closed: false,
        }
    }

    fn gather(&mut self) {
        self.gathered = [Some(CANDIDATE.to_owned()), None].into();
    }

    /// What there is to tell of the path, if it has changed.
    fn path_event(&mut self, cx: &mut Context<'_>) -> Option<PathState> {
        let mut wire = lock(&self.wire);
        let now = Seen {
            restarts: wire.restarts,
            cut: wire.cut,
            relayed: wire.relayed,
        };
        if self.seen != now {
            self.seen = now;
            return Some(if wire.cut {
                PathState::Disconnected
            } else {
                PathState::Connected
            });
        }
        wire.wakers[usize::from(self.side == Side::Agent)] = Some(cx.waker().clone());
        None
    }
}

impl Peer for MemoryPeer {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<PeerEvent> {
        if self.closed {
            return Poll::Ready(PeerEvent::Closed("closed".to_owned()));
        }
        if let Some(candidate) = self.gathered.pop_front() {
            return Poll::Ready(PeerEvent::Candidate(candidate));
        }
        if let Some(lane) = self.opening.next().and_then(LaneId::new) {
            if !self.connected {
                self.connected = true;
                self.opening.start = 0;
                return Poll::Ready(PeerEvent::Path(PathState::Connected));
            }
            return Poll::Ready(PeerEvent::LaneOpen(lane));
        }
        if let Some(state) = self.path_event(cx) {
            return Poll::Ready(PeerEvent::Path(state));
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
        // Whether this end is closed by the other one is not to be seen without a path either.
        if self.seen.cut {
            return Poll::Pending;
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
        let mut cx = Context::from_waker(Waker::noop());
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
        if self.closed {
            return Err(TransportError::Closed);
        }
        if self.offered == Some(0) {
            let reason = "the first answer has not come yet";
            return Err(TransportError::BadDescription(reason.to_owned()));
        }
        let before = self.offered.unwrap_or(lock(&self.wire).restarts);
        let offer = Description {
            side: Side::Visitor,
            pair: self.pair,
            restarts: before.saturating_add(1),
        };
        self.offered = Some(offer.restarts);
        self.gather();
        Ok(offer.to_string())
    }

    fn accept_restart(&mut self, offer: &str) -> Result<String, TransportError> {
        if self.closed {
            return Err(TransportError::Closed);
        }
        let offer = Description::read(offer)
            .filter(|offer| offer.side == Side::Visitor && offer.pair == self.pair)
            .ok_or_else(|| TransportError::BadDescription("it is another peer's".to_owned()))?;
        self.gather();
        Ok(offer.answer().to_string())
    }

    fn accept_answer(&mut self, answer: &str) -> Result<(), TransportError> {
        let bad = |reason: &str| TransportError::BadDescription(reason.to_owned());
        let answer = Description::read(answer)
            .filter(|answer| answer.side == Side::Agent && answer.pair == self.pair)
            .ok_or_else(|| bad("no answer of this transport"))?;
        if self.offered != Some(answer.restarts) {
            return Err(bad("it answers another offer"));
        }
        self.offered = None;
        if answer.restarts == 0 {
            self.opening = 0..LANES;
        } else {
            let mut wire = lock(&self.wire);
            wire.restarts = answer.restarts;
            (wire.cut, wire.relayed) = (false, false);
            wire.wake();
        }
        Ok(())
    }

    fn add_candidate(&mut self, candidate: &str) {
        let heard = &mut lock(&self.wire).heard;
        if heard.len() < MAX_CANDIDATES {
            heard.push(candidate.to_owned());
        }
    }

    fn path(&self) -> Option<Path> {
        let agent = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let host = self.seen.restarts.saturating_add(1);
        let visitor = SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), 0));
        let (local, remote) = match self.side {
            Side::Visitor => (visitor, agent),
            Side::Agent => (agent, visitor),
        };
        let kind = if self.seen.relayed {
            CandidateKind::Relayed
        } else {
            CandidateKind::Host
        };
        self.connected.then_some(Path {
            local,
            remote,
            local_kind: kind,
            remote_kind: kind,
        })
    }

    fn close(&mut self) {
        self.closed = true;
        self.send.close();
        self.receive.close();
    }
}
