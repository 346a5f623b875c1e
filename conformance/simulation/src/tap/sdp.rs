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

#[cfg(test)]
mod tests {
    use super::Inits;

    /// As str0m writes it.
    const OFFER: &str = "v=0\r\na=sctp-port:5000\r\n\
                         a=sctp-init:AQAAGrq8388AEAAA/////x0FvEOACAAGgsA=\r\na=mid:0\r\n";

    #[test]
    fn what_is_shown_follows_from_the_seed_and_means_the_same() {
        fastrand::seed(7);
        let mut inits = Inits::default();
        let shown = inits.show(OFFER);
        assert_ne!(shown, OFFER);
        assert_eq!(shown.len(), OFFER.len());
        assert_eq!(inits.mean(&shown), OFFER);
        // A restart has the same chunk.
        assert_eq!(inits.show(OFFER), shown);

        fastrand::seed(7);
        let other = OFFER.replace("AQAAGrq8388", "AQAAGgAAAAA");
        assert_eq!(Inits::default().show(&other), shown);
    }

    #[test]
    fn a_description_without_a_chunk_stays_as_it_is() {
        let offer = "v=0\r\na=mid:0\r\n";
        let mut inits = Inits::default();
        assert_eq!(inits.show(offer), offer);
        assert_eq!(inits.mean(OFFER), OFFER);
    }
}
