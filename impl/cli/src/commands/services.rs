//! `coord` and `edge`: the services, each by itself.

use std::net::SocketAddr;

use http::Uri;
use p2claw_coord::RelayConfig;
use p2claw_signaling::address::PublicAddress;
use serde_json::json;
use tokio::net::TcpListener;

use crate::{
    args::{CoordArguments, EdgeArguments},
    exit::{self, CommandError},
    output,
};

pub(crate) async fn coord(arguments: CoordArguments) -> Result<(), CommandError> {
    let shutdown = exit::on_signal()?;
    let public = read_public_url(&arguments.public_url)?;
    let relay = match &arguments.relay_secret_file {
        None => None,
        Some(path) => {
            let secret = std::fs::read_to_string(path)
                .map_err(|error| format!("read the relay's secret {}: {error}", path.display()))?;
            let secret = secret.trim().as_bytes().to_vec();
            if secret.is_empty() {
                return Err(
                    format!("read the relay's secret {}: it is empty", path.display()).into(),
                );
            }
            Some(RelayConfig {
                urls: arguments.relay,
                secret,
            })
        }
    };
    let listener = bind(arguments.listen, "--listen").await?;
    let address = listener.local_addr()?;
    let mut config = p2claw_coord::Config::new(address.to_string(), public);
    if !arguments.domain.is_empty() {
        config.domains = arguments.domain;
    } else if address.ip().is_loopback() || address.ip().is_unspecified() {
        let port = address.port();
        let local = ["localhost", "127.0.0.1", "[::1]"];
        config
            .domains
            .extend(local.map(|host| format!("{host}:{port}")));
    }
    config.database = arguments.database;
    config.stun = arguments.stun;
    config.relay = relay;
    announce("coord", address, arguments.json)?;
    Ok(p2claw_coord::run(listener, config, shutdown).await?)
}

pub(crate) async fn edge(arguments: EdgeArguments) -> Result<(), CommandError> {
    let shutdown = exit::on_signal()?;
    let coord: Uri = arguments.coord.parse().map_err(|_| {
        format!(
            "use --coord {}: give a URL such as http://127.0.0.1:8788",
            arguments.coord
        )
    })?;
    let mut config = p2claw_edge::Config::new(coord, arguments.parent);
    config.tls = arguments
        .tls_cert
        .zip(arguments.tls_key)
        .map(|(certificate, key)| p2claw_edge::TlsFiles { certificate, key });
    let listener = bind(arguments.listen, "--listen").await?;
    announce("edge", listener.local_addr()?, arguments.json)?;
    Ok(p2claw_edge::run(listener, config, shutdown).await?)
}

fn announce(service: &str, address: SocketAddr, json: bool) -> Result<(), CommandError> {
    if json {
        output::json(&json!({ "service": service, "listening": address.to_string() }))
    } else {
        println!("{service} listens on {address}");
        Ok(())
    }
}

/// Binds, and says what to do where that fails.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the system has many errors, and a hint for a few"
)]
pub(crate) async fn bind(address: SocketAddr, option: &str) -> Result<TcpListener, CommandError> {
    TcpListener::bind(address).await.map_err(|error| {
        let hint = match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                format!("; another program has the port: stop it, or choose another with {option}")
            }
            std::io::ErrorKind::PermissionDenied => {
                format!("; ports below 1024 need rights: choose another with {option}")
            }
            std::io::ErrorKind::AddrNotAvailable => {
                format!("; this machine does not have that address: choose another with {option}")
            }
            _ => String::new(),
        };
        format!("listen on {address}: {error}{hint}").into()
    })
}

/// `http(s)://host[:port]`.
fn read_public_url(url: &str) -> Result<PublicAddress, CommandError> {
    let bad = |reason: &str| {
        format!("use --public-url {url}: {reason}; give one such as https://example.net")
    };
    let uri: Uri = url.parse().map_err(|_| bad("this is no URL"))?;
    let scheme = uri
        .scheme_str()
        .filter(|scheme| matches!(*scheme, "http" | "https"));
    let scheme = scheme.ok_or_else(|| bad("it is neither http nor https"))?;
    let host = uri.host().ok_or_else(|| bad("it has no host"))?;
    if host.parse::<std::net::IpAddr>().is_ok() || host.starts_with('[') {
        return Err(bad("an app's name cannot stand before an IP address").into());
    }
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err(bad("it has a path").into());
    }
    Ok(PublicAddress {
        scheme: scheme.to_owned(),
        parent: host.to_ascii_lowercase(),
        port: uri.port_u16(),
    })
}

#[cfg(test)]
mod tests {
    use super::read_public_url;

    #[test]
    fn public_urls_are_read_or_refused() {
        let read = |url: &str| {
            read_public_url(url)
                .ok()
                .map(|a| (a.scheme, a.parent, a.port))
        };
        let expected =
            |scheme: &str, parent: &str, port| Some((scheme.to_owned(), parent.to_owned(), port));
        assert_eq!(
            read("https://Example.net"),
            expected("https", "example.net", None)
        );
        assert_eq!(
            read("http://localhost:8787/"),
            expected("http", "localhost", Some(8787))
        );
        for bad in [
            "",
            "example.net",
            "ftp://x",
            "http://127.0.0.1:1",
            "https://a.b/c",
            "http://[::1]",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
