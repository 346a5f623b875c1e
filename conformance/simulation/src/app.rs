//! The app behind an agent: bodies of any length, at once or slowly.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http_body_util::StreamBody;
use hyper::{Request, Response, body::Frame, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::task::JoinSet;
use turmoil::net::TcpListener;

/// The port that it listens on, on loopback.
pub const PORT: u16 = 8080;

/// Bytes of one piece of a body.
const PIECE: usize = 8 * 1024;

/// The byte that all bodies are made of.
pub const FILLING: u8 = 7;

/// Between two pieces of a slow body.
const SLOWLY: Duration = Duration::from_millis(100);

/// Serves `/bytes/<n>` at once and `/slow/<n>` in pieces of 8 KiB every 100 ms.
///
/// # Errors
/// When the port is taken. Otherwise it does not return.
pub async fn serve() -> std::io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", PORT)).await?;
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        while connections.try_join_next().is_some() {}
        let service = service_fn(|request| async move { Ok::<_, Infallible>(answer(&request)) });
        connections.spawn(
            hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service),
        );
    }
}

type Body = StreamBody<stream::BoxStream<'static, Result<Frame<Bytes>, Infallible>>>;

fn answer(request: &Request<Incoming>) -> Response<Body> {
    let path = request.uri().path();
    let (length, pause) = if let Some(length) = path.strip_prefix("/bytes/") {
        (length.parse(), Duration::ZERO)
    } else if let Some(length) = path.strip_prefix("/slow/") {
        (length.parse(), SLOWLY)
    } else {
        (Ok(0), Duration::ZERO)
    };
    let length: usize = length.unwrap_or(0);
    let pieces = stream::iter((0..length).step_by(PIECE)).then(move |begin| async move {
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
        Ok(Frame::data(Bytes::from(vec![
            FILLING;
            PIECE.min(length - begin)
        ])))
    });
    Response::new(StreamBody::new(pieces.boxed()))
}
