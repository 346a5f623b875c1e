//! A simulation with p2claw in it: STUN, relay, coord and edge in the public internet, agents and
//! visitors wherever a test puts them.

use std::{
    cell::RefCell,
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use futures_util::{FutureExt as _, future::BoxFuture};
use p2claw_agent::{
    Agent, LinkStatus, RouteEntry, Routes,
    transport::{LANES, PeerTransport},
};
use p2claw_coord::{RandomSource, RelayConfig as CoordRelay, WallClock};
use p2claw_identity::{Alias, AppName, HostLabel, IdentityKey, PeerId};
use p2claw_network::{Hub, HubConfig, Network};
use p2claw_rtc_str0m::Endpoint;
use p2claw_signaling::address::PublicAddress;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use turmoil::net::{TcpListener, TcpStream};

use crate::{
    app,
    internet::{HostId, Interface},
    line::Line,
    network::HostNetwork,
    relay::{self, RelayConfig},
    side::Side,
    simulation::{Failure, Simulation, public},
    stun,
    tap::{Overheard, Party, Tap},
};

/// Addresses of the STUN server.
pub const STUN: [IpAddr; 2] = [server(1), server(2)];
/// Address of the relay.
pub const RELAY: IpAddr = server(3);
/// Address of coord.
pub const COORD: IpAddr = server(4);
/// Address of the edge.
pub const EDGE: IpAddr = server(5);

/// The domain under which the apps are.
pub const PARENT: &str = "example.net";

/// What an agent exposes.
#[derive(Debug, Clone, Copy)]
pub struct Exposed {
    /// Names of apps; behind each is the same server. The first one is visited.
    pub apps: &'static [&'static str],
    /// The server, on [`app::PORT`] of loopback.
    pub serve: fn() -> BoxFuture<'static, io::Result<()>>,
}

/// The app that agents expose where nothing else is said.
pub const DEMO: Exposed = Exposed {
    apps: &["demo"],
    serve: || app::serve().boxed(),
};

/// What coord and the relay share.
const SECRET: &[u8] = b"north";

/// Port of coord and edge.
const HTTP: u16 = 80;

const fn server(number: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, number))
}

/// Servers, agents and visitors.
#[derive(Debug)]
pub struct World<'a> {
    /// The hosts, and the time.
    pub simulation: Simulation<'a>,
    /// The relay, for its line.
    pub relay: HostId,
    sides: u8,
    tap: Option<Tap>,
}

/// An agent's host.
#[derive(Debug, Clone)]
pub struct AgentHost {
    /// For its line, its clock and its addresses.
    pub host: HostId,
    /// By which the simulation crashes and restarts it.
    pub address: IpAddr,
    /// Where its app is.
    pub label: HostLabel,
    /// Who it is.
    pub peer_id: PeerId,
    running: Rc<Running>,
}

/// The agent's program, as it runs now.
#[derive(Debug, Default)]
struct Running {
    status: RefCell<LinkStatus>,
    stop: RefCell<CancellationToken>,
}

impl AgentHost {
    /// How it stands with coord.
    #[must_use]
    pub fn status(&self) -> LinkStatus {
        self.running.status.borrow().clone()
    }

    /// Tells the agent to stop, as its user would; it ends when its visitors are done, or soon.
    pub fn stop(&self) {
        self.running.stop.borrow().cancel();
    }
}

impl World<'_> {
    /// A world with servers only. `seed` decides everything that is random in it, but for what a
    /// DTLS handshake agrees on.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::build(seed, None)
    }

    /// The same, with somebody who listens to its agents and to coord.
    #[must_use]
    pub fn with_tap(seed: u64, tap: Tap) -> Self {
        Self::build(seed, Some(tap))
    }

    fn build(seed: u64, tap: Option<Tap>) -> Self {
        let mut simulation = Simulation::new(seed);
        let stun = STUN.into_iter().flat_map(public).collect();
        simulation.host("stun", stun, |network| async {
            Ok(stun::serve(network, STUN).await?)
        });
        let relay = simulation.host("relay", public(RELAY), |network| {
            let config = RelayConfig {
                address: RELAY,
                secret: SECRET.to_vec(),
            };
            async { Ok(relay::serve(network, config).await?) }
        });
        let listening = tap.clone();
        simulation.host("coord", public(COORD), move |network| {
            coord(network, listening.clone())
        });
        simulation.host("edge", public(EDGE), edge);
        Self {
            simulation,
            relay,
            sides: 0,
            tap,
        }
    }

    /// Adds an agent, which registers by itself.
    pub fn agent(&mut self, name: &str, side: &Side) -> AgentHost {
        let interface = self.place(side);
        self.agent_at(name, interface)
    }

    /// Adds an agent at a place.
    pub fn agent_at(&mut self, name: &str, interface: Interface) -> AgentHost {
        self.agent_with(name, interface, DEMO)
    }

    /// Adds an agent with apps of its own.
    pub fn agent_with(&mut self, name: &str, interface: Interface, exposed: Exposed) -> AgentHost {
        let mut seed = [0; 32];
        seed.iter_mut()
            .zip(name.bytes())
            .for_each(|(seed, byte)| *seed = byte);
        let key = IdentityKey::from_seed(seed);
        let peer_id = key.peer_id();
        let running = Rc::<Running>::default();
        let (key, run) = (Arc::new(key), Rc::clone(&running));
        let tap = self.tap.clone();
        let interfaces = vec![interface];
        let host = self.simulation.host(name, interfaces, move |network| {
            let (key, run) = (Arc::clone(&key), Rc::clone(&run));
            agent(network, tap.clone(), key, exposed, run)
        });
        let alias = Alias::candidate(&peer_id, 0);
        let labels = exposed.apps.iter();
        let labels = labels.map(|app| HostLabel::new(app_name(app), alias.clone()));
        let labels: Vec<HostLabel> = labels.collect();
        let mut internet = self.simulation.internet().lock();
        for label in &labels {
            internet.add_name(&format!("{label}.{PARENT}"), EDGE);
        }
        AgentHost {
            host,
            address: interface.address,
            label: labels[0].clone(),
            peer_id,
            running,
        }
    }

    /// Adds a visitor's host, which runs `program`.
    pub fn visitor<P, F>(&mut self, name: &str, side: &Side, program: P) -> HostId
    where
        P: Fn(HostNetwork) -> F + 'static,
        F: Future<Output = Result<(), Failure>> + 'static,
    {
        let interface = self.place(side);
        self.simulation.host(name, vec![interface], program)
    }

    /// Builds the boxes of a side, and returns the place behind them.
    pub fn place(&mut self, side: &Side) -> Interface {
        self.sides += 1;
        side.build(&mut self.simulation.internet().lock(), self.sides)
    }

    /// Cuts a host off from everybody, UDP and TCP, or ends that.
    pub fn cut(&mut self, host: HostId, address: IpAddr, down: bool) {
        let mut internet = self.simulation.internet().lock();
        let line = internet.line(host);
        internet.set_line(host, Line { down, ..line });
        drop(internet);
        for server in [RELAY, COORD, EDGE] {
            if down {
                self.simulation.hold(address, server);
            } else {
                self.simulation.release(address, server);
            }
        }
    }

    /// Lets time pass until every agent's app can be visited.
    ///
    /// # Errors
    /// When that takes more than 10 s.
    pub fn registered(&mut self, agents: &[&AgentHost]) -> Result<(), Failure> {
        let ready = |agent: &&AgentHost| !agent.status().accepted.is_empty();
        let limit = Duration::from_secs(10);
        if self
            .simulation
            .run_until(limit, || agents.iter().all(ready))?
        {
            Ok(())
        } else {
            Err("an agent does not register".into())
        }
    }
}

fn app_name(name: &str) -> AppName {
    AppName::parse(name).unwrap_or_else(|_| unreachable!("it is a name"))
}

/// A WebRTC stack on a host, which somebody may listen to, with the network for signaling.
///
/// # Errors
/// When the host has no address.
pub fn stack(
    network: &HostNetwork,
    tap: Option<&Tap>,
    of: Party,
) -> io::Result<Arc<dyn PeerTransport>> {
    let hub = Hub::bind_on(Arc::new(network.clone()), HubConfig::default())?;
    let endpoint = Endpoint::on(hub, LANES);
    Ok(match tap {
        Some(tap) => {
            let network = tap.network(network.clone(), of);
            tap.transport(endpoint, Arc::new(network))
        }
        None => Arc::new(endpoint),
    })
}

async fn coord(network: HostNetwork, tap: Option<Tap>) -> Result<(), Failure> {
    let tcp = TcpListener::bind(("0.0.0.0", HTTP)).await?;
    let listener = Listener { tcp, tap };
    let public = PublicAddress {
        scheme: "http".into(),
        parent: PARENT.into(),
        port: None,
    };
    let mut config = p2claw_coord::Config::new("coord", public);
    config.stun = vec!["stun:stun".to_owned()];
    config.relay = Some(CoordRelay {
        urls: ["udp", "tcp"]
            .map(|transport| format!("turn:relay?transport={transport}"))
            .to_vec(),
        secret: SECRET.to_vec(),
    });
    let clock = network.clone();
    config.clock = WallClock::new(move || clock.unix_millis());
    config.random = RandomSource::new(move |bytes| network.fill_random(bytes));
    p2claw_coord::run(listener, config, CancellationToken::new()).await?;
    Ok(())
}

async fn edge(network: HostNetwork) -> Result<(), Failure> {
    let tcp = TcpListener::bind(("0.0.0.0", HTTP)).await?;
    let listener = Listener { tcp, tap: None };
    let mut config = p2claw_edge::Config::new("http://coord".parse()?, PARENT);
    config.dial = p2claw_edge::Dial::new(move |_| {
        let connecting = network.connect_tcp((COORD, HTTP).into());
        Box::pin(async move { Ok(Box::new(connecting.await?) as Box<dyn p2claw_edge::ByteStream>) })
    });
    p2claw_edge::run(listener, config, CancellationToken::new()).await?;
    Ok(())
}

async fn agent(
    network: HostNetwork,
    tap: Option<Tap>,
    key: Arc<IdentityKey>,
    exposed: Exposed,
    running: Rc<Running>,
) -> Result<(), Failure> {
    let transport = stack(&network, tap.as_ref(), Party::Agent)?;
    let network: Arc<dyn Network> = Arc::new(network);
    let routes = Routes::load_on(Arc::clone(&network), None)?;
    for app in exposed.apps {
        let entry = RouteEntry {
            upstream: app::PORT.to_string().parse()?,
            preserve_host: false,
        };
        routes.expose(app_name(app), entry)?;
    }
    let agent = Agent {
        key,
        routes: Arc::new(routes),
        transport,
        coord: "http://coord".to_owned(),
        software: "simulation".to_owned(),
        api: None,
    };
    let (status, mut watched) = watch::channel(LinkStatus::default());
    let show = async {
        loop {
            running.status.replace(watched.borrow_and_update().clone());
            if watched.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    };
    let stop = CancellationToken::new();
    running.stop.replace(stop.clone());
    tokio::select! {
        biased;
        ended = agent.run(status, stop) => Ok(ended?),
        served = (exposed.serve)() => Ok(served?),
        () = show => Ok(()),
    }
}

/// A listener of the simulated network.
struct Listener {
    tcp: TcpListener,
    /// Of coord's, where somebody listens.
    tap: Option<Tap>,
}

impl Listener {
    async fn next(&self) -> io::Result<Overheard<TcpStream>> {
        let (stream, _) = self.tcp.accept().await?;
        Ok(match &self.tap {
            Some(tap) => tap.accepted(stream),
            None => Overheard::by_nobody(stream),
        })
    }
}

impl p2claw_coord::Listener for Listener {
    type Stream = Overheard<TcpStream>;

    async fn accept(&self) -> io::Result<Self::Stream> {
        self.next().await
    }
}

impl p2claw_edge::Listener for Listener {
    type Stream = Overheard<TcpStream>;

    async fn accept(&self) -> io::Result<Self::Stream> {
        self.next().await
    }
}
