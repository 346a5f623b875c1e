//! How long a mapping lives without packets (RFC 4787 section 4.3, RFC 5780 section 4.6).

use std::{io, net::SocketAddr, time::Duration};

use futures_util::{StreamExt as _, stream::FuturesOrdered};
use tokio::time::{Instant, sleep};

use super::asker::{Asker, Outcome, Question};
use crate::network::Network;

/// How long the mappings are left alone. RFC 4787 REQ-5 asks for 2 minutes; 30 s is what careless
/// NATs have.
const SILENCES: [Duration; 6] = [
    Duration::from_secs(10),
    Duration::from_secs(20),
    Duration::from_secs(30),
    Duration::from_secs(60),
    Duration::from_secs(90),
    Duration::from_secs(125),
];

/// How long an answer to another port takes at most to come.
const PATIENCE: Duration = Duration::from_millis(1_000);

/// What is known of a mapping's lifetime.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// It lived through a silence of the first length, if any, and not through the second.
    Between(Option<Duration>, Duration),
    /// It lived through every silence, the longest of them this long.
    AtLeast(Duration),
    /// The server does not send answers to another port (RFC 5780 RESPONSE-PORT), or does not
    /// answer.
    Unknown,
}

/// Measures how long the mapping of a silent socket lives: mappings of several sockets are made at
/// the same time and left alone for different times, up to 125 s, and then the server is asked
/// from elsewhere to answer there.
///
/// # Errors
/// When no UDP socket can be had.
pub async fn mapping_lifetime(network: &dyn Network, server: SocketAddr) -> io::Result<Lifetime> {
    // Without a silence it must work, or the server does not know the attribute.
    if lives_through(network, server, Duration::ZERO).await? != Some(true) {
        return Ok(Lifetime::Unknown);
    }
    let tries =
        SILENCES.map(async |silence| (silence, lives_through(network, server, silence).await));
    let mut tries = FuturesOrdered::from_iter(tries);
    let mut longest = None;
    // The shortest silence that ends it is the answer; the longer ones need not be waited for.
    while let Some((silence, lived)) = tries.next().await {
        match lived? {
            Some(true) => longest = Some(silence),
            Some(false) => return Ok(Lifetime::Between(longest, silence)),
            None => break,
        }
    }
    Ok(longest.map_or(Lifetime::Unknown, Lifetime::AtLeast))
}

/// Whether a mapping still lets the server's packets in after a silence; `None`: the server does
/// not answer at all, or refuses.
async fn lives_through(
    network: &dyn Network,
    server: SocketAddr,
    silence: Duration,
) -> io::Result<Option<bool>> {
    let mut silent = Asker::bind(network, server)?;
    let mut asking = Asker::bind(network, server)?;
    let Some(answer) = silent.ask_one(Question::to(server)).await.answer() else {
        return Ok(None);
    };
    sleep(silence).await;
    let question = Question {
        answer_to: Some(answer.mapped.port()),
        ..Question::to(server)
    };
    tokio::select! {
        // The one that asks hears nothing where the server understands.
        outcome = asking.ask_one(question) => match outcome {
            Outcome::Answer(_) | Outcome::Refused => Ok(None),
            Outcome::Silence => Ok(Some(false)),
        },
        arrived = hears(&mut silent, server) => Ok(Some(arrived)),
    }
}

/// Waits for the server's packet.
async fn hears(asker: &mut Asker, server: SocketAddr) -> bool {
    // Longer than the one that asks has patience.
    let until = Instant::now() + 2 * PATIENCE;
    while let Some(datagram) = asker.receive(until).await {
        if datagram.source == server {
            return true;
        }
    }
    false
}
