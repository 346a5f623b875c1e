//! A NAT box for UDP, in the terms of RFC 4787; it reads no clock and opens no socket.

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

/// Ports that mappings get when the inside's own is not kept or not free (RFC 4787 REQ-3).
const PORTS: std::ops::RangeInclusive<u16> = 1024..=65535;

/// What a mapping or a filter depends on beside the endpoint inside (RFC 4787 sections 4.1, 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Behaviour {
    /// On nothing else.
    EndpointIndependent,
    /// On the remote address.
    AddressDependent,
    /// On the remote address and port.
    AddressAndPortDependent,
}

impl Behaviour {
    /// All of them, the most permissive first.
    pub const ALL: [Self; 3] = [
        Self::EndpointIndependent,
        Self::AddressDependent,
        Self::AddressAndPortDependent,
    ];

    /// As tables have it.
    #[must_use]
    pub const fn short(self) -> &'static str {
        match self {
            Self::EndpointIndependent => "EI",
            Self::AddressDependent => "AD",
            Self::AddressAndPortDependent => "APD",
        }
    }
}

/// How a NAT box behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NatConfig {
    /// Which mappings are reused.
    pub mapping: Behaviour,
    /// Who may send to a mapping.
    pub filtering: Behaviour,
    /// Whether a mapping gets the port of the inside while that is free (section 4.2.1).
    pub keeps_port: bool,
    /// Whether hosts inside reach one another by the box's outside address (section 6).
    pub hairpins: bool,
    /// For how long a mapping lives without a packet from inside; one from outside does not keep
    /// it (section 4.3).
    pub timeout: Duration,
    /// Whether UDP gets through at all.
    pub passes_udp: bool,
}

impl NatConfig {
    /// A box that follows all of RFC 4787's requirements, with these behaviours.
    #[must_use]
    pub const fn new(mapping: Behaviour, filtering: Behaviour) -> Self {
        Self {
            mapping,
            filtering,
            keeps_port: true,
            hairpins: true,
            // REQ-5 recommends 5 minutes.
            timeout: Duration::from_secs(300),
            passes_udp: true,
        }
    }

    /// A firewall that lets no UDP through.
    #[must_use]
    pub const fn without_udp() -> Self {
        Self {
            passes_udp: false,
            ..Self::new(
                Behaviour::EndpointIndependent,
                Behaviour::AddressAndPortDependent,
            )
        }
    }
}

/// Why a NAT box did not pass a packet on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocked {
    /// No UDP here.
    Udp,
    /// Every outside port is in use.
    Ports,
    /// Nothing inside has this outside port.
    Unmapped,
    /// The filter does not know the sender.
    Filtered,
    /// It came from inside, for the outside address.
    Hairpin,
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "UDP blocked",
            Self::Ports => "no port free",
            Self::Unmapped => "no mapping",
            Self::Filtered => "filtered",
            Self::Hairpin => "no hairpinning",
        })
    }
}

/// The part of a remote endpoint that a mapping belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Scope {
    Anyone,
    Address(IpAddr),
    Endpoint(SocketAddr),
}

impl Scope {
    fn of(behaviour: Behaviour, remote: SocketAddr) -> Self {
        match behaviour {
            Behaviour::EndpointIndependent => Self::Anyone,
            Behaviour::AddressDependent => Self::Address(remote.ip()),
            Behaviour::AddressAndPortDependent => Self::Endpoint(remote),
        }
    }
}

#[derive(Debug)]
struct Mapping {
    inside: SocketAddr,
    scope: Scope,
    port: u16,
    /// When the inside last sent through it, by remote endpoint. Never empty.
    sent: BTreeMap<SocketAddr, Duration>,
}

/// A NAT box and its mappings.
#[derive(Debug)]
pub struct Nat {
    config: NatConfig,
    outside: IpAddr,
    mappings: Vec<Mapping>,
    random: fastrand::Rng,
}

impl Nat {
    /// A box with nothing mapped. `seed` decides the ports that it gives out.
    #[must_use]
    pub fn new(config: NatConfig, outside: IpAddr, seed: u64) -> Self {
        Self {
            config,
            outside,
            mappings: Vec::new(),
            random: fastrand::Rng::with_seed(seed),
        }
    }

    /// The address that hosts behind it have outside.
    #[must_use]
    pub fn outside(&self) -> IpAddr {
        self.outside
    }

    /// Whether [`NatConfig::hairpins`].
    #[must_use]
    pub fn hairpins(&self) -> bool {
        self.config.hairpins
    }

    /// Forgets every mapping, as a box does that restarts.
    pub fn restart(&mut self) {
        self.mappings.clear();
    }

    /// A packet leaves: the endpoint that it comes from, as seen outside.
    ///
    /// # Errors
    /// When it does not get through.
    pub fn outbound(
        &mut self,
        now: Duration,
        inside: SocketAddr,
        remote: SocketAddr,
    ) -> Result<SocketAddr, Blocked> {
        if !self.config.passes_udp {
            return Err(Blocked::Udp);
        }
        self.expire(now);
        let scope = Scope::of(self.config.mapping, remote);
        let known = |mapping: &&mut Mapping| mapping.inside == inside && mapping.scope == scope;
        let port = match self.mappings.iter_mut().find(known) {
            Some(mapping) => {
                mapping.sent.insert(remote, now);
                mapping.port
            }
            None => {
                let port = self.free_port(inside.port()).ok_or(Blocked::Ports)?;
                self.mappings.push(Mapping {
                    inside,
                    scope,
                    port,
                    sent: BTreeMap::from([(remote, now)]),
                });
                port
            }
        };
        Ok(SocketAddr::new(self.outside, port))
    }

    /// A packet arrives for a port of the outside address: whom inside it is for.
    ///
    /// # Errors
    /// When it does not get through.
    pub fn inbound(
        &mut self,
        now: Duration,
        remote: SocketAddr,
        port: u16,
    ) -> Result<SocketAddr, Blocked> {
        if !self.config.passes_udp {
            return Err(Blocked::Udp);
        }
        self.expire(now);
        let mapping = self
            .mappings
            .iter()
            .find(|mapping| mapping.port == port)
            .ok_or(Blocked::Unmapped)?;
        let filter = Scope::of(self.config.filtering, remote);
        let mut permitted = mapping.sent.keys();
        if permitted.any(|sent| Scope::of(self.config.filtering, *sent) == filter) {
            Ok(mapping.inside)
        } else {
            Err(Blocked::Filtered)
        }
    }

    /// Drops what the inside has not used for the timeout: permissions, and then mappings.
    fn expire(&mut self, now: Duration) {
        let timeout = self.config.timeout;
        self.mappings.retain_mut(|mapping| {
            mapping.sent.retain(|_, at| now < *at + timeout);
            !mapping.sent.is_empty()
        });
    }

    fn free_port(&mut self, wanted: u16) -> Option<u16> {
        let free = |port: u16| self.mappings.iter().all(|mapping| mapping.port != port);
        if self.config.keeps_port && free(wanted) {
            return Some(wanted);
        }
        let first = self.random.u16(PORTS);
        (first..=*PORTS.end())
            .chain(*PORTS.start()..first)
            .find(|port| free(*port))
    }
}
