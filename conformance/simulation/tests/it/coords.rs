//! A coord that dies, in each state of a visit and beside sessions, or that an agent cannot reach.

use std::{collections::BTreeMap, time::Duration};

use p2claw_simulation::world::{COORD, World};

use crate::scene::{Diary, HOME, SYMMETRIC, downloader, move_to, pass, wait, world_with_agent};

/// A body of 20 s.
const SLOW: &str = "/slow/1600000";

/// How long it is away.
const AWAY: Duration = Duration::from_secs(3);

/// Kills coord, and starts it again.
fn kill(world: &mut World<'_>, away: Duration) {
    world.simulation.crash(COORD);
    pass(world, away);
    world.simulation.restart(COORD);
}

/// Whether all attempts but the last were told why they came to nothing, and the last went well.
fn is_made_good(diary: &Diary) {
    let attempts = diary.attempts.borrow();
    let (last, before) = attempts.split_last().unwrap();
    assert!(last.result.is_ok(), "{last:?}");
    for attempt in before {
        let error = attempt.result.as_ref().unwrap_err();
        assert!(!error.is_empty() && attempt.opened.is_none(), "{attempt:?}");
    }
}

/// Before the offer, between offer and answer, between answer and path, and behind all of it: a visit
/// that coord died in comes to nothing or goes on, and the next one works. A session is not touched.
#[test]
fn a_coord_may_die_at_any_moment_of_a_visit() {
    const STEP: Duration = Duration::from_millis(10);
    // What the visit came to, by what it was about to do.
    let (mut failed, mut connecting, mut open) = (BTreeMap::<String, usize>::new(), 0, 0);
    for step in 0..40 {
        let (mut world, agent) = world_with_agent(1, &HOME);
        let visitor = downloader(&mut world, &HOME, &agent, "/bytes/100000");
        let diary = &visitor.diary;
        pass(&mut world, STEP * step);
        let was_open = diary.opened.get().is_some();
        kill(&mut world, AWAY);
        wait(&mut world, 120, "download", || diary.is_whole());
        is_made_good(diary);
        match &diary.attempts.borrow()[0].result {
            Ok(_) if was_open => open += 1,
            // The answer was there, for without coord there is no other.
            Ok(_) => connecting += 1,
            Err(error) => *failed.entry(error.clone()).or_default() += 1,
        }
    }
    // Otherwise a state was not met.
    assert!(connecting > 0 && open > 0, "{connecting}, {open}");
    assert!(failed.len() > 1, "{failed:?}");
}

/// SIG-018: sessions need no coord.
#[test]
fn a_session_outlives_its_coord() {
    for side in [HOME, SYMMETRIC] {
        let (mut world, agent) = world_with_agent(1, &side);
        let visitor = downloader(&mut world, &SYMMETRIC, &agent, SLOW);
        let diary = &visitor.diary;
        wait(&mut world, 20, "begin", || diary.received.get() > 100_000);
        world.simulation.crash(COORD);
        wait(&mut world, 60, "download", || diary.is_whole());
        diary.only();
    }
}

/// RTC-019, SIG-043: nor does one whose visitor has moved lose anything, whenever coord dies meanwhile.
#[test]
fn a_coord_may_die_at_any_moment_of_a_restart() {
    for quarter in 0..16 {
        let (mut world, agent) = world_with_agent(1, &HOME);
        let visitor = downloader(&mut world, &HOME, &agent, SLOW);
        let diary = &visitor.diary;
        wait(&mut world, 20, "begin", || diary.received.get() > 100_000);
        move_to(&mut world, visitor.host, &HOME);
        pass(&mut world, Duration::from_millis(250) * quarter);
        kill(&mut world, AWAY);
        wait(&mut world, 120, "download", || diary.is_whole());
        diary.only();
    }
}

/// An agent that is cut off from coord, and from nobody else, keeps its sessions and comes back.
#[test]
fn an_agent_may_lose_sight_of_coord() {
    for seconds in [10, 60] {
        let (mut world, agent) = world_with_agent(1, &HOME);
        let visitor = downloader(&mut world, &HOME, &agent, SLOW);
        let diary = &visitor.diary;
        wait(&mut world, 20, "begin", || diary.received.get() > 100_000);
        world.simulation.hold(agent.address, COORD);
        pass(&mut world, Duration::from_secs(seconds));
        world.simulation.release(agent.address, COORD);
        wait(&mut world, 60, "download", || diary.is_whole());
        diary.only();
        wait(&mut world, 120, "registration", || {
            agent.status().registered && !agent.status().accepted.is_empty()
        });
        let next = downloader(&mut world, &SYMMETRIC, &agent, "/bytes/100000");
        wait(&mut world, 60, "next", || next.diary.is_whole());
    }
}
