//! App names, aliases and host labels (spec/v1/names.md).

use crate::registry::limit::{
    ALIAS_DIGITS, ALIAS_MAX, ALIAS_WORD_MAX, ALIAS_WORD_MIN, ALIAS_WORDS, APP_NAME_MAX,
    HAIKU_GROUPS, HOST_LABEL_MAX, VANITY_MIN,
};
use crate::{PeerId, lists};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

const _: () = assert!(
    APP_NAME_MAX + 1 + ALIAS_MAX <= HOST_LABEL_MAX,
    "every app fits before every alias"
);
const _: () = assert!(
    2 * (ALIAS_WORD_MAX + 1) + ALIAS_DIGITS <= ALIAS_MAX,
    "the longest words still make an alias"
);

/// Why a name was refused. Each message says what to change.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The name is empty.
    #[error("read an empty name: give it at least one character")]
    Empty,
    /// The name is longer than allowed.
    #[error("accept a name of {length} characters: shorten it to at most {max}")]
    TooLong {
        /// Characters in the name.
        length: usize,
        /// Characters allowed.
        max: usize,
    },
    /// The alias is shorter than allowed.
    #[error("accept an alias of {length} characters: use at least {min}")]
    TooShort {
        /// Characters in the alias.
        length: usize,
        /// Characters needed.
        min: usize,
    },
    /// A character outside `a-z`, `0-9` and `-`.
    #[error(
        "accept the character {found:?} at position {position}: \
         use lower-case letters, digits and hyphens only"
    )]
    Character {
        /// The first character that is not allowed.
        found: char,
        /// Where it stands, counted from 1.
        position: usize,
    },
    /// A hyphen at the start or at the end.
    #[error("accept a hyphen at the start or end of the name: remove it")]
    OuterHyphen,
    /// `--` as third and fourth character, which marks internationalized labels (RFC 5890).
    #[error("accept \"--\" as third and fourth character: use a single hyphen")]
    DoubleHyphen,
    /// One of the reserved names.
    #[error("accept {0:?}, which is reserved: choose another name")]
    Reserved(String),
    /// Neither `adjective-noun-0000` nor one group with a letter.
    #[error(
        "read the alias: it looks like quiet-otter-0417, or is one group of 3 to 30 letters and \
         digits with at least one letter"
    )]
    AliasForm,
    /// A host label that has no app or no alias.
    #[error("find an app and an alias in the host label: it looks like recipes-quiet-otter-0417")]
    LabelForm,
}

/// The name of an app on one agent, such as `recipes` (spec NAM-001 to NAM-003).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppName(Box<str>);

impl AppName {
    /// Reads an app name: `[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?`, no `--` at characters 3 and 4,
    /// not reserved.
    ///
    /// # Errors
    /// Says which rule the name breaks. Upper case is refused, not folded.
    pub fn parse(name: &str) -> Result<Self, NameError> {
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        check_characters(name)?;
        if name.len() > APP_NAME_MAX {
            return Err(NameError::TooLong {
                length: name.len(),
                max: APP_NAME_MAX,
            });
        }
        if name.starts_with('-') || name.ends_with('-') {
            return Err(NameError::OuterHyphen);
        }
        if name.as_bytes().get(2..4) == Some(b"--") {
            return Err(NameError::DoubleHyphen);
        }
        if lists::is_reserved(name) {
            return Err(NameError::Reserved(name.to_owned()));
        }
        Ok(Self(name.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What coord calls an agent: `quiet-otter-0417` or a vanity word (spec NAM-005 to NAM-006).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Alias(Box<str>);

impl Alias {
    /// Reads an alias in either form. The words of a haiku alias need not stand in the registry,
    /// so that a later registry does not break an older reader (spec NAM-007).
    ///
    /// # Errors
    /// Says which rule the alias breaks.
    pub fn parse(alias: &str) -> Result<Self, NameError> {
        if alias.is_empty() {
            return Err(NameError::Empty);
        }
        check_characters(alias)?;
        if alias.len() > ALIAS_MAX {
            return Err(NameError::TooLong {
                length: alias.len(),
                max: ALIAS_MAX,
            });
        }
        let groups: Vec<&str> = alias.split('-').collect();
        match groups.as_slice() {
            [adjective, noun, number]
                if is_word(adjective) && is_word(noun) && is_number(number) => {}
            [one] if one.len() < VANITY_MIN => {
                return Err(NameError::TooShort {
                    length: one.len(),
                    min: VANITY_MIN,
                });
            }
            [one] if one.bytes().any(|b| b.is_ascii_lowercase()) => {}
            _ => return Err(NameError::AliasForm),
        }
        Ok(Self(alias.into()))
    }

    /// The alias that a key asks for at its `counter`-th try, counted from 0 (spec NAM-009).
    ///
    /// Anyone can recompute it, and it proves nothing: it carries about 31 bits.
    #[must_use]
    pub fn candidate(peer: &PeerId, counter: u32) -> Self {
        let hash = Sha256::new()
            .chain_update(b"p2claw/v1 alias\0")
            .chain_update(peer.as_bytes())
            .chain_update(counter.to_be_bytes())
            .finalize();
        let [a0, a1, n0, n1, d0, d1, d2, d3, ..] = <[u8; 32]>::from(hash);
        let pick = |list: &'static [&'static str], high, low| {
            // A list that has lost words is caught by a test; here it must not panic.
            list.get(usize::from(u16::from_be_bytes([high, low])) % ALIAS_WORDS)
                .copied()
                .unwrap_or("lost")
        };
        let adjective = pick(lists::adjectives(), a0, a1);
        let noun = pick(lists::nouns(), n0, n1);
        let number = u32::from_be_bytes([d0, d1, d2, d3]) % 10_000;
        Self(format!("{adjective}-{noun}-{number:04}").into())
    }

    /// The alias as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The first label of a public address, `<app>-<alias>`, at most 63 characters (spec NAM-013).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostLabel {
    app: AppName,
    alias: Alias,
}

impl HostLabel {
    /// Joins the two; they always fit.
    #[must_use]
    pub fn new(app: AppName, alias: Alias) -> Self {
        Self { app, alias }
    }

    /// Reads a label from the right: a last group of four digits and at least four groups mean an
    /// alias in haiku form, anything else ends in a vanity alias.
    ///
    /// # Errors
    /// Says which part of the label breaks which rule. Upper case is refused, not folded.
    pub fn parse(label: &str) -> Result<Self, NameError> {
        if label.is_empty() {
            return Err(NameError::Empty);
        }
        check_characters(label)?;
        if label.len() > HOST_LABEL_MAX {
            return Err(NameError::TooLong {
                length: label.len(),
                max: HOST_LABEL_MAX,
            });
        }
        let groups = label.split('-').count();
        let haiku = groups > HAIKU_GROUPS && label.rsplit('-').next().is_some_and(is_number);
        let alias_groups = if haiku { HAIKU_GROUPS } else { 1 };
        let (split, _) = label
            .rmatch_indices('-')
            .nth(alias_groups - 1)
            .ok_or(NameError::LabelForm)?;
        let (app, alias) = label.split_at(split);
        if app.is_empty() {
            return Err(NameError::LabelForm);
        }
        Ok(Self {
            app: AppName::parse(app)?,
            alias: Alias::parse(alias.get(1..).unwrap_or_default())?,
        })
    }

    /// The app half.
    #[must_use]
    pub fn app(&self) -> &AppName {
        &self.app
    }

    /// The alias half.
    #[must_use]
    pub fn alias(&self) -> &Alias {
        &self.alias
    }
}

/// Refuses the first character that stands in no name.
fn check_characters(name: &str) -> Result<(), NameError> {
    let bad = |c: &char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-');
    match name.chars().enumerate().find(|(_, c)| bad(c)) {
        None => Ok(()),
        Some((index, found)) => Err(NameError::Character {
            found,
            position: index + 1,
        }),
    }
}

/// A group that may be the adjective or the noun of a haiku alias.
fn is_word(group: &str) -> bool {
    (ALIAS_WORD_MIN..=ALIAS_WORD_MAX).contains(&group.len())
        && group.bytes().all(|b| b.is_ascii_lowercase())
}

/// A group that may be the number of a haiku alias.
fn is_number(group: &str) -> bool {
    group.len() == ALIAS_DIGITS && group.bytes().all(|b| b.is_ascii_digit())
}

impl fmt::Display for AppName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for HostLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.app, self.alias)
    }
}

impl FromStr for AppName {
    type Err = NameError;

    fn from_str(s: &str) -> Result<Self, NameError> {
        Self::parse(s)
    }
}

impl FromStr for Alias {
    type Err = NameError;

    fn from_str(s: &str) -> Result<Self, NameError> {
        Self::parse(s)
    }
}

impl FromStr for HostLabel {
    type Err = NameError;

    fn from_str(s: &str) -> Result<Self, NameError> {
        Self::parse(s)
    }
}

impl AsRef<str> for AppName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Alias {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
