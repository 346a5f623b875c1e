//! Which STUN and TURN servers agents and visitors are told of.

use crate::{Config, clock};
use p2claw_proto::v1::IceServer;
use p2claw_signaling::turn;

/// The servers, with a TURN credential that was made just now (spec SIG-022).
pub(crate) fn servers(config: &Config) -> Result<Vec<IceServer>, getrandom::Error> {
    let mut servers = Vec::new();
    if !config.stun.is_empty() {
        servers.push(IceServer {
            urls: config.stun.clone(),
            ..IceServer::default()
        });
    }
    if let Some(relay) = &config.relay {
        let issued = turn::issue(&relay.secret, clock::random()?, config.clock.unix_seconds());
        servers.push(IceServer {
            urls: relay.urls.clone(),
            username: issued.username,
            credential: issued.credential,
            expires_at: issued.expires_at,
        });
    }
    Ok(servers)
}
