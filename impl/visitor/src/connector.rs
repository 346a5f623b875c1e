//! Connections to the service behind an address.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{
    StreamExt as _,
    future::BoxFuture,
    stream::{self, FuturesUnordered},
};
use http::Uri;
use hyper_util::{
    client::legacy::connect::{Connected, Connection},
    rt::TokioIo,
};
use p2claw_network::{ByteStream, Network};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, sleep, timeout},
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs, pki_types::ServerName},
};

use crate::address::is_localhost;

/// How long name, TCP and TLS may take together.
const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// When the next address is tried beside one that does not answer (RFC 8305 section 8).
const NEXT_ADDRESS: Duration = Duration::from_millis(250);

/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 8;

/// What the first connection took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConnectTimes {
    /// Finding the addresses of the name.
    pub dns: Duration,
    /// TCP.
    pub tcp: Duration,
    /// TLS, where there is any.
    pub tls: Option<Duration>,
}

/// Makes hyper's connections, over whatever network.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    network: Arc<dyn Network>,
    tls: Option<Arc<ClientConfig>>,
    times: Arc<Mutex<Option<ConnectTimes>>>,
}

impl Connector {
    pub(crate) fn network(&self) -> &dyn Network {
        &*self.network
    }

    pub(crate) fn new(network: Arc<dyn Network>, tls: Option<Arc<ClientConfig>>) -> Self {
        Self {
            network,
            tls,
            times: Arc::default(),
        }
    }

    /// What the first connection took; `None` before there was one.
    pub(crate) fn times(&self) -> Option<ConnectTimes> {
        *self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(self, uri: Uri) -> io::Result<TokioIo<ServiceStream>> {
        let host = uri.host().unwrap_or_default().to_owned();
        let (tls, usual) = match (uri.scheme_str(), &self.tls) {
            (Some("http"), _) => (None, 80),
            (Some("https"), Some(tls)) => (Some(tls), 443),
            (_, _) => return Err(io::ErrorKind::Unsupported.into()),
        };
        let port = uri.port_u16().unwrap_or(usual);
        let began = Instant::now();
        let addresses = self.resolve(&host, port).await?;
        let dns = began.elapsed();
        let began = Instant::now();
        let stream = self.first_of(addresses).await?;
        let mut times = ConnectTimes {
            dns,
            tcp: began.elapsed(),
            tls: None,
        };
        let stream = match tls {
            None => ServiceStream::Plain(stream),
            Some(config) => {
                let began = Instant::now();
                let name = ServerName::try_from(host).map_err(io::Error::other)?;
                let connector = TlsConnector::from(Arc::clone(config));
                let connecting = connector.connect(name, stream).await;
                let stream =
                    connecting.map_err(|error| io::Error::other(format!("TLS failed: {error}")))?;
                times.tls = Some(began.elapsed());
                ServiceStream::Tls(Box::new(stream))
            }
        };
        self.times
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(times);
        Ok(TokioIo::new(stream))
    }

    /// Names below `localhost` lead here, whatever resolvers say (RFC 6761 section 6.3).
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if is_localhost(host) {
            return Ok(vec![
                (Ipv4Addr::LOCALHOST, port).into(),
                (Ipv6Addr::LOCALHOST, port).into(),
            ]);
        }
        let found = self.network.resolve(host, port).await?;
        Ok(interleaved(found))
    }

    /// The first address that answers; the next one is tried when one fails or is slow.
    async fn first_of(&self, addresses: Vec<SocketAddr>) -> io::Result<Box<dyn ByteStream>> {
        let mut left = stream::iter(addresses);
        let mut trying = FuturesUnordered::new();
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        loop {
            if let Some(address) = left.next().await {
                trying.push(self.network.connect_tcp(address));
            } else if trying.is_empty() {
                return Err(last);
            }
            tokio::select! {
                biased;
                Some(tried) = trying.next() => match tried {
                    Ok(stream) => return Ok(stream),
                    Err(error) => last = error,
                },
                () = sleep(NEXT_ADDRESS) => {}
            }
        }
    }
}

/// Families in turn (RFC 8305 section 4), beginning with the one that the system prefers.
fn interleaved(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_ipv6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (preferred, other): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_ipv6);
    let mut other = other.into_iter();
    let mut mixed = Vec::new();
    for address in preferred {
        mixed.push(address);
        mixed.extend(other.next());
    }
    mixed.extend(other);
    mixed.truncate(MAX_ADDRESSES);
    mixed
}

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<ServiceStream>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(async move {
            timeout(CONNECT_DEADLINE, connector.connect(uri))
                .await
                .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
        })
    }
}

/// TLS with the certificates that this system trusts; `SSL_CERT_FILE` names others.
///
/// # Errors
/// When there is no such certificate at all.
pub(crate) fn system_tls() -> io::Result<Arc<ClientConfig>> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    let (taken, _) = roots.add_parsable_certificates(found.certs);
    if taken == 0 {
        let reason = found
            .errors
            .first()
            .map_or_else(|| "there are none".to_owned(), ToString::to_string);
        return Err(io::Error::other(format!(
            "find the certificates that this system trusts: {reason}; install them \
             (ca-certificates), or name a file of them in SSL_CERT_FILE"
        )));
    }
    tls_with(roots).map(Arc::new)
}

fn tls_with(roots: RootCertStore) -> io::Result<ClientConfig> {
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// A connection to the service.
pub(crate) enum ServiceStream {
    Plain(Box<dyn ByteStream>),
    Tls(Box<TlsStream<Box<dyn ByteStream>>>),
}

impl Connection for ServiceStream {
    fn connected(&self) -> Connected {
        match self {
            Self::Tls(stream) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
                Connected::new().negotiated_h2()
            }
            Self::Tls(_) | Self::Plain(_) => Connected::new(),
        }
    }
}

macro_rules! each {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            ServiceStream::Plain($stream) => $call,
            ServiceStream::Tls($stream) => $call,
        }
    };
}

impl AsyncRead for ServiceStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_read(cx, buffer))
    }
}

impl AsyncWrite for ServiceStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests;
