//! Requests and responses whose passage has a rule of its own.

use http_body_util::BodyExt as _;

use super::*;

async fn answer_with(scene: &Scene, response: &[u8]) -> Exchange {
    let exchange = scene.send("GET", "/", &[("accept", "text/html")], true);
    let (mut stream, _) = scene.accept().await;
    stream.write_all(response).await.unwrap();
    exchange
}

/// HTP-001, HTP-008
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

/// HTP-001, HTP-008
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

/// HTP-009, HTP-024: what a visitor may not say in a head, it may not say behind the body.
#[tokio::test]
async fn trailers_do_not_forge_what_the_agent_writes() {
    let scene = scene().await;
    let named = "x-forwarded-for, x-p2claw-session, x_real_ip, cookie, x-sum";
    let mut exchange = scene.send("POST", "/", &[("trailer", named)], false);
    let mut trailers = Fields::new();
    for name in named.split(", ") {
        trailers.push(name, "forged").unwrap();
    }
    exchange.body.finish(Some(trailers)).unwrap();
    let (mut stream, _) = scene.accept().await;
    let mut sent = Vec::new();
    while !sent.ends_with(b"\r\n\r\n") {
        sent.push(within(stream.read_u8()).await.unwrap());
    }
    let text = String::from_utf8(sent).unwrap();
    assert!(text.ends_with("0\r\nx-sum: forged\r\n\r\n"), "{text}");
}

/// HTP-009, SES-038: what cannot travel behind a body is left out, or said to be too large.
#[tokio::test]
async fn trailers_of_the_upstream_that_cannot_travel() {
    let scene = scene().await;
    let response = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\
        Trailer: x-sum, content-length, x-p2claw-error\r\n\r\n\
        3\r\nabc\r\n0\r\nx-sum: 9\r\ncontent-length: 7\r\nx-p2claw-error: 1\r\n\r\n";
    let mut exchange = answer_with(&scene, response).await;
    assert_eq!(head(&mut exchange).await.status, 200);
    let body = within(exchange.response.collect()).await.unwrap();
    let names: Vec<&str> = body
        .trailers()
        .unwrap()
        .keys()
        .map(|name| name.as_str())
        .collect();
    assert_eq!(names, ["x-sum"]);

    let mut response = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n\
        3\r\nabc\r\n0\r\nx-sum: "
        .to_vec();
    response.extend([b'9'; 17_000]);
    response.extend(b"\r\n\r\n");
    let mut exchange = answer_with(&scene, &response).await;
    head(&mut exchange).await;
    match within(exchange.response.collect()).await {
        Err(StreamError::Reset { code, .. }) => assert!(matches!(
            code,
            ErrorCode::HEAD_TOO_LARGE | ErrorCode::UPSTREAM_FAILED
        )),
        other => panic!("{other:?}"),
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

/// HTP-007: whoever expects a 100 gets the upstream's, and none of the agent's.
#[tokio::test]
async fn htp_007_expectations_are_the_upstreams() {
    let scene = scene().await;
    let fields = [("expect", "100-continue"), ("content-length", "5")];
    let mut exchange = scene.send("POST", "/", &fields, false);
    let (mut stream, request) = scene.accept().await;
    assert!(request.contains("expect: 100-continue\r\n"), "{request}");
    let early = timeout(Duration::from_millis(200), exchange.head()).await;
    assert!(early.is_err(), "nobody has said 100 yet: {early:?}");
    stream
        .write_all(b"HTTP/1.1 100 Continue\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(head(&mut exchange).await.status, 100);
    let body = &mut exchange.body;
    body.write(Bytes::from_static(b"hello")).await.unwrap();
    body.finish(None).unwrap();
    let mut sent = [0; 5];
    within(stream.read_exact(&mut sent)).await.unwrap();
    assert_eq!(&sent, b"hello");
    stream
        .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(head(&mut exchange).await.status, 204);
}

/// HTP-014: an upstream that hangs up may have acted upon the request, on whatever connection.
#[tokio::test]
async fn htp_014_no_request_is_sent_twice() {
    let scene = scene().await;
    let mut first = scene.send("GET", "/1", &[], true);
    let (mut stream, _) = scene.accept().await;
    let whole = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    stream.write_all(whole).await.unwrap();
    assert_eq!(head(&mut first).await.status, 200);
    assert_eq!(body(&mut first).await.unwrap(), b"ok");
    // The second request comes on the connection that was kept.
    let mut second = scene.send("GET", "/2", &[], true);
    let request = read_head(&mut stream).await;
    assert!(request.starts_with("GET /2 "), "{request}");
    drop(stream);
    let response = head(&mut second).await;
    assert_eq!(response.status, 502);
    assert_eq!(field(&response, "p2claw-error"), b"UPSTREAM_FAILED");
    let again = timeout(Duration::from_millis(300), scene.upstream.accept()).await;
    assert!(again.is_err(), "the request was sent again");
}

/// HTP-015: nobody asked for another protocol.
#[tokio::test]
async fn htp_015_a_switch_that_nobody_asked_for_is_a_failure() {
    let scene = scene().await;
    let switch = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n";
    let mut exchange = scene.send("GET", "/", &[], true);
    let (mut stream, request) = scene.accept().await;
    assert!(!request.to_lowercase().contains("upgrade"), "{request}");
    stream.write_all(switch).await.unwrap();
    let response = head(&mut exchange).await;
    assert_eq!(response.status, 502);
    assert_eq!(field(&response, "p2claw-error"), b"UPSTREAM_FAILED");
}

/// HTP-034: what is compressed, or claims to be, passes as it is.
#[tokio::test]
async fn htp_034_the_bytes_of_a_body_stay_as_they_are() {
    let scene = scene().await;
    for coding in ["gzip", "br", "unheard-of"] {
        let bytes: Vec<u8> = (0..=255).collect();
        let response =
            format!("HTTP/1.1 200 OK\r\ncontent-encoding: {coding}\r\ncontent-length: 256\r\n\r\n");
        let mut exchange = answer_with(&scene, &[response.as_bytes(), &bytes].concat()).await;
        let response = head(&mut exchange).await;
        assert_eq!(field(&response, "content-encoding"), coding.as_bytes());
        assert_eq!(field(&response, "content-length"), b"256");
        assert_eq!(body(&mut exchange).await.unwrap(), bytes);

        let fields = [("content-encoding", coding), ("content-length", "256")];
        let mut exchange = scene.send("POST", "/", &fields, false);
        exchange
            .body
            .write(Bytes::from(bytes.clone()))
            .await
            .unwrap();
        exchange.body.finish(None).unwrap();
        let (mut stream, head) = scene.accept().await;
        assert!(
            head.contains(&format!("content-encoding: {coding}\r\n")),
            "{head}"
        );
        let mut sent = vec![0; 256];
        within(stream.read_exact(&mut sent)).await.unwrap();
        assert_eq!(sent, bytes);
    }
}

/// ERR-005: a reason says what happened, in words of the agent's own.
#[tokio::test]
async fn err_005_reasons_hold_nothing_of_the_app() {
    let scene = scene().await;
    let fields = [("cookie", "session=sesame")];
    let mut exchange = scene.send("GET", "/sesame", &fields, true);
    let (mut stream, _) = scene.accept().await;
    stream
        .write_all(b"HTTP/1.1 200 OK\r\nx: sesame\r\ntransfer-encoding: chunked\r\n\r\n6\r\nsesame\r\nsesame\r\n")
        .await
        .unwrap();
    assert_eq!(head(&mut exchange).await.status, 200);
    let error = body(&mut exchange).await.unwrap_err();
    let StreamError::Reset { reason, .. } = &error else {
        panic!("{error}")
    };
    assert!(!reason.is_empty() && !reason.contains("sesame"), "{reason}");
}
