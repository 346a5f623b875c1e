//! The paths that agents, visitors and edges call (spec/v1/signaling.md).

use crate::agents::{Command, Offer, Unreached};
use crate::serve::Coord;
use crate::visits::Undelivered;
use crate::{ice, link};
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request, State, WebSocketUpgrade};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, StatusCode, header};
use p2claw_identity::{HostLabel, SessionId};
use p2claw_proto::v1::IceServers;
use p2claw_signaling::address::{HostName, read_host};
use p2claw_signaling::limits::{MAX_ENVELOPE, MAX_VISIT_BODY};
use p2claw_signaling::visitor::{CheckedRequest, RequestError, parse_update};
use p2claw_signaling::{SignalCode, code, event_stream};
use prost::Message as _;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

/// Where visits live; their own path follows.
const VISITS: &str = "/.well-known/p2claw/v1/visits";
/// Content type of a single message.
const PROTOBUF: &str = "application/x-protobuf";
/// The WebSocket subprotocol of an agent's link (SIG-001).
const SUBPROTOCOL: &str = "p2claw.v1";
/// How long the body of a request may take.
const BODY: Duration = Duration::from_secs(10);
/// Read and write buffer of an agent's link, in bytes. The library takes 128 KiB by default, and
/// an idle link uses nothing of it.
const LINK_BUFFER: usize = 4 * 1024;

pub(crate) fn router(coord: Arc<Coord>) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/.well-known/p2claw/v1/agent", get(agent))
        .route("/.well-known/p2claw/v1/ice-servers", get(ice_servers))
        .route(VISITS, post(visit))
        .route(
            "/.well-known/p2claw/v1/visits/{session}",
            post(update).delete(give_up),
        )
        .with_state(coord)
}

/// An error before anything else was sent (SIG-019).
#[derive(Debug)]
struct Refusal {
    code: SignalCode,
    detail: String,
}

impl Refusal {
    fn new(code: SignalCode, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { code, detail }
    }
}

impl From<RequestError> for Refusal {
    fn from(error: RequestError) -> Self {
        Self::new(error.code(), format!("failed to {error}"))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(code::http_status(self.code))
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        tracing::debug!(
            code = code::name(self.code),
            detail = self.detail,
            "refused"
        );
        let fields = [
            (header::CONTENT_TYPE, "application/json"),
            (header::CACHE_CONTROL, "no-store"),
        ];
        (status, fields, code::error_json(self.code, &self.detail)).into_response()
    }
}

async fn healthz(State(coord): State<Arc<Coord>>) -> Response {
    let text = format!("ok\nagents {}\n", coord.agents.count());
    ([(header::CACHE_CONTROL, "no-store")], text).into_response()
}

async fn agent(
    State(coord): State<Arc<Coord>>,
    fields: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Refusal> {
    if coord.shutdown.is_cancelled() {
        return Err(shutting_down());
    }
    let upgrade = upgrade.protocols([SUBPROTOCOL]);
    if upgrade.selected_protocol().is_none() {
        let detail = "failed to agree on a subprotocol: offer p2claw.v1";
        return Err(Refusal::new(SignalCode::Version, detail));
    }
    let place = Arc::clone(&coord.link_places)
        .try_acquire_owned()
        .map_err(|_| Refusal::new(SignalCode::Limit, "too many agents have a link"))?;
    let host = fields.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.map(str::to_owned);
    let tracker = coord.tasks.clone();
    let response = upgrade
        .read_buffer_size(LINK_BUFFER)
        // Everything is flushed at once; a buffer for writes would only delay it.
        .write_buffer_size(0)
        .max_write_buffer_size(2 * MAX_ENVELOPE)
        // One byte more, so that our own answer to a message that is too long is reached first.
        .max_message_size(MAX_ENVELOPE + 1)
        .max_frame_size(MAX_ENVELOPE + 1)
        .on_upgrade(move |socket| {
            tracker.clone().track_future(async move {
                let _place = place;
                let abort = coord.abort.clone();
                tokio::select! {
                    () = link::run(coord, socket, host) => {}
                    () = abort.cancelled() => {}
                }
            })
        });
    Ok(response)
}

async fn ice_servers(State(coord): State<Arc<Coord>>) -> Result<Response, Refusal> {
    spend(&coord)?;
    let servers = IceServers {
        ice_servers: ice::servers(&coord.config).map_err(no_random)?,
    };
    let fields = [
        (header::CONTENT_TYPE, PROTOBUF),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((fields, servers.encode_to_vec()).into_response())
}

async fn visit(State(coord): State<Arc<Coord>>, request: Request) -> Result<Response, Refusal> {
    if coord.shutdown.is_cancelled() {
        return Err(shutting_down());
    }
    spend(&coord)?;
    let label = visited(request.headers(), &coord.config.public.parent)?;
    let request = CheckedRequest::parse(&read_body(request).await?)?;
    let total = Arc::clone(&coord.visit_places)
        .try_acquire_owned()
        .map_err(|_| Refusal::new(SignalCode::Limit, "too many visits are open"))?;
    let reached = match coord.agents.reach(&label) {
        Ok(reached) => reached,
        Err(Unreached::NoLink) => return Err(no_link(&coord, &label).await),
        Err(Unreached::NoApp) => {
            let detail = format!("{} has no app {}", label.alias(), label.app());
            return Err(Refusal::new(SignalCode::NoSuchApp, detail));
        }
        Err(Unreached::Limit) => {
            let detail = format!("{} has too many visits", label.alias());
            return Err(Refusal::new(SignalCode::Limit, detail));
        }
    };
    let session_id = SessionId(coord.config.random.bytes().map_err(no_random)?);
    let commands = reached.commands.clone();
    let alias = label.alias().clone();
    // In the table before the agent can answer.
    let (task, body) = coord.visits.enter(session_id, reached, total);
    let offer = Box::new(Offer {
        session_id,
        label,
        request,
    });
    if commands.try_send(Command::Offer(offer)).is_err() {
        let detail = "the agent's link does not take more at the moment";
        return Err(Refusal::new(SignalCode::AgentOffline, detail));
    }
    tracing::debug!(session = %session_id, %alias, "visit offered");
    let run = task.run(coord.config.limits.clone(), coord.shutdown.clone());
    coord.tasks.spawn(run);
    Ok(stream_of(session_id, body))
}

/// The answer to a visit that was offered: a body that goes on (SIG-015).
fn stream_of(session_id: SessionId, mut body: tokio::sync::mpsc::Receiver<Bytes>) -> Response {
    let events = stream::poll_fn(move |context| body.poll_recv(context));
    let fields = [
        (header::LOCATION, format!("{VISITS}/{session_id}")),
        (header::CONTENT_TYPE, event_stream::CONTENT_TYPE.to_owned()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    let body = Body::from_stream(events.map(Ok::<_, Infallible>));
    (StatusCode::CREATED, fields, body).into_response()
}

async fn update(
    State(coord): State<Arc<Coord>>,
    Path(session): Path<String>,
    request: Request,
) -> Result<Response, Refusal> {
    let session_id = read_session(&session)?;
    let candidates = parse_update(&read_body(request).await?)?;
    coord
        .visits
        .update(session_id, candidates)
        .map_err(undelivered)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn give_up(
    State(coord): State<Arc<Coord>>,
    Path(session): Path<String>,
) -> Result<Response, Refusal> {
    let session_id = read_session(&session)?;
    coord.visits.give_up(session_id).map_err(undelivered)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The app and alias that are visited (SIG-027).
fn visited(fields: &HeaderMap, parent: &str) -> Result<HostLabel, Refusal> {
    let host = fields
        .get("p2claw-host")
        .or_else(|| fields.get(header::HOST))
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    match read_host(host, parent) {
        HostName::App(label) => Ok(label),
        HostName::BadLabel(error) => Err(Refusal::new(
            SignalCode::NoSuchAlias,
            format!("failed to {error}"),
        )),
        HostName::Parent | HostName::Elsewhere => {
            let detail = format!("addresses here look like <app>-<alias>.{parent}");
            Err(Refusal::new(SignalCode::NoSuchAlias, detail))
        }
    }
}

/// Why there is no link: the agent is away, or there is no such agent.
async fn no_link(coord: &Coord, label: &HostLabel) -> Refusal {
    match coord.registry.is_given(label.alias()).await {
        Ok(true) => {
            let detail = format!("the machine behind {} is offline", label.alias());
            Refusal::new(SignalCode::AgentOffline, detail)
        }
        Ok(false) => {
            let detail = format!("nobody has the alias {}", label.alias());
            Refusal::new(SignalCode::NoSuchAlias, detail)
        }
        Err(error) => {
            tracing::error!(%error, "registry failed");
            Refusal::new(SignalCode::Internal, "the registry failed")
        }
    }
}

/// Reads a message of bounded length within bounded time (SIG-020).
async fn read_body(request: Request) -> Result<Bytes, Refusal> {
    let malformed = |detail: &str| Refusal::new(SignalCode::Malformed, detail);
    let content_type = request.headers().get(header::CONTENT_TYPE);
    // Asked for also because a page of another origin cannot send it without being asked.
    if content_type.is_none_or(|value| value != PROTOBUF) {
        return Err(malformed("the content-type must be application/x-protobuf"));
    }
    let body = axum::body::to_bytes(request.into_body(), MAX_VISIT_BODY);
    match tokio::time::timeout(BODY, body).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(malformed("the body is longer than 64 KiB, or was cut off")),
        Err(_) => Err(malformed("the body did not come within 10 s")),
    }
}

fn read_session(text: &str) -> Result<SessionId, Refusal> {
    text.parse()
        .map_err(|_| undelivered(Undelivered::NoSuchVisit))
}

fn undelivered(why: Undelivered) -> Refusal {
    match why {
        Undelivered::NoSuchVisit => Refusal::new(
            SignalCode::NoSuchVisit,
            "there is no such visit, or it has ended",
        ),
        Undelivered::Limit => Refusal::new(
            SignalCode::Limit,
            "the visit has more candidates than are allowed",
        ),
    }
}

fn spend(coord: &Coord) -> Result<(), Refusal> {
    let mut bucket = coord
        .bucket
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if bucket.take(tokio::time::Instant::now().into_std()) {
        Ok(())
    } else {
        Err(Refusal::new(
            SignalCode::Limit,
            "this service has too much to do; try again in a moment",
        ))
    }
}

fn shutting_down() -> Refusal {
    Refusal::new(SignalCode::ShuttingDown, "the service is about to stop")
}

fn no_random(error: std::io::Error) -> Refusal {
    tracing::error!(%error, "no random numbers");
    Refusal::new(SignalCode::Internal, "the random source failed")
}
