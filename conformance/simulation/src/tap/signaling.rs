//! The messages of signaling on what one end of a connection wrote.

use std::io::{self, Read, Write};

use bytes::{Buf as _, Bytes, BytesMut};
use p2claw_signaling::event_stream;
use tokio_tungstenite::tungstenite::{Error, Message, WebSocket, protocol::Role};

use super::{Carrier, Moment, Party, Said, Written};
use crate::{
    http1::{Head, Part, Reader, Start},
    simulation::Failure,
};

const VISITS: &str = "/.well-known/p2claw/v1/visits";
const PROTOBUF: &[u8] = b"application/x-protobuf";

/// All messages, with the moments of their last bytes.
pub(super) fn read(by: Party, written: &[Written]) -> Result<Vec<(Moment, Said)>, Failure> {
    let mut direction = Direction::of(by);
    for Written { moment, bytes } in written {
        direction.hear(*moment, bytes)?;
    }
    Ok(direction.said)
}

/// What the present body holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    /// One message.
    One(Carrier),
    /// A message behind the other.
    Events,
    /// Nothing of the protocol's.
    Other,
}

struct Direction {
    by: Party,
    http: Reader,
    body: Body,
    /// What has come of it.
    begun: BytesMut,
    link: WebSocket<Fed>,
    said: Vec<(Moment, Said)>,
}

impl Direction {
    fn of(by: Party) -> Self {
        // As the other end reads it.
        let (http, role) = match by {
            Party::Coord => (Reader::responses(), Role::Client),
            Party::Agent | Party::Visitor => (Reader::requests(), Role::Server),
        };
        Self {
            by,
            http,
            body: Body::Other,
            begun: BytesMut::new(),
            link: WebSocket::from_raw_socket(Fed::default(), role, None),
            said: Vec::new(),
        }
    }

    fn hear(&mut self, moment: Moment, bytes: &[u8]) -> Result<(), Failure> {
        self.http.push(bytes);
        while let Some(part) = self.http.next_part()? {
            match part {
                Part::Head(head) => self.body = body_of(&head),
                Part::Data(data) => {
                    self.begun.extend_from_slice(&data);
                    if self.body == Body::Events {
                        while let Some(event) = next_event(&mut self.begun) {
                            self.say(moment, Carrier::VisitEvent, event);
                        }
                    }
                }
                Part::End => {
                    let message = self.begun.split().freeze();
                    if let Body::One(carrier) = self.body {
                        self.say(moment, carrier, message);
                    }
                }
                Part::Other(data) => {
                    self.link.get_mut().0.extend_from_slice(&data);
                    while let Some(envelope) = self.next_envelope()? {
                        self.say(moment, Carrier::Link, envelope);
                    }
                }
            }
        }
        Ok(())
    }

    fn next_envelope(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            match self.link.read() {
                Ok(Message::Binary(envelope)) => return Ok(Some(envelope)),
                Ok(_) => {}
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(None);
                }
                Err(Error::ConnectionClosed | Error::AlreadyClosed) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn say(&mut self, moment: Moment, on: Carrier, bytes: Bytes) {
        let to = match (self.by, on) {
            (Party::Coord, Carrier::Link) => Party::Agent,
            (Party::Coord, _) => Party::Visitor,
            (Party::Agent | Party::Visitor, _) => Party::Coord,
        };
        let said = Said {
            at: moment.at,
            from: self.by,
            to,
            on,
            bytes,
        };
        self.said.push((moment, said));
    }
}

fn body_of(head: &Head) -> Body {
    match &head.start {
        Start::Request { method, target } if method == "POST" => {
            match target.strip_prefix(VISITS) {
                Some("") => Body::One(Carrier::VisitRequest),
                Some(_) => Body::One(Carrier::VisitUpdate),
                None => Body::Other,
            }
        }
        Start::Response { status: 200..=299 } => match head.field("content-type") {
            Some(kind) if kind == event_stream::CONTENT_TYPE.as_bytes() => Body::Events,
            Some(PROTOBUF) => Body::One(Carrier::IceServers),
            _ => Body::Other,
        },
        Start::Request { .. } | Start::Response { .. } => Body::Other,
    }
}

/// Cuts the next event off, with its length in front.
fn next_event(stream: &mut BytesMut) -> Option<Bytes> {
    let mut rest = &stream[..];
    let length = prost::decode_length_delimiter(&mut rest).ok()?;
    let prefix = stream.len() - rest.remaining();
    (rest.len() >= length).then(|| stream.split_to(prefix + length).freeze())
}

/// Bytes to read; what is written leads nowhere.
#[derive(Debug, Default)]
struct Fed(BytesMut);

impl Read for Fed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let length = buffer.len().min(self.0.len());
        self.0.copy_to_slice(&mut buffer[..length]);
        Ok(length)
    }
}

impl Write for Fed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
