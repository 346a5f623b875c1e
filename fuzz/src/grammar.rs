//! The grammar of names once more, from the text of spec/v1/names.md alone: what the targets hold
//! the readers against.

const RESERVED: &str = include_str!("../../spec/registries/reserved-names.csv");
const Z_BASE_32: &str = "ybndrfg8ejkmcpqxot1uwisza345h769";

fn is_alnum(c: char) -> bool {
    matches!(c, 'a'..='z' | '0'..='9')
}

/// NAM-001 to NAM-003.
pub(crate) fn is_app(text: &str) -> bool {
    let characters: Vec<char> = text.chars().collect();
    let (Some(first), Some(last)) = (characters.first(), characters.last()) else {
        return false;
    };
    let reserved = RESERVED
        .lines()
        .skip(1)
        .any(|line| line.split(',').next() == Some(text));
    characters.len() <= 32
        && is_alnum(*first)
        && is_alnum(*last)
        && characters.iter().all(|c| is_alnum(*c) || *c == '-')
        && !(characters.get(2) == Some(&'-') && characters.get(3) == Some(&'-'))
        && !reserved
}

/// NAM-005.
pub(crate) fn is_haiku(text: &str) -> bool {
    let word = |group: &str| {
        (3..=10).contains(&group.len()) && group.chars().all(|c| c.is_ascii_lowercase())
    };
    match text.split('-').collect::<Vec<_>>()[..] {
        [adjective, noun, number] => word(adjective) && word(noun) && is_number(number),
        _ => false,
    }
}

/// NAM-006.
fn is_vanity(text: &str) -> bool {
    (3..=30).contains(&text.len())
        && text.chars().all(is_alnum)
        && text.chars().any(|c| c.is_ascii_lowercase())
}

/// NAM-005 and NAM-006.
pub(crate) fn is_alias(text: &str) -> bool {
    is_haiku(text) || is_vanity(text)
}

fn is_number(group: &str) -> bool {
    group.len() == 4 && group.chars().all(|c| c.is_ascii_digit())
}

/// NAM-012 and NAM-013: app and alias of a host label.
pub(crate) fn label(text: &str) -> Option<(&str, &str)> {
    if text.len() > 63 {
        return None;
    }
    let groups: Vec<&str> = text.split('-').collect();
    let of_alias = if groups.len() >= 4 && is_number(groups.last()?) {
        3
    } else {
        1
    };
    let alias: usize = groups
        .iter()
        .rev()
        .take(of_alias)
        .map(|group| group.len() + 1)
        .sum();
    // The alias with the hyphen before it; without one there is no app.
    let app = text.get(..text.len().checked_sub(alias)?)?;
    let alias = text.get(app.len() + 1..)?;
    (is_app(app) && is_alias(alias)).then_some((app, alias))
}

/// IDN-002 and IDN-003: the bytes of a peer id, whether or not they are a key.
pub(crate) fn peer_id(text: &str) -> Option<[u8; 32]> {
    let mut bits = Vec::with_capacity(260);
    for c in text.chars() {
        let value = Z_BASE_32.find(c)?;
        bits.extend((0..5).rev().map(|bit| value >> bit & 1));
    }
    if bits.len() != 260 || bits[256..].iter().any(|bit| *bit != 0) {
        return None;
    }
    let mut bytes = [0; 32];
    for (index, bit) in bits.iter().take(256).enumerate() {
        bytes[index / 8] |= u8::from(*bit == 1) << (7 - index % 8);
    }
    Some(bytes)
}
