//! Paths that carry small packets only. Everything of ours fits without fragments, whether the ends
//! are told of the size or not.

use crate::{
    internet::{Family, Home, Middle},
    outcome::{Visitor, Way},
    router::Nat,
    scenarios::Scenario,
    stage::{Stage, Transfer},
    world::Stack,
};

const BYTES: u32 = 5_000_000;

/// Of one flight and its repetitions; 5 MB are thousands of packets.
const CHROMIUM_FRAGMENTS: u64 = 16;

/// A line that carries packets of so many bytes.
#[derive(Clone, Copy)]
struct Narrow {
    name: &'static str,
    agent: Home,
    visitor: Home,
    tells_size: bool,
    way: Way,
    browser: bool,
}

const CONE: Home = Home::behind(Nat::Cone);
const SYMMETRIC: Home = Home::behind(Nat::Symmetric);

const fn narrow(name: &'static str, agent: Home, visitor: Home, way: Way) -> Narrow {
    Narrow {
        name,
        agent,
        visitor,
        tells_size: true,
        way,
        browser: false,
    }
}

/// Below 1280 there is no IPv6 (RFC 8200 section 5).
const LINES: [Narrow; 5] = [
    Narrow {
        browser: true,
        ..narrow("mtu-1200", CONE, CONE.mtu(1200), Way::Direct)
    },
    Narrow {
        tells_size: false,
        ..narrow("mtu-1200-silent", CONE, CONE.mtu(1200), Way::Direct)
    },
    // What a relay adds to each packet has to fit, too.
    Narrow {
        tells_size: false,
        ..narrow(
            "mtu-1200-relayed",
            SYMMETRIC.mtu(1200),
            SYMMETRIC.mtu(1200),
            Way::Relayed,
        )
    },
    narrow("mtu-1280", CONE.mtu(1280), CONE, Way::Direct),
    Narrow {
        tells_size: false,
        ..narrow(
            "mtu-1280-ipv6",
            CONE.family(Family::V6),
            CONE.family(Family::V6).mtu(1280),
            Way::Direct,
        )
    },
];

pub(super) fn scenarios() -> Vec<Scenario> {
    let scenarios = LINES.into_iter().map(|line| {
        Scenario::matrix(line.name, line.browser, move |stack, visitor| {
            transfer(line, stack, visitor);
        })
    });
    scenarios.flatten().collect()
}

fn transfer(line: Narrow, stack: Stack, visitor: Visitor) {
    let middle = Middle {
        tells_size: line.tells_size,
        ..Middle::default()
    };
    let stage = Stage::set(middle, line.agent, line.visitor, stack);
    let down = stage
        .visit(visitor, Transfer::Download(BYTES), line.way)
        .finish();
    if let Visitor::Native(_) = visitor {
        stage
            .visit(visitor, Transfer::Upload(BYTES), line.way)
            .finish();
    }
    let fragments = stage.world.internet.fragments();
    match visitor {
        Visitor::Native(_) => assert_eq!(fragments, 0, "IP fragments passed"),
        // Its first flight of DTLS 1.3 is too big for the path, and it lets the network cut it.
        Visitor::Chromium => assert!(
            fragments <= CHROMIUM_FRAGMENTS,
            "{fragments} IP fragments passed"
        ),
    }
    let besides = match line.tells_size {
        true => "",
        false => "ICMP dropped",
    };
    stage.note(line.name, visitor, &down, besides);
}
