//! What scenarios have seen: a line for people, and a file that scripts/tables reads.

use std::{collections::BTreeMap, fmt, fs, path::Path, time::Duration};

use serde_json::json;

use crate::world::Stack;

/// How the bytes went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Direct,
    Relayed,
}

/// Who visits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visitor {
    Native(Stack),
    Chromium,
}

impl Visitor {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Native(stack) => stack.name(),
            Self::Chromium => "chromium",
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Direct => "direct",
            Self::Relayed => "relayed",
        })
    }
}

/// What a visitor has seen of a transfer.
pub(crate) struct Seen {
    pub(crate) way: Way,
    /// From the beginning of the visit to the first byte of the answer.
    pub(crate) first_byte: Duration,
    pub(crate) total: Duration,
    /// Of what arrived, in hex.
    pub(crate) sha256: String,
}

/// Where the files are.
const FOLDER: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/kernel");

/// What was tried.
pub(crate) struct Tried {
    pub(crate) scenario: &'static str,
    /// How the two are connected, in words.
    pub(crate) agent_network: String,
    pub(crate) visitor_network: String,
    pub(crate) agent: Stack,
    pub(crate) visitor: Visitor,
    /// What else is special.
    pub(crate) besides: &'static str,
}

/// Notes the outcome of a scenario.
pub(crate) fn note(tried: &Tried, seen: &Seen) {
    let (agent, visitor) = (tried.agent.name(), tried.visitor.name());
    let (scenario, way) = (tried.scenario, seen.way);
    let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let (first, total) = (milliseconds(seen.first_byte), milliseconds(seen.total));
    println!(
        "{scenario}: agent {agent} behind {}, visitor {visitor} behind {}, {}: {way}, first byte \
         after {first} ms, last after {total} ms",
        tried.agent_network, tried.visitor_network, tried.besides,
    );
    let row = json!({
        "scenario": scenario,
        "agent_network": tried.agent_network,
        "visitor_network": tried.visitor_network,
        "agent": agent,
        "visitor": visitor,
        "besides": tried.besides,
        "path": way.to_string(),
        "first_byte_ms": first,
        "total_ms": total,
    });
    fs::create_dir_all(FOLDER).unwrap();
    let file = Path::new(FOLDER).join(format!("{scenario}.{agent}.{visitor}.json"));
    fs::write(file, format!("{row}\n")).unwrap();
}

/// Begins a run: what will be noted, and what is skipped for which reason. Nobody else may say
/// that.
pub(crate) fn begin(expected: &[&str], skipped: &BTreeMap<&str, &str>) {
    for (scenario, reason) in skipped {
        eprintln!("skipped: {scenario}: {reason}");
    }
    // What an earlier run has left.
    let _ = fs::remove_dir_all(FOLDER);
    fs::create_dir_all(FOLDER).unwrap();
    let run = json!({ "expected": expected, "skipped": skipped });
    fs::write(Path::new(FOLDER).join("run.json"), format!("{run}\n")).unwrap();
}
