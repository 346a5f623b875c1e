//! Messages in a TCP stream (RFC 8656 section 12.5, RFC 8489 section 7.2.2).

use bytes::{Buf as _, Bytes, BytesMut};

/// The header that both kinds begin with: type or channel, and length.
const PREFIX: usize = 4;

/// The rest of a STUN message's header.
const STUN_REST: usize = 16;

/// Bytes of the longest message: a datagram of full size and what TURN puts around it.
pub(crate) const LONGEST: usize = 65_535 + PREFIX + STUN_REST;

/// Neither a STUN message nor channel data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoMessage;

/// Takes the first message off what has been read. `Ok(None)`: it is not whole yet.
pub(crate) fn take(buffer: &mut BytesMut) -> Result<Option<Bytes>, NoMessage> {
    let [kind, _, high, low, ..] = buffer[..] else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    let (whole, padded) = match kind {
        0..=0x3f => (PREFIX + STUN_REST + length, PREFIX + STUN_REST + length),
        // Channels are 0x4000 to 0x4fff; in a stream they are padded to four bytes.
        0x40..=0x4f => (PREFIX + length, PREFIX + length.next_multiple_of(4)),
        0x50..=0xff => return Err(NoMessage),
    };
    if buffer.len() < padded {
        return Ok(None);
    }
    let mut message = buffer.split_to(padded);
    message.truncate(whole);
    Ok(Some(message.freeze()))
}

/// Channel data as it goes into a stream.
pub(crate) fn pad(message: &mut Vec<u8>) {
    if message
        .first()
        .is_some_and(|first| (0x40..=0x4f).contains(first))
    {
        message.resize(message.len().next_multiple_of(4), 0);
    }
}

/// A connection that begins with this is TLS (RFC 8446 section 5.1).
pub(crate) const TLS_HANDSHAKE: u8 = 22;

/// Whether a datagram can be STUN or channel data, so that rubbish costs no more than a look.
pub(crate) fn may_be_message(datagram: &[u8]) -> bool {
    datagram.len() >= PREFIX && datagram.chunk().first().is_some_and(|first| *first < 0x50)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_in_a_stream() {
        let stun = [&[0, 3, 0, 4][..], &[7; 20]].concat();
        let channel = [0x40, 1, 0, 5, 1, 2, 3, 4, 5, 0, 0, 0];
        let stream = [&stun[..], &channel].concat();
        for step in [1, 3, 100] {
            let mut buffer = BytesMut::new();
            let mut found = Vec::new();
            for piece in stream.chunks(step) {
                buffer.extend_from_slice(piece);
                while let Ok(Some(message)) = take(&mut buffer) {
                    found.push(message.to_vec());
                }
            }
            assert_eq!(found, [stun.clone(), channel[..9].to_vec()], "{step}");
        }
        assert_eq!(
            take(&mut BytesMut::from(&[0x80, 0, 0, 0][..])),
            Err(NoMessage)
        );
    }

    #[test]
    fn channel_data_is_padded() {
        let mut message = vec![0x40, 0, 0, 1, 9];
        pad(&mut message);
        assert_eq!(message.len(), 8);
        let mut stun = vec![0, 1, 0, 0, 9];
        pad(&mut stun);
        assert_eq!(stun.len(), 5);
    }
}
