//! The app that is visited: an ordinary HTTP server.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{Query, State, WebSocketUpgrade, ws},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, Method, StatusCode, Uri, header};
use serde::Deserialize;
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle};

/// Largest piece of a generated body, in bytes.
const PIECE: usize = 60_000;

/// Serves until it is dropped.
pub(crate) struct App {
    pub(crate) address: SocketAddr,
    /// Makes `/cut` hang up.
    pub(crate) hang_up: Arc<Notify>,
    task: JoinHandle<()>,
}

impl App {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let hang_up = Arc::new(Notify::new());
        let router = Router::new()
            .route("/echo", any(echo))
            .route("/count", post(count))
            .route("/bytes", get(bytes))
            .route("/cut", get(cut))
            .route("/status/{code}", any(status))
            .route("/away", get(away))
            .route("/never", get(std::future::pending::<()>))
            .route("/socket", get(socket))
            .fallback(|| async { (StatusCode::NOT_FOUND, "nothing here") })
            .with_state(Arc::clone(&hang_up));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            hang_up,
            task,
        }
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The request as it came, a field a line, and the body behind an empty one.
async fn echo(method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let mut text = format!("{method} {uri}\n");
    for (name, value) in &headers {
        text.push_str(&format!("{name}: {}\n", value.to_str().unwrap_or("?")));
    }
    let body = String::from_utf8_lossy(&body);
    ([("x-echo", "1")], format!("{text}\n{body}")).into_response()
}

/// How many bytes came, counted as they come.
async fn count(body: Body) -> Result<String, StatusCode> {
    let mut total = 0;
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        total += piece.map_err(|_| StatusCode::BAD_REQUEST)?.len();
    }
    Ok(total.to_string())
}

#[derive(Deserialize)]
struct Length {
    bytes: usize,
}

fn pieces(bytes: usize) -> impl futures_util::Stream<Item = Result<Bytes, std::io::Error>> {
    let pieces = std::iter::repeat_n(PIECE, bytes / PIECE).chain([bytes % PIECE]);
    stream::iter(pieces.map(|length| Ok(Bytes::from(vec![7; length]))))
}

async fn bytes(Query(Length { bytes }): Query<Length>) -> Body {
    Body::from_stream(pieces(bytes))
}

/// Hangs up within its body, when it is told to.
async fn cut(State(hang_up): State<Arc<Notify>>, Query(Length { bytes }): Query<Length>) -> Body {
    let end = stream::once(async move {
        hang_up.notified().await;
        Err(std::io::Error::other("hanging up"))
    });
    Body::from_stream(pieces(bytes).chain(end))
}

async fn status(axum::extract::Path(code): axum::extract::Path<u16>) -> StatusCode {
    StatusCode::from_u16(code).unwrap()
}

/// Redirects to its own public address, as apps do that know it.
async fn away(headers: HeaderMap) -> Response {
    let host = headers["x-forwarded-host"].to_str().unwrap();
    let location = format!("http://{host}/echo?from=away");
    (StatusCode::FOUND, [(header::LOCATION, location)]).into_response()
}

/// Says what it hears. `bye` makes it close with 4001, `die` hang up.
async fn socket(upgrade: WebSocketUpgrade) -> Response {
    upgrade
        .protocols(["v2.test"])
        .on_upgrade(|mut socket| async move {
            while let Some(Ok(message)) = socket.recv().await {
                let answer = match &message {
                    ws::Message::Text(text) if text.as_str() == "bye" => {
                        ws::Message::Close(Some(ws::CloseFrame {
                            code: 4001,
                            reason: "as you wish".into(),
                        }))
                    }
                    ws::Message::Text(text) if text.as_str() == "die" => return,
                    ws::Message::Text(_) | ws::Message::Binary(_) => message,
                    ws::Message::Ping(_) | ws::Message::Pong(_) | ws::Message::Close(_) => continue,
                };
                if socket.send(answer).await.is_err() {
                    return;
                }
            }
        })
}
