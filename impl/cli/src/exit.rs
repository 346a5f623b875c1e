//! How a command ends.

use std::{fmt, process::ExitCode, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::output;

/// Why a command failed: a fragment that fits after "failed to".
pub(crate) type CommandError = Box<dyn std::error::Error + Send + Sync>;

/// What was asked for is done as far as it depends on this machine; the rest comes by itself.
#[derive(Debug)]
pub(crate) struct NotYet(pub(crate) String);

impl fmt::Display for NotYet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotYet {}

/// The doctor has found that many things that prevent visits; its report says which.
#[derive(Debug)]
pub(crate) struct Unwell(pub(crate) usize);

impl fmt::Display for Unwell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let things = if self.0 == 1 { "thing" } else { "things" };
        write!(f, "{} {things} would prevent visits; see above", self.0)
    }
}

impl std::error::Error for Unwell {}

/// A failure that has an exit code of its own.
#[derive(Debug)]
pub(crate) struct Coded {
    pub(crate) code: u8,
    /// A fragment that fits after "failed to"; nothing is said without one.
    pub(crate) what: Option<CommandError>,
}

impl fmt::Display for Coded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            Some(what) => what.fmt(f),
            None => write!(f, "go on (exit code {})", self.code),
        }
    }
}

impl std::error::Error for Coded {}

/// Says why, on standard error.
pub(crate) fn report(error: &CommandError) -> ExitCode {
    if let Some(NotYet(what)) = error.downcast_ref() {
        output::note(what);
        return ExitCode::from(3);
    }
    if let Some(unwell) = error.downcast_ref::<Unwell>() {
        output::note(unwell);
        return ExitCode::FAILURE;
    }
    if let Some(Coded { code, what }) = error.downcast_ref() {
        if let Some(what) = what {
            output::note(format_args!("failed to {what}"));
        }
        return ExitCode::from(*code);
    }
    output::note(format_args!("failed to {error}"));
    ExitCode::FAILURE
}

/// A token that is cancelled by Ctrl-C, SIGTERM or the end of the terminal. A second signal ends
/// the program at once.
pub(crate) fn on_signal() -> std::io::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let token = CancellationToken::new();
    let cancelled = token.clone();
    tokio::spawn(async move {
        for round in 0.. {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
            if round > 0 {
                std::process::exit(130);
            }
            cancelled.cancel();
        }
    });
    Ok(token)
}

/// Says that the program ends, where that takes longer than a person expects.
pub(crate) async fn tell_of_drain(shutdown: &CancellationToken) {
    shutdown.cancelled().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    output::note("ending; a moment for open pages (Ctrl-C again ends at once)");
}
