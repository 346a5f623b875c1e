//! Signatures and signed statements.

use bytes::Bytes;
use p2claw_conformance::vectors::{Case, Hex, STATEMENTS};
use p2claw_identity::{
    Alias, AppName, Context, Fingerprint, HostLabel, IdentityKey, Nonce, PeerId, SessionId,
    statement::{
        StatementError, VisitExpectation, VisitFacts, sign_visit, verify_registration,
        verify_revocation, verify_visit,
    },
};
use p2claw_proto::v1::{VisitAnswer, VisitEvent, visit_event};
use p2claw_signaling::visitor::{VisitCheck, VisitError};
use p2claw_signaling::{code, sdp::Description};
use serde::Deserialize;

use crate::check;

#[test]
fn signatures() {
    #[derive(Deserialize)]
    struct Input {
        public_key: Hex,
        context: String,
        message: Hex,
        signature: Hex,
    }
    check(STATEMENTS, "signature", |case| {
        let input: Input = case.input().unwrap();
        let contexts = [Context::Registration, Context::Visit, Context::Revoke];
        let context = contexts.into_iter().find(|c| c.as_str() == input.context);
        PeerId::from_bytes(&input.public_key.0).is_ok_and(|peer| {
            let (message, signature) = (&input.message.0, &input.signature.0);
            peer.verify(context.unwrap(), message, signature).is_ok()
        })
    });
}

#[derive(Deserialize)]
struct ForDomain {
    domain: String,
    nonce: Hex,
    now_ms: i64,
    statement: Hex,
    signature: Hex,
}

type Verify = fn(&[u8], &[u8], &str, &Nonce, i64) -> Result<PeerId, StatementError>;

fn check_for_domain(group: &str, verify: Verify) {
    check(STATEMENTS, group, |case| {
        let input: ForDomain = case.input().unwrap();
        let nonce = Nonce::from_bytes(&input.nonce.0).unwrap();
        let (statement, signature) = (&input.statement.0, &input.signature.0);
        match verify(statement, signature, &input.domain, &nonce, input.now_ms) {
            Ok(peer) => same_key(case, &peer),
            Err(error) => {
                let code = code::name(code::for_statement(&error));
                assert_eq!(
                    code,
                    case.get::<String>("code").unwrap(),
                    "{}: {error}",
                    case.id
                );
                false
            }
        }
    });
}

#[test]
fn registrations() {
    check_for_domain("registration", verify_registration);
}

#[test]
fn revocations() {
    check_for_domain("revoke", verify_revocation);
}

fn same_key(case: &Case, peer: &PeerId) -> bool {
    if case.has("public_key") {
        let key: Hex = case.get("public_key").unwrap();
        assert_eq!(peer.as_bytes()[..], key.0, "{}", case.id);
    }
    true
}

#[derive(Deserialize)]
struct Visit {
    alias: String,
    app: String,
    pins: Vec<String>,
    nonce: Hex,
    visitor_fingerprint: Hex,
    answer_sdp: String,
    now_ms: i64,
    statement: Hex,
    signature: Hex,
}

#[test]
fn visits() {
    check(STATEMENTS, "visit", |case| {
        match visit(&case.input().unwrap()) {
            Ok(peer) => same_key(case, &peer),
            Err(check) => {
                assert_eq!(check, case.get::<String>("check").unwrap(), "{}", case.id);
                false
            }
        }
    });
}

/// The key to pin, or the name of the check that failed.
fn visit(input: &Visit) -> Result<PeerId, &'static str> {
    // A pin that cannot be read fits no key.
    let pins: Result<Vec<PeerId>, _> = input.pins.iter().map(|pin| pin.parse()).collect();
    let expected = VisitExpectation {
        alias: Alias::parse(&input.alias).unwrap(),
        app: AppName::parse(&input.app).unwrap(),
        nonce: Nonce::from_bytes(&input.nonce.0).unwrap(),
        visitor_fingerprint: Fingerprint::from_bytes(&input.visitor_fingerprint.0).unwrap(),
        agent_fingerprint: Description::parse(&input.answer_sdp)
            .map_err(|_| "FINGERPRINT")?
            .fingerprint,
        pins: pins.map_err(|_| "PINNED_KEY")?,
    };
    let (statement, signature) = (&input.statement.0, &input.signature.0);
    verify_visit(statement, signature, &expected, input.now_ms).map_err(|error| name_of(&error))
}

/// The name of the check of IDN-017 that has failed.
fn name_of(error: &StatementError) -> &'static str {
    match error {
        StatementError::Malformed => "STATEMENT",
        StatementError::Key(_) | StatementError::Signature(_) => "SIGNATURE",
        StatementError::Version { .. } => "VERSION",
        StatementError::NotPinned { .. } => "PINNED_KEY",
        StatementError::WrongAlias { .. } => "ALIAS",
        StatementError::WrongApp { .. } => "APP",
        StatementError::WrongNonce => "NONCE",
        StatementError::WrongVisitorFingerprint | StatementError::WrongAgentFingerprint => {
            "FINGERPRINT"
        }
        StatementError::Expired { .. } | StatementError::ExpiresTooLate { .. } => "EXPIRED",
        StatementError::WrongDomain { .. } | StatementError::Stale { .. } => {
            panic!("a visit has neither domain nor time: {error}")
        }
    }
}

#[derive(Deserialize)]
struct Restart {
    alias: String,
    app: String,
    session_seed: Hex,
    session_agent_fingerprint: Hex,
    nonce: Hex,
    visitor_fingerprint: Hex,
    answer_sdp: String,
    now_ms: i64,
    statement: Hex,
    signature: Hex,
}

/// SIG-046
#[test]
fn restarts() {
    check(STATEMENTS, "restart", |case| {
        match restart(&case.input().unwrap()) {
            Ok(()) => true,
            Err(check) => {
                assert_eq!(check, case.get::<String>("check").unwrap(), "{}", case.id);
                false
            }
        }
    });
}

/// The name of the check that failed, in a restart of a session that was set up before.
fn restart(input: &Restart) -> Result<(), &'static str> {
    let fingerprint = |bytes: &Hex| Fingerprint::from_bytes(&bytes.0).unwrap();
    let sdp = |fingerprint| format!("v=0\r\na=fingerprint:sha-256 {fingerprint}\r\n");
    let offer = sdp(fingerprint(&input.visitor_fingerprint));
    let facts = VisitFacts {
        session_id: SessionId([1; 16]),
        alias: Alias::parse(&input.alias).unwrap(),
        app: AppName::parse(&input.app).unwrap(),
        nonce: Nonce([1; 32]),
        visitor_fingerprint: fingerprint(&input.visitor_fingerprint),
        agent_fingerprint: fingerprint(&input.session_agent_fingerprint),
    };
    let key = IdentityKey::from_seed(input.session_seed.0.clone().try_into().unwrap());
    let (statement, signature) = sign_visit(&key, &facts, input.now_ms);
    let address = HostLabel::new(facts.app.clone(), facts.alias.clone());
    let mut visit = VisitCheck::new(address, facts.nonce, offer.clone(), Vec::new()).unwrap();
    let answer = |sdp, statement, signature| VisitEvent {
        kind: Some(visit_event::Kind::Answer(VisitAnswer {
            session_id: Bytes::new(),
            sdp,
            statement,
            signature,
        })),
    };
    let first = answer(sdp(facts.agent_fingerprint), statement, signature);
    visit.handle(first, input.now_ms).unwrap();

    let nonce = Nonce::from_bytes(&input.nonce.0).unwrap();
    let mut restart = visit.restart(facts.session_id, nonce, offer).unwrap();
    let (statement, signature) = (&input.statement.0, &input.signature.0);
    let event = answer(
        input.answer_sdp.clone(),
        Bytes::copy_from_slice(statement),
        Bytes::copy_from_slice(signature),
    );
    match restart.handle(event, input.now_ms) {
        Ok(_) => Ok(()),
        Err(VisitError::OtherSession) => Err("SESSION"),
        Err(VisitError::Statement(error)) => Err(name_of(&error)),
        Err(error) => panic!("{error}"),
    }
}
