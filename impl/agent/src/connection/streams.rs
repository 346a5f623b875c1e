//! The two halves of a stream, for asynchronous callers.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame};
use p2claw_session::{ErrorCode, Fields, Read, ReadError, Request, Response, StreamId, WriteError};

use super::{Shared, State};
use crate::fields::to_header_map;

/// Why a stream stopped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// The other end gave its body up; what arrived is not the whole.
    #[error("read the body: the other end gave up ({code}: {reason})")]
    Reset {
        /// Why.
        code: ErrorCode,
        /// For people.
        reason: String,
    },
    /// The other end wants no more of this body.
    #[error("send the body: the other end wants no more of it ({0})")]
    Stopped(ErrorCode),
    /// The session is over.
    #[error("use the stream: the session is over")]
    Closed,
    /// A head that does not fit into one frame.
    #[error("send the head: it is larger than one frame")]
    HeadTooLarge,
    /// A text message that is no text.
    #[error("send the message: it is no UTF-8")]
    NotUtf8,
    /// A message that the protocol does not allow.
    #[error("send the message: {0}")]
    Message(String),
}

impl From<ReadError> for StreamError {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Reset { code, reason } => Self::Reset { code, reason },
            ReadError::Closed | ReadError::UnknownStream => Self::Closed,
        }
    }
}

impl From<WriteError> for StreamError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Stopped { code } => Self::Stopped(code),
            WriteError::Reset | WriteError::UnknownStream | WriteError::Closed => Self::Closed,
            WriteError::HeadTooLarge => Self::HeadTooLarge,
            WriteError::NotUtf8 => Self::NotUtf8,
            other @ (WriteError::Finished
            | WriteError::NotResponded
            | WriteError::AlreadyResponded
            | WriteError::WrongRole
            | WriteError::NotOpen
            | WriteError::WrongMode
            | WriteError::WithinMessage
            | WriteError::Message(_)) => Self::Message(other.to_string()),
        }
    }
}

/// A request, as an agent accepts it.
pub struct Incoming {
    /// Method, target and fields, checked.
    pub request: Request,
    /// The request's body.
    pub body: RecvBody,
    /// The way to answer.
    pub answer: SendBody,
}

impl Incoming {
    /// The stream's id, for logs.
    #[must_use]
    pub fn stream(&self) -> StreamId {
        self.answer.slot.id
    }

    pub(super) fn new(shared: &Arc<Shared>, id: StreamId, request: Request) -> Self {
        let slot = Arc::new(Hold {
            shared: Arc::clone(shared),
            id,
            agent: true,
        });
        let body = RecvBody::new(Arc::clone(&slot), request.end);
        Self {
            request,
            body,
            answer: SendBody {
                slot,
                finished: false,
            },
        }
    }
}

/// A request, as a visitor has sent it.
pub struct Exchange {
    /// The way to send the request's body.
    pub body: SendBody,
    /// The response.
    pub response: RecvBody,
}

impl Exchange {
    pub(super) fn new(shared: &Arc<Shared>, id: StreamId, request_ended: bool) -> Self {
        let slot = Arc::new(Hold {
            shared: Arc::clone(shared),
            id,
            agent: false,
        });
        Self {
            body: SendBody {
                slot: Arc::clone(&slot),
                finished: request_ended,
            },
            response: RecvBody::new(slot, false),
        }
    }

    /// Waits for the next response head; 1xx ones come first.
    ///
    /// # Errors
    /// When the stream or the session ends before.
    pub async fn head(&mut self) -> Result<Response, StreamError> {
        self.response.head().await
    }
}

impl State {
    pub(super) fn read(&mut self, id: StreamId) -> Result<Read, StreamError> {
        match self.session.read(id) {
            Ok(Read::Blocked) if self.ended.is_some() => Err(StreamError::Closed),
            Ok(read) => Ok(read),
            Err(error) => {
                let reset = self.slots.get_mut(&id).and_then(|slot| slot.reset.take());
                Err(match reset {
                    Some((code, reason)) => StreamError::Reset { code, reason },
                    None => error.into(),
                })
            }
        }
    }

    /// Why nothing can be sent on the stream any more, if so.
    pub(super) fn check_writable(&self, id: StreamId) -> Result<(), StreamError> {
        if let Some(code) = self.slots.get(&id).and_then(|slot| slot.stopped) {
            return Err(StreamError::Stopped(code));
        }
        if self.ended.is_some() {
            return Err(StreamError::Closed);
        }
        Ok(())
    }

    fn write(&mut self, id: StreamId, data: &mut Bytes) -> Result<(), StreamError> {
        self.check_writable(id)?;
        Ok(self.session.write(id, data)?)
    }
}

/// A stream's place in the session, given back when both halves are gone.
pub(super) struct Hold {
    pub(super) shared: Arc<Shared>,
    pub(super) id: StreamId,
    agent: bool,
}

impl Drop for Hold {
    fn drop(&mut self) {
        let (id, agent) = (self.id, self.agent);
        self.shared.with(|state| {
            state.slots.remove(&id);
            if agent {
                state.session.release(id);
            }
            state.opening.room();
        });
    }
}

/// The sending half. Dropped before its end, it tells the other side that the body was cut off.
pub struct SendBody {
    pub(super) slot: Arc<Hold>,
    pub(super) finished: bool,
}

impl SendBody {
    /// Sends a response head, as an agent.
    ///
    /// # Errors
    /// When the head is larger than a frame, or the stream has ended.
    pub fn respond(&mut self, response: Response) -> Result<(), StreamError> {
        let (id, last) = (self.slot.id, response.end);
        self.slot
            .shared
            .with(|state| state.session.respond(id, response))?;
        self.finished |= last;
        Ok(())
    }

    /// Sends all of `data`, waiting for credit as often as needed.
    ///
    /// # Errors
    /// When the other end wants no more, or the session ends.
    pub async fn write(&mut self, mut data: Bytes) -> Result<(), StreamError> {
        std::future::poll_fn(|cx| self.poll_write(cx, &mut data)).await
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        data: &mut Bytes,
    ) -> Poll<Result<(), StreamError>> {
        let id = self.slot.id;
        self.slot.shared.with(|state| {
            state.write(id, data)?;
            if data.is_empty() {
                return Poll::Ready(Ok(()));
            }
            state.slot(id, |slot| {
                slot.writer = Some(cx.waker().clone());
                None
            });
            Poll::Pending
        })
    }

    /// Ends the body.
    ///
    /// # Errors
    /// As [`SendBody::write`].
    pub fn finish(&mut self, trailers: Option<Fields>) -> Result<(), StreamError> {
        let id = self.slot.id;
        self.slot
            .shared
            .with(|state| state.session.finish(id, trailers))?;
        self.finished = true;
        Ok(())
    }

    /// Cuts the body off behind what was written: the other end gets that, and then an error.
    pub fn cut_off(&mut self, code: ErrorCode, reason: &str) {
        let id = self.slot.id;
        self.finished = true;
        self.slot
            .shared
            .with(|state| state.session.cut_off(id, code, reason));
    }

    /// Gives the body up at once, and drops what was not sent: the other end sees an error.
    pub fn reset(&mut self, code: ErrorCode, reason: &str) {
        let id = self.slot.id;
        self.finished = true;
        self.slot
            .shared
            .with(|state| state.session.reset(id, code, reason));
    }

    /// Waits until the other end no longer wants this body, or the session is over.
    pub async fn stopped(&self) -> StreamError {
        std::future::poll_fn(|cx| {
            let id = self.slot.id;
            self.slot.shared.look(|state| {
                let stopped = state.slots.get(&id).and_then(|slot| slot.stopped);
                if let Some(code) = stopped {
                    return Poll::Ready(StreamError::Stopped(code));
                }
                if state.ended.is_some() {
                    return Poll::Ready(StreamError::Closed);
                }
                state.slot(id, |slot| {
                    slot.writer = Some(cx.waker().clone());
                    None
                });
                Poll::Pending
            })
        })
        .await
    }
}

impl Drop for SendBody {
    fn drop(&mut self) {
        if !self.finished {
            self.reset(ErrorCode::CANCELLED, "given up by the sender");
        }
    }
}

/// The receiving half. Dropped before its end, it asks the other side to stop.
pub struct RecvBody {
    pub(super) slot: Arc<Hold>,
    pub(super) ended: bool,
}

/// What comes next of a body.
enum Piece {
    Data(Bytes),
    End(Option<Fields>),
}

impl RecvBody {
    fn new(slot: Arc<Hold>, ended: bool) -> Self {
        Self { slot, ended }
    }

    /// Waits for the next response head, as a visitor; 1xx ones come first.
    ///
    /// # Errors
    /// When the stream or the session ends before.
    pub async fn head(&mut self) -> Result<Response, StreamError> {
        std::future::poll_fn(|cx| self.poll_head(cx)).await
    }

    /// The next piece of the body as it arrived; `None` at its end.
    ///
    /// # Errors
    /// When the body was cut off: what came before is not the whole.
    pub async fn data(&mut self) -> Result<Option<Bytes>, StreamError> {
        match std::future::poll_fn(|cx| self.poll_data(cx)).await? {
            Piece::Data(data) => Ok(Some(data)),
            Piece::End(_) => Ok(None),
        }
    }

    /// Asks the other side to stop sending.
    pub fn stop(&mut self, code: ErrorCode) {
        let id = self.slot.id;
        self.ended = true;
        self.slot.shared.with(|state| state.session.stop(id, code));
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<Piece, StreamError>> {
        if self.ended {
            return Poll::Ready(Ok(Piece::End(None)));
        }
        let id = self.slot.id;
        let read = self.slot.shared.with(|state| match state.read(id) {
            Ok(Read::Blocked) => {
                state.slot(id, |slot| {
                    slot.reader = Some(cx.waker().clone());
                    None
                });
                Poll::Pending
            }
            Ok(Read::Message { .. } | Read::Close(_)) => {
                Poll::Ready(Err(StreamError::Message(WriteError::WrongMode.to_string())))
            }
            Ok(Read::Data(data)) => Poll::Ready(Ok(Piece::Data(data))),
            Ok(Read::End(trailers)) => Poll::Ready(Ok(Piece::End(trailers))),
            Err(error) => Poll::Ready(Err(error)),
        });
        if matches!(read, Poll::Ready(Ok(Piece::End(_)) | Err(_))) {
            self.ended = true;
        }
        read
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response, StreamError>> {
        let id = self.slot.id;
        let head = self.slot.shared.with(|state| {
            let slot = state.slots.get_mut(&id);
            if let Some(response) = slot.and_then(|slot| slot.responses.pop_front()) {
                return Poll::Ready(Ok(response));
            }
            // Before the head there is nothing to read but an end in error.
            if let Err(error) = state.read(id) {
                return Poll::Ready(Err(error));
            }
            state.slot(id, |slot| {
                slot.reader = Some(cx.waker().clone());
                None
            });
            Poll::Pending
        });
        if let Poll::Ready(head) = &head {
            self.ended = head.as_ref().map_or(true, |head| head.end);
        }
        head
    }
}

impl Body for RecvBody {
    type Data = Bytes;
    type Error = StreamError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        self.poll_data(cx).map(|piece| match piece {
            Err(error) => Some(Err(error)),
            Ok(Piece::Data(data)) => Some(Ok(Frame::data(data))),
            Ok(Piece::End(Some(trailers))) => Some(Ok(Frame::trailers(to_header_map(&trailers)))),
            Ok(Piece::End(None)) => None,
        })
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}

impl Drop for RecvBody {
    fn drop(&mut self) {
        if !self.ended {
            self.stop(ErrorCode::CANCELLED);
        }
    }
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming")
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}

macro_rules! debug_as_stream {
    ($($half:ident),*) => {$(
        impl fmt::Debug for $half {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($half)).field("stream", &self.slot.id).finish_non_exhaustive()
            }
        }
    )*};
}

debug_as_stream!(SendBody, RecvBody);

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("stream", &self.body.slot.id)
            .finish_non_exhaustive()
    }
}
