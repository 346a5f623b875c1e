//! What commands show: JSON lines for programs, short text for people, logs on standard error.

use std::{
    fmt::Display,
    io::{ErrorKind, IsTerminal as _, Write as _},
};

use qrcode::{EcLevel, QrCode, render::unicode};
use serde::Serialize;
use tracing_subscriber::EnvFilter;

use crate::{args::Command, exit::CommandError};

/// Services tell what they do; the others only what goes wrong.
pub(crate) fn start_logging(verbose: u8, command: &Command) {
    let ours = match (verbose, command) {
        // It shows what it does itself.
        (1, Command::Fetch(_)) => "warn",
        (0, Command::Fetch(fetch)) if fetch.silent => "off",
        (0, Command::Coord(_) | Command::Edge(_) | Command::Run(_)) => "info",
        (0, _) => "warn",
        (1, _) => "debug",
        (2.., _) => "trace",
    };
    let usual = || {
        EnvFilter::new(format!(
            // Strangers' packets make webrtc-rs (`rtc`, `rtc_ice`, ...) complain, and the TURN crates
            // call every challenge an error, with which each allocation begins.
            "error,rtc=off,stun_proto=off,turn_client_proto=off,turn_server_proto=off,p2claw={ours},\
             p2claw_agent={ours},p2claw_coord={ours},p2claw_edge={ours},p2claw_network={ours},\
             p2claw_rtc_str0m={ours},p2claw_rtc_webrtc={ours},p2claw_visitor={ours}"
        ))
    };
    let filter = match std::env::var("P2CLAW_LOG") {
        Ok(wanted) => EnvFilter::try_new(wanted).unwrap_or_else(|error| {
            note(format_args!("P2CLAW_LOG is left aside: {error}"));
            usual()
        }),
        Err(_) => usual(),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(wants_colour())
        .with_writer(std::io::stderr)
        .init();
}

/// Colours are for people at a terminal who want them (no-color.org).
fn wants_colour() -> bool {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    std::io::stderr().is_terminal()
        && set("NO_COLOR").is_none()
        && set("TERM").is_none_or(|term| term != "dumb")
}

/// Characters in a line of the terminal that reads the result; `None` where it is none.
pub(crate) fn width() -> Option<usize> {
    let (width, _) = terminal_size::terminal_size_of(std::io::stdout())?;
    Some(usize::from(width.0))
}

/// Prints one line of the result. A reader that has gone wants no more of it: that is no failure.
pub(crate) fn line(text: impl Display) -> Result<(), CommandError> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| format!("print the result: {error}").into()),
    }
}

/// Prints one line of JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<(), CommandError> {
    line(serde_json::to_string(value)?)
}

/// Tells people something beside the result.
pub(crate) fn note(text: impl Display) {
    // Where standard error is closed nobody wants to know.
    let _ = writeln!(std::io::stderr(), "p2claw: {text}");
}

/// One line about what happens, for people who asked for it.
pub(crate) fn trace(text: impl Display) {
    // As above.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// What a service says when it is ready. Whoever cannot read it is still served.
pub(crate) fn announce(said: Result<(), CommandError>) {
    if let Err(error) = said {
        note(format_args!("failed to {error}"));
    }
}

/// A QR code in Unicode blocks, two modules a character, with its quiet zone. Blocks are the light
/// modules, for most terminals are dark; cameras read the inverse on the others.
pub(crate) fn qr(text: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    Some(
        code.render::<unicode::Dense1x2>()
            .dark_color(unicode::Dense1x2::Light)
            .light_color(unicode::Dense1x2::Dark)
            .quiet_zone(true)
            .build(),
    )
}

#[cfg(test)]
mod tests {
    use super::qr;

    #[test]
    fn a_long_address_still_fits_a_terminal() {
        let url = format!(
            "https://{}.example.net/#p={}",
            "a".repeat(63),
            "y".repeat(52)
        );
        let code = qr(&url).unwrap_or_default();
        let widest = code.lines().map(|line| line.chars().count()).max();
        assert!(
            widest.is_some_and(|width| (40..=80).contains(&width)),
            "{widest:?}"
        );
    }
}
