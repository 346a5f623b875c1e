//! The commands that visit other people's apps.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::Args;
use p2claw_visitor::Address;

use super::StateArguments;
use crate::{stack::StackArguments, values};

/// What the exit codes of `fetch` mean; where curl has one for it, it is curl's.
pub(crate) const FETCH_CODES: &str = "\
Exit codes:
   0  the response came whole
   1  another failure             2  wrong arguments
   7  the app cannot be reached: its machine is offline, there is no path to it, or no such app
  18  the response broke off      22  --fail, and the status is 400 or above
  23  the output cannot be written
  26  the data to send cannot be read
  28  --max-time is over          47  too many redirects
  60  whoever answered did not prove to be the app's machine
 130  Ctrl-C

Examples:
  p2claw fetch https://recipes-honeyed-marble-4155.example.net/
  p2claw fetch -L -o page.html http://hello-honeyed-marble-4155.localhost:8787/docs
  p2claw fetch -d name=tea -d grams=20 https://recipes-honeyed-marble-4155.example.net/add
  tar c photos | p2claw fetch -T - https://recipes-honeyed-marble-4155.example.net/upload
  p2claw fetch --json 'https://recipes-honeyed-marble-4155.example.net/#p=PEER_ID'";

#[derive(Debug, Args)]
#[command(after_help = FETCH_CODES)]
pub(crate) struct FetchArguments {
    /// Address of the app, path and query included; #p=<peer id> behind it names its key
    #[arg(value_parser = values::address)]
    pub(crate) url: Address,
    /// Method [default: GET; POST with -d, PUT with -T, HEAD with -I]
    #[arg(short = 'X', long, value_name = "METHOD", value_parser = values::method)]
    pub(crate) request: Option<String>,
    /// A field of the request, "name: value"; "name:" leaves a usual one out
    #[arg(short = 'H', long, value_name = "FIELD", value_parser = values::field)]
    pub(crate) header: Vec<(String, String)>,
    /// Send this, @FILE or @- (standard input) without line ends; several are joined with &
    #[arg(short, long, value_name = "DATA")]
    pub(crate) data: Vec<String>,
    /// The same, with line ends
    #[arg(long, value_name = "DATA")]
    pub(crate) data_binary: Vec<String>,
    /// Send this file as it is; - is standard input
    #[arg(short = 'T', long, value_name = "FILE", conflicts_with_all = ["data", "data_binary"])]
    pub(crate) upload_file: Option<PathBuf>,
    /// Write the response to this file, which is there once the response is complete
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Show status and fields before the response
    #[arg(short, long)]
    pub(crate) include: bool,
    /// Ask for the head only, and show it
    #[arg(short = 'I', long, conflicts_with_all = ["data", "data_binary", "upload_file"])]
    pub(crate) head: bool,
    /// Follow redirects within the app
    #[arg(short = 'L', long)]
    pub(crate) location: bool,
    /// Redirects that are followed
    #[arg(long, value_name = "NUMBER", default_value = "10")]
    pub(crate) max_redirs: usize,
    /// Say nothing on standard error
    #[arg(short, long)]
    pub(crate) silent: bool,
    /// Fail for a status of 400 or above, without its response
    #[arg(short, long)]
    pub(crate) fail: bool,
    /// Seconds that everything together may take
    #[arg(short, long, value_name = "SECONDS", value_parser = values::seconds)]
    pub(crate) max_time: Option<Duration>,
    /// Ask for gzip or deflate, and decode it
    #[arg(long)]
    pub(crate) compressed: bool,
    /// Print status, fields, bytes, timings in ms and the path as one JSON object, in the place of
    /// the response
    #[arg(long, conflicts_with_all = ["include"])]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) stack: StackArguments,
    #[command(flatten)]
    pub(crate) state: StateArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ConnectArguments {
    /// Address of the app; #p=<peer id> behind it names its key
    #[arg(value_parser = values::address)]
    pub(crate) url: Address,
    /// Where programs on this machine find it; port 0 takes any free one
    #[arg(long, default_value = "127.0.0.1:0", value_parser = values::listen)]
    pub(crate) listen: SocketAddr,
    /// Let other machines use it: whoever reaches the port then uses the app in your name
    #[arg(long)]
    pub(crate) allow_remote: bool,
    /// Print one line of JSON when ready; logs go to standard error
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) stack: StackArguments,
    #[command(flatten)]
    pub(crate) state: StateArguments,
}

#[derive(Debug, Args)]
pub(crate) struct PinsArguments {
    /// Forget the key of this address: whoever answers there next is believed. Do so only when its
    /// owner has told you, over a channel that you trust, that the key is new
    #[arg(long, value_name = "URL", value_parser = values::address)]
    pub(crate) forget: Option<Address>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) state: StateArguments,
}
