//! TURN credentials that end by themselves: the REST scheme that coturn implements
//! (draft-uberti-behave-turn-rest-00), spec SIG-022.

use crate::registry::limit::{TURN_LIFETIME, TURN_RANDOM_DIGITS};
use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

/// What a client shows to the relay.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// `<unix expiry>:<16 hex random>`.
    pub username: String,
    /// base64(HMAC-SHA1(secret, username)).
    pub credential: String,
    /// When it ends, Unix seconds.
    pub expires_at: i64,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// Why a relay does not let somebody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// The username does not have the form that coord issues.
    #[error("read the username: it is a Unix time, a colon and 16 hex digits, as coord issues it")]
    Form,
    /// The credential has ended.
    #[error("use a credential that has ended: ask coord for ice-servers again")]
    Expired,
}

/// Makes a credential that holds for one hour. `random` must be 8 fresh random bytes.
#[must_use]
pub fn issue(secret: &[u8], random: [u8; TURN_RANDOM_DIGITS / 2], now_unix: i64) -> Credential {
    let lifetime = i64::try_from(TURN_LIFETIME.as_secs()).unwrap_or(i64::MAX);
    let expires_at = now_unix.saturating_add(lifetime);
    let random = data_encoding::HEXLOWER.encode(&random);
    let username = format!("{expires_at}:{random}");
    Credential {
        credential: password(secret, &username),
        username,
        expires_at,
    }
}

/// The password that belongs to a username, for a relay that checks it.
///
/// # Errors
/// When the username has another form, or its time is over.
pub fn password_for(
    secret: &[u8],
    username: &str,
    now_unix: i64,
) -> Result<String, CredentialError> {
    let (expiry, random) = username.split_once(':').ok_or(CredentialError::Form)?;
    let digits = !expiry.is_empty() && expiry.bytes().all(|b| b.is_ascii_digit());
    let hex = random.len() == TURN_RANDOM_DIGITS && random.bytes().all(|b| b.is_ascii_hexdigit());
    if !(digits && hex) {
        return Err(CredentialError::Form);
    }
    let expiry: i64 = expiry.parse().map_err(|_| CredentialError::Form)?;
    if expiry <= now_unix {
        return Err(CredentialError::Expired);
    }
    Ok(password(secret, username))
}

fn password(secret: &[u8], username: &str) -> String {
    // HMAC takes a key of any length, so this cannot fail; an empty password would open nothing.
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(secret) else {
        return String::new();
    };
    mac.update(username.as_bytes());
    BASE64.encode(&mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SIG-022: the value was computed with
    /// `printf 1800003600:0102030405060708 | openssl dgst -sha1 -hmac north -binary | base64`.
    #[test]
    fn sig_022_credential_is_what_coturn_expects() {
        let issued = issue(b"north", [1, 2, 3, 4, 5, 6, 7, 8], 1_800_000_000);
        assert_eq!(issued.username, "1800003600:0102030405060708");
        assert_eq!(issued.credential, "O49NYcaDfa5TLU1EGDSa4pGe5UI=");
        assert_eq!(issued.expires_at, 1_800_003_600);
        assert_eq!(
            password_for(b"north", &issued.username, 1_800_003_599),
            Ok(issued.credential)
        );
    }

    /// SIG-022, SIG-029: a credential ends, and nothing but the form that was issued gets in.
    #[test]
    fn sig_022_expired_and_odd_usernames_are_refused() {
        let check = |username| password_for(b"north", username, 1_800_003_600);
        assert_eq!(
            check("1800003600:0102030405060708"),
            Err(CredentialError::Expired)
        );
        for odd in [
            "",
            ":",
            "1900000000",
            "1900000000:",
            "1900000000:0102",
            "+1900000000:0102030405060708",
            "99999999999999999999:0102030405060708",
            "1900000000:010203040506070g",
        ] {
            assert_eq!(check(odd), Err(CredentialError::Form), "{odd}");
        }
        assert!(check("1900000000:0102030405060708").is_ok());
    }

    /// SEC-006
    #[test]
    fn a_credential_does_not_print_its_secret() {
        let issued = issue(b"north", [0; 8], 0);
        assert!(!format!("{issued:?}").contains(&issued.credential));
    }
}
