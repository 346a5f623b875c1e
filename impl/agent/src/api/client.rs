//! The local API's client.

use std::{path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;
use http::Method;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use p2claw_identity::AppName;
use p2claw_network::Machine;
use serde::{Serialize, de::DeserializeOwned};
use tokio::time::timeout;

use super::{ApiError, Problem, RouteStatus, Status};
use crate::{
    routes::RouteEntry,
    sessions::SessionStatus,
    state::StateDir,
    upstream::{Connector, Upstream},
};

/// Largest answer that is read, in bytes.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// How long the daemon may take.
const CLIENT_DEADLINE: Duration = Duration::from_secs(15);

/// The other end of the local API.
#[derive(Debug)]
pub struct ApiClient {
    socket: PathBuf,
    client: Client<Connector, Full<Bytes>>,
}

impl ApiClient {
    /// A client for the agent of a folder. Connects at the first call.
    ///
    /// # Errors
    /// When the folder's path cannot hold a socket.
    pub fn new(state: &StateDir) -> Result<Self, ApiError> {
        let socket =
            std::path::absolute(state.socket()).map_err(|error| ApiError::Io(error.to_string()))?;
        let upstream: Upstream = format!("unix:{}", socket.display())
            .parse()
            .map_err(|error: crate::UpstreamError| ApiError::Io(error.to_string()))?;
        let client = Client::builder(TokioExecutor::new()).build(Connector {
            upstream,
            network: Arc::new(Machine),
        });
        Ok(Self { socket, client })
    }

    /// The agent as a whole.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn status(&self) -> Result<Status, ApiError> {
        self.call(Method::GET, "/v1/status", None::<()>).await
    }

    /// All apps.
    ///
    /// # Errors
    /// When the agent does not run.
    pub async fn routes(&self) -> Result<Vec<RouteStatus>, ApiError> {
        self.call(Method::GET, "/v1/routes", None::<()>).await
    }

    /// The sessions of visitors, the oldest first; with the `addresses` of their paths on demand.
    /// The agent measures their round trips first, which takes up to a second.
    ///
    /// # Errors
    /// When the agent does not run.
    pub async fn sessions(&self, addresses: bool) -> Result<Vec<SessionStatus>, ApiError> {
        let path = format!("/v1/sessions?addresses={addresses}");
        self.call(Method::GET, &path, None::<()>).await
    }

    /// Exposes an app; waits up to 5 s for it to be reachable.
    ///
    /// # Errors
    /// When the agent does not run, or refuses.
    pub async fn expose(&self, app: &AppName, entry: &RouteEntry) -> Result<RouteStatus, ApiError> {
        self.call(Method::PUT, &format!("/v1/routes/{app}"), Some(entry))
            .await
    }

    /// Takes an app away.
    ///
    /// # Errors
    /// When the agent does not run, or there is no such app.
    pub async fn unexpose(&self, app: &AppName) -> Result<(), ApiError> {
        self.send(Method::DELETE, &format!("/v1/routes/{app}"), None::<()>)
            .await
            .map(drop)
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<impl Serialize>,
    ) -> Result<T, ApiError> {
        let answer = self.send(method, path, body).await?;
        serde_json::from_slice(&answer).map_err(|error| {
            ApiError::Io(format!(
                "its answer is not understood ({error}); is it another version?"
            ))
        })
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<impl Serialize>,
    ) -> Result<Bytes, ApiError> {
        let io = |error: &dyn std::fmt::Display| ApiError::Io(error.to_string());
        let body = match body {
            Some(body) => Bytes::from(serde_json::to_vec(&body).map_err(|error| io(&error))?),
            None => Bytes::new(),
        };
        let request = http::Request::builder()
            .method(method)
            .uri(format!("http://agent{path}"))
            .header("content-type", "application/json")
            .body(Full::new(body))
            .map_err(|error| io(&error))?;
        let exchange = async {
            let response = self.client.request(request).await.map_err(|error| {
                if error.is_connect() {
                    ApiError::NotRunning(self.socket.clone())
                } else {
                    io(&error)
                }
            })?;
            let status = response.status();
            let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES);
            let body = body.collect().await.map_err(|error| io(&error))?.to_bytes();
            Ok::<_, ApiError>((status, body))
        };
        let (status, body) = timeout(CLIENT_DEADLINE, exchange)
            .await
            .map_err(|_| ApiError::Io("it does not answer".to_owned()))??;
        if status.is_success() {
            return Ok(body);
        }
        let problem = serde_json::from_slice::<Problem>(&body).map(|problem| problem.error);
        Err(ApiError::Refused(problem.unwrap_or_else(|_| {
            format!(
                "the agent answered {status}: {}",
                String::from_utf8_lossy(&body)
            )
        })))
    }
}
