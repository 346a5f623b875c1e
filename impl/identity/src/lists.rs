//! The word lists and reserved names of `spec/registries`, compiled in.

use std::sync::OnceLock;

const ADJECTIVES: &str = include_str!("../../../spec/registries/alias-adjectives.csv");
const NOUNS: &str = include_str!("../../../spec/registries/alias-nouns.csv");
const RESERVED: &str = include_str!("../../../spec/registries/reserved-names.csv");

/// The cells of one column of a registry, without its heading.
fn column(csv: &'static str, index: usize) -> impl Iterator<Item = &'static str> {
    csv.lines()
        .skip(1)
        .filter_map(move |line| line.split(',').nth(index))
}

/// Adjectives in the order of the registry.
pub(crate) fn adjectives() -> &'static [&'static str] {
    static WORDS: OnceLock<Vec<&'static str>> = OnceLock::new();
    WORDS.get_or_init(|| column(ADJECTIVES, 1).collect())
}

/// Nouns in the order of the registry.
pub(crate) fn nouns() -> &'static [&'static str] {
    static WORDS: OnceLock<Vec<&'static str>> = OnceLock::new();
    WORDS.get_or_init(|| column(NOUNS, 1).collect())
}

/// Whether no app may have this name.
pub(crate) fn is_reserved(name: &str) -> bool {
    static NAMES: OnceLock<Vec<&'static str>> = OnceLock::new();
    NAMES
        .get_or_init(|| column(RESERVED, 0).collect())
        .contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::limit::{ALIAS_WORD_MAX, ALIAS_WORD_MIN, ALIAS_WORDS};
    use crate::{AppName, NameError};
    use std::collections::BTreeSet;

    /// NAM-009: 512 words each, 3 to 10 letters, none twice, in order, none in both lists.
    #[test]
    fn nam_009_word_lists_are_sane() {
        let mut seen = BTreeSet::new();
        for list in [adjectives(), nouns()] {
            assert_eq!(list.len(), ALIAS_WORDS);
            assert!(list.is_sorted());
            for word in list {
                assert!(
                    (ALIAS_WORD_MIN..=ALIAS_WORD_MAX).contains(&word.len()),
                    "{word}"
                );
                assert!(word.bytes().all(|b| b.is_ascii_lowercase()), "{word}");
                assert!(seen.insert(*word), "{word} is there twice");
            }
        }
        for csv in [ADJECTIVES, NOUNS] {
            let numbers: Vec<usize> = column(csv, 0).map(|n| n.parse().unwrap()).collect();
            assert_eq!(numbers, (0..ALIAS_WORDS).collect::<Vec<_>>());
        }
    }

    /// NAM-003: every name of the registry is refused, and for no other reason than that: one that
    /// breaks the grammar needs no reservation.
    #[test]
    fn nam_003_reserved_names_are_refused_as_such() {
        let names: BTreeSet<_> = column(RESERVED, 0).collect();
        assert_eq!(names.len(), column(RESERVED, 0).count());
        assert!(!names.is_empty());
        for name in names {
            assert!(
                matches!(AppName::parse(name), Err(NameError::Reserved(_))),
                "{name}"
            );
        }
    }
}
