//! Plain values of fixed length: nonces, session ids, certificate fingerprints.

use crate::registry::limit::{NONCE_BYTES, SESSION_ID_BYTES};
use data_encoding::HEXLOWER;
use std::fmt;
use std::str::FromStr;

/// A value that did not have the length it must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("read a value of {got} bytes where exactly {expected} are needed")]
pub struct LengthError {
    /// Bytes needed.
    pub expected: usize,
    /// Bytes found.
    pub got: usize,
}

/// Takes exactly `N` bytes.
fn exactly<const N: usize>(bytes: &[u8]) -> Result<[u8; N], LengthError> {
    bytes.try_into().map_err(|_| LengthError {
        expected: N,
        got: bytes.len(),
    })
}

/// 32 random bytes that make a signed statement fresh: coord's in a challenge, the visitor's in a
/// visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Nonce(pub [u8; NONCE_BYTES]);

impl Nonce {
    /// Takes a nonce off the wire.
    ///
    /// # Errors
    /// When it is not 32 bytes long.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LengthError> {
        exactly(bytes).map(Self)
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; NONCE_BYTES] {
        &self.0
    }
}

/// The name of one visit: 16 random bytes chosen by coord, 32 lower-case hex digits as text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(pub [u8; SESSION_ID_BYTES]);

impl SessionId {
    /// Takes a session id off the wire.
    ///
    /// # Errors
    /// When it is not 16 bytes long.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LengthError> {
        exactly(bytes).map(Self)
    }

    /// The 16 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; SESSION_ID_BYTES] {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self})")
    }
}

impl FromStr for SessionId {
    type Err = LengthError;

    /// Reads 32 lower-case hex digits; anything else counts as a wrong length.
    fn from_str(s: &str) -> Result<Self, LengthError> {
        let decoded = HEXLOWER.decode(s.as_bytes()).map_err(|_| LengthError {
            expected: SESSION_ID_BYTES,
            got: 0,
        })?;
        Self::from_bytes(&decoded)
    }
}

/// The SHA-256 fingerprint of a DTLS certificate.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

/// A fingerprint that is not 32 hex pairs with colons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("read the fingerprint: SHA-256 is 32 pairs of hex digits with a colon between them")]
pub struct FingerprintError;

impl Fingerprint {
    /// Reads the text form of SDP (RFC 8122 section 5): `AA:BB:..`, either case.
    ///
    /// # Errors
    /// When the text is not 32 pairs of hex digits joined by colons.
    pub fn parse(text: &str) -> Result<Self, FingerprintError> {
        let mut bytes = [0; 32];
        let mut pairs = text.split(':');
        for byte in &mut bytes {
            let pair = pairs.next().ok_or(FingerprintError)?;
            // from_str_radix alone would also read "+a" and "a".
            if pair.len() != 2 || !pair.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(FingerprintError);
            }
            *byte = u8::from_str_radix(pair, 16).map_err(|_| FingerprintError)?;
        }
        match pairs.next() {
            None => Ok(Self(bytes)),
            Some(_) => Err(FingerprintError),
        }
    }

    /// Takes a fingerprint off the wire.
    ///
    /// # Errors
    /// When it is not 32 bytes long.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LengthError> {
        exactly(bytes).map(Self)
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(s: &str) -> Result<Self, FingerprintError> {
        Self::parse(s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprint_text_round_trips_in_either_case() {
        let print = Fingerprint(std::array::from_fn(|i| u8::try_from(i * 8).unwrap()));
        let text = print.to_string();
        assert!(text.starts_with("00:08:10:"));
        assert_eq!(Fingerprint::parse(&text), Ok(print));
        assert_eq!(Fingerprint::parse(&text.to_lowercase()), Ok(print));
    }

    #[test]
    fn fingerprint_text_must_be_exact() {
        let good = Fingerprint([0xab; 32]).to_string();
        for bad in [
            String::new(),
            good[3..].to_owned(),
            format!("{good}:AB"),
            format!("{good}:"),
            good.replacen("AB", "+B", 1),
            good.replacen("AB", "B", 1),
            good.replacen("AB:", "AB ", 1),
            good.replacen("AB", "\u{00e4}", 1),
        ] {
            assert_eq!(Fingerprint::parse(&bad), Err(FingerprintError), "{bad}");
        }
    }

    #[test]
    fn session_id_text_is_lower_case_hex() {
        let id = SessionId([0xc5; 16]);
        assert_eq!(id.to_string(), "c5".repeat(16));
        assert_eq!("c5".repeat(16).parse(), Ok(id));
        assert!("C5".repeat(16).parse::<SessionId>().is_err());
        assert!("c5".repeat(15).parse::<SessionId>().is_err());
        assert!("c5".repeat(17).parse::<SessionId>().is_err());
    }
}
