//! Signaling of one visit, or of one restart: the offer goes out, the answer is checked, candidates
//! go both ways.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use p2claw_identity::SessionId;
use p2claw_signaling::{
    SignalCode,
    candidate::IceCandidate,
    limits::MAX_CANDIDATES,
    registry::limit::ANSWER,
    visitor::{VisitCheck, VisitError, VisitorEvent},
};
use tokio::time::{Instant, sleep_until};

use crate::{
    error::ServiceError,
    signaling::{OpenVisit, Signaling, plain},
};

/// What coord gives an agent to answer (SIG-016), and a little more for the way.
const ANSWER_DEADLINE: Duration = ANSWER.saturating_add(Duration::from_secs(3));

/// Candidates that are found within this time travel together.
const BATCH: Duration = Duration::from_millis(15);

/// Why an introduction is over before it has done its part.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The service, or what it says of the agent.
    Service(ServiceError),
    /// A check failed, or the agent's answer makes no sense.
    Check(VisitError),
    /// No answer came in time.
    Silence,
}

/// How far the offer has come.
enum Stage {
    Posting(BoxFuture<'static, Result<OpenVisit, ServiceError>>),
    Open(OpenVisit),
    /// The service has ended it, or was never reached.
    Over,
}

/// One introduction under way. It makes progress only while [`Introduction::next`] is awaited.
pub(crate) struct Introduction {
    signaling: Arc<Signaling>,
    check: VisitCheck,
    stage: Stage,
    session_id: Option<SessionId>,
    /// Own candidates that have not left; at most [`MAX_CANDIDATES`] in all.
    waiting: Vec<IceCandidate>,
    told: usize,
    /// When those that wait leave.
    flush: Option<Instant>,
    telling: Option<BoxFuture<'static, ()>>,
    /// Until when the answer may come; `None` once it is there.
    deadline: Option<Instant>,
}

impl Introduction {
    /// Sends the offer of `check`, at the first [`Introduction::next`].
    pub(crate) fn begin(signaling: &Arc<Signaling>, check: VisitCheck) -> Self {
        let client = Arc::clone(signaling);
        let request = check.request();
        Self {
            signaling: Arc::clone(signaling),
            check,
            stage: Stage::Posting(Box::pin(async move { client.visit(request).await })),
            session_id: None,
            waiting: Vec::new(),
            told: 0,
            flush: None,
            telling: None,
            deadline: Some(Instant::now() + ANSWER_DEADLINE),
        }
    }

    /// The name that coord has given it.
    pub(crate) fn session_id(&self) -> Option<SessionId> {
        self.session_id
    }

    /// What was offered and answered, for a restart.
    pub(crate) fn check(&self) -> &VisitCheck {
        &self.check
    }

    /// Passes on a candidate of this end; `None`: there are no more (RTC-011).
    pub(crate) fn tell(&mut self, candidate: Option<&str>) {
        let candidate = match candidate {
            None => IceCandidate::end(),
            // There is one media section, and its name does not matter (SIG-013).
            Some(text) => match IceCandidate::parse(text, "0") {
                Ok(candidate) => candidate,
                Err(error) => {
                    tracing::debug!(%error, "own candidate left out");
                    return;
                }
            },
        };
        if self.told == MAX_CANDIDATES {
            return;
        }
        self.told += 1;
        self.waiting.push(candidate);
        self.flush.get_or_insert_with(|| Instant::now() + BATCH);
    }

    /// What comes next of the agent; `None` once signaling is over behind an answer (SIG-018). A
    /// caller that stops waiting loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Option<VisitorEvent>, Failure> {
        let result = self.step().await;
        match &result {
            Ok(Some(_)) => return result,
            // It is for this end to say that nothing comes of it.
            Err(Failure::Check(_) | Failure::Silence) => return result,
            Ok(None) | Err(Failure::Service(_)) => self.stage = Stage::Over,
        }
        match result {
            // What proved its key needs nobody to introduce it any more.
            Err(Failure::Service(error)) if self.deadline.is_none() => {
                tracing::debug!(%error, "signaling is over");
                Ok(None)
            }
            result => result,
        }
    }

    async fn step(&mut self) -> Result<Option<VisitorEvent>, Failure> {
        loop {
            self.start_telling();
            tokio::select! {
                biased;
                () = at(self.deadline) => return Err(Failure::Silence),
                () = told(&mut self.telling) => self.telling = None,
                () = at(self.flush), if self.telling.is_none() && self.session_id.is_some() => {}
                moved = advance(&mut self.stage) => match moved.map_err(Failure::Service)? {
                    Moved::Open(visit) => {
                        self.session_id = Some(visit.session_id);
                        self.stage = Stage::Open(visit);
                    }
                    Moved::Event(event) => {
                        let event = self.check.handle(event, self.signaling.unix_millis());
                        match event.map_err(Failure::Check)? {
                            // A kind of a later version.
                            None => {}
                            Some(VisitorEvent::End { code, reason }) => return self.ended(code, &reason),
                            Some(event) => {
                                self.deadline = None;
                                return Ok(Some(event));
                            }
                        }
                    }
                    Moved::End if self.deadline.is_none() => return Ok(None),
                    Moved::End => return Err(Failure::Service(ServiceError::Unreachable(
                        "it hung up before the answer".to_owned(),
                    ))),
                },
            }
        }
    }

    /// Behind an answer only signaling ends (SIG-018).
    fn ended(&self, code: SignalCode, reason: &str) -> Result<Option<VisitorEvent>, Failure> {
        if self.deadline.is_none() {
            return Ok(None);
        }
        Err(Failure::Service(ServiceError::Refused {
            code,
            detail: plain(reason),
        }))
    }

    /// Sends the candidates that wait, where their time has come and the last ones are out.
    fn start_telling(&mut self) {
        let due = self.flush.is_some_and(|flush| flush <= Instant::now());
        let (Some(session_id), true, true) = (self.session_id, due, self.telling.is_none()) else {
            return;
        };
        self.flush = None;
        let candidates = std::mem::take(&mut self.waiting);
        let signaling = Arc::clone(&self.signaling);
        self.telling = Some(Box::pin(async move {
            signaling.tell(session_id, candidates).await;
        }));
    }

    /// Tells coord that nothing comes of it (SIG-028). Where its name is not known yet, the end of
    /// the request says so.
    pub(crate) async fn give_up(self) {
        if let (Some(session_id), Stage::Open(_)) = (self.session_id, &self.stage) {
            self.signaling.give_up(session_id).await;
        }
    }
}

enum Moved {
    Open(OpenVisit),
    Event(p2claw_proto::v1::VisitEvent),
    End,
}

async fn advance(stage: &mut Stage) -> Result<Moved, ServiceError> {
    match stage {
        Stage::Posting(posting) => posting.await.map(Moved::Open),
        Stage::Open(visit) => Ok(match visit.next().await? {
            Some(event) => Moved::Event(event),
            None => Moved::End,
        }),
        Stage::Over => Ok(Moved::End),
    }
}

async fn told(telling: &mut Option<BoxFuture<'static, ()>>) {
    match telling {
        Some(telling) => telling.await,
        None => std::future::pending().await,
    }
}

/// Waits until then; for ever where there is no such moment.
pub(crate) async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}
