//! ICE candidates, as far as sockets and reports are concerned.

use std::{
    collections::VecDeque,
    fmt,
    net::{IpAddr, SocketAddr},
};

/// Where an address comes from (RFC 8445 section 5.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CandidateKind {
    /// An interface of the machine.
    Host,
    /// What a STUN server sees of it.
    ServerReflexive,
    /// What the other end sees of it.
    PeerReflexive,
    /// A TURN relay's.
    Relayed,
}

impl CandidateKind {
    /// The value of `typ` (RFC 8839 section 5.1).
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::ServerReflexive => "srflx",
            Self::PeerReflexive => "prflx",
            Self::Relayed => "relay",
        }
    }
}

impl fmt::Display for CandidateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A UDP address of this end that the other end may reach it at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LocalCandidate {
    /// Where it comes from; never peer-reflexive.
    pub kind: CandidateKind,
    /// The address.
    pub address: SocketAddr,
    /// The host address behind a server-reflexive one; the address itself otherwise.
    pub base: SocketAddr,
}

/// Candidates of one peer that are remembered with their kind.
const REMEMBERED: usize = 128;

/// What the other end has said of its own addresses: a stack's report of the pair in use names
/// addresses only.
#[derive(Debug, Default)]
pub struct RemoteKinds(VecDeque<(SocketAddr, CandidateKind)>);

impl RemoteKinds {
    /// Takes every candidate of a description.
    pub fn learn_description(&mut self, sdp: &str) {
        for line in sdp.lines() {
            if let Some(candidate) = line.trim().strip_prefix("a=") {
                self.learn(candidate);
            }
        }
    }

    /// Takes one candidate attribute (`candidate:...`); anything else is passed over.
    pub fn learn(&mut self, candidate: &str) {
        let Some((address, kind)) = parse(candidate) else {
            return;
        };
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back((address, kind));
    }

    /// What an address of the other end is; one that it never named is peer-reflexive.
    #[must_use]
    pub fn kind_of(&self, address: SocketAddr) -> CandidateKind {
        self.0
            .iter()
            .rev()
            .find(|(known, _)| *known == address)
            .map_or(CandidateKind::PeerReflexive, |(_, kind)| *kind)
    }
}

/// Address and type of a candidate attribute (RFC 8839 section 5.1).
fn parse(candidate: &str) -> Option<(SocketAddr, CandidateKind)> {
    let mut words = candidate
        .strip_prefix("candidate:")?
        .split_ascii_whitespace();
    let ip: IpAddr = words.nth(4)?.parse().ok()?;
    let port: u16 = words.next()?.parse().ok()?;
    if words.next()? != "typ" {
        return None;
    }
    let kind = match words.next()? {
        "host" => CandidateKind::Host,
        "srflx" => CandidateKind::ServerReflexive,
        "prflx" => CandidateKind::PeerReflexive,
        "relay" => CandidateKind::Relayed,
        _ => return None,
    };
    Some((SocketAddr::new(ip, port), kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_come_from_what_the_other_end_said() {
        let mut kinds = RemoteKinds::default();
        kinds.learn_description(
            "v=0\r\na=candidate:1 1 udp 2130706175 192.0.2.7 4000 typ host\r\n\
             a=candidate:2 1 udp 1 198.51.100.9 5000 typ relay raddr 192.0.2.7 rport 4000\r\n",
        );
        kinds.learn("candidate:3 1 udp 1 2b1f.local 9 typ host");
        kinds.learn("candidate:4 1 udp 1 203.0.113.4 70000 typ srflx");
        kinds.learn("candidate:5 1 UDP 1 203.0.113.4 7000 typ srflx raddr 0.0.0.0 rport 0");
        let kind = |address: &str| kinds.kind_of(address.parse().unwrap_or(([0; 4], 0).into()));
        assert_eq!(kind("192.0.2.7:4000"), CandidateKind::Host);
        assert_eq!(kind("198.51.100.9:5000"), CandidateKind::Relayed);
        assert_eq!(kind("203.0.113.4:7000"), CandidateKind::ServerReflexive);
        assert_eq!(kind("192.0.2.7:4001"), CandidateKind::PeerReflexive);
    }
}
