//! This machine's addresses, and the size of the packets that leave it.

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket},
    path::Path,
};

use serde_json::json;

use super::report::{Check, Group};

/// What every link of IPv6 carries (RFC 8200 section 5), and what WebRTC stacks count on.
const MTU_MIN: u32 = 1_280;

/// Addresses that nobody has (RFC 5737, RFC 3849): the way to them is the way to the internet.
/// Nothing is ever sent there.
const ANYWHERE: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 9),
    SocketAddr::new(
        IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
        9,
    ),
];

/// An interface that packets for the internet leave by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) interface: String,
    /// Bytes; `None` where the system does not tell.
    pub(crate) mtu: Option<u32>,
}

pub(crate) fn examine() -> Vec<Check> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let mut checks = vec![addresses(interfaces.iter().map(if_addrs::Interface::ip))];
    let mut ways: Vec<Way> = Vec::new();
    for source in ANYWHERE.into_iter().filter_map(source_for) {
        let interface = interfaces.iter().find(|one| one.ip() == source);
        if let Some(interface) = interface
            && !ways.iter().any(|way| way.interface == interface.name)
        {
            ways.push(Way {
                interface: interface.name.clone(),
                mtu: mtu_of(&interface.name),
            });
        }
    }
    checks.extend(ways.iter().filter_map(mtu));
    checks
}

/// The address that packets to there would have. Connecting a UDP socket sends nothing.
fn source_for(target: SocketAddr) -> Option<IpAddr> {
    let any: SocketAddr = match target {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect(target).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// As Linux tells it.
fn mtu_of(interface: &str) -> Option<u32> {
    let file = Path::new("/sys/class/net").join(interface).join("mtu");
    std::fs::read_to_string(file).ok()?.trim().parse().ok()
}

fn addresses(all: impl Iterator<Item = IpAddr>) -> Check {
    let all: Vec<IpAddr> = all.filter(|ip| is_useful(*ip)).collect();
    let of = |v4: bool| {
        let ips = all.iter().filter(|ip| ip.is_ipv4() == v4);
        let mut ips: Vec<String> = ips.map(ToString::to_string).collect();
        ips.sort();
        ips.dedup();
        ips
    };
    let (v4, v6) = (of(true), of(false));
    let list = |family: &str, ips: &[String]| match ips {
        [] => format!("no {family}"),
        ips => format!("{family} {}", ips.join(", ")),
    };
    let check = if all.is_empty() {
        Check::warning(
            Group::Machine,
            "addresses",
            "there is no network: only visitors on this machine get through",
            "connect it to a network",
        )
    } else {
        let summary = format!("{}; {}", list("IPv4", &v4), list("IPv6", &v6));
        Check::ok(Group::Machine, "addresses", summary)
    };
    check.with(json!({ "ipv4": v4, "ipv6": v6 }))
}

/// What another machine could know.
fn is_useful(ip: IpAddr) -> bool {
    !ip.is_loopback()
        && match ip {
            IpAddr::V4(ip) => !ip.is_link_local(),
            IpAddr::V6(ip) => !ip.is_unicast_link_local(),
        }
}

fn mtu(way: &Way) -> Option<Check> {
    let mtu = way.mtu?;
    let name = &way.interface;
    let check = if mtu < MTU_MIN {
        Check::warning(
            Group::Machine,
            "mtu",
            format!("packets of {name} have at most {mtu} bytes, less than the {MTU_MIN} of IPv6"),
            "larger ones are cut or lost, and pages may stall: raise the MTU of the tunnel, if it \
             is one",
        )
    } else {
        let summary = format!("packets of {name} may have {mtu} bytes");
        Check::ok(Group::Machine, "mtu", summary)
    };
    Some(check.with(json!({ "interface": name, "mtu": mtu })))
}

/// Whether a UDP port can be had, which no running agent of this folder has.
pub(crate) fn udp_port(port: u16) -> Check {
    let any: [SocketAddr; 2] = [
        (Ipv4Addr::UNSPECIFIED, port).into(),
        (Ipv6Addr::UNSPECIFIED, port).into(),
    ];
    // The two of one port may be one socket.
    let bound = any.map(|address| UdpSocket::bind(address).map(drop));
    judge("udp port", &format!("UDP port {port}"), bound.into_iter())
}

/// Whether a service could listen there.
pub(crate) fn listen(address: SocketAddr) -> Check {
    let bound = TcpListener::bind(address).map(drop);
    judge("port", &format!("TCP {address}"), [bound].into_iter())
}

fn judge(name: &str, what: &str, bound: impl Iterator<Item = io::Result<()>>) -> Check {
    for error in bound.filter_map(Result::err) {
        let (problem, advice) = if error.kind() == ErrorKind::AddrInUse {
            ("another program has it", "stop that one, or choose another")
        } else if error.kind() == ErrorKind::PermissionDenied {
            (
                "this user may not have it",
                "choose one from 1024 on, or give the program the right (CAP_NET_BIND_SERVICE)",
            )
        } else if name == "udp port" {
            // A machine without IPv6, for instance.
            continue;
        } else {
            ("this machine has no such address", "choose one of its own")
        };
        let summary = format!("{what} cannot be used: {problem}");
        return Check::failed(Group::Machine, name, summary, advice);
    }
    Check::ok(Group::Machine, name, format!("{what} is free"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::report::Verdict;

    #[test]
    fn a_small_mtu_is_a_warning() {
        for (bytes, verdict) in [(1_200, Verdict::Warning), (1_280, Verdict::Ok)] {
            let way = Way {
                interface: "tun0".to_owned(),
                mtu: Some(bytes),
            };
            assert_eq!(mtu(&way).map(|check| check.verdict), Some(verdict));
        }
    }

    #[test]
    fn addresses_of_this_machine_alone_do_not_count() {
        let verdict = |ips: &[&str]| {
            let ips = ips.iter().filter_map(|ip| ip.parse().ok());
            addresses(ips).verdict
        };
        assert_eq!(verdict(&["127.0.0.1", "::1", "fe80::1"]), Verdict::Warning);
        assert_eq!(verdict(&["127.0.0.1", "10.0.0.7"]), Verdict::Ok);
    }

    #[test]
    fn a_taken_port_is_seen() -> io::Result<()> {
        let taken = UdpSocket::bind("0.0.0.0:0")?;
        let port = taken.local_addr()?.port();
        assert_eq!(udp_port(port).verdict, Verdict::Failed);
        assert_eq!(udp_port(0).verdict, Verdict::Ok);
        let taken = TcpListener::bind("127.0.0.1:0")?;
        assert_eq!(listen(taken.local_addr()?).verdict, Verdict::Failed);
        assert_eq!(
            listen("192.0.2.1:0".parse().unwrap_or(ANYWHERE[0])).verdict,
            Verdict::Failed
        );
        Ok(())
    }
}
