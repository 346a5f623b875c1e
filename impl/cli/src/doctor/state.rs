//! The state directory, and the agent that has it.

use std::{fs, io, os::unix::fs::PermissionsExt as _, path::Path};

use p2claw_agent::{ApiClient, ApiError, RouteStatus, Routes, StateDir, Status};
use serde_json::json;

use super::report::{Check, Group};

/// Mode bits of everybody but the owner.
const OTHERS: u32 = 0o077;

/// Looks at the folder and its files; changes nothing and makes nothing.
pub(crate) fn examine(path: &Path) -> Vec<Check> {
    let shown = path.display();
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let summary = format!("{shown} is not there yet; the first `p2claw run` makes it");
            return vec![Check::ok(Group::Machine, "state", summary)];
        }
        Err(error) => {
            let summary = format!("{shown} cannot be looked at: {}", error.kind());
            let advice = "give --state-dir a folder of your own";
            return vec![Check::failed(Group::Machine, "state", summary, advice)];
        }
        Ok(_) => {}
    }
    let state = match StateDir::open(path) {
        Ok(state) => state,
        Err(error) => {
            let (summary, advice) = (format!("it fails to {error}"), "see above");
            return vec![Check::failed(Group::Machine, "state", summary, advice)];
        }
    };
    let mut checks = Vec::new();
    let open_files = [
        (state.path().to_owned(), "700"),
        (state.identity(), "600"),
        (state.routes(), "600"),
    ];
    for (file, mode) in open_files {
        if is_open_to_others(&file) {
            let file = file.display();
            let summary = format!("other users of this machine may look into {file}");
            let advice = format!("chmod {mode} \"{file}\"");
            checks.push(Check::warning(Group::Machine, "state", summary, advice));
        }
    }
    let damaged = [
        state.kept_peer_id().map(drop),
        Routes::load(Some(state.routes())).map(drop),
    ];
    for error in damaged.into_iter().filter_map(Result::err) {
        let summary = format!("the agent will fail to {error}");
        let advice = "without that file the agent gets another address, or forgets its apps";
        checks.push(Check::failed(Group::Machine, "state", summary, advice));
    }
    if checks.is_empty() {
        let summary = format!("{shown} is yours alone, and its files are whole");
        checks.push(Check::ok(Group::Machine, "state", summary));
    }
    checks
}

fn is_open_to_others(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|metadata| metadata.permissions().mode() & OTHERS != 0)
}

/// What the running agent says of itself.
pub(crate) struct Running {
    pub(crate) status: Status,
    pub(crate) routes: Vec<RouteStatus>,
}

/// Asks the agent of a folder; `hint` says where else one may run.
pub(crate) async fn ask(path: &Path, hint: &str) -> (Check, Option<Running>) {
    let not_running = || {
        let summary = "the agent is not running: nobody can visit now";
        let advice = format!("start it with `p2claw run`{hint}");
        Check::warning(Group::Machine, "agent", summary, advice).with(json!({ "running": false }))
    };
    if !path.is_dir() {
        return (not_running(), None);
    }
    let answer = async {
        let client = ApiClient::new(&StateDir::open(path)?)?;
        let (status, routes) = tokio::try_join!(client.status(), client.routes())?;
        Ok(Running { status, routes })
    };
    match answer.await {
        Ok(running) => (agent(&running.status), Some(running)),
        Err(ApiError::NotRunning(_)) => (not_running(), None),
        Err(
            error @ (ApiError::AlreadyRunning(_)
            | ApiError::Refused(_)
            | ApiError::Io(_)
            | ApiError::State(_)),
        ) => {
            let summary = format!("the agent runs, and this fails to {error}");
            let advice = "stop it, and start it again with `p2claw run -v`";
            let check = Check::failed(Group::Machine, "agent", summary, advice);
            (check, None)
        }
    }
}

fn agent(status: &Status) -> Check {
    let link = &status.link;
    let udp = status.udp.join(" and ");
    let check = match (&link.alias, &link.problem) {
        (Some(alias), _) if link.registered => {
            let summary = format!("it runs, is registered as {alias}, and uses UDP {udp}");
            Check::ok(Group::Machine, "agent", summary)
        }
        (_, problem) => {
            let problem = problem.as_deref().unwrap_or("connecting");
            let summary = format!("it runs, and has no connection to coord: {problem}");
            let advice = "it tries again by itself; what is wrong with coord stands below";
            Check::failed(Group::Machine, "agent", summary, advice)
        }
    };
    check.with(json!({
        "running": true,
        "registered": link.registered,
        "alias": link.alias,
        "peer_id": status.peer_id,
        "udp": status.udp,
    }))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
    use super::*;
    use crate::doctor::report::Verdict;

    fn verdicts(path: &Path) -> Vec<Verdict> {
        let checks = examine(path);
        checks.iter().map(|check| check.verdict).collect()
    }

    /// SEC-011, IDN-001
    #[test]
    fn a_folder_is_looked_at_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        assert_eq!(verdicts(&path), [Verdict::Ok]);
        assert!(!path.exists());
        let state = StateDir::open(&path).unwrap();
        assert_eq!(verdicts(&path), [Verdict::Ok]);
        assert!(!state.identity().exists());
        state.identity_key(|| [7; 32]).unwrap();
        assert_eq!(verdicts(&path), [Verdict::Ok]);

        let set = |file: &Path, mode| {
            fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
        };
        set(&state.identity(), 0o644);
        set(&path, 0o755);
        let checks = examine(&path);
        assert_eq!(verdicts(&path), [Verdict::Warning, Verdict::Warning]);
        assert!(checks[1].advice.as_ref().unwrap().starts_with("chmod 600"));

        set(&state.identity(), 0o600);
        set(&path, 0o700);
        fs::write(state.identity(), "{}").unwrap();
        set(&state.identity(), 0o600);
        fs::write(state.routes(), "[1]").unwrap();
        set(&state.routes(), 0o600);
        assert_eq!(verdicts(&path), [Verdict::Failed, Verdict::Failed]);
        assert_eq!(fs::read_to_string(state.identity()).unwrap(), "{}");

        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert_eq!(verdicts(&file), [Verdict::Failed]);
    }
}
