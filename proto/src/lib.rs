//! Messages of the p2claw protocol, generated from `proto/p2claw/v1/*.proto`.
//!
//! ```
//! use p2claw_proto::v1::{Envelope, Heartbeat, envelope::Kind};
//! use prost::Message;
//!
//! let sent = Envelope { seq: 1, re: 0, kind: Some(Kind::Heartbeat(Heartbeat {})) };
//! let received = Envelope::decode(sent.encode_to_vec().as_slice()).unwrap();
//! assert_eq!(sent, received);
//! ```

/// Version 1 of every message.
pub mod v1 {
    #![expect(missing_docs, reason = "prost leaves oneof items without one")]
    #![expect(clippy::all, reason = "generated code")]
    include!("gen/p2claw.v1.rs");
}
