//! Any requests to the local API, against a table of routes that is kept beside it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arbitrary::{Arbitrary, Unstructured};
use axum::Router;
use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use p2claw_agent::api::Api;
use p2claw_agent::{LinkStatus, MAX_ROUTES, Routes, Upstream};
use serde_json::Value;
use tokio::sync::watch;
use tower::ServiceExt as _;

use crate::grammar;
use crate::sdp::runtime;

/// Requests of one input. More would only take longer.
const REQUESTS: usize = 24;

/// One request, sensible or not.
#[derive(Debug, Arbitrary)]
struct Call<'a> {
    method: Verb,
    path: Place<'a>,
    content_type: Kind<'a>,
    body: Content<'a>,
}

#[derive(Debug, Arbitrary)]
enum Verb {
    Get,
    Head,
    Put,
    Delete,
    Post,
    Options,
}

#[derive(Debug, Arbitrary)]
enum Place<'a> {
    Status,
    Routes,
    Route(&'a str),
    KnownRoute(u8),
    Any(&'a str),
    Sessions(&'a str),
}

#[derive(Debug, Arbitrary)]
enum Kind<'a> {
    Json,
    None,
    Any(&'a [u8]),
}

#[derive(Debug, Arbitrary)]
enum Content<'a> {
    Entry {
        upstream: &'a str,
        preserve_host: bool,
    },
    Port(u16, bool),
    Any(&'a [u8]),
}

/// No request panics, every refusal is JSON with a reason, and the table is what was asked for.
pub fn run(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let Ok(link) = link(&mut input) else {
        return;
    };
    let Ok(routes) = Routes::load(None) else {
        panic!("an empty table is always there");
    };
    // Without a sender nothing waits for coord's word.
    let (_, status) = watch::channel(link);
    let api = Api {
        routes: Arc::new(routes),
        status,
        peer_id: String::new(),
        coord: String::new(),
        udp: Vec::new(),
        sessions: Arc::default(),
    };
    let router = Arc::new(api).router();
    let mut table = BTreeMap::new();
    for _ in 0..REQUESTS {
        if input.is_empty() {
            break;
        }
        let Ok(call) = Call::arbitrary(&mut input) else {
            break;
        };
        runtime().block_on(answer(&router, call, &mut table));
    }
}

fn link(input: &mut Unstructured<'_>) -> arbitrary::Result<LinkStatus> {
    let refused: Option<(String, String)> = input.arbitrary()?;
    Ok(LinkStatus {
        registered: input.arbitrary()?,
        alias: input.arbitrary()?,
        scheme: Some("https".to_owned()),
        parent: input.arbitrary()?,
        problem: input.arbitrary()?,
        accepted: Vec::new(),
        refused: refused.into_iter().collect(),
    })
}

/// Names that the fuzzer need not find out by itself.
fn known(index: u8) -> String {
    match index % 4 {
        0 => "recipes".to_owned(),
        1 => "www".to_owned(),
        _ => format!("app-{index}"),
    }
}

async fn answer(router: &Router, call: Call<'_>, table: &mut BTreeMap<String, (String, bool)>) {
    let method = match call.method {
        Verb::Get => Method::GET,
        Verb::Head => Method::HEAD,
        Verb::Put => Method::PUT,
        Verb::Delete => Method::DELETE,
        Verb::Post => Method::POST,
        Verb::Options => Method::OPTIONS,
    };
    let path = match call.path {
        Place::Status => "/v1/status".to_owned(),
        Place::Routes => "/v1/routes".to_owned(),
        Place::Route(app) => format!("/v1/routes/{app}"),
        Place::KnownRoute(index) => format!("/v1/routes/{}", known(index)),
        Place::Any(path) => path.to_owned(),
        Place::Sessions(addresses) => format!("/v1/sessions?addresses={addresses}"),
    };
    let body = match call.body {
        Content::Entry {
            upstream,
            preserve_host,
        } => entry(upstream, preserve_host),
        Content::Port(port, preserve_host) => entry(&port.to_string(), preserve_host),
        Content::Any(body) => body.to_vec(),
    };
    let mut request = Request::builder().method(method.clone()).uri(path.as_str());
    match call.content_type {
        Kind::Json => request = request.header(header::CONTENT_TYPE, "application/json"),
        Kind::None => {}
        Kind::Any(value) => request = request.header(header::CONTENT_TYPE, value),
    }
    let Ok(request) = request.body(Body::from(body.clone())) else {
        return;
    };
    let app = request.uri().path().strip_prefix("/v1/routes/");
    let app = app
        .and_then(percent_decoded)
        .filter(|app| grammar::is_app(app));
    let Ok(response) = router.clone().oneshot(request).await;
    let status = response.status();
    let json = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind == "application/json");
    let Ok(answer) = response.into_body().collect().await else {
        panic!("an answer broke off");
    };
    let answer = answer.to_bytes();
    if method == Method::HEAD {
        assert!(answer.is_empty());
    } else if status == StatusCode::NO_CONTENT {
        assert!(answer.is_empty() && method == Method::DELETE);
    } else {
        assert!(json, "{method} {path:?}: {status} is not JSON");
        let value: Value =
            serde_json::from_slice(&answer).expect("an answer that says JSON is JSON");
        if !status.is_success() {
            let error = value["error"].as_str();
            assert!(
                error.is_some_and(|text| !text.is_empty()),
                "{method} {path:?}: {value}"
            );
        }
    }
    assert!(!status.is_server_error(), "{method} {path:?}: {status}");
    if let Some(app) = app {
        follow(&method, app, status, &answer, table);
    }
    check_table(router, table).await;
}

/// RFC 3986 section 2.1, as far as a name can come out of it.
fn percent_decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut decoded = parts.next()?.to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        let plain = digits.chars().all(|digit| digit.is_ascii_hexdigit());
        let byte = u8::from_str_radix(digits, 16).ok().filter(|_| plain)?;
        decoded.push(char::from(byte));
        decoded.push_str(rest);
    }
    Some(decoded)
}

fn entry(upstream: &str, preserve_host: bool) -> Vec<u8> {
    let entry = serde_json::json!({ "upstream": upstream, "preserve_host": preserve_host });
    entry.to_string().into_bytes()
}

/// Changes the table beside the agent's as the answer says.
fn follow(
    method: &Method,
    app: String,
    status: StatusCode,
    answer: &[u8],
    table: &mut BTreeMap<String, (String, bool)>,
) {
    if *method == Method::PUT && status.is_success() {
        let value: Value = serde_json::from_slice(answer).expect("JSON");
        let upstream = value["upstream"].as_str().expect("an upstream is text");
        // An upstream is written so that it is read as the same one.
        let read: Upstream = upstream.parse().expect("an upstream that was taken is one");
        assert_eq!(read.to_string(), upstream);
        let preserve_host = value["preserve_host"].as_bool().expect("a truth value");
        let before = table.insert(app, (upstream.to_owned(), preserve_host));
        assert_eq!(
            value["replaces"].as_str(),
            before.as_ref().map(|(upstream, _)| upstream.as_str())
        );
    } else if *method == Method::DELETE {
        let was = table.remove(&app).is_some();
        let expected = if was {
            StatusCode::NO_CONTENT
        } else {
            StatusCode::NOT_FOUND
        };
        assert_eq!(status, expected, "DELETE {app}");
    }
}

/// What the API lists is the table.
async fn check_table(router: &Router, table: &BTreeMap<String, (String, bool)>) {
    let Ok(request) = Request::get("/v1/routes").body(Body::empty()) else {
        return;
    };
    let Ok(response) = router.clone().oneshot(request).await;
    let Ok(answer) = response.into_body().collect().await else {
        panic!("the list broke off");
    };
    let listed: Vec<Value> = serde_json::from_slice(&answer.to_bytes()).expect("a list");
    let listed: BTreeMap<String, (String, bool)> = listed
        .iter()
        .map(|route| {
            let text = |name: &str| route[name].as_str().unwrap_or_default().to_owned();
            (
                text("app"),
                (text("upstream"), route["preserve_host"] == true),
            )
        })
        .collect();
    assert!(listed.len() <= MAX_ROUTES);
    assert_eq!(listed, *table);
}
