//! The relay of this repository, with a certificate of its own, and its quotas.

use std::{
    net::{SocketAddr, UdpSocket},
    sync::Arc,
    time::Duration,
};

use p2claw_conformance::coturn::SECRET;
use p2claw_network::{CandidateKind, Hub, Port};
use p2claw_relay::{Config, Quota, Relay};
use tokio::time::Instant;
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{DTLS, Server, gathered, host, hub, receive, relays_of, send};

/// A relay that runs until this is dropped.
pub(crate) struct Own {
    address: SocketAddr,
    _running: DropGuard,
    pub(crate) tls: Arc<ClientConfig>,
}

impl Own {
    pub(crate) async fn start(quota: Quota) -> Self {
        let config = Config {
            quota,
            ..Config::new(SECRET.into())
        };
        Self::with(config).await
    }

    async fn with(config: Config) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let server = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], PrivateKeyDer::Pkcs8(key))
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let client = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let config = Config {
            private_peers: true,
            tls: Some(Arc::new(server)),
            ..config
        };
        let relay = Relay::bind("127.0.0.1:0".parse().unwrap(), config)
            .await
            .unwrap();
        let shutdown = CancellationToken::new();
        let address = relay.address();
        tokio::spawn(relay.run(shutdown.clone()));
        Self {
            address,
            _running: shutdown.drop_guard(),
            tls: Arc::new(client),
        }
    }

    pub(crate) fn url(&self, transport: &str) -> String {
        match transport {
            "tls" => format!("turns:{}", self.address),
            other => format!("turn:{}?transport={other}", self.address),
        }
    }
}

/// One credential gets its number of allocations and no more.
#[tokio::test]
async fn a_credential_has_its_number_of_allocations() {
    let server = Server::Own(
        Own::start(Quota {
            allocations: 2,
            ..Quota::default()
        })
        .await,
    );
    let near = hub(Some(&server));
    near.use_servers(&[server.server("udp")]);
    let mut peers: Vec<_> = (0..3).map(|_| near.attach_apart().unwrap()).collect();
    let mut relays = 0;
    for peer in &mut peers {
        relays += relays_of(&gathered(peer).await);
    }
    assert_eq!(relays, 2);
}

/// A relay with one place, and its address.
async fn with_one_place() -> (Server, SocketAddr) {
    let config = Config {
        clients: 1,
        ..Config::new(SECRET.into())
    };
    let own = Own::with(config).await;
    let address = own.address;
    (Server::Own(own), address)
}

async fn has_a_relay(server: &Server) -> bool {
    let near = hub(Some(server));
    near.use_servers(&[server.server("udp")]);
    relays_of(&gathered(&mut near.attach().unwrap()).await) == 1
}

/// RFC 8656: who has nothing to ask takes no place.
#[tokio::test]
async fn data_of_strangers_takes_no_place() {
    let (server, address) = with_one_place().await;
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    stranger.send_to(&[0x40, 0, 0, 0], address).unwrap();
    assert!(has_a_relay(&server).await);
}

/// Nor for long who asks and has no credential, however often.
#[tokio::test]
async fn requests_of_strangers_take_a_place_for_a_moment() {
    let (server, address) = with_one_place().await;
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    // RFC 8656: Allocate, without attributes.
    let mut allocate = [0; 20];
    allocate[1] = 3;
    allocate[4..8].copy_from_slice(&0x2112_a442_u32.to_be_bytes());
    let deadline = Instant::now() + Duration::from_secs(90);
    loop {
        stranger.send_to(&allocate, address).unwrap();
        if has_a_relay(&server).await {
            break;
        }
        assert!(Instant::now() < deadline, "the relay stays full");
    }
}

/// The library renews every permission for as long as an allocation lives: one that has served very
/// many addresses gives way to a new one.
#[tokio::test]
async fn an_allocation_does_not_serve_addresses_without_end() {
    let server = Server::Own(Own::start(Quota::default()).await);
    let near = hub(Some(&server));
    near.use_servers(&[server.server("udp")]);
    let is_relay = |(kind, _): &(CandidateKind, SocketAddr)| *kind == CandidateKind::Relayed;
    let mut first = near.attach().unwrap();
    let found = gathered(&mut first).await;
    let relay = found.into_iter().find(is_relay).unwrap().1;
    let deadline = Instant::now() + Duration::from_secs(60);
    // Again and again, for what comes too quickly is lost.
    for number in (0..2_000_u16).cycle() {
        assert!(Instant::now() < deadline, "still the same allocation");
        let [high, low] = number.to_be_bytes();
        let peer = SocketAddr::from(([127, 1, high, low], 9));
        send(&mut first, relay, peer, &[DTLS, 0]).await;
        if number % 100 == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
            let found = gathered(&mut near.attach().unwrap()).await;
            let now = found.into_iter().find(is_relay);
            if now.is_some_and(|(_, address)| address != relay) {
                break;
            }
        }
    }
}

/// Two peers, one of which sends over a relay.
struct Line {
    a: Port,
    b: Port,
    /// The relayed address of `a`.
    relay: SocketAddr,
    /// The address of `b`.
    there: SocketAddr,
    _rest: (Server, Hub, Hub),
}

impl Line {
    async fn over(quota: Quota) -> Self {
        let server = Server::Own(Own::start(quota).await);
        let (near, far) = (hub(Some(&server)), hub(None));
        near.use_servers(&[server.server("udp")]);
        let (mut a, mut b) = (near.attach().unwrap(), far.attach().unwrap());
        let there = host(&b);
        let found = gathered(&mut a).await;
        let is_relay = |(kind, _): &&(CandidateKind, SocketAddr)| *kind == CandidateKind::Relayed;
        let relay = found.iter().find(is_relay).unwrap().1;
        send(&mut b, there, relay, &[DTLS, 0]).await;
        Self {
            a,
            b,
            relay,
            there,
            _rest: (server, near, far),
        }
    }
}

/// A visit that has used its bytes gets no more through.
#[tokio::test]
async fn a_visit_has_its_bytes() {
    let quota = Quota {
        bytes: 20_000,
        bytes_per_second: 1 << 20,
        ..Quota::default()
    };
    let Line {
        mut a,
        mut b,
        relay,
        there,
        _rest,
    } = Line::over(quota).await;
    let mut passed = 0;
    for number in 0..40 {
        send(
            &mut a,
            relay,
            there,
            &[&[DTLS, number][..], &[0; 998]].concat(),
        )
        .await;
        let answer = tokio::time::timeout(Duration::from_secs(3), receive(&mut b));
        match answer.await {
            Ok(datagram) => passed += datagram.contents.len(),
            Err(_) => break,
        }
    }
    assert!((18_000..=20_000).contains(&passed), "{passed} bytes passed");
}

/// What comes too quickly waits its turn, as before a slow line.
#[tokio::test]
async fn a_visit_that_is_too_quick_is_slowed_down_and_loses_nothing() {
    // Of the 150 kB that are sent, 100 kB pass at once, and the others take half a second.
    let quota = Quota {
        bytes_per_second: 100_000,
        ..Quota::default()
    };
    let Line {
        mut a,
        mut b,
        relay,
        there,
        _rest,
    } = Line::over(quota).await;
    let began = Instant::now();
    // No more at a time than may wait.
    for burst in 0..3_u8 {
        for number in 0..50 {
            let datagram = [&[DTLS, burst, number][..], &[0; 997]].concat();
            send(&mut a, relay, there, &datagram).await;
        }
        for number in 0..50 {
            let datagram = receive(&mut b).await;
            assert_eq!(datagram.contents[..3], [DTLS, burst, number]);
        }
    }
    let took = began.elapsed();
    assert!(took > Duration::from_millis(400), "{took:?}");
}

/// SEC-008, RFC 8656 section 21.1.6: a relay on the internet is no way into its own network.
#[tokio::test]
async fn private_peers_are_not_relayed_to() {
    let config = Config::new(SECRET.into());
    let relay = Relay::bind("127.0.0.1:0".parse().unwrap(), config)
        .await
        .unwrap();
    let address = relay.address();
    let shutdown = CancellationToken::new();
    let _running = shutdown.clone().drop_guard();
    tokio::spawn(relay.run(shutdown));
    let (near, far) = (hub(None), hub(None));
    let mut server = Server::own().await.server("udp");
    server.urls = vec![format!("turn:{address}?transport=udp")];
    near.use_servers(&[server]);
    let (mut a, mut b) = (near.attach().unwrap(), far.attach().unwrap());
    let found = gathered(&mut a).await;
    let relay = found
        .iter()
        .find(|(kind, _)| *kind == CandidateKind::Relayed)
        .unwrap()
        .1;
    let there = host(&b);
    send(&mut b, there, relay, &[DTLS, 0]).await;
    send(&mut a, relay, there, &[DTLS, 1]).await;
    let nothing = tokio::time::timeout(Duration::from_millis(500), receive(&mut b)).await;
    assert!(nothing.is_err(), "{nothing:?}");
}
