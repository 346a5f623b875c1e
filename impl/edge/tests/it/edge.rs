//! An edge under test, and requests to it.

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use p2claw_edge::{Config, EdgeError, TlsFiles, run};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How long a test waits for anything before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// A host that is an address of an app.
pub(crate) const APP: &str = "recipes-quiet-otter-0417.p2claw.example";

pub(crate) struct Edge {
    pub(crate) address: SocketAddr,
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), EdgeError>>,
}

impl Edge {
    /// An edge for `p2claw.example` in front of this coord.
    pub(crate) async fn start(coord: SocketAddr) -> Self {
        Self::with(coord, "p2claw.example", None).await
    }

    /// An edge in front of nothing.
    pub(crate) async fn alone() -> Self {
        let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = gone.local_addr().unwrap();
        drop(gone);
        Self::start(address).await
    }

    pub(crate) async fn with(coord: SocketAddr, parent: &str, tls: Option<TlsFiles>) -> Self {
        let mut config = Config::new(format!("http://{coord}").parse().unwrap(), parent);
        config.tls = tls;
        Self::configured(config).await
    }

    pub(crate) async fn configured(config: Config) -> Self {
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

    /// Stops it, and insists on its deadline.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        timeout(Duration::from_secs(8), self.task)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }

    /// Sends a request without a body.
    pub(crate) async fn get(&self, host: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.ask(Method::GET, host, path, fields, "").await
    }

    pub(crate) async fn ask(
        &self,
        method: Method,
        host: &str,
        path: &str,
        fields: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let (sender, answer) = self.begin(method, host, path, fields).await;
        sender.send(body.into()).await.unwrap();
        drop(sender);
        timeout(PATIENCE, answer).await.unwrap().unwrap()
    }

    /// Begins a request whose body is sent in parts; the answer may come before its end.
    pub(crate) async fn begin(
        &self,
        method: Method,
        host: &str,
        path: &str,
        fields: &[(&str, &str)],
    ) -> (mpsc::Sender<Bytes>, JoinHandle<Answer>) {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .unwrap();
        let connection = tokio::spawn(async move {
            let _ = connection.await;
        });
        let (parts, mut body) = mpsc::channel(16);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", host);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let body = stream::poll_fn(move |context| body.poll_recv(context))
            .filter(|part: &Bytes| std::future::ready(!part.is_empty()))
            .map(|part| Ok::<_, Infallible>(Frame::data(part)));
        let request = request.body(StreamBody::new(Box::pin(body))).unwrap();
        let answer = tokio::spawn(async move {
            let (head, body) = sender.send_request(request).await.unwrap().into_parts();
            Answer {
                status: head.status,
                headers: head.headers,
                body: body.boxed(),
                connection,
            }
        });
        (parts, answer)
    }
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: BoxBody<Bytes, hyper::Error>,
    connection: JoinHandle<()>,
}

impl Answer {
    pub(crate) fn field(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The next part of the body; `None` at its end.
    pub(crate) async fn part(&mut self) -> Option<Bytes> {
        let frame = timeout(PATIENCE, self.body.frame()).await.unwrap()?;
        Some(frame.unwrap().into_data().unwrap())
    }

    pub(crate) async fn bytes(self) -> Bytes {
        let body = timeout(PATIENCE, self.body.collect()).await.unwrap();
        body.unwrap().to_bytes()
    }

    pub(crate) async fn text(self) -> String {
        String::from_utf8(self.bytes().await.to_vec()).unwrap()
    }

    /// Goes away without a word.
    pub(crate) fn vanish(self) {
        self.connection.abort();
    }
}

/// Reads the first part of a body that is still being sent.
pub(crate) async fn first_part(mut body: Incoming) -> Bytes {
    let frame = timeout(PATIENCE, body.frame()).await.unwrap().unwrap();
    frame.unwrap().into_data().unwrap()
}
