//! The sample app's /download, made again without its code.

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

/// SHA-256 of its first `bytes`, in hex.
pub(crate) fn sha256(bytes: u32) -> String {
    let mut hash = Sha256::new();
    let mut left = usize::try_from(bytes).unwrap();
    for index in 1_u32.. {
        if left == 0 {
            break;
        }
        let word = mixed(index).to_le_bytes();
        let taken = left.min(word.len());
        hash.update(&word[..taken]);
        left -= taken;
    }
    HEXLOWER.encode(&hash.finalize())
}

fn mixed(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7feb_352d);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}
