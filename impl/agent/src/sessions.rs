//! The visits that run, as the local API shows them.

use std::{
    collections::HashMap,
    fmt,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use p2claw_identity::{AppName, SessionId};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout};

use crate::{
    connection::{Connection, Stage, Statistics},
    transport::{CandidateKind, Path},
};

/// How long the answers to PINGs are waited for; a slower path is shown with what it had before.
const MEASURE_DEADLINE: Duration = Duration::from_secs(1);

/// One session, as the local API shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SessionStatus {
    /// The session's id, 32 hex digits.
    pub id: String,
    /// The app that it is for.
    pub app: String,
    /// Seconds since the agent has answered the visitor.
    pub age_seconds: f64,
    /// How it stands.
    pub state: SessionState,
    /// For how many seconds there has been no path, where there is none.
    pub path_lost_seconds: Option<f64>,
    /// What it goes through, once there is something.
    pub path: Option<PathStatus>,
    /// From a PING to its PONG, in milliseconds: the last one, with the queues on its way.
    pub round_trip_ms: Option<f64>,
    /// The shortest one so far, in milliseconds.
    pub least_round_trip_ms: Option<f64>,
    /// Bytes of frames from the visitor.
    pub bytes_in: u64,
    /// Bytes of frames to the visitor.
    pub bytes_out: u64,
    /// Bytes a second from the visitor, over the last 1.5 to 2 s.
    pub in_per_second: u64,
    /// Bytes a second to the visitor, over the last 1.5 to 2 s.
    pub out_per_second: u64,
    /// Requests that run now, WebSockets among them.
    pub streams: usize,
    /// WebSockets that are open now.
    pub websockets: usize,
    /// Requests since the session began, WebSockets among them.
    pub requests: u64,
    /// The visitor's program, in its own words.
    pub software: String,
}

/// How a session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionState {
    /// The visitor was answered and has not been heard yet.
    Connecting,
    /// Frames get through.
    Connected,
    /// They do not at present; it may heal (`SES-063`).
    PathLost,
    /// It takes no further requests, or is over.
    Ending,
}

/// Whether a third party stands between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PathKind {
    /// From machine to machine, through whatever NATs.
    Direct,
    /// Through a TURN relay, of whichever end.
    Relayed,
}

/// The pair of candidates in use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathStatus {
    /// Direct or not.
    pub kind: PathKind,
    /// What this end's address is: `host`, `srflx` or `relay` (RFC 8839 section 5.1).
    pub local: String,
    /// What the visitor's address is: the same, or `prflx`.
    pub remote: String,
    /// This end's address, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_address: Option<SocketAddr>,
    /// The visitor's address, where it was asked for (SEC-006).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote_address: Option<SocketAddr>,
}

impl PathStatus {
    fn new(path: &Path, addresses: bool) -> Self {
        let kind = if path.is_relayed() {
            PathKind::Relayed
        } else {
            PathKind::Direct
        };
        let word = |kind: CandidateKind| kind.as_str().to_owned();
        Self {
            kind,
            local: word(path.local_kind),
            remote: word(path.remote_kind),
            local_address: addresses.then_some(path.local),
            remote_address: addresses.then_some(path.remote),
        }
    }
}

/// The visits that run; coord's limit on visits bounds them.
#[derive(Debug, Default)]
pub struct Sessions(Mutex<HashMap<SessionId, Arc<Running>>>);

#[derive(Debug)]
struct Running {
    app: AppName,
    began: Instant,
    requests: AtomicU64,
    connection: Connection,
}

/// A visit's place among the [`Sessions`], until it is dropped.
pub(crate) struct Shown {
    sessions: Arc<Sessions>,
    id: SessionId,
    running: Arc<Running>,
}

impl Sessions {
    /// Shows a visit that begins now.
    pub(crate) fn enter(
        self: &Arc<Self>,
        id: SessionId,
        app: AppName,
        connection: Connection,
    ) -> Shown {
        let running = Arc::new(Running {
            app,
            began: Instant::now(),
            requests: AtomicU64::new(0),
            connection,
        });
        self.lock().insert(id, Arc::clone(&running));
        Shown {
            sessions: Arc::clone(self),
            id,
            running,
        }
    }

    /// Measures the round trips of all of them at the same time, each with one PING.
    pub(crate) async fn measure(&self) {
        let connections: Vec<Connection> = {
            let running = self.lock();
            running.values().map(|one| one.connection.clone()).collect()
        };
        let measured = join_all(connections.iter().map(Connection::measure));
        let _ = timeout(MEASURE_DEADLINE, measured).await;
    }

    /// All of them, the oldest first.
    pub(crate) fn list(&self, addresses: bool) -> Vec<SessionStatus> {
        let now = Instant::now();
        let mut running: Vec<(SessionId, Arc<Running>)> = {
            let running = self.lock();
            let entries = running.iter();
            entries.map(|(id, one)| (*id, Arc::clone(one))).collect()
        };
        running.sort_by_key(|(id, one)| (one.began, *id.as_bytes()));
        let statuses = running.iter();
        statuses
            .map(|(id, one)| one.status(*id, now, addresses))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<Running>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    fn status(&self, id: SessionId, now: Instant, addresses: bool) -> SessionStatus {
        let Statistics {
            stage,
            path,
            round_trip,
            received,
            sent,
            streams,
            websockets,
        } = self.connection.statistics();
        let (state, lost) = match stage {
            Stage::Connecting => (SessionState::Connecting, None),
            Stage::Connected => (SessionState::Connected, None),
            Stage::PathLost(time) => (SessionState::PathLost, Some(time.as_secs_f64())),
            Stage::Ending => (SessionState::Ending, None),
        };
        let software = self
            .connection
            .peer_settings()
            .map_or_else(String::new, |settings| settings.software);
        // Microseconds are the last digits that mean anything.
        let millis = |time: Duration| (time.as_secs_f64() * 1_000_000.0).round() / 1_000.0;
        let age = now.saturating_duration_since(self.began);
        SessionStatus {
            id: id.to_string(),
            app: self.app.to_string(),
            age_seconds: (age.as_secs_f64() * 1_000.0).round() / 1_000.0,
            state,
            path_lost_seconds: lost,
            path: path.map(|path| PathStatus::new(&path, addresses)),
            round_trip_ms: round_trip.map(|measured| millis(measured.latest)),
            least_round_trip_ms: round_trip.map(|measured| millis(measured.least)),
            bytes_in: received.bytes,
            bytes_out: sent.bytes,
            in_per_second: received.per_second,
            out_per_second: sent.per_second,
            streams,
            websockets,
            requests: self.requests.load(Ordering::Relaxed),
            // ERR-006: a stranger's words.
            software: software.replace(char::is_control, " "),
        }
    }
}

impl Shown {
    /// One more request.
    pub(crate) fn count_request(&self) {
        self.running.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// Requests so far.
    pub(crate) fn requests(&self) -> u64 {
        self.running.requests.load(Ordering::Relaxed)
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.sessions.lock().remove(&self.id);
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shown").field(&self.id).finish()
    }
}
