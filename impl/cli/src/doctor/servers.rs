//! The STUN and TURN servers that coord names: does each do its work from here.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use futures_util::future::{join, join_all};
use p2claw_network::{
    Network, RelayTransport, Server,
    allocation::{self, Allocation, AllocationError},
    behaviour::{Behaviour, Lifetime, Nat, discover, mapping_lifetime},
};
use p2claw_proto::v1::IceServer;
use serde_json::json;
use tokio::time::timeout;
use tokio_rustls::rustls::ClientConfig;

use super::{
    dial::in_words,
    in_millis, millis_json,
    report::{Check, Group},
};

/// For the names of all servers, asked at the same time.
const NAMES_DEADLINE: Duration = Duration::from_secs(1);

/// Servers that are tried; an agent uses no more.
const MAX_SERVERS: usize = 16;

/// A server to try.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) server: Server,
    /// When its credential ends, Unix seconds; 0 for none.
    pub(crate) expires_at: i64,
}

/// What was found of all of them.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) checks: Vec<Check>,
    /// How the way to them behaves, IPv4 and IPv6; `None` where no server has such an address.
    pub(crate) ipv4: Option<Behaviour>,
    pub(crate) ipv6: Option<Behaviour>,
    pub(crate) relays: Relays,
    /// How long a silent mapping of IPv4 lives, where it was asked for and can be told.
    pub(crate) lifetime: Option<Lifetime>,
}

impl Found {
    /// What lies on the way, for each family in which a server has answered; IPv4 first.
    pub(crate) fn nats(&self) -> impl Iterator<Item = Nat> {
        let families = [&self.ipv4, &self.ipv6].into_iter().flatten();
        families.filter_map(|family| family.nat)
    }
}

/// The relays that work from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Relays {
    /// Coord names some.
    pub(crate) named: bool,
    pub(crate) over_udp: bool,
    /// Over TCP or TLS: these pass where UDP does not.
    pub(crate) over_tcp: bool,
}

impl Relays {
    pub(crate) const fn any(self) -> bool {
        self.over_udp || self.over_tcp
    }
}

/// Everything of coord's list that can be used, and a warning for what cannot.
pub(crate) fn read(list: &[IceServer], more: &[String]) -> (Vec<Named>, Vec<Check>) {
    let (mut named, mut checks): (Vec<Named>, Vec<Check>) = (Vec::new(), Vec::new());
    let urls = list.iter().flat_map(|server| {
        let credential = (&*server.username, &*server.credential, server.expires_at);
        server.urls.iter().map(move |url| (&**url, credential))
    });
    let more = more.iter().map(|url| (&**url, ("", "", 0)));
    for (url, (username, credential, expires_at)) in urls.chain(more) {
        match Server::parse(url, username, credential) {
            Ok(server) if named.len() < MAX_SERVERS => {
                if named.iter().all(|one| one.server != server) {
                    named.push(Named { server, expires_at });
                }
            }
            Ok(_) => {}
            Err(error) => {
                let summary = format!("agents leave it aside: they fail to {error}");
                let advice = "its operator should give coord one that agents can use";
                let name = super::clean(url);
                checks.push(Check::warning(Group::Servers, name, summary, advice));
            }
        }
    }
    (named, checks)
}

/// Tries all of them at the same time, in less than 6 s; the lifetime of a mapping takes 2 minutes
/// more.
pub(crate) async fn examine(
    network: &dyn Network,
    named: &[Named],
    tls: &Arc<ClientConfig>,
    now: i64,
    slow: bool,
) -> Found {
    let addresses = addresses(network, named).await;
    let of = |v4: bool| {
        let mut of: Vec<SocketAddr> = Vec::new();
        for address in addresses.iter().flatten() {
            if address.is_ipv4() == v4 && !of.contains(address) {
                of.push(*address);
            }
        }
        of
    };
    let (v4, v6) = (of(true), of(false));
    let turn = named
        .iter()
        .filter(|one| matches!(one.server, Server::Turn { .. }));
    let tries = join_all(turn.map(async |one| {
        let tried = allocation::try_out(network, &one.server, Some(Arc::clone(tls))).await;
        (one, tried)
    }));
    let ((ipv4, ipv6), tried) = join(
        join(behaviour(network, &v4), behaviour(network, &v6)),
        tries,
    )
    .await;
    let lifetime = match &ipv4 {
        Some(behaviour) if slow => lifetime(network, behaviour).await,
        _ => None,
    };
    let mut found = Found {
        checks: Vec::new(),
        ipv4,
        ipv6,
        relays: relays(&tried),
        lifetime,
    };
    for (one, addresses) in named.iter().zip(&addresses) {
        if matches!(one.server, Server::Stun { .. }) {
            let check = stun(&one.server, addresses, &found);
            found.checks.push(check);
        }
    }
    let relays = found.relays;
    let turn = tried.into_iter();
    found
        .checks
        .extend(turn.map(|(one, tried)| allocated(one, tried, now, relays)));
    found
}

/// The addresses of each server that UDP packets go to, in the order of the servers.
async fn addresses(network: &dyn Network, named: &[Named]) -> Vec<Vec<SocketAddr>> {
    let all = named.iter().map(async |one| {
        if let Server::Turn { transport, .. } = &one.server
            && *transport != RelayTransport::Udp
        {
            return Vec::new();
        }
        let (host, port) = one.server.authority();
        let resolved = timeout(NAMES_DEADLINE, network.resolve(host, port)).await;
        let mut resolved = resolved.map_or_else(|_| Vec::new(), Result::unwrap_or_default);
        resolved.retain(|address| network.has_way_to(*address));
        // One of each family, as the agent takes them.
        let v4 = resolved.iter().find(|address| address.is_ipv4());
        let v6 = resolved.iter().find(|address| address.is_ipv6());
        v4.into_iter().chain(v6).copied().collect()
    });
    join_all(all).await
}

async fn behaviour(network: &dyn Network, servers: &[SocketAddr]) -> Option<Behaviour> {
    if servers.is_empty() {
        return None;
    }
    // Without a socket of the family there is nothing to say of it.
    discover(network, servers).await.ok()
}

async fn lifetime(network: &dyn Network, behaviour: &Behaviour) -> Option<Lifetime> {
    let nat = behaviour.nat.filter(|nat| nat.is_translated());
    let server = behaviour.servers.iter().find_map(|(server, reflection)| {
        let reflection = reflection.filter(|one| one.has_other_address);
        reflection.map(|_| *server)
    });
    nat?;
    mapping_lifetime(network, server?).await.ok()
}

type Tried = Result<Allocation, AllocationError>;

fn relays(tried: &[(&Named, Tried)]) -> Relays {
    let works = |udp: bool| {
        tried.iter().any(|(one, tried)| {
            let Server::Turn { transport, .. } = &one.server else {
                return false;
            };
            tried.is_ok() && (*transport == RelayTransport::Udp) == udp
        })
    };
    Relays {
        named: !tried.is_empty(),
        over_udp: works(true),
        over_tcp: works(false),
    }
}

fn stun(server: &Server, addresses: &[SocketAddr], found: &Found) -> Check {
    let name = super::clean(&server.to_string());
    let families = [&found.ipv4, &found.ipv6];
    let asked = families
        .into_iter()
        .flatten()
        .flat_map(|family| &family.servers);
    let answers: Vec<_> = asked
        .filter(|(address, _)| addresses.contains(address))
        .filter_map(|(_, reflection)| *reflection)
        .collect();
    if let Some(first) = answers.first() {
        let more = match first.has_other_address {
            true => ", and tells how NATs behave (RFC 5780)",
            false => "",
        };
        let summary = format!("answers in {}{more}", in_millis(first.round_trip));
        return Check::ok(Group::Servers, name, summary)
            .with(json!({ "round_trip_ms": millis_json(first.round_trip) }));
    }
    let (summary, advice) = if addresses.is_empty() {
        (
            "its name has no address that this machine has a way to",
            "check this machine's DNS, or tell whoever named it",
        )
    } else if found.nats().next().is_some() {
        (
            "does not answer, though UDP passes",
            "it is down: tell whoever named it",
        )
    } else {
        (
            "does not answer",
            "it is down, or a firewall on the way stops UDP",
        )
    };
    Check::warning(Group::Servers, name, summary, advice)
}

fn allocated(one: &Named, tried: Tried, now: i64, relays: Relays) -> Check {
    let name = super::clean(&one.server.to_string());
    let (summary, advice) = match &tried {
        Ok(allocation) => {
            let summary = format!(
                "relays, by an address at {}; answers in {}",
                allocation.relayed.ip(),
                in_millis(allocation.round_trip)
            );
            return Check::ok(Group::Servers, name, summary).with(json!({
                "relayed": allocation.relayed,
                "round_trip_ms": millis_json(allocation.round_trip),
            }));
        }
        Err(AllocationError::Refused) if one.expires_at != 0 && one.expires_at <= now => (
            "refuses the credential, which has expired".to_owned(),
            "the clocks of coord and this machine differ: see above, and set the one that is wrong",
        ),
        Err(AllocationError::Refused) => (
            "refuses the credential that coord gives".to_owned(),
            "its operator should compare the secrets of coord and relay (--relay-secret-file, \
             static-auth-secret), and their clocks",
        ),
        Err(AllocationError::Silent) => (
            "does not answer".to_owned(),
            "it is down, or a firewall on the way stops this kind of packet",
        ),
        Err(AllocationError::Connect(error)) => (
            format!("cannot be reached: {}", in_words(error)),
            "it is down, or a firewall on the way stops it",
        ),
        Err(AllocationError::Name(error)) => (
            format!("its name has no address: {}", in_words(error)),
            "check this machine's DNS, or tell its operator",
        ),
        Err(AllocationError::Tls(error)) => (
            format!("cannot be trusted: {}", in_words(error)),
            "its operator should renew the certificate; check this machine's clock, too",
        ),
        Err(AllocationError::Failed {
            code: 486 | 508, ..
        }) => (
            "has no room for another allocation".to_owned(),
            "try again later, or ask its operator for a larger quota",
        ),
        Err(error @ (AllocationError::Failed { .. } | AllocationError::NoTurn)) => {
            (format!("it fails to {error}"), "tell its operator")
        }
    };
    // One that works is enough.
    let check = match relays.any() {
        true => Check::warning(Group::Servers, name, summary, advice),
        false => Check::failed(Group::Servers, name, summary, advice),
    };
    let error = match tried {
        Ok(_) => "none",
        Err(AllocationError::Refused) if one.expires_at != 0 && one.expires_at <= now => "expired",
        Err(AllocationError::Refused) => "refused",
        Err(AllocationError::Silent | AllocationError::Connect(_)) => "unreachable",
        Err(AllocationError::Name(_)) => "name",
        Err(AllocationError::Tls(_)) => "tls",
        Err(AllocationError::Failed { .. } | AllocationError::NoTurn) => "failed",
    };
    check.with(json!({ "error": error }))
}
