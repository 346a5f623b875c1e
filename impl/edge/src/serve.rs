//! Connections: accepted, served, and drained at the end.

use std::{
    convert::Infallible,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::{Limits, Listener, service::Edge};

/// How long running exchanges may take at the end.
const DRAIN_DEADLINE: Duration = Duration::from_secs(3);

/// A pause after an accept that failed for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

pub(crate) async fn serve(
    listener: impl Listener,
    tls: Option<TlsAcceptor>,
    edge: Arc<Edge>,
    limits: Limits,
    shutdown: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            // The semaphore is never closed.
            Ok(place) = Arc::clone(&places).acquire_owned() => tokio::select! {
                accepted = listener.accept() => accepted.map(|stream| (stream, place)),
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
        let (edge, tls, shutdown) = (Arc::clone(&edge), tls.clone(), shutdown.clone());
        connections.spawn(async move {
            let _place = place;
            let talk = Talk {
                edge,
                limits,
                shutdown,
            };
            match tls {
                None => talk.converse(stream, Version::Http1).await,
                Some(tls) => match timeout(limits.handshake, tls.accept(stream)).await {
                    Ok(Ok(stream)) => {
                        let version = match stream.get_ref().1.alpn_protocol() {
                            Some(b"h2") => Version::Http2,
                            _ => Version::Http1,
                        };
                        talk.converse(stream, version).await;
                    }
                    Ok(Err(error)) => tracing::debug!(%error, "no TLS"),
                    Err(_) => tracing::debug!("TLS handshake took too long"),
                },
            }
        });
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    let _ = timeout(DRAIN_DEADLINE, drained).await;
    connections.shutdown().await;
}

/// What a connection speaks. It is settled before the first byte: waiting for that byte to find
/// out has no limit in hyper-util.
#[derive(Clone, Copy)]
enum Version {
    Http1,
    Http2,
}

/// What the conversation over one connection needs.
struct Talk {
    edge: Arc<Edge>,
    limits: Limits,
    shutdown: CancellationToken,
}

impl Talk {
    async fn converse<S>(self, stream: S, version: Version)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self {
            edge,
            limits,
            shutdown,
        } = self;
        let requests = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&requests);
        let service = service_fn(move |request| {
            counted.fetch_add(1, Ordering::Relaxed);
            let edge = Arc::clone(&edge);
            async move { Ok::<_, Infallible>(edge.answer(request).await) }
        });
        let builder = builder(version, &limits);
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let mut ending = false;
        let ended = loop {
            tokio::select! {
                biased;
            ended = connection.as_mut() => break ended,
                () = silence(&requests, limits.quiet) => {
                    if ending {
                        break Ok(());
                    }
                }
                () = shutdown.cancelled(), if !ending => {}
            }
            ending = true;
            connection.as_mut().graceful_shutdown();
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "connection ended");
        }
    }
}

fn builder(version: Version, limits: &Limits) -> auto::Builder<TokioExecutor> {
    let builder = auto::Builder::new(TokioExecutor::new());
    let mut builder = match version {
        Version::Http1 => builder.http1_only(),
        Version::Http2 => builder.http2_only(),
    };
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.keep_alive)
        .keep_alive_timeout(limits.keep_alive);
    builder
}

/// Waits until no request has come for so long.
async fn silence(requests: &AtomicU64, quiet: Duration) {
    let mut seen = requests.load(Ordering::Relaxed);
    loop {
        sleep(quiet).await;
        let now = requests.load(Ordering::Relaxed);
        if now == seen {
            return;
        }
        seen = now;
    }
}
