//! The local API: HTTP on a Unix socket, the way the command line talks to the agent.
//!
//! The socket is in a folder of mode 0700 and has mode 0600: only its owner gets in.

mod client;

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{
        Path as PathParam, Query, State,
        rejection::{JsonRejection, PathRejection, QueryRejection},
    },
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, put},
};
pub use client::ApiClient;
use http::Method;
use p2claw_identity::AppName;
use serde::{Deserialize, Serialize};
use tokio::{net::UnixListener, sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    link::LinkStatus,
    routes::{RouteEntry, RouteError, Routes},
    sessions::{SessionStatus, Sessions},
    state::{StateDir, StateError},
    upstream::Upstream,
};

/// How long `expose` waits for coord before it answers that the address is not live yet.
const LIVE_DEADLINE: Duration = Duration::from_secs(5);

/// The agent as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Ed25519 public key, z-base-32.
    pub peer_id: String,
    /// Coord's address.
    pub coord: String,
    /// How the link stands.
    pub link: LinkStatus,
    /// UDP addresses in use.
    pub udp: Vec<String>,
}

/// One app, as the local API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteStatus {
    /// Its name.
    pub app: String,
    /// Where it listens.
    pub upstream: Upstream,
    /// Give it the public `Host`.
    pub preserve_host: bool,
    /// Its address; missing until coord has given an alias.
    pub url: Option<String>,
    /// Reachable from outside at this moment, as far as coord goes.
    pub live: bool,
    /// Why not, for people.
    pub problem: Option<String>,
    /// Where the name led before, in the answer to an `expose`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Upstream>,
}

/// An answer other than 2xx.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Problem {
    error: String,
}

/// Why the local API failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// Nobody listens.
    #[error("reach the agent at {path}: it is not running; start it with `p2claw run`", path = .0.display())]
    NotRunning(PathBuf),
    /// One agent a folder.
    #[error(
        "start the agent: another one is running with the state directory {path}; stop it first, or \
         give this one another --state-dir",
        path = .0.display()
    )]
    AlreadyRunning(PathBuf),
    /// The agent refused, and says why.
    #[error("{0}")]
    Refused(String),
    /// Something between.
    #[error("talk to the agent: {0}")]
    Io(String),
    /// The folder or a file in it.
    #[error(transparent)]
    State(#[from] StateError),
}

/// The socket of a running agent, and the lock that keeps a second one out.
#[derive(Debug)]
pub struct ApiSocket {
    listener: UnixListener,
    path: PathBuf,
    _lock: fs::File,
}

impl ApiSocket {
    /// Takes the folder's lock and binds its socket.
    ///
    /// # Errors
    /// [`ApiError::AlreadyRunning`] when another agent has the lock.
    pub fn bind(state: &StateDir) -> Result<Self, ApiError> {
        let path = state.socket();
        let failed = |action: &'static str, path: &Path| {
            let path = path.to_owned();
            move |source| {
                ApiError::State(StateError::Io {
                    action,
                    path,
                    source,
                })
            }
        };
        let lock_path = state.path().join("agent.lock");
        let lock = fs::File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(failed("open", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                return Err(ApiError::AlreadyRunning(state.path().to_owned()));
            }
            Err(fs::TryLockError::Error(error)) => return Err(failed("lock", &lock_path)(error)),
        }
        // With the lock in hand, a socket that is there was left by a crash.
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("remove", &path)(error));
            }
            _ => {}
        }
        let listener = UnixListener::bind(&path).map_err(failed("bind", &path))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))
            .map_err(failed("protect", &path))?;
        Ok(Self {
            listener,
            path,
            _lock: lock,
        })
    }

    pub(crate) async fn serve(self, api: Arc<Api>, shutdown: CancellationToken) -> io::Result<()> {
        let result = axum::serve(self.listener, api.router())
            .with_graceful_shutdown(shutdown.cancelled_owned())
            .await;
        let _ = fs::remove_file(&self.path);
        result
    }
}

/// What the API shows and changes.
#[derive(Debug)]
pub struct Api {
    /// What is exposed.
    pub routes: Arc<Routes>,
    /// How the link stands.
    pub status: watch::Receiver<LinkStatus>,
    /// As in [`Status::peer_id`].
    pub peer_id: String,
    /// As in [`Status::coord`].
    pub coord: String,
    /// As in [`Status::udp`].
    pub udp: Vec<String>,
    /// The visits that run.
    pub sessions: Arc<Sessions>,
}

/// How the sessions are to be shown.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SessionsQuery {
    /// With the addresses of their paths.
    addresses: bool,
}

impl Api {
    /// What answers the requests, wherever they come from. Every refusal is JSON with an `error`.
    pub fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/v1/status", get(status))
            .route("/v1/routes", get(routes))
            .route("/v1/sessions", get(sessions))
            .route("/v1/routes/{app}", put(expose).delete(unexpose))
            .fallback(no_such_path)
            .method_not_allowed_fallback(no_such_method)
            .with_state(self)
    }

    fn route_status(&self, app: &AppName, entry: RouteEntry) -> RouteStatus {
        let link = self.status.borrow();
        let refused = link.refused.iter().find(|(name, _)| name == app.as_str());
        let problem = match refused {
            Some((_, reason)) => Some(format!("coord refused the name: {reason}")),
            None if link.registered && link.has_judged(app.as_str()) => None,
            None if link.registered => Some("coord has not confirmed the name yet".to_owned()),
            None => Some(
                link.problem
                    .clone()
                    .unwrap_or_else(|| "connecting to coord".to_owned()),
            ),
        };
        RouteStatus {
            app: app.to_string(),
            upstream: entry.upstream,
            preserve_host: entry.preserve_host,
            url: link.url(app.as_str()),
            live: problem.is_none(),
            problem,
            replaces: None,
        }
    }
}

async fn status(State(api): State<Arc<Api>>) -> Json<Status> {
    Json(Status {
        peer_id: api.peer_id.clone(),
        coord: api.coord.clone(),
        link: api.status.borrow().clone(),
        udp: api.udp.clone(),
    })
}

async fn routes(State(api): State<Arc<Api>>) -> Json<Vec<RouteStatus>> {
    let entries = api.routes.entries();
    Json(
        entries
            .into_iter()
            .map(|(app, entry)| api.route_status(&app, entry))
            .collect(),
    )
}

async fn sessions(
    State(api): State<Arc<Api>>,
    query: Result<Query<SessionsQuery>, QueryRejection>,
) -> Result<Json<Vec<SessionStatus>>, Response> {
    let Query(query) = query.map_err(|error| problem(error.status(), &error.body_text()))?;
    api.sessions.measure().await;
    Ok(Json(api.sessions.list(query.addresses)))
}

async fn expose(
    State(api): State<Arc<Api>>,
    app: Result<PathParam<String>, PathRejection>,
    entry: Result<Json<RouteEntry>, JsonRejection>,
) -> Response {
    let app = match read_app(app) {
        Ok(app) => app,
        Err(refusal) => return refusal,
    };
    let entry = match entry {
        Ok(Json(entry)) => entry,
        Err(error) => return problem(error.status(), &error.body_text()),
    };
    let replaces = match api.routes.expose(app.clone(), entry.clone()) {
        Ok(replaced) => replaced.map(|entry| entry.upstream),
        Err(error) => return route_problem(&error),
    };
    let mut link = api.status.clone();
    let _ = timeout(
        LIVE_DEADLINE,
        link.wait_for(|link| link.has_judged(app.as_str())),
    )
    .await;
    let status = RouteStatus {
        replaces,
        ..api.route_status(&app, entry)
    };
    Json(status).into_response()
}

async fn unexpose(
    State(api): State<Arc<Api>>,
    app: Result<PathParam<String>, PathRejection>,
) -> Response {
    let app = match read_app(app) {
        Ok(app) => app,
        Err(refusal) => return refusal,
    };
    match api.routes.unexpose(&app) {
        Ok(true) => StatusCode::NO_CONTENT.into_response(),
        Ok(false) => problem(
            StatusCode::NOT_FOUND,
            &format!("unexpose {app}: it is not exposed; `p2claw routes` lists what is"),
        ),
        Err(error) => route_problem(&error),
    }
}

#[expect(
    clippy::result_large_err,
    reason = "the refusal is the answer, and is sent at once"
)]
fn read_app(app: Result<PathParam<String>, PathRejection>) -> Result<AppName, Response> {
    let PathParam(app) = app.map_err(|error| problem(error.status(), &error.body_text()))?;
    AppName::parse(&app).map_err(|error| problem(StatusCode::BAD_REQUEST, &error))
}

async fn no_such_path(uri: http::Uri) -> Response {
    problem(
        StatusCode::NOT_FOUND,
        &format!(
            "find {}: the paths here are /v1/status, /v1/sessions, /v1/routes and /v1/routes/<app>",
            uri.path()
        ),
    )
}

async fn no_such_method(method: Method, uri: http::Uri) -> Response {
    problem(
        StatusCode::METHOD_NOT_ALLOWED,
        &format!(
            "{method} {}: this path is for other methods, see the field `allow`",
            uri.path()
        ),
    )
}

fn route_problem(error: &RouteError) -> Response {
    let status = match error {
        RouteError::Full { .. } => StatusCode::CONFLICT,
        RouteError::State(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    problem(status, error)
}

fn problem(status: StatusCode, error: &dyn std::fmt::Display) -> Response {
    (
        status,
        Json(Problem {
            error: error.to_string(),
        }),
    )
        .into_response()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

    use super::*;

    fn entry() -> RouteEntry {
        RouteEntry {
            upstream: "1".parse().unwrap(),
            preserve_host: false,
        }
    }

    /// SEC-011: nobody else on the machine gets to the socket, nor into its folder.
    #[tokio::test]
    async fn the_socket_is_its_owners() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path().join("state")).unwrap();
        let socket = ApiSocket::bind(&state).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&state.socket()), 0o600);
        assert_eq!(mode(state.path()), 0o700);
        let second = ApiSocket::bind(&state).unwrap_err();
        assert!(matches!(second, ApiError::AlreadyRunning(_)), "{second}");
        drop(socket);
        ApiSocket::bind(&state).unwrap();
    }

    /// An app is live once coord has said so, and no sooner.
    #[test]
    fn live_is_what_coord_has_confirmed() {
        let (status, watched) = watch::channel(LinkStatus::default());
        let api = Api {
            routes: Arc::new(Routes::load(None).unwrap()),
            status: watched,
            peer_id: String::new(),
            coord: String::new(),
            udp: Vec::new(),
            sessions: Arc::default(),
        };
        let app = AppName::parse("recipes").unwrap();
        let live = || {
            let route = api.route_status(&app, entry());
            assert_eq!(route.live, route.problem.is_none());
            route.live
        };
        assert!(!live(), "there is no link");
        status.send_modify(|status| status.registered = true);
        assert!(!live(), "coord has not seen the name");
        status.send_modify(|status| status.accepted = vec!["recipes".to_owned()]);
        assert!(live());
        status.send_modify(|status| {
            status.accepted.clear();
            status.refused = vec![("recipes".to_owned(), "at most 1 route".to_owned())];
        });
        assert!(!live(), "coord has refused the name");
    }

    /// One more than coord allows is refused here: coord would drop another one for it.
    #[test]
    fn no_more_is_exposed_than_coord_allows() {
        let routes = Routes::load(None).unwrap();
        routes.limit(1);
        let name = |name| AppName::parse(name).unwrap();
        routes.expose(name("z"), entry()).unwrap();
        let error = routes.expose(name("a"), entry()).unwrap_err();
        assert!(
            matches!(error, RouteError::Full { limit: 1, .. }),
            "{error}"
        );
        let replaced = routes.expose(name("z"), entry()).unwrap();
        assert_eq!(replaced, Some(entry()));
        assert_eq!(routes.apps(), [name("z")]);
    }
}
