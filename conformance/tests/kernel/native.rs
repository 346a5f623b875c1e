//! `p2claw fetch` as the visitor.

use std::{fs, path::PathBuf, time::Duration};

use data_encoding::HEXLOWER;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::{
    internet::HostId,
    noise,
    outcome::{Seen, Way},
    program::Program,
    stage::Transfer,
    world::{App, Stack, World},
};

/// One request that is under way.
pub(crate) struct Fetch {
    program: Program,
    transfer: Transfer,
    output: PathBuf,
}

impl Fetch {
    pub(crate) fn start(
        world: &World,
        host: HostId,
        app: &App,
        stack: Stack,
        transfer: Transfer,
    ) -> Self {
        let namespace = world.internet.host(host);
        let home = world.home(namespace);
        fs::create_dir_all(&home).unwrap();
        let output = home.join("response");
        let mut command = world.p2claw(namespace);
        command
            .args(["fetch", "--json", "--fail", "--output"])
            .arg(&output)
            .args(stack.flags());
        match transfer {
            Transfer::Download(bytes) => {
                command.arg(format!("{}/download?bytes={bytes}", app.url));
            }
            Transfer::Upload(bytes) => {
                let file = home.join("request");
                fs::write(&file, noise::noise(bytes)).unwrap();
                command.arg("--upload-file").arg(file);
                command.arg(format!("{}/upload", app.url));
            }
        }
        Self {
            program: Program::start("fetch", &mut command),
            transfer,
            output,
        }
    }

    /// Waits for the end, which must be a good one, over the expected path. What the program has said
    /// is shown otherwise.
    pub(crate) fn finish(mut self, expected: Way) -> Seen {
        let (status, said) = self.program.finish();
        assert!(status.success(), "p2claw fetch ended with {status}");
        let report: Value = serde_json::from_str(&said).unwrap();
        let way = match report["path"].as_str() {
            Some("direct") => Way::Direct,
            Some("relayed") => Way::Relayed,
            other => panic!("what path is {other:?}?"),
        };
        assert_eq!(way, expected);
        let timing = |name: &str| report["timings"][name].as_f64().unwrap();
        let parts = ["offer", "answer", "connected", "first_byte"].map(timing);
        let body = fs::read(&self.output).unwrap();
        Seen {
            way,
            first_byte: seconds(parts.iter().sum()),
            total: seconds(timing("total")),
            sha256: match self.transfer {
                Transfer::Download(_) => HEXLOWER.encode(&Sha256::digest(body)),
                Transfer::Upload(_) => {
                    let said: Value = serde_json::from_slice(&body).unwrap();
                    said["sha256"].as_str().unwrap().to_owned()
                }
            },
        }
    }
}

fn seconds(milliseconds: f64) -> Duration {
    Duration::from_secs_f64(milliseconds / 1000.0)
}
