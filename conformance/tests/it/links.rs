//! Both ends of an agent link, and a visit at the visitor, step by step.
//!
//! A visit at the agent is played in `impl/agent`, and one at coord in `impl/coord`, where their
//! tasks are.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bytes::Bytes;
use p2claw_conformance::vectors::{Case, Expected, Hex, Long, SIGNALING};
use p2claw_identity::{Alias, AppName, HostLabel, IdentityKey, Nonce, PeerId};
use p2claw_proto::v1::VisitEvent;
use p2claw_signaling::agent_link::{AgentEvent, AgentLink};
use p2claw_signaling::coord_link::{CoordEvent, CoordLink, CoordLinkConfig, WelcomeFacts};
use p2claw_signaling::visitor::{VisitCheck, VisitorEvent};
use p2claw_signaling::{SignalCode, code};
use prost::Message as _;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::describe::Describe;
use crate::signaling::known_codes;

#[derive(Deserialize)]
struct Step {
    receive: Option<Value>,
    then: Option<Value>,
    wait_ms: Option<u64>,
    call: Option<String>,
    times: Option<u32>,
    code: Option<String>,
    sends: Vec<Map<String, Value>>,
    events: Vec<String>,
    #[serde(default)]
    closed: bool,
    #[serde(default)]
    again: bool,
    heartbeats: Option<u32>,
}

/// One end of a link, as the steps drive it.
trait Link {
    fn handle(&mut self, now: Instant, now_ms: i64, message: &[u8]);
    fn timeout(&mut self, now: Instant);
    fn due(&self) -> Option<Instant>;
    fn call(&mut self, name: &str, step: &Step);
    fn transmit(&mut self) -> Option<Bytes>;
    fn event(&mut self, now: Instant) -> Option<&'static str>;
    fn is_closed(&self) -> bool;
    /// Whether the agent may connect again by itself, once the link is closed.
    fn again(&self) -> bool;
}

struct Agent {
    link: AgentLink,
    replaced: bool,
}

impl Link for Agent {
    fn handle(&mut self, now: Instant, now_ms: i64, message: &[u8]) {
        // What it thinks of the message shows in its last words.
        let _ = self.link.handle(now, now_ms, message);
    }

    fn timeout(&mut self, now: Instant) {
        self.link.handle_timeout(now);
    }

    fn due(&self) -> Option<Instant> {
        self.link.poll_timeout()
    }

    fn call(&mut self, name: &str, _: &Step) {
        panic!("no call {name}")
    }

    fn transmit(&mut self) -> Option<Bytes> {
        self.link.poll_transmit()
    }

    fn event(&mut self, _: Instant) -> Option<&'static str> {
        Some(match self.link.poll_event()? {
            AgentEvent::Registered(_) => "registered",
            AgentEvent::RouteAck { .. } => "routes",
            AgentEvent::VisitOffer(_) => "offer",
            AgentEvent::Candidate { .. } => "candidate",
            AgentEvent::IceServers(_) => "ice-servers",
            AgentEvent::VisitEnd { .. } => "visit-end",
            AgentEvent::Refused { .. } => "refused",
            AgentEvent::Replaced => {
                self.replaced = true;
                "closed"
            }
            AgentEvent::Closed { .. } => "closed",
            other => panic!("no event {other:?}"),
        })
    }

    fn is_closed(&self) -> bool {
        self.link.is_closed()
    }

    fn again(&self) -> bool {
        !self.replaced
    }
}

struct Coord {
    link: CoordLink,
    alias: Alias,
    max_routes: u32,
    revoked: bool,
}

impl Link for Coord {
    fn handle(&mut self, now: Instant, now_ms: i64, message: &[u8]) {
        let _ = self.link.handle(now, now_ms, message);
    }

    fn timeout(&mut self, now: Instant) {
        self.link.handle_timeout(now);
    }

    fn due(&self) -> Option<Instant> {
        self.link.poll_timeout()
    }

    fn call(&mut self, name: &str, step: &Step) {
        match name {
            "replaced" => self.link.replaced(),
            "goodbye" => self
                .link
                .goodbye(code::from_name(step.code.as_deref().unwrap()).unwrap(), ""),
            other => panic!("no call {other}"),
        }
    }

    fn transmit(&mut self) -> Option<Bytes> {
        self.link.poll_transmit()
    }

    fn event(&mut self, now: Instant) -> Option<&'static str> {
        Some(match self.link.poll_event()? {
            // What the driver does with it: the registry has said who this is.
            CoordEvent::Registered { .. } if self.revoked => {
                self.link.refuse(SignalCode::Revoked, "");
                return self.event(now);
            }
            CoordEvent::Registered { .. } => {
                let facts = WelcomeFacts {
                    max_routes: self.max_routes,
                    ..WelcomeFacts::for_alias(self.alias.clone(), "https", "example.net")
                };
                self.link.welcome(facts, now).unwrap();
                "registered"
            }
            CoordEvent::Routes { .. } => "routes",
            CoordEvent::Answer { .. } => "answer",
            CoordEvent::Candidate { .. } => "candidate",
            CoordEvent::VisitEnd { .. } => "visit-end",
            CoordEvent::Revoked { .. } => {
                self.link.goodbye(SignalCode::Revoked, "");
                "revoked"
            }
            CoordEvent::Refused { .. } => "refused",
            CoordEvent::Goodbye { .. } | CoordEvent::Silent { .. } => "closed",
            other => panic!("no event {other:?}"),
        })
    }

    fn is_closed(&self) -> bool {
        self.link.is_closed()
    }

    fn again(&self) -> bool {
        false
    }
}

/// A link whose agent has registered.
pub(crate) fn registered_coord() -> CoordLink {
    let now = Instant::now();
    let nonce = Nonce([9; 32]);
    let mut coord = CoordLink::new(CoordLinkConfig::new("coord.example.net"), nonce, now, 0);
    let mut agent = AgentLink::new(IdentityKey::from_seed([7; 32]), "vectors", now);
    agent
        .handle(now, 0, &coord.poll_transmit().unwrap())
        .unwrap();
    coord
        .handle(now, 0, &agent.poll_transmit().unwrap())
        .unwrap();
    let facts = WelcomeFacts::for_alias(label().alias().clone(), "https", "example.net");
    coord.welcome(facts, now).unwrap();
    coord.poll_transmit().unwrap();
    coord
}

pub(crate) fn label() -> HostLabel {
    HostLabel::parse("recipes-honeyed-marble-4155").unwrap()
}

/// Plays a case; what happened from the row's own step on.
fn play(case: &Case, link: &mut dyn Link, describe: &Describe, ignore: &[&str]) -> Vec<String> {
    let input: Value = case.input().unwrap();
    let start = input["now_ms"].as_i64().unwrap();
    let steps: Vec<Step> = Deserialize::deserialize(&input["steps"]).unwrap();
    let (origin, mut now) = (Instant::now(), Instant::now());
    let mut heartbeats = 0;
    let mut closed = false;
    let mut outcome = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let id = format!("{} step {index}", case.id);
        for _ in 0..step.times.unwrap_or(1) {
            let now_ms = start + i64::try_from((now - origin).as_millis()).unwrap();
            if let Some(hex) = &step.receive {
                let mut input = Map::from_iter([("hex".to_owned(), hex.clone())]);
                input.extend(step.then.clone().map(|then| ("then".to_owned(), then)));
                let message = Long::deserialize(Value::Object(input)).unwrap();
                link.handle(now, now_ms, &message.bytes());
            } else if let Some(call) = &step.call {
                link.call(call, step);
            } else {
                let until = now + Duration::from_millis(step.wait_ms.unwrap());
                while let Some(due) = link.due().filter(|due| *due <= until) {
                    now = now.max(due);
                    link.timeout(now);
                }
                now = until;
            }
        }
        let events: Vec<_> = std::iter::from_fn(|| link.event(now)).collect();
        let mut sent = Vec::new();
        while let Some(message) = link.transmit() {
            let (kind, mut content) = describe.kind("Envelope", &message);
            known_codes(&mut content);
            let re = describe.message("Envelope", &message)["re"].clone();
            if kind == "Heartbeat" {
                heartbeats += 1;
            } else if !ignore.contains(&kind.as_str()) || index > 0 {
                content["kind"] = kind.into();
                content["re"] = re;
                sent.push(content);
            }
        }
        assert_eq!(events, step.events, "{id}");
        assert_eq!(sent.len(), step.sends.len(), "{id}: {sent:?}");
        for (sent, expected) in sent.iter().zip(&step.sends) {
            assert!(
                covers(sent, &Value::Object(expected.clone())),
                "{id}: {sent:?}, and not {expected:?}"
            );
            assert_eq!(
                sent["re"].is_null(),
                !expected.contains_key("re"),
                "{id}: {sent:?}"
            );
        }
        closed |= step.closed;
        assert_eq!(link.is_closed(), closed, "{id}: whether it is over");
        if step.closed {
            assert!(!step.again || link.again(), "{id}: it may connect again");
            assert!(
                step.again || !link.again(),
                "{id}: it must not connect again"
            );
        }
        if let Some(expected) = step.heartbeats {
            assert_eq!(heartbeats, expected, "{id}");
        }
        if index >= case.get::<usize>("step").unwrap_or_default() {
            let names = |value: &Value| format!("sends {}", text(value));
            outcome.extend(sent.iter().map(names));
            outcome.extend(events.iter().map(|event| format!("tells {event}")));
            outcome.extend(step.closed.then(|| "closed".to_owned()));
        }
    }
    outcome
}

fn text(sent: &Value) -> String {
    let words = ["kind", "code"].map(|key| sent[key].as_str().unwrap_or_default());
    words.join(" ").trim_end().to_owned()
}

/// Whether everything that is expected is so; of lists, element by element.
fn covers(actual: &Value, expected: &Value) -> bool {
    match (actual, expected) {
        (Value::Object(actual), Value::Object(expected)) => expected
            .iter()
            .all(|(key, value)| actual.get(key).is_some_and(|actual| covers(actual, value))),
        (Value::Array(actual), Value::Array(expected)) => {
            actual.len() == expected.len()
                && actual
                    .iter()
                    .zip(expected)
                    .all(|(actual, expected)| covers(actual, expected))
        }
        (actual, expected) => actual == expected,
    }
}

/// Plays every case of a group, holds the outcome of each row of its table, and sees that none is
/// missing.
fn play_all(
    group: &str,
    table: &str,
    link: impl Fn(&Value, Instant) -> Box<dyn Link>,
    ignore: &[&str],
) {
    let describe = Describe::new();
    let file = SIGNALING.read().unwrap();
    let mut outcomes = Vec::new();
    for case in file.cases(group).unwrap() {
        let mut link = link(&case.input().unwrap(), Instant::now());
        let outcome = play(case, &mut *link, &describe, ignore);
        let row = case.id.strip_prefix(&format!("{table}/")).unwrap();
        outcomes.push((row, outcome));
    }
    check_rows(table, &outcomes);
}

/// Holds what came of each row of a table, and sees that none is missing or there twice.
fn check_rows(table: &str, outcomes: &[(&str, Vec<String>)]) {
    let mut tried = BTreeSet::new();
    for (row, _) in outcomes {
        assert!(tried.insert((*row).to_owned()), "{table}/{row} twice");
    }
    assert_eq!(tried, crate::sequences::rows(table), "rows of {table}");
    let lines = outcomes.iter().map(|(row, outcome)| match outcome.len() {
        0 => format!("{row} | nothing"),
        _ => format!("{row} | {}", outcome.join(", ")),
    });
    insta::assert_snapshot!(table, lines.collect::<Vec<_>>().join("\n"));
}

/// SIG-003 to SIG-014, SIG-016, SIG-023, SIG-025, IDN-014: the agent's end.
#[test]
fn agent_link_at_the_agent() {
    play_all(
        "link-agent",
        "agent-link-agent",
        |input, now| {
            let seed: Hex = Deserialize::deserialize(&input["seed"]).unwrap();
            let key = IdentityKey::from_seed(seed.0.try_into().unwrap());
            let domain = input["domain"].as_str().unwrap();
            let mut link = AgentLink::new(key, "vectors", now).expect_domain(domain);
            let apps: Vec<String> = Deserialize::deserialize(&input["apps"]).unwrap();
            let apps = apps
                .iter()
                .map(|app| AppName::parse(app).unwrap())
                .collect();
            link.announce_routes(apps).unwrap();
            Box::new(Agent {
                link,
                replaced: false,
            })
        },
        &[],
    );
}

/// SIG-003 to SIG-011, SIG-024, SIG-031: coord's end.
#[test]
fn agent_link_at_coord() {
    play_all(
        "link-coord",
        "agent-link-coord",
        |input, now| {
            let nonce: Hex = Deserialize::deserialize(&input["nonce"]).unwrap();
            let nonce = Nonce::from_bytes(&nonce.0).unwrap();
            let config = CoordLinkConfig::new(input["domain"].as_str().unwrap());
            let start = input["now_ms"].as_i64().unwrap();
            Box::new(Coord {
                link: CoordLink::new(config, nonce, now, start),
                alias: Alias::parse(input["alias"].as_str().unwrap()).unwrap(),
                max_routes: u32::try_from(input["max_routes"].as_u64().unwrap()).unwrap(),
                revoked: input["revoked"].as_bool().unwrap(),
            })
        },
        &["Challenge"],
    );
}

/// SIG-013, SIG-015, SIG-018, IDN-017: a visit at the visitor, but for the end of the stream,
/// which its driver sees.
#[test]
fn visit_at_the_visitor() {
    #[derive(Deserialize)]
    struct Input {
        app: String,
        alias: String,
        nonce: Hex,
        offer_sdp: String,
        pins: Vec<String>,
        now_ms: i64,
        events: Vec<Option<Hex>>,
    }
    let file = SIGNALING.read().unwrap();
    let mut left_out = 0;
    let mut rows = Vec::new();
    for case in file.cases("visit-visitor").unwrap() {
        let input: Input = case.input().unwrap();
        let app = AppName::parse(&input.app).unwrap();
        let address = HostLabel::new(app, Alias::parse(&input.alias).unwrap());
        let pins = input
            .pins
            .iter()
            .map(|pin| pin.parse::<PeerId>().unwrap())
            .collect();
        let nonce = Nonce::from_bytes(&input.nonce.0).unwrap();
        let mut visit = VisitCheck::new(address, nonce, input.offer_sdp, pins).unwrap();
        let outcomes: Vec<String> = case.get("outcomes").unwrap();
        assert_eq!(input.events.len(), outcomes.len(), "{}", case.id);
        let mut over = false;
        let mut shown = String::new();
        for (event, expected) in input.events.iter().zip(&outcomes) {
            let Some(event) = event else {
                left_out += 1;
                "left to the driver".clone_into(&mut shown);
                break;
            };
            let told = match VisitEvent::decode(&event.0[..]) {
                // A stream that is broken is read no further.
                Err(_) => Err(()),
                Ok(event) => visit.handle(event, input.now_ms).map_err(|_| ()),
            };
            let outcome = match told {
                Ok(Some(_)) | Err(()) if over => "over",
                Ok(None) if over => "over",
                Ok(Some(VisitorEvent::Answer { .. })) => "answer",
                Ok(Some(VisitorEvent::Candidate(_))) => "candidate",
                Ok(Some(VisitorEvent::End { .. })) => "end",
                Ok(None) => "ignored",
                Err(()) => "refused",
            };
            // Behind the end, nothing may reach the application.
            assert!(!over || !matches!(told, Ok(Some(_))), "{}", case.id);
            assert_eq!(outcome, expected, "{}", case.id);
            over |= matches!(outcome, "end" | "refused");
            outcome.clone_into(&mut shown);
        }
        let row = case.id.strip_prefix("visit-visitor/").unwrap();
        rows.push((row, vec![shown]));
        let refused = outcomes.last().is_some_and(|outcome| outcome == "refused");
        assert_eq!(case.expected() == Expected::Invalid, refused, "{}", case.id);
    }
    assert_eq!(left_out, 3, "cases that are about the end of the stream");
    check_rows("visit-visitor", &rows);
}
