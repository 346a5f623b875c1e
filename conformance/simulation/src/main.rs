//! Runs one pair of sides and tells what happened, or all of them for the table in the
//! specification.
#![expect(clippy::print_stdout, reason = "it is what this program is for")]

use p2claw_simulation::{logs, pairs, side::Side, simulation::Failure, theory, world::World};

const USAGE: &str = "\
usage: p2claw-simulation AGENT VISITOR [SEED]   one pair, every datagram of it, and the logs that
                                                RUST_LOG asks for, in simulated time
       p2claw-simulation --table                all pairs, as spec/v1/nat-table.csv has them
       p2claw-simulation --sides                names of AGENT and VISITOR";

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    logs::print();
    match arguments[..] {
        ["--table"] => table(),
        ["--sides"] => {
            Side::all().iter().for_each(|side| println!("{side}"));
            Ok(())
        }
        [agent, visitor] => pair(agent, visitor, 1),
        [agent, visitor, seed] => pair(agent, visitor, seed.parse()?),
        _ => Err(USAGE.into()),
    }
}

fn side(name: &str) -> Result<Side, Failure> {
    Side::named(name).ok_or_else(|| format!("no side is named {name:?}: see --sides").into())
}

fn pair(agent: &str, visitor: &str, seed: u64) -> Result<(), Failure> {
    let (agent_side, visitor_side) = (side(agent)?, side(visitor)?);
    let mut world = World::new(seed);
    let agent = world.agent("agent", &agent_side);
    world.registered(&[&agent])?;
    let place = world.place(&visitor_side);
    let visitor = pairs::visitor(&mut world, "visitor", place, &agent);
    let seen = pairs::judge(&mut world, &agent, &[visitor])?;
    print!("{}", world.simulation.internet().lock());
    let expected = theory::expected(&agent_side, &visitor_side).word();
    for seen in seen {
        match seen {
            Ok(seen) => println!(
                "{}, as the visitor sees it {} to {}; first response after {:?}; theory: {expected}",
                seen.outcome.word(),
                seen.claimed.local_kind,
                seen.claimed.remote_kind,
                seen.took,
            ),
            Err(unclear) => println!("{unclear}; theory: {expected}"),
        }
    }
    Ok(())
}

fn table() -> Result<(), Failure> {
    let sides = Side::all();
    println!("agent,visitor,path");
    for agent in &sides {
        for (visitor, seen) in sides.iter().zip(pairs::row(1, agent, &sides)?) {
            let seen = seen.map_err(|unclear| format!("{agent} and {visitor}: {unclear}"))?;
            println!("{agent},{visitor},{}", seen.outcome.word());
        }
    }
    Ok(())
}
