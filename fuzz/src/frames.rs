//! Any message as a frame.

use std::time::Instant;

use bytes::{Buf, Bytes};
use p2claw_proto::v1 as proto;
use p2claw_session::frame::{Frame, FrameType};
use p2claw_session::{Config, Event, Fields, LaneId, Role, Session};

/// What is decoded is written again to the same frame, and what a session takes as a head keeps
/// the rules of heads.
pub fn run(data: &[u8]) {
    let message = Bytes::copy_from_slice(data);
    let header = header(data);
    match Frame::decode(message.clone()) {
        Ok(frame) => {
            let (frame_type, stream, length) = header.expect("a frame has a whole header");
            check_payload(&frame, frame_type, stream, &message, length);
            let written = frame.encode();
            let again = Frame::decode(written.clone()).expect("what was written is read");
            assert_eq!(again, frame, "writing changes a frame");
            assert_eq!(again.encode(), written, "writing twice gives other bytes");
        }
        Err(_) => assert!(
            header.is_none_or(|(frame_type, ..)| FrameType::from_wire(frame_type).is_some()),
            "a frame of an unknown type was refused"
        ),
    }
    for role in [Role::Visitor, Role::Agent] {
        feed(role, message.clone());
    }
}

/// Type, stream, and the length of both, read in the plainest way.
fn header(data: &[u8]) -> Option<(u64, u64, usize)> {
    let (frame_type, first) = varint(data)?;
    let (stream, second) = varint(data.get(first..)?)?;
    Some((frame_type, stream, first + second))
}

fn varint(data: &[u8]) -> Option<(u64, usize)> {
    let first = *data.first()?;
    let length = [1, 2, 4, 8][usize::from(first >> 6)];
    let bytes = data.get(..length)?;
    let start = u64::from(first & 0x3f);
    let rest = bytes.iter().skip(1);
    let value = rest.fold(start, |value, byte| value << 8 | u64::from(*byte));
    Some((value, length))
}

/// Body bytes are the rest of the message, and slices of it.
fn check_payload(frame: &Frame, frame_type: u64, stream: u64, message: &Bytes, header: usize) {
    let rest = message.slice(header..);
    let raw = match frame {
        Frame::Data { data, .. } | Frame::DataEnd { data, .. } | Frame::Message { data, .. } => {
            data
        }
        Frame::Unknown {
            frame_type: number,
            stream: on,
            payload,
        } => {
            assert_eq!((*number, *on), (frame_type, stream));
            assert_eq!(FrameType::from_wire(frame_type), None);
            payload
        }
        _ => return,
    };
    assert_eq!(*raw, rest);
    assert!(
        raw.is_empty() || raw.as_ptr() == rest.as_ptr(),
        "body bytes were copied"
    );
}

/// Behind a HELLO, a session takes the message or ends with a GOAWAY; it never does both.
fn feed(role: Role, message: Bytes) {
    let now = start();
    let mut session = Session::new(role, Config::for_role(role), now);
    let hello = Frame::Hello(proto::SessionHello {
        versions: vec![1],
        ..proto::SessionHello::default()
    });
    session
        .handle_message(now, LaneId::ZERO, hello.encode())
        .expect("a plain HELLO is taken");
    let farewell =
        matches!(Frame::decode(message.clone()), Ok(Frame::GoAway { code, .. }) if code.get() != 0);
    let taken = session.handle_message(now, LaneId::ZERO, message);
    assert_eq!(taken.is_err() || farewell, session.is_closed());
    while let Some(event) = session.poll_event() {
        match event {
            Event::Request { request, .. } => {
                assert!(request.validate().is_ok());
                assert!(is_token(&request.method));
                let target = request.target.as_str().as_bytes();
                assert!(
                    target == b"*" && request.method == "OPTIONS"
                        || target.starts_with(b"/") && !target.starts_with(b"//")
                );
                assert!(
                    target
                        .iter()
                        .all(|b| (0x21..=0x7e).contains(b) && *b != b'#')
                );
                assert!(request.fields.get("host").is_none());
                check_fields(&request.fields);
            }
            Event::Response { response, .. } => check_fields(&response.fields),
            _ => {}
        }
    }
    let mut last = None;
    while let Some(sent) = session.poll_transmit(LaneId::ZERO) {
        last = Some(Frame::decode(sent).expect("a session sends frames"));
    }
    let said = matches!(last, Some(Frame::GoAway { code, .. }) if code.get() != 0);
    assert_eq!(
        said,
        taken.is_err(),
        "GOAWAY is the last frame of a failed session"
    );
}

/// SES-030 to SES-032, in the plainest way.
fn check_fields(fields: &Fields) {
    for (name, value) in fields.iter() {
        assert!(is_token(name) && !name.bytes().any(|b| b.is_ascii_uppercase()));
        let of_connection = [
            "connection",
            "keep-alive",
            "proxy-connection",
            "transfer-encoding",
            "upgrade",
        ];
        assert!(!of_connection.contains(&name));
        assert!(name != "te" || value.eq_ignore_ascii_case(b"trailers"));
        assert!(!value.iter().any(|b| [b'\r', b'\n', 0].contains(b)));
        let mut ends = value.clone();
        let first = ends.has_remaining().then(|| ends.get_u8());
        for end in first.iter().chain(value.last()) {
            assert!(![b' ', b'\t'].contains(end));
        }
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// Sessions count time from their start, so any will do.
fn start() -> Instant {
    Instant::now()
}
