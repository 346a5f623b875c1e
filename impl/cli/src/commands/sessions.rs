//! `sessions`: who visits now, and how that goes.

use std::{io::IsTerminal as _, time::Duration};

use p2claw_agent::{ApiClient, PathKind, PathStatus, SessionState, SessionStatus};
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    args::SessionsArguments,
    commands::routes::{client, hint},
    exit::{self, CommandError},
    output, table,
};

/// How often `--watch` looks.
const REFRESH: Duration = Duration::from_secs(1);

/// Digits of a session's id that people get: enough to find it in a log.
const SHORT_ID: usize = 8;

/// Puts the cursor into the corner and clears the screen behind it (ECMA-48 CUP, ED).
const CLEAR: &str = "\u{1b}[H\u{1b}[J";

const NOBODY: &str = "no sessions: nobody visits now";

pub(crate) async fn show(arguments: SessionsArguments) -> Result<(), CommandError> {
    let client = client(&arguments.local)?;
    if arguments.watch {
        return watch(&client, &arguments).await;
    }
    let sessions = ask(&client, &arguments).await?;
    if arguments.local.json {
        return output::json(&sessions);
    }
    if sessions.is_empty() {
        return output::line(format_args!(
            "{NOBODY}; `p2claw routes` lists the addresses that they may open"
        ));
    }
    for line in table(&sessions, arguments.addresses) {
        output::line(line)?;
    }
    Ok(())
}

async fn watch(client: &ApiClient, arguments: &SessionsArguments) -> Result<(), CommandError> {
    let shutdown = exit::on_signal()?;
    let mut ticks = interval(REFRESH);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let screen = std::io::stdout().is_terminal() && !arguments.local.json;
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            _ = ticks.tick() => {}
        }
        let sessions = tokio::select! {
            () = shutdown.cancelled() => return Ok(()),
            sessions = ask(client, arguments) => sessions?,
        };
        if arguments.local.json {
            output::json(&sessions)?;
            continue;
        }
        let mut text = match sessions.is_empty() {
            true => NOBODY.to_owned(),
            false => table(&sessions, arguments.addresses).join("\n"),
        };
        if screen {
            text = format!("{CLEAR}{text}\n\nRefreshed every second; Ctrl-C ends.");
        }
        output::line(text)?;
    }
}

async fn ask(
    client: &ApiClient,
    arguments: &SessionsArguments,
) -> Result<Vec<SessionStatus>, CommandError> {
    let sessions = client.sessions(arguments.addresses).await;
    sessions.map_err(|error| hint(error, &arguments.local))
}

/// One line a session, below their titles.
fn table(sessions: &[SessionStatus], addresses: bool) -> Vec<String> {
    let titles = [
        "SESSION",
        "APP",
        "AGE",
        "STATE",
        "PATH",
        "RTT",
        "IN",
        "",
        "OUT",
        "",
        "OPEN",
        "REQUESTS",
        "ADDRESSES",
    ];
    let mut rows = vec![titles.map(str::to_owned)];
    rows.extend(sessions.iter().map(row));
    if !addresses {
        // An empty last column leaves nothing behind.
        for row in &mut rows {
            if let Some(last) = row.last_mut() {
                last.clear();
            }
        }
    }
    table::lines(&rows)
}

fn row(session: &SessionStatus) -> [String; 13] {
    let path = session.path.as_ref();
    let none = || "-".to_owned();
    [
        session.id.chars().take(SHORT_ID).collect(),
        session.app.clone(),
        age(session.age_seconds),
        state(session),
        path.map_or_else(none, kinds),
        session.round_trip_ms.map_or_else(none, millis),
        bytes(session.bytes_in),
        format!("{}/s", bytes(session.in_per_second)),
        bytes(session.bytes_out),
        format!("{}/s", bytes(session.out_per_second)),
        open(session),
        session.requests.to_string(),
        path.and_then(ends).unwrap_or_default(),
    ]
}

fn state(session: &SessionStatus) -> String {
    match session.state {
        SessionState::Connecting => "connecting".to_owned(),
        SessionState::Connected => "connected".to_owned(),
        SessionState::PathLost => {
            let lost = session.path_lost_seconds.unwrap_or_default();
            format!("path lost for {lost:.0} s")
        }
        SessionState::Ending => "ending".to_owned(),
    }
}

/// What the two ends are, ours first.
fn kinds(path: &PathStatus) -> String {
    let kind = match path.kind {
        PathKind::Direct => "direct",
        PathKind::Relayed => "relayed",
    };
    format!("{kind}, {}-{}", path.local, path.remote)
}

fn ends(path: &PathStatus) -> Option<String> {
    let (local, remote) = (path.local_address?, path.remote_address?);
    Some(format!("{local} - {remote}"))
}

fn open(session: &SessionStatus) -> String {
    // A WebSocket is a stream, too.
    let others = session.streams.saturating_sub(session.websockets);
    match session.websockets {
        0 => others.to_string(),
        sockets => format!("{others} + {sockets} ws"),
    }
}

fn age(seconds: f64) -> String {
    let seconds = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    let seconds = seconds.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{minutes} min"),
        3_600..86_400 => format!("{hours} h {} min", minutes % 60),
        86_400.. => format!("{days} d {} h", hours % 24),
    }
}

fn millis(millis: f64) -> String {
    let digits = if millis < 10.0 { 1 } else { 0 };
    format!("{millis:.digits$} ms")
}

/// Decimal units, as networks have them.
fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if count < 1_000 {
        return format!("{count} B");
    }
    // In tenths of the unit: no float rounds what was counted.
    let mut tenths = count / 100;
    let mut unit = UNITS[0];
    for larger in &UNITS[1..] {
        if tenths < 10_000 {
            break;
        }
        tenths /= 1_000;
        unit = larger;
    }
    match tenths {
        0..100 => format!("{}.{} {unit}", tenths / 10, tenths % 10),
        100.. => format!("{} {unit}", tenths / 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(id: char) -> SessionStatus {
        SessionStatus {
            id: id.to_string().repeat(32),
            app: "recipes".to_owned(),
            age_seconds: 3.9,
            state: SessionState::Connecting,
            path_lost_seconds: None,
            path: None,
            round_trip_ms: None,
            least_round_trip_ms: None,
            bytes_in: 0,
            bytes_out: 0,
            in_per_second: 0,
            out_per_second: 0,
            streams: 0,
            websockets: 0,
            requests: 0,
            software: String::new(),
        }
    }

    fn path(kind: PathKind, local: &str, remote: &str) -> PathStatus {
        PathStatus {
            kind,
            local: local.to_owned(),
            remote: remote.to_owned(),
            local_address: "192.0.2.1:40000".parse().ok(),
            remote_address: "[2001:db8::7]:5000".parse().ok(),
        }
    }

    fn sessions() -> Vec<SessionStatus> {
        vec![
            session('a'),
            SessionStatus {
                age_seconds: 4_530.0,
                state: SessionState::Connected,
                path: Some(path(PathKind::Direct, "host", "prflx")),
                round_trip_ms: Some(41.7),
                bytes_in: 12_345,
                bytes_out: 1_234_567_890,
                in_per_second: 999,
                out_per_second: 2_345_678,
                streams: 3,
                websockets: 1,
                requests: 412,
                ..session('b')
            },
            SessionStatus {
                age_seconds: 90_000.0,
                state: SessionState::PathLost,
                path_lost_seconds: Some(12.4),
                path: Some(path(PathKind::Relayed, "relay", "srflx")),
                round_trip_ms: Some(0.84),
                bytes_in: 999_999,
                bytes_out: 1_000,
                streams: 2,
                requests: 7,
                ..session('c')
            },
        ]
    }

    #[test]
    fn people_see_one_line_a_session() {
        insta::assert_snapshot!(table(&sessions(), false).join("\n"));
    }

    /// SEC-006
    #[test]
    fn addresses_stand_at_the_end_where_they_were_asked_for() {
        insta::assert_snapshot!(table(&sessions(), true).join("\n"));
    }

    #[test]
    fn amounts_keep_two_digits_and_their_unit() {
        for (count, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.0 kB"),
            (9_999, "9.9 kB"),
            (10_000, "10 kB"),
            (999_999, "999 kB"),
            (1_000_000, "1.0 MB"),
            (u64::MAX, "18446744 TB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }
}
