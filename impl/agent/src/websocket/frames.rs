//! RFC 6455 frames of a local connection, as they come: a message of any length passes in pieces,
//! and what is held is one read buffer. Heads are read and written by tungstenite.

use std::io::{self, Cursor};

use bytes::{Buf as _, Bytes, BytesMut};
use p2claw_session::{Close, MessageKind};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio_tungstenite::tungstenite::protocol::{
    CloseFrame,
    frame::{
        Frame, FrameHeader,
        coding::{CloseCode, Control, Data, OpCode},
    },
};

/// Bytes that are read at a time, and the longest piece of a message.
const READ_BUFFER: usize = 16 << 10;

/// Pieces below this are copied, so that a short message does not keep a read buffer.
const SMALL_PIECE: usize = 2 << 10;

/// Longest payload of a control frame (RFC 6455 section 5.5).
const CONTROL_MAX: u64 = 125;

/// Which end of a connection of RFC 6455 this program is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// It opened the connection, and masks what it sends.
    Client,
    /// It accepted the connection, and gets masked frames.
    Server,
}

/// What the other end sends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    /// A message, or a piece of one.
    Part {
        kind: MessageKind,
        last: bool,
        data: Bytes,
    },
    Ping(Bytes),
    Close(Close),
}

/// Why nothing more is read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// The connection ended, without a close.
    #[error("read from the WebSocket: {0}")]
    Gone(#[from] io::Error),
    /// It broke a rule of RFC 6455.
    #[error("read from the WebSocket: {0}")]
    Broken(&'static str),
}

/// A data frame whose payload is not read to its end.
#[derive(Debug)]
struct Payload {
    left: u64,
    kind: MessageKind,
    /// The message ends with this frame.
    last: bool,
    /// Of the bytes that come next.
    mask: Option<[u8; 4]>,
}

/// The other end's frames.
#[derive(Debug)]
pub(super) struct FrameReader<R> {
    io: R,
    side: Side,
    buffer: BytesMut,
    payload: Option<Payload>,
    /// Kind of the message that has not ended.
    within: Option<MessageKind>,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub(super) fn new(io: R, side: Side) -> Self {
        Self {
            io,
            side,
            buffer: BytesMut::new(),
            payload: None,
            within: None,
        }
    }

    /// What comes next. Nothing follows a close or an error.
    pub(super) async fn next(&mut self) -> Result<Incoming, ReadError> {
        loop {
            if let Some(payload) = &mut self.payload {
                let here = usize::try_from(payload.left).unwrap_or(usize::MAX);
                let count = here.min(self.buffer.len());
                if count == 0 && payload.left > 0 {
                    self.fill().await?;
                    continue;
                }
                payload.left -= count as u64;
                let last = payload.last && payload.left == 0;
                let (kind, mask) = (payload.kind, payload.mask);
                if let Some(mask) = &mut payload.mask {
                    mask.rotate_left(count % 4);
                }
                if payload.left == 0 {
                    self.payload = None;
                }
                let data = self.take(count, mask);
                // A piece without a byte says nothing, unless the message ends with it.
                if last || !data.is_empty() {
                    return Ok(Incoming::Part { kind, last, data });
                }
                continue;
            }
            let mut cursor = Cursor::new(&self.buffer[..]);
            let head = FrameHeader::parse(&mut cursor)
                .map_err(|_| ReadError::Broken("a frame's head makes no sense"))?;
            let Some((head, length)) = head else {
                self.fill().await?;
                continue;
            };
            let head_length = usize::try_from(cursor.position()).unwrap_or(0);
            check(&head, self.side)?;
            if length >> 63 != 0 {
                return Err(ReadError::Broken(
                    "a frame's length is no number of 63 bits",
                ));
            }
            match head.opcode {
                OpCode::Data(data) => {
                    self.buffer.advance(head_length);
                    self.begin(data, &head, length)?;
                }
                OpCode::Control(control) => {
                    if length > CONTROL_MAX || !head.is_final {
                        return Err(ReadError::Broken("a control frame is too long or in parts"));
                    }
                    let whole = head_length + usize::try_from(length).unwrap_or(0);
                    while self.buffer.len() < whole {
                        self.fill().await?;
                    }
                    self.buffer.advance(head_length);
                    let frame = self.take(whole - head_length, head.mask);
                    match control {
                        Control::Ping => return Ok(Incoming::Ping(frame)),
                        Control::Close => return Ok(Incoming::Close(read_close(&frame)?)),
                        Control::Pong | Control::Reserved(_) => {}
                    }
                }
            }
        }
    }

    fn take(&mut self, count: usize, mask: Option<[u8; 4]>) -> Bytes {
        let mut piece = match count < SMALL_PIECE {
            true => BytesMut::from(&self.buffer[..count]),
            false => self.buffer.split_to(count),
        };
        if count < SMALL_PIECE {
            self.buffer.advance(count);
        }
        if let Some(mask) = mask {
            unmask(&mut piece, mask);
        }
        piece.freeze()
    }

    fn begin(&mut self, data: Data, head: &FrameHeader, left: u64) -> Result<(), ReadError> {
        let last = head.is_final;
        let kind = match (data, self.within) {
            (Data::Text, None) => MessageKind::Text,
            (Data::Binary, None) => MessageKind::Binary,
            (Data::Continue, Some(kind)) => kind,
            (Data::Text | Data::Binary | Data::Continue | Data::Reserved(_), _) => {
                return Err(ReadError::Broken(
                    "a frame does not fit the message before it",
                ));
            }
        };
        self.within = (!last).then_some(kind);
        self.payload = Some(Payload {
            left,
            kind,
            last,
            mask: head.mask,
        });
        Ok(())
    }

    async fn fill(&mut self) -> Result<(), ReadError> {
        self.buffer.reserve(READ_BUFFER);
        match self.io.read_buf(&mut self.buffer).await? {
            0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            _ => Ok(()),
        }
    }
}

/// Takes the mask off (RFC 6455 section 5.3).
fn unmask(bytes: &mut [u8], mask: [u8; 4]) {
    for group in bytes.chunks_mut(4) {
        for (byte, mask) in group.iter_mut().zip(mask) {
            *byte ^= mask;
        }
    }
}

/// What nobody may send to an end that has agreed to no extension (RFC 6455 section 5). Clients
/// mask, and servers do not (section 5.1).
fn check(head: &FrameHeader, side: Side) -> Result<(), ReadError> {
    let reserved = matches!(
        head.opcode,
        OpCode::Data(Data::Reserved(_)) | OpCode::Control(Control::Reserved(_))
    );
    if head.rsv1 || head.rsv2 || head.rsv3 || reserved {
        return Err(ReadError::Broken("a frame uses what was not agreed on"));
    }
    match (side, head.mask) {
        (Side::Client, None) | (Side::Server, Some(_)) => {}
        (Side::Client, Some(_)) => return Err(ReadError::Broken("a server masks a frame")),
        (Side::Server, None) => return Err(ReadError::Broken("a client does not mask a frame")),
    }
    Ok(())
}

fn read_close(mut payload: &[u8]) -> Result<Close, ReadError> {
    if payload.is_empty() {
        return Ok(Close::NONE);
    }
    const BAD: ReadError = ReadError::Broken("a close frame makes no sense");
    if payload.len() < 2 {
        return Err(BAD);
    }
    let code = payload.get_u16();
    let reason = std::str::from_utf8(payload).map_err(|_| BAD)?;
    Close::new(code, reason).map_err(|_| BAD)
}

/// The own frames.
#[derive(Debug)]
pub(super) struct FrameWriter<W> {
    io: W,
    side: Side,
    /// The frame that is being written, and how much of it is.
    buffer: Vec<u8>,
    written: usize,
    /// A message of which a part has been written.
    within: bool,
    closed: bool,
}

impl<W: AsyncWrite + Unpin> FrameWriter<W> {
    pub(super) fn new(io: W, side: Side) -> Self {
        Self {
            io,
            side,
            buffer: Vec::new(),
            written: 0,
            within: false,
            closed: false,
        }
    }

    /// A part of a message as a frame of its own.
    pub(super) async fn part(
        &mut self,
        kind: MessageKind,
        last: bool,
        data: Bytes,
    ) -> io::Result<()> {
        let opcode = match (self.within, kind) {
            (true, _) => Data::Continue,
            (false, MessageKind::Text) => Data::Text,
            (false, MessageKind::Binary) => Data::Binary,
        };
        self.within = !last;
        self.write(Frame::message(data, OpCode::Data(opcode), last))
            .await
    }

    pub(super) async fn pong(&mut self, data: Bytes) -> io::Result<()> {
        self.write(Frame::pong(data)).await
    }

    /// The first close goes out, and no second one.
    pub(super) async fn close(&mut self, close: &Close) -> io::Result<()> {
        if std::mem::replace(&mut self.closed, true) {
            return self.finish().await;
        }
        let frame = close.code().map(|code| CloseFrame {
            code: CloseCode::from(code),
            reason: close.reason().into(),
        });
        self.write(Frame::close(frame)).await
    }

    async fn write(&mut self, mut frame: Frame) -> io::Result<()> {
        // Masks keep scripts in browsers from forging bytes for middleboxes (RFC 6455 section
        // 10.3). Here nothing lies between, but servers insist on one.
        if self.side == Side::Client {
            let random = crate::clock::random_u64().to_le_bytes();
            frame.header_mut().mask = random.first_chunk().copied();
        }
        self.finish().await?;
        self.buffer.clear();
        self.written = 0;
        frame
            .format(&mut self.buffer)
            .map_err(|error| io::Error::other(error.to_string()))?;
        self.finish().await
    }

    /// Writes the rest of a frame. Whoever gave up waiting for it left it here, so that the next
    /// frame does not begin in the middle of this one.
    async fn finish(&mut self) -> io::Result<()> {
        while self.written < self.buffer.len() {
            match self.io.write(&self.buffer[self.written..]).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => self.written += count,
            }
        }
        self.io.flush().await
    }
}

#[cfg(test)]
mod tests;
