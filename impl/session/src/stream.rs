//! One exchange: a sending and a receiving half, each a state machine of its own.

mod messages;
mod recv;
mod send;

pub(crate) use recv::{EndOfBody, Received, Receiver, RecvFault};
pub(crate) use send::{Answer, BodyEnd, NextFrame, Sender, StopAnswer};

use bytes::Bytes;

use crate::{LaneId, Request, Role};

/// A stream as the session keeps it.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) lane: LaneId,
    pub(crate) send: Sender,
    pub(crate) recv: Receiver,
    /// The request's method was HEAD: its response has no content.
    pub(crate) to_head: bool,
    /// Lists of subprotocols that an extended CONNECT asked for; `None` for every other exchange.
    pub(crate) subprotocols: Option<Vec<Bytes>>,
    /// Frames of this stream that wait in the lane's control queue.
    pub(crate) control: u16,
    /// A CREDIT is among them.
    pub(crate) credit_queued: bool,
    /// It stands in its lane's round of bodies.
    pub(crate) queued: bool,
    /// An [`crate::Event::Readable`] waits for the application.
    pub(crate) readable: bool,
    /// The application wants an [`crate::Event::Writable`].
    pub(crate) want_writable: bool,
    /// The application is done with it.
    pub(crate) released: bool,
    /// The application knows how the receiving half ended.
    pub(crate) observed: bool,
}

impl Stream {
    pub(crate) fn new(lane: LaneId, send: Sender, recv: Receiver, request: &Request) -> Self {
        Self {
            lane,
            send,
            recv,
            to_head: request.method == "HEAD",
            subprotocols: request.subprotocols(),
            control: 0,
            credit_queued: false,
            queued: false,
            readable: false,
            want_writable: false,
            released: false,
            observed: false,
        }
    }

    /// Whether nothing will be sent, received or read any more.
    ///
    /// An agent's stream stays until its handler has stopped, so that streams which the visitor
    /// gives up still count (SES-050).
    pub(crate) const fn is_over(&self, role: Role) -> bool {
        let done_with = match role {
            Role::Visitor => self.released || self.observed,
            Role::Agent => self.released,
        };
        done_with && self.is_closed()
    }

    /// Whether both halves have ended on the wire (SES-013).
    pub(crate) const fn is_closed(&self) -> bool {
        self.control == 0 && self.send.is_over() && self.recv.is_over()
    }
}

#[cfg(test)]
mod tests;
