//! One message for every reader.

use p2claw_identity::{HostLabel, Nonce};
use p2claw_proto::v1::VisitEvent;
use p2claw_signaling::candidate::IceCandidate;
use p2claw_signaling::event_stream::{self, EventReader};
use p2claw_signaling::limits::{MAX_CANDIDATE, MAX_CANDIDATES, MAX_VISIT_BODY};
use p2claw_signaling::turn;
use p2claw_signaling::visitor::{CheckedRequest, VisitCheck, encode_update, parse_update};

use super::messages::{NOW_MS, key, sdp};

pub(super) fn run(data: &[u8]) {
    if CheckedRequest::parse(data).is_ok() {
        assert!(data.len() <= MAX_VISIT_BODY);
    }
    if let Ok(candidates) = parse_update(data) {
        assert!(candidates.len() <= MAX_CANDIDATES);
        let written = encode_update(candidates.clone());
        // What was split over many fields may come out longer, and then it travels in two parts.
        if written.len() <= MAX_VISIT_BODY {
            assert_eq!(parse_update(&written), Ok(candidates));
        }
    }
    let text = String::from_utf8_lossy(data);
    if let Ok(candidate) = IceCandidate::parse(text.clone(), "0") {
        assert!(candidate.as_str().len() <= MAX_CANDIDATE);
        assert!(!candidate.as_str().chars().any(char::is_control));
        assert_eq!(candidate.is_end(), text.is_empty());
    }
    turn_credentials(&text);
    event_stream(data);
}

/// A relay lets in who has the form of what coord issues, until its time.
fn turn_credentials(username: &str) {
    let now = NOW_MS / 1000;
    let password = turn::password_for(b"secret", username, now);
    let expiry = username.split_once(':').and_then(|(expiry, random)| {
        let digits = !expiry.is_empty() && expiry.chars().all(|c| c.is_ascii_digit());
        let hex = random.len() == 16 && random.chars().all(|c| c.is_ascii_hexdigit());
        expiry.parse::<i64>().ok().filter(|_| digits && hex)
    });
    assert_eq!(
        password.is_ok(),
        expiry.is_some_and(|expiry| expiry > now),
        "{username:?}"
    );
}

/// However a stream is cut, the same events come out of it; and a visitor survives them.
fn event_stream(data: &[u8]) {
    let read = |step: usize| {
        let (mut reader, mut events) = (EventReader::new(), Vec::new());
        for chunk in data.chunks(step) {
            reader.push(chunk);
            loop {
                match reader.next_event() {
                    Ok(Some(event)) => events.push(event),
                    Ok(None) => break,
                    Err(error) => return (events, Some(error)),
                }
            }
        }
        (events, None)
    };
    let (events, error) = read(data.len().max(1));
    assert_eq!(read(1 + data.len() / 7), (events.clone(), error));
    for event in &events {
        let mut again = EventReader::new();
        again.push(&event_stream::encode(event));
        assert_eq!(again.next_event(), Ok(Some(event.clone())));
        assert!(again.is_empty());
    }
    visit(events);
}

/// A stranger's stream proves nothing: the visitor takes no answer that its key did not sign.
fn visit(events: Vec<VisitEvent>) {
    let address = HostLabel::parse("recipes-quiet-otter-0417").expect("a host label");
    let pins = vec![key().peer_id()];
    let mut check =
        VisitCheck::new(address, Nonce([2; 32]), sdp(3), pins).expect("one certificate");
    let mut ended = false;
    for event in events {
        let known = event.kind.is_some();
        let outcome = check.handle(event, NOW_MS);
        assert!(
            !(ended && known && outcome.is_ok()),
            "a visit went on behind its end"
        );
        match outcome {
            Ok(None) => assert!(!known),
            Ok(Some(event)) => {
                use p2claw_signaling::visitor::VisitorEvent;
                assert!(
                    matches!(event, VisitorEvent::End { .. }),
                    "{event:?} without the key"
                );
                ended = true;
            }
            Err(_) => ended = true,
        }
    }
}
