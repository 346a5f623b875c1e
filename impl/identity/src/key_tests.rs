use super::*;
use data_encoding::HEXLOWER;
use proptest::prelude::*;

fn hex(text: &str) -> Vec<u8> {
    HEXLOWER.decode(text.as_bytes()).unwrap()
}

/// The key of RFC 8032 section 7.1, test 1.
#[test]
fn public_key_follows_rfc_8032() {
    let seed = hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
    let key = IdentityKey::from_seed(seed.try_into().unwrap());
    let public = hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    assert_eq!(key.peer_id().as_bytes()[..], public);
}

/// IDN-007: points of small order and second encodings of a point are no keys.
#[test]
fn idn_007_bad_points_are_refused() {
    for small in [
        // The neutral element, and points of order 2, 4 and 8.
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    ] {
        assert_eq!(PeerId::from_bytes(&hex(small)), Err(KeyError::SmallOrder));
    }
    for other in [
        // y = p + 1, y = p, and x = 0 with a sign.
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0100000000000000000000000000000000000000000000000000000000000080",
        // No point at all.
        "0200000000000000000000000000000000000000000000000000000000000000",
    ] {
        assert_eq!(PeerId::from_bytes(&hex(other)), Err(KeyError::NotCanonical));
    }
    assert_eq!(PeerId::from_bytes(&[0; 31]), Err(KeyError::Length(31)));
}

/// IDN-002, IDN-003: z-base-32, 52 characters, left-over bits zero.
#[test]
fn idn_002_peer_id_text() {
    let peer = IdentityKey::from_seed([7; 32]).peer_id();
    let text = peer.to_string();
    assert_eq!(text, "7jfgaa9nutjyixzikb7tgmsf9gkwq7iqz498zr1nd5ig1fng4esy");
    assert_eq!(text.parse(), Ok(peer));
    // One bit is used of the last character, so only two of the 32 are possible.
    let mut last = text.clone();
    last.pop();
    for other in "bndrfg8ejkmcpqxt1uwisza345h769".chars() {
        let changed = format!("{last}{other}");
        if changed != text {
            assert!(changed.parse::<PeerId>().is_err(), "{changed}");
        }
    }
    assert_eq!(text[1..].parse::<PeerId>(), Err(KeyError::Text));
    assert_eq!(text.to_uppercase().parse::<PeerId>(), Err(KeyError::Text));
}

/// IDN-006: a signature holds for its own context only.
#[test]
fn idn_006_contexts_do_not_mix() {
    let key = IdentityKey::from_seed([7; 32]);
    let all = [Context::Registration, Context::Visit, Context::Revoke];
    for signed_for in all {
        let signature = key.sign(signed_for, b"message");
        for checked_for in all {
            let result = key.peer_id().verify(checked_for, b"message", &signature);
            assert_eq!(result.is_ok(), signed_for == checked_for);
        }
    }
}

/// IDN-004: exactly `context || 0x00 || bytes`, as anyone else would sign it.
#[test]
fn idn_004_signed_bytes_are_context_nul_message() {
    let signing = SigningKey::from_bytes(&[7; 32]);
    let by_hand = signing.sign(b"p2claw/v1 visit\0message").to_bytes();
    let key = IdentityKey::from_seed([7; 32]);
    assert_eq!(key.sign(Context::Visit, b"message"), by_hand);
}

/// IDN-007: the second encoding of S (S + L) is refused.
#[test]
fn idn_007_malleable_signatures_are_refused() {
    let key = IdentityKey::from_seed([7; 32]);
    let mut signature = key.sign(Context::Visit, b"message");
    let order = hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let mut carry = 0_u16;
    for (byte, add) in signature[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    assert_eq!(
        key.peer_id().verify(Context::Visit, b"message", &signature),
        Err(SignatureError)
    );
}

/// SEC-006
#[test]
fn a_key_does_not_print_its_seed() {
    let key = IdentityKey::from_seed([0xa5; 32]);
    let printed = format!("{key:?}");
    assert!(!printed.contains("a5a5") && !printed.contains("165"));
    assert!(printed.contains(&key.peer_id().to_string()));
}

proptest! {
    /// IDN-002: text and bytes agree for every key.
    #[test]
    fn idn_002_text_round_trips(seed: [u8; 32]) {
        let peer = IdentityKey::from_seed(seed).peer_id();
        prop_assert_eq!(peer.to_string().len(), 52);
        prop_assert_eq!(peer.to_string().parse(), Ok(peer));
        prop_assert_eq!(PeerId::from_bytes(peer.as_bytes()), Ok(peer));
    }

    /// IDN-007: one flipped bit anywhere breaks it, and no length crashes.
    #[test]
    fn idn_007_any_flipped_bit_is_noticed(seed: [u8; 32], message: Vec<u8>, bit in 0_usize..512) {
        let key = IdentityKey::from_seed(seed);
        let mut signature = key.sign(Context::Registration, &message);
        let peer = key.peer_id();
        prop_assert!(peer.verify(Context::Registration, &message, &signature).is_ok());
        prop_assert!(peer.verify(Context::Registration, &message, &signature[..bit / 8]).is_err());
        signature[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(peer.verify(Context::Registration, &message, &signature).is_err());
    }
}
