//! A session bound to a peer: the sans-IO engine gets its clock, its lanes and its wakers.
//!
//! [`connect`] gives a [`Driver`], which is the task that moves frames, and a [`Connection`],
//! through which streams are opened and answered. Streams work on the session directly, under
//! one lock held for no longer than a call; no body byte passes through a channel.

mod driver;
mod streams;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

pub use driver::Driver;
use futures_util::task::AtomicWaker;
use p2claw_session::{
    Config, ErrorCode, Event, OpenError, PeerSettings, Request, Response, Role, Session,
    SessionError, StreamId,
};
pub use streams::{Exchange, Incoming, RecvBody, SendBody, StreamError};

use crate::transport::{Path, Peer};

/// Binds a session in `role` to `peer`. Nothing happens until the driver is polled.
#[must_use]
pub fn connect(role: Role, config: Config, peer: Box<dyn Peer>) -> (Connection, Driver) {
    let now = tokio::time::Instant::now().into_std();
    let shared = Arc::new(Shared {
        state: Mutex::new(State {
            session: Session::new(role, config, now),
            incoming: VecDeque::new(),
            accepting: None,
            readers: BTreeMap::new(),
            writers: BTreeMap::new(),
            responses: BTreeMap::new(),
            settings: None,
            path: None,
            ended: None,
        }),
        driver: AtomicWaker::new(),
    });
    (Connection { shared: Arc::clone(&shared) }, Driver::new(shared, peer))
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
        let id = self.shared.with(|state| {
            let id = state.session.open(request)?;
            state.responses.insert(id, VecDeque::new());
            Ok::<_, OpenError>(id)
        })?;
        Ok(Exchange::new(&self.shared, id, ended))
    }

    /// Waits for the next request, as an agent. `None`: the session is over.
    pub async fn accept(&self) -> Option<Incoming> {
        std::future::poll_fn(|cx| self.poll_accept(cx)).await
    }

    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<Option<Incoming>> {
        let next = self.shared.with(|state| {
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
        self.shared.with(|state| state.settings.clone())
    }

    /// The addresses in use.
    #[must_use]
    pub fn path(&self) -> Option<Path> {
        self.shared.with(|state| state.path)
    }

    /// Takes no further streams; those that run may finish (`GOAWAY`).
    pub fn go_away(&self) {
        self.shared.with(|state| state.session.go_away());
    }

    /// Ends the session and every stream of it now.
    pub fn close(&self, code: ErrorCode, reason: &str) {
        self.shared.with(|state| state.session.close(code, reason));
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
}

/// Everything per stream goes with the stream; the session bounds their number.
pub(crate) struct State {
    session: Session,
    /// Requests that nobody accepted yet; at most `max_streams`.
    incoming: VecDeque<(StreamId, Request)>,
    accepting: Option<Waker>,
    readers: BTreeMap<StreamId, Waker>,
    writers: BTreeMap<StreamId, Waker>,
    responses: BTreeMap<StreamId, VecDeque<Response>>,
    settings: Option<PeerSettings>,
    path: Option<Path>,
    ended: Option<SessionError>,
}

impl Shared {
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
                    self.incoming.push_back((id, request));
                    wake(self.accepting.take());
                }
                Event::Response { id, response } => {
                    if let Some(queue) = self.responses.get_mut(&id) {
                        queue.push_back(response);
                    }
                    wake(self.readers.remove(&id));
                }
                Event::Readable(id) => wake(self.readers.remove(&id)),
                Event::Writable(id) => wake(self.writers.remove(&id)),
                Event::Stopped { id, .. } => wake(self.writers.remove(&id)),
                Event::Reset { id, .. } => {
                    wake(self.readers.remove(&id));
                }
                Event::GoAway { .. } => {}
                Event::Closed(error) => self.end(error),
            }
        }
    }

    fn end(&mut self, error: SessionError) {
        if self.ended.is_none() {
            self.ended = Some(error);
        }
        for waker in std::mem::take(&mut self.readers).into_values() {
            waker.wake();
        }
        for waker in std::mem::take(&mut self.writers).into_values() {
            waker.wake();
        }
        wake(self.accepting.take());
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
