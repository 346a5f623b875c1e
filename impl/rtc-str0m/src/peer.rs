//! One peer connection: a str0m `Rtc`, its share of the sockets, and one timer.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use p2claw_agent::transport::{LINGER, Path, PathState, Peer, PeerEvent, TransportError};
use p2claw_session::LaneId;
use str0m::{
    Candidate, Event, IceConnectionState, Input, Output, Rtc,
    change::{SdpAnswer, SdpPendingOffer},
    channel::ChannelId,
    net::{Protocol, Receive},
};
use tokio::{
    sync::mpsc,
    time::{Instant, Sleep, sleep_until},
};

use crate::{batch::Batch, endpoint::Shared, socket::Datagram};

/// Datagrams handled before the caller gets its turn, so that one busy visitor cannot keep a
/// task from its other work.
const DATAGRAMS_PER_TURN: usize = 32;

/// First byte of a STUN message is 0..=3 (RFC 7983): not a sign of a working path.
const STUN_FIRST_BYTE_MAX: u8 = 3;

pub(crate) struct Str0mPeer {
    rtc: Rtc,
    shared: Arc<Shared>,
    ufrag: String,
    datagrams: mpsc::Receiver<Datagram>,
    lanes: Vec<ChannelId>,
    pending_offer: Option<SdpPendingOffer>,
    timer: Pin<Box<Sleep>>,
    /// Bounded: filled from one input, emptied before the next is read.
    events: VecDeque<PeerEvent>,
    batch: Batch,
    /// A datagram that did not fit the batch that the kernel would not take.
    held: Option<(SocketAddr, SocketAddr, Vec<u8>)>,
    path: Option<Path>,
    /// ICE and DTLS are done: the other end has the certificate that its description names.
    connected: bool,
    /// Lanes that str0m opened before that; with SNAP it does so at once.
    early: Vec<LaneId>,
    known: Option<SocketAddr>,
    /// A send was refused since the last `Writable`.
    refused: bool,
    /// Something was written since the last drain.
    dirty: bool,
    closing: Closing,
    closed: Option<String>,
}

/// How far [`Peer::close`] has got.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Closing {
    No,
    /// The last messages are under way; str0m's close would drop them.
    Lingers {
        until: Instant,
    },
    /// str0m says goodbye.
    Goodbye,
}

impl Str0mPeer {
    pub(crate) fn new(
        mut rtc: Rtc,
        shared: Arc<Shared>,
        lanes: Vec<ChannelId>,
        pending_offer: Option<SdpPendingOffer>,
    ) -> Self {
        let ufrag = rtc.direct_api().local_ice_credentials().ufrag;
        let datagrams = shared.demux.insert(&ufrag);
        Self {
            rtc,
            shared,
            ufrag,
            datagrams,
            lanes,
            pending_offer,
            timer: Box::pin(sleep_until(Instant::now())),
            events: VecDeque::new(),
            batch: Batch::default(),
            held: None,
            path: None,
            connected: false,
            early: Vec::new(),
            known: None,
            refused: false,
            dirty: true,
            closing: Closing::No,
            closed: None,
        }
    }

    /// Takes everything that str0m wants to send or say. `false`: the kernel is full.
    fn drain(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.send_held(cx) {
            return false;
        }
        while self.dirty {
            match self.rtc.poll_output() {
                Ok(Output::Transmit(transmit)) => {
                    let datagram = &transmit.contents[..];
                    let (source, destination) = (transmit.source, transmit.destination);
                    if datagram
                        .first()
                        .is_some_and(|first| *first > STUN_FIRST_BYTE_MAX)
                    {
                        self.path = Some(Path {
                            local: source,
                            remote: destination,
                        });
                    }
                    if self.known != Some(destination) {
                        self.shared.demux.learn(&self.ufrag, destination);
                        self.known = Some(destination);
                    }
                    let Some(socket) = self.shared.socket_for(source) else {
                        continue;
                    };
                    // What is collected leaves by its own socket, which may be the other one.
                    if !self.batch.fits(socket, source, destination, datagram.len())
                        && !self.flush(cx)
                    {
                        self.held = Some((source, destination, datagram.to_vec()));
                        return false;
                    }
                    self.batch.push(source, destination, datagram);
                }
                Ok(Output::Event(event)) => self.note(event),
                Ok(Output::Timeout(at)) => {
                    let at = Instant::from_std(at);
                    let at = match self.closing {
                        Closing::Lingers { until } => at.min(until),
                        Closing::No | Closing::Goodbye => at,
                    };
                    self.timer.as_mut().reset(at);
                    self.dirty = false;
                }
                Err(error) => {
                    self.fail(error.to_string());
                    return true;
                }
            }
        }
        self.flush(cx)
    }

    fn send_held(&mut self, cx: &mut Context<'_>) -> bool {
        let Some((source, destination, datagram)) = self.held.take() else {
            return true;
        };
        if self.flush(cx) {
            self.batch.push(source, destination, &datagram);
            true
        } else {
            self.held = Some((source, destination, datagram));
            false
        }
    }

    fn flush(&mut self, cx: &mut Context<'_>) -> bool {
        if self.batch.is_empty() {
            return true;
        }
        let Some(socket) = self
            .batch
            .source()
            .and_then(|source| self.shared.socket_for(source))
        else {
            return true;
        };
        self.batch.flush(socket, cx)
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

    fn receive(&mut self, datagram: &Datagram) {
        let received = Receive::new(
            Protocol::Udp,
            datagram.source,
            datagram.destination,
            &datagram.contents,
        );
        match received {
            Ok(received) => {
                let now = Instant::now().into_std();
                let input = Input::Receive(now, received);
                if self.rtc.accepts(&input) {
                    self.input(input);
                }
            }
            // Neither STUN, DTLS nor anything else we speak.
            Err(error) => tracing::trace!(%error, "datagram left aside"),
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
            if let Poll::Ready(Some(datagram)) = self.datagrams.poll_recv(cx) {
                budget -= 1;
                self.receive(&datagram);
                continue;
            }
            if self.timer.as_mut().poll(cx).is_ready() {
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

    fn accept_answer(&mut self, answer: &str) -> Result<(), TransportError> {
        let pending = self
            .pending_offer
            .take()
            .ok_or_else(|| TransportError::BadDescription("no answer is awaited".to_owned()))?;
        let answer = SdpAnswer::from_sdp_string(answer)
            .map_err(|error| TransportError::BadDescription(error.to_string()))?;
        self.dirty = true;
        self.rtc
            .sdp_api()
            .accept_answer(pending, answer)
            .map_err(|error| TransportError::BadDescription(error.to_string()))
    }

    fn add_candidate(&mut self, candidate: &str) {
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
        if self.closing == Closing::No {
            self.dirty = true;
            let until = Instant::now() + LINGER;
            self.closing = Closing::Lingers { until };
        }
    }
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

impl Drop for Str0mPeer {
    fn drop(&mut self) {
        self.shared.demux.remove(&self.ufrag);
    }
}
