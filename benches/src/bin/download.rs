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

use bytes::Bytes;
use clap::Parser;
use p2claw_agent::transport::{Peer, PeerEvent, PeerTransport as _};
use p2claw_benches::stage::{Failure, Stage, endpoint};
use p2claw_session::{Fields, LaneId, Request, Target, limits::FRAME_DEFAULT};

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
    fetch(&stage, 1).await?;
    println!(
        "start of all parts to first response byte: {:?}",
        setup.elapsed()
    );
    let (mut raw, mut http) = (Vec::new(), Vec::new());
    for round in 1..=arguments.rounds {
        raw.push(rate(bytes, tokio::spawn(raw_transfer(bytes)).await??));
        let stage = Arc::clone(&stage);
        let fetched = tokio::spawn(async move {
            let start = Instant::now();
            fetch(&stage, bytes).await?;
            Ok::<_, Failure>(start.elapsed())
        });
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
        fetch(&stage, 100).await?;
    }
    let each = start.elapsed() / u32::try_from(arguments.requests)?.max(1);
    println!("small requests one after another: {each:?} each");
    Ok(())
}

async fn fetch(stage: &Stage, bytes: usize) -> Result<(), Failure> {
    let mut exchange = stage.visitor.open(Request {
        method: "GET".to_owned(),
        target: Target::parse(&format!("/{bytes}"))?,
        fields: Fields::new(),
        end: true,
        protocol: None,
    })?;
    let head = exchange.head().await?;
    if head.status != 200 {
        return Err(format!("the agent answered {}", head.status).into());
    }
    let mut received = 0;
    while let Some(data) = exchange.response.data().await? {
        received += data.len();
    }
    if received == bytes {
        Ok(())
    } else {
        Err(format!("{received} of {bytes} bytes came").into())
    }
}

/// The same peers without a session: messages of the size of a full frame on lane 0.
async fn raw_transfer(bytes: usize) -> Result<Duration, Failure> {
    let (near, far) = (endpoint()?, endpoint()?);
    let mut offered = near.offer().await?;
    let accepted = far.accept(&offered.offer).await?;
    offered.peer.accept_answer(&accepted.answer)?;
    let sender = tokio::spawn(send(accepted.peer, bytes));
    let mut received = 0;
    let mut start = None;
    while received < bytes {
        match next(&mut *offered.peer).await {
            PeerEvent::Message(_, message) => {
                start.get_or_insert_with(Instant::now);
                received += message.len();
            }
            PeerEvent::Closed(reason) => return Err(reason.into()),
            PeerEvent::LaneOpen(_)
            | PeerEvent::Writable
            | PeerEvent::Candidate(_)
            | PeerEvent::Path(_) => {}
        }
    }
    sender.abort();
    Ok(start.map_or(Duration::ZERO, |start| start.elapsed()))
}

async fn send(mut peer: Box<dyn Peer>, bytes: usize) {
    let message = Bytes::from(vec![0; FRAME_DEFAULT]);
    let (mut sent, mut open) = (0, false);
    loop {
        while open && sent < bytes && peer.try_send(LaneId::ZERO, &message).unwrap_or(false) {
            sent += message.len();
        }
        match next(&mut *peer).await {
            PeerEvent::LaneOpen(LaneId::ZERO) => open = true,
            PeerEvent::Closed(_) => return,
            PeerEvent::LaneOpen(_)
            | PeerEvent::Message(..)
            | PeerEvent::Writable
            | PeerEvent::Candidate(_)
            | PeerEvent::Path(_) => {}
        }
    }
}

async fn next(peer: &mut dyn Peer) -> PeerEvent {
    std::future::poll_fn(|cx| peer.poll_event(cx)).await
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn rate(bytes: usize, time: Duration) -> f64 {
    bytes as f64 / 1e6 / time.as_secs_f64()
}

fn median(rates: &mut [f64]) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or(0.0)
}
