//! What `p2claw sessions` is told of a visit.

use super::*;
use crate::{
    sessions::{PathKind, SessionState, SessionStatus},
    transport::Accepted,
};

impl Scene {
    fn status(&self) -> SessionStatus {
        let mut all = self.sessions.list(false);
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    /// One request with a body of 1,000 bytes, and a response of 2,000.
    async fn exchange(&self) {
        let mut exchange = self.send("POST", "/", &[("content-length", "1000")], false);
        exchange
            .body
            .write(Bytes::from(vec![b'x'; 1_000]))
            .await
            .unwrap();
        exchange.body.finish(None).unwrap();
        let (mut stream, _) = self.accept().await;
        let mut sent = [0; 1_000];
        within(stream.read_exact(&mut sent)).await.unwrap();
        let response = [
            b"HTTP/1.1 200 OK\r\ncontent-length: 2000\r\nconnection: close\r\n\r\n".to_vec(),
            vec![b'y'; 2_000],
        ];
        stream.write_all(&response.concat()).await.unwrap();
        assert_eq!(head(&mut exchange).await.status, 200);
        assert_eq!(body(&mut exchange).await.unwrap().len(), 2_000);
    }
}

#[tokio::test]
async fn a_session_is_counted_while_it_lasts_and_gone_after() {
    let scene = scene().await;
    scene.exchange().await;
    let first = scene.status();
    assert_eq!(first.id, "09".repeat(16));
    assert_eq!(first.app, "recipes");
    assert_eq!(first.state, SessionState::Connected);
    assert_eq!(first.requests, 1);
    // Frames have heads, and HELLO and CREDIT are frames.
    assert!((1_000..1_500).contains(&first.bytes_in), "{first:?}");
    assert!((2_000..2_500).contains(&first.bytes_out), "{first:?}");
    assert!(first.software.starts_with("p2claw/"), "{first:?}");

    let (sender, receiver, upstream) = scene.open().await;
    let second = scene.status();
    assert_eq!(second.requests, 2);
    assert_eq!((second.streams, second.websockets), (1, 1), "{second:?}");
    drop((sender, receiver, upstream));

    scene.visitor.close(ErrorCode::NO_ERROR, "enough");
    within(scene.visit).await.unwrap();
    assert_eq!(scene.sessions.list(true), []);
}

/// A PING of the agent's own; while nobody asks there is none (SES-060 aside).
#[tokio::test]
async fn the_round_trip_is_measured_when_somebody_asks() {
    let scene = scene().await;
    scene.exchange().await;
    assert_eq!(scene.status().round_trip_ms, None);
    within(scene.sessions.measure()).await;
    let status = scene.status();
    let (latest, least) = (status.round_trip_ms, status.least_round_trip_ms);
    assert!(latest.is_some_and(|latest| latest > 0.0), "{status:?}");
    assert_eq!(latest, least);
    let before = status.bytes_out;
    within(scene.sessions.measure()).await;
    let sent = scene.status().bytes_out - before;
    assert_eq!(
        sent, 4,
        "a PING is as short as in the example of session.md"
    );
}

/// SEC-006: addresses only for who asks for them.
#[tokio::test]
async fn addresses_are_shown_on_demand_only() {
    let scene = scene().await;
    scene.exchange().await;
    let path = scene.status().path.unwrap();
    assert_eq!(path.kind, PathKind::Direct);
    assert_eq!(
        (path.local.as_str(), path.remote.as_str()),
        ("host", "host")
    );
    assert_eq!((path.local_address, path.remote_address), (None, None));
    let shown = serde_json::to_string(&scene.status()).unwrap();
    assert!(!shown.contains("127.0.0.1"), "{shown}");
    let path = scene.sessions.list(true).remove(0).path.unwrap();
    assert_eq!(path.remote_address, Some(([127, 0, 0, 1], 0).into()));
}

/// One visitor who does not answer keeps nobody waiting for long.
#[tokio::test(start_paused = true)]
async fn a_visitor_who_does_not_answer_is_not_waited_for() {
    let sessions = Arc::<Sessions>::default();
    let network = MemoryTransport::new();
    let mut offered = network.offer().await.unwrap();
    let Accepted { answer, peer } = network.accept(&offered.offer).await.unwrap();
    offered.peer.accept_answer(&answer).unwrap();
    let (connection, driver) = connection::connect(Role::Agent, Config::default(), peer);
    let app = AppName::parse("recipes").unwrap();
    let _shown = sessions.enter(SessionId([1; 16]), app, connection.clone());
    let driver = tokio::spawn(driver);
    assert_eq!(sessions.list(false)[0].state, SessionState::Connecting);
    // Nobody to ask yet: no wait at all.
    sessions.measure().await;
    hello(&mut *offered.peer);
    while connection.peer_settings().is_none() {
        tokio::task::yield_now().await;
    }
    let began = Instant::now();
    sessions.measure().await;
    assert_eq!(began.elapsed(), Duration::from_secs(1));
    let status = sessions.list(false).remove(0);
    assert_eq!(status.round_trip_ms, None);
    assert_eq!(
        status.software, "quiet [31m",
        "ERR-006: no escape sequences"
    );
    // The end of the session ends the wait.
    let (_, ended) = tokio::join!(sessions.measure(), async {
        connection.close(ErrorCode::NO_ERROR, "enough");
        driver.await
    });
    ended.unwrap();
    assert_eq!(began.elapsed(), Duration::from_secs(1));
    assert_eq!(sessions.list(false)[0].state, SessionState::Ending);
}

/// A visitor who says HELLO, and nothing ever after.
fn hello(peer: &mut dyn Peer) {
    let frame = p2claw_session::frame::Frame::Hello(p2claw_proto::v1::SessionHello {
        versions: vec![1],
        settings: Vec::new(),
        software: "quiet\u{1b}[31m".to_owned(),
    });
    assert!(peer.try_send(LaneId::ZERO, &frame.encode()).unwrap());
}
