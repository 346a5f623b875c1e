//! coord's end of the control link.
//!
//! A driver owns the WebSocket and works as described in [`crate::agent_link`]. After
//! [`CoordEvent::Registered`] it looks up the alias and calls [`CoordLink::welcome`] or
//! [`CoordLink::refuse`].

mod events;

use self::events::judge_routes;
use crate::bucket::Bucket;
use crate::candidate::IceCandidate;
use crate::limits::{LINK_BURST, LINK_PER_SECOND, LINK_QUEUE, MAX_SDP, MISSED_HEARTBEATS};
use crate::link::{Outbox, Timer, Timers, clip, decode, kind_name};
use crate::registry::limit::STATEMENT_MAX;
use crate::visitor::CheckedRequest;
use crate::{SignalCode, code};
use bytes::Bytes;
use p2claw_identity::registry::limit::SIGNATURE_BYTES;
use p2claw_identity::statement::{verify_registration, verify_revocation};
use p2claw_identity::{HostLabel, Nonce, PROTOCOL_VERSION, PeerId, SessionId};
use p2claw_proto::v1::envelope::Kind;
use p2claw_proto::v1::{self, IceServer, VisitAnswer};
use std::collections::VecDeque;
use std::time::Instant;

pub use self::events::{CoordEvent, CoordLinkConfig, WelcomeFacts};
pub use crate::link::{LinkError, SendError};

/// ```text
///               Hello               welcome()
///  AwaitHello ─────────> AwaitVerdict ─────────> Registered ──┐
///       │   statement         │                      │    └───┘ routes, answers,
///       │   holds             │ refuse()             │          candidates, heartbeats
///       └── Goodbye, broken rule, 10 s ──────────────┤
///                                                    │ Goodbye, replaced(), goodbye(),
///                                                    │ 45 s of silence
///                                                    v
///                                                  Closed
/// ```
#[derive(Debug)]
enum State {
    AwaitHello,
    AwaitVerdict { peer_id: PeerId, seq: u64 },
    Registered { peer_id: PeerId, max_routes: usize },
    Closed,
}

/// coord's end of one control link.
#[derive(Debug)]
pub struct CoordLink {
    config: CoordLinkConfig,
    nonce: Nonce,
    state: State,
    budget: Bucket,
    outbox: Outbox,
    events: VecDeque<CoordEvent>,
    timers: Timers,
}

impl CoordLink {
    /// Starts on a WebSocket that has just been accepted; Challenge is the first thing to
    /// transmit. `nonce` must be 32 fresh random bytes.
    #[must_use]
    pub fn new(config: CoordLinkConfig, nonce: Nonce, now: Instant, now_unix_ms: i64) -> Self {
        let mut outbox = Outbox::default();
        outbox.last_words(Kind::Challenge(v1::Challenge {
            versions: vec![PROTOCOL_VERSION],
            nonce: Bytes::copy_from_slice(nonce.as_bytes()),
            domain: config.domain.clone(),
            time_ms: now_unix_ms,
        }));
        let mut timers = Timers::default();
        timers.set(Timer::Handshake, now + config.handshake);
        Self {
            config,
            nonce,
            state: State::AwaitHello,
            budget: Bucket::per_second(LINK_BURST, LINK_PER_SECOND, now),
            outbox,
            events: VecDeque::new(),
            timers,
        }
    }

    /// Takes one message from the agent. `now_unix_ms` is coord's wall clock.
    ///
    /// # Errors
    /// When the agent broke a rule or could not prove its key. The link is closed then and its
    /// last words are in [`Self::poll_transmit`]; no event follows.
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
            let reason = match timer {
                Timer::Handshake => "registration was not finished in time",
                Timer::Silence | Timer::Heartbeat => "nothing came for three heartbeats",
            };
            self.goodbye(SignalCode::HeartbeatLost, reason);
            self.events.push_back(CoordEvent::Silent { reason });
        }
    }

    /// When to call [`Self::handle_timeout`] at the latest; `None` once the link is closed.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// The next message for the agent.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        self.outbox.poll()
    }

    /// The next piece of news for the driver.
    pub fn poll_event(&mut self) -> Option<CoordEvent> {
        self.events.pop_front()
    }

    /// Whether the link is over. Flush [`Self::poll_transmit`], then close the WebSocket.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Whether visits can be offered.
    #[must_use]
    pub fn is_registered(&self) -> bool {
        matches!(self.state, State::Registered { .. })
    }

    /// Completes a registration.
    ///
    /// # Errors
    /// When no registration is waiting for it, or Welcome cannot be queued.
    pub fn welcome(&mut self, facts: WelcomeFacts, now: Instant) -> Result<(), SendError> {
        let State::AwaitVerdict { peer_id, seq } = self.state else {
            return Err(SendError::NotRegistered);
        };
        let heartbeat = self.config.heartbeat;
        let welcome = v1::Welcome {
            version: PROTOCOL_VERSION,
            alias: facts.alias.to_string(),
            scheme: facts.public.scheme,
            parent: facts.public.parent,
            port: facts.public.port.map_or(0, u32::from),
            ice_servers: facts.ice_servers,
            max_routes: facts.max_routes,
            max_visits: facts.max_visits,
            heartbeat_seconds: u32::try_from(heartbeat.as_secs()).unwrap_or(u32::MAX),
        };
        self.outbox.send(seq, Kind::Welcome(welcome))?;
        self.state = State::Registered {
            peer_id,
            max_routes: usize::try_from(facts.max_routes).unwrap_or(usize::MAX),
        };
        self.timers.stop(Timer::Handshake);
        self.timers
            .set(Timer::Silence, now + heartbeat * MISSED_HEARTBEATS);
        Ok(())
    }

    /// Refuses a registration whose statement holds, and closes the link.
    pub fn refuse(&mut self, code: SignalCode, detail: &str) {
        if let State::AwaitVerdict { seq, .. } = self.state {
            self.outbox.last_error(seq, code, detail);
            self.close();
        }
    }

    /// Offers a visit to the agent.
    ///
    /// # Errors
    /// When the link is not registered or the offer cannot be queued.
    pub fn offer(
        &mut self,
        session_id: SessionId,
        label: &HostLabel,
        request: CheckedRequest,
    ) -> Result<(), SendError> {
        self.send(Kind::VisitOffer(v1::VisitOffer {
            session_id: Bytes::copy_from_slice(session_id.as_bytes()),
            app: label.app().to_string(),
            alias: label.alias().to_string(),
            versions: request.versions,
            sdp: request.sdp,
            nonce: Bytes::copy_from_slice(request.nonce.as_bytes()),
            restarts: request
                .restarts
                .map(|session_id| Bytes::copy_from_slice(session_id.as_bytes()))
                .unwrap_or_default(),
        }))
    }

    /// Tells the agent of STUN and TURN servers, in place of those that it knew (spec SIG-048).
    ///
    /// # Errors
    /// When the link is not registered or the message cannot be queued.
    pub fn ice_servers(&mut self, ice_servers: Vec<IceServer>) -> Result<(), SendError> {
        self.send(Kind::IceServers(v1::IceServers { ice_servers }))
    }

    /// Passes on a candidate of the visitor.
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

    /// Tells the agent that a visit's signaling is over.
    ///
    /// # Errors
    /// When the link is not registered or the message cannot be queued.
    pub fn end_visit(
        &mut self,
        session_id: SessionId,
        code: SignalCode,
        reason: &str,
    ) -> Result<(), SendError> {
        self.send(Kind::VisitEnd(v1::VisitEnd {
            session_id: Bytes::copy_from_slice(session_id.as_bytes()),
            code: code.into(),
            reason: clip(reason),
        }))
    }

    /// Tells the agent that a newer link with its key has taken over, and closes this one
    /// (spec SIG-009).
    pub fn replaced(&mut self) {
        if !self.is_closed() {
            self.outbox
                .last_words(Kind::ReplacedByNewer(v1::ReplacedByNewer {}));
            self.close();
        }
    }

    /// Closes the link in good order. No event follows.
    pub fn goodbye(&mut self, code: SignalCode, reason: &str) {
        if !self.is_closed() {
            self.outbox.last_words(Kind::Goodbye(v1::Goodbye {
                code: code.into(),
                reason: clip(reason),
            }));
            self.close();
        }
    }

    /// Sends a message of a kind that does not exist (spec SIG-005).
    ///
    /// # Errors
    /// When the link is not registered or the message cannot be queued.
    pub fn grease(&mut self, random: u64) -> Result<(), SendError> {
        if !self.is_registered() {
            return Err(SendError::NotRegistered);
        }
        self.outbox.send_grease(random)
    }

    fn send(&mut self, kind: Kind) -> Result<(), SendError> {
        if !self.is_registered() {
            return Err(SendError::NotRegistered);
        }
        self.outbox.send(0, kind).map(|_| ())
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
        // Reading costs us, so even bytes that cannot be read are paid for (SIG-011).
        if !self.budget.take(now) {
            return Err(LinkError::Overload);
        }
        let envelope = decode(bytes)?;
        *seq = envelope.seq;
        if self.events.len() >= LINK_QUEUE {
            return Err(LinkError::Backlog);
        }
        if self.is_registered() {
            // Any message shows that the agent is there (SIG-006).
            self.timers.set(
                Timer::Silence,
                now + self.config.heartbeat * MISSED_HEARTBEATS,
            );
        }
        let Some(kind) = envelope.kind else {
            return self.decline(envelope.seq, SignalCode::UnknownKind, "");
        };
        match self.state {
            State::AwaitHello => self.before_hello(kind, envelope.seq, now_unix_ms),
            State::AwaitVerdict { .. } => {
                self.unregistered(kind, "waiting for coord's own verdict")
            }
            State::Registered {
                peer_id,
                max_routes,
            } => {
                let numbers = (envelope.seq, envelope.re);
                self.registered(kind, numbers, (peer_id, max_routes), now_unix_ms)
            }
            State::Closed => Ok(()),
        }
    }

    /// Answers a message that this end does not act upon (SIG-004, SIG-007). 0 wants no answer.
    fn decline(&mut self, seq: u64, code: SignalCode, detail: &str) -> Result<(), LinkError> {
        if seq == 0 {
            return Ok(());
        }
        self.outbox
            .send_error(seq, code, detail)
            .map_err(|_| LinkError::Backlog)
    }

    fn before_hello(&mut self, kind: Kind, seq: u64, now_unix_ms: i64) -> Result<(), LinkError> {
        let Kind::Hello(hello) = kind else {
            return self.unregistered(kind, "waiting for Hello");
        };
        let peer_id = verify_registration(
            &hello.registration,
            &hello.signature,
            &self.config.domain,
            &self.nonce,
            now_unix_ms,
        )?;
        self.state = State::AwaitVerdict { peer_id, seq };
        self.events.push_back(CoordEvent::Registered {
            peer_id,
            software: clip(&hello.software),
        });
        Ok(())
    }

    /// What may come instead of the message that moves registration on.
    fn unregistered(&mut self, kind: Kind, state: &'static str) -> Result<(), LinkError> {
        if let Kind::Goodbye(goodbye) = &kind {
            self.closed_by_peer(goodbye.code, &goodbye.reason);
        } else if let Kind::Error(error) = &kind {
            // An agent that does not want this coord says why and leaves.
            self.closed_by_peer(error.code, &error.detail);
        } else {
            let kind = kind_name(&kind);
            return Err(LinkError::Unexpected { kind, state });
        }
        Ok(())
    }

    fn closed_by_peer(&mut self, code: i32, reason: &str) {
        self.close();
        self.events.push_back(CoordEvent::Goodbye {
            code: code::from_number(code),
            reason: clip(reason),
        });
    }

    fn registered(
        &mut self,
        kind: Kind,
        (seq, re): (u64, u64),
        (peer_id, max_routes): (PeerId, usize),
        now_unix_ms: i64,
    ) -> Result<(), LinkError> {
        match kind {
            Kind::RouteAnnounce(announce) => {
                let (apps, ack) = judge_routes(announce, max_routes);
                self.outbox
                    .send(seq, Kind::RouteAck(ack))
                    .map_err(|_| LinkError::Malformed("the routes do not fit one answer"))?;
                self.events.push_back(CoordEvent::Routes { apps });
            }
            Kind::VisitAnswer(answer) => return self.on_answer(answer, seq),
            Kind::Candidate(candidate) => {
                let session_id = SessionId::from_bytes(&candidate.session_id);
                let (Ok(session_id), Ok(candidate)) = (session_id, candidate.try_into()) else {
                    return self.decline(seq, SignalCode::Malformed, "not a candidate of a visit");
                };
                self.events.push_back(CoordEvent::Candidate {
                    session_id,
                    candidate,
                });
            }
            Kind::VisitEnd(end) => {
                let Ok(session_id) = SessionId::from_bytes(&end.session_id) else {
                    return self.decline(seq, SignalCode::Malformed, "a session id has 16 bytes");
                };
                self.events.push_back(CoordEvent::VisitEnd {
                    session_id,
                    code: code::from_number(end.code),
                    reason: clip(&end.reason),
                });
            }
            Kind::Heartbeat(v1::Heartbeat {}) => {
                let ack = v1::HeartbeatAck {
                    time_ms: now_unix_ms,
                };
                self.outbox
                    .send(seq, Kind::HeartbeatAck(ack))
                    .map_err(|_| LinkError::Backlog)?;
            }
            Kind::Revoke(revoke) => {
                let by = verify_revocation(
                    &revoke.statement,
                    &revoke.signature,
                    &self.config.domain,
                    &self.nonce,
                    now_unix_ms,
                );
                match by {
                    Ok(by) if by == peer_id => {
                        self.events.push_back(CoordEvent::Revoked { peer_id });
                    }
                    Ok(_) => {
                        let detail = "another key signed than the one that registered";
                        return self.decline(seq, SignalCode::BadSignature, detail);
                    }
                    Err(error) => {
                        let detail = format!("failed to {error}");
                        return self.decline(seq, code::for_statement(&error), &detail);
                    }
                }
            }
            Kind::Goodbye(goodbye) => self.closed_by_peer(goodbye.code, &goodbye.reason),
            Kind::Error(error) => self.events.push_back(CoordEvent::Refused {
                re,
                code: code::from_number(error.code),
                detail: clip(&error.detail),
            }),
            other @ (Kind::Challenge(_)
            | Kind::Hello(_)
            | Kind::Welcome(_)
            | Kind::RouteAck(_)
            | Kind::VisitOffer(_)
            | Kind::ReplacedByNewer(_)
            | Kind::HeartbeatAck(_)
            | Kind::IceServers(_)) => {
                return self.decline(seq, SignalCode::Unexpected, kind_name(&other));
            }
        }
        Ok(())
    }

    /// Passes on an answer of bounded size; the visitor alone can judge it (SIG-016).
    fn on_answer(&mut self, answer: VisitAnswer, seq: u64) -> Result<(), LinkError> {
        let Ok(session_id) = SessionId::from_bytes(&answer.session_id) else {
            return self.decline(seq, SignalCode::Malformed, "a session id has 16 bytes");
        };
        let fits = answer.sdp.len() <= MAX_SDP
            && answer.statement.len() <= STATEMENT_MAX
            && answer.signature.len() == SIGNATURE_BYTES;
        if fits {
            self.events
                .push_back(CoordEvent::Answer { session_id, answer });
            return Ok(());
        }
        // The visitor must not wait for an answer that will never come.
        let reason = "the agent's answer breaks a size limit";
        self.events.push_back(CoordEvent::VisitEnd {
            session_id,
            code: SignalCode::Malformed,
            reason: reason.to_owned(),
        });
        self.decline(seq, SignalCode::Malformed, reason)
    }
}
