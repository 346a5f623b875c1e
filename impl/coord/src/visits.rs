//! Visits: from the offer to the end of their signaling.

use crate::Limits;
use crate::agents::{Command, LinkId, Reached};
use bytes::Bytes;
use p2claw_identity::SessionId;
use p2claw_proto::v1::{Candidate, VisitAnswer, VisitEnd, VisitEvent, visit_event::Kind};
use p2claw_signaling::SignalCode;
use p2claw_signaling::candidate::IceCandidate;
use p2claw_signaling::event_stream;
use p2claw_signaling::limits::MAX_CANDIDATES;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// Events of one visit that wait for its visitor: an answer, all candidates that are allowed, and
/// the end. It is never full, so nothing waits for a visitor that does not read.
const EVENTS: usize = MAX_CANDIDATES + 2;

/// News from the agent that wait for the visit's task.
const NEWS: usize = 32;

/// What happens to a visit.
#[derive(Debug)]
pub(crate) enum News {
    Answer(VisitAnswer),
    Candidate(IceCandidate),
    End(SignalCode, String),
    /// The visitor has given up.
    GivenUp,
}

/// Why news did not reach a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Undelivered {
    NoSuchVisit,
    Limit,
}

#[derive(Debug)]
struct Entry {
    link: LinkId,
    news: mpsc::Sender<News>,
    commands: mpsc::Sender<Command>,
    visitor_candidates: usize,
}

/// All visits whose signaling is not over.
#[derive(Debug, Default)]
pub(crate) struct Visits {
    entries: Mutex<BTreeMap<SessionId, Entry>>,
}

impl Visits {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<SessionId, Entry>> {
        // Entries are whole at any time, so a panic elsewhere does no harm to them.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a visit of a reached agent. The task must be run for the visit to go on; the
    /// receiver is the body of the visitor's response.
    pub(crate) fn enter(
        self: &Arc<Self>,
        session_id: SessionId,
        reached: Reached,
        place: OwnedSemaphorePermit,
    ) -> (VisitTask, mpsc::Receiver<Bytes>) {
        let (news, received) = mpsc::channel(NEWS);
        let (events, body) = mpsc::channel(EVENTS);
        let entry = Entry {
            link: reached.link,
            news,
            commands: reached.commands.clone(),
            visitor_candidates: 0,
        };
        self.lock().insert(session_id, entry);
        let task = VisitTask {
            visits: Arc::clone(self),
            session_id,
            news: received,
            events,
            agent: reached.commands,
            link_ended: reached.ended,
            candidates: 0,
            early: Vec::new(),
            answered: false,
            _places: [place, reached.place],
        };
        (task, body)
    }

    /// Brings news from an agent's link to one of its own visits.
    pub(crate) fn tell(
        &self,
        session_id: SessionId,
        link: LinkId,
        news: News,
    ) -> Result<(), Undelivered> {
        let entries = self.lock();
        let entry = entries
            .get(&session_id)
            .filter(|entry| entry.link == link)
            .ok_or(Undelivered::NoSuchVisit)?;
        entry.news.try_send(news).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Undelivered::Limit,
            mpsc::error::TrySendError::Closed(_) => Undelivered::NoSuchVisit,
        })
    }

    /// Passes candidates of the visitor on to the agent (SIG-021).
    pub(crate) fn update(
        &self,
        session_id: SessionId,
        candidates: Vec<IceCandidate>,
    ) -> Result<(), Undelivered> {
        let mut entries = self.lock();
        let entry = entries
            .get_mut(&session_id)
            .ok_or(Undelivered::NoSuchVisit)?;
        // Nothing to pass on, and nothing that would count against a limit.
        if candidates.is_empty() {
            return Ok(());
        }
        if entry.visitor_candidates + candidates.len() > MAX_CANDIDATES {
            return Err(Undelivered::Limit);
        }
        entry.visitor_candidates += candidates.len();
        entry
            .commands
            .try_send(Command::Candidates(session_id, candidates))
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => Undelivered::Limit,
                mpsc::error::TrySendError::Closed(_) => Undelivered::NoSuchVisit,
            })
    }

    /// The visitor gives up (SIG-028).
    pub(crate) fn give_up(&self, session_id: SessionId) -> Result<(), Undelivered> {
        let entries = self.lock();
        let entry = entries.get(&session_id).ok_or(Undelivered::NoSuchVisit)?;
        entry
            .news
            .try_send(News::GivenUp)
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => Undelivered::Limit,
                mpsc::error::TrySendError::Closed(_) => Undelivered::NoSuchVisit,
            })
    }
}

/// One visit on its way; dropping it takes the visit out.
#[derive(Debug)]
pub(crate) struct VisitTask {
    visits: Arc<Visits>,
    session_id: SessionId,
    news: mpsc::Receiver<News>,
    events: mpsc::Sender<Bytes>,
    agent: mpsc::Sender<Command>,
    link_ended: CancellationToken,
    candidates: usize,
    /// Candidates that came before the answer, which must be first (SIG-018).
    early: Vec<IceCandidate>,
    answered: bool,
    _places: [OwnedSemaphorePermit; 2],
}

impl Drop for VisitTask {
    fn drop(&mut self) {
        self.visits.lock().remove(&self.session_id);
    }
}

impl VisitTask {
    /// Runs until the signaling is over. Every wait in here has a limit.
    pub(crate) async fn run(mut self, limits: Limits, shutdown: CancellationToken) {
        let mut deadline = Instant::now() + limits.answer;
        loop {
            tokio::select! {
                // What the agent has sent counts, even if its link ended right after it.
                biased;
                () = self.events.closed() => {
                    self.tell_agent(SignalCode::Ok, "the visitor has closed the stream");
                    return;
                }
                news = self.news.recv() => match news {
                    Some(News::Answer(answer)) if !self.answered => {
                        self.answered = true;
                        deadline = Instant::now() + limits.after_answer;
                        self.send(Kind::Answer(answer));
                        for candidate in std::mem::take(&mut self.early) {
                            self.send(candidate_event(candidate));
                        }
                    }
                    Some(News::Answer(_)) => {
                        tracing::debug!(session = %self.session_id, "second answer ignored");
                    }
                    Some(News::Candidate(candidate)) => self.on_candidate(candidate),
                    Some(News::End(code, reason)) => return self.end(code, reason),
                    Some(News::GivenUp) => {
                        self.tell_agent(SignalCode::Ok, "the visitor has given up");
                        return self.end(SignalCode::Ok, "the visitor has given up");
                    }
                    // The sender lives in the table for as long as this task.
                    None => return,
                },
                () = self.link_ended.cancelled() => {
                    return self.end(SignalCode::AgentOffline, "the agent's link has ended");
                }
                () = shutdown.cancelled() => {
                    return self.end(SignalCode::ShuttingDown, "the service is about to stop");
                }
                () = sleep_until(deadline) => {
                    let (code, reason) = if self.answered {
                        (SignalCode::Ok, "signaling is over")
                    } else {
                        (SignalCode::AgentTimeout, "the agent did not answer in time")
                    };
                    self.tell_agent(code, reason);
                    return self.end(code, reason);
                }
            }
        }
    }

    fn on_candidate(&mut self, candidate: IceCandidate) {
        if self.candidates == MAX_CANDIDATES {
            tracing::debug!(session = %self.session_id, "candidate above the limit ignored");
            return;
        }
        self.candidates += 1;
        if self.answered {
            self.send(candidate_event(candidate));
        } else {
            self.early.push(candidate);
        }
    }

    fn end(&self, code: SignalCode, reason: impl Into<String>) {
        tracing::debug!(session = %self.session_id, code = code.as_str_name(), "visit ended");
        self.send(Kind::End(VisitEnd {
            session_id: Bytes::copy_from_slice(self.session_id.as_bytes()),
            code: code.into(),
            reason: reason.into(),
        }));
    }

    fn send(&self, kind: Kind) {
        let event = VisitEvent { kind: Some(kind) };
        // Full it cannot be, and closed means that the visitor is gone, which the loop notices.
        let _ = self.events.try_send(event_stream::encode(&event));
    }

    fn tell_agent(&self, code: SignalCode, reason: &'static str) {
        let command = Command::EndVisit(self.session_id, code, reason);
        if self.agent.try_send(command).is_err() {
            tracing::debug!(session = %self.session_id, "the agent was not told of the end");
        }
    }
}

fn candidate_event(candidate: IceCandidate) -> Kind {
    Kind::Candidate(Candidate {
        // The stream belongs to one visit, which the visitor knows by its location.
        session_id: Bytes::new(),
        candidate: candidate.as_str().to_owned(),
        sdp_mid: candidate.sdp_mid().to_owned(),
    })
}

#[cfg(test)]
mod tests;
