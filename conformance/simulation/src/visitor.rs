//! A visitor's program on a simulated host: p2claw's own library, and no browser.

use std::sync::Arc;

use p2claw_session::{Fields, Request, Target};
use p2claw_visitor::{Address, Visit, Visitor, VisitorConfig, VisitorError};

use crate::{
    app,
    network::HostNetwork,
    simulation::Failure,
    tap::{Party, Tap},
    world::{self, AgentHost, PARENT},
};

/// Somebody who visits one agent's app.
#[derive(Debug, Clone)]
pub struct Guest {
    address: Address,
    visitor: Arc<Visitor>,
}

impl Guest {
    /// A visitor on this host. It knows the agent's key from the link.
    ///
    /// # Errors
    /// When the host has no address.
    pub fn new(network: &HostNetwork, agent: &AgentHost) -> Result<Self, Failure> {
        Self::build(network, agent, None)
    }

    /// The same, with somebody who listens.
    ///
    /// # Errors
    /// When the host has no address.
    pub fn with_tap(network: &HostNetwork, agent: &AgentHost, tap: &Tap) -> Result<Self, Failure> {
        Self::build(network, agent, Some(tap))
    }

    fn build(network: &HostNetwork, agent: &AgentHost, tap: Option<&Tap>) -> Result<Self, Failure> {
        let address = format!("http://{}.{PARENT}/#p={}", agent.label, agent.peer_id);
        let transport = world::stack(network, tap, Party::Visitor)?;
        Ok(Self {
            address: address.parse()?,
            visitor: Visitor::new(VisitorConfig {
                network: transport.network(),
                software: "simulation".to_owned(),
                ..VisitorConfig::new(transport)
            }),
        })
    }

    /// Visits.
    ///
    /// # Errors
    /// When no session comes of it.
    pub async fn visit(&self) -> Result<Visit, VisitorError> {
        self.visitor.visit(&self.address).await
    }
}

/// Fetches a path of the app; `progress` is told of the bytes that have come so far. Returns their
/// number.
///
/// # Errors
/// When the body is not whole, or not the app's.
pub async fn fetch(visit: &Visit, path: &str, progress: impl Fn(usize)) -> Result<usize, Failure> {
    let mut exchange = visit
        .open(Request {
            method: "GET".to_owned(),
            target: Target::parse(path)?,
            fields: Fields::new(),
            end: true,
            protocol: None,
        })
        .await?;
    let head = exchange.head().await?;
    if head.status != 200 {
        return Err(format!("status {}", head.status).into());
    }
    let mut received = 0;
    while let Some(data) = exchange.response.data().await? {
        if data.iter().any(|byte| *byte != app::FILLING) {
            return Err("other bytes than the app's".into());
        }
        received += data.len();
        progress(received);
    }
    Ok(received)
}
