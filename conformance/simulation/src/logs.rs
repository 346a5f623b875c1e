//! Logs of the programs on the hosts, for people.

use std::fmt;

use tracing_subscriber::{
    EnvFilter,
    fmt::{TestWriter, format::Writer, time::FormatTime},
};

use crate::clock;

/// Simulated time, in seconds.
struct Elapsed;

impl FormatTime for Elapsed {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        write!(w, "{:8.3}", clock::elapsed().as_secs_f64())
    }
}

/// Prints what the environment variable `RUST_LOG` asks for, from now on.
pub fn print() {
    let Ok(filter) = EnvFilter::try_from_default_env() else {
        return;
    };
    // A test before this one may have begun already.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_timer(Elapsed)
        .with_writer(TestWriter::default())
        .try_init();
}
