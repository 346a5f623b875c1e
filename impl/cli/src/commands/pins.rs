//! `pins`: the keys of the addresses that were visited from here.

use p2claw_visitor::Pins;
use serde_json::json;

use crate::{args::PinsArguments, exit::CommandError, output};

pub(crate) fn run(arguments: PinsArguments) -> Result<(), CommandError> {
    let pins = Pins::in_file(arguments.state.open(None)?.pins());
    match arguments.forget {
        None => list(&pins, arguments.json),
        Some(url) => {
            let origin = url.origin();
            let forgotten = pins.forget(&origin)?;
            if arguments.json {
                return output::json(&json!({ "origin": origin, "forgotten": forgotten }));
            }
            output::line(match forgotten {
                true => format!("the key of {origin} is forgotten"),
                false => format!("no key of {origin} was known"),
            })
        }
    }
}

fn list(pins: &Pins, as_json: bool) -> Result<(), CommandError> {
    let list = pins.list()?;
    if as_json {
        return output::json(&list);
    }
    if list.is_empty() {
        return output::line("nothing was visited from here yet; `p2claw fetch URL` does");
    }
    let width = list.iter().map(|pin| pin.origin.len()).max().unwrap_or(0);
    for pin in list {
        output::line(format_args!("{:width$}  {}", pin.origin, pin.peer_id))?;
    }
    Ok(())
}
