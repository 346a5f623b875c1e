//! One allocation on a TURN server, made to see whether it can be had and given back at once.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::BytesMut;
use stun_types::{
    attribute::ErrorCode,
    message::{Message, MessageHeader, TransactionId},
};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::rustls::{self, ClientConfig};
use turn_client_proto::{api::TurnEvent, stun::types::TransportType};

use crate::{network::Network, server::Server, turn::Turn};

/// From the name to the allocation: with TLS it is six round trips.
const DEADLINE: Duration = Duration::from_secs(4);

/// How long the server may take to say that it has the allocation back.
const FAREWELL: Duration = Duration::from_millis(500);

/// Longest message of a stream that is looked at, in bytes; answers to requests are far shorter.
const MAX_MESSAGE: usize = 4 * 1024;

/// An allocation that was had for a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allocation {
    /// The server.
    pub server: SocketAddr,
    /// The address that it relayed for.
    pub relayed: SocketAddr,
    /// To the server and back.
    pub round_trip: Duration,
}

/// Why there was no allocation. Fits after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum AllocationError {
    /// It is a STUN server.
    #[error("allocate: it is no TURN server")]
    NoTurn,
    /// Its name has no address.
    #[error("find the relay's address: {0}")]
    Name(io::Error),
    /// No TCP connection, or no UDP socket.
    #[error("connect to the relay: {0}")]
    Connect(io::Error),
    /// It speaks no TLS, or has a certificate that does not hold.
    #[error("trust the relay: {0}")]
    Tls(io::Error),
    /// Nothing came back.
    #[error("get an answer of the relay: nothing came back within {} s", DEADLINE.as_secs())]
    Silent,
    /// It answers, and does not take the name and password (RFC 8489 section 9.2.4).
    #[error("log in at the relay: it refuses the credential")]
    Refused,
    /// It answers with another error (RFC 8656 section 19).
    #[error("allocate: the relay answers {code} {reason}")]
    Failed {
        /// The error's code; 0 where the protocol was not kept.
        code: u16,
        /// Its reason, in the server's words.
        reason: String,
    },
}

/// Makes an allocation and gives it back, within 5 s in all. `tls` says how `turns:` servers are
/// checked.
///
/// # Errors
/// Whatever stands between this machine and a relayed address.
pub async fn try_out(
    network: &dyn Network,
    server: &Server,
    tls: Option<Arc<ClientConfig>>,
) -> Result<Allocation, AllocationError> {
    let Server::Turn { host, port, .. } = server else {
        return Err(AllocationError::NoTurn);
    };
    let deadline = Instant::now() + DEADLINE;
    let addresses = timeout_at(deadline, network.resolve(host, *port)).await;
    let addresses = addresses
        .map_err(|_| AllocationError::Name(io::ErrorKind::TimedOut.into()))?
        .map_err(AllocationError::Name)?;
    // As the agent chooses: IPv4 is what most peers have.
    let address = addresses.iter().min_by_key(|address| address.is_ipv6());
    let address = *address.ok_or_else(|| {
        AllocationError::Name(io::Error::new(io::ErrorKind::NotFound, "the name has none"))
    })?;
    let opened = timeout_at(deadline, Turn::open(network, tls, server, address));
    let turn = opened.await.map_err(|_| AllocationError::Silent)?;
    let turn = turn.map_err(not_opened)?;
    Trial::new(turn, address.is_ipv6())
        .run(address, deadline)
        .await
}

fn not_opened(error: io::Error) -> AllocationError {
    let cause = error.get_ref();
    if cause.is_some_and(|cause| cause.is::<rustls::Error>()) {
        AllocationError::Tls(error)
    } else if error.kind() == io::ErrorKind::TimedOut {
        AllocationError::Silent
    } else {
        AllocationError::Connect(error)
    }
}

struct Trial {
    turn: Turn,
    /// The server is asked for addresses of both families.
    is_ipv6: bool,
    /// When the first request left, and how long its answer took.
    began: Instant,
    round_trip: Option<Duration>,
    /// Bytes of a stream that are no whole message yet.
    partial: BytesMut,
    /// The request upon which the server has asked for a credential; what it says to another one
    /// is about that credential.
    challenged: Option<TransactionId>,
}

impl Trial {
    fn new(turn: Turn, is_ipv6: bool) -> Self {
        Self {
            turn,
            is_ipv6,
            began: Instant::now(),
            round_trip: None,
            partial: BytesMut::new(),
            challenged: None,
        }
    }

    async fn run(
        mut self,
        server: SocketAddr,
        deadline: Instant,
    ) -> Result<Allocation, AllocationError> {
        let relayed = timeout_at(deadline, self.allocate()).await;
        let relayed = relayed.map_err(|_| match self.round_trip {
            // It has answered once: what it does not answer is the credential.
            Some(_) => AllocationError::Refused,
            None => AllocationError::Silent,
        })??;
        let round_trip = self.round_trip.unwrap_or_default();
        if self.turn.delete() {
            let _ = timeout(FAREWELL, self.until_closed()).await;
        }
        self.turn.finish().await;
        Ok(Allocation {
            server,
            relayed,
            round_trip,
        })
    }

    async fn allocate(&mut self) -> Result<SocketAddr, AllocationError> {
        loop {
            while let Some(event) = self.turn.poll_event() {
                match event {
                    TurnEvent::AllocationCreated(_, address) => return Ok(address),
                    // Another family may do.
                    TurnEvent::AllocationCreateFailed(_)
                    | TurnEvent::PermissionCreated(..)
                    | TurnEvent::PermissionCreateFailed(..)
                    | TurnEvent::ChannelCreated(..)
                    | TurnEvent::ChannelCreateFailed(..)
                    | TurnEvent::TcpConnected(_)
                    | TurnEvent::TcpConnectFailed(_) => {}
                }
            }
            if !self.step().await? {
                return Err(broken());
            }
        }
    }

    /// Until the server has the allocation back.
    async fn until_closed(&mut self) {
        while matches!(self.step().await, Ok(true)) {
            while self.turn.poll_event().is_some() {}
        }
    }

    /// Sends what is due, then waits for an answer or a timer. `false`: the client is done.
    async fn step(&mut self) -> Result<bool, AllocationError> {
        self.turn.flush();
        let Some(wait) = self.turn.timeout() else {
            return Ok(false);
        };
        let mut received = Vec::new();
        match timeout_at(wait, self.turn.read(&mut received)).await {
            Err(_) => return Ok(true),
            Ok(Err(error)) => return Err(AllocationError::Connect(error)),
            Ok(Ok(())) => {}
        }
        self.round_trip.get_or_insert(self.began.elapsed());
        for bytes in received {
            self.look(&bytes)?;
            self.turn.handle(bytes, |_, _| {});
        }
        Ok(true)
    }

    /// Looks for errors, of which the client does not tell.
    fn look(&mut self, bytes: &[u8]) -> Result<(), AllocationError> {
        if self.turn.wire().transport() == TransportType::Udp {
            // A datagram is a whole message or none.
            self.partial.clear();
        }
        self.partial.extend_from_slice(bytes);
        while let Ok(header) = MessageHeader::from_bytes(&self.partial) {
            let length = MessageHeader::LENGTH + usize::from(header.data_length());
            if self.partial.len() < length {
                break;
            }
            let message = self.partial.split_to(length);
            self.judge(&message)?;
        }
        if self.partial.len() > MAX_MESSAGE {
            return Err(broken());
        }
        Ok(())
    }

    fn judge(&mut self, message: &[u8]) -> Result<(), AllocationError> {
        let Ok(message) = Message::from_bytes(message) else {
            return Ok(());
        };
        let Ok(error) = message.attribute::<ErrorCode>() else {
            return Ok(());
        };
        let request = message.transaction_id();
        let shown = self
            .challenged
            .is_some_and(|challenged| challenged != request);
        match error.code() {
            // The next request has the new nonce, or does without IPv4.
            ErrorCode::STALE_NONCE => Ok(()),
            ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED if self.is_ipv6 => Ok(()),
            // RFC 8489 section 9.2.4: the first one asks for a credential. A request that was sent
            // again has two answers.
            ErrorCode::UNAUTHORIZED if !shown => {
                self.challenged = Some(request);
                Ok(())
            }
            ErrorCode::UNAUTHORIZED | ErrorCode::WRONG_CREDENTIALS => Err(AllocationError::Refused),
            // What pion and webrtc-rs answer to a credential that they do not know.
            ErrorCode::BAD_REQUEST if shown => Err(AllocationError::Refused),
            code => Err(AllocationError::Failed {
                code,
                reason: error.reason().replace(char::is_control, " "),
            }),
        }
    }
}

fn broken() -> AllocationError {
    AllocationError::Failed {
        code: 0,
        reason: "what is no TURN".to_owned(),
    }
}
