//! Where an app listens: a loopback address or a Unix socket, and nothing else.

use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    pin::Pin,
    str::FromStr,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::{TryFutureExt as _, future::BoxFuture};
use http::Uri;
use hyper_util::{
    client::legacy::connect::{Connected, Connection},
    rt::TokioIo,
};
use p2claw_network::{ByteStream, Network};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::UnixStream,
    time::{Duration, timeout},
};

/// How long a connection on the same machine may take.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);

/// An address that an agent may forward to (HTP-011).
///
/// ```
/// use p2claw_agent::Upstream;
///
/// assert_eq!("5173".parse::<Upstream>()?.to_string(), "localhost:5173");
/// assert!("192.0.2.7:80".parse::<Upstream>().is_err());
/// # Ok::<(), p2claw_agent::UpstreamError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Upstream(Place);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// `localhost`: `127.0.0.1` first, then `::1`, for dev servers bind either.
    Localhost(u16),
    Address(SocketAddr),
    Unix(PathBuf),
}

/// Why an upstream address was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// Not a port, an address or a socket path.
    #[error(
        "read the upstream {0:?}: give a port (5173), a loopback address (127.0.0.1:5173, \
         localhost:5173, [::1]:5173) or a socket (unix:/path/to/socket)"
    )]
    Malformed(String),
    /// Somebody else's machine.
    #[error(
        "use the upstream {0:?}: only apps on this machine can be exposed; give 127.0.0.1, \
         localhost, [::1] or unix:/path"
    )]
    NotLoopback(String),
    /// Port 0, or one above 65535.
    #[error("use the upstream {0:?}: a port is a number from 1 to 65535")]
    Port(String),
}

impl FromStr for Upstream {
    type Err = UpstreamError;

    fn from_str(text: &str) -> Result<Self, UpstreamError> {
        let malformed = || UpstreamError::Malformed(text.to_owned());
        if let Some(path) = text.strip_prefix("unix:") {
            let path = Path::new(path);
            return if path.is_absolute() {
                Ok(Self(Place::Unix(path.to_owned())))
            } else {
                Err(malformed())
            };
        }
        let rest = text.strip_prefix("http://").unwrap_or(text);
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if let Ok(address) = rest.parse::<SocketAddr>() {
            if !address.ip().to_canonical().is_loopback() {
                return Err(UpstreamError::NotLoopback(text.to_owned()));
            }
            if address.port() == 0 {
                return Err(UpstreamError::Port(text.to_owned()));
            }
            return Ok(Self(Place::Address(address)));
        }
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) => (Some(host), port),
            None => (None, rest),
        };
        if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(malformed());
        }
        match host {
            None => {}
            Some(host) if host.eq_ignore_ascii_case("localhost") => {}
            Some(host) if host.is_empty() || host.contains(['/', '@', ':']) => {
                return Err(malformed());
            }
            Some(_) => return Err(UpstreamError::NotLoopback(text.to_owned())),
        }
        match port.parse() {
            Ok(0) => Err(UpstreamError::Port(text.to_owned())),
            Ok(port) => Ok(Self(Place::Localhost(port))),
            Err(_) => Err(UpstreamError::Port(text.to_owned())),
        }
    }
}

impl Upstream {
    /// Value of `Host` for a server there.
    #[must_use]
    pub fn authority(&self) -> String {
        match &self.0 {
            Place::Localhost(port) => format!("localhost:{port}"),
            Place::Address(address) => address.to_string(),
            Place::Unix(_) => "localhost".to_owned(),
        }
    }

    /// Whether a URL with this host and port points back at the upstream.
    #[must_use]
    pub fn is_at(&self, host: &str, port: Option<u16>) -> bool {
        let own = match &self.0 {
            Place::Localhost(port) => Some(*port),
            Place::Address(address) => Some(address.port()),
            Place::Unix(_) => None,
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let loopback = host.eq_ignore_ascii_case("localhost")
            || host
                .parse::<IpAddr>()
                .is_ok_and(|ip| ip.is_loopback() || ip.is_unspecified());
        match own {
            Some(own) => loopback && port.unwrap_or(80) == own,
            None => host.eq_ignore_ascii_case("localhost") && port.is_none(),
        }
    }

    /// Connects.
    ///
    /// # Errors
    /// As the system says; `TimedOut` after 5 s.
    pub async fn connect(&self, network: &dyn Network) -> io::Result<UpstreamStream> {
        timeout(CONNECT_DEADLINE, self.connect_now(network))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    async fn connect_now(&self, network: &dyn Network) -> io::Result<UpstreamStream> {
        let tcp = |address| network.connect_tcp(address).map_ok(UpstreamStream::Tcp);
        match &self.0 {
            Place::Localhost(port) => match tcp((Ipv4Addr::LOCALHOST, *port).into()).await {
                Ok(stream) => Ok(stream),
                Err(first) => tcp((Ipv6Addr::LOCALHOST, *port).into())
                    .await
                    .map_err(|_| first),
            },
            Place::Address(address) => tcp(*address).await,
            Place::Unix(path) => UnixStream::connect(path).await.map(UpstreamStream::Unix),
        }
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Unix(path) => write!(f, "unix:{}", path.display()),
            Place::Localhost(_) | Place::Address(_) => f.write_str(&self.authority()),
        }
    }
}

impl TryFrom<String> for Upstream {
    type Error = UpstreamError;

    fn try_from(text: String) -> Result<Self, UpstreamError> {
        text.parse()
    }
}

impl From<Upstream> for String {
    fn from(upstream: Upstream) -> Self {
        upstream.to_string()
    }
}

/// A connection to an upstream.
pub enum UpstreamStream {
    /// Over loopback.
    Tcp(Box<dyn ByteStream>),
    /// Over a Unix socket.
    Unix(UnixStream),
}

impl fmt::Debug for UpstreamStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp(_) => "Tcp",
            Self::Unix(_) => "Unix",
        })
    }
}

/// Makes hyper connect to one upstream, whatever the request's URI says.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    pub(crate) upstream: Upstream,
    pub(crate) network: Arc<dyn Network>,
}

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<UpstreamStream>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<TokioIo<UpstreamStream>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let Self { upstream, network } = self.clone();
        Box::pin(async move { upstream.connect(&*network).await.map(TokioIo::new) })
    }
}

impl Connection for UpstreamStream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

macro_rules! each {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            UpstreamStream::Tcp($stream) => $call,
            UpstreamStream::Unix($stream) => $call,
        }
    };
}

impl AsyncRead for UpstreamStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_read(cx, buffer))
    }
}

impl AsyncWrite for UpstreamStream {
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

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, stream => Pin::new(stream).poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
    use super::*;

    /// HTP-011
    #[test]
    fn loopback_forms_are_read() {
        for (text, shown) in [
            ("5173", "localhost:5173"),
            ("localhost:80", "localhost:80"),
            ("LOCALHOST:80", "localhost:80"),
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("127.9.9.9:1", "127.9.9.9:1"),
            ("[::1]:3000", "[::1]:3000"),
            ("http://127.0.0.1:3000/", "127.0.0.1:3000"),
            ("unix:/run/app.sock", "unix:/run/app.sock"),
        ] {
            assert_eq!(text.parse::<Upstream>().unwrap().to_string(), shown);
        }
    }

    /// HTP-011, SEC-012
    #[test]
    fn everything_else_is_refused_with_the_reason() {
        for text in [
            "",
            "app",
            "0x50",
            "-1",
            "localhost:",
            ":80",
            "unix:relative",
            "a@b:80",
        ] {
            assert!(
                matches!(text.parse::<Upstream>(), Err(UpstreamError::Malformed(_))),
                "{text:?}"
            );
        }
        for text in [
            "192.168.1.4:80",
            "example.com:80",
            "0.0.0.0:80",
            "[fe80::1]:80",
            "[::]:1",
        ] {
            assert!(
                matches!(text.parse::<Upstream>(), Err(UpstreamError::NotLoopback(_))),
                "{text:?}"
            );
        }
        for text in ["0", "65536", "127.0.0.1:0", "localhost:70000"] {
            assert!(
                matches!(text.parse::<Upstream>(), Err(UpstreamError::Port(_))),
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_url_that_points_at_the_upstream_is_known() {
        let upstream: Upstream = "5173".parse().unwrap();
        assert!(upstream.is_at("127.0.0.1", Some(5173)));
        assert!(upstream.is_at("localhost", Some(5173)));
        assert!(upstream.is_at("[::1]", Some(5173)));
        assert!(!upstream.is_at("localhost", Some(5174)));
        assert!(!upstream.is_at("localhost.example.com", Some(5173)));
        assert!(!upstream.is_at("localhost", None));
    }
}
