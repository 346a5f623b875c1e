//! Messages that make sense by themselves, in any order and with any field broken.

use std::sync::{Arc, OnceLock};

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use p2claw_identity::{Fingerprint, IdentityKey, Nonce, SessionId, statement};
use p2claw_proto::v1::envelope::Kind;
use p2claw_proto::v1::{self, Envelope};

pub(super) const NOW_MS: i64 = 1_800_000_000_000;
pub(super) const DOMAIN: &str = "p2claw.example";
pub(super) const NONCE: Nonce = Nonce([9; 32]);

/// Made once: that takes longer than many a whole input.
pub(super) fn key() -> Arc<IdentityKey> {
    static KEY: OnceLock<Arc<IdentityKey>> = OnceLock::new();
    Arc::clone(KEY.get_or_init(|| Arc::new(IdentityKey::from_seed([7; 32]))))
}

/// A registration that coord takes, and its signature: signing is slow.
fn registration() -> &'static (Bytes, Bytes) {
    static SIGNED: OnceLock<(Bytes, Bytes)> = OnceLock::new();
    SIGNED.get_or_init(|| statement::sign_registration(&key(), DOMAIN, &NONCE, NOW_MS))
}

pub(super) fn sdp(byte: u8) -> String {
    format!(
        "v=0\r\na=fingerprint:sha-256 {}\r\n",
        Fingerprint([byte; 32])
    )
}

pub(super) fn session(input: &mut Unstructured<'_>) -> Result<SessionId> {
    Ok(SessionId([input.int_in_range(0..=3)?; 16]))
}

/// A text that fits the place, or any other.
pub(super) fn text(input: &mut Unstructured<'_>, fitting: &[&str]) -> Result<String> {
    if input.ratio(3, 4)? {
        Ok((*input.choose(fitting)?).to_owned())
    } else {
        input.arbitrary()
    }
}

fn bytes(input: &mut Unstructured<'_>, fitting: &[u8]) -> Result<Bytes> {
    if input.ratio(3, 4)? {
        Ok(Bytes::copy_from_slice(fitting))
    } else {
        Ok(Bytes::from(input.arbitrary::<Vec<u8>>()?))
    }
}

fn description(input: &mut Unstructured<'_>) -> Result<String> {
    let whole = sdp(input.arbitrary()?);
    match input.int_in_range(0..=5)? {
        0 => input.arbitrary(),
        1 => Ok(format!("{whole}{}", input.arbitrary::<&str>()?)),
        2 => Ok("s".repeat(input.int_in_range(32_000..=33_000)?)),
        _ => Ok(whole),
    }
}

/// Any kind of message; the fields are likely ones three times out of four.
fn kind(input: &mut Unstructured<'_>, session_id: SessionId) -> Result<Kind> {
    let session_id = bytes(input, session_id.as_bytes())?;
    let names = ["recipes", "www", "Bad", "a-b", "notes", "0"];
    let (registration, signature) = registration();
    Ok(match input.int_in_range(0..=15)? {
        0 => Kind::Challenge(v1::Challenge {
            versions: if input.ratio(7, 8)? {
                vec![1]
            } else {
                input.arbitrary()?
            },
            nonce: bytes(input, NONCE.as_bytes())?,
            domain: text(input, &[DOMAIN])?,
            time_ms: input.arbitrary()?,
        }),
        1 => Kind::Hello(v1::Hello {
            registration: bytes(input, registration)?,
            signature: bytes(input, signature)?,
            software: input.arbitrary()?,
        }),
        2 => Kind::Welcome(v1::Welcome {
            version: if input.ratio(7, 8)? {
                1
            } else {
                input.arbitrary()?
            },
            alias: text(input, &["quiet-otter-0417", "bob"])?,
            scheme: text(input, &["https", "http"])?,
            parent: text(input, &[DOMAIN])?,
            port: input.arbitrary()?,
            max_routes: input.arbitrary()?,
            max_visits: input.arbitrary()?,
            heartbeat_seconds: input.arbitrary()?,
            ..v1::Welcome::default()
        }),
        3 => Kind::RouteAnnounce(v1::RouteAnnounce {
            apps: list(input, |input| text(input, &names))?,
        }),
        4 => Kind::RouteAck(v1::RouteAck {
            accepted: list(input, |input| text(input, &names))?,
            refused: list(input, |input| {
                Ok(v1::RefusedRoute {
                    app: text(input, &names)?,
                    code: input.arbitrary()?,
                    reason: input.arbitrary()?,
                })
            })?,
        }),
        5 => Kind::VisitOffer(v1::VisitOffer {
            session_id,
            app: text(input, &names)?,
            alias: text(input, &["quiet-otter-0417"])?,
            versions: if input.ratio(7, 8)? {
                vec![1]
            } else {
                input.arbitrary()?
            },
            sdp: description(input)?,
            nonce: bytes(input, &[2; 32])?,
            restarts: bytes(input, &[])?,
        }),
        6 => Kind::VisitAnswer(v1::VisitAnswer {
            session_id,
            sdp: description(input)?,
            statement: bytes(input, b"statement")?,
            signature: bytes(input, &[0; 64])?,
        }),
        7 => Kind::Candidate(v1::Candidate {
            session_id,
            candidate: text(input, &["candidate:1 1 udp 1 192.0.2.1 5000 typ host", ""])?,
            sdp_mid: text(input, &["0", ""])?,
        }),
        8 => Kind::VisitEnd(v1::VisitEnd {
            session_id,
            code: input.arbitrary()?,
            reason: input.arbitrary()?,
        }),
        9 => Kind::Goodbye(v1::Goodbye {
            code: input.arbitrary()?,
            reason: input.arbitrary()?,
        }),
        10 => Kind::Revoke(v1::Revoke {
            statement: bytes(input, registration)?,
            signature: bytes(input, signature)?,
        }),
        11 => Kind::ReplacedByNewer(v1::ReplacedByNewer {}),
        12 => Kind::Heartbeat(v1::Heartbeat {}),
        13 => Kind::HeartbeatAck(v1::HeartbeatAck {
            time_ms: input.arbitrary()?,
        }),
        14 => Kind::IceServers(v1::IceServers {
            ice_servers: list(input, |input| {
                Ok(v1::IceServer {
                    urls: list(input, |input| text(input, &["turn:relay.example"]))?,
                    username: input.arbitrary()?,
                    credential: input.arbitrary()?,
                    expires_at: input.arbitrary()?,
                })
            })?,
        }),
        _ => Kind::Error(v1::Error {
            code: input.arbitrary()?,
            detail: input.arbitrary()?,
        }),
    })
}

pub(super) fn envelope(input: &mut Unstructured<'_>) -> Result<Envelope> {
    let session_id = session(input)?;
    Ok(Envelope {
        seq: input.int_in_range(0..=9)?,
        re: input.int_in_range(0..=9)?,
        kind: if input.ratio(15, 16)? {
            Some(kind(input, session_id)?)
        } else {
            None
        },
    })
}

/// Up to nine of something.
pub(super) fn list<'a, T>(
    input: &mut Unstructured<'a>,
    mut one: impl FnMut(&mut Unstructured<'a>) -> Result<T>,
) -> Result<Vec<T>> {
    let count = input.int_in_range(0..=9)?;
    (0..count).map(|_| one(input)).collect()
}
