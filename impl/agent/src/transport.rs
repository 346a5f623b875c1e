//! The transport seam: what a session needs from a WebRTC stack, and nothing more.
//!
//! A stack implements [`PeerTransport`]; one [`Peer`] is one visit's peer connection. Nothing of
//! a stack's own types passes through here, so that a third stack needs no change above.

pub mod pacing;

use std::{
    fmt,
    net::SocketAddr,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
pub use p2claw_network::CandidateKind;
use p2claw_network::{Machine, Network};
use p2claw_proto::v1::IceServer;
use p2claw_session::LaneId;
use tokio::time::Instant;

use crate::registry::limit;

/// Label of every pre-negotiated data channel (`RTC-002`).
pub const LANE_LABEL: &str = "p2claw";

/// Lanes that agents and visitors of this repository open, as the browser client does (`RTC-003`).
pub const LANES: u8 = limit::LANES_MADE;

/// How long a peer that was closed waits for the other end to acknowledge its last messages
/// (`RTC-025`).
pub const LINGER: Duration = limit::LINGER;

/// How long after the other end's last word a peer sends nothing more to it but checks (`RTC-024`).
pub const CONSENT_ENDS: Duration = limit::CONSENT_END;

/// A WebRTC stack.
pub trait PeerTransport: Send + Sync + fmt::Debug + 'static {
    /// Answers a visitor's SDP offer; the answer names the candidates that are known already.
    fn accept<'a>(&'a self, offer: &'a str) -> BoxFuture<'a, Result<Accepted, TransportError>>;

    /// Makes an offer, as a native visitor.
    fn offer(&self) -> BoxFuture<'_, Result<Offered, TransportError>>;

    /// The STUN and TURN servers to gather with from now on (`SIG-022`), instead of those before.
    /// A peer that made an offer gathers with those that come behind it, too: a visitor need not
    /// wait for them (`RTC-011`). Others may take them up with their next restart.
    fn use_servers(&self, servers: &[IceServer]);

    /// The network that its sockets are on. Signaling goes the same way, and what is signed has
    /// the time of its clock.
    fn network(&self) -> Arc<dyn Network> {
        Arc::new(Machine)
    }

    /// Addresses of the UDP sockets in use, for people who configure firewalls.
    fn local_addresses(&self) -> Vec<SocketAddr>;
}

/// The answer to an offer, and the peer behind it.
pub struct Accepted {
    /// SDP answer.
    pub answer: String,
    /// The peer; it makes progress only while it is polled.
    pub peer: Box<dyn Peer>,
}

/// An offer, and the peer that waits for its answer.
pub struct Offered {
    /// SDP offer.
    pub offer: String,
    /// The peer; feed the answer to [`Peer::accept_answer`].
    pub peer: Box<dyn Peer>,
}

/// One peer connection with its lanes.
///
/// Polled by its owner, never in the background: whatever it has to send or to time out happens
/// inside [`Peer::poll_event`].
pub trait Peer: Send {
    /// Drives sockets and timers; call again after any other method of the peer.
    ///
    /// After [`PeerEvent::Closed`] it returns the same again.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<PeerEvent>;

    /// Hands one message over for sending. `false`: no room now, and nothing was taken; try
    /// again after [`PeerEvent::Writable`]. About 256 KiB are queued at most, so that the order
    /// between streams stays the session's to choose.
    ///
    /// # Errors
    /// When the lane does not exist or the peer is closed.
    fn try_send(&mut self, lane: LaneId, message: &Bytes) -> Result<bool, TransportError>;

    /// Begins to look for a new path (an ICE restart, RFC 8445 section 9): the offer to send, as
    /// the visitor. The present path and the streams go on meanwhile. The answer goes to
    /// [`Peer::accept_answer`]; an offer that is never answered is forgotten with the next one.
    ///
    /// # Errors
    /// When the first answer has not come yet, or the peer is closed.
    fn restart(&mut self) -> Result<String, TransportError>;

    /// Answers the other side's restart, as the agent.
    ///
    /// # Errors
    /// When the SDP cannot be used, or names another certificate than the one that this peer is
    /// connected to.
    fn accept_restart(&mut self, offer: &str) -> Result<String, TransportError>;

    /// Takes the answer to this side's offer.
    ///
    /// # Errors
    /// When the SDP cannot be used, or no answer is awaited.
    fn accept_answer(&mut self, answer: &str) -> Result<(), TransportError>;

    /// Takes a candidate of the other side (RFC 8839 `candidate:...`). One that this stack cannot
    /// use, an mDNS name for instance, is left aside: ICE finds such a peer by itself.
    fn add_candidate(&mut self, candidate: &str);

    /// The pair of addresses in use, once there is one.
    fn path(&self) -> Option<Path>;

    /// Ends the connection once the other end has what was handed over, or after [`LINGER`] at
    /// the latest; poll on until [`PeerEvent::Closed`]. Said again, it waits for nothing more: what
    /// tells the other end of the end leaves at once.
    fn close(&mut self);
}

/// How far [`Peer::close`] has got, for whoever implements it: the close of a stack would drop the
/// last messages, and so it waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// Nobody has asked for it.
    No,
    /// The last messages are under way.
    Lingers {
        /// When they are waited for no longer.
        until: Instant,
    },
    /// The stack says goodbye, or has said it.
    Goodbye,
}

impl Closing {
    /// Somebody calls [`Peer::close`]: the second time nothing is waited for. `false`: it changes
    /// nothing any more.
    pub fn ask(&mut self, now: Instant) -> bool {
        let patience = match self {
            Self::No => LINGER,
            Self::Lingers { .. } => Duration::ZERO,
            Self::Goodbye => return false,
        };
        let until = now + patience;
        *self = Self::Lingers { until };
        true
    }
}

/// The addresses that carry a peer connection, as seen from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path {
    /// This end: an address of this machine, or of its relay.
    pub local: SocketAddr,
    /// The other end, which may be a relay.
    pub remote: SocketAddr,
    /// What [`Path::local`] is.
    pub local_kind: CandidateKind,
    /// What [`Path::remote`] is, as far as this end was told.
    pub remote_kind: CandidateKind,
}

impl Path {
    /// Whether packets pass through a relay, of whichever end.
    #[must_use]
    pub fn is_relayed(&self) -> bool {
        [self.local_kind, self.remote_kind].contains(&CandidateKind::Relayed)
    }
}

/// What a peer reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerEvent {
    /// A lane carries messages from now on.
    LaneOpen(LaneId),
    /// A message arrived.
    Message(LaneId, Bytes),
    /// After a refused [`Peer::try_send`]: there may be room again.
    Writable,
    /// A local candidate to pass on; `None`: there are no more.
    Candidate(Option<String>),
    /// The path works, or stopped working for now.
    Path(PathState),
    /// The connection is over.
    Closed(String),
}

/// Whether packets get through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathState {
    /// Packets get through.
    Connected,
    /// They do not at present; it may heal.
    Disconnected,
}

/// Why a transport refused.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The other side's SDP or candidate is of no use.
    #[error("use the other side's description: {0}")]
    BadDescription(String),
    /// This machine has no socket or address to offer.
    #[error("open a UDP socket: {0}")]
    Socket(#[from] std::io::Error),
    /// The stack itself failed.
    #[error("run the WebRTC stack: {0}")]
    Stack(String),
    /// The peer is closed, or the lane is not there.
    #[error("send: the peer connection is closed")]
    Closed,
}

impl fmt::Debug for Accepted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accepted").finish_non_exhaustive()
    }
}

impl fmt::Debug for Offered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offered").finish_non_exhaustive()
    }
}
