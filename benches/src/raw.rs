//! Messages over a peer without a session.

use std::time::{Duration, Instant};

use bytes::Bytes;
use p2claw_agent::transport::{Peer, PeerEvent};
use p2claw_session::{LaneId, limits::FRAME_DEFAULT};

use crate::stage::Failure;

/// Sends so many bytes and waits until the other end has said that it has them.
///
/// # Errors
/// When the peer closes.
pub async fn send(peer: &mut dyn Peer, bytes: usize) -> Result<(), Failure> {
    let message = Bytes::from(vec![0; FRAME_DEFAULT]);
    let mut sent = 0;
    loop {
        while sent < bytes && peer.try_send(LaneId::ZERO, &message)? {
            sent += message.len();
        }
        match next(peer).await {
            // One message back: all of it is there.
            PeerEvent::Message(..) => return Ok(()),
            PeerEvent::Closed(reason) => return Err(reason.into()),
            PeerEvent::LaneOpen(_)
            | PeerEvent::Writable
            | PeerEvent::Candidate(_)
            | PeerEvent::Path(_) => {}
        }
    }
}

/// Receives so many bytes, and says so. How long it took, from the first message on.
///
/// # Errors
/// When the peer closes.
pub async fn receive(peer: &mut dyn Peer, bytes: usize) -> Result<Duration, Failure> {
    let mut received = 0;
    let mut start = None;
    while received < bytes {
        match next(peer).await {
            PeerEvent::Message(_, message) => {
                start.get_or_insert_with(Instant::now);
                received += message.len();
            }
            PeerEvent::Closed(reason) => return Err(reason.into()),
            PeerEvent::LaneOpen(_)
            | PeerEvent::Writable
            | PeerEvent::Candidate(_)
            | PeerEvent::Path(_) => {}
        }
    }
    let took = start.map_or(Duration::ZERO, |start| start.elapsed());
    while !peer.try_send(LaneId::ZERO, &Bytes::from_static(b"all"))? {
        next(peer).await;
    }
    Ok(took)
}

/// Waits until lane 0 carries messages.
///
/// # Errors
/// When the peer closes.
pub async fn opened(peer: &mut dyn Peer) -> Result<(), Failure> {
    loop {
        match next(peer).await {
            PeerEvent::LaneOpen(LaneId::ZERO) => return Ok(()),
            PeerEvent::Closed(reason) => return Err(reason.into()),
            PeerEvent::LaneOpen(_)
            | PeerEvent::Message(..)
            | PeerEvent::Writable
            | PeerEvent::Candidate(_)
            | PeerEvent::Path(_) => {}
        }
    }
}

/// The next thing that happens to the peer.
pub async fn next(peer: &mut dyn Peer) -> PeerEvent {
    std::future::poll_fn(|cx| peer.poll_event(cx)).await
}
