//! Pages and files of the sample app, compiled in.

use axum::Router;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest as _, Sha256};

use super::noise::hex;

/// A file that the sample app serves as it is.
struct Asset {
    path: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

static ASSETS: [Asset; 9] = [
    Asset {
        path: "/",
        content_type: HTML,
        bytes: include_bytes!("index.html"),
    },
    Asset {
        path: "/about",
        content_type: HTML,
        bytes: include_bytes!("about.html"),
    },
    Asset {
        path: "/style.css",
        content_type: CSS,
        bytes: include_bytes!("style.css"),
    },
    Asset {
        path: "/app.js",
        content_type: SCRIPT,
        bytes: include_bytes!("app.js"),
    },
    Asset {
        path: "/format.js",
        content_type: SCRIPT,
        bytes: include_bytes!("format.js"),
    },
    Asset {
        path: "/about.js",
        content_type: SCRIPT,
        bytes: include_bytes!("about.js"),
    },
    Asset {
        path: "/table.svg",
        content_type: "image/svg+xml",
        bytes: include_bytes!("table.svg"),
    },
    Asset {
        path: "/favicon.svg",
        content_type: "image/svg+xml",
        bytes: include_bytes!("favicon.svg"),
    },
    Asset {
        path: "/stamp.png",
        content_type: "image/png",
        bytes: include_bytes!("stamp.png"),
    },
];

pub(super) fn routes() -> Router {
    ASSETS.iter().fold(Router::new(), |router, asset| {
        let etag = format!("\"{}\"", &hex(&Sha256::digest(asset.bytes))[..16]);
        router.route(
            asset.path,
            get(async move |headers: HeaderMap| send(asset, &etag, &headers)),
        )
    })
}

/// Answers with the file, or with 304 where the browser has this very version.
fn send(asset: &'static Asset, etag: &str, headers: &HeaderMap) -> Response {
    let validators = [
        (header::ETAG, etag.to_owned()),
        (header::CACHE_CONTROL, "no-cache".to_owned()),
    ];
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.split(',').any(|one| one.trim() == etag));
    if known {
        return (StatusCode::NOT_MODIFIED, validators).into_response();
    }
    let content_type = [(header::CONTENT_TYPE, asset.content_type)];
    (validators, content_type, asset.bytes).into_response()
}

pub(super) async fn not_found() -> (StatusCode, Html<&'static str>) {
    (StatusCode::NOT_FOUND, Html(include_str!("not-found.html")))
}
