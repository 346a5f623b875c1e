//! The requests of a visit (spec/v1/signaling.md, "Visits, over HTTP").

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Uri, header, uri::PathAndQuery};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, Error as ClientError},
    rt::{TokioExecutor, TokioTimer},
};
use p2claw_identity::SessionId;
use p2claw_network::Network;
use p2claw_proto::v1::{IceServer, IceServers, VisitEvent};
use p2claw_signaling::{
    SignalCode, candidate::IceCandidate, code, event_stream::EventReader, limits::MAX_VISIT_BODY,
    visitor::encode_update,
};
use prost::Message as _;
use serde::Deserialize;
use tokio::time::timeout;
use tokio_rustls::rustls::ClientConfig;

use crate::{
    Address, VisitorError,
    connector::{ConnectTimes, Connector},
    error::ServiceError,
};

const VISITS: &str = "/.well-known/p2claw/v1/visits";
const ICE_SERVERS: &str = "/.well-known/p2claw/v1/ice-servers";
const PROTOBUF: &str = "application/x-protobuf";

/// Longest wait for the list of ICE servers; without it the direct paths still work.
const ICE_SERVERS_DEADLINE: Duration = Duration::from_secs(2);

/// Longest wait for the head of an answer: coord gives it at once.
const HEAD_DEADLINE: Duration = Duration::from_secs(10);

/// How long a request that is for the other side's comfort may take.
const COURTESY_DEADLINE: Duration = Duration::from_secs(1);

/// Longest answer that is no stream, in bytes; what is expected has a few hundred.
const MAX_ANSWER: usize = 64 * 1024;

/// Connections without a request are closed after this.
const IDLE_CONNECTION: Duration = Duration::from_secs(10);

/// The service behind one origin.
#[derive(Debug, Clone)]
pub(crate) struct Signaling {
    client: Client<Connector, Full<Bytes>>,
    connector: Connector,
    origin: Uri,
}

/// What coord says before a stream (SIG-019).
#[derive(Debug, Deserialize)]
struct Refusal {
    code: String,
    #[serde(default)]
    detail: String,
}

/// A visit that coord has taken up.
#[derive(Debug)]
pub(crate) struct OpenVisit {
    /// Its name.
    pub(crate) session_id: SessionId,
    body: Incoming,
    reader: EventReader,
}

impl Signaling {
    /// Prepares requests; nothing is connected yet.
    pub(crate) fn new(
        address: &Address,
        network: Arc<dyn Network>,
        tls: Option<Arc<ClientConfig>>,
    ) -> Result<Self, VisitorError> {
        let origin: Uri = address
            .origin()
            .parse()
            .map_err(|_| crate::AddressError::NoUrl(address.to_string()))?;
        Ok(Self::over(Connector::new(network, tls), origin))
    }

    fn over(connector: Connector, origin: Uri) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_CONNECTION)
            .build(connector.clone());
        Self {
            client,
            connector,
            origin,
        }
    }

    /// The same without its connections: those may have died with the path of the session.
    pub(crate) fn anew(&self) -> Self {
        Self::over(self.connector.clone(), self.origin.clone())
    }

    /// The wall clock: Unix time in milliseconds.
    pub(crate) fn unix_millis(&self) -> i64 {
        self.connector.network().unix_millis()
    }

    /// What the first connection took.
    pub(crate) fn times(&self) -> Option<ConnectTimes> {
        self.connector.times()
    }

    /// The STUN and TURN servers to gather with; `None` where they cannot be had in time.
    pub(crate) async fn ice_servers(&self) -> Option<Vec<IceServer>> {
        let ask = async {
            let response = self.send(Method::GET, ICE_SERVERS, Bytes::new()).await?;
            if response.status() != StatusCode::OK {
                return Err(refusal(response).await);
            }
            let body = read(response).await?;
            let servers = IceServers::decode(body)
                .map_err(|_| ServiceError::Nonsense("its list of ICE servers cannot be read"))?;
            Ok::<_, ServiceError>(servers.ice_servers)
        };
        match timeout(ICE_SERVERS_DEADLINE, ask).await {
            Ok(Ok(servers)) => Some(servers),
            Ok(Err(error)) => {
                tracing::debug!(%error, "no ICE servers");
                None
            }
            Err(_) => {
                tracing::debug!("no ICE servers in time");
                None
            }
        }
    }

    /// Sends an offer; the answer comes by [`OpenVisit::next`].
    pub(crate) async fn visit(&self, request: Bytes) -> Result<OpenVisit, ServiceError> {
        let response = self.send(Method::POST, VISITS, request).await?;
        if response.status() != StatusCode::CREATED {
            return Err(refusal(response).await);
        }
        let location = response.headers().get(header::LOCATION);
        let session_id = location
            .and_then(|location| location.to_str().ok())
            .and_then(|location| location.strip_prefix(VISITS)?.strip_prefix('/'))
            .and_then(|id| id.parse().ok())
            .ok_or(ServiceError::Nonsense("it names no place for the visit"))?;
        Ok(OpenVisit {
            session_id,
            body: response.into_body(),
            reader: EventReader::new(),
        })
    }

    /// Tells candidates of this end. One that is lost is one path less to try; others may do.
    pub(crate) async fn tell(&self, session_id: SessionId, candidates: Vec<IceCandidate>) {
        let path = format!("{VISITS}/{session_id}");
        match self
            .send(Method::POST, &path, encode_update(candidates))
            .await
        {
            Ok(response) if response.status().is_success() => {}
            Ok(response) => tracing::debug!(status = %response.status(), "candidates refused"),
            Err(error) => tracing::debug!(%error, "candidates not delivered"),
        }
    }

    /// Gives a visit up that has no session yet (SIG-028).
    pub(crate) async fn give_up(&self, session_id: SessionId) {
        let path = format!("{VISITS}/{session_id}");
        let sent = self.send(Method::DELETE, &path, Bytes::new());
        if !matches!(timeout(COURTESY_DEADLINE, sent).await, Ok(Ok(_))) {
            tracing::debug!("the visit ends without a word");
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>, ServiceError> {
        let mut parts = self.origin.clone().into_parts();
        parts.path_and_query = path.parse::<PathAndQuery>().ok();
        let uri = Uri::from_parts(parts).map_err(|_| ServiceError::Nonsense("bad path"))?;
        let has_body = method == Method::POST;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        if has_body {
            // SIG-040
            let kind = header::HeaderValue::from_static(PROTOBUF);
            request.headers_mut().insert(header::CONTENT_TYPE, kind);
        }
        match timeout(HEAD_DEADLINE, self.client.request(request)).await {
            Ok(response) => response.map_err(|error| unreachable(&error)),
            Err(_) => Err(ServiceError::Unreachable(
                "it did not answer within 10 s".to_owned(),
            )),
        }
    }
}

impl OpenVisit {
    /// The next event; `None` at the end of the stream. Whoever stops waiting loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Option<VisitEvent>, ServiceError> {
        loop {
            let event = self.reader.next_event();
            if let Some(event) = event.map_err(ServiceError::Stream)? {
                return Ok(Some(event));
            }
            match self.body.frame().await {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.reader.push(&data);
                    }
                }
                Some(Err(error)) => {
                    return Err(ServiceError::Unreachable(format!(
                        "it hung up within the visit: {error}"
                    )));
                }
            }
        }
    }
}

/// What an answer without success means.
async fn refusal(response: Response<Incoming>) -> ServiceError {
    let status = response.status();
    let said = match read(response).await {
        Ok(body) => serde_json::from_slice::<Refusal>(&body).ok(),
        Err(_) => None,
    };
    match said {
        Some(Refusal { code, detail }) => ServiceError::Refused {
            code: code::from_name(&code).unwrap_or(SignalCode::Internal),
            detail: plain(&detail),
        },
        None => ServiceError::Status(status),
    }
}

async fn read(response: Response<Incoming>) -> Result<Bytes, ServiceError> {
    let body = Limited::new(response.into_body(), MAX_ANSWER).collect();
    match timeout(HEAD_DEADLINE, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) => Err(ServiceError::Unreachable(error.to_string())),
        Err(_) => Err(ServiceError::Unreachable(
            "its answer did not come within 10 s".to_owned(),
        )),
    }
}

/// A text of the other side's as it may be shown (ERR-006).
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(p2claw_signaling::limits::MAX_TEXT)
        .collect()
}

/// The innermost cause says what people can act upon.
fn unreachable(error: &ClientError) -> ServiceError {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    ServiceError::Unreachable(cause.to_string())
}

const _: () = assert!(MAX_ANSWER <= MAX_VISIT_BODY, "nothing here is larger");
