//! Which request gets which answer.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, combinators::BoxBody};
use hyper::body::Incoming;
use p2claw_signaling::{
    address::{HostName, read_host},
    code::HttpError,
    registry::http_error::edge as http_error,
};

use crate::{Config, EdgeError, assets, forward::Coord, pages};

/// Everything of p2claw's own is below this path; all other paths are the apps'.
const WELL_KNOWN: &str = "/.well-known/p2claw/";

/// The paths of version 1.
const VERSION_1: &str = "/.well-known/p2claw/v1/";

/// Field that names why the edge itself answered with an error.
const ERROR_FIELD: HeaderName = HeaderName::from_static("p2claw-error");

pub(crate) type Body = BoxBody<Bytes, hyper::Error>;

pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never: Infallible| match never {})
        .boxed()
}

/// What answers requests; shared by all connections.
#[derive(Debug)]
pub(crate) struct Edge {
    coord: Coord,
    parent: String,
}

impl Edge {
    pub(crate) fn new(config: Config) -> Result<Arc<Self>, EdgeError> {
        let coord = Coord::new(config.coord, config.dial)?;
        Ok(Arc::new(Self {
            coord,
            parent: config.parent.to_ascii_lowercase(),
        }))
    }

    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let mut response = self.route(request).await;
        let headers = response.headers_mut();
        headers.insert(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        );
        headers
            .entry(header::REFERRER_POLICY)
            .or_insert(HeaderValue::from_static("same-origin"));
        if !response.status().is_success() && response.status() != StatusCode::NOT_MODIFIED {
            response
                .headers_mut()
                .insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        response
    }

    async fn route(&self, request: Request<Incoming>) -> Response<Body> {
        // HTTP/2 has the name in the URI, HTTP/1.1 in `Host`.
        let host = request
            .uri()
            .authority()
            .map(|authority| authority.as_str().to_owned())
            .or_else(|| {
                let host = request.headers().get(header::HOST)?;
                host.to_str().ok().map(str::to_owned)
            });
        let Some(host) = host else {
            return problem(http_error::NO_HOST, "the request names no host\n");
        };
        match read_host(&host, &self.parent) {
            HostName::App(_) => {}
            HostName::Parent => return landing(request.uri().path(), &self.parent),
            HostName::BadLabel(error) => {
                let text = format!("{host} is no address of an app: failed to {error}");
                return page(http_error::NO_SUCH_ALIAS, pages::not_found(&text));
            }
            HostName::Elsewhere => {
                let text = format!("This server answers for names under {} only.", self.parent);
                return page(http_error::ELSEWHERE, pages::not_found(&text));
            }
        }
        let path = request.uri().path();
        if !path.starts_with(WELL_KNOWN) {
            return for_the_app(request.method(), request.headers());
        }
        let Some(own) = path.strip_prefix(VERSION_1) else {
            return problem(http_error::VERSION, "this edge speaks version 1 only\n");
        };
        if own == "ice-servers" || own == "visits" || own.starts_with("visits/") {
            return self.coord.forward(request, &host).await;
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return problem(http_error::METHOD, "only GET and HEAD\n");
        }
        let file = match own {
            "blank" => "blank.html",
            "shell" => "shell.html",
            other => other,
        };
        let Some(asset) = assets::find(file) else {
            return problem(http_error::NOT_FOUND, "there is no such file\n");
        };
        let mut response = asset.answer(request.headers());
        if file == "sw.js" {
            response.headers_mut().insert(
                HeaderName::from_static("service-worker-allowed"),
                HeaderValue::from_static("/"),
            );
        }
        response
    }
}

/// A path of an app: browsers that navigate get the bootstrap, everything else an error, for it
/// would take the bootstrap for the app's answer.
fn for_the_app(method: &Method, headers: &HeaderMap) -> Response<Body> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let navigates = match text("sec-fetch-dest") {
        Some(destination) => destination == "document",
        None => text("accept").is_some_and(|accept| accept.contains("text/html")),
    };
    // A form's body must not end here: it is for the app alone.
    if navigates
        && matches!(*method, Method::GET | Method::HEAD)
        && let Some(shell) = assets::find("shell.html")
    {
        return shell.answer(headers);
    }
    problem(http_error::NOT_TUNNELLED, pages::NOT_TUNNELLED)
}

fn landing(path: &str, parent: &str) -> Response<Body> {
    if path == "/" {
        answer(StatusCode::OK, None, HTML, pages::landing(parent).into())
    } else {
        page(
            http_error::NOT_FOUND,
            pages::not_found("There is no such page."),
        )
    }
}

const HTML: &str = "text/html; charset=utf-8";

pub(crate) fn problem(error: HttpError, text: impl Into<Bytes>) -> Response<Body> {
    failure(error, "text/plain; charset=utf-8", text.into())
}

fn page(error: HttpError, html: String) -> Response<Body> {
    failure(error, HTML, html.into())
}

/// An error as the browser client reads it (spec/v1/signaling.md, "Errors before the stream").
pub(crate) fn json_problem(error: HttpError, json: String) -> Response<Body> {
    failure(error, "application/json", json.into())
}

fn failure(error: HttpError, content_type: &'static str, body: Bytes) -> Response<Body> {
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_GATEWAY);
    answer(status, Some(error), content_type, body)
}

fn answer(
    status: StatusCode,
    error: Option<HttpError>,
    content_type: &'static str,
    body: Bytes,
) -> Response<Body> {
    let mut response = Response::new(full(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Some(error) = error {
        headers.insert(ERROR_FIELD, HeaderValue::from_static(error.name()));
    }
    response
}
