//! The sockets that all peers share, and the making of peers.

use std::{io, net::SocketAddr, sync::Arc};

use futures_util::future::BoxFuture;
use p2claw_agent::transport::{Accepted, LANE_LABEL, Offered, PeerTransport, TransportError};
use p2claw_network::{Hub, HubConfig, Network, Port};
use p2claw_proto::v1::IceServer;
use rtc::{
    data_channel::{RTCDataChannelId, RTCDataChannelInit},
    peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder, sdp::RTCSessionDescription},
};
use tokio::time::Instant;

use crate::{
    description,
    peer::{Parts, WebrtcPeer},
    settings::settings,
};

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

/// Makes peers on the sockets of a [`Hub`].
#[derive(Debug)]
pub struct Endpoint {
    hub: Hub,
    lanes: u8,
}

/// A connection of the stack whose descriptions are not exchanged yet.
struct Fresh {
    rtc: RTCPeerConnection,
    port: Port,
    lanes: Vec<RTCDataChannelId>,
}

impl Endpoint {
    /// Binds one socket for IPv4 and, where the machine has it, one for IPv6.
    ///
    /// # Errors
    /// When no socket of either family can be bound to the port.
    pub fn bind(config: &EndpointConfig) -> io::Result<Self> {
        let hub = Hub::bind(HubConfig {
            port: config.port,
            loopback: config.loopback,
            ..HubConfig::default()
        })?;
        Ok(Self::on(hub, config.lanes))
    }

    /// Uses sockets that are there already. `lanes` is 1..=16 (`RTC-002`).
    #[must_use]
    pub fn on(hub: Hub, lanes: u8) -> Self {
        Self {
            hub,
            lanes: lanes.clamp(1, 16),
        }
    }

    /// Makes the certificate, too: one for each session (`RTC-009`), in less than a millisecond.
    fn fresh(&self, port: Port) -> Result<Fresh, TransportError> {
        let mut rtc = RTCPeerConnectionBuilder::new()
            .with_setting_engine(settings())
            .build(Instant::now().into_std())
            .map_err(of_stack)?;
        let mut lanes = Vec::new();
        for lane in 0..self.lanes {
            let init = RTCDataChannelInit {
                negotiated: Some(u16::from(lane)),
                ..RTCDataChannelInit::default()
            };
            let channel = rtc.create_data_channel(LANE_LABEL, Some(init));
            lanes.push(channel.map_err(of_stack)?.id());
        }
        Ok(Fresh { rtc, port, lanes })
    }

    fn answer(&self, offer: &str) -> Result<Accepted, TransportError> {
        description::check(offer)?;
        let parsed =
            RTCSessionDescription::offer(description::for_rtc(offer)).map_err(of_description)?;
        let Fresh {
            mut rtc,
            port,
            lanes,
        } = self.fresh(self.hub.attach()?)?;
        let now = Instant::now().into_std();
        rtc.set_remote_description(now, parsed)
            .map_err(of_description)?;
        let answer = rtc.create_answer(None).map_err(of_description)?;
        rtc.set_local_description(now, answer.clone())
            .map_err(of_stack)?;
        let answer = description::with_candidates(&answer.sdp, port.candidates());
        let peer = WebrtcPeer::new(Parts {
            rtc,
            port,
            lanes,
            local: &answer,
            remote: Some(offer),
        });
        Ok(Accepted {
            answer,
            peer: Box::new(peer),
        })
    }

    fn make_offer(&self) -> Result<Offered, TransportError> {
        let Fresh {
            mut rtc,
            port,
            lanes,
        } = self.fresh(self.hub.attach_apart()?)?;
        let offer = rtc.create_offer(None).map_err(of_stack)?;
        rtc.set_local_description(Instant::now().into_std(), offer.clone())
            .map_err(of_stack)?;
        let offer = description::with_candidates(&offer.sdp, port.candidates());
        let peer = WebrtcPeer::new(Parts {
            rtc,
            port,
            lanes,
            local: &offer,
            remote: None,
        });
        Ok(Offered {
            offer,
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

/// A failure of rtc that is its own.
pub(crate) fn of_stack(error: impl ToString) -> TransportError {
    TransportError::Stack(error.to_string())
}

/// A failure of rtc for which the other end's description is to blame.
pub(crate) fn of_description(error: impl ToString) -> TransportError {
    TransportError::BadDescription(error.to_string())
}
