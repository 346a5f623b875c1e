//! A WebRTC stack whose lanes are listened to.

use std::{
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use p2claw_agent::transport::{
    Accepted, Offered, Path, Peer, PeerEvent, PeerTransport, TransportError,
};
use p2claw_network::Network;
use p2claw_proto::v1::IceServer;
use p2claw_session::LaneId;

use super::{Party, Tap};

#[derive(Debug)]
pub(super) struct TappedTransport<T> {
    stack: T,
    network: Arc<dyn Network>,
    tap: Tap,
}

impl<T> TappedTransport<T> {
    pub(super) fn new(stack: T, network: Arc<dyn Network>, tap: Tap) -> Self {
        Self {
            stack,
            network,
            tap,
        }
    }

    fn peer(&self, peer: Box<dyn Peer>, of: Party) -> Box<dyn Peer> {
        let tap = self.tap.clone();
        Box::new(TappedPeer { peer, tap, of })
    }
}

impl<T: PeerTransport> PeerTransport for TappedTransport<T> {
    fn accept<'a>(&'a self, offer: &'a str) -> BoxFuture<'a, Result<Accepted, TransportError>> {
        Box::pin(async move {
            let offer = self.tap.mean(offer);
            let Accepted { answer, peer } = self.stack.accept(&offer).await?;
            Ok(Accepted {
                answer: self.tap.show(&answer),
                peer: self.peer(peer, Party::Agent),
            })
        })
    }

    fn offer(&self) -> BoxFuture<'_, Result<Offered, TransportError>> {
        Box::pin(async move {
            let Offered { offer, peer } = self.stack.offer().await?;
            Ok(Offered {
                offer: self.tap.show(&offer),
                peer: self.peer(peer, Party::Visitor),
            })
        })
    }

    fn use_servers(&self, servers: &[IceServer]) {
        self.stack.use_servers(servers);
    }

    fn network(&self) -> Arc<dyn Network> {
        Arc::clone(&self.network)
    }

    fn local_addresses(&self) -> Vec<SocketAddr> {
        self.stack.local_addresses()
    }
}

struct TappedPeer {
    peer: Box<dyn Peer>,
    tap: Tap,
    of: Party,
}

impl Peer for TappedPeer {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<PeerEvent> {
        self.peer.poll_event(cx)
    }

    fn try_send(&mut self, lane: LaneId, message: &Bytes) -> Result<bool, TransportError> {
        let taken = self.peer.try_send(lane, message)?;
        if taken {
            self.tap.note_frame(self.of, lane, message);
        }
        Ok(taken)
    }

    fn restart(&mut self) -> Result<String, TransportError> {
        let offer = self.peer.restart()?;
        Ok(self.tap.show(&offer))
    }

    fn accept_restart(&mut self, offer: &str) -> Result<String, TransportError> {
        let answer = self.peer.accept_restart(&self.tap.mean(offer))?;
        Ok(self.tap.show(&answer))
    }

    fn accept_answer(&mut self, answer: &str) -> Result<(), TransportError> {
        self.peer.accept_answer(&self.tap.mean(answer))
    }

    fn add_candidate(&mut self, candidate: &str) {
        self.peer.add_candidate(candidate);
    }

    fn path(&self) -> Option<Path> {
        self.peer.path()
    }

    fn close(&mut self) {
        self.peer.close();
    }
}
