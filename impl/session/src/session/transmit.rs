//! What goes out, and in which order (SES-080, SES-081).

use bytes::Bytes;

use super::control::Control;
use super::{Event, Session};
use crate::frame::Frame;
use crate::stream::NextFrame;
use crate::{LaneId, Role, StreamId};

impl Session {
    /// The next frame for a lane that can take one now.
    ///
    /// Frames of the session come first, then heads and the like in order, then bodies, one frame
    /// of each stream in turn. A fatal GOAWAY is the last frame of all.
    pub fn poll_transmit(&mut self, lane: LaneId) -> Option<Bytes> {
        if lane == LaneId::ZERO {
            if let Some(frame) = self.control.next() {
                return Some(frame);
            }
            if self.control.credit && self.closed.is_none() {
                return Some(self.session_credit_frame());
            }
        }
        if self.closed.is_some() || lane.index() >= self.lanes.len() {
            return None;
        }
        while let Some(control) = self.lanes[lane.index()].control.pop_front() {
            let id = control.stream();
            let frame = self.control_frame(lane, control);
            self.forget_if_over(id);
            if frame.is_some() {
                return frame;
            }
        }
        self.next_body(lane)
    }

    fn session_credit_frame(&mut self) -> Bytes {
        self.control.credit = false;
        self.credit.granted = self.credit.consumed + self.config.session_credit;
        let max_bytes = self.credit.granted;
        Frame::Credit {
            stream: None,
            max_bytes,
        }
        .encode()
    }

    fn control_frame(&mut self, lane: LaneId, control: Control) -> Option<Bytes> {
        let id = control.stream();
        let mut credit = None;
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.control = stream.control.saturating_sub(1);
            if matches!(control, Control::Credit(_)) {
                stream.credit_queued = false;
                credit = stream.recv.grant();
            }
        }
        // The peer has said that it acts upon no such stream (SES-070).
        let visitor = self.role == Role::Visitor;
        if visitor && self.peer_going_away.is_some_and(|last| id.get() > last) {
            return None;
        }
        match control {
            Control::Head(_, frame) => Some(frame),
            Control::Credit(stream) => {
                let stream = Some(stream);
                credit.map(|max_bytes| Frame::Credit { stream, max_bytes }.encode())
            }
            Control::Reset {
                id: stream,
                code,
                reason,
            } => Some(
                Frame::Reset {
                    stream,
                    code,
                    reason,
                }
                .encode(),
            ),
            Control::Stop { id: stream, code } => Some(Frame::Stop { stream, code }.encode()),
            Control::Refuse {
                id: stream,
                code,
                reason,
            } => {
                self.lanes[lane.index()]
                    .control
                    .push_front(Control::RefuseStop { id, code });
                Some(
                    Frame::Reset {
                        stream,
                        code,
                        reason,
                    }
                    .encode(),
                )
            }
            Control::RefuseStop { id: stream, code } => {
                self.lanes[lane.index()].refusals -= 1;
                Some(Frame::Stop { stream, code }.encode())
            }
        }
    }

    /// Whatever waits of the stream whose turn it is: no byte waits for a further one (SES-027).
    fn next_body(&mut self, lane: LaneId) -> Option<Bytes> {
        let longest = self.longest_to_send();
        while let Some(id) = self.lanes[lane.index()].round.pop_front() {
            let Some(stream) = self.streams.get_mut(&id) else {
                continue;
            };
            let session = self.credit.allowed.saturating_sub(self.credit.sent);
            match stream.send.next_frame(id, longest, session) {
                NextFrame::Frame { frame, body } => {
                    self.credit.sent += body as u64;
                    self.budget.bytes(body);
                    self.after_body(lane, id);
                    return Some(frame);
                }
                // SES-082: it leaves the round, so that others get their turn.
                NextFrame::SessionBlocked => self.lanes[lane.index()].starved.push_back(id),
                NextFrame::Nothing => stream.queued = false,
            }
        }
        None
    }

    fn after_body(&mut self, lane: LaneId, id: StreamId) {
        let Some(stream) = self.streams.get_mut(&id) else {
            return;
        };
        stream.queued = stream.send.can_send();
        if stream.queued {
            self.lanes[lane.index()].round.push_back(id);
        }
        if stream.want_writable && stream.send.has_room(self.config.send_buffer) {
            stream.want_writable = false;
            self.events.push_back(Event::Writable(id));
        }
        self.forget_if_over(id);
    }
}
