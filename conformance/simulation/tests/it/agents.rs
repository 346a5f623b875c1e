//! Agents that stop, crash and start again under their visitors.

use std::time::Duration;

use p2claw_simulation::world::World;

use crate::scene::{Diary, HOME, SYMMETRIC, downloader, pass, wait, world_with_agent};

const SLOW: &str = "/slow/800000";

/// The first attempt ended with an error, and a later one is whole.
fn is_cut_off_and_made_good(world: &mut World<'_>, diary: &Diary, limit: u64) {
    wait(world, limit, "end", || !diary.attempts.borrow().is_empty());
    let first = diary.attempts.borrow()[0].clone();
    assert!(first.opened.is_some() && first.result.is_err(), "{first:?}");
    wait(world, 90, "download", || diary.is_whole());
}

/// An agent that is told to stop says so; its visitor need not find out.
#[test]
fn visitors_of_an_agent_that_stops_are_told() {
    let (mut world, agent) = world_with_agent(1, &HOME);
    let visitor = downloader(&mut world, &HOME, &agent, SLOW);
    let diary = &visitor.diary;
    wait(&mut world, 20, "begin", || diary.received.get() > 100_000);
    agent.stop();
    // Exchanges that run get 5 s more (GOAWAY first).
    wait(&mut world, 10, "end", || {
        !diary.attempts.borrow().is_empty()
    });
    world.simulation.restart(agent.address);
    is_cut_off_and_made_good(&mut world, diary, 1);
}

/// SIG-045, SIG-046: the agent that comes back does not know the session, and the visitor's
/// restart finds that out.
#[test]
fn visitors_of_an_agent_that_crashed_begin_anew() {
    for side in [HOME, SYMMETRIC] {
        let (mut world, agent) = world_with_agent(1, &HOME);
        let visitor = downloader(&mut world, &side, &agent, SLOW);
        let diary = &visitor.diary;
        wait(&mut world, 20, "begin", || diary.received.get() > 100_000);
        world.simulation.crash(agent.address);
        pass(&mut world, Duration::from_secs(2));
        world.simulation.restart(agent.address);
        is_cut_off_and_made_good(&mut world, diary, 60);
    }
}

/// SES-063: one that stays away is given up.
#[test]
fn visitors_of_an_agent_that_is_gone_are_not_left_hanging() {
    let (mut world, agent) = world_with_agent(1, &HOME);
    let visitor = downloader(&mut world, &HOME, &agent, SLOW);
    let diary = &visitor.diary;
    wait(&mut world, 20, "begin", || diary.received.get() > 100_000);
    world.simulation.crash(agent.address);
    wait(&mut world, 90, "end", || diary.attempts.borrow().len() >= 2);
    // The next one is told why there is nobody.
    let second = diary.attempts.borrow()[1].clone();
    let error = second.result.unwrap_err();
    assert!(
        error.contains("not connected") || error.contains("offline"),
        "{error}"
    );
    world.simulation.restart(agent.address);
    is_cut_off_and_made_good(&mut world, diary, 1);
}
