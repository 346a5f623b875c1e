//! `run`: the agent as a daemon.

use std::sync::Arc;

use p2claw_agent::{Agent, ApiSocket, LinkStatus, Routes, StateDir};
use p2claw_identity::IdentityKey;
use serde_json::json;
use tokio::sync::watch;

use crate::{
    args::{DEFAULT_COORD, RunArguments},
    commands::SOFTWARE,
    exit::{self, CommandError},
    network::Sockets,
    output,
};

pub(crate) async fn run(arguments: RunArguments) -> Result<(), CommandError> {
    let shutdown = exit::on_signal()?;
    let state = arguments.state.open(None)?;
    let api = ApiSocket::bind(&state)?;
    let seed = fresh_seed()?;
    let key = Arc::new(state.identity_key(move || seed)?);
    let routes = Arc::new(Routes::load(Some(state.routes()))?);
    let hub = Sockets {
        port: arguments.udp_port,
        loopback: is_loopback(&arguments.coord),
        relay_only: false,
    }
    .bind()?;
    let agent = Agent {
        key: Arc::clone(&key),
        routes: Arc::clone(&routes),
        transport: arguments.stack.rtc.on(hub),
        coord: arguments.coord.clone(),
        software: SOFTWARE.to_owned(),
        api: Some(api),
    };
    let (status, mut watched) = watch::channel(LinkStatus::default());
    let announce = async {
        if let Ok(status) = watched
            .wait_for(|status| status.registered || status.problem.is_some())
            .await
            && let Some(problem) = status.problem.clone()
        {
            output::note(first_problem(&problem, &arguments.coord));
        }
        if let Ok(status) = watched.wait_for(|status| status.registered).await {
            output::announce(print(&arguments, &key, &routes, &state, &status));
        }
        exit::tell_of_drain(&shutdown).await;
        std::future::pending::<()>().await;
    };
    tokio::select! {
        result = agent.run(status, shutdown.clone()) => Ok(result?),
        () = announce => Ok(()),
    }
}

/// What is known once the agent is registered.
fn print(
    arguments: &RunArguments,
    key: &IdentityKey,
    routes: &Routes,
    state: &StateDir,
    status: &LinkStatus,
) -> Result<(), CommandError> {
    let alias = status.alias.as_deref().unwrap_or_default();
    let apps = routes.apps();
    let addresses = apps
        .iter()
        .map(|app| (app.as_str(), status.url(app.as_str())));
    if arguments.json {
        let apps: Vec<_> = addresses
            .map(|(app, url)| json!({ "app": app, "url": url }))
            .collect();
        return output::json(&json!({
            "alias": alias,
            "peer_id": key.peer_id().to_string(),
            "coord": arguments.coord,
            "state_dir": state.path(),
            "apps": apps,
        }));
    }
    output::line(format_args!("registered at {} as {alias}", arguments.coord))?;
    for (_, url) in addresses {
        output::line(url.unwrap_or_default())?;
    }
    if apps.is_empty() {
        output::line("nothing is exposed yet; try `p2claw expose recipes 5173`")?;
    }
    Ok(())
}

fn first_problem(problem: &str, coord: &str) -> String {
    let hint = if coord == DEFAULT_COORD {
        "; start one with `p2claw coord` and `p2claw edge`, or name another with --coord"
    } else {
        ""
    };
    format!("{problem}{hint}; trying again until it works")
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
