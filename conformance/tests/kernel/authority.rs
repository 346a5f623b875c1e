//! The certificate authority of a world, whose root its programs trust.

use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PublicKeyData as _,
};
use sha2::{Digest as _, Sha256};

/// The domain below which apps stand.
pub(crate) const PARENT: &str = "p2claw.test";

/// The relay's name.
pub(crate) const RELAY_NAME: &str = "relay.p2claw.test";

/// Files of a certificate for everything below [`PARENT`].
#[derive(Debug)]
pub(crate) struct Authority {
    /// The root, for `SSL_CERT_FILE`.
    pub(crate) root: PathBuf,
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    /// SHA-256 of the certificate's public key, in Base64, as Chromium takes it.
    pub(crate) spki: String,
}

impl Authority {
    pub(crate) fn new(folder: &Path) -> Self {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "p2claw kernel test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let root_key = KeyPair::generate().unwrap();
        let root = params.self_signed(&root_key).unwrap();
        let issuer = Issuer::new(params, root_key);
        let key = KeyPair::generate().unwrap();
        let names = vec![format!("*.{PARENT}")];
        let leaf = CertificateParams::new(names).unwrap();
        let leaf = leaf.signed_by(&key, &issuer).unwrap();
        let write = |name: &str, text: String| {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        Self {
            root: write("root.pem", root.pem()),
            certificate: write("certificate.pem", leaf.pem()),
            key: write("key.pem", key.serialize_pem()),
            spki: BASE64.encode(&Sha256::digest(key.subject_public_key_info())),
        }
    }
    /// For services that speak TLS.
    pub(crate) fn arguments(&self) -> [String; 2] {
        [
            format!("--tls-cert={}", self.certificate.display()),
            format!("--tls-key={}", self.key.display()),
        ]
    }
}
