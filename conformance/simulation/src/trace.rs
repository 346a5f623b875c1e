//! What became of each datagram: for people to read, and for two runs to be compared.

use std::{fmt, net::SocketAddr, time::Duration};

use crate::{internet::HostId, nat::Blocked};

/// What a datagram is, by its first bytes (RFC 7983).
///
/// Neither sizes nor other contents are kept: those follow from what DTLS agrees on, which no seed
/// decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// STUN or TURN, with its message type.
    Stun(u16),
    /// TURN channel data.
    Channel,
    /// DTLS.
    Dtls,
    /// Something else.
    Other,
}

impl Kind {
    pub(crate) fn of(contents: &[u8]) -> Self {
        match contents {
            [first @ 0..=3, second, ..] => Self::Stun(u16::from_be_bytes([*first, *second])),
            [64..=79, ..] => Self::Channel,
            [20..=63, ..] => Self::Dtls,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Stun(message_type) = self else {
            return f.write_str(match self {
                Self::Channel => "channel data",
                Self::Dtls => "DTLS",
                Self::Stun(_) | Self::Other => "other",
            });
        };
        // RFC 8489 section 5: the class is in bits 4 and 8.
        let method = match message_type & 0x3eef {
            0x001 => "binding",
            0x003 => "allocate",
            0x004 => "refresh",
            0x006 => "send",
            0x007 => "data",
            0x008 => "create permission",
            0x009 => "channel bind",
            _ => "unknown",
        };
        let class = match message_type & 0x0110 {
            0x000 => "request",
            0x010 => "indication",
            0x100 => "success",
            _ => "error",
        };
        write!(f, "{method} {class}")
    }
}

/// How a datagram ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It came to a socket of this host.
    Arrived(HostId),
    /// A line lost it.
    Lost,
    /// A NAT box did not pass it.
    Blocked(Blocked),
    /// Hosts of that network do not reach one another.
    Isolated,
    /// Nobody has the address.
    Unroutable,
    /// The host has no socket there, or does not run.
    Closed,
    /// The socket had no room.
    Overflow,
}

/// One datagram, from its sending to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// When it was sent.
    pub sent: Duration,
    /// When it ended.
    pub ended: Duration,
    /// Who sent it.
    pub from: HostId,
    /// Its source, as its sender knows it.
    pub source: SocketAddr,
    /// Its destination, as its sender knows it.
    pub destination: SocketAddr,
    /// What it is.
    pub kind: Kind,
    /// How it ended.
    pub fate: Fate,
}
