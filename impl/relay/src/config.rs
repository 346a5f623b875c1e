//! How a relay serves.

use std::{fmt, net::IpAddr, sync::Arc};

use tokio_rustls::rustls::ServerConfig;

/// What one credential and one visit may use. A visitor has a credential for each visit; an agent
/// has one for all, and an allocation that they share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Allocations of one credential at a time.
    pub allocations: usize,
    /// Bytes of one visit, both ways together; what is above is dropped. To a relay a visit is
    /// what passes between an allocation and one address of a peer.
    pub bytes: u64,
    /// Bytes a second of one visit, both ways together. What is above waits, and is dropped where
    /// 100 ms of it wait already (and 64 KiB), as before a slow line. A second's worth may pass at
    /// once. Nothing but [`Config::clients`] and the line bounds what all visits take together.
    pub bytes_per_second: u64,
}

impl Default for Quota {
    /// 4 allocations; 8 GiB and 4 MiB/s for each visit.
    fn default() -> Self {
        Self {
            allocations: 4,
            bytes: 8 << 30,
            bytes_per_second: 4 << 20,
        }
    }
}

/// How a [`crate::Relay`] serves.
#[derive(Clone)]
pub struct Config {
    /// What it shares with coord.
    pub secret: Vec<u8>,
    /// What one credential and one visit may use.
    pub quota: Quota,
    /// Clients at a time, all together; each costs two sockets at most.
    pub clients: usize,
    /// The address that peers reach it at, where that is another than the one it listens on
    /// (behind a one-to-one NAT, or on a wildcard address).
    pub public_ip: Option<IpAddr>,
    /// Relay to peers at loopback, private and link-local addresses. Off, or a relay lets
    /// strangers into its own network.
    pub private_peers: bool,
    /// Serve `turns:` on the TCP port, too: a connection that begins with a TLS handshake is one.
    pub tls: Option<Arc<ServerConfig>>,
}

impl Config {
    /// The defaults with a secret.
    #[must_use]
    pub fn new(secret: Vec<u8>) -> Self {
        Self {
            secret,
            quota: Quota::default(),
            clients: 1024,
            public_ip: None,
            private_peers: false,
            tls: None,
        }
    }
}

impl fmt::Debug for Config {
    /// Without the secret (SEC-006).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("quota", &self.quota)
            .field("clients", &self.clients)
            .field("public_ip", &self.public_ip)
            .field("private_peers", &self.private_peers)
            .finish_non_exhaustive()
    }
}
