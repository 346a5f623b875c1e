//! WebSockets through a visit (spec/v1/websocket.md).

use p2claw_session::{Close, ErrorCode, MessageKind, head::WEBSOCKET};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async,
    tungstenite::{
        Message as WsMessage,
        handshake::server::{Request as WsRequest, Response as WsResponse},
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

use futures_util::{SinkExt as _, StreamExt as _};

use super::*;
use crate::connection::{Message, MessageReceiver, MessageSender};

type Upstream = WebSocketStream<TcpStream>;

impl Scene {
    fn connect(&self, target: &str, fields: &[(&str, &str)]) -> Exchange {
        let mut request = Request {
            method: "CONNECT".to_owned(),
            target: Target::parse(target).unwrap(),
            fields: Fields::new(),
            end: false,
            protocol: Some(WEBSOCKET.to_owned()),
        };
        for (name, value) in fields {
            let value = value.as_bytes().to_vec();
            request.fields.push(*name, value).unwrap();
        }
        self.visitor.open(request).unwrap()
    }

    /// The upstream accepts with `protocol`; its request's head comes back too.
    #[expect(
        clippy::result_large_err,
        reason = "the callback of tokio-tungstenite has this type"
    )]
    async fn upgrade(&self, protocol: Option<&'static str>) -> (Upstream, WsRequest) {
        let (stream, _) = within(self.upstream.accept()).await.unwrap();
        let mut seen = None;
        let answer = |request: &WsRequest, mut response: WsResponse| {
            seen = Some(request.clone());
            if let Some(protocol) = protocol {
                let value = protocol.parse().unwrap();
                response
                    .headers_mut()
                    .insert("sec-websocket-protocol", value);
            }
            Ok(response)
        };
        let upstream = within(accept_hdr_async(stream, answer)).await.unwrap();
        (upstream, seen.unwrap())
    }

    /// An open WebSocket: the visitor's two halves and the upstream's end.
    pub(super) async fn open(&self) -> (MessageSender, MessageReceiver, Upstream) {
        let exchange = self.connect("/socket", &[]);
        let (upstream, _) = self.upgrade(None).await;
        let (send, receive) = accepted(exchange).await;
        (send, receive, upstream)
    }
}

async fn accepted(mut exchange: Exchange) -> (MessageSender, MessageReceiver) {
    let head = within(exchange.head()).await.unwrap();
    assert_eq!((head.status, head.end), (200, false));
    (
        exchange.body.into_messages(),
        exchange.response.into_messages(),
    )
}

/// The next message as a whole, or the close.
async fn next(receive: &mut MessageReceiver) -> Result<(MessageKind, Vec<u8>), Close> {
    let mut whole = Vec::new();
    loop {
        match within(receive.next()).await.unwrap() {
            Message::Close(close) => return Err(close),
            Message::Part { kind, last, data } => {
                whole.extend_from_slice(&data);
                if last {
                    return Ok((kind, whole));
                }
            }
        }
    }
}

fn close(code: u16, reason: &str) -> Close {
    Close::new(code, reason).unwrap()
}

/// WSK-001, WSK-002, WSK-003, WSK-031: the upstream gets an ordinary handshake of the agent's own.
#[tokio::test]
async fn the_upstream_sees_an_ordinary_handshake() {
    let scene = scene().await;
    let exchange = scene.connect(
        "/chat?room=1",
        &[
            ("sec-websocket-protocol", "v2.chat, v1.chat"),
            ("origin", "https://recipes-dainty-otter-6570.example.net"),
            ("cookie", "a=1"),
            ("x-forwarded-for", "203.0.113.9"),
        ],
    );
    let (_upstream, request) = scene.upgrade(Some("v1.chat")).await;
    assert_eq!(request.uri(), "/chat?room=1");
    let field = |name: &str| {
        request
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap())
    };
    assert_eq!(field("sec-websocket-protocol"), Some("v2.chat, v1.chat"));
    assert_eq!(field("sec-websocket-version"), Some("13"));
    assert_eq!(field("sec-websocket-extensions"), None);
    assert_eq!(field("cookie"), Some("a=1"));
    let upstream = scene.upstream.local_addr().unwrap();
    assert_eq!(field("host"), Some(&*upstream.to_string()));
    assert_ne!(field("x-forwarded-for"), Some("203.0.113.9"));
    assert!(field("x-p2claw-session").is_some());

    let mut exchange = exchange;
    let head = within(exchange.head()).await.unwrap();
    assert_eq!(head.status, 200);
    let names: Vec<&str> = head.fields.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["sec-websocket-protocol"]);
}

/// WSK-010 to WSK-013: messages arrive whole, in order and of their kind, in both directions.
#[tokio::test]
async fn messages_keep_their_boundaries() {
    let scene = scene().await;
    let (mut send, mut receive, mut upstream) = scene.open().await;
    let long: Vec<u8> = (0..1_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let messages = [
        (MessageKind::Text, b"hello".to_vec()),
        (MessageKind::Text, Vec::new()),
        (MessageKind::Binary, Vec::new()),
        (MessageKind::Binary, long),
        (MessageKind::Text, "é水🦀".repeat(10_000).into_bytes()),
    ];
    let echo = tokio::spawn(async move {
        while let Some(Ok(message)) = upstream.next().await {
            if message.is_text() || message.is_binary() {
                upstream.send(message).await.unwrap();
            }
        }
    });
    for (kind, data) in &messages {
        send.send(*kind, Bytes::from(data.clone()), true)
            .await
            .unwrap();
    }
    for message in &messages {
        let (kind, data) = next(&mut receive).await.unwrap();
        assert_eq!((kind, data.len()), (message.0, message.1.len()));
        assert!(data == message.1);
    }
    send.close(close(1000, "done")).unwrap();
    assert_eq!(next(&mut receive).await, Err(close(1000, "done")));
    within(echo).await.unwrap();
}

/// WSK-013: a part reaches the upstream before the message has ended.
#[tokio::test]
async fn parts_are_passed_on_as_they_come() {
    let scene = scene().await;
    let exchange = scene.connect("/", &[]);
    let (mut upstream, head) = scene.accept().await;
    upstream
        .write_all(switching(&head, "").as_bytes())
        .await
        .unwrap();
    let (mut send, _receive) = accepted(exchange).await;
    let part = Bytes::from_static(b"first");
    send.send(MessageKind::Binary, part, false).await.unwrap();
    let mut frame = [0; 11];
    within(upstream.read_exact(&mut frame)).await.unwrap();
    assert_eq!(frame[..2], [0x02, 0x85], "binary, not the last, masked");
    send.send(MessageKind::Binary, Bytes::from_static(b"x"), true)
        .await
        .unwrap();
    let mut frame = [0; 7];
    within(upstream.read_exact(&mut frame)).await.unwrap();
    assert_eq!(frame[..2], [0x80, 0x81], "the end of the same message");
}

/// What an upstream answers when it switches protocols; `more` are further fields.
fn switching(head: &str, more: &str) -> String {
    let key = head
        .lines()
        .find_map(|line| line.strip_prefix("sec-websocket-key: "))
        .unwrap();
    let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-accept: {accept}\r\n{more}\r\n"
    )
}

/// WSK-004: what the upstream says instead reaches the visitor.
#[tokio::test]
async fn a_refusal_is_an_ordinary_response() {
    let scene = scene().await;
    let mut exchange = scene.connect("/private", &[]);
    let (mut upstream, _) = scene.accept().await;
    upstream
        .write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 4\r\nx-why: no\r\n\r\nsign")
        .await
        .unwrap();
    let head = within(exchange.head()).await.unwrap();
    assert_eq!(head.status, 403);
    assert_eq!(head.fields.get("x-why").unwrap(), "no");
    let body = within(exchange.response.data()).await.unwrap();
    assert_eq!(body.unwrap(), "sign");
}

/// WSK-004: an answer that is neither a switch nor a refusal.
#[tokio::test]
async fn an_app_without_a_websocket_is_said_to_have_none() {
    let scene = scene().await;
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi".to_owned(),
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
         sec-websocket-accept: bm90IHRoaXM=\r\n\r\n"
            .to_owned(),
        "extension".to_owned(),
    ] {
        let mut exchange = scene.connect("/", &[]);
        let (mut upstream, head) = scene.accept().await;
        let answer = match &*answer {
            "extension" => switching(&head, "sec-websocket-extensions: permessage-deflate\r\n"),
            _ => answer,
        };
        upstream.write_all(answer.as_bytes()).await.unwrap();
        let head = within(exchange.head()).await.unwrap();
        assert_eq!(head.status, 502, "{answer}");
        let error = head.fields.get("p2claw-error").unwrap();
        assert_eq!(error, "NOT_A_WEBSOCKET", "{answer}");
    }
}

/// WSK-004
#[tokio::test]
async fn another_protocol_is_not_known() {
    let scene = scene().await;
    let mut exchange = scene
        .visitor
        .open(Request {
            method: "CONNECT".to_owned(),
            target: Target::parse("/").unwrap(),
            fields: Fields::new(),
            end: false,
            protocol: Some("connect-udp".to_owned()),
        })
        .unwrap();
    let head = within(exchange.head()).await.unwrap();
    assert_eq!(head.status, 501);
    let error = head.fields.get("p2claw-error").unwrap();
    assert_eq!(error, "UNSUPPORTED_PROTOCOL");
}

/// WSK-021, WSK-022: code and reason arrive, whoever closes first.
#[tokio::test]
async fn closes_go_both_ways() {
    let scene = scene().await;
    for (code, reason) in [(Some(1000), ""), (Some(4321), "tschüss"), (None, "")] {
        let closing = code.map_or(Close::NONE, |code| close(code, reason));
        let (mut send, mut receive, mut upstream) = scene.open().await;
        send.close(closing.clone()).unwrap();
        let seen = within(upstream.next()).await.unwrap().unwrap();
        let expected = code.map(|code| CloseFrame {
            code: CloseCode::from(code),
            reason: reason.into(),
        });
        assert_eq!(seen, WsMessage::Close(expected.clone()));
        // The library of the upstream answers with the same.
        let _ = within(upstream.next()).await;
        assert_eq!(next(&mut receive).await, Err(closing.clone()));

        let (mut send, mut receive, mut upstream) = scene.open().await;
        upstream.close(expected).await.unwrap();
        assert_eq!(next(&mut receive).await, Err(closing.clone()));
        send.close(closing).unwrap();
        while let Some(Ok(_)) = within(upstream.next()).await {}
    }
    assert!(!scene.visit.is_finished());
}

/// WSK-021: an upstream that does not answer a close is not waited for longer than 10 s.
#[tokio::test]
async fn a_close_without_an_answer_is_answered_by_the_agent() {
    let scene = scene().await;
    let (mut send, mut receive, upstream) = scene.open().await;
    send.close(close(3000, "bye")).unwrap();
    tokio::time::pause();
    let began = Instant::now();
    let answer = timeout(4 * PATIENCE, next_close(&mut receive))
        .await
        .unwrap();
    assert_eq!(answer, close(3000, "bye"));
    assert!(began.elapsed() >= Duration::from_secs(10));
    drop(upstream);
}

async fn next_close(receive: &mut MessageReceiver) -> Close {
    match receive.next().await.unwrap() {
        Message::Close(close) => close,
        Message::Part { .. } => panic!("a message"),
    }
}

/// WSK-022, WSK-023: a connection that breaks is no close.
#[tokio::test]
async fn an_upstream_that_dies_cuts_the_websocket_off() {
    let scene = scene().await;
    let (_send, mut receive, mut upstream) = scene.open().await;
    upstream.send(WsMessage::text("last words")).await.unwrap();
    drop(upstream);
    let (_, data) = next(&mut receive).await.unwrap();
    assert_eq!(data, b"last words");
    match within(receive.next()).await {
        Err(StreamError::Reset { code, .. }) => assert_eq!(code, ErrorCode::UPSTREAM_FAILED),
        other => panic!("{other:?}"),
    }
}

/// WSK-023
#[tokio::test]
async fn the_upstream_hears_when_the_visitor_has_gone() {
    let scene = scene().await;
    let (mut send, receive, mut upstream) = scene.open().await;
    send.reset(ErrorCode::CANCELLED, "left");
    drop(receive);
    let Some(Ok(WsMessage::Close(Some(frame)))) = within(upstream.next()).await else {
        panic!("no close");
    };
    assert_eq!(u16::from(frame.code), 1001);
}

/// WSK-024: a WebSocket does not hold up the end of the agent.
#[tokio::test]
async fn a_stopping_agent_closes_websockets() {
    let scene = scene().await;
    let (mut send, mut receive, mut upstream) = scene.open().await;
    scene.shutdown.cancel();
    let closed = next(&mut receive).await.unwrap_err();
    assert_eq!(closed.code(), Some(1001));
    let Some(Ok(WsMessage::Close(Some(frame)))) = within(upstream.next()).await else {
        panic!("no close");
    };
    assert_eq!(u16::from(frame.code), 1001);
    send.close(close(1001, "")).unwrap();
    within(scene.visit).await.unwrap();
}

/// HTP-013, WSK-023: an upstream that takes nothing does not hide that the visitor has gone.
#[tokio::test]
async fn a_visitor_that_leaves_is_noticed_while_the_upstream_is_stuck() {
    let scene = scene().await;
    let exchange = scene.connect("/", &[]);
    let (mut upstream, head) = scene.accept().await;
    let answer = switching(&head, "");
    upstream.write_all(answer.as_bytes()).await.unwrap();
    let (mut send, receive) = accepted(exchange).await;
    // More than all buffers on the way; the last one does not get through.
    let flood = async {
        loop {
            let piece = Bytes::from(vec![7; 1 << 18]);
            send.send(MessageKind::Binary, piece, true).await.unwrap();
        }
    };
    assert!(timeout(Duration::from_secs(1), flood).await.is_err());
    send.reset(ErrorCode::CANCELLED, "left");
    drop(receive);
    // What the upstream reads now ends with a close that stands by itself.
    let mut seen = Vec::new();
    within(upstream.read_to_end(&mut seen)).await.unwrap();
    let close = &seen[seen.len() - close_length()..];
    assert_eq!(close[0], 0x88);
    let code = [close[6] ^ close[2], close[7] ^ close[3]];
    assert_eq!(u16::from_be_bytes(code), 1001);
}

/// Bytes of the close that says that the visitor has gone.
fn close_length() -> usize {
    2 + 4 + 2 + "the visitor has gone".len()
}

/// WSK-030: pings of the upstream end at the agent, and the latest one is answered.
#[tokio::test]
async fn pings_are_answered_by_the_agent() {
    let scene = scene().await;
    let (_send, mut receive, mut upstream) = scene.open().await;
    let ping = WsMessage::Ping(Bytes::from_static(b"old"));
    upstream.feed(ping).await.unwrap();
    let ping = WsMessage::Ping(Bytes::from_static(b"are you there"));
    upstream.send(ping).await.unwrap();
    loop {
        match within(upstream.next()).await.unwrap().unwrap() {
            WsMessage::Pong(data) if data == "are you there" => break,
            WsMessage::Pong(data) => assert_eq!(data, "old"),
            other @ (WsMessage::Text(_)
            | WsMessage::Binary(_)
            | WsMessage::Ping(_)
            | WsMessage::Close(_)
            | WsMessage::Frame(_)) => panic!("{other:?}"),
        }
    }
    upstream.send(WsMessage::text("next")).await.unwrap();
    assert_eq!(next(&mut receive).await.unwrap().1, b"next");
}

/// WSK-013: a message of the upstream reaches the visitor before it has ended, however long.
#[tokio::test]
async fn long_messages_of_the_upstream_pass_in_pieces() {
    let scene = scene().await;
    let exchange = scene.connect("/", &[]);
    let (mut upstream, head) = scene.accept().await;
    let mut answer = switching(&head, "").into_bytes();
    // The head of a frame of 1 TiB, and its first bytes.
    answer.extend([0x82, 127]);
    answer.extend((1_u64 << 40).to_be_bytes());
    answer.extend(b"first");
    upstream.write_all(&answer).await.unwrap();
    let (_send, mut receive) = accepted(exchange).await;
    let part = within(receive.next()).await.unwrap();
    let expected = Message::Part {
        kind: MessageKind::Binary,
        last: false,
        data: Bytes::from_static(b"first"),
    };
    assert_eq!(part, expected);
}

/// WSK-025, WSK-012: an app that breaks RFC 6455 is told so, and its visitor too.
#[tokio::test]
async fn an_upstream_that_breaks_the_rules_is_closed_with_1002() {
    let scene = scene().await;
    for frames in [&[0x81, 2, 0xc3, 0x28][..], &[0xc1, 0], &[0x88, 2, 0, 1]] {
        let exchange = scene.connect("/", &[]);
        let (mut upstream, head) = scene.accept().await;
        let mut answer = switching(&head, "").into_bytes();
        answer.extend(frames);
        upstream.write_all(&answer).await.unwrap();
        let (_send, mut receive) = accepted(exchange).await;
        let closed = next(&mut receive).await.unwrap_err();
        assert_eq!(closed.code(), Some(1002), "{frames:02x?}");
        let mut seen = [0; 2];
        within(upstream.read_exact(&mut seen)).await.unwrap();
        assert_eq!(seen[0], 0x88, "a close frame");
    }
}

/// SES-082: a visitor that reads nothing does not keep its own messages from the upstream.
#[tokio::test]
async fn directions_do_not_hold_each_other_up() {
    let scene = scene().await;
    let (mut send, _receive, upstream) = scene.open().await;
    let (mut sink, mut stream) = upstream.split();
    let flood = tokio::spawn(async move {
        // More than every window and buffer on the way.
        for _ in 0..64 {
            if sink
                .send(WsMessage::binary(vec![7; 1 << 18]))
                .await
                .is_err()
            {
                return;
            }
        }
    });
    for number in 0..100_u32 {
        let text = Bytes::from(number.to_string());
        within(send.send(MessageKind::Text, text, true))
            .await
            .unwrap();
        let message = within(stream.next()).await.unwrap().unwrap();
        assert_eq!(message.into_text().unwrap(), number.to_string());
    }
    assert!(!flood.is_finished(), "the flood waits for the visitor");
    flood.abort();
}
