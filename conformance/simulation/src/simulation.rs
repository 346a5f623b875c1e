//! Hosts with programs on them, and the time that passes for all at once.

use std::{future::Future, net::IpAddr, time::Duration};

use turmoil::Sim;

use crate::{
    dtls,
    internet::{HostId, Interface, RealmId},
    network::{HostNetwork, SharedInternet},
};

/// How much time passes between two looks at the network. What takes less than this between two
/// hosts would come too late, so that no line is quicker.
pub const TICK: Duration = Duration::from_millis(5);

/// Why a simulation ended early.
pub type Failure = Box<dyn std::error::Error>;

/// A simulation under way.
///
/// UDP goes by the [`SharedInternet`], TCP by turmoil: its listeners and streams are reached at
/// the first address that a host was added with.
pub struct Simulation<'a> {
    sim: Sim<'a>,
    internet: SharedInternet,
}

impl std::fmt::Debug for Simulation<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulation").finish_non_exhaustive()
    }
}

impl<'a> Simulation<'a> {
    /// One without hosts. `seed` decides everything that is random in it, but for what a DTLS
    /// handshake agrees on.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        // What libraries draw from this source (ICE credentials, for one), and certificates.
        fastrand::seed(seed);
        dtls::install();
        let sim = turmoil::Builder::new()
            .rng_seed(seed)
            .tick_duration(TICK)
            .simulation_duration(Duration::from_secs(3600))
            .min_message_latency(Duration::from_millis(10))
            .max_message_latency(Duration::from_millis(10))
            .tcp_capacity(1024)
            .build();
        Self {
            sim,
            internet: SharedInternet::new(seed),
        }
    }

    /// The network.
    #[must_use]
    pub fn internet(&self) -> &SharedInternet {
        &self.internet
    }

    /// Adds a host. Its program runs until it returns, and again after [`Simulation::restart`].
    pub fn host<P, F>(&mut self, name: &str, interfaces: Vec<Interface>, program: P) -> HostId
    where
        P: Fn(HostNetwork) -> F + 'a,
        F: Future<Output = Result<(), Failure>> + 'static,
    {
        let address = interfaces.first().map(|interface| interface.address);
        let id = self.internet.lock().add_host(name, interfaces);
        let network = self.internet.of(id);
        if let Some(address) = address {
            self.sim.host(address, move || program(network.clone()));
        }
        id
    }

    /// Ends a host's program, without a word to anybody.
    pub fn crash(&mut self, address: IpAddr) {
        self.sim.crash(address);
    }

    /// Starts a host's program again.
    pub fn restart(&mut self, address: IpAddr) {
        self.sim.bounce(address);
    }

    /// Holds up TCP between two hosts; what is sent arrives behind [`Simulation::release`], as it
    /// would once TCP's repeats get through.
    pub fn hold(&self, one: IpAddr, other: IpAddr) {
        self.sim.hold(one, other);
    }

    /// Ends [`Simulation::hold`].
    pub fn release(&self, one: IpAddr, other: IpAddr) {
        self.sim.release(one, other);
    }

    /// Time since the beginning.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.sim.elapsed()
    }

    /// Lets one tick pass.
    ///
    /// # Errors
    /// When a program ended with an error.
    pub fn step(&mut self) -> Result<(), Failure> {
        let until = self.sim.elapsed() + TICK;
        self.internet.lock().advance(until);
        self.sim.step().map(|_| ())
    }

    /// Lets time pass until `done` says so, for `limit` at most. `false`: the limit was reached.
    ///
    /// # Errors
    /// When a program ended with an error.
    pub fn run_until(
        &mut self,
        limit: Duration,
        mut done: impl FnMut() -> bool,
    ) -> Result<bool, Failure> {
        let end = self.sim.elapsed() + limit;
        while self.sim.elapsed() < end {
            if done() {
                return Ok(true);
            }
            self.step()?;
        }
        Ok(done())
    }
}

/// An interface in the public internet.
#[must_use]
pub fn public(address: impl Into<IpAddr>) -> Vec<Interface> {
    vec![Interface {
        realm: RealmId::PUBLIC,
        address: address.into(),
    }]
}
