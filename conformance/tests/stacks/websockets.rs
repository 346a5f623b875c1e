//! WebSockets over a session of two stacks.

use bytes::Bytes;
use p2claw_agent::connection::{Message, MessageReceiver};
use p2claw_session::{Close, Fields, MessageKind, Request, Response, Target, head::WEBSOCKET};
use tokio::time::timeout;

use crate::{PATIENCE, Stack, sessions::pair};

/// The next message as a whole; `None` when the other end has closed.
async fn next(receive: &mut MessageReceiver) -> Option<(MessageKind, Vec<u8>)> {
    let mut whole = Vec::new();
    loop {
        match receive.next().await.unwrap() {
            Message::Close(_) => return None,
            Message::Part { kind, last, data } => {
                whole.extend_from_slice(&data);
                if last {
                    return Some((kind, whole));
                }
            }
        }
    }
}

/// WSK-010: kinds and borders of messages are kept, and an empty one is a message, too.
pub(crate) async fn messages_of_every_kind_arrive_whole(visitor: Stack, agent: Stack) {
    let pair = pair(visitor, agent).await;
    let far = pair.agent.clone();
    let echo = tokio::spawn(async move {
        let incoming = far.accept().await.unwrap();
        let mut answer = incoming.answer;
        let accepted = Response {
            status: 200,
            fields: Fields::new(),
            end: false,
        };
        answer.respond(accepted).unwrap();
        let (mut send, mut receive) = (answer.into_messages(), incoming.body.into_messages());
        while let Some((kind, data)) = next(&mut receive).await {
            send.send(kind, Bytes::from(data), true).await.unwrap();
        }
        send.close(Close::new(1000, "enough").unwrap()).unwrap();
    });
    let work = async {
        let request = Request {
            method: "CONNECT".to_owned(),
            target: Target::parse("/socket").unwrap(),
            fields: Fields::new(),
            end: false,
            protocol: Some(WEBSOCKET.to_owned()),
        };
        let mut exchange = pair.visitor.open(request).unwrap();
        assert_eq!(exchange.head().await.unwrap().status, 200);
        let mut send = exchange.body.into_messages();
        let mut receive = exchange.response.into_messages();
        let messages = [
            (MessageKind::Text, "na\u{ef}ve".as_bytes().to_vec()),
            (MessageKind::Binary, vec![0, 255, 1]),
            (MessageKind::Text, Vec::new()),
            (MessageKind::Binary, vec![9; 3_000_000]),
            (MessageKind::Text, b"last".to_vec()),
        ];
        for (kind, data) in messages {
            let sent = Bytes::from(data.clone());
            let (sent, echoed) = tokio::join!(send.send(kind, sent, true), next(&mut receive));
            sent.unwrap();
            let (found, bytes) = echoed.unwrap();
            assert!(found == kind && bytes == data, "{} bytes", bytes.len());
        }
        send.close(Close::new(1000, "enough").unwrap()).unwrap();
        assert!(next(&mut receive).await.is_none());
    };
    timeout(PATIENCE, work).await.unwrap();
    timeout(PATIENCE, echo).await.unwrap().unwrap();
}
