//! The agent's end: it answers offers and does what is ordered.

use bytes::Bytes;
use p2claw_agent::connection::{self, Connection, Incoming};
use p2claw_benches::{
    stack::Stack,
    stage::{Failure, session_config},
};
use p2claw_session::{Fields, Response, Role};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use crate::{
    child::{Answer, Order, Work},
    raw,
};

/// One piece of a body.
const PIECE: usize = 64 * 1024;

pub(crate) async fn run(stack: Stack) -> Result<(), Failure> {
    let endpoint = stack.endpoint()?;
    let mut orders = BufReader::new(tokio::io::stdin()).lines();
    let mut answers = tokio::io::stdout();
    while let Some(line) = orders.next_line().await? {
        let order: Order = serde_json::from_str(&line)?;
        let accepted = endpoint.accept(&order.offer).await?;
        let mut line = serde_json::to_vec(&Answer {
            answer: accepted.answer,
        })?;
        line.push(b'\n');
        answers.write_all(&line).await?;
        answers.flush().await?;
        let mut peer = accepted.peer;
        tokio::spawn(async move {
            match order.work {
                Work::RawDownload(bytes) => {
                    raw::opened(&mut *peer).await?;
                    raw::send(&mut *peer, bytes).await?;
                }
                Work::RawUpload(bytes) => {
                    raw::receive(&mut *peer, bytes).await?;
                }
                Work::Session => {
                    let config = session_config();
                    let (agent, driver) = connection::connect(Role::Agent, config, peer);
                    tokio::spawn(serve(agent));
                    driver.await;
                    return Ok(());
                }
            }
            // Until the other end goes: what is sent has to arrive.
            while !matches!(
                raw::next(&mut *peer).await,
                p2claw_agent::transport::PeerEvent::Closed(_)
            ) {}
            Ok::<_, Failure>(())
        });
    }
    Ok(())
}

/// Takes each body and answers `/<bytes>` with so many zeros.
async fn serve(agent: Connection) {
    while let Some(incoming) = agent.accept().await {
        tokio::spawn(async move {
            // A visitor that goes away is no failure of the measurement's other end.
            let _ = exchange(incoming).await;
        });
    }
}

async fn exchange(incoming: Incoming) -> Result<(), Failure> {
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
