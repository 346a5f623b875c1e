//! Visits of real services: coord, edge and agent on loopback, with the transport in memory or
//! over str0m.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod app;
mod nonces;
mod proxy;
mod refusals;
mod restarts;
mod services;
mod tls;
mod visits;
mod world;

use std::time::Duration;

use tokio::time::timeout;

/// Longer than any step takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

async fn within<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work)
        .await
        .unwrap_or_else(|_| panic!("nothing happened within 20 s"))
}
