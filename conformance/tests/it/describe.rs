//! Any message of the protocol as the vectors and traces write it.

use p2claw_session::frame::FrameType;
use prost_reflect::{DescriptorPool, DynamicMessage, Kind, Value as Field};
use serde_json::{Map, Value, json};

/// Reads messages by the names that they have in `proto/`.
pub(crate) struct Describe(DescriptorPool);

impl Describe {
    pub(crate) fn new() -> Self {
        let protos = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto");
        let files = ["p2claw/v1/signaling.proto", "p2claw/v1/session.proto"];
        let set = protox::compile(files, [protos]).unwrap();
        Self(DescriptorPool::from_file_descriptor_set(set).unwrap())
    }

    /// A message with the fields that are not at their default.
    pub(crate) fn message(&self, name: &str, bytes: &[u8]) -> Value {
        let descriptor = self
            .0
            .get_message_by_name(&format!("p2claw.v1.{name}"))
            .unwrap();
        fields(&DynamicMessage::decode(descriptor, bytes).unwrap())
    }

    /// An envelope or a visit event: its kind, and what is in that.
    pub(crate) fn kind(&self, name: &str, bytes: &[u8]) -> (String, Value) {
        let Value::Object(all) = self.message(name, bytes) else {
            panic!("a message is an object");
        };
        let inner = all.into_iter().find(|(_, value)| value.is_object());
        inner.map_or(("unknown".to_owned(), json!({})), |(name, value)| {
            let pascal = name.split('_').map(|part| {
                let (first, rest) = part.split_at(1);
                first.to_uppercase() + rest
            });
            (pascal.collect(), value)
        })
    }

    /// A frame: its type, stream and payload.
    pub(crate) fn frame(&self, message: &[u8]) -> (String, u64, Value) {
        let mut rest = message;
        let number = p2claw_session::varint::decode(&mut rest).unwrap();
        let stream = p2claw_session::varint::decode(&mut rest).unwrap();
        let raw = Value::from(data_encoding::HEXLOWER.encode(rest));
        let Some(frame_type) = FrameType::from_wire(number) else {
            return (number.to_string(), stream, raw);
        };
        let payload = match frame_type {
            FrameType::Hello => "SessionHello",
            FrameType::Request => "Request",
            FrameType::Response => "Response",
            FrameType::Trailers => "Trailers",
            FrameType::Reset => "Reset",
            FrameType::Stop => "Stop",
            FrameType::Credit => "Credit",
            FrameType::Ping => "Ping",
            FrameType::Pong => "Pong",
            FrameType::GoAway => "GoAway",
            FrameType::WsClose => "WsClose",
            FrameType::Data
            | FrameType::DataEnd
            | FrameType::WsText
            | FrameType::WsBinary
            | FrameType::WsTextPart
            | FrameType::WsBinaryPart => return (frame_type.name().to_owned(), stream, raw),
        };
        let content = self.message(payload, rest);
        (frame_type.name().to_owned(), stream, content)
    }
}

fn fields(message: &DynamicMessage) -> Value {
    let mut object = Map::new();
    for (field, value) in message.fields() {
        object.insert(field.name().to_owned(), json(value, &field.kind()));
    }
    Value::Object(object)
}

fn json(value: &Field, kind: &Kind) -> Value {
    match value {
        Field::Bool(value) => json!(value),
        Field::I32(value) => json!(value),
        Field::U32(value) => json!(value),
        Field::I64(value) => json!(value.to_string()),
        Field::U64(value) => json!(value.to_string()),
        Field::F32(_) | Field::F64(_) | Field::Map(_) => panic!("no message has such a field"),
        Field::String(value) => json!(value),
        Field::Bytes(value) => json!(data_encoding::HEXLOWER.encode(value)),
        Field::EnumNumber(number) => {
            let name = kind.as_enum().and_then(|names| names.get_value(*number));
            let name = name.map(|name| name.name().trim_start_matches("SIGNAL_CODE_").to_owned());
            json!(name.unwrap_or_else(|| number.to_string()))
        }
        Field::Message(message) => fields(message),
        Field::List(list) => list.iter().map(|value| json(value, kind)).collect(),
    }
}
