//! Answers that the agent gives in an upstream's place (spec/v1/http.md, "Answers of the agent").

use bytes::Bytes;
use p2claw_session::{Fields, Request, Response};
use p2claw_signaling::{code::HttpError, registry::http_error::agent as http_error};

/// Field that tells such an answer from one of the app's own (`HTP-040`).
pub const ERROR_FIELD: &str = "p2claw-error";

/// Why the agent answers itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No route of that name.
    NoSuchApp,
    /// Nothing listens at the upstream.
    UpstreamUnavailable,
    /// The upstream took the request and answered nothing that makes sense.
    UpstreamFailed,
    /// The upstream's response breaks the rules of HTTP.
    BadAnswer,
    /// The upstream's response head does not fit a frame.
    HeadTooLarge,
    /// The upstream answered a WebSocket handshake with something else.
    NotAWebSocket,
    /// An extended CONNECT with a protocol that the agent does not know.
    UnsupportedProtocol,
}

impl Failure {
    /// As the registry has it.
    fn error(self) -> HttpError {
        match self {
            Self::NoSuchApp => http_error::NO_SUCH_APP,
            Self::UpstreamUnavailable => http_error::UPSTREAM_UNAVAILABLE,
            Self::UpstreamFailed | Self::BadAnswer => http_error::UPSTREAM_FAILED,
            Self::HeadTooLarge => http_error::HEAD_TOO_LARGE,
            Self::NotAWebSocket => http_error::NOT_A_WEBSOCKET,
            Self::UnsupportedProtocol => http_error::UNSUPPORTED_PROTOCOL,
        }
    }

    pub(crate) fn code(self) -> &'static str {
        self.error().name()
    }

    fn title(self) -> &'static str {
        match self {
            Self::NoSuchApp => "There is no app here",
            Self::UpstreamUnavailable => "The app is not running",
            Self::UpstreamFailed => "The app hung up",
            Self::BadAnswer | Self::HeadTooLarge => "The app's answer cannot be carried",
            Self::NotAWebSocket => "The app has no WebSocket here",
            Self::UnsupportedProtocol => "The agent does not know this protocol",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::NoSuchApp => {
                "You reached the right machine, but its owner does not share an app under this \
                 name any more."
            }
            Self::UpstreamUnavailable => {
                "You reached the right machine, but nothing answers at the app's port. This page \
                 comes back by itself as soon as the app does."
            }
            Self::UpstreamFailed => {
                "You reached the right machine and the app took the request, but it closed the \
                 connection without an answer. Trying again may help."
            }
            Self::BadAnswer => {
                "You reached the right machine and the app answered, but with a status or header \
                 fields that HTTP does not allow. Only the app's author can change that."
            }
            Self::HeadTooLarge => {
                "The header fields of the app's answer are larger than 16 KiB, or more than 256. \
                 Cookies are the usual cause."
            }
            Self::NotAWebSocket => {
                "You reached the right machine and the app answered, but not as a WebSocket does. \
                 Look whether the app really serves WebSockets at this path."
            }
            Self::UnsupportedProtocol => {
                "The program asked for a protocol that this version does not carry. It knows \
                 HTTP and WebSockets."
            }
        }
    }
}

/// The answer, as a page for people and as plain text for programs.
pub(crate) fn answer(failure: Failure, request: &Request, app: &str) -> (Response, Bytes) {
    let wants_page = request
        .fields
        .get("accept")
        .is_some_and(|accept| accept.windows(9).any(|part| part == b"text/html"));
    let (kind, body) = if wants_page {
        ("text/html; charset=utf-8", page(failure, request, app))
    } else {
        (
            "text/plain; charset=utf-8",
            format!("{}: {}\n", failure.code(), failure.text()),
        )
    };
    let mut fields = Fields::default();
    let length = body.len().to_string();
    for (name, value) in [
        ("content-type", kind),
        ("content-length", length.as_str()),
        ("cache-control", "no-store"),
        ("retry-after", "1"),
        (ERROR_FIELD, failure.code()),
    ] {
        // Constants: they keep the rules for fields.
        let _ = fields.push(name, value.to_owned().into_bytes());
    }
    let response = Response {
        status: failure.error().status(),
        fields,
        end: request.method == "HEAD",
    };
    (response, Bytes::from(body))
}

fn page(failure: Failure, request: &Request, app: &str) -> String {
    // An app that starts may hang up at first. A form is not sent again without being asked.
    let passing = matches!(
        failure,
        Failure::UpstreamUnavailable | Failure::UpstreamFailed
    );
    let retry = if passing && request.method == "GET" {
        RETRY_SCRIPT
    } else {
        ""
    };
    // An app name has letters, digits and hyphens only: nothing to escape.
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head>\
         <body><main><p class=\"status\">{status} · {app}</p><h1>{title}</h1><p>{text}</p>\
         <p class=\"code\">{code}</p></main>{retry}</body></html>\n",
        title = failure.title(),
        status = failure.error().status(),
        text = failure.text(),
        code = failure.code(),
    )
}

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{margin:0;min-height:100vh;display:grid;place-items:center;\
font:17px/1.5 system-ui,sans-serif;background:Canvas;color:CanvasText}\
main{max-width:34rem;padding:2rem}\
h1{font-size:1.6rem;line-height:1.2;margin:.2rem 0 .8rem}\
.status,.code{opacity:.65;font-size:.85rem;margin:0}\
.code{font-family:ui-monospace,monospace;margin-top:1.5rem}";

/// Asks once a second, and loads the page anew when the answer is the app's own.
const RETRY_SCRIPT: &str = "<script>\
setInterval(async()=>{try{\
const r=await fetch(location.href,{method:'HEAD',cache:'no-store'});\
if(!r.headers.has('p2claw-error'))location.reload()\
}catch{}},1000)</script>";
