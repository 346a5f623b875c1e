//! Numbers in descriptions that no seed reaches.
//!
//! str0m puts an INIT chunk of SCTP into its descriptions (`a=sctp-init`), whose tag and first TSN
//! come from the system. Between two ends that are listened to they are others, by the seed, and each
//! end gets those back that the other has chosen.

use std::collections::BTreeMap;

use data_encoding::BASE64;

const INIT: &str = "a=sctp-init:";

/// Where an INIT chunk has its tag and its TSN (RFC 9260 section 3.3.2).
const RANDOM: [std::ops::Range<usize>; 2] = [4..8, 16..20];

/// What stands for what.
#[derive(Debug, Default)]
pub(super) struct Inits {
    shown: BTreeMap<String, String>,
    meant: BTreeMap<String, String>,
}

impl Inits {
    /// A description of one end, for all to see.
    pub(super) fn show(&mut self, description: &str) -> String {
        replace(description, |init| {
            if let Some(shown) = self.shown.get(init) {
                return Some(shown.clone());
            }
            let mut chunk = BASE64.decode(init.as_bytes()).ok()?;
            for place in RANDOM {
                // Neither may be 0; a simulation has seeded this source.
                let number = fastrand::u32(1..).to_be_bytes();
                chunk.get_mut(place)?.copy_from_slice(&number);
            }
            let shown = BASE64.encode(&chunk);
            self.shown.insert(init.to_owned(), shown.clone());
            self.meant.insert(shown.clone(), init.to_owned());
            Some(shown)
        })
    }

    /// The same description, for the other end.
    pub(super) fn mean(&self, description: &str) -> String {
        replace(description, |shown| self.meant.get(shown).cloned())
    }
}

fn replace(description: &str, mut other: impl FnMut(&str) -> Option<String>) -> String {
    let lines = description.split_inclusive('\n').map(|line| {
        let init = line.trim_end().strip_prefix(INIT);
        match init.and_then(|init| Some((init, other(init)?))) {
            Some((init, other)) => line.replacen(init, &other, 1),
            None => line.to_owned(),
        }
    });
    lines.collect()
}
