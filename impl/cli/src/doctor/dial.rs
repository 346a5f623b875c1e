//! A connection to a service, step by step, so that the step that fails has a name.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use http::Uri;
use p2claw_network::{ByteStream, Network};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, pki_types::ServerName},
};

/// For one of several addresses of a name.
const TCP_DEADLINE: Duration = Duration::from_millis(1_500);

/// From the name to the end of TLS.
const DEADLINE: Duration = Duration::from_millis(2_500);

/// Addresses of a name that are tried.
const MAX_ADDRESSES: usize = 4;

/// A service at `http(s)://host[:port]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) tls: bool,
    /// Name or address, without the brackets of IPv6.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Host and port as in `Host`: without the usual port.
    pub(crate) authority: String,
}

impl Target {
    pub(crate) fn parse(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let (tls, usual) = match uri.scheme_str()? {
            "http" => (false, 80),
            "https" => (true, 443),
            _ => return None,
        };
        let named = uri.host()?.to_ascii_lowercase();
        let host = named.trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(usual);
        let authority = match port == usual {
            true => named.clone(),
            false => format!("{named}:{port}"),
        };
        Some(Self {
            tls,
            host: host.to_owned(),
            port,
            authority,
        })
    }

    /// Whether it is on this machine, by its name.
    pub(crate) fn is_local(&self) -> bool {
        let ip = self.host.parse::<std::net::IpAddr>();
        is_localhost(&self.host) || ip.is_ok_and(|ip| ip.is_loopback())
    }
}

/// RFC 6761 section 6.3: such names are this machine, whatever the resolver thinks of them.
fn is_localhost(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost")
}

/// A connection, and what it took.
pub(crate) struct Dialled {
    pub(crate) stream: Box<dyn ByteStream>,
    pub(crate) address: SocketAddr,
    /// Of the TCP handshake.
    pub(crate) round_trip: Duration,
}

/// The step that failed.
#[derive(Debug)]
pub(crate) enum DialError {
    Name(io::Error),
    Tcp(SocketAddr, io::Error),
    Tls(io::Error),
}

/// Connects within 2.5 s.
pub(crate) async fn dial(
    network: &dyn Network,
    target: &Target,
    tls: &Arc<ClientConfig>,
) -> Result<Dialled, DialError> {
    let late = || io::Error::from(io::ErrorKind::TimedOut);
    let deadline = Instant::now() + DEADLINE;
    let addresses = if is_localhost(&target.host) {
        let ips = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        ips.map(|ip| SocketAddr::new(ip, target.port)).to_vec()
    } else {
        let resolved = network.resolve(&target.host, target.port);
        let resolved = timeout_at(deadline, resolved).await;
        let resolved = resolved.map_err(|_| DialError::Name(late()))?;
        resolved.map_err(DialError::Name)?
    };
    let none = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let mut failed = DialError::Name(none);
    for address in addresses.into_iter().take(MAX_ADDRESSES) {
        let began = Instant::now();
        let until = deadline.min(began + TCP_DEADLINE);
        match timeout_at(until, network.connect_tcp(address)).await {
            Ok(Ok(stream)) => {
                let round_trip = began.elapsed();
                let stream = secure(stream, target, tls).await?;
                return Ok(Dialled {
                    stream,
                    address,
                    round_trip,
                });
            }
            Ok(Err(error)) => failed = DialError::Tcp(address, error),
            Err(_) => failed = DialError::Tcp(address, late()),
        }
    }
    Err(failed)
}

async fn secure(
    stream: Box<dyn ByteStream>,
    target: &Target,
    tls: &Arc<ClientConfig>,
) -> Result<Box<dyn ByteStream>, DialError> {
    if !target.tls {
        return Ok(stream);
    }
    let name = ServerName::try_from(target.host.clone());
    let name = name.map_err(|error| DialError::Tls(io::Error::other(error)))?;
    let handshake = TlsConnector::from(Arc::clone(tls)).connect(name, stream);
    let stream = timeout(TCP_DEADLINE, handshake).await;
    let stream = stream.map_err(|_| DialError::Tls(io::ErrorKind::TimedOut.into()))?;
    Ok(Box::new(stream.map_err(DialError::Tls)?))
}

/// An error in the words of a person, without the numbers of the system.
pub(crate) fn in_words(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::TimedOut {
        "nothing came back in time".to_owned()
    } else if error.raw_os_error().is_some() {
        error.kind().to_string()
    } else {
        error.to_string()
    }
}
