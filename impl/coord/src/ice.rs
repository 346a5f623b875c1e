//! Which STUN and TURN servers agents and visitors are told of.

use crate::Config;
use p2claw_proto::v1::IceServer;
use p2claw_signaling::turn;
use std::io;

/// The servers, with a TURN credential that was made just now (spec SIG-022).
pub(crate) fn servers(config: &Config) -> io::Result<Vec<IceServer>> {
    let mut servers = Vec::new();
    if !config.stun.is_empty() {
        servers.push(IceServer {
            urls: config.stun.clone(),
            ..IceServer::default()
        });
    }
    if let Some(relay) = &config.relay {
        let random = config.random.bytes()?;
        let issued = turn::issue(&relay.secret, random, config.clock.unix_seconds());
        servers.push(IceServer {
            urls: relay.urls.clone(),
            username: issued.username,
            credential: issued.credential,
            expires_at: issued.expires_at,
        });
    }
    Ok(servers)
}
