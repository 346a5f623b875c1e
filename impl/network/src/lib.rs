//! What every WebRTC stack needs of the machine's network: UDP sockets that all peers share,
//! this machine's candidates, STUN, and TURN over UDP, TCP and TLS.
//!
//! A [`Hub`] owns the sockets. A stack takes one [`Port`] for each of its peers: datagrams for
//! that peer come in there, and leave there, through whichever socket or relay the address that
//! they are to come from belongs to. Everything touches the network through [`Network`], so that
//! a simulated one can take its place.

pub mod allocation;
mod batch;
pub mod behaviour;
mod candidate;
mod demux;
mod framing;
mod hub;
mod machine;
mod network;
mod port;
mod reflexive;
mod relay;
mod server;
mod socket;
mod turn;
mod wire;

pub use candidate::{CandidateKind, LocalCandidate, RemoteKinds};
pub use hub::{Hub, HubConfig};
pub use machine::Machine;
pub use network::{ByteStream, Datagram, Network, Transmit, UdpSocket};
pub use port::{Port, PortEvent};
pub use server::{RelayTransport, Server, ServerError};
