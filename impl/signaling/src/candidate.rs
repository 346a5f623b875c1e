//! One ICE candidate as it travels (spec SIG-013).

use crate::limits::MAX_CANDIDATE;
use crate::registry::limit::SDP_MID_MAX;
use bytes::Bytes;
use p2claw_identity::SessionId;
use p2claw_proto::v1;

/// Why a candidate was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CandidateError {
    /// Longer than 1 KiB, or its media tag longer than 64 bytes.
    #[error("take the candidate: shorten it to at most 1 KiB and its sdp_mid to 64 bytes")]
    TooLong,
    /// A control character, with which lines could be slipped into a session description.
    #[error("take the candidate: it has a control character")]
    ControlCharacter,
    /// Text that is no candidate-attribute.
    #[error("take the candidate: it starts with \"candidate:\", without \"a=\"")]
    Form,
}

/// A candidate-attribute without `a=`, or the news that there will be no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceCandidate {
    candidate: String,
    sdp_mid: String,
}

impl IceCandidate {
    /// Takes a candidate-attribute (RFC 8839 section 5.1); an empty one means the end.
    ///
    /// # Errors
    /// When it is too long, has control characters, or is something else.
    pub fn parse(
        candidate: impl Into<String>,
        sdp_mid: impl Into<String>,
    ) -> Result<Self, CandidateError> {
        let (candidate, sdp_mid) = (candidate.into(), sdp_mid.into());
        if candidate.len() > MAX_CANDIDATE || sdp_mid.len() > SDP_MID_MAX {
            return Err(CandidateError::TooLong);
        }
        if candidate
            .chars()
            .chain(sdp_mid.chars())
            .any(char::is_control)
        {
            return Err(CandidateError::ControlCharacter);
        }
        if !candidate.is_empty() && !candidate.starts_with("candidate:") {
            return Err(CandidateError::Form);
        }
        Ok(Self { candidate, sdp_mid })
    }

    /// Says that there will be no more candidates.
    #[must_use]
    pub fn end() -> Self {
        Self {
            candidate: String::new(),
            sdp_mid: String::new(),
        }
    }

    /// The candidate-attribute; empty at the end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.candidate
    }

    /// The media section that it belongs to; may be empty, as we have only one.
    #[must_use]
    pub fn sdp_mid(&self) -> &str {
        &self.sdp_mid
    }

    /// Whether this says that there will be no more.
    #[must_use]
    pub fn is_end(&self) -> bool {
        self.candidate.is_empty()
    }

    /// The message for a visit.
    #[must_use]
    pub fn into_message(self, session_id: SessionId) -> v1::Candidate {
        v1::Candidate {
            session_id: Bytes::copy_from_slice(session_id.as_bytes()),
            candidate: self.candidate,
            sdp_mid: self.sdp_mid,
        }
    }
}

impl TryFrom<v1::Candidate> for IceCandidate {
    type Error = CandidateError;

    fn try_from(message: v1::Candidate) -> Result<Self, CandidateError> {
        Self::parse(message.candidate, message.sdp_mid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SIG-013: what is no single candidate line is refused.
    #[test]
    fn sig_013_candidates_are_single_short_lines() {
        let good = "candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host";
        assert_eq!(IceCandidate::parse(good, "0").unwrap().as_str(), good);
        assert_eq!(IceCandidate::parse("", ""), Ok(IceCandidate::end()));
        for (candidate, mid, error) in [
            (
                "candidate:1\r\na=fingerprint:sha-256 AA",
                "0",
                CandidateError::ControlCharacter,
            ),
            ("candidate:1", "0\n", CandidateError::ControlCharacter),
            ("a=candidate:1", "0", CandidateError::Form),
            ("nonsense", "0", CandidateError::Form),
        ] {
            assert_eq!(IceCandidate::parse(candidate, mid), Err(error));
        }
        let long = format!("candidate:{}", "1".repeat(MAX_CANDIDATE));
        assert_eq!(IceCandidate::parse(long, ""), Err(CandidateError::TooLong));
    }
}
