//! Which path a visit takes through which routers.

use crate::{
    internet::{Family, Home, Middle, Relay},
    outcome::{Visitor, Way},
    router::{Firewall, Nat},
    scenarios::Scenario,
    stage::{Stage, Transfer},
    world::Stack,
};

/// Of the download that the path is judged by.
const BYTES: u32 = 300_000;

/// Two homes, and the path that RFC 4787 and RFC 8445 lead to expect between them.
#[derive(Clone, Copy)]
struct Pair {
    name: &'static str,
    agent: Home,
    visitor: Home,
    way: Way,
    relay: Relay,
    /// Whether a browser tries it, too.
    browser: bool,
}

const NONE: Home = Home::behind(Nat::None);
const FULL_CONE: Home = Home::behind(Nat::FullCone);
const CONE: Home = Home::behind(Nat::Cone);
const SYMMETRIC: Home = Home::behind(Nat::Symmetric);

const fn pair(name: &'static str, agent: Home, visitor: Home, way: Way) -> Pair {
    Pair {
        name,
        agent,
        visitor,
        way,
        relay: Relay::Coturn,
        browser: false,
    }
}

impl Pair {
    const fn by_own_relay(self) -> Self {
        Self {
            relay: Relay::Own,
            ..self
        }
    }

    const fn also_in_a_browser(self) -> Self {
        Self {
            browser: true,
            ..self
        }
    }
}

/// Named after the agent's home first, and the visitor's then.
const PAIRS: [Pair; 18] = [
    pair("none-none", NONE, NONE, Way::Direct).also_in_a_browser(),
    pair("none-symmetric", NONE, SYMMETRIC, Way::Direct),
    pair("cone-cone", CONE, CONE, Way::Direct).also_in_a_browser(),
    pair("full-cone-cone", FULL_CONE, CONE, Way::Direct),
    pair("full-cone-symmetric", FULL_CONE, SYMMETRIC, Way::Direct),
    // The random port of one end is filtered out by the other.
    pair("cone-symmetric", CONE, SYMMETRIC, Way::Relayed),
    pair("symmetric-cone", SYMMETRIC, CONE, Way::Relayed),
    pair("symmetric-symmetric", SYMMETRIC, SYMMETRIC, Way::Relayed).also_in_a_browser(),
    pair(
        "cone-no-udp",
        CONE,
        CONE.firewall(Firewall::NoUdp),
        Way::Relayed,
    ),
    pair(
        "cone-tls-only",
        CONE,
        CONE.firewall(Firewall::TlsOnly),
        Way::Relayed,
    )
    .also_in_a_browser(),
    pair("own-relay-udp", SYMMETRIC, SYMMETRIC, Way::Relayed).by_own_relay(),
    pair(
        "own-relay-tls",
        CONE,
        CONE.firewall(Firewall::TlsOnly),
        Way::Relayed,
    )
    .by_own_relay()
    .also_in_a_browser(),
    pair(
        "no-udp-cone",
        CONE.firewall(Firewall::NoUdp),
        CONE,
        Way::Relayed,
    ),
    pair(
        "no-udp-no-udp",
        CONE.firewall(Firewall::NoUdp),
        CONE.firewall(Firewall::NoUdp),
        Way::Relayed,
    ),
    pair(
        "ipv6",
        CONE.family(Family::V6),
        CONE.family(Family::V6),
        Way::Direct,
    ),
    // The relay is the only one that both can talk to.
    pair("cone-ipv6", CONE, CONE.family(Family::V6), Way::Relayed),
    pair("ipv6-cone", CONE.family(Family::V6), CONE, Way::Relayed),
    // Only IPv6 has no translation here.
    pair(
        "dual-stack-symmetric",
        SYMMETRIC.family(Family::Both),
        SYMMETRIC.family(Family::Both),
        Way::Direct,
    ),
];

pub(super) fn scenarios() -> Vec<Scenario> {
    let scenarios = PAIRS.into_iter().map(|pair| {
        Scenario::matrix(pair.name, pair.browser, move |stack, visitor| {
            visit(pair, stack, visitor);
        })
    });
    scenarios.flatten().collect()
}

fn visit(pair: Pair, stack: Stack, visitor: Visitor) {
    let middle = Middle {
        relay: pair.relay,
        ..Middle::default()
    };
    let stage = Stage::set(middle, pair.agent, pair.visitor, stack);
    let seen = stage
        .visit(visitor, Transfer::Download(BYTES), pair.way)
        .finish();
    // Checks of connectivity pass anyhow; what the app said does not, unless the path is direct.
    let direct = stage.world.internet.direct().bytes;
    assert_eq!(
        direct > u64::from(BYTES),
        pair.way == Way::Direct,
        "{direct} bytes went directly"
    );
    let besides = match pair.relay {
        Relay::Coturn => "",
        Relay::Own => "`p2claw relay`",
    };
    stage.note(pair.name, visitor, &seen, besides);
}
