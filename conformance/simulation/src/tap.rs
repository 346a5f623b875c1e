//! What the parties of a visit say to each other, written down as it leaves them: signaling on the
//! TCP connections of the agent, the visitor and coord, sessions where a message goes to the WebRTC
//! stack. The edge passes signaling on as it comes, and is not listened to.

mod sdp;
mod signaling;
mod stream;
mod transport;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use p2claw_agent::transport::PeerTransport;
use p2claw_network::Network;
use p2claw_session::LaneId;

pub use self::stream::{Overheard, TappedNetwork};
use self::{sdp::Inits, stream::Writer, transport::TappedTransport};
use crate::{clock, network::HostNetwork, simulation::Failure};

/// Who says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Party {
    /// The agent.
    Agent,
    /// The coordination service.
    Coord,
    /// The visitor.
    Visitor,
}

impl Party {
    /// As traces name it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Coord => "coord",
            Self::Visitor => "visitor",
        }
    }
}

/// What a message is, by the way that it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// An envelope on the agent's link.
    Link,
    /// The body of a request for a visit.
    VisitRequest,
    /// The body of further candidates.
    VisitUpdate,
    /// An event of a visit's stream, with its length in front.
    VisitEvent,
    /// The body of the answer with the servers to gather with.
    IceServers,
    /// A frame.
    Lane(LaneId),
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// When its last byte left, since the beginning of the simulation.
    pub at: Duration,
    /// Who sent it.
    pub from: Party,
    /// Who gets it.
    pub to: Party,
    /// What it is.
    pub on: Carrier,
    /// The message itself.
    pub bytes: Bytes,
}

/// A place in the order of all that was written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Moment {
    at: Duration,
    /// Hosts take turns: of two things at one time, that is first which was done first.
    order: u64,
}

/// Bytes that left at once.
#[derive(Debug)]
struct Written {
    moment: Moment,
    bytes: Bytes,
}

#[derive(Debug, Default)]
struct Log {
    things: u64,
    /// Of each connection what one end of it wrote.
    streams: Vec<(Party, Vec<Written>)>,
    frames: Vec<(Moment, Said)>,
    inits: Inits,
}

/// Listens to one agent, its one visitor at a time, and coord.
#[derive(Debug, Clone, Default)]
pub struct Tap(Arc<Mutex<Log>>);

impl Tap {
    /// A host's network whose TCP connections are listened to, for signaling.
    #[must_use]
    pub fn network(&self, network: HostNetwork, of: Party) -> TappedNetwork {
        TappedNetwork::new(network, self.clone(), of)
    }

    /// A connection that coord has accepted.
    pub(crate) fn accepted<S>(&self, stream: S) -> Overheard<S> {
        Overheard::new(stream, Some(self.writer(Party::Coord)))
    }

    /// A WebRTC stack whose lanes are listened to, and whose owner finds `network` for signaling.
    #[must_use]
    pub fn transport(
        &self,
        stack: impl PeerTransport,
        network: Arc<dyn Network>,
    ) -> Arc<dyn PeerTransport> {
        Arc::new(TappedTransport::new(stack, network, self.clone()))
    }

    /// All that was said, in the order of sending.
    ///
    /// # Errors
    /// When signaling was not what it should be.
    pub fn said(&self) -> Result<Vec<Said>, Failure> {
        let log = self.log();
        let mut all = log.frames.clone();
        for (by, written) in &log.streams {
            all.extend(signaling::read(*by, written)?);
        }
        all.sort_by_key(|(moment, _)| *moment);
        Ok(all.into_iter().map(|(_, said)| said).collect())
    }

    fn writer(&self, by: Party) -> Writer {
        let mut log = self.log();
        log.streams.push((by, Vec::new()));
        Writer {
            tap: self.clone(),
            stream: log.streams.len() - 1,
        }
    }

    fn note_bytes(&self, stream: usize, bytes: &[u8]) {
        let mut log = self.log();
        let moment = log.moment();
        let bytes = Bytes::copy_from_slice(bytes);
        if let Some((_, written)) = log.streams.get_mut(stream) {
            written.push(Written { moment, bytes });
        }
    }

    fn note_frame(&self, from: Party, lane: LaneId, bytes: &Bytes) {
        let mut log = self.log();
        let moment = log.moment();
        let said = Said {
            at: moment.at,
            from,
            to: match from {
                Party::Agent => Party::Visitor,
                Party::Coord | Party::Visitor => Party::Agent,
            },
            on: Carrier::Lane(lane),
            bytes: bytes.clone(),
        };
        log.frames.push((moment, said));
    }

    fn show(&self, description: &str) -> String {
        self.log().inits.show(description)
    }

    fn mean(&self, description: &str) -> String {
        self.log().inits.mean(description)
    }

    fn log(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Log {
    fn moment(&mut self) -> Moment {
        self.things += 1;
        Moment {
            at: clock::elapsed(),
            order: self.things,
        }
    }
}
