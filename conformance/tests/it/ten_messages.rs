//! The bytes of `spec/v1/agent-in-ten-messages.md`, taken by a coord and a visitor.

use std::{collections::HashMap, time::Instant};

use bytes::Bytes;
use data_encoding::HEXLOWER;
use p2claw_identity::{Alias, AppName, HostLabel, IdentityKey, Nonce, SessionId};
use p2claw_proto::v1::{Envelope, VisitEvent, envelope, visit_event};
use p2claw_session::{Config, Event, Fields, LaneId, Read, Request, Role, Session, Target};
use p2claw_signaling::{
    coord_link::{CoordEvent, CoordLink, CoordLinkConfig, WelcomeFacts},
    visitor::{CheckedRequest, VisitCheck, VisitorEvent},
};
use prost::Message as _;
use serde_json::Value;

pub(crate) fn vectors() -> (Value, HashMap<String, Bytes>) {
    let text = include_str!("../../vectors/ten-messages.json");
    let vectors: Value = serde_json::from_str(text).unwrap();
    let messages = vectors["messages"].as_array().unwrap().iter().map(|one| {
        let bytes = HEXLOWER.decode(one["hex"].as_str().unwrap().as_bytes());
        let name = one["name"].as_str().unwrap().to_owned();
        (name, Bytes::from(bytes.unwrap()))
    });
    let messages = messages.collect();
    (vectors, messages)
}

pub(crate) fn kind(message: &Bytes) -> envelope::Kind {
    Envelope::decode(message.clone()).unwrap().kind.unwrap()
}

/// AGT-001: the agent of the page is all that coord and visitor need, and they send what it shows.
#[test]
fn agt_001_the_agent_of_the_page_serves_a_visitor() {
    let (vectors, messages) = vectors();
    let seed = HEXLOWER
        .decode(vectors["key"]["seed"].as_str().unwrap().as_bytes())
        .unwrap();
    let key = IdentityKey::from_seed(seed.try_into().unwrap());
    let alias = Alias::parse(vectors["alias"].as_str().unwrap()).unwrap();
    let label = HostLabel::new(AppName::parse("recipes").unwrap(), alias.clone());
    let now = Instant::now();

    let envelope::Kind::Challenge(challenge) = kind(&messages["challenge"]) else {
        panic!("no challenge")
    };
    // The agent's clock says the same, and the visitor's.
    let now_ms = challenge.time_ms;
    let nonce = Nonce::from_bytes(&challenge.nonce).unwrap();
    let mut coord = CoordLink::new(CoordLinkConfig::new(&challenge.domain), nonce, now, now_ms);
    let says = |coord: &mut CoordLink, name: &str| {
        assert_eq!(coord.poll_transmit().unwrap(), messages[name], "{name}");
    };
    says(&mut coord, "challenge");
    coord.handle(now, now_ms, &messages["hello"]).unwrap();
    let registration = coord.poll_event().unwrap();
    assert!(
        matches!(&registration, CoordEvent::Registered { peer_id, .. } if *peer_id == key.peer_id()),
        "{registration:?}"
    );
    let facts = WelcomeFacts {
        max_routes: 32,
        max_visits: 64,
        ..WelcomeFacts::for_alias(alias, "https", "example.net")
    };
    coord.welcome(facts, now).unwrap();
    says(&mut coord, "welcome");
    coord
        .handle(now, now_ms, &messages["route-announce"])
        .unwrap();
    // But for the words that are for people.
    let wordless = |message: &Bytes| {
        let envelope::Kind::RouteAck(mut ack) = kind(message) else {
            panic!("no acknowledgement")
        };
        ack.refused.iter_mut().for_each(|one| one.reason.clear());
        ack
    };
    let ack = coord.poll_transmit().unwrap();
    assert_eq!(wordless(&ack), wordless(&messages["route-ack"]));
    let routes = coord.poll_event().unwrap();
    assert!(matches!(&routes, CoordEvent::Routes { apps } if apps == &[label.app().clone()]));

    let envelope::Kind::VisitOffer(offer) = kind(&messages["visit-offer"]) else {
        panic!("no offer")
    };
    let nonce = Nonce::from_bytes(&offer.nonce).unwrap();
    let pins = vec![key.peer_id()];
    let mut visit = VisitCheck::new(label.clone(), nonce, offer.sdp.clone(), pins).unwrap();
    let session_id = SessionId(offer.session_id[..].try_into().unwrap());
    let request = CheckedRequest::parse(&visit.request()).unwrap();
    coord.offer(session_id, &label, request).unwrap();
    says(&mut coord, "visit-offer");
    coord
        .handle(now, now_ms, &messages["visit-answer"])
        .unwrap();
    let Some(CoordEvent::Answer { answer, .. }) = coord.poll_event() else {
        panic!("no answer")
    };
    let event = VisitEvent {
        kind: Some(visit_event::Kind::Answer(answer)),
    };
    let seen = visit.handle(event, now_ms).unwrap();
    assert!(
        matches!(&seen, Some(VisitorEvent::Answer { peer_id, .. }) if *peer_id == key.peer_id()),
        "{seen:?}"
    );

    let config = Config {
        stream_credit: 0,
        session_credit: 0,
        lanes: 4,
        software: "visitor/1".to_owned(),
        grease_seed: None,
        ..Config::default()
    };
    let mut session = Session::new(Role::Visitor, config, now);
    let mut fields = Fields::new();
    fields.push("accept", "text/html").unwrap();
    let stream = session
        .open(Request {
            method: "GET".to_owned(),
            target: Target::parse("/").unwrap(),
            fields,
            end: true,
            protocol: None,
        })
        .unwrap();
    for name in ["session-hello-visitor", "request"] {
        let sent = session.poll_transmit(LaneId::ZERO).unwrap();
        assert_eq!(sent, messages[name], "{name}");
    }
    for name in ["session-hello-agent", "response", "data-end"] {
        let message = messages[name].clone();
        session.handle_message(now, LaneId::ZERO, message).unwrap();
    }
    assert!(matches!(session.poll_event(), Some(Event::Connected(_))));
    let head = session.poll_event();
    assert!(
        matches!(&head, Some(Event::Response { response, .. }) if response.status == 200),
        "{head:?}"
    );
    let body = Bytes::from_static(b"<h1>Hello</h1>");
    assert_eq!(session.read(stream), Ok(Read::Data(body)));
    assert_eq!(session.read(stream), Ok(Read::End(None)));
}
