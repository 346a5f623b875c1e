//! A visitor's WebSocket, forwarded to an upstream (spec/v1/websocket.md).

mod bridge;
mod frames;

use http::{HeaderMap, HeaderValue, Method, header};
use hyper::{body::Incoming as UpstreamBody, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use p2claw_session::{Close, ErrorCode, Fields, Response, registry::close_code};
use tokio_tungstenite::tungstenite::handshake::{client::generate_key, derive_accept_key};
use tokio_util::sync::CancellationToken;

pub use self::bridge::{Manners, carry as bridge};
pub use self::frames::Side;
use crate::{
    connection::{RecvBody, SendBody, StreamError},
    fields,
    pages::Failure,
    routes::Route,
};

/// What the visitor is told when the upstream's connection ends without a close.
const HUNG_UP: &str = "the app hung up";

/// Fields that belong to one connection of a WebSocket (`WSK-002`).
pub const OWN_FIELDS: [&str; 5] = [
    "sec-websocket-key",
    "sec-websocket-accept",
    "sec-websocket-version",
    "sec-websocket-extensions",
    "content-length",
];

/// The handshake of the agent's own connection (RFC 6455 section 4.1).
pub(crate) struct Handshake {
    key: String,
}

impl Handshake {
    /// Turns the visitor's request into one for an upgrade.
    pub(crate) fn begin<B>(request: &mut http::Request<B>) -> Self {
        let key = generate_key();
        *request.method_mut() = Method::GET;
        let headers = request.headers_mut();
        // WSK-031: without this field, no extension can be agreed on.
        headers.remove(header::SEC_WEBSOCKET_EXTENSIONS);
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(
            header::SEC_WEBSOCKET_VERSION,
            HeaderValue::from_static("13"),
        );
        if let Ok(value) = HeaderValue::from_str(&key) {
            headers.insert(header::SEC_WEBSOCKET_KEY, value);
        }
        Self { key }
    }

    /// Whether the upstream has really understood: it proves that it has read the key.
    fn is_answered_by(&self, headers: &HeaderMap) -> bool {
        let accept = headers.get(header::SEC_WEBSOCKET_ACCEPT);
        let upgrade = headers.get(header::UPGRADE);
        upgrade.is_some_and(|upgrade| upgrade.as_bytes().eq_ignore_ascii_case(b"websocket"))
            && accept
                .is_some_and(|accept| accept == derive_accept_key(self.key.as_bytes()).as_str())
            && !headers.contains_key(header::SEC_WEBSOCKET_EXTENSIONS)
    }
}

/// What to do with the upstream's answer.
pub(crate) enum Answer {
    /// It switched protocols.
    Switched(OnUpgrade, Fields),
    /// It refused: an ordinary response for the visitor (`WSK-004`).
    Refused(http::Response<UpstreamBody>),
    /// It did neither.
    Nonsense(Failure),
}

pub(crate) fn judge(
    mut response: http::Response<UpstreamBody>,
    handshake: &Handshake,
    route: &Route,
) -> Answer {
    match response.status().as_u16() {
        101 if handshake.is_answered_by(response.headers()) => {
            let mut kept = response.headers().clone();
            for name in OWN_FIELDS {
                kept.remove(name);
            }
            let fields = fields::for_visitor(&kept, &route.upstream);
            Answer::Switched(hyper::upgrade::on(&mut response), fields)
        }
        300.. => Answer::Refused(response),
        _ => Answer::Nonsense(Failure::NotAWebSocket),
    }
}

/// Carries messages both ways until both sides have closed, or one is gone.
pub(crate) async fn carry(
    upgrade: OnUpgrade,
    fields: Fields,
    body: RecvBody,
    mut answer: SendBody,
    shutdown: CancellationToken,
) -> Result<(), (StreamError, SendBody)> {
    let upstream = match upgrade.await {
        Ok(upstream) => upstream,
        Err(error) => {
            tracing::debug!(%error, "the upstream left within the handshake");
            answer.reset(ErrorCode::UPSTREAM_FAILED, HUNG_UP);
            return Ok(());
        }
    };
    let accept = Response {
        status: 200,
        fields,
        end: false,
    };
    if let Err(error) = answer.respond(accept) {
        tracing::debug!(%error, "WebSocket not accepted");
        return Err((error, answer));
    }
    let manners = Manners {
        side: Side::Client,
        // WSK-023
        hung_up: (ErrorCode::UPSTREAM_FAILED, HUNG_UP),
        gone: Close::new(close_code::GOING_AWAY, "the visitor has gone").ok(),
        broke: "the app's WebSocket broke RFC 6455",
        stopping: "the agent is stopping",
    };
    bridge(TokioIo::new(upstream), answer, body, &manners, shutdown).await;
    Ok(())
}
