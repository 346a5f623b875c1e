//! The network, the clock, and what the applications hear.

use std::time::Duration;

use p2claw_session::{ErrorCode, Event, LaneId};

use super::super::model::Side;
use super::super::trace;
use super::{Kind, World};

/// Lanes that both ends have at most.
pub(super) const LANES: usize = 4;

impl World {
    pub(super) fn transmit(&mut self, from: Side, lane: usize, count: usize) {
        let number = LaneId::new(u8::try_from(lane).unwrap_or(0)).unwrap_or(LaneId::ZERO);
        for _ in 0..count {
            let Some(message) = self.session(from).poll_transmit(number) else {
                return;
            };
            let wires = self.wires.get_mut(&from.other()).expect("two wires");
            wires[lane].push_back(message);
        }
    }

    pub(super) fn deliver(&mut self, to: Side, lane: usize, count: usize) {
        for _ in 0..count {
            let Some(message) = self
                .wires
                .get_mut(&to)
                .and_then(|wires| wires[lane].pop_front())
            else {
                return;
            };
            let (now, number) = (self.now, LaneId::new(u8::try_from(lane).unwrap_or(0)));
            let outcome =
                self.session(to)
                    .handle_message(now, number.unwrap_or(LaneId::ZERO), message);
            assert_eq!(outcome, Ok(()), "{to:?} on lane {lane}");
        }
    }

    /// Everything that both want to send arrives, as far as a lane holds it at a time.
    pub(super) fn swap(&mut self) {
        for from in [Side::Visitor, Side::Agent] {
            for lane in 0..LANES {
                self.transmit(from, lane, 16);
                self.deliver(from.other(), lane, 32);
            }
        }
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now += time;
        for side in [Side::Visitor, Side::Agent] {
            let now = self.now;
            while self
                .session(side)
                .poll_timeout()
                .is_some_and(|deadline| deadline <= now)
            {
                self.session(side).handle_timeout(now);
            }
        }
    }

    /// Takes the events of both ends, and checks what holds at any moment.
    pub(super) fn look(&mut self) {
        for side in [Side::Visitor, Side::Agent] {
            while let Some(event) = self.session(side).poll_event() {
                trace(&(side, &event));
                self.event(side, event);
            }
            let config = &self.configs[&side];
            let (session_credit, send_buffer) = (config.session_credit, config.send_buffer);
            let session = self.session(side);
            let (to_send, to_read) = session.buffered();
            assert!(to_read as u64 <= session_credit, "{to_read} bytes to read");
            // A message may wait alone with its charge, whatever the limit.
            assert!(
                to_send <= (send_buffer + 64) * session.open_streams(),
                "{to_send} bytes to send"
            );
            assert_eq!(session.poll_timeout().is_none(), session.is_closed());
        }
    }

    fn event(&mut self, side: Side, event: Event) {
        match event {
            Event::Request { id, request } => {
                assert_eq!(side, Side::Agent);
                let exchange = self.exchange(id);
                assert!(!exchange.arrived, "a request came twice");
                exchange.arrived = true;
                assert_eq!(
                    request.is_websocket(),
                    matches!(exchange.kind, Kind::WebSocket)
                );
            }
            Event::Response { id, response } => {
                assert_eq!(side, Side::Visitor);
                let exchange = self.exchange(id);
                assert!(response.status < 200 || exchange.responded);
                if response.end {
                    exchange.half(Side::Agent).got_end(false);
                }
            }
            Event::Stopped { id, code } => {
                let refused = code == ErrorCode::REFUSED;
                let allowed = refused && (self.gone_away || self.exchanges.len() > 100);
                let half = self.half(id, side);
                assert!(
                    half.stopped || allowed,
                    "{side:?} stream {id} was stopped with {code}"
                );
                half.aborted.push(code);
            }
            Event::Reset { id, code, .. } => {
                let was = self.half(id, side.other()).over;
                assert!(!was, "{side:?} stream {id} was cut off behind its end");
                self.check_cut(side, id, code);
                let half = self.half(id, side.other());
                half.cut = true;
                if !half.stopped {
                    // What came before stays readable.
                    self.read(side, id, usize::MAX);
                }
                self.half(id, side.other()).over = true;
            }
            Event::Closed(error) => {
                assert!(self.session(side).is_closed());
                // Nobody broke a rule: an application, or silence.
                let silence = error.code == ErrorCode::IDLE_TIMEOUT;
                assert!(self.ended || silence, "{side:?}: {error}");
                self.ended = true;
            }
            Event::GoAway { .. } => assert!(self.gone_away),
            Event::Connected(_) | Event::Readable(_) | Event::Writable(_) => {}
        }
    }
}
