//! What the proxy says itself, where the app cannot (HTP-042, HTP-051, HTP-053, HTP-055).

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use p2claw_agent::ERROR_FIELD;
use p2claw_signaling::{code::HttpError, registry::http_error::visitor as http_error};

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
    /// As the registry has it.
    fn error(self) -> HttpError {
        match self {
            Self::NoSession => http_error::NO_SESSION,
            Self::SessionLost => http_error::SESSION_LOST,
            Self::RequestHeadTooLarge => http_error::REQUEST_HEAD_TOO_LARGE,
            Self::BadRequest => http_error::BAD_REQUEST,
            Self::WrongHost => http_error::WRONG_HOST,
            Self::WrongOrigin => http_error::WRONG_ORIGIN,
        }
    }

    pub(super) fn code(self) -> &'static str {
        self.error().name()
    }

    fn status(self) -> StatusCode {
        StatusCode::from_u16(self.error().status()).unwrap_or(StatusCode::BAD_GATEWAY)
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
