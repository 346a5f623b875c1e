//! How a session ends: at once, or when every exchange has come to its end.

use std::collections::VecDeque;

use p2claw_session::{ErrorCode, LaneId, StreamId};

use super::super::model::{Half, Side};
use super::{Answer, Kind, World};

impl World {
    /// One end is closed: it says so last, every read there comes to an end, and nothing stays.
    pub(super) fn over(&mut self) {
        for side in [Side::Visitor, Side::Agent] {
            if !self.session(side).is_closed() {
                self.session(side)
                    .close(ErrorCode::NO_ERROR, "the test ends");
            }
            self.ended = true;
        }
        self.look();
        for side in [Side::Visitor, Side::Agent] {
            let ids: Vec<StreamId> = self.exchanges.keys().copied().collect();
            for id in ids {
                if side == Side::Visitor || self.exchange(id).arrived {
                    if !self.exchange(id).released.contains_key(&side)
                        && !self.half(id, side.other()).over
                    {
                        self.read(side, id, usize::MAX);
                    }
                    self.session(side).release(id);
                }
            }
            let session = self.session(side);
            assert_eq!(session.open_streams(), 0, "{side:?} keeps streams");
            let mut sent = 0;
            while session.poll_transmit(LaneId::ZERO).is_some() {
                sent += 1;
            }
            assert!(sent <= 2, "{sent} frames behind the end");
            assert!(session.is_drained() && session.poll_timeout().is_none());
            assert!(session.poll_event().is_none());
        }
    }

    /// Every exchange comes to its end, and then the session, if the applications do their part.
    pub(super) fn wind_up(&mut self) {
        for side in [Side::Visitor, Side::Agent] {
            self.session(side).path_found();
        }
        for _ in 0..600 {
            let ids: Vec<StreamId> = self.exchanges.keys().copied().collect();
            for id in &ids {
                self.last_words(*id);
            }
            self.swap();
            self.look();
            if self.ended {
                return self.over();
            }
            let quiet = self.wires.values().flatten().all(VecDeque::is_empty);
            if quiet && self.visitor.open_streams() == 0 && self.agent.open_streams() == 0 {
                break;
            }
        }
        let ids: Vec<StreamId> = self.exchanges.keys().copied().collect();
        for id in &ids {
            if self.exchange(*id).arrived && !self.exchange(*id).released.contains_key(&Side::Agent)
            {
                self.release(Side::Agent, *id);
            }
        }
        self.gone_away = true;
        self.visitor.go_away();
        self.agent.go_away();
        for _ in 0..20 {
            self.swap();
            self.look();
        }
        assert_eq!(
            self.visitor.open_streams(),
            0,
            "the visitor hangs: {:#?}",
            self.exchanges
        );
        assert_eq!(
            self.agent.open_streams(),
            0,
            "the agent hangs: {:#?}",
            self.exchanges
        );
        assert!(self.visitor.is_drained() && self.agent.is_drained());
        self.complete();
    }

    /// What the applications still owe an exchange.
    fn last_words(&mut self, id: StreamId) {
        let arrived = self.exchange(id).arrived;
        if arrived && !self.exchange(id).released.contains_key(&Side::Agent) {
            if !self.exchange(id).responded {
                self.respond(id, Answer::WithBody);
            }
            self.say_end(Side::Agent, id);
            self.read_on(Side::Agent, id);
            let done = |half: &Half| half.over || half.stopped;
            if done(self.half(id, Side::Visitor)) && self.agent_has_sent(id) {
                self.release(Side::Agent, id);
            }
        }
        if !self.exchange(id).released.contains_key(&Side::Visitor) {
            self.say_end(Side::Visitor, id);
            self.read_on(Side::Visitor, id);
        }
    }

    fn agent_has_sent(&mut self, id: StreamId) -> bool {
        let half = self.half(id, Side::Agent);
        half.finished.is_some() || half.close.is_some() || !half.aborted.is_empty()
    }

    fn say_end(&mut self, side: Side, id: StreamId) {
        let (kind, accepted) = (self.exchange(id).kind, self.exchange(id).accepted);
        let unwanted = self.half(id, side.other()).stopped || self.half(id, side.other()).over;
        let half = self.half(id, side);
        if half.finished.is_some() || half.close.is_some() || !half.aborted.is_empty() {
            return;
        }
        if matches!(kind, Kind::WebSocket) && accepted {
            self.close_websocket(side, id, 1000);
        } else if matches!(kind, Kind::WebSocket) && side == Side::Visitor {
            // SES-025: who wants no answer to a CONNECT gives up the own half as well.
            if unwanted {
                half.aborted.push(ErrorCode::CANCELLED);
                self.visitor.reset(id, ErrorCode::CANCELLED, "not wanted");
            }
        } else {
            self.finish(side, id, false);
        }
    }

    fn read_on(&mut self, side: Side, id: StreamId) {
        let half = self.half(id, side.other());
        if !half.over && !half.stopped {
            self.read(side, id, usize::MAX);
        }
    }

    /// What nobody gave up has arrived whole, unless the agent never took the request.
    fn complete(&self) {
        for (id, exchange) in self.exchanges.iter().filter(|(_, one)| one.arrived) {
            for (side, half) in &exchange.halves {
                assert!(
                    !half.must_arrive() || half.is_complete(),
                    "{side:?} stream {id}: {exchange:#?}"
                );
            }
        }
    }
}
