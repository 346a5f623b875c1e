//! Messages, descriptions, requests and streams of events of signaling; credentials for relays.

use std::time::Instant;

use p2claw_conformance::vectors::{Hex, Long, SIGNALING, TURN_CREDENTIALS};
use p2claw_identity::{Nonce, SessionId};
use p2claw_proto::v1::{Envelope, envelope};
use p2claw_signaling::candidate::IceCandidate;
use p2claw_signaling::coord_link::{CoordLink, CoordLinkConfig};
use p2claw_signaling::event_stream::EventReader;
use p2claw_signaling::sdp::Description;
use p2claw_signaling::visitor::{CheckedRequest, parse_update};
use p2claw_signaling::{SignalCode, code, turn};
use prost::Message as _;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::check;
use crate::describe::Describe;
use crate::links::registered_coord;

/// A code of a later version reads as INTERNAL (VER-015).
pub(crate) fn known_codes(content: &mut Value) {
    if let Some(code) = content.get_mut("code") {
        let number = code
            .as_str()
            .is_some_and(|code| code.parse::<i32>().is_ok());
        if number {
            *code = "INTERNAL".into();
        }
    }
}

/// SIG-002, SIG-004, SIG-005, VER-012 to VER-016.
#[test]
fn envelopes() {
    let describe = Describe::new();
    check(SIGNALING, "envelope", |case| {
        let bytes = case.input::<Long>().unwrap().bytes();
        let now = Instant::now();
        let config = CoordLinkConfig::new("coord.example.net");
        let mut link = CoordLink::new(config, Nonce([9; 32]), now, 0);
        let refused = link.handle(now, 0, &bytes).err().map(|error| error.code());
        if case.has("code") {
            assert_eq!(refused, Some(SignalCode::Malformed), "{}", case.id);
            return false;
        }
        assert_ne!(refused, Some(SignalCode::Malformed), "{}", case.id);
        let envelope = Envelope::decode(&bytes[..]).unwrap();
        let (kind, mut content) = describe.kind("Envelope", &bytes);
        known_codes(&mut content);
        let id = &case.id;
        let kind = envelope.kind.is_some().then_some(kind);
        assert_eq!(
            envelope.seq.to_string(),
            case.get::<String>("seq").unwrap(),
            "{id}"
        );
        assert_eq!(
            envelope.re.to_string(),
            case.get::<String>("re").unwrap(),
            "{id}"
        );
        assert_eq!(kind, case.get::<Option<String>>("kind").unwrap(), "{id}");
        if case.has("content") {
            assert_eq!(content, case.get::<Value>("content").unwrap(), "{id}");
        }
        true
    });
}

/// SIG-012, SIG-013, IDN-022.
#[test]
fn descriptions() {
    #[derive(Deserialize)]
    struct Input {
        text: String,
        then: Option<Then>,
    }
    #[derive(Deserialize)]
    struct Then {
        text: String,
        times: usize,
    }
    check(SIGNALING, "description", |case| {
        let Input { mut text, then } = case.input().unwrap();
        if let Some(then) = then {
            text.push_str(&then.text.repeat(then.times));
        }
        let Ok(description) = Description::parse(&text) else {
            return false;
        };
        if case.has("fingerprint") {
            let expected: Hex = case.get("fingerprint").unwrap();
            assert_eq!(description.fingerprint.0[..], expected.0, "{}", case.id);
        }
        true
    });
}

/// RTC-007, RTC-026: what a session may send to the end that describes itself so.
#[test]
fn message_limits() {
    check(SIGNALING, "message-limit", |case| {
        let description = Description::parse(&case.input::<String>().unwrap()).unwrap();
        let Ok(limit) = description.message_limit() else {
            return false;
        };
        if case.has("max_message") {
            let wanted: Option<usize> = case.get("max_message").unwrap();
            assert_eq!(limit, wanted.unwrap_or(usize::MAX), "{}", case.id);
        }
        true
    });
}

/// SIG-013.
#[test]
fn candidates() {
    check(SIGNALING, "candidate", |case| {
        let text: String = case.input().unwrap();
        IceCandidate::parse(text.clone(), "0").is_ok_and(|candidate| {
            assert_eq!(candidate.as_str(), text, "{}", case.id);
            assert_eq!(candidate.is_end(), text.is_empty(), "{}", case.id);
            true
        })
    });
}

/// SIG-020, SIG-044: what coord passes on of a request, it takes from what it was given.
#[test]
fn visit_requests() {
    check(SIGNALING, "visit-request", |case| {
        let body = case.input::<Long>().unwrap().bytes();
        let request = match CheckedRequest::parse(&body) {
            Ok(request) => request,
            Err(error) => {
                let got = code::name(error.code());
                assert_eq!(got, case.get::<String>("code").unwrap(), "{}", case.id);
                return false;
            }
        };
        let mut coord = registered_coord();
        let label = crate::links::label();
        coord.offer(SessionId([7; 16]), &label, request).unwrap();
        let sent = Envelope::decode(coord.poll_transmit().unwrap()).unwrap();
        let Some(envelope::Kind::VisitOffer(offer)) = sent.kind else {
            panic!("no offer")
        };
        let nonce = data_encoding::HEXLOWER.encode(&offer.nonce);
        let restarts = data_encoding::HEXLOWER.encode(&offer.restarts);
        let got = json!({"versions": offer.versions, "sdp": offer.sdp, "nonce": nonce, "restarts": restarts});
        let expected = ["versions", "sdp", "nonce", "restarts"].map(|name| {
            let value: Value = case.get(name).unwrap();
            // Only a restart names a session.
            let none = name == "restarts" && value.is_null();
            (name.to_owned(), if none { "".into() } else { value })
        });
        assert_eq!(
            got,
            Value::Object(expected.into_iter().collect()),
            "{}",
            case.id
        );
        true
    });
}

/// SIG-020, SIG-021.
#[test]
fn visit_updates() {
    check(SIGNALING, "visit-update", |case| {
        let body = case.input::<Long>().unwrap().bytes();
        match parse_update(&body) {
            Ok(candidates) => {
                let got: Vec<_> = candidates.iter().map(IceCandidate::as_str).collect();
                assert_eq!(
                    got,
                    case.get::<Vec<String>>("candidates").unwrap(),
                    "{}",
                    case.id
                );
                true
            }
            Err(error) => {
                let got = code::name(error.code());
                assert_eq!(got, case.get::<String>("code").unwrap(), "{}", case.id);
                false
            }
        }
    });
}

/// SIG-015, SIG-018.
#[test]
fn event_streams() {
    #[derive(Deserialize)]
    struct Input {
        chunks: Vec<Long>,
    }
    let describe = Describe::new();
    check(SIGNALING, "event-stream", |case| {
        let input: Input = case.input().unwrap();
        let mut reader = EventReader::new();
        let mut found = Vec::new();
        let mut read = 0;
        let mut total = 0;
        let whole = input.chunks.iter().all(|chunk| {
            let bytes = chunk.bytes();
            total += bytes.len();
            reader.push(&bytes);
            loop {
                match reader.next_event() {
                    Ok(Some(event)) => {
                        let bytes = event.encode_to_vec();
                        read = total;
                        let (kind, content) = describe.kind("VisitEvent", &bytes);
                        let kind = event.kind.is_some().then(|| kind.to_lowercase());
                        found.push((kind, content));
                    }
                    Ok(None) => return true,
                    Err(_) => return false,
                }
            }
        });
        let expected: Vec<Value> = case.get("events").unwrap();
        assert_eq!(found.len(), expected.len(), "{}", case.id);
        for ((kind, content), expected) in found.iter().zip(&expected) {
            assert_eq!(json!(kind), expected["kind"], "{}", case.id);
            if let Some(of) = expected.get("content") {
                assert_eq!(content, of, "{}", case.id);
            }
        }
        if whole {
            let rest: usize = case.get("rest").unwrap();
            assert_eq!(reader.is_empty(), rest == 0, "{}", case.id);
            assert!(read <= total);
        }
        whole
    });
}

/// SIG-019.
#[test]
fn http_errors() {
    check(SIGNALING, "http-error", |case| {
        let input: Value = case.input().unwrap();
        let signal = code::from_name(input["code"].as_str().unwrap()).unwrap();
        let body = code::error_json(signal, input["detail"].as_str().unwrap());
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            code::http_status(signal),
            case.get::<u16>("status").unwrap(),
            "{}",
            case.id
        );
        assert_eq!(body, case.get::<Value>("body").unwrap(), "{}", case.id);
        true
    });
}

/// SIG-022.
#[test]
fn turn_credentials_are_issued() {
    #[derive(Deserialize)]
    struct Input {
        secret: String,
        now: i64,
        random: Hex,
    }
    check(TURN_CREDENTIALS, "turn-issue", |case| {
        let input: Input = case.input().unwrap();
        let random = input.random.0.try_into().unwrap();
        let issued = turn::issue(input.secret.as_bytes(), random, input.now);
        assert_eq!(issued.username, case.get::<String>("username").unwrap());
        assert_eq!(issued.credential, case.get::<String>("credential").unwrap());
        assert_eq!(issued.expires_at, case.get::<i64>("expires_at").unwrap());
        true
    });
}

/// SIG-022, SIG-029.
#[test]
fn turn_credentials_are_checked() {
    #[derive(Deserialize)]
    struct Input {
        secret: String,
        username: String,
        credential: String,
        now: i64,
    }
    check(TURN_CREDENTIALS, "turn-check", |case| {
        let input: Input = case.input().unwrap();
        turn::password_for(input.secret.as_bytes(), &input.username, input.now)
            .is_ok_and(|password| password == input.credential)
    });
}
