//! Things to try a connection with: big and slow and broken answers, uploads, an echo.
//!
//! Each is described to people in the footer of the page.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, Query};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use futures_util::{StreamExt as _, stream};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::noise::{self, hex};
use super::now_ms;

/// Largest JSON that `/echo` reads, bytes.
const MAX_ECHO: usize = 1024 * 1024;
/// Default size of `/download` and `/cut`, bytes.
const DEFAULT_BYTES: u32 = 1024 * 1024;
/// What `/cut` announces beyond what it sends, bytes.
const CUT_EXTRA: u32 = 1024 * 1024;
/// How long `/cut` waits before it hangs up: what it sent must have left by then.
const CUT_AFTER: Duration = Duration::from_millis(100);
/// Chunks of `/slow`: how many by default and at most, and the time between two.
const SLOW_CHUNKS: u32 = 20;
const MAX_SLOW_CHUNKS: u32 = 3_000;
const SLOW_EVERY: Duration = Duration::from_millis(100);
/// Header fields that tell an upstream who really asked, and for what.
const FORWARDED: [&str; 7] = [
    "forwarded",
    "host",
    "origin",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-p2claw-session",
];

pub(super) fn routes(shutdown: CancellationToken) -> Router {
    Router::new()
        .route("/echo", any(echo))
        .layer(DefaultBodyLimit::max(MAX_ECHO))
        .route("/download", get(download))
        .route("/download/sha256", get(download_sha256))
        .route("/upload", post(upload).put(upload))
        .route("/cut", get(cut))
        .route(
            "/slow",
            get(async move |query: Query<SlowQuery>| slow(&query, shutdown)),
        )
        .route("/redirect", any(redirect))
        .route("/status/{code}", any(status))
}

#[derive(Debug, Serialize)]
struct Echo {
    method: String,
    target: String,
    forwarded: BTreeMap<&'static str, String>,
    json: serde_json::Value,
}

async fn echo(method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let json = if body.is_empty() {
        serde_json::Value::Null
    } else {
        match serde_json::from_slice(&body) {
            Ok(json) => json,
            Err(error) => return bad_request(&format!("the body is no JSON: {error}")),
        }
    };
    let forwarded = FORWARDED
        .into_iter()
        .filter_map(|name| {
            let values: Vec<_> = headers
                .get_all(name)
                .iter()
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
                .collect();
            (!values.is_empty()).then(|| (name, values.join(", ")))
        })
        .collect();
    let target = uri
        .path_and_query()
        .map_or_else(String::new, ToString::to_string);
    Json(Echo {
        method: method.to_string(),
        target,
        forwarded,
        json,
    })
    .into_response()
}

#[derive(Debug, Deserialize)]
struct DownloadQuery {
    bytes: Option<u32>,
    attachment: Option<u8>,
}

impl DownloadQuery {
    fn bytes(&self) -> Result<u32, BadRequest> {
        let bytes = self.bytes.unwrap_or(DEFAULT_BYTES);
        if bytes > noise::MAX_BYTES {
            let limit = format!("bytes: at most {}", noise::MAX_BYTES);
            return Err(BadRequest(limit));
        }
        Ok(bytes)
    }
}

async fn download(Query(query): Query<DownloadQuery>) -> Result<Response, BadRequest> {
    let bytes = query.bytes()?;
    let disposition = if query.attachment.is_some_and(|flag| flag != 0) {
        format!("attachment; filename=\"noise-{bytes}.bin\"")
    } else {
        "inline".to_owned()
    };
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, bytes.to_string()),
        (header::CONTENT_DISPOSITION, disposition),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    let chunks = stream::iter(noise::chunks(bytes)).map(Ok::<_, io::Error>);
    Ok((headers, Body::from_stream(chunks)).into_response())
}

#[derive(Debug, Serialize)]
struct Digest {
    bytes: u64,
    sha256: String,
}

async fn download_sha256(Query(query): Query<DownloadQuery>) -> Result<Json<Digest>, Response> {
    let bytes = query.bytes().map_err(BadRequest::into_response)?;
    match tokio::task::spawn_blocking(move || noise::sha256(bytes)).await {
        Ok(sha256) => Ok(Json(Digest {
            bytes: bytes.into(),
            sha256,
        })),
        Err(_) => Err(StatusCode::INTERNAL_SERVER_ERROR.into_response()),
    }
}

async fn upload(body: Body) -> Result<Json<Digest>, BadRequest> {
    let mut hash = Sha256::new();
    let mut bytes: u64 = 0;
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| BadRequest(format!("the upload broke off: {error}")))?;
        bytes += u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        hash.update(&chunk);
    }
    Ok(Json(Digest {
        bytes,
        sha256: hex(&hash.finalize()),
    }))
}

#[derive(Debug, Deserialize)]
struct CutQuery {
    bytes: Option<u32>,
    /// Send no content-length, but chunks without the last one.
    chunked: Option<u8>,
}

/// Sends `bytes` of a longer body, then closes the connection.
async fn cut(Query(query): Query<CutQuery>) -> Response {
    let bytes = query.bytes.unwrap_or(DEFAULT_BYTES).min(noise::MAX_BYTES);
    let hang_up = stream::once(async {
        tokio::time::sleep(CUT_AFTER).await;
        Err(io::Error::other("hanging up, as asked"))
    });
    let body = stream::iter(noise::chunks(bytes)).map(Ok).chain(hang_up);
    let mut response = Body::from_stream(body).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/octet-stream"),
    );
    if query.chunked.is_none_or(|flag| flag == 0) {
        headers.insert(header::CONTENT_LENGTH, (bytes + CUT_EXTRA).into());
    }
    response
}

#[derive(Debug, Deserialize)]
struct SlowQuery {
    chunks: Option<u32>,
}

/// A line of text every 100 ms, each with the time at which it was written.
fn slow(query: &SlowQuery, shutdown: CancellationToken) -> Response {
    let chunks = query.chunks.unwrap_or(SLOW_CHUNKS).min(MAX_SLOW_CHUNKS);
    let lines = stream::iter(1..=chunks).then(move |number| async move {
        if number > 1 {
            tokio::time::sleep(SLOW_EVERY).await;
        }
        let line = format!("chunk {number} of {chunks} at {}\n", now_ms());
        Ok::<_, io::Error>(Bytes::from(line))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    let body = Body::from_stream(lines.take_until(shutdown.cancelled_owned()));
    (headers, body).into_response()
}

#[derive(Debug, Deserialize)]
struct RedirectQuery {
    to: Option<String>,
    status: Option<u16>,
}

/// Sends the browser to another page of this app.
async fn redirect(Query(query): Query<RedirectQuery>) -> Response {
    let to = query.to.unwrap_or_else(|| "/about".to_owned());
    // "//host" and "/\host" would leave the app.
    let local = to.starts_with('/') && !to[1..].starts_with(['/', '\\']);
    let status = match query.status.unwrap_or(302) {
        301 => StatusCode::MOVED_PERMANENTLY,
        302 => StatusCode::FOUND,
        303 => StatusCode::SEE_OTHER,
        307 => StatusCode::TEMPORARY_REDIRECT,
        308 => StatusCode::PERMANENT_REDIRECT,
        _ => return bad_request("status: 301, 302, 303, 307 or 308"),
    };
    if !local {
        return bad_request("to: a path of this app, such as /about");
    }
    match header::HeaderValue::from_str(&to) {
        Ok(location) => (status, [(header::LOCATION, location)]).into_response(),
        Err(_) => bad_request("to: a path of this app, such as /about"),
    }
}

/// Answers with the status asked for.
async fn status(Path(code): Path<u16>) -> Response {
    match StatusCode::from_u16(code) {
        // These three have no body.
        Ok(status) if [204, 205, 304].contains(&code) => status.into_response(),
        Ok(status) if (200..600).contains(&code) => {
            let text = format!("{status}\n");
            (status, text).into_response()
        }
        _ => bad_request("a status from 200 to 599"),
    }
}

/// The caller asked for something that these probes do not do; the text says what they do.
#[derive(Debug)]
struct BadRequest(String);

impl IntoResponse for BadRequest {
    fn into_response(self) -> Response {
        (StatusCode::BAD_REQUEST, format!("{}\n", self.0)).into_response()
    }
}

fn bad_request(text: &str) -> Response {
    BadRequest(text.to_owned()).into_response()
}
