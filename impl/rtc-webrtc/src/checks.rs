//! What rtc's ICE agent leaves open: when the next round of checks is due, a nomination that
//! comes too soon, and one that comes later.
//!
//! rtc checks all pairs at once, at a fixed interval; here rounds follow each other ever more
//! slowly, and an answer calls for one at once. As the controlled agent it ignores a nomination
//! of a pair that its own check has not been through yet, and every nomination after the first
//! (RFC 8445 section 7.3.1.5 has it use the pair in both cases). The first kind is held until
//! the check is through; the second is followed by sending what goes to rtc's pair to the
//! nominated one instead. As the controlling agent it never nominates a second one, which
//! [`crate::renomination`] does; what goes to rtc's pair follows there, too.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use p2claw_network::Datagram;
use rtc::stun::{
    attributes::ATTR_USE_CANDIDATE,
    message::{CLASS_REQUEST, CLASS_SUCCESS_RESPONSE, METHOD_BINDING, Message, TransactionId},
};
use tokio::time::Instant;

use crate::{
    renomination::{Answer, Renomination},
    settings::DISCONNECTED,
};

/// Between two rounds at least; rtc's own interval.
pub(crate) const ROUND_MIN: Duration = Duration::from_millis(5);

/// From the first round to the second one. A lost packet costs this much before the first byte,
/// and NATs that are to be passed need a second packet.
const ROUND_FIRST: Duration = Duration::from_millis(50);

/// Between two rounds at most (RFC 8445 section 14.3 asks for 500 ms at least; there are few
/// pairs).
const ROUND_MAX: Duration = Duration::from_millis(500);

/// Rounds until [`ROUND_MAX`] is reached.
const ROUNDS: u32 = 8;

/// Addresses of the other end that are checked, its own candidates among them: whoever knows the
/// password could have this end check any number of them otherwise.
const SOURCES_MAX: usize = 64;

/// Pairs whose first answer is noted.
const ANSWERED_MAX: usize = 64;

/// Checks that are timed at once.
const ASKED_MAX: usize = 32;

/// Silence after which a pair that the other end has nominated later is no better than rtc's:
/// its checks for consent come every 6 s at the latest (RFC 7675 section 5.1). One that this end
/// has nominated is checked as often as rtc's own.
pub(crate) const SILENCE: Duration = Duration::from_secs(7);

/// First byte of a STUN message is 0..=3 (RFC 7983).
const STUN_FIRST_BYTE_MAX: u8 = 3;

/// Two addresses that packets go between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
}

impl Pair {
    fn of(datagram: &Datagram) -> Self {
        Self {
            local: datagram.destination,
            remote: datagram.source,
        }
    }
}

/// Whether a datagram is no DTLS, and so no sign of a working path.
pub(crate) fn is_stun(datagram: &[u8]) -> bool {
    datagram
        .first()
        .is_some_and(|first| *first <= STUN_FIRST_BYTE_MAX)
}

/// Reads a connectivity check, or the answer to one.
fn read(datagram: &[u8]) -> Option<Message> {
    let mut message = Message::new();
    message.unmarshal_binary(datagram).ok()?;
    (message.typ.method == METHOD_BINDING).then_some(message)
}

/// What has to be done with a datagram of the other end's.
pub(crate) enum Arrival {
    /// rtc gets it.
    Pass,
    /// rtc gets it, and then the nomination that it left aside before.
    PassWith(Datagram),
    /// From one address too many, or the answer to a check that rtc has not made.
    Drop,
}

/// The checks of one peer, from one (re)start to the next.
#[derive(Debug)]
pub(crate) struct Checks {
    /// This end nominates.
    controlling: bool,
    state: State,
    /// When the search began, unless it is the first one.
    restarted: Option<Instant>,
    rounds: u32,
    /// No round is due before.
    not_before: Instant,
    sources: Vec<SocketAddr>,
    answered: Vec<Pair>,
    /// Those that rtc does not make.
    pub(crate) renomination: Renomination,
    /// The last nomination that rtc has not answered.
    nomination: Option<(TransactionId, Datagram)>,
    /// What has been nominated last; rtc knows only of the first one.
    route: Option<Pair>,
    /// When the other end's check of that pair came last, or its answer to one from here.
    heard: Instant,
    /// What rtc sends to.
    own: Option<Pair>,
    /// Own checks that wait for their answer.
    asked: VecDeque<(TransactionId, Instant)>,
    round_trip: Option<Duration>,
}

/// rtc's view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No pair yet.
    Searching,
    Connected,
    /// Its pair is silent.
    Lost,
}

impl Checks {
    pub(crate) fn new(controlling: bool) -> Self {
        let now = Instant::now();
        Self {
            controlling,
            state: State::Searching,
            restarted: None,
            rounds: 0,
            not_before: now,
            sources: Vec::new(),
            answered: Vec::new(),
            renomination: Renomination::new(controlling),
            nomination: None,
            route: None,
            heard: now,
            own: None,
            asked: VecDeque::new(),
            round_trip: None,
        }
    }

    /// All that was found out is void (RFC 8445 section 9).
    pub(crate) fn restart(&mut self) {
        *self = Self::new(self.controlling);
        self.restarted = Some(Instant::now());
    }

    /// A candidate of the other end. `false`: it has too many.
    pub(crate) fn admit(&mut self, source: SocketAddr) -> bool {
        if self.sources.contains(&source) {
            return true;
        }
        let room = self.sources.len() < SOURCES_MAX;
        if room {
            self.sources.push(source);
        }
        room
    }

    /// There is something new to check.
    pub(crate) fn hurry(&mut self) {
        self.rounds = 0;
        self.not_before = Instant::now();
        self.renomination.hurry();
    }

    /// The other end's addresses that are known: it has named them, or checked from there.
    pub(crate) fn sources(&self) -> &[SocketAddr] {
        &self.sources
    }

    /// Looks at a datagram before rtc gets it.
    pub(crate) fn arrives(&mut self, datagram: &Datagram) -> Arrival {
        let Some(mut check) = read(&datagram.contents) else {
            return Arrival::Pass;
        };
        let pair = Pair::of(datagram);
        if check.typ.class == CLASS_REQUEST {
            if self.sources.len() >= SOURCES_MAX && !self.sources.contains(&pair.remote) {
                return Arrival::Drop;
            }
            if check.contains(ATTR_USE_CANDIDATE) && !self.controlling {
                self.nomination = Some((check.transaction_id, datagram.clone()));
            }
        } else if check.typ.class == CLASS_SUCCESS_RESPONSE {
            match self.renomination.answered(&mut check, pair) {
                Answer::Foreign => {}
                Answer::Noted => return Arrival::Drop,
                Answer::Works(pair, round_trip) => {
                    self.route = Some(pair);
                    self.heard = Instant::now();
                    self.round_trip = Some(round_trip);
                    return Arrival::Drop;
                }
            }
            self.time(check.transaction_id);
            if self.state != State::Searching {
                return Arrival::Pass;
            }
            if self.controlling {
                self.first_answer(pair);
            } else if let Some((_, nomination)) = &self.nomination
                && Pair::of(nomination) == pair
            {
                return Arrival::PassWith(nomination.clone());
            }
        }
        Arrival::Pass
    }

    /// Takes the time of an answer.
    fn time(&mut self, transaction: TransactionId) {
        let place = self.asked.iter().position(|(one, _)| *one == transaction);
        if let Some((_, asked)) = place.and_then(|place| self.asked.remove(place)) {
            self.round_trip = Some(asked.elapsed());
        }
    }

    /// How long the last check took, there and back.
    pub(crate) const fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// rtc nominates in a round, so an answer calls for one; one for each pair, or two ends that
    /// check all pairs whenever an answer comes would never rest.
    fn first_answer(&mut self, pair: Pair) {
        if self.answered.len() < ANSWERED_MAX && !self.answered.contains(&pair) {
            self.answered.push(pair);
            self.hurry();
        }
    }

    /// Where a datagram of rtc's goes.
    pub(crate) fn leaves(&mut self, pair: Pair, datagram: &[u8]) -> Pair {
        if !is_stun(datagram) {
            self.own = Some(pair);
            return self.followed(pair).unwrap_or(pair);
        }
        let Some(check) = read(datagram) else {
            return pair;
        };
        if check.typ.class == CLASS_REQUEST {
            if self.asked.len() == ASKED_MAX {
                self.asked.pop_front();
            }
            self.asked.push_back((check.transaction_id, Instant::now()));
        } else if check.typ.class == CLASS_SUCCESS_RESPONSE {
            // rtc answers only to who knows the password.
            let known = self.sources.len();
            self.admit(pair.remote);
            if self.sources.len() > known {
                self.renomination.hurry();
            }
            let nominated = self
                .nomination
                .take_if(|(transaction, _)| *transaction == check.transaction_id);
            if nominated.is_some() {
                self.route = Some(pair);
            }
            if self.route == Some(pair) && !self.controlling {
                self.heard = Instant::now();
            }
        }
        pair
    }

    /// The pair that carries packets; `None` before the first one.
    pub(crate) fn in_use(&self) -> Option<Pair> {
        self.own.map(|own| self.followed(own).unwrap_or(own))
    }

    /// Whether rtc has a pair, and takes what is no check.
    pub(crate) fn has_pair(&self) -> bool {
        self.state != State::Searching
    }

    /// What has been nominated last, unless it is silent and rtc's pair is not.
    fn followed(&self, own: Pair) -> Option<Pair> {
        self.route.filter(|route| {
            *route == own
                || self.state == State::Lost
                || Instant::now() < self.heard + self.silence()
        })
    }

    /// How long the pair that was nominated last may be silent.
    const fn silence(&self) -> Duration {
        if self.controlling {
            DISCONNECTED
        } else {
            SILENCE
        }
    }

    /// rtc has a pair that works.
    pub(crate) fn connected(&mut self) {
        self.state = State::Connected;
    }

    /// rtc's pair is silent.
    pub(crate) fn disconnected(&mut self) {
        self.state = State::Lost;
    }

    /// Whether packets get through; `None` before the first pair is found, and for a while after a
    /// restart.
    pub(crate) fn works(&self) -> Option<bool> {
        match self.state {
            State::Searching => self
                .restarted
                .filter(|at| at.elapsed() >= DISCONNECTED)
                .map(|_| false),
            State::Connected => Some(true),
            State::Lost => Some(self.silent_at().is_some_and(|at| Instant::now() < at)),
        }
    }

    /// When the pair that was nominated later counts as silent.
    fn silent_at(&self) -> Option<Instant> {
        let other = self.route.filter(|route| Some(*route) != self.own);
        other.map(|_| self.heard + self.silence())
    }

    /// When rtc's timers have to run, which it wants at `due`.
    pub(crate) fn timeout(&self, due: Instant) -> Instant {
        match self.state {
            State::Searching => due.max(self.not_before),
            State::Connected => due,
            State::Lost => self
                .silent_at()
                .filter(|at| *at > Instant::now())
                .map_or(due, |at| at.min(due)),
        }
    }

    /// rtc's timers run.
    pub(crate) fn round(&mut self) {
        if self.state == State::Searching {
            let pause = ROUND_FIRST * 3_u32.pow(self.rounds) / 2_u32.pow(self.rounds);
            self.not_before = Instant::now() + pause.min(ROUND_MAX);
            self.rounds = (self.rounds + 1).min(ROUNDS);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(port: usize) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 7], u16::try_from(port).unwrap_or(0)))
    }

    /// A visitor cannot have any number of addresses checked.
    #[test]
    fn addresses_of_the_other_end_are_limited() {
        let mut checks = Checks::new(false);
        for port in 1..=SOURCES_MAX {
            assert!(checks.admit(source(port)));
        }
        assert!(!checks.admit(source(SOURCES_MAX + 1)));
        assert!(checks.admit(source(1)), "it is known");
        checks.restart();
        assert!(checks.admit(source(SOURCES_MAX + 1)));
    }

    /// A restart that finds nothing is told of, so that the next one comes.
    #[tokio::test(start_paused = true)]
    async fn a_search_without_end_is_a_lost_path_but_for_the_first() {
        let mut checks = Checks::new(true);
        tokio::time::advance(2 * DISCONNECTED).await;
        assert_eq!(checks.works(), None);
        checks.restart();
        assert_eq!(checks.works(), None);
        tokio::time::advance(DISCONNECTED).await;
        assert_eq!(checks.works(), Some(false));
        checks.connected();
        assert_eq!(checks.works(), Some(true));
    }

    /// rtc wants a round every 5 ms.
    #[tokio::test(start_paused = true)]
    async fn rounds_become_rarer_until_there_is_news() {
        let mut checks = Checks::new(true);
        let mut pauses = Vec::new();
        for _ in 0..10 {
            checks.round();
            let now = Instant::now();
            pauses.push(checks.timeout(now) - now);
        }
        assert_eq!(pauses[0], ROUND_FIRST);
        assert!(pauses.is_sorted(), "{pauses:?}");
        assert_eq!(pauses.last(), Some(&ROUND_MAX));
        checks.hurry();
        assert_eq!(checks.timeout(Instant::now()), Instant::now());
        checks.connected();
        checks.round();
        assert_eq!(checks.timeout(Instant::now()), Instant::now());
    }
}
