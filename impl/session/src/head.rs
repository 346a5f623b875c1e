//! Heads of requests and responses, and the rules they obey (RFC 9110, RFC 9113 section 8.2).

mod fields;
mod message;
mod target;

pub use fields::{FieldError, Fields};
pub use message::{MessageError, Request, Response, WEBSOCKET};
pub use target::{Target, TargetError};

pub(crate) use message::BodyLength;

/// Fields that would change how the message is framed or routed if they came behind its body
/// (SES-039; RFC 9110 section 6.5.1).
pub(crate) const NOT_IN_TRAILERS: &[&str] = &["content-length", "host", "trailer"];

/// RFC 9110 section 5.6.2.
const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'.'
                | b'^'
                | b'_'
                | b'`'
                | b'|'
                | b'~'
        )
}
