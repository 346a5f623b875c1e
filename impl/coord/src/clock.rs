//! The clocks and the random source of this service; the cores get theirs from here.

use std::{
    fmt, io,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

/// The wall clock, by which agents' signatures and relay credentials are dated.
#[derive(Clone)]
pub struct WallClock(Arc<dyn Fn() -> i64 + Send + Sync>);

impl WallClock {
    /// Another than the system's; `read` gives Unix time in milliseconds.
    pub fn new(read: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// Unix time in milliseconds.
    pub(crate) fn unix_ms(&self) -> i64 {
        (self.0)()
    }

    /// Unix time in seconds.
    pub(crate) fn unix_seconds(&self) -> i64 {
        self.unix_ms() / 1000
    }
}

impl Default for WallClock {
    /// The system's.
    fn default() -> Self {
        Self::new(|| {
            let since = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default();
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        })
    }
}

impl fmt::Debug for WallClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WallClock").finish_non_exhaustive()
    }
}

/// Where nonces, session ids and the names of relay users come from. Whoever can guess what it gives
/// can register as somebody else: anything but the system's is for tests and simulations.
#[derive(Clone)]
pub struct RandomSource(Arc<Fill>);

type Fill = dyn Fn(&mut [u8]) -> io::Result<()> + Send + Sync;

impl RandomSource {
    /// Another than the system's; `fill` overwrites all of what it is given, or fails.
    pub fn new(fill: impl Fn(&mut [u8]) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(fill))
    }

    /// Fresh bytes; without them nothing can be done safely.
    pub(crate) fn bytes<const N: usize>(&self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        (self.0)(&mut bytes)?;
        Ok(bytes)
    }
}

impl Default for RandomSource {
    /// The system's.
    fn default() -> Self {
        Self::new(|bytes| {
            getrandom::fill(bytes).map_err(|error| io::Error::other(error.to_string()))
        })
    }
}

impl fmt::Debug for RandomSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RandomSource").finish_non_exhaustive()
    }
}
