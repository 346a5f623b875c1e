//! The coordination service: it registers agents, gives them aliases, and introduces visitors to
//! them. App traffic never passes through it (spec/v1/signaling.md).
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use p2claw_signaling::address::PublicAddress;
//! use tokio_util::sync::CancellationToken;
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8788").await?;
//! let public = PublicAddress {
//!     scheme: "http".into(),
//!     parent: "localhost".into(),
//!     port: Some(8787),
//! };
//! let config = p2claw_coord::Config::new("127.0.0.1:8788", public);
//! p2claw_coord::run(listener, config, CancellationToken::new()).await?;
//! # Ok(())
//! # }
//! ```

mod agents;
mod clock;
mod http_api;
mod ice;
mod link;
mod listener;
pub mod registry;
mod serve;
mod visits;

pub use crate::clock::{RandomSource, WallClock};
pub use crate::listener::Listener;
use crate::registry::{EmbeddedRegistry, MemoryRegistry, Registry, RegistryError};
use p2claw_signaling::address::PublicAddress;
use p2claw_signaling::bucket::Bucket;
use p2claw_signaling::limits;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How a coordination service is set up.
#[derive(Debug, Clone)]
pub struct Config {
    /// The names that registrations are bound to: host, and port if it has one, under which agents
    /// reach this service (spec IDN-009). An agent is told the one that its request names in
    /// `Host`, and the first where that is none of them.
    pub domains: Vec<String>,
    /// Under which addresses apps are reached.
    pub public: PublicAddress,
    /// STUN servers for agents and visitors, as `stun:` URLs.
    pub stun: Vec<String>,
    /// The relay that credentials are issued for.
    pub relay: Option<RelayConfig>,
    /// Where aliases are kept. `None` keeps them in memory, and forgets them.
    pub database: Option<PathBuf>,
    /// What is allowed.
    pub limits: Limits,
    /// What time it is.
    pub clock: WallClock,
    /// What nobody can guess.
    pub random: RandomSource,
}

impl Config {
    /// No STUN, no relay, nothing kept on disk, usual limits.
    #[must_use]
    pub fn new(domain: impl Into<String>, public: PublicAddress) -> Self {
        Self {
            domains: vec![domain.into()],
            public,
            stun: Vec::new(),
            relay: None,
            database: None,
            limits: Limits::default(),
            clock: WallClock::default(),
            random: RandomSource::default(),
        }
    }
}

/// A TURN relay that shares a secret with this service.
#[derive(Clone)]
pub struct RelayConfig {
    /// Its `turn:` or `turns:` URLs.
    pub urls: Vec<String>,
    /// The shared secret (coturn: `static-auth-secret`).
    pub secret: Vec<u8>,
}

impl std::fmt::Debug for RelayConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RelayConfig")
            .field("urls", &self.urls)
            .finish_non_exhaustive()
    }
}

/// What one coordination service allows.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Open TCP connections that are no agent links.
    pub connections: usize,
    /// Agent links, registered or not. An idle one costs a few KiB.
    pub agents: usize,
    /// Apps that one agent may announce.
    pub routes: u32,
    /// Visits that may be open for one agent at a time.
    pub visits_per_agent: u32,
    /// Visits that may be open at a time.
    pub visits: usize,
    /// Visits that one agent may be offered: at once, and each second for ever.
    pub agent_rate: Rate,
    /// Visits and requests for ICE servers: at once, and each second for ever.
    pub total_rate: Rate,
    /// How often agents send a heartbeat; three that fail to come end a link.
    pub heartbeat: Duration,
    /// How long registration may take.
    pub handshake: Duration,
    /// How long an agent may take to answer an offer.
    pub answer: Duration,
    /// How long a visit's stream stays open after the answer.
    pub after_answer: Duration,
    /// How old the relay's credentials of an agent become before it gets newer ones; less than an
    /// hour, after which they end.
    pub renewal: Duration,
    /// How long a shutdown may take.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            agents: 50_000,
            routes: 64,
            visits_per_agent: 256,
            visits: 10_000,
            // A page that is opened in a few dozen tabs, and a busy app after that.
            agent_rate: Rate {
                burst: 100,
                per_second: 10,
            },
            total_rate: Rate {
                burst: 2_000,
                per_second: 500,
            },
            heartbeat: limits::HEARTBEAT,
            handshake: limits::HANDSHAKE,
            answer: limits::ANSWER,
            after_answer: limits::VISIT_AFTER_ANSWER,
            renewal: limits::TURN_RENEWAL,
            drain: Duration::from_secs(5),
        }
    }
}

/// How often something may happen.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// At once.
    pub burst: u32,
    /// Each second for ever.
    pub per_second: u32,
}

impl Rate {
    fn bucket(self) -> Bucket {
        Bucket::per_second(
            self.burst,
            self.per_second,
            tokio::time::Instant::now().into_std(),
        )
    }
}

/// Why a coordination service did not start or had to stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CoordError {
    /// The registry cannot be used.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The configuration cannot be used.
    #[error("use the configuration: {0}")]
    Config(&'static str),
}

/// A coordination service that can serve: configuration checked, registry open.
#[derive(Debug)]
pub struct Service {
    config: Config,
    registry: Arc<dyn Registry>,
}

impl Service {
    /// Checks the configuration and opens the registry.
    ///
    /// # Errors
    /// When the registry cannot be opened or the configuration makes no sense.
    pub async fn prepare(config: Config) -> Result<Self, CoordError> {
        let nameless = config.domains.is_empty() || config.domains.iter().any(String::is_empty);
        if nameless || config.public.parent.is_empty() {
            return Err(CoordError::Config("domain and parent must not be empty"));
        }
        // Agents are told whole seconds, and 0 would mean "the default" to them.
        if config.limits.heartbeat < Duration::from_secs(1) {
            return Err(CoordError::Config("the heartbeat must be at least 1 s"));
        }
        if config.limits.renewal.is_zero() {
            return Err(CoordError::Config("the renewal must not be zero"));
        }
        let registry: Arc<dyn Registry> = match &config.database {
            Some(path) => Arc::new(EmbeddedRegistry::open(path.clone()).await?),
            None => Arc::new(MemoryRegistry::new()),
        };
        Ok(Self { config, registry })
    }

    /// Serves until `shutdown`, and then for at most [`Limits::drain`]. The caller owns the socket
    /// and the signal.
    pub async fn serve(self, listener: impl Listener, shutdown: CancellationToken) {
        serve::serve(listener, self.config, self.registry, shutdown).await;
    }
}

/// [`Service::prepare`] and [`Service::serve`].
///
/// # Errors
/// When the registry cannot be opened or the configuration makes no sense.
pub async fn run(
    listener: impl Listener,
    config: Config,
    shutdown: CancellationToken,
) -> Result<(), CoordError> {
    Service::prepare(config)
        .await?
        .serve(listener, shutdown)
        .await;
    Ok(())
}
