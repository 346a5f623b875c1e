//! Connections: accepted, served, and drained at the end.

use std::{convert::Infallible, sync::Arc, time::Duration};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::{EdgeError, service::Edge};

/// Connections at a time. Each costs a few tens of KiB; more wait in the listener's queue.
const MAX_CONNECTIONS: usize = 8192;

/// From the first byte of a request to the end of its head.
const HEAD_DEADLINE: Duration = Duration::from_secs(10);

/// TLS handshake.
const TLS_DEADLINE: Duration = Duration::from_secs(10);

/// How long running exchanges may take at the end.
const DRAIN_DEADLINE: Duration = Duration::from_secs(3);

/// A pause after an accept that failed for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    edge: Arc<Edge>,
    shutdown: CancellationToken,
) -> Result<(), EdgeError> {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            // The semaphore is never closed.
            Ok(place) = Arc::clone(&places).acquire_owned() => tokio::select! {
                accepted = listener.accept() => accepted.map(|(stream, _)| (stream, place)),
                () = shutdown.cancelled() => break,
            },
            () = shutdown.cancelled() => break,
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
        let _ = stream.set_nodelay(true);
        let (edge, tls, watcher) = (Arc::clone(&edge), tls.clone(), graceful.watcher());
        connections.spawn(async move {
            let _place = place;
            match tls {
                None => converse(stream, edge, watcher).await,
                Some(tls) => match timeout(TLS_DEADLINE, tls.accept(stream)).await {
                    Ok(Ok(stream)) => converse(stream, edge, watcher).await,
                    Ok(Err(error)) => tracing::debug!(%error, "no TLS"),
                    Err(_) => tracing::debug!("TLS handshake took too long"),
                },
            }
        });
    }
    drop(listener);
    let _ = timeout(DRAIN_DEADLINE, graceful.shutdown()).await;
    connections.shutdown().await;
    Ok(())
}

async fn converse<S>(stream: S, edge: Arc<Edge>, watcher: hyper_util::server::graceful::Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let edge = Arc::clone(&edge);
        async move { Ok::<_, Infallible>(edge.answer(request).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_DEADLINE);
    builder.http2().timer(TokioTimer::new());
    let connection = builder
        .serve_connection(TokioIo::new(stream), service)
        .into_owned();
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "connection ended");
    }
}
