//! The sockets that all peers share, and the making of peers.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use p2claw_agent::transport::{
    Accepted, LANE_LABEL, Offered, PeerTransport, TransportError, pacing,
};
use p2claw_network::{Hub, LocalCandidate, Network, Port};
use p2claw_proto::v1::IceServer;
use p2claw_session::registry::limit;
use str0m::{
    Candidate, Rtc, RtcConfig,
    change::SdpOffer,
    channel::{ChannelConfig, ChannelId},
    config::DtlsVersion,
};
use tokio::time::Instant;

use crate::{
    description,
    peer::{Parts, Str0mPeer},
};

/// Bytes that str0m holds for one peer, sent and not yet acknowledged ones included. Caps one
/// visitor at this much a round trip; above it only queueing grows (`RTC-014`).
pub(crate) const SEND_BUFFER_BYTES: usize = limit::TRANSPORT_QUEUE;

/// First repeat of a connectivity check. RFC 8445 section 14.3 asks for 500 ms as the initial
/// RTO of a check; a lost first packet would cost that much before the first byte, so the wait
/// is shorter and doubles as usual.
const FIRST_CHECK_REPEAT: Duration = Duration::from_millis(50);

/// Bytes of a full datagram: with IPv6, UDP and TURN's channel data (RFC 8656 section 12.4) around it,
/// it fits a path of 1200 bytes. What is this large never goes without a channel.
const DATAGRAM: usize = 1200 - 40 - 8 - 4;

/// Above this, str0m warns.
const DATAGRAM_MAX: usize = 1280;

/// Makes peers on the sockets of a [`Hub`].
#[derive(Debug)]
pub struct Endpoint {
    hub: Hub,
    lanes: u8,
}

/// A connection of the stack whose descriptions are not exchanged yet.
struct Fresh {
    rtc: Rtc,
    port: Port,
    offered: Vec<(LocalCandidate, Candidate)>,
}

impl Endpoint {
    /// Uses sockets that are there already. `lanes` is 1..=16 (`RTC-002`).
    #[must_use]
    pub fn on(hub: Hub, lanes: u8) -> Self {
        Self {
            hub,
            lanes: lanes.clamp(1, 16),
        }
    }

    fn fresh(port: Port) -> Result<Fresh, TransportError> {
        let mut config = RtcConfig::new()
            .clear_codecs()
            .set_dtls_version(DtlsVersion::Auto)
            .set_snap_enabled(true)
            .set_sctp_max_buffered_amount(SEND_BUFFER_BYTES)
            .set_mtu(DATAGRAM..=DATAGRAM_MAX);
        config.set_initial_stun_rto(FIRST_CHECK_REPEAT);
        let mut rtc = config.build(Instant::now().into_std());
        let mut offered = Vec::new();
        for local in port.candidates() {
            let candidate = description::candidate(local)?;
            offered.push((*local, candidate.clone()));
            rtc.add_local_candidate(candidate);
        }
        Ok(Fresh { rtc, port, offered })
    }

    fn lane_config(lane: u8) -> ChannelConfig {
        ChannelConfig {
            label: LANE_LABEL.to_owned(),
            negotiated: Some(u16::from(lane)),
            ..ChannelConfig::default()
        }
    }

    fn answer(&self, offer: &str) -> Result<Accepted, TransportError> {
        // The peer takes the candidates.
        let (description, _) = description::split_candidates(offer);
        let parsed = SdpOffer::from_sdp_string(&description)
            .map_err(|error| TransportError::BadDescription(error.to_string()))?;
        let Fresh {
            mut rtc,
            port,
            offered,
        } = Self::fresh(self.hub.attach()?)?;
        let answer = rtc
            .sdp_api()
            .accept_offer(parsed)
            .map_err(|error| TransportError::BadDescription(error.to_string()))?;
        let answer = answer.to_sdp_string();
        // str0m agrees to an offer of nothing, too, and its answer then has no certificate.
        if !description::has_data_channels(offer) || !description::has_data_channels(&answer) {
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
        let peer = Str0mPeer::new(Parts {
            rtc,
            port,
            offered,
            lanes,
            pending_offer: None,
            remote: Some(offer.to_owned()),
        });
        Ok(Accepted {
            answer: pacing::asking(&answer),
            peer: Box::new(peer),
        })
    }

    fn make_offer(&self) -> Result<Offered, TransportError> {
        let Fresh {
            mut rtc,
            port,
            offered,
        } = Self::fresh(self.hub.attach_apart()?)?;
        let mut changes = rtc.sdp_api();
        let lanes: Vec<ChannelId> = (0..self.lanes)
            .map(|lane| changes.add_channel_with_config(Self::lane_config(lane)))
            .collect();
        let (offer, pending) = changes
            .apply()
            .ok_or_else(|| TransportError::Stack("the offer came out empty".to_owned()))?;
        let peer = Str0mPeer::new(Parts {
            rtc,
            port,
            offered,
            lanes,
            pending_offer: Some(pending),
            remote: None,
        });
        Ok(Offered {
            offer: pacing::asking(&offer.to_sdp_string()),
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

    fn use_servers(&self, servers: &[IceServer]) {
        self.hub.use_servers(servers);
    }

    fn network(&self) -> Arc<dyn Network> {
        Arc::clone(self.hub.network())
    }

    fn local_addresses(&self) -> Vec<SocketAddr> {
        self.hub.local_addresses()
    }
}
