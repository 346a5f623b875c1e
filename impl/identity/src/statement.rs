//! Signed statements: registrations, visits and revocations (spec/v1/identity.md).
//!
//! A statement is checked over the bytes exactly as they came; it is never encoded anew.

use crate::registry::limit::{CLOCK_SKEW_MS, STATEMENT_LIFETIME_MS};
use crate::{
    Alias, AppName, Context, Fingerprint, IdentityKey, KeyError, Nonce, PROTOCOL_VERSION, PeerId,
    SessionId, SignatureError,
};
use bytes::Bytes;
use p2claw_proto::v1::{Registration, VisitStatement};
use prost::Message;

/// How far ahead a visitor lets a statement expire, in milliseconds: its lifetime and the skew.
pub const VISIT_EXPIRY_AHEAD_MS: i64 = STATEMENT_LIFETIME_MS + CLOCK_SKEW_MS;

/// Why a statement was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// The bytes are no statement of this kind.
    #[error("read the statement: its sender must send the bytes that it signed")]
    Malformed,
    /// The public key in it cannot be used.
    #[error("use the statement's public key: {0}")]
    Key(#[from] KeyError),
    /// The signature is not one of the key in the statement.
    #[error("trust the statement: {0}")]
    Signature(#[from] SignatureError),
    /// The statement is for another version of the protocol.
    #[error("use a statement of protocol version {got}: this end speaks version 1, so update one")]
    Version {
        /// The version in the statement.
        got: u32,
    },
    /// The registration was made for another coord.
    #[error("accept a registration for domain {got:?}: this is {expected:?}, so check the address")]
    WrongDomain {
        /// Domain of this coord.
        expected: String,
        /// Domain in the statement.
        got: String,
    },
    /// The statement answers another challenge or another visit.
    #[error("match the nonce: the statement answers another request, so ask again")]
    WrongNonce,
    /// The registration's time is too far from now.
    #[error(
        "accept a clock that is {off_by_ms} ms off: set it right, {} s are allowed",
        CLOCK_SKEW_MS / 1_000
    )]
    Stale {
        /// Statement's time minus the verifier's, in milliseconds.
        off_by_ms: i64,
    },
    /// Another key than the pinned one signed.
    #[error(
        "recognize the agent: {got} answered where {pinned} was expected, so do not go on unless \
         its owner confirms the new key"
    )]
    NotPinned {
        /// The key that is pinned for this origin.
        pinned: PeerId,
        /// The key that signed.
        got: PeerId,
    },
    /// The statement is for another alias.
    #[error("accept an answer for alias {got:?}: this address belongs to {expected}")]
    WrongAlias {
        /// Alias of the address.
        expected: Alias,
        /// Alias in the statement.
        got: String,
    },
    /// The statement is for another app.
    #[error("accept an answer for app {got:?}: this address belongs to {expected}")]
    WrongApp {
        /// App of the address.
        expected: AppName,
        /// AppName in the statement.
        got: String,
    },
    /// The agent saw another certificate than the visitor's: somebody stands between them.
    #[error("match the visitor's certificate: something between changed the offer, so stop")]
    WrongVisitorFingerprint,
    /// The answer carries another certificate than the agent's.
    #[error("match the agent's certificate: something between changed the answer, so stop")]
    WrongAgentFingerprint,
    /// The statement has expired.
    #[error("use a statement that expired {by_ms} ms ago: check both clocks and ask again")]
    Expired {
        /// How long ago, in milliseconds, skew not counted.
        by_ms: i64,
    },
    /// The statement holds for longer than allowed.
    #[error(
        "use a statement that holds for {ahead_ms} ms, where at most 120 s are allowed: check both \
         clocks and ask again"
    )]
    ExpiresTooLate {
        /// How long it would still hold, in milliseconds.
        ahead_ms: i64,
    },
}

/// Signs the registration that answers a challenge: (registration, signature).
#[must_use]
pub fn sign_registration(
    key: &IdentityKey,
    domain: &str,
    nonce: &Nonce,
    now_ms: i64,
) -> (Bytes, Bytes) {
    sign_for_domain(key, Context::Registration, domain, nonce, now_ms)
}

/// Checks a registration on coord's side (spec IDN-011). `now_ms` is coord's clock.
///
/// # Errors
/// Says which check failed first: signature, version, domain, nonce, time.
pub fn verify_registration(
    registration: &[u8],
    signature: &[u8],
    domain: &str,
    nonce: &Nonce,
    now_ms: i64,
) -> Result<PeerId, StatementError> {
    verify_for_domain(
        Context::Registration,
        registration,
        signature,
        domain,
        nonce,
        now_ms,
    )
}

/// Signs the wish to give up an alias for ever: (statement, signature).
#[must_use]
pub fn sign_revocation(
    key: &IdentityKey,
    domain: &str,
    nonce: &Nonce,
    now_ms: i64,
) -> (Bytes, Bytes) {
    sign_for_domain(key, Context::Revoke, domain, nonce, now_ms)
}

/// Checks a revocation on coord's side; the same rules as for a registration.
///
/// # Errors
/// Says which check failed first.
pub fn verify_revocation(
    statement: &[u8],
    signature: &[u8],
    domain: &str,
    nonce: &Nonce,
    now_ms: i64,
) -> Result<PeerId, StatementError> {
    verify_for_domain(Context::Revoke, statement, signature, domain, nonce, now_ms)
}

fn sign_for_domain(
    key: &IdentityKey,
    context: Context,
    domain: &str,
    nonce: &Nonce,
    now_ms: i64,
) -> (Bytes, Bytes) {
    let statement = Registration {
        version: PROTOCOL_VERSION,
        public_key: Bytes::copy_from_slice(key.peer_id().as_bytes()),
        domain: domain.to_owned(),
        nonce: Bytes::copy_from_slice(nonce.as_bytes()),
        issued_at_ms: now_ms,
    };
    signed(key, context, &statement)
}

fn verify_for_domain(
    context: Context,
    statement: &[u8],
    signature: &[u8],
    domain: &str,
    nonce: &Nonce,
    now_ms: i64,
) -> Result<PeerId, StatementError> {
    let message = Registration::decode(statement).map_err(|_| StatementError::Malformed)?;
    let peer = PeerId::from_bytes(&message.public_key)?;
    peer.verify(context, statement, signature)?;
    check_version(message.version)?;
    if message.domain != domain {
        return Err(StatementError::WrongDomain {
            expected: domain.to_owned(),
            got: message.domain,
        });
    }
    if message.nonce != nonce.as_bytes()[..] {
        return Err(StatementError::WrongNonce);
    }
    let off_by_ms = message.issued_at_ms.saturating_sub(now_ms);
    if off_by_ms.saturating_abs() > CLOCK_SKEW_MS {
        return Err(StatementError::Stale { off_by_ms });
    }
    Ok(peer)
}

/// What an agent states about one visit.
#[derive(Debug, Clone)]
pub struct VisitFacts {
    /// The visit, as coord named it.
    pub session_id: SessionId,
    /// The agent's own alias.
    pub alias: Alias,
    /// The app that is visited.
    pub app: AppName,
    /// The visitor's nonce.
    pub nonce: Nonce,
    /// The certificate named in the visitor's offer.
    pub visitor_fingerprint: Fingerprint,
    /// The certificate that the agent will use.
    pub agent_fingerprint: Fingerprint,
}

/// Signs the statement that goes with an answer: (statement, signature). It holds for 60 s.
#[must_use]
pub fn sign_visit(key: &IdentityKey, facts: &VisitFacts, now_ms: i64) -> (Bytes, Bytes) {
    let statement = VisitStatement {
        version: PROTOCOL_VERSION,
        session_id: Bytes::copy_from_slice(facts.session_id.as_bytes()),
        alias: facts.alias.to_string(),
        nonce: Bytes::copy_from_slice(facts.nonce.as_bytes()),
        visitor_fingerprint: Bytes::copy_from_slice(facts.visitor_fingerprint.as_bytes()),
        agent_fingerprint: Bytes::copy_from_slice(facts.agent_fingerprint.as_bytes()),
        expires_at_ms: now_ms.saturating_add(STATEMENT_LIFETIME_MS),
        public_key: Bytes::copy_from_slice(key.peer_id().as_bytes()),
        app: facts.app.to_string(),
    };
    signed(key, Context::Visit, &statement)
}

/// What a visitor knows on its own account before it reads an answer.
#[derive(Debug, Clone)]
pub struct VisitExpectation {
    /// Alias in the address.
    pub alias: Alias,
    /// App in the address.
    pub app: AppName,
    /// The nonce it sent.
    pub nonce: Nonce,
    /// Its own certificate.
    pub visitor_fingerprint: Fingerprint,
    /// The only certificate in the answer's SDP.
    pub agent_fingerprint: Fingerprint,
    /// The keys that the link names and that an earlier visit pinned: all of them must fit.
    pub pins: Vec<PeerId>,
}

/// Checks an agent's statement on the visitor's side (spec IDN-017). `now_ms` is the visitor's
/// clock. The key returned is to be pinned for the origin.
///
/// # Errors
/// Says which check failed first: signature, pin, version, alias, app, nonce, the visitor's
/// certificate, the agent's, expiry. After any of them nothing of the app may be accepted.
pub fn verify_visit(
    statement: &[u8],
    signature: &[u8],
    expected: &VisitExpectation,
    now_ms: i64,
) -> Result<PeerId, StatementError> {
    let message = VisitStatement::decode(statement).map_err(|_| StatementError::Malformed)?;
    let peer = PeerId::from_bytes(&message.public_key)?;
    peer.verify(Context::Visit, statement, signature)?;
    if let Some(pinned) = expected.pins.iter().find(|pinned| **pinned != peer) {
        return Err(StatementError::NotPinned {
            pinned: *pinned,
            got: peer,
        });
    }
    check_version(message.version)?;
    if message.alias != expected.alias.as_str() {
        return Err(StatementError::WrongAlias {
            expected: expected.alias.clone(),
            got: message.alias,
        });
    }
    if message.app != expected.app.as_str() {
        return Err(StatementError::WrongApp {
            expected: expected.app.clone(),
            got: message.app,
        });
    }
    if message.nonce != expected.nonce.as_bytes()[..] {
        return Err(StatementError::WrongNonce);
    }
    if message.visitor_fingerprint != expected.visitor_fingerprint.as_bytes()[..] {
        return Err(StatementError::WrongVisitorFingerprint);
    }
    if message.agent_fingerprint != expected.agent_fingerprint.as_bytes()[..] {
        return Err(StatementError::WrongAgentFingerprint);
    }
    let ahead_ms = message.expires_at_ms.saturating_sub(now_ms);
    if ahead_ms <= -CLOCK_SKEW_MS {
        return Err(StatementError::Expired {
            by_ms: ahead_ms.saturating_neg(),
        });
    }
    if ahead_ms > VISIT_EXPIRY_AHEAD_MS {
        return Err(StatementError::ExpiresTooLate { ahead_ms });
    }
    Ok(peer)
}

fn check_version(got: u32) -> Result<(), StatementError> {
    if got == PROTOCOL_VERSION {
        Ok(())
    } else {
        Err(StatementError::Version { got })
    }
}

fn signed(key: &IdentityKey, context: Context, statement: &impl Message) -> (Bytes, Bytes) {
    let bytes = Bytes::from(statement.encode_to_vec());
    let signature = key.sign(context, &bytes);
    (bytes, Bytes::copy_from_slice(&signature))
}

#[cfg(test)]
#[path = "statement_tests.rs"]
mod tests;
