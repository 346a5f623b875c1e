//! Signal codes as text and as HTTP (spec/registries/signal-codes.csv).

use crate::registry;
use p2claw_identity::NameError;
use p2claw_identity::statement::StatementError;
use p2claw_proto::v1::SignalCode;

/// The code's name without its prefix, as it stands in JSON: `AGENT_OFFLINE`.
#[must_use]
pub fn name(code: SignalCode) -> &'static str {
    let name = code.as_str_name();
    name.strip_prefix("SIGNAL_CODE_").unwrap_or(name)
}

/// The code with this name, without its prefix.
#[must_use]
pub fn from_name(name: &str) -> Option<SignalCode> {
    SignalCode::from_str_name(&format!("SIGNAL_CODE_{name}"))
}

/// The code with this number; one from a later version reads as `INTERNAL`.
#[must_use]
pub fn from_number(number: i32) -> SignalCode {
    SignalCode::try_from(number).unwrap_or(SignalCode::Internal)
}

/// The HTTP status that goes with a code on the visitor's side (spec SIG-019).
#[must_use]
pub fn http_status(code: SignalCode) -> u16 {
    registry::http_status(code).unwrap_or(500)
}

/// Why an answer does not come from the app: a value of the field `p2claw-error` and its status.
/// [`registry::http_error`] has all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpError {
    name: &'static str,
    status: u16,
}

impl HttpError {
    pub(crate) const fn new(name: &'static str, status: u16) -> Self {
        Self { name, status }
    }

    /// The value of the field.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// The status of an answer with it.
    #[must_use]
    pub const fn status(self) -> u16 {
        self.status
    }
}

/// The body of an HTTP error: `{"code":"AGENT_OFFLINE","detail":"..."}` (spec SIG-019).
#[must_use]
pub fn error_json(code: SignalCode, detail: &str) -> String {
    let mut text = String::with_capacity(detail.len() + 48);
    text.push_str("{\"code\":\"");
    text.push_str(name(code));
    text.push_str("\",\"detail\":\"");
    for c in detail.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            c if c.is_control() => text.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => text.push(c),
        }
    }
    text.push_str("\"}");
    text
}

/// The code that tells an agent why its statement was refused (spec IDN-011).
#[must_use]
pub fn for_statement(error: &StatementError) -> SignalCode {
    match error {
        StatementError::Version { .. } => SignalCode::Version,
        StatementError::WrongDomain { .. } => SignalCode::WrongDomain,
        StatementError::WrongNonce
        | StatementError::Stale { .. }
        | StatementError::Expired { .. }
        | StatementError::ExpiresTooLate { .. } => SignalCode::Stale,
        StatementError::Key(_) | StatementError::Signature(_) => SignalCode::BadSignature,
        StatementError::Malformed
        | StatementError::NotPinned { .. }
        | StatementError::WrongAlias { .. }
        | StatementError::WrongApp { .. }
        | StatementError::WrongVisitorFingerprint
        | StatementError::WrongAgentFingerprint => SignalCode::Malformed,
    }
}

/// The code that tells an agent why a route was refused (spec SIG-008).
#[must_use]
pub fn for_name(error: &NameError) -> SignalCode {
    match error {
        NameError::Reserved(_) => SignalCode::NameReserved,
        NameError::Empty
        | NameError::TooLong { .. }
        | NameError::TooShort { .. }
        | NameError::Character { .. }
        | NameError::OuterHyphen
        | NameError::DoubleHyphen
        | NameError::AliasForm
        | NameError::LabelForm => SignalCode::NameInvalid,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SIG-019, VER-015: codes, names and statuses are those of the registry.
    #[test]
    fn sig_019_codes_are_those_of_the_registry() {
        let csv = include_str!("../../../spec/registries/signal-codes.csv");
        let mut rows = 0;
        for row in csv.lines().skip(1) {
            let mut cells = row.split(',');
            let number: i32 = cells.next().unwrap().parse().unwrap();
            let code = SignalCode::try_from(number).unwrap();
            assert_eq!(cells.next().unwrap(), name(code));
            assert_eq!(from_name(name(code)), Some(code));
            assert_eq!(from_number(number), code);
            if let Ok(status) = cells.next().unwrap().parse::<u16>() {
                assert_eq!(status, http_status(code), "{}", name(code));
            }
            rows += 1;
        }
        assert!(SignalCode::try_from(rows).is_err(), "a code has no row");
        assert_eq!(from_number(9999), SignalCode::Internal);
    }

    #[test]
    fn error_json_escapes_what_json_must() {
        assert_eq!(
            error_json(SignalCode::BadOffer, "a \"b\" \\ \n\u{7f} \u{e9}"),
            "{\"code\":\"BAD_OFFER\",\"detail\":\"a \\\"b\\\" \\\\ \\u000a\\u007f \u{e9}\"}"
        );
    }
}
