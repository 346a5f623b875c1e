//! WebSockets: messages out and in (spec/v1/websocket.md).

use bytes::Bytes;
use p2claw_proto::v1 as proto;

use super::Session;
use super::receive::{Place, session_fault};
use crate::limits::{COST_FRAME, MESSAGE_CHARGE};
use crate::stream::{EndOfBody, Received, RecvFault};
use crate::{Close, LaneId, MessageKind, SessionError, StreamId, WriteError};

impl Session {
    /// Takes as much of a WebSocket message, or of a part of one, as the send buffer has room for,
    /// advancing `data`. `last` says that the message ends with it.
    ///
    /// Says whether all of it was taken; if not, [`Event::Writable`] follows, and the rest is due
    /// before any other message. The bytes of a text have to be UTF-8 (WSK-012). Once the peer has
    /// closed, a message that has not begun is dropped (WSK-021).
    pub fn send_message(
        &mut self,
        id: StreamId,
        kind: MessageKind,
        data: &mut Bytes,
        last: bool,
    ) -> Result<bool, WriteError> {
        let limit = self.config.send_buffer;
        let stream = self.stream_to_write(id)?;
        let begun = stream.send.message_has_begun()?;
        if stream.recv.is_closed() && !begun {
            data.clear();
            return Ok(true);
        }
        let taken = stream.send.send_message(kind, data, last, limit)?;
        stream.want_writable = !taken;
        self.schedule(id);
        Ok(taken)
    }

    /// Whether the peer has closed its half of a WebSocket, read or not.
    pub fn peer_has_closed(&self, id: StreamId) -> bool {
        let stream = self.streams.get(&id);
        stream.is_some_and(|stream| stream.recv.is_closed())
    }

    /// Ends the own half of a WebSocket, behind the messages that wait (WSK-020).
    pub fn close_websocket(&mut self, id: StreamId, close: Close) -> Result<(), WriteError> {
        let stream = self.stream_to_write(id)?;
        stream.send.close(close)?;
        stream.want_writable = false;
        self.schedule(id);
        Ok(())
    }

    /// A WebSocket message, or a part of one.
    pub(super) fn on_message(
        &mut self,
        lane: LaneId,
        id: StreamId,
        kind: MessageKind,
        data: Bytes,
        last: bool,
    ) -> Result<(), SessionError> {
        let charge = data.len() + MESSAGE_CHARGE;
        let place = self.place(lane, id)?;
        self.charge(id, charge)?;
        let Place::Live = place else {
            // SES-013, SES-044
            self.session_consume(charge);
            return self.spend(COST_FRAME, "frames of closed streams");
        };
        let Some(stream) = self.streams.get_mut(&id) else {
            return Ok(());
        };
        match stream.recv.on_message(kind, data, last) {
            Ok(Received::Kept) => self.event_readable(id),
            Ok(Received::Discarded) => self.session_consume(charge),
            Err(RecvFault::Utf8) => {
                self.session_consume(charge);
                return self.bad_message(id, "a text message is not UTF-8".to_owned(), false);
            }
            Err(fault) => return Err(session_fault(fault, id)),
        }
        Ok(())
    }

    pub(super) fn on_close(
        &mut self,
        lane: LaneId,
        id: StreamId,
        close: proto::WsClose,
    ) -> Result<(), SessionError> {
        let Place::Live = self.place(lane, id)? else {
            return self.spend(COST_FRAME, "frames of closed streams");
        };
        let stream = self.streams.get(&id);
        let fits = stream.is_some_and(|stream| stream.recv.awaits_close());
        match Close::from_wire(close) {
            Ok(close) => self.on_end(id, EndOfBody::Close(close)),
            Err(error) if fits => self.bad_message(id, error.to_string(), true),
            Err(_) => Err(session_fault(RecvFault::Unexpected, id)),
        }
    }
}
