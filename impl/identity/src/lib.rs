//! Who is who: app names, aliases, host labels, peer ids, keys and signed statements.
//!
//! Nothing here does input or output, and nothing reads a clock or a random source: time comes in
//! as Unix milliseconds, keys come in as seeds.
//!
//! ```
//! use p2claw_identity::{Alias, AppName, HostLabel, IdentityKey};
//!
//! let key = IdentityKey::from_seed([7; 32]);
//! let alias = Alias::candidate(&key.peer_id(), 0);
//! let label = HostLabel::new(AppName::parse("recipes").unwrap(), alias);
//! assert_eq!(HostLabel::parse(&label.to_string()).unwrap(), label);
//! ```

mod key;
mod lists;
mod names;
pub mod registry;
pub mod statement;
mod values;

pub use key::{Context, IdentityKey, KeyError, PeerId, SignatureError};
pub use names::{Alias, AppName, HostLabel, NameError};
pub use values::{Fingerprint, FingerprintError, LengthError, Nonce, SessionId};

/// The only version of the protocol that this crate signs and accepts.
pub const PROTOCOL_VERSION: u32 = 1;
