//! A visitor with a WebRTC stack of its own, driven by hand, that does what no visitor should.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use p2claw_agent::{
    connection::{Connection, connect},
    transport::{LANE_LABEL, PeerTransport},
};
use p2claw_proto::v1::SessionHello;
use p2claw_session::{Config, Fields, Response, Role, StreamId, frame::Frame};
use str0m::{
    Candidate, Event, Input, Output, Rtc, RtcConfig,
    change::SdpAnswer,
    channel::{ChannelConfig, ChannelId},
    config::DtlsVersion,
    net::{Protocol, Receive},
};
use tokio::{
    net::UdpSocket,
    time::{Instant, sleep, timeout, timeout_at},
};

use crate::{PATIENCE, Stack, known, sessions::drive};

/// What the stranger saw.
#[derive(Debug, PartialEq)]
enum Seen {
    Open(ChannelId),
    Frame(ChannelId, Frame),
    Closed(ChannelId),
    Over,
}

struct Stranger {
    rtc: Rtc,
    socket: UdpSocket,
    local: SocketAddr,
    lanes: Vec<ChannelId>,
    /// Bytes of the longest datagram that came.
    longest: usize,
    agent: Connection,
    _endpoint: Box<dyn PeerTransport>,
}

fn lane(number: u16) -> ChannelConfig {
    ChannelConfig {
        label: LANE_LABEL.to_owned(),
        negotiated: Some(number),
        ..ChannelConfig::default()
    }
}

impl Stranger {
    /// Calls an agent with four lanes, and says nothing yet. `change` may spoil the offer.
    async fn call(
        agent: Stack,
        version: DtlsVersion,
        change: impl FnOnce(String) -> String,
    ) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let local = socket.local_addr().unwrap();
        let mut rtc = RtcConfig::new()
            .clear_codecs()
            .set_dtls_version(version)
            .build(Instant::now().into_std());
        rtc.add_local_candidate(Candidate::host(local, "udp").unwrap());
        let mut changes = rtc.sdp_api();
        let lanes = (0..4)
            .map(|number| changes.add_channel_with_config(lane(number)))
            .collect();
        let (offer, pending) = changes.apply().unwrap();
        let endpoint = agent.endpoint();
        let accepted = endpoint
            .accept(&change(offer.to_sdp_string()))
            .await
            .unwrap();
        let answer = SdpAnswer::from_sdp_string(&accepted.answer).unwrap();
        rtc.sdp_api().accept_answer(pending, answer).unwrap();
        let (agent, driver) = connect(Role::Agent, Config::default(), accepted.peer);
        tokio::spawn(drive(driver));
        Self {
            rtc,
            socket,
            local,
            lanes,
            longest: 0,
            agent,
            _endpoint: endpoint,
        }
    }

    /// As far as the agent's HELLO, which comes for its own (RTC-018).
    async fn greet(&mut self) {
        let first = self.lanes[0];
        let opened = self
            .until(|seen| *seen == Seen::Open(first) || matches!(seen, Seen::Frame(..)))
            .await;
        assert_eq!(opened, Seen::Open(first), "the agent spoke first");
        self.say_hello();
        self.until(|seen| matches!(seen, Seen::Frame(lane, Frame::Hello(_)) if *lane == first))
            .await;
    }

    fn say_hello(&mut self) {
        let hello = Frame::Hello(SessionHello {
            versions: vec![1],
            ..SessionHello::default()
        });
        self.send(self.lanes[0], true, &hello.encode());
    }

    fn send(&mut self, lane: ChannelId, binary: bool, message: &[u8]) {
        let mut channel = self.rtc.channel(lane).unwrap();
        assert!(channel.write(binary, message).unwrap());
    }

    /// Runs until something has been seen, which comes back.
    async fn until(&mut self, wanted: impl Fn(&Seen) -> bool) -> Seen {
        let deadline = Instant::now() + PATIENCE;
        let seen = self.find(wanted, deadline).await;
        seen.unwrap_or_else(|| panic!("what was waited for did not come"))
    }

    async fn find(&mut self, wanted: impl Fn(&Seen) -> bool, deadline: Instant) -> Option<Seen> {
        let mut buffer = vec![0; 2_000];
        while Instant::now() < deadline {
            if !self.rtc.is_alive() {
                return wanted(&Seen::Over).then_some(Seen::Over);
            }
            let wake = match self.rtc.poll_output().unwrap() {
                Output::Transmit(transmit) => {
                    let _ = self
                        .socket
                        .send_to(&transmit.contents, transmit.destination)
                        .await;
                    continue;
                }
                Output::Event(event) => {
                    if let Some(seen) = seen(event).filter(&wanted) {
                        return Some(seen);
                    }
                    continue;
                }
                Output::Timeout(at) => deadline.min(Instant::from_std(at)),
            };
            let received = timeout_at(wake, self.socket.recv_from(&mut buffer)).await;
            let now = Instant::now().into_std();
            let input = match received {
                Ok(Ok((length, source))) => {
                    self.longest = self.longest.max(length);
                    let contents = &buffer[..length];
                    match Receive::new(Protocol::Udp, source, self.local, contents) {
                        Ok(received) => Input::Receive(now, received),
                        Err(_) => continue,
                    }
                }
                Ok(Err(_)) | Err(_) => Input::Timeout(now),
            };
            if self.rtc.handle_input(input).is_err() {
                // A fatal alert, for one.
                return wanted(&Seen::Over).then_some(Seen::Over);
            }
        }
        None
    }

    /// Goes on for as long as a test waits, and waits on when it is over itself.
    async fn outlast(&mut self) {
        self.find(|_| false, Instant::now() + PATIENCE).await;
        sleep(PATIENCE).await;
    }

    /// Whether the agent answers a PING within the patience of a test.
    async fn ping(&mut self, token: u64) {
        let first = self.lanes[0];
        self.send(first, true, &Frame::Ping { token }.encode());
        self.until(|seen| *seen == Seen::Frame(first, Frame::Pong { token }))
            .await;
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "str0m's other events are of no interest here"
)]
fn seen(event: Event) -> Option<Seen> {
    match event {
        Event::ChannelOpen(id, _) => Some(Seen::Open(id)),
        Event::ChannelClose(id) => Some(Seen::Closed(id)),
        Event::ChannelData(data) => {
            let frame = Frame::decode(Bytes::from(data.data)).unwrap();
            Some(Seen::Frame(data.id, frame))
        }
        Event::Closed => Some(Seen::Over),
        _ => None,
    }
}

/// RTC-013
pub(crate) async fn dtls_1_2_will_do(agent: Stack) {
    let mut stranger = Stranger::call(agent, DtlsVersion::Dtls12, |offer| offer).await;
    stranger.greet().await;
    stranger.ping(7).await;
}

/// RTC-013: the newer version, which a visitor may insist on.
pub(crate) async fn dtls_1_3_will_do(agent: Stack) {
    let mut stranger = Stranger::call(agent, DtlsVersion::Dtls13, |offer| offer).await;
    let deadline = Instant::now() + Duration::from_secs(5);
    let first = stranger.lanes[0];
    let open = stranger
        .find(|seen| *seen == Seen::Open(first), deadline)
        .await;
    known::compare(
        open.is_some(),
        (agent == Stack::Webrtc).then_some(known::NO_DTLS_1_3),
    );
}

/// RTC-002: lanes that were agreed on beforehand carry frames, under the numbers of the lanes.
pub(crate) async fn lanes_are_there_without_being_opened(agent: Stack) {
    let mut stranger = Stranger::call(agent, DtlsVersion::Auto, |offer| offer).await;
    stranger.greet().await;
    for (number, id) in stranger.lanes.clone().into_iter().enumerate() {
        let number = u16::try_from(number).unwrap();
        let stream = stranger.rtc.direct_api().sctp_stream_id_by_channel_id(id);
        assert_eq!(stream, Some(number));
    }
    stranger.ping(1).await;
}

/// RTC-004: a channel that was opened in-band is no lane, and harms none.
pub(crate) async fn channels_that_are_opened_in_band_are_ignored(agent: Stack) {
    let mut stranger = Stranger::call(agent, DtlsVersion::Auto, |offer| offer).await;
    stranger.greet().await;
    let config = ChannelConfig {
        label: LANE_LABEL.to_owned(),
        ..ChannelConfig::default()
    };
    let other = stranger.rtc.direct_api().create_data_channel(config);
    stranger.until(|seen| *seen == Seen::Open(other)).await;
    // As a frame, this would be a session error.
    stranger.send(other, true, b"\x00");
    stranger.ping(2).await;
}

/// RTC-006: a session has all of its lanes or none.
pub(crate) async fn a_lane_that_closes_ends_the_session(agent: Stack) {
    let mut stranger = Stranger::call(agent, DtlsVersion::Auto, |offer| offer).await;
    stranger.greet().await;
    stranger.ping(3).await;
    let second = stranger.lanes[1];
    stranger.rtc.direct_api().close_data_channel(second);
    let agent = stranger.agent.clone();
    tokio::select! {
        incoming = agent.accept() => assert!(incoming.is_none()),
        () = stranger.outlast() => {
            panic!("the session outlives its lane");
        }
    }
}

/// SES-064, SES-023: a body that is not complete when the association ends does not look complete.
pub(crate) async fn the_end_of_the_association_cuts_bodies_off(agent: Stack) {
    let mut stranger = Stranger::call(agent, DtlsVersion::Auto, |offer| offer).await;
    stranger.greet().await;
    let first = stranger.lanes[0];
    let stream = StreamId::new(1).unwrap();
    let head = p2claw_proto::v1::Request {
        method: "POST".to_owned(),
        target: "/".to_owned(),
        ..Default::default()
    };
    stranger.send(first, true, &Frame::Request { stream, head }.encode());
    let data = Bytes::from_static(b"half");
    stranger.send(first, true, &Frame::Data { stream, data }.encode());
    stranger.ping(6).await;
    let agent = stranger.agent.clone();
    let mut incoming = timeout(PATIENCE, agent.accept()).await.unwrap().unwrap();
    let half = timeout(PATIENCE, incoming.body.data()).await.unwrap();
    assert_eq!(half.unwrap().unwrap(), "half");
    stranger.rtc.close().unwrap();
    tokio::select! {
        rest = incoming.body.data() => assert!(rest.is_err(), "{rest:?}"),
        () = stranger.outlast() => {
            panic!("the body outlives its session");
        }
    }
    assert!(timeout(PATIENCE, agent.accept()).await.unwrap().is_none());
}

/// RTC-005: text is no frame, whatever it says.
pub(crate) async fn text_ends_the_session(agent: Stack) {
    let mut stranger = Stranger::call(agent, DtlsVersion::Auto, |offer| offer).await;
    stranger.greet().await;
    let first = stranger.lanes[0];
    stranger.send(first, false, &Frame::Ping { token: 5 }.encode());
    let last = stranger
        .until(|seen| {
            matches!(
                seen,
                Seen::Frame(_, Frame::GoAway { .. } | Frame::Pong { .. })
            )
        })
        .await;
    assert!(
        matches!(last, Seen::Frame(_, Frame::GoAway { code, .. }) if code == p2claw_session::ErrorCode::PROTOCOL),
        "{last:?}"
    );
}

/// Packets of a session fit a path whose packets are 1200 bytes at most, with IPv6 as well.
pub(crate) async fn packets_fit_a_path_of_1200_bytes(agent: Stack) {
    const IPV6_AND_UDP: usize = 40 + 8;
    let mut stranger = Stranger::call(agent, DtlsVersion::Dtls12, |offer| offer).await;
    stranger.greet().await;
    let first = stranger.lanes[0];
    let stream = StreamId::new(1).unwrap();
    let head = p2claw_proto::v1::Request {
        method: "GET".to_owned(),
        target: "/".to_owned(),
        end: true,
        ..Default::default()
    };
    stranger.send(first, true, &Frame::Request { stream, head }.encode());
    let connection = stranger.agent.clone();
    tokio::spawn(async move {
        let mut incoming = connection.accept().await.unwrap();
        let body = Response {
            status: 200,
            fields: Fields::new(),
            end: false,
        };
        incoming.answer.respond(body).unwrap();
        // For as long as the stranger's credit lasts.
        let _ = incoming.answer.write(Bytes::from(vec![7; 1 << 20])).await;
    });
    let mut received = 0;
    while received < 40_000 {
        let seen = stranger.until(|seen| matches!(seen, Seen::Frame(..))).await;
        if let Seen::Frame(_, Frame::Data { data, .. }) = seen {
            received += data.len();
        }
    }
    let longest = stranger.longest;
    // As long as may be, for short ones cost throughput.
    assert!(
        (1_100..=1_200 - IPV6_AND_UDP).contains(&longest),
        "{longest} bytes"
    );
}

/// RTC-012: a visitor without a candidate that the agent can use is found by its own checks.
pub(crate) async fn a_visitor_without_candidates_is_found(agent: Stack) {
    let hidden = |offer: String| {
        let lines = offer.split_inclusive("\r\n");
        let kept: String = lines
            .filter(|line| !line.starts_with("a=candidate:"))
            .collect();
        assert_ne!(kept, offer);
        kept
    };
    let mut stranger = Stranger::call(agent, DtlsVersion::Auto, hidden).await;
    stranger.greet().await;
    stranger.ping(4).await;
    let path = stranger.agent.path().unwrap();
    assert_eq!(path.remote, stranger.local);
}

/// IDN-015: the agent talks to the certificate that it signed for, and to no other one.
pub(crate) async fn another_certificate_never_gets_a_lane(agent: Stack) {
    let forged = |offer: String| {
        let mut digits = 0;
        let lines = offer.split_inclusive("\r\n").map(|line| {
            if !line.starts_with("a=fingerprint:") {
                return line.to_owned();
            }
            digits += 1;
            let last = if line.contains(":00\r\n") { "01" } else { "00" };
            format!("{}{last}\r\n", &line[..line.len() - 4])
        });
        let forged: String = lines.collect();
        assert!(digits > 0 && forged != offer);
        forged
    };
    let mut stranger = Stranger::call(agent, DtlsVersion::Auto, forged).await;
    let deadline = Instant::now() + Duration::from_secs(3);
    let first = stranger.lanes[0];
    let opened = stranger
        .find(|seen| *seen == Seen::Open(first), deadline)
        .await;
    assert_eq!(opened, None, "the agent took a certificate it never signed");
    assert!(stranger.agent.peer_settings().is_none());
}
