//! Where a host stands: what lies between it and the public internet.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
};

use crate::{
    internet::{Interface, Internet, RealmId},
    nat::{Behaviour, NatConfig},
};

/// What lies between a host and the public internet, from the host outwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Nothing.
    Open,
    /// A NAT box.
    Nat(NatConfig),
    /// Two boxes: the one at home and its carrier's (RFC 6888).
    Double {
        /// At home.
        home: NatConfig,
        /// The carrier's.
        carrier: NatConfig,
    },
}

/// Address dependence of a box in the tables of pairs.
const STRICT: Behaviour = Behaviour::AddressAndPortDependent;
const EASY: Behaviour = Behaviour::EndpointIndependent;

impl Side {
    /// Every side of the table of pairs: without a box, with one of each behaviour, with two, and
    /// with a firewall.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut all = vec![Self::Open];
        for mapping in Behaviour::ALL {
            let boxes = Behaviour::ALL.map(|filtering| NatConfig::new(mapping, filtering));
            all.extend(boxes.map(Self::Nat));
        }
        let home = NatConfig::new(EASY, STRICT);
        for mapping in [EASY, STRICT] {
            let carrier = NatConfig::new(mapping, STRICT);
            all.push(Self::Double { home, carrier });
        }
        all.push(Self::Nat(NatConfig::without_udp()));
        all
    }

    /// The side of this name in the table.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::all()
            .into_iter()
            .find(|side| side.to_string() == name)
    }

    /// The boxes, from the host outwards.
    #[must_use]
    pub fn boxes(&self) -> Vec<NatConfig> {
        match *self {
            Self::Open => Vec::new(),
            Self::Nat(config) => vec![config],
            Self::Double { home, carrier } => vec![home, carrier],
        }
    }

    /// Builds the boxes, with addresses of their own for each `number`, and returns the place of
    /// the host.
    pub fn build(&self, internet: &mut Internet, number: u8) -> Interface {
        let mut realm = RealmId::PUBLIC;
        let boxes = self.boxes();
        let mut outside = Ipv4Addr::new(198, 51, 100, number);
        for config in boxes.iter().rev() {
            realm = internet.add_nat(realm, outside.into(), *config);
            // RFC 6598: between a carrier and its customers.
            outside = Ipv4Addr::new(100, 64, number, 2);
        }
        let address: IpAddr = if boxes.is_empty() {
            outside.into()
        } else {
            Ipv4Addr::new(192, 168, number, 10).into()
        };
        Interface { realm, address }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let behaviour =
            |config: &NatConfig| format!("{}/{}", config.mapping.short(), config.filtering.short());
        match self {
            Self::Open => f.write_str("open"),
            Self::Nat(config) if !config.passes_udp => f.write_str("no UDP"),
            Self::Nat(config) => f.write_str(&behaviour(config)),
            Self::Double { home, carrier } => {
                write!(f, "{} behind {}", behaviour(home), behaviour(carrier))
            }
        }
    }
}
