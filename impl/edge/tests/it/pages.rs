//! What the edge answers by itself.

use crate::edge::{APP, Edge, PATIENCE};
use data_encoding::HEXLOWER;
use http::{Method, StatusCode};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const HTML: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
const DOCUMENT: (&str, &str) = ("sec-fetch-dest", "document");

/// Every file of the browser client: path, content type, whether its name has a hash.
fn files() -> Vec<(String, String, bool)> {
    let manifest = include_str!("../../../browser/dist/manifest.json");
    let manifest: serde_json::Value = serde_json::from_str(manifest).unwrap();
    let files = manifest["files"].as_array().unwrap().iter().map(|file| {
        (
            file["path"].as_str().unwrap().to_owned(),
            file["content_type"].as_str().unwrap().to_owned(),
            file["immutable"].as_bool().unwrap(),
        )
    });
    files.collect()
}

/// What a name with a hash promises about its file.
fn hash(contents: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(contents)[..6])
}

/// EDG-001, EDG-003, EDG-022: a navigation gets the shell, whatever app and path it names.
#[tokio::test]
async fn edg_003_navigations_get_the_shell() {
    let edge = Edge::alone().await;
    let shell = edge.get(APP, "/.well-known/p2claw/v1/shell", &[]).await;
    let shell = shell.bytes().await;
    assert!(shell.starts_with(b"<!doctype html>") || shell.starts_with(b"<!DOCTYPE html>"));
    for host in [
        APP.to_owned(),
        APP.to_uppercase(),
        format!("{APP}:8443"),
        format!("{APP}."),
        "a-bob.p2claw.example".to_owned(),
        "nobody-has-this-lost-alias-0000.p2claw.example".to_owned(),
    ] {
        for (path, field) in [("/", HTML), ("/deep/page?x=1", DOCUMENT), ("//", HTML)] {
            let answer = edge.get(&host, path, &[field]).await;
            assert_eq!(answer.status, StatusCode::OK, "{host} {path}");
            assert_eq!(answer.field("cache-control"), "no-cache");
            assert!(answer.field("content-type").starts_with("text/html"));
            assert!(answer.field("etag").starts_with('"'));
            assert_eq!(answer.field("x-content-type-options"), "nosniff");
            assert_ne!(answer.field("referrer-policy"), "");
            assert_eq!(answer.bytes().await, shell);
        }
    }
    let head = edge.ask(Method::HEAD, APP, "/", &[HTML], "").await;
    assert_eq!(head.status, StatusCode::OK);
    assert!(head.bytes().await.is_empty());
    edge.stop().await;
}

/// EDG-003, EDG-023: a browser that has the shell is told so.
#[tokio::test]
async fn edg_003_entity_tags() {
    let edge = Edge::alone().await;
    let tag = edge.get(APP, "/", &[HTML]).await.field("etag").to_owned();
    for known in [tag.clone(), format!("W/{tag}"), format!("\"old\", {tag}")] {
        let answer = edge.get(APP, "/", &[HTML, ("if-none-match", &known)]).await;
        assert_eq!(answer.status, StatusCode::NOT_MODIFIED, "{known}");
        assert_eq!(answer.field("etag"), tag);
        assert!(answer.bytes().await.is_empty());
    }
    let answer = edge
        .get(APP, "/", &[HTML, ("if-none-match", "\"old\"")])
        .await;
    assert_eq!(answer.status, StatusCode::OK);
    edge.stop().await;
}

/// EDG-004: what is no navigation gets an error that no program takes for the app's answer.
#[tokio::test]
async fn edg_004_everything_else_is_not_tunnelled() {
    let edge = Edge::alone().await;
    type Case<'a> = (Method, &'a str, &'a [(&'a str, &'a str)]);
    let cases: [Case<'_>; 7] = [
        (Method::GET, "/", &[]),
        (Method::GET, "/", &[("accept", "*/*")]),
        (Method::GET, "/", &[("sec-fetch-dest", "empty"), HTML]),
        (Method::GET, "/", &[("sec-fetch-dest", "iframe"), HTML]),
        (Method::GET, "/a.js", &[("sec-fetch-dest", "script")]),
        (Method::PUT, "/", &[DOCUMENT]),
        (Method::DELETE, "/x", &[HTML]),
    ];
    for (method, path, fields) in cases {
        let answer = edge.ask(method.clone(), APP, path, fields, "").await;
        assert_eq!(
            answer.status,
            StatusCode::SERVICE_UNAVAILABLE,
            "{method} {path} {fields:?}"
        );
        assert_eq!(answer.field("p2claw-error"), "NOT_TUNNELLED");
        assert_eq!(answer.field("cache-control"), "no-store");
        assert_eq!(answer.field("content-type"), "text/plain; charset=utf-8");
        assert!(answer.text().await.contains("browser"));
    }
    edge.stop().await;
}

/// EDG-002, NAM-012, NAM-014: hosts that are no address, and the parent.
#[tokio::test]
async fn edg_002_other_hosts() {
    let edge = Edge::alone().await;
    for host in [
        "www.p2claw.example",
        "www-quiet-otter-0417.p2claw.example",
        "x.a-bob.p2claw.example",
        "a-bob.example",
        "127.0.0.1",
        "[::1]:80",
    ] {
        for path in [
            "/",
            "/.well-known/p2claw/v1/sw.js",
            "/.well-known/p2claw/v1/visits",
        ] {
            let answer = edge.get(host, path, &[HTML]).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{host}{path}");
            assert_eq!(answer.field("cache-control"), "no-store");
        }
    }
    let landing = edge.get("p2claw.example", "/", &[HTML]).await;
    assert_eq!(landing.status, StatusCode::OK);
    assert!(landing.text().await.contains("p2claw"));
    let evil = edge.get("<b>.p2claw.example", "/", &[HTML]).await;
    assert!(!evil.text().await.contains("<b>"));
    edge.stop().await;
}

/// EDG-005, EDG-022, EDG-023: the files of the browser client, plain and packed, the same for all.
#[tokio::test]
async fn edg_005_files() {
    let edge = Edge::alone().await;
    for (path, content_type, immutable) in files() {
        let name = path.strip_suffix(".html").unwrap_or(&path);
        let target = format!("/.well-known/p2claw/v1/{name}");
        let answer = edge.get(APP, &target, &[]).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(answer.field("content-type"), content_type);
        assert_eq!(answer.field("x-content-type-options"), "nosniff");
        let caching = answer.field("cache-control");
        assert_eq!(caching.contains("immutable"), immutable, "{path}");
        assert_eq!(caching == "no-cache", !immutable, "{path}");
        let allowed = answer.field("service-worker-allowed");
        assert_eq!(allowed == "/", path == "sw.js", "{path}");
        assert_eq!(answer.field("content-encoding"), "");
        let tag = answer.field("etag").to_owned();
        let known = edge.get(APP, &target, &[("if-none-match", &tag)]).await;
        assert_eq!(known.status, StatusCode::NOT_MODIFIED, "{path}");
        let plain = answer.bytes().await;
        let elsewhere = edge.get("a-bob.p2claw.example", &target, &[DOCUMENT]).await;
        assert_eq!(elsewhere.bytes().await, plain, "{path}");
        if immutable {
            assert!(path.contains(&hash(&plain)), "{path}");
        } else {
            // Whatever they hold, they are not the page for what does not exist.
            assert!(!plain.starts_with(b"there is no such file"), "{path}");
        }

        let packed = edge
            .get(APP, &target, &[("accept-encoding", "br, gzip")])
            .await;
        assert_eq!(packed.field("content-encoding"), "gzip");
        assert_eq!(packed.field("vary"), "accept-encoding");
        assert_eq!(packed.field("content-type"), content_type);
        assert!(packed.bytes().await.starts_with(&[0x1f, 0x8b]));

        let refused = edge
            .get(APP, &target, &[("accept-encoding", "gzip;q=0")])
            .await;
        assert_eq!(refused.field("content-encoding"), "");
    }
    edge.stop().await;
}

/// EDG-005, EDG-021: paths of ours that do not exist are errors, also for a navigation, and coord's
/// own are not reachable through the edge.
#[tokio::test]
async fn edg_005_other_paths_of_ours() {
    let edge = Edge::alone().await;
    for path in [
        "/.well-known/p2claw/v1/assets/shell-0.js",
        "/.well-known/p2claw/v1/agent",
        "/.well-known/p2claw/v1/",
        "/.well-known/p2claw/v1/visitsx",
        "/.well-known/p2claw/v1/../v1/manifest.json",
        "/.well-known/p2claw/v2/sw.js",
        "/.well-known/p2claw/",
    ] {
        let answer = edge.get(APP, path, &[HTML, DOCUMENT]).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.field("cache-control"), "no-store");
    }
    let target = "/.well-known/p2claw/v1/sw.js";
    let answer = edge.ask(Method::POST, APP, target, &[], "x").await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    edge.stop().await;
}

/// EDG-020, EDG-023: every error of the edge's own has its name, and is kept by nobody.
#[tokio::test]
async fn edg_020_errors_have_names() {
    let edge = Edge::alone().await;
    let cases = [
        (Method::GET, APP, "/", 503, "NOT_TUNNELLED"),
        (
            Method::GET,
            "www-bob.p2claw.example",
            "/",
            404,
            "NO_SUCH_ALIAS",
        ),
        (Method::GET, "a-bob.example", "/", 404, "ELSEWHERE"),
        (
            Method::GET,
            APP,
            "/.well-known/p2claw/v2/sw.js",
            404,
            "VERSION",
        ),
        (
            Method::GET,
            APP,
            "/.well-known/p2claw/v1/x",
            404,
            "NOT_FOUND",
        ),
        (
            Method::GET,
            APP,
            "/.well-known/p2claw/v1/agent",
            404,
            "NOT_FOUND",
        ),
        (
            Method::POST,
            APP,
            "/.well-known/p2claw/v1/sw.js",
            405,
            "METHOD",
        ),
    ];
    for (method, host, path, status, name) in cases {
        let answer = edge.ask(method, host, path, &[], "").await;
        assert_eq!(answer.status, status, "{host}{path}");
        assert_eq!(answer.field("p2claw-error"), name, "{host}{path}");
        assert_eq!(answer.field("cache-control"), "no-store");
        assert_eq!(answer.field("x-content-type-options"), "nosniff");
    }

    // Only HTTP/1.0 allows a request without a host.
    let mut stream = TcpStream::connect(edge.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    timeout(PATIENCE, read).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.0 400 "), "{answer}");
    assert!(answer.contains("p2claw-error: NO_HOST\r\n"), "{answer}");
    edge.stop().await;
}

/// EDG-010: a parent below localhost, as for a trial on one machine.
#[tokio::test]
async fn edg_010_localhost() {
    let coord = crate::coord::FakeCoord::start().await;
    let edge = Edge::with(coord.address, "localhost", None).await;
    let answer = edge.get("demo-bob.localhost:8787", "/", &[HTML]).await;
    assert_eq!(answer.status, StatusCode::OK);
    let answer = edge.get("localhost:8787", "/", &[HTML]).await;
    assert_eq!(answer.status, StatusCode::OK);
    edge.stop().await;
}
