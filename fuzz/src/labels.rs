//! Any `Host` below any parent. Input: the parent, a line feed, the value of `Host`.

use p2claw_identity::{Alias, AppName};
use p2claw_signaling::address::{HostName, PublicAddress, read_host};

use crate::grammar;

/// What a `Host` names, read label by label.
#[derive(Debug, PartialEq, Eq)]
enum Read {
    Parent,
    App(String, String),
    BadLabel,
    Elsewhere,
}

/// A host is read as NAM-011 to NAM-013 say, in any case, with any port and a dot at its end.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (parent, host) = text.split_once('\n').unwrap_or(("localhost", &text));
    let expected = read(host, parent);
    assert_eq!(seen(host, parent), expected, "{host:?} below {parent:?}");

    // What is said of a name holds for all of its spellings.
    let flipped: String = host
        .chars()
        .map(|c| {
            if c.is_ascii_lowercase() {
                c.to_ascii_uppercase()
            } else {
                c.to_ascii_lowercase()
            }
        })
        .collect();
    assert_eq!(
        seen(&flipped, parent),
        expected,
        "{flipped:?} below {parent:?}"
    );
    if !host.contains([':', '[']) {
        assert_eq!(seen(&format!("{host}:8443"), parent), expected);
        if !host.ends_with('.') {
            assert_eq!(seen(&format!("{host}."), parent), expected);
            assert_eq!(seen(&format!("{host}.:1"), parent), expected);
        }
    }
    if let Read::App(app, alias) = expected {
        there_and_back(&app, &alias, parent);
    }
}

/// An address that was made is read as the app that it was made for.
fn there_and_back(app: &str, alias: &str, parent: &str) {
    let hostname = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    if parent.is_empty() || !parent.chars().all(hostname) {
        return;
    }
    let (Ok(name), Ok(own)) = (AppName::parse(app), Alias::parse(alias)) else {
        panic!("{app} and {alias} were read as names");
    };
    for port in [None, Some(7000)] {
        let address = PublicAddress {
            scheme: "https".into(),
            parent: parent.to_owned(),
            port,
        };
        let url = address.url(&name, &own);
        let host = url
            .strip_prefix("https://")
            .and_then(|rest| rest.strip_suffix('/'));
        let host = host.expect("an address has a scheme before it and a slash behind it");
        assert_eq!(
            seen(host, parent),
            Read::App(app.to_owned(), alias.to_owned()),
            "{url}"
        );
    }
}

fn seen(host: &str, parent: &str) -> Read {
    match read_host(host, parent) {
        HostName::Parent => Read::Parent,
        HostName::App(label) => Read::App(label.app().to_string(), label.alias().to_string()),
        HostName::BadLabel(_) => Read::BadLabel,
        HostName::Elsewhere => Read::Elsewhere,
    }
}

/// The same by lists of labels.
fn read(host: &str, parent: &str) -> Read {
    if host.starts_with('[') {
        return Read::Elsewhere;
    }
    let mut name = host;
    if let Some(colon) = host.rfind(':') {
        if !host[colon + 1..].chars().all(|c| c.is_ascii_digit()) {
            return Read::Elsewhere;
        }
        name = &host[..colon];
    }
    let (mut labels, parents) = (labels(name), labels(parent));
    if labels == parents {
        return Read::Parent;
    }
    let first = labels.remove(0);
    if labels != parents || first.is_empty() {
        return Read::Elsewhere;
    }
    match grammar::label(&first) {
        Some((app, alias)) => Read::App(app.to_owned(), alias.to_owned()),
        None => Read::BadLabel,
    }
}

fn labels(name: &str) -> Vec<String> {
    let name = name.strip_suffix('.').unwrap_or(name);
    name.split('.').map(str::to_ascii_lowercase).collect()
}
