//! Requests and responses whose passage has a rule of its own.

use http_body_util::BodyExt as _;

use super::*;

async fn answer_with(scene: &Scene, response: &[u8]) -> Exchange {
    let exchange = scene.send("GET", "/", &[("accept", "text/html")], true);
    let (mut stream, _) = scene.accept().await;
    stream.write_all(response).await.unwrap();
    exchange
}

/// HTP-001
#[tokio::test]
async fn trailers_reach_the_visitor() {
    let scene = scene().await;
    let response = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n\
        3\r\nabc\r\n0\r\nx-sum: 9\r\n\r\n";
    let mut exchange = answer_with(&scene, response).await;
    assert_eq!(head(&mut exchange).await.status, 200);
    let body = within(exchange.response.collect()).await.unwrap();
    assert_eq!(body.trailers().unwrap()["x-sum"], "9");
    assert_eq!(body.to_bytes(), "abc");
}

/// HTP-001
#[tokio::test]
async fn trailers_reach_the_upstream() {
    let scene = scene().await;
    let mut exchange = scene.send("POST", "/", &[("trailer", "x-sum")], false);
    let body = &mut exchange.body;
    body.write(Bytes::from_static(b"abc")).await.unwrap();
    let mut trailers = Fields::new();
    trailers.push("x-sum", "9").unwrap();
    body.finish(Some(trailers)).unwrap();
    let (mut stream, _) = scene.accept().await;
    let mut sent = Vec::new();
    while !sent.ends_with(b"\r\n0\r\nx-sum: 9\r\n\r\n") {
        sent.push(within(stream.read_u8()).await.unwrap());
    }
}

/// HTP-001: a body is not lost because its method seldom has one.
#[tokio::test]
async fn htp_001_a_get_may_have_a_body() {
    let scene = scene().await;
    let mut exchange = scene.send("GET", "/", &[], false);
    let body = &mut exchange.body;
    body.write(Bytes::from_static(b"query")).await.unwrap();
    body.finish(None).unwrap();
    let (mut stream, head) = scene.accept().await;
    assert!(head.contains("transfer-encoding: chunked"), "{head}");
    let mut sent = [0; 15];
    within(stream.read_exact(&mut sent)).await.unwrap();
    assert_eq!(&sent, b"5\r\nquery\r\n0\r\n\r\n");
}

/// HTP-030: RFC 9112 section 6.3: of two lengths the chunks' own holds.
#[tokio::test]
async fn a_length_beside_chunks_is_left_out() {
    let scene = scene().await;
    let response = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n\
        5\r\nwhole\r\n0\r\n\r\n";
    let mut exchange = answer_with(&scene, response).await;
    assert!(
        head(&mut exchange)
            .await
            .fields
            .get("content-length")
            .is_none()
    );
    assert_eq!(body(&mut exchange).await.unwrap(), b"whole");
}

/// HTP-041: only a head that is too large is called so.
#[tokio::test]
async fn htp_041_bad_heads_are_told_apart() {
    let scene = scene().await;
    for (response, code, word) in [
        (
            "HTTP/1.1 999 Odd\r\n\r\n".to_owned(),
            "UPSTREAM_FAILED",
            "status",
        ),
        (
            format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "a".repeat(20_000)),
            "HEAD_TOO_LARGE",
            "16 KiB",
        ),
    ] {
        let mut exchange = answer_with(&scene, response.as_bytes()).await;
        let response = head(&mut exchange).await;
        assert_eq!(response.status, 502);
        assert_eq!(field(&response, "p2claw-error"), code.as_bytes());
        let page = String::from_utf8(body(&mut exchange).await.unwrap()).unwrap();
        assert!(page.contains(word), "{page}");
    }
}

#[tokio::test]
async fn as_many_fields_as_a_head_may_have_are_passed_on() {
    let scene = scene().await;
    let fields: String = (0..250).map(|n| format!("x-{n}: {n}\r\n")).collect();
    let response = format!("HTTP/1.1 204 No Content\r\n{fields}\r\n");
    let mut exchange = answer_with(&scene, response.as_bytes()).await;
    let response = head(&mut exchange).await;
    assert_eq!(
        (response.status, field(&response, "x-249")),
        (204, &b"249"[..])
    );
}

/// HTP-043: an app that starts may hang up at first; its page waits for it all the same.
#[tokio::test]
async fn htp_043_pages_of_passing_failures_come_back_by_themselves() {
    let scene = scene().await;
    for (method, recovers) in [("GET", true), ("POST", false)] {
        let mut exchange = scene.send(method, "/", &[("accept", "text/html")], true);
        drop(scene.accept().await);
        assert_eq!(head(&mut exchange).await.status, 502);
        let page = String::from_utf8(body(&mut exchange).await.unwrap()).unwrap();
        assert_eq!(page.contains("<script>"), recovers, "{method}");
    }
}
