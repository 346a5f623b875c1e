//! The task of one visit: introduction, session, and restarts of ICE while the session lives.
//!
//! ```text
//!              answer that proves the key      lane 0 carries
//!  introducing ─────────────────────────> connecting ─────────> open <──> path lost, restarting
//!       └─────────────────────────────────────┴──> over <────────┴─────────────────┘
//! ```

mod restart;

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;
use p2claw_agent::registry::limit::RELAY_SEARCH;
use p2claw_agent::{
    connection::{self, Connection, Driver, PathView},
    transport::Peer,
};
use p2claw_identity::PeerId;
use p2claw_proto::v1::IceServer;
use p2claw_session::{Config, ErrorCode, Role, SessionError};
use p2claw_signaling::{
    SignalCode,
    registry::limit,
    visitor::{VisitCheck, VisitError, VisitorEvent},
};
use tokio::{
    sync::{oneshot, watch},
    time::{Instant, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use self::restart::{LastVisit, Running, is_gone};
use crate::{
    Address, Visit, Visitor, VisitorError,
    error::{ChangedKey, ServiceError},
    introduction::{Failure, Introduction, at},
    signaling::Signaling,
    visit::Timings,
};

/// No stack gives up its search for a path sooner.
const NO_PATH: Duration = Duration::from_secs(5);

/// From the answer to the first lane. What takes longer than this does not come any more.
const CONNECT_DEADLINE: Duration = Duration::from_secs(20);

/// Longest that signaling goes on beside the session, for candidates of a better path (SIG-030).
const SETTLE: Duration = limit::SETTLE;

/// The same while the path is not known to be the best: behind a restart, or through a relay. For as
/// long are direct pairs checked (RTC-022), and a slow machine may learn late of its own.
const SETTLE_SEARCH: Duration = limit::SETTLE_SEARCH;
const _: () = assert!(SETTLE_SEARCH.as_millis() >= RELAY_SEARCH.as_millis());

/// How long the last words of a visit that failed may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A visit that is being set up.
pub(crate) struct Setup {
    outcome: oneshot::Receiver<Result<PeerId, VisitorError>>,
    address: Address,
    connection: Connection,
    timings: Arc<Mutex<Timings>>,
    ended: watch::Receiver<Option<SessionError>>,
    task: AbortOnDropHandle<()>,
}

impl Setup {
    /// Waits until streams can be opened.
    pub(crate) async fn opened(self) -> Result<Visit, VisitorError> {
        let peer_id = match self.outcome.await {
            Ok(outcome) => outcome?,
            // The runtime ends.
            Err(_) => {
                return Err(VisitorError::System(Arc::new(std::io::Error::other(
                    "visit: the task of the visit was ended",
                ))));
            }
        };
        Ok(Visit {
            address: self.address,
            peer_id,
            connection: self.connection,
            timings: self.timings,
            ended: self.ended,
            _task: self.task,
        })
    }
}

/// What the task works with.
pub(crate) struct Course {
    visitor: Arc<Visitor>,
    address: Address,
    signaling: Arc<Signaling>,
    connection: Connection,
    driver: Driver,
    path: watch::Receiver<PathView>,
    /// Signaling, for as long as it is needed.
    introduction: Option<Introduction>,
    /// The servers to gather with, on their way.
    servers: Option<BoxFuture<'static, Option<Vec<IceServer>>>>,
    /// There will be no more candidates of this end, as far as it knows without the servers.
    gathered: bool,
    state: State,
    timings: Arc<Mutex<Timings>>,
    began: Instant,
}

enum State {
    Introducing,
    Connecting(Connecting),
    Open(Running),
}

/// An agent that has proved who it is, and no lane yet.
struct Connecting {
    peer_id: PeerId,
    answered: Instant,
    last_visit: LastVisit,
    /// The key on its way to the file; the one that stands comes back.
    keeping: Option<BoxFuture<'static, Result<PeerId, VisitorError>>>,
}

/// Something happened that ends the visit.
enum End {
    /// Before the session was open.
    Failed(VisitorError),
    /// The session is over.
    Over(SessionError),
}

impl Course {
    /// Starts the task.
    pub(crate) fn begin(
        visitor: Arc<Visitor>,
        address: Address,
        signaling: Arc<Signaling>,
        (check, peer): (VisitCheck, Box<dyn Peer>),
        servers: AbortOnDropHandle<Option<Vec<IceServer>>>,
        timings: Timings,
        session: Config,
    ) -> Setup {
        let (connection, driver) = connection::connect(Role::Visitor, session, peer);
        let timings = Arc::new(Mutex::new(timings));
        let (ended, watch_end) = watch::channel(None);
        let (tell, outcome) = oneshot::channel();
        let course = Self {
            path: connection.watch_path(),
            introduction: Some(Introduction::begin(&signaling, check)),
            servers: Some(Box::pin(async move { servers.await.unwrap_or_default() })),
            gathered: false,
            state: State::Introducing,
            timings: Arc::clone(&timings),
            began: Instant::now(),
            visitor,
            address: address.clone(),
            signaling,
            connection: connection.clone(),
            driver,
        };
        let task = tokio::spawn(async move {
            let error = course.run(tell).await;
            ended.send_replace(Some(error));
        });
        Setup {
            outcome,
            address,
            connection,
            timings,
            ended: watch_end,
            task: AbortOnDropHandle::new(task),
        }
    }

    async fn run(mut self, tell: oneshot::Sender<Result<PeerId, VisitorError>>) -> SessionError {
        let mut tell = Some(tell);
        loop {
            match self.step().await {
                Ok(None) => {}
                Ok(Some(peer_id)) => {
                    if let Some(tell) = tell.take() {
                        // Nobody waits any more: the handle is dropped, and this task with it.
                        let _ = tell.send(Ok(peer_id));
                    }
                }
                Err(End::Over(error)) => {
                    if let Some(tell) = tell.take() {
                        let _ = tell.send(Err(VisitorError::Ended(error.clone())));
                    }
                    return error;
                }
                Err(End::Failed(error)) => {
                    let reason = error.to_string();
                    self.fail().await;
                    if let Some(tell) = tell.take() {
                        let _ = tell.send(Err(error));
                    }
                    return SessionError {
                        code: ErrorCode::NO_ERROR,
                        reason,
                        fault: p2claw_session::Fault::Own,
                    };
                }
            }
        }
    }

    /// Waits for one thing to happen, and does what it takes. `Some`: the session is open now.
    async fn step(&mut self) -> Result<Option<PeerId>, End> {
        let (mut keeping, mut connecting) = (None, None);
        let (mut restart, mut settled, mut look) = (None, None, None);
        let mut may_open = false;
        match &mut self.state {
            State::Introducing => {}
            State::Connecting(state) => {
                may_open = state.keeping.is_none();
                keeping = state.keeping.as_mut();
                connecting = Some(state.answered + CONNECT_DEADLINE);
            }
            State::Open(running) => {
                restart = running.restart.map(|(due, _)| due);
                settled = running.settled;
                look = Some(running.look);
            }
        }
        tokio::select! {
            biased;
            ended = &mut self.driver => return Err(self.ended(ended)),
            () = self.connection.opened(), if may_open => return Ok(self.opened()),
            stands = pending_or(keeping) => self.kept(stands)?,
            event = next_of(self.introduction.as_mut()) => self.introduced(event)?,
            candidate = self.connection.next_candidate() => self.found(candidate.as_deref()),
            servers = pending_or(self.servers.as_mut()) => self.gather_with(servers.as_deref()),
            Ok(()) = self.path.changed() => self.look_at_path(),
            () = at(connecting) => return Err(End::Failed(VisitorError::NoPath {
                seconds: CONNECT_DEADLINE.as_secs(),
            })),
            () = at(restart) => self.restart(),
            () = at(look) => self.look_at_addresses(),
            () = at(settled) => {
                self.introduction = None;
                if let State::Open(running) = &mut self.state {
                    running.settled = None;
                }
            }
        }
        Ok(None)
    }

    /// The driver has ended: by the other end, or because ICE has given up.
    fn ended(&self, error: SessionError) -> End {
        match &self.state {
            State::Open(_) => End::Over(error),
            // A peer that closes before the first lane has found no path, if it took its time.
            State::Connecting(state)
                if error.code == ErrorCode::NO_ERROR && state.answered.elapsed() >= NO_PATH =>
            {
                End::Failed(VisitorError::NoPath {
                    seconds: state.answered.elapsed().as_secs(),
                })
            }
            State::Connecting(_) | State::Introducing => End::Failed(VisitorError::Ended(error)),
        }
    }

    /// Lane 0 carries messages.
    fn opened(&mut self) -> Option<PeerId> {
        let state = std::mem::replace(&mut self.state, State::Introducing);
        let State::Connecting(connecting) = state else {
            self.state = state;
            return None;
        };
        self.note(|timings| timings.connected = connecting.answered.elapsed());
        tracing::debug!(path = ?self.connection.path(), "visit open");
        let relayed = self.connection.path().is_some_and(|path| path.is_relayed());
        let settled = Instant::now() + if relayed { SETTLE_SEARCH } else { SETTLE };
        self.state = State::Open(Running::new(connecting.last_visit, settled));
        self.look_at_path();
        Some(connecting.peer_id)
    }

    /// The key is kept, or another one stands: another program has visited meanwhile, and met
    /// somebody else.
    fn kept(&mut self, stands: Result<PeerId, VisitorError>) -> Result<(), End> {
        let stands = stands.map_err(End::Failed)?;
        if let State::Connecting(connecting) = &mut self.state {
            connecting.keeping = None;
            let peer_id = connecting.peer_id;
            if stands != peer_id {
                return Err(End::Failed(self.changed_key(peer_id, Some(stands))));
            }
        }
        Ok(())
    }

    fn introduced(&mut self, event: Result<Option<VisitorEvent>, Failure>) -> Result<(), End> {
        match event {
            Ok(Some(VisitorEvent::Answer {
                sdp,
                peer_id,
                max_message,
            })) => return self.answered(&sdp, peer_id, max_message),
            Ok(Some(VisitorEvent::Candidate(candidate))) => {
                if !candidate.is_end() {
                    self.driver.add_candidate(candidate.as_str());
                }
            }
            Ok(Some(VisitorEvent::End { .. }) | None) => self.introduction = None,
            Err(failure) => {
                let error = self.explain(failure);
                let State::Open(running) = &mut self.state else {
                    return Err(End::Failed(error));
                };
                // A session that runs goes on without signaling (SIG-018).
                tracing::debug!(%error, "restart or late signaling failed");
                self.introduction = None;
                running.settled = None;
                if is_gone(&error) {
                    if self.path.borrow().lost_since.is_none() {
                        // Somebody says so of a session that is alive.
                        running.stay_relayed();
                        return Ok(());
                    }
                    self.connection
                        .close(ErrorCode::NO_ERROR, "the agent does not know the session");
                }
            }
        }
        Ok(())
    }

    /// The agent has proved who it is.
    fn answered(&mut self, sdp: &str, peer_id: PeerId, max_message: usize) -> Result<(), End> {
        let Some(last_visit) = LastVisit::of(self.introduction.as_ref()) else {
            return Ok(());
        };
        if let State::Open(running) = &mut self.state {
            // The check of a restart has made sure that it is the same agent (SIG-046).
            if let Err(error) = self.driver.accept_answer(sdp) {
                tracing::debug!(%error, "answer to the restart not taken");
            }
            running.answered(last_visit, Instant::now() + SETTLE_SEARCH);
            return Ok(());
        }
        self.driver
            .accept_answer(sdp)
            .map_err(|error| End::Failed(VisitorError::Transport(Arc::new(error))))?;
        self.connection.limit_messages(max_message);
        let (began, service) = (self.began, self.signaling.times());
        self.note(|timings| {
            timings.answer = began.elapsed();
            timings.service = service;
        });
        self.state = State::Connecting(Connecting {
            peer_id,
            answered: Instant::now(),
            last_visit,
            keeping: Some(self.keep(peer_id)),
        });
        Ok(())
    }

    /// Stores the key (IDN-020) while the path is looked for: a disk takes its time.
    fn keep(&self, peer_id: PeerId) -> BoxFuture<'static, Result<PeerId, VisitorError>> {
        let (visitor, origin) = (Arc::clone(&self.visitor), self.address.origin());
        if visitor.pins().file().is_none() {
            // Nothing blocks, and a simulated visit may not wait for a thread of the true time.
            let kept = visitor.pins().keep(&origin, peer_id);
            return Box::pin(std::future::ready(
                kept.map_err(|error| Arc::new(error).into()),
            ));
        }
        let keeping = tokio::task::spawn_blocking(move || visitor.pins().keep(&origin, peer_id));
        Box::pin(async move {
            match keeping.await {
                Ok(kept) => Ok(kept.map_err(Arc::new)?),
                Err(error) => Err(VisitorError::System(Arc::new(std::io::Error::other(error)))),
            }
        })
    }

    /// A candidate of this end.
    fn found(&mut self, candidate: Option<&str>) {
        self.gathered |= candidate.is_none();
        // Without the list of servers nobody knows what else there will be.
        if candidate.is_none() && self.servers.is_some() {
            return;
        }
        if let Some(introduction) = &mut self.introduction {
            introduction.tell(candidate);
        }
    }

    /// The servers are known. Without any, those of earlier visits stay.
    fn gather_with(&mut self, servers: Option<&[IceServer]>) {
        self.servers = None;
        if let Some(servers) = servers {
            self.visitor.config.transport.use_servers(servers);
        }
        if self.gathered && servers.is_none_or(<[_]>::is_empty) {
            self.found(None);
        }
    }

    fn explain(&self, failure: Failure) -> VisitorError {
        match failure {
            Failure::Service(ServiceError::Refused { code, detail }) => VisitorError::Refused {
                address: self.address.to_string(),
                code,
                detail,
            },
            Failure::Service(reason) => VisitorError::Service {
                origin: self.address.origin(),
                reason,
            },
            Failure::Check(VisitError::Statement(
                p2claw_identity::statement::StatementError::NotPinned { got, .. },
            )) => {
                let stored = self.visitor.pins().known(&self.address.origin());
                self.changed_key(got, stored.ok().flatten())
            }
            Failure::Check(error) => VisitorError::of_check(error),
            Failure::Silence => VisitorError::Refused {
                address: self.address.to_string(),
                code: SignalCode::AgentTimeout,
                detail: String::new(),
            },
        }
    }

    fn changed_key(&self, presented: PeerId, stored: Option<PeerId>) -> VisitorError {
        VisitorError::ChangedKey(Box::new(ChangedKey {
            origin: self.address.origin(),
            presented,
            link: self.address.pin(),
            stored,
            file: self.visitor.pins().file().map(Into::into),
        }))
    }

    /// Ends what was begun, as far as that takes no time.
    async fn fail(mut self) {
        let give_up = async {
            if let Some(introduction) = self.introduction.take() {
                introduction.give_up().await;
            }
        };
        self.connection
            .close(ErrorCode::NO_ERROR, "the visit failed");
        let said = timeout(LAST_WORDS, async {
            tokio::join!(give_up, Pin::new(&mut self.driver))
        });
        if said.await.is_err() {
            self.connection.hang_up();
            let _ = timeout(LAST_WORDS, Pin::new(&mut self.driver)).await;
        }
    }

    fn note(&self, change: impl FnOnce(&mut Timings)) {
        change(&mut self.timings.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn servers(signaling: &Arc<Signaling>) -> BoxFuture<'static, Option<Vec<IceServer>>> {
    let signaling = Arc::clone(signaling);
    Box::pin(async move { signaling.ice_servers().await })
}

async fn next_of(introduction: Option<&mut Introduction>) -> Result<Option<VisitorEvent>, Failure> {
    match introduction {
        Some(introduction) => introduction.next().await,
        None => std::future::pending().await,
    }
}

async fn pending_or<T>(work: Option<&mut BoxFuture<'static, T>>) -> T {
    match work {
        Some(work) => work.await,
        None => std::future::pending().await,
    }
}
