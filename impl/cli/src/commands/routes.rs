//! `expose`, `unexpose` and `routes`: the local API, from the outside.

use p2claw_agent::{ApiClient, RouteEntry, RouteStatus};
use serde_json::json;

use crate::{
    args::{ExposeArguments, LocalArguments, UnexposeArguments},
    exit::CommandError,
    output,
};

pub(crate) async fn expose(arguments: ExposeArguments) -> Result<(), CommandError> {
    let client = client(&arguments.local)?;
    let entry = RouteEntry {
        upstream: arguments.upstream,
        preserve_host: arguments.preserve_host,
    };
    let route = client.expose(&arguments.name, &entry).await?;
    if arguments.local.json {
        return output::json(&route);
    }
    match (&route.url, &route.problem) {
        (Some(url), None) => println!("{url}"),
        (Some(url), Some(problem)) => {
            println!("{url}");
            eprintln!("p2claw: not reachable yet: {problem}");
        }
        (None, problem) => {
            let problem = problem.as_deref().unwrap_or("coord has given no alias yet");
            eprintln!(
                "p2claw: {} is exposed and gets its address once coord answers: {problem}\n\
                 p2claw: `p2claw routes` shows it then",
                route.app
            );
        }
    }
    if route.upstream.connect().await.is_err() {
        eprintln!(
            "p2claw: nothing listens at {} now; visitors see a page that says so until it does",
            route.upstream
        );
    }
    Ok(())
}

pub(crate) async fn unexpose(arguments: UnexposeArguments) -> Result<(), CommandError> {
    client(&arguments.local)?.unexpose(&arguments.name).await?;
    if arguments.local.json {
        return output::json(&json!({ "app": arguments.name.as_str(), "exposed": false }));
    }
    println!("{} is no longer exposed", arguments.name);
    Ok(())
}

pub(crate) async fn list(arguments: LocalArguments) -> Result<(), CommandError> {
    let routes = client(&arguments)?.routes().await?;
    if arguments.json {
        return output::json(&routes);
    }
    if routes.is_empty() {
        println!("nothing is exposed; `p2claw expose recipes 5173` exposes the app on port 5173");
        return Ok(());
    }
    let width = |of: fn(&RouteStatus) -> usize, title: usize| {
        routes.iter().map(of).max().unwrap_or(0).max(title)
    };
    let app = width(|route| route.app.len(), "APP".len());
    let upstream = width(|route| route.upstream.to_string().len(), "UPSTREAM".len());
    println!("{:app$}  {:upstream$}  ADDRESS", "APP", "UPSTREAM");
    for route in &routes {
        let url = route.url.as_deref().unwrap_or("(no alias yet)");
        let problem = route
            .problem
            .as_ref()
            .map(|problem| format!("  ! {problem}"));
        println!(
            "{:app$}  {:upstream$}  {url}{}",
            route.app,
            route.upstream.to_string(),
            problem.unwrap_or_default()
        );
    }
    Ok(())
}

fn client(arguments: &LocalArguments) -> Result<ApiClient, CommandError> {
    Ok(ApiClient::new(&arguments.state.open(None)?)?)
}
