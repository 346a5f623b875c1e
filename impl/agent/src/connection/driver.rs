//! The task that moves frames between a session and its peer.

use std::{
    fmt,
    future::Future,
    mem,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use p2claw_session::{ErrorCode, Fault, LaneId, Role, SessionError, limits::LANES_MAX};
use tokio::time::{Duration, Instant, Sleep, sleep_until};

use super::{Shared, network};
use crate::transport::{Path, PathState, Peer, PeerEvent, TransportError};

/// How long a closed session's last frames may take to leave.
const CLOSE_DEADLINE: Duration = Duration::from_secs(2);

/// Frames and events handled before other tasks get their turn.
const STEPS_PER_TURN: usize = 256;

/// Drives one session over one peer; resolves when both are over.
///
/// Its owner polls it beside what else there is to do, and calls its methods in between:
///
/// ```no_run
/// # use p2claw_agent::connection::{Connection, Driver};
/// # async fn visitor(connection: Connection, mut driver: Driver) {
/// let mut path = connection.watch_path();
/// loop {
///     tokio::select! {
///         _ended = &mut driver => break,
///         _candidate = connection.next_candidate() => { /* to the other end */ }
///         Ok(()) = path.changed() => {
///             if path.borrow_and_update().lost_since.is_some() {
///                 let _offer = driver.restart(); /* to the other end; then accept_answer */
///             }
///         }
///     }
/// }
/// # }
/// ```
pub struct Driver {
    shared: Arc<Shared>,
    peer: Box<dyn Peer>,
    lanes: Vec<Lane>,
    /// The lane whose turn it is to send.
    turn: usize,
    timer: Pin<Box<Sleep>>,
    /// When the timers ran last, for what is counted.
    now: Instant,
    /// Until when a closed session's last frames may leave.
    closing: Option<Instant>,
    /// The peer was told to close; it ends the driver when it has.
    peer_closing: bool,
    /// An agent whose visitor has said nothing yet (`RTC-018`).
    listens: bool,
    /// The path that was reported last.
    path: Option<Path>,
}

/// What became of a lane's turn.
enum Sending {
    Sent,
    Nothing,
    Refused,
}

#[derive(Default)]
struct Lane {
    open: bool,
    /// A frame that the peer had no room for.
    held: Option<Bytes>,
}

impl Driver {
    pub(super) fn new(shared: Arc<Shared>, role: Role, peer: Box<dyn Peer>) -> Self {
        let now = Instant::now();
        Self {
            shared,
            peer,
            lanes: (0..LANES_MAX).map(|_| Lane::default()).collect(),
            turn: 0,
            timer: Box::pin(sleep_until(now)),
            now,
            closing: None,
            peer_closing: false,
            listens: role == Role::Agent,
            path: None,
        }
    }

    /// Passes on a candidate of the other end, for its description that was taken last.
    pub fn add_candidate(&mut self, candidate: &str) {
        self.peer.add_candidate(candidate);
    }

    /// Restarts ICE, as a visitor: the offer for a new visit that names this session (`SIG-043`).
    /// Streams go on meanwhile, and candidates of before are no longer told. An answer that does
    /// not come is forgotten with the next restart.
    ///
    /// # Errors
    /// When the first answer has not come yet, or the peer is closed.
    pub fn restart(&mut self) -> Result<String, TransportError> {
        let offer = self.peer.restart()?;
        self.shared.lock().gathered.start_over();
        Ok(offer)
    }

    /// Takes the answer to the last restart, as a visitor, once it was checked (`SIG-046`).
    ///
    /// # Errors
    /// When the SDP cannot be used, or no answer is awaited. The session goes on as before.
    pub fn accept_answer(&mut self, answer: &str) -> Result<(), TransportError> {
        self.peer.accept_answer(answer)
    }

    /// Answers the visitor's restart, as an agent. Candidates of before are no longer told.
    ///
    /// # Errors
    /// When the SDP cannot be used, or the peer is closed. The session goes on as before.
    pub fn accept_restart(&mut self, offer: &str) -> Result<String, TransportError> {
        let answer = self.peer.accept_restart(offer)?;
        self.shared.lock().gathered.start_over();
        Ok(answer)
    }

    /// The peer, for what happens before the session starts.
    pub fn peer(&mut self) -> &mut dyn Peer {
        self.peer.as_mut()
    }

    /// Sends what the session has and the peer takes, one frame of each lane in turn: the room of
    /// a peer may be one for all lanes, and a busy lane would take all of it. `true`: something
    /// went out.
    fn transmit(&mut self) -> bool {
        if self.holds_back() {
            return false;
        }
        let mut sent = false;
        let mut idle = 0;
        let mut refused = None;
        while idle < self.lanes.len() {
            let lane = self.turn;
            self.turn = (lane + 1) % self.lanes.len();
            match self.send_one(lane) {
                Sending::Sent => {
                    sent = true;
                    idle = 0;
                }
                Sending::Nothing => idle += 1,
                Sending::Refused => {
                    refused.get_or_insert(lane);
                    idle += 1;
                }
            }
        }
        // Who was refused first is first when there is room again.
        if let Some(lane) = refused {
            self.turn = lane;
        }
        sent
    }

    /// Whether an agent waits with its HELLO for the visitor's first message: one that arrives with
    /// the last packet of the SCTP handshake is lost by some stacks, and nobody waits for it
    /// (`RTC-018`). A session that ends before that says so at once.
    fn holds_back(&self) -> bool {
        self.listens && {
            let state = self.shared.lock();
            !state.session.is_closed() && state.finishing.is_none()
        }
    }

    fn send_one(&mut self, number: usize) -> Sending {
        let id = u8::try_from(number).ok().and_then(LaneId::new);
        let (Some(id), Some(lane)) = (id, self.lanes.get_mut(number)) else {
            return Sending::Nothing;
        };
        if !lane.open {
            return Sending::Nothing;
        }
        let now = self.now.into_std();
        let held = lane.held.take();
        let Some(frame) = held.or_else(|| self.shared.lock().give(now, id)) else {
            return Sending::Nothing;
        };
        match self.peer.try_send(id, &frame) {
            Ok(true) => Sending::Sent,
            Ok(false) => {
                lane.held = Some(frame);
                Sending::Refused
            }
            // The peer reports its end by itself.
            Err(_) => Sending::Nothing,
        }
    }

    fn receive(&mut self, event: PeerEvent) {
        let now = Instant::now();
        let mut change = None;
        match event {
            PeerEvent::LaneOpen(lane) => {
                if let Some(lane) = self.lanes.get_mut(usize::from(lane.get())) {
                    lane.open = true;
                }
                if lane == LaneId::ZERO {
                    self.shared.lock().opening.carries();
                }
            }
            PeerEvent::Message(lane, message) => {
                self.listens = false;
                self.shared.lock().take(now.into_std(), lane, message);
            }
            PeerEvent::Path(state) => {
                change = Some(state);
                let session = &mut self.shared.lock().session;
                match state {
                    PathState::Connected => session.path_found(),
                    PathState::Disconnected => session.path_lost(now.into_std()),
                }
            }
            PeerEvent::Candidate(candidate) => self.shared.lock().gathered.push(candidate),
            PeerEvent::Closed(reason) => {
                let mut state = self.shared.lock();
                state.session.close(ErrorCode::NO_ERROR, &reason);
                state.dispatch();
                state.end(transport_closed(&reason));
            }
            PeerEvent::Writable => {}
        }
        let path = self.peer.path();
        if change.is_some() || path != self.path {
            self.path = path;
            network::note(&self.shared.path, path, change);
        }
    }

    /// Runs what is due and sets the timer. `true`: something ran.
    fn run_timers(&mut self, cx: &mut Context<'_>) -> bool {
        let now = Instant::now();
        self.now = now;
        let mut ran = false;
        let mut next = {
            let mut state = self.shared.lock();
            if state
                .session
                .poll_timeout()
                .is_some_and(|at| at <= now.into_std())
            {
                state.session.handle_timeout(now.into_std());
                ran = true;
            }
            state.dispatch();
            state.session.poll_timeout().map(Instant::from_std)
        };
        if let Some(deadline) = self.closing.filter(|_| !self.peer_closing) {
            next = Some(next.map_or(deadline, |next| next.min(deadline)));
        }
        if let Some(next) = next {
            self.timer.as_mut().reset(next);
            ran |= self.timer.as_mut().poll(cx).is_ready();
        }
        ran
    }
}

impl Future for Driver {
    type Output = SessionError;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<SessionError> {
        let this = &mut *self;
        this.shared.driver.register(cx.waker());
        for _ in 0..STEPS_PER_TURN {
            let mut progress = this.run_timers(cx);
            this.finish_drain();
            progress |= this.transmit();
            match this.peer.poll_event(cx) {
                Poll::Ready(PeerEvent::Closed(reason)) => {
                    this.receive(PeerEvent::Closed(reason));
                    let ended = this.shared.lock().ended.clone();
                    return Poll::Ready(ended.unwrap_or_else(|| transport_closed("closed")));
                }
                Poll::Ready(event) => {
                    this.receive(event);
                    progress = true;
                }
                Poll::Pending => {}
            }
            progress |= this.finish_close();
            if !progress {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Driver {
    fn holds_frames(&self) -> bool {
        self.lanes.iter().any(|lane| lane.held.is_some())
    }

    /// Closes a session that was to finish, once the last frame of its last stream is with the peer.
    fn finish_drain(&mut self) {
        let mut state = self.shared.lock();
        if state.finishing.is_none() || !state.session.is_drained() || self.holds_frames() {
            return;
        }
        if let Some(reason) = state.finishing.take() {
            state.session.close(ErrorCode::NO_ERROR, &reason);
        }
    }

    /// Closes the peer once a session that is over has said its last. `true`: it did so now.
    fn finish_close(&mut self) -> bool {
        if self.peer_closing {
            let hangs_up = mem::take(&mut self.shared.lock().hangs_up);
            if hangs_up {
                self.peer.close();
            }
            return hangs_up;
        }
        let unsent = {
            let mut state = self.shared.lock();
            if !state.session.is_closed() {
                return false;
            }
            state.end(transport_closed("closed by this end"));
            self.lanes[0].open && !state.session.is_drained()
        };
        let now = Instant::now();
        let deadline = *self.closing.get_or_insert(now + CLOSE_DEADLINE);
        if (unsent || self.holds_frames()) && now < deadline {
            return false;
        }
        self.peer_closing = true;
        self.peer.close();
        self.shared.parted.cancel();
        true
    }
}

/// The peer connection ended, and the session with it.
fn transport_closed(reason: &str) -> SessionError {
    SessionError {
        code: ErrorCode::NO_ERROR,
        reason: reason.to_owned(),
        fault: Fault::Peer,
    }
}

impl Drop for Driver {
    /// A driver that is dropped before its end, with its task for instance, leaves nobody waiting.
    fn drop(&mut self) {
        self.shared.parted.cancel();
        self.shared
            .lock()
            .end(transport_closed("the connection was dropped"));
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
