//! A host loses its address in the middle of a download and gets another, behind another NAT. The
//! download goes on, over a relay where that is found first, and in the end directly.

use crate::{
    internet::{Home, Middle},
    outcome::{Visitor, Way},
    router::Nat,
    scenarios::Scenario,
    stage::{Stage, Transfer},
    world::Stack,
};

/// Enough for a detour: a path is lost for 2 s before it is restarted, and so is a direct one that has
/// given way to a relay (RTC-019).
const BYTES: u32 = 12_000_000;

/// On every line, so that the download takes its time.
const MEGABITS: u32 = 10;

/// Of the download, before the move.
const BEFORE: u64 = 1_000_000;

/// Of the download that went directly behind the move, at least.
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
    scenarios.flatten().collect()
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
    let before = stage.world.internet.direct().bytes;
    let seen = visit.finish();
    // What was still under way to the old address is far less.
    let passed = stage.world.internet.direct().bytes - before;
    assert!(passed > DIRECTLY, "{passed} bytes went directly then");
    stage.note(mover.scenario(), visitor, &seen, mover.about());
}
