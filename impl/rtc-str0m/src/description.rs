//! Reading and making parts of session descriptions.

use p2claw_agent::transport::{CandidateKind, TransportError};
use p2claw_network::LocalCandidate;
use str0m::Candidate;

/// An address of this end as str0m takes it.
pub(crate) fn candidate(local: &LocalCandidate) -> Result<Candidate, TransportError> {
    let candidate = match local.kind {
        CandidateKind::Host | CandidateKind::PeerReflexive => Candidate::host(local.address, "udp"),
        CandidateKind::ServerReflexive => {
            Candidate::server_reflexive(local.address, local.base, "udp")
        }
        CandidateKind::Relayed => Candidate::relayed(local.address, local.base, "udp"),
    };
    candidate.map_err(|error| TransportError::Stack(error.to_string()))
}

/// A description without its candidates, and those, the first one first: str0m would take them in
/// no order, and check what the other end prefers later than the rest.
pub(crate) fn split_candidates(description: &str) -> (String, Vec<&str>) {
    let candidate = |line: &&str| line.starts_with("a=candidate:");
    let (candidates, rest): (Vec<&str>, Vec<&str>) =
        description.split_inclusive('\n').partition(candidate);
    let candidates = candidates
        .into_iter()
        .filter_map(|line| line.trim_end().strip_prefix("a="));
    (rest.concat(), candidates.collect())
}

/// The certificate that a description names, as it stands there.
pub(crate) fn fingerprint(description: &str) -> Option<String> {
    description
        .lines()
        .find_map(|line| line.trim().strip_prefix("a=fingerprint:"))
        .map(str::to_ascii_lowercase)
}

/// Whether a description has a section for data channels that is not refused (RFC 8841 section 5).
pub(crate) fn has_data_channels(description: &str) -> bool {
    description
        .lines()
        .filter_map(|line| line.strip_prefix("m=application "))
        .any(|section| !section.starts_with("0 "))
}
