//! Peers of two hubs reach each other, directly and through a real relay.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

use std::{
    future::poll_fn,
    net::SocketAddr,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use p2claw_conformance::coturn::{self, Coturn};
use p2claw_network::{CandidateKind, Datagram, Hub, HubConfig, Port, PortEvent};
use p2claw_proto::v1::IceServer;
use p2claw_signaling::turn;
use tokio::time::timeout;
use tokio_rustls::rustls::ClientConfig;

mod allocation;
mod own;

/// Longer than any step takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// First byte of a datagram that is no STUN message (RFC 7983).
const DTLS: u8 = 22;

/// The relays that are tried; both take the same credentials.
enum Server {
    Coturn(Coturn),
    Own(own::Own),
}

impl Server {
    async fn coturn() -> Self {
        Self::Coturn(Coturn::start_with(coturn::Credentials::TimeLimited).await)
    }

    async fn own() -> Self {
        // Without its rate: tests look at what passes, not at how quickly.
        let quota = p2claw_relay::Quota {
            bytes_per_second: 1 << 40,
            ..p2claw_relay::Quota::default()
        };
        Self::Own(own::Own::start(quota).await)
    }

    fn tls(&self) -> Arc<ClientConfig> {
        match self {
            Self::Coturn(coturn) => Arc::clone(&coturn.tls),
            Self::Own(own) => Arc::clone(&own.tls),
        }
    }

    /// With a credential that coord could have issued.
    fn server(&self, transport: &str) -> IceServer {
        let url = match self {
            Self::Coturn(coturn) => coturn.url(transport),
            Self::Own(own) => own.url(transport),
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = i64::try_from(now.as_secs()).unwrap();
        let issued = turn::issue(coturn::SECRET.as_bytes(), [7; 8], now);
        IceServer {
            urls: vec![url],
            username: issued.username,
            credential: issued.credential,
            expires_at: issued.expires_at,
        }
    }
}

fn hub(server: Option<&Server>) -> Hub {
    Hub::bind(HubConfig {
        loopback: true,
        tls: server.map(Server::tls),
        ..HubConfig::default()
    })
    .unwrap()
}

/// Everything that the port is told until the servers have answered.
async fn gathered(port: &mut Port) -> Vec<(CandidateKind, SocketAddr)> {
    let mut found: Vec<_> = port
        .candidates()
        .iter()
        .map(|candidate| (candidate.kind, candidate.address))
        .collect();
    let gathering = async {
        loop {
            match poll_fn(|cx| port.poll_news(cx)).await {
                PortEvent::Candidate(candidate) => found.push((candidate.kind, candidate.address)),
                PortEvent::Complete => return,
                PortEvent::AddressesChanged => {}
            }
        }
    };
    timeout(PATIENCE, gathering).await.unwrap();
    found
}

fn host(port: &Port) -> SocketAddr {
    let mut own = port.candidates().iter();
    own.find(|candidate| {
        candidate.address == SocketAddr::from(([127, 0, 0, 1], candidate.address.port()))
    })
    .unwrap()
    .address
}

async fn send(port: &mut Port, source: SocketAddr, destination: SocketAddr, payload: &[u8]) {
    let mut sent = false;
    poll_fn(|cx| {
        if !std::mem::replace(&mut sent, true) {
            port.send(source, destination, payload, cx);
        }
        port.poll_flush(cx)
    })
    .await;
}

async fn receive(port: &mut Port) -> Datagram {
    timeout(PATIENCE, poll_fn(|cx| port.poll_receive(cx)))
        .await
        .unwrap()
}

#[tokio::test]
async fn datagrams_pass_between_hubs() {
    let (near, far) = (hub(None), hub(None));
    let (mut a, mut b) = (near.attach().unwrap(), far.attach().unwrap());
    let (here, there) = (host(&a), host(&b));
    // Answers from an address that was sent to are the sender's.
    send(&mut b, there, here, &[DTLS, 0]).await;
    send(&mut a, here, there, &[DTLS, 1]).await;
    let datagram = receive(&mut b).await;
    assert_eq!((datagram.source, datagram.destination), (here, there));
    assert_eq!(&datagram.contents[..], [DTLS, 1]);
}

async fn through_a_relay(server: Server, transport: &str) {
    let (near, far) = (hub(Some(&server)), hub(None));
    near.use_servers(&[server.server(transport)]);
    let (mut a, mut b) = (near.attach().unwrap(), far.attach().unwrap());
    let there = host(&b);
    let found = gathered(&mut a).await;
    let (_, relay) = *found
        .iter()
        .find(|(kind, _)| *kind == CandidateKind::Relayed)
        .unwrap_or_else(|| panic!("no relay: {found:?}"));
    // Answers from the relay are this one's now; it is lost there unless the permission is quicker.
    const FIRST: [u8; 2] = [DTLS, 0];
    send(&mut b, there, relay, &FIRST).await;
    // The first one of these asks for a permission, the others go by a channel where one is used.
    let began = Instant::now();
    let busy = |_: &u8| began.elapsed() < Duration::from_millis(300);
    for number in (0..=u8::MAX).cycle().take_while(busy) {
        let long = [&[DTLS, number][..], &[number; 1100]].concat();
        send(&mut a, relay, there, &long).await;
        let datagram = receive(&mut b).await;
        assert_eq!(
            (datagram.source, &datagram.contents[..]),
            (relay, &long[..])
        );
        send(&mut b, there, relay, &long).await;
        let mut datagram = receive(&mut a).await;
        if datagram.contents[..] == FIRST {
            // The relay had the permission when it read this one.
            datagram = receive(&mut a).await;
        }
        assert_eq!((datagram.source, datagram.destination), (there, relay));
        assert_eq!(&datagram.contents[..], &long[..]);
    }
    // Several at once, of lengths that a stream has to pad (RFC 8656 section 12.5).
    let lengths = [53, 100, 101, 1102, 1103, 64];
    for length in lengths {
        send(&mut a, relay, there, &vec![DTLS; length]).await;
        send(&mut b, there, relay, &vec![DTLS; length]).await;
    }
    for length in lengths {
        assert_eq!(receive(&mut b).await.contents, vec![DTLS; length]);
        assert_eq!(receive(&mut a).await.contents, vec![DTLS; length]);
    }
}

/// The same list for each relay.
macro_rules! relays {
    ($($name:ident: $relay:ident;)*) => {$(
        mod $name {
            use super::{Server, several_relays, the_end_of_an_allocation, through_a_relay, udp_will_do};

            /// RFC 8656 over UDP
            #[tokio::test]
            async fn a_relay_over_udp_carries_datagrams() {
                through_a_relay(Server::$relay().await, "udp").await;
            }

            /// RFC 8656 over TCP
            #[tokio::test]
            async fn a_relay_over_tcp_carries_datagrams() {
                through_a_relay(Server::$relay().await, "tcp").await;
            }

            /// RFC 8656 over TLS, with a certificate that is checked.
            #[tokio::test]
            async fn a_relay_over_tls_carries_datagrams() {
                through_a_relay(Server::$relay().await, "tls").await;
            }

            #[tokio::test]
            async fn several_relays_are_used_and_a_refusal_ends() {
                several_relays(Server::$relay().await).await;
            }

            #[tokio::test]
            async fn streams_are_left_alone_where_udp_answers() {
                udp_will_do(Server::$relay().await).await;
            }

            #[tokio::test]
            async fn an_allocation_that_ends_is_made_again() {
                the_end_of_an_allocation(Server::$relay().await, Server::$relay().await).await;
            }
        }
    )*};
}

relays! {
    over_coturn: coturn;
    over_our_own: own;
}

#[tokio::test]
async fn a_certificate_of_a_stranger_gives_no_relay() {
    let (server, stranger) = (Server::own().await, Server::own().await);
    let near = hub(Some(&stranger));
    near.use_servers(&[server.server("tls")]);
    let found = gathered(&mut near.attach().unwrap()).await;
    assert!(
        found.iter().all(|(kind, _)| *kind == CandidateKind::Host),
        "{found:?}"
    );
}

/// Where a server answers over UDP, the same one over streams would only be more to check. UDP has
/// a lead for that; on a busy machine it may lose it, but not five times.
async fn udp_will_do(server: Server) {
    let mut seen = Vec::new();
    for _ in 0..5 {
        let near = hub(Some(&server));
        near.use_servers(&["udp", "tcp", "tls"].map(|transport| server.server(transport)));
        let found = gathered(&mut near.attach().unwrap()).await;
        if relays_of(&found) == 1 {
            return;
        }
        seen.push(found);
    }
    panic!("more relays than one each time: {seen:?}");
}

/// Three servers at once; a refused credential holds nobody up for longer than its deadline.
async fn several_relays(server: Server) {
    let near = hub(Some(&server));
    let refused = IceServer {
        credential: "wrong".to_owned(),
        ..server.server("udp")
    };
    near.use_servers(&[refused, server.server("tcp"), server.server("tls")]);
    let found = gathered(&mut near.attach().unwrap()).await;
    assert_eq!(relays_of(&found), 2, "{found:?}");
    // The allocations serve the next peer, too, and at once.
    let next = near.attach().unwrap();
    let known: Vec<_> = next
        .candidates()
        .iter()
        .map(|candidate| (candidate.kind, candidate.address))
        .collect();
    assert_eq!(relays_of(&known), 2, "{known:?}");
}

fn relays_of(found: &[(CandidateKind, SocketAddr)]) -> usize {
    let kinds = found.iter().map(|(kind, _)| *kind);
    kinds.filter(|kind| *kind == CandidateKind::Relayed).count()
}

/// A peer that looks for a new path gets a new allocation for one that died.
async fn the_end_of_an_allocation(server: Server, spare: Server) {
    let near = hub(Some(&server));
    near.use_servers(&[server.server("tcp")]);
    let mut port = near.attach().unwrap();
    let first = gathered(&mut port).await;
    assert_eq!(relays_of(&first), 1, "{first:?}");
    drop(server);
    // The end of its TCP connection tells.
    let gone = async {
        while port
            .refresh()
            .iter()
            .any(|candidate| candidate.kind == CandidateKind::Relayed)
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, gone).await.unwrap();
    near.use_servers(&[spare.server("udp")]);
    port.refresh();
    let second = gathered(&mut port).await;
    assert_eq!(relays_of(&second), 1, "{second:?}");
}

/// Nothing answers there: the peer is told that gathering is over.
#[tokio::test]
async fn servers_that_are_silent_are_given_up() {
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let near = hub(None);
    near.use_servers(&[IceServer {
        urls: vec![
            format!("stun:{address}"),
            "turn:127.0.0.1:1?transport=tcp".to_owned(),
        ],
        ..IceServer::default()
    }]);
    let mut port = near.attach().unwrap();
    let found = gathered(&mut port).await;
    assert!(
        found.iter().all(|(kind, _)| *kind == CandidateKind::Host),
        "{found:?}"
    );
    let pending = poll_fn(|cx| Poll::Ready(port.poll_news(cx).is_pending())).await;
    assert!(pending);
}
