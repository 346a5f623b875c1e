//! One frame per message: varint type, varint stream, payload (SES-001).

use bytes::{BufMut, Bytes, BytesMut};
use p2claw_proto::v1 as proto;
use prost::Message;

use crate::registry::{GREASE_FIRST, GREASE_STEP};
use crate::{ErrorCode, MessageKind, StreamId, varint};

pub use crate::registry::FrameType;

/// The n-th type, setting or code that stands for nothing and must be skipped (SES-091).
pub const fn grease(n: u32) -> u64 {
    GREASE_STEP * (n as u64) + GREASE_FIRST
}

/// A decoded message.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// First frame each way on lane 0.
    Hello(proto::SessionHello),
    /// Opens a stream; the head is not checked yet, see [`crate::head`].
    Request {
        /// The new stream.
        stream: StreamId,
        /// Its head.
        head: proto::Request,
    },
    /// A response head, not checked yet, see [`crate::head`].
    Response {
        /// The stream that it answers.
        stream: StreamId,
        /// Its head.
        head: proto::Response,
    },
    /// Body bytes, at least one.
    Data {
        /// The stream.
        stream: StreamId,
        /// A slice of the message.
        data: Bytes,
    },
    /// The last body bytes, perhaps none.
    DataEnd {
        /// The stream.
        stream: StreamId,
        /// A slice of the message.
        data: Bytes,
    },
    /// A WebSocket message, or a part of one.
    Message {
        /// The stream.
        stream: StreamId,
        /// Text or binary.
        kind: MessageKind,
        /// The message ends with it.
        last: bool,
        /// A slice of the message on the lane.
        data: Bytes,
    },
    /// Ends one half of a WebSocket; code and reason are not checked yet, see [`crate::Close`].
    Close {
        /// The stream.
        stream: StreamId,
        /// Code and reason.
        close: proto::WsClose,
    },
    /// Ends a body; the fields are not checked yet.
    Trailers {
        /// The stream.
        stream: StreamId,
        /// Trailer fields.
        trailers: proto::Trailers,
    },
    /// The sender gives its body up.
    Reset {
        /// The stream.
        stream: StreamId,
        /// Why.
        code: ErrorCode,
        /// Why, for people.
        reason: String,
    },
    /// The receiver asks for no more of the body.
    Stop {
        /// The stream.
        stream: StreamId,
        /// Why.
        code: ErrorCode,
    },
    /// Flow-control credit, absolute.
    Credit {
        /// The stream, `None` for the session.
        stream: Option<StreamId>,
        /// Body bytes that may have been sent in all.
        max_bytes: u64,
    },
    /// Asks for a PONG.
    Ping {
        /// Comes back in the PONG.
        token: u64,
    },
    /// Answers a PING.
    Pong {
        /// Token of the PING.
        token: u64,
    },
    /// No further streams; with a code other than 0, the session is over.
    GoAway {
        /// Why.
        code: ErrorCode,
        /// Highest stream that was, or will be, acted upon.
        last_stream: u64,
        /// Why, for people.
        reason: String,
    },
    /// A type that this version does not know (SES-004).
    Unknown {
        /// Its number.
        frame_type: u64,
        /// Its stream, 0 for the session.
        stream: u64,
        /// Whatever it carries.
        payload: Bytes,
    },
}

/// What is wrong with a message, always the peer's fault (SES-002).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// A message of no bytes.
    #[error("a message is empty")]
    Empty,
    /// The message ends within its header.
    #[error("a message ends within its header")]
    Truncated,
    /// The payload is not the message that its type calls for.
    #[error("the payload of {} does not decode", .0.name())]
    Payload(FrameType),
    /// DATA without a byte (SES-022), or a part of a message without one (WSK-011).
    #[error("a {} frame is empty", .0.name())]
    EmptyData(FrameType),
    /// A frame of a stream names stream 0, or one of the session names a stream (SES-009).
    #[error("{} names a stream where it must not, or none where it must", .0.name())]
    WrongStream(FrameType),
}

/// Type and stream of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) frame_type: u64,
    pub(crate) stream: u64,
}

impl Header {
    pub(crate) const fn new(frame_type: FrameType, stream: Option<StreamId>) -> Self {
        Self {
            frame_type: frame_type.wire(),
            stream: match stream {
                Some(stream) => stream.get(),
                None => 0,
            },
        }
    }

    pub(crate) const fn len(self) -> usize {
        varint::len(self.frame_type) + varint::len(self.stream)
    }

    fn decode(message: &mut Bytes) -> Result<Self, FrameError> {
        if message.is_empty() {
            return Err(FrameError::Empty);
        }
        let frame_type = varint::decode(message).ok_or(FrameError::Truncated)?;
        let stream = varint::decode(message).ok_or(FrameError::Truncated)?;
        Ok(Self { frame_type, stream })
    }

    /// A buffer of exactly the frame's size that starts with the header.
    pub(crate) fn begin(self, payload: usize) -> BytesMut {
        let mut frame = BytesMut::with_capacity(self.len() + payload);
        varint::encode(self.frame_type, &mut frame);
        varint::encode(self.stream, &mut frame);
        frame
    }

    /// The whole frame with a protobuf payload.
    pub(crate) fn message(self, payload: &impl Message) -> Bytes {
        let mut frame = self.begin(payload.encoded_len());
        // Fails only for want of room, and this buffer grows.
        let _ = payload.encode(&mut frame);
        frame.freeze()
    }
}

impl Frame {
    /// Reads one message; body bytes are slices of it. Its length is the caller's to check (SES-003).
    pub fn decode(mut message: Bytes) -> Result<Self, FrameError> {
        let header = Header::decode(&mut message)?;
        let Some(frame_type) = FrameType::from_wire(header.frame_type) else {
            return Ok(Self::Unknown {
                frame_type: header.frame_type,
                stream: header.stream,
                payload: message,
            });
        };
        let stream = StreamId::new(header.stream);
        let of_stream = || stream.ok_or(FrameError::WrongStream(frame_type));
        let of_session = || match stream {
            None => Ok(()),
            Some(_) => Err(FrameError::WrongStream(frame_type)),
        };
        Ok(match frame_type {
            FrameType::Hello => {
                of_session()?;
                Self::Hello(payload(frame_type, message)?)
            }
            FrameType::Request => Self::Request {
                stream: of_stream()?,
                head: payload(frame_type, message)?,
            },
            FrameType::Response => Self::Response {
                stream: of_stream()?,
                head: payload(frame_type, message)?,
            },
            FrameType::Data | FrameType::WsTextPart | FrameType::WsBinaryPart
                if message.is_empty() =>
            {
                return Err(FrameError::EmptyData(frame_type));
            }
            FrameType::Data => Self::Data {
                stream: of_stream()?,
                data: message,
            },
            FrameType::DataEnd => Self::DataEnd {
                stream: of_stream()?,
                data: message,
            },
            FrameType::WsText | FrameType::WsTextPart => Self::Message {
                stream: of_stream()?,
                kind: MessageKind::Text,
                last: frame_type == FrameType::WsText,
                data: message,
            },
            FrameType::WsBinary | FrameType::WsBinaryPart => Self::Message {
                stream: of_stream()?,
                kind: MessageKind::Binary,
                last: frame_type == FrameType::WsBinary,
                data: message,
            },
            FrameType::WsClose => Self::Close {
                stream: of_stream()?,
                close: payload(frame_type, message)?,
            },
            FrameType::Trailers => Self::Trailers {
                stream: of_stream()?,
                trailers: payload(frame_type, message)?,
            },
            FrameType::Reset => {
                let stream = of_stream()?;
                let reset: proto::Reset = payload(frame_type, message)?;
                Self::Reset {
                    stream,
                    code: ErrorCode::new(reset.code),
                    reason: reset.reason,
                }
            }
            FrameType::Stop => {
                let stream = of_stream()?;
                let stop: proto::Stop = payload(frame_type, message)?;
                Self::Stop {
                    stream,
                    code: ErrorCode::new(stop.code),
                }
            }
            FrameType::Credit => {
                let credit: proto::Credit = payload(frame_type, message)?;
                Self::Credit {
                    stream,
                    max_bytes: credit.max_bytes,
                }
            }
            FrameType::Ping => {
                of_session()?;
                let ping: proto::Ping = payload(frame_type, message)?;
                Self::Ping { token: ping.token }
            }
            FrameType::Pong => {
                of_session()?;
                let pong: proto::Pong = payload(frame_type, message)?;
                Self::Pong { token: pong.token }
            }
            FrameType::GoAway => {
                of_session()?;
                let go_away: proto::GoAway = payload(frame_type, message)?;
                Self::GoAway {
                    code: ErrorCode::new(go_away.code),
                    last_stream: go_away.last_stream,
                    reason: go_away.reason,
                }
            }
        })
    }

    /// Writes one message, with the shortest varints; body bytes are copied once.
    pub fn encode(&self) -> Bytes {
        let session = |frame_type| Header::new(frame_type, None);
        let header = |frame_type, stream: &StreamId| Header::new(frame_type, Some(*stream));
        match self {
            Self::Hello(hello) => session(FrameType::Hello).message(hello),
            Self::Request { stream, head } => header(FrameType::Request, stream).message(head),
            Self::Response { stream, head } => header(FrameType::Response, stream).message(head),
            Self::Data { stream, data } => raw(header(FrameType::Data, stream), data),
            Self::DataEnd { stream, data } => raw(header(FrameType::DataEnd, stream), data),
            Self::Message {
                stream,
                kind,
                last,
                data,
            } => raw(header(kind.frame_type(*last), stream), data),
            Self::Close { stream, close } => header(FrameType::WsClose, stream).message(close),
            Self::Trailers { stream, trailers } => {
                header(FrameType::Trailers, stream).message(trailers)
            }
            Self::Reset {
                stream,
                code,
                reason,
            } => header(FrameType::Reset, stream).message(&proto::Reset {
                code: code.get(),
                reason: reason.clone(),
            }),
            Self::Stop { stream, code } => {
                header(FrameType::Stop, stream).message(&proto::Stop { code: code.get() })
            }
            Self::Credit { stream, max_bytes } => {
                Header::new(FrameType::Credit, *stream).message(&proto::Credit {
                    max_bytes: *max_bytes,
                })
            }
            Self::Ping { token } => {
                session(FrameType::Ping).message(&proto::Ping { token: *token })
            }
            Self::Pong { token } => {
                session(FrameType::Pong).message(&proto::Pong { token: *token })
            }
            Self::GoAway {
                code,
                last_stream,
                reason,
            } => session(FrameType::GoAway).message(&proto::GoAway {
                code: code.get(),
                last_stream: *last_stream,
                reason: reason.clone(),
            }),
            Self::Unknown {
                frame_type,
                stream,
                payload,
            } => {
                let header = Header {
                    frame_type: *frame_type,
                    stream: *stream,
                };
                raw(header, payload)
            }
        }
    }
}

fn raw(header: Header, payload: &[u8]) -> Bytes {
    let mut frame = header.begin(payload.len());
    frame.put_slice(payload);
    frame.freeze()
}

fn payload<M: Message + Default>(frame_type: FrameType, message: Bytes) -> Result<M, FrameError> {
    M::decode(message).map_err(|_| FrameError::Payload(frame_type))
}

#[cfg(test)]
mod tests;
