//! The same seed makes the same simulation.

use p2claw_simulation::{line::Line, pairs, side::Side, trace::Record, world::World};
use std::time::Duration;

/// Everything that crossed the network in one visit.
fn trace(seed: u64, agent: &str, visitor: &str, line: Line) -> Vec<Record> {
    let mut world = World::new(seed);
    let agent = world.agent("agent", &Side::named(agent).unwrap());
    world.registered(&[&agent]).unwrap();
    let place = world.place(&Side::named(visitor).unwrap());
    let visitor = pairs::visitor(&mut world, "visitor", place, &agent);
    world
        .simulation
        .internet()
        .lock()
        .set_line(visitor.host(), line);
    pairs::judge(&mut world, &agent, &[visitor]).unwrap();
    let internet = world.simulation.internet().lock();
    internet.records().to_vec()
}

/// Every side is an agent's once and a visitor's once; direct and relayed paths are among them.
#[test]
fn one_seed_makes_one_trace() {
    let sides = Side::all();
    let others = sides.iter().cycle().skip(5);
    let neighbours = sides.iter().zip(others);
    neighbours.for_each(|(agent, visitor)| repeats(&agent.to_string(), &visitor.to_string()));
}

#[test]
fn one_seed_makes_one_trace_through_a_relay() {
    for (agent, visitor) in [
        ("APD/APD", "APD/APD"),
        ("EI/APD", "APD/APD"),
        ("AD/EI", "APD/EI"),
        ("no UDP", "no UDP"),
    ] {
        repeats(agent, visitor);
    }
}

fn repeats(agent: &str, visitor: &str) {
    let first = trace(7, agent, visitor, Line::default());
    let second = trace(7, agent, visitor, Line::default());
    assert!(first.len() > 50);
    let differ = first
        .iter()
        .zip(&second)
        .position(|(one, other)| one != other);
    if let Some(at) = differ {
        panic!(
            "{agent} and {visitor}: {:?} and {:?}",
            first[at], second[at]
        );
    }
    assert_eq!(first.len(), second.len(), "{agent} and {visitor}");
}

#[test]
fn another_seed_makes_another_trace() {
    let jitter = Line {
        jitter: Duration::from_millis(10),
        ..Line::default()
    };
    let [first, second] = [1, 2].map(|seed| trace(seed, "EI/APD", "EI/APD", jitter));
    assert_ne!(first, second);
}
