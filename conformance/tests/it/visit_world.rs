//! Coord, an agent and a visitor without sockets: the reference's own state machines, carried from
//! one to the other by a clock of the test, with every message written down.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use p2claw_conformance::trace::Line;
use p2claw_identity::{Alias, AppName, HostLabel, IdentityKey, Nonce, SessionId};
use p2claw_proto::v1::{VisitEvent, visit_event};
use p2claw_session::{
    Close, Config, ErrorCode, Event, Fields, LaneId, MessageKind, Read, Request, Response, Role,
    Session, StreamId, Target,
};
use p2claw_signaling::agent_link::{AgentEvent, AgentLink};
use p2claw_signaling::candidate::IceCandidate;
use p2claw_signaling::coord_link::{CoordEvent, CoordLink, CoordLinkConfig, WelcomeFacts};
use p2claw_signaling::visitor::{CheckedRequest, VisitCheck, VisitorEvent, encode_update};
use p2claw_signaling::{SignalCode, event_stream, visitor::parse_update};
use prost::Message as _;

use crate::describe::Describe;

/// The wall clock when a trace begins: 2026-11-21 12:00 UTC.
const BEGAN_UNIX_MS: i64 = 1_795_262_400_000;

/// One way between any two parties, in milliseconds.
const DELAY: u64 = 20;

const DOMAIN: &str = "coord.example.net";
const PARENT: &str = "example.net";
const SESSION: SessionId = SessionId([0x5e; 16]);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Party {
    Agent,
    Coord,
    Visitor,
}

impl Party {
    const fn name(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Coord => "coord",
            Self::Visitor => "visitor",
        }
    }
}

/// What carries a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carrier {
    Link,
    /// Body of `POST visits`.
    VisitRequest,
    /// Body of `POST visits/<id>`.
    VisitUpdate,
    VisitEvent,
    Lane(LaneId),
}

struct Parcel {
    to: Party,
    on: Carrier,
    bytes: Bytes,
}

/// What the upstream's side of the agent does with a stream.
enum Handler {
    /// Reads the body to its end, then says how long it was.
    Upload {
        received: usize,
    },
    /// Sends without end.
    Endless {
        sent: usize,
    },
    Echo,
}

pub(crate) struct World {
    base: Instant,
    ms: u64,
    describe: Describe,
    pub(crate) lines: Vec<Line>,
    /// By the time of arrival, then in the order of sending.
    under_way: BTreeMap<(u64, u64), Parcel>,
    sent: u64,
    key: IdentityKey,
    alias: Alias,
    agent_link: AgentLink,
    coord_link: CoordLink,
    visit: VisitCheck,
    agent: Option<Session>,
    pub(crate) visitor: Option<Session>,
    handlers: BTreeMap<StreamId, Handler>,
    /// What the visitor's application has been told, for the script to wait for.
    pub(crate) seen: VecDeque<String>,
}

/// A description with one certificate, as a WebRTC stack would write it.
fn sdp(kind: &str, fingerprint: u8, candidates: &[&str]) -> String {
    let octets = vec![format!("{fingerprint:02X}"); 32].join(":");
    let setup = if kind == "offer" {
        "actpass"
    } else {
        "passive"
    };
    let mut lines = vec![
        "v=0".to_owned(),
        "o=- 4611731400430051336 2 IN IP4 127.0.0.1".to_owned(),
        "s=-".to_owned(),
        "t=0 0".to_owned(),
        "a=group:BUNDLE 0".to_owned(),
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel".to_owned(),
        "c=IN IP4 0.0.0.0".to_owned(),
        "a=mid:0".to_owned(),
        format!("a=ice-ufrag:{kind}"),
        format!("a=ice-pwd:{kind}-{kind}-{kind}-{kind}"),
        "a=ice-options:trickle".to_owned(),
        format!("a=fingerprint:sha-256 {octets}"),
        format!("a=setup:{setup}"),
        "a=sctp-port:5000".to_owned(),
        "a=max-message-size:262144".to_owned(),
    ];
    lines.extend(candidates.iter().map(|candidate| format!("a={candidate}")));
    lines.join("\r\n") + "\r\n"
}

fn config(role: Role, seed: u64) -> Config {
    Config {
        software: format!(
            "trace-{}",
            if role == Role::Agent {
                "agent"
            } else {
                "visitor"
            }
        ),
        grease_seed: Some(seed),
        encodings: u64::from(role == Role::Visitor),
        ..Config::for_role(role)
    }
}

fn fields(list: &[(&str, &str)]) -> Fields {
    let mut fields = Fields::new();
    for (name, value) in list {
        let value = Bytes::copy_from_slice(value.as_bytes());
        fields.push(*name, value).unwrap();
    }
    fields
}

impl World {
    // The start of the trace's own clock: only differences count.
    pub(crate) fn new() -> Self {
        let base = Instant::now();
        let key = IdentityKey::from_seed([0x0a; 32]);
        let alias = Alias::candidate(&key.peer_id(), 0);
        let label = HostLabel::new(AppName::parse("recipes").unwrap(), alias.clone());
        let nonce = Nonce([0xc0; 32]);
        let offer = sdp("offer", 0x11, &[]);
        Self {
            base,
            ms: 0,
            describe: Describe::new(),
            lines: Vec::new(),
            under_way: BTreeMap::new(),
            sent: 0,
            agent_link: AgentLink::new(IdentityKey::from_seed([0x0a; 32]), "trace-agent", base)
                .expect_domain(DOMAIN),
            coord_link: CoordLink::new(CoordLinkConfig::new(DOMAIN), nonce, base, BEGAN_UNIX_MS),
            visit: VisitCheck::new(label, Nonce([0x70; 32]), offer, vec![key.peer_id()]).unwrap(),
            key,
            alias,
            agent: None,
            visitor: None,
            handlers: BTreeMap::new(),
            seen: VecDeque::new(),
        }
    }

    fn now(&self) -> Instant {
        self.base + Duration::from_millis(self.ms)
    }

    fn unix_ms(&self) -> i64 {
        BEGAN_UNIX_MS + i64::try_from(self.ms).unwrap()
    }

    fn send(&mut self, from: Party, to: Party, on: Carrier, bytes: Bytes) {
        let (kind, stream, content) = match on {
            Carrier::Link => {
                let (kind, content) = self.describe.kind("Envelope", &bytes);
                (kind, None, content)
            }
            Carrier::VisitRequest => {
                let content = self.describe.message("VisitRequest", &bytes);
                ("VisitRequest".to_owned(), None, content)
            }
            Carrier::VisitUpdate => {
                let content = self.describe.message("VisitUpdate", &bytes);
                ("VisitUpdate".to_owned(), None, content)
            }
            Carrier::VisitEvent => {
                let mut event = bytes.clone();
                prost::decode_length_delimiter(&mut event).unwrap();
                let (kind, content) = self.describe.kind("VisitEvent", &event);
                (kind, None, content)
            }
            Carrier::Lane(_) => {
                let (kind, stream, content) = self.describe.frame(&bytes);
                (kind, Some(stream), content)
            }
        };
        self.lines.push(Line {
            ms: self.ms,
            from: from.name().to_owned(),
            to: to.name().to_owned(),
            on: match on {
                Carrier::Link => "link".to_owned(),
                Carrier::VisitRequest | Carrier::VisitUpdate | Carrier::VisitEvent => {
                    "visit".to_owned()
                }
                Carrier::Lane(lane) => format!("lane {lane}"),
            },
            kind,
            stream,
            content,
            hex: data_encoding::HEXLOWER.encode(&bytes),
        });
        self.sent += 1;
        self.under_way
            .insert((self.ms + DELAY, self.sent), Parcel { to, on, bytes });
    }

    /// Hands out all that the machines want to send now.
    fn transmit(&mut self) {
        use Party::{Agent, Coord, Visitor};
        while let Some(bytes) = self.coord_link.poll_transmit() {
            self.send(Coord, Agent, Carrier::Link, bytes);
        }
        while let Some(bytes) = self.agent_link.poll_transmit() {
            self.send(Agent, Coord, Carrier::Link, bytes);
        }
        for lane in (0..16).filter_map(LaneId::new) {
            while let Some(frame) = self.agent.as_mut().and_then(|end| end.poll_transmit(lane)) {
                self.send(Agent, Visitor, Carrier::Lane(lane), frame);
            }
            while let Some(frame) = self
                .visitor
                .as_mut()
                .and_then(|end| end.poll_transmit(lane))
            {
                self.send(Visitor, Agent, Carrier::Lane(lane), frame);
            }
        }
    }

    /// Lets so much time pass.
    pub(crate) fn run(&mut self, ms: u64) {
        let end = self.ms + ms;
        self.transmit();
        loop {
            let arrival = self.under_way.first_key_value().map(|((at, _), _)| *at);
            let next = arrival.into_iter().chain(self.timer()).min();
            let Some(next) = next.filter(|next| *next <= end) else {
                break;
            };
            self.tick(next);
            if arrival == Some(next)
                && let Some((_, parcel)) = self.under_way.pop_first()
            {
                self.deliver(parcel);
            }
            self.transmit();
        }
        self.tick(end);
        self.transmit();
    }

    /// When the next timer goes off.
    fn timer(&self) -> Option<u64> {
        let sessions = [&self.agent, &self.visitor].into_iter().flatten();
        let due = sessions
            .filter_map(Session::poll_timeout)
            .chain(self.agent_link.poll_timeout())
            .chain(self.coord_link.poll_timeout())
            .min()?;
        let since = due.saturating_duration_since(self.base).as_millis();
        u64::try_from(since).ok()
    }

    fn tick(&mut self, ms: u64) {
        self.ms = ms;
        let now = self.now();
        self.agent_link.handle_timeout(now);
        self.coord_link.handle_timeout(now);
        for session in [&mut self.agent, &mut self.visitor].into_iter().flatten() {
            session.handle_timeout(now);
        }
    }

    fn deliver(&mut self, parcel: Parcel) {
        let (now, unix_ms) = (self.now(), self.unix_ms());
        match (parcel.to, parcel.on) {
            (Party::Agent, Carrier::Link) => {
                self.agent_link.handle(now, unix_ms, &parcel.bytes).unwrap();
                while let Some(event) = self.agent_link.poll_event() {
                    self.agent_hears(event);
                }
            }
            (_, Carrier::Link) => {
                self.coord_link.handle(now, unix_ms, &parcel.bytes).unwrap();
                while let Some(event) = self.coord_link.poll_event() {
                    self.coord_hears(event);
                }
            }
            (_, Carrier::VisitRequest) => {
                let request = CheckedRequest::parse(&parcel.bytes).unwrap();
                let app = AppName::parse("recipes").unwrap();
                let label = HostLabel::new(app, self.alias.clone());
                self.coord_link.offer(SESSION, &label, request).unwrap();
            }
            (_, Carrier::VisitUpdate) => {
                for candidate in parse_update(&parcel.bytes).unwrap() {
                    self.coord_link.candidate(SESSION, candidate).unwrap();
                }
            }
            (_, Carrier::VisitEvent) => {
                let event = VisitEvent::decode_length_delimited(parcel.bytes).unwrap();
                let event = self.visit.handle(event, unix_ms).unwrap();
                if let Some(VisitorEvent::Answer { .. }) = event {
                    // ICE and DTLS are not part of a trace: both ends have their lanes now.
                    self.visitor = Some(Session::new(Role::Visitor, config(Role::Visitor, 2), now));
                    self.agent = Some(Session::new(Role::Agent, config(Role::Agent, 1), now));
                }
            }
            (Party::Agent, Carrier::Lane(lane)) => {
                let session = self.agent.as_mut().unwrap();
                session.handle_message(now, lane, parcel.bytes).unwrap();
                self.serve();
            }
            (_, Carrier::Lane(lane)) => {
                let session = self.visitor.as_mut().unwrap();
                session.handle_message(now, lane, parcel.bytes).unwrap();
                self.browse();
            }
        }
    }

    fn coord_hears(&mut self, event: CoordEvent) {
        match event {
            CoordEvent::Registered { peer_id, .. } => {
                assert_eq!(peer_id, self.key.peer_id());
                let mut facts = WelcomeFacts::for_alias(self.alias.clone(), "https", PARENT);
                facts.max_routes = 32;
                self.coord_link.welcome(facts, self.now()).unwrap();
            }
            CoordEvent::Answer { answer, .. } => {
                self.visit_event(visit_event::Kind::Answer(answer));
            }
            CoordEvent::Candidate { candidate, .. } => {
                let candidate = candidate.into_message(SESSION);
                self.visit_event(visit_event::Kind::Candidate(candidate));
            }
            _ => {}
        }
    }

    fn visit_event(&mut self, kind: visit_event::Kind) {
        let event = event_stream::encode(&VisitEvent { kind: Some(kind) });
        self.send(Party::Coord, Party::Visitor, Carrier::VisitEvent, event);
    }

    fn agent_hears(&mut self, event: AgentEvent) {
        match event {
            AgentEvent::Registered(_) => {
                let apps = ["recipes", "notes"].map(|name| AppName::parse(name).unwrap());
                self.agent_link.announce_routes(apps.to_vec()).unwrap();
            }
            AgentEvent::VisitOffer(offer) => {
                let host = ["candidate:1 1 udp 2122260223 192.0.2.7 49152 typ host"];
                let answer = sdp("answer", 0x22, &host);
                let answer = offer.answer(&self.key, answer, self.unix_ms()).unwrap();
                self.agent_link.answer(answer).unwrap();
                let later = "candidate:2 1 udp 1686052607 198.51.100.7 40000 typ srflx \
                             raddr 192.0.2.7 rport 49152";
                let later = IceCandidate::parse(later, "0").unwrap();
                self.agent_link.candidate(SESSION, later).unwrap();
            }
            _ => {}
        }
    }

    /// The upstream's side of the agent.
    fn serve(&mut self) {
        let Some(session) = &mut self.agent else {
            return;
        };
        while let Some(event) = session.poll_event() {
            match event {
                Event::Request { id, request } => match request.target.as_str() {
                    "/" => {
                        let page = "<!doctype html><title>Recipes</title><h1>Recipes</h1>";
                        let hints = [("link", "</app.css>; rel=preload; as=style")];
                        respond(session, id, 103, &hints, false);
                        let head = [("content-type", "text/html"), ("content-length", "53")];
                        assert_eq!(page.len(), 53);
                        respond(session, id, 200, &head, false);
                        session.write(id, &mut Bytes::from(page)).unwrap();
                        session.finish(id, None).unwrap();
                        session.release(id);
                    }
                    "/upload" => {
                        self.handlers.insert(id, Handler::Upload { received: 0 });
                    }
                    "/endless" => {
                        respond(session, id, 200, &[("content-type", "text/plain")], false);
                        self.handlers.insert(id, Handler::Endless { sent: 0 });
                    }
                    "/socket" => {
                        let chosen = [("sec-websocket-protocol", "v1.echo")];
                        respond(session, id, 200, &chosen, false);
                        self.handlers.insert(id, Handler::Echo);
                    }
                    _ => respond(session, id, 404, &[("p2claw-error", "NO_SUCH_APP")], true),
                },
                Event::Readable(id) => match self.handlers.get_mut(&id) {
                    Some(Handler::Upload { received }) => read_upload(session, id, received),
                    Some(Handler::Echo) => echo(session, id),
                    Some(Handler::Endless { .. }) | None => {}
                },
                Event::Stopped { id, .. } => {
                    self.handlers.remove(&id);
                    session.release(id);
                }
                _ => {}
            }
        }
        for (id, handler) in &mut self.handlers {
            if let Handler::Endless { sent } = handler
                && *sent < 3
            {
                *sent += 1;
                let mut line = Bytes::from(format!("line {sent}\n"));
                session.write(*id, &mut line).unwrap();
            }
        }
    }

    /// The visitor's application: it reads all that comes, and notes it for the script.
    fn browse(&mut self) {
        let Some(session) = &mut self.visitor else {
            return;
        };
        while let Some(event) = session.poll_event() {
            match event {
                Event::Response { id, response } => {
                    self.seen.push_back(format!("{id} {}", response.status));
                }
                Event::Readable(id) => loop {
                    match session.read(id) {
                        Ok(Read::Data(data)) => {
                            let text = String::from_utf8_lossy(&data);
                            self.seen.push_back(format!("{id} {text}"));
                        }
                        Ok(Read::Message { data, .. }) => {
                            let text = String::from_utf8_lossy(&data);
                            self.seen.push_back(format!("{id} {text}"));
                        }
                        Ok(Read::Close(close)) => {
                            self.seen
                                .push_back(format!("{id} close {:?}", close.code()));
                            session.release(id);
                            break;
                        }
                        Ok(Read::End(_)) => {
                            self.seen.push_back(format!("{id} end"));
                            break;
                        }
                        Ok(Read::Blocked) | Err(_) => break,
                    }
                },
                _ => {}
            }
        }
    }

    // What the script does.

    pub(crate) fn ask_for_visit(&mut self) {
        let request = self.visit.request();
        self.send(Party::Visitor, Party::Coord, Carrier::VisitRequest, request);
        let mdns = "candidate:1 1 udp 2113937151 2b1c4b6e-2f5d-4f6a-9a53-0f6b6a4f3f55.local \
                    50000 typ host";
        let candidates = vec![IceCandidate::parse(mdns, "0").unwrap(), IceCandidate::end()];
        let update = encode_update(candidates);
        self.send(Party::Visitor, Party::Coord, Carrier::VisitUpdate, update);
    }

    pub(crate) fn open(&mut self, method: &str, target: &str, list: &[(&str, &str)]) -> StreamId {
        let websocket = method == "CONNECT";
        let request = Request {
            method: method.to_owned(),
            target: Target::parse(target).unwrap(),
            fields: fields(list),
            end: method == "GET",
            protocol: websocket.then(|| "websocket".to_owned()),
        };
        self.session().open(request).unwrap()
    }

    pub(crate) fn session(&mut self) -> &mut Session {
        self.visitor.as_mut().unwrap()
    }

    /// The session drains from both sides and ends; then signaling does.
    pub(crate) fn end(&mut self) {
        self.session().go_away();
        self.agent.as_mut().unwrap().go_away();
        self.run(10 * DELAY);
        assert!(self.session().is_drained());
        let reason = "the page was left";
        self.session().close(ErrorCode::NO_ERROR, reason);
        self.run(10 * DELAY);
        let code = SignalCode::Ok;
        self.coord_link
            .end_visit(SESSION, code, "the visitor has what it needs")
            .unwrap();
        let end = p2claw_proto::v1::VisitEnd {
            session_id: Bytes::copy_from_slice(SESSION.as_bytes()),
            code: code.into(),
            reason: "done".to_owned(),
        };
        self.visit_event(visit_event::Kind::End(end));
        self.run(10 * DELAY);
        self.agent_link.goodbye();
        self.run(10 * DELAY);
        assert!(self.under_way.is_empty());
    }
}

fn respond(session: &mut Session, id: StreamId, status: u16, list: &[(&str, &str)], end: bool) {
    let response = Response {
        status,
        fields: fields(list),
        end,
    };
    session.respond(id, response).unwrap();
}

fn read_upload(session: &mut Session, id: StreamId, received: &mut usize) {
    loop {
        match session.read(id) {
            Ok(Read::Data(data)) => *received += data.len(),
            Ok(Read::End(_)) => {
                respond(session, id, 201, &[("content-type", "text/plain")], false);
                let text = format!("{received} bytes\n");
                session.write(id, &mut Bytes::from(text)).unwrap();
                let digest = fields(&[("digest", "sha-256=:none:")]);
                session.finish(id, Some(digest)).unwrap();
                return session.release(id);
            }
            _ => return,
        }
    }
}

fn echo(session: &mut Session, id: StreamId) {
    loop {
        match session.read(id) {
            Ok(Read::Message {
                kind,
                last,
                mut data,
            }) => {
                assert!(session.send_message(id, kind, &mut data, last).unwrap());
            }
            Ok(Read::Close(close)) => {
                session.close_websocket(id, close).unwrap();
                return session.release(id);
            }
            _ => return,
        }
    }
}

/// A message of the visitor's WebSocket.
pub(crate) fn message(
    session: &mut Session,
    id: StreamId,
    kind: MessageKind,
    text: &str,
    last: bool,
) {
    let mut data = Bytes::copy_from_slice(text.as_bytes());
    assert!(session.send_message(id, kind, &mut data, last).unwrap());
}

pub(crate) fn bye(session: &mut Session, id: StreamId) {
    let close = Close::new(1000, "that was all").unwrap();
    session.close_websocket(id, close).unwrap();
}
