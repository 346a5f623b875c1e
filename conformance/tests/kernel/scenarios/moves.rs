//! The network changes in the middle of a download: a host loses its address and gets another,
//! behind another NAT, or UDP gets through where it did not. The download goes on, over a relay where
//! that is found first, and in the end directly.

use crate::{
    internet::{Home, Middle},
    outcome::{Seen, Visitor, Way},
    router::{Firewall, Nat},
    scenarios::Scenario,
    stage::{Stage, Transfer, Visit},
    world::Stack,
};

/// Enough for a detour: a path is lost for 2 s before it is restarted, and so is a direct one that has
/// given way to a relay (RTC-019); and checks of pairs grow rare with time.
const BYTES: u32 = 12_000_000;

/// On every line, so that the download takes its time.
const MEGABITS: u32 = 10;

/// Of the download, before the move.
const BEFORE: u64 = 1_000_000;

/// Of the download that went directly behind the change, at least.
const DIRECTLY: u64 = 1_000_000;

/// Who moves.
#[derive(Clone, Copy)]
enum Mover {
    Agent,
    Visitor,
}

impl Mover {
    fn scenario(self) -> &'static str {
        match self {
            Self::Agent => "agent-moves",
            Self::Visitor => "visitor-moves",
        }
    }

    fn about(self) -> &'static str {
        match self {
            Self::Agent => "the agent moves",
            Self::Visitor => "the visitor moves",
        }
    }
}

pub(super) fn scenarios() -> Vec<Scenario> {
    let movers = [Mover::Visitor, Mover::Agent].into_iter();
    let scenarios = movers.map(|mover| {
        Scenario::matrix(mover.scenario(), true, move |stack, visitor| {
            download(mover, stack, visitor);
        })
    });
    let opens = Scenario::matrix("udp-opens", true, udp_opens);
    scenarios.flatten().chain(opens).collect()
}

fn download(mover: Mover, stack: Stack, visitor: Visitor) {
    let cone = Home::behind(Nat::Cone);
    let mut stage = Stage::set(Middle::default(), cone, cone, stack);
    let (host, from) = match mover {
        Mover::Agent => stage.agent,
        Mover::Visitor => stage.visitor,
    };
    let to = stage.world.internet.another_way(host, cone);
    for router in [stage.agent.1, stage.visitor.1, to] {
        stage.world.internet.limit(router, MEGABITS);
    }
    let visit = stage.visit(visitor, Transfer::Download(BYTES), Way::Direct);
    stage.under_way(BEFORE);
    stage.world.internet.unplug(host, from);
    stage.world.internet.plug(host, to);
    let seen = goes_directly(&stage, visit);
    stage.note(mover.scenario(), visitor, &seen, mover.about());
}

/// RTC-022: without a restart, for no path is lost. The agent's NAT lets in whoever comes, for the
/// visitor learns no address of its own that could be named to the agent.
fn udp_opens(stack: Stack, visitor: Visitor) {
    let shut = Home::behind(Nat::Cone).firewall(Firewall::NoUdp);
    let open = Home::behind(Nat::FullCone);
    let stage = Stage::set(Middle::default(), open, shut, stack);
    for router in [stage.agent.1, stage.visitor.1] {
        stage.world.internet.limit(router, MEGABITS);
    }
    let visit = stage.visit(visitor, Transfer::Download(BYTES), Way::Direct);
    stage.under_way(BEFORE);
    stage.world.internet.open(stage.visitor.1);
    let seen = goes_directly(&stage, visit);
    stage.note("udp-opens", visitor, &seen, "UDP is let out later");
}

/// Waits for the end of a download, which is to go directly from now on.
fn goes_directly(stage: &Stage, visit: Visit) -> Seen {
    let before = stage.world.internet.direct().bytes;
    let seen = visit.finish();
    // What was still under way to an old address is far less.
    let passed = stage.world.internet.direct().bytes - before;
    assert!(passed > DIRECTLY, "{passed} bytes went directly then");
    seen
}
