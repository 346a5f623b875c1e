//! `coord`, `edge` and `relay`: the services, each by itself.

use std::{fmt::Display, net::SocketAddr, path::Path, sync::Arc};

use http::Uri;
use p2claw_coord::RelayConfig;
use serde_json::json;
use tokio::net::TcpListener;

use crate::{
    args::{CoordArguments, EdgeArguments, RelayArguments},
    exit::{self, CommandError},
    output,
};

pub(crate) async fn coord(arguments: CoordArguments) -> Result<(), CommandError> {
    let shutdown = exit::on_signal()?;
    let relay = match &arguments.relay_secret_file {
        None => None,
        Some(path) => Some(RelayConfig {
            urls: arguments.relay,
            secret: read_secret(path)?,
        }),
    };
    let listener = bind(arguments.listen, "--listen").await?;
    let address = listener.local_addr()?;
    let mut config = p2claw_coord::Config::new(String::new(), arguments.public_url);
    config.domains = if arguments.domain.is_empty() {
        local_names(address)
    } else {
        arguments.domain
    };
    config.database = arguments.database;
    config.stun = arguments.stun;
    config.relay = relay;
    let only_local = address.ip().is_unspecified() && config.domains == local_names(address);
    let service = p2claw_coord::Service::prepare(config).await?;
    announce("coord", address, arguments.json);
    if only_local {
        output::note(
            "agents on other machines need --domain HOST:PORT, the address that they use for this \
             service",
        );
    }
    service.serve(listener, shutdown).await;
    Ok(())
}

fn read_secret(path: &Path) -> Result<Vec<u8>, CommandError> {
    let bad =
        |reason: &dyn Display| format!("read the relay's secret {}: {reason}", path.display());
    let secret = std::fs::read_to_string(path).map_err(|error| bad(&error))?;
    match secret.trim() {
        "" => Err(bad(&"it is empty").into()),
        secret => Ok(secret.as_bytes().to_vec()),
    }
}

/// The names that programs on this machine have for a service at `address`.
fn local_names(address: SocketAddr) -> Vec<String> {
    let port = address.port();
    let ip = address.ip();
    let own = (!ip.is_unspecified()).then(|| address.to_string());
    let local = ["localhost", "127.0.0.1", "[::1]"].map(|host| format!("{host}:{port}"));
    let local = local
        .into_iter()
        .filter(|_| ip.is_loopback() || ip.is_unspecified());
    own.into_iter().chain(local).collect()
}

pub(crate) async fn edge(arguments: EdgeArguments) -> Result<(), CommandError> {
    let shutdown = exit::on_signal()?;
    let coord: Uri = arguments
        .coord
        .parse()
        .map_err(|error| format!("use --coord {}: {error}", arguments.coord))?;
    let mut config = p2claw_edge::Config::new(coord, arguments.parent);
    config.tls = arguments
        .tls_cert
        .zip(arguments.tls_key)
        .map(|(certificate, key)| p2claw_edge::TlsFiles { certificate, key });
    let service = p2claw_edge::Service::prepare(config)?;
    let listener = bind(arguments.listen, "--listen").await?;
    announce("edge", listener.local_addr()?, arguments.json);
    service.serve(listener, shutdown).await;
    Ok(())
}

pub(crate) async fn relay(arguments: RelayArguments) -> Result<(), CommandError> {
    let shutdown = exit::on_signal()?;
    if arguments.listen.ip().is_unspecified() && arguments.public_ip.is_none() {
        return Err(
            "relay from every address of this machine: peers need to know one; give --public-ip, \
             or an address with --listen"
                .into(),
        );
    }
    let mut config = p2claw_relay::Config::new(read_secret(&arguments.secret_file)?);
    config.quota = p2claw_relay::Quota {
        allocations: arguments.max_allocations,
        bytes: arguments.max_mib.saturating_mul(1 << 20),
        bytes_per_second: arguments.max_rate.saturating_mul(1 << 10),
    };
    config.clients = arguments.max_clients;
    config.public_ip = arguments.public_ip;
    config.private_peers = arguments.allow_private_peers;
    if let Some((certificate, key)) = arguments.tls_cert.zip(arguments.tls_key) {
        let files = p2claw_edge::TlsFiles { certificate, key };
        config.tls = Some(Arc::new(files.load(&[])?));
    }
    let relay = p2claw_relay::Relay::bind(arguments.listen, config).await?;
    let address = relay.address();
    let host = arguments.public_ip.unwrap_or(address.ip()).to_string();
    if arguments.json {
        output::announce(output::json(&json!({
            "service": "relay",
            "listening": address.to_string(),
            "urls": relay.urls(&host),
        })));
    } else {
        announce("relay", address, false);
        for url in relay.urls(&host) {
            output::announce(output::line(format_args!("  {url}")));
        }
    }
    relay.run(shutdown).await;
    Ok(())
}

/// Says that a service is ready; from here on it answers.
fn announce(service: &str, address: SocketAddr, json: bool) {
    output::announce(if json {
        output::json(&json!({ "service": service, "listening": address.to_string() }))
    } else {
        output::line(format_args!("{service} listens on {address}"))
    });
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
