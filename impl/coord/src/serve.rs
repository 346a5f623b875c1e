//! Connections in, and the orderly end of everything.

use crate::agents::Agents;
use crate::registry::Registry;
use crate::visits::Visits;
use crate::{Config, Listener, http_api};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use p2claw_signaling::bucket::Bucket;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long a connection may be idle or take to send a head. Longer than the 90 s after which an
/// edge gives up idle connections, so that an edge never sends into one that closes.
const HEAD: Duration = Duration::from_secs(120);
/// Longest head of a request, in bytes. Ours are a few hundred.
const HEAD_BYTES: usize = 32 * 1024;
/// How long to wait after a connection could not be accepted, for want of file handles mostly.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What all requests and links share.
#[derive(Debug)]
pub(crate) struct Coord {
    pub(crate) config: Config,
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) agents: Arc<Agents>,
    pub(crate) visits: Arc<Visits>,
    pub(crate) bucket: Mutex<Bucket>,
    pub(crate) link_places: Arc<Semaphore>,
    pub(crate) visit_places: Arc<Semaphore>,
    /// Links and visits.
    pub(crate) tasks: TaskTracker,
    /// Time to say goodbye.
    pub(crate) shutdown: CancellationToken,
    /// Time is over.
    pub(crate) abort: CancellationToken,
}

pub(crate) async fn serve(
    listener: impl Listener,
    config: Config,
    registry: Arc<dyn Registry>,
    shutdown: CancellationToken,
) {
    let places = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
    let limits = &config.limits;
    let connection_places = places(limits.connections);
    let drain = limits.drain;
    let coord = Arc::new(Coord {
        agents: Arc::new(Agents::new()),
        visits: Arc::new(Visits::default()),
        bucket: Mutex::new(limits.total_rate.bucket()),
        link_places: places(limits.agents),
        visit_places: places(limits.visits),
        tasks: TaskTracker::new(),
        shutdown: shutdown.clone(),
        abort: CancellationToken::new(),
        registry,
        config,
    });
    let service = TowerToHyperService::new(http_api::router(Arc::clone(&coord)));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            // The semaphore is never closed.
            Ok(place) = Arc::clone(&connection_places).acquire_owned() => tokio::select! {
                () = shutdown.cancelled() => break,
                accepted = listener.accept() => accepted.map(|stream| (stream, place)),
            },
        };
        while connections.try_join_next().is_some() {}
        let (stream, place) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "connection not accepted");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_buf_size(HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), service.clone())
            .with_upgrades();
        let shutdown = shutdown.clone();
        connections.spawn(async move {
            let _place = place;
            let mut connection = pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = shutdown.cancelled() => {
                    // What it is busy with may end; nothing new comes in.
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "connection ended");
            }
        });
    }
    drop(listener);
    let deadline = Instant::now() + drain;
    coord.tasks.close();
    let finished = async {
        coord.tasks.wait().await;
        while connections.join_next().await.is_some() {}
    };
    if timeout_at(deadline, finished).await.is_err() {
        tracing::warn!("not everything ended in time");
    }
    coord.abort.cancel();
    connections.shutdown().await;
}
