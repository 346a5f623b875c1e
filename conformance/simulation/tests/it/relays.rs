//! Relays that die with a session on them.

use std::time::Duration;

use p2claw_simulation::world::RELAY;

use crate::scene::{SYMMETRIC, downloader, pass, wait, world_with_agent};

const SLOW: &str = "/slow/1600000";

/// The relay is back before the session is given up: ICE restarts on a new allocation.
#[test]
fn a_relay_that_comes_back_carries_on() {
    let (mut world, agent) = world_with_agent(1, &SYMMETRIC);
    let visitor = downloader(&mut world, &SYMMETRIC, &agent, SLOW);
    let diary = &visitor.diary;
    wait(&mut world, 20, "begin", || diary.received.get() > 100_000);
    world.simulation.crash(RELAY);
    pass(&mut world, Duration::from_secs(5));
    world.simulation.restart(RELAY);
    wait(&mut world, 90, "download", || diary.is_whole());
    assert!(diary.only().path.unwrap().is_relayed());
}

/// SES-063, SES-064: without one the session ends with an error.
#[test]
fn a_relay_that_stays_away_ends_the_session() {
    let (mut world, agent) = world_with_agent(1, &SYMMETRIC);
    let visitor = downloader(&mut world, &SYMMETRIC, &agent, SLOW);
    let diary = &visitor.diary;
    wait(&mut world, 20, "begin", || diary.received.get() > 100_000);
    world.simulation.crash(RELAY);
    wait(&mut world, 60, "end", || {
        !diary.attempts.borrow().is_empty()
    });
    assert!(diary.attempts.borrow()[0].result.is_err());
    world.simulation.restart(RELAY);
    wait(&mut world, 90, "download", || diary.is_whole());
}
