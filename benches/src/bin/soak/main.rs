//! Visitors come and go against one agent for minutes: downloads, uploads, WebSockets, and visits
//! that are given up in the middle. Afterwards the agent's process has to be where it was: memory,
//! descriptors and tasks. The figures are printed; what did not come back makes the exit code 1.
//!
//! The agent runs in a process of its own (this program again), with coord, edge and an app; the
//! visitors are all in this one.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod agent;
mod figures;
mod visits;

use std::time::Duration;

use agent::Order;
use cap::Cap;
use clap::Parser;
use figures::Figures;
use p2claw_benches::{
    child::{AsChild, Child},
    stack::Stack,
    stage::Failure,
};
use tokio::time::{Instant, sleep};
use visits::Manner;

#[global_allocator]
static ALLOCATOR: Cap<mimalloc::MiMalloc> = Cap::new(mimalloc::MiMalloc, usize::MAX);

/// What may be left over: a pool keeps connections to the app, and tables keep their size.
const LEFT_TASKS: usize = 8;
const LEFT_DESCRIPTORS: usize = 8;
const LEFT_MEMORY: usize = 4 << 20;

/// How long the last visits may take to be over at the agent: a visitor that vanished is noticed
/// when its path is given up (SES-063) or when three PINGs stay without answer (SES-061).
const SETTLE: Duration = Duration::from_secs(100);

#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    child: Option<AsChild>,
    /// How long visitors come and go
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Visitors at a time
    #[arg(long, default_value_t = 100)]
    visitors: usize,
    /// Only with this stack
    #[arg(long)]
    rtc: Option<Stack>,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    // What RUST_LOG asks for, of both processes.
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    if let Some(AsChild::Agent { stack }) = arguments.child {
        return agent::run(stack).await;
    }
    let stacks = arguments
        .rtc
        .map_or(Stack::ALL.to_vec(), |stack| vec![stack]);
    let mut left = Vec::new();
    for stack in stacks {
        left.extend(soak(stack, &arguments).await?);
    }
    if left.is_empty() {
        return Ok(());
    }
    Err(left.join("; ").into())
}

/// One agent's minutes; what did not come back.
async fn soak(stack: Stack, arguments: &Arguments) -> Result<Vec<String>, Failure> {
    let name = stack.name();
    println!(
        "{name}: {} visitors at a time for {} s",
        arguments.visitors, arguments.seconds
    );
    let mut agent = Child::start(stack)?;
    let url: String = agent.listen().await?;
    // What is made once, is made by the first visits; they leave nothing that ends later.
    let first = Duration::from_secs(3);
    visits::run(&url, stack, 4, first, Manner::POLITE).await?;
    settle(&mut agent, None).await?;
    let before: Figures = agent.ask(&Order::Figures).await?;
    println!("  before   {before}");
    let most = watch(
        &mut agent,
        visits::run(
            &url,
            stack,
            arguments.visitors,
            Duration::from_secs(arguments.seconds),
            &Manner::ALL,
        ),
    )
    .await?;
    println!("  most     {}", most.1);
    println!("  visits   {}", most.0);
    settle(&mut agent, Some(before)).await?;
    let after: Figures = agent.ask(&Order::Figures).await?;
    println!("  after    {after}");
    if most.0.done() == 0 {
        return Err(format!("{name}: no visit came to its end").into());
    }
    let mut left = Vec::new();
    if most.0.failed * 100 > most.0.begun {
        left.push(format!(
            "{name}: {} of {} visits failed",
            most.0.failed, most.0.begun
        ));
    }
    if after.tasks > before.tasks + LEFT_TASKS {
        left.push(format!(
            "{name}: {} tasks were left over",
            after.tasks - before.tasks
        ));
    }
    if after.descriptors > before.descriptors + LEFT_DESCRIPTORS {
        let more = after.descriptors - before.descriptors;
        left.push(format!("{name}: {more} descriptors were left over"));
    }
    let grown = after.memory.saturating_sub(before.memory);
    if grown > LEFT_MEMORY {
        left.push(format!(
            "{name}: {} MiB of memory were left over",
            grown >> 20
        ));
    }
    Ok(left)
}

/// Runs the visits, and looks at the agent meanwhile: the most of each figure.
async fn watch(
    agent: &mut Child,
    visits: impl Future<Output = Result<visits::Tally, Failure>>,
) -> Result<(visits::Tally, Figures), Failure> {
    let mut most = Figures::default();
    tokio::pin!(visits);
    loop {
        tokio::select! {
            tally = &mut visits => return Ok((tally?, most)),
            () = sleep(Duration::from_secs(1)) => most = most.max(agent.ask(&Order::Figures).await?),
        }
    }
}

/// Waits until the agent has as little as before, or as few tasks as it will have.
async fn settle(agent: &mut Child, goal: Option<Figures>) -> Result<(), Failure> {
    let end = Instant::now() + SETTLE;
    let mut lowest = usize::MAX;
    let mut since = Instant::now();
    while Instant::now() < end {
        sleep(Duration::from_millis(500)).await;
        let now: Figures = agent.ask(&Order::Figures).await?;
        match goal {
            Some(goal)
                if now.tasks <= goal.tasks + LEFT_TASKS
                    && now.descriptors <= goal.descriptors + LEFT_DESCRIPTORS
                    && now.memory <= goal.memory + LEFT_MEMORY =>
            {
                return Ok(());
            }
            Some(_) => {}
            None if now.tasks < lowest => {
                lowest = now.tasks;
                since = Instant::now();
            }
            // Nothing has ended for a while.
            None if since.elapsed() > Duration::from_secs(3) => return Ok(()),
            None => {}
        }
    }
    Ok(())
}
