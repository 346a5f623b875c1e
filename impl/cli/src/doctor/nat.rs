//! What the NATs mean for visitors.

use std::{net::IpAddr, time::Duration};

use p2claw_network::behaviour::{Behaviour, Filtering, Lifetime, Mapping, Nat};
use serde_json::json;

use super::{
    report::{Check, Group},
    servers::{Found, Relays},
};

/// Below this a mapping is gone before an agent uses it again: STUN servers are asked every 25 s.
const LIFETIME_MIN: Duration = Duration::from_secs(30);

/// Who gets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outlook {
    /// The servers are on this machine: they see nothing of the internet.
    Local,
    /// The servers are in a private network, and so is this machine's address that they see.
    Private,
    /// Everybody whose own network lets UDP out.
    Everybody,
    /// Everybody but those whose NAT has a dependent mapping.
    ButDependent,
    /// As far as can be told, one of the two above.
    MostAtLeast,
    /// Only those whose own NAT lets this one's ports in.
    Few,
    /// What kind of NAT it is cannot be told.
    Unknown,
    /// UDP does not pass.
    Nobody,
}

/// Coord names no server at all.
pub(crate) fn no_servers(local: bool) -> Check {
    if local {
        let summary = "coord is on this machine and names no servers: visitors on this machine and \
                       in its network get through";
        return Check::ok(Group::Nat, "visitors", summary);
    }
    Check::warning(
        Group::Nat,
        "visitors",
        "coord names no STUN and no TURN server: visitors from other networks get through only \
         where this machine has a public address",
        "its operator should give coord --stun and --relay; what the NATs do here can be seen with \
         --stun HOST:PORT",
    )
}

/// Everything that the servers showed.
pub(crate) fn judge(found: &Found, slow: bool) -> Vec<Check> {
    let families = [&found.ipv4, &found.ipv6];
    let asked = families.iter().any(|family| family.is_some());
    let mut checks = Vec::new();
    let outlook = outlook(found);
    if asked {
        checks.push(udp(found));
    }
    let shows = !matches!(outlook, Outlook::Local | Outlook::Nobody);
    let nat = |family: &Option<Behaviour>| family.as_ref().and_then(|one| one.nat);
    if let Some(nat) = nat(&found.ipv4).filter(|_| shows) {
        checks.extend(ipv4(&nat));
        checks.extend(slow.then(|| lifetime(&nat, found.lifetime)));
    }
    if let Some(nat) = nat(&found.ipv6).filter(|_| shows) {
        checks.push(ipv6(&nat));
    }
    checks.push(visitors(outlook, found.relays));
    checks
}

fn outlook(found: &Found) -> Outlook {
    let asked = found.ipv4.is_some() || found.ipv6.is_some();
    let Some(nat) = found.nats().next() else {
        return if asked {
            Outlook::Nobody
        } else {
            Outlook::Unknown
        };
    };
    if nat.mapped.ip().is_loopback() {
        return Outlook::Local;
    }
    if is_private(nat.mapped.ip()) {
        return Outlook::Private;
    }
    match (nat.mapping, nat.filtering) {
        (
            Mapping::None | Mapping::EndpointIndependent,
            Filtering::EndpointIndependent | Filtering::AddressDependent,
        ) => Outlook::Everybody,
        (Mapping::None | Mapping::EndpointIndependent, Filtering::AddressAndPortDependent) => {
            Outlook::ButDependent
        }
        (Mapping::None | Mapping::EndpointIndependent, Filtering::Unknown) => Outlook::MostAtLeast,
        (Mapping::AddressDependent | Mapping::AddressAndPortDependent | Mapping::Dependent, _) => {
            Outlook::Few
        }
        (Mapping::Unknown, _) => Outlook::Unknown,
    }
}

/// Addresses that mean nothing on the internet (RFC 1918, RFC 6598, RFC 4193).
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            ip.is_private() || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(ip) => ip.is_unique_local(),
    }
}

fn udp(found: &Found) -> Check {
    let families = [&found.ipv4, &found.ipv6];
    let all = families
        .into_iter()
        .flatten()
        .flat_map(|family| &family.servers);
    let (count, answers) = all.fold((0, 0), |(count, answers), (_, answer)| {
        (count + 1, answers + usize::from(answer.is_some()))
    });
    let details = json!({ "asked": count, "answered": answers });
    let check = match answers {
        0 => {
            let summary = "no server answers over UDP: it is blocked on the way, or they are down";
            let advice = "let UDP out in the firewall of this machine and of its network";
            Check::warning(Group::Nat, "udp", summary, advice)
        }
        _ => {
            let summary = format!("{answers} of {count} addresses of servers answer over UDP");
            Check::ok(Group::Nat, "udp", summary)
        }
    };
    check.with(details)
}

fn ipv4(nat: &Nat) -> Vec<Check> {
    let (public, local) = (nat.mapped.ip(), nat.local.ip());
    let ok = |name: &str, summary: String| Check::ok(Group::Nat, name, summary);
    let address = match nat.is_translated() {
        true => format!("{public}; a NAT stands between it and {local}"),
        false => format!("{public}, which is this machine's own: there is no NAT"),
    };
    let details = json!({ "public": public, "local": local, "nat": nat.is_translated() });
    let mut checks = vec![ok("address", address).with(details)];
    checks.extend(nat.is_translated().then(|| mapping(nat.mapping)));
    checks.push(filtering(nat.filtering));
    if nat.is_translated() {
        let ports = match nat.preserves_ports {
            true => "preserved: the public port is the one that was chosen here",
            false => "not preserved: the public port is another one than here",
        };
        let details = json!({ "preserved": nat.preserves_ports });
        checks.push(ok("ports", ports.to_owned()).with(details));
    }
    if let Some(comes_back) = nat.hairpinning {
        let hairpinning = match comes_back {
            true => "yes: machines behind this NAT reach each other by its public address, too",
            false => "no: machines behind this NAT reach each other by their local addresses only",
        };
        let details = json!({ "hairpinning": comes_back });
        checks.push(ok("hairpinning", hairpinning.to_owned()).with(details));
    }
    checks
}

fn mapping(mapping: Mapping) -> Check {
    let details = json!({ "mapping": mapping.to_string() });
    let check = match mapping {
        Mapping::None | Mapping::EndpointIndependent => {
            let summary = format!("{mapping}: all visitors see the same public address");
            Check::ok(Group::Nat, "mapping", summary)
        }
        Mapping::AddressDependent | Mapping::AddressAndPortDependent | Mapping::Dependent => {
            Check::warning(
                Group::Nat,
                "mapping",
                format!("{mapping}: each visitor sees another public address than STUN servers do"),
                "a router that follows RFC 4787 (REQ-1) or IPv6 makes direct visits likelier",
            )
        }
        Mapping::Unknown => {
            let summary = format!("{mapping}: it takes two STUN addresses to tell");
            let advice = "name another STUN server with --stun HOST:PORT";
            Check::warning(Group::Nat, "mapping", summary, advice)
        }
    };
    check.with(details)
}

fn filtering(filtering: Filtering) -> Check {
    let meaning = match filtering {
        Filtering::EndpointIndependent => "everybody may send to the public address",
        Filtering::AddressDependent => "only addresses that were sent to may send back",
        Filtering::AddressAndPortDependent => {
            "only addresses and ports that were sent to may send back"
        }
        Filtering::Unknown => "it takes a STUN server with two addresses (RFC 5780) to tell",
    };
    let summary = format!("{filtering}: {meaning}");
    let details = json!({ "filtering": filtering.to_string() });
    Check::ok(Group::Nat, "filtering", summary).with(details)
}

fn lifetime(nat: &Nat, lifetime: Option<Lifetime>) -> Check {
    let name = "lifetime";
    let seconds = |time: Duration| time.as_secs();
    match lifetime {
        _ if !nat.is_translated() => Check::ok(
            Group::Nat,
            name,
            "there is no NAT that could forget anything",
        ),
        Some(Lifetime::AtLeast(longest)) => {
            let longest = seconds(longest);
            let summary = format!("a silent mapping lives for {longest} s and more");
            Check::ok(Group::Nat, name, summary).with(json!({ "at_least_seconds": longest }))
        }
        Some(Lifetime::Between(lived, died)) => {
            let (from, until) = (seconds(lived.unwrap_or_default()), seconds(died));
            let summary = format!("a silent mapping lives for {from} to {until} s");
            let details = json!({ "at_least_seconds": from, "less_than_seconds": until });
            let check = match died > LIFETIME_MIN {
                true => Check::ok(Group::Nat, name, summary),
                false => Check::warning(
                    Group::Nat,
                    name,
                    format!("{summary}, where RFC 4787 asks for 120"),
                    "raise the router's timeout for UDP, or the first packets of visitors may find \
                     no way in",
                ),
            };
            check.with(details)
        }
        Some(Lifetime::Unknown) | None => {
            let summary = "unknown: it takes a STUN server that answers to another port (RFC 5780)";
            Check::ok(Group::Nat, name, summary)
        }
    }
}

fn ipv6(nat: &Nat) -> Check {
    let (public, filtering) = (nat.mapped.ip(), nat.filtering);
    let summary = match nat.is_translated() {
        true => format!("{public}, by a NAT, which is unusual; filtering is {filtering}"),
        false => format!("{public}, without a NAT; filtering is {filtering}"),
    };
    Check::ok(Group::Nat, "ipv6", summary).with(json!({
        "public": public,
        "mapping": nat.mapping.to_string(),
        "filtering": filtering.to_string(),
    }))
}

/// Who gets through directly, who through a relay, and who not at all.
fn visitors(outlook: Outlook, relays: Relays) -> Check {
    let ok = |summary: &str| Check::ok(Group::Nat, "visitors", summary);
    let check = match outlook {
        Outlook::Local => ok(
            "the servers are on this machine, which tells nothing of the way from elsewhere; \
             visitors on this machine get through",
        ),
        Outlook::Private => ok(
            "the servers are in the same private network, which tells nothing of the internet; \
             visitors in that network get through directly",
        ),
        Outlook::Everybody => ok("all get through directly whose own network lets UDP out"),
        Outlook::ButDependent => some(
            relays,
            "nearly all get through directly",
            "those behind a NAT with dependent mapping (\"symmetric\": some companies and mobile \
             networks)",
        ),
        Outlook::MostAtLeast => some(
            relays,
            "most get through directly",
            "perhaps those behind a NAT with dependent mapping (\"symmetric\")",
        ),
        Outlook::Few => some(
            relays,
            "those with a public address or a lenient NAT get through directly",
            "those behind common home routers (address-and-port-dependent filtering)",
        ),
        Outlook::Unknown => some(
            relays,
            "those with a public address get through directly, and perhaps others",
            "the rest",
        ),
        Outlook::Nobody => blocked(relays),
    };
    let works = match outlook {
        Outlook::Nobody => relays.over_tcp,
        Outlook::Local
        | Outlook::Private
        | Outlook::Everybody
        | Outlook::ButDependent
        | Outlook::MostAtLeast
        | Outlook::Few
        | Outlook::Unknown => relays.any(),
    };
    check.with(json!({ "direct": direct(outlook), "relay_works": works }))
}

/// Some get through `direct`ly, and `others` need a relay.
fn some(relays: Relays, direct: &str, others: &str) -> Check {
    if relays.any() {
        let summary = format!("{direct}; {others} go through the relay, which works");
        return Check::ok(Group::Nat, "visitors", summary);
    }
    let summary = format!("{direct}; {others} need a relay, and none works");
    Check::warning(Group::Nat, "visitors", summary, relay_advice(relays))
}

/// UDP does not pass.
fn blocked(relays: Relays) -> Check {
    if relays.over_tcp {
        return Check::warning(
            Group::Nat,
            "visitors",
            "none gets through directly; all go through the relay, over TCP",
            "let UDP out, and visits become quicker and cost the relay nothing",
        );
    }
    Check::failed(
        Group::Nat,
        "visitors",
        "none from another network gets through: UDP does not pass, and no relay works over TCP",
        relay_advice(relays),
    )
}

fn relay_advice(relays: Relays) -> &'static str {
    match relays.named {
        true => "see what is said of the relays above",
        false => "coord's operator should name one (--relay turn:HOST:PORT?transport=tcp)",
    }
}

/// For programs: who gets through directly.
fn direct(outlook: Outlook) -> &'static str {
    match outlook {
        Outlook::Local | Outlook::Private | Outlook::Unknown => "unknown",
        Outlook::Everybody => "all",
        Outlook::ButDependent | Outlook::MostAtLeast => "most",
        Outlook::Few => "some",
        Outlook::Nobody => "none",
    }
}
