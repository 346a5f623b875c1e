//! The byte stream of `/download`: looks random, and anyone can make it again.
//!
//! Word `i` (32 bits, little endian) is a hash of `i`, so every part can be made alone, and
//! a few lines in any language can check a download without trusting this server.

use bytes::{BufMut as _, Bytes, BytesMut};
use sha2::{Digest as _, Sha256};

/// Largest stream on offer, bytes. Word numbers stay far below 2^32.
pub(super) const MAX_BYTES: u32 = 1 << 30;

/// Bytes made at a time; a multiple of the word size.
const CHUNK: u32 = 64 * 1024;
const WORD: u32 = 4;
const _: () = assert!(CHUNK.is_multiple_of(WORD));

/// The hash `lowbias32` of Chris Wellons, over the word's number plus one.
fn word(index: u32) -> u32 {
    let mut x = index.wrapping_add(1);
    x ^= x >> 16;
    x = x.wrapping_mul(0x7feb_352d);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

/// The first `total` bytes of the stream, in chunks.
pub(super) fn chunks(total: u32) -> impl Iterator<Item = Bytes> + Send + 'static {
    (0..total.div_ceil(CHUNK)).map(move |number| {
        let start = number * CHUNK;
        let length = CHUNK.min(total - start);
        let words = length.div_ceil(WORD);
        let mut buffer = BytesMut::with_capacity(usize::try_from(words * WORD).unwrap_or(0));
        for index in start / WORD..start / WORD + words {
            buffer.put_u32_le(word(index));
        }
        buffer.truncate(usize::try_from(length).unwrap_or(usize::MAX));
        buffer.freeze()
    })
}

/// SHA-256 of the first `total` bytes, in hex.
pub(super) fn sha256(total: u32) -> String {
    let mut hash = Sha256::new();
    for chunk in chunks(total) {
        hash.update(&chunk);
    }
    hex(&hash.finalize())
}

/// Lower-case hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}
