//! The visits that run, and the ways to them: by every session id that they go by.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use p2claw_identity::{Alias, AppName, Fingerprint, SessionId};
use p2claw_signaling::{
    SignalCode,
    agent_link::{VisitOffer, Welcome},
    bucket::Bucket,
    candidate::IceCandidate,
    registry::limit::{RESTART_BURST, RESTART_IDS, RESTART_INTERVAL},
};
use tokio::{sync::mpsc, task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::visit::{self, Host, Introduction, NEWS_QUEUE, News, Outgoing, Refusal, Restart};

/// The visits that run, and the way to each.
pub(crate) struct Visits {
    tasks: JoinSet<SessionId>,
    /// By the id of the visit that set the session up.
    running: HashMap<SessionId, Running>,
    /// Every id of every session, and the one that it began with.
    names: HashMap<SessionId, SessionId>,
}

/// One visit, as far as an offer to restart it has to fit.
struct Running {
    app: AppName,
    alias: Alias,
    visitor: Fingerprint,
    news: mpsc::Sender<News>,
    /// Coord passes on no answer to the visit that set the session up.
    unheard: CancellationToken,
    /// Ids of its restarts, the newest last.
    restarts: VecDeque<SessionId>,
    /// Restarts that may still be asked for.
    budget: Bucket,
}

impl Visits {
    pub(crate) fn new() -> Self {
        Self {
            tasks: JoinSet::new(),
            running: HashMap::new(),
            names: HashMap::new(),
        }
    }

    /// Answers an offer, in a task of its own or in that of the session which it restarts.
    pub(crate) fn start(
        &mut self,
        host: &Arc<Host>,
        shutdown: &CancellationToken,
        offer: VisitOffer,
        welcome: &Arc<Welcome>,
        outbox: mpsc::Sender<Outgoing>,
    ) {
        let session_id = offer.session_id;
        let started = match offer.restarts {
            Some(session) => self.restart(session, offer, &outbox),
            None => self.visit(host, shutdown, offer, welcome, &outbox),
        };
        if let Err(refusal) = started {
            tracing::info!(session = %session_id, code = ?refusal.code, reason = %refusal.reason, "visit refused");
            // No room for the refusal either: the visitor's own deadline tells him.
            let _ = outbox.try_send(Outgoing::Refuse(session_id, refusal));
        }
    }

    fn visit(
        &mut self,
        host: &Arc<Host>,
        shutdown: &CancellationToken,
        offer: VisitOffer,
        welcome: &Arc<Welcome>,
        outbox: &mpsc::Sender<Outgoing>,
    ) -> Result<(), Refusal> {
        let session_id = offer.session_id;
        let limit = usize::try_from(welcome.max_visits).unwrap_or(usize::MAX);
        if self.names.contains_key(&session_id) || self.tasks.len() >= limit {
            let reason = "this agent has as many visitors as it takes";
            return Err(Refusal::new(SignalCode::Limit, reason));
        }
        let (news, received) = mpsc::channel(NEWS_QUEUE);
        let unheard = CancellationToken::new();
        let running = Running {
            app: offer.app.clone(),
            alias: offer.alias.clone(),
            visitor: offer.visitor_fingerprint,
            news,
            unheard: unheard.clone(),
            restarts: VecDeque::new(),
            budget: Bucket::new(RESTART_BURST, RESTART_INTERVAL, Instant::now().into_std()),
        };
        self.running.insert(session_id, running);
        self.names.insert(session_id, session_id);
        let (host, welcome, shutdown) = (Arc::clone(host), Arc::clone(welcome), shutdown.clone());
        let introduction = Introduction::new(&offer, outbox.clone());
        self.tasks.spawn(async move {
            let answered = tokio::select! {
                biased;
                // Of an answer that nobody hears, no session comes.
                () = unheard.cancelled() => return session_id,
                answered = visit::answer(&host, &offer, &welcome) => answered,
            };
            match answered {
                Ok((answer, visit)) => {
                    let answer = Outgoing::Answer(answer);
                    // Without its link the visit is over (SIG-027).
                    if introduction.outbox.send(answer).await.is_ok() {
                        visit.run(host, introduction, received, shutdown).await;
                    }
                }
                Err(refusal) => {
                    tracing::info!(session = %session_id, code = ?refusal.code, reason = %refusal.reason, "visit refused");
                    let refusal = Outgoing::Refuse(session_id, refusal);
                    let _ = introduction.outbox.send(refusal).await;
                }
            }
            session_id
        });
        Ok(())
    }

    /// Brings an offer to the session that it restarts, if it is that visitor's (SIG-045). Whoever
    /// only knows a session id learns nothing: one code for all that does not fit.
    fn restart(
        &mut self,
        session: SessionId,
        offer: VisitOffer,
        outbox: &mpsc::Sender<Outgoing>,
    ) -> Result<(), Refusal> {
        let unknown = || {
            let reason = "this agent has no such session of this visitor";
            Refusal::new(SignalCode::NoSuchVisit, reason)
        };
        let session_id = offer.session_id;
        let taken = self.names.contains_key(&session_id);
        let first = self.names.get(&session).ok_or_else(unknown)?;
        let running = self.running.get_mut(first).ok_or_else(unknown)?;
        if running.visitor != offer.visitor_fingerprint
            || running.app != offer.app
            || running.alias != offer.alias
        {
            return Err(unknown());
        }
        let often = || Refusal::new(SignalCode::Limit, "this session was restarted too often");
        if taken || !running.budget.take(Instant::now().into_std()) {
            return Err(often());
        }
        let restart = Restart {
            introduction: Introduction::new(&offer, outbox.clone()),
            offer,
        };
        let news = News::Restart(Box::new(restart));
        running.news.try_send(news).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => often(),
            mpsc::error::TrySendError::Closed(_) => unknown(),
        })?;
        running.restarts.push_back(session_id);
        let forgotten = if running.restarts.len() > RESTART_IDS {
            running.restarts.pop_front()
        } else {
            None
        };
        let first = *first;
        self.names.insert(session_id, first);
        if let Some(forgotten) = forgotten {
            self.names.remove(&forgotten);
        }
        Ok(())
    }

    /// Passes on a candidate of the visitor.
    pub(crate) fn candidate(&self, session_id: SessionId, candidate: &IceCandidate) {
        if !candidate.is_end() {
            let candidate = candidate.as_str().to_owned();
            self.tell(session_id, News::Candidate(session_id, candidate));
        }
    }

    /// Coord passes on nothing more for this id. A session lives on without it; a visit that has
    /// none yet gets little time, and one that is not answered yet none.
    pub(crate) fn introduced(&self, session_id: SessionId) {
        if let Some(running) = self.running.get(&session_id) {
            running.unheard.cancel();
        }
        self.tell(session_id, News::Introduced(session_id));
    }

    fn tell(&self, session_id: SessionId, news: News) {
        let first = self.names.get(&session_id);
        if let Some(running) = first.and_then(|first| self.running.get(first)) {
            // A visitor with more candidates than that has had its chances.
            let _ = running.news.try_send(news);
        }
    }

    /// Forgets visits that ended; resolves when one did, never when there is none.
    pub(crate) async fn reap(&mut self) {
        match self.tasks.join_next().await {
            Some(Ok(session_id)) => {
                self.running.remove(&session_id);
            }
            Some(Err(error)) => {
                // A task that panicked takes its own visit with it and no other.
                tracing::error!(%error, "visit failed");
                self.running.retain(|_, visit| !visit.news.is_closed());
            }
            None => std::future::pending().await,
        }
        self.names
            .retain(|_, first| self.running.contains_key(first));
    }

    /// Waits for all visits to end.
    pub(crate) async fn drain(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

#[cfg(test)]
mod tests;
