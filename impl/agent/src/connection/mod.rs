//! A session bound to a peer: the sans-IO engine gets its clock, its lanes and its wakers.
//!
//! [`connect`] gives a [`Driver`], which is the task that moves frames, and a [`Connection`],
//! through which streams are opened and answered. Streams work on the session directly, under
//! one lock held for no longer than a call; no body byte passes through a channel.

mod driver;
mod messages;
mod network;
mod opening;
mod statistics;
mod streams;

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Instant,
};

use bytes::Bytes;
pub use driver::Driver;
use futures_util::task::AtomicWaker;
pub(crate) use messages::{Ending, StreamWatch};
pub use messages::{Message, MessageReceiver, MessageSender};
pub use network::PathView;
use p2claw_session::{
    Config, ErrorCode, Event, LaneId, OpenError, PeerSettings, Request, Response, Role, Session,
    SessionError, StreamId,
};
use statistics::Meter;
pub use statistics::{Stage, Statistics, Traffic};
pub use streams::{Exchange, Incoming, RecvBody, SendBody, StreamError};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::transport::Peer;

/// Binds a session in `role` to `peer`. Nothing happens until the driver is polled.
#[must_use]
pub fn connect(role: Role, config: Config, peer: Box<dyn Peer>) -> (Connection, Driver) {
    let now = tokio::time::Instant::now().into_std();
    let shared = Arc::new(Shared {
        state: Mutex::new(State {
            session: Session::new(role, config, now),
            incoming: VecDeque::new(),
            accepting: None,
            slots: BTreeMap::new(),
            settings: None,
            gathered: network::Gathered::default(),
            opening: opening::Opening::default(),
            finishing: None,
            hangs_up: false,
            ended: None,
            received: Meter::new(now),
            sent: Meter::new(now),
            answered: Arc::new(Notify::new()),
        }),
        driver: AtomicWaker::new(),
        path: watch::Sender::new(PathView::default()),
        parted: CancellationToken::new(),
    });
    (
        Connection {
            shared: Arc::clone(&shared),
        },
        Driver::new(shared, role, peer),
    )
}

/// The streams of one session. Clones are the same session.
#[derive(Clone)]
pub struct Connection {
    shared: Arc<Shared>,
}

impl Connection {
    /// Opens a stream, as a visitor.
    ///
    /// # Errors
    /// When the session is over or going away, or has as many streams as the agent allows.
    pub fn open(&self, request: Request) -> Result<Exchange, OpenError> {
        let ended = request.end;
        let id = self.shared.with(|state| state.open(request))?;
        Ok(Exchange::new(&self.shared, id, ended))
    }

    /// Sends no longer messages than the other end's description allows (`RTC-007`).
    pub fn limit_messages(&self, bytes: usize) {
        self.shared.look(|state| state.session.limit_frames(bytes));
    }

    /// Waits for the next request, as an agent. `None`: the session is over.
    pub async fn accept(&self) -> Option<Incoming> {
        std::future::poll_fn(|cx| self.poll_accept(cx)).await
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<Option<Incoming>> {
        let next = self.shared.look(|state| {
            if let Some(request) = state.incoming.pop_front() {
                return Poll::Ready(Some(request));
            }
            if state.ended.is_some() {
                return Poll::Ready(None);
            }
            state.accepting = Some(cx.waker().clone());
            Poll::Pending
        });
        next.map(|next| next.map(|(id, request)| Incoming::new(&self.shared, id, request)))
    }

    /// The other end's settings, once its HELLO is here.
    #[must_use]
    pub fn peer_settings(&self) -> Option<PeerSettings> {
        self.shared.look(|state| state.settings.clone())
    }

    /// Takes no further streams (`GOAWAY`), and ends the session once those that run are done and
    /// their last bytes have left.
    pub fn finish(&self, reason: &str) {
        self.shared.with(|state| {
            state.session.go_away();
            state.finishing.get_or_insert_with(|| reason.to_owned());
        });
    }

    /// Ends the session and every stream of it now.
    pub fn close(&self, code: ErrorCode, reason: &str) {
        self.shared.with(|state| state.session.close(code, reason));
    }

    /// Waits no longer for the other end of a session that is over to acknowledge its last message:
    /// the transport tells it of the end, and the driver ends.
    pub fn hang_up(&self) {
        self.shared.with(|state| state.hangs_up = true);
    }

    /// Waits until the last message of a session that is over is with the transport.
    pub async fn parted(&self) {
        self.shared.parted.cancelled().await;
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

pub(crate) struct Shared {
    state: Mutex<State>,
    driver: AtomicWaker,
    path: watch::Sender<PathView>,
    /// The transport has the last message of a session that is over, or there is no driver.
    parted: CancellationToken,
}

/// Everything per stream goes with the stream; the session bounds their number.
pub(crate) struct State {
    session: Session,
    /// Requests that nobody accepted yet; at most `max_streams`.
    incoming: VecDeque<(StreamId, Request)>,
    accepting: Option<Waker>,
    slots: BTreeMap<StreamId, Slot>,
    settings: Option<PeerSettings>,
    gathered: network::Gathered,
    opening: opening::Opening,
    /// The reason to close for, once the session is drained.
    finishing: Option<String>,
    /// Nobody waits for acknowledgements any more.
    hangs_up: bool,
    ended: Option<SessionError>,
    received: Meter,
    sent: Meter,
    /// Tells those who measure that the PONG came, or that none will.
    answered: Arc<Notify>,
}

/// What the session has told of a stream and its halves have not asked for yet. The session
/// forgets a stream once it is over; its halves may look later.
#[derive(Default)]
struct Slot {
    reader: Option<Waker>,
    writer: Option<Waker>,
    /// Waits for the end of the stream, beside both halves.
    watcher: Option<Waker>,
    /// Bounded by the session: a few 1xx and one final.
    responses: VecDeque<Response>,
    reset: Option<(ErrorCode, String)>,
    stopped: Option<ErrorCode>,
    /// The peer gave up its half.
    cut: bool,
}

impl Shared {
    /// Reads the state, or leaves a waker in it: nothing that the driver would have to send.
    fn look<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.lock())
    }

    /// Works on the state, then lets the driver send what came of it.
    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        let result = work(&mut self.lock());
        self.driver.wake();
        result
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Hands the session's events to whoever waits for them.
    fn dispatch(&mut self) {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Connected(settings) => self.settings = Some(settings),
                Event::Request { id, request } => {
                    self.slots.insert(id, Slot::default());
                    self.incoming.push_back((id, request));
                    wake(self.accepting.take());
                }
                Event::Response { id, response } => {
                    self.slot(id, |slot| {
                        slot.responses.push_back(response);
                        slot.reader.take()
                    });
                }
                Event::Readable(id) => self.slot(id, |slot| {
                    wake(slot.watcher.take());
                    slot.reader.take()
                }),
                Event::Writable(id) => self.slot(id, |slot| slot.writer.take()),
                Event::Stopped { id, code } => self.slot(id, |slot| {
                    slot.stopped = Some(code);
                    wake(slot.watcher.take());
                    slot.writer.take()
                }),
                Event::Reset { id, code, reason } => self.slot(id, |slot| {
                    slot.reset = Some((code, reason));
                    slot.cut = true;
                    wake(slot.watcher.take());
                    slot.reader.take()
                }),
                Event::GoAway { .. } => {}
                Event::Closed(error) => self.end(error),
            }
        }
    }

    /// Notes something of a stream that somebody holds, and wakes whom `note` names.
    fn slot(&mut self, id: StreamId, note: impl FnOnce(&mut Slot) -> Option<Waker>) {
        if let Some(slot) = self.slots.get_mut(&id) {
            wake(note(slot));
        }
    }

    fn end(&mut self, error: SessionError) {
        if self.ended.is_none() {
            self.ended = Some(error);
        }
        for slot in self.slots.values_mut() {
            wake(slot.reader.take());
            wake(slot.writer.take());
            wake(slot.watcher.take());
        }
        wake(self.accepting.take());
        self.answered.notify_waiters();
        self.opening.end();
    }

    /// Takes a message of the other end, and counts it.
    fn take(&mut self, now: Instant, lane: LaneId, message: Bytes) {
        self.received.add(now, message.len());
        let measuring = self.session.is_measuring();
        // An error queues the frame that says so, and ends the session.
        if let Err(error) = self.session.handle_message(now, lane, message) {
            tracing::debug!(%error, "session failed");
            self.end(error);
        }
        if measuring && !self.session.is_measuring() {
            self.answered.notify_waiters();
        }
        self.dispatch();
        self.opening.room();
    }

    /// The next frame for a lane, counted.
    fn give(&mut self, now: Instant, lane: LaneId) -> Option<Bytes> {
        let frame = self.session.poll_transmit(lane)?;
        self.sent.add(now, frame.len());
        Some(frame)
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
