//! Messages between a WebSocket of a session and a connection of RFC 6455 on this machine: an
//! upstream's at the agent, a local client's at a native visitor.

use std::time::Duration;

use bytes::Bytes;
use p2claw_session::{
    Close, ErrorCode,
    registry::{close_code, limit},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::frames::{FrameReader, FrameWriter, Incoming, ReadError, Side};
use crate::connection::{
    Ending, Message, MessageReceiver, MessageSender, RecvBody, SendBody, StreamError, StreamWatch,
};

/// How long either side has to answer a close (`WSK-021`).
const CLOSE_DEADLINE: Duration = limit::CLOSE_ANSWER;

/// What the two users of a bridge do differently.
#[derive(Debug, Clone)]
pub struct Manners {
    /// Which end of RFC 6455 this program is on the local connection.
    pub side: Side,
    /// What the session is told when the local connection ends without a close.
    pub hung_up: (ErrorCode, &'static str),
    /// The close for a local connection whose session half was cut off; without one it ends as
    /// such, which is 1006 at its other end (`WSK-022`).
    pub gone: Option<Close>,
    /// The reason that both sides get with 1002 when the local end breaks a rule of RFC 6455.
    pub broke: &'static str,
    /// The reason that both sides get with 1001 when this program stops.
    pub stopping: &'static str,
}

/// Carries messages both ways until both sides have closed, or one is gone. `send` and `receive`
/// are the halves of a stream whose WebSocket was accepted with status 200.
pub async fn carry(
    local: impl AsyncRead + AsyncWrite,
    send: SendBody,
    receive: RecvBody,
    manners: &Manners,
    shutdown: CancellationToken,
) {
    let watch = send.watch();
    let (read, write) = tokio::io::split(local);
    let mut reader = FrameReader::new(read, manners.side);
    let mut sink = FrameWriter::new(write, manners.side);
    let (mut to_session, mut session) = (send.into_messages(), receive.into_messages());
    let end = until_end(
        &mut session,
        &mut to_session,
        &mut sink,
        &mut reader,
        &watch,
        shutdown,
    )
    .await;
    // Whatever was being sent when the end came is dropped with its future; only closes follow,
    // and a local end that has closed is answered.
    let close = match &end {
        End::LocalGone => {
            let (code, reason) = manners.hung_up;
            to_session.cut_off(code, reason);
            Some(Close::NONE)
        }
        End::LocalSilent(close) => {
            let _ = to_session.close(close.clone());
            Some(close.clone())
        }
        End::Both => Some(manners.gone.clone().unwrap_or(Close::NONE)),
        // WSK-022, WSK-023
        End::SessionGone => manners.gone.clone(),
        End::LocalBroke => Some(close_with(close_code::PROTOCOL_ERROR, manners.broke)),
        // WSK-024
        End::Stopping => Some(close_with(close_code::GOING_AWAY, manners.stopping)),
    };
    let Some(close) = close else {
        return;
    };
    let answered = async {
        let ours = matches!(end, End::LocalBroke | End::Stopping);
        if ours && to_session.close(close.clone()).is_err() {
            return;
        }
        // A STOP now would overtake the last messages: the session's side ends by itself.
        if ours || matches!(end, End::LocalGone) {
            while let Ok(Message::Part { .. }) = session.next().await {}
        }
    };
    // Whoever does not read or answer is not waited for.
    let _ = tokio::time::timeout(CLOSE_DEADLINE, async {
        tokio::join!(sink.close(&close), answered)
    })
    .await;
}

/// Why nothing more is carried.
enum End {
    /// Both sides have closed, or one has and the other did not answer in time.
    Both,
    /// The session closed with this, and the local end did not answer in time (`WSK-021`).
    LocalSilent(Close),
    /// The local connection ended without a close (`WSK-023`).
    LocalGone,
    /// The session's half was cut off, or its other end wants no more.
    SessionGone,
    /// The local end broke a rule of RFC 6455.
    LocalBroke,
    /// This program stops.
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
    session: &mut MessageReceiver,
    to_session: &mut MessageSender,
    sink: &mut FrameWriter<impl AsyncWrite + Unpin>,
    local: &mut FrameReader<impl AsyncRead + Unpin>,
    watch: &StreamWatch,
    shutdown: CancellationToken,
) -> End {
    let (ping, pings) = watch::channel(None);
    let mut up = std::pin::pin!(to_local(session, pings, sink));
    let mut down = std::pin::pin!(to_other_end(local, ping, to_session));
    let mut deadline = None;
    // What each side has closed with.
    let (mut sessions, mut locals) = (None, None);
    let mut closing = false;
    loop {
        tokio::select! {
            // While the local end takes nothing, the other end's close waits behind its messages.
            ending = watch.ending(closing), if sessions.is_none() => match ending {
                Ending::Closed => closing = true,
                Ending::Gone if locals.is_some() => return End::Both,
                Ending::Gone => return End::SessionGone,
            },
            ended = &mut up, if sessions.is_none() => match ended {
                Direction::Closed(close) => sessions = Some(close),
                Direction::Cut(_) if locals.is_some() => return End::Both,
                Direction::Cut(end) => return end,
            },
            ended = &mut down, if locals.is_none() => match ended {
                Direction::Closed(close) => locals = Some(close),
                Direction::Cut(end) => return end,
            },
            () = shutdown.cancelled(), if sessions.is_none() && locals.is_none() => {
                return End::Stopping;
            }
            () = at(deadline) => return match (sessions, locals) {
                (Some(close), None) => End::LocalSilent(close),
                // It takes not even the close.
                (None, None) => End::LocalSilent(Close::NONE),
                (None | Some(_), Some(_)) => End::Both,
            },
        }
        if sessions.is_some() && locals.is_some() {
            return End::Both;
        }
        deadline.get_or_insert(Instant::now() + CLOSE_DEADLINE);
    }
}

/// The other end's messages, in parts as they come (`WSK-013`), and answers to pings.
async fn to_local(
    session: &mut MessageReceiver,
    mut pings: watch::Receiver<Option<Bytes>>,
    sink: &mut FrameWriter<impl AsyncWrite + Unpin>,
) -> Direction {
    // The local end has closed or gone: the other direction tells.
    let mut deaf = false;
    loop {
        let sent = tokio::select! {
            message = session.next() => match message {
                Ok(Message::Part { .. }) if deaf => Ok(()),
                Ok(Message::Part { kind, last, data }) => sink.part(kind, last, data).await,
                Ok(Message::Close(close)) => {
                    if !deaf {
                        let _ = sink.close(&close).await;
                    }
                    return Direction::Closed(close);
                }
                Err(_) => return Direction::Cut(End::SessionGone),
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

/// The local end's messages, in pieces as they come.
async fn to_other_end(
    local: &mut FrameReader<impl AsyncRead + Unpin>,
    ping: watch::Sender<Option<Bytes>>,
    to_session: &mut MessageSender,
) -> Direction {
    loop {
        let sent = match local.next().await {
            Ok(Incoming::Part { kind, last, data }) => to_session.send(kind, data, last).await,
            Ok(Incoming::Ping(data)) => {
                // Only the latest needs an answer (RFC 6455 section 5.5.3).
                ping.send_replace(Some(data));
                continue;
            }
            Ok(Incoming::Close(close)) => {
                return match to_session.close(close.clone()) {
                    Ok(()) => Direction::Closed(close),
                    Err(_) => Direction::Cut(End::SessionGone),
                };
            }
            Err(error @ ReadError::Broken(_)) => {
                tracing::debug!(%error, "the local end broke the WebSocket");
                return Direction::Cut(End::LocalBroke);
            }
            Err(ReadError::Gone(_)) => return Direction::Cut(End::LocalGone),
        };
        match sent {
            Ok(()) => {}
            Err(StreamError::NotUtf8) => return Direction::Cut(End::LocalBroke),
            Err(_) => return Direction::Cut(End::SessionGone),
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
