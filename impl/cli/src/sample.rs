//! The sample app of `p2claw demo`: a shared recipe board, and things to try a connection with.
//!
//! An ordinary HTTP server on loopback. Like every upstream it does not know that p2claw exists,
//! so whatever works here through the tunnel works for other people's apps as well.

mod assets;
mod board;
mod noise;
mod probes;

#[cfg(test)]
mod tests;

use std::future::IntoFuture as _;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use board::Board;

/// How long running responses may take to end once the shutdown has begun.
const DRAIN: Duration = Duration::from_secs(2);

/// Serves the sample app on `listener` until `shutdown` is cancelled.
pub(crate) async fn serve(
    listener: TcpListener,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    // A small event must not wait for the acknowledgement of the one before it (Nagle).
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "the sample app could not set TCP_NODELAY");
        }
    });
    let server = axum::serve(listener, router(&shutdown))
        .with_graceful_shutdown(shutdown.clone().cancelled_owned());
    let deadline = async {
        shutdown.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        result = server.into_future() => result,
        () = deadline => Ok(()),
    }
}

fn router(shutdown: &CancellationToken) -> Router {
    assets::routes()
        .merge(board::routes(Board::with_recipes(), shutdown.clone()))
        .merge(probes::routes(shutdown.clone()))
        .fallback(assets::not_found)
}

/// Unix time in milliseconds.
fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
}
