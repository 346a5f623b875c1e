//! A service under test.

use crate::PARENT;
use p2claw_coord::{Config, CoordError, Limits, RelayConfig, run};
use p2claw_signaling::address::PublicAddress;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// The domain that registrations are bound to in these tests.
pub(crate) const DOMAIN: &str = "coord.example";

/// A running service; it is shut down and must end in time.
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), CoordError>>,
}

pub(crate) fn config() -> Config {
    let public = PublicAddress {
        scheme: "https".into(),
        parent: PARENT.into(),
        port: Some(8443),
    };
    let mut config = Config::new(DOMAIN, public);
    config.stun = vec!["stun:stun.example:3478".into()];
    config.relay = Some(RelayConfig {
        urls: vec!["turn:relay.example:3478".into()],
        secret: b"north".to_vec(),
    });
    config
}

/// Limits of the specification with shorter times.
pub(crate) fn hasty() -> Limits {
    Limits {
        answer: Duration::from_secs(1),
        after_answer: Duration::from_millis(1_500),
        handshake: Duration::from_secs(1),
        drain: Duration::from_secs(2),
        ..Limits::default()
    }
}

impl Service {
    pub(crate) async fn start() -> Self {
        Self::with(config()).await
    }

    pub(crate) async fn with_limits(limits: Limits) -> Self {
        let mut config = config();
        config.limits = limits;
        Self::with(config).await
    }

    pub(crate) async fn with_database(path: PathBuf) -> Self {
        let mut config = config();
        config.database = Some(path);
        Self::with(config).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(run(listener, config, shutdown.clone()));
        Self {
            address,
            shutdown,
            task,
        }
    }

    /// Tells the service to stop, without waiting for it.
    pub(crate) fn begin_stop(&self) {
        self.shutdown.cancel();
    }

    /// Stops it, and insists on its deadline.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        timeout(Duration::from_secs(8), self.task)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }
}
