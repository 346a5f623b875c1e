//! `connect`: an app on a local port.

use p2claw_visitor::proxy::Proxy;
use serde_json::json;

use crate::{
    args::ConnectArguments,
    commands::{
        services::bind,
        visiting::{unvisited, visitor},
    },
    exit::{self, CommandError},
    output,
};

pub(crate) async fn run(arguments: ConnectArguments) -> Result<(), CommandError> {
    let shutdown = exit::on_signal()?;
    let listen = arguments.listen;
    if !listen.ip().is_loopback() && !arguments.allow_remote {
        return Err(format!(
            "listen on {listen}: other machines could use the app in your name; choose 127.0.0.1, \
             or say --allow-remote"
        )
        .into());
    }
    let listener = bind(listen, "--listen").await?;
    let address = listener.local_addr()?;
    let visitor = visitor(&arguments.state, &arguments.stack, &arguments.url)?;
    let proxy = Proxy::new(visitor, arguments.url, arguments.allow_remote);
    // What is wrong with the address shows now, and not with the first request.
    let visiting = shutdown.run_until_cancelled(proxy.visit()).await;
    let Some(visit) = visiting else {
        return Ok(());
    };
    let visit = visit.map_err(unvisited)?;
    let url = format!("http://{address}/");
    let relayed = visit.path().map(|path| path.is_relayed());
    output::announce(if arguments.json {
        output::json(&json!({
            "listening": address.to_string(),
            "url": url,
            "app": visit.address().origin(),
            "peer_id": visit.peer_id().to_string(),
            "path": relayed.map(|relayed| if relayed { "relayed" } else { "direct" }),
        }))
    } else {
        let way = match relayed {
            Some(true) => ", through a relay",
            Some(false) => ", directly",
            None => "",
        };
        output::line(format_args!(
            "{url} is {}{way}\nCtrl-C ends it.",
            visit.address().origin()
        ))
    });
    drop(visit);
    proxy.serve(listener, shutdown).await;
    Ok(())
}
