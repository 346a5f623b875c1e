//! TLS with a certificate from files.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    },
};

use crate::EdgeError;

/// Where a server's certificate is.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The chain, PEM, own certificate first.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
}

impl TlsFiles {
    /// Reads them. `protocols` are those of ALPN (RFC 7301), best first.
    ///
    /// # Errors
    /// When a file cannot be read, has nothing of the kind, or the two do not belong together.
    pub fn load(&self, protocols: &[&[u8]]) -> Result<ServerConfig, EdgeError> {
        load(self, protocols)
    }
}

pub(crate) fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, EdgeError> {
    Ok(TlsAcceptor::from(Arc::new(
        files.load(&[b"h2", b"http/1.1"])?,
    )))
}

fn load(files: &TlsFiles, protocols: &[&[u8]]) -> Result<ServerConfig, EdgeError> {
    let bad = |path: &Path, reason: &dyn std::fmt::Display| EdgeError::Tls {
        path: path.to_owned(),
        reason: reason.to_string(),
    };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| bad(&files.certificate, &error))?;
    if chain.is_empty() {
        return Err(bad(&files.certificate, &"there is no certificate in it"));
    }
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|error| bad(&files.key, &error))?;
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| bad(&files.certificate, &error))?;
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(config)
}
