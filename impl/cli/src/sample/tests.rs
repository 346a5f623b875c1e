#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::sync::DropGuard;

use super::noise;

struct Sample {
    address: SocketAddr,
    client: Client<HttpConnector, Body>,
    server: JoinHandle<std::io::Result<()>>,
    shutdown: CancellationToken,
    _stop: DropGuard,
}

impl Sample {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        Self {
            address,
            client: Client::builder(TokioExecutor::new()).build_http(),
            server: tokio::spawn(super::serve(listener, shutdown.clone())),
            _stop: shutdown.clone().drop_guard(),
            shutdown,
        }
    }

    async fn send(&self, request: Request<Body>) -> Response<Incoming> {
        self.client.request(request).await.unwrap()
    }

    fn request(&self, method: Method, target: &str, body: impl Into<Body>) -> Request<Body> {
        Request::builder()
            .method(method)
            .uri(format!("http://{}{target}", self.address))
            .header("content-type", "application/json")
            .body(body.into())
            .unwrap()
    }

    async fn get(&self, target: &str) -> Response<Incoming> {
        self.send(self.request(Method::GET, target, Body::empty()))
            .await
    }

    async fn post(&self, target: &str, body: impl Into<Body>) -> Response<Incoming> {
        self.send(self.request(Method::POST, target, body)).await
    }
}

async fn body(response: Response<Incoming>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

async fn json(response: Response<Incoming>) -> Value {
    serde_json::from_slice(&body(response).await).unwrap()
}

fn header(response: &Response<Incoming>, name: &str) -> String {
    let value = response.headers().get(name).unwrap();
    value.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn pages_and_everything_they_name_are_there() {
    let sample = Sample::start().await;
    for page in ["/", "/about"] {
        let response = sample.get(page).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(
            header(&response, "content-type"),
            "text/html; charset=utf-8"
        );
        let html = String::from_utf8(body(response).await.to_vec()).unwrap();
        let named = html.split(['"']).filter(|text| {
            text.starts_with('/')
                && [".css", ".js", ".svg", ".png"]
                    .iter()
                    .any(|end| text.ends_with(end))
        });
        let mut files = 0;
        for file in named {
            let response = sample.get(file).await;
            assert_eq!(response.status(), StatusCode::OK, "{file}");
            assert!(!body(response).await.is_empty());
            files += 1;
        }
        assert!(files >= 3, "{page} names {files} files");
        assert!(!html.contains("//"), "{page} names another host");
    }
    let missing = sample.get("/nothing/here").await;
    assert_eq!(missing.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_known_version_is_not_sent_again() {
    let sample = Sample::start().await;
    let first = sample.get("/style.css").await;
    let mut again = sample.request(Method::GET, "/style.css", Body::empty());
    let etag = first.headers().get("etag").unwrap().clone();
    again.headers_mut().insert("if-none-match", etag);
    let again = sample.send(again).await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn cards_are_pinned_up_and_bad_ones_refused() {
    let sample = Sample::start().await;
    let card = json!({"author": "Ada", "text": "Lemon cake"}).to_string();
    let created = sample.post("/api/notes", card).await;
    assert_eq!(created.status(), StatusCode::CREATED);
    let note = json(created).await;
    assert_eq!(note["author"], "Ada");
    let notes = json(sample.get("/api/notes").await).await;
    assert_eq!(notes["notes"].as_array().unwrap().last().unwrap(), &note);

    let refused = [
        (
            json!({"text": "   "}).to_string(),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            json!({"text": "x".repeat(1001)}).to_string(),
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        ("{".to_owned(), StatusCode::BAD_REQUEST),
        (
            json!({"text": "x".repeat(9000)}).to_string(),
            StatusCode::PAYLOAD_TOO_LARGE,
        ),
    ];
    for (card, status) in refused {
        let response = sample.post("/api/notes", card).await;
        assert_eq!(response.status(), status);
        assert!(json(response).await["error"].is_string());
    }
}

#[tokio::test]
async fn the_board_keeps_the_newest_hundred() {
    let sample = Sample::start().await;
    for number in 0..120 {
        let card = json!({"text": format!("recipe {number}")}).to_string();
        body(sample.post("/api/notes", card).await).await;
    }
    let notes = json(sample.get("/api/notes").await).await;
    let notes = notes["notes"].as_array().unwrap();
    assert_eq!(notes.len(), 100);
    assert_eq!(notes[99]["text"], "recipe 119");
    assert_eq!(notes[0]["text"], "recipe 20");
}

#[tokio::test]
async fn ticks_and_new_cards_arrive_live() {
    let sample = Sample::start().await;
    let response = sample.get("/api/events?every=50").await;
    assert_eq!(header(&response, "content-type"), "text/event-stream");
    let mut stream = response.into_body();
    body(sample.post("/api/notes", r#"{"text":"Borscht"}"#).await).await;
    let mut text = String::new();
    while !(text.contains("\"tick\":5") && text.contains("Borscht")) {
        let frame = stream.frame().await.unwrap().unwrap();
        text.push_str(std::str::from_utf8(frame.data_ref().unwrap()).unwrap());
    }
    assert!(text.contains("event: note\n"));
    assert!(text.contains("\"at\":"));
    assert_eq!(
        sample.get("/api/events?every=1").await.status(),
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn a_shutdown_ends_open_streams() {
    let sample = Sample::start().await;
    let mut stream = sample.get("/api/events").await.into_body();
    stream.frame().await.unwrap().unwrap();
    let began = Instant::now();
    sample.shutdown.cancel();
    sample.server.await.unwrap().unwrap();
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn downloads_match_their_announced_hash() {
    let sample = Sample::start().await;
    for bytes in [0_u32, 1, 65_535, 65_536, 65_537, 300_001] {
        let response = sample.get(&format!("/download?bytes={bytes}")).await;
        assert_eq!(header(&response, "content-length"), bytes.to_string());
        let content = body(response).await;
        assert_eq!(content.len(), usize::try_from(bytes).unwrap());
        let told = json(sample.get(&format!("/download/sha256?bytes={bytes}")).await).await;
        assert_eq!(told["sha256"], noise::hex(&Sha256::digest(&content)));
    }
    let file = sample.get("/download?bytes=10&attachment=1").await;
    assert_eq!(
        header(&file, "content-disposition"),
        "attachment; filename=\"noise-10.bin\""
    );
    let too_big = sample.get("/download?bytes=1073741825").await;
    assert_eq!(too_big.status(), StatusCode::BAD_REQUEST);
}

#[test]
fn the_noise_never_changes() {
    let start: Vec<u8> = noise::chunks(8).flatten().collect();
    // Worked out apart from this code, in the browser tests' JavaScript.
    assert_eq!(noise::hex(&start), "c0908968812113d1");
}

#[tokio::test]
async fn uploads_are_counted_and_hashed() {
    let sample = Sample::start().await;
    let content: Vec<u8> = noise::chunks(3_000_000).flatten().collect();
    let hash = noise::hex(&Sha256::digest(&content));
    let answer = json(sample.post("/upload", content).await).await;
    assert_eq!(answer, json!({"bytes": 3_000_000, "sha256": hash}));
}

#[tokio::test]
async fn cut_bodies_are_errors() {
    let sample = Sample::start().await;
    for target in ["/cut?bytes=100000", "/cut?bytes=100000&chunked=1"] {
        let response = sample.get(target).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert!(response.into_body().collect().await.is_err(), "{target}");
    }
}

#[tokio::test]
async fn slow_lines_arrive_one_by_one() {
    let sample = Sample::start().await;
    let began = Instant::now();
    let mut stream = sample.get("/slow?chunks=4").await.into_body();
    let first = stream.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(first.starts_with(b"chunk 1 of 4 at "));
    assert!(
        !first.windows(7).any(|part| part == b"chunk 2"),
        "{first:?}"
    );
    let rest = stream.collect().await.unwrap().to_bytes();
    assert!(rest.starts_with(b"chunk 2 of 4 at "));
    assert!(began.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn echo_tells_what_it_was_sent() {
    let sample = Sample::start().await;
    let mut request = sample.request(Method::PUT, "/echo?a=1", r#"{"n":[1,2]}"#);
    request
        .headers_mut()
        .insert("x-forwarded-for", "192.0.2.7".parse().unwrap());
    let answer = json(sample.send(request).await).await;
    assert_eq!(answer["method"], "PUT");
    assert_eq!(answer["target"], "/echo?a=1");
    assert_eq!(answer["json"], json!({"n": [1, 2]}));
    assert_eq!(answer["forwarded"]["x-forwarded-for"], "192.0.2.7");
    assert_eq!(answer["forwarded"]["host"], sample.address.to_string());
    let bad = sample.post("/echo", "{").await;
    assert_eq!(bad.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn redirects_stay_inside_the_app() {
    let sample = Sample::start().await;
    let response = sample.get("/redirect?to=/about&status=307").await;
    assert_eq!(response.status(), StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(header(&response, "location"), "/about");
    assert_eq!(header(&sample.get("/redirect").await, "location"), "/about");
    for to in [
        "//example.org",
        "/%5Cexample.org",
        "about",
        "",
        "/a%0d%0ab",
        "/&status=200",
    ] {
        let response = sample.get(&format!("/redirect?to={to}")).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{to}");
    }
}

#[tokio::test]
async fn any_final_status_can_be_had() {
    let sample = Sample::start().await;
    for code in [200, 204, 304, 404, 418, 503, 599] {
        let response = sample.get(&format!("/status/{code}")).await;
        assert_eq!(response.status().as_u16(), code);
    }
    for code in ["100", "600", "x"] {
        let response = sample.get(&format!("/status/{code}")).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    }
}
