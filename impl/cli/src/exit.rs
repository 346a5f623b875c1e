//! How a command ends.

use std::process::ExitCode;

use tokio_util::sync::CancellationToken;

/// Why a command failed: a fragment that fits after "failed to".
pub(crate) type CommandError = Box<dyn std::error::Error + Send + Sync>;

/// Says why, on standard error.
pub(crate) fn report(reason: &str) -> ExitCode {
    eprintln!("p2claw: failed to {reason}");
    ExitCode::FAILURE
}

/// A token that is cancelled by Ctrl-C or SIGTERM. A second signal ends the program at once.
pub(crate) fn on_signal() -> std::io::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        for round in 0.. {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if round > 0 {
                std::process::exit(130);
            }
            cancelled.cancel();
        }
    });
    Ok(token)
}
