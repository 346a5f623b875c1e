//! What commands show: JSON lines for programs, short text for people, logs on standard error.

use qrcode::{EcLevel, QrCode, render::unicode};
use serde::Serialize;
use tracing_subscriber::EnvFilter;

use crate::{args::Command, exit::CommandError};

/// Services tell what they do; the others only what goes wrong.
pub(crate) fn start_logging(verbose: u8, command: &Command) {
    let ours = match (verbose, command) {
        (0, Command::Coord(_) | Command::Edge(_) | Command::Run(_)) => "info",
        (0, _) => "warn",
        (1, _) => "debug",
        (2.., _) => "trace",
    };
    let filter = EnvFilter::try_from_env("P2CLAW_LOG").unwrap_or_else(|_| {
        EnvFilter::new(format!(
            "error,p2claw={ours},p2claw_agent={ours},p2claw_coord={ours},p2claw_edge={ours},\
             p2claw_rtc_str0m={ours}"
        ))
    });
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}

/// Prints one line of JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<(), CommandError> {
    println!("{}", serde_json::to_string(value)?);
    Ok(())
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
