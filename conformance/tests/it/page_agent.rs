//! An agent that knows nothing but `spec/v1/agent-in-ten-messages.md`: each of its messages is one of
//! the page, with its own values in the places of the page's.

use std::{
    collections::{BTreeMap, HashMap},
    time::Instant,
};

use bytes::{BufMut as _, Bytes, BytesMut};
use p2claw_identity::{
    Alias, AppName, Context, Fingerprint, HostLabel, IdentityKey, Nonce, SessionId,
};
use p2claw_proto::v1 as proto;
use p2claw_proto::v1::{Envelope, VisitEvent, envelope, visit_event};
use p2claw_session::{
    Config, Event, Fields, LaneId, Read, Request, Role, Session, StreamId, Target,
};
use p2claw_signaling::{
    coord_link::{CoordEvent, CoordLink, CoordLinkConfig, WelcomeFacts},
    sdp::Description,
    visitor::{CheckedRequest, VisitCheck, VisitorEvent},
};
use prost::Message as _;

use crate::ten_messages::{kind, vectors};

const NOW_MS: i64 = 1_900_000_000_000;

/// The frames of the page have one byte of type, and streams below 64 one byte as well.
const REQUEST: u8 = 0x02;

struct PageAgent {
    key: IdentityKey,
    page: HashMap<String, Bytes>,
    /// Numbers of its own messages.
    sent: u64,
    certificate: Fingerprint,
}

impl PageAgent {
    fn new(seed: u8) -> Self {
        Self {
            key: IdentityKey::from_seed([seed; 32]),
            page: vectors().1,
            sent: 0,
            certificate: Fingerprint([seed; 32]),
        }
    }

    fn own_public_key(&self) -> Bytes {
        Bytes::copy_from_slice(self.key.peer_id().as_bytes())
    }

    fn envelope(&mut self, kind: envelope::Kind) -> Bytes {
        self.sent += 1;
        let envelope = Envelope {
            seq: self.sent,
            kind: Some(kind),
            ..Envelope::default()
        };
        envelope.encode_to_vec().into()
    }

    /// 2. Hello
    fn hello(&mut self, challenge: &Bytes) -> Bytes {
        let (envelope::Kind::Challenge(challenge), envelope::Kind::Hello(mut hello)) =
            (kind(challenge), kind(&self.page["hello"]))
        else {
            panic!("another message")
        };
        let mut registration = proto::Registration::decode(hello.registration).unwrap();
        registration.public_key = self.own_public_key();
        registration.domain = challenge.domain;
        registration.nonce = challenge.nonce;
        registration.issued_at_ms = NOW_MS;
        hello.registration = registration.encode_to_vec().into();
        let signature = self.key.sign(Context::Registration, &hello.registration);
        hello.signature = Bytes::copy_from_slice(&signature);
        self.envelope(envelope::Kind::Hello(hello))
    }

    /// 4. RouteAnnounce
    fn announce(&mut self) -> Bytes {
        let announce = kind(&self.page["route-announce"]);
        self.envelope(announce)
    }

    /// 6. VisitAnswer
    fn answer(&mut self, offer: &Bytes) -> Bytes {
        let (envelope::Kind::VisitOffer(offer), envelope::Kind::VisitAnswer(mut answer)) =
            (kind(offer), kind(&self.page["visit-answer"]))
        else {
            panic!("another message")
        };
        let own = format!("a=fingerprint:sha-256 {}\r\n", self.certificate);
        let lines = answer.sdp.split_inclusive('\n');
        answer.sdp = lines
            .map(|line| match line.starts_with("a=fingerprint:") {
                true => own.as_str(),
                false => line,
            })
            .collect();
        let visitors = Description::parse(&offer.sdp).unwrap().fingerprint;
        let mut statement = proto::VisitStatement::decode(answer.statement).unwrap();
        statement.session_id = offer.session_id.clone();
        statement.alias = offer.alias;
        statement.app = offer.app;
        statement.nonce = offer.nonce;
        statement.visitor_fingerprint = Bytes::copy_from_slice(visitors.as_bytes());
        statement.agent_fingerprint = Bytes::copy_from_slice(self.certificate.as_bytes());
        statement.expires_at_ms = NOW_MS + 30_000;
        statement.public_key = self.own_public_key();
        answer.session_id = offer.session_id;
        answer.statement = statement.encode_to_vec().into();
        let signature = self.key.sign(Context::Visit, &answer.statement);
        answer.signature = Bytes::copy_from_slice(&signature);
        self.envelope(envelope::Kind::VisitAnswer(answer))
    }

    /// 10. RESPONSE and DATA_END
    ///
    /// They are for a REQUEST, with a body that says what was asked for. No other frame has an answer
    /// on the page.
    fn serve(&self, frame: &Bytes) -> Vec<Bytes> {
        let [REQUEST, stream, ..] = frame[..] else {
            return Vec::new();
        };
        assert!(stream < 64, "the page shows no longer number");
        let request = proto::Request::decode(frame.slice(2..)).unwrap();
        let body = format!("{} {}", request.method, request.target);
        let shown = &self.page["response"];
        let mut head = proto::Response::decode(shown.slice(2..)).unwrap();
        for field in &mut head.fields {
            if field.name == "content-length" {
                field.value = body.len().to_string().into();
            }
        }
        let frame = |shown: &Bytes, payload: &[u8]| {
            let mut frame = BytesMut::new();
            frame.put_slice(&[shown[0], stream]);
            frame.put_slice(payload);
            frame.freeze()
        };
        vec![
            frame(shown, &head.encode_to_vec()),
            frame(&self.page["data-end"], body.as_bytes()),
        ]
    }
}

/// A coord at which the agent is registered.
fn registered(agent: &mut PageAgent, alias: &Alias, now: Instant) -> CoordLink {
    let config = CoordLinkConfig::new("other.example");
    let mut coord = CoordLink::new(config, Nonce([0xc0; 32]), now, NOW_MS);
    let challenge = coord.poll_transmit().unwrap();
    coord.handle(now, NOW_MS, &agent.hello(&challenge)).unwrap();
    let registration = coord.poll_event().unwrap();
    assert!(
        matches!(&registration, CoordEvent::Registered { peer_id, .. } if *peer_id == agent.key.peer_id()),
        "{registration:?}"
    );
    let facts = WelcomeFacts {
        max_routes: 8,
        max_visits: 8,
        ..WelcomeFacts::for_alias(alias.clone(), "https", "other.example")
    };
    coord.welcome(facts, now).unwrap();
    coord.poll_transmit().unwrap();
    coord.handle(now, NOW_MS, &agent.announce()).unwrap();
    coord.poll_transmit().unwrap();
    assert!(matches!(coord.poll_event(), Some(CoordEvent::Routes { apps }) if apps.len() == 1));
    coord
}

/// One visit, from the offer to the answer that the visitor trusts.
fn introduced(agent: &mut PageAgent, coord: &mut CoordLink, label: &HostLabel, number: u8) {
    let certificate = Fingerprint([0xe0 + number; 32]);
    let offer = format!("v=0\r\na=fingerprint:sha-256 {certificate}\r\n");
    let nonce = Nonce([0xd0 + number; 32]);
    let pins = vec![agent.key.peer_id()];
    let mut visit = VisitCheck::new(label.clone(), nonce, offer, pins).unwrap();
    let request = CheckedRequest::parse(&visit.request()).unwrap();
    let session_id = SessionId([number; 16]);
    coord.offer(session_id, label, request).unwrap();
    let offer = coord.poll_transmit().unwrap();
    let answer = agent.answer(&offer);
    coord.handle(Instant::now(), NOW_MS, &answer).unwrap();
    let Some(CoordEvent::Answer { answer, .. }) = coord.poll_event() else {
        panic!("no answer")
    };
    let kind = Some(visit_event::Kind::Answer(answer));
    let seen = visit.handle(VisitEvent { kind }, NOW_MS).unwrap();
    assert!(
        matches!(&seen, Some(VisitorEvent::Answer { peer_id, .. }) if *peer_id == agent.key.peer_id()),
        "{seen:?}"
    );
}

/// Carries what the visitor has to say to the agent, and its answers back, until both are silent.
fn exchange(agent: &PageAgent, visitor: &mut Session, now: Instant) {
    loop {
        let mut answers = Vec::new();
        for lane in (0..4).filter_map(LaneId::new) {
            while let Some(frame) = visitor.poll_transmit(lane) {
                answers.extend(agent.serve(&frame).into_iter().map(|answer| (lane, answer)));
            }
        }
        if answers.is_empty() {
            return;
        }
        for (lane, answer) in answers {
            visitor.handle_message(now, lane, answer).unwrap();
        }
    }
}

fn ask(visitor: &mut Session, method: &str, target: &str) -> StreamId {
    let request = Request {
        method: method.to_owned(),
        target: Target::parse(target).unwrap(),
        fields: Fields::new(),
        end: method == "GET",
        protocol: None,
    };
    let stream = visitor.open(request).unwrap();
    if method != "GET" {
        let mut body = Bytes::from_static(b"what the visitor sends");
        visitor.write(stream, &mut body).unwrap();
        visitor.finish(stream, None).unwrap();
    }
    stream
}

/// AGT-001: the page is enough for any key, coord and visitor, and for more than one request: what
/// it shows leaves nothing out that a visitor waits for.
#[test]
fn agt_001_an_agent_that_knows_only_the_page_serves_visitors() {
    for seed in [1, 2] {
        let now = Instant::now();
        let mut agent = PageAgent::new(seed);
        let alias = Alias::candidate(&agent.key.peer_id(), 0);
        let label = HostLabel::new(AppName::parse("recipes").unwrap(), alias.clone());
        let mut coord = registered(&mut agent, &alias, now);
        for number in 1..=2 {
            introduced(&mut agent, &mut coord, &label, number);
            let config = Config::for_role(Role::Visitor);
            let mut visitor = Session::new(Role::Visitor, config, now);
            let mut asked = vec![(ask(&mut visitor, "GET", "/first"), "GET /first".to_owned())];
            let hello = agent.page["session-hello-agent"].clone();
            visitor.handle_message(now, LaneId::ZERO, hello).unwrap();
            exchange(&agent, &mut visitor, now);
            // On every lane that both ends have, and several at a time.
            for round in 0..10 {
                let target = format!("/{round}?of={number}");
                for method in ["GET", "POST"] {
                    let stream = ask(&mut visitor, method, &target);
                    asked.push((stream, format!("{method} {target}")));
                }
            }
            exchange(&agent, &mut visitor, now);
            let mut statuses = BTreeMap::new();
            while let Some(event) = visitor.poll_event() {
                match event {
                    Event::Response { id, response } => {
                        statuses.insert(id, response.status);
                    }
                    Event::Closed(error) => panic!("{error}"),
                    _ => {}
                }
            }
            for (stream, body) in asked {
                assert_eq!(statuses.get(&stream), Some(&200), "{body}");
                assert_eq!(visitor.read(stream), Ok(Read::Data(body.into())));
                assert_eq!(visitor.read(stream), Ok(Read::End(None)));
            }
            assert!(!visitor.is_closed());
        }
    }
}
