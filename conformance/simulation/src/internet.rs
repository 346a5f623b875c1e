//! Address realms (RFC 2663), the NAT boxes between them, and the hosts in them.
//!
//! A datagram climbs from its sender's realm towards the public one until somebody has its
//! destination: there it takes the time of its sender's line, then descends through the NAT boxes
//! that the destination names, each of which decides at that moment, and takes the time of its
//! receiver's line. A box that finds itself at both ends of the climb hairpins.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use p2claw_network::Datagram;

use crate::{
    inbox::Inbox,
    line::Line,
    nat::{Blocked, Nat, NatConfig},
    trace::{Fate, Kind, Record},
};

/// Ports that sockets get who name none (RFC 6335 section 6).
const EPHEMERAL_PORTS: std::ops::RangeInclusive<u16> = 49152..=65535;

/// A realm in which addresses are unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RealmId(usize);

impl RealmId {
    /// The public internet.
    pub const PUBLIC: Self = Self(0);
}

/// A host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(usize);

/// An address of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interface {
    /// Where it is.
    pub realm: RealmId,
    /// Which it is.
    pub address: IpAddr,
}

#[derive(Debug)]
struct Host {
    name: String,
    interfaces: Vec<Interface>,
    line: Line,
    sockets: BTreeMap<SocketAddr, Arc<Inbox>>,
    next_port: u16,
    random: fastrand::Rng,
    /// For its programs.
    secrets: fastrand::Rng,
    /// How far its clock is ahead, in milliseconds.
    clock_ahead: i64,
    /// How often its addresses have changed.
    moves: u64,
}

/// A realm but the public one, with the box that leads to it.
#[derive(Debug)]
struct Inside {
    nat: Nat,
    outer: RealmId,
    /// Hosts in it do not reach one another directly, as on a guest network.
    isolated: bool,
}

/// A datagram between two hosts.
#[derive(Debug, Clone)]
struct Flying {
    record: Record,
    /// As its next station sees it.
    source: SocketAddr,
    destination: SocketAddr,
    contents: Bytes,
    stage: Stage,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    /// To whoever has its destination in this realm; the box is the one that it came out of.
    Realm(RealmId, Option<RealmId>),
    /// On its receiver's line.
    LastMile(HostId),
}

/// All realms, hosts and datagrams.
#[derive(Debug)]
pub struct Internet {
    /// By [`RealmId`], less one.
    insides: Vec<Inside>,
    hosts: Vec<Host>,
    names: BTreeMap<String, Vec<IpAddr>>,
    flying: BTreeMap<(Duration, u64), Flying>,
    sent: u64,
    seed: u64,
    records: Vec<Record>,
}

impl Internet {
    /// An empty one. `seed` decides everything that is random in it.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            insides: Vec::new(),
            hosts: Vec::new(),
            names: BTreeMap::new(),
            flying: BTreeMap::new(),
            sent: 0,
            seed,
            records: Vec::new(),
        }
    }

    /// Adds a NAT box with this address in `outer`, and the realm behind it.
    pub fn add_nat(&mut self, outer: RealmId, outside: IpAddr, config: NatConfig) -> RealmId {
        let seed = self.seed ^ (self.insides.len() as u64 + 1).rotate_left(32);
        self.insides.push(Inside {
            nat: Nat::new(config, outside, seed),
            outer,
            isolated: false,
        });
        RealmId(self.insides.len())
    }

    /// Adds a host under a name that others can resolve.
    pub fn add_host(&mut self, name: &str, interfaces: Vec<Interface>) -> HostId {
        let addresses = interfaces.iter().map(|interface| interface.address);
        self.names.insert(name.to_owned(), addresses.collect());
        let id = self.hosts.len();
        self.hosts.push(Host {
            name: name.to_owned(),
            interfaces,
            line: Line::default(),
            sockets: BTreeMap::new(),
            next_port: *EPHEMERAL_PORTS.start(),
            random: fastrand::Rng::with_seed(self.seed ^ (id as u64 + 1).rotate_left(48)),
            secrets: fastrand::Rng::with_seed(self.seed ^ (id as u64 + 1).rotate_left(16)),
            clock_ahead: 0,
            moves: 0,
        });
        HostId(id)
    }

    /// Makes an address known under one more name.
    pub fn add_name(&mut self, name: &str, address: IpAddr) {
        self.names.entry(name.to_owned()).or_default().push(address);
    }

    /// Keeps hosts of a realm from reaching one another but by the addresses of their box.
    pub fn isolate(&mut self, realm: RealmId) {
        if let Some(inside) = self.inside_mut(realm) {
            inside.isolated = true;
        }
    }

    /// Makes the box in front of a realm forget its mappings.
    pub fn restart_nat(&mut self, realm: RealmId) {
        if let Some(inside) = self.inside_mut(realm) {
            inside.nat.restart();
        }
    }

    /// A host's name.
    #[must_use]
    pub fn name(&self, host: HostId) -> &str {
        self.host(host).map_or("nobody", |host| &host.name)
    }

    /// Addresses under a name.
    #[must_use]
    pub fn resolve(&self, name: &str) -> &[IpAddr] {
        self.names.get(name).map_or(&[], Vec::as_slice)
    }

    /// Where a host is.
    #[must_use]
    pub fn interfaces(&self, host: HostId) -> &[Interface] {
        self.host(host).map_or(&[], |host| &host.interfaces)
    }

    /// A host's addresses.
    #[must_use]
    pub fn addresses(&self, host: HostId) -> Vec<IpAddr> {
        let interfaces = self.host(host).map(|host| host.interfaces.as_slice());
        let interfaces = interfaces.unwrap_or_default().iter();
        interfaces.map(|interface| interface.address).collect()
    }

    /// Changes a host's line.
    pub fn set_line(&mut self, host: HostId, line: Line) {
        if let Some(host) = self.host_mut(host) {
            host.line = line;
        }
    }

    /// A host's line.
    #[must_use]
    pub fn line(&self, host: HostId) -> Line {
        self.host(host).map_or_else(Line::default, |host| host.line)
    }

    /// Gives a host other addresses; those before are gone.
    pub fn move_host(&mut self, host: HostId, interfaces: Vec<Interface>) {
        if let Some(host) = self.host_mut(host) {
            host.interfaces = interfaces;
            host.moves += 1;
        }
    }

    /// How often [`Internet::move_host`] has moved a host.
    pub(crate) fn moves(&self, host: HostId) -> u64 {
        self.host(host).map_or(0, |host| host.moves)
    }

    /// Sets a host's wall clock so many milliseconds ahead of the true time.
    pub fn set_clock(&mut self, host: HostId, ahead: i64) {
        if let Some(host) = self.host_mut(host) {
            host.clock_ahead = ahead;
        }
    }

    /// How many milliseconds a host's wall clock is ahead.
    #[must_use]
    pub fn clock_ahead(&self, host: HostId) -> i64 {
        self.host(host).map_or(0, |host| host.clock_ahead)
    }

    /// What a host's programs get as random bytes: the seed decides them.
    pub(crate) fn fill_random(&mut self, host: HostId, bytes: &mut [u8]) {
        if let Some(host) = self.host_mut(host) {
            host.secrets.fill(bytes);
        }
    }

    /// What became of the datagrams so far, in the order of their ends.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Opens a socket; the wildcard address stands for every address of its family, and port 0
    /// for any that is free.
    pub(crate) fn bind(
        &mut self,
        host: HostId,
        mut address: SocketAddr,
    ) -> io::Result<(SocketAddr, Arc<Inbox>)> {
        let host = self.host_mut(host).ok_or(io::ErrorKind::NotFound)?;
        let ours = host.interfaces.iter();
        let mut ours = ours.map(|interface| interface.address);
        let family = |ip: IpAddr| ip.is_ipv4() == address.is_ipv4();
        let known = if address.ip().is_unspecified() {
            ours.any(family)
        } else {
            ours.any(|ip| ip == address.ip())
        };
        if !known {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        if address.port() == 0 {
            address.set_port(host.free_port());
        }
        match host.sockets.entry(address) {
            Entry::Occupied(_) => Err(io::ErrorKind::AddrInUse.into()),
            Entry::Vacant(entry) => Ok((address, Arc::clone(entry.insert(Arc::default())))),
        }
    }

    pub(crate) fn close(&mut self, host: HostId, address: SocketAddr, inbox: &Arc<Inbox>) {
        if let Some(host) = self.host_mut(host)
            && let Entry::Occupied(entry) = host.sockets.entry(address)
            // After a crash another socket may have its place.
            && Arc::ptr_eq(entry.get(), inbox)
        {
            entry.remove();
        }
    }

    /// Sends a datagram from a socket that is bound to `local`, and from its address `source` where
    /// one is named.
    pub(crate) fn send(
        &mut self,
        now: Duration,
        from: HostId,
        local: SocketAddr,
        source: Option<IpAddr>,
        destination: SocketAddr,
        contents: Bytes,
    ) -> io::Result<()> {
        let Some(host) = self.hosts.get_mut(from.0) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let wanted = source.or_else(|| (!local.ip().is_unspecified()).then(|| local.ip()));
        let family = |address: IpAddr| address.is_ipv4() == destination.is_ipv4();
        let interface = host.interfaces.iter().find(|interface| {
            family(interface.address) && wanted.is_none_or(|wanted| wanted == interface.address)
        });
        let Some(Interface { realm, address }) = interface.copied() else {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        };
        let source = SocketAddr::new(address, local.port());
        let record = Record {
            sent: now,
            ended: now,
            from,
            source,
            destination,
            kind: Kind::of(&contents),
            fate: Fate::Lost,
        };
        let delays = host.line.pass(contents.len(), &mut host.random);
        if delays.is_empty() {
            self.records.push(record);
        }
        let climbed = match self.climb(now, from, realm, source, destination) {
            Ok(climbed) => climbed,
            Err(fate) => {
                let copies = delays.iter().map(|_| Record { fate, ..record });
                self.records.extend(copies);
                return Ok(());
            }
        };
        for delay in delays {
            self.fly(
                now + delay,
                Flying {
                    record,
                    source: climbed.source,
                    destination,
                    contents: contents.clone(),
                    stage: Stage::Realm(climbed.realm, climbed.out_of),
                },
            );
        }
        Ok(())
    }

    /// Moves every datagram on that gets somewhere before `until`.
    pub fn advance(&mut self, until: Duration) {
        while let Some(entry) = self.flying.first_entry() {
            let (at, order) = *entry.key();
            if at >= until {
                break;
            }
            let mut flying = entry.remove();
            flying.record.ended = at;
            let outcome = match flying.stage {
                Stage::Realm(realm, out_of) => self.descend(at, flying.clone(), realm, out_of),
                Stage::LastMile(host) => Some(self.arrive(at, order, &flying, host)),
            };
            if let Some(fate) = outcome {
                self.records.push(Record {
                    fate,
                    ..flying.record
                });
            }
        }
    }

    fn climb(
        &mut self,
        now: Duration,
        from: HostId,
        mut realm: RealmId,
        mut source: SocketAddr,
        destination: SocketAddr,
    ) -> Result<Climbed, Fate> {
        let mut out_of = None;
        loop {
            if let Some(host) = self.host_at(realm, destination.ip()) {
                let isolated = self.inside(realm).is_some_and(|inside| inside.isolated);
                if isolated && host != from {
                    return Err(Fate::Isolated);
                }
                break;
            }
            if self.box_at(realm, destination.ip()).is_some() {
                break;
            }
            let Some(inside) = self.inside_mut(realm) else {
                return Err(Fate::Unroutable);
            };
            source = inside
                .nat
                .outbound(now, source, destination)
                .map_err(Fate::Blocked)?;
            out_of = Some(realm);
            realm = inside.outer;
        }
        Ok(Climbed {
            source,
            realm,
            out_of,
        })
    }

    /// Hands a datagram to whoever has its destination in the realm. `Some`: that was its end.
    fn descend(
        &mut self,
        now: Duration,
        mut flying: Flying,
        mut realm: RealmId,
        mut out_of: Option<RealmId>,
    ) -> Option<Fate> {
        let host = loop {
            let destination = flying.destination;
            if let Some(host) = self.host_at(realm, destination.ip()) {
                break host;
            }
            let Some(behind) = self.box_at(realm, destination.ip()) else {
                return Some(Fate::Unroutable);
            };
            let Some(inside) = self.inside_mut(behind) else {
                return Some(Fate::Unroutable);
            };
            if out_of.take() == Some(behind) && !inside.nat.hairpins() {
                return Some(Fate::Blocked(Blocked::Hairpin));
            }
            let passed = inside.nat.inbound(now, flying.source, destination.port());
            match passed {
                Ok(next) => flying.destination = next,
                Err(blocked) => return Some(Fate::Blocked(blocked)),
            }
            realm = behind;
        };
        let Some(Host { line, random, .. }) = self.hosts.get_mut(host.0) else {
            return Some(Fate::Unroutable);
        };
        let delays = line.pass(flying.contents.len(), random);
        if delays.is_empty() {
            return Some(Fate::Lost);
        }
        flying.stage = Stage::LastMile(host);
        for delay in delays {
            self.fly(now + delay, flying.clone());
        }
        None
    }

    fn arrive(&self, at: Duration, order: u64, flying: &Flying, to: HostId) -> Fate {
        let destination = flying.destination;
        let any: IpAddr = match destination {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let Some(host) = self.host(to) else {
            return Fate::Closed;
        };
        // It may have moved while this was on its line.
        let here = |interface: &Interface| interface.address == destination.ip();
        let own = host.sockets.get(&destination);
        let any = SocketAddr::new(any, destination.port());
        let inbox = own.or_else(|| host.sockets.get(&any));
        let Some(inbox) = inbox.filter(|_| host.interfaces.iter().any(here)) else {
            return Fate::Closed;
        };
        let arrival = Datagram {
            source: flying.source,
            destination,
            contents: flying.contents.clone(),
        };
        if inbox.push(at, order, arrival) {
            Fate::Arrived(to)
        } else {
            Fate::Overflow
        }
    }

    fn fly(&mut self, at: Duration, flying: Flying) {
        self.sent += 1;
        self.flying.insert((at, self.sent), flying);
    }

    fn host_at(&self, realm: RealmId, address: IpAddr) -> Option<HostId> {
        let wanted = Interface { realm, address };
        let at = |host: &Host| host.interfaces.contains(&wanted);
        self.hosts.iter().position(at).map(HostId)
    }

    /// The realm behind the box that has this address in `realm`.
    fn box_at(&self, realm: RealmId, address: IpAddr) -> Option<RealmId> {
        let at = |inside: &Inside| inside.outer == realm && inside.nat.outside() == address;
        let index = self.insides.iter().position(at)?;
        Some(RealmId(index + 1))
    }

    fn inside(&self, realm: RealmId) -> Option<&Inside> {
        self.insides.get(realm.0.checked_sub(1)?)
    }

    fn inside_mut(&mut self, realm: RealmId) -> Option<&mut Inside> {
        self.insides.get_mut(realm.0.checked_sub(1)?)
    }

    fn host(&self, id: HostId) -> Option<&Host> {
        self.hosts.get(id.0)
    }

    fn host_mut(&mut self, id: HostId) -> Option<&mut Host> {
        self.hosts.get_mut(id.0)
    }
}

impl fmt::Display for Internet {
    /// Every datagram so far, one a line, in the order of their ends.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for record in &self.records {
            let Record {
                sent,
                ended,
                source,
                destination,
                kind,
                ..
            } = record;
            let (sent, took) = (sent.as_secs_f64(), ended.saturating_sub(*sent).as_millis());
            let from = self.name(record.from);
            write!(
                f,
                "{sent:8.3} {took:4} ms  {from} {source} > {destination} {kind}: "
            )?;
            match record.fate {
                Fate::Arrived(host) => writeln!(f, "{}", self.name(host))?,
                Fate::Lost => f.write_str("lost\n")?,
                Fate::Blocked(blocked) => writeln!(f, "{blocked}")?,
                Fate::Isolated => f.write_str("isolated\n")?,
                Fate::Unroutable => f.write_str("no route\n")?,
                Fate::Closed => f.write_str("no socket\n")?,
                Fate::Overflow => f.write_str("no room\n")?,
            }
        }
        Ok(())
    }
}

/// How far a datagram got towards the public realm.
struct Climbed {
    source: SocketAddr,
    realm: RealmId,
    out_of: Option<RealmId>,
}

impl Host {
    fn free_port(&mut self) -> u16 {
        for _ in EPHEMERAL_PORTS {
            let port = self.next_port;
            self.next_port = port.checked_add(1).unwrap_or(*EPHEMERAL_PORTS.start());
            if self.sockets.keys().all(|address| address.port() != port) {
                return port;
            }
        }
        self.next_port
    }
}
