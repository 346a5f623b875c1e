//! Everything that a scenario needs: the internet, the services in its middle, and an agent.

mod services;

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use tempfile::TempDir;

use crate::{
    authority::{Authority, RELAY_NAME},
    internet::{HostId, Internet, Middle, RELAY, RouterId, SERVICES},
    namespace::{Namespace, run_name, succeed},
    program::Program,
};

/// The app that agents expose.
const APP: &str = "hello";

/// The WebRTC stack of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stack {
    Str0m,
    Webrtc,
}

impl Stack {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Str0m => "str0m",
            Self::Webrtc => "webrtc",
        }
    }

    pub(crate) const ALL: [Self; 2] = [Self::Str0m, Self::Webrtc];

    /// How a program is told to use it.
    pub(crate) fn flags(self) -> [&'static str; 2] {
        ["--rtc", self.name()]
    }
}

/// Namespaces and programs; all of it ends with this value.
#[derive(Debug)]
pub(crate) struct World {
    programs: Vec<Program>,
    pub(crate) internet: Internet,
    authority: Authority,
    folder: TempDir,
}

/// An app that can be visited.
#[derive(Debug)]
pub(crate) struct App {
    /// Its address, without a path.
    pub(crate) url: String,
}

impl World {
    /// An internet with coord, edge and relay.
    pub(crate) fn new(middle: Middle) -> Self {
        let run = run_name();
        let folder = tempfile::Builder::new()
            .prefix(&format!("{run}-"))
            .tempdir()
            .unwrap();
        let mut world = Self {
            programs: Vec::new(),
            internet: Internet::new(&run, middle),
            authority: Authority::new(folder.path()),
            folder,
        };
        world.start_services(middle.relay);
        world
    }

    /// An agent on a host, with the sample app behind it.
    pub(crate) fn expose(&mut self, (host, router): (HostId, RouterId), stack: Stack) -> App {
        let namespace = self.internet.host(host);
        let mut command = self.p2claw(namespace);
        let state = self.home(namespace).join("sample");
        command
            .args(["demo", "--json", "--port=0", "--state-dir"])
            .arg(state);
        let sample = Program::start("sample app", &mut command);

        let mut command = self.p2claw(namespace);
        command
            .args(["run", "--json", "--coord", &self.coord((host, router))])
            .args(stack.flags());
        let agent = Program::start("agent", &mut command);
        agent.json();
        let upstream = sample.json()["upstream"].as_str().unwrap().to_owned();
        let mut command = self.p2claw(namespace);
        command.args(["expose", APP, &upstream, "--json"]);
        let said = succeed(&mut command).unwrap();
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        let url = said["url"]
            .as_str()
            .unwrap()
            .trim_end_matches('/')
            .to_owned();
        self.programs.extend([sample, agent]);
        App { url }
    }

    /// Where programs on a host find coord; the relay's name is known to them, too.
    pub(crate) fn coord(&self, (host, router): (HostId, RouterId)) -> String {
        let family = self.internet.home(router).family;
        let [services, relay] = [SERVICES, RELAY].map(|addresses| {
            let usable = addresses.into_iter().find(|address| family.has(*address));
            usable.unwrap()
        });
        let namespace = self.internet.host(host);
        namespace.know(&[(relay, RELAY_NAME.to_owned())]);
        services::coord(services)
    }

    /// Lets programs on a host find the app and the relay.
    pub(crate) fn introduce(&self, (host, router): (HostId, RouterId), app: &App) {
        let family = self.internet.home(router).family;
        let mut known = Vec::new();
        for (addresses, name) in [(SERVICES, app.name()), (RELAY, RELAY_NAME)] {
            let usable = addresses.into_iter().filter(|address| family.has(*address));
            known.extend(usable.map(|address| (address, name.to_owned())));
        }
        self.internet.host(host).know(&known);
    }

    /// `p2claw` with a home of its own.
    pub(crate) fn p2claw(&self, namespace: &Namespace) -> Command {
        let mut command = self.program(namespace, &binary());
        command
            .env("P2CLAW_STATE_DIR", self.home(namespace).join("state"))
            .env("SSL_CERT_FILE", &self.authority.root)
            .env("RUST_BACKTRACE", "1");
        command
    }

    /// Another program with the same home.
    pub(crate) fn program(&self, namespace: &Namespace, program: &Path) -> Command {
        let mut command = namespace.command(program);
        command.env_clear().env("HOME", self.home(namespace));
        for name in ["PATH", "P2CLAW_LOG", "P2CLAW_CHROMIUM"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
    }

    /// Short, for that of a Unix socket has at most 107 bytes.
    pub(crate) fn home(&self, namespace: &Namespace) -> PathBuf {
        let (_, role) = namespace.name().rsplit_once('-').unwrap();
        self.folder.path().join(role)
    }

    /// What Chromium has to be told of the certificates here.
    pub(crate) fn spki(&self) -> &str {
        &self.authority.spki
    }
}

impl App {
    /// Its host name.
    fn name(&self) -> &str {
        self.url.strip_prefix("https://").unwrap()
    }
}

/// The binary under test: `P2CLAW_BIN`, or that of cargo's debug profile.
pub(crate) fn binary() -> PathBuf {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    let found = FOUND.get_or_init(|| match std::env::var_os("P2CLAW_BIN") {
        Some(path) => PathBuf::from(path),
        None => {
            // target/debug/deps/kernel-...
            let here = std::env::current_exe().unwrap();
            here.ancestors().nth(2).unwrap().join("p2claw")
        }
    });
    found.clone()
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join("log"));
            eprintln!("--- coturn's log\n{}", log.unwrap_or_default());
        }
    }
}
