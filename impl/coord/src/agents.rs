//! Which agents have a link at this moment.

use crate::Limits;
use p2claw_identity::{Alias, AppName, HostLabel, SessionId};
use p2claw_signaling::SignalCode;
use p2claw_signaling::bucket::Bucket;
use p2claw_signaling::candidate::IceCandidate;
use p2claw_signaling::visitor::CheckedRequest;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Commands that wait for one link. A link drains them faster than visits may come; where it does
/// not, its agent is stuck and further visits are refused.
pub(crate) const COMMANDS: usize = 64;

/// What a visit wants from an agent's link.
#[derive(Debug)]
pub(crate) enum Command {
    /// Boxed, for the queue of every idle link has room for many of these.
    Offer(Box<Offer>),
    Candidates(SessionId, Vec<IceCandidate>),
    EndVisit(SessionId, SignalCode, &'static str),
}

#[derive(Debug)]
pub(crate) struct Offer {
    pub(crate) session_id: SessionId,
    pub(crate) label: HostLabel,
    pub(crate) request: CheckedRequest,
}

/// One link, for as long as it is registered.
#[derive(Debug)]
struct Entry {
    link: LinkId,
    commands: mpsc::Sender<Command>,
    apps: BTreeSet<AppName>,
    places: Arc<Semaphore>,
    bucket: Bucket,
    replaced: CancellationToken,
    ended: CancellationToken,
}

/// Tells links apart that have had the same alias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LinkId(u64);

/// The way to an agent that takes a visit.
#[derive(Debug)]
pub(crate) struct Reached {
    pub(crate) link: LinkId,
    pub(crate) commands: mpsc::Sender<Command>,
    /// Cancelled once the link has ended.
    pub(crate) ended: CancellationToken,
    pub(crate) place: OwnedSemaphorePermit,
}

/// Why an agent cannot be visited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreached {
    /// No link; whether the alias exists is for the registry to say.
    NoLink,
    /// The agent has no such app.
    NoApp,
    /// Too many visits.
    Limit,
}

/// All agents with a link.
#[derive(Debug)]
pub(crate) struct Agents {
    next: AtomicU64,
    entries: Mutex<BTreeMap<Alias, Entry>>,
}

impl Agents {
    pub(crate) fn new() -> Self {
        Self {
            next: AtomicU64::new(1),
            entries: Mutex::new(BTreeMap::new()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Alias, Entry>> {
        // Entries are whole at any time, so a panic elsewhere does no harm to them.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a link. An older one of the same alias is told that it was replaced (SIG-009).
    pub(crate) fn enter(
        self: &Arc<Self>,
        alias: Alias,
        commands: mpsc::Sender<Command>,
        limits: &Limits,
    ) -> Entered {
        let link = LinkId(self.next.fetch_add(1, Ordering::Relaxed));
        let replaced = CancellationToken::new();
        let ended = CancellationToken::new();
        let places = usize::try_from(limits.visits_per_agent).unwrap_or(usize::MAX);
        let entry = Entry {
            link,
            commands,
            apps: BTreeSet::new(),
            places: Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))),
            bucket: limits.agent_rate.bucket(),
            replaced: replaced.clone(),
            ended: ended.clone(),
        };
        if let Some(older) = self.lock().insert(alias.clone(), entry) {
            older.replaced.cancel();
        }
        Entered {
            agents: Arc::clone(self),
            alias,
            link,
            replaced,
            ended,
        }
    }

    /// Looks for an agent that takes one more visit of this app.
    pub(crate) fn reach(&self, label: &HostLabel) -> Result<Reached, Unreached> {
        let mut entries = self.lock();
        let entry = entries.get_mut(label.alias()).ok_or(Unreached::NoLink)?;
        if !entry.apps.contains(label.app()) {
            return Err(Unreached::NoApp);
        }
        if !entry.bucket.take(Instant::now().into_std()) {
            return Err(Unreached::Limit);
        }
        let place = Arc::clone(&entry.places)
            .try_acquire_owned()
            .map_err(|_| Unreached::Limit)?;
        Ok(Reached {
            link: entry.link,
            commands: entry.commands.clone(),
            ended: entry.ended.clone(),
            place,
        })
    }

    /// How many agents have a link.
    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }
}

/// An entered link; dropping it takes it out again.
#[derive(Debug)]
pub(crate) struct Entered {
    agents: Arc<Agents>,
    alias: Alias,
    link: LinkId,
    replaced: CancellationToken,
    ended: CancellationToken,
}

impl Entered {
    pub(crate) fn alias(&self) -> &Alias {
        &self.alias
    }

    pub(crate) fn link(&self) -> LinkId {
        self.link
    }

    /// Cancelled once a newer link has the alias.
    pub(crate) fn replaced(&self) -> &CancellationToken {
        &self.replaced
    }

    /// Sets the apps that can be visited.
    pub(crate) fn set_apps(&self, apps: Vec<AppName>) {
        if let Some(entry) = self.agents.lock().get_mut(&self.alias)
            && entry.link == self.link
        {
            entry.apps = apps.into_iter().collect();
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.ended.cancel();
        let mut entries = self.agents.lock();
        if entries
            .get(&self.alias)
            .is_some_and(|entry| entry.link == self.link)
        {
            entries.remove(&self.alias);
        }
    }
}
