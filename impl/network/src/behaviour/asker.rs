//! STUN Binding transactions over one socket (RFC 8489 section 6.2.1), with the attributes of
//! RFC 5780.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use stun_types::{
    attribute::{AttributeType, MappedSocketAddr, RawAttribute, XorMappedAddress},
    message::{BINDING, Message, MessageClass, MessageWriteVec, TransactionId},
    prelude::{MessageWrite as _, MessageWriteExt as _},
};
use tokio::time::{Instant, timeout_at};

use crate::network::{Datagram, Network, Transmit, UdpSocket};

/// RFC 5780 section 7.2.
const CHANGE_REQUEST: AttributeType = AttributeType::new(0x0003);
/// RFC 5780 section 7.5.
const RESPONSE_PORT: AttributeType = AttributeType::new(0x0027);
/// RFC 5780 section 7.4.
const OTHER_ADDRESS: AttributeType = AttributeType::new(0x802c);

/// When a request leaves, since the first time.
const SENDINGS: [Duration; 3] = [
    Duration::ZERO,
    Duration::from_millis(250),
    Duration::from_millis(700),
];

/// How long a question may stay without an answer. A round trip of more than this is no path
/// that anybody would want to visit through.
const PATIENCE: Duration = Duration::from_millis(1_400);

/// From where the server is to answer (RFC 5780 section 7.2); each value as it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Nothing = 0,
    Port = 2,
    AddressAndPort = 6,
}

/// One Binding request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question {
    pub(super) to: SocketAddr,
    pub(super) change: Change,
    /// The port that is to get the answer, where it is not the one that asked.
    pub(super) answer_to: Option<u16>,
}

impl Question {
    pub(super) const fn to(to: SocketAddr) -> Self {
        Self {
            to,
            change: Change::Nothing,
            answer_to: None,
        }
    }

    pub(super) const fn from(self, change: Change) -> Self {
        Self { change, ..self }
    }

    fn encode(&self) -> Vec<u8> {
        let mut request = Message::builder_request(BINDING, MessageWriteVec::new());
        let mut add = |attribute, value: &[u8]| {
            // An empty message has room for both.
            let _ = request.add_attribute(&RawAttribute::new(attribute, value));
        };
        if self.change != Change::Nothing {
            add(CHANGE_REQUEST, &(self.change as u32).to_be_bytes());
        }
        if let Some(port) = self.answer_to {
            let [high, low] = port.to_be_bytes();
            add(RESPONSE_PORT, &[high, low, 0, 0]);
        }
        request.finish()
    }
}

/// What came back.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outcome {
    Answer(Answer),
    /// The server answered with an error (RFC 8489 section 14.8).
    Refused,
    Silence,
}

impl Outcome {
    pub(super) fn answer(self) -> Option<Answer> {
        match self {
            Self::Answer(answer) => Some(answer),
            Self::Refused | Self::Silence => None,
        }
    }
}

/// A success response.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    /// Who sent it.
    pub(super) source: SocketAddr,
    /// The address of this machine that got it.
    pub(super) local: SocketAddr,
    /// The address that the server saw.
    pub(super) mapped: SocketAddr,
    /// The server's second address and port.
    pub(super) other: Option<SocketAddr>,
    pub(super) round_trip: Duration,
}

/// One socket and what is asked through it.
#[derive(Debug)]
pub(super) struct Asker {
    socket: Arc<dyn UdpSocket>,
    received: Vec<Datagram>,
}

impl Asker {
    /// A socket of its own, on a port that nothing was sent from yet.
    pub(super) fn bind(network: &dyn Network, like: SocketAddr) -> io::Result<Self> {
        let any: SocketAddr = if like.is_ipv4() {
            ([0; 4], 0).into()
        } else {
            ([0_u16; 8], 0).into()
        };
        Ok(Self {
            socket: network.bind_udp(any)?,
            received: Vec::new(),
        })
    }

    /// Sends one datagram; what cannot leave now is lost, as on a network.
    pub(super) fn send(&self, destination: SocketAddr, contents: &[u8]) {
        let _ = self.socket.try_send(&Transmit {
            source: None,
            destination,
            contents,
            segment: contents.len(),
        });
    }

    /// The next datagram; `None` when there is none until then.
    pub(super) async fn receive(&mut self, until: Instant) -> Option<Datagram> {
        loop {
            if let Some(datagram) = self.received.pop() {
                return Some(datagram);
            }
            let read = timeout_at(until, self.socket.receive(&mut self.received));
            // A socket that fails says no more than one that is silent.
            read.await.ok()?.ok()?;
        }
    }

    /// Asks all of these at the same time; the outcomes are in their order.
    pub(super) async fn ask(&mut self, questions: &[Question]) -> Vec<Outcome> {
        let mut pending: Vec<Pending> = questions.iter().map(Pending::new).collect();
        let began = Instant::now();
        let mut sendings = SENDINGS.iter().map(|after| began + *after).peekable();
        while pending.iter().any(|one| one.outcome.is_none()) {
            let now = Instant::now();
            if sendings.next_if(|due| *due <= now).is_some() {
                for one in pending.iter_mut().filter(|one| one.outcome.is_none()) {
                    self.send(one.question.to, &one.request);
                    one.sent = now;
                }
                continue;
            }
            let end = began + PATIENCE;
            if now >= end {
                break;
            }
            let wait = sendings.peek().map_or(end, |next| *next);
            if let Some(datagram) = self.receive(wait).await {
                for one in &mut pending {
                    one.take(&datagram);
                }
            } else if Instant::now() < wait {
                // The socket is of no more use.
                break;
            }
        }
        let outcomes = pending.into_iter();
        outcomes
            .map(|one| one.outcome.unwrap_or(Outcome::Silence))
            .collect()
    }

    /// Asks one thing.
    pub(super) async fn ask_one(&mut self, question: Question) -> Outcome {
        let outcomes = self.ask(&[question]).await;
        outcomes.first().copied().unwrap_or(Outcome::Silence)
    }
}

/// A question and its state.
struct Pending {
    question: Question,
    request: Vec<u8>,
    id: Option<TransactionId>,
    sent: Instant,
    outcome: Option<Outcome>,
}

impl Pending {
    fn new(question: &Question) -> Self {
        let request = question.encode();
        let id = transaction(&request);
        Self {
            question: *question,
            request,
            id,
            sent: Instant::now(),
            outcome: None,
        }
    }

    /// Takes a datagram, if it is the answer: 96 random bits say so.
    fn take(&mut self, datagram: &Datagram) {
        if self.outcome.is_some() {
            return;
        }
        // Where nothing was to change, nobody else answers.
        if self.question.change == Change::Nothing && datagram.source != self.question.to {
            return;
        }
        let Ok(message) = Message::from_bytes(&datagram.contents) else {
            return;
        };
        if Some(message.transaction_id()) != self.id || !message.has_method(BINDING) {
            return;
        }
        self.outcome = match message.class() {
            MessageClass::Error => Some(Outcome::Refused),
            MessageClass::Success => self.answer(datagram, &message).map(Outcome::Answer),
            MessageClass::Request | MessageClass::Indication => None,
        };
    }

    fn answer(&self, datagram: &Datagram, message: &Message<'_>) -> Option<Answer> {
        let mapped = message.attribute::<XorMappedAddress>().ok()?;
        let other = message.raw_attribute(OTHER_ADDRESS);
        let other = other.and_then(|raw| MappedSocketAddr::from_raw(&raw).ok());
        Some(Answer {
            source: datagram.source,
            local: datagram.destination,
            mapped: mapped.addr(message.transaction_id()),
            other: other.map(|other| other.addr()),
            round_trip: self.sent.elapsed(),
        })
    }
}

/// The transaction of a message.
pub(super) fn transaction(message: &[u8]) -> Option<TransactionId> {
    let message = Message::from_bytes(message).ok()?;
    Some(message.transaction_id())
}

/// A Binding request with nothing in it.
pub(super) fn plain_request() -> Vec<u8> {
    Message::builder_request(BINDING, MessageWriteVec::new()).finish()
}
