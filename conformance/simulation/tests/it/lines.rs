//! Bad lines: what is lost, late, twice or cut for a while costs time and no bytes.

use std::time::Duration;

use p2claw_simulation::line::Line;

use crate::scene::{HOME, SYMMETRIC, downloader, pass, wait, world_with_agent};

/// A body that takes a few seconds at least: 50 pieces, one every 100 ms.
const SLOW: &str = "/slow/400000";

/// SES-060: loss, reordering and duplication together, both ways.
#[test]
fn bad_lines_lose_no_bytes() {
    for seed in 1..=4 {
        let (mut world, agent) = world_with_agent(seed, &HOME);
        let visitor = downloader(&mut world, &HOME, &agent, "/bytes/200000");
        let line = Line {
            jitter: Duration::from_millis(20),
            loss: 0.03,
            duplication: 0.05,
            ..Line::default()
        };
        world
            .simulation
            .internet()
            .lock()
            .set_line(visitor.host, line);
        wait(&mut world, 120, "download", || visitor.diary.is_whole());
        let path = visitor.diary.only().path.unwrap();
        assert!(!path.is_relayed(), "seed {seed}: {path:?}");
    }
}

#[test]
fn far_away_is_far_and_no_more() {
    for side in [HOME, SYMMETRIC] {
        let (mut world, agent) = world_with_agent(1, &HOME);
        let visitor = downloader(&mut world, &side, &agent, "/bytes/100000");
        let line = Line {
            delay: Duration::from_millis(300),
            ..Line::default()
        };
        world
            .simulation
            .internet()
            .lock()
            .set_line(visitor.host, line);
        wait(&mut world, 60, "download", || visitor.diary.is_whole());
        visitor.diary.only();
    }
}

/// SES-063: streams outlive a path that is gone for less than 30 s.
#[test]
fn a_cut_of_some_seconds_is_waited_out() {
    for seconds in [3, 10, 20] {
        let (mut world, agent) = world_with_agent(1, &HOME);
        let visitor = downloader(&mut world, &HOME, &agent, SLOW);
        let diary = &visitor.diary;
        wait(&mut world, 20, "begin", || diary.received.get() > 100_000);
        world.cut(visitor.host, visitor.address, true);
        pass(&mut world, Duration::from_secs(seconds));
        assert!(!diary.is_whole(), "it was under way");
        world.cut(visitor.host, visitor.address, false);
        wait(&mut world, 60, "download", || diary.is_whole());
        diary.only();
    }
}

/// SES-063: a path that stays away ends the session, and a body that was cut off is an error.
#[test]
fn a_cut_without_end_ends_the_session() {
    let (mut world, agent) = world_with_agent(1, &HOME);
    let visitor = downloader(&mut world, &HOME, &agent, SLOW);
    let diary = &visitor.diary;
    wait(&mut world, 20, "begin", || diary.received.get() > 100_000);
    world.cut(visitor.host, visitor.address, true);
    wait(&mut world, 60, "end", || {
        !diary.attempts.borrow().is_empty()
    });
    assert!(diary.attempts.borrow()[0].result.is_err());
    // Once the line is back the next visit is as good as any.
    world.cut(visitor.host, visitor.address, false);
    wait(&mut world, 60, "download", || diary.is_whole());
}

/// RTC-019: where no UDP gets through any more, the session goes on by a relay over TCP.
#[test]
fn a_line_that_loses_all_udp_is_left_for_tcp() {
    let (mut world, agent) = world_with_agent(1, &HOME);
    let visitor = downloader(&mut world, &HOME, &agent, SLOW);
    let diary = &visitor.diary;
    wait(&mut world, 20, "begin", || diary.received.get() > 100_000);
    let line = Line {
        down: true,
        ..Line::default()
    };
    world
        .simulation
        .internet()
        .lock()
        .set_line(visitor.host, line);
    wait(&mut world, 60, "download", || diary.is_whole());
    assert!(diary.only().path.unwrap().is_relayed());
}

/// RTC: packets fit into lines of a small MTU, and into a relay's messages there.
#[test]
fn small_packets_are_all_that_is_needed() {
    for (mtu, side) in [(1200, HOME), (1280, SYMMETRIC)] {
        let (mut world, agent) = world_with_agent(1, &SYMMETRIC);
        let visitor = downloader(&mut world, &side, &agent, "/bytes/200000");
        let line = Line {
            // Less the headers of IPv4 and UDP.
            largest: mtu - 28,
            ..Line::default()
        };
        let mut internet = world.simulation.internet().lock();
        internet.set_line(visitor.host, line);
        internet.set_line(agent.host, line);
        drop(internet);
        wait(&mut world, 30, "download", || visitor.diary.is_whole());
        visitor.diary.only();
    }
}
