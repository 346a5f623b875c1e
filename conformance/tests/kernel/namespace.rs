//! Network namespaces of this process, and the removal of what a killed one left behind.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::Write as _,
    net::IpAddr,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

/// What every name begins with: namespaces and temporary folders.
const PREFIX: &str = "p2claw-kernel-";

/// Where `ip netns` keeps the names, and the files that it puts over those in /etc.
const NAMES: &str = "/run/netns";
const FILES: &str = "/etc/netns";

/// A network namespace. It ends with this value, and with it all programs inside.
#[derive(Debug)]
pub(crate) struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes one, or says why there can be none.
    pub(crate) fn create(run: &str, role: &str) -> Result<Self, String> {
        let name = format!("{run}-{role}");
        serialized(|| succeed(Command::new("ip").args(["netns", "add", &name])))?;
        let namespace = Self { name };
        let folder = namespace.files();
        let files = fs::create_dir_all(&folder).and_then(|()| {
            // Names that are not in `hosts` do not exist, and that is known at once.
            fs::write(folder.join("resolv.conf"), "nameserver 127.0.0.1\n")
        });
        files.map_err(|error| format!("write to {}: {error}", folder.display()))?;
        namespace.know(&[]);
        namespace.ip("link set lo up\n")?;
        Ok(namespace)
    }

    /// The host names that programs started from now on know.
    pub(crate) fn know(&self, hosts: &[(IpAddr, String)]) {
        let mut text = "127.0.0.1 localhost\n::1 localhost\n".to_owned();
        for (address, name) in hosts {
            // Chromium's WebRTC looks for the second.
            text.push_str(&format!("{address} {name} {name}.\n"));
        }
        fs::write(self.files().join("hosts"), text).unwrap();
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn files(&self) -> PathBuf {
        Path::new(FILES).join(&self.name)
    }

    /// A program in this namespace; its process id is that of the program itself.
    pub(crate) fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &self.name])
            .arg(program.as_ref());
        command
    }

    /// Runs a short program that must succeed; its output.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> String {
        succeed(self.command(program).args(arguments)).unwrap()
    }

    /// Commands of `ip`, one a line.
    pub(crate) fn ip(&self, batch: &str) -> Result<(), String> {
        let mut command = Command::new("ip");
        command.args(["-n", &self.name, "-batch", "-"]);
        feed(&mut command, batch)
    }

    /// Rules of nftables.
    pub(crate) fn nft(&self, rules: &str) -> Result<(), String> {
        feed(self.command("nft").args(["-f", "-"]), rules)
    }

    /// Values below /proc/sys/net, as `path=value`.
    pub(crate) fn set(&self, values: &[&str]) {
        let script = r#"for pair; do echo "${pair#*=}" >"/proc/sys/net/${pair%%=*}"; done"#;
        self.run("sh", &[&["-ec", script, "sh"], values].concat());
    }

    /// Packets and bytes of a named counter in the table `inet path`.
    pub(crate) fn counter(&self, name: &str) -> Counted {
        let said = self.run("nft", &["-j", "list", "counter", "inet", "path", name]);
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        let counter = said["nftables"].as_array().unwrap();
        let counter = counter.iter().find_map(|one| one.get("counter")).unwrap();
        Counted {
            packets: counter["packets"].as_u64().unwrap(),
            bytes: counter["bytes"].as_u64().unwrap(),
        }
    }
}

/// What has passed a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
}

impl Drop for Namespace {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

/// Ends the programs inside and takes the name away.
fn remove(name: &str) {
    let inside = Command::new("ip").args(["netns", "pids", name]).output();
    let inside = inside.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    for pid in inside.unwrap_or_default().split_whitespace() {
        // They may have ended meanwhile.
        let _ = quiet(Command::new("sh").args(["-c", "kill -KILL \"$0\"", pid])).status();
    }
    let _ = serialized(|| quiet(Command::new("ip").args(["netns", "delete", name])).status());
    let _ = fs::remove_dir_all(Path::new(FILES).join(name));
    // Only when it is empty.
    let _ = fs::remove_dir(FILES);
}

fn quiet(command: &mut Command) -> &mut Command {
    command.stdout(Stdio::null()).stderr(Stdio::null())
}

/// A name for one world of this process. The start time tells it from another that gets the same
/// process id later.
pub(crate) fn run_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let pid = std::process::id();
    let started = started(pid).unwrap();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{PREFIX}{pid}-{started}-{count}")
}

/// When a process was started, in the kernel's own unit; `None` where there is no such process.
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Field 22 of proc_pid_stat(5); the second, which may hold anything, ends with the last ')'.
    let behind_name = stat.rsplit_once(')')?.1;
    behind_name.split_whitespace().nth(19)?.parse().ok()
}

/// Removes what belongs to processes that are gone.
pub(crate) fn sweep() {
    let entries = |folder: &Path| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        names.filter(|name| is_left_over(name)).collect()
    };
    let mut namespaces: BTreeSet<String> = entries(Path::new(NAMES));
    namespaces.extend(entries(Path::new(FILES)));
    for name in namespaces {
        remove(&name);
    }
    let temporary = std::env::temp_dir();
    for name in entries(&temporary) {
        let _ = fs::remove_dir_all(temporary.join(name));
    }
}

fn is_left_over(name: &str) -> bool {
    let Some(rest) = name.strip_prefix(PREFIX) else {
        return false;
    };
    let mut numbers = rest.split('-').map(str::parse::<u64>);
    let (Some(Ok(pid)), Some(Ok(start))) = (numbers.next(), numbers.next()) else {
        return false;
    };
    u32::try_from(pid).is_ok_and(|pid| started(pid) != Some(start))
}

/// `ip netns` of several processes at once sees namespaces half made.
fn serialized<T>(change: impl FnOnce() -> T) -> T {
    let lock = File::open("/run").and_then(|folder| folder.lock().map(|()| folder));
    let result = change();
    drop(lock);
    result
}

/// Standard output of a program, or what it complained of.
pub(crate) fn succeed(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output();
    check(command, output)
}

fn feed(command: &mut Command, text: &str) -> Result<(), String> {
    let child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let output = child.and_then(|mut child| {
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(text.as_bytes())?;
        }
        child.wait_with_output()
    });
    match check(command, output) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("{error}{text}")),
    }
}

fn check(command: &Command, output: std::io::Result<Output>) -> Result<String, String> {
    let output = output.map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("{command:?}: {}: {said}", output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
