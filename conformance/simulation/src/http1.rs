//! HTTP/1.1 as it stands on a connection, for what this crate's own programs write.

use bytes::{Buf as _, Bytes, BytesMut};
use httparse::Status;

use crate::simulation::Failure;

/// Fields of a head; the programs here send fewer.
const FIELDS: usize = 64;

/// What comes next on a connection, in one direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// A head.
    Head(Head),
    /// Bytes of the body behind it.
    Data(Bytes),
    /// The end of the body, or of a message without one.
    End,
    /// The connection has changed over to another protocol, whose first bytes these are.
    Other(Bytes),
}

/// The head of a request or response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Method and target, or status.
    pub start: Start,
    /// Names in small letters, and values.
    pub fields: Vec<(String, Bytes)>,
}

/// How a message begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// A request.
    Request {
        /// Its method.
        method: String,
        /// Its target.
        target: String,
    },
    /// A response.
    Response {
        /// Its status.
        status: u16,
    },
}

impl Head {
    /// The first value under a name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&[u8]> {
        let field = self.fields.iter().find(|(found, _)| found == name);
        field.map(|(_, value)| &value[..])
    }

    fn body(&self) -> Result<State, Failure> {
        match self.start {
            Start::Request { .. } if self.field("upgrade").is_some() => return Ok(State::Other),
            Start::Response { status: 101 } => return Ok(State::Other),
            Start::Response {
                status: 100..=199 | 204 | 304,
            } => return Ok(State::Length(0)),
            Start::Request { .. } | Start::Response { .. } => {}
        }
        if self.field("transfer-encoding").is_some() {
            return Ok(State::Chunks);
        }
        let length = match self.field("content-length") {
            Some(length) => std::str::from_utf8(length)?.parse()?,
            None => 0,
        };
        Ok(State::Length(length))
    }
}

#[derive(Debug, Clone, Copy)]
enum State {
    Head,
    /// So many bytes of the body are left.
    Length(u64),
    /// A chunk or the trailers come next.
    Chunks,
    /// So many bytes are left of a chunk, with the end of its line.
    Chunk(u64),
    Other,
}

/// The end of a chunk's line.
const LINE_END: u64 = 2;

/// Reads one direction of a connection. Responses to HEAD are not among what it knows.
#[derive(Debug)]
pub struct Reader {
    requests: bool,
    buffer: BytesMut,
    state: State,
}

impl Reader {
    /// What a client writes.
    #[must_use]
    pub fn requests() -> Self {
        Self {
            requests: true,
            buffer: BytesMut::new(),
            state: State::Head,
        }
    }

    /// What a server writes.
    #[must_use]
    pub fn responses() -> Self {
        Self {
            requests: false,
            ..Self::requests()
        }
    }

    /// Takes the next bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next part; `None`: more bytes have to come first.
    ///
    /// # Errors
    /// When this is no HTTP.
    pub fn next_part(&mut self) -> Result<Option<Part>, Failure> {
        loop {
            match self.state {
                State::Head => {
                    let Some((head, length)) = read_head(self.requests, &self.buffer)? else {
                        return Ok(None);
                    };
                    self.buffer.advance(length);
                    self.state = head.body()?;
                    return Ok(Some(Part::Head(head)));
                }
                State::Length(0) => {
                    self.state = State::Head;
                    return Ok(Some(Part::End));
                }
                State::Length(left) => {
                    let Some(data) = self.take(left) else {
                        return Ok(None);
                    };
                    self.state = State::Length(left - data.len() as u64);
                    return Ok(Some(Part::Data(data)));
                }
                State::Chunks => match httparse::parse_chunk_size(&self.buffer) {
                    Ok(Status::Complete((line, 0))) => {
                        let mut fields = [httparse::EMPTY_HEADER; FIELDS];
                        let trailers = httparse::parse_headers(&self.buffer[line..], &mut fields)?;
                        let Status::Complete((length, _)) = trailers else {
                            return Ok(None);
                        };
                        self.buffer.advance(line + length);
                        self.state = State::Length(0);
                    }
                    Ok(Status::Complete((line, size))) => {
                        self.buffer.advance(line);
                        self.state = State::Chunk(size.saturating_add(LINE_END));
                    }
                    Ok(Status::Partial) => return Ok(None),
                    Err(_) => return Err("a chunk has no size".into()),
                },
                State::Chunk(left) if left > LINE_END => {
                    let Some(data) = self.take(left - LINE_END) else {
                        return Ok(None);
                    };
                    self.state = State::Chunk(left - data.len() as u64);
                    return Ok(Some(Part::Data(data)));
                }
                State::Chunk(left) => {
                    let Some(end) = self.take(left) else {
                        return Ok(None);
                    };
                    self.state = match left - end.len() as u64 {
                        0 => State::Chunks,
                        left => State::Chunk(left),
                    };
                }
                State::Other => {
                    let data = self.buffer.split().freeze();
                    return Ok((!data.is_empty()).then_some(Part::Other(data)));
                }
            }
        }
    }

    /// Up to `limit` bytes of those that are there.
    fn take(&mut self, limit: u64) -> Option<Bytes> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let length = limit.min(self.buffer.len());
        (length > 0).then(|| self.buffer.split_to(length).freeze())
    }
}

fn read_head(requests: bool, bytes: &[u8]) -> Result<Option<(Head, usize)>, Failure> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let (status, start) = if requests {
        let mut request = httparse::Request::new(&mut fields);
        let status = request.parse(bytes)?;
        let start = Start::Request {
            method: request.method.unwrap_or_default().to_owned(),
            target: request.path.unwrap_or_default().to_owned(),
        };
        (status, start)
    } else {
        let mut response = httparse::Response::new(&mut fields);
        let status = response.parse(bytes)?;
        let start = Start::Response {
            status: response.code.unwrap_or_default(),
        };
        (status, start)
    };
    let Status::Complete(length) = status else {
        return Ok(None);
    };
    let fields = fields.iter().take_while(|field| !field.name.is_empty());
    let fields = fields.map(|field| {
        let value = Bytes::copy_from_slice(field.value);
        (field.name.to_ascii_lowercase(), value)
    });
    let fields = fields.collect();
    Ok(Some((Head { start, fields }, length)))
}

#[cfg(test)]
mod tests;
