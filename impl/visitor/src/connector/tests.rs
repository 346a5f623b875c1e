#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::net::IpAddr;

use p2claw_network::UdpSocket;

use super::*;

/// A network with one name and one address that answers; others are silent.
#[derive(Debug)]
struct Village {
    found: Vec<SocketAddr>,
    answers: SocketAddr,
    asked: Mutex<Vec<String>>,
}

impl Village {
    fn with(found: &[&str], answers: &str) -> Arc<Self> {
        Arc::new(Self {
            found: found.iter().map(|at| at.parse().unwrap()).collect(),
            answers: answers.parse().unwrap(),
            asked: Mutex::default(),
        })
    }
}

impl Network for Village {
    fn bind_udp(&self, _: SocketAddr) -> io::Result<Arc<dyn UdpSocket>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn connect_tcp(
        &self,
        address: SocketAddr,
    ) -> BoxFuture<'static, io::Result<Box<dyn ByteStream>>> {
        self.asked.lock().unwrap().push(address.to_string());
        let answers = address == self.answers;
        Box::pin(async move {
            if !answers {
                std::future::pending::<()>().await;
            }
            Ok(Box::new(tokio::io::duplex(1).0) as Box<dyn ByteStream>)
        })
    }

    fn resolve<'a>(&'a self, host: &'a str, _: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        self.asked.lock().unwrap().push(host.to_owned());
        let found = self.found.clone();
        Box::pin(async move { Ok(found) })
    }

    fn addresses(&self) -> io::Result<Vec<IpAddr>> {
        Ok(Vec::new())
    }
}

/// NAM-011: names below `localhost` are this machine's, and no resolver is asked.
#[tokio::test(start_paused = true)]
async fn localhost_needs_no_resolver() {
    let village = Village::with(&[], "[::1]:8787");
    let connector = Connector::new(village.clone(), None);
    let uri: Uri = "http://a-bob.localhost:8787".parse().unwrap();
    connector.clone().connect(uri).await.unwrap();
    let asked = village.asked.lock().unwrap().clone();
    assert_eq!(asked, ["127.0.0.1:8787", "[::1]:8787"]);
    assert_eq!(connector.times().unwrap().tls, None);
}

/// An address that is silent holds up the next one for a moment only, and both families get
/// their turn.
#[tokio::test(start_paused = true)]
async fn a_silent_address_is_not_waited_for() {
    let found = [
        "[2001:db8::1]:80",
        "[2001:db8::2]:80",
        "192.0.2.1:80",
        "192.0.2.2:80",
    ];
    let village = Village::with(&found, "192.0.2.2:80");
    let connector = Connector::new(village.clone(), None);
    let began = Instant::now();
    let uri: Uri = "http://a-bob.example".parse().unwrap();
    connector.connect(uri).await.unwrap();
    assert_eq!(began.elapsed(), 3 * NEXT_ADDRESS, "of the test's own clock");
    assert_eq!(
        village.asked.lock().unwrap()[1..],
        [
            "[2001:db8::1]:80",
            "192.0.2.1:80",
            "[2001:db8::2]:80",
            "192.0.2.2:80"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn silence_everywhere_ends() {
    let village = Village::with(&["192.0.2.1:80"], "192.0.2.9:80");
    let mut connector = Connector::new(village, None);
    let uri: Uri = "http://a-bob.example".parse().unwrap();
    let called = tower::Service::call(&mut connector, uri).await;
    let error = called.map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    let village = Village::with(&[], "192.0.2.9:80");
    let mut connector = Connector::new(village, None);
    let uri: Uri = "http://a-bob.example".parse().unwrap();
    let called = tower::Service::call(&mut connector, uri).await;
    assert_eq!(
        called.map(|_| ()).unwrap_err().kind(),
        io::ErrorKind::NotFound
    );
}
