//! Who visits: a WebRTC stack, the keys of earlier visits, and the way to services.

use std::sync::Arc;

use p2claw_agent::{clock, transport::PeerTransport};
use p2claw_identity::{Nonce, registry::limit::NONCE_BYTES};
use p2claw_network::{Machine, Network};
use p2claw_session::{Config, Role};
use p2claw_signaling::visitor::VisitCheck;
use tokio::{sync::OnceCell, time::Instant};
use tokio_rustls::rustls::ClientConfig;
use tokio_util::task::AbortOnDropHandle;

use crate::{
    Address, AddressError, Pins, Visit, VisitorError, course::Course, signaling::Signaling,
    visit::Timings,
};

/// Bits of the setting `encodings`: gzip and deflate (`spec/registries/settings.csv`).
const ENCODINGS: u64 = 0b11;

/// What a [`Visitor`] is made of.
#[derive(Debug)]
pub struct VisitorConfig {
    /// The WebRTC stack. It gathers with the servers of the service that was visited last.
    pub transport: Arc<dyn PeerTransport>,
    /// Where connections to services come from, and the nonces of visits.
    pub network: Arc<dyn Network>,
    /// The keys of earlier visits.
    pub pins: Pins,
    /// How services are checked; the certificates that this system trusts where it is not said.
    pub tls: Option<Arc<ClientConfig>>,
    /// Name and version, for the session's HELLO.
    pub software: String,
}

impl VisitorConfig {
    /// A visitor on this machine's own network, which forgets keys when it ends.
    #[must_use]
    pub fn new(transport: Arc<dyn PeerTransport>) -> Self {
        Self {
            transport,
            network: Arc::new(Machine),
            pins: Pins::in_memory(),
            tls: None,
            software: concat!("p2claw/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// Opens visits.
#[derive(Debug)]
pub struct Visitor {
    pub(crate) config: VisitorConfig,
    system_tls: OnceCell<Arc<ClientConfig>>,
}

impl Visitor {
    /// Nothing happens until a visit.
    #[must_use]
    pub fn new(config: VisitorConfig) -> Arc<Self> {
        Arc::new(Self {
            config,
            system_tls: OnceCell::new(),
        })
    }

    /// The keys of earlier visits.
    #[must_use]
    pub fn pins(&self) -> &Pins {
        &self.config.pins
    }

    /// Visits an app: finds its agent, checks who it is (`IDN-017`) and connects. Streams can be
    /// opened at once. Whoever stops waiting gives the visit up.
    ///
    /// # Errors
    /// When no session comes of it; nothing of the app was taken, and nothing sent to it, then.
    pub async fn visit(self: &Arc<Self>, address: &Address) -> Result<Visit, VisitorError> {
        let began = Instant::now();
        let pins = self.known_keys(address)?;
        let tls = match address.is_tls() {
            true => Some(self.tls().await?),
            false => None,
        };
        let network = Arc::clone(&self.config.network);
        let signaling = Arc::new(Signaling::new(address, network, tls)?);
        // Asked for while the offer is made: it also brings the connection up.
        let asking = Arc::clone(&signaling);
        let servers = tokio::spawn(async move { asking.ice_servers().await });
        let servers = AbortOnDropHandle::new(servers);
        let offered = self.config.transport.offer().await.map_err(Arc::new)?;
        let check = VisitCheck::new(address.label().clone(), self.nonce()?, offered.offer, pins)
            .map_err(VisitorError::Offer)?;
        let timings = Timings {
            offer: began.elapsed(),
            ..Timings::default()
        };
        let session = Config {
            software: self.config.software.clone(),
            lanes: 4,
            encodings: ENCODINGS,
            grease_seed: Some(clock::variety_u64()),
            ..Config::for_role(Role::Visitor)
        };
        let peer = offered.peer;
        Course::begin(
            Arc::clone(self),
            address.clone(),
            signaling,
            (check, peer),
            servers,
            timings,
            session,
        )
        .opened()
        .await
    }

    /// Every key that the agent must have (IDN-017, check 2).
    fn known_keys(&self, address: &Address) -> Result<Vec<p2claw_identity::PeerId>, VisitorError> {
        let stored = self
            .config
            .pins
            .known(&address.origin())
            .map_err(Arc::new)?;
        let known: Vec<_> = address.pin().into_iter().chain(stored).collect();
        // IDN-024
        if known.is_empty() && !address.is_tls() && !address.is_localhost() {
            return Err(AddressError::NotSecure(address.origin()).into());
        }
        Ok(known)
    }

    /// 32 bytes that nobody has seen before (IDN-016).
    pub(crate) fn nonce(&self) -> Result<Nonce, VisitorError> {
        let mut bytes = [0; NONCE_BYTES];
        let filled = self.config.network.fill_random(&mut bytes);
        filled.map_err(|error| {
            let error = format!("make a nonce: the system gives no random bytes: {error}");
            VisitorError::System(Arc::new(std::io::Error::other(error)))
        })?;
        Ok(Nonce(bytes))
    }

    async fn tls(&self) -> Result<Arc<ClientConfig>, VisitorError> {
        if let Some(tls) = &self.config.tls {
            return Ok(Arc::clone(tls));
        }
        let made = self.system_tls.get_or_try_init(|| async {
            // It reads files.
            match tokio::task::spawn_blocking(crate::connector::system_tls).await {
                Ok(tls) => tls,
                Err(error) => Err(std::io::Error::other(error)),
            }
        });
        let made = made
            .await
            .map_err(|error| VisitorError::System(Arc::new(error)))?;
        Ok(Arc::clone(made))
    }
}
