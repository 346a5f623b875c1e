//! Random bits that nobody's safety rests on. The wall clock is the network's, and so are random
//! bytes that have to be secret or fresh.

/// Random bits; a system without a random source gives a fixed pattern, which costs variety only.
/// Keys never come from here.
pub fn random_u64() -> u64 {
    getrandom::u64().unwrap_or(0x5eed_5eed_5eed_5eed)
}

/// Bits for jitter and grease, which may be guessed: who seeds this thread's generator, as a
/// simulation does, gets the same again.
pub fn variety_u64() -> u64 {
    fastrand::u64(..)
}
