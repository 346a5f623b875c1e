//! Identity keys, peer ids and domain-separated signatures (spec/v1/identity.md).

use crate::registry::limit::PEER_ID_CHARACTERS;
use data_encoding::{Encoding, Specification};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;
use zeroize::Zeroizing;

/// What a signature is for. Its text stands in front of what is signed, so that a signature for
/// one purpose is never one for another (spec IDN-006).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Context {
    /// An agent registers with coord.
    Registration,
    /// An agent answers a visit.
    Visit,
    /// An agent gives up its alias for ever.
    Revoke,
}

impl Context {
    /// The context string, without the NUL byte that follows it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Registration => "p2claw/v1 registration",
            Self::Visit => "p2claw/v1 visit",
            Self::Revoke => "p2claw/v1 revoke",
        }
    }

    /// Exactly the bytes that Ed25519 signs.
    fn message(self, bytes: &[u8]) -> Vec<u8> {
        let context = self.as_str().as_bytes();
        let mut message = Vec::with_capacity(context.len() + 1 + bytes.len());
        message.extend_from_slice(context);
        message.push(0);
        message.extend_from_slice(bytes);
        message
    }
}

/// Why bytes or text are no peer id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not 32 bytes.
    #[error("read a public key of {0} bytes: an Ed25519 key has 32")]
    Length(usize),
    /// Not the encoding of a point, or not its only encoding.
    #[error("read the public key: it is no canonical Ed25519 point, so copy it again")]
    NotCanonical,
    /// A point of small order, under which anyone can make signatures.
    #[error("accept the public key: it is a point of small order, which proves nothing")]
    SmallOrder,
    /// Text that is not 52 z-base-32 characters, or with bits left over.
    #[error("read the peer id: it has 52 characters of ybndrfg8ejkmcpqxot1uwisza345h769")]
    Text,
}

/// A signature that does not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("verify the signature: the bytes were changed, or another key signed them")]
pub struct SignatureError;

/// Who an agent is: its Ed25519 public key, z-base-32 as text (spec IDN-002).
///
/// A value of this type is always a canonical point that is not of small order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId([u8; 32]);

impl PeerId {
    /// Takes a public key off the wire.
    ///
    /// # Errors
    /// When it is not 32 bytes, no canonical point, or of small order (spec IDN-007).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let bytes: [u8; 32] = bytes
            .try_into()
            .map_err(|_| KeyError::Length(bytes.len()))?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| KeyError::NotCanonical)?;
        // The library keeps the bytes it was given, so the point must be encoded anew to compare.
        if key.to_edwards().compress().to_bytes() != bytes {
            return Err(KeyError::NotCanonical);
        }
        if key.is_weak() {
            return Err(KeyError::SmallOrder);
        }
        Ok(Self(bytes))
    }

    /// The public key, 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Checks a signature over `context || 0x00 || message`, strictly (spec IDN-004, IDN-007).
    ///
    /// # Errors
    /// When it is not a signature of this key over exactly these bytes.
    pub fn verify(
        &self,
        context: Context,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        let key = VerifyingKey::from_bytes(&self.0).map_err(|_| SignatureError)?;
        let signature = Signature::from_slice(signature).map_err(|_| SignatureError)?;
        key.verify_strict(&context.message(message), &signature)
            .map_err(|_| SignatureError)
    }
}

/// z-base-32 without padding; left-over bits must be zero.
fn z_base_32() -> Option<&'static Encoding> {
    static ENCODING: OnceLock<Option<Encoding>> = OnceLock::new();
    ENCODING
        .get_or_init(|| {
            let mut specification = Specification::new();
            specification
                .symbols
                .push_str("ybndrfg8ejkmcpqxot1uwisza345h769");
            specification.encoding().ok()
        })
        .as_ref()
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoding = z_base_32().ok_or(fmt::Error)?;
        f.write_str(&encoding.encode(&self.0))
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId({self})")
    }
}

impl FromStr for PeerId {
    type Err = KeyError;

    /// Reads 52 lower-case z-base-32 characters.
    fn from_str(s: &str) -> Result<Self, KeyError> {
        if s.len() != PEER_ID_CHARACTERS {
            return Err(KeyError::Text);
        }
        let bytes = z_base_32()
            .and_then(|encoding| encoding.decode(s.as_bytes()).ok())
            .ok_or(KeyError::Text)?;
        Self::from_bytes(&bytes)
    }
}

/// An agent's secret: the Ed25519 key that its peer id is the public half of.
///
/// Wiped from memory when dropped, and never printed.
pub struct IdentityKey {
    signing: SigningKey,
}

impl IdentityKey {
    /// Makes the key from its 32-byte seed (RFC 8032 section 5.1.5), which must come from the
    /// operating system's random source.
    #[must_use]
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let seed = Zeroizing::new(seed);
        Self {
            signing: SigningKey::from_bytes(&seed),
        }
    }

    /// The seed, to be stored where only its owner can read it.
    #[must_use]
    pub fn seed(&self) -> &[u8; 32] {
        self.signing.as_bytes()
    }

    /// The public half.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        // A key made by clamping a seed is never of small order and is encoded canonically.
        PeerId(self.signing.verifying_key().to_bytes())
    }

    /// Signs `context || 0x00 || message`; 64 bytes.
    #[must_use]
    pub fn sign(&self, context: Context, message: &[u8]) -> [u8; 64] {
        self.signing.sign(&context.message(message)).to_bytes()
    }
}

impl fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdentityKey")
            .field("peer_id", &self.peer_id())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "key_tests.rs"]
mod tests;
