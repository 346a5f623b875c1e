//! `doctor`: what stands between this machine and its visitors, looked at from here.
//!
//! Each check is a function from what was found to a [`report::Check`]; what it takes to find it
//! out is beside it. Everything has a deadline, and independent things run at the same time.

mod apps;
mod coord;
mod dial;
mod machine;
mod nat;
pub(crate) mod report;
mod servers;
mod state;
#[cfg(test)]
mod tests;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use p2claw_network::Network;

use self::{
    dial::Target,
    report::{Check, Group, Report},
    state::Running,
};
use crate::network::authorities;

/// What is to be looked at.
#[derive(Debug)]
pub(crate) struct Order {
    /// The agent's folder.
    pub(crate) state: PathBuf,
    /// Where else an agent runs, for people.
    pub(crate) hint: String,
    /// Coord's address, where it is not the agent's.
    pub(crate) coord: Option<String>,
    /// Coord's address where nobody names one.
    pub(crate) default_coord: String,
    /// STUN servers beside those that coord names, as URLs.
    pub(crate) stun: Vec<String>,
    /// A UDP port to be had.
    pub(crate) udp_port: Option<u16>,
    /// TCP addresses to be had.
    pub(crate) listen: Vec<SocketAddr>,
    /// Measure what takes minutes.
    pub(crate) slow: bool,
}

/// Looks at everything.
pub(crate) async fn examine(network: &dyn Network, order: &Order) -> Report {
    let mut checks = state::examine(&order.state);
    let (agent, running) = state::ask(&order.state, &order.hint).await;
    checks.push(agent);
    checks.extend(ports(order, running.as_ref()));
    checks.extend(machine::examine());

    let coord = order
        .coord
        .clone()
        .or_else(|| running.as_ref().map(|running| running.status.coord.clone()))
        .unwrap_or_else(|| order.default_coord.clone());
    let routes = running.as_ref().map(|running| running.routes.as_slice());
    let (way, apps) = tokio::join!(way(network, order, &coord, routes), async {
        match routes {
            Some(routes) => apps::examine(routes).await,
            None => Vec::new(),
        }
    });
    checks.extend(way);
    checks.extend(apps);
    Report(checks)
}

/// Coord, the servers that it names, and what they show of the way.
async fn way(
    network: &dyn Network,
    order: &Order,
    coord: &str,
    routes: Option<&[p2claw_agent::RouteStatus]>,
) -> Vec<Check> {
    let tls = authorities();
    let url = routes.and_then(|routes| routes.iter().find_map(|route| route.url.clone()));
    let edge = async {
        match &url {
            Some(url) => Some(coord::examine_edge(network, url, &tls).await),
            None => None,
        }
    };
    let asked = coord::examine(network, coord, &tls);
    let (found, edge) = tokio::join!(asked, edge);
    let mut checks = found.checks;
    let mut named = found.servers;
    if let Some((check, servers)) = edge {
        checks.push(check);
        named = named.or(servers);
    }
    let known = named.is_some();
    let (servers, left_aside) = servers::read(&named.unwrap_or_default(), &order.stun);
    checks.extend(left_aside);
    let local = Target::parse(coord).is_some_and(|target| target.is_local());
    if servers.is_empty() {
        checks.extend(known.then(|| nat::no_servers(local)));
        return checks;
    }
    let found = servers::examine(network, &servers, &tls, unix_millis() / 1_000, order.slow).await;
    checks.extend(found.checks.iter().cloned());
    checks.extend(nat::judge(&found, order.slow));
    checks
}

fn ports(order: &Order, running: Option<&Running>) -> Vec<Check> {
    let has = |port: u16| {
        let udp = running.map_or(&[][..], |running| &running.status.udp);
        let mut udp = udp.iter().filter_map(|one| one.parse::<SocketAddr>().ok());
        udp.any(|one| one.port() == port)
    };
    let udp = order.udp_port.map(|port| match has(port) {
        true => {
            let summary = format!("UDP port {port} is the running agent's");
            Check::ok(Group::Machine, "udp port", summary)
        }
        false => machine::udp_port(port),
    });
    let listen = order.listen.iter().map(|address| machine::listen(*address));
    udp.into_iter().chain(listen).collect()
}

/// This machine's clock.
fn unix_millis() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let millis = since.map_or(0, |since| since.as_millis());
    i64::try_from(millis).unwrap_or(i64::MAX)
}

/// A time for people.
fn in_millis(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1_000.0;
    let digits = if millis < 10.0 { 1 } else { 0 };
    format!("{millis:.digits$} ms")
}

/// A time for programs, in milliseconds, to a microsecond.
fn millis_json(time: Duration) -> f64 {
    (time.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}

/// A stranger's words without what moves cursors (ERR-006).
fn clean(text: &str) -> String {
    text.replace(char::is_control, " ")
}
