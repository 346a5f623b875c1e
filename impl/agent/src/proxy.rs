//! One request of a visitor, forwarded to an upstream and answered.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::OptionFuture;
use http::{HeaderValue, Method, Request as HttpRequest, Uri, header, uri::PathAndQuery};
use http_body::Frame;
use http_body_util::{BodyExt, Either, Empty, combinators::MapFrame};
use hyper::body::Incoming as UpstreamBody;
use hyper_util::{
    client::legacy::{Client, Error as ClientError},
    rt::{TokioExecutor, TokioTimer},
};
use p2claw_session::{ErrorCode, Fields, Response, limits::FIELDS_MAX, registry::limit};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    connection::{Incoming, RecvBody, SendBody, StreamError},
    fields::{self, VisitFacts},
    pages::{self, Failure},
    routes::Route,
    upstream::Connector,
    websocket::{self, Handshake},
};

/// 1xx responses that wait for the visitor's stream; an upstream sends one or two.
const INFORMATIONAL_QUEUE: usize = 8;

/// The response head that hyper is willing to read, in bytes: what fits a frame of ours, and
/// room to see that it does not (`HTP-041`).
const UPSTREAM_HEAD_BYTES: usize = limit::UPSTREAM_HEAD_MAX;

/// How long a connection that nobody uses is kept, less than the 5 s after which Node's servers
/// close theirs: a request does not meet a connection that is just ending.
const IDLE_CONNECTION: Duration = Duration::from_secs(4);

/// Connections to one upstream that are kept though nobody uses them.
const IDLE_CONNECTIONS: usize = 16;

type RequestBody = Either<MapFrame<RecvBody, fn(Frame<Bytes>) -> Frame<Bytes>>, Empty<Bytes>>;

/// Connections to one upstream, kept alive between requests.
#[derive(Debug, Clone)]
pub(crate) struct UpstreamClient(Client<Connector, RequestBody>);

impl UpstreamClient {
    pub(crate) fn new(connector: Connector) -> Self {
        Self(
            Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE_CONNECTION)
                .pool_max_idle_per_host(IDLE_CONNECTIONS)
                .http1_max_buf_size(UPSTREAM_HEAD_BYTES)
                .http1_max_headers(FIELDS_MAX)
                .http1_preserve_header_case(false)
                .set_host(false)
                .build(connector),
        )
    }
}

/// Answers one request; returns when the upstream call has really ended.
pub(crate) async fn serve(
    incoming: Incoming,
    route: Option<Arc<Route>>,
    facts: Arc<VisitFacts>,
    app: &str,
    shutdown: CancellationToken,
) {
    let Incoming {
        request,
        body,
        mut answer,
    } = incoming;
    let Some(route) = route else {
        return decline(Failure::NoSuchApp, &request, &mut answer, app).await;
    };
    if request.protocol.is_some() && !request.is_websocket() {
        return decline(Failure::UnsupportedProtocol, &request, &mut answer, app).await;
    }
    let (informational, mut early) = mpsc::channel(INFORMATIONAL_QUEUE);
    // The body of a WebSocket begins when the upstream has switched protocols.
    let (body, messages) = match request.is_websocket() {
        true => (None, Some(body)),
        false => (Some(body), None),
    };
    let Some(mut forwarded) = forward(&request, body, &route, &facts) else {
        answer.reset(
            ErrorCode::BAD_MESSAGE,
            "the request cannot be put in HTTP/1.1",
        );
        return;
    };
    let upgrade = messages.map(|messages| (Handshake::begin(&mut forwarded), messages));
    let watch = answer.watch();
    let is_head = request.method == "HEAD";
    hyper::ext::on_informational(&mut forwarded, move |response| {
        // A hint that finds no room is only a hint.
        let _ = informational.try_send((response.status(), response.headers().clone()));
    });
    let mut call = std::pin::pin!(route.client.0.request(forwarded));
    let response = loop {
        let stopped = tokio::select! {
            biased;
            Some((status, headers)) = early.recv() => {
                // 101 is for upgrades, which are not asked for.
                if status.as_u16() != 101 {
                    let fields = fields::for_visitor(&headers, &route.upstream);
                    let hint = Response { status: status.as_u16(), fields, end: false };
                    let _ = answer.respond(hint);
                }
                continue;
            }
            response = &mut call => break response,
            stopped = answer.stopped() => stopped,
            // A visitor may give up a WebSocket by RESET alone (WSK-005).
            _ = watch.ending(true), if upgrade.is_some() => StreamError::Closed,
        };
        tracing::debug!(error = %stopped, "visitor left before the answer");
        return;
    };
    // Dropped before the answer is out, the visitor's half would be stopped for nothing.
    let (response, _refused) = match (response, upgrade) {
        (Ok(response), Some((handshake, messages))) => {
            match websocket::judge(response, &handshake, &route) {
                websocket::Answer::Switched(upgrade, fields) => {
                    let carried = websocket::carry(upgrade, fields, messages, answer, shutdown);
                    if let Err((error, mut answer)) = carried.await
                        && let Some(failure) = failure_of_head(&error)
                    {
                        decline(failure, &request, &mut answer, app).await;
                    }
                    return;
                }
                websocket::Answer::Refused(response) => (Ok(response), Some(messages)),
                websocket::Answer::Nonsense(failure) => {
                    decline(failure, &request, &mut answer, app).await;
                    drop(messages);
                    return;
                }
            }
        }
        (response, upgrade) => (response, upgrade.map(|(_, messages)| messages)),
    };
    match response {
        Ok(response) => relay(response, is_head, &route, &request, answer, app).await,
        Err(error) => {
            tracing::debug!(%error, app, upstream = %route.upstream, "upstream failed");
            decline(failure_of(&error), &request, &mut answer, app).await;
        }
    }
}

/// What to say in the place of a head that was not taken; nothing when the visitor has gone.
fn failure_of_head(error: &StreamError) -> Option<Failure> {
    match error {
        StreamError::HeadTooLarge => Some(Failure::HeadTooLarge),
        StreamError::Reset { .. } | StreamError::Stopped(_) | StreamError::Closed => None,
        StreamError::NotUtf8 | StreamError::Message(_) => Some(Failure::BadAnswer),
    }
}

fn failure_of(error: &ClientError) -> Failure {
    let cause = std::error::Error::source(error);
    let too_large = cause
        .and_then(|cause| cause.downcast_ref::<hyper::Error>())
        .is_some_and(hyper::Error::is_parse_too_large);
    if error.is_connect() {
        Failure::UpstreamUnavailable
    } else if too_large {
        Failure::HeadTooLarge
    } else {
        Failure::UpstreamFailed
    }
}

/// The request for the upstream. Its URI is made from parts: the visitor's target is path and
/// query and can become nothing else (`HTP-010`).
fn forward(
    request: &p2claw_session::Request,
    body: Option<RecvBody>,
    route: &Route,
    facts: &VisitFacts,
) -> Option<HttpRequest<RequestBody>> {
    let target: PathAndQuery = request.target.as_str().parse().ok()?;
    let uri = Uri::builder()
        .scheme("http")
        .authority("upstream.invalid")
        .path_and_query(target)
        .build()
        .ok()?;
    let body = body.filter(|_| !request.end);
    let has_body = body.is_some();
    let body = match body {
        Some(body) => Either::Left(body.map_frame(for_upstream as fn(_) -> _)),
        None => Either::Right(Empty::new()),
    };
    let mut forwarded = HttpRequest::new(body);
    *forwarded.method_mut() = Method::from_bytes(request.method.as_bytes()).ok()?;
    *forwarded.uri_mut() = uri;
    let mut headers =
        fields::for_upstream(&request.fields, &route.upstream, route.preserve_host, facts);
    // hyper would leave out the body of a GET whose length is not known.
    if has_body && !headers.contains_key(header::CONTENT_LENGTH) {
        headers.insert(
            header::TRANSFER_ENCODING,
            HeaderValue::from_static("chunked"),
        );
    }
    *forwarded.headers_mut() = headers;
    Some(forwarded)
}

/// A piece of a request's body, or its trailers, as the upstream gets it.
fn for_upstream(frame: Frame<Bytes>) -> Frame<Bytes> {
    match frame.into_trailers() {
        Ok(trailers) => Frame::trailers(fields::trailers_for_upstream(&trailers)),
        Err(frame) => frame,
    }
}

/// Passes a response on, each piece as it comes.
async fn relay(
    response: http::Response<UpstreamBody>,
    is_head: bool,
    route: &Route,
    request: &p2claw_session::Request,
    mut answer: SendBody,
    app: &str,
) {
    let (head, mut body) = response.into_parts();
    let fields = fields::for_visitor(&head.headers, &route.upstream);
    let end = is_head || hyper::body::Body::is_end_stream(&body);
    let response = Response {
        status: head.status.as_u16(),
        fields,
        end,
    };
    if let Err(error) = answer.respond(response) {
        tracing::debug!(%error, app, "response head refused");
        if let Some(failure) = failure_of_head(&error) {
            decline(failure, request, &mut answer, app).await;
        }
        return;
    }
    if end {
        return;
    }
    let mut trailers = None;
    loop {
        let frame = tokio::select! {
            biased;
            frame = body.frame() => frame,
            _ = answer.stopped() => return,
        };
        match frame {
            None => break,
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    if answer.write(data).await.is_err() {
                        return;
                    }
                }
                Err(frame) => {
                    trailers = frame
                        .trailers_ref()
                        .map(|map| fields::trailers_for_visitor(map, &route.upstream));
                }
            },
            // A cut-off body is an error at the other end, never a clean end (`HTP-050`).
            Some(Err(error)) => {
                tracing::debug!(%error, app, "upstream hung up within a body");
                answer.cut_off(
                    ErrorCode::UPSTREAM_FAILED,
                    "the app hung up within the body",
                );
                return;
            }
        }
    }
    let trailers = trailers.filter(|fields: &Fields| !fields.is_empty());
    if let Err(error) = answer.finish(trailers) {
        tracing::debug!(%error, app, "response not finished");
        if error == StreamError::HeadTooLarge {
            answer.cut_off(
                ErrorCode::HEAD_TOO_LARGE,
                "the app's trailers do not fit into one frame",
            );
        }
    }
}

async fn decline(
    failure: Failure,
    request: &p2claw_session::Request,
    answer: &mut SendBody,
    app: &str,
) {
    let (response, body) = pages::answer(failure, request, app);
    let end = response.end;
    let sent: Result<(), StreamError> = async {
        answer.respond(response)?;
        let rest: OptionFuture<_> = (!end).then(|| answer.write(body)).into();
        rest.await.transpose()?;
        if end { Ok(()) } else { answer.finish(None) }
    }
    .await;
    if let Err(error) = sent {
        tracing::debug!(%error, app, "answer not delivered");
    }
}
