//! What a killed run leaves behind is removed, and nothing else.

use std::{fs, io, path::Path, process::Command};

use crate::{
    PART,
    namespace::{Namespace, run_name, sweep},
    program::Program,
    scenarios::Scenario,
};

/// Its role on the command line.
pub(crate) const ROLE: &str = "leave";

pub(super) fn scenarios() -> Vec<Scenario> {
    vec![Scenario::new("leftovers-are-removed", || {
        let own = Namespace::create(&run_name(), "own").unwrap();
        let mut command = Command::new(std::env::current_exe().unwrap());
        let mut leaver = Program::start(ROLE, command.args([PART, ROLE]));
        let (status, said) = leaver.finish();
        assert!(status.success(), "{}", leaver.last_words());
        let left = said.trim();
        sweep();
        assert!(!exists(left), "{left}");
        assert!(exists(own.name()), "{}", own.name());
    })]
}

fn exists(namespace: &str) -> bool {
    ["/run/netns", "/etc/netns"]
        .iter()
        .any(|folder| fs::exists(Path::new(folder).join(namespace)).unwrap())
}

/// The program that is gone before it tidies up.
pub(crate) fn run() -> io::Result<()> {
    let namespace = Namespace::create(&run_name(), "left").map_err(io::Error::other)?;
    println!("{}", namespace.name());
    std::process::exit(0);
}
