//! The sample app's /download, made again without its code.

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

/// Its first `bytes`.
pub(crate) fn noise(bytes: u32) -> Vec<u8> {
    let words = (1..=bytes.div_ceil(4)).flat_map(|index| mixed(index).to_le_bytes());
    words.take(usize::try_from(bytes).unwrap()).collect()
}

/// SHA-256 of them, in hex.
pub(crate) fn sha256(bytes: u32) -> String {
    HEXLOWER.encode(&Sha256::digest(noise(bytes)))
}

fn mixed(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7feb_352d);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}
