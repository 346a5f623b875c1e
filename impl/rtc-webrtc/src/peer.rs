//! One peer connection: an rtc connection, its share of the sockets, and one timer.

mod negotiation;

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use p2claw_agent::transport::{
    CONSENT_ENDS, CandidateKind, Closing, Path, PathState, Peer, PeerEvent, TransportError,
};
use p2claw_network::{Datagram, LocalCandidate, Port, RemoteKinds};
use p2claw_session::{LaneId, limits::FRAME_DEFAULT, registry::limit};
use rtc::{
    data_channel::RTCDataChannelId,
    peer_connection::{
        RTCPeerConnection,
        event::{RTCDataChannelEvent, RTCPeerConnectionEvent},
        message::RTCMessage,
        state::RTCIceConnectionState,
    },
    sansio::Protocol as _,
    shared::{TaggedBytesMut, TransportContext, TransportProtocol},
};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::{
    checks::{self, Arrival, Checks, Pair, SILENCE},
    description::{Credentials, RemoteCandidate},
    endpoint::of_stack,
    opening::Opening,
    peer::negotiation::Pending,
    renomination,
};

/// Bytes that are handed over and not yet acknowledged, over all lanes (`RTC-014`). Caps one
/// visitor at this much a round trip; above it only queueing grows.
const SEND_BUFFER_BYTES: usize = limit::TRANSPORT_QUEUE;

/// Datagrams handled before the caller gets its turn, so that one busy visitor cannot keep a
/// task from its other work.
const DATAGRAMS_PER_TURN: usize = 32;

/// Datagrams that may come before this end has a pair: a first flight of DTLS, or what the other
/// end has under way on the old path while this one restarts.
const EARLY_DATAGRAMS: usize = 256;

/// Datagrams of data that one SACK answers at most (RFC 9260 section 6.2). With more the sender
/// learns too late of one that is lost, and waits for its timer: seconds, not a round trip.
const DATA_PER_SACK: usize = 2;

/// A datagram of more bytes than this may well be bulk data; SACKs are shorter.
const SHORT: usize = 300;

/// Datagrams that are taken at once.
const DATAGRAMS_AT_ONCE: usize = 16;

/// Timers of a peer that has none.
const IDLE: Duration = Duration::from_secs(60);

pub(crate) struct WebrtcPeer {
    rtc: RTCPeerConnection,
    port: Port,
    checks: Checks,
    /// What the other end is told of this one.
    offered: Vec<LocalCandidate>,
    remote_kinds: RemoteKinds,
    /// The other end's certificate, once its description is here.
    remote_fingerprint: Option<String>,
    /// This end's user fragment, the one of an offered restart included.
    ufrag: String,
    /// The other end's present user fragment and password.
    remote_credentials: Option<Credentials>,
    lanes: Vec<RTCDataChannelId>,
    pending: Pending,
    opening: Opening,
    timer: Pin<Box<Sleep>>,
    /// Bounded: filled from one input, emptied before the next is read.
    events: VecDeque<PeerEvent>,
    /// What the other end sent before there was a pair, whose checks were done sooner. rtc would
    /// drop it, and the other end say it again only after a second.
    early: VecDeque<Datagram>,
    path: Option<Path>,
    /// What the owner was told of the path.
    works: Option<bool>,
    /// When it was told that the path is lost, if it still is.
    lost: Option<Instant>,
    /// The SCTP handshake is through.
    associated: bool,
    /// The other end was told that there are no more candidates.
    gathered: bool,
    /// A send was refused since the last `Writable`.
    refused: bool,
    /// Something was written or read since the last drain.
    dirty: bool,
    closing: Closing,
    closed: Option<String>,
}

/// What a peer begins with.
pub(crate) struct Parts<'a> {
    pub(crate) rtc: RTCPeerConnection,
    pub(crate) port: Port,
    pub(crate) lanes: Vec<RTCDataChannelId>,
    /// This end's description.
    pub(crate) local: &'a str,
    /// The offer that it answers; without one it is the offer.
    pub(crate) remote: Option<&'a str>,
}

impl WebrtcPeer {
    pub(crate) fn new(parts: Parts<'_>) -> Self {
        let known = parts.port.candidates().to_vec();
        let mut peer = Self {
            rtc: parts.rtc,
            port: parts.port,
            checks: Checks::new(parts.remote.is_none()),
            offered: Vec::new(),
            remote_kinds: RemoteKinds::default(),
            remote_fingerprint: None,
            ufrag: String::new(),
            remote_credentials: None,
            lanes: parts.lanes,
            pending: match parts.remote {
                Some(_) => Pending::Nothing,
                None => Pending::First,
            },
            opening: Opening::default(),
            timer: Box::pin(sleep_until(Instant::now())),
            events: VecDeque::new(),
            early: VecDeque::new(),
            path: None,
            works: None,
            lost: None,
            associated: false,
            gathered: false,
            refused: false,
            dirty: true,
            closing: Closing::No,
            closed: None,
        };
        peer.name(parts.local);
        peer.use_candidates(&known);
        if let Some(remote) = parts.remote {
            peer.learn(remote);
        }
        peer
    }

    /// Takes everything that rtc wants to send or say; what is to be sent may wait for more to go
    /// with it. `false`: the system takes no more now.
    fn drain(&mut self, cx: &mut Context<'_>) -> bool {
        if self.port.is_blocked() && self.port.poll_flush(cx).is_pending() {
            return false;
        }
        while self.dirty {
            self.poll_rtc();
            while let Some(transmit) = self.rtc.poll_write() {
                let pair = Pair {
                    local: transmit.transport.local_addr,
                    remote: transmit.transport.peer_addr,
                };
                let pair = self.checks.leaves(pair, &transmit.message);
                if !checks::is_stun(&transmit.message) {
                    if self.has_no_consent() {
                        continue;
                    }
                    let round_trip = self.checks.round_trip();
                    self.opening.sent(&transmit.message, round_trip);
                }
                if !self
                    .port
                    .send(pair.local, pair.remote, &transmit.message, cx)
                {
                    return false;
                }
            }
            self.dirty = false;
            self.look_at_pair();
            if !self.repeat(cx) || !self.look_for_direct(cx) {
                return false;
            }
            self.set_timer();
        }
        true
    }

    /// Sends again what the other end has not answered. `false`: the system takes no more now.
    fn repeat(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(path) = self.path else {
            return true;
        };
        for datagram in self.opening.repeat() {
            if !self.port.send(path.local, path.remote, &datagram, cx) {
                return false;
            }
        }
        true
    }

    /// Checks what rtc does not check. `false`: the system takes no more now.
    fn look_for_direct(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.checks.renomination.is_due() {
            return true;
        }
        let direct = self.direct_pairs();
        let checks = self.checks.renomination.checks(&direct);
        for (pair, check) in checks {
            if !self.port.send(pair.local, pair.remote, &check, cx) {
                return false;
            }
        }
        true
    }

    /// Those that lead through no relay, as far as this end knows.
    fn direct_pairs(&self) -> Vec<Pair> {
        let local = self.offered.iter();
        let local = local.filter(|candidate| candidate.kind == CandidateKind::Host);
        let local: Vec<_> = local.map(|candidate| candidate.address).collect();
        let remote = self.checks.sources().iter().copied();
        let kind_of = |address| self.remote_kinds.kind_of(address);
        let remote: Vec<_> = remote
            .filter(|address| kind_of(*address) != CandidateKind::Relayed)
            .collect();
        renomination::pairs(&local, &remote)
    }

    fn set_timer(&mut self) {
        let due = self.rtc.poll_timeout();
        let due = due.map_or_else(|| Instant::now() + IDLE, Instant::from_std);
        let due = self.checks.timeout(due);
        let others = [self.opening.due(), self.checks.renomination.due()];
        let due = others.into_iter().flatten().fold(due, Instant::min);
        let due = match self.closing {
            Closing::Lingers { until } => due.min(until),
            Closing::No | Closing::Goodbye => due,
        };
        self.timer.as_mut().reset(due);
    }

    /// Notes what carries packets, and whether that will do.
    fn look_at_pair(&mut self) {
        // None since a restart: what the path was says nothing of what it will be.
        let Some(pair) = self.checks.in_use() else {
            return;
        };
        self.note_path(pair);
        let relayed = self.path.is_some_and(|path| path.is_relayed());
        let lost = self.checks.works() == Some(false);
        self.checks.renomination.wanted(relayed || lost);
    }

    fn note_path(&mut self, pair: Pair) {
        if self
            .path
            .is_some_and(|path| (path.local, path.remote) == (pair.local, pair.remote))
        {
            return;
        }
        let relayed = self
            .offered
            .iter()
            .filter(|candidate| candidate.kind == CandidateKind::Relayed)
            .any(|candidate| candidate.address == pair.local);
        let path = Path {
            local: pair.local,
            remote: pair.remote,
            local_kind: if relayed {
                CandidateKind::Relayed
            } else {
                CandidateKind::Host
            },
            remote_kind: self.remote_kinds.kind_of(pair.remote),
        };
        self.path = Some(path);
    }

    /// Tells the owner when the path stops working or works again.
    fn look_at_path(&mut self) {
        let works = self.checks.works();
        if works == self.works {
            return;
        }
        self.works = works;
        let state = match works {
            Some(true) => PathState::Connected,
            Some(false) => PathState::Disconnected,
            None => return,
        };
        self.lost = (state == PathState::Disconnected).then(Instant::now);
        self.events.push_back(PeerEvent::Path(state));
    }

    /// RTC-024. Of a lost path it is told after [`SILENCE`] at the latest.
    fn has_no_consent(&self) -> bool {
        self.lost
            .is_some_and(|lost| lost + (CONSENT_ENDS - SILENCE) <= Instant::now())
    }

    /// Takes what rtc has to say.
    fn poll_rtc(&mut self) {
        while let Some(event) = self.rtc.poll_event() {
            self.note(event);
        }
        self.look_at_path();
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "rtc's other events concern media and what this driver knows already"
    )]
    fn note(&mut self, event: RTCPeerConnectionEvent) {
        match event {
            RTCPeerConnectionEvent::OnDataChannel(event) => match event {
                RTCDataChannelEvent::OnOpen(id) => {
                    if let Some(lane) = self.lane_of(id) {
                        self.associated = true;
                        self.events.push_back(PeerEvent::LaneOpen(lane));
                    }
                }
                // Lanes never close one by one (RTC-006): the other end is going.
                RTCDataChannelEvent::OnClose(id) if self.lane_of(id).is_some() => {
                    self.fail("the other end closed the connection".to_owned());
                }
                _ => {}
            },
            RTCPeerConnectionEvent::OnIceConnectionStateChangeEvent(state) => match state {
                RTCIceConnectionState::Connected | RTCIceConnectionState::Completed => {
                    self.checks.connected();
                }
                RTCIceConnectionState::Disconnected => self.checks.disconnected(),
                _ => {}
            },
            _ => {}
        }
    }

    fn lane_of(&self, id: RTCDataChannelId) -> Option<LaneId> {
        let index = self.lanes.iter().position(|lane| *lane == id)?;
        LaneId::new(u8::try_from(index).ok()?)
    }

    /// The next message of a lane. Not asking for it is what slows the other end down: rtc reads
    /// ahead 256 messages, and SCTP's window closes behind them.
    fn next_message(&mut self) -> Option<PeerEvent> {
        if !self.associated {
            return None;
        }
        loop {
            let read = match self.rtc.poll_data_read() {
                Some(read) => read,
                None => {
                    // What was left in SCTP: its window has room then, which has to be told.
                    let read = self.rtc.poll_read()?;
                    self.dirty = true;
                    read
                }
            };
            let RTCMessage::DataChannelMessage(id, message) = read.message else {
                continue;
            };
            // RTC-004: what comes through a channel of the other end's own making is ignored.
            let Some(lane) = self.lane_of(id) else {
                continue;
            };
            // Text is no frame, and neither is an empty message: one error for both (RTC-005).
            let frame = if message.is_string {
                Bytes::new()
            } else {
                message.data.freeze()
            };
            return Some(PeerEvent::Message(lane, frame));
        }
    }

    /// Takes what has come in for as long as one SACK may answer it. Returns how many datagrams.
    fn poll_receive(&mut self, budget: usize, cx: &mut Context<'_>) -> usize {
        let (mut count, mut data) = (0, 0);
        while count < budget.min(DATAGRAMS_AT_ONCE) && data < DATA_PER_SACK {
            let Some(datagram) = self.next_datagram(cx) else {
                break;
            };
            count += 1;
            data += usize::from(datagram.contents.len() > SHORT);
            if !self.checks.has_pair() && !checks::is_stun(&datagram.contents) {
                // Full: lost, as on a network.
                if self.early.len() < EARLY_DATAGRAMS {
                    self.early.push_back(datagram);
                }
                continue;
            }
            match self.checks.arrives(&datagram) {
                Arrival::Pass => self.receive(datagram),
                Arrival::PassWith(nomination) => {
                    self.receive(datagram);
                    self.receive(nomination);
                }
                Arrival::Drop => self.dirty = true,
            }
            if !self.associated {
                // rtc drops a message of a lane that comes with the end of the handshake, unless
                // it has handled that end before (`DataChannelHandler::handle_read`).
                break;
            }
        }
        count
    }

    fn next_datagram(&mut self, cx: &mut Context<'_>) -> Option<Datagram> {
        if self.checks.has_pair()
            && let Some(datagram) = self.early.pop_front()
        {
            return Some(datagram);
        }
        match self.port.poll_receive(cx) {
            Poll::Ready(datagram) => Some(datagram),
            Poll::Pending => None,
        }
    }

    fn receive(&mut self, datagram: Datagram) {
        self.dirty = true;
        if !checks::is_stun(&datagram.contents) {
            self.opening.heard(self.associated);
        }
        let transport = TransportContext {
            local_addr: datagram.destination,
            peer_addr: datagram.source,
            transport_protocol: TransportProtocol::UDP,
            ecn: None,
        };
        let read = self.rtc.handle_read(TaggedBytesMut {
            now: Instant::now().into_std(),
            transport,
            message: BytesMut::from(datagram.contents),
        });
        if let Err(error) = read {
            // Neither STUN, DTLS nor anything else we speak.
            tracing::trace!(%error, "datagram left aside");
        }
        if !self.associated {
            self.poll_rtc();
        }
    }

    fn run_timers(&mut self) {
        self.dirty = true;
        self.checks.round();
        if let Err(error) = self.rtc.handle_timeout(Instant::now().into_std()) {
            self.fail(error.to_string());
        }
    }

    fn fail(&mut self, reason: String) {
        if self.closed.is_none() {
            self.closed = Some(reason);
        }
    }
}

impl Peer for WebrtcPeer {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<PeerEvent> {
        let mut budget = DATAGRAMS_PER_TURN;
        loop {
            let flowing = self.drain(cx);
            if let Some(event) = self.events.pop_front() {
                // It is tried again with the next poll.
                let _ = self.port.poll_flush(cx);
                return Poll::Ready(event);
            }
            // The SACKs of several messages leave together.
            if let Some(message) = self.next_message() {
                return Poll::Ready(message);
            }
            if flowing && budget > 0 && self.closed.is_none() {
                let received = self.poll_receive(budget, cx);
                if received > 0 {
                    budget -= received;
                    continue;
                }
            }
            let flowing = flowing && self.port.poll_flush(cx).is_ready();
            if let Some(reason) = &self.closed {
                return Poll::Ready(PeerEvent::Closed(reason.clone()));
            }
            if self.closing == Closing::Goodbye && flowing {
                self.fail("closed".to_owned());
                continue;
            }
            if self.lingered_enough() {
                self.say_goodbye();
                continue;
            }
            if self.refused && flowing && self.has_room_for(FRAME_DEFAULT) {
                self.refused = false;
                return Poll::Ready(PeerEvent::Writable);
            }
            if !flowing {
                return Poll::Pending;
            }
            if budget == 0 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if let Poll::Ready(news) = self.port.poll_news(cx) {
                self.hear(news);
                continue;
            }
            if self.timer.as_mut().poll(cx).is_ready() {
                budget -= 1;
                self.run_timers();
                continue;
            }
            return Poll::Pending;
        }
    }

    fn try_send(&mut self, lane: LaneId, message: &Bytes) -> Result<bool, TransportError> {
        if self.closed.is_some() {
            return Err(TransportError::Closed);
        }
        let id = *self
            .lanes
            .get(usize::from(lane.get()))
            .ok_or(TransportError::Closed)?;
        if !self.has_room_for(message.len()) {
            self.refused = true;
            return Ok(false);
        }
        let mut channel = self.rtc.data_channel(id).ok_or(TransportError::Closed)?;
        channel
            .send(Instant::now().into_std(), BytesMut::from(&message[..]))
            .map_err(of_stack)?;
        self.dirty = true;
        Ok(true)
    }

    fn restart(&mut self) -> Result<String, TransportError> {
        self.offer_restart()
    }

    fn accept_restart(&mut self, offer: &str) -> Result<String, TransportError> {
        self.answer_restart(offer)
    }

    fn accept_answer(&mut self, answer: &str) -> Result<(), TransportError> {
        self.take_answer(answer)
    }

    fn add_candidate(&mut self, candidate: &str) {
        self.remote_kinds.learn(candidate);
        if let Some(path) = &mut self.path {
            // It may be in use already.
            path.remote_kind = self.remote_kinds.kind_of(path.remote);
            self.dirty = true;
        }
        match RemoteCandidate::read(candidate) {
            Some(candidate) => self.check(candidate),
            None => tracing::debug!("candidate left aside"),
        }
    }

    fn path(&self) -> Option<Path> {
        self.path
    }

    fn close(&mut self) {
        self.dirty |= self.closing.ask(Instant::now());
    }
}

impl WebrtcPeer {
    fn lingered_enough(&mut self) -> bool {
        match self.closing {
            Closing::Lingers { until } => self.unacknowledged() == 0 || Instant::now() >= until,
            Closing::No | Closing::Goodbye => false,
        }
    }

    /// An SCTP ABORT and DTLS's `close_notify`, so that the other end knows at once.
    fn say_goodbye(&mut self) {
        self.dirty = true;
        self.closing = Closing::Goodbye;
        if let Err(error) = self.rtc.close() {
            tracing::debug!(%error, "no goodbye");
        }
    }

    fn has_room_for(&mut self, bytes: usize) -> bool {
        self.unacknowledged() + bytes <= SEND_BUFFER_BYTES
    }

    /// Bytes of messages that the other end has not acknowledged yet.
    fn unacknowledged(&mut self) -> usize {
        let mut bytes = 0;
        for id in &self.lanes {
            bytes += self
                .rtc
                .data_channel(*id)
                .map_or(0, |channel| channel.outstanding_bytes());
        }
        bytes
    }
}
