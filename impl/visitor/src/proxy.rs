//! A local HTTP server that stands for a remote app (spec/v1/http.md, "Gateways of visitors").
//!
//! All its requests share one session. When that ends, the next request opens another one; what
//! was under way is answered 502.

mod answers;
mod exchange;
mod fields;
mod shared;
mod websocket;

use std::{convert::Infallible, sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use p2claw_session::limits::FIELDS_MAX;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{fields::Names, shared::SharedVisit};
use crate::{Address, Visit, Visitor, VisitorError};

/// Local connections at a time; a browser opens six.
const MAX_CONNECTIONS: usize = 256;

/// How long a connection may be without a request, and a head may take.
const QUIET: Duration = Duration::from_secs(60);

/// Longest head that is read, in bytes: what fits a frame, and room to see that it does not.
const HEAD_BYTES: usize = 64 * 1024;

/// How long local connections may take to end.
const DRAIN: Duration = Duration::from_secs(2);

/// A pause after a connection that could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A remote app as a local server.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<SharedVisit>,
    names: Names,
    /// WebSockets, which outlive the request that opened them.
    sockets: TaskTracker,
    shutdown: CancellationToken,
}

impl Proxy {
    /// A proxy for the app at `address`. `any_host`: take requests under whatever name and from
    /// whatever website; otherwise only under `localhost` and IP addresses, and from websites of
    /// this machine and the app itself (`HTP-053`, `HTP-055`).
    #[must_use]
    pub fn new(visitor: Arc<Visitor>, address: Address, any_host: bool) -> Self {
        Self {
            names: Names::new(&address, any_host),
            shared: SharedVisit::new(visitor, address),
            sockets: TaskTracker::new(),
            shutdown: CancellationToken::new(),
        }
    }

    /// Visits the app, unless there is a session already.
    ///
    /// # Errors
    /// When no session comes of it.
    pub async fn visit(&self) -> Result<Arc<Visit>, VisitorError> {
        self.shared.get().await
    }

    /// Serves until `shutdown`, and then for at most 3 s more.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) {
        let proxy = Arc::new(self);
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let connections = TaskTracker::new();
        let accept = async {
            loop {
                let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                    return;
                };
                match listener.accept().await {
                    Ok((stream, _)) => {
                        let proxy = Arc::clone(&proxy);
                        connections.spawn(async move {
                            proxy.converse(stream).await;
                            drop(place);
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "no connection accepted");
                        sleep(ACCEPT_PAUSE).await;
                    }
                }
            }
        };
        shutdown.run_until_cancelled(accept).await;
        drop(listener);
        proxy.shutdown.cancel();
        connections.close();
        proxy.sockets.close();
        let drained = timeout(DRAIN, async {
            tokio::join!(connections.wait(), proxy.sockets.wait())
        });
        if drained.await.is_err() {
            tracing::debug!("local connections are cut off");
        }
        proxy.shared.close().await;
    }

    /// The requests of one local connection.
    async fn converse(self: Arc<Self>, stream: TcpStream) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY not set");
        }
        let shutdown = self.shutdown.clone();
        let service = service_fn(|request| {
            let proxy = Arc::clone(&self);
            async move { Ok::<_, Infallible>(proxy.answer(request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(QUIET)
            .max_buf_size(HEAD_BYTES)
            .max_headers(FIELDS_MAX)
            .auto_date_header(false)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        let served = tokio::select! {
            served = &mut connection => served,
            () = shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                let rest = timeout(DRAIN, &mut connection).await;
                rest.unwrap_or(Ok(()))
            }
        };
        if let Err(error) = served {
            // The caller went away, or a body broke off: that is how HTTP/1.1 tells.
            tracing::debug!(%error, "local connection ended");
        }
    }
}
