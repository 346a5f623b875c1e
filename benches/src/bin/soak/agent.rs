//! The process that is watched: coord, edge, agent and an app.

use std::{process::Stdio, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{
        Path,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    routing::{get, post},
};
use futures_util::StreamExt as _;
use p2claw_agent::{Agent, LinkStatus, RouteEntry, Routes};
use p2claw_benches::{stack::Stack, stage::Failure};
use p2claw_identity::{AppName, IdentityKey};
use p2claw_signaling::address::PublicAddress;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::TcpListener,
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::watch,
};
use tokio_util::sync::CancellationToken;

use crate::figures::Figures;

/// One piece of a body.
const PIECE: usize = 64 * 1024;

/// Visits a second: far more than the soak begins.
const VISITS: p2claw_coord::Rate = p2claw_coord::Rate {
    per_second: 1_000,
    burst: 1_000,
};

/// The child, as the parent sees it.
pub(crate) struct Process {
    url: String,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl Process {
    pub(crate) async fn start(stack: Stack) -> Result<Self, Failure> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["agent", stack.name()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let input = process.stdin.take().ok_or("the child has no input")?;
        let output = process.stdout.take().ok_or("the child has no output")?;
        let mut output = BufReader::new(output).lines();
        let url = output.next_line().await?.ok_or("the child has ended")?;
        Ok(Self {
            url,
            input,
            output,
            _process: process,
        })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Asks for its figures.
    pub(crate) async fn figures(&mut self) -> Result<Figures, Failure> {
        self.input.write_all(b"figures\n").await?;
        let line = self
            .output
            .next_line()
            .await?
            .ok_or("the child has ended")?;
        Ok(serde_json::from_str(&line)?)
    }
}

/// The child itself: it serves until its input ends.
pub(crate) async fn run(stack: Stack) -> Result<(), Failure> {
    let end = CancellationToken::new();
    let app = TcpListener::bind("127.0.0.1:0").await?;
    let upstream = app.local_addr()?.to_string().parse()?;
    tokio::spawn(async move { axum::serve(app, routes()).await });

    let edge = TcpListener::bind("127.0.0.1:0").await?;
    let coord = TcpListener::bind("127.0.0.1:0").await?;
    let coord_url = format!("http://{}", coord.local_addr()?);
    let public = PublicAddress {
        scheme: "http".to_owned(),
        parent: "localhost".to_owned(),
        port: Some(edge.local_addr()?.port()),
    };
    let mut config = p2claw_coord::Config::new(coord.local_addr()?.to_string(), public);
    config.limits.agent_rate = VISITS;
    config.limits.total_rate = VISITS;
    config.limits.visits_per_agent = 1_000;
    tokio::spawn(p2claw_coord::run(coord, config, end.clone()));
    let config = p2claw_edge::Config::new(coord_url.parse()?, "localhost");
    tokio::spawn(p2claw_edge::run(edge, config, end.clone()));

    let name = AppName::parse("soak")?;
    let routes = Arc::new(Routes::load(None)?);
    routes.expose(
        name.clone(),
        RouteEntry {
            upstream,
            preserve_host: false,
        },
    )?;
    let agent = Agent {
        key: Arc::new(IdentityKey::from_seed([9; 32])),
        routes,
        transport: stack.endpoint()?,
        coord: coord_url,
        software: "p2claw-benches".to_owned(),
        api: None,
    };
    let (status, mut watched) = watch::channel(LinkStatus::default());
    tokio::spawn(agent.run(status, end.clone()));
    let url = watched
        .wait_for(|status| !status.accepted.is_empty())
        .await?
        .url(name.as_str())
        .ok_or("coord gave no alias")?;
    let mut output = tokio::io::stdout();
    output.write_all(format!("{url}\n").as_bytes()).await?;
    output.flush().await?;
    let mut orders = BufReader::new(tokio::io::stdin()).lines();
    while orders.next_line().await?.is_some() {
        let mut line = serde_json::to_vec(&Figures::now())?;
        line.push(b'\n');
        output.write_all(&line).await?;
        output.flush().await?;
    }
    end.cancel();
    Ok(())
}

fn routes() -> Router {
    Router::new()
        .route("/download/{bytes}", get(download))
        .route("/upload", post(upload))
        .route("/echo", get(echo))
}

async fn download(Path(bytes): Path<usize>) -> Body {
    let pieces = (0..bytes.div_ceil(PIECE)).map(move |index| {
        let length = PIECE.min(bytes - index * PIECE);
        Ok::<_, std::io::Error>(Bytes::from_static(&[7; PIECE]).slice(..length))
    });
    Body::from_stream(futures_util::stream::iter(pieces))
}

/// Counts.
async fn upload(body: Body) -> String {
    let mut received = 0;
    let mut body = body.into_data_stream();
    while let Some(Ok(data)) = body.next().await {
        received += data.len();
    }
    received.to_string()
}

async fn echo(upgrade: WebSocketUpgrade) -> axum::response::Response {
    upgrade.on_upgrade(async |mut socket: WebSocket| {
        while let Some(Ok(message)) = socket.recv().await {
            let reply = match message {
                Message::Text(_) | Message::Binary(_) => socket.send(message).await,
                Message::Ping(_) | Message::Pong(_) => Ok(()),
                Message::Close(_) => return,
            };
            if reply.is_err() {
                return;
            }
        }
    })
}
