//! Programs that a test starts, and what they say.

use std::{
    io::{BufRead as _, BufReader, Read},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

/// Longer than anything takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// Lines that are shown when a test fails.
const LAST_WORDS: usize = 600;

/// A running program. It is killed when this value is dropped.
#[derive(Debug)]
pub(crate) struct Program {
    name: String,
    child: Child,
    lines: Receiver<String>,
    log: Arc<Mutex<Vec<String>>>,
}

impl Program {
    pub(crate) fn start(name: &str, command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("start {command:?}: {error}"));
        let log = Arc::new(Mutex::new(Vec::new()));
        let (said, lines) = mpsc::channel();
        if let Some(stdout) = child.stdout.take() {
            listen(stdout, Arc::clone(&log), Some(said));
        }
        if let Some(stderr) = child.stderr.take() {
            listen(stderr, Arc::clone(&log), None);
        }
        Self {
            name: name.to_owned(),
            child,
            lines,
            log,
        }
    }

    /// Waits for the next line on standard output; `None` at its end.
    pub(crate) fn line(&self) -> Option<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("{} says nothing", self.name),
        }
    }

    /// Waits for a line of JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        while let Some(line) = self.line() {
            if let Ok(value) = serde_json::from_str(&line) {
                return value;
            }
        }
        panic!("{} ended before it said what it should", self.name);
    }

    /// Waits for the end, and returns what is left of standard output.
    pub(crate) fn finish(&mut self) -> (ExitStatus, String) {
        let mut output = String::new();
        while let Some(line) = self.line() {
            output.push_str(&line);
            output.push('\n');
        }
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, output);
            }
            assert!(Instant::now() < end, "{} does not end", self.name);
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// The last lines of all that it has said.
    pub(crate) fn last_words(&self) -> String {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        let from = log.len().saturating_sub(LAST_WORDS);
        format!("--- {}\n{}\n", self.name, log[from..].join("\n"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprint!("{}", self.last_words());
        }
    }
}

fn listen(
    stream: impl Read + Send + 'static,
    log: Arc<Mutex<Vec<String>>>,
    said: Option<Sender<String>>,
) {
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            log.push(line.clone());
            drop(log);
            if let Some(said) = &said {
                // Nobody may listen any more.
                let _ = said.send(line);
            }
        }
    });
}

/// Waits until `probe` finds something.
pub(crate) fn until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
