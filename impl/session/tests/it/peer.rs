//! One session whose other end is the test itself.

use std::time::{Duration, Instant};

use bytes::Bytes;
use p2claw_proto::v1 as proto;
use p2claw_session::frame::Frame;
use p2claw_session::{
    Config, ErrorCode, Event, Fields, LaneId, Read, Request, Response, Role, Session, SessionError,
    StreamId, Target,
};

#[expect(
    clippy::disallowed_methods,
    reason = "the one start of every test's own clock"
)]
pub(crate) fn start() -> Instant {
    Instant::now()
}

pub(crate) fn id(stream: u64) -> StreamId {
    StreamId::new(stream).unwrap()
}

pub(crate) fn lane(lane: u8) -> LaneId {
    LaneId::new(lane).unwrap()
}

pub(crate) fn get(target: &str) -> Request {
    Request {
        method: "GET".into(),
        target: Target::parse(target).unwrap(),
        fields: Fields::new(),
        end: true,
        protocol: None,
    }
}

pub(crate) fn post(target: &str) -> Request {
    Request {
        method: "POST".into(),
        end: false,
        ..get(target)
    }
}

pub(crate) fn ok(end: bool) -> Response {
    Response {
        status: 200,
        fields: Fields::new(),
        end,
    }
}

pub(crate) fn fields(list: &[(&str, &str)]) -> Fields {
    let mut fields = Fields::new();
    for (name, value) in list {
        fields
            .push(*name, Bytes::copy_from_slice(value.as_bytes()))
            .unwrap();
    }
    fields
}

pub(crate) fn wire_fields(list: &[(&str, &str)]) -> Vec<proto::Field> {
    let field = |(name, value): &(&str, &str)| proto::Field {
        name: (*name).to_owned(),
        value: Bytes::copy_from_slice(value.as_bytes()),
    };
    list.iter().map(field).collect()
}

pub(crate) fn hello(settings: &[(u64, u64)]) -> Frame {
    Frame::Hello(proto::SessionHello {
        versions: vec![1],
        settings: settings
            .iter()
            .map(|&(id, value)| proto::Setting { id, value })
            .collect(),
        software: "test".into(),
    })
}

pub(crate) fn request(stream: u64, end: bool) -> Frame {
    let head = proto::Request {
        method: if end { "GET" } else { "POST" }.into(),
        target: "/".into(),
        fields: Vec::new(),
        end,
        ..Default::default()
    };
    Frame::Request {
        stream: id(stream),
        head,
    }
}

pub(crate) fn response(stream: u64, status: u32, end: bool) -> Frame {
    let head = proto::Response {
        status,
        fields: Vec::new(),
        end,
    };
    Frame::Response {
        stream: id(stream),
        head,
    }
}

pub(crate) fn data(stream: u64, len: usize) -> Frame {
    Frame::Data {
        stream: id(stream),
        data: Bytes::from(vec![b'x'; len]),
    }
}

pub(crate) fn data_end(stream: u64, len: usize) -> Frame {
    Frame::DataEnd {
        stream: id(stream),
        data: Bytes::from(vec![b'x'; len]),
    }
}

pub(crate) fn reset(stream: u64, code: ErrorCode) -> Frame {
    Frame::Reset {
        stream: id(stream),
        code,
        reason: String::new(),
    }
}

pub(crate) fn stop(stream: u64, code: ErrorCode) -> Frame {
    Frame::Stop {
        stream: id(stream),
        code,
    }
}

/// One session, and what the test sends it.
pub(crate) struct Peer {
    pub(crate) session: Session,
    pub(crate) now: Instant,
}

impl Peer {
    /// A session that has heard nothing yet.
    pub(crate) fn fresh(role: Role, config: Config) -> Self {
        let now = start();
        Self {
            session: Session::new(role, config, now),
            now,
        }
    }

    /// A session past both HELLOs, with all 16 lanes on the other side.
    pub(crate) fn connected(role: Role) -> Self {
        Self::with(role, Config::default(), &[(5, 16)])
    }

    pub(crate) fn with(role: Role, config: Config, settings: &[(u64, u64)]) -> Self {
        let mut peer = Self::fresh(role, config);
        let greeting = peer.sent(0);
        assert!(matches!(
            greeting.as_slice(),
            [Frame::Hello(_)] | [Frame::Hello(_), Frame::Unknown { stream: 0, .. }]
        ));
        peer.take(0, &hello(settings)).unwrap();
        assert!(matches!(peer.events().as_slice(), [Event::Connected(_)]));
        peer
    }

    pub(crate) fn take(&mut self, on: u8, frame: &Frame) -> Result<(), SessionError> {
        self.take_bytes(on, frame.encode())
    }

    pub(crate) fn take_bytes(&mut self, on: u8, message: Bytes) -> Result<(), SessionError> {
        self.session.handle_message(self.now, lane(on), message)
    }

    pub(crate) fn take_all(&mut self, on: u8, frames: &[Frame]) {
        for frame in frames {
            self.take(on, frame).unwrap();
        }
    }

    /// The code of the error that the frame ends the session with, after checking the GOAWAY.
    pub(crate) fn fatal(&mut self, on: u8, frame: &Frame) -> ErrorCode {
        self.fatal_bytes(on, frame.encode())
    }

    pub(crate) fn fatal_bytes(&mut self, on: u8, message: Bytes) -> ErrorCode {
        let error = self.take_bytes(on, message).unwrap_err();
        self.assert_dead(&error);
        error.code
    }

    fn assert_dead(&mut self, error: &SessionError) {
        assert!(self.session.is_closed());
        let last = self.sent(0).pop();
        assert!(
            matches!(last, Some(Frame::GoAway { code, .. }) if code == error.code),
            "{last:?}"
        );
        assert_eq!(self.events().pop(), Some(Event::Closed(error.clone())));
        assert_eq!(self.session.poll_timeout(), None);
        assert!(self.session.is_drained());
    }

    /// Everything that the session sends on a lane now.
    pub(crate) fn sent(&mut self, on: u8) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(message) = self.session.poll_transmit(lane(on)) {
            frames.push(Frame::decode(message).unwrap());
        }
        frames
    }

    pub(crate) fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.session.poll_event()).collect()
    }

    /// Body bytes that can be read now, and what stopped the reading.
    pub(crate) fn read_all(
        &mut self,
        stream: u64,
    ) -> (
        usize,
        Result<Option<Option<Fields>>, p2claw_session::ReadError>,
    ) {
        let mut count = 0;
        loop {
            match self.session.read(id(stream)) {
                Ok(Read::Data(data)) => count += data.len(),
                Ok(Read::Blocked) => return (count, Ok(None)),
                Ok(Read::End(trailers)) => return (count, Ok(Some(trailers))),
                Ok(Read::Message { .. } | Read::Close(_)) => panic!("a message in a body"),
                Err(error) => return (count, Err(error)),
            }
        }
    }

    /// Lets time pass, and the session act on it.
    pub(crate) fn advance(&mut self, by: Duration) {
        self.now += by;
        while self
            .session
            .poll_timeout()
            .is_some_and(|deadline| deadline <= self.now)
        {
            self.session.handle_timeout(self.now);
        }
    }
}

/// Writes all of it, which must fit.
pub(crate) fn write(session: &mut Session, stream: StreamId, len: usize) {
    let mut data = Bytes::from(vec![b'x'; len]);
    session.write(stream, &mut data).unwrap();
    assert!(data.is_empty());
}
