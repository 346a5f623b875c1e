//! A demo, and a user who visits it.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use super::{Service, p2claw, text};

pub(crate) struct Demo {
    /// `http://hello-<alias>.localhost:<port>/`
    pub(crate) url: String,
    pub(crate) peer_id: String,
    pub(crate) alias: String,
    /// Of the visitor, who has nothing yet.
    pub(crate) home: TempDir,
    _service: Service,
    _state: TempDir,
}

/// The line with which a service says that it is ready.
pub(crate) fn ready(service: &mut Service) -> Value {
    let mut line = String::new();
    let mut reader = BufReader::new(service.0.stdout.take().unwrap());
    reader.read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap()
}

/// Starts a service that says so by a line of JSON.
pub(crate) fn start(home: &Path, arguments: &[&str]) -> (Service, Value) {
    let mut command = p2claw(home, arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    let mut service = Service::start(command);
    let said = ready(&mut service);
    (service, said)
}

impl Demo {
    /// With the sample app.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    pub(crate) fn with(more: &[&str]) -> Self {
        let (state, home) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let arguments = [&["demo", "--json", "--port", "0"][..], more].concat();
        let (service, said) = start(state.path(), &arguments);
        let of = |name: &str| said[name].as_str().unwrap().to_owned();
        Self {
            url: of("url"),
            peer_id: of("peer_id"),
            alias: of("alias"),
            home,
            _service: service,
            _state: state,
        }
    }

    pub(crate) fn at(&self, target: &str) -> String {
        format!("{}{target}", self.url)
    }

    /// `p2claw fetch`, with the address of `target` behind the other arguments.
    pub(crate) fn fetch(&self, arguments: &[&str], target: &str) -> Command {
        let url = self.at(target);
        let arguments = [&["fetch"][..], arguments, &[url.as_str()]].concat();
        let mut command = p2claw(self.home.path(), &arguments);
        command.current_dir(self.home.path());
        command
    }

    pub(crate) fn fetched(&self, arguments: &[&str], target: &str) -> Output {
        self.fetch(arguments, target).output().unwrap()
    }

    /// The body, of a fetch that succeeds.
    pub(crate) fn body(&self, arguments: &[&str], target: &str) -> String {
        let output = self.fetched(arguments, target);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
        assert_eq!(said, "", "{arguments:?}");
        text(&output.stdout)
    }

    pub(crate) fn pins(&self) -> PathBuf {
        self.home.path().join(".local/state/p2claw/pins.json")
    }

    /// Files of the visitor's, but for the state of the program.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.home.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name != ".local").collect()
    }
}
