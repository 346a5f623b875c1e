//! Hairpinning (RFC 4787 section 6, RFC 5780 section 4.5).

use std::{net::SocketAddr, time::Duration};

use stun_types::message::TransactionId;
use tokio::time::Instant;

use super::asker::{Asker, plain_request, transaction};

/// How often each end sends. The first packet may only open a filter for the other end's.
const TRIES: u32 = 3;

/// Between two tries.
const PAUSE: Duration = Duration::from_millis(200);

/// Whether what two sockets send to each other's public addresses arrives, either way.
pub(super) async fn comes_back(
    first: &mut Asker,
    second: &mut Asker,
    (first_mapped, second_mapped): (SocketAddr, SocketAddr),
) -> bool {
    let request = plain_request();
    let Some(id) = transaction(&request) else {
        return false;
    };
    for _ in 0..TRIES {
        first.send(second_mapped, &request);
        second.send(first_mapped, &request);
        let until = Instant::now() + PAUSE;
        let arrived = tokio::select! {
            arrived = arrives(first, id, until) => arrived,
            arrived = arrives(second, id, until) => arrived,
        };
        if arrived {
            return true;
        }
    }
    false
}

/// Waits for the request; late answers of servers are passed over.
async fn arrives(asker: &mut Asker, id: TransactionId, until: Instant) -> bool {
    while let Some(datagram) = asker.receive(until).await {
        if transaction(&datagram.contents) == Some(id) {
            return true;
        }
    }
    // The other socket may still hear it.
    tokio::time::sleep_until(until).await;
    false
}
