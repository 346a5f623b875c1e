//! Signaling: any bytes for its readers, and any sequence of events for an agent's link, coord's
//! link and a visitor, joined by a wire on which others may write as well.

mod links;
mod messages;
mod readers;

use arbitrary::Unstructured;

/// The first byte says whether the rest is one message for every reader, or a sequence of events.
pub fn run(data: &[u8]) {
    let Some((kind, rest)) = data.split_first() else {
        return;
    };
    if kind % 4 == 0 {
        readers::run(rest);
    } else {
        links::run(&mut Unstructured::new(rest));
    }
}
