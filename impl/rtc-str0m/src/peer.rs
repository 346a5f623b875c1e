//! One peer connection: a str0m `Rtc`, its share of the sockets, and one timer.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use p2claw_agent::transport::{
    CONSENT_ENDS, CandidateKind, Closing, Path, PathState, Peer, PeerEvent, TransportError, pacing,
};
use p2claw_network::{Datagram, LocalCandidate, Port, PortEvent, RemoteKinds};
use p2claw_session::LaneId;
use str0m::{
    Candidate, Event, IceConnectionState, Input, Output, Rtc,
    change::{SdpAnswer, SdpOffer, SdpPendingOffer},
    channel::ChannelId,
    net::{Protocol, Receive},
};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::{
    checks::Checks,
    description::{self, fingerprint, split_candidates},
};

/// Datagrams handled before the caller gets its turn, so that one busy visitor cannot keep a
/// task from its other work.
const DATAGRAMS_PER_TURN: usize = 32;

/// Silence of the path before it counts as lost. Both ends check it every 3 s (str0m's longest RTO);
/// str0m itself would notice after 15 s.
const SILENCE: Duration = Duration::from_secs(5);

/// Datagrams that may come before this end has a pair to answer on: a first flight of DTLS.
const EARLY_DATAGRAMS: usize = 16;

pub(crate) struct Str0mPeer {
    rtc: Rtc,
    port: Port,
    /// What str0m offers of this end.
    offered: Vec<(LocalCandidate, Candidate)>,
    remote_kinds: RemoteKinds,
    /// The other end's certificate, once its description is here.
    remote_fingerprint: Option<String>,
    lanes: Vec<ChannelId>,
    pending_offer: Option<SdpPendingOffer>,
    /// This end's, in its last description.
    ufrag: String,
    timer: Pin<Box<Sleep>>,
    /// Bounded: filled from one input, emptied before the next is read.
    events: VecDeque<PeerEvent>,
    path: Option<Path>,
    /// ICE has a pair to send on.
    nominated: bool,
    /// When the path was heard of last.
    heard: Instant,
    /// The path has been silent for so long that it counts as lost.
    silent: bool,
    /// ICE looks for its first pair, or for one after a restart.
    searching: bool,
    /// Time between two checks until it has found one (RTC-021).
    pace: Duration,
    /// What the other end sent before that, whose checks were done sooner: str0m could not answer
    /// now, and the other end would say it again only after a second.
    waiting: VecDeque<Datagram>,
    checks: Checks,
    /// ICE and DTLS are done: the other end has the certificate that its description names.
    connected: bool,
    /// Lanes that str0m opened before that; with SNAP it does so at once.
    early: Vec<LaneId>,
    /// The other end was told that there are no more candidates.
    gathered: bool,
    /// A send was refused since the last `Writable`.
    refused: bool,
    /// Something was written since the last drain.
    dirty: bool,
    closing: Closing,
    closed: Option<String>,
}

/// What a peer begins with.
pub(crate) struct Parts {
    pub(crate) rtc: Rtc,
    pub(crate) port: Port,
    pub(crate) offered: Vec<(LocalCandidate, Candidate)>,
    pub(crate) lanes: Vec<ChannelId>,
    pub(crate) pending_offer: Option<SdpPendingOffer>,
    /// The other end's description, where it is known.
    pub(crate) remote: Option<String>,
}

impl Str0mPeer {
    pub(crate) fn new(parts: Parts) -> Self {
        let mut peer = Self {
            rtc: parts.rtc,
            port: parts.port,
            offered: parts.offered,
            remote_kinds: RemoteKinds::default(),
            remote_fingerprint: None,
            lanes: parts.lanes,
            pending_offer: parts.pending_offer,
            ufrag: String::new(),
            timer: Box::pin(sleep_until(Instant::now())),
            events: VecDeque::new(),
            path: None,
            nominated: false,
            heard: Instant::now(),
            silent: false,
            searching: true,
            pace: pacing::USUAL,
            waiting: VecDeque::new(),
            checks: Checks::new(Instant::now().into_std()),
            connected: false,
            early: Vec::new(),
            gathered: false,
            refused: false,
            dirty: true,
            closing: Closing::No,
            closed: None,
        };
        peer.name();
        if let Some(remote) = &parts.remote {
            peer.remote_fingerprint = fingerprint(remote);
            peer.pace = pacing::agreed(remote);
            let (_, candidates) = split_candidates(remote);
            peer.add_candidates(&candidates);
        }
        peer
    }

    /// Makes this end's present user fragment known.
    fn name(&mut self) {
        self.ufrag = self.rtc.direct_api().local_ice_credentials().ufrag;
        self.port.name(&self.ufrag);
    }

    fn add_candidates(&mut self, candidates: &[&str]) {
        for candidate in candidates {
            self.add_candidate(candidate);
        }
    }

    /// Takes everything that str0m wants to send or say. `false`: the system takes no more now.
    fn drain(&mut self, cx: &mut Context<'_>) -> bool {
        if self.port.is_blocked() && self.port.poll_flush(cx).is_pending() {
            return false;
        }
        while self.dirty {
            match self.rtc.poll_output() {
                Ok(Output::Transmit(transmit)) => {
                    let datagram = &transmit.contents[..];
                    let (source, destination) = (transmit.source, transmit.destination);
                    if is_dtls(datagram) {
                        self.note_path(source, destination);
                        if self.has_no_consent() {
                            continue;
                        }
                    } else {
                        self.checks.sent(source, destination, datagram);
                    }
                    if !self.port.send(source, destination, &transmit.contents, cx) {
                        return false;
                    }
                }
                Ok(Output::Event(event)) => self.note(event),
                Ok(Output::Timeout(at)) => {
                    let at = Instant::from_std(at);
                    let at = match self.closing {
                        Closing::Lingers { until } => at.min(until),
                        // str0m would wait 50 ms with each check; it makes one whenever time is told,
                        // if one is due.
                        Closing::No if self.searching => at.min(Instant::now() + self.pace),
                        Closing::No | Closing::Goodbye => at,
                    };
                    let at = self.silent_at().map_or(at, |silent| at.min(silent));
                    self.timer.as_mut().reset(at);
                    self.dirty = false;
                }
                Err(error) => {
                    self.fail(error.to_string());
                    return true;
                }
            }
        }
        self.port.poll_flush(cx).is_ready()
    }

    fn note_path(&mut self, local: SocketAddr, remote: SocketAddr) {
        if self
            .path
            .is_some_and(|path| (path.local, path.remote) == (local, remote))
        {
            return;
        }
        // str0m has chosen it by an answer.
        self.heard = Instant::now();
        let own = self.offered.iter();
        let relayed = own
            .filter(|(candidate, _)| candidate.kind == CandidateKind::Relayed)
            .any(|(candidate, _)| candidate.address == local);
        self.path = Some(Path {
            local,
            remote,
            local_kind: if relayed {
                CandidateKind::Relayed
            } else {
                CandidateKind::Host
            },
            remote_kind: self.remote_kinds.kind_of(remote),
        });
    }

    /// Offers what is new of `known`, and nothing that is gone any more.
    fn offer_candidates(&mut self, known: &[LocalCandidate]) {
        let (kept, gone): (Vec<_>, Vec<_>) = std::mem::take(&mut self.offered)
            .into_iter()
            .partition(|(candidate, _)| known.contains(candidate));
        self.offered = kept;
        for (_, candidate) in gone {
            self.rtc.direct_api().invalidate_candidate(&candidate);
            self.dirty = true;
        }
        for candidate in known {
            self.offer_candidate(*candidate);
        }
    }

    /// Offers one more address, and tells the other end while it listens.
    fn offer_candidate(&mut self, local: LocalCandidate) {
        if self.offered.iter().any(|(known, _)| *known == local) {
            return;
        }
        let Ok(candidate) = description::candidate(&local) else {
            return;
        };
        self.dirty = true;
        self.offered.push((local, candidate.clone()));
        // `None`: str0m has one that is as good.
        if let Some(added) = self.rtc.add_local_candidate(candidate)
            && !self.gathered
        {
            let mut told = added.clone();
            // Until a restart is answered, str0m writes the fragment of before, and the other end
            // leaves such a candidate aside.
            told.set_ufrag(&self.ufrag);
            let told = PeerEvent::Candidate(Some(told.to_sdp_string()));
            self.events.push_back(told);
        }
    }

    fn hear(&mut self, news: PortEvent) {
        match news {
            PortEvent::Candidate(candidate) => self.offer_candidate(candidate),
            PortEvent::Complete => {
                if !std::mem::replace(&mut self.gathered, true) {
                    self.events.push_back(PeerEvent::Candidate(None));
                }
            }
            PortEvent::AddressesChanged => {
                let known = self.port.refresh().to_vec();
                self.offer_candidates(&known);
            }
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "str0m's other events concern media, which no peer here negotiates"
    )]
    fn note(&mut self, event: Event) {
        match event {
            Event::ChannelOpen(id, _) => {
                if let Some(lane) = self.lane_of(id) {
                    if self.connected {
                        self.events.push_back(PeerEvent::LaneOpen(lane));
                    } else {
                        self.early.push(lane);
                    }
                }
            }
            Event::Connected => {
                self.connected = true;
                let lanes = self.early.drain(..).map(PeerEvent::LaneOpen);
                self.events.extend(lanes);
            }
            Event::ChannelData(data) => {
                if let Some(lane) = self.lane_of(data.id) {
                    // Text is no frame, and neither is an empty message: one error for both (RTC-005).
                    let frame = if data.binary { data.data } else { Vec::new() };
                    self.events
                        .push_back(PeerEvent::Message(lane, Bytes::from(frame)));
                }
            }
            // Lanes never close one by one (`SES`): the other end is going.
            Event::ChannelClose(_) => self.fail("the other end closed the connection".to_owned()),
            Event::Closed => self.fail("the other end closed the connection".to_owned()),
            Event::IceConnectionStateChange(state) => match state {
                IceConnectionState::Connected | IceConnectionState::Completed => {
                    self.nominated = true;
                    self.searching = false;
                    self.silent = false;
                    self.heard = Instant::now();
                    self.events.push_back(PeerEvent::Path(PathState::Connected));
                }
                IceConnectionState::Disconnected => {
                    self.events
                        .push_back(PeerEvent::Path(PathState::Disconnected));
                }
                IceConnectionState::New | IceConnectionState::Checking => {}
            },
            // Media and statistics.
            _ => {}
        }
    }

    fn lane_of(&self, id: ChannelId) -> Option<LaneId> {
        let index = self.lanes.iter().position(|lane| *lane == id)?;
        LaneId::new(u8::try_from(index).ok()?)
    }

    fn input(&mut self, input: Input<'_>) {
        self.dirty = true;
        if let Err(error) = self.rtc.handle_input(input) {
            self.fail(error.to_string());
        }
    }

    /// Takes a datagram now, or once there is a pair to answer on.
    fn receive(&mut self, datagram: Datagram) {
        if !self.nominated && is_dtls(&datagram.contents) {
            // Full: lost, as on a network.
            if self.waiting.len() < EARLY_DATAGRAMS {
                self.waiting.push_back(datagram);
            }
            return;
        }
        self.take(&datagram);
    }

    fn take(&mut self, datagram: &Datagram) {
        let kind = self.remote_kinds.kind_of(datagram.source);
        let (named, now) = (kind != CandidateKind::PeerReflexive, Instant::now());
        if !self.checks.admit(datagram, named, now.into_std()) {
            return;
        }
        let received = Receive::new(
            Protocol::Udp,
            datagram.source,
            datagram.destination,
            &datagram.contents,
        );
        let here = (datagram.destination, datagram.source);
        if self
            .path
            .is_some_and(|path| (path.local, path.remote) == here)
        {
            self.heard = now;
            if std::mem::take(&mut self.silent) {
                self.events.push_back(PeerEvent::Path(PathState::Connected));
            }
        }
        match received {
            Ok(received) => {
                let input = Input::Receive(now.into_std(), received);
                // str0m would leave aside what comes from an address whose check is still under way.
                // A flight that is lost costs a second or three, and DTLS takes nothing that is not
                // the other end's.
                if is_dtls(&datagram.contents) {
                    self.receive_dtls(input);
                } else if self.rtc.accepts(&input) {
                    self.input(input);
                }
            }
            // Neither STUN, DTLS nor anything else we speak.
            Err(error) => tracing::trace!(%error, "datagram left aside"),
        }
    }

    /// Until DTLS is done, what it cannot read is another session's, which had the same ports, or
    /// comes before what it follows; neither ends this one.
    fn receive_dtls(&mut self, input: Input<'_>) {
        if self.connected {
            return self.input(input);
        }
        self.dirty = true;
        if let Err(error) = self.rtc.handle_input(input) {
            tracing::debug!(%error, "datagram left aside");
        }
    }

    /// When the path counts as lost if nothing comes.
    fn silent_at(&self) -> Option<Instant> {
        let works = self.connected && !self.searching && !self.silent;
        works.then(|| self.heard + SILENCE)
    }

    /// RTC-024. str0m goes on sending to where it sent before, also while it looks for another pair.
    fn has_no_consent(&self) -> bool {
        // While the path works nobody asks for the time with each datagram.
        let doubtful = self.silent || self.searching;
        doubtful && self.connected && self.heard + CONSENT_ENDS <= Instant::now()
    }

    fn listen(&mut self) {
        if self
            .silent_at()
            .is_some_and(|silent| silent <= Instant::now())
        {
            self.silent = true;
            self.events
                .push_back(PeerEvent::Path(PathState::Disconnected));
        }
    }

    fn fail(&mut self, reason: String) {
        self.dirty = false;
        if self.closed.is_none() {
            self.closed = Some(reason);
        }
    }
}

impl Peer for Str0mPeer {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<PeerEvent> {
        let mut budget = DATAGRAMS_PER_TURN;
        loop {
            let flowing = self.drain(cx);
            if let Some(event) = self.events.pop_front() {
                return Poll::Ready(event);
            }
            if let Some(reason) = &self.closed {
                return Poll::Ready(PeerEvent::Closed(reason.clone()));
            }
            // str0m would go on until the other end has answered; what it had to say is out.
            if !self.rtc.is_alive() || (self.closing == Closing::Goodbye && flowing) {
                self.fail("closed".to_owned());
                continue;
            }
            if self.lingered_enough() {
                self.say_goodbye();
                continue;
            }
            if self.refused && flowing && self.rtc_has_room() {
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
            if self.nominated
                && let Some(datagram) = self.waiting.pop_front()
            {
                self.take(&datagram);
                continue;
            }
            if let Poll::Ready(datagram) = self.port.poll_receive(cx) {
                budget -= 1;
                self.receive(datagram);
                continue;
            }
            if let Poll::Ready(news) = self.port.poll_news(cx) {
                self.hear(news);
                continue;
            }
            if self.timer.as_mut().poll(cx).is_ready() {
                self.listen();
                self.input(Input::Timeout(Instant::now().into_std()));
                continue;
            }
            return Poll::Pending;
        }
    }

    fn try_send(&mut self, lane: LaneId, message: &Bytes) -> Result<bool, TransportError> {
        if self.closed.is_some() {
            return Err(TransportError::Closed);
        }
        let id = self
            .lanes
            .get(usize::from(lane.get()))
            .ok_or(TransportError::Closed)?;
        let mut channel = self.rtc.channel(*id).ok_or(TransportError::Closed)?;
        let taken = channel
            .write(true, message)
            .map_err(|error| TransportError::Stack(error.to_string()))?;
        self.dirty = true;
        self.refused |= !taken;
        Ok(taken)
    }

    fn restart(&mut self) -> Result<String, TransportError> {
        if self.closed.is_some() || self.closing != Closing::No {
            return Err(TransportError::Closed);
        }
        if self.remote_fingerprint.is_none() {
            return Err(TransportError::Stack(
                "the first answer has not come yet".to_owned(),
            ));
        }
        let known = self.port.refresh().to_vec();
        self.offer_candidates(&known);
        self.dirty = true;
        let mut changes = self.rtc.sdp_api();
        let credentials = changes.ice_restart(true);
        let (offer, pending) = changes
            .apply()
            .ok_or_else(|| TransportError::Stack("the offer came out empty".to_owned()))?;
        self.port.name(&credentials.ufrag);
        self.ufrag = credentials.ufrag;
        self.pending_offer = Some(pending);
        self.gathered = false;
        self.searching = true;
        Ok(pacing::asking(&offer.to_sdp_string()))
    }

    fn accept_restart(&mut self, offer: &str) -> Result<String, TransportError> {
        if self.closed.is_some() || self.closing != Closing::No {
            return Err(TransportError::Closed);
        }
        if fingerprint(offer) != self.remote_fingerprint {
            return Err(TransportError::BadDescription(
                "it names another certificate than the one of this session".to_owned(),
            ));
        }
        let (description, candidates) = split_candidates(offer);
        let parsed = SdpOffer::from_sdp_string(&description)
            .map_err(|error| TransportError::BadDescription(error.to_string()))?;
        let known = self.port.refresh().to_vec();
        self.offer_candidates(&known);
        self.dirty = true;
        let answer = self
            .rtc
            .sdp_api()
            .accept_offer(parsed)
            .map_err(|error| TransportError::BadDescription(error.to_string()))?;
        self.add_candidates(&candidates);
        self.name();
        self.gathered = false;
        self.searching = true;
        Ok(pacing::asking(&answer.to_sdp_string()))
    }

    fn accept_answer(&mut self, answer: &str) -> Result<(), TransportError> {
        let pending = self
            .pending_offer
            .take()
            .ok_or_else(|| TransportError::BadDescription("no answer is awaited".to_owned()))?;
        let named = fingerprint(answer);
        if self.remote_fingerprint.is_some() && named != self.remote_fingerprint {
            return Err(TransportError::BadDescription(
                "it names another certificate than the one of this session".to_owned(),
            ));
        }
        let (description, candidates) = split_candidates(answer);
        let parsed = SdpAnswer::from_sdp_string(&description)
            .map_err(|error| TransportError::BadDescription(error.to_string()))?;
        self.dirty = true;
        self.rtc
            .sdp_api()
            .accept_answer(pending, parsed)
            .map_err(|error| TransportError::BadDescription(error.to_string()))?;
        self.add_candidates(&candidates);
        self.remote_fingerprint = named;
        self.pace = pacing::agreed(answer);
        Ok(())
    }

    fn add_candidate(&mut self, candidate: &str) {
        self.remote_kinds.learn(candidate);
        if let Some(path) = &mut self.path {
            // It may be in use already.
            path.remote_kind = self.remote_kinds.kind_of(path.remote);
        }
        match Candidate::from_sdp_string(candidate) {
            Ok(candidate) => {
                self.dirty = true;
                self.rtc.add_remote_candidate(candidate);
            }
            // An mDNS name, most likely: its owner's checks make it peer-reflexive.
            Err(error) => tracing::debug!(%error, "candidate left aside"),
        }
    }

    fn path(&self) -> Option<Path> {
        self.path
    }

    fn close(&mut self) {
        self.dirty |= self.closing.ask(Instant::now());
    }
}

/// By its first byte (RFC 7983 section 7).
fn is_dtls(datagram: &[u8]) -> bool {
    matches!(datagram.first(), Some(20..=63))
}

impl Str0mPeer {
    fn lingered_enough(&mut self) -> bool {
        match self.closing {
            Closing::Lingers { until } => self.unacknowledged() == 0 || Instant::now() >= until,
            Closing::No | Closing::Goodbye => false,
        }
    }

    fn say_goodbye(&mut self) {
        self.dirty = true;
        self.closing = Closing::Goodbye;
        if self.rtc.close().is_err() {
            self.fail("closed".to_owned());
        }
    }

    /// Room for at least one more frame of the usual size.
    fn rtc_has_room(&mut self) -> bool {
        self.unacknowledged() + p2claw_session::limits::FRAME_DEFAULT
            <= crate::endpoint::SEND_BUFFER_BYTES
    }

    /// Bytes of messages that the other end has not acknowledged yet.
    fn unacknowledged(&mut self) -> usize {
        let channels = self.lanes.iter();
        let buffered = channels.filter_map(|id| Some(self.rtc.channel(*id)?.buffered_amount()));
        buffered.sum()
    }
}
