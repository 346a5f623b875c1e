//! What leaves a visitor with each offer.

use std::{
    collections::BTreeSet,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use p2claw_agent::connection::PathView;
use p2claw_network::{ByteStream, Machine, Network, UdpSocket};
use p2claw_proto::v1::VisitRequest;
use p2claw_visitor::{Visitor, VisitorConfig};
use prost::Message as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy, duplex, split};

use crate::{
    within,
    world::{Stack, World},
};

/// This machine's network, with a record of what is said on each connection.
#[derive(Debug, Default, Clone)]
struct Recorder(Arc<Mutex<Vec<Vec<u8>>>>);

impl Network for Recorder {
    fn bind_udp(&self, address: SocketAddr) -> io::Result<Arc<dyn UdpSocket>> {
        Machine.bind_udp(address)
    }

    fn connect_tcp(
        &self,
        address: SocketAddr,
    ) -> BoxFuture<'static, io::Result<Box<dyn ByteStream>>> {
        let record = Arc::clone(&self.0);
        Box::pin(async move {
            let (mut from_service, mut to_service) = split(Machine.connect_tcp(address).await?);
            let (near, far) = duplex(1 << 16);
            let (mut from_visitor, mut to_visitor) = split(far);
            tokio::spawn(async move { copy(&mut from_service, &mut to_visitor).await });
            let number = {
                let mut record = record.lock().unwrap();
                record.push(Vec::new());
                record.len() - 1
            };
            tokio::spawn(async move {
                let mut part = [0; 4096];
                while let Ok(count @ 1..) = from_visitor.read(&mut part).await {
                    record.lock().unwrap()[number].extend_from_slice(&part[..count]);
                    if to_service.write_all(&part[..count]).await.is_err() {
                        break;
                    }
                }
            });
            Ok(Box::new(near) as Box<dyn ByteStream>)
        })
    }

    fn resolve<'a>(
        &'a self,
        host: &'a str,
        port: u16,
    ) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Machine.resolve(host, port)
    }

    fn addresses(&self) -> io::Result<Vec<IpAddr>> {
        Machine.addresses()
    }
}

impl Recorder {
    /// Every visit that was asked for.
    fn requests(&self) -> Vec<VisitRequest> {
        let record = self.0.lock().unwrap();
        record.iter().flat_map(|said| requests(said)).collect()
    }
}

fn requests(mut said: &[u8]) -> Vec<VisitRequest> {
    let mut requests = Vec::new();
    let end = |said: &[u8]| said.windows(4).position(|four| four == b"\r\n\r\n");
    while let Some(end) = end(said) {
        let head = std::str::from_utf8(&said[..end]).unwrap();
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        // One that was still under way when its visit ended is none.
        let Some(body) = said[end + 4..].get(..length) else {
            break;
        };
        if head.starts_with("POST /.well-known/p2claw/v1/visits ") {
            requests.push(VisitRequest::decode(body).unwrap());
        }
        said = &said[end + 4 + length..];
    }
    requests
}

/// IDN-016: each visit has a nonce of its own, and so has each restart, whichever visitor it is of.
#[tokio::test]
async fn idn_016_every_offer_has_a_nonce_of_its_own() {
    let world = World::on(Stack::Memory).await;
    let recorder = Recorder::default();
    for _ in 0..2 {
        let visitor = Visitor::new(VisitorConfig {
            network: Arc::new(recorder.clone()),
            ..VisitorConfig::new(world.transport())
        });
        let first = within(visitor.visit(&world.address("/"))).await.unwrap();
        first.close().await;
        let visit = within(visitor.visit(&world.address("/"))).await.unwrap();
        let mut path = visit.connection().watch_path();
        world.memory.detour();
        for relayed in [true, false] {
            let is_there = |view: &PathView| view.path.is_some_and(|path| path.is_relayed());
            within(path.wait_for(|view| is_there(view) == relayed))
                .await
                .unwrap();
        }
        visit.close().await;
    }
    let requests = recorder.requests();
    let restarts = requests
        .iter()
        .filter(|request| !request.restarts.is_empty());
    assert_eq!((requests.len(), restarts.count()), (6, 2));
    assert!(requests.iter().all(|request| request.nonce.len() == 32));
    let nonces: BTreeSet<&Bytes> = requests.iter().map(|request| &request.nonce).collect();
    assert_eq!(nonces.len(), requests.len());
    // All of it is random: six bytes are the same once in 256 to the 5th.
    for place in 0..32 {
        let bytes: BTreeSet<u8> = nonces.iter().map(|nonce| nonce[place]).collect();
        assert!(bytes.len() > 1, "byte {place}");
    }
}
