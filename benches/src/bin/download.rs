//! A real download (HTTP server, agent, data channel, native visitor) as a share of what the same
//! stack carries raw: same lanes, same buffers, same message size, one run, taken in turns.
//!
//! On loopback the share can be more than one. sctp-proto looks at every unacknowledged chunk for
//! every packet, so a sender that keeps the 256 KiB buffer full pays for it; a real upstream does
//! not always fill it.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use clap::Parser;
use p2claw_benches::{
    raw,
    stack::Stack,
    stage::{Failure, Stage},
    transfer::fetch,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Both ends run on this machine and share its processors.
#[derive(Debug, Parser)]
struct Arguments {
    /// Size of one download, in MB
    #[arg(long, default_value_t = 100)]
    megabytes: usize,
    /// Downloads of each kind
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Small requests, one after another
    #[arg(long, default_value_t = 2000)]
    requests: usize,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    let bytes = arguments.megabytes * 1_000_000;
    let setup = Instant::now();
    let stage = Arc::new(Stage::open().await?);
    fetch(&stage.visitor, 1).await?;
    println!(
        "start of all parts to first response byte: {:?}",
        setup.elapsed()
    );
    let (mut raw, mut http) = (Vec::new(), Vec::new());
    for round in 1..=arguments.rounds {
        raw.push(rate(bytes, tokio::spawn(raw_transfer(bytes)).await??));
        let stage = Arc::clone(&stage);
        let fetched = tokio::spawn(async move { fetch(&stage.visitor, bytes).await });
        http.push(rate(bytes, fetched.await??));
        println!(
            "round {round}: raw {:6.1} MB/s, HTTP {:6.1} MB/s",
            raw[round - 1],
            http[round - 1]
        );
    }
    let (raw, http) = (median(&mut raw), median(&mut http));
    println!(
        "median:  raw {raw:6.1} MB/s, HTTP {http:6.1} MB/s, ratio {:.2}",
        http / raw
    );
    let start = Instant::now();
    for _ in 0..arguments.requests {
        fetch(&stage.visitor, 100).await?;
    }
    let each = start.elapsed() / u32::try_from(arguments.requests)?.max(1);
    println!("small requests one after another: {each:?} each");
    Ok(())
}

/// The same peers without a session: messages of the size of a full frame on lane 0.
async fn raw_transfer(bytes: usize) -> Result<Duration, Failure> {
    let (near, far) = (Stack::Str0m.endpoint()?, Stack::Str0m.endpoint()?);
    let mut offered = near.offer().await?;
    let accepted = far.accept(&offered.offer).await?;
    offered.peer.accept_answer(&accepted.answer)?;
    let mut sender = accepted.peer;
    let sending = tokio::spawn(async move {
        raw::opened(&mut *sender).await?;
        raw::send(&mut *sender, bytes).await
    });
    raw::opened(&mut *offered.peer).await?;
    let took = raw::receive(&mut *offered.peer, bytes).await?;
    sending.abort();
    Ok(took)
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn rate(bytes: usize, time: Duration) -> f64 {
    bytes as f64 / 1e6 / time.as_secs_f64()
}

fn median(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or(0.0)
}
