//! Public addresses: `<scheme>://<app>-<alias>.<parent>[:port]/` (spec NAM-011).

use p2claw_identity::{Alias, AppName, HostLabel, NameError};

/// Under which addresses the agents of one coord are reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicAddress {
    /// `https`, or `http` for a trial on one machine.
    pub scheme: String,
    /// The domain that host labels stand under, lower-case, without a dot at its end.
    pub parent: String,
    /// The port, where it is not the scheme's default.
    pub port: Option<u16>,
}

impl PublicAddress {
    /// The address of one app, with a slash at its end.
    #[must_use]
    pub fn url(&self, app: &AppName, alias: &Alias) -> String {
        let label = HostLabel::new(app.clone(), alias.clone());
        let port = self.port.map(|p| format!(":{p}")).unwrap_or_default();
        format!("{}://{label}.{}{port}/", self.scheme, self.parent)
    }
}

/// What a `Host` field names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostName {
    /// The parent itself.
    Parent,
    /// An app under the parent.
    App(HostLabel),
    /// A single label under the parent that names no app, and why.
    BadLabel(NameError),
    /// Something that does not stand under the parent, or stands too deep under it.
    Elsewhere,
}

/// Reads a `Host` field: any case, with or without a port, with or without a dot at the end of the
/// name (spec NAM-011). The port is not compared, for proxies change it.
#[must_use]
pub fn read_host(host: &str, parent: &str) -> HostName {
    // An IPv6 literal has colons of its own, and is never under a parent.
    if host.starts_with('[') {
        return HostName::Elsewhere;
    }
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        Some(_) => return HostName::Elsewhere,
        None => host,
    };
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let parent = parent
        .strip_suffix('.')
        .unwrap_or(parent)
        .to_ascii_lowercase();
    if name == parent {
        return HostName::Parent;
    }
    match name
        .strip_suffix(&parent)
        .and_then(|rest| rest.strip_suffix('.'))
    {
        Some(label) if !label.is_empty() && !label.contains('.') => match HostLabel::parse(label) {
            Ok(label) => HostName::App(label),
            Err(error) => HostName::BadLabel(error),
        },
        _ => HostName::Elsewhere,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(label: &str) -> HostName {
        HostName::App(HostLabel::parse(label).unwrap())
    }

    /// NAM-011: case, port and a final dot make no difference.
    #[test]
    fn nam_011_host_forms() {
        for host in [
            "recipes-quiet-otter-0417.p2claw.example",
            "Recipes-Quiet-Otter-0417.P2CLAW.example",
            "recipes-quiet-otter-0417.p2claw.example:8443",
            "recipes-quiet-otter-0417.p2claw.example.:8443",
            "recipes-quiet-otter-0417.p2claw.example.",
        ] {
            assert_eq!(
                read_host(host, "p2claw.example"),
                app("recipes-quiet-otter-0417"),
                "{host}"
            );
        }
        assert_eq!(read_host("a-bob.localhost:7000", "localhost"), app("a-bob"));
        assert_eq!(
            read_host("P2claw.Example:1", "p2claw.example"),
            HostName::Parent
        );
        assert_eq!(read_host("localhost", "localhost"), HostName::Parent);
    }

    /// NAM-011: what is not directly under the parent is elsewhere.
    #[test]
    fn nam_011_elsewhere() {
        for host in [
            "",
            ".",
            ".p2claw.example",
            "a-bobp2claw.example",
            "x.a-bob.p2claw.example",
            "127.0.0.1:80",
            "[::1]:80",
            "a-bob.p2claw.example:http",
            "a-bob.p2claw.example.evil.example",
            "a-bob.p2claw.example..",
        ] {
            assert_eq!(
                read_host(host, "p2claw.example"),
                HostName::Elsewhere,
                "{host}"
            );
        }
        assert!(matches!(
            read_host("www.p2claw.example", "p2claw.example"),
            HostName::BadLabel(NameError::LabelForm)
        ));
    }

    #[test]
    fn urls_name_only_unusual_ports() {
        let mut address = PublicAddress {
            scheme: "https".into(),
            parent: "p2claw.example".into(),
            port: None,
        };
        let (name, alias) = (
            AppName::parse("recipes").unwrap(),
            Alias::parse("bob").unwrap(),
        );
        assert_eq!(
            address.url(&name, &alias),
            "https://recipes-bob.p2claw.example/"
        );
        address.port = Some(8443);
        assert_eq!(
            address.url(&name, &alias),
            "https://recipes-bob.p2claw.example:8443/"
        );
    }
}
