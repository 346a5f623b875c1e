//! Varints and frames.

use std::time::Instant;

use bytes::Bytes;
use p2claw_conformance::vectors::{Case, FRAMES, Hex};
use p2claw_proto::v1 as proto;
use p2claw_session::{
    Config, ErrorCode, LaneId, MessageKind, Role, Session, StreamId, frame::Frame, varint,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::check;

#[test]
fn varints() {
    check(FRAMES, "varint", |case| {
        let bytes = case.input::<Hex>().unwrap().0;
        let mut rest = &bytes[..];
        let Some(value) = varint::decode(&mut rest).filter(|_| rest.is_empty()) else {
            return false;
        };
        assert_eq!(value.to_string(), case.get::<String>("value").unwrap());
        let mut written = Vec::new();
        varint::encode(value, &mut written);
        assert_eq!(
            written == bytes,
            case.get::<bool>("canonical").unwrap(),
            "{}",
            case.id
        );
        true
    });
}

#[derive(Deserialize)]
struct Input {
    hex: Hex,
    max_frame: usize,
    then: Option<Then>,
}

#[derive(Deserialize)]
struct Then {
    hex: Hex,
    times: usize,
}

impl Input {
    fn message(&self) -> Bytes {
        let mut message = self.hex.0.clone();
        if let Some(then) = &self.then {
            message.extend(then.hex.0.repeat(then.times));
        }
        message.into()
    }
}

#[test]
fn frames() {
    check(FRAMES, "frame", |case| {
        let input: Input = case.input().unwrap();
        let message = input.message();
        if case.has("error") {
            let wanted: String = case.get("error").unwrap();
            for role in [Role::Visitor, Role::Agent] {
                let code = refusal(role, input.max_frame, &message);
                assert_eq!(
                    code.map(ErrorCode::name),
                    Some(&*wanted),
                    "{} as {role:?}",
                    case.id
                );
            }
            // An oversized frame may well decode; every other one is refused by the codec itself.
            return wanted == "FRAME_SIZE" && message.len() <= input.max_frame
                || wanted != "FRAME_SIZE" && Frame::decode(message).is_ok();
        }
        assert!(message.len() <= input.max_frame, "{}", case.id);
        let Ok(frame) = Frame::decode(message.clone()) else {
            return false;
        };
        compare(case, &frame);
        assert_eq!(
            frame.encode() == message,
            case.get::<bool>("canonical").unwrap(),
            "{}",
            case.id
        );
        true
    });
}

/// The code with which a session ends over this message.
fn refusal(role: Role, max_frame: usize, message: &Bytes) -> Option<ErrorCode> {
    let config = Config {
        max_frame,
        ..Config::for_role(role)
    };
    let now = Instant::now();
    let mut session = Session::new(role, config, now);
    let first = Frame::Hello(proto::SessionHello {
        versions: vec![1],
        settings: vec![proto::Setting {
            id: 1,
            value: max_frame as u64,
        }],
        software: String::new(),
    });
    // A second HELLO would be wrong whatever it holds.
    if message.first() != Some(&1) {
        session
            .handle_message(now, LaneId::ZERO, first.encode())
            .unwrap();
    }
    let result = session.handle_message(now, LaneId::ZERO, message.clone());
    result.err().map(|error| error.code)
}

fn compare(case: &Case, frame: &Frame) {
    let (name, stream, content) = describe(frame);
    let id = &case.id;
    assert_eq!(name, case.get::<String>("type").unwrap(), "{id}");
    assert_eq!(stream, case.get::<String>("stream").unwrap(), "{id}");
    if case.has("content_length") {
        let bytes = content.as_str().unwrap().len() / 2;
        assert_eq!(bytes, case.get::<usize>("content_length").unwrap(), "{id}");
    } else {
        assert_eq!(content, case.get::<Value>("content").unwrap(), "{id}");
    }
}

/// Type, stream and content as the vectors write them.
fn describe(frame: &Frame) -> (String, String, Value) {
    let of = |name: &str, stream: &StreamId, content| {
        (name.to_owned(), stream.get().to_string(), content)
    };
    let of_session = |name: &str, content| (name.to_owned(), "0".to_owned(), content);
    match frame {
        Frame::Hello(hello) => {
            let settings = hello.settings.iter();
            let settings =
                settings.map(|s| json!({"id": s.id.to_string(), "value": s.value.to_string()}));
            let content = json!({
                "versions": hello.versions,
                "settings": settings.collect::<Vec<_>>(),
                "software": hello.software,
            });
            of_session("HELLO", content)
        }
        Frame::Request { stream, head } => {
            let content = json!({
                "method": head.method,
                "target": head.target,
                "fields": fields(&head.fields),
                "end": head.end,
                "protocol": head.protocol,
            });
            of("REQUEST", stream, content)
        }
        Frame::Response { stream, head } => {
            let content = json!({
                "status": head.status,
                "fields": fields(&head.fields),
                "end": head.end,
            });
            of("RESPONSE", stream, content)
        }
        Frame::Data { stream, data } => of("DATA", stream, hex(data)),
        Frame::DataEnd { stream, data } => of("DATA_END", stream, hex(data)),
        Frame::Message {
            stream,
            kind,
            last,
            data,
        } => {
            let name = match (kind, last) {
                (MessageKind::Text, true) => "WS_TEXT",
                (MessageKind::Text, false) => "WS_TEXT_PART",
                (MessageKind::Binary, true) => "WS_BINARY",
                (MessageKind::Binary, false) => "WS_BINARY_PART",
            };
            of(name, stream, hex(data))
        }
        Frame::Close { stream, close } => {
            let content = json!({"code": close.code, "reason": close.reason});
            of("WS_CLOSE", stream, content)
        }
        Frame::Trailers { stream, trailers } => of(
            "TRAILERS",
            stream,
            json!({"fields": fields(&trailers.fields)}),
        ),
        Frame::Reset {
            stream,
            code,
            reason,
        } => {
            let content = json!({"code": code.get().to_string(), "reason": reason});
            of("RESET", stream, content)
        }
        Frame::Stop { stream, code } => of("STOP", stream, json!({"code": code.get().to_string()})),
        Frame::Credit { stream, max_bytes } => {
            let content = json!({"max_bytes": max_bytes.to_string()});
            match stream {
                Some(stream) => of("CREDIT", stream, content),
                None => of_session("CREDIT", content),
            }
        }
        Frame::Ping { token } => of_session("PING", json!({"token": token.to_string()})),
        Frame::Pong { token } => of_session("PONG", json!({"token": token.to_string()})),
        Frame::GoAway {
            code,
            last_stream,
            reason,
        } => {
            let content = json!({
                "code": code.get().to_string(),
                "last_stream": last_stream.to_string(),
                "reason": reason,
            });
            of_session("GOAWAY", content)
        }
        Frame::Unknown {
            frame_type,
            stream,
            payload,
        } => (frame_type.to_string(), stream.to_string(), hex(payload)),
    }
}

fn fields(fields: &[proto::Field]) -> Vec<Value> {
    let fields = fields.iter();
    fields
        .map(|field| json!({"name": field.name, "value": hex(&field.value)}))
        .collect()
}

fn hex(bytes: &[u8]) -> Value {
    data_encoding::HEXLOWER.encode(bytes).into()
}
