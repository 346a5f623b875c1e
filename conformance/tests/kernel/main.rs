//! The real binaries, and a browser, behind real Linux NATs: see README.md beside this file.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test stops at the first surprise, and says what it has seen"
)]

mod authority;
mod browser;
mod internet;
mod namespace;
mod nat_probe;
mod native;
mod noise;
mod obstacle;
mod outcome;
mod program;
mod router;
mod scenarios;
mod slow_line;
mod stage;
mod world;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use crate::scenarios::leftovers;

/// The first word of a command line that is for one of this program's other roles.
const PART: &str = "part";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [part, role, words @ ..] = &words[..]
        && part == PART
    {
        return play(role, words);
    }
    let arguments = Arguments::from_args();
    let scenarios = scenarios::all();
    let skipped = obstacle::skipped(&arguments, &scenarios);
    let trials = scenarios.into_iter().map(|scenario| {
        let name = scenario.name().to_owned();
        let ignored = skipped.contains(&name);
        let run = move || {
            scenario.run();
            Ok(())
        };
        Trial::test(name, run).with_ignored_flag(ignored)
    });
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// A program of a namespace, which the test has started there.
fn play(role: &str, words: &[String]) -> ExitCode {
    let played = match role {
        slow_line::ROLE => slow_line::run(words),
        nat_probe::ASKING => nat_probe::ask(words),
        nat_probe::ANSWERING => nat_probe::answer(words),
        leftovers::ROLE => leftovers::run(),
        _ => Err(std::io::Error::other("no such role")),
    };
    match played {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{role}: {error}");
            ExitCode::FAILURE
        }
    }
}
