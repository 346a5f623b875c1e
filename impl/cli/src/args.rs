//! The command line.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use clap::{Args, Parser, Subcommand};
use p2claw_agent::{StateDir, Upstream};
use p2claw_identity::AppName;
use p2claw_signaling::address::PublicAddress;

use crate::{exit::CommandError, stack::StackArguments, values};

mod visitor;

pub(crate) use visitor::{ConnectArguments, FetchArguments, PinsArguments};

/// Where `p2claw coord` listens and agents look for it, unless told otherwise.
pub(crate) const DEFAULT_COORD: &str = "http://127.0.0.1:8788";

/// Give an app on this machine a permanent public address that any browser can open.
///
/// The browser talks directly to this machine: HTTP over WebRTC data channels, encrypted from end
/// to end. Servers only introduce the two.
///
/// Try it:            p2claw demo
/// With your own app: p2claw demo --upstream 5173
/// On your own:       p2claw coord, p2claw edge and p2claw run, each in a terminal of its own,
///                    then p2claw expose recipes 5173
/// With a service:    p2claw run --coord https://coord.example.net, then p2claw expose
/// As a visitor:      p2claw fetch or p2claw connect, with the address of an app
///
/// Results go to standard output, everything else to standard error. The exit code is 0, 1 after a
/// failure, 2 after wrong arguments.
#[derive(Debug, Parser)]
#[command(name = "p2claw", version, max_term_width = 100, verbatim_doc_comment)]
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
    ///
    /// The agent (`p2claw run`) has to be running. The exit code is 3 when the app is exposed but
    /// cannot be reached yet, because there is no connection to coord.
    Expose(ExposeArguments),
    /// Take an app's address away
    Unexpose(UnexposeArguments),
    /// List the exposed apps and their addresses
    Routes(LocalArguments),
    /// List the visitors' sessions: path, round trip, rates
    ///
    /// IN is from the visitor, OUT to the visitor, both with the rate of the last two seconds. PATH
    /// is direct or relayed, and what the two ends' addresses are, this one's first: host, srflx or
    /// prflx (behind a NAT), relay. RTT is the way to the visitor's client and back.
    Sessions(SessionsArguments),
    /// Find out what stands between this machine and its visitors
    ///
    /// It looks at the state directory and the agent, at coord and this machine's clock, tries each
    /// STUN and TURN server that coord names, finds out how the NATs on the way behave (RFC 4787,
    /// RFC 5780), and asks each app. It changes nothing, and sends nothing to anybody but coord, the
    /// edge, those servers and the apps. The exit code is 1 when something would prevent visits.
    Doctor(DoctorArguments),
    /// Show this machine's peer id and alias
    Identity(LocalArguments),
    /// Ask somebody's app for something, as curl does: a native visitor
    Fetch(FetchArguments),
    /// Give somebody's app a local port: any program on this machine can use it
    ///
    /// It speaks HTTP/1.1 there, WebSockets included, for as long as it runs.
    Connect(ConnectArguments),
    /// List the keys of the addresses that were visited from here
    Pins(PinsArguments),
    /// Run a coordination service
    ///
    /// It gives agents their addresses and introduces visitors to them; apps' traffic does not pass
    /// through it. One service is enough for many machines. Beside it stands an edge.
    Coord(CoordArguments),
    /// Run a relay for visitors whose networks let no direct connection through
    ///
    /// It is a TURN and STUN server over UDP and TCP, and over TLS with a certificate. Tell coord of
    /// it: `p2claw coord --relay turn:HOST:3478 --relay-secret-file FILE`, with the same file. It
    /// passes on what it cannot read.
    Relay(RelayArguments),
    /// Run an edge: the web server behind the public addresses
    ///
    /// Browsers get the client from it. It talks plain HTTP to coord, on the same machine or a
    /// private network. Its address has to be the one in coord's --public-url.
    Edge(EdgeArguments),
}

#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// Port of the public address; 0 takes any free one [default: 8787, or a free one]
    #[arg(long, value_parser = values::port)]
    pub(crate) port: Option<u16>,
    /// Expose this app instead of the sample: a port, 127.0.0.1:PORT or unix:/path
    #[arg(long, value_parser = values::upstream)]
    pub(crate) upstream: Option<Upstream>,
    #[command(flatten)]
    pub(crate) stack: StackArguments,
    /// Print one line of JSON when ready; logs go to standard error
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) state: StateArguments,
}

#[derive(Debug, Args)]
pub(crate) struct RunArguments {
    /// Address of the coordination service
    #[arg(long, env = "P2CLAW_COORD", default_value = DEFAULT_COORD, value_parser = values::service_url)]
    pub(crate) coord: String,
    /// UDP port for visitors, on all addresses; 0 takes any free one. Open it in the firewall for
    /// visitors on other networks
    #[arg(long, default_value = "0", value_parser = values::port)]
    pub(crate) udp_port: u16,
    #[command(flatten)]
    pub(crate) stack: StackArguments,
    /// Print one line of JSON when ready; logs go to standard error
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) state: StateArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ExposeArguments {
    /// Name of the app, the first part of its address: a-z, 0-9 and hyphens, at most 32
    #[arg(value_parser = values::app_name)]
    pub(crate) name: AppName,
    /// Where it listens: a port, 127.0.0.1:PORT, localhost:PORT, [::1]:PORT or unix:/path
    #[arg(value_parser = values::upstream)]
    pub(crate) upstream: Upstream,
    /// Send the app `Host: <its public address>` instead of `Host: localhost:PORT`
    #[arg(long)]
    pub(crate) preserve_host: bool,
    #[command(flatten)]
    pub(crate) local: LocalArguments,
}

#[derive(Debug, Args)]
pub(crate) struct UnexposeArguments {
    /// Name of the app
    #[arg(value_parser = values::app_name)]
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
pub(crate) struct SessionsArguments {
    /// Refresh every second until Ctrl-C; with --json, one line each time
    #[arg(long)]
    pub(crate) watch: bool,
    /// Show the addresses of both ends, the visitor's included
    #[arg(long)]
    pub(crate) addresses: bool,
    #[command(flatten)]
    pub(crate) local: LocalArguments,
}

#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    /// Address of the coordination service [default: the running agent's, or
    /// http://127.0.0.1:8788]
    #[arg(long, env = "P2CLAW_COORD", value_parser = values::service_url)]
    pub(crate) coord: Option<String>,
    /// Another STUN server to ask, HOST:PORT or stun:HOST:PORT; may be given several times
    #[arg(long, value_name = "HOST:PORT", value_parser = values::stun_server)]
    pub(crate) stun: Vec<String>,
    /// See whether `p2claw run` could have this UDP port
    #[arg(long, value_name = "PORT", value_parser = values::port)]
    pub(crate) udp_port: Option<u16>,
    /// See whether `p2claw coord` or `p2claw edge` could listen there; may be given several times
    #[arg(long, value_name = "ADDRESS", value_parser = values::listen)]
    pub(crate) listen: Vec<SocketAddr>,
    /// Measure how long mappings of the NAT live as well; takes two minutes
    #[arg(long)]
    pub(crate) slow: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) state: StateArguments,
}

#[derive(Debug, Args)]
pub(crate) struct CoordArguments {
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1:8788", value_parser = values::listen)]
    pub(crate) listen: SocketAddr,
    /// Where visitors find the edge: apps are at <scheme>://<app>-<alias>.<host>[:port]/
    #[arg(long, default_value = "http://localhost:8787", value_parser = values::public_address)]
    pub(crate) public_url: PublicAddress,
    /// Host, and port if not the usual one, in the address that agents use for this service; may be
    /// given several times [default: what --listen says, and localhost]
    #[arg(long, value_name = "HOST[:PORT]", value_parser = values::domain)]
    pub(crate) domain: Vec<String>,
    /// File of the registry; without it aliases are forgotten at the end
    #[arg(long)]
    pub(crate) database: Option<PathBuf>,
    /// A TURN server to hand out, turn:HOST:PORT; may be given several times
    #[arg(long, requires = "relay_secret_file", value_parser = values::turn_url)]
    pub(crate) relay: Vec<String>,
    /// File with the secret that the TURN server shares (coturn: static-auth-secret)
    #[arg(long, requires = "relay")]
    pub(crate) relay_secret_file: Option<PathBuf>,
    /// A STUN server to hand out, stun:HOST:PORT; may be given several times
    #[arg(long, value_parser = values::stun_url)]
    pub(crate) stun: Vec<String>,
    /// Print one line of JSON when ready; logs go to standard error
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RelayArguments {
    /// Address and port to listen on, over UDP and TCP
    #[arg(long, default_value = "0.0.0.0:3478", value_parser = values::listen)]
    pub(crate) listen: SocketAddr,
    /// The address that the internet knows this machine by; needed where --listen names none
    #[arg(long, value_name = "IP")]
    pub(crate) public_ip: Option<std::net::IpAddr>,
    /// File with the secret that coord shares
    #[arg(long)]
    pub(crate) secret_file: PathBuf,
    /// Certificate chain, PEM: serve TLS on the same port, too
    #[arg(long, requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Private key of the certificate, PEM
    #[arg(long, requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Allocations that one credential may have at a time; a visitor has a credential for each visit
    #[arg(long, value_name = "NUMBER", default_value_t = p2claw_relay::Quota::default().allocations)]
    pub(crate) max_allocations: usize,
    /// MiB that one visit may relay, both ways together
    #[arg(long, value_name = "MIB", default_value_t = p2claw_relay::Quota::default().bytes >> 20)]
    pub(crate) max_mib: u64,
    /// KiB a second that one visit may relay, both ways together
    #[arg(long, value_name = "KIB", default_value_t = p2claw_relay::Quota::default().bytes_per_second >> 10)]
    pub(crate) max_rate: u64,
    /// Clients at a time, all together
    #[arg(long, value_name = "NUMBER", default_value_t = 1024)]
    pub(crate) max_clients: usize,
    /// Relay to loopback and private addresses, too: strangers could reach your network through it
    #[arg(long)]
    pub(crate) allow_private_peers: bool,
    /// Print one line of JSON when ready; logs go to standard error
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct EdgeArguments {
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1:8787", value_parser = values::listen)]
    pub(crate) listen: SocketAddr,
    /// Address of the coordination service, plain HTTP
    #[arg(long, env = "P2CLAW_COORD", default_value = DEFAULT_COORD, value_parser = values::service_url)]
    pub(crate) coord: String,
    /// The domain under which the apps' names stand: the host in coord's --public-url
    #[arg(long, default_value = "localhost", value_parser = values::parent)]
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
    /// Folder of the identity key, the routes and the pins [default: $XDG_STATE_HOME/p2claw or
    /// ~/.local/state/p2claw; for `demo`, the folder `demo` in it]
    #[arg(long, env = "P2CLAW_STATE_DIR")]
    state_dir: Option<PathBuf>,
}

/// The demo's folder in the default one.
pub(crate) const DEMO: &str = "demo";

impl StateArguments {
    /// The folder, made where it is missing; `sub` is put behind the default.
    pub(crate) fn open(&self, sub: Option<&str>) -> Result<StateDir, CommandError> {
        Ok(StateDir::open(self.path(sub)?)?)
    }

    /// The folder of an agent that has run before. Looking at one makes none.
    pub(crate) fn existing(&self) -> Result<StateDir, CommandError> {
        let path = self.path(None)?;
        if path.exists() {
            return Ok(StateDir::open(path)?);
        }
        Err(format!(
            "find an agent: there is no state directory {}; start one with `p2claw run`{}",
            path.display(),
            self.demo_hint()
        )
        .into())
    }

    /// What to add where no agent runs but a demo does.
    pub(crate) fn demo_hint(&self) -> String {
        let demo = self.path(Some(DEMO)).ok();
        let demo = demo.filter(|_| self.state_dir.is_none());
        match demo.filter(|demo| is_running(demo)) {
            Some(demo) => format!(
                "; a demo is running: use it with --state-dir \"{}\"",
                demo.display()
            ),
            None => String::new(),
        }
    }

    /// Where it is, or would be.
    pub(crate) fn path(&self, sub: Option<&str>) -> Result<PathBuf, CommandError> {
        if let Some(path) = &self.state_dir {
            return Ok(std::path::absolute(path)?);
        }
        let folders = directories::ProjectDirs::from("", "", "p2claw")
            .ok_or("find a folder for state: there is no home directory; give --state-dir")?;
        let base = folders.state_dir().unwrap_or(folders.data_dir());
        Ok(sub.map_or_else(|| base.to_owned(), |sub| base.join(sub)))
    }
}

fn is_running(state: &Path) -> bool {
    std::os::unix::net::UnixStream::connect(state.join("agent.sock")).is_ok()
}
