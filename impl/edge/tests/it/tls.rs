//! TLS in front of the addresses.

use crate::edge::{APP, Edge, PATIENCE};
use http::{Request, StatusCode, Version};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use p2claw_edge::{Config, TlsFiles};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

fn file(name: &str) -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/tls");
    PathBuf::from(folder).join(name)
}

fn files() -> TlsFiles {
    TlsFiles {
        certificate: file("certificate.pem"),
        key: file("key.pem"),
    }
}

async fn connect(edge: &Edge, protocols: &[&str]) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(file("certificate.pem")).unwrap();
    roots.add(certificate).unwrap();
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    let stream = TcpStream::connect(edge.address).await.unwrap();
    let name = ServerName::try_from(APP).unwrap();
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
    timeout(PATIENCE, connecting).await.unwrap().unwrap()
}

async fn tls_edge() -> Edge {
    let nobody = SocketAddr::from(([127, 0, 0, 1], 9));
    Edge::with(nobody, "p2claw.example", Some(files())).await
}

/// Silence holds no place for ever: not before the first byte, and not between requests.
#[tokio::test]
async fn idle_connections_are_closed() {
    let coord = "http://127.0.0.1:9".parse().unwrap();
    let mut config = Config::new(coord, "p2claw.example");
    config.limits.head = Duration::from_millis(200);
    config.limits.quiet = Duration::from_millis(200);
    config.limits.handshake = Duration::from_secs(1);
    let plain = Edge::configured(config.clone()).await;
    config.tls = Some(files());
    let tls = Edge::configured(config).await;

    for said in ["", "PRI * HTTP", "GET / HT"] {
        let mut stream = TcpStream::connect(plain.address).await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        assert!(ends(stream).await, "after {said:?}");
    }
    assert!(ends(TcpStream::connect(tls.address).await.unwrap()).await);
    assert!(ends(connect(&tls, &["http/1.1"]).await).await);
    assert!(ends(connect(&tls, &["h2"]).await).await);
    let idle = connect(&tls, &["h2"]).await;
    let (_sender, connection) = hyper::client::conn::http2::handshake::<_, _, Empty<bytes::Bytes>>(
        TokioExecutor::new(),
        TokioIo::new(idle),
    )
    .await
    .unwrap();
    let _ = timeout(PATIENCE, connection).await.expect("still open");
}

/// Whether the other end closes it.
async fn ends(mut stream: impl AsyncRead + Unpin) -> bool {
    let mut rest = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut rest))
        .await
        .is_ok()
}

/// EDG-010, EDG-003: HTTP/1.1 and HTTP/2 over TLS.
#[tokio::test]
async fn edg_010_tls_speaks_both_versions() {
    let edge = tls_edge().await;
    let stream = connect(&edge, &["http/1.1"]).await;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::get("/")
        .header("host", APP)
        .header("accept", "text/html")
        .body(Empty::<bytes::Bytes>::new())
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    connection.abort();

    let stream = connect(&edge, &["h2", "http/1.1"]).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::get(format!("https://{APP}/.well-known/p2claw/v1/sw.js"))
        .version(Version::HTTP_2)
        .body(Empty::<bytes::Bytes>::new())
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["service-worker-allowed"], "/");
    response.into_body().collect().await.unwrap();
    connection.abort();
    edge.stop().await;
}

/// Whoever speaks no TLS gets nothing, and nobody else notices.
#[tokio::test]
async fn plain_http_on_a_tls_port_is_nothing() {
    let edge = tls_edge().await;
    let stream = TcpStream::connect(edge.address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let request = Request::get("/")
        .header("host", APP)
        .body(Empty::<bytes::Bytes>::new())
        .unwrap();
    assert!(sender.send_request(request).await.is_err());
    connection.abort();
    connect(&edge, &[]).await;
    edge.stop().await;
}

/// Certificate files of no use are named.
#[tokio::test]
async fn bad_certificate_files_are_named() {
    for (certificate, key, named) in [
        ("missing.pem", "key.pem", "missing.pem"),
        ("certificate.pem", "missing.pem", "missing.pem"),
        ("key.pem", "key.pem", "key.pem"),
    ] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let coord = "http://127.0.0.1:9".parse().unwrap();
        let mut config = p2claw_edge::Config::new(coord, "p2claw.example");
        config.tls = Some(TlsFiles {
            certificate: file(certificate),
            key: file(key),
        });
        let running = p2claw_edge::run(listener, config, Default::default());
        let error = timeout(PATIENCE, running).await.unwrap().unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
    }
}
