//! The keys that addresses had when they were visited before (`IDN-020`).

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use p2claw_agent::{
    StateError,
    state::{read_json, write_json},
};
use p2claw_identity::PeerId;
use p2claw_network::{Machine, Network as _};
use serde::{Deserialize, Serialize};

/// Pins that are kept in a file, so that it stays far below what is read of one. Beyond, new ones
/// last as long as the program.
const MAX_PINS: usize = 4_096;

/// Where the keys of visited origins are kept: in memory always, in a file where there is one.
///
/// The file is JSON, mode 0600, and replaced as a whole; a second program that visits at the same
/// time loses nothing.
#[derive(Debug, Default)]
pub struct Pins {
    file: Option<PathBuf>,
    /// Those of this run, which hold with or without a file.
    seen: Mutex<BTreeMap<String, PeerId>>,
}

/// One origin and its key, as [`Pins::list`] shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pinned {
    /// `scheme://host[:port]`.
    pub origin: String,
    /// The key that its agent must have.
    pub peer_id: String,
    /// When it was seen first, Unix milliseconds.
    pub since_ms: i64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PinFile {
    /// 1.
    version: u32,
    pins: BTreeMap<String, Entry>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    peer_id: String,
    since_ms: i64,
}

impl Pins {
    /// Keys that are forgotten with this value.
    #[must_use]
    pub fn in_memory() -> Self {
        Self::default()
    }

    /// Keys that are kept in a file; it is made with the first one.
    #[must_use]
    pub fn in_file(path: PathBuf) -> Self {
        Self {
            file: Some(path),
            seen: Mutex::default(),
        }
    }

    /// The file, where there is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The key of an origin, if it was visited before.
    ///
    /// # Errors
    /// When the file is damaged or cannot be read.
    pub fn known(&self, origin: &str) -> Result<Option<PeerId>, StateError> {
        if let Some(peer_id) = self.seen().get(origin) {
            return Ok(Some(*peer_id));
        }
        let Some(path) = &self.file else {
            return Ok(None);
        };
        let file = read(path)?;
        file.pins
            .get(origin)
            .map(|entry| parse(path, entry))
            .transpose()
    }

    /// Keeps a key that has passed all checks, unless there is one. The one that stands: another
    /// one was kept meanwhile where they differ.
    ///
    /// # Errors
    /// When the file is damaged. One that cannot be written is only a pity: the key holds for as
    /// long as this value.
    pub fn keep(&self, origin: &str, peer_id: PeerId) -> Result<PeerId, StateError> {
        if let Some(known) = self.known(origin)? {
            self.seen().entry(origin.to_owned()).or_insert(known);
            return Ok(known);
        }
        let stands = match &self.file {
            None => peer_id,
            Some(path) => match store(path, origin, peer_id) {
                Err(error @ StateError::Io { .. }) => {
                    tracing::warn!(%error, "the agent's key is not kept for the next time");
                    peer_id
                }
                stored => stored?,
            },
        };
        Ok(*self.seen().entry(origin.to_owned()).or_insert(stands))
    }

    /// Every key in the file.
    ///
    /// # Errors
    /// When the file is damaged or cannot be read.
    pub fn list(&self) -> Result<Vec<Pinned>, StateError> {
        let Some(path) = &self.file else {
            return Ok(Vec::new());
        };
        let pins = read(path)?.pins.into_iter();
        Ok(pins
            .map(|(origin, entry)| Pinned {
                origin,
                peer_id: entry.peer_id,
                since_ms: entry.since_ms,
            })
            .collect())
    }

    /// Forgets the key of an origin: whoever answers next is believed. `true`: there was one.
    ///
    /// # Errors
    /// When the file is damaged, or cannot be read or written.
    pub fn forget(&self, origin: &str) -> Result<bool, StateError> {
        let seen = self.seen().remove(origin).is_some();
        let Some(path) = self.file.as_ref().filter(|path| path.exists()) else {
            return Ok(seen);
        };
        let _alone = lock(path)?;
        let mut file = read(path)?;
        let stored = file.pins.remove(origin).is_some();
        if stored {
            write_json(path, &file)?;
        }
        Ok(seen || stored)
    }

    fn seen(&self) -> MutexGuard<'_, BTreeMap<String, PeerId>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn store(path: &Path, origin: &str, peer_id: PeerId) -> Result<PeerId, StateError> {
    let _alone = lock(path)?;
    let mut file = read(path)?;
    if let Some(entry) = file.pins.get(origin) {
        return parse(path, entry);
    }
    if file.pins.len() >= MAX_PINS {
        tracing::warn!(file = %path.display(), "the file of pins is full: forget some");
        return Ok(peer_id);
    }
    let entry = Entry {
        peer_id: peer_id.to_string(),
        since_ms: Machine.unix_millis(),
    };
    file.pins.insert(origin.to_owned(), entry);
    write_json(path, &file)?;
    Ok(peer_id)
}

fn read(path: &Path) -> Result<PinFile, StateError> {
    let file: Option<PinFile> = read_json(path)?;
    let file = file.unwrap_or(PinFile {
        version: 1,
        pins: BTreeMap::new(),
    });
    match file.version {
        1 => Ok(file),
        other => Err(damaged(path, format!("version {other} is not known"))),
    }
}

fn parse(path: &Path, entry: &Entry) -> Result<PeerId, StateError> {
    entry
        .peer_id
        .parse()
        .map_err(|error| damaged(path, format!("failed to {error}")))
}

fn damaged(path: &Path, reason: String) -> StateError {
    StateError::Damaged {
        path: path.to_owned(),
        reason,
    }
}

/// Keeps other programs from writing until it is dropped. The file of pins itself is replaced
/// with each write, so the lock is one beside it.
fn lock(path: &Path) -> Result<File, StateError> {
    let path = path.with_extension("lock");
    let open = || -> io::Result<File> {
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)?;
        file.lock()?;
        Ok(file)
    };
    open().map_err(|source| StateError::Io {
        action: "lock",
        path: path.clone(),
        source,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use p2claw_identity::IdentityKey;

    use super::*;

    const ORIGIN: &str = "https://a-bob.example";

    fn key(seed: u8) -> PeerId {
        IdentityKey::from_seed([seed; 32]).peer_id()
    }

    /// IDN-020: the first key stands, for this run and the next.
    #[test]
    fn idn_020_the_first_key_of_an_origin_stands() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pins.json");
        let pins = Pins::in_file(path.clone());
        assert_eq!(pins.known(ORIGIN).unwrap(), None);
        assert_eq!(pins.keep(ORIGIN, key(1)).unwrap(), key(1));
        assert_eq!(pins.keep(ORIGIN, key(2)).unwrap(), key(1));
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);

        let later = Pins::in_file(path.clone());
        assert_eq!(later.known(ORIGIN).unwrap(), Some(key(1)));
        assert_eq!(later.known("https://b-bob.example").unwrap(), None);
        assert_eq!(later.list().unwrap()[0].peer_id, key(1).to_string());
        assert!(later.forget(ORIGIN).unwrap());
        assert!(!later.forget(ORIGIN).unwrap());
        assert_eq!(later.keep(ORIGIN, key(2)).unwrap(), key(2));
        let memory = Pins::in_memory();
        assert_eq!(memory.keep(ORIGIN, key(1)).unwrap(), key(1));
        assert_eq!(memory.known(ORIGIN).unwrap(), Some(key(1)));
    }

    /// IDN-020: what another program has kept meanwhile counts.
    #[test]
    fn idn_020_two_programs_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pins.json");
        let run = |number: u8| {
            let path = path.clone();
            std::thread::spawn(move || {
                let pins = Pins::in_file(path);
                pins.keep(&format!("https://app{number}-bob.example"), key(number))
                    .unwrap();
                pins.keep(ORIGIN, key(number)).unwrap()
            })
        };
        let threads: Vec<_> = (1..=8).map(run).collect();
        let stands: Vec<_> = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect();
        assert!(stands.iter().all(|one| *one == stands[0]));
        assert_eq!(Pins::in_file(path).list().unwrap().len(), 9);
    }

    #[test]
    fn a_damaged_file_is_named_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pins.json");
        Pins::in_file(path.clone()).keep(ORIGIN, key(1)).unwrap();
        let good = fs::read_to_string(&path).unwrap();
        for damage in [
            String::new(),
            good[..good.len() / 2].to_owned(),
            good.replace("\"version\": 1", "\"version\": 2"),
            good.replace(&key(1).to_string(), "nobody"),
        ] {
            fs::write(&path, &damage).unwrap();
            let pins = Pins::in_file(path.clone());
            for error in [
                pins.known(ORIGIN).unwrap_err(),
                pins.keep(ORIGIN, key(2)).unwrap_err(),
            ] {
                assert!(error.to_string().contains("pins.json"), "{error}");
            }
            assert_eq!(fs::read_to_string(&path).unwrap(), damage);
        }
    }

    /// IDN-020: without a place to store it, the key still holds for this run.
    #[test]
    fn idn_020_a_key_that_cannot_be_stored_holds_for_the_run() {
        let folder = tempfile::tempdir().unwrap();
        let pins = Pins::in_file(folder.path().join("none/pins.json"));
        assert_eq!(pins.keep(ORIGIN, key(1)).unwrap(), key(1));
        assert_eq!(pins.keep(ORIGIN, key(2)).unwrap(), key(1));
    }
}
