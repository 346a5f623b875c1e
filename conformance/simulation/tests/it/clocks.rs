//! Wall clocks that are wrong, and clocks that jump.

use std::time::Duration;

use p2claw_simulation::world::World;

use crate::scene::{HOME, downloader, pass, wait, world_with_agent};

/// One minute, in milliseconds.
const MINUTE: i64 = 60_000;

/// IDN-011: an agent whose clock is off by more than 60 s is refused, and its user is told why.
#[test]
fn an_agent_with_a_wrong_clock_is_told_so() {
    for ahead in [-2 * MINUTE, 2 * MINUTE] {
        let mut world = World::new(1);
        let agent = world.agent("agent", &HOME);
        world
            .simulation
            .internet()
            .lock()
            .set_clock(agent.host, ahead);
        wait(&mut world, 20, "refusal", || {
            agent.status().problem.is_some()
        });
        let problem = agent.status().problem.unwrap();
        assert!(problem.contains("clock"), "{problem}");
        assert!(!agent.status().registered);
        // Once it is set right the agent registers by itself.
        world.simulation.internet().lock().set_clock(agent.host, 0);
        wait(&mut world, 90, "registration", || agent.status().registered);
    }
}

/// IDN-017: a visitor whose clock is off by more than 60 s takes no answer, and is told why.
#[test]
fn a_visitor_with_a_wrong_clock_is_told_so() {
    for ahead in [-3 * MINUTE, 3 * MINUTE] {
        let (mut world, agent) = world_with_agent(1, &HOME);
        let visitor = downloader(&mut world, &HOME, &agent, "/bytes/1000");
        world
            .simulation
            .internet()
            .lock()
            .set_clock(visitor.host, ahead);
        let diary = &visitor.diary;
        wait(&mut world, 20, "refusal", || {
            !diary.attempts.borrow().is_empty()
        });
        let error = diary.attempts.borrow()[0].result.clone().unwrap_err();
        assert!(error.contains("clock"), "{error}");
        world
            .simulation
            .internet()
            .lock()
            .set_clock(visitor.host, 0);
        wait(&mut world, 20, "download", || diary.is_whole());
    }
}

/// IDN-011, IDN-017: 50 s either way are allowed for.
#[test]
fn clocks_that_are_nearly_right_will_do() {
    for (agents, visitors) in [
        (50_000, 0),
        (-50_000, 0),
        (0, 50_000),
        (0, -50_000),
        (25_000, -25_000),
    ] {
        let mut world = World::new(1);
        let agent = world.agent("agent", &HOME);
        world
            .simulation
            .internet()
            .lock()
            .set_clock(agent.host, agents);
        world.registered(&[&agent]).unwrap();
        let visitor = downloader(&mut world, &HOME, &agent, "/bytes/1000");
        world
            .simulation
            .internet()
            .lock()
            .set_clock(visitor.host, visitors);
        wait(&mut world, 20, "download", || visitor.diary.is_whole());
        visitor.diary.only();
    }
}

/// A session asks no wall clock: a day more or less in the middle of a download changes nothing.
#[test]
fn a_jump_in_the_middle_is_not_noticed() {
    for ahead in [-24 * 60 * MINUTE, 24 * 60 * MINUTE] {
        let (mut world, agent) = world_with_agent(1, &HOME);
        let visitor = downloader(&mut world, &HOME, &agent, "/slow/1600000");
        let diary = &visitor.diary;
        wait(&mut world, 20, "begin", || diary.received.get() > 100_000);
        let mut internet = world.simulation.internet().lock();
        internet.set_clock(agent.host, ahead);
        internet.set_clock(visitor.host, -ahead);
        drop(internet);
        wait(&mut world, 60, "download", || diary.is_whole());
        diary.only();
        // Neither does the agent's link.
        pass(&mut world, Duration::from_secs(60));
        assert!(agent.status().registered);
    }
}
