//! What a session carries over a line of 40 ms and 50 Mbit/s with a queue of 250 KB, without loss
//! and with it: a download, a page of 100 small files, and small requests beside a download.
//!
//! The clock is virtual: figures do not depend on the machine. They are the base for work on the
//! transport.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::time::Duration;

use clap::Parser;
use futures_util::future::try_join_all;
use p2claw_agent::connection;
use p2claw_benches::{
    line::{self, Line},
    stack::Stack,
    stage::{Failure, session_config},
    transfer::{fetch, serve},
};
use p2claw_session::Role;
use tokio::time::{Instant, sleep};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BITS_PER_SECOND: u64 = 50_000_000;
const ONE_WAY: Duration = Duration::from_millis(20);
const QUEUE: usize = 250_000;

/// Between two sparse requests.
const SPARSE: Duration = Duration::from_millis(200);

#[derive(Debug, Parser)]
struct Arguments {
    /// Size of the download, in MB
    #[arg(long, default_value_t = 30)]
    megabytes: usize,
    /// Runs with other packets lost; the median counts
    #[arg(long, default_value_t = 3)]
    rounds: u64,
    /// Only this stack
    #[arg(long)]
    stack: Option<Stack>,
}

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    println!(
        "40 ms round trip, 50 Mbit/s (6.25 MB/s), a queue of 250 KB; medians of {} runs\n",
        arguments.rounds
    );
    println!(
        "| stack | loss | download, MB/s | page of 100 x 10 KB, ms | small requests beside the \
         download, median and slowest, ms |"
    );
    println!("|---|---|---|---|---|");
    let stacks = arguments
        .stack
        .map_or(Stack::ALL.to_vec(), |stack| vec![stack]);
    for stack in stacks {
        for (name, loss) in [("0", 0), ("0.1%", 100), ("1%", 1_000)] {
            let mut runs = Vec::new();
            for seed in 1..=arguments.rounds {
                // A runtime of its own: its clock starts anew.
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .start_paused(true)
                    .build()?;
                runs.push(runtime.block_on(run(stack, loss, seed, arguments.megabytes))?);
            }
            let median = |figure: fn(&Run) -> f64| {
                let mut figures: Vec<f64> = runs.iter().map(figure).collect();
                figures.sort_by(f64::total_cmp);
                figures[figures.len() / 2]
            };
            println!(
                "| {} | {name} | {:.2} | {:.0} | {:.0}, {:.0} |",
                stack.name(),
                median(|run| run.download),
                median(|run| run.page),
                median(|run| run.sparse),
                median(|run| run.slowest),
            );
        }
    }
    Ok(())
}

struct Run {
    download: f64,
    page: f64,
    sparse: f64,
    slowest: f64,
}

async fn run(stack: Stack, loss: u32, seed: u64, megabytes: usize) -> Result<Run, Failure> {
    let line = Line {
        bits_per_second: BITS_PER_SECOND,
        delay: ONE_WAY,
        queue: QUEUE,
        loss,
    };
    let [near, far] = line::hosts(line, seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let (near, far) = (stack.endpoint_on(near)?, stack.endpoint_on(far)?);
    let mut offered = near.offer().await?;
    let accepted = far.accept(&offered.offer).await?;
    offered.peer.accept_answer(&accepted.answer)?;
    let (visitor, driver) = connection::connect(Role::Visitor, session_config(), offered.peer);
    tokio::spawn(driver);
    let (agent, driver) = connection::connect(Role::Agent, session_config(), accepted.peer);
    tokio::spawn(driver);
    tokio::spawn(serve(agent));
    fetch(&visitor, 1).await?;

    let bytes = megabytes * 1_000_000;
    let took = fetch(&visitor, bytes).await?;
    let download = megabytes_of(bytes) / took.as_secs_f64();

    let start = Instant::now();
    try_join_all((0..100).map(|_| fetch(&visitor, 10_000))).await?;
    let page = millis(start.elapsed());

    let mut delays = Vec::new();
    let background = fetch(&visitor, bytes);
    let small = async {
        loop {
            sleep(SPARSE).await;
            delays.push(millis(fetch(&visitor, 1_000).await?));
        }
        #[expect(unreachable_code, reason = "names the type of the error")]
        Ok::<(), Failure>(())
    };
    tokio::select! {
        result = background => { result?; }
        result = small => result?,
    }
    delays.sort_by(f64::total_cmp);
    Ok(Run {
        download,
        page,
        sparse: delays.get(delays.len() / 2).copied().unwrap_or(0.0),
        slowest: delays.last().copied().unwrap_or(0.0),
    })
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn megabytes_of(bytes: usize) -> f64 {
    bytes as f64 / 1e6
}
