//! A session gets a new path when its own is lost or leads through a relay since a moment, and when
//! its machine has moved (spec/v1/signaling.md, "Restarts").

use std::{sync::Arc, time::Duration};

use p2claw_agent::{
    registry::limit::{DETOUR_EVERY, DETOUR_REPEATS, RESTART_AFTER, RESTART_EVERY},
    transport::CandidateKind,
};
use p2claw_identity::SessionId;
use p2claw_signaling::{SignalCode, visitor::VisitCheck};
use tokio::time::Instant;

use super::{Course, State, servers};
use crate::{VisitorError, introduction::Introduction};

/// Attempts to leave a relay; then it is taken for the best there is (RTC-019).
const DETOUR_ATTEMPTS: u32 = 1 + DETOUR_REPEATS;

/// How often the machine's addresses are compared with the one that the path uses.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The visit that set the session up or restarted it last (SIG-043).
pub(super) struct LastVisit {
    check: VisitCheck,
    session_id: SessionId,
}

impl LastVisit {
    pub(super) fn of(introduction: Option<&Introduction>) -> Option<Self> {
        let introduction = introduction?;
        Some(Self {
            check: introduction.check().clone(),
            session_id: introduction.session_id()?,
        })
    }
}

/// What a restart is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// Nothing arrives.
    Lost,
    /// The path's address is no longer this machine's.
    Moved,
    /// A direct path has given way to a relay, which is tried to be left so many times more.
    Relayed { attempts: u32 },
}

/// A session that can be restarted.
pub(super) struct Running {
    pub(super) last_visit: LastVisit,
    /// When the next restart is due, and what for.
    pub(super) restart: Option<(Instant, Cause)>,
    /// There was a direct path, and no restart has looked for another one since.
    was_direct: bool,
    /// When signaling that goes on beside the session has done its part.
    pub(super) settled: Option<Instant>,
    /// When the machine's addresses are looked at next.
    pub(super) look: Instant,
}

impl Running {
    /// A session that has just been opened; its signaling goes on until `settled`.
    pub(super) fn new(last_visit: LastVisit, settled: Instant) -> Self {
        Self {
            last_visit,
            restart: None,
            was_direct: false,
            settled: Some(settled),
            look: Instant::now() + LOOK_EVERY,
        }
    }

    /// The agent has taken part in a restart.
    pub(super) fn answered(&mut self, last_visit: LastVisit, settled: Instant) {
        self.last_visit = last_visit;
        self.settled = Some(settled);
        // What there is of direct paths is found now, or there is none.
        self.stay_relayed();
    }

    /// No restart looks for a direct path any more.
    pub(super) fn stay_relayed(&mut self) {
        self.was_direct = false;
        self.restart = self
            .restart
            .filter(|(_, cause)| !matches!(cause, Cause::Relayed { .. }));
    }
}

impl Course {
    /// A path that comes back by itself needs no restart, unless it comes back through a relay: then
    /// the other end has moved, and from there it may be reached directly as well.
    pub(super) fn look_at_path(&mut self) {
        let view = *self.path.borrow_and_update();
        let State::Open(running) = &mut self.state else {
            return;
        };
        let is_relayed = view.path.is_some_and(|path| path.is_relayed());
        running.restart = match view.lost_since {
            Some(lost) => Some((lost + RESTART_AFTER, Cause::Lost)),
            None if is_relayed && running.was_direct => {
                let attempts = DETOUR_ATTEMPTS;
                Some((Instant::now() + RESTART_AFTER, Cause::Relayed { attempts }))
            }
            None => {
                running.was_direct = !is_relayed;
                None
            }
        };
    }

    /// A machine that has moved to another network need not wait until its packets are missed
    /// (RTC-019).
    pub(super) fn look_at_addresses(&mut self) {
        let State::Open(running) = &mut self.state else {
            return;
        };
        running.look = Instant::now() + LOOK_EVERY;
        let path = self.path.borrow().path;
        let own = path.filter(|path| path.local_kind == CandidateKind::Host);
        let (Some(path), Ok(addresses)) = (own, self.visitor.config.network.addresses()) else {
            return;
        };
        if !addresses.contains(&path.local.ip()) && running.restart.is_none() {
            tracing::debug!("the address of the path is no longer this machine's");
            running.restart = Some((Instant::now(), Cause::Moved));
        }
    }

    /// Looks for a new path, and goes on looking until there is one or the session ends (SES-063).
    pub(super) fn restart(&mut self) {
        let State::Open(running) = &mut self.state else {
            return;
        };
        let Some((_, cause)) = running.restart else {
            return;
        };
        running.restart = match cause {
            Cause::Lost | Cause::Moved => Some((Instant::now() + RESTART_EVERY, cause)),
            Cause::Relayed { attempts } => (attempts > 1).then(|| {
                let attempts = attempts - 1;
                (Instant::now() + DETOUR_EVERY, Cause::Relayed { attempts })
            }),
        };
        let LastVisit { check, session_id } = &running.last_visit;
        let check = self
            .driver
            .restart()
            .map_err(|error| error.to_string())
            .and_then(|offer| {
                let nonce = self.visitor.nonce().map_err(|error| error.to_string())?;
                let check = check.restart(*session_id, nonce, offer);
                check.map_err(|error| error.to_string())
            });
        match check {
            Ok(check) => {
                tracing::debug!(session = %session_id, ?cause, "restarting ICE");
                self.signaling = Arc::new(self.signaling.anew());
                self.introduction = Some(Introduction::begin(&self.signaling, check));
                running.settled = None;
                // Credentials of relays end after an hour.
                self.servers = Some(servers(&self.signaling));
                self.gathered = false;
            }
            Err(error) => tracing::debug!(error, "no restart"),
        }
    }
}

/// Whether the agent said that there is no such session any more.
pub(super) fn is_gone(error: &VisitorError) -> bool {
    matches!(error, VisitorError::Refused { code, .. } if *code == SignalCode::NoSuchVisit)
}
