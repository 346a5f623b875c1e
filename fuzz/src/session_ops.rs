//! Any sequence of operations on sessions: on two that are joined by a network, and on one whose
//! peer is hostile.

mod hostile;
mod model;
mod pair;

use std::sync::OnceLock;
use std::time::Instant;

use arbitrary::Unstructured;
use p2claw_session::{Config, Fields, Request, Target};

/// Bytes that the program has allocated now, where it counts them.
static ALLOCATED: OnceLock<fn() -> usize> = OnceLock::new();

/// Lets the targets compare memory with [`p2claw_session::limits::worst_case_memory`]. The first
/// call holds.
pub fn count_memory(allocated: fn() -> usize) {
    ALLOCATED.get_or_init(|| allocated);
}

/// The first byte says which world the rest is for.
pub fn run(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else {
        return;
    };
    let mut input = Unstructured::new(rest);
    // An input that ends early has said enough.
    let _ = if kind % 3 == 0 {
        hostile::run(&mut input)
    } else {
        pair::run(&mut input)
    };
}

/// A configuration near the limits, so that short inputs reach them.
fn config(input: &mut Unstructured<'_>) -> arbitrary::Result<Config> {
    Ok(Config {
        max_frame: *input.choose(&[16_384, 16_385, 65_536])?,
        stream_credit: *input.choose(&[65_536, 262_144])?,
        session_credit: *input.choose(&[262_144, 300_000])?,
        lanes: input.int_in_range(1..=4)?,
        send_buffer: *input.choose(&[1, 100, 20_000, 65_536])?,
        grease_seed: input.arbitrary()?,
        ..Config::default()
    })
}

fn request(method: &str, end: bool, protocol: Option<&str>) -> Request {
    Request {
        method: method.to_owned(),
        target: Target::parse("/x?y").expect("a path"),
        fields: Fields::new(),
        end,
        protocol: protocol.map(str::to_owned),
    }
}

/// Shows what an input does, for whoever looks into a finding: set `P2CLAW_FUZZ_TRACE`.
fn trace(operation: &dyn std::fmt::Debug) {
    static WANTED: OnceLock<bool> = OnceLock::new();
    if *WANTED.get_or_init(|| std::env::var_os("P2CLAW_FUZZ_TRACE").is_some()) {
        eprintln!("{operation:?}");
    }
}

/// Sessions count time from their start, so any will do.
fn start() -> Instant {
    Instant::now()
}
