//! One session, its application, and a peer that sends whatever it likes.

use std::time::Duration;

use arbitrary::{Arbitrary, Result, Unstructured};
use bytes::Bytes;
use p2claw_proto::v1 as proto;
use p2claw_session::frame::Frame;
use p2claw_session::limits::worst_case_memory;
use p2claw_session::{
    Close, ErrorCode, Event, Fields, LaneId, MessageKind, Read, ReadError, Response, Role, Session,
    StreamId, varint,
};

use super::{ALLOCATED, config, request, start, trace};

/// Operations of one input.
const OPERATIONS: usize = 2_000;

/// Bytes that the target itself may hold meanwhile: the input's own messages and their like.
const OWN_MEMORY: usize = 1 << 20;

#[derive(Debug, Arbitrary)]
enum Op<'a> {
    Frame {
        lane: u8,
        frame: Sent<'a>,
    },
    Bytes {
        lane: u8,
        message: &'a [u8],
    },
    Open(u8),
    Respond {
        stream: u8,
        status: u16,
        end: bool,
    },
    Write {
        stream: u8,
        length: u16,
    },
    Send {
        stream: u8,
        text: bool,
        length: u16,
        last: bool,
    },
    Close {
        stream: u8,
        code: u16,
    },
    Finish(u8),
    Reset(u8),
    CutOff(u8),
    Stop(u8),
    Read(u8),
    Release(u8),
    Transmit {
        lane: u8,
        count: u8,
    },
    Look,
    Pass(u16),
    GoAway,
}

/// A frame that makes sense by itself.
#[derive(Debug, Arbitrary)]
enum Sent<'a> {
    Request {
        stream: u8,
        method: u8,
        target: &'a str,
        field: Option<(&'a str, &'a [u8])>,
        end: bool,
    },
    Response {
        stream: u8,
        status: u16,
        field: Option<(&'a str, &'a [u8])>,
        end: bool,
    },
    /// Raw payloads: DATA, DATA_END and messages.
    Raw {
        stream: u8,
        kind: u8,
        length: u16,
    },
    Text {
        stream: u8,
        last: bool,
        bytes: &'a [u8],
    },
    Close {
        stream: u8,
        code: u16,
        reason: &'a str,
    },
    Trailers {
        stream: u8,
        name: &'a str,
    },
    Reset {
        stream: u8,
        code: u64,
        reason: &'a str,
    },
    Stop {
        stream: u8,
        code: u64,
    },
    Credit {
        stream: u8,
        max: u64,
    },
    Ping(u64),
    Pong(u64),
    GoAway {
        code: u8,
        last: u8,
    },
    Hello {
        settings: Vec<(u8, u64)>,
        version: u8,
    },
    Repeat {
        count: u8,
    },
    Unknown {
        frame_type: u64,
        stream: u8,
    },
}

/// Nothing that a peer sends makes a session panic, hang, grow beyond its bound, or say anything
/// that is no frame; when it ends, every stream ends with it.
pub(super) fn run(input: &mut Unstructured<'_>) -> Result<()> {
    let role = if input.arbitrary()? {
        Role::Visitor
    } else {
        Role::Agent
    };
    let config = config(input)?;
    let before = ALLOCATED.get().map_or(0, |allocated| allocated());
    let bound = worst_case_memory(role, &config) + OWN_MEMORY;
    let mut world = World {
        session: Session::new(role, config.clone(), start()),
        now: start(),
        role,
        last: Bytes::new(),
    };
    if input.ratio(7, 8)? {
        let hello = proto::SessionHello {
            versions: vec![1],
            settings: vec![proto::Setting { id: 5, value: 4 }],
            ..proto::SessionHello::default()
        };
        world.take(0, Frame::Hello(hello).encode());
    }
    for _ in 0..OPERATIONS {
        if input.is_empty() {
            break;
        }
        let Ok(op) = Op::arbitrary(input) else {
            break;
        };
        trace(&op);
        world.apply(op);
        let (to_send, to_read) = world.session.buffered();
        assert!(to_read as u64 <= config.session_credit);
        assert!(to_send <= (config.send_buffer + 64) * world.session.open_streams());
        assert!(world.session.open_streams() as u64 <= config.max_streams);
        if let Some(allocated) = ALLOCATED.get() {
            let held = allocated().saturating_sub(before);
            assert!(held <= bound, "{held} bytes, where {bound} are the bound");
        }
    }
    world.end();
    Ok(())
}

struct World {
    session: Session,
    now: std::time::Instant,
    role: Role,
    /// What the peer has sent last.
    last: Bytes,
}

fn id(stream: u8) -> StreamId {
    // Most of the few streams that there are, and some that nobody opens.
    let number = match stream {
        0..=199 => 2 * (u64::from(stream) % 8) + 1,
        200..=239 => u64::from(stream),
        _ => u64::from(stream) % 8 + 1,
    };
    StreamId::new(number).unwrap_or_else(|| panic!("{number} is a stream"))
}

fn on(lane: u8) -> LaneId {
    // Lane 0 most of the time.
    LaneId::new(if lane < 200 { 0 } else { lane % 16 }).unwrap_or(LaneId::ZERO)
}

impl World {
    /// The session ends exactly when it says so, and then for good.
    fn take(&mut self, lane: u8, message: Bytes) {
        self.last = message.clone();
        let farewell = matches!(Frame::decode(message.clone()), Ok(Frame::GoAway { code, .. }) if code.get() != 0);
        let was = self.session.is_closed();
        let outcome = self.session.handle_message(self.now, on(lane), message);
        if was {
            assert_eq!(outcome, Ok(()));
        } else if outcome.is_err() {
            assert!(self.session.is_closed());
        } else {
            assert!(farewell || !self.session.is_closed());
        }
    }

    fn apply(&mut self, op: Op<'_>) {
        match op {
            Op::Frame {
                lane,
                frame: Sent::Repeat { count },
            } => {
                for _ in 0..count {
                    self.take(lane, self.last.clone());
                }
            }
            Op::Frame { lane, frame } => self.take(lane, frame.encode()),
            Op::Bytes { lane, message } => self.take(lane, Bytes::copy_from_slice(message)),
            Op::Open(kind) => {
                let request = match kind % 4 {
                    0 => request("GET", true, None),
                    1 => request("POST", false, None),
                    2 => request("HEAD", true, None),
                    _ => request("CONNECT", false, Some("websocket")),
                };
                let opened = self.session.open(request);
                assert!(opened.is_err() || self.role == Role::Visitor);
            }
            Op::Respond {
                stream,
                status,
                end,
            } => {
                let response = Response {
                    status: status % 700,
                    fields: Fields::new(),
                    end,
                };
                let outcome = self.session.respond(id(stream), response);
                assert!(outcome.is_err() || self.role == Role::Agent);
            }
            Op::Write { stream, length } => {
                let mut data = Bytes::from(vec![b'x'; length.into()]);
                let _ = self.session.write(id(stream), &mut data);
            }
            Op::Send {
                stream,
                text,
                length,
                last,
            } => {
                let kind = if text {
                    MessageKind::Text
                } else {
                    MessageKind::Binary
                };
                let mut data = Bytes::from(vec![b'x'; length.into()]);
                let _ = self.session.send_message(id(stream), kind, &mut data, last);
            }
            Op::Close { stream, code } => {
                let close = Close::new(code, "").unwrap_or(Close::NONE);
                let _ = self.session.close_websocket(id(stream), close);
            }
            Op::Finish(stream) => {
                let _ = self.session.finish(id(stream), None);
            }
            Op::Reset(stream) => self
                .session
                .reset(id(stream), ErrorCode::INTERNAL, "because"),
            Op::CutOff(stream) => {
                self.session
                    .cut_off(id(stream), ErrorCode::UPSTREAM_FAILED, "because");
            }
            Op::Stop(stream) => self.session.stop(id(stream), ErrorCode::CANCELLED),
            Op::Read(stream) => {
                let outcome = self.session.read(id(stream));
                assert!(!matches!(&outcome, Ok(Read::Data(data)) if data.is_empty()));
                assert!(!(self.session.is_closed() && outcome == Ok(Read::Blocked)));
            }
            Op::Release(stream) => self.session.release(id(stream)),
            Op::Transmit { lane, count } => {
                for _ in 0..count {
                    let Some(message) = self.session.poll_transmit(on(lane)) else {
                        break;
                    };
                    self.check_sent(message);
                }
            }
            Op::Look => while self.session.poll_event().is_some() {},
            Op::Pass(millis) => {
                self.now += Duration::from_millis(millis.into());
                for _ in 0..10 {
                    self.session.handle_timeout(self.now);
                }
                assert!(
                    self.session
                        .poll_timeout()
                        .is_none_or(|deadline| deadline > self.now)
                );
            }
            Op::GoAway => self.session.go_away(),
        }
    }

    /// SES-001, SES-003: what is sent is a frame, and no longer than allowed.
    fn check_sent(&self, message: Bytes) {
        let longest = self.session.peer().map_or(16_384, |peer| peer.max_frame);
        assert!(message.len() <= longest);
        let frame = Frame::decode(message.clone()).expect("a session sends frames");
        assert_eq!(frame.encode(), message);
    }

    fn end(mut self) {
        if !self.session.is_closed() {
            self.session.close(ErrorCode::NO_ERROR, "the test ends");
        }
        let mut ended = false;
        let mut streams = Vec::new();
        while let Some(event) = self.session.poll_event() {
            assert!(!ended, "{event:?} behind the end");
            match event {
                Event::Closed(_) => ended = true,
                Event::Request { id, .. } => streams.push(id),
                _ => {}
            }
        }
        // Streams that the input never looked at, too.
        streams.extend((0..=255).map(id));
        for stream in streams {
            for step in 0.. {
                assert!(step < 300_000, "stream {stream} has no end");
                match self.session.read(stream) {
                    Ok(Read::Data(_) | Read::Message { .. }) => {}
                    Ok(Read::Blocked) => panic!("stream {stream} blocks behind the end"),
                    Ok(Read::End(_) | Read::Close(_))
                    | Err(ReadError::Reset { .. } | ReadError::Closed | ReadError::UnknownStream) =>
                    {
                        break;
                    }
                }
            }
            self.session.release(stream);
        }
        let mut count = 0;
        while let Some(message) = self.session.poll_transmit(LaneId::ZERO) {
            self.check_sent(message);
            count += 1;
        }
        assert!(count <= 2, "{count} frames behind the end");
        assert!(self.session.is_drained());
        assert_eq!(self.session.poll_timeout(), None);
    }
}

impl Sent<'_> {
    fn encode(self) -> Bytes {
        let frame = match self {
            Self::Raw {
                stream,
                kind,
                length,
            } => return raw(stream, kind, length),
            Self::Text {
                stream,
                last,
                bytes,
            } => {
                let data = Bytes::copy_from_slice(bytes);
                Frame::Message {
                    stream: id(stream),
                    kind: MessageKind::Text,
                    last,
                    data,
                }
            }
            Self::Request {
                stream,
                method,
                target,
                field,
                end,
            } => {
                let method = ["GET", "POST", "HEAD", "CONNECT", "OPTIONS", "get it"]
                    [usize::from(method) % 6];
                let protocol = if method == "CONNECT" { "websocket" } else { "" };
                let head = proto::Request {
                    method: method.into(),
                    target: if target.is_empty() {
                        "/".into()
                    } else {
                        target.into()
                    },
                    fields: fields(field),
                    end,
                    protocol: protocol.into(),
                };
                Frame::Request {
                    stream: id(stream),
                    head,
                }
            }
            Self::Response {
                stream,
                status,
                field,
                end,
            } => {
                let head = proto::Response {
                    status: u32::from(status) % 700,
                    fields: fields(field),
                    end,
                };
                Frame::Response {
                    stream: id(stream),
                    head,
                }
            }
            Self::Close {
                stream,
                code,
                reason,
            } => {
                let close = proto::WsClose {
                    code: code.into(),
                    reason: reason.into(),
                };
                Frame::Close {
                    stream: id(stream),
                    close,
                }
            }
            Self::Trailers { stream, name } => {
                let trailers = proto::Trailers {
                    fields: fields(Some((name, b"x"))),
                };
                Frame::Trailers {
                    stream: id(stream),
                    trailers,
                }
            }
            Self::Reset {
                stream,
                code,
                reason,
            } => Frame::Reset {
                stream: id(stream),
                code: ErrorCode::new(code),
                reason: reason.into(),
            },
            Self::Stop { stream, code } => Frame::Stop {
                stream: id(stream),
                code: ErrorCode::new(code),
            },
            Self::Credit { stream, max } => Frame::Credit {
                stream: (stream > 50).then(|| id(stream)),
                max_bytes: max,
            },
            Self::Ping(token) => Frame::Ping { token },
            Self::Pong(token) => Frame::Pong { token },
            Self::GoAway { code, last } => Frame::GoAway {
                code: ErrorCode::new(code.saturating_sub(200).into()),
                last_stream: last.into(),
                reason: String::new(),
            },
            Self::Hello { settings, version } => {
                let settings = settings.into_iter().map(|(id, value)| proto::Setting {
                    id: id.into(),
                    value,
                });
                Frame::Hello(proto::SessionHello {
                    versions: vec![u32::from(version > 20)],
                    settings: settings.collect(),
                    software: String::new(),
                })
            }
            Self::Unknown { frame_type, stream } => Frame::Unknown {
                frame_type,
                stream: stream.into(),
                payload: Bytes::from_static(b"payload"),
            },
            Self::Repeat { .. } => return Bytes::new(),
        };
        frame.encode()
    }
}

/// A frame of body bytes or of a message, of any length.
fn raw(stream: u8, kind: u8, length: u16) -> Bytes {
    let types = [0x04, 0x04, 0x05, 0x10, 0x11, 0x12, 0x13, 0x14];
    let mut message = Vec::new();
    varint::encode(types[usize::from(kind) % types.len()], &mut message);
    varint::encode(id(stream).get(), &mut message);
    message.resize(message.len() + usize::from(length), b'y');
    message.into()
}

fn fields(field: Option<(&str, &[u8])>) -> Vec<proto::Field> {
    let known = field.map(|(name, value)| proto::Field {
        name: if name.is_empty() {
            "content-length".into()
        } else {
            name.into()
        },
        value: Bytes::copy_from_slice(value),
    });
    known.into_iter().collect()
}
