//! The two halves of a WebSocket, for asynchronous callers (spec/v1/websocket.md).

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use p2claw_session::{Close, ErrorCode, MessageKind, Read, WriteError};

use super::streams::{Hold, RecvBody, SendBody, StreamError};

/// What the other end of a WebSocket sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A message, or a part of one: `last` says that the message ends with it.
    Part {
        /// Text or binary; the same for all parts of a message.
        kind: MessageKind,
        /// The message ends with it.
        last: bool,
        /// Its bytes; those of a text may end within a character.
        data: Bytes,
    },
    /// The other end has closed; the own close is due (`WSK-021`).
    Close(Close),
}

/// The sending half. Dropped before its close, it tells the other side that it was cut off.
pub struct MessageSender {
    slot: Arc<Hold>,
    closed: bool,
}

/// The receiving half. Dropped before the close came, it asks the other side to stop.
pub struct MessageReceiver {
    slot: Arc<Hold>,
    ended: bool,
}

/// How the peer has ended a WebSocket, whether or not anybody reads or writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// WS_CLOSE came.
    Closed,
    /// RESET or STOP came, or the session is over.
    Gone,
}

/// Watches a stream beside its halves: one that waits for the upstream hears nothing.
pub(crate) struct StreamWatch(Arc<Hold>);

impl StreamWatch {
    /// Waits for an ending; a close that was `seen` does not count again.
    pub(crate) async fn ending(&self, seen: bool) -> Ending {
        std::future::poll_fn(|cx| {
            let id = self.0.id;
            self.0.shared.look(|state| {
                let given_up = state
                    .slots
                    .get(&id)
                    .is_none_or(|slot| slot.cut || slot.stopped.is_some());
                if given_up || state.ended.is_some() {
                    return Poll::Ready(Ending::Gone);
                }
                if !seen && state.session.peer_has_closed(id) {
                    return Poll::Ready(Ending::Closed);
                }
                state.slot(id, |slot| {
                    slot.watcher = Some(cx.waker().clone());
                    None
                });
                Poll::Pending
            })
        })
        .await
    }
}

impl SendBody {
    /// A watch on this stream.
    pub(crate) fn watch(&self) -> StreamWatch {
        StreamWatch(Arc::clone(&self.slot))
    }

    /// The same half as one of messages, once the WebSocket was accepted with status 200.
    #[must_use]
    pub fn into_messages(mut self) -> MessageSender {
        MessageSender {
            slot: Arc::clone(&self.slot),
            closed: std::mem::replace(&mut self.finished, true),
        }
    }
}

impl RecvBody {
    /// The same half as one of messages, once the WebSocket was accepted with status 200.
    #[must_use]
    pub fn into_messages(mut self) -> MessageReceiver {
        MessageReceiver {
            slot: Arc::clone(&self.slot),
            ended: std::mem::replace(&mut self.ended, true),
        }
    }
}

impl MessageSender {
    /// Sends a message, or with `last` unset a part of one, waiting for credit as often as needed.
    ///
    /// # Errors
    /// When the other end wants no more, the session ends, or the half is closed.
    pub async fn send(
        &mut self,
        kind: MessageKind,
        mut data: Bytes,
        last: bool,
    ) -> Result<(), StreamError> {
        std::future::poll_fn(|cx| self.poll_send(cx, kind, &mut data, last)).await
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        kind: MessageKind,
        data: &mut Bytes,
        last: bool,
    ) -> Poll<Result<(), StreamError>> {
        let id = self.slot.id;
        self.slot.shared.with(|state| {
            state.check_writable(id)?;
            if state.session.send_message(id, kind, data, last)? {
                return Poll::Ready(Ok(()));
            }
            state.slot(id, |slot| {
                slot.writer = Some(cx.waker().clone());
                None
            });
            Poll::Pending
        })
    }

    /// Ends the half behind what was sent.
    ///
    /// # Errors
    /// As [`MessageSender::send`].
    pub fn close(&mut self, close: Close) -> Result<(), StreamError> {
        let id = self.slot.id;
        self.slot.shared.with(|state| {
            state.check_writable(id)?;
            Ok::<_, StreamError>(state.session.close_websocket(id, close)?)
        })?;
        self.closed = true;
        Ok(())
    }

    /// Whether this half was closed or given up.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Cuts the half off behind what was sent: the other end gets that, and then an error (1006).
    pub fn cut_off(&mut self, code: ErrorCode, reason: &str) {
        let id = self.slot.id;
        self.closed = true;
        self.slot
            .shared
            .with(|state| state.session.cut_off(id, code, reason));
    }

    /// Cuts the half off at once, and drops what was not sent.
    pub fn reset(&mut self, code: ErrorCode, reason: &str) {
        let id = self.slot.id;
        self.closed = true;
        self.slot
            .shared
            .with(|state| state.session.reset(id, code, reason));
    }
}

impl Drop for MessageSender {
    fn drop(&mut self) {
        if !self.closed {
            self.reset(ErrorCode::CANCELLED, "given up by the sender");
        }
    }
}

impl MessageReceiver {
    /// What comes next. Behind the close there is nothing more to ask for.
    ///
    /// # Errors
    /// When the WebSocket was cut off.
    pub async fn next(&mut self) -> Result<Message, StreamError> {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Message, StreamError>> {
        if self.ended {
            return Poll::Ready(Err(StreamError::Closed));
        }
        let id = self.slot.id;
        let next = self.slot.shared.with(|state| match state.read(id) {
            Ok(Read::Message { kind, last, data }) => {
                Poll::Ready(Ok(Message::Part { kind, last, data }))
            }
            Ok(Read::Close(close)) => Poll::Ready(Ok(Message::Close(close))),
            Ok(Read::Blocked) => {
                state.slot(id, |slot| {
                    slot.reader = Some(cx.waker().clone());
                    None
                });
                Poll::Pending
            }
            Ok(Read::Data(_) | Read::End(_)) => Poll::Ready(Err(WriteError::WrongMode.into())),
            Err(error) => Poll::Ready(Err(error)),
        });
        self.ended = matches!(next, Poll::Ready(Ok(Message::Close(_)) | Err(_)));
        next
    }
}

impl Drop for MessageReceiver {
    fn drop(&mut self) {
        if !self.ended {
            let id = self.slot.id;
            self.slot
                .shared
                .with(|state| state.session.stop(id, ErrorCode::CANCELLED));
        }
    }
}

impl fmt::Debug for MessageSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageSender")
            .field("stream", &self.slot.id)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for MessageReceiver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageReceiver")
            .field("stream", &self.slot.id)
            .finish_non_exhaustive()
    }
}
