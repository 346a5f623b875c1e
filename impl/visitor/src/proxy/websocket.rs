//! A local program's WebSocket, carried to the app (spec/v1/websocket.md).

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use p2claw_agent::websocket::{Manners, OWN_FIELDS, Side, bridge};
use p2claw_session::{ErrorCode, Fields};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::{
    Proxy,
    answers::Failure,
    exchange::{LocalBody, Refusal, is_leaving, target},
};
use crate::{ExchangeError, Opened, Visit};

/// Sessions that a WebSocket is tried on: the first may be going away.
const ATTEMPTS: usize = 3;

/// How both sides of a local WebSocket end.
const MANNERS: Manners = Manners {
    side: Side::Server,
    hung_up: (ErrorCode::CANCELLED, "the caller hung up"),
    // WSK-022: a session that is cut off is 1006 at the caller's, who then gets no close.
    gone: None,
    broke: "the caller's WebSocket broke RFC 6455",
    stopping: "the proxy is stopping",
};

/// Whether the caller asks for a WebSocket. Other upgrades are not for the app, and a server may
/// leave them aside (RFC 9110 section 7.8).
pub(super) fn is_wanted(headers: &HeaderMap) -> bool {
    has_token(headers, header::UPGRADE, "websocket")
        && has_token(headers, header::CONNECTION, "upgrade")
}

fn has_token(headers: &HeaderMap, name: header::HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|one| one.trim().eq_ignore_ascii_case(token))
}

pub(super) async fn answer(
    proxy: &Arc<Proxy>,
    request: Request<Incoming>,
) -> Result<Response<LocalBody>, Refusal> {
    let accept = accept_key(&request)?;
    let (parts, body) = request.into_parts();
    let mut fields = Fields::new();
    for (name, value) in proxy.fields(&parts)? {
        if !OWN_FIELDS.contains(&&*name) {
            let pushed = fields.push(name, value);
            pushed.map_err(|error| Refusal::new(Failure::BadRequest, error))?;
        }
    }
    let target = target(&parts)?;
    let request = Request::from_parts(parts, body);
    let mut attempt = 0;
    loop {
        attempt += 1;
        let visit = proxy.session().await?;
        match visit.open_websocket(target.clone(), fields.clone()).await {
            Ok(Opened::Accepted {
                response,
                send,
                receive,
            }) => {
                let headers = proxy.names.to_caller(&response.fields);
                let shutdown = proxy.shutdown.clone();
                let upgrade = hyper::upgrade::on(request);
                proxy.sockets.spawn(async move {
                    match upgrade.await {
                        Ok(local) => {
                            let local = TokioIo::new(local);
                            bridge(local, send, receive, &MANNERS, shutdown).await;
                        }
                        Err(error) => {
                            tracing::debug!(%error, "the caller left within the handshake")
                        }
                    }
                    // The session ends with its last user.
                    drop::<Arc<Visit>>(visit);
                });
                return Ok(switching(headers, accept));
            }
            Ok(Opened::Refused { response, body }) => {
                return Ok(proxy.response(visit, &response, body, None));
            }
            Err(ExchangeError::Open(error)) if is_leaving(&error) && attempt < ATTEMPTS => {
                proxy.shared.retire(&visit);
            }
            Err(ExchangeError::Open(error)) => return Err(Refusal::of_open(&error)),
            Err(ExchangeError::Stream(error)) => return Err(Refusal::of_stream(&error)),
        }
    }
}

/// What the caller's handshake is answered with (RFC 6455 section 4.2.2).
fn accept_key(request: &Request<Incoming>) -> Result<HeaderValue, Refusal> {
    let headers = request.headers();
    let version = headers.get(header::SEC_WEBSOCKET_VERSION);
    let is_right = request.method() == Method::GET && version.is_some_and(|it| it == "13");
    let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| is_right);
    key.and_then(|key| HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok())
        .ok_or_else(|| {
            let what = "open a WebSocket that is not asked for by GET, with version 13 and a key";
            Refusal::new(Failure::BadRequest, what)
        })
}

fn switching(mut headers: HeaderMap, accept: HeaderValue) -> Response<LocalBody> {
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    let mut response = Response::new(Either::Right(Full::default()));
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = headers;
    response
}
