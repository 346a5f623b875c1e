//! A visitor who downloads, and what he noticed.

use std::{
    cell::{Cell, RefCell},
    net::IpAddr,
    rc::Rc,
    time::Duration,
};

use p2claw_agent::transport::Path;
use p2claw_simulation::{
    clock,
    internet::{HostId, Interface},
    logs,
    nat::{Behaviour, NatConfig},
    side::Side,
    visitor::{Guest, fetch},
    world::{AgentHost, World},
};
use tokio::time::sleep;

/// Between two attempts.
const PAUSE: Duration = Duration::from_secs(1);

/// The usual box at home: one mapping for all, and a strict filter.
pub(crate) const HOME: Side = Side::Nat(NatConfig::new(
    Behaviour::EndpointIndependent,
    Behaviour::AddressAndPortDependent,
));
/// A box behind which nobody is reached but by a relay.
pub(crate) const SYMMETRIC: Side = Side::Nat(NatConfig::new(
    Behaviour::AddressAndPortDependent,
    Behaviour::AddressAndPortDependent,
));

/// One visit with one download.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    /// When the session was open.
    pub(crate) opened: Option<Duration>,
    /// Bytes of a whole body, or what went wrong.
    pub(crate) result: Result<usize, String>,
    /// The last path.
    pub(crate) path: Option<Path>,
}

/// What a visitor has noticed so far.
#[derive(Debug, Default)]
pub(crate) struct Diary {
    /// Bytes of the present body.
    pub(crate) received: Cell<usize>,
    /// When the present session was open.
    pub(crate) opened: Cell<Option<Duration>>,
    pub(crate) attempts: RefCell<Vec<Attempt>>,
}

impl Diary {
    pub(crate) fn is_whole(&self) -> bool {
        let attempts = self.attempts.borrow();
        attempts
            .last()
            .is_some_and(|attempt| attempt.result.is_ok())
    }

    /// The only attempt, which went well.
    pub(crate) fn only(&self) -> Attempt {
        let attempts = self.attempts.borrow();
        assert_eq!(attempts.len(), 1, "{attempts:?}");
        let attempt = attempts[0].clone();
        assert!(attempt.result.is_ok(), "{attempt:?}");
        attempt
    }
}

/// A visitor's host.
#[derive(Debug, Clone)]
pub(crate) struct Downloader {
    pub(crate) host: HostId,
    /// By which the simulation cuts it off.
    pub(crate) address: IpAddr,
    pub(crate) diary: Rc<Diary>,
}

/// Adds a visitor who fetches `path`, again and again until the body is whole.
pub(crate) fn downloader(
    world: &mut World<'_>,
    side: &Side,
    agent: &AgentHost,
    path: &'static str,
) -> Downloader {
    let place = world.place(side);
    downloader_at(world, place, agent, path)
}

/// The same at a place.
pub(crate) fn downloader_at(
    world: &mut World<'_>,
    place: Interface,
    agent: &AgentHost,
    path: &'static str,
) -> Downloader {
    let diary = Rc::new(Diary::default());
    let (noted, agent) = (Rc::clone(&diary), agent.clone());
    let host = world
        .simulation
        .host("visitor", vec![place], move |network| {
            let (diary, agent) = (Rc::clone(&noted), agent.clone());
            async move {
                let guest = Guest::new(&network, &agent)?;
                while !diary.is_whole() {
                    let attempt = attempt(&guest, path, &diary).await;
                    diary.attempts.borrow_mut().push(attempt);
                    sleep(PAUSE).await;
                }
                Ok(())
            }
        });
    let address = place.address;
    Downloader {
        host,
        address,
        diary,
    }
}

async fn attempt(guest: &Guest, path: &str, diary: &Diary) -> Attempt {
    diary.received.set(0);
    diary.opened.set(None);
    let mut last = None;
    let download = async {
        let visit = guest.visit().await?;
        diary.opened.set(Some(clock::elapsed()));
        let fetched = fetch(&visit, path, |received| diary.received.set(received)).await;
        last = visit.path();
        visit.close().await;
        fetched
    };
    let result = download.await.map_err(|error| error.to_string());
    Attempt {
        opened: diary.opened.get(),
        result,
        path: last,
    }
}

/// A world with an agent that has registered.
pub(crate) fn world_with_agent(seed: u64, side: &Side) -> (World<'static>, AgentHost) {
    logs::print();
    let mut world = World::new(seed);
    let agent = world.agent("agent", side);
    world.registered(&[&agent]).unwrap();
    (world, agent)
}

/// Lets time pass until `done`, for `limit` at most.
pub(crate) fn wait(world: &mut World<'_>, limit: u64, what: &str, done: impl FnMut() -> bool) {
    let limit = Duration::from_secs(limit);
    let came = world.simulation.run_until(limit, done).unwrap();
    assert!(came, "{what}: not within {limit:?}");
}

/// Lets so much time pass.
pub(crate) fn pass(world: &mut World<'_>, time: Duration) {
    world.simulation.run_until(time, || false).unwrap();
}

/// Moves a host behind a box of its own elsewhere; what it had before is gone.
pub(crate) fn move_to(world: &mut World<'_>, host: HostId, side: &Side) {
    let place = world.place(side);
    let mut internet = world.simulation.internet().lock();
    internet.move_host(host, vec![place]);
}
