//! The one session of all local requests.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use tokio::time::Instant;

use crate::{Address, Visit, Visitor, VisitorError};

/// How long a failed visit answers for those that would follow at once.
const FAILURE_HOLDS: Duration = Duration::from_secs(1);

type Attempt = Shared<BoxFuture<'static, Result<Arc<Visit>, VisitorError>>>;

/// Opens a visit when one is needed, and another one when it has ended.
#[derive(Debug)]
pub(super) struct SharedVisit {
    visitor: Arc<Visitor>,
    address: Address,
    state: Mutex<State>,
}

enum State {
    None,
    /// Whoever asks now waits for the same one.
    Visiting(Attempt),
    Open(Arc<Visit>),
    Failed(VisitorError, Instant),
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Visiting(_) => "Visiting",
            Self::Open(_) => "Open",
            Self::Failed(..) => "Failed",
        })
    }
}

impl SharedVisit {
    pub(super) fn new(visitor: Arc<Visitor>, address: Address) -> Arc<Self> {
        Arc::new(Self {
            visitor,
            address,
            state: Mutex::new(State::None),
        })
    }

    /// The session, or a new one where there is none.
    pub(super) async fn get(self: &Arc<Self>) -> Result<Arc<Visit>, VisitorError> {
        let attempt = {
            let mut state = self.state();
            match &*state {
                State::Open(visit) if visit.over().is_none() => return Ok(Arc::clone(visit)),
                State::Failed(error, at) if at.elapsed() < FAILURE_HOLDS => {
                    return Err(error.clone());
                }
                State::Visiting(attempt) => attempt.clone(),
                State::None | State::Open(_) | State::Failed(..) => {
                    let attempt = self.attempt();
                    *state = State::Visiting(attempt.clone());
                    attempt
                }
            }
        };
        attempt.await
    }

    /// A visit of its own task: it comes about also when the first one who asked has gone.
    fn attempt(self: &Arc<Self>) -> Attempt {
        let shared = Arc::clone(self);
        let visiting = tokio::spawn(async move {
            let visit = shared.visitor.visit(&shared.address).await.map(Arc::new);
            *shared.state() = match &visit {
                Ok(visit) => State::Open(Arc::clone(visit)),
                Err(error) => {
                    tracing::debug!(%error, "no session");
                    State::Failed(error.clone(), Instant::now())
                }
            };
            visit
        });
        let visit = async move {
            match visiting.await {
                Ok(visit) => visit,
                Err(error) => Err(VisitorError::System(Arc::new(std::io::Error::other(error)))),
            }
        };
        visit.boxed().shared()
    }

    /// A session that takes no further streams: the next request opens another one, while what
    /// runs in this one goes on.
    pub(super) fn retire(&self, visit: &Arc<Visit>) {
        let mut state = self.state();
        if matches!(&*state, State::Open(current) if Arc::ptr_eq(current, visit)) {
            *state = State::None;
        }
    }

    /// Ends the session, if there is one.
    pub(super) async fn close(&self) {
        let state = std::mem::replace(&mut *self.state(), State::None);
        if let State::Open(visit) = state {
            visit.close().await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
