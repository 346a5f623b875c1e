use bytes::Bytes;

use super::Session;
use crate::{
    Close, ErrorCode, Fields, MessageKind, PeerSettings, Request, Response, Role, SessionError,
    StreamId,
};

/// What the application should know.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The peer's HELLO came.
    Connected(PeerSettings),
    /// A visitor opened a stream. The agent owes a response, or a reset, and a release.
    Request {
        /// The new stream.
        id: StreamId,
        /// Its head.
        request: Request,
    },
    /// The agent responded; 1xx responses come first.
    Response {
        /// The stream.
        id: StreamId,
        /// The head; nothing is left to read when it says `end`.
        response: Response,
    },
    /// Something can be read: read until [`Read::Blocked`] or the end.
    Readable(StreamId),
    /// The send buffer has room again.
    Writable(StreamId),
    /// The peer wants no more of the own half, which is reset.
    Stopped {
        /// The stream.
        id: StreamId,
        /// Why.
        code: ErrorCode,
    },
    /// The peer gave up its half, or broke a rule of HTTP. Bytes that came before stay readable.
    Reset {
        /// The stream.
        id: StreamId,
        /// Why; REFUSED means that it is safe to retry.
        code: ErrorCode,
        /// Why, for people.
        reason: String,
    },
    /// The peer takes no further streams. Those above `last_stream` are reset with REFUSED.
    GoAway {
        /// Always NO_ERROR; anything else is [`Event::Closed`].
        code: ErrorCode,
        /// Highest stream that the peer acts upon.
        last_stream: u64,
        /// Why, for people.
        reason: String,
    },
    /// The session is over: the last event.
    Closed(SessionError),
}

/// What [`Session::read`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// Body bytes, at least one.
    Data(Bytes),
    /// A WebSocket message, or a part of one; the kind is the same for all parts of a message.
    Message {
        /// Text or binary.
        kind: MessageKind,
        /// The message ends with it.
        last: bool,
        /// Its bytes; a part has at least one.
        data: Bytes,
    },
    /// The peer has closed its half of the WebSocket. Its own close is due within 10 s (WSK-021).
    Close(Close),
    /// Nothing yet; [`Event::Readable`] follows.
    Blocked,
    /// The body is complete.
    End(Option<Fields>),
}

impl Session {
    /// The next event.
    ///
    /// At most one of Readable and Writable waits for each stream, and a stream has at most
    /// [`crate::limits::INFORMATIONAL_MAX`] + 4 others, so `max_streams` bounds the queue.
    pub fn poll_event(&mut self) -> Option<Event> {
        while let Some(event) = self.events.pop_front() {
            match &event {
                Event::Readable(id) => match self.streams.get_mut(id) {
                    Some(stream) => stream.readable = false,
                    None => continue,
                },
                Event::Writable(id) if !self.streams.contains_key(id) => continue,
                Event::Response { id, response } if response.end => self.observe(*id),
                Event::Reset { id, .. } => self.observe(*id),
                Event::Connected(_)
                | Event::Request { .. }
                | Event::Response { .. }
                | Event::Writable(_)
                | Event::Stopped { .. }
                | Event::GoAway { .. }
                | Event::Closed(_) => {}
            }
            return Some(event);
        }
        None
    }

    /// The event tells the application how the peer's half ended, unless bytes are left to read.
    fn observe(&mut self, id: StreamId) {
        if self.role == Role::Visitor
            && let Some(stream) = self.streams.get_mut(&id)
            && stream.recv.buffered() == 0
        {
            stream.observed = true;
            self.forget_if_over(id);
        }
    }

    pub(super) fn event_readable(&mut self, id: StreamId) {
        if let Some(stream) = self.streams.get_mut(&id)
            && !stream.readable
        {
            stream.readable = true;
            self.events.push_back(Event::Readable(id));
        }
    }
}
