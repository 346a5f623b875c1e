//! The vectors against the reference implementation, and rules over all crates.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod arrows;
mod frames;
mod names;
mod statements;

use p2claw_conformance::vectors::{ALL, Case, Expected, Source};

/// Every group, so that a new one cannot be forgotten here.
const GROUPS: [&str; 11] = [
    "app-name",
    "alias",
    "host-label",
    "host",
    "alias-of-key",
    "peer-id",
    "signature",
    "registration",
    "revoke",
    "visit",
    "varint",
];

#[test]
fn every_group_has_a_reader() {
    let files = ALL.map(|source| source.read().unwrap());
    let mut found: Vec<_> = files
        .iter()
        .flat_map(|file| file.groups.iter().map(|group| group.kind.as_str()))
        .collect();
    let mut known = GROUPS.to_vec();
    known.push("frame");
    found.sort_unstable();
    known.sort_unstable();
    assert_eq!(found, known);
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
