//! The edge: the web server behind every public address.
//!
//! It serves the same static bootstrap for all of them, forwards signaling to coord, and knows
//! nothing of the apps (spec/v1/browser.md, "Duties of the edge").
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use tokio_util::sync::CancellationToken;
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8787").await?;
//! let config = p2claw_edge::Config::new("http://127.0.0.1:8788".parse()?, "localhost");
//! p2claw_edge::run(listener, config, CancellationToken::new()).await?;
//! # Ok(())
//! # }
//! ```

mod assets;
mod dial;
mod forward;
mod listener;
mod pages;
mod serve;
mod service;
mod tls;

pub use tls::TlsFiles;

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

pub use dial::{ByteStream, Dial, Dialling};
use http::Uri;
pub use listener::Listener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// What an edge is told.
#[derive(Debug, Clone)]
pub struct Config {
    /// Coord's address: `http://host:port`.
    pub coord: Uri,
    /// How it is reached.
    pub dial: Dial,
    /// The domain that the host labels stand under, lower case.
    pub parent: String,
    /// Certificate for `*.<parent>`; plain HTTP without it.
    pub tls: Option<TlsFiles>,
    /// What is allowed.
    pub limits: Limits,
}

impl Config {
    /// Plain HTTP, for a trial on one machine or behind a TLS terminator.
    #[must_use]
    pub fn new(coord: Uri, parent: impl Into<String>) -> Self {
        Self {
            coord,
            dial: Dial::default(),
            parent: parent.into(),
            tls: None,
            limits: Limits::default(),
        }
    }
}

/// What one edge allows.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at a time. Each costs a few tens of KiB; more wait in the listener's queue.
    pub connections: usize,
    /// TLS handshake.
    pub handshake: Duration,
    /// HTTP/1: from the start of a connection, or the end of its last answer, to the end of a
    /// request's head.
    pub head: Duration,
    /// A connection without a new request for so long is told to end once its answers are out, and
    /// is cut off after the same time again. The longest answer is the stream of a visit, which
    /// coord ends earlier.
    pub quiet: Duration,
    /// HTTP/2: how often a silent peer is asked whether it is there, and how long it has to say so.
    pub keep_alive: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 8192,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(10),
            quiet: Duration::from_secs(120),
            keep_alive: Duration::from_secs(20),
        }
    }
}

/// Why an edge could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    /// Coord's address is of no use.
    #[error("use the coord address {0}: give http://host:port")]
    BadCoord(Uri),
    /// A certificate or key file is of no use.
    #[error("load {path}: {reason}", path = .path.display())]
    Tls {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// An edge that can serve: configuration checked, certificate loaded.
pub struct Service {
    tls: Option<TlsAcceptor>,
    edge: Arc<service::Edge>,
    limits: Limits,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").finish_non_exhaustive()
    }
}

impl Service {
    /// Checks the configuration and loads the certificate.
    ///
    /// # Errors
    /// When the configuration is of no use.
    pub fn prepare(config: Config) -> Result<Self, EdgeError> {
        let tls = config.tls.as_ref().map(tls::acceptor).transpose()?;
        let limits = config.limits;
        let edge = service::Edge::new(config)?;
        Ok(Self { tls, edge, limits })
    }

    /// Serves until `shutdown`, then lets running exchanges end for at most 3 s.
    pub async fn serve(self, listener: impl Listener, shutdown: CancellationToken) {
        serve::serve(listener, self.tls, self.edge, self.limits, shutdown).await;
    }
}

/// [`Service::prepare`] and [`Service::serve`].
///
/// # Errors
/// When the configuration is of no use.
pub async fn run(
    listener: impl Listener,
    config: Config,
    shutdown: CancellationToken,
) -> Result<(), EdgeError> {
    Service::prepare(config)?.serve(listener, shutdown).await;
    Ok(())
}
