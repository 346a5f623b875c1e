//! The one place that reads the wall clock and the random source.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Unix time in milliseconds.
pub fn unix_millis() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Random bits for jitter and grease; a system without a random source gives a fixed pattern,
/// which costs variety only. Keys never come from here.
pub fn random_u64() -> u64 {
    getrandom::u64().unwrap_or(0x5eed_5eed_5eed_5eed)
}
