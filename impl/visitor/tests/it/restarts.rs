//! Sessions that outlive their path.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
};

use futures_util::future::BoxFuture;
use p2claw_agent::connection::PathView;
use p2claw_network::{ByteStream, Machine, Network, UdpSocket};
use p2claw_session::ErrorCode;
use p2claw_visitor::{Visitor, VisitorConfig};

use crate::{
    within,
    world::{Stack, World, get, request},
};

/// RTC-019, RTC-020, SIG-043, SIG-046: a path that is gone is restarted, and streams go on where
/// they were.
#[tokio::test]
async fn rtc_019_a_lost_path_is_restarted() {
    const BYTES: usize = 4 << 20;
    let world = World::on(Stack::Memory).await;
    let visit = world.visit().await;
    for _ in 0..2 {
        let before = visit.path().unwrap();
        let target = format!("/bytes?bytes={BYTES}");
        let mut exchange = visit.open(request("GET", &target, true)).await.unwrap();
        assert_eq!(within(exchange.head()).await.unwrap().status, 200);
        world.memory.cut();
        let mut received = 0;
        while let Some(data) = within(exchange.response.data()).await.unwrap() {
            received += data.len();
        }
        assert_eq!(received, BYTES);
        assert_ne!(visit.path().unwrap().local, before.local, "another path");
    }
    assert!(visit.over().is_none());
}

/// A machine whose addresses change.
#[derive(Debug)]
struct Moving(Mutex<Vec<IpAddr>>);

impl Network for Moving {
    fn bind_udp(&self, address: SocketAddr) -> io::Result<Arc<dyn UdpSocket>> {
        Machine.bind_udp(address)
    }

    fn connect_tcp(
        &self,
        address: SocketAddr,
    ) -> BoxFuture<'static, io::Result<Box<dyn ByteStream>>> {
        Machine.connect_tcp(address)
    }

    fn resolve<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Machine.resolve(host, port)
    }

    fn addresses(&self) -> io::Result<Vec<IpAddr>> {
        Ok(self.0.lock().unwrap().clone())
    }
}

/// RTC-019: a machine that has moved does not wait until its packets are missed.
#[tokio::test]
async fn rtc_019_a_move_restarts_without_a_loss() {
    let world = World::on(Stack::Memory).await;
    let host = |last: u8| IpAddr::from([127, 0, 0, last]);
    let network = Arc::new(Moving(Mutex::new(vec![host(1)])));
    let visitor = Visitor::new(VisitorConfig {
        network: network.clone(),
        ..VisitorConfig::new(world.transport())
    });
    let visit = within(visitor.visit(&world.address("/"))).await.unwrap();
    let mut path = visit.connection().watch_path();
    let local = |path: &PathView| path.path.map(|path| path.local.ip());
    let before = local(&path.borrow_and_update());
    *network.0.lock().unwrap() = (2..=9).map(host).collect();
    let moved = within(path.wait_for(|path| local(path) != before)).await;
    assert_eq!(moved.unwrap().lost_since, None, "nothing was missed");
    assert_eq!(get(&visit, "/echo").await.0, 200);
}

/// RTC-019: a direct path that gives way to a relay is looked for again.
#[tokio::test]
async fn rtc_019_a_detour_is_left_again() {
    let world = World::on(Stack::Memory).await;
    let visit = world.visit().await;
    let mut path = visit.connection().watch_path();
    let is_relayed = |view: &PathView| view.path.is_some_and(|path| path.is_relayed());
    let first = path.borrow_and_update().path.unwrap();
    world.memory.detour();
    within(path.wait_for(is_relayed)).await.unwrap();
    let direct = |view: &PathView| !is_relayed(view);
    let found = within(path.wait_for(direct)).await.unwrap().path.unwrap();
    assert_ne!(found.local, first.local, "the path of a restart");
    assert_eq!(get(&visit, "/echo").await.0, 200);
}

/// SIG-045: an agent that was started anew does not know the session, which is over then.
#[tokio::test]
async fn sig_045_a_session_that_nobody_knows_is_over() {
    let mut world = World::on(Stack::Memory).await;
    let visit = world.visit().await;
    assert_eq!(get(&visit, "/echo").await.0, 200);
    world.memory.cut();
    world.kill_agent();
    world.start_agent().await;
    let over = within(visit.wait()).await;
    assert_eq!(over.code, ErrorCode::NO_ERROR);
    assert!(over.reason.contains("does not know"), "{over}");
}
