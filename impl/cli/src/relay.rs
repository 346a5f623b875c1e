//! The TURN relay of `p2claw demo` (RFC 8656, over UDP), by the `turn` crate.
//!
//! It takes the time-limited credentials that coord hands out and no others.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use p2claw_signaling::turn as credentials;
use tokio::net::UdpSocket;
use turn::{
    Error as TurnError,
    auth::{AuthHandler, generate_auth_key},
    relay::relay_static::RelayAddressGeneratorStatic,
    server::{
        Server,
        config::{ConnConfig, ServerConfig},
    },
};
use webrtc_util::vnet::net::Net;

use crate::exit::CommandError;

/// TURN's realm; part of the key that the password becomes.
const REALM: &str = "p2claw";

/// RFC 8656 section 12: a channel binding lasts 10 minutes.
const CHANNEL_LIFETIME: Duration = Duration::from_secs(600);

/// A relay that serves until it is closed.
pub(crate) struct Relay {
    server: Server,
    address: SocketAddr,
}

struct SharedSecret(String);

impl AuthHandler for SharedSecret {
    fn auth_handle(
        &self,
        username: &str,
        realm: &str,
        source: SocketAddr,
    ) -> Result<Vec<u8>, TurnError> {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        match credentials::password_for(self.0.as_bytes(), username, now) {
            Ok(password) => Ok(generate_auth_key(username, realm, &password)),
            Err(error) => {
                tracing::debug!(%source, %error, "relay refused a credential");
                Err(TurnError::Other(error.to_string()))
            }
        }
    }
}

impl Relay {
    /// Listens on a free UDP port of `address`, and relays from the same address.
    pub(crate) async fn start(address: SocketAddr, secret: String) -> Result<Self, CommandError> {
        let socket = UdpSocket::bind(address)
            .await
            .map_err(|error| format!("bind the relay to {address}: {error}"))?;
        let address = socket.local_addr()?;
        let server = Server::new(ServerConfig {
            conn_configs: vec![ConnConfig {
                conn: Arc::new(socket),
                relay_addr_generator: Box::new(RelayAddressGeneratorStatic {
                    relay_address: address.ip(),
                    address: address.ip().to_string(),
                    net: Arc::new(Net::new(None)),
                }),
            }],
            realm: REALM.to_owned(),
            auth_handler: Arc::new(SharedSecret(secret)),
            channel_bind_timeout: CHANNEL_LIFETIME,
            alloc_close_notify: None,
        })
        .await
        .map_err(|error| format!("start the relay: {error}"))?;
        Ok(Self { server, address })
    }

    /// `turn:` URL for visitors.
    pub(crate) fn url(&self) -> String {
        format!("turn:{}?transport=udp", self.address)
    }

    pub(crate) async fn close(self) {
        if let Err(error) = self.server.close().await {
            tracing::debug!(%error, "relay closed with an error");
        }
    }
}
