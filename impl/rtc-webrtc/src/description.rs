//! Reading and making parts of session descriptions.
//!
//! rtc is given descriptions without candidates, and candidates one by one: it would refuse a
//! whole description for one candidate that it cannot read. What it writes is stripped of them,
//! too, for it goes on offering addresses that are gone.

use std::net::{IpAddr, SocketAddr};

use p2claw_agent::transport::{CandidateKind, TransportError, pacing};
use p2claw_network::LocalCandidate;

/// Candidates that are read of one description. Browsers have about ten.
const CANDIDATES_MAX: usize = 32;

const CANDIDATE: &str = "a=candidate:";
const FINGERPRINT: &str = "a=fingerprint:";

/// Whether a description is for data channels and nothing else (`RTC-001`).
pub(crate) fn check(description: &str) -> Result<(), TransportError> {
    let mut sections = lines(description).filter_map(|line| line.strip_prefix("m="));
    let fault = match (sections.next(), sections.next()) {
        (None, _) => "it has no section for data channels",
        (Some(_), Some(_)) => "it has more than one media section",
        (Some(section), None) => {
            let mut words = section.split(' ');
            let data = words.next() == Some("application")
                // RFC 8843 section 6: port 0 refuses the section.
                && words.next().is_some_and(|port| port != "0")
                && words.next().is_some_and(|protocol| protocol.ends_with("/DTLS/SCTP"))
                && words.next() == Some("webrtc-datachannel");
            if data {
                return Ok(());
            }
            "its section is not for data channels"
        }
    };
    Err(TransportError::BadDescription(fault.to_owned()))
}

/// The value of the first attribute of a name.
pub(crate) fn attribute<'a>(description: &'a str, name: &str) -> Option<&'a str> {
    lines(description).find_map(|line| {
        line.strip_prefix("a=")?
            .strip_prefix(name)?
            .strip_prefix(':')
    })
}

/// The certificate that a description names.
pub(crate) fn fingerprint(description: &str) -> Option<String> {
    attribute(description, "fingerprint").map(str::to_ascii_lowercase)
}

/// What checks are signed with (RFC 8839 section 5.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) ufrag: String,
    pub(crate) password: String,
}

impl Credentials {
    pub(crate) fn of(description: &str) -> Option<Self> {
        Some(Self {
            ufrag: attribute(description, "ice-ufrag")?.to_owned(),
            password: attribute(description, "ice-pwd")?.to_owned(),
        })
    }
}

/// A description as rtc takes it.
pub(crate) fn for_rtc(description: &str) -> String {
    let mut kept = String::with_capacity(description.len());
    for line in lines(description).filter(|line| !is_candidate(line)) {
        if line.starts_with(FINGERPRINT) {
            // The name of the hash may be written either way (RFC 8122 section 5).
            kept.push_str(&line.to_ascii_lowercase());
        } else {
            kept.push_str(line);
        }
        kept.push_str("\r\n");
    }
    kept
}

/// What rtc wrote, as it is sent: with these candidates, and the word that others may follow
/// (RFC 8840 section 4.1.1). There is one section only, so they go to its end.
pub(crate) fn with_candidates(description: &str, candidates: &[LocalCandidate]) -> String {
    let mut sent = String::with_capacity(description.len());
    for line in lines(description).filter(|line| !is_candidate(line)) {
        match line.split_once(' ') {
            // Its digits are capital ones (RFC 8122 section 5), and Firefox takes no others.
            Some((hash, digits)) if hash.starts_with(FINGERPRINT) => {
                sent.push_str(hash);
                sent.push(' ');
                sent.push_str(&digits.to_ascii_uppercase());
            }
            _ => sent.push_str(line),
        }
        sent.push_str("\r\n");
    }
    sent.push_str("a=ice-options:trickle\r\n");
    for (position, candidate) in candidates.iter().enumerate() {
        sent.push_str("a=");
        sent.push_str(&candidate_line(candidate, position));
        sent.push_str("\r\n");
    }
    pacing::asking(&sent)
}

/// The candidate attribute of an address of this end; `position` is among all of them.
pub(crate) fn candidate_line(candidate: &LocalCandidate, position: usize) -> String {
    // RFC 8445 section 5.1.2.
    let preference: u32 = match candidate.kind {
        CandidateKind::Host => 126,
        CandidateKind::PeerReflexive => 110,
        CandidateKind::ServerReflexive => 100,
        CandidateKind::Relayed => 0,
    };
    let local = u16::MAX - u16::try_from(position).unwrap_or(u16::MAX);
    let priority = (preference << 24) | (u32::from(local) << 8) | 255;
    let (ip, port) = (candidate.address.ip(), candidate.address.port());
    let kind = candidate.kind;
    // One foundation each: nothing here is frozen until a pair of the same foundation is through.
    let line = format!("candidate:{position} 1 udp {priority} {ip} {port} typ {kind}");
    let related = match candidate.kind {
        CandidateKind::Host => return line,
        CandidateKind::PeerReflexive | CandidateKind::ServerReflexive => candidate.base,
        // A relay's users need not know where its client is (RFC 8839 section 5.1).
        CandidateKind::Relayed => SocketAddr::from(([0, 0, 0, 0], 0)),
    };
    format!("{line} raddr {} rport {}", related.ip(), related.port())
}

/// A candidate of the other end that checks can be sent to.
pub(crate) struct RemoteCandidate {
    pub(crate) address: SocketAddr,
    /// As rtc reads it.
    pub(crate) line: String,
}

impl RemoteCandidate {
    /// Reads a candidate attribute (RFC 8839 section 5.1). `None`: TCP, another component, or a
    /// name: mDNS names are not asked for, their owner's checks make them peer-reflexive
    /// (`RTC-012`).
    pub(crate) fn read(candidate: &str) -> Option<Self> {
        let words = candidate.strip_prefix("candidate:")?;
        let mut words = words.split_ascii_whitespace();
        let foundation = words.next()?;
        let component = words.next()?;
        let protocol = words.next()?;
        let priority: u32 = words.next()?.parse().ok()?;
        let ip: IpAddr = words.next()?.parse().ok()?;
        let port: u16 = words.next()?.parse().ok()?;
        let kind = words.next().filter(|typ| *typ == "typ").and(words.next())?;
        let known = ["host", "srflx", "prflx", "relay"].contains(&kind);
        if !known || component != "1" || !protocol.eq_ignore_ascii_case("udp") || port == 0 {
            return None;
        }
        let rest = if kind == "host" {
            ""
        } else {
            " raddr 0.0.0.0 rport 0"
        };
        Some(Self {
            address: SocketAddr::new(ip, port),
            line: format!("candidate:{foundation} 1 udp {priority} {ip} {port} typ {kind}{rest}"),
        })
    }

    /// The usable ones of a description, the first [`CANDIDATES_MAX`].
    pub(crate) fn all(description: &str) -> impl Iterator<Item = Self> {
        lines(description)
            .filter_map(|line| line.strip_prefix("a="))
            .filter_map(Self::read)
            .take(CANDIDATES_MAX)
    }
}

fn is_candidate(line: &str) -> bool {
    line.starts_with(CANDIDATE) || line == "a=end-of-candidates"
}

fn lines(description: &str) -> impl Iterator<Item = &str> {
    description.lines().filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_a_fingerprint_are_capital_ones_for_others_and_small_ones_for_rtc() {
        let written = "v=0\r\na=fingerprint:sha-256 0a:bc:1D\r\na=mid:0\r\n";
        let sent = with_candidates(written, &[]);
        assert!(
            sent.starts_with("v=0\r\na=fingerprint:sha-256 0A:BC:1D\r\na=mid:0\r\n"),
            "{sent}"
        );
        assert_eq!(fingerprint(&sent), fingerprint(written));
        assert!(for_rtc(&sent).contains("a=fingerprint:sha-256 0a:bc:1d\r\n"));
    }

    fn local(kind: CandidateKind, address: &str) -> LocalCandidate {
        let address = address.parse().unwrap_or(([0; 4], 0).into());
        LocalCandidate {
            kind,
            address,
            base: ([192, 0, 2, 7], 4000).into(),
        }
    }

    #[test]
    fn own_candidates_are_what_others_read() {
        let candidates = [
            local(CandidateKind::Host, "192.0.2.7:4000"),
            local(CandidateKind::ServerReflexive, "198.51.100.9:5000"),
            local(CandidateKind::Relayed, "[2001:db8::1]:6000"),
        ];
        let lines: Vec<String> = candidates
            .iter()
            .enumerate()
            .map(|(position, candidate)| candidate_line(candidate, position))
            .collect();
        assert_eq!(
            lines,
            [
                "candidate:0 1 udp 2130706431 192.0.2.7 4000 typ host",
                "candidate:1 1 udp 1694498559 198.51.100.9 5000 typ srflx raddr 192.0.2.7 rport 4000",
                "candidate:2 1 udp 16776703 2001:db8::1 6000 typ relay raddr 0.0.0.0 rport 0",
            ]
        );
        let sent = with_candidates(
            "v=0\na=candidate:9 1 udp 1 192.0.2.9 9 typ host\n",
            &candidates,
        );
        let read: Vec<SocketAddr> = RemoteCandidate::all(&sent)
            .map(|candidate| candidate.address)
            .collect();
        assert_eq!(read, candidates.map(|candidate| candidate.address));
    }

    /// RTC-012
    #[test]
    fn candidates_that_cannot_be_checked_are_left_aside() {
        for candidate in [
            "candidate:1 1 udp 1 5f1d1f2a.local 5000 typ host",
            "candidate:1 1 tcp 1 192.0.2.7 9 typ host tcptype active",
            "candidate:1 2 udp 1 192.0.2.7 5000 typ host",
            "candidate:1 1 udp 1 192.0.2.7 0 typ host",
            "candidate:1 1 udp 1 192.0.2.7 5000 typ",
            "candidate:1 1 udp 4294967296 192.0.2.7 5000 typ host",
            "192.0.2.7",
        ] {
            assert!(RemoteCandidate::read(candidate).is_none(), "{candidate}");
        }
        let odd = "candidate:a/b+C 1 UDP 7 192.0.2.7 5000 typ srflx raddr x.local rport 9 ufrag q";
        let line = RemoteCandidate::read(odd).map(|candidate| candidate.line);
        let kept = "candidate:a/b+C 1 udp 7 192.0.2.7 5000 typ srflx raddr 0.0.0.0 rport 0";
        assert_eq!(line.as_deref(), Some(kept));
    }

    /// RTC-001
    #[test]
    fn only_data_channels_are_talked_about() {
        let data = "v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n";
        assert!(check(data).is_ok());
        for other in [
            "v=0\r\n",
            "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n",
            "m=application 9 DTLS/SCTP 5000\r\n",
            "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n",
            &format!("{data}m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"),
        ] {
            assert!(check(other).is_err(), "{other}");
        }
    }
}
