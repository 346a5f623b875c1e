//! Sequences of a session: state tables, what tables do not show, and flow control.

use std::collections::{BTreeMap, BTreeSet};

use p2claw_conformance::sequence::{Sequence, play};
use p2claw_conformance::vectors::{Case, FLOW_CONTROL, STATE_SEQUENCES, Source};

use crate::describe::Describe;
use crate::session_end::SessionEnd;

/// Where the state tables are.
const STATES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../spec/states");

/// Plays every case of a group; what became of each.
fn play_all(source: Source, group: &str) -> Vec<(Case, String)> {
    let describe = Describe::new();
    let file = source.read().unwrap();
    let mut failures = Vec::new();
    let mut outcomes = Vec::new();
    for case in file.cases(group).unwrap() {
        let sequence: Sequence = case.input().unwrap();
        let mut end = SessionEnd::new(&sequence.role, &sequence.settings, sequence.take, &describe);
        match play(case, &mut end) {
            Ok(outcome) => outcomes.push((case.clone(), outcome)),
            Err(failure) => failures.push(failure),
        }
    }
    assert!(
        failures.is_empty(),
        "{} of {group} failed:\n{}",
        failures.len(),
        failures.join("\n")
    );
    outcomes
}

/// The rows of one table: (state, event), without those that cannot happen.
pub(crate) fn rows(table: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(format!("{STATES}/{table}.csv")).unwrap();
    let rows = text
        .lines()
        .skip(1)
        .map(|row| row.split(',').collect::<Vec<_>>());
    rows.filter(|cells| cells[3] != "cannot happen")
        .map(|cells| format!("{}/{}", cells[0], cells[1]).replace(' ', "-"))
        .collect()
}

/// What the engine does in every state with every event, and that every row was tried.
fn check_tables(outcomes: &[(Case, String)], tables: &[(&str, &str)]) {
    for (prefix, table) in tables {
        let mut lines = Vec::new();
        let mut tried = BTreeSet::new();
        for (case, outcome) in outcomes {
            let Some(row) = case.id.strip_prefix(&format!("{prefix}/")) else {
                continue;
            };
            tried.insert(row.to_owned());
            lines.push(format!("{row} | {outcome}"));
        }
        assert_eq!(tried, rows(table), "rows of {table}");
        insta::assert_snapshot!(prefix.replace('/', "-"), lines.join("\n"));
    }
}

/// SES-001 to SES-094, WSK-001 to WSK-022: as an agent.
#[test]
fn sequences_of_an_agent() {
    let outcomes = play_all(STATE_SEQUENCES, "session-agent");
    check_tables(
        &outcomes,
        &[
            ("request-half", "request-half"),
            ("response-sender", "response-sender"),
            ("streams", "streams"),
            ("session-agent", "session-agent"),
            ("agent/liveness", "liveness"),
            ("agent/path", "path"),
            ("websocket-request-half", "websocket-request-half"),
        ],
    );
}

/// The same, as a visitor.
#[test]
fn sequences_of_a_visitor() {
    let outcomes = play_all(STATE_SEQUENCES, "session-visitor");
    check_tables(
        &outcomes,
        &[
            ("response-half", "response-half"),
            ("request-sender", "request-sender"),
            ("session-visitor", "session-visitor"),
            ("visitor/liveness", "liveness"),
            ("visitor/path", "path"),
            ("websocket-response-half", "websocket-response-half"),
            ("websocket-sender", "websocket-sender"),
        ],
    );
}

/// SES-040 to SES-046.
#[test]
fn flow_control() {
    let mut ran = BTreeMap::new();
    for group in ["flow-agent", "flow-visitor"] {
        ran.insert(group, play_all(FLOW_CONTROL, group).len());
    }
    assert_eq!(
        ran.values().sum::<usize>(),
        FLOW_CONTROL.read().unwrap().count
    );
}
