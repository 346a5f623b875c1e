//! Services behind TLS.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use futures_util::future::BoxFuture;
use p2claw_network::{ByteStream, Machine, Network, UdpSocket};
use p2claw_visitor::{Visitor, VisitorConfig, VisitorError};
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject as _},
};

use crate::{
    within,
    world::{World, certificate, get},
};

/// A network in which every name is this machine's.
#[derive(Debug)]
struct Home;

impl Network for Home {
    fn bind_udp(&self, address: SocketAddr) -> io::Result<Arc<dyn UdpSocket>> {
        Machine.bind_udp(address)
    }

    fn connect_tcp(
        &self,
        address: SocketAddr,
    ) -> BoxFuture<'static, io::Result<Box<dyn ByteStream>>> {
        Machine.connect_tcp(address)
    }

    fn resolve<'a>(&'a self, _: &'a str, port: u16) -> BoxFuture<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { Ok(vec![([127, 0, 0, 1], port).into()]) })
    }

    fn addresses(&self) -> io::Result<Vec<IpAddr>> {
        Machine.addresses()
    }
}

fn tls(roots: RootCertStore) -> Arc<ClientConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

fn visitor(world: &World, roots: RootCertStore) -> Arc<Visitor> {
    Visitor::new(VisitorConfig {
        network: Arc::new(Home),
        tls: Some(tls(roots)),
        ..VisitorConfig::new(world.transport())
    })
}

/// EDG-010: a service with a certificate that is trusted is visited, and its agent's key is learned.
#[tokio::test]
async fn a_service_behind_tls_is_visited() {
    let world = World::secure().await;
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(certificate()).unwrap())
        .unwrap();
    let visitor = visitor(&world, roots);
    let address = world.address("/");
    let visit = within(visitor.visit(&address)).await.unwrap();
    assert!(visit.timings().service.unwrap().tls.is_some());
    assert_eq!(get(&visit, "/echo").await.0, 200);
    assert_eq!(
        visitor.pins().known(&address.origin()).unwrap(),
        Some(world.peer_id)
    );
}

/// A certificate that nobody trusts is said to be one.
#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_refused() {
    let world = World::secure().await;
    let visitor = visitor(&world, RootCertStore::empty());
    let error = within(visitor.visit(&world.address("/")))
        .await
        .unwrap_err();
    assert!(matches!(error, VisitorError::Service { .. }), "{error}");
    assert!(error.to_string().contains("TLS failed"), "{error}");
}
