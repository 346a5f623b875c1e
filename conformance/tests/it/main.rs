//! The vectors against the reference implementation, and rules over all crates.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test looks at the variants that it is about"
)]

mod agent_fields;
mod arrows;
mod cookies;
mod describe;
mod frames;
mod heads;
mod links;
mod names;
mod page_agent;
mod restarts;
mod sequences;
mod session_end;
mod signaling;
mod statements;
mod ten_messages;
mod traces;

use p2claw_conformance::vectors::{ALL, Case, Expected, Source};

/// Every group, so that a new one cannot be forgotten here.
const GROUPS: [&str; 42] = [
    "alias",
    "alias-of-key",
    "app-name",
    "candidate",
    "cookie-date",
    "description",
    "envelope",
    "event-stream",
    "flow-agent",
    "flow-visitor",
    "frame",
    "host",
    "host-label",
    "http-error",
    "jar",
    "link-agent",
    "link-coord",
    "message-limit",
    "peer-id",
    "registration",
    "request-head",
    "response",
    "response-head",
    "restart",
    "revoke",
    "session-agent",
    "session-visitor",
    "set-cookie",
    "signature",
    "trailers",
    "turn-check",
    "turn-issue",
    "upstream-fields",
    "varint",
    "visit",
    "visit-agent",
    "visit-coord",
    "visit-request",
    "visit-update",
    "visit-visitor",
    "visitor-fields",
    "ws-close",
];

#[test]
fn every_group_has_a_reader() {
    let files = ALL.map(|source| source.read().unwrap());
    let mut found: Vec<_> = files
        .iter()
        .flat_map(|file| file.groups.iter().map(|group| group.kind.as_str()))
        .collect();
    found.sort_unstable();
    assert_eq!(found, GROUPS);
}

/// Runs `accepts` on every case of a group. It returns whether the input was taken, and compares
/// what it was read as.
fn check(source: Source, group: &str, accepts: impl Fn(&Case) -> bool) {
    let file = source.read().unwrap();
    for case in file.cases(group).unwrap() {
        let accepted = accepts(case);
        match case.expected() {
            Expected::Valid => assert!(accepted, "{} was refused: {}", case.id, case.comment),
            Expected::Invalid => assert!(!accepted, "{} was taken: {}", case.id, case.comment),
            Expected::Acceptable => {}
        }
    }
}
