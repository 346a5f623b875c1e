//! The command line.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand};
use p2claw_agent::{StateDir, Upstream};
use p2claw_identity::AppName;

use crate::exit::CommandError;

/// Where `p2claw coord` listens and agents look for it, unless told otherwise.
const DEFAULT_COORD: &str = "http://127.0.0.1:8788";

/// Give an app on this machine a permanent public address that any browser can open.
///
/// The browser talks directly to this machine: HTTP over WebRTC data channels, encrypted from end
/// to end. Servers only introduce the two.
///
/// Try it: `p2claw demo`. Then: `p2claw run` in one terminal, `p2claw expose recipes 5173` in
/// another.
#[derive(Debug, Parser)]
#[command(name = "p2claw", version, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Log more on standard error; twice for everything. P2CLAW_LOG takes a tracing filter.
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start everything in one process, with a sample app, and print its address
    Demo(DemoArguments),
    /// Run the agent: it registers with coord and answers visitors
    Run(RunArguments),
    /// Give the app on a local port an address
    Expose(ExposeArguments),
    /// Take an app's address away
    Unexpose(UnexposeArguments),
    /// List the exposed apps and their addresses
    Routes(LocalArguments),
    /// Show this machine's peer id and alias
    Identity(LocalArguments),
    /// Run a coordination service
    Coord(CoordArguments),
    /// Run an edge: the web server behind the public addresses
    Edge(EdgeArguments),
}

#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// Port of the public address; 0 takes any free one [default: 8787, or a free one]
    #[arg(long)]
    pub(crate) port: Option<u16>,
    /// Expose this app instead of the sample: a port, 127.0.0.1:PORT or unix:/path
    #[arg(long)]
    pub(crate) upstream: Option<Upstream>,
    /// Print one line of JSON when ready; logs go to standard error
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) state: StateArguments,
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// Address of the coordination service
    #[arg(long, env = "P2CLAW_COORD", default_value = DEFAULT_COORD)]
    pub(crate) coord: String,
    /// UDP port for visitors, on all addresses; 0 takes any free one
    #[arg(long, default_value_t = 0)]
    pub(crate) udp_port: u16,
    /// Print one line of JSON when ready; logs go to standard error
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) state: StateArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ExposeArguments {
    /// Name of the app, the first part of its address: a-z, 0-9 and hyphens, at most 32
    pub(crate) name: AppName,
    /// Where it listens: a port, 127.0.0.1:PORT, localhost:PORT, [::1]:PORT or unix:/path
    pub(crate) upstream: Upstream,
    /// Give the app the public address in `Host`; without it, it sees its own
    #[arg(long)]
    pub(crate) preserve_host: bool,
    #[command(flatten)]
    pub(crate) local: LocalArguments,
}

#[derive(Debug, Args)]
pub(crate) struct UnexposeArguments {
    /// Name of the app
    pub(crate) name: AppName,
    #[command(flatten)]
    pub(crate) local: LocalArguments,
}

#[derive(Debug, Args)]
pub(crate) struct LocalArguments {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) state: StateArguments,
}

#[derive(Debug, Args)]
pub(crate) struct CoordArguments {
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1:8788")]
    pub(crate) listen: SocketAddr,
    /// Where visitors find the edge: apps are at <scheme>://<app>-<alias>.<host>[:port]/
    #[arg(long, default_value = "http://localhost:8787")]
    pub(crate) public_url: String,
    /// Host, and port if not the usual one, in the address that agents use for this service; may be
    /// given several times [default: what --listen says, and localhost]
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) domain: Vec<String>,
    /// File of the registry; without it aliases are forgotten at the end
    #[arg(long)]
    pub(crate) database: Option<PathBuf>,
    /// A TURN server to hand out, turn:HOST:PORT; may be given several times
    #[arg(long, requires = "relay_secret_file")]
    pub(crate) relay: Vec<String>,
    /// File with the secret that the TURN server shares (coturn: static-auth-secret)
    #[arg(long)]
    pub(crate) relay_secret_file: Option<PathBuf>,
    /// A STUN server to hand out, stun:HOST:PORT; may be given several times
    #[arg(long)]
    pub(crate) stun: Vec<String>,
    /// Print one line of JSON when ready; logs go to standard error
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct EdgeArguments {
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1:8787")]
    pub(crate) listen: SocketAddr,
    /// Address of the coordination service
    #[arg(long, env = "P2CLAW_COORD", default_value = DEFAULT_COORD)]
    pub(crate) coord: String,
    /// The domain under which the apps' names stand
    #[arg(long, default_value = "localhost")]
    pub(crate) parent: String,
    /// Certificate chain for *.<parent>, PEM; without it the edge speaks plain HTTP
    #[arg(long, requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Private key of the certificate, PEM
    #[arg(long, requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Print one line of JSON when ready; logs go to standard error
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct StateArguments {
    /// Folder of the identity key and the routes [default: the user's state folder, p2claw]
    #[arg(long, env = "P2CLAW_STATE_DIR")]
    state_dir: Option<PathBuf>,
}

impl StateArguments {
    /// The folder, made where it is missing; `sub` is put behind the default.
    pub(crate) fn open(&self, sub: Option<&str>) -> Result<StateDir, CommandError> {
        let path = match &self.state_dir {
            Some(path) => path.clone(),
            None => {
                let folders = directories::ProjectDirs::from("", "", "p2claw").ok_or(
                    "find a folder for state: there is no home directory; give --state-dir",
                )?;
                let base = folders.state_dir().unwrap_or(folders.data_dir());
                sub.map_or_else(|| base.to_owned(), |sub| base.join(sub))
            }
        };
        Ok(StateDir::open(path)?)
    }
}
