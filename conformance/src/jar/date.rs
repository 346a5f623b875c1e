//! Dates in `Expires`, by RFC 6265 section 5.1.1.

use std::ops::RangeInclusive;

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// The date that a text names, in milliseconds since 1970; `None` where it names none.
#[must_use]
pub fn cookie_date(text: &str) -> Option<i64> {
    let (mut time, mut day, mut month, mut year) = (None, None, None, None);
    for token in text.split(is_delimiter).filter(|token| !token.is_empty()) {
        // A token goes to the first of these that is still missing and that it can be.
        let _ = take(&mut time, || read_time(token))
            || take(&mut day, || read_number(token, 1..=2))
            || take(&mut month, || read_month(token))
            || take(&mut year, || read_number(token, 2..=4));
    }
    let ((hour, minute, second), day, month, year) = (time?, day?, month?, year?);
    let year = match year {
        70..=99 => year + 1_900,
        0..=69 => year + 2_000,
        _ => year,
    };
    if year < 1_601 || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    if !(1..=days_of(month, year)).contains(&day) {
        return None;
    }
    let days = days_before(year) + (0..month).map(|month| days_of(month, year)).sum::<i64>() + day
        - 1
        - days_before(1_970);
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000)
}

/// Fills a place that is empty, if it can.
fn take<T>(place: &mut Option<T>, read: impl FnOnce() -> Option<T>) -> bool {
    let is_free = place.is_none();
    if is_free {
        *place = read();
    }
    is_free && place.is_some()
}

fn is_delimiter(c: char) -> bool {
    matches!(c, '\t' | ' '..='/' | ';'..='@' | '['..='`' | '{'..='~')
}

/// The number that a token begins with, when it has so many digits.
fn read_number(token: &str, digits: RangeInclusive<usize>) -> Option<i64> {
    let end = token.find(|c: char| !c.is_ascii_digit());
    let number = &token[..end.unwrap_or(token.len())];
    let fits = digits.contains(&number.len());
    fits.then(|| number.parse().ok()).flatten()
}

fn read_time(token: &str) -> Option<(i64, i64, i64)> {
    let mut fields = token.splitn(3, ':');
    let mut whole = || {
        let field = fields.next()?;
        let digits = field.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| read_number(field, 1..=2)).flatten()
    };
    let (hour, minute) = (whole()?, whole()?);
    // Only behind the last one may something else follow.
    Some((hour, minute, read_number(fields.next()?, 1..=2)?))
}

/// The number of a month, from 0 on; what comes behind three letters does not matter.
fn read_month(token: &str) -> Option<usize> {
    let name = token.get(..3)?.to_ascii_lowercase();
    MONTHS.iter().position(|month| *month == name)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days of a month, which is counted from 0.
fn days_of(month: usize, year: i64) -> i64 {
    match month {
        1 if is_leap(year) => 29,
        1 => 28,
        3 | 5 | 8 | 10 => 30,
        _ => 31,
    }
}

/// Days of all years from 1 on before this one.
fn days_before(year: i64) -> i64 {
    let past = year - 1;
    past * 365 + past / 4 - past / 100 + past / 400
}
