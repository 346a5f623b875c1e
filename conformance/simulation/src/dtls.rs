//! DTLS whose times and certificates follow from a seed: dimpl repeats a flight after a time that it
//! varies at random, and str0m gives its users no way to choose the numbers. What the ends agree on
//! in a handshake stays random.

use std::{
    sync::{Arc, Once},
    time::Instant,
};

use dimpl::{Config, Dtls};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, Issuer, KeyPair, SerialNumber, date_time_ymd,
};
use str0m::crypto::{
    CryptoError, CryptoProvider,
    dtls::{
        DtlsCert, DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, DtlsVersion,
        ProtocolVersion,
    },
    from_feature_flags,
};

/// Of every association.
const SEED: u64 = 42;

/// A PKCS #8 key of P-256 (RFC 5915) without its last 32 bytes, the secret scalar.
const P256: &[u8] = &[
    0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04, 0x27, 0x30, 0x25, 0x02, 0x01,
    0x01, 0x04, 0x20,
];

/// The same of Ed25519 (RFC 8410), whose last 32 bytes are its seed.
const ED25519: &[u8] = &[
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// Makes str0m use it, in the whole process.
pub(crate) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = from_feature_flags();
        let seeded = CryptoProvider {
            dtls_provider: &Seeded,
            ..usual
        };
        seeded.install_process_default();
    });
}

/// A certificate by the numbers that this thread's generator gives next.
///
/// Ends know each other by fingerprints and ask no issuer, so that there can be one who signs with
/// Ed25519: a signature of P-256 has something random in it.
fn certificate() -> Result<DtlsCert, rcgen::Error> {
    let key = |kind: &[u8]| {
        let mut secret = [0; 32];
        fastrand::fill(&mut secret);
        // Below the order of the group of P-256.
        secret[0] &= 0x7f;
        KeyPair::try_from([kind, &secret].concat())
    };
    let key_pair = key(P256)?;
    let issuer = Issuer::new(CertificateParams::default(), key(ED25519)?);
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "simulation");
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2028, 1, 1);
    params.serial_number = Some(SerialNumber::from(fastrand::u64(..)));
    Ok(DtlsCert {
        certificate: params.signed_by(&key_pair, &issuer)?.der().to_vec(),
        private_key: key_pair.serialize_der(),
    })
}

/// As str0m's own provider, but for the seed.
#[derive(Debug)]
struct Seeded;

impl DtlsProvider for Seeded {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        certificate().ok()
    }

    fn new_dtls(
        &self,
        certificate: &DtlsCert,
        now: Instant,
        version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let mut config = Config::builder()
            .use_server_cookie(false)
            .dangerously_set_rng_seed(SEED);
        if let Some(mtu) = mtu {
            config = config.mtu(mtu);
        }
        let config = config
            .build()
            .map_err(|error| CryptoError::Other(error.to_string()))?;
        let (config, certificate) = (Arc::new(config), certificate.clone());
        let dtls = match version {
            DtlsVersion::Dtls12 => Dtls::new_12(config, certificate, now),
            DtlsVersion::Dtls13 => Dtls::new_13(config, certificate, now),
            DtlsVersion::Auto | _ => Dtls::new_auto(config, certificate, now),
        };
        Ok(Box::new(Association(dtls)))
    }
}

#[derive(Debug)]
struct Association(Dtls);

impl DtlsInstance for Association {
    fn set_active(&mut self, active: bool) {
        self.0.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.0.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buffer: &'a mut [u8]) -> DtlsOutput<'a> {
        self.0.poll_output(buffer)
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.0.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.0.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.0.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.0.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.0.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.0.close()
    }
}
