//! The sockets that all peers share, and the making of peers.

use std::{net::SocketAddr, sync::Arc};

use futures_util::future::BoxFuture;
use p2claw_agent::transport::{Accepted, LANE_LABEL, Offered, PeerTransport, TransportError};
use p2claw_network::{Hub, Network, Port};
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
