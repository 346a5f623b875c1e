//! The apps of the running agent: does each answer.

use std::time::Duration;

use futures_util::future::join_all;
use http::{Request, header};
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use p2claw_agent::RouteStatus;
use p2claw_network::Machine;
use serde_json::json;
use tokio::time::timeout;

use super::{
    dial::in_words,
    report::{Check, Group},
};

/// For one app to connect and to answer.
const DEADLINE: Duration = Duration::from_secs(3);

/// Apps that are asked; an agent has 256 at most.
const MAX_APPS: usize = 64;

/// Asks all of them at the same time.
pub(crate) async fn examine(routes: &[RouteStatus]) -> Vec<Check> {
    if routes.is_empty() {
        let summary = "nothing is exposed, so there is nothing to visit";
        let advice = "expose an app with `p2claw expose recipes 5173`";
        return vec![Check::warning(Group::Apps, "apps", summary, advice)];
    }
    join_all(routes.iter().take(MAX_APPS).map(app)).await
}

async fn app(route: &RouteStatus) -> Check {
    let (name, upstream) = (&*route.app, &route.upstream);
    let details = json!({ "upstream": upstream.to_string(), "url": route.url });
    let check = match timeout(DEADLINE, ask(route)).await {
        Ok(Ok(status)) => match &route.problem {
            None => {
                let summary = format!("{upstream} answers ({status})");
                Check::ok(Group::Apps, name, summary)
            }
            Some(problem) => {
                let summary =
                    format!("{upstream} answers, and visitors do not get there: {problem}");
                let advice = "see what is said of coord above";
                Check::failed(Group::Apps, name, summary, advice)
            }
        },
        Ok(Err(problem)) => {
            let summary = format!("{upstream} gives visitors nothing: {problem}");
            let advice = "start the app, or name its right place with `p2claw expose`";
            Check::failed(Group::Apps, name, summary, advice)
        }
        Err(_) => {
            let summary = format!("{upstream} takes the connection and does not answer within 3 s");
            let advice = "see whether the app is stuck, or is no web server";
            Check::warning(Group::Apps, name, summary, advice)
        }
    };
    check.with(details)
}

/// The status of `HEAD /`: what a visitor's browser asks for, without the page.
async fn ask(route: &RouteStatus) -> Result<http::StatusCode, String> {
    let stream = route.upstream.connect(&Machine).await;
    let stream = stream.map_err(|error| in_words(&error))?;
    let no_http = |error: hyper::Error| format!("it speaks no HTTP ({error})");
    let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream));
    let (mut sender, connection) = handshake.await.map_err(no_http)?;
    let request = Request::head("/")
        .header(header::HOST, route.upstream.authority())
        .body(Empty::<bytes::Bytes>::new())
        .map_err(|error| error.to_string())?;
    let mut response = std::pin::pin!(sender.send_request(request));
    let response = tokio::select! {
        response = &mut response => response,
        _ = connection => response.await,
    };
    Ok(response.map_err(no_http)?.status())
}
