//! Sessions that come about, and what they are good for.

use std::sync::Arc;

use bytes::Bytes;
use p2claw_agent::{
    connection::{Message, StreamError},
    transport::{LANES, PeerTransport},
};
use p2claw_network::{Hub, HubConfig};
use p2claw_session::{Close, ErrorCode, Fields, MessageKind, Target};
use p2claw_visitor::{Opened, Pins, Visitor, VisitorConfig};

use crate::{
    within,
    world::{STACKS, Stack, World, get, request},
};

/// HTP-001, HTP-023, RTC-002: on every transport, a visit is a session with the app.
#[tokio::test]
async fn an_app_is_visited_over_every_transport() {
    for stack in STACKS {
        let world = World::on(stack).await;
        let visit = world.visit().await;
        assert_eq!(visit.peer_id(), world.peer_id);
        let (status, body) = get(&visit, "/echo?a=b").await;
        let body = String::from_utf8(body).unwrap();
        assert_eq!(status, 200);
        assert!(body.starts_with("GET /echo?a=b\n"), "{body}");
        // What nobody decodes is not asked for.
        assert!(body.contains("accept-encoding: identity\n"), "{body}");
        assert!(visit.path().is_some() && !visit.path().unwrap().is_relayed());
        let timings = visit.timings();
        assert!(timings.service.is_some_and(|service| service.tls.is_none()));
        assert!(visit.over().is_none());
        within(visit.close()).await;
        assert_eq!(visit.over().unwrap().code, ErrorCode::NO_ERROR);
    }
}

/// SES-045: both directions stream, over real stacks as well, with several streams at once.
#[tokio::test]
async fn large_bodies_stream_both_ways_at_once() {
    const BYTES: usize = 8 << 20;
    for stack in STACKS {
        let world = World::on(stack).await;
        let visit = world.visit().await;
        let download = async {
            let (status, body) = get(&visit, &format!("/bytes?bytes={BYTES}")).await;
            assert_eq!((status, body.len()), (200, BYTES));
        };
        let upload = async {
            let mut exchange = visit.open(request("POST", "/count", false)).await.unwrap();
            for _ in 0..BYTES / 65_536 {
                let piece = Bytes::from(vec![7; 65_536]);
                within(exchange.body.write(piece)).await.unwrap();
            }
            exchange.body.finish(None).unwrap();
            assert_eq!(within(exchange.head()).await.unwrap().status, 200);
            let counted = within(exchange.response.data()).await.unwrap().unwrap();
            assert_eq!(counted, BYTES.to_string());
        };
        let quick = async {
            for _ in 0..20 {
                assert_eq!(get(&visit, "/echo").await.0, 200);
            }
        };
        tokio::join!(download, upload, quick);
    }
}

/// HTP-050, SES-023: a body that broke off is an error, never an end.
#[tokio::test]
async fn a_body_that_breaks_off_is_an_error() {
    let world = World::on(Stack::Memory).await;
    let visit = world.visit().await;
    let mut exchange = visit
        .open(request("GET", "/cut?bytes=100000", true))
        .await
        .unwrap();
    assert_eq!(within(exchange.head()).await.unwrap().status, 200);
    let mut received = 0;
    let error = loop {
        if received == 100_000 {
            world.app.hang_up.notify_one();
        }
        match within(exchange.response.data()).await {
            Ok(Some(data)) => received += data.len(),
            Ok(None) => panic!("it looked complete"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StreamError::Reset { code, .. } if code == ErrorCode::UPSTREAM_FAILED));
}

/// SES-050: more requests than the agent takes at once wait for their turn.
#[tokio::test]
async fn more_requests_than_streams_wait() {
    let world = World::on(Stack::Memory).await;
    let visit = world.visit().await;
    let slow = (0..99).map(|_| visit.open(request("GET", "/never", true)));
    let slow = within(futures_util::future::try_join_all(slow))
        .await
        .unwrap();
    let asked = (0..10).map(|_| get(&visit, "/echo"));
    let answers = within(futures_util::future::join_all(asked)).await;
    assert!(answers.iter().all(|(status, _)| *status == 200));
    let last = within(visit.open(request("GET", "/never", true)))
        .await
        .unwrap();
    let waiting = get(&visit, "/echo");
    let given_up = async {
        tokio::task::yield_now().await;
        drop(slow);
    };
    let ((status, _), ()) = within(async { tokio::join!(waiting, given_up) }).await;
    assert_eq!(status, 200);
    drop(last);
}

/// WSK-001, WSK-004, WSK-022
#[tokio::test]
async fn websockets_of_the_app_open_and_close() {
    let world = World::on(Stack::Memory).await;
    let visit = world.visit().await;
    let target = Target::parse("/socket").unwrap();
    let mut fields = Fields::new();
    fields
        .push("sec-websocket-protocol", Bytes::from_static(b"v1, v2.test"))
        .unwrap();
    let opened = within(visit.open_websocket(target, fields)).await.unwrap();
    let Opened::Accepted {
        response,
        send,
        receive,
    } = opened
    else {
        panic!("the app has a WebSocket there");
    };
    let chosen = response.fields.get("sec-websocket-protocol").unwrap();
    assert_eq!(chosen, "v2.test");
    let (mut send, mut receive) = (send.into_messages(), receive.into_messages());
    let text = Bytes::from_static(b"hello");
    within(send.send(MessageKind::Text, text.clone(), true))
        .await
        .unwrap();
    let heard = within(receive.next()).await.unwrap();
    let kind = MessageKind::Text;
    assert!(
        matches!(heard, Message::Part { kind: k, last: true, data } if k == kind && data == text)
    );
    within(send.send(MessageKind::Text, Bytes::from_static(b"bye"), true))
        .await
        .unwrap();
    let heard = within(receive.next()).await.unwrap();
    assert_eq!(
        heard,
        Message::Close(Close::new(4001, "as you wish").unwrap())
    );
    send.close(Close::NONE).unwrap();

    let target = Target::parse("/nothing").unwrap();
    let opened = within(visit.open_websocket(target, Fields::new())).await;
    let Opened::Refused { response, mut body } = opened.unwrap() else {
        panic!("there is no WebSocket");
    };
    assert_eq!(response.status, 404);
    assert_eq!(within(body.data()).await.unwrap().unwrap(), "nothing here");
}

/// RTC-011, RTC-017, SIG-013, SIG-022: candidates go both ways, and the service's servers are used.
#[tokio::test]
async fn candidates_and_servers_reach_the_transports() {
    let world = World::on(Stack::Memory).await;
    let visit = world.visit().await;
    // Both ends of the one pair that there is hear of the other's.
    while world.memory.candidates().len() < 2 || world.memory.servers().is_empty() {
        assert_eq!(get(&visit, "/echo").await.0, 200);
    }
    let servers = world.memory.servers();
    let urls: Vec<_> = servers.iter().flat_map(|server| &server.urls).collect();
    assert!(
        urls.iter().any(|url| *url == "stun:127.0.0.1:9"),
        "{urls:?}"
    );
}

/// RTC-011, RTC-016, SIG-022: a visitor that is to be reached at relays only has no candidate when
/// its offer leaves. The service names the relay, and the candidate follows.
#[tokio::test]
async fn a_visitor_is_reached_at_the_relay_that_the_service_names() {
    for stack in [Stack::Str0m, Stack::Webrtc] {
        reached_at_a_relay(stack).await;
    }
}

async fn reached_at_a_relay(stack: Stack) {
    let world = World::on(stack).await;
    let hub = Hub::bind(HubConfig {
        loopback: true,
        relay_only: true,
        ..HubConfig::default()
    })
    .unwrap();
    let transport: Arc<dyn PeerTransport> = match stack {
        Stack::Webrtc => Arc::new(p2claw_rtc_webrtc::Endpoint::on(hub, LANES)),
        Stack::Str0m | Stack::Memory => Arc::new(p2claw_rtc_str0m::Endpoint::on(hub, LANES)),
    };
    let visitor = Visitor::new(VisitorConfig::new(transport));
    let visit = within(visitor.visit(&world.address("/"))).await.unwrap();
    let (status, body) = get(&visit, "/bytes?bytes=100000").await;
    assert_eq!((status, body.len()), (200, 100_000));
    assert!(visit.path().unwrap().is_relayed());
    // The next visit knows the relay from the beginning.
    let again = within(visitor.visit(&world.address("/"))).await.unwrap();
    assert!(again.path().unwrap().is_relayed());
}

/// IDN-020: the key of the first visit is asked for at the next one, also by another program.
#[tokio::test]
async fn idn_020_the_first_visit_pins_the_key() {
    let world = World::on(Stack::Memory).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pins.json");
    let pins = || Pins::in_file(path.clone());
    let address = world.address("/");
    let visit = within(world.visitor_with(pins()).visit(&address)).await;
    assert_eq!(visit.unwrap().peer_id(), world.peer_id);
    assert_eq!(
        pins().known(&address.origin()).unwrap(),
        Some(world.peer_id)
    );
    let again = within(world.visitor_with(pins()).visit(&address)).await;
    assert!(again.is_ok());
    let pinned = format!("{address}#p={}", world.peer_id).parse().unwrap();
    assert!(within(world.visitor().visit(&pinned)).await.is_ok());
}
