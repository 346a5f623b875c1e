//! `identity`: who this machine is.

use p2claw_agent::{ApiClient, ApiError};
use serde_json::json;

use crate::{args::LocalArguments, commands::daemon::fresh_seed, exit::CommandError, output};

pub(crate) async fn show(arguments: LocalArguments) -> Result<(), CommandError> {
    let state = arguments.state.open(None)?;
    let seed = fresh_seed()?;
    let created = !state.identity().exists();
    let peer_id = state.identity_key(move || seed)?.peer_id().to_string();
    // The alias is coord's to give: the running agent knows it.
    let status = match ApiClient::new(&state)?.status().await {
        Ok(status) => Some(status),
        Err(ApiError::NotRunning(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let alias = status.as_ref().and_then(|status| status.link.alias.clone());
    let key_file = state.identity();
    if arguments.json {
        return output::json(&json!({
            "peer_id": peer_id,
            "alias": alias,
            "coord": status.as_ref().map(|status| status.coord.as_str()),
            "registered": status.as_ref().is_some_and(|status| status.link.registered),
            "key_file": key_file,
            "created": created,
        }));
    }
    output::line(format_args!("peer id   {peer_id}"))?;
    output::line(match (&status, alias) {
        (Some(status), Some(alias)) => format!("alias     {alias}  (at {})", status.coord),
        (Some(status), None) => format!("alias     none yet  (at {})", status.coord),
        (None, _) => {
            "alias     unknown: the agent is not running; start it with `p2claw run`".to_owned()
        }
    })?;
    let age = if created { "  (made now)" } else { "" };
    output::line(format_args!("key file  {}{age}", key_file.display()))?;
    output::line("\nWhoever has the key file has the address: keep a copy in a safe place.")
}
