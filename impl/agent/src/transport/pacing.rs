//! How quickly checks follow one another (`RTC-021`).

use std::time::Duration;

use crate::registry::limit;

/// What both ends keep to where one of them says nothing (RFC 8445 section 14.2).
pub const USUAL: Duration = limit::PACING_USUAL;

/// What this end asks for. A check has about 140 bytes with its headers: 56 kbit/s until a path is
/// found.
pub const WANTED: Duration = limit::PACING_WANTED;

const ATTRIBUTE: &str = "a=ice-pacing:";

/// The time between two checks of one end, by the other end's description: the longer of what both
/// want (RFC 8839 section 5.6).
#[must_use]
pub fn agreed(remote: &str) -> Duration {
    let value = remote
        .lines()
        .find_map(|line| line.trim().strip_prefix(ATTRIBUTE));
    let wanted = value.and_then(|value| value.parse().ok());
    // Nobody is made to wait for minutes.
    wanted.map_or(USUAL, |wanted| {
        Duration::from_millis(wanted).clamp(WANTED, USUAL)
    })
}

/// A description of this end that says what it wants.
#[must_use]
pub fn asking(description: &str) -> String {
    // An attribute of the session: before the first media section (RFC 8839 section 5.6).
    let at = description.find("m=").unwrap_or(description.len());
    let (session, media) = description.split_at(at);
    let wanted = WANTED.as_millis();
    format!("{session}{ATTRIBUTE}{wanted}\r\n{media}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description(line: &str) -> String {
        format!("v=0\r\nt=0 0\r\n{line}m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n")
    }

    /// RTC-021
    #[test]
    fn the_longer_of_both_times_is_agreed_on() {
        for (line, expected) in [
            ("", 50),
            ("a=ice-pacing:5\r\n", 20),
            ("a=ice-pacing:30\r\n", 30),
            ("a=ice-pacing:4000000000\r\n", 50),
            ("a=ice-pacing:soon\r\n", 50),
        ] {
            let agreed = agreed(&description(line));
            assert_eq!(agreed, Duration::from_millis(expected), "{line}");
        }
    }

    /// RTC-021
    #[test]
    fn what_is_asked_for_stands_above_the_media() {
        let asking = asking(&description(""));
        assert_eq!(asking, description("a=ice-pacing:20\r\n"));
        assert_eq!(agreed(&asking), WANTED);
    }
}
