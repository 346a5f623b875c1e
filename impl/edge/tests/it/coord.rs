//! A coord that does what the tests tell it.

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// A request that reached coord, with the way to answer it.
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Incoming,
    respond: mpsc::Sender<Response<mpsc::Receiver<Bytes>>>,
}

impl Asked {
    /// Begins the response, and returns the way to its body.
    pub(crate) async fn respond(
        &self,
        status: StatusCode,
        fields: &[(&'static str, &'static str)],
    ) -> mpsc::Sender<Bytes> {
        let (sender, body) = mpsc::channel(16);
        let mut response = Response::new(body);
        *response.status_mut() = status;
        for (name, value) in fields {
            response.headers_mut().insert(*name, value.parse().unwrap());
        }
        self.respond.send(response).await.unwrap();
        sender
    }

    /// The next part of the request's body.
    pub(crate) async fn part(&mut self) -> Option<Bytes> {
        let frame = self.body.frame().await?;
        Some(frame.unwrap().into_data().unwrap())
    }
}

/// The coord; dropping it closes everything.
pub(crate) struct FakeCoord {
    pub(crate) address: SocketAddr,
    asked: mpsc::Receiver<Asked>,
    _tasks: JoinSet<()>,
}

impl FakeCoord {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, asked) = mpsc::channel(16);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let sender = sender.clone();
                let service = service_fn(move |request| answer(request, sender.clone()));
                connections.spawn(async move {
                    let connection = http1::Builder::new();
                    let _ = connection
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self {
            address,
            asked,
            _tasks: tasks,
        }
    }

    pub(crate) async fn asked(&mut self) -> Asked {
        self.asked.recv().await.unwrap()
    }

    /// Whether nothing has come.
    pub(crate) fn is_idle(&mut self) -> bool {
        self.asked.try_recv().is_err()
    }
}

type Body = StreamBody<stream::BoxStream<'static, Result<Frame<Bytes>, Infallible>>>;

async fn answer(
    request: http::Request<Incoming>,
    sender: mpsc::Sender<Asked>,
) -> Result<Response<Body>, &'static str> {
    let (respond, mut response) = mpsc::channel(1);
    let (head, body) = request.into_parts();
    let asked = Asked {
        method: head.method,
        target: head.uri.to_string(),
        headers: head.headers,
        body,
        respond,
    };
    sender.send(asked).await.map_err(|_| "the test has ended")?;
    let response = response.recv().await.ok_or("the test gave no answer")?;
    Ok(response.map(|mut body| {
        let parts = stream::poll_fn(move |context| body.poll_recv(context));
        StreamBody::new(parts.map(|part| Ok(Frame::data(part))).boxed())
    }))
}
