//! The few facts that signaling needs from a session description (RFC 8866).
//!
//! This is no SDP parser. It finds every line that could name a certificate, and is stricter than
//! the parsers behind it, so that none of them sees a fingerprint which this one did not.

use crate::limits::{MAX_CANDIDATE, MAX_CANDIDATES, MAX_SDP, MESSAGE_DEFAULT, MESSAGE_LEAST};
use p2claw_identity::Fingerprint;

/// Why a session description cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SdpError {
    /// Longer than 32 KiB.
    #[error("take a session description of {0} bytes: shorten it to at most 32 KiB")]
    TooLong(usize),
    /// A control character, or a carriage return inside a line.
    #[error("read line {0} of the session description: it has a control character")]
    ControlCharacter(usize),
    /// No `a=fingerprint` at all.
    #[error("find a certificate: the session description needs an a=fingerprint:sha-256 line")]
    NoFingerprint,
    /// An `a=fingerprint` line that cannot be read.
    #[error("read the a=fingerprint of line {0}: it has the form \"sha-256 AA:BB:..\"")]
    BadFingerprint(usize),
    /// A hash other than SHA-256, which nothing of ours would check.
    #[error("use the a=fingerprint of line {0}: only sha-256 may be there")]
    OtherHash(usize),
    /// Two fingerprints that differ, of which one could be somebody else's.
    #[error("choose between two certificates: line {0} names another one than the lines before")]
    TwoFingerprints(usize),
    /// More than 128 candidates.
    #[error("take more than 128 candidates: leave out those of unused interfaces")]
    TooManyCandidates,
    /// A candidate longer than 1 KiB.
    #[error("take the candidate of line {0}: shorten it to at most 1 KiB")]
    LongCandidate(usize),
    /// An `a=max-message-size` that no session fits.
    #[error("keep to messages of {0} bytes: a=max-message-size has to allow {MESSAGE_LEAST}")]
    ShortMessages(usize),
}

/// What was found in a session description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The only certificate that it names.
    pub fingerprint: Fingerprint,
    /// Its candidate-attributes, without `a=`, in their order.
    pub candidates: Vec<String>,
    /// Whether it says that no further candidates will come.
    pub end_of_candidates: bool,
    /// Bytes of the longest message that its end takes; `usize::MAX`: it sets no limit.
    pub max_message: usize,
}

impl Description {
    /// Reads a description (spec SIG-012, IDN-014).
    ///
    /// # Errors
    /// When it is too long, names no certificate or more than one, or cannot be read safely.
    pub fn parse(sdp: &str) -> Result<Self, SdpError> {
        if sdp.len() > MAX_SDP {
            return Err(SdpError::TooLong(sdp.len()));
        }
        let mut fingerprint = None;
        let mut candidates = Vec::new();
        let mut end_of_candidates = false;
        let mut max_message = None;
        for (index, line) in sdp.split('\n').enumerate() {
            let number = index + 1;
            let line = line.strip_suffix('\r').unwrap_or(line);
            // A bare CR is a line end to some parsers and not to others: nothing may hide there.
            if line.chars().any(char::is_control) {
                return Err(SdpError::ControlCharacter(number));
            }
            let Some((name, value)) = attribute(line) else {
                continue;
            };
            if name.eq_ignore_ascii_case("fingerprint") {
                let found = read_fingerprint(value, number)?;
                if *fingerprint.get_or_insert(found) != found {
                    return Err(SdpError::TwoFingerprints(number));
                }
            } else if name.eq_ignore_ascii_case("candidate") {
                if candidates.len() == MAX_CANDIDATES {
                    return Err(SdpError::TooManyCandidates);
                }
                let candidate = format!("candidate:{value}");
                if candidate.len() > MAX_CANDIDATE {
                    return Err(SdpError::LongCandidate(number));
                }
                candidates.push(candidate);
            } else if name.eq_ignore_ascii_case("end-of-candidates") {
                end_of_candidates = true;
            } else if name.eq_ignore_ascii_case("max-message-size")
                && let Some(found) = read_size(value)
            {
                // Whichever of two a parser behind this one heeds, the lower one is kept.
                max_message = Some(max_message.map_or(found, |before: usize| before.min(found)));
            }
        }
        Ok(Self {
            fingerprint: fingerprint.ok_or(SdpError::NoFingerprint)?,
            candidates,
            end_of_candidates,
            max_message: max_message.unwrap_or(MESSAGE_DEFAULT),
        })
    }

    /// [`Description::max_message`], where a session can keep to it (spec RTC-026).
    ///
    /// # Errors
    /// When not even the frames fit that every end may send.
    pub fn message_limit(&self) -> Result<usize, SdpError> {
        match self.max_message {
            short if short < MESSAGE_LEAST => Err(SdpError::ShortMessages(short)),
            limit => Ok(limit),
        }
    }
}

/// Splits `a=name:value`, more forgiving of case and spaces than any parser behind us.
fn attribute(line: &str) -> Option<(&str, &str)> {
    let (kind, rest) = line.split_once('=')?;
    if !kind.trim().eq_ignore_ascii_case("a") {
        return None;
    }
    let (name, value) = rest.split_once(':').unwrap_or((rest, ""));
    Some((name.trim(), value.trim()))
}

/// Bytes; 0 stands for no limit (RFC 8841 section 6.1). What is no number is no limit to go by
/// (RFC 8866 section 5.13).
fn read_size(value: &str) -> Option<usize> {
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(match value.parse() {
        Ok(0) | Err(_) => usize::MAX,
        Ok(bytes) => bytes,
    })
}

fn read_fingerprint(value: &str, line: usize) -> Result<Fingerprint, SdpError> {
    let mut parts = value.split_ascii_whitespace();
    let (Some(hash), Some(text), None) = (parts.next(), parts.next(), parts.next()) else {
        return Err(SdpError::BadFingerprint(line));
    };
    if !hash.eq_ignore_ascii_case("sha-256") {
        return Err(SdpError::OtherHash(line));
    }
    Fingerprint::parse(text).map_err(|_| SdpError::BadFingerprint(line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(byte: u8) -> String {
        format!("a=fingerprint:sha-256 {}\r\n", Fingerprint([byte; 32]))
    }

    /// IDN-014: the same certificate may be named at session and media level.
    #[test]
    fn idn_014_equal_fingerprints_are_one() {
        let sdp = format!(
            "v=0\r\n{}m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n{}\
             a=candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host\r\na=end-of-candidates\r\n",
            line(1),
            line(1).replace("sha-256", "SHA-256").to_lowercase()
        );
        let found = Description::parse(&sdp).unwrap();
        assert_eq!(found.fingerprint, Fingerprint([1; 32]));
        assert_eq!(
            found.candidates,
            ["candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host"]
        );
        assert!(found.end_of_candidates);
        assert_eq!(Description::parse(&sdp.replace("\r\n", "\n")), Ok(found));
    }

    /// IDN-014, RTC-008: two certificates, another hash, or none: refused, however they are written.
    #[test]
    fn idn_014_anything_but_one_certificate_is_refused() {
        let one = line(1);
        for (second, expected) in [
            (line(2), SdpError::TwoFingerprints(2)),
            (
                line(2).replace("a=fingerprint", "a=FingerPrint"),
                SdpError::TwoFingerprints(2),
            ),
            (
                line(2).replace("a=fingerprint:", " a= fingerprint : "),
                SdpError::TwoFingerprints(2),
            ),
            (
                line(2).replace("a=fingerprint", "A=fingerprint"),
                SdpError::TwoFingerprints(2),
            ),
            (line(1).replace("256", "1"), SdpError::OtherHash(2)),
            (
                "a=fingerprint:sha-512 AA\r\n".into(),
                SdpError::OtherHash(2),
            ),
            ("a=fingerprint\r\n".into(), SdpError::BadFingerprint(2)),
            (
                line(1).replace("\r\n", " x\r\n"),
                SdpError::BadFingerprint(2),
            ),
            (format!("s=-\r{}", line(2)), SdpError::ControlCharacter(2)),
            ("s=\0\r\n".into(), SdpError::ControlCharacter(2)),
            ("s=\u{85}\r\n".into(), SdpError::ControlCharacter(2)),
        ] {
            assert_eq!(
                Description::parse(&format!("{one}{second}")),
                Err(expected),
                "{second:?}"
            );
        }
        assert_eq!(Description::parse("v=0\r\n"), Err(SdpError::NoFingerprint));
    }

    /// RTC-007, RTC-026: the longest message that the other end takes, and the shortest limit that
    /// a session can keep to.
    #[test]
    fn rtc_007_rtc_026_the_longest_message() {
        let limit = |lines: &str| {
            let sdp = format!("v=0\r\n{}{lines}", line(1));
            Description::parse(&sdp).unwrap().message_limit()
        };
        for (lines, expected) in [
            ("", Ok(65_536)),
            ("a=max-message-size:262144\r\n", Ok(262_144)),
            ("a=max-message-size:16384\r\n", Ok(16_384)),
            (
                "a=max-message-size:16383\r\n",
                Err(SdpError::ShortMessages(16_383)),
            ),
            ("a=max-message-size:1\r\n", Err(SdpError::ShortMessages(1))),
            ("a=max-message-size:0\r\n", Ok(usize::MAX)),
            (
                "a=max-message-size:99999999999999999999\r\n",
                Ok(usize::MAX),
            ),
            ("a=max-message-size:\r\n", Ok(65_536)),
            ("a=max-message-size:+1\r\n", Ok(65_536)),
            (" A= Max-Message-Size : 20000\n", Ok(20_000)),
            (
                "a=max-message-size:30000\na=max-message-size:20000\n",
                Ok(20_000),
            ),
            (
                "a=max-message-size:20000\na=max-message-size:0\n",
                Ok(20_000),
            ),
        ] {
            assert_eq!(limit(lines), expected, "{lines:?}");
        }
    }

    /// SIG-012, SIG-013: size limits.
    #[test]
    fn sig_012_sig_013_limits() {
        let filler = "s=0123456789\n".repeat(MAX_SDP / 13 + 1);
        assert!(matches!(
            Description::parse(&filler),
            Err(SdpError::TooLong(_))
        ));
        let fits = format!("{}{}", line(1), "a=candidate:1\r\n".repeat(MAX_CANDIDATES));
        assert!(Description::parse(&fits).is_ok());
        assert_eq!(
            Description::parse(&format!("{fits}a=candidate:1\r\n")),
            Err(SdpError::TooManyCandidates)
        );
        let long = format!("{}a=candidate:{}\r\n", line(1), "1".repeat(MAX_CANDIDATE));
        assert_eq!(Description::parse(&long), Err(SdpError::LongCandidate(2)));
    }

    proptest! {
        /// IDN-014: text never crashes the reader, and a second certificate never slips through.
        #[test]
        fn idn_014_no_text_hides_a_second_certificate(before in "(?s).{0,80}", after in "(?s).{0,80}") {
            let _ = Description::parse(&before);
            let sdp = format!("{before}\r\n{}{}{after}", line(1), line(2));
            prop_assert!(Description::parse(&sdp).is_err());
        }
    }
}
