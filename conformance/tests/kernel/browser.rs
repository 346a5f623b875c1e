//! Chromium as the visitor, driven by `impl/browser/e2e/kernel/visit.mjs`.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    internet::HostId,
    outcome::{Seen, Way},
    program::Program,
    world::{App, World},
};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../impl/browser/e2e");

/// Where Chromium may be; the first word is that of the person who runs the tests.
const CHROMIUM: [&str; 2] = ["/usr/bin/chromium", "/usr/bin/chromium-browser"];

/// What is missing, if anything is.
pub(crate) fn missing() -> Option<String> {
    let chosen = std::env::var_os("P2CLAW_CHROMIUM").map(PathBuf::from);
    let places = chosen.into_iter().chain(CHROMIUM.map(PathBuf::from));
    if !places.into_iter().any(|place| place.exists()) {
        return Some("there is no Chromium; Debian's package chromium has it".to_owned());
    }
    if !Path::new(FOLDER)
        .join("node_modules/playwright-core")
        .exists()
    {
        return Some("playwright-core is missing: npm ci --prefix impl/browser/e2e".to_owned());
    }
    None
}

/// A page that is open and downloads something.
pub(crate) struct Page {
    program: Program,
}

impl Page {
    /// Opens the app and begins to download.
    pub(crate) fn open(world: &World, host: HostId, app: &App, bytes: u32, way: Way) -> Self {
        let namespace = world.internet.host(host);
        fs::create_dir_all(world.home(namespace)).unwrap();
        let wanted = json!({ "url": app.url, "spki": world.spki(), "bytes": bytes, "direct": way != Way::Relayed });
        let mut command = world.program(namespace, Path::new("node"));
        command
            .arg(Path::new(FOLDER).join("kernel/visit.mjs"))
            .arg(wanted.to_string());
        Self {
            program: Program::start("chromium", &mut command),
        }
    }

    /// Waits for the end.
    pub(crate) fn finish(self) -> Seen {
        let seen = self.program.json();
        Seen {
            way: match seen["relayed"].as_bool() {
                Some(true) => Way::Relayed,
                Some(false) => Way::Direct,
                None => panic!("what path is that: {seen}?"),
            },
            first_byte: milliseconds(&seen["first_byte_ms"]),
            total: milliseconds(&seen["total_ms"]),
            sha256: seen["sha256"].as_str().unwrap().to_owned(),
        }
    }
}

fn milliseconds(value: &Value) -> Duration {
    Duration::from_secs_f64(value.as_f64().unwrap() / 1000.0)
}
