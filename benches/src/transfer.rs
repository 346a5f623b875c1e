//! Bodies through a session: one end asks for so many bytes or sends them, the other answers with
//! zeros.

use std::time::Duration;

use bytes::Bytes;
use p2claw_agent::connection::{Connection, Incoming};
use p2claw_session::{Fields, Request, Response, Target};
use tokio::time::Instant;

use crate::stage::Failure;

/// One piece of a body.
pub const PIECE: usize = 64 * 1024;

/// A request. `end`: it has no body.
///
/// # Errors
/// When `target` is none.
pub fn request(method: &str, target: &str, end: bool) -> Result<Request, Failure> {
    Ok(Request {
        method: method.to_owned(),
        target: Target::parse(target)?,
        fields: Fields::new(),
        end,
        protocol: None,
    })
}

/// Downloads so many bytes; how long it took.
///
/// # Errors
/// When the session ends, or other than 200 or so many bytes come.
pub async fn fetch(session: &Connection, bytes: usize) -> Result<Duration, Failure> {
    let start = Instant::now();
    let mut exchange = session.open(request("GET", &format!("/{bytes}"), true)?)?;
    let head = exchange.head().await?;
    if head.status != 200 {
        return Err(format!("the agent answered {}", head.status).into());
    }
    let mut received = 0;
    while let Some(data) = exchange.response.data().await? {
        received += data.len();
    }
    if received == bytes {
        Ok(start.elapsed())
    } else {
        Err(format!("{received} of {bytes} bytes came").into())
    }
}

/// Uploads so many bytes; how long it took until the answer was there.
///
/// # Errors
/// When the session ends.
pub async fn upload(session: &Connection, bytes: usize) -> Result<Duration, Failure> {
    let start = Instant::now();
    let mut exchange = session.open(request("POST", "/0", false)?)?;
    let piece = Bytes::from_static(&[0; PIECE]);
    let mut left = bytes;
    while left > 0 {
        let length = left.min(PIECE);
        exchange.body.write(piece.slice(..length)).await?;
        left -= length;
    }
    exchange.body.finish(None)?;
    exchange.head().await?;
    while exchange.response.data().await?.is_some() {}
    Ok(start.elapsed())
}

/// The other end: takes each body and answers `/<bytes>` with so many zeros.
pub async fn serve(agent: Connection) {
    while let Some(incoming) = agent.accept().await {
        tokio::spawn(async move {
            // A visitor that goes away is no failure of the measurement's other end.
            let _ = answer(incoming).await;
        });
    }
}

async fn answer(incoming: Incoming) -> Result<(), Failure> {
    let Incoming {
        request,
        mut body,
        mut answer,
        ..
    } = incoming;
    while body.data().await?.is_some() {}
    let mut left: usize = request.target.as_str().trim_start_matches('/').parse()?;
    answer.respond(Response {
        status: 200,
        fields: Fields::new(),
        end: false,
    })?;
    let piece = Bytes::from_static(&[0; PIECE]);
    while left > 0 {
        let length = left.min(PIECE);
        answer.write(piece.slice(..length)).await?;
        left -= length;
    }
    answer.finish(None)?;
    Ok(())
}
