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

use p2claw_agent::{Agent, LinkStatus, RouteEntry, Routes, transport::LANES};
use p2claw_coord::{RelayConfig as CoordRelay, WallClock};
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

/// The app that every agent exposes.
pub const APP: &str = "demo";

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
    /// A world with servers only. `seed` decides everything that is random in it, but for keys.
    #[must_use]
    pub fn new(seed: u64) -> Self {
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
        simulation.host("coord", public(COORD), coord);
        simulation.host("edge", public(EDGE), edge);
        Self {
            simulation,
            relay,
            sides: 0,
        }
    }

    /// Adds an agent, which registers by itself.
    pub fn agent(&mut self, name: &str, side: &Side) -> AgentHost {
        let interface = self.place(side);
        self.agent_at(name, interface)
    }

    /// Adds an agent at a place.
    pub fn agent_at(&mut self, name: &str, interface: Interface) -> AgentHost {
        let mut seed = [0; 32];
        seed.iter_mut()
            .zip(name.bytes())
            .for_each(|(seed, byte)| *seed = byte);
        let key = IdentityKey::from_seed(seed);
        let peer_id = key.peer_id();
        let running = Rc::<Running>::default();
        let (key, run) = (Arc::new(key), Rc::clone(&running));
        let interfaces = vec![interface];
        let host = self.simulation.host(name, interfaces, move |network| {
            agent(network, Arc::clone(&key), Rc::clone(&run))
        });
        let label = HostLabel::new(app_name(), Alias::candidate(&peer_id, 0));
        let name = format!("{label}.{PARENT}");
        let mut internet = self.simulation.internet().lock();
        internet.add_name(&name, EDGE);
        AgentHost {
            host,
            address: interface.address,
            label,
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

fn app_name() -> AppName {
    AppName::parse(APP).unwrap_or_else(|_| unreachable!("it is a name"))
}

/// A WebRTC stack on a host.
///
/// # Errors
/// When the host has no address.
pub fn endpoint(network: &HostNetwork) -> io::Result<Endpoint> {
    let hub = Hub::bind_on(Arc::new(network.clone()), HubConfig::default())?;
    Ok(Endpoint::on(hub, LANES))
}

async fn coord(network: HostNetwork) -> Result<(), Failure> {
    let listener = Listener(TcpListener::bind(("0.0.0.0", HTTP)).await?);
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
    config.clock = WallClock::new(move || network.unix_millis());
    p2claw_coord::run(listener, config, CancellationToken::new()).await?;
    Ok(())
}

async fn edge(network: HostNetwork) -> Result<(), Failure> {
    let listener = Listener(TcpListener::bind(("0.0.0.0", HTTP)).await?);
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
    key: Arc<IdentityKey>,
    running: Rc<Running>,
) -> Result<(), Failure> {
    let endpoint = endpoint(&network)?;
    let network: Arc<dyn Network> = Arc::new(network);
    let routes = Routes::load_on(Arc::clone(&network), None)?;
    let entry = RouteEntry {
        upstream: app::PORT.to_string().parse()?,
        preserve_host: false,
    };
    routes.expose(app_name(), entry)?;
    let agent = Agent {
        key,
        routes: Arc::new(routes),
        transport: Arc::new(endpoint),
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
        served = app::serve() => Ok(served?),
        () = show => Ok(()),
    }
}

/// A listener of the simulated network.
struct Listener(TcpListener);

impl p2claw_coord::Listener for Listener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<TcpStream> {
        Ok(self.0.accept().await?.0)
    }
}

impl p2claw_edge::Listener for Listener {
    type Stream = TcpStream;

    async fn accept(&self) -> io::Result<TcpStream> {
        Ok(self.0.accept().await?.0)
    }
}
