//! Hosts that get other addresses in the middle of a download.

use std::time::Duration;

use p2claw_simulation::side::Side;

use crate::scene::{HOME, SYMMETRIC, downloader, move_to, pass, wait, world_with_agent};

/// A body of 20 s.
const SLOW: &str = "/slow/1600000";

/// RTC-019, RTC-020: a visitor who moves takes the session along, and every byte of the body
/// comes, whatever is between the ends before and behind; directly where that can be.
#[test]
fn a_visitor_who_moves_goes_on() {
    for (agent, before, behind, is_relayed) in [
        (HOME, HOME, HOME, false),
        (HOME, HOME, SYMMETRIC, true),
        (HOME, SYMMETRIC, HOME, false),
        (SYMMETRIC, SYMMETRIC, Side::Open, false),
    ] {
        let (mut world, agent) = world_with_agent(1, &agent);
        let visitor = downloader(&mut world, &before, &agent, SLOW);
        let diary = &visitor.diary;
        wait(&mut world, 20, "begin", || diary.received.get() > 100_000);
        move_to(&mut world, visitor.host, &behind);
        wait(&mut world, 90, "download", || diary.is_whole());
        let path = diary.only().path.unwrap();
        assert_eq!(path.is_relayed(), is_relayed, "{path:?}");
    }
}

/// The same twice within one download.
#[test]
fn a_visitor_may_move_again() {
    let (mut world, agent) = world_with_agent(1, &HOME);
    let visitor = downloader(&mut world, &HOME, &agent, SLOW);
    let diary = &visitor.diary;
    for begun in [100_000, 800_000] {
        wait(&mut world, 60, "progress", || diary.received.get() > begun);
        move_to(&mut world, visitor.host, &HOME);
    }
    wait(&mut world, 90, "download", || diary.is_whole());
    diary.only();
}

/// RTC-019: an agent that moves is found again, and reached directly where it can be, even where a
/// relay was quicker than the visitor's restart.
#[test]
fn an_agent_that_moves_goes_on() {
    for behind in [HOME, Side::Open] {
        let (mut world, agent) = world_with_agent(1, &HOME);
        let visitor = downloader(&mut world, &HOME, &agent, SLOW);
        let diary = &visitor.diary;
        wait(&mut world, 20, "begin", || diary.received.get() > 100_000);
        move_to(&mut world, agent.host, &behind);
        wait(&mut world, 90, "download", || diary.is_whole());
        let path = diary.only().path.unwrap();
        assert!(!path.is_relayed(), "{path:?}");
    }
}

/// Behind a move the agent is there for new visitors as well.
#[test]
fn an_agent_that_moves_is_visited_again() {
    let (mut world, agent) = world_with_agent(1, &HOME);
    pass(&mut world, Duration::from_secs(5));
    move_to(&mut world, agent.host, &HOME);
    let visitor = downloader(&mut world, &HOME, &agent, "/bytes/100000");
    wait(&mut world, 90, "download", || visitor.diary.is_whole());
}
