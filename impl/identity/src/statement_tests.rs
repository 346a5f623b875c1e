use super::*;
use proptest::prelude::*;

const NOW: i64 = 1_800_000_000_000;

fn key() -> IdentityKey {
    IdentityKey::from_seed([7; 32])
}

fn alias() -> Alias {
    Alias::parse("quiet-otter-0417").unwrap()
}

fn facts() -> VisitFacts {
    VisitFacts {
        session_id: SessionId([1; 16]),
        alias: alias(),
        app: AppName::parse("recipes").unwrap(),
        nonce: Nonce([2; 32]),
        visitor_fingerprint: Fingerprint([3; 32]),
        agent_fingerprint: Fingerprint([4; 32]),
    }
}

fn expectation() -> VisitExpectation {
    VisitExpectation {
        alias: alias(),
        app: AppName::parse("recipes").unwrap(),
        nonce: Nonce([2; 32]),
        visitor_fingerprint: Fingerprint([3; 32]),
        agent_fingerprint: Fingerprint([4; 32]),
        pins: Vec::new(),
    }
}

/// IDN-006, IDN-011: every field of a registration is checked.
#[test]
fn idn_011_registration_is_bound_to_domain_and_nonce() {
    let nonce = Nonce([9; 32]);
    let (bytes, signature) = sign_registration(&key(), "p2claw.example", &nonce, NOW);
    let check = |domain, nonce| verify_registration(&bytes, &signature, domain, nonce, NOW);
    assert_eq!(check("p2claw.example", &nonce), Ok(key().peer_id()));
    assert_eq!(
        check("other.example", &nonce),
        Err(StatementError::WrongDomain {
            expected: "other.example".into(),
            got: "p2claw.example".into()
        })
    );
    assert_eq!(
        check("p2claw.example", &Nonce([8; 32])),
        Err(StatementError::WrongNonce)
    );
    assert_eq!(
        verify_registration(&bytes, &[0; 64], "p2claw.example", &nonce, NOW),
        Err(StatementError::Signature(SignatureError))
    );
    assert_eq!(
        verify_revocation(&bytes, &signature, "p2claw.example", &nonce, NOW),
        Err(StatementError::Signature(SignatureError)),
        "a registration is no revocation"
    );
    assert_eq!(
        verify_registration(b"\xff", &signature, "p2claw.example", &nonce, NOW),
        Err(StatementError::Malformed)
    );
    assert_eq!(
        verify_registration(b"", &signature, "p2claw.example", &nonce, NOW),
        Err(StatementError::Key(KeyError::Length(0)))
    );
}

/// IDN-011: 60 s either way, and not a millisecond more.
#[test]
fn idn_011_registration_time_has_a_limit_either_way() {
    let nonce = Nonce([9; 32]);
    let (bytes, signature) = sign_registration(&key(), "d", &nonce, NOW);
    let check = |now| verify_registration(&bytes, &signature, "d", &nonce, now);
    assert!(check(NOW + 60_000).is_ok());
    assert!(check(NOW - 60_000).is_ok());
    assert_eq!(
        check(NOW + 60_001),
        Err(StatementError::Stale { off_by_ms: -60_001 })
    );
    assert_eq!(
        check(NOW - 60_001),
        Err(StatementError::Stale { off_by_ms: 60_001 })
    );
    assert!(check(i64::MIN).is_err());
    assert!(check(i64::MAX).is_err());
}

/// IDN-005: the bytes that were signed count, not what this version would encode.
#[test]
fn idn_005_unknown_fields_are_kept_and_ignored() {
    let nonce = Nonce([9; 32]);
    let (bytes, _) = sign_registration(&key(), "d", &nonce, NOW);
    // Field 1000, varint 5.
    let grown = [&bytes[..], &[0xc0, 0x3e, 0x05]].concat();
    let signature = key().sign(Context::Registration, &grown);
    assert_eq!(
        verify_registration(&grown, &signature, "d", &nonce, NOW),
        Ok(key().peer_id())
    );
}

/// IDN-017: one wrong fact at a time; each is named.
#[test]
fn idn_017_every_fact_of_a_visit_is_checked() {
    let (bytes, signature) = sign_visit(&key(), &facts(), NOW);
    let check = |expected: &VisitExpectation| verify_visit(&bytes, &signature, expected, NOW);
    assert_eq!(check(&expectation()), Ok(key().peer_id()));

    let mut expected = expectation();
    expected.pins = vec![key().peer_id()];
    assert_eq!(check(&expected), Ok(key().peer_id()));

    let other = IdentityKey::from_seed([8; 32]).peer_id();
    expected.pins = vec![key().peer_id(), other];
    assert_eq!(
        check(&expected),
        Err(StatementError::NotPinned {
            pinned: other,
            got: key().peer_id()
        })
    );

    let mut expected = expectation();
    expected.alias = Alias::parse("bob").unwrap();
    assert!(matches!(
        check(&expected),
        Err(StatementError::WrongAlias { .. })
    ));

    let mut expected = expectation();
    expected.app = AppName::parse("other").unwrap();
    assert!(matches!(
        check(&expected),
        Err(StatementError::WrongApp { .. })
    ));

    let mut expected = expectation();
    expected.nonce = Nonce([0; 32]);
    assert_eq!(check(&expected), Err(StatementError::WrongNonce));

    let mut expected = expectation();
    expected.visitor_fingerprint = Fingerprint([0; 32]);
    assert_eq!(
        check(&expected),
        Err(StatementError::WrongVisitorFingerprint)
    );

    let mut expected = expectation();
    expected.agent_fingerprint = Fingerprint([0; 32]);
    assert_eq!(check(&expected), Err(StatementError::WrongAgentFingerprint));

    let version_2 = VisitStatement {
        version: 2,
        ..VisitStatement::decode(&bytes[..]).unwrap()
    };
    let (bytes, signature) = signed(&key(), Context::Visit, &version_2);
    assert_eq!(
        verify_visit(&bytes, &signature, &expectation(), NOW),
        Err(StatementError::Version { got: 2 })
    );
}

/// NAM-010: that a key asks for an alias by derivation is no reason to believe it, and that it does
/// not is none to doubt it.
#[test]
fn nam_010_an_alias_proves_no_key() {
    let derived = VisitFacts {
        alias: Alias::candidate(&key().peer_id(), 0),
        ..facts()
    };
    let (bytes, signature) = sign_visit(&key(), &derived, NOW);
    let expected = VisitExpectation {
        alias: derived.alias,
        pins: vec![IdentityKey::from_seed([8; 32]).peer_id()],
        ..expectation()
    };
    assert!(matches!(
        verify_visit(&bytes, &signature, &expected, NOW),
        Err(StatementError::NotPinned { .. })
    ));

    let other = IdentityKey::from_seed([9; 32]);
    let (bytes, signature) = sign_visit(&other, &facts(), NOW);
    assert_ne!(facts().alias, Alias::candidate(&other.peer_id(), 0));
    assert_eq!(
        verify_visit(&bytes, &signature, &expectation(), NOW),
        Ok(other.peer_id())
    );
}

/// IDN-017: where two checks fail, the first of the order is reported.
#[test]
fn idn_017_checks_run_in_order() {
    let (bytes, signature) = sign_visit(&key(), &facts(), NOW);
    let other = IdentityKey::from_seed([8; 32]).peer_id();
    let nothing_fits = VisitExpectation {
        alias: Alias::parse("bob").unwrap(),
        nonce: Nonce([0; 32]),
        visitor_fingerprint: Fingerprint([0; 32]),
        agent_fingerprint: Fingerprint([0; 32]),
        app: AppName::parse("accounting").unwrap(),
        pins: vec![other],
    };
    assert_eq!(
        verify_visit(&bytes, &[0; 64], &nothing_fits, i64::MAX),
        Err(StatementError::Signature(SignatureError))
    );
    assert!(matches!(
        verify_visit(&bytes, &signature, &nothing_fits, i64::MAX),
        Err(StatementError::NotPinned { .. })
    ));
}

/// IDN-017: at most 60 s of skew after the end, at most 120 s before it.
#[test]
fn idn_017_visit_expiry_has_a_limit_either_way() {
    let (bytes, signature) = sign_visit(&key(), &facts(), NOW);
    let check = |now| verify_visit(&bytes, &signature, &expectation(), now);
    assert!(check(NOW + 60_000 + 59_999).is_ok());
    assert_eq!(
        check(NOW + 120_000),
        Err(StatementError::Expired { by_ms: 60_000 })
    );
    assert!(check(NOW - 60_000).is_ok());
    assert_eq!(
        check(NOW - 60_001),
        Err(StatementError::ExpiresTooLate { ahead_ms: 120_001 })
    );
    assert!(check(i64::MIN).is_err());
    assert!(check(i64::MAX).is_err());
}

proptest! {
    /// No bytes crash a check, and none but the signed ones pass.
    #[test]
    fn idn_011_arbitrary_statements_are_refused(bytes: Vec<u8>, signature: Vec<u8>) {
        prop_assert!(verify_registration(&bytes, &signature, "d", &Nonce([0; 32]), 0).is_err());
        prop_assert!(verify_visit(&bytes, &signature, &expectation(), 0).is_err());
    }

    /// IDN-005: any changed bit of the statement is noticed.
    #[test]
    fn idn_005_any_flipped_bit_is_noticed(bit in 0_usize..600) {
        let (bytes, signature) = sign_registration(&key(), "d", &Nonce([9; 32]), NOW);
        let mut changed = bytes.to_vec();
        let bit = bit % (changed.len() * 8);
        changed[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(
            verify_registration(&changed, &signature, "d", &Nonce([9; 32]), NOW).is_err()
        );
    }
}
