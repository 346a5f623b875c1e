//! A line between two hosts under tokio's paused clock: a rate, a delay, a queue and loss.
//!
//! Time passes only when nothing else can, so a transfer of a minute takes seconds of work, and a
//! busy machine changes nothing. tokio's clock ticks in milliseconds: packets arrive in bunches of
//! one, as they do behind a network card that collects interrupts.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt as _, future::BoxFuture};
use p2claw_network::{ByteStream, Datagram, Network, Transmit, UdpSocket};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

/// Bytes of the headers of IPv4 and UDP, which take time on a line, too.
const HEADERS: usize = 28;

/// How a line treats what goes over it, the same in both directions.
#[derive(Debug, Clone, Copy)]
pub struct Line {
    /// Bits a second.
    pub bits_per_second: u64,
    /// From one end to the other, without waiting.
    pub delay: Duration,
    /// Bytes that wait for their turn; what comes on top is dropped.
    pub queue: usize,
    /// Of 100,000 packets, so many are lost.
    pub loss: u32,
}

/// Both ends of a line, at 192.0.2.1 and 192.0.2.2.
///
/// `seed` decides which packets are lost.
#[must_use]
pub fn hosts(line: Line, seed: u64) -> [Arc<dyn Network>; 2] {
    let world = Arc::new(World {
        line,
        state: Mutex::new(State {
            random: seed | 1,
            ..State::default()
        }),
    });
    [1, 2].map(|last| {
        let host: Arc<dyn Network> = Arc::new(Host {
            ip: IpAddr::from([192, 0, 2, last]),
            world: Arc::clone(&world),
        });
        host
    })
}

#[derive(Debug)]
struct World {
    line: Line,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    sockets: HashMap<SocketAddr, Arc<Inbox>>,
    /// When the last bit of what waits has left, by sender.
    busy_until: HashMap<IpAddr, Instant>,
    next_port: u16,
    sent: u64,
    random: u64,
}

#[derive(Debug, Default)]
struct Inbox {
    arriving: Mutex<BTreeMap<(Instant, u64), Datagram>>,
    changed: Notify,
}

#[derive(Debug)]
struct Host {
    ip: IpAddr,
    world: Arc<World>,
}

#[derive(Debug)]
struct Socket {
    local: SocketAddr,
    inbox: Arc<Inbox>,
    world: Arc<World>,
}

impl World {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, source: SocketAddr, destination: SocketAddr, contents: &[u8]) {
        let now = Instant::now();
        let mut state = self.state();
        let Some(inbox) = state.sockets.get(&destination).cloned() else {
            return;
        };
        let nanos = |bytes: usize| {
            let bits = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(8);
            Duration::from_nanos(bits.saturating_mul(1_000_000_000) / self.line.bits_per_second)
        };
        let free = state.busy_until.get(&source.ip()).copied();
        let free = free.map_or(now, |free| free.max(now));
        if free.duration_since(now) > nanos(self.line.queue) {
            return;
        }
        let left = free + nanos(contents.len() + HEADERS);
        state.busy_until.insert(source.ip(), left);
        state.sent += 1;
        let lost = state.draw() % 100_000 < u64::from(self.line.loss);
        let number = state.sent;
        drop(state);
        if lost {
            return;
        }
        let datagram = Datagram {
            source,
            destination,
            contents: Bytes::copy_from_slice(contents),
        };
        inbox
            .arriving()
            .insert((left + self.line.delay, number), datagram);
        inbox.changed.notify_one();
    }
}

impl State {
    /// xorshift64: loss has to be the same every time and nothing more.
    fn draw(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random >> 11
    }
}

impl Inbox {
    fn arriving(&self) -> MutexGuard<'_, BTreeMap<(Instant, u64), Datagram>> {
        self.arriving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Network for Host {
    fn bind_udp(&self, address: SocketAddr) -> io::Result<Arc<dyn UdpSocket>> {
        if address.is_ipv6() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let mut state = self.world.state();
        state.next_port += 1;
        let local = SocketAddr::new(self.ip, 5000 + state.next_port);
        let inbox = Arc::new(Inbox::default());
        state.sockets.insert(local, Arc::clone(&inbox));
        Ok(Arc::new(Socket {
            local,
            inbox,
            world: Arc::clone(&self.world),
        }))
    }

    fn connect_tcp(&self, _: SocketAddr) -> BoxFuture<'static, io::Result<Box<dyn ByteStream>>> {
        async { Err(io::ErrorKind::Unsupported.into()) }.boxed()
    }

    fn resolve<'a>(&'a self, _: &'a str, _: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        async { Ok(Vec::new()) }.boxed()
    }

    fn addresses(&self) -> io::Result<Vec<IpAddr>> {
        Ok(vec![self.ip])
    }
}

impl UdpSocket for Socket {
    fn local_addr(&self) -> SocketAddr {
        self.local
    }

    fn max_segments(&self) -> usize {
        32
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        for contents in transmit.contents.chunks(transmit.segment.max(1)) {
            self.world.send(self.local, transmit.destination, contents);
        }
        Ok(())
    }

    fn writable(self: Arc<Self>) -> BoxFuture<'static, io::Result<()>> {
        async { Ok(()) }.boxed()
    }

    fn receive<'a>(&'a self, received: &'a mut Vec<Datagram>) -> BoxFuture<'a, io::Result<()>> {
        async move {
            loop {
                let changed = self.inbox.changed.notified();
                let next = {
                    let mut arriving = self.inbox.arriving();
                    let now = Instant::now();
                    while let Some(entry) = arriving.first_entry() {
                        if entry.key().0 > now {
                            break;
                        }
                        received.push(entry.remove());
                    }
                    arriving.first_key_value().map(|((at, _), _)| *at)
                };
                if !received.is_empty() {
                    return Ok(());
                }
                match next {
                    Some(at) => tokio::select! {
                        () = changed => {}
                        () = sleep_until(at) => {}
                    },
                    None => changed.await,
                }
            }
        }
        .boxed()
    }
}
