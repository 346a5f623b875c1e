//! The agent's end of the control link.
//!
//! A driver owns the WebSocket and does, for every link:
//! 1. [`AgentLink::new`] when the WebSocket is open (subprotocol `p2claw.v1`);
//! 2. each binary message into [`AgentLink::handle`], each deadline of
//!    [`AgentLink::poll_timeout`] into [`AgentLink::handle_timeout`];
//! 3. after each of these and after each call that sends something: all of
//!    [`AgentLink::poll_transmit`] into the WebSocket as binary messages, one each, and all of
//!    [`AgentLink::poll_event`] to whom it concerns;
//! 4. once [`AgentLink::is_closed`]: flush, close the WebSocket, and come back after
//!    [`crate::backoff::Backoff`], unless the last event was [`AgentEvent::Replaced`].
//!
//! Peer sessions that were set up through a link outlive it.

mod events;

use self::events::{read_offer, read_route_ack, read_welcome};
use crate::candidate::IceCandidate;
use crate::limits::{HANDSHAKE, HEARTBEAT, LINK_QUEUE, MISSED_HEARTBEATS};
use crate::link::{Outbox, Timer, Timers, clip, decode, kind_name};
use crate::{SignalCode, code};
use bytes::Bytes;
use p2claw_identity::statement;
use p2claw_identity::{Alias, AppName, IdentityKey, Nonce, PROTOCOL_VERSION, SessionId};
use p2claw_proto::v1::envelope::Kind;
use p2claw_proto::v1::{self, VisitAnswer};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use self::events::{AgentEvent, RefusedRoute, VisitOffer, Welcome};
pub use crate::link::{LinkError, SendError};

/// ```text
///                    Challenge              Welcome
///  AwaitChallenge ─────────────> AwaitWelcome ─────────> Registered ──┐
///        │            Hello           │        Routes         │   └──┘ offers, candidates,
///        │                            │                       │        acks, heartbeats
///        └──────── Error, Goodbye, broken rule, 10 s ─────────┤
///                                                             │ Goodbye, ReplacedByNewer,
///                                                             │ 45 s of silence
///                                                             v
///                                                           Closed
/// ```
#[derive(Debug)]
enum State {
    AwaitChallenge,
    AwaitWelcome { challenge: Accepted },
    Registered { challenge: Accepted, alias: Alias },
    Closed,
}

/// The challenge that this link answered; a revocation answers it again.
#[derive(Debug)]
struct Accepted {
    domain: String,
    nonce: Nonce,
}

/// The agent's end of one control link. See the module's text for how to drive it.
#[derive(Debug)]
pub struct AgentLink {
    key: Arc<IdentityKey>,
    software: String,
    expected_domain: Option<String>,
    state: State,
    routes: Option<Vec<AppName>>,
    heartbeat: Duration,
    outbox: Outbox,
    events: VecDeque<AgentEvent>,
    timers: Timers,
}

impl AgentLink {
    /// Starts on a WebSocket that has just been opened. `software` is for logs, such as
    /// `p2claw/0.1.0`.
    #[must_use]
    pub fn new(key: impl Into<Arc<IdentityKey>>, software: &str, now: Instant) -> Self {
        let mut timers = Timers::default();
        timers.set(Timer::Handshake, now + HANDSHAKE);
        Self {
            key: key.into(),
            software: clip(software),
            expected_domain: None,
            state: State::AwaitChallenge,
            routes: None,
            heartbeat: HEARTBEAT,
            outbox: Outbox::default(),
            events: VecDeque::new(),
            timers,
        }
    }

    /// Registers only with a coord that names this domain (spec IDN-009). Without it a false coord
    /// could pass on the challenge of a real one and register there in this agent's name.
    #[must_use]
    pub fn expect_domain(mut self, domain: impl Into<String>) -> Self {
        self.expected_domain = Some(domain.into());
        self
    }

    /// Takes one message from coord. `now_unix_ms` is the wall clock, for statements.
    ///
    /// # Errors
    /// When coord broke a rule or this agent does not want to register with it. The link is
    /// closed then, its last words are in [`Self::poll_transmit`], and no event follows.
    pub fn handle(
        &mut self,
        now: Instant,
        now_unix_ms: i64,
        envelope: &[u8],
    ) -> Result<(), LinkError> {
        if self.is_closed() {
            return Ok(());
        }
        let mut seq = 0;
        let result = self.step(now, now_unix_ms, envelope, &mut seq);
        if let Err(error) = &result {
            self.outbox
                .last_error(seq, error.code(), &format!("failed to {error}"));
            self.close();
        }
        result
    }

    /// Takes note of the time. Call it when [`Self::poll_timeout`] has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.take_expired(now) {
            match timer {
                Timer::Handshake => self.give_up("coord did not finish registration within 10 s"),
                Timer::Silence => self.give_up("nothing came from coord for three heartbeats"),
                Timer::Heartbeat => {
                    // A full queue means that the driver is stuck; silence will end the link.
                    let _ = self.outbox.send(0, Kind::Heartbeat(v1::Heartbeat {}));
                    self.timers.set(Timer::Heartbeat, now + self.heartbeat);
                }
            }
        }
    }

    /// When to call [`Self::handle_timeout`] at the latest; `None` once the link is closed.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// The next message for coord.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        self.outbox.poll()
    }

    /// The next piece of news for the driver.
    pub fn poll_event(&mut self) -> Option<AgentEvent> {
        self.events.pop_front()
    }

    /// Whether the link is over. Flush [`Self::poll_transmit`], then close the WebSocket.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Whether visits can come and messages can be sent.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        matches!(self.state, State::Registered { .. })
    }

    /// The alias, while registered.
    #[must_use]
    pub fn alias(&self) -> Option<&Alias> {
        match &self.state {
            State::Registered { alias, .. } => Some(alias),
            State::AwaitChallenge | State::AwaitWelcome { .. } | State::Closed => None,
        }
    }

    /// Announces the whole set of routes, which replaces the one before. Before registration it is
    /// kept and sent right after it.
    ///
    /// # Errors
    /// When it cannot be queued.
    pub fn announce_routes(&mut self, apps: Vec<AppName>) -> Result<(), SendError> {
        if self.is_registered() {
            self.outbox.send(0, route_announce(&apps))?;
        } else {
            self.routes = Some(apps);
        }
        Ok(())
    }

    /// Answers a visit with what [`VisitOffer::answer`] has made.
    ///
    /// # Errors
    /// When the link is not registered or the answer cannot be queued.
    pub fn answer(&mut self, answer: VisitAnswer) -> Result<(), SendError> {
        self.send(Kind::VisitAnswer(answer))
    }

    /// Sends a candidate, or the end of candidates, to the visitor.
    ///
    /// # Errors
    /// When the link is not registered or the candidate cannot be queued.
    pub fn candidate(
        &mut self,
        session_id: SessionId,
        candidate: IceCandidate,
    ) -> Result<(), SendError> {
        self.send(Kind::Candidate(candidate.into_message(session_id)))
    }

    /// Refuses a visit, or ends its signaling.
    ///
    /// # Errors
    /// When the link is not registered or the message cannot be queued.
    pub fn end_visit(
        &mut self,
        session_id: SessionId,
        code: SignalCode,
        reason: &str,
    ) -> Result<(), SendError> {
        self.send(visit_end(session_id, code, reason))
    }

    /// Gives up the alias for ever. coord answers with Goodbye `REVOKED`.
    ///
    /// # Errors
    /// When the link is not registered or the message cannot be queued.
    pub fn revoke(&mut self, now_unix_ms: i64) -> Result<(), SendError> {
        let State::Registered { challenge, .. } = &self.state else {
            return Err(SendError::NotRegistered);
        };
        let (statement, signature) =
            statement::sign_revocation(&self.key, &challenge.domain, &challenge.nonce, now_unix_ms);
        self.send(Kind::Revoke(v1::Revoke {
            statement,
            signature,
        }))
    }

    /// Sends a message of a kind that does not exist, so that peers which do not ignore them are
    /// found early (spec SIG-005). coord answers with [`AgentEvent::Refused`].
    ///
    /// # Errors
    /// When the link is not registered or the message cannot be queued.
    pub fn grease(&mut self, random: u64) -> Result<(), SendError> {
        if !self.is_registered() {
            return Err(SendError::NotRegistered);
        }
        self.outbox.send_grease(random)
    }

    /// Closes the link in good order. No event follows.
    pub fn goodbye(&mut self) {
        if !self.is_closed() {
            self.say_goodbye(SignalCode::Ok, "");
        }
    }

    fn send(&mut self, kind: Kind) -> Result<(), SendError> {
        if !self.is_registered() {
            return Err(SendError::NotRegistered);
        }
        self.outbox.send(0, kind).map(|_| ())
    }

    fn say_goodbye(&mut self, code: SignalCode, reason: &str) {
        self.outbox.last_words(Kind::Goodbye(v1::Goodbye {
            code: code.into(),
            reason: clip(reason),
        }));
        self.close();
    }

    fn give_up(&mut self, reason: &str) {
        let code = SignalCode::HeartbeatLost;
        self.say_goodbye(code, reason);
        self.events.push_back(AgentEvent::Closed {
            code,
            reason: reason.to_owned(),
        });
    }

    fn close(&mut self) {
        self.state = State::Closed;
        self.timers.clear();
    }

    fn step(
        &mut self,
        now: Instant,
        now_unix_ms: i64,
        bytes: &[u8],
        seq: &mut u64,
    ) -> Result<(), LinkError> {
        let envelope = decode(bytes)?;
        *seq = envelope.seq;
        if self.events.len() >= LINK_QUEUE {
            return Err(LinkError::Backlog);
        }
        if self.is_registered() {
            // Any message shows that coord is there (SIG-006).
            self.timers
                .set(Timer::Silence, now + self.heartbeat * MISSED_HEARTBEATS);
        }
        let Some(kind) = envelope.kind else {
            return self.refuse(envelope.seq, SignalCode::UnknownKind, "");
        };
        match std::mem::replace(&mut self.state, State::Closed) {
            State::AwaitChallenge => self.before_challenge(kind, now_unix_ms),
            State::AwaitWelcome { challenge } => self.before_welcome(kind, challenge, now),
            State::Registered { challenge, alias } => {
                self.state = State::Registered {
                    challenge,
                    alias: alias.clone(),
                };
                self.registered(kind, &alias, envelope.seq, envelope.re)
            }
            State::Closed => Ok(()),
        }
    }

    /// Answers a message that this end does not act upon (SIG-004, SIG-007). 0 wants no answer.
    fn refuse(&mut self, seq: u64, code: SignalCode, detail: &str) -> Result<(), LinkError> {
        if seq == 0 {
            return Ok(());
        }
        self.outbox
            .send_error(seq, code, detail)
            .map_err(|_| LinkError::Backlog)
    }

    fn closed_by_peer(&mut self, code: i32, reason: &str) {
        self.close();
        self.events.push_back(AgentEvent::Closed {
            code: code::from_number(code),
            reason: clip(reason),
        });
    }

    fn before_challenge(&mut self, kind: Kind, now_unix_ms: i64) -> Result<(), LinkError> {
        if let Kind::Challenge(challenge) = kind {
            self.on_challenge(challenge, now_unix_ms)
        } else {
            self.unregistered(kind, "waiting for Challenge")
        }
    }

    fn on_challenge(
        &mut self,
        challenge: v1::Challenge,
        now_unix_ms: i64,
    ) -> Result<(), LinkError> {
        if !challenge.versions.contains(&PROTOCOL_VERSION) {
            return Err(LinkError::Version(challenge.versions));
        }
        if let Some(expected) = &self.expected_domain
            && *expected != challenge.domain
        {
            return Err(LinkError::WrongDomain {
                expected: expected.clone(),
                got: clip(&challenge.domain),
            });
        }
        let nonce = Nonce::from_bytes(&challenge.nonce)
            .map_err(|_| LinkError::Malformed("the challenge's nonce must have 32 bytes"))?;
        let (registration, signature) =
            statement::sign_registration(&self.key, &challenge.domain, &nonce, now_unix_ms);
        let hello = v1::Hello {
            registration,
            signature,
            software: self.software.clone(),
        };
        self.outbox
            .send(0, Kind::Hello(hello))
            .map_err(|_| LinkError::Malformed("the challenge's domain is too long"))?;
        self.state = State::AwaitWelcome {
            challenge: Accepted {
                domain: challenge.domain,
                nonce,
            },
        };
        Ok(())
    }

    fn before_welcome(
        &mut self,
        kind: Kind,
        challenge: Accepted,
        now: Instant,
    ) -> Result<(), LinkError> {
        let Kind::Welcome(welcome) = kind else {
            return self.unregistered(kind, "waiting for Welcome");
        };
        let welcome = read_welcome(welcome)?;
        self.heartbeat = welcome.heartbeat;
        self.state = State::Registered {
            challenge,
            alias: welcome.alias.clone(),
        };
        self.timers.stop(Timer::Handshake);
        self.timers.set(Timer::Heartbeat, now + self.heartbeat);
        self.timers
            .set(Timer::Silence, now + self.heartbeat * MISSED_HEARTBEATS);
        self.events.push_back(AgentEvent::Registered(welcome));
        if let Some(apps) = self.routes.take() {
            self.outbox
                .send(0, route_announce(&apps))
                .map_err(|_| LinkError::Backlog)?;
        }
        Ok(())
    }

    /// What may come instead of the message that moves registration on.
    fn unregistered(&mut self, kind: Kind, state: &'static str) -> Result<(), LinkError> {
        if let Kind::Error(error) = &kind {
            self.closed_by_peer(error.code, &error.detail);
        } else if let Kind::Goodbye(goodbye) = &kind {
            self.closed_by_peer(goodbye.code, &goodbye.reason);
        } else {
            let kind = kind_name(&kind);
            return Err(LinkError::Unexpected { kind, state });
        }
        Ok(())
    }

    fn registered(
        &mut self,
        kind: Kind,
        alias: &Alias,
        seq: u64,
        re: u64,
    ) -> Result<(), LinkError> {
        match kind {
            Kind::RouteAck(ack) => self.events.push_back(read_route_ack(ack)),
            Kind::VisitOffer(offer) => return self.on_offer(offer, alias, seq),
            Kind::Candidate(candidate) => {
                let session_id = SessionId::from_bytes(&candidate.session_id);
                let (Ok(session_id), Ok(candidate)) = (session_id, candidate.try_into()) else {
                    return self.refuse(seq, SignalCode::Malformed, "not a candidate of a visit");
                };
                self.events.push_back(AgentEvent::Candidate {
                    session_id,
                    candidate,
                });
            }
            Kind::VisitEnd(end) => {
                let Ok(session_id) = SessionId::from_bytes(&end.session_id) else {
                    return self.refuse(seq, SignalCode::Malformed, "a session id has 16 bytes");
                };
                self.events.push_back(AgentEvent::VisitEnd {
                    session_id,
                    code: code::from_number(end.code),
                    reason: clip(&end.reason),
                });
            }
            Kind::Goodbye(goodbye) => self.closed_by_peer(goodbye.code, &goodbye.reason),
            Kind::ReplacedByNewer(v1::ReplacedByNewer {}) => {
                self.close();
                self.events.push_back(AgentEvent::Replaced);
            }
            Kind::IceServers(servers) => {
                let servers = servers.ice_servers;
                self.events.push_back(AgentEvent::IceServers(servers));
            }
            Kind::HeartbeatAck(_) => {}
            Kind::Error(error) => self.events.push_back(AgentEvent::Refused {
                re,
                code: code::from_number(error.code),
                detail: clip(&error.detail),
            }),
            other @ (Kind::Challenge(_)
            | Kind::Hello(_)
            | Kind::Welcome(_)
            | Kind::RouteAnnounce(_)
            | Kind::VisitAnswer(_)
            | Kind::Revoke(_)
            | Kind::Heartbeat(_)) => {
                return self.refuse(seq, SignalCode::Unexpected, kind_name(&other));
            }
        }
        Ok(())
    }

    /// Passes on an offer that can be answered, and ends every other visit at once (SIG-014).
    fn on_offer(
        &mut self,
        offer: v1::VisitOffer,
        alias: &Alias,
        seq: u64,
    ) -> Result<(), LinkError> {
        let Ok(session_id) = SessionId::from_bytes(&offer.session_id) else {
            return self.refuse(seq, SignalCode::Malformed, "a session id has 16 bytes");
        };
        match read_offer(offer, session_id, alias) {
            Ok(offer) => {
                self.events.push_back(AgentEvent::VisitOffer(offer));
                Ok(())
            }
            // SIG-004: the session id says what it answers.
            Err((code, reason)) => self
                .outbox
                .send(0, visit_end(session_id, code, &reason))
                .map(|_| ())
                .map_err(|_| LinkError::Backlog),
        }
    }
}

fn route_announce(apps: &[AppName]) -> Kind {
    Kind::RouteAnnounce(v1::RouteAnnounce {
        apps: apps.iter().map(ToString::to_string).collect(),
    })
}

fn visit_end(session_id: SessionId, code: SignalCode, reason: &str) -> Kind {
    Kind::VisitEnd(v1::VisitEnd {
        session_id: Bytes::copy_from_slice(session_id.as_bytes()),
        code: code.into(),
        reason: clip(reason),
    })
}
