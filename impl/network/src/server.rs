//! STUN and TURN servers, as coord names them.

use std::fmt;

use p2claw_proto::v1::IceServer;

/// Ports where a URI names none (RFC 7064, RFC 7065).
const PORT: u16 = 3478;
const TLS_PORT: u16 = 5349;

/// Servers that are used; more are left aside, for each costs packets.
pub(crate) const MAX_SERVERS: usize = 16;

/// How a client talks to a TURN server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RelayTransport {
    /// `turn:...?transport=udp`
    Udp,
    /// `turn:...?transport=tcp`
    Tcp,
    /// `turns:`, TLS over TCP.
    Tls,
}

impl fmt::Display for RelayTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        })
    }
}

/// One server under one URL.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Server {
    /// A STUN server over UDP.
    Stun {
        /// Name or address.
        host: String,
        /// UDP port.
        port: u16,
    },
    /// A TURN server.
    Turn {
        /// Name or address.
        host: String,
        /// UDP or TCP port.
        port: u16,
        /// How to reach it.
        transport: RelayTransport,
        /// Of the time-limited credential (`SIG-022`).
        username: String,
        /// Its password.
        credential: String,
    },
}

/// Why a URL names no server that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServerError {
    /// Not of the form of RFC 7064 or RFC 7065.
    #[error(
        "read the ICE server {0:?}: it must be stun:host[:port] or turn:host[:port][?transport=udp|tcp], or turns:"
    )]
    Form(String),
    /// STUN over TLS, or a transport that is neither UDP nor TCP.
    #[error("use the ICE server {0:?}: STUN goes over UDP here, and TURN over UDP, TCP or TLS")]
    Transport(String),
}

impl Server {
    /// Every server of a list that can be used, in order. What cannot is named in the log.
    #[must_use]
    pub fn list(servers: &[IceServer]) -> Vec<Self> {
        let mut list: Vec<Self> = Vec::new();
        for server in servers {
            for url in &server.urls {
                match Self::parse(url, &server.username, &server.credential) {
                    Ok(server) if list.len() < MAX_SERVERS => {
                        if !list.contains(&server) {
                            list.push(server);
                        }
                    }
                    Ok(_) => {
                        tracing::warn!(url, "more than 16 ICE servers: this one is left aside")
                    }
                    Err(error) => tracing::warn!(%error, "ICE server left aside"),
                }
            }
        }
        list
    }

    /// Whether this is the same machine's TURN server over UDP, and `other` is it over a stream.
    pub(crate) fn is_quicker_than(&self, other: &Self) -> bool {
        let relay = |server: &Self| match server {
            Self::Turn {
                host, transport, ..
            } => Some((host.clone(), *transport == RelayTransport::Udp)),
            Self::Stun { .. } => None,
        };
        match (relay(self), relay(other)) {
            (Some((host, true)), Some((other, false))) => host == other,
            _ => false,
        }
    }

    /// Reads one URL.
    ///
    /// # Errors
    /// When it has another form, or names a transport that is not spoken here.
    pub fn parse(url: &str, username: &str, credential: &str) -> Result<Self, ServerError> {
        let form = || ServerError::Form(url.to_owned());
        let transport = || ServerError::Transport(url.to_owned());
        let (scheme, rest) = url.split_once(':').ok_or_else(form)?;
        let (authority, query) = match rest.split_once('?') {
            Some((authority, query)) => (authority, Some(query)),
            None => (rest, None),
        };
        let named = query.map(|query| query.strip_prefix("transport=").ok_or_else(form));
        let named = named.transpose()?;
        let scheme = scheme.to_ascii_lowercase();
        let default_port = if scheme.ends_with('s') {
            TLS_PORT
        } else {
            PORT
        };
        let (host, port) = split_port(authority, default_port).ok_or_else(form)?;
        let relay = match (scheme.as_str(), named) {
            ("stun", None) => return Ok(Self::Stun { host, port }),
            ("turn", None | Some("udp")) => RelayTransport::Udp,
            ("turn", Some("tcp")) => RelayTransport::Tcp,
            ("turns", None | Some("tcp")) => RelayTransport::Tls,
            ("stuns" | "turn" | "turns", _) => return Err(transport()),
            _ => return Err(form()),
        };
        Ok(Self::Turn {
            host,
            port,
            transport: relay,
            username: username.to_owned(),
            credential: credential.to_owned(),
        })
    }

    /// Name or address, and port.
    #[must_use]
    pub fn authority(&self) -> (&str, u16) {
        match self {
            Self::Stun { host, port } | Self::Turn { host, port, .. } => (host, *port),
        }
    }
}

/// `host`, `host:port`, `[v6]` or `[v6]:port`; the brackets go.
fn split_port(authority: &str, default: u16) -> Option<(String, u16)> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        (
            host,
            port.strip_prefix(':').or(port.is_empty().then_some("")),
        )
    } else {
        match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, Some("")),
        }
    };
    let port = match port? {
        "" => default,
        port => port.parse().ok().filter(|port| *port != 0)?,
    };
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, port) = self.authority();
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host.to_owned()
        };
        match self {
            Self::Stun { .. } => write!(f, "stun:{host}:{port}"),
            Self::Turn { transport, .. } => match transport {
                RelayTransport::Udp => write!(f, "turn:{host}:{port}?transport=udp"),
                RelayTransport::Tcp => write!(f, "turn:{host}:{port}?transport=tcp"),
                RelayTransport::Tls => write!(f, "turns:{host}:{port}"),
            },
        }
    }
}

impl fmt::Debug for Server {
    /// Without the credential (SEC-006).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_both_rfcs_are_read() {
        let shown = |url: &str| Server::parse(url, "u", "p").map(|server| server.to_string());
        for (url, expected) in [
            ("stun:stun.example", "stun:stun.example:3478"),
            ("STUN:192.0.2.1:19302", "stun:192.0.2.1:19302"),
            (
                "turn:relay.example",
                "turn:relay.example:3478?transport=udp",
            ),
            (
                "turn:[2001:db8::1]:99?transport=tcp",
                "turn:[2001:db8::1]:99?transport=tcp",
            ),
            ("turns:relay.example", "turns:relay.example:5349"),
            (
                "turns:relay.example:443?transport=tcp",
                "turns:relay.example:443",
            ),
        ] {
            assert_eq!(shown(url).as_deref(), Ok(expected), "{url}");
        }
        for url in [
            "",
            "turn",
            "turn:",
            "turn:a:0",
            "turn:a:x",
            "http://a",
            "turn:[::1",
            "turn:a?x=1",
            "stun:a?transport=udp",
        ] {
            assert!(shown(url).is_err(), "{url}");
        }
        assert!(matches!(shown("stuns:a"), Err(ServerError::Transport(_))));
        assert!(matches!(
            shown("turns:a?transport=udp"),
            Err(ServerError::Transport(_))
        ));
    }

    /// SEC-006
    #[test]
    fn no_credential_is_printed() {
        let server = Server::parse("turn:relay.example", "user", "secret");
        assert!(!format!("{server:?}").contains("secret"));
    }
}
