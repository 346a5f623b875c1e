//! Every pair of sides: how the ends reach each other is what theory says, and what the
//! specification shows.

use std::collections::BTreeMap;

use p2claw_simulation::{pairs, side::Side, theory};

/// Made by `cargo run -p p2claw-simulation -- --table`.
const TABLE: &str = include_str!("../../../../spec/v1/nat-table.csv");

/// By the agent's side and the visitor's.
fn table() -> BTreeMap<(&'static str, &'static str), &'static str> {
    let rows = TABLE.lines().skip(1);
    rows.map(|row| {
        let cells: Vec<_> = row.split(',').collect();
        ((cells[0], cells[1]), cells[2])
    })
    .collect()
}

/// One agent, and a visitor behind each side.
fn row(name: &str) {
    let agent = Side::named(name).unwrap();
    let visitors = Side::all();
    let table = table();
    let seen = pairs::row(1, &agent, &visitors).unwrap();
    for (visitor, seen) in visitors.iter().zip(seen) {
        let seen = seen.unwrap_or_else(|error| panic!("{agent} and {visitor}: {error}"));
        let expected = theory::expected(&agent, visitor);
        assert_eq!(seen.outcome, expected, "{agent} and {visitor}");
        let claimed = seen.claimed.is_relayed();
        assert_eq!(
            claimed,
            expected.is_relayed(),
            "{agent} and {visitor}: {seen:?}"
        );
        let shown = table.get(&(name, visitor.to_string().as_str())).copied();
        assert_eq!(
            shown,
            Some(expected.word()),
            "{agent} and {visitor}: nat-table.csv"
        );
    }
}

macro_rules! rows {
    ($($test:ident: $side:literal;)*) => {
        $(#[test]
        fn $test() {
            row($side);
        })*

        /// Each side has a test of its own.
        #[test]
        fn every_row_is_run() {
            let run = [$($side),*];
            let all: Vec<_> = Side::all().iter().map(ToString::to_string).collect();
            assert_eq!(run.as_slice(), all);
            assert_eq!(table().len(), all.len() * all.len());
        }
    };
}

rows! {
    agent_without_a_box: "open";
    agent_behind_ei_ei: "EI/EI";
    agent_behind_ei_ad: "EI/AD";
    agent_behind_ei_apd: "EI/APD";
    agent_behind_ad_ei: "AD/EI";
    agent_behind_ad_ad: "AD/AD";
    agent_behind_ad_apd: "AD/APD";
    agent_behind_apd_ei: "APD/EI";
    agent_behind_apd_ad: "APD/AD";
    agent_behind_apd_apd: "APD/APD";
    agent_behind_two_boxes: "EI/APD behind EI/APD";
    agent_behind_two_boxes_one_symmetric: "EI/APD behind APD/APD";
    agent_without_udp: "no UDP";
}
