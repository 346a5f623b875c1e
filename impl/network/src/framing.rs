//! Messages in a TCP stream to a TURN server (RFC 8489 section 7.2.2, RFC 8656 section 12.5).
//!
//! The crate that speaks TURN finds messages in a stream, but neither writes nor expects the
//! padding of channel data: it is given messages that are whole and bare.

use std::io;

use bytes::{Bytes, BytesMut};

/// The header that both kinds begin with: type or channel, and length.
const PREFIX: usize = 4;

/// The rest of a STUN message's header.
const STUN_REST: usize = 16;

/// Takes the first message off what has been read. `None`: it is not whole yet.
///
/// # Errors
/// When there is neither a STUN message nor channel data.
pub(crate) fn take(buffer: &mut BytesMut) -> io::Result<Option<Bytes>> {
    let [kind, _, high, low, ..] = buffer[..] else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    let (whole, padded) = match kind {
        0..=0x3f => (PREFIX + STUN_REST + length, PREFIX + STUN_REST + length),
        0x40..=0x4f => (PREFIX + length, PREFIX + length.next_multiple_of(4)),
        0x50..=0xff => return Err(io::Error::other("the server speaks no TURN")),
    };
    if buffer.len() < padded {
        return Ok(None);
    }
    let mut message = buffer.split_to(padded);
    message.truncate(whole);
    Ok(Some(message.freeze()))
}

/// A message as it goes into a stream: channel data is padded to four bytes.
pub(crate) fn padded(message: &[u8]) -> Bytes {
    let mut written = BytesMut::from(message);
    if matches!(message.first(), Some(0x40..=0x4f)) {
        written.resize(message.len().next_multiple_of(4), 0);
    }
    written.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8656 section 12.5
    #[test]
    fn what_is_written_is_read_bare() {
        let stun = [&[0, 3, 0, 4][..], &[7; 20]].concat();
        let channels: Vec<Vec<u8>> = (0..5_u8)
            .map(|length| [&[0x40, 1, 0, length][..], &vec![9; usize::from(length)]].concat())
            .collect();
        let messages: Vec<Vec<u8>> = [stun.clone()]
            .into_iter()
            .chain(channels)
            .chain([stun])
            .collect();
        let stream: Vec<u8> = messages.iter().flat_map(|one| padded(one)).collect();
        assert_eq!(stream.len() % 4, 0);
        for step in [1, 3, 1000] {
            let mut buffer = BytesMut::new();
            let mut found = Vec::new();
            for piece in stream.chunks(step) {
                buffer.extend_from_slice(piece);
                while let Ok(Some(message)) = take(&mut buffer) {
                    found.push(message.to_vec());
                }
            }
            assert_eq!(found, messages, "in pieces of {step}");
        }
        assert!(take(&mut BytesMut::from(&b"HTTP"[..])).is_ok());
        assert!(take(&mut BytesMut::from(&[0x80, 0, 0, 0][..])).is_err());
    }
}
