//! The reference traces: made anew, and compared with the files.
//!
//! `P2CLAW_REGENERATE=1 cargo test -p p2claw-conformance traces` writes them.

use std::fmt::Write as _;

use p2claw_conformance::trace::{self, Line};
use p2claw_session::LaneId;
use p2claw_simulation::{
    reference,
    tap::{Carrier, Said},
};
use serde_json::Value;

use crate::describe::Describe;

/// Decides everything in the trace.
const SEED: u64 = 1;

fn visit(seed: u64) -> Vec<Line> {
    let heard = reference::visit(seed).unwrap();
    let seen: Vec<&str> = heard.seen.iter().map(String::as_str).collect();
    assert_eq!(
        seen,
        [
            "/ 103",
            "/ 200",
            "/ <!doctype html><title>Recipes</title><h1>Recipes</h1>",
            "/endless 200",
            "/endless line 1\n",
            "/endless line 2\n",
            "/upload 201",
            "/upload 3000 bytes\n",
            "/socket 200 v1.echo",
            "/socket Text hello",
            "/socket Binary by...",
            "/socket Binary tes",
            "/socket Binary in two...",
            "/socket Binary  parts",
            "/socket Text ",
            "/socket closed Some(1000)",
            "/ 103",
            "/ 200",
            "/ <!doctype html><title>Recipes</title><h1>Recipes</h1>",
            "ended: NO_ERROR closed by this end",
        ]
    );
    let describe = Describe::new();
    let lines = heard.said.iter().map(|said| line(&describe, said));
    lines.collect()
}

fn line(describe: &Describe, said: &Said) -> Line {
    let (on, kind, stream, content) = read(describe, said.on, &said.bytes);
    Line {
        ms: u64::try_from(said.at.as_millis()).unwrap(),
        from: said.from.name().to_owned(),
        to: said.to.name().to_owned(),
        on,
        kind,
        stream,
        content,
        hex: data_encoding::HEXLOWER.encode(&said.bytes),
    }
}

/// What a line of a trace is by what it says of itself.
fn carrier(line: &Line) -> Carrier {
    match (&line.on[..], &line.kind[..]) {
        ("link", _) => Carrier::Link,
        ("visit", "VisitRequest") => Carrier::VisitRequest,
        ("visit", "VisitUpdate") => Carrier::VisitUpdate,
        ("visit", "IceServers") => Carrier::IceServers,
        ("visit", _) => Carrier::VisitEvent,
        (lane, _) => {
            let number = lane.strip_prefix("lane ").unwrap().parse().unwrap();
            Carrier::Lane(LaneId::new(number).unwrap())
        }
    }
}

/// What carries a message, its kind, its stream and its content.
fn read(
    describe: &Describe,
    carrier: Carrier,
    bytes: &[u8],
) -> (String, String, Option<u64>, Value) {
    let body = |name: &str| {
        let content = describe.message(name, bytes);
        ("visit".to_owned(), name.to_owned(), None, content)
    };
    match carrier {
        Carrier::Link => {
            let (kind, content) = describe.kind("Envelope", bytes);
            ("link".to_owned(), kind, None, content)
        }
        Carrier::VisitRequest => body("VisitRequest"),
        Carrier::VisitUpdate => body("VisitUpdate"),
        Carrier::IceServers => body("IceServers"),
        Carrier::VisitEvent => {
            let mut event = bytes;
            prost::decode_length_delimiter(&mut event).unwrap();
            let (kind, content) = describe.kind("VisitEvent", event);
            ("visit".to_owned(), kind, None, content)
        }
        Carrier::Lane(lane) => {
            let (kind, stream, content) = describe.frame(bytes);
            (format!("lane {lane}"), kind, Some(stream), content)
        }
    }
}

fn text(lines: &[Line]) -> String {
    let mut text = String::new();
    for line in lines {
        writeln!(text, "{}", serde_json::to_string(line).unwrap()).unwrap();
    }
    text
}

/// The same seed gives the same bytes, and they are those in the file.
#[test]
fn the_reference_still_behaves_as_in_its_traces() {
    let made = text(&visit(SEED));
    assert_eq!(
        made,
        text(&visit(SEED)),
        "a trace depends on nothing but its seed"
    );
    assert_ne!(made, text(&visit(SEED + 1)), "and it does on that");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/traces/");
    if std::env::var_os("P2CLAW_REGENERATE").is_some() {
        std::fs::write(format!("{path}{}", trace::VISIT.name), &made).unwrap();
        return;
    }
    for (number, (made, kept)) in made.lines().zip(trace::VISIT.text().lines()).enumerate() {
        assert_eq!(
            made,
            kept,
            "line {} of {path}{} has changed; if it should, run this test with P2CLAW_REGENERATE=1 \
             and look at the difference",
            number + 1,
            trace::VISIT.name
        );
    }
    assert_eq!(made.lines().count(), trace::VISIT.text().lines().count());
}

/// What a line says in words is what its bytes say, and every frame type of a visit is there.
#[test]
fn traces_are_sound() {
    let describe = Describe::new();
    let lines = trace::VISIT.lines().unwrap();
    let mut before = 0;
    for line in &lines {
        assert!(line.ms >= before, "in the order of time");
        before = line.ms;
        let bytes = data_encoding::HEXLOWER.decode(line.hex.as_bytes()).unwrap();
        let said = read(&describe, carrier(line), &bytes);
        let (on, kind) = (line.on.clone(), line.kind.clone());
        assert_eq!(said, (on, kind, line.stream, line.content.clone()));
    }
    for kind in [
        "Challenge",
        "Hello",
        "Welcome",
        "RouteAnnounce",
        "RouteAck",
        "IceServers",
        "VisitRequest",
        "VisitOffer",
        "VisitAnswer",
        "Answer",
        "Candidate",
        "VisitUpdate",
        "VisitEnd",
        "End",
        "Goodbye",
        "Heartbeat",
        "HeartbeatAck",
        "HELLO",
        "REQUEST",
        "RESPONSE",
        "DATA",
        "DATA_END",
        "TRAILERS",
        "RESET",
        "STOP",
        "PING",
        "PONG",
        "GOAWAY",
        "WS_TEXT",
        "WS_BINARY",
        "WS_BINARY_PART",
        "WS_CLOSE",
    ] {
        assert!(
            lines.iter().any(|line| line.kind == kind),
            "no {kind} in the trace"
        );
    }
    let restarts =
        |line: &Line| line.kind == "VisitOffer" && line.content.get("restarts").is_some();
    assert!(lines.iter().any(restarts), "no restart in the trace");
    assert!(
        lines.iter().any(|line| line.on == "lane 1"),
        "one lane only"
    );
    assert!(
        lines.iter().any(|line| line.kind.parse::<u64>().is_ok()),
        "no grease in the trace"
    );
}
