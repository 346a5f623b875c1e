//! Both ends of a control link, their drivers, the wire and the clock.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use p2claw_identity::{Alias, AppName, HostLabel, SessionId};
use p2claw_proto::v1::envelope::Kind;
use p2claw_proto::v1::{Envelope, SignalCode};
use p2claw_signaling::agent_link::{AgentEvent, AgentLink, LinkError, SendError, VisitOffer};
use p2claw_signaling::candidate::IceCandidate;
use p2claw_signaling::coord_link::{CoordEvent, CoordLink, CoordLinkConfig, WelcomeFacts};
use p2claw_signaling::limits::{LINK_QUEUE, MAX_ENVELOPE, MAX_TEXT};
use p2claw_signaling::visitor::{CheckedRequest, VisitCheck};
use prost::Message as _;

use super::messages::{DOMAIN, NONCE, NOW_MS, envelope, key, list, sdp, session};

/// Events of one input: enough to fill a queue, which holds 256.
const EVENTS: usize = 400;

/// Ends of the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Agent,
    Coord,
}

struct World {
    agent: AgentLink,
    coord: CoordLink,
    to_agent: VecDeque<Bytes>,
    to_coord: VecDeque<Bytes>,
    /// Highest number that each end has given to a message.
    numbered: [u64; 2],
    now: Instant,
    passed: Duration,
    /// Somebody else has written on the wire, so that any error may follow.
    tampered: bool,
    offers: Vec<VisitOffer>,
}

pub(super) fn run(input: &mut Unstructured<'_>) {
    let mut world = World::new();
    for _ in 0..EVENTS {
        if input.is_empty() || world.step(input).is_err() {
            break;
        }
        world.check();
    }
    world.drain();
    // Time alone ends both links, for nothing comes any more.
    for _ in 0..10 {
        world.pass(Duration::from_secs(60));
    }
    assert!(world.agent.is_closed() && world.coord.is_closed());
}

impl World {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            agent: AgentLink::new(key(), "fuzz/1", now).expect_domain(DOMAIN),
            coord: CoordLink::new(CoordLinkConfig::new(DOMAIN), NONCE, now, NOW_MS),
            to_agent: VecDeque::new(),
            to_coord: VecDeque::new(),
            numbered: [0; 2],
            now,
            passed: Duration::ZERO,
            tampered: false,
            offers: Vec::new(),
        }
    }

    fn now_ms(&self) -> i64 {
        NOW_MS.saturating_add(i64::try_from(self.passed.as_millis()).unwrap_or(i64::MAX))
    }

    fn step(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        match input.int_in_range(0..=21)? {
            0..=5 => self.drain(),
            6 => {
                let millis = input.int_in_range(0..=20_000)?;
                self.pass(Duration::from_millis(millis));
            }
            7 => self.welcome(input)?,
            8 => {
                let bytes = envelope(input)?.encode_to_vec();
                self.forge(End::Agent, bytes);
            }
            9 => {
                let bytes = envelope(input)?.encode_to_vec();
                self.forge(End::Coord, bytes);
            }
            10 => {
                let bytes = input.arbitrary::<Vec<u8>>()?;
                let to = if input.arbitrary()? {
                    End::Agent
                } else {
                    End::Coord
                };
                self.forge(to, bytes);
            }
            11 => {
                let byte = input.arbitrary()?;
                let request = request(byte);
                let label = label(input)?;
                let outcome = self.coord.offer(session(input)?, &label, request);
                self.check_send(End::Coord, outcome);
            }
            12 => {
                let apps = list(input, |input| {
                    Ok(*input.choose(&["recipes", "notes", "a-b", "7"])?)
                })?;
                let apps = apps
                    .into_iter()
                    .filter_map(|app| AppName::parse(app).ok())
                    .collect();
                let outcome = self.agent.announce_routes(apps);
                assert!(matches!(outcome, Ok(()) | Err(SendError::Full)));
            }
            13 => self.answer(input)?,
            14 => {
                let outcome = self.agent.revoke(self.now_ms());
                self.check_send(End::Agent, outcome);
            }
            15 => self.candidate(input)?,
            16 => self.end_visit(input)?,
            17 => {
                let random = input.arbitrary()?;
                let outcome = self.agent.grease(random);
                self.check_send(End::Agent, outcome);
                let outcome = self.coord.grease(random);
                self.check_send(End::Coord, outcome);
            }
            18 => self.passing(input)?,
            19 if input.ratio(1, 4)? => self.agent.goodbye(),
            20 if input.ratio(1, 4)? => self
                .coord
                .goodbye(SignalCode::ShuttingDown, input.arbitrary()?),
            // Only a link that was registered is ever replaced.
            21 if self.coord.is_registered() && input.ratio(1, 8)? => self.coord.replaced(),
            _ => {}
        }
        Ok(())
    }

    /// Takes all that both ends want to send, and delivers it.
    fn drain(&mut self) {
        loop {
            self.transmit();
            if self.to_agent.is_empty() && self.to_coord.is_empty() {
                break;
            }
            while let Some(message) = self.to_agent.pop_front() {
                self.deliver(End::Agent, &message);
            }
            while let Some(message) = self.to_coord.pop_front() {
                self.deliver(End::Coord, &message);
            }
            self.events();
        }
        self.events();
    }

    /// One message for each end, so that queues fill and messages cross.
    fn passing(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        self.transmit();
        if input.arbitrary()?
            && let Some(message) = self.to_agent.pop_front()
        {
            self.deliver(End::Agent, &message);
        }
        if input.arbitrary()?
            && let Some(message) = self.to_coord.pop_front()
        {
            self.deliver(End::Coord, &message);
        }
        Ok(())
    }

    fn transmit(&mut self) {
        for from in [End::Agent, End::Coord] {
            let mut count = 0;
            loop {
                let message = match from {
                    End::Agent => self.agent.poll_transmit(),
                    End::Coord => self.coord.poll_transmit(),
                };
                let Some(message) = message else { break };
                count += 1;
                assert!(count <= LINK_QUEUE + 1, "{from:?} queues without end");
                self.check_message(from, &message);
                match from {
                    End::Agent => self.to_coord.push_back(message),
                    End::Coord => self.to_agent.push_back(message),
                }
            }
        }
    }

    /// SIG-002, SIG-004: numbers go up, errors have none, and all fit.
    fn check_message(&mut self, from: End, message: &Bytes) {
        assert!(
            message.len() <= MAX_ENVELOPE,
            "{from:?} sent {} bytes",
            message.len()
        );
        let envelope = Envelope::decode(&message[..]).expect("a link sends envelopes");
        let number = &mut self.numbered[usize::from(from == End::Coord)];
        if let Some(Kind::Error(error)) = &envelope.kind {
            assert!(envelope.seq == 0 && error.detail.len() <= MAX_TEXT);
        } else {
            assert!(
                envelope.seq > *number,
                "{from:?} numbers {} behind {number}",
                envelope.seq
            );
            *number = envelope.seq;
        }
    }

    fn deliver(&mut self, to: End, message: &[u8]) {
        let now_ms = self.now_ms();
        let (was_closed, outcome, closed) = match to {
            End::Agent => {
                let was = self.agent.is_closed();
                (
                    was,
                    self.agent.handle(self.now, now_ms, message),
                    self.agent.is_closed(),
                )
            }
            End::Coord => {
                let was = self.coord.is_closed();
                (
                    was,
                    self.coord.handle(self.now, now_ms, message),
                    self.coord.is_closed(),
                )
            }
        };
        if was_closed {
            assert_eq!(outcome, Ok(()));
        }
        if let Err(error) = outcome {
            assert!(closed);
            // Two honest ends never break a rule; they may only be too busy.
            let busy = matches!(error, LinkError::Backlog | LinkError::Overload);
            assert!(self.tampered || busy, "{to:?}: {error}");
        }
    }

    fn forge(&mut self, to: End, message: Vec<u8>) {
        self.tampered = true;
        self.deliver(to, &message);
    }

    fn events(&mut self) {
        let mut count = 0;
        while let Some(event) = self.agent.poll_event() {
            count += 1;
            match event {
                AgentEvent::VisitOffer(offer) => {
                    assert_eq!(
                        Some(&offer.alias),
                        self.agent.alias().or(Some(&offer.alias))
                    );
                    self.offers.push(offer);
                    self.offers.truncate(8);
                }
                AgentEvent::Closed { reason, .. } => {
                    assert!(self.agent.is_closed() && reason.len() <= MAX_TEXT);
                }
                AgentEvent::Replaced => assert!(self.agent.is_closed()),
                AgentEvent::VisitEnd { reason, .. }
                | AgentEvent::Refused { detail: reason, .. } => {
                    assert!(reason.len() <= MAX_TEXT && !reason.contains(char::is_control));
                }
                _ => {}
            }
        }
        while let Some(event) = self.coord.poll_event() {
            count += 1;
            match event {
                CoordEvent::Registered { peer_id, software } => {
                    assert!(software.len() <= MAX_TEXT);
                    assert_eq!(
                        peer_id,
                        key().peer_id(),
                        "coord took a key that signed nothing"
                    );
                }
                CoordEvent::Revoked { peer_id } => assert_eq!(peer_id, key().peer_id()),
                CoordEvent::Goodbye { .. } | CoordEvent::Silent { .. } => {
                    assert!(self.coord.is_closed())
                }
                _ => {}
            }
        }
        assert!(count <= 2 * (LINK_QUEUE + 1), "{count} events waited");
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.passed += time;
        self.agent.handle_timeout(self.now);
        self.coord.handle_timeout(self.now);
        for deadline in [self.agent.poll_timeout(), self.coord.poll_timeout()]
            .into_iter()
            .flatten()
        {
            assert!(
                deadline > self.now,
                "a timer that has gone off is still set"
            );
        }
    }

    /// What holds at any moment.
    fn check(&self) {
        assert_eq!(self.agent.poll_timeout().is_none(), self.agent.is_closed());
        assert_eq!(self.coord.poll_timeout().is_none(), self.coord.is_closed());
        assert_eq!(self.agent.alias().is_some(), self.agent.is_registered());
        assert!(!(self.agent.is_closed() && self.agent.is_registered()));
        assert!(!(self.coord.is_closed() && self.coord.is_registered()));
    }

    fn check_send(&self, from: End, outcome: std::result::Result<(), SendError>) {
        let registered = match from {
            End::Agent => self.agent.is_registered(),
            End::Coord => self.coord.is_registered(),
        };
        match outcome {
            Ok(()) | Err(SendError::Full) => assert!(registered),
            Err(SendError::NotRegistered) => assert!(!registered),
            Err(error) => panic!("{from:?}: {error}"),
        }
    }

    fn welcome(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        if input.ratio(1, 8)? {
            self.coord.refuse(SignalCode::Revoked, "no");
            return Ok(());
        }
        let alias = Alias::parse("quiet-otter-0417").expect("an alias");
        let facts = WelcomeFacts {
            max_routes: input.int_in_range(0..=70)?,
            ..WelcomeFacts::for_alias(alias, "https", DOMAIN)
        };
        let outcome = self.coord.welcome(facts, self.now);
        if outcome.is_ok() {
            assert!(self.coord.is_registered());
        }
        Ok(())
    }

    fn answer(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        let Some(offer) = self.offers.pop() else {
            return Ok(());
        };
        let answer = offer.answer(&key(), sdp(input.arbitrary()?), self.now_ms());
        let answer = answer.expect("an answer with one certificate is signed");
        let outcome = self.agent.answer(answer);
        self.check_send(End::Agent, outcome);
        Ok(())
    }

    fn candidate(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        let id = session(input)?;
        let Ok(candidate) = IceCandidate::parse(input.arbitrary::<&str>()?, "0") else {
            return Ok(());
        };
        let outcome = self.agent.candidate(id, candidate);
        self.check_send(End::Agent, outcome);
        let outcome = self.coord.candidate(id, IceCandidate::end());
        self.check_send(End::Coord, outcome);
        Ok(())
    }

    fn end_visit(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        let id: SessionId = session(input)?;
        let reason: &str = input.arbitrary()?;
        let outcome = self.agent.end_visit(id, SignalCode::Limit, reason);
        self.check_send(End::Agent, outcome);
        let outcome = self.coord.end_visit(id, SignalCode::Ok, reason);
        self.check_send(End::Coord, outcome);
        Ok(())
    }
}

fn request(byte: u8) -> CheckedRequest {
    let label = HostLabel::parse("recipes-quiet-otter-0417").expect("a host label");
    let check = VisitCheck::new(label, NONCE, sdp(byte), Vec::new()).expect("one certificate");
    CheckedRequest::parse(&check.request()).expect("an own request is taken")
}

fn label(input: &mut Unstructured<'_>) -> Result<HostLabel> {
    let labels = [
        "recipes-quiet-otter-0417",
        "notes-quiet-otter-0417",
        "recipes-bob",
    ];
    Ok(HostLabel::parse(input.choose::<&str>(&labels)?).expect("a host label"))
}
