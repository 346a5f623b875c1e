//! The network as this program's commands use it.

use std::sync::Arc;

use p2claw_network::{Hub, HubConfig};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::exit::CommandError;

/// Where visitors' packets come in and go out.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sockets {
    /// UDP port; 0 lets the system choose.
    pub(crate) port: u16,
    /// Be found at 127.0.0.1, too.
    pub(crate) loopback: bool,
    /// Be found at relays only.
    pub(crate) relay_only: bool,
}

impl Sockets {
    /// Binds them.
    pub(crate) fn bind(self) -> Result<Hub, CommandError> {
        let config = HubConfig {
            port: self.port,
            loopback: self.loopback,
            tls: Some(authorities()),
            relay_only: self.relay_only,
        };
        Hub::bind(config).map_err(|error| {
            let what = if self.port == 0 {
                "a UDP port".to_owned()
            } else {
                format!("UDP port {}", self.port)
            };
            let hint = if error.kind() == std::io::ErrorKind::AddrInUse {
                "; another program has it: choose another --udp-port, or leave it out"
            } else {
                ""
            };
            format!("bind {what}: {error}{hint}").into()
        })
    }
}

/// The system's certificate authorities, or those of SSL_CERT_FILE and SSL_CERT_DIR.
pub(crate) fn authorities() -> Arc<ClientConfig> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::debug!(%error, "certificate authority left aside");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    Arc::new(
        ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth(),
    )
}
