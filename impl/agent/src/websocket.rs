//! A visitor's WebSocket, forwarded to an upstream (spec/v1/websocket.md).

mod frames;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use hyper::{body::Incoming as UpstreamBody, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use p2claw_session::{Close, ErrorCode, Fields, Response, registry::close_code};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    time::Instant,
};
use tokio_tungstenite::tungstenite::handshake::{client::generate_key, derive_accept_key};
use tokio_util::sync::CancellationToken;

use self::frames::{FrameReader, FrameWriter, Incoming, ReadError};
use crate::{
    connection::{
        Ending, Message, MessageReceiver, MessageSender, RecvBody, SendBody, StreamError,
        StreamWatch,
    },
    fields,
    pages::Failure,
    routes::Route,
};

/// How long either side has to answer a close (`WSK-021`).
const CLOSE_DEADLINE: Duration = Duration::from_secs(10);

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
        let upgrade = headers.get(header::UPGRADE);
        upgrade.is_some_and(|upgrade| upgrade.as_bytes().eq_ignore_ascii_case(b"websocket"))
            && accept
                .is_some_and(|accept| accept == derive_accept_key(self.key.as_bytes()).as_str())
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
) -> Result<(), (StreamError, SendBody)> {
    let upstream = match upgrade.await {
        Ok(upstream) => upstream,
        Err(error) => {
            tracing::debug!(%error, "the upstream left within the handshake");
            answer.reset(ErrorCode::UPSTREAM_FAILED, "the app hung up");
            return Ok(());
        }
    };
    let accept = Response {
        status: 200,
        fields,
        end: false,
    };
    if let Err(error) = answer.respond(accept) {
        tracing::debug!(%error, "WebSocket not accepted");
        return Err((error, answer));
    }
    let watch = answer.watch();
    let (read, write) = tokio::io::split(TokioIo::new(upstream));
    let (mut upstream, mut sink) = (FrameReader::new(read), FrameWriter::new(write));
    let (mut to_visitor, mut visitor) = (answer.into_messages(), body.into_messages());
    let end = until_end(
        &mut visitor,
        &mut to_visitor,
        &mut sink,
        &mut upstream,
        &watch,
        shutdown,
    )
    .await;
    // Whatever was being sent when the end came is dropped with its future; only closes follow,
    // and an upstream that has closed is answered.
    let close = match &end {
        End::UpstreamGone => {
            to_visitor.cut_off(ErrorCode::UPSTREAM_FAILED, "the app hung up");
            Close::NONE
        }
        End::UpstreamSilent(close) => {
            let _ = to_visitor.close(close.clone());
            close.clone()
        }
        // WSK-023
        End::Both | End::VisitorGone => close_with(close_code::GOING_AWAY, "the visitor has gone"),
        End::UpstreamBroke => frames::broken(),
        // WSK-024
        End::Stopping => close_with(close_code::GOING_AWAY, "the agent is stopping"),
    };
    let answered = async {
        let ours = matches!(end, End::UpstreamBroke | End::Stopping);
        if ours && to_visitor.close(close.clone()).is_err() {
            return;
        }
        // A STOP now would overtake the last messages: the visitor's side ends by itself.
        if ours || matches!(end, End::UpstreamGone) {
            while let Ok(Message::Part { .. }) = visitor.next().await {}
        }
    };
    // Whoever does not read or answer is not waited for.
    let _ = tokio::time::timeout(CLOSE_DEADLINE, async {
        tokio::join!(sink.close(&close), answered)
    })
    .await;
    Ok(())
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
    /// The upstream broke a rule of RFC 6455.
    UpstreamBroke,
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
    sink: &mut FrameWriter<impl AsyncWrite + Unpin>,
    upstream: &mut FrameReader<impl AsyncRead + Unpin>,
    watch: &StreamWatch,
    shutdown: CancellationToken,
) -> End {
    let (ping, pings) = watch::channel(None);
    let mut up = std::pin::pin!(to_upstream(visitor, pings, sink));
    let mut down = std::pin::pin!(to_visitors_side(upstream, ping, to_visitor));
    let mut deadline = None;
    // What each side has closed with.
    let (mut visitors, mut upstreams) = (None, None);
    let mut closing = false;
    loop {
        tokio::select! {
            // While an upstream takes nothing, the visitor's close waits behind its messages.
            ending = watch.ending(closing), if visitors.is_none() => match ending {
                Ending::Closed => closing = true,
                Ending::Gone if upstreams.is_some() => return End::Both,
                Ending::Gone => return End::VisitorGone,
            },
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
                // It takes not even the close.
                (None, None) => End::UpstreamSilent(Close::NONE),
                (None | Some(_), Some(_)) => End::Both,
            },
        }
        if visitors.is_some() && upstreams.is_some() {
            return End::Both;
        }
        deadline.get_or_insert(Instant::now() + CLOSE_DEADLINE);
    }
}

/// The visitor's messages, in parts as they come (`WSK-013`), and answers to pings.
async fn to_upstream(
    visitor: &mut MessageReceiver,
    mut pings: watch::Receiver<Option<Bytes>>,
    sink: &mut FrameWriter<impl AsyncWrite + Unpin>,
) -> Direction {
    // The upstream has closed or gone: the other direction tells.
    let mut deaf = false;
    loop {
        let sent = tokio::select! {
            message = visitor.next() => match message {
                Ok(Message::Part { .. }) if deaf => Ok(()),
                Ok(Message::Part { kind, last, data }) => sink.part(kind, last, data).await,
                Ok(Message::Close(close)) => {
                    if !deaf {
                        let _ = sink.close(&close).await;
                    }
                    return Direction::Closed(close);
                }
                Err(_) => return Direction::Cut(End::VisitorGone),
            },
            // WSK-030
            Ok(()) = pings.changed() => {
                let latest = pings.borrow_and_update().clone();
                sink.pong(latest.unwrap_or_default()).await
            }
        };
        deaf |= sent.is_err();
    }
}

/// The upstream's messages, in pieces as they come.
async fn to_visitors_side(
    upstream: &mut FrameReader<impl AsyncRead + Unpin>,
    ping: watch::Sender<Option<Bytes>>,
    to_visitor: &mut MessageSender,
) -> Direction {
    loop {
        let sent = match upstream.next().await {
            Ok(Incoming::Part { kind, last, data }) => to_visitor.send(kind, data, last).await,
            Ok(Incoming::Ping(data)) => {
                // Only the latest needs an answer (RFC 6455 section 5.5.3).
                ping.send_replace(Some(data));
                continue;
            }
            Ok(Incoming::Close(close)) => {
                return match to_visitor.close(close.clone()) {
                    Ok(()) => Direction::Closed(close),
                    Err(_) => Direction::Cut(End::VisitorGone),
                };
            }
            Err(error @ ReadError::Broken(_)) => {
                tracing::debug!(%error, "upstream broke the WebSocket");
                return Direction::Cut(End::UpstreamBroke);
            }
            Err(ReadError::Gone(_)) => return Direction::Cut(End::UpstreamGone),
        };
        match sent {
            Ok(()) => {}
            Err(StreamError::NotUtf8) => return Direction::Cut(End::UpstreamBroke),
            Err(_) => return Direction::Cut(End::VisitorGone),
        }
    }
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
