//! What the visiting commands share.

use std::sync::Arc;

use p2claw_visitor::{Address, FailureKind, Pins, Visitor, VisitorConfig, VisitorError};

use crate::{
    args::StateArguments,
    commands::SOFTWARE,
    exit::{Coded, CommandError},
    network::Sockets,
    stack::StackArguments,
};

/// The app cannot be reached.
const UNREACHED: u8 = 7;

/// Whoever answered did not prove who it is.
const UNTRUSTED: u8 = 60;

/// A visitor with the keys of this user's earlier visits.
pub(crate) fn visitor(
    state: &StateArguments,
    stack: &StackArguments,
    address: &Address,
) -> Result<Arc<Visitor>, CommandError> {
    let pins = Pins::in_file(state.open(None)?.pins());
    let sockets = Sockets {
        // The agent of an address below `localhost` is on this machine.
        loopback: address.is_localhost(),
        ..Sockets::default()
    };
    let transport = stack.rtc.on(sockets.bind()?);
    Ok(Visitor::new(VisitorConfig {
        pins,
        software: SOFTWARE.to_owned(),
        ..VisitorConfig::new(transport)
    }))
}

/// A visit that did not come about, with its exit code.
pub(crate) fn unvisited(error: VisitorError) -> CommandError {
    let code = match error.kind() {
        FailureKind::Unreachable | FailureKind::NotThere => UNREACHED,
        FailureKind::Untrusted => UNTRUSTED,
        FailureKind::Own => return error.into(),
    };
    Coded {
        code,
        what: Some(error.into()),
    }
    .into()
}
