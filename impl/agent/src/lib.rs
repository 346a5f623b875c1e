//! The agent: it registers with coord, answers visits, and forwards their requests to apps on
//! this machine.
//!
//! [`run`] does all of it, over whatever WebRTC stack implements [`transport::PeerTransport`].
//! [`connection`] is the part that a native visitor shares.
//!
//! ```
//! use p2claw_agent::{RouteEntry, Routes};
//! use p2claw_identity::AppName;
//!
//! let routes = Routes::load(None)?;
//! let recipes = AppName::parse("recipes")?;
//! routes.expose(recipes.clone(), RouteEntry { upstream: "5173".parse()?, preserve_host: false })?;
//! assert_eq!(routes.apps(), [recipes]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod api;
pub mod clock;
pub mod connection;
pub mod cookie;
pub mod fields;
mod link;
pub mod memory;
mod pages;
mod proxy;
pub mod registry;
mod routes;
pub mod sessions;
pub mod state;
pub mod transport;
mod upstream;
mod visit;
mod visits;
pub mod websocket;

use std::sync::Arc;

pub use api::{ApiClient, ApiError, ApiSocket, RouteStatus, Status};
pub use link::{LinkError, LinkStatus};
use p2claw_identity::IdentityKey;
pub use pages::ERROR_FIELD;
pub use routes::{MAX_ROUTES, Route, RouteEntry, RouteError, Routes};
pub use sessions::{PathKind, PathStatus, SessionState, SessionStatus};
pub use state::{StateDir, StateError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
pub use upstream::{Upstream, UpstreamError, UpstreamStream};

use crate::{api::Api, link::Link, sessions::Sessions, transport::PeerTransport, visit::Host};

/// What an agent is made of.
#[derive(Debug)]
pub struct Agent {
    /// Who it is.
    pub key: Arc<IdentityKey>,
    /// What it exposes.
    pub routes: Arc<Routes>,
    /// Its WebRTC stack.
    pub transport: Arc<dyn PeerTransport>,
    /// Coord's address: `http(s)://host[:port]`.
    pub coord: String,
    /// Name and version, for coord's logs and the session's HELLO.
    pub software: String,
    /// The local API's socket, where it is wanted.
    pub api: Option<ApiSocket>,
}

/// Why an agent ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The control link cannot be kept.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The local API failed.
    #[error("serve the local API: {0}")]
    Api(#[from] std::io::Error),
}

impl Agent {
    /// Runs until `shutdown`, and then for at most the time of a drain. `status` tells how the
    /// control link stands.
    ///
    /// # Errors
    /// When another agent with the same key took over, or the address of coord is none.
    pub async fn run(
        self,
        status: watch::Sender<LinkStatus>,
        shutdown: CancellationToken,
    ) -> Result<(), AgentError> {
        let (url, domain) = link::link_url(&self.coord)?;
        // The link's end, for whatever reason, ends the API with it.
        let shutdown = shutdown.child_token();
        let sessions = Arc::<Sessions>::default();
        let api = Arc::new(Api {
            sessions: Arc::clone(&sessions),
            routes: Arc::clone(&self.routes),
            status: status.subscribe(),
            peer_id: self.key.peer_id().to_string(),
            coord: self.coord.clone(),
            udp: self
                .transport
                .local_addresses()
                .iter()
                .map(ToString::to_string)
                .collect(),
        });
        let session = p2claw_session::Config {
            software: self.software.clone(),
            lanes: 4,
            ..p2claw_session::Config::for_role(p2claw_session::Role::Agent)
        };
        let host = Arc::new(Host {
            key: self.key,
            routes: self.routes,
            network: self.transport.network(),
            transport: self.transport,
            session,
            sessions,
        });
        let link = Link {
            host,
            url,
            domain,
            software: self.software,
            status,
            shutdown: shutdown.clone(),
        };
        let serve_api = async {
            match self.api {
                Some(socket) => socket.serve(api, shutdown.clone()).await,
                None => Ok(()),
            }
        };
        let (link, api) = tokio::join!(link.run(), serve_api);
        link?;
        api?;
        Ok(())
    }
}
