//! The sockets that all peers share, and the making of peers.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use futures_util::future::BoxFuture;
use p2claw_agent::transport::{Accepted, LANE_LABEL, Offered, PeerTransport, TransportError};
use str0m::{
    Candidate, Rtc, RtcConfig,
    change::SdpOffer,
    channel::{ChannelConfig, ChannelId},
    config::DtlsVersion,
};
use tokio::{task::JoinSet, time::Instant};

use crate::{
    demux::Demux,
    peer::Str0mPeer,
    socket::{ReadBuffer, Socket},
};

/// Bytes that str0m holds for one peer, sent and not yet acknowledged ones included. Caps one
/// visitor at this much a round trip; above it only queueing grows.
pub(crate) const SEND_BUFFER_BYTES: usize = 256 * 1024;

/// First repeat of a connectivity check. RFC 8445 section 14.3 asks for 500 ms as the initial
/// RTO of a check; a lost first packet would cost that much before the first byte, so the wait
/// is shorter and doubles as usual.
const FIRST_CHECK_REPEAT: Duration = Duration::from_millis(100);

/// How an [`Endpoint`] uses the network.
#[derive(Debug, Clone)]
pub struct EndpointConfig {
    /// UDP port on all addresses; 0 lets the system choose.
    pub port: u16,
    /// Offer `127.0.0.1` and `::1` beside the machine's other addresses. They are always offered
    /// where there is nothing else.
    pub loopback: bool,
    /// Lanes to open, 1..=16 (`RTC-002`).
    pub lanes: u8,
}

impl Default for EndpointConfig {
    fn default() -> Self {
        Self {
            port: 0,
            loopback: false,
            lanes: 4,
        }
    }
}

/// UDP sockets shared by any number of peers. Dropping it ends its readers.
#[derive(Debug)]
pub struct Endpoint {
    shared: Arc<Shared>,
    lanes: u8,
    loopback: bool,
    _readers: JoinSet<()>,
}

/// A pause after a read that failed.
const READ_PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) ipv4: Option<Arc<Socket>>,
    pub(crate) ipv6: Option<Arc<Socket>>,
    pub(crate) demux: Demux,
}

impl Shared {
    pub(crate) fn socket_for(&self, address: SocketAddr) -> Option<&Arc<Socket>> {
        if address.is_ipv4() {
            self.ipv4.as_ref()
        } else {
            self.ipv6.as_ref()
        }
    }
}

impl Endpoint {
    /// Binds one socket for IPv4 and, where the machine has it, one for IPv6.
    ///
    /// # Errors
    /// When no socket of either family can be bound to the port.
    pub fn bind(config: &EndpointConfig) -> io::Result<Self> {
        let ipv4 = Socket::bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, config.port)));
        let ipv6 = Socket::bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, config.port)));
        let (ipv4, ipv6) = match (ipv4, ipv6) {
            (Err(error), Err(_)) => return Err(error),
            // A chosen port that somebody else has is the user's to know about.
            (Err(error), Ok(_)) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            (ipv4, ipv6) => (ipv4.ok().map(Arc::new), ipv6.ok().map(Arc::new)),
        };
        let shared = Arc::new(Shared {
            ipv4,
            ipv6,
            demux: Demux::default(),
        });
        let mut readers = JoinSet::new();
        for socket in shared.ipv4.iter().chain(&shared.ipv6) {
            let (socket, shared) = (Arc::clone(socket), Arc::clone(&shared));
            readers.spawn(async move {
                let mut buffer = ReadBuffer::new();
                loop {
                    let read = socket.read(&mut buffer, |datagram| shared.demux.deliver(datagram));
                    if let Err(error) = read.await {
                        // A network that is down for now; an agent that is deaf is of no use.
                        tracing::warn!(%error, local = %socket.local(), "UDP socket failed");
                        tokio::time::sleep(READ_PAUSE).await;
                    }
                }
            });
        }
        Ok(Self {
            shared,
            lanes: config.lanes.clamp(1, 16),
            loopback: config.loopback,
            _readers: readers,
        })
    }

    fn rtc(&self) -> Result<Rtc, TransportError> {
        let mut config = RtcConfig::new()
            .clear_codecs()
            .set_dtls_version(DtlsVersion::Auto)
            .set_snap_enabled(true)
            .set_sctp_max_buffered_amount(SEND_BUFFER_BYTES);
        config.set_initial_stun_rto(FIRST_CHECK_REPEAT);
        let mut rtc = config.build(Instant::now().into_std());
        for address in self.host_addresses()? {
            let candidate = Candidate::host(address, "udp")
                .map_err(|error| TransportError::Stack(error.to_string()))?;
            rtc.add_local_candidate(candidate);
        }
        Ok(rtc)
    }

    /// Addresses of this machine, as they are now: interfaces come and go.
    fn host_addresses(&self) -> io::Result<Vec<SocketAddr>> {
        let mut ips: Vec<IpAddr> = if_addrs::get_if_addrs()?
            .into_iter()
            .map(|interface| interface.ip())
            .collect();
        ips.retain(|ip| !is_link_local(*ip));
        let has_others = ips.iter().any(|ip| !ip.is_loopback());
        if has_others && !self.loopback {
            ips.retain(|ip| !ip.is_loopback());
        }
        // Others first: Firefox never pairs with a loopback candidate.
        ips.sort_by_key(|ip| (ip.is_loopback(), ip.is_ipv6()));
        ips.dedup();
        let addresses = ips.into_iter().filter_map(|ip| {
            let socket = if ip.is_ipv4() {
                &self.shared.ipv4
            } else {
                &self.shared.ipv6
            };
            socket
                .as_ref()
                .map(|socket| SocketAddr::new(ip, socket.local().port()))
        });
        let addresses: Vec<SocketAddr> = addresses.collect();
        if addresses.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::AddrNotAvailable,
                "this machine has no network address",
            ));
        }
        Ok(addresses)
    }

    fn lane_config(lane: u8) -> ChannelConfig {
        ChannelConfig {
            label: LANE_LABEL.to_owned(),
            negotiated: Some(u16::from(lane)),
            ..ChannelConfig::default()
        }
    }

    fn answer(&self, offer: &str) -> Result<Accepted, TransportError> {
        let offer = SdpOffer::from_sdp_string(offer)
            .map_err(|error| TransportError::BadDescription(error.to_string()))?;
        let mut rtc = self.rtc()?;
        let answer = rtc
            .sdp_api()
            .accept_offer(offer)
            .map_err(|error| TransportError::BadDescription(error.to_string()))?;
        let answer = answer.to_sdp_string();
        // str0m agrees to an offer of nothing, too, and its answer then has no certificate.
        if !has_data_channels(&answer) {
            return Err(TransportError::BadDescription(
                "it offers no data channels".to_owned(),
            ));
        }
        let lanes: Vec<ChannelId> = (0..self.lanes)
            .map(|lane| {
                rtc.direct_api()
                    .create_data_channel(Self::lane_config(lane))
            })
            .collect();
        let peer = Str0mPeer::new(rtc, Arc::clone(&self.shared), lanes, None);
        Ok(Accepted {
            answer,
            peer: Box::new(peer),
        })
    }

    fn make_offer(&self) -> Result<Offered, TransportError> {
        let mut rtc = self.rtc()?;
        let mut changes = rtc.sdp_api();
        let lanes: Vec<ChannelId> = (0..self.lanes)
            .map(|lane| changes.add_channel_with_config(Self::lane_config(lane)))
            .collect();
        let (offer, pending) = changes
            .apply()
            .ok_or_else(|| TransportError::Stack("the offer came out empty".to_owned()))?;
        let peer = Str0mPeer::new(rtc, Arc::clone(&self.shared), lanes, Some(pending));
        Ok(Offered {
            offer: offer.to_sdp_string(),
            peer: Box::new(peer),
        })
    }
}

impl PeerTransport for Endpoint {
    fn accept<'a>(&'a self, offer: &'a str) -> BoxFuture<'a, Result<Accepted, TransportError>> {
        Box::pin(async move { self.answer(offer) })
    }

    fn offer(&self) -> BoxFuture<'_, Result<Offered, TransportError>> {
        Box::pin(async move { self.make_offer() })
    }

    fn local_addresses(&self) -> Vec<SocketAddr> {
        self.shared
            .ipv4
            .iter()
            .chain(&self.shared.ipv6)
            .map(|socket| socket.local())
            .collect()
    }
}

/// Whether a description has a section for data channels that is not refused (RFC 8841 section 5).
fn has_data_channels(description: &str) -> bool {
    description
        .lines()
        .filter_map(|line| line.strip_prefix("m=application "))
        .any(|section| !section.starts_with("0 "))
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}
