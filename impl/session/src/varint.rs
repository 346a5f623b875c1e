//! QUIC's variable-length integers (RFC 9000 section 16).

use bytes::{Buf, BufMut};

use crate::limits::VARINT_MAX;

/// Bytes of the shortest encoding; a number above [`VARINT_MAX`] counts as the largest one.
pub const fn len(value: u64) -> usize {
    match value {
        0..0x40 => 1,
        0x40..0x4000 => 2,
        0x4000..0x4000_0000 => 4,
        _ => 8,
    }
}

/// Appends the shortest encoding (SES-001); a number above [`VARINT_MAX`] is written as the largest one.
pub fn encode(value: u64, out: &mut impl BufMut) {
    let value = value.min(VARINT_MAX);
    match len(value) {
        1 => out.put_uint(value, 1),
        2 => out.put_uint(value | 0x4000, 2),
        4 => out.put_uint(value | 0x8000_0000, 4),
        _ => out.put_uint(value | 0xc000_0000_0000_0000, 8),
    }
}

/// Takes one number of any encoded length (SES-001), `None` if it is cut off.
pub fn decode(input: &mut impl Buf) -> Option<u64> {
    if !input.has_remaining() {
        return None;
    }
    let first = *input.chunk().first()?;
    let len = 1_usize << (first >> 6);
    if input.remaining() < len {
        return None;
    }
    let value = input.get_uint(len);
    let mask = (1_u64 << (8 * len - 2)) - 1;
    Some(value & mask)
}
