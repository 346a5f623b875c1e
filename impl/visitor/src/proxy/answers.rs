//! What the proxy says itself, where the app cannot (HTP-042, HTP-051, HTP-053, HTP-055).

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use p2claw_agent::ERROR_FIELD;

/// A name in `spec/registries/http-errors.csv`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// There is no session: nothing of the request has left.
    NoSession,
    /// The session or the exchange ended: the app may have acted upon the request.
    SessionLost,
    /// The request head does not fit into one frame.
    RequestHeadTooLarge,
    /// The request cannot travel.
    BadRequest,
    /// The request is for another host.
    WrongHost,
    /// The request comes from a website that is not the app's.
    WrongOrigin,
}

impl Failure {
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::NoSession => "NO_SESSION",
            Self::SessionLost => "SESSION_LOST",
            Self::RequestHeadTooLarge => "REQUEST_HEAD_TOO_LARGE",
            Self::BadRequest => "BAD_REQUEST",
            Self::WrongHost => "WRONG_HOST",
            Self::WrongOrigin => "WRONG_ORIGIN",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::NoSession | Self::SessionLost => StatusCode::BAD_GATEWAY,
            Self::RequestHeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::WrongHost => StatusCode::MISDIRECTED_REQUEST,
            Self::WrongOrigin => StatusCode::FORBIDDEN,
        }
    }
}

/// The answer, as plain text. `what` is a fragment that fits after "failed to".
pub(super) fn answer(failure: Failure, what: impl std::fmt::Display) -> Response<Bytes> {
    let code = failure.code();
    let text = format!("{code}: p2claw failed to {what}\n");
    let mut response = Response::new(Bytes::from(text));
    *response.status_mut() = failure.status();
    let headers = response.headers_mut();
    let fields = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (HeaderName::from_static(ERROR_FIELD), code),
    ];
    for (name, value) in fields {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names and statuses stand in the registry of the specification.
    #[test]
    fn failures_are_registered() {
        let registry = include_str!("../../../../spec/registries/http-errors.csv");
        for failure in [
            Failure::NoSession,
            Failure::SessionLost,
            Failure::RequestHeadTooLarge,
            Failure::BadRequest,
            Failure::WrongHost,
            Failure::WrongOrigin,
        ] {
            let row = format!(
                "\n{},{},visitor,",
                failure.code(),
                failure.status().as_u16()
            );
            assert!(registry.contains(&row), "{row}");
        }
    }
}
