//! The reference traces: made anew, and compared with the files.
//!
//! `P2CLAW_REGENERATE=1 cargo test -p p2claw-conformance traces` writes them.

use std::fmt::Write as _;

use bytes::Bytes;
use p2claw_conformance::trace::{self, Line};
use p2claw_session::{ErrorCode, MessageKind};

use crate::describe::Describe;
use crate::visit_world::{World, bye, message};

fn visit() -> Vec<Line> {
    let mut world = World::new();
    world.run(200);
    world.ask_for_visit();
    world.run(200);
    // Requests follow the visitor's own HELLO at once (SES-006).
    world.open("GET", "/", &[("accept", "text/html")]);
    world.run(200);

    let upload = world.open(
        "POST",
        "/upload",
        &[("content-type", "application/octet-stream")],
    );
    for _ in 0..3 {
        let mut piece = Bytes::from(vec![b'u'; 1_000]);
        world.session().write(upload, &mut piece).unwrap();
        world.run(50);
    }

    // Beside it, on another lane, something that is given up.
    let endless = world.open("GET", "/endless", &[]);
    world.run(100);
    world.session().stop(endless, ErrorCode::CANCELLED);
    world.session().release(endless);
    world.session().finish(upload, None).unwrap();
    world.run(200);

    let asked = [("sec-websocket-protocol", "v2.echo, v1.echo")];
    let socket = world.open("CONNECT", "/socket", &asked);
    world.run(100);
    let session = world.session();
    message(session, socket, MessageKind::Text, "hello", true);
    message(session, socket, MessageKind::Binary, "in two ", false);
    message(session, socket, MessageKind::Binary, "parts", true);
    message(session, socket, MessageKind::Text, "", true);
    world.run(100);
    bye(world.session(), socket);
    world.run(100);

    // Silence: each end asks whether the other is there (SES-060).
    world.run(16_000);
    world.end();

    let seen: Vec<&str> = world.seen.iter().map(String::as_str).collect();
    assert_eq!(
        seen,
        [
            "1 103",
            "1 200",
            "1 <!doctype html><title>Recipes</title><h1>Recipes</h1>",
            "1 end",
            "5 200",
            "5 line 1\n",
            "3 201",
            "3 3000 bytes\n",
            "3 end",
            "7 200",
            "7 hello",
            "7 in two ",
            "7 parts",
            "7 ",
            "7 close Some(1000)",
        ]
    );
    world.lines
}

fn text(lines: &[Line]) -> String {
    let mut text = String::new();
    for line in lines {
        writeln!(text, "{}", serde_json::to_string(line).unwrap()).unwrap();
    }
    text
}

/// The same seeds give the same bytes, and they are those in the file.
#[test]
fn the_reference_still_behaves_as_in_its_traces() {
    let made = text(&visit());
    assert_eq!(
        made,
        text(&visit()),
        "a trace depends on nothing but its seeds"
    );
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
        if line.on.starts_with("lane ") {
            let (kind, stream, content) = describe.frame(&bytes);
            assert_eq!(
                (kind, Some(stream), content),
                (line.kind.clone(), line.stream, line.content.clone())
            );
        }
    }
    for kind in [
        "Challenge",
        "Hello",
        "Welcome",
        "RouteAnnounce",
        "RouteAck",
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
    assert!(
        lines.iter().any(|line| line.on == "lane 1"),
        "one lane only"
    );
    assert!(
        lines.iter().any(|line| line.kind.parse::<u64>().is_ok()),
        "no grease in the trace"
    );
}
