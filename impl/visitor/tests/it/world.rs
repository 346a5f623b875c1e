//! Coord, edge, an agent and a visitor.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use p2claw_agent::{
    Agent, LinkStatus, RouteEntry, Routes,
    memory::MemoryTransport,
    transport::{LANES, PeerTransport},
};
use p2claw_coord::RelayConfig;
use p2claw_edge::TlsFiles;
use p2claw_identity::{AppName, IdentityKey, PeerId};
use p2claw_network::{Hub, HubConfig};
use p2claw_relay::{Quota, Relay};
use p2claw_session::{Fields, Request, Target};
use p2claw_signaling::address::PublicAddress;
use p2claw_visitor::{Address, Pins, Visit, Visitor, VisitorConfig};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{app::App, within};

/// The name of the app.
const APP: &str = "recipes";

/// The parent of `https://` addresses.
const PARENT: &str = "p2claw.example";

/// A certificate for names below [`PARENT`], signed by itself.
pub(crate) fn certificate() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.join("../edge/tests/it/tls/certificate.pem")
}

/// Which transport carries the sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stack {
    Memory,
    Str0m,
    Webrtc,
}

/// Every transport.
pub(crate) const STACKS: [Stack; 3] = [Stack::Memory, Stack::Str0m, Stack::Webrtc];

pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) memory: MemoryTransport,
    pub(crate) edge: SocketAddr,
    pub(crate) alias: String,
    pub(crate) peer_id: PeerId,
    stack: Stack,
    /// `https://` addresses, or `http://` ones of this machine.
    tls: bool,
    coord: SocketAddr,
    agent: Option<Running>,
    services: CancellationToken,
}

struct Running {
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

fn hub() -> Hub {
    let config = HubConfig {
        loopback: true,
        ..HubConfig::default()
    };
    Hub::bind(config).unwrap()
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// A TURN server, which also relays to this machine itself.
async fn relay(shutdown: CancellationToken) -> RelayConfig {
    let secret = b"north".to_vec();
    let config = p2claw_relay::Config {
        private_peers: true,
        quota: Quota {
            bytes_per_second: 1 << 30,
            ..Quota::default()
        },
        ..p2claw_relay::Config::new(secret.clone())
    };
    let address = "127.0.0.1:0".parse().unwrap();
    let relay = Relay::bind(address, config).await.unwrap();
    let urls = relay.urls("127.0.0.1");
    tokio::spawn(relay.run(shutdown));
    RelayConfig { urls, secret }
}

impl World {
    pub(crate) async fn on(stack: Stack) -> Self {
        Self::with(stack, false).await
    }

    /// A world whose addresses are `https://` ones, with a certificate of [`certificate`].
    pub(crate) async fn secure() -> Self {
        Self::with(Stack::Memory, true).await
    }

    async fn with(stack: Stack, tls: bool) -> Self {
        let (coord_listener, coord) = listener().await;
        let (edge_listener, edge) = listener().await;
        let (scheme, parent) = match tls {
            true => ("https", PARENT),
            false => ("http", "localhost"),
        };
        let public = PublicAddress {
            scheme: scheme.to_owned(),
            parent: parent.to_owned(),
            port: Some(edge.port()),
        };
        let services = CancellationToken::new();
        let mut config = p2claw_coord::Config::new(coord.to_string(), public);
        config.stun = vec!["stun:127.0.0.1:9".to_owned()];
        config.relay = Some(relay(services.clone()).await);
        tokio::spawn(p2claw_coord::run(coord_listener, config, services.clone()));
        let mut config =
            p2claw_edge::Config::new(format!("http://{coord}").parse().unwrap(), parent);
        config.tls = tls.then(|| TlsFiles {
            certificate: certificate(),
            key: certificate().with_file_name("key.pem"),
        });
        tokio::spawn(p2claw_edge::run(edge_listener, config, services.clone()));
        let mut world = Self {
            app: App::start().await,
            memory: MemoryTransport::new(),
            edge,
            alias: String::new(),
            peer_id: IdentityKey::from_seed([7; 32]).peer_id(),
            stack,
            tls,
            coord,
            agent: None,
            services,
        };
        world.start_agent().await;
        world
    }

    pub(crate) async fn start_agent(&mut self) {
        let routes = Arc::new(Routes::load(None).unwrap());
        let entry = RouteEntry {
            upstream: self.app.address.to_string().parse().unwrap(),
            preserve_host: false,
        };
        routes.expose(AppName::parse(APP).unwrap(), entry).unwrap();
        let agent = Agent {
            key: Arc::new(IdentityKey::from_seed([7; 32])),
            routes,
            transport: self.transport(),
            coord: format!("http://{}", self.coord),
            software: "test/1".to_owned(),
            api: None,
        };
        let (status, mut watched) = watch::channel(LinkStatus::default());
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone();
        let task = tokio::spawn(async move { agent.run(status, stop).await.unwrap() });
        self.agent = Some(Running { shutdown, task });
        let ready = watched.wait_for(|status| !status.accepted.is_empty());
        self.alias = within(ready).await.unwrap().alias.clone().unwrap();
    }

    /// Stops the agent as Ctrl-C does.
    pub(crate) async fn stop_agent(&mut self) {
        let agent = self.agent.take().unwrap();
        agent.shutdown.cancel();
        within(agent.task).await.unwrap();
    }

    /// The agent is gone from one moment to the next.
    pub(crate) fn kill_agent(&mut self) {
        self.agent.take().unwrap().task.abort();
    }

    pub(crate) fn transport(&self) -> Arc<dyn PeerTransport> {
        match self.stack {
            Stack::Memory => Arc::new(self.memory.clone()),
            Stack::Str0m => Arc::new(p2claw_rtc_str0m::Endpoint::on(hub(), LANES)),
            Stack::Webrtc => Arc::new(p2claw_rtc_webrtc::Endpoint::on(hub(), LANES)),
        }
    }

    pub(crate) fn visitor(&self) -> Arc<Visitor> {
        self.visitor_with(Pins::in_memory())
    }

    pub(crate) fn visitor_with(&self, pins: Pins) -> Arc<Visitor> {
        Visitor::new(VisitorConfig {
            pins,
            ..VisitorConfig::new(self.transport())
        })
    }

    pub(crate) fn address(&self, target: &str) -> Address {
        self.address_of(APP, &self.alias, target)
    }

    pub(crate) fn address_of(&self, app: &str, alias: &str, target: &str) -> Address {
        let port = self.edge.port();
        let text = match self.tls {
            true => format!("https://{app}-{alias}.{PARENT}:{port}{target}"),
            false => format!("http://{app}-{alias}.localhost:{port}{target}"),
        };
        text.parse().unwrap()
    }

    pub(crate) async fn visit(&self) -> Visit {
        within(self.visitor().visit(&self.address("/")))
            .await
            .unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.services.cancel();
        if let Some(agent) = self.agent.take() {
            agent.task.abort();
        }
    }
}

pub(crate) fn request(method: &str, target: &str, end: bool) -> Request {
    Request {
        method: method.to_owned(),
        target: Target::parse(target).unwrap(),
        fields: Fields::new(),
        end,
        protocol: None,
    }
}

/// Asks for something, and gives status and body.
pub(crate) async fn get(visit: &Visit, target: &str) -> (u16, Vec<u8>) {
    let mut exchange = within(visit.open(request("GET", target, true)))
        .await
        .unwrap();
    let head = within(exchange.head()).await.unwrap();
    let mut body = Vec::new();
    while let Some(data) = within(exchange.response.data()).await.unwrap() {
        body.extend_from_slice(&data);
    }
    (head.status, body)
}
