//! The stacks side by side, in one run: two processes on this machine, a visitor (this one) and an
//! agent (a child), for each pair of stacks. What is compared shares everything else: lanes,
//! buffers, message size, machine and moment; figures are medians, and ratios within the run.
//!
//! - raw: messages of the size of a full frame on lane 0, no session;
//! - HTTP: the same bytes as a body, through the session's requests, credit and frames.
//!
//! Beside them, where they are installed: libdatachannel (`npm install node-datachannel`, its folder
//! in NODE_DATACHANNEL) and a TCP tunnel (`bore`, in PATH), which encrypts nothing.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod agent;
mod order;
mod others;
mod process;
mod table;
mod visitor;

use clap::Parser;
use p2claw_benches::{child::AsChild, stack::Stack, stage::Failure};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    child: Option<AsChild>,
    #[command(flatten)]
    sizes: Sizes,
    /// Only this stack as visitor
    #[arg(long)]
    visitor: Option<Stack>,
    /// Only this stack as agent
    #[arg(long)]
    agent: Option<Stack>,
}

#[derive(Debug, clap::Args)]
struct Sizes {
    /// Size of one transfer, in MB
    #[arg(long, default_value_t = 50)]
    megabytes: usize,
    /// Transfers of each kind
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Small requests, one after another and in parallel
    #[arg(long, default_value_t = 2000)]
    requests: usize,
    /// Sessions for the figures of setting up and of memory
    #[arg(long, default_value_t = 50)]
    sessions: usize,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    if let Some(AsChild::Agent { stack }) = arguments.child {
        return agent::run(stack).await;
    }
    let chosen = |stack: Option<Stack>| stack.map_or(Stack::ALL.to_vec(), |stack| vec![stack]);
    let mut rows = Vec::new();
    for visitor in chosen(arguments.visitor) {
        for agent in chosen(arguments.agent) {
            rows.push(visitor::measure(visitor, agent, &arguments.sizes).await?);
        }
    }
    table::print(&rows);
    others::print(arguments.sizes.megabytes).await;
    Ok(())
}
