//! `run`: the agent as a daemon.

use std::sync::Arc;

use p2claw_agent::{Agent, ApiSocket, LinkStatus, Routes};
use p2claw_rtc_str0m::{Endpoint, EndpointConfig};
use serde_json::json;
use tokio::sync::watch;

use crate::{
    args::RunArguments,
    commands::SOFTWARE,
    exit::{self, CommandError},
    output,
};

pub(crate) async fn run(arguments: RunArguments) -> Result<(), CommandError> {
    let shutdown = exit::on_signal()?;
    let state = arguments.state.open(None)?;
    let api = ApiSocket::bind(&state)?;
    let seed = fresh_seed()?;
    let key = Arc::new(state.identity_key(move || seed)?);
    let routes = Arc::new(Routes::load(Some(state.routes()))?);
    let endpoint = bind_endpoint(arguments.udp_port, is_loopback(&arguments.coord))?;
    let agent = Agent {
        key: Arc::clone(&key),
        routes: Arc::clone(&routes),
        transport: Arc::new(endpoint),
        coord: arguments.coord.clone(),
        software: SOFTWARE.to_owned(),
        api: Some(api),
    };
    let (status, mut watched) = watch::channel(LinkStatus::default());
    let announce = async {
        let Ok(status) = watched.wait_for(|status| status.registered).await else {
            return std::future::pending().await;
        };
        let alias = status.alias.clone().unwrap_or_default();
        let urls: Vec<Option<String>> = routes
            .apps()
            .iter()
            .map(|app| status.url(app.as_str()))
            .collect();
        drop(status);
        if arguments.json {
            let line = json!({
                "alias": alias,
                "peer_id": key.peer_id().to_string(),
                "coord": arguments.coord,
                "state_dir": state.path(),
                "urls": urls,
            });
            if let Err(error) = output::json(&line) {
                tracing::error!(%error, "nothing printed");
            }
        } else {
            println!("registered at {} as {alias}", arguments.coord);
            for url in urls.into_iter().flatten() {
                println!("{url}");
            }
            if routes.apps().is_empty() {
                println!("nothing is exposed yet; try `p2claw expose recipes 5173`");
            }
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        result = agent.run(status, shutdown) => Ok(result?),
        () = announce => Ok(()),
    }
}

/// The agent's UDP sockets.
pub(crate) fn bind_endpoint(port: u16, loopback: bool) -> Result<Endpoint, CommandError> {
    let config = EndpointConfig {
        port,
        loopback,
        ..EndpointConfig::default()
    };
    Endpoint::bind(&config).map_err(|error| {
        let what = if port == 0 {
            "a UDP port".to_owned()
        } else {
            format!("UDP port {port}")
        };
        let hint = if error.kind() == std::io::ErrorKind::AddrInUse {
            "; another program has it: choose another --udp-port, or leave it out"
        } else {
            ""
        };
        format!("bind {what}: {error}{hint}").into()
    })
}

/// Visitors of a coord on this machine are on this machine, too.
fn is_loopback(coord: &str) -> bool {
    let Ok(uri) = coord.parse::<http::Uri>() else {
        return false;
    };
    let host = uri
        .host()
        .unwrap_or("")
        .trim_start_matches('[')
        .trim_end_matches(']');
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

/// 32 bytes from the system.
pub(crate) fn fresh_seed() -> Result<[u8; 32], CommandError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)
        .map_err(|error| format!("make a key: the system gives no random bytes: {error}"))?;
    Ok(seed)
}
