//! What scenarios have seen: a line for people, and a file that scripts/tables reads.

use std::{fmt, fs, path::Path, time::Duration};

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

/// Where the files are.
const FOLDER: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/kernel");

/// Notes the outcome of a scenario.
pub(crate) fn note(
    scenario: &str,
    agent: Stack,
    visitor: Visitor,
    way: Way,
    first_byte: Duration,
    remark: &str,
) {
    let (agent, visitor) = (agent.name(), visitor.name());
    let milliseconds = first_byte.as_millis();
    println!(
        "{scenario}, agent {agent}, visitor {visitor}: {way}, first byte after {milliseconds} ms{remark}"
    );
    let row = json!({
        "scenario": scenario,
        "agent": agent,
        "visitor": visitor,
        "path": way.to_string(),
        "first_byte_ms": u64::try_from(milliseconds).unwrap_or(u64::MAX),
    });
    fs::create_dir_all(FOLDER).unwrap();
    let file = Path::new(FOLDER).join(format!("{scenario}.{agent}.{visitor}.json"));
    fs::write(file, format!("{row}\n")).unwrap();
}
