//! The constants of this crate and the tables of the specification say the same.

use p2claw_session::frame::FrameType;
use p2claw_session::{ErrorCode, Fault, limits};

/// Rows of a registry without its heading, split into cells.
fn rows(text: &'static str) -> Vec<Vec<&'static str>> {
    text.lines()
        .skip(1)
        .map(|line| line.split(',').collect())
        .collect()
}

fn number(cell: &str) -> u64 {
    match cell.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).unwrap(),
        None => cell.parse().unwrap(),
    }
}

#[test]
fn frame_types() {
    let rows = rows(include_str!("../../../../spec/registries/frame-types.csv"));
    let names: Vec<(u64, &str)> = rows.iter().map(|row| (number(row[0]), row[1])).collect();
    let own: Vec<(u64, &str)> = FrameType::ALL
        .iter()
        .map(|frame_type| (frame_type.wire(), frame_type.name()))
        .collect();
    assert_eq!(own, names);
}

#[test]
fn error_codes() {
    let rows = rows(include_str!("../../../../spec/registries/error-codes.csv"));
    let codes: Vec<(u64, &str, &str)> = rows
        .iter()
        .map(|row| (number(row[0]), row[1], row[2]))
        .collect();
    let own: Vec<(u64, &str, &str)> = ErrorCode::REGISTERED
        .iter()
        .map(|code| {
            let fault = match code.fault() {
                Fault::Peer => "peer",
                Fault::Own => "self",
                Fault::Upstream => "upstream",
                Fault::Caller => "caller",
                Fault::Limit => "limit",
            };
            (code.get(), code.name(), fault)
        })
        .collect();
    assert_eq!(own, codes);
}

/// SES-003, SES-014, SES-043
#[test]
fn settings() {
    let rows = rows(include_str!("../../../../spec/registries/settings.csv"));
    let default = |name: &str| number(rows.iter().find(|row| row[1] == name).unwrap()[2]);
    let max = |name: &str| number(rows.iter().find(|row| row[1] == name).unwrap()[4]);
    assert_eq!(default("max_frame"), limits::FRAME_DEFAULT as u64);
    assert_eq!(max("max_frame"), limits::FRAME_MAX as u64);
    assert_eq!(
        default("initial_stream_credit"),
        limits::STREAM_CREDIT_DEFAULT
    );
    assert_eq!(
        default("initial_session_credit"),
        limits::SESSION_CREDIT_DEFAULT
    );
    assert_eq!(default("max_streams"), limits::STREAMS_DEFAULT);
    assert_eq!(max("lanes"), u64::from(limits::LANES_MAX));
}
