use bytes::{Buf, Bytes, BytesMut};
use p2claw_proto::v1 as proto;
use proptest::prelude::*;

use super::{Frame, FrameError, FrameType, grease};
use crate::limits::VARINT_MAX;
use crate::{ErrorCode, MessageKind, StreamId, varint};

/// RFC 9000 appendix A.1 (SES-001).
#[test]
fn varints_of_the_rfc() {
    let cases: [(&[u8], u64); 5] = [
        (
            &[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c],
            151_288_809_941_952_652,
        ),
        (&[0x9d, 0x7f, 0x3e, 0x7d], 494_878_333),
        (&[0x7b, 0xbd], 15_293),
        (&[0x25], 37),
        (&[0x40, 0x25], 37),
    ];
    for (bytes, value) in cases {
        let mut input = bytes;
        assert_eq!(varint::decode(&mut input), Some(value));
        assert!(input.is_empty());
        for len in 0..bytes.len() {
            let mut cut = bytes.get(..len).unwrap();
            assert_eq!(varint::decode(&mut cut), None);
        }
    }
    assert_eq!(
        [0, 63, 64, 16_383, 16_384, 1 << 30, VARINT_MAX].map(varint::len),
        [1, 1, 2, 2, 4, 8, 8]
    );
}

proptest! {
    /// SES-001: the shortest encoding, which decodes to the same number from any cut of the buffer.
    #[test]
    fn varints_round_trip(value in 0..=VARINT_MAX, split in 0..8_usize) {
        let mut encoded = BytesMut::new();
        varint::encode(value, &mut encoded);
        prop_assert_eq!(encoded.len(), varint::len(value));
        let encoded = encoded.freeze();
        let split = split.min(encoded.len());
        let mut input = encoded.slice(..split).chain(encoded.slice(split..));
        prop_assert_eq!(varint::decode(&mut input), Some(value));
    }

    /// SES-002: whatever comes, decoding says yes or no.
    #[test]
    fn any_bytes_decode_or_fail(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(frame) = Frame::decode(Bytes::from(bytes)) {
            prop_assert_eq!(Frame::decode(frame.encode()), Ok(frame));
        }
    }
}

fn every_frame() -> Vec<Frame> {
    let stream = StreamId::new(5).unwrap();
    let field = || {
        vec![proto::Field {
            name: "a".into(),
            value: Bytes::from_static(b"b"),
        }]
    };
    let data = Bytes::from_static(b"hi");
    let code = ErrorCode::CANCELLED;
    vec![
        Frame::Hello(proto::SessionHello {
            versions: vec![1],
            settings: vec![proto::Setting {
                id: 1,
                value: 65_536,
            }],
            software: "x".into(),
        }),
        Frame::Request {
            stream,
            head: proto::Request {
                method: "GET".into(),
                target: "/".into(),
                fields: field(),
                end: true,
                ..Default::default()
            },
        },
        Frame::Response {
            stream,
            head: proto::Response {
                status: 200,
                fields: field(),
                end: false,
            },
        },
        Frame::Data {
            stream,
            data: data.clone(),
        },
        Frame::DataEnd {
            stream,
            data: data.clone(),
        },
        Frame::DataEnd {
            stream,
            data: Bytes::new(),
        },
        Frame::Message {
            stream,
            kind: MessageKind::Text,
            last: true,
            data: Bytes::new(),
        },
        Frame::Message {
            stream,
            kind: MessageKind::Binary,
            last: true,
            data: data.clone(),
        },
        Frame::Message {
            stream,
            kind: MessageKind::Text,
            last: false,
            data: data.clone(),
        },
        Frame::Message {
            stream,
            kind: MessageKind::Binary,
            last: false,
            data: data.clone(),
        },
        Frame::Close {
            stream,
            close: proto::WsClose {
                code: 1000,
                reason: "bye".into(),
            },
        },
        Frame::Trailers {
            stream,
            trailers: proto::Trailers { fields: field() },
        },
        Frame::Reset {
            stream,
            code,
            reason: "left".into(),
        },
        Frame::Stop { stream, code },
        Frame::Credit {
            stream: Some(stream),
            max_bytes: 300,
        },
        Frame::Credit {
            stream: None,
            max_bytes: 300,
        },
        Frame::Ping { token: 7 },
        Frame::Pong { token: 7 },
        Frame::GoAway {
            code: ErrorCode::NO_ERROR,
            last_stream: 5,
            reason: String::new(),
        },
        Frame::Unknown {
            frame_type: grease(1),
            stream: 0,
            payload: data,
        },
    ]
}

/// The bytes of every type (SES-001), to compare with other implementations.
#[test]
fn frames_on_the_wire() {
    let lines: String = every_frame()
        .iter()
        .map(|frame| {
            let bytes = frame.encode();
            assert_eq!(Frame::decode(bytes.clone()).as_ref(), Ok(frame));
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let name = FrameType::from_wire(u64::from(bytes[0])).map_or("grease", FrameType::name);
            format!("{name:<14} {hex}\n")
        })
        .collect();
    insta::assert_snapshot!(lines);
}

/// SES-009, SES-022
#[test]
fn streams_where_they_belong() {
    for frame in every_frame() {
        let Some(frame_type) = FrameType::from_wire(u64::from(frame.encode()[0])) else {
            continue;
        };
        let mut other: Vec<u8> = frame.encode().to_vec();
        other[1] = if other[1] == 0 { 5 } else { 0 };
        let outcome = Frame::decode(other.into());
        if frame_type == FrameType::Credit {
            assert!(outcome.is_ok());
        } else {
            assert_eq!(outcome, Err(FrameError::WrongStream(frame_type)));
        }
    }
    // WSK-011
    for frame_type in [
        FrameType::Data,
        FrameType::WsTextPart,
        FrameType::WsBinaryPart,
    ] {
        let wire = u8::try_from(frame_type.wire()).unwrap();
        assert_eq!(
            Frame::decode(Bytes::from(vec![wire, 5])),
            Err(FrameError::EmptyData(frame_type))
        );
    }
}

/// VER-020
#[test]
fn the_registry_is_consistent() {
    let mut before = 0;
    for frame_type in FrameType::ALL {
        assert!(frame_type.wire() > before, "in the order of their numbers");
        before = frame_type.wire();
        assert_eq!(FrameType::from_wire(before), Some(*frame_type));
    }
    for n in 0..100_000 {
        assert_eq!(FrameType::from_wire(grease(n)), None);
        assert_eq!(ErrorCode::new(grease(n)).name(), "UNKNOWN");
    }
    let names: Vec<String> = ErrorCode::REGISTERED
        .iter()
        .map(|code| format!("{} {} {:?}", code.get(), code, code.fault()))
        .collect();
    insta::assert_snapshot!("error_codes", names.join("\n"));
}
