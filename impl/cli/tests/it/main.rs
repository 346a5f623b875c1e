//! The command as a program meets it: standard output, standard error, exit code. All of it once for
//! each WebRTC stack: ../webrtc.rs.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod connect;
mod demo;
mod fetch;

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// Longer than any step takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

const PROGRAM: &str = env!("CARGO_BIN_EXE_p2claw");

/// A command of a user who has nothing yet.
fn p2claw(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command
        .args(arguments)
        .env_clear()
        .env("HOME", home)
        .env("P2CLAW_RTC", stack())
        .stdin(Stdio::null());
    command
}

/// The WebRTC stack of this run.
fn stack() -> &'static str {
    match module_path!().split("::").next() {
        Some("webrtc") => "webrtc",
        _ => "str0m",
    }
}

fn home() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn run(arguments: &[&str]) -> Output {
    p2claw(home().path(), arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A service that is stopped at the end.
struct Service(Child);

impl Service {
    fn start(mut command: Command) -> Self {
        Self(command.spawn().unwrap())
    }

    /// Ends it as Ctrl-C does; its exit code.
    fn interrupt(&mut self) -> Option<i32> {
        let id = self.0.id().to_string();
        let sent = Command::new("kill").args(["-INT", &id]).status().unwrap();
        assert!(sent.success());
        self.0.wait().unwrap().code()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn wrong_values_name_their_option_and_start_nothing() {
    let cases: [(&[&str], &str); 17] = [
        (&["expose", "www", "80"], "reserved"),
        (&["expose", "recipes", "70000"], "65535"),
        (&["expose", "recipes", "192.0.2.1:80"], "this machine"),
        (&["demo", "--port", "abc"], "--port"),
        (&["edge", "--listen", "example.net:80"], "--listen"),
        (&["edge", "--parent", "*.example.net"], "--parent"),
        (&["edge", "--coord", "http://127.0.0.1:1/path"], "--coord"),
        (&["coord", "--domain", "http://foo"], "--domain"),
        (&["coord", "--stun", "garbage"], "--stun"),
        (
            &["coord", "--public-url", "http://127.0.0.1"],
            "--public-url",
        ),
        (&["coord", "--relay-secret-file", "x"], "--relay"),
        (&["run", "--coord", "garbage"], "--coord"),
        (&["fetch", "recipes"], "https://"),
        (&["fetch", "https://a-bob.example/#p=damaged"], "damaged"),
        (
            &["fetch", "https://a-bob.example/", "-H", "host: x"],
            "--header",
        ),
        (
            &["fetch", "https://a-bob.example/", "-m", "0"],
            "--max-time",
        ),
        (
            &["connect", "https://a-bob.example/", "--listen", "x"],
            "--listen",
        ),
    ];
    for (arguments, word) in cases {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        let said = text(&output.stderr);
        assert!(said.contains(word), "{arguments:?}: {said}");
    }
}

/// Whoever waits for the line that says "ready" is not told so by a service that then fails.
#[test]
fn services_that_cannot_start_say_so_instead_of_ready() {
    let folder = home();
    let damaged = folder.path().join("coord.redb");
    std::fs::write(&damaged, "no database").unwrap();
    let damaged = damaged.to_str().unwrap();
    let cases: [&[&str]; 4] = [
        &[
            "edge",
            "--listen",
            "0",
            "--tls-cert",
            "/none",
            "--tls-key",
            "/none",
        ],
        &["edge", "--listen", "0", "--coord", "https://example.net"],
        &["coord", "--listen", "0", "--database", "/none/coord.redb"],
        &["coord", "--listen", "0", "--database", damaged],
    ];
    for arguments in cases {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        let said = text(&output.stderr);
        assert!(
            said.starts_with("p2claw: failed to "),
            "{arguments:?}: {said}"
        );
    }
}

#[test]
fn looking_for_an_agent_makes_no_folder() {
    let home = home();
    let state = home.path().join("typo");
    for command in [
        &["routes"][..],
        &["sessions"],
        &["expose", "a", "80"],
        &["unexpose", "a"],
    ] {
        let arguments = [command, &["--state-dir", state.to_str().unwrap()]].concat();
        let output = p2claw(home.path(), &arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("p2claw run"));
        assert!(!state.exists());
    }
}

#[test]
fn state_folders_that_cannot_be_used_are_explained() {
    let home = home();
    let long = home.path().join("a".repeat(120));
    let file = home.path().join("file");
    std::fs::write(&file, "").unwrap();
    for (folder, word) in [(&long, "shorter"), (&file, "is a file")] {
        let arguments = ["identity", "--state-dir", folder.to_str().unwrap()];
        let output = p2claw(home.path(), &arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let said = text(&output.stderr);
        assert!(said.contains(word), "{said}");
    }
}

#[test]
fn a_reader_that_has_gone_is_no_failure() {
    let home = home();
    let mut child = p2claw(home.path(), &["identity"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));

    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = p2claw(home.path(), &["identity"])
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("print the result"));
}

/// A demo whose first line nobody reads serves all the same; its agent is there, and it ends
/// cleanly.
#[test]
fn a_demo_goes_on_without_a_reader() {
    let home = home();
    let state = home.path().join("state");
    let state = state.to_str().unwrap();
    let mut command = p2claw(
        home.path(),
        &["demo", "--json", "--port", "0", "--state-dir", state],
    );
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut demo = Service::start(command);
    let mut line = String::new();
    let mut reader = BufReader::new(demo.0.stdout.take().unwrap());
    reader.read_line(&mut line).unwrap();
    drop(reader);
    let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
    let mut names: Vec<_> = ready.as_object().unwrap().keys().cloned().collect();
    names.sort();
    assert_eq!(names, ["alias", "app", "peer_id", "upstream", "url"]);

    let exposed = p2claw(home.path(), &["expose", "mine", "1", "--state-dir", state])
        .output()
        .unwrap();
    assert_eq!(exposed.status.code(), Some(0));
    assert!(text(&exposed.stdout).starts_with("http://mine-"));
    assert!(text(&exposed.stderr).contains("nothing listens"));
    assert_eq!(demo.interrupt(), Some(0));
    let mut log = String::new();
    let mut stderr = demo.0.stderr.take().unwrap();
    stderr.read_to_string(&mut log).unwrap();
    assert!(!log.contains('\u{1b}'), "no colours in a file: {log}");
    assert!(!log.contains("panicked"), "{log}");
}

/// Without a coord an app is exposed, but the exit code says that it cannot be reached yet.
#[test]
fn an_app_without_coord_is_exposed_but_not_reachable() {
    let home = home();
    let state = home.path().join("state");
    let state = state.to_str().unwrap();
    // Port 1 refuses at once.
    let arguments = ["run", "--coord", "http://127.0.0.1:1", "--state-dir", state];
    let mut command = p2claw(home.path(), &arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut agent = Service::start(command);
    let mut lines = BufReader::new(agent.0.stderr.take().unwrap()).lines();
    let said = lines.find_map(|line| line.ok().filter(|line| line.starts_with("p2claw:")));
    let said = said.unwrap();
    assert!(said.contains("127.0.0.1:1"), "{said}");
    assert!(said.contains("refused"), "{said}");
    let exposed = p2claw(home.path(), &["expose", "mine", "1", "--state-dir", state])
        .output()
        .unwrap();
    assert_eq!(exposed.status.code(), Some(3));
    assert!(exposed.stdout.is_empty());
    assert!(text(&exposed.stderr).contains("not reachable yet"));
    assert_eq!(agent.interrupt(), Some(0));
}

/// The demo's agent, for commands that look at one.
fn start_demo(home: &Path, state: &str) -> (Service, serde_json::Value) {
    let mut command = p2claw(
        home,
        &["demo", "--json", "--port", "0", "--state-dir", state],
    );
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut demo = Service::start(command);
    let mut line = String::new();
    let mut reader = BufReader::new(demo.0.stdout.take().unwrap());
    reader.read_line(&mut line).unwrap();
    (demo, serde_json::from_str(&line).unwrap())
}

#[test]
fn sessions_are_none_before_the_first_visitor() {
    let home = home();
    let state = home.path().join("state");
    let state = state.to_str().unwrap();
    let (_demo, _) = start_demo(home.path(), state);
    let arguments = ["sessions", "--json", "--state-dir", state];
    let output = p2claw(home.path(), &arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(text(&output.stdout), "[]\n");
    let output = p2claw(home.path(), &["sessions", "--state-dir", state]).output();
    assert!(text(&output.unwrap().stdout).contains("nobody visits"));

    // Watched, it goes on until it is told to end; in a pipe a line at a time.
    let mut command = p2claw(home.path(), &["sessions", "--watch", "--state-dir", state]);
    command.stdout(Stdio::piped());
    let mut watch = Service::start(command);
    let mut lines = BufReader::new(watch.0.stdout.take().unwrap()).lines();
    for _ in 0..2 {
        let line = lines.next().unwrap().unwrap();
        assert_eq!(line, "no sessions: nobody visits now");
    }
    assert_eq!(watch.interrupt(), Some(0));
}

/// A visitor is shown with its path, round trip, rates and age, and goes again.
#[test]
fn sessions_are_shown_while_they_live() {
    let (home, visitor) = (home(), home());
    let state = home.path().join("state");
    let state = state.to_str().unwrap();
    let (_demo, said) = start_demo(home.path(), state);
    let url = format!("{}slow?chunks=3000", said["url"].as_str().unwrap());
    let mut fetch = p2claw(visitor.path(), &["fetch", &url]);
    fetch.stdout(Stdio::null());
    let mut fetch = Service::start(fetch);
    let arguments = ["sessions", "--json", "--addresses", "--state-dir", state];
    let look = || -> Vec<serde_json::Value> {
        let output = p2claw(home.path(), &arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let until = |ready: &dyn Fn(&[serde_json::Value]) -> bool| {
        let begun = Instant::now();
        loop {
            let sessions = look();
            if ready(&sessions) {
                return sessions;
            }
            assert!(begun.elapsed() < PATIENCE, "{sessions:?}");
            thread::sleep(Duration::from_millis(300));
        }
    };
    let sessions = until(&|sessions| {
        // The session is there before its first request.
        let measured = |session: &serde_json::Value| {
            session["round_trip_ms"].as_f64() > Some(0.0)
                && session["out_per_second"].as_u64() > Some(0)
                && session["streams"] == 1
                // What answers first carries first, and that may be the relay.
                && session["path"]["kind"] == "direct"
                && session["bytes_out"].as_u64() > Some(100)
        };
        sessions.first().is_some_and(measured)
    });
    let [session] = &sessions[..] else {
        unreachable!("one visitor, {sessions:?}")
    };
    assert!(session["path"]["remote_address"].is_string(), "{session}");
    assert_eq!(session["app"], "hello");
    assert!(session["age_seconds"].as_f64() < Some(PATIENCE.as_secs_f64()));
    assert_eq!(fetch.interrupt(), Some(130));
    until(&<[_]>::is_empty);
}

/// A user who has nothing yet: what is wrong stands in the report, and nothing is made.
#[test]
fn a_doctor_without_coord_says_what_is_missing() {
    let home = home();
    // Port 1 refuses at once.
    let arguments = ["doctor", "--coord", "http://127.0.0.1:1"];
    let output = p2claw(home.path(), &arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let report = text(&output.stdout);
    assert!(report.contains("failed   connection"), "{report}");
    assert!(report.contains("p2claw run"), "{report}");
    assert!(text(&output.stderr).contains("1 thing would prevent visits"));
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

/// All of the demo is in order, but for an app that does not listen.
#[test]
fn a_doctor_looks_at_the_demo() {
    let home = home();
    let state = home.path().join("state");
    let state = state.to_str().unwrap();
    let (_demo, ready) = start_demo(home.path(), state);
    let arguments = ["doctor", "--json", "--state-dir", state];
    let examine = |code| {
        let output = p2claw(home.path(), &arguments).output().unwrap();
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(code), "{report:#}");
        report
    };
    let report = examine(0);
    assert_eq!(report["failed"], 0, "{report:#}");
    let checks = report["checks"].as_array().unwrap();
    let names: Vec<_> = checks.iter().map(|check| &check["name"]).collect();
    let relay = checks
        .iter()
        .find(|check| check["group"] == "servers")
        .unwrap();
    assert_eq!(relay["verdict"], "ok", "{relay:#}");
    for name in [
        "state", "agent", "link", "clock", "edge", "udp", "visitors", "hello",
    ] {
        assert!(names.iter().any(|one| *one == name), "{name}: {report:#}");
    }
    assert!(
        report
            .to_string()
            .contains(ready["alias"].as_str().unwrap())
    );

    let silent = ["expose", "mine", "1", "--state-dir", state];
    assert!(p2claw(home.path(), &silent).status().unwrap().success());
    let report = examine(1);
    let checks = report["checks"].as_array().unwrap();
    let mine = checks.iter().find(|check| check["name"] == "mine").unwrap();
    assert_eq!(mine["verdict"], "failed", "{mine:#}");
}
