//! The process that is watched: coord, edge, agent and an app.

use std::sync::Arc;

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
use p2claw_benches::{child::Parent, stack::Stack, stage::Failure, transfer::PIECE};
use p2claw_identity::{AppName, IdentityKey};
use p2claw_signaling::address::PublicAddress;
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

use crate::figures::Figures;

/// Visits a second: far more than the soak begins.
const VISITS: p2claw_coord::Rate = p2claw_coord::Rate {
    per_second: 1_000,
    burst: 1_000,
};

/// What the parent may want.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// The process's figures at this moment.
    Figures,
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
    let mut parent = Parent::new();
    parent.tell(&url).await?;
    while let Some(Order::Figures) = parent.listen().await? {
        parent.tell(&Figures::now()).await?;
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
