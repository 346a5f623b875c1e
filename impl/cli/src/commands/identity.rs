//! `identity`: who this machine is.

use p2claw_agent::{ApiClient, ApiError};
use serde_json::json;

use crate::{args::LocalArguments, commands::daemon::fresh_seed, exit::CommandError, output};

pub(crate) async fn show(arguments: LocalArguments) -> Result<(), CommandError> {
    let state = arguments.state.open(None)?;
    let seed = fresh_seed()?;
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
        }));
    }
    println!("peer id   {peer_id}");
    match (&status, alias) {
        (Some(status), Some(alias)) => println!("alias     {alias}  (at {})", status.coord),
        (Some(status), None) => println!("alias     none yet  (at {})", status.coord),
        (None, _) => {
            println!("alias     unknown: the agent is not running; start it with `p2claw run`")
        }
    }
    println!("key file  {}", key_file.display());
    println!("\nWhoever has the key file has the address: keep a copy in a safe place.");
    Ok(())
}
