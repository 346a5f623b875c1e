//! Any text as a session description.

use std::sync::OnceLock;

use p2claw_agent::transport::PeerTransport;
use p2claw_identity::Fingerprint;
use p2claw_network::{Hub, HubConfig};
use p2claw_signaling::candidate::IceCandidate;
use p2claw_signaling::limits::{MAX_CANDIDATES, MAX_SDP};
use p2claw_signaling::sdp::Description;
use str0m::change::SdpOffer;
use tokio::runtime::{Builder, Runtime};

/// A description that is taken names one certificate, whoever reads it (IDN-022); an offer that
/// is answered gets an answer of the same kind.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let ours = Description::parse(&text);
    let Ok(found) = &ours else {
        return;
    };
    assert!(text.len() <= MAX_SDP && found.candidates.len() <= MAX_CANDIDATES);
    for candidate in &found.candidates {
        IceCandidate::parse(candidate.as_str(), "").expect("a candidate of a description travels");
    }
    let lenient = lenient(&text);
    assert!(!lenient.is_empty());
    for value in lenient {
        assert_eq!(certificate(&value), Some(found.fingerprint), "{value:?}");
    }
    str0m_agrees(&text, found.fingerprint);
    for endpoint in endpoints() {
        answers_agree(endpoint.as_ref(), &text, found.fingerprint);
    }
    // The same certificate in the same place, whatever the lines end with.
    let unix = text.replace("\r\n", "\n");
    assert_eq!(Description::parse(&unix).as_ref(), Ok(found));
    // Another certificate anywhere spoils it.
    let mut other = found.fingerprint;
    other.0[31] ^= 1;
    for second in [
        format!("{text}\r\na=fingerprint:sha-256 {other}\r\n"),
        format!("a=fingerprint:SHA-256 {other}\n{text}"),
    ] {
        assert!(Description::parse(&second).is_err());
    }
}

/// What stands behind every line that somebody could take for `a=fingerprint`.
fn lenient(text: &str) -> Vec<String> {
    let is_space = |c: char| c.is_whitespace() || c.is_control();
    let lines = text.split(['\r', '\n', '\0', '\u{b}', '\u{c}', '\u{85}']);
    let values = lines.filter_map(|line| {
        let rest = line.trim_start_matches(is_space);
        let rest = rest.strip_prefix(['a', 'A'])?.trim_start_matches(is_space);
        let rest = rest.strip_prefix('=')?.trim_start_matches(is_space);
        let (name, value) = rest.split_at_checked("fingerprint".len())?;
        if !name.eq_ignore_ascii_case("fingerprint") {
            return None;
        }
        let value = value.trim_start_matches(is_space);
        value.strip_prefix(':').map(str::to_owned)
    });
    values.collect()
}

/// The certificate in `sha-256 AA:BB:..`, by its hex digits alone.
fn certificate(value: &str) -> Option<Fingerprint> {
    let (hash, digits) = value.trim().split_once(|c: char| c.is_whitespace())?;
    if !hash.eq_ignore_ascii_case("sha-256") {
        return None;
    }
    let digits: Vec<u32> = digits.chars().filter_map(|c| c.to_digit(16)).collect();
    let mut bytes = [0; 32];
    if digits.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::try_from(pair[0] << 4 | pair[1]).ok()?;
    }
    Some(Fingerprint(bytes))
}

/// str0m reads an offer by itself: every fingerprint that it has seen is ours.
fn str0m_agrees(text: &str, ours: Fingerprint) {
    let Ok(offer) = SdpOffer::from_sdp_string(text) else {
        return;
    };
    for line in offer.to_sdp_string().lines() {
        if let Some(value) = line.strip_prefix("a=fingerprint:") {
            assert_eq!(certificate(value), Some(ours), "str0m saw {line:?}");
        }
    }
}

/// What a stack answers is usable, and does not pass the visitor's certificate off as its own.
fn answers_agree(endpoint: &dyn PeerTransport, text: &str, ours: Fingerprint) {
    let Ok(accepted) = runtime().block_on(endpoint.accept(text)) else {
        return;
    };
    let answer = Description::parse(&accepted.answer).expect("an answer of our own is usable");
    assert_ne!(answer.fingerprint, ours);
    assert!(accepted.answer.contains("m=application "));
}

/// One runtime for all inputs; sockets need one.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        let runtime = Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime starts")
    })
}

/// Both stacks.
fn endpoints() -> &'static [Box<dyn PeerTransport>] {
    static ENDPOINTS: OnceLock<[Box<dyn PeerTransport>; 2]> = OnceLock::new();
    ENDPOINTS.get_or_init(|| {
        let _guard = runtime().enter();
        let hub = || {
            let config = HubConfig {
                loopback: true,
                ..HubConfig::default()
            };
            Hub::bind(config).expect("this machine has a UDP socket")
        };
        [
            Box::new(p2claw_rtc_str0m::Endpoint::on(hub(), 4)),
            Box::new(p2claw_rtc_webrtc::Endpoint::on(hub(), 4)),
        ]
    })
}
