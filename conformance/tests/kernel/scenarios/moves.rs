//! A host loses its address in the middle of a download and gets another, behind another NAT. The
//! download goes on.

use crate::{
    internet::{Home, Middle},
    outcome::{Visitor, Way},
    router::Nat,
    scenarios::Scenario,
    stage::{Stage, Transfer},
    world::Stack,
};

const BYTES: u32 = 5_000_000;

/// On every line, so that the download takes its time.
const MEGABITS: u32 = 10;

/// Of the download, before the move.
const BEFORE: u64 = 1_000_000;

/// Who moves.
#[derive(Clone, Copy)]
enum Mover {
    Agent,
    Visitor,
}

pub(super) fn scenarios() -> Vec<Scenario> {
    let visitor = Scenario::matrix("visitor-moves", true, |stack, visitor| {
        download("visitor-moves", Mover::Visitor, stack, visitor);
    });
    let agent = Scenario::matrix("agent-moves", true, |stack, visitor| {
        download("agent-moves", Mover::Agent, stack, visitor);
    });
    visitor.into_iter().chain(agent).collect()
}

fn download(name: &'static str, mover: Mover, stack: Stack, visitor: Visitor) {
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
    let visit = stage.visit(visitor, Transfer::Download(BYTES));
    stage.under_way(BEFORE);
    stage.world.internet.unplug(host, from);
    stage.world.internet.plug(host, to);
    let seen = visit.finish();
    assert_eq!(seen.way, Way::Direct);
    let passed = stage.world.internet.passed(to).bytes;
    assert!(
        passed > u64::from(BYTES) / 2,
        "{passed} bytes passed the new router"
    );
    let seconds = seen.total.as_secs_f64();
    stage.note(
        name,
        visitor,
        &seen,
        &format!(", all of it after {seconds:.1} s"),
    );
}
