//! The `p2claw` command: arguments become typed configurations, and the libraries do the work.

mod args;
mod commands;
mod doctor;
mod exit;
mod network;
mod output;
mod sample;
mod stack;
mod table;
mod values;

use std::process::ExitCode;

use args::{Arguments, Command};
use clap::Parser as _;

/// Forwarding is allocation and copying for the most part: mimalloc takes a fifth of the
/// processor time off it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    output::start_logging(arguments.verbose, &arguments.command);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return exit::report(&format!("start: {error}").into()),
    };
    let result = runtime.block_on(async {
        match arguments.command {
            Command::Demo(command) => commands::demo::run(command).await,
            Command::Coord(command) => commands::services::coord(command).await,
            Command::Relay(command) => commands::services::relay(command).await,
            Command::Edge(command) => commands::services::edge(command).await,
            Command::Run(command) => commands::daemon::run(command).await,
            Command::Expose(command) => commands::routes::expose(command).await,
            Command::Unexpose(command) => commands::routes::unexpose(command).await,
            Command::Routes(command) => commands::routes::list(command).await,
            Command::Sessions(command) => commands::sessions::show(command).await,
            Command::Doctor(command) => commands::doctor::run(command).await,
            Command::Identity(command) => commands::identity::show(command).await,
            Command::Fetch(command) => commands::fetch::run(command, arguments.verbose).await,
            Command::Connect(command) => commands::connect::run(command).await,
            Command::Pins(command) => commands::pins::run(command),
        }
    });
    // A task that hangs in the kernel does not keep the program.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::report(&error),
    }
}
