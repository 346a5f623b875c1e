//! What `p2claw doctor` asks of servers, with coturn as the one that answers.

use std::net::SocketAddr;

use p2claw_conformance::coturn::{Coturn, Credentials, SECRET};
use p2claw_network::{
    Machine, Server,
    allocation::{self, Allocation, AllocationError},
    behaviour::{Behaviour, Filtering, Mapping, discover},
};
use p2claw_signaling::turn;

/// A credential of coord's that holds until then, Unix seconds.
fn credential(secret: &str, until: i64) -> (String, String) {
    // One hour is what coord gives (SIG-022).
    let issued = turn::issue(secret.as_bytes(), [7; 8], until - 3_600);
    (issued.username, issued.credential)
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(since.unwrap().as_secs()).unwrap()
}

async fn try_out(
    coturn: &Coturn,
    transport: &str,
    (username, password): (String, String),
) -> Result<Allocation, AllocationError> {
    let server = Server::parse(&coturn.url(transport), &username, &password).unwrap();
    allocation::try_out(&Machine, &server, Some(coturn.tls.clone())).await
}

/// RFC 8656 over each transport; and what it says to credentials that do not hold.
#[tokio::test]
async fn an_allocation_is_had_for_a_credential_that_holds() {
    let coturn = Coturn::start_with(Credentials::TimeLimited).await;
    for transport in ["udp", "tcp", "tls"] {
        let had = try_out(&coturn, transport, credential(SECRET, now() + 600)).await;
        let had = had.unwrap_or_else(|error| panic!("{transport}: {error}"));
        assert_eq!(had.relayed.ip(), SocketAddr::from(([127, 0, 0, 1], 0)).ip());
        assert_ne!(had.relayed.port(), had.server.port());
        for refused in [
            credential("another secret", now() + 600),
            credential(SECRET, now() - 600),
        ] {
            let error = try_out(&coturn, transport, refused).await.unwrap_err();
            assert!(
                matches!(error, AllocationError::Refused),
                "{transport}: {error}"
            );
        }
    }
}

/// Gone, not a relay, not to be trusted: each is told apart.
#[tokio::test]
async fn what_stands_between_is_named() {
    let coturn = Coturn::start_with(Credentials::TimeLimited).await;
    let (username, password) = credential(SECRET, now() + 600);
    let parse = |url: &str| Server::parse(url, &username, &password).unwrap();
    let failed = async |url: &str, tls| {
        let tried = allocation::try_out(&Machine, &parse(url), tls).await;
        tried.unwrap_err()
    };
    let closed = {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        socket.local_addr().unwrap().port()
    };
    let error = failed(&format!("turn:127.0.0.1:{closed}?transport=tcp"), None).await;
    assert!(matches!(error, AllocationError::Connect(_)), "{error}");
    let error = failed(&format!("turn:127.0.0.1:{closed}?transport=udp"), None).await;
    assert!(matches!(error, AllocationError::Silent), "{error}");
    // No roots at all: nobody is trusted.
    let nobody = tokio_rustls::rustls::ClientConfig::builder()
        .with_root_certificates(tokio_rustls::rustls::RootCertStore::empty())
        .with_no_client_auth();
    let error = failed(&coturn.url("tls"), Some(std::sync::Arc::new(nobody))).await;
    assert!(matches!(error, AllocationError::Tls(_)), "{error}");
    let error = failed("stun:127.0.0.1:3478", None).await;
    assert!(matches!(error, AllocationError::NoTurn), "{error}");
}

/// RFC 5780 with a server of the field; on one machine there is no NAT to be seen.
#[tokio::test]
async fn coturn_tells_how_nats_behave() {
    let coturn = Coturn::start_with_two_addresses().await;
    let server = Server::parse(&coturn.url("udp"), "", "").unwrap();
    let (host, port) = server.authority();
    let address = SocketAddr::new(host.parse().unwrap(), port);
    let Behaviour { servers, nat } = discover(&Machine, &[address]).await.unwrap();
    let reflection = servers[0].1.unwrap();
    assert!(reflection.has_other_address, "{reflection:?}");
    let nat = nat.unwrap();
    assert_eq!(nat.mapping, Mapping::None);
    assert_eq!(nat.filtering, Filtering::EndpointIndependent);
}
