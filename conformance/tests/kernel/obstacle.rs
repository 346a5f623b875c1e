//! Why a machine cannot run scenarios. Whoever skips one says so.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

use libtest_mimic::Arguments;

use crate::{
    browser,
    namespace::{Namespace, run_name, succeed, sweep},
    outcome,
    scenarios::Scenario,
};

/// Programs that have to be there, and Debian's packages of them.
const PROGRAMS: [(&str, &str); 5] = [
    ("ip", "iproute2"),
    ("tc", "iproute2"),
    ("ss", "iproute2"),
    ("nft", "nftables"),
    ("turnserver", "coturn"),
];

/// The names of those that cannot run here; why, is told.
pub(crate) fn skipped(arguments: &Arguments, scenarios: &[Scenario]) -> BTreeSet<String> {
    // Runners that start a process for each test have asked for the list before.
    if arguments.exact && !arguments.list {
        return BTreeSet::new();
    }
    let (here, browser) = (anywhere().err(), browser::missing());
    let mut skipped = BTreeMap::new();
    for scenario in scenarios {
        let browser = browser.as_deref().filter(|_| scenario.needs_browser());
        if let Some(reason) = here.as_deref().or(browser) {
            skipped.insert(scenario.name(), reason);
        }
    }
    let visits = scenarios.iter().filter(|scenario| scenario.is_visit());
    let expected: Vec<_> = visits.map(Scenario::name).collect();
    // Runners ask twice at the same time, for what is ignored apart.
    if !arguments.ignored {
        outcome::begin(&expected, &skipped);
    }
    skipped.into_keys().map(str::to_owned).collect()
}

fn anywhere() -> Result<(), String> {
    if std::env::var_os("P2CLAW_TEST_QUICK").is_some() {
        return Err("this is a quick run".to_owned());
    }
    if !is_root() {
        return Err("only root may make network namespaces".to_owned());
    }
    for (program, package) in PROGRAMS {
        if !is_installed(program) {
            return Err(format!(
                "there is no {program}; Debian's package {package} has it"
            ));
        }
    }
    if !Path::new("/dev/net/tun").exists() {
        return Err("there is no /dev/net/tun".to_owned());
    }
    sweep();
    let said = |error: String| format!("the kernel does not allow it: {}", error.trim());
    let namespace = Namespace::create(&run_name(), "trial").map_err(said)?;
    namespace
        .ip("link add left type veth peer name right\n")
        .map_err(said)?;
    let rules = "table ip trial {\n chain out {\n type nat hook postrouting priority 100\n \
                 masquerade\n }\n}\n";
    namespace.nft(rules).map_err(said)?;
    Ok(())
}

/// By its effective user id.
fn is_root() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ids = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    ids.and_then(|ids| ids.split_whitespace().nth(1)) == Some("0")
}

fn is_installed(program: &str) -> bool {
    succeed(Command::new("sh").args(["-c", "command -v \"$0\"", program])).is_ok()
}
