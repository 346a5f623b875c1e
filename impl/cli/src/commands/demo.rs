//! `demo`: coord, edge, relay and agent in one process, with a sample app.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use p2claw_agent::{
    Agent, ApiError, ApiSocket, LinkStatus, RouteEntry, Routes, StateDir, Upstream,
};
use p2claw_coord::RelayConfig;
use p2claw_identity::{AppName, IdentityKey};
use p2claw_relay::Relay;
use p2claw_signaling::address::PublicAddress;
use serde_json::json;
use tokio::{net::TcpListener, sync::watch, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    args::{self, DemoArguments},
    commands::{SOFTWARE, daemon::fresh_seed, routes::warn_of_silence, services::bind},
    exit::{self, CommandError},
    network::Sockets,
    output, sample,
};

/// The port that is tried first.
const PORT: u16 = 8787;

/// Under which name the demo's app stands.
const APP: &str = "hello";

/// `*.localhost` leads to the own machine, in every browser, and counts as a secure context.
const PARENT: &str = "localhost";

/// Registration within one process.
const READY_DEADLINE: Duration = Duration::from_secs(10);

pub(crate) async fn run(arguments: DemoArguments) -> Result<(), CommandError> {
    let shutdown = exit::on_signal()?;
    let ground = Ground::open(&arguments)?;
    let state = ground.state();

    let (edge_listener, moved) = bind_edge(arguments.port).await?;
    let edge_address = edge_listener.local_addr()?;
    let coord_listener = loopback().await?;
    let coord_address = coord_listener.local_addr()?;
    let coord_url = format!("http://{coord_address}");
    let secret = data_encoding::HEXLOWER.encode(&fresh_seed()?);
    let relay = p2claw_relay::Config {
        // Visitors of the demo are on this machine.
        private_peers: true,
        ..p2claw_relay::Config::new(secret.clone().into_bytes())
    };
    let relay = Relay::bind(loopback_address(), relay).await?;

    let seed = fresh_seed()?;
    let key = Arc::new(state.identity_key(move || seed)?);
    let mut tasks: JoinSet<Result<(), CommandError>> = JoinSet::new();
    // The parts end after the demo has seen the signal: one that ends before has failed.
    let stop = CancellationToken::new();
    let upstream = match arguments.upstream {
        Some(upstream) if upstream.is_at("localhost", Some(edge_address.port())) => {
            return Err(format!("use the upstream {upstream}: that is the demo itself").into());
        }
        Some(upstream) => {
            warn_of_silence(&upstream).await;
            upstream
        }
        None => start_sample(&mut tasks, stop.clone()).await?,
    };
    let app = AppName::parse(APP)?;
    let routes = Arc::new(Routes::load(None)?);
    routes.expose(
        app.clone(),
        RouteEntry {
            upstream: upstream.clone(),
            preserve_host: false,
        },
    )?;

    let mut coord = p2claw_coord::Config::new(
        coord_address.to_string(),
        PublicAddress {
            scheme: "http".to_owned(),
            parent: PARENT.to_owned(),
            port: Some(edge_address.port()).filter(|port| *port != 80),
        },
    );
    coord.database = Some(state.path().join("coord.redb"));
    coord.relay = Some(RelayConfig {
        urls: relay.urls("127.0.0.1"),
        secret: secret.into_bytes(),
    });
    let edge = p2claw_edge::Config::new(coord_url.parse()?, PARENT);
    let token = stop.clone();
    tasks.spawn(async move {
        relay.run(token).await;
        Ok(())
    });
    let token = stop.clone();
    tasks.spawn(async move { Ok(p2claw_coord::run(coord_listener, coord, token).await?) });
    let token = stop.clone();
    tasks.spawn(async move { Ok(p2claw_edge::run(edge_listener, edge, token).await?) });

    let sockets = Sockets {
        loopback: true,
        ..Sockets::default()
    };
    let agent = Agent {
        key: Arc::clone(&key),
        routes,
        transport: arguments.stack.rtc.on(sockets.bind()?),
        coord: coord_url,
        software: SOFTWARE.to_owned(),
        api: Some(ground.api),
    };
    let (status, mut watched) = watch::channel(LinkStatus::default());
    let token = stop.clone();
    tasks.spawn(async move { Ok(agent.run(status, token).await?) });

    let facts = Facts {
        key: &key,
        upstream: &upstream,
        moved,
        kept: &ground.place,
    };
    let ready = async {
        let status = timeout(
            READY_DEADLINE,
            watched.wait_for(|status| !status.accepted.is_empty()),
        )
        .await
        .map_err(|_| "register the agent within 10 s; try again with -v")?
        .map_err(|_| "register the agent: it stopped")?
        .clone();
        let url = status
            .url(app.as_str())
            .ok_or("find out the address: coord gave no alias")?;
        output::announce(facts.print(&status, &url, arguments.json));
        Ok::<_, CommandError>(())
    };
    let result = tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        Some(ended) = tasks.join_next() => Err(first_error(ended)),
        Err(error) = async {
            ready.await?;
            std::future::pending::<Result<(), CommandError>>().await
        } => Err(error),
    };
    stop.cancel();
    let ended = async { while tasks.join_next().await.is_some() {} };
    tokio::select! {
        () = ended => {}
        () = async {
            exit::tell_of_drain(&stop).await;
            std::future::pending().await
        } => {}
    }
    if result.is_ok() && !arguments.json {
        output::announce(output::line("\nThe demo has ended."));
    }
    result
}

/// What one of the parts ended with, though nobody had asked it to end.
fn first_error(ended: Result<Result<(), CommandError>, tokio::task::JoinError>) -> CommandError {
    match ended {
        Ok(Ok(())) => "go on: a part of the demo ended by itself".into(),
        Ok(Err(error)) => error,
        Err(error) => format!("go on: a part of the demo failed: {error}").into(),
    }
}

/// The folder of a demo, and its lock.
struct Ground {
    api: ApiSocket,
    place: Place,
}

enum Place {
    /// The address is the same the next time.
    Kept(StateDir),
    /// Another demo has the folder: this one has an address for once.
    Once(
        StateDir,
        #[expect(dead_code, reason = "removes the folder at the end")] tempfile::TempDir,
    ),
}

impl Ground {
    fn open(arguments: &DemoArguments) -> Result<Self, CommandError> {
        let kept = arguments.state.open(Some(args::DEMO))?;
        match ApiSocket::bind(&kept) {
            Ok(api) => Ok(Self {
                api,
                place: Place::Kept(kept),
            }),
            Err(ApiError::AlreadyRunning(_)) => {
                let folder = tempfile::Builder::new().prefix("p2claw-demo-").tempdir()?;
                let state = StateDir::open(folder.path())?;
                Ok(Self {
                    api: ApiSocket::bind(&state)?,
                    place: Place::Once(state, folder),
                })
            }
            Err(error) => Err(error.into()),
        }
    }

    fn state(&self) -> &StateDir {
        match &self.place {
            Place::Kept(state) | Place::Once(state, _) => state,
        }
    }
}

fn loopback_address() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

async fn loopback() -> Result<TcpListener, CommandError> {
    bind(loopback_address(), "--port").await
}

/// The usual port, or a free one where another program has it; a port that was asked for is
/// taken or refused. `true`: it is not the usual one.
async fn bind_edge(port: Option<u16>) -> Result<(TcpListener, bool), CommandError> {
    let at = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    match port {
        Some(port) => Ok((bind(at(port), "--port").await?, false)),
        None => match TcpListener::bind(at(PORT)).await {
            Ok(listener) => Ok((listener, false)),
            Err(_) => Ok((loopback().await?, true)),
        },
    }
}

async fn start_sample(
    tasks: &mut JoinSet<Result<(), CommandError>>,
    stop: CancellationToken,
) -> Result<Upstream, CommandError> {
    let listener = loopback().await?;
    let upstream = listener.local_addr()?.to_string().parse()?;
    tasks.spawn(async move { Ok(sample::serve(listener, stop).await?) });
    Ok(upstream)
}

struct Facts<'a> {
    key: &'a IdentityKey,
    upstream: &'a Upstream,
    moved: bool,
    kept: &'a Place,
}

impl Facts<'_> {
    fn print(&self, status: &LinkStatus, url: &str, as_json: bool) -> Result<(), CommandError> {
        let peer_id = self.key.peer_id().to_string();
        if as_json {
            return output::json(&json!({
                "url": url,
                "alias": status.alias,
                "peer_id": peer_id,
                "app": APP,
                "upstream": self.upstream.to_string(),
            }));
        }
        output::line(format_args!(
            "\n  Open this address in a browser on this machine:\n\n  {url}\n"
        ))?;
        if let Some(code) = output::qr(url) {
            for line in code.lines() {
                output::line(format_args!("  {line}"))?;
            }
            output::line("  For this machine only: on a phone, localhost is the phone.")?;
        }
        output::line(format_args!("\n  app      {}", self.upstream))?;
        output::line(format_args!("  peer id  {peer_id}"))?;
        output::line(format_args!("  pinned   {url}#p={peer_id}"))?;
        output::line("           (opened by this link, the browser accepts this key only)")?;
        if self.moved {
            output::line(format_args!(
                "\n  Port {PORT} is taken, so the address has another; --port chooses one."
            ))?;
        }
        output::line(match self.kept {
            Place::Kept(state) => format!(
                "\n  Another app of yours, until the demo ends:\n  p2claw expose NAME PORT \
                 --state-dir \"{}\"",
                state.path().display()
            ),
            Place::Once(..) => "\n  Another demo is running: this one has an address of its own, \
                                for this time only."
                .to_owned(),
        })?;
        output::line("  Ctrl-C ends the demo.")
    }
}
