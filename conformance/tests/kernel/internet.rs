//! An internet of namespaces: one in the middle, and homes with a router and a host each.
//!
//! ```text
//!   host ──lan── router ──wan── middle ──wan── router ──lan── host
//!                               services
//! ```

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    process::Command,
    time::Duration,
};

use crate::{
    namespace::{Counted, Namespace},
    program::Program,
    router::{self, Firewall, Nat, Router, USUAL_MTU},
    slow_line,
};

/// Of the services, and of the relay, in the middle.
pub(crate) const SERVICES: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1)),
];
pub(crate) const RELAY: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(203, 0, 113, 2)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 2)),
];

/// The STUN server's other one (RFC 5780).
pub(crate) const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 3));

/// Which addresses a home has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
    Both,
}

impl Family {
    pub(crate) fn has(self, address: IpAddr) -> bool {
        match self {
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
            Self::Both => true,
        }
    }
}

/// How a home is connected.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Home {
    pub(crate) nat: Nat,
    pub(crate) firewall: Firewall,
    pub(crate) family: Family,
    /// Of the line to the internet, bytes.
    pub(crate) mtu: u16,
    /// Added each way on that line.
    pub(crate) delay: Duration,
}

impl Home {
    pub(crate) const fn behind(nat: Nat) -> Self {
        Self {
            nat,
            firewall: Firewall::Open,
            family: Family::V4,
            mtu: USUAL_MTU,
            delay: Duration::ZERO,
        }
    }

    pub(crate) const fn firewall(self, firewall: Firewall) -> Self {
        Self { firewall, ..self }
    }

    pub(crate) const fn family(self, family: Family) -> Self {
        Self { family, ..self }
    }

    pub(crate) const fn mtu(self, mtu: u16) -> Self {
        Self { mtu, ..self }
    }

    pub(crate) const fn delay(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }
}

/// What makes a home special, in words.
impl fmt::Display for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.family == Family::V6 {
            f.write_str("a firewall, IPv6 only")?;
        } else {
            f.write_str(match self.nat {
                Nat::None => "no NAT",
                Nat::FullCone => "a full cone NAT",
                Nat::Cone => "a cone NAT",
                Nat::Symmetric => "a symmetric NAT",
            })?;
        }
        if self.family == Family::Both {
            f.write_str(", a firewall for IPv6")?;
        }
        f.write_str(match self.firewall {
            Firewall::Open => "",
            Firewall::NoUdp => ", UDP blocked",
            Firewall::TlsOnly => ", TLS only",
        })?;
        if self.mtu != USUAL_MTU {
            write!(f, ", MTU {}", self.mtu)?;
        }
        if !self.delay.is_zero() {
            write!(f, ", {} ms each way", self.delay.as_millis())?;
        }
        Ok(())
    }
}

/// A TURN and STUN server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relay {
    Coturn,
    /// `p2claw relay`.
    Own,
}

/// What is in the middle.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Middle {
    pub(crate) relay: Relay,
    /// Of UDP packets from home to home, each way.
    pub(crate) loss_percent: u8,
    /// Whether anybody is told that a packet was too big.
    pub(crate) tells_size: bool,
}

impl Default for Middle {
    fn default() -> Self {
        Self {
            relay: Relay::Coturn,
            loss_percent: 0,
            tells_size: true,
        }
    }
}

/// The namespaces, with the lines between them.
#[derive(Debug)]
pub(crate) struct Internet {
    run: String,
    settings: Middle,
    lines: Vec<Program>,
    pub(crate) middle: Namespace,
    routers: Vec<(Namespace, Home)>,
    hosts: Vec<Namespace>,
}

/// One of the hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HostId(usize);

/// One of the routers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RouterId(usize);

const FORWARDING: [&str; 6] = [
    "ipv4/ip_forward=1",
    "ipv6/conf/all/forwarding=1",
    "ipv4/conf/all/rp_filter=0",
    "ipv4/conf/default/rp_filter=0",
    // Addresses are to be had at once.
    "ipv6/conf/all/accept_dad=0",
    "ipv6/conf/default/accept_dad=0",
];

impl Internet {
    pub(crate) fn new(run: &str, settings: Middle) -> Self {
        let middle = Namespace::create(run, "middle").unwrap();
        middle.set(&FORWARDING);
        for address in SERVICES.into_iter().chain(RELAY).chain([OTHER]) {
            middle
                .ip(&format!("address add {address}/{} dev lo\n", bits(address)))
                .unwrap();
        }
        middle
            .nft(&router::internet(
                settings.loss_percent,
                settings.tells_size,
            ))
            .unwrap();
        // What is for nobody vanishes, as on the internet: an error would end allocations of coturn.
        let nowhere = "link add nowhere arp off type veth peer name void\n\
                       link set nowhere up\nlink set void up\n\
                       route add default dev nowhere\nroute add ::/0 dev nowhere\n";
        middle.ip(nowhere).unwrap();
        Self {
            run: run.to_owned(),
            settings,
            lines: Vec::new(),
            middle,
            routers: Vec::new(),
            hosts: Vec::new(),
        }
    }

    pub(crate) fn host(&self, host: HostId) -> &Namespace {
        &self.hosts[host.0]
    }

    /// The home that the router belongs to.
    pub(crate) fn home(&self, router: RouterId) -> Home {
        self.routers[router.0].1
    }

    /// A new host behind a new router.
    pub(crate) fn settle(&mut self, home: Home) -> (HostId, RouterId) {
        let number = self.hosts.len();
        let host = Namespace::create(&self.run, &format!("host{number}")).unwrap();
        host.set(&FORWARDING[4..]);
        self.hosts.push(host);
        let host = HostId(number);
        let router = self.another_way(host, home);
        self.plug(host, router);
        (host, router)
    }

    /// One more router for a host, whose cable is not plugged in yet.
    pub(crate) fn another_way(&mut self, host: HostId, home: Home) -> RouterId {
        let number = self.routers.len();
        let router = Namespace::create(&self.run, &format!("router{number}")).unwrap();
        router.set(&FORWARDING);
        let place = Place(number);
        self.line(&router, place, home);
        router
            .ip(&format!(
                "link add lan type veth peer name {} netns {}\nlink set lan up\n",
                place.cable(),
                self.host(host).name(),
            ))
            .unwrap();
        for address in place.gateway(home) {
            router
                .ip(&format!("address add {address} dev lan nodad\n"))
                .unwrap();
        }
        router.nft(&self.rules(place, home)).unwrap();
        self.routers.push((router, home));
        RouterId(number)
    }

    fn rules(&self, place: Place, home: Home) -> String {
        let rules = Router {
            nat: home.nat,
            firewall: home.firewall,
            mtu: home.mtu,
            tells_size: self.settings.tells_size,
            host: &place.host_v4(home.nat).to_string(),
        };
        rules.rules()
    }

    /// Lets everything out from now on.
    pub(crate) fn open(&self, router: RouterId) {
        let (namespace, home) = &self.routers[router.0];
        let rules = self.rules(Place(router.0), home.firewall(Firewall::Open));
        let instead = format!("delete table inet path\ndelete table ip nat\n{rules}");
        namespace.nft(&instead).unwrap();
    }

    /// The line between a router and the middle.
    fn line(&mut self, router: &Namespace, place: Place, home: Home) {
        let site = place.site();
        if home.delay.is_zero() {
            router
                .ip(&format!(
                    "link add wan type veth peer name {site} netns {}\n",
                    self.middle.name()
                ))
                .unwrap();
        } else {
            let line = slow_line::start(&self.middle, [&site, &place.far_end()], home.delay);
            self.lines.push(line);
            self.middle
                .ip(&format!(
                    "link set {} netns {} name wan\n",
                    place.far_end(),
                    router.name()
                ))
                .unwrap();
        }
        let mtu = home.mtu;
        let [services, _] = SERVICES;
        let wan = place.wan();
        let mut middle = format!(
            "link set {site} mtu {mtu} up\naddress add {services}/32 dev {site}\n\
             route add {wan}/32 dev {site}\n"
        );
        let mut outside = format!(
            "link set wan mtu {mtu} up\naddress add {wan}/32 dev wan\n\
             route add default via {services} dev wan onlink\n"
        );
        if home.nat == Nat::None {
            middle.push_str(&format!(
                "route add {} via {wan} dev {site} onlink\n",
                place.public_net()
            ));
        }
        if home.family != Family::V4 {
            middle.push_str(&format!(
                "address add fe80::1/64 dev {site} nodad\nroute add {} via fe80::2 dev {site}\n",
                place.net_v6()
            ));
            outside.push_str(
                "address add fe80::2/64 dev wan nodad\nroute add default via fe80::1 dev wan\n",
            );
        }
        self.middle.ip(&middle).unwrap();
        router.ip(&outside).unwrap();
    }

    /// Gives the host an address behind that router.
    pub(crate) fn plug(&self, host: HostId, router: RouterId) {
        let (place, home) = (Place(router.0), self.home(router));
        let cable = place.cable();
        let mut batch = format!("link set {cable} up\n");
        if home.family != Family::V6 {
            let (address, gateway) = (place.host_v4(home.nat), place.gateway_v4(home.nat));
            batch.push_str(&format!(
                "address add {address}/{} dev {cable}\nroute add default via {gateway}\n",
                prefix(home.nat)
            ));
        }
        if home.family != Family::V4 {
            batch.push_str(&format!(
                "address add {}/64 dev {cable} nodad\nroute add default via {}\n",
                place.v6(2),
                place.v6(1)
            ));
        }
        self.host(host).ip(&batch).unwrap();
    }

    /// Takes them away.
    pub(crate) fn unplug(&self, host: HostId, router: RouterId) {
        let cable = Place(router.0).cable();
        self.host(host)
            .ip(&format!(
                "address flush dev {cable}\nlink set {cable} down\n"
            ))
            .unwrap();
    }

    /// No more than this passes on the way to a home.
    pub(crate) fn limit(&self, router: RouterId, megabits: u32) {
        let (site, rate) = (Place(router.0).site(), format!("{megabits}mbit"));
        let words = ["qdisc", "add", "dev", &site, "root", "tbf", "rate", &rate];
        let queue = ["burst", "32kb", "latency", "100ms"];
        self.middle.run("tc", &[&words[..], &queue].concat());
    }

    /// Bytes that have come to a host from that router.
    pub(crate) fn received(&self, host: HostId, router: RouterId) -> u64 {
        let cable = Place(router.0).cable();
        let count = format!("/sys/class/net/{cable}/statistics/rx_bytes");
        self.host(host)
            .run("cat", &[&count])
            .trim()
            .parse()
            .unwrap()
    }

    /// UDP that has gone from home to home, without a relay.
    pub(crate) fn direct(&self) -> Counted {
        self.middle.counter("direct")
    }

    /// IP fragments, wherever they were seen.
    pub(crate) fn fragments(&self) -> u64 {
        let routers = self.routers.iter().map(|(router, _)| router);
        let everywhere = routers.chain([&self.middle]);
        everywhere
            .map(|namespace| namespace.counter("fragments").packets)
            .sum()
    }

    /// A program of this test on a host.
    pub(crate) fn part(&self, host: HostId, words: &[&str]) -> Command {
        part(self.host(host), words)
    }
}

/// This test's own program, in one of its other roles.
pub(crate) fn part(namespace: &Namespace, words: &[&str]) -> Command {
    let mut command = namespace.command(std::env::current_exe().unwrap());
    command.arg(crate::PART).args(words);
    command
}

fn bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// Of the network at home.
fn prefix(nat: Nat) -> u8 {
    match nat {
        Nat::None => 28,
        Nat::FullCone | Nat::Cone | Nat::Symmetric => 24,
    }
}

/// The number of a router, which all names and addresses around it follow from.
#[derive(Clone, Copy)]
struct Place(usize);

impl Place {
    fn number(self) -> u8 {
        u8::try_from(self.0).unwrap()
    }

    /// The interface in the middle.
    fn site(self) -> String {
        format!("site{}", self.0)
    }

    /// The other end of a slow line, until it is where it belongs.
    fn far_end(self) -> String {
        format!("far{}", self.0)
    }

    /// The interface of the host.
    fn cable(self) -> String {
        format!("lan{}", self.0)
    }

    fn wan(self) -> Ipv4Addr {
        Ipv4Addr::new(203, 0, 113, 10 + self.number())
    }

    /// Where there is no NAT.
    fn public_net(self) -> String {
        format!("198.51.100.{}/28", 16 * self.number())
    }

    fn v4(self, nat: Nat, host: u8) -> Ipv4Addr {
        match nat {
            Nat::None => Ipv4Addr::new(198, 51, 100, 16 * self.number() + host),
            Nat::FullCone | Nat::Cone | Nat::Symmetric => {
                Ipv4Addr::new(192, 168, self.number(), host)
            }
        }
    }

    fn gateway_v4(self, nat: Nat) -> Ipv4Addr {
        self.v4(nat, 1)
    }

    fn host_v4(self, nat: Nat) -> Ipv4Addr {
        self.v4(nat, 2)
    }

    fn net_v6(self) -> String {
        format!("{}/64", self.v6(0))
    }

    fn v6(self, host: u16) -> Ipv6Addr {
        Ipv6Addr::new(0x2001, 0xdb8, u16::from(self.number()), 0, 0, 0, 0, host)
    }

    /// The router's own addresses at home.
    fn gateway(self, home: Home) -> Vec<String> {
        let v4 = format!("{}/{}", self.gateway_v4(home.nat), prefix(home.nat));
        let v6 = format!("{}/64", self.v6(1));
        match home.family {
            Family::V4 => vec![v4],
            Family::V6 => vec![v6],
            Family::Both => vec![v4, v6],
        }
    }
}
