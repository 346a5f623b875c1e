//! A visitor's WebSocket, forwarded to an upstream (spec/v1/websocket.md).

use std::time::Duration;

use bytes::Bytes;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use http::{HeaderMap, HeaderValue, Method, header};
use hyper::{body::Incoming as UpstreamBody, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use p2claw_session::{Close, ErrorCode, Fields, MessageKind, Response, registry::close_code};
use tokio::time::Instant;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Message as WsMessage,
        handshake::{client::generate_key, derive_accept_key},
        protocol::{
            CloseFrame, Role, WebSocketConfig,
            frame::{
                Frame,
                coding::{CloseCode, Data, OpCode},
            },
        },
    },
};
use tokio_util::sync::CancellationToken;

use crate::{
    connection::{Message, MessageReceiver, MessageSender, RecvBody, SendBody},
    fields,
    pages::Failure,
    routes::Route,
};

/// Bytes of one message of an upstream, which is held as a whole. Beyond, the WebSocket is closed
/// with 1009. Messages of visitors pass in parts and have no limit.
pub(crate) const MESSAGE_MAX: usize = 16 << 20;

/// How long either side has to answer a close (`WSK-021`).
const CLOSE_DEADLINE: Duration = Duration::from_secs(10);

/// Bytes that are read from an upstream at a time.
const READ_BUFFER: usize = 16 << 10;

/// Fields that belong to one connection of a WebSocket (`WSK-002`).
const OWN_FIELDS: [&str; 5] = [
    "sec-websocket-key",
    "sec-websocket-accept",
    "sec-websocket-version",
    "sec-websocket-extensions",
    "content-length",
];

/// The handshake of the agent's own connection (RFC 6455 section 4.1).
pub(crate) struct Handshake {
    key: String,
}

impl Handshake {
    /// Turns the visitor's request into one for an upgrade.
    pub(crate) fn begin<B>(request: &mut http::Request<B>) -> Self {
        let key = generate_key();
        *request.method_mut() = Method::GET;
        let headers = request.headers_mut();
        // WSK-031: without this field, no extension can be agreed on.
        headers.remove(header::SEC_WEBSOCKET_EXTENSIONS);
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(
            header::SEC_WEBSOCKET_VERSION,
            HeaderValue::from_static("13"),
        );
        if let Ok(value) = HeaderValue::from_str(&key) {
            headers.insert(header::SEC_WEBSOCKET_KEY, value);
        }
        Self { key }
    }

    /// Whether the upstream has really understood: it proves that it has read the key.
    fn is_answered_by(&self, headers: &HeaderMap) -> bool {
        let accept = headers.get(header::SEC_WEBSOCKET_ACCEPT);
        accept.is_some_and(|accept| accept == derive_accept_key(self.key.as_bytes()).as_str())
            && !headers.contains_key(header::SEC_WEBSOCKET_EXTENSIONS)
    }
}

/// What to do with the upstream's answer.
pub(crate) enum Answer {
    /// It switched protocols.
    Switched(OnUpgrade, Fields),
    /// It refused: an ordinary response for the visitor (`WSK-004`).
    Refused(http::Response<UpstreamBody>),
    /// It did neither.
    Nonsense(Failure),
}

pub(crate) fn judge(
    mut response: http::Response<UpstreamBody>,
    handshake: &Handshake,
    route: &Route,
) -> Answer {
    match response.status().as_u16() {
        101 if handshake.is_answered_by(response.headers()) => {
            let mut kept = response.headers().clone();
            for name in OWN_FIELDS {
                kept.remove(name);
            }
            let fields = fields::for_visitor(&kept, &route.upstream);
            Answer::Switched(hyper::upgrade::on(&mut response), fields)
        }
        300.. => Answer::Refused(response),
        _ => Answer::Nonsense(Failure::NotAWebSocket),
    }
}

/// Carries messages both ways until both sides have closed, or one is gone.
pub(crate) async fn carry(
    upgrade: OnUpgrade,
    fields: Fields,
    body: RecvBody,
    mut answer: SendBody,
    shutdown: CancellationToken,
) {
    let upstream = match upgrade.await {
        Ok(upstream) => upstream,
        Err(error) => {
            tracing::debug!(%error, "the upstream left within the handshake");
            answer.reset(ErrorCode::UPSTREAM_FAILED, "the app hung up");
            return;
        }
    };
    let accept = Response {
        status: 200,
        fields,
        end: false,
    };
    if let Err(error) = answer.respond(accept) {
        tracing::debug!(%error, "WebSocket not accepted");
        answer.reset(
            ErrorCode::UPSTREAM_FAILED,
            "the app's answer cannot be carried",
        );
        return;
    }
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_message_size(Some(MESSAGE_MAX))
        .max_frame_size(Some(MESSAGE_MAX));
    let socket =
        WebSocketStream::from_raw_socket(TokioIo::new(upstream), Role::Client, Some(config)).await;
    let (mut sink, mut stream) = socket.split();
    let (mut to_visitor, mut visitor) = (answer.into_messages(), body.into_messages());
    let end = until_end(
        &mut visitor,
        &mut to_visitor,
        &mut sink,
        &mut stream,
        shutdown,
    )
    .await;
    // Whatever was being sent when the end came is dropped with its future; only closes follow.
    let close = match end {
        End::Both => return,
        End::UpstreamGone => {
            to_visitor.cut_off(ErrorCode::UPSTREAM_FAILED, "the app hung up");
            return;
        }
        End::UpstreamSilent(close) => {
            let _ = to_visitor.close(close);
            return;
        }
        // WSK-023
        End::VisitorGone => close_with(close_code::GOING_AWAY, "the visitor has gone"),
        End::TooBig => close_with(
            close_code::MESSAGE_TOO_BIG,
            "a message is longer than 16 MiB",
        ),
        // WSK-024
        End::Stopping => close_with(close_code::GOING_AWAY, "the agent is stopping"),
    };
    let last_word = WsMessage::Close(close_frame(&close));
    let answered = async {
        if !matches!(end, End::VisitorGone) && to_visitor.close(close).is_ok() {
            while let Ok(Message::Part { .. }) = visitor.next().await {}
        }
    };
    // Whoever does not read or answer is not waited for.
    let _ = tokio::time::timeout(CLOSE_DEADLINE, async {
        tokio::join!(sink.send(last_word), answered)
    })
    .await;
}

/// Why nothing more is carried.
enum End {
    /// Both sides have closed, or one has and the other did not answer in time.
    Both,
    /// The visitor closed with this, and the upstream did not answer in time (`WSK-021`).
    UpstreamSilent(Close),
    /// The upstream's connection ended without a close (`WSK-023`).
    UpstreamGone,
    /// The visitor was cut off, or wants no more.
    VisitorGone,
    /// A message of the upstream is longer than [`MESSAGE_MAX`].
    TooBig,
    /// The agent stops.
    Stopping,
}

/// How one direction ended.
enum Direction {
    Closed(Close),
    Cut(End),
}

/// Each direction is one future that runs to its end, so that a slow reader on one side does not
/// hold up the other direction, and nothing is sent twice.
async fn until_end(
    visitor: &mut MessageReceiver,
    to_visitor: &mut MessageSender,
    sink: &mut (impl Sink<WsMessage, Error = tungstenite::Error> + Unpin),
    upstream: &mut (impl Stream<Item = Result<WsMessage, tungstenite::Error>> + Unpin),
    shutdown: CancellationToken,
) -> End {
    let mut up = std::pin::pin!(to_upstream(visitor, sink));
    let mut down = std::pin::pin!(to_visitors_side(upstream, to_visitor));
    let mut deadline = None;
    // What each side has closed with.
    let (mut visitors, mut upstreams) = (None, None);
    loop {
        tokio::select! {
            ended = &mut up, if visitors.is_none() => match ended {
                Direction::Closed(close) => visitors = Some(close),
                Direction::Cut(_) if upstreams.is_some() => return End::Both,
                Direction::Cut(end) => return end,
            },
            ended = &mut down, if upstreams.is_none() => match ended {
                Direction::Closed(close) => upstreams = Some(close),
                Direction::Cut(end) => return end,
            },
            () = shutdown.cancelled(), if visitors.is_none() && upstreams.is_none() => {
                return End::Stopping;
            }
            () = at(deadline) => return match (visitors, upstreams) {
                (Some(close), None) => End::UpstreamSilent(close),
                (None | Some(_), _) => End::Both,
            },
        }
        if visitors.is_some() && upstreams.is_some() {
            return End::Both;
        }
        deadline.get_or_insert(Instant::now() + CLOSE_DEADLINE);
    }
}

/// The visitor's messages, in parts as they come (`WSK-013`).
async fn to_upstream(
    visitor: &mut MessageReceiver,
    sink: &mut (impl Sink<WsMessage, Error = tungstenite::Error> + Unpin),
) -> Direction {
    let mut within = None;
    // The upstream has closed or gone: the other direction tells.
    let mut deaf = false;
    loop {
        let message = match visitor.next().await {
            Ok(Message::Part { kind, last, data }) => {
                WsMessage::Frame(frame(&mut within, kind, last, data))
            }
            Ok(Message::Close(close)) => {
                if !deaf {
                    let _ = sink.send(WsMessage::Close(close_frame(&close))).await;
                }
                return Direction::Closed(close);
            }
            Err(_) => return Direction::Cut(End::VisitorGone),
        };
        if !deaf {
            deaf = sink.send(message).await.is_err();
        }
    }
}

/// The upstream's messages, each as a whole.
async fn to_visitors_side(
    upstream: &mut (impl Stream<Item = Result<WsMessage, tungstenite::Error>> + Unpin),
    to_visitor: &mut MessageSender,
) -> Direction {
    loop {
        let (kind, data) = match upstream.next().await {
            Some(Ok(WsMessage::Text(text))) => (MessageKind::Text, Bytes::from(text)),
            Some(Ok(WsMessage::Binary(data))) => (MessageKind::Binary, data),
            Some(Ok(WsMessage::Close(frame))) => {
                let close = close_of(frame);
                return match to_visitor.close(close.clone()) {
                    Ok(()) => Direction::Closed(close),
                    Err(_) => Direction::Cut(End::VisitorGone),
                };
            }
            // WSK-030: the library answers pings.
            Some(Ok(WsMessage::Ping(_) | WsMessage::Pong(_) | WsMessage::Frame(_))) => continue,
            Some(Err(tungstenite::Error::Capacity(error))) => {
                tracing::debug!(%error, "message of the upstream is too long");
                return Direction::Cut(End::TooBig);
            }
            Some(Err(_)) | None => return Direction::Cut(End::UpstreamGone),
        };
        if to_visitor.send(kind, data, true).await.is_err() {
            return Direction::Cut(End::VisitorGone);
        }
    }
}

/// A part of a message as a frame of RFC 6455, so that a long one need not be held.
fn frame(within: &mut Option<MessageKind>, kind: MessageKind, last: bool, data: Bytes) -> Frame {
    let opcode = match (*within, kind) {
        (Some(_), _) => Data::Continue,
        (None, MessageKind::Text) => Data::Text,
        (None, MessageKind::Binary) => Data::Binary,
    };
    *within = (!last).then_some(kind);
    Frame::message(data, OpCode::Data(opcode), last)
}

fn close_frame(close: &Close) -> Option<CloseFrame> {
    close.code().map(|code| CloseFrame {
        code: CloseCode::from(code),
        reason: close.reason().into(),
    })
}

/// What the upstream closed with. The library lets pass what the session would refuse only where
/// it knows a code that this version does not.
fn close_of(frame: Option<CloseFrame>) -> Close {
    frame.map_or(Close::NONE, |frame| {
        Close::new(frame.code.into(), frame.reason.as_str()).unwrap_or(Close::NONE)
    })
}

fn close_with(code: u16, reason: &str) -> Close {
    Close::new(code, reason).unwrap_or(Close::NONE)
}

async fn at(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
