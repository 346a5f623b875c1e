//! How long mappings live: a NAT and a server in memory, so that the clock may jump.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt as _, future::BoxFuture};
use p2claw_network::{
    ByteStream, Datagram, Network, Transmit, UdpSocket,
    behaviour::{Lifetime, mapping_lifetime},
};
use tokio::{sync::mpsc, time::Instant};

use crate::stun_server::{Knows, answer};

const PUBLIC: [u8; 4] = [198, 51, 100, 1];
const INSIDE: [u8; 4] = [10, 0, 0, 2];
const SERVER: ([u8; 4], u16) = ([192, 0, 2, 1], 3478);

/// A mapping that nobody has sent through for `lifetime` is gone.
#[derive(Debug)]
struct Forgetful {
    lifetime: Duration,
    knows: Knows,
    next_port: AtomicU16,
    mappings: Mappings,
}

/// By port: the same on both sides.
type Mappings = Arc<Mutex<HashMap<u16, (Instant, mpsc::Sender<Datagram>)>>>;

#[derive(Debug)]
struct Socket {
    port: u16,
    lifetime: Duration,
    knows: Knows,
    mappings: Mappings,
    sender: mpsc::Sender<Datagram>,
    receiver: tokio::sync::Mutex<mpsc::Receiver<Datagram>>,
}

impl Network for Forgetful {
    fn bind_udp(&self, _: SocketAddr) -> io::Result<Arc<dyn UdpSocket>> {
        let (sender, receiver) = mpsc::channel(16);
        Ok(Arc::new(Socket {
            port: self.next_port.fetch_add(1, Ordering::Relaxed),
            lifetime: self.lifetime,
            knows: self.knows,
            mappings: Arc::clone(&self.mappings),
            sender,
            receiver: tokio::sync::Mutex::new(receiver),
        }))
    }

    fn connect_tcp(&self, _: SocketAddr) -> BoxFuture<'static, io::Result<Box<dyn ByteStream>>> {
        async { Err(io::ErrorKind::Unsupported.into()) }.boxed()
    }

    fn resolve<'a>(&'a self, _: &'a str, _: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        async { Ok(Vec::new()) }.boxed()
    }

    fn addresses(&self) -> io::Result<Vec<IpAddr>> {
        Ok(vec![INSIDE.into()])
    }
}

impl UdpSocket for Socket {
    fn local_addr(&self) -> SocketAddr {
        (INSIDE, self.port).into()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let now = Instant::now();
        let mut mappings = self.mappings.lock().unwrap();
        mappings.insert(self.port, (now, self.sender.clone()));
        let source = SocketAddr::from((PUBLIC, self.port));
        // Only the first of the four sockets is asked in these tests.
        let server = [SocketAddr::from(SERVER); 4];
        let answered = answer(transmit.contents, source, 0, &server, self.knows);
        let Some((_, to, answer)) = answered else {
            return Ok(());
        };
        if let Some((used, owner)) = mappings.get(&to.port())
            && now.duration_since(*used) < self.lifetime
        {
            let _ = owner.try_send(Datagram {
                source: server[0],
                destination: (INSIDE, to.port()).into(),
                contents: Bytes::from(answer),
            });
        }
        Ok(())
    }

    fn writable(self: Arc<Self>) -> BoxFuture<'static, io::Result<()>> {
        async { Ok(()) }.boxed()
    }

    fn receive<'a>(&'a self, received: &'a mut Vec<Datagram>) -> BoxFuture<'a, io::Result<()>> {
        async {
            received.extend(self.receiver.lock().await.recv().await);
            Ok(())
        }
        .boxed()
    }
}

async fn measured(seconds: u64, knows: Knows) -> Lifetime {
    let network = Forgetful {
        lifetime: Duration::from_secs(seconds),
        knows,
        next_port: AtomicU16::new(1),
        mappings: Mappings::default(),
    };
    mapping_lifetime(&network, SERVER.into()).await.unwrap()
}

/// RFC 5780 section 4.6; RFC 4787 REQ-5 asks for 120 s.
#[tokio::test(start_paused = true)]
async fn the_lifetime_of_a_mapping_is_bracketed() {
    let seconds = Duration::from_secs;
    for (lifetime, expected) in [
        (5, Lifetime::Between(None, seconds(10))),
        (25, Lifetime::Between(Some(seconds(20)), seconds(30))),
        (119, Lifetime::Between(Some(seconds(90)), seconds(125))),
        (300, Lifetime::AtLeast(seconds(125))),
    ] {
        let began = Instant::now();
        assert_eq!(measured(lifetime, Knows::Behaviour).await, expected);
        assert!(began.elapsed() < seconds(135), "{:?}", began.elapsed());
    }
}

/// A server that refuses RESPONSE-PORT ends it at once.
#[tokio::test(start_paused = true)]
async fn a_common_server_tells_no_lifetime() {
    let began = Instant::now();
    assert_eq!(measured(300, Knows::Binding).await, Lifetime::Unknown);
    assert!(began.elapsed() < Duration::from_secs(5));
}
