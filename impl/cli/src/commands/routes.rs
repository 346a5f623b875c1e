//! `expose`, `unexpose` and `routes`: the local API, from the outside.

use p2claw_agent::{ApiClient, ApiError, RouteEntry, RouteStatus, Upstream};
use p2claw_network::Machine;
use serde_json::json;

use crate::{
    args::{ExposeArguments, LocalArguments, UnexposeArguments},
    exit::{CommandError, NotYet},
    output,
};

pub(crate) async fn expose(arguments: ExposeArguments) -> Result<(), CommandError> {
    let client = client(&arguments.local)?;
    let entry = RouteEntry {
        upstream: arguments.upstream,
        preserve_host: arguments.preserve_host,
    };
    let route = client
        .expose(&arguments.name, &entry)
        .await
        .map_err(|error| hint(error, &arguments.local))?;
    if let Some(before) = route
        .replaces
        .as_ref()
        .filter(|old| **old != route.upstream)
    {
        output::note(format_args!("{} was {before} before", route.app));
    }
    warn_of_silence(&route.upstream).await;
    if arguments.local.json {
        output::json(&route)?;
    } else if let Some(url) = &route.url {
        output::line(url)?;
    }
    match route.problem {
        None => Ok(()),
        Some(problem) => Err(NotYet(format!(
            "{} is exposed, but not reachable yet: {problem}\n\
             p2claw: it comes by itself, and `p2claw routes` shows it then",
            route.app
        ))
        .into()),
    }
}

/// An app that does not run yet may be exposed; its owner may as well have mistyped the port.
pub(crate) async fn warn_of_silence(upstream: &Upstream) {
    if upstream.connect(&Machine).await.is_err() {
        output::note(format_args!(
            "nothing listens at {upstream} now; visitors see a page that says so until it does"
        ));
    }
}

pub(crate) async fn unexpose(arguments: UnexposeArguments) -> Result<(), CommandError> {
    client(&arguments.local)?
        .unexpose(&arguments.name)
        .await
        .map_err(|error| hint(error, &arguments.local))?;
    if arguments.local.json {
        return output::json(&json!({ "app": arguments.name.as_str(), "exposed": false }));
    }
    output::line(format_args!("{} is no longer exposed", arguments.name))
}

pub(crate) async fn list(arguments: LocalArguments) -> Result<(), CommandError> {
    let routes = client(&arguments)?
        .routes()
        .await
        .map_err(|error| hint(error, &arguments))?;
    if arguments.json {
        return output::json(&routes);
    }
    if routes.is_empty() {
        return output::line(
            "nothing is exposed; `p2claw expose recipes 5173` exposes the app on port 5173",
        );
    }
    let width = |of: fn(&RouteStatus) -> usize, title: usize| {
        routes.iter().map(of).max().unwrap_or(0).max(title)
    };
    let app = width(|route| route.app.len(), "APP".len());
    let upstream = width(|route| route.upstream.to_string().len(), "UPSTREAM".len());
    output::line(format_args!(
        "{:app$}  {:upstream$}  ADDRESS",
        "APP", "UPSTREAM"
    ))?;
    for route in &routes {
        let url = route.url.as_deref().unwrap_or("(no alias yet)");
        let problem = route
            .problem
            .as_ref()
            .map(|problem| format!("  ! {problem}"));
        let host = if route.preserve_host {
            "  (keeps Host)"
        } else {
            ""
        };
        output::line(format_args!(
            "{:app$}  {:upstream$}  {url}{host}{}",
            route.app,
            route.upstream.to_string(),
            problem.unwrap_or_default()
        ))?;
    }
    Ok(())
}

pub(crate) fn client(arguments: &LocalArguments) -> Result<ApiClient, CommandError> {
    Ok(ApiClient::new(&arguments.state.existing()?)?)
}

/// No agent runs, but perhaps a demo does.
pub(crate) fn hint(error: ApiError, arguments: &LocalArguments) -> CommandError {
    match error {
        ApiError::NotRunning(_) => format!("{error}{}", arguments.state.demo_hint()).into(),
        other @ (ApiError::AlreadyRunning(_)
        | ApiError::Refused(_)
        | ApiError::Io(_)
        | ApiError::State(_)) => other.into(),
    }
}
