//! Files that an agent keeps: the identity key, the routes, the alias it was given.
//!
//! Mode 0600, written to a temporary file, synced and renamed: at any moment the file is the old
//! or the new one. A damaged file is named and left alone.

use std::{
    fs, io,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use p2claw_identity::{IdentityKey, PeerId};
use serde::{Serialize, de::DeserializeOwned};
use tempfile::{NamedTempFile, PersistError};

/// Largest state file that is read, in bytes; ours are far smaller.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Longest path of a Unix socket that every system allows, in bytes (macOS; Linux has 107).
const SOCKET_PATH_MAX: usize = 103;

/// The local API's socket.
const SOCKET: &str = "agent.sock";

/// Only the owner.
const DIRECTORY_MODE: u32 = 0o700;

/// Why a state file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The system refused.
    #[error("{action} {path}: {source}", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The folder's path is too long for a socket in it.
    #[error(
        "use the state directory {path}: the agent's socket in it would have a path of {length} \
         bytes, and the system allows {SOCKET_PATH_MAX}; give a shorter --state-dir",
        path = path.display()
    )]
    TooLong {
        /// Which folder.
        path: PathBuf,
        /// Bytes of the socket's path.
        length: usize,
    },
    /// Something else than a folder has the name.
    #[error("use the state directory {path}: it is a file; give another --state-dir", path = .0.display())]
    NoFolder(PathBuf),
    /// The file is not what this program wrote.
    #[error(
        "read {path}: the file is damaged ({reason}); nothing was changed: restore it, or move it \
         away to start anew",
        path = path.display()
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// The folder of one agent.
#[derive(Debug, Clone)]
pub struct StateDir(PathBuf);

impl StateDir {
    /// Opens the folder, and makes it (0700) where it is missing.
    ///
    /// # Errors
    /// As the system says.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StateError> {
        let path = path.into();
        let length = path.join(SOCKET).as_os_str().len();
        if length > SOCKET_PATH_MAX {
            return Err(StateError::TooLong { path, length });
        }
        if path.exists() && !path.is_dir() {
            return Err(StateError::NoFolder(path));
        }
        fs::DirBuilder::new()
            .recursive(true)
            .mode(DIRECTORY_MODE)
            .create(&path)
            .map_err(|source| StateError::Io {
                action: "make",
                path: path.clone(),
                source,
            })?;
        Ok(Self(path))
    }

    /// The folder's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The local API's socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.0.join(SOCKET)
    }

    /// The table of routes.
    #[must_use]
    pub fn routes(&self) -> PathBuf {
        self.0.join("routes.json")
    }

    /// The keys of the agents that this user has visited (`IDN-020`).
    #[must_use]
    pub fn pins(&self) -> PathBuf {
        self.0.join("pins.json")
    }

    /// The identity key's file.
    #[must_use]
    pub fn identity(&self) -> PathBuf {
        self.0.join("identity.json")
    }

    /// The identity key; made from `fresh` at the first call.
    ///
    /// # Errors
    /// When the file is damaged or cannot be read or written. A damaged key is never replaced:
    /// it is the address.
    pub fn identity_key(
        &self,
        fresh: impl FnOnce() -> [u8; 32],
    ) -> Result<IdentityKey, StateError> {
        if let Some(key) = self.kept_key()? {
            return Ok(key);
        }
        let key = IdentityKey::from_seed(fresh());
        let file = IdentityFile::from(&key);
        match create_json(&self.identity(), &file) {
            // Another process was quicker: its key is the address.
            Err(error) if error.is_already_there() => self.kept_key()?.ok_or(error),
            created => created.map(|()| key),
        }
    }

    /// The peer id of the identity key; `None` before there is one. Makes nothing.
    ///
    /// # Errors
    /// When the file is damaged or cannot be read.
    pub fn kept_peer_id(&self) -> Result<Option<PeerId>, StateError> {
        Ok(self.kept_key()?.map(|key| key.peer_id()))
    }

    fn kept_key(&self) -> Result<Option<IdentityKey>, StateError> {
        let path = self.identity();
        let kept = read_json::<IdentityFile>(&path)?.map(|file| file.key());
        kept.transpose()
            .map_err(|reason| StateError::Damaged { path, reason })
    }
}

impl StateError {
    fn is_already_there(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::AlreadyExists)
    }
}

#[derive(Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct IdentityFile {
    /// 1.
    version: u32,
    /// Public; it lets a damaged seed be noticed.
    peer_id: String,
    /// 32 bytes, hex. Secret.
    seed: String,
}

impl IdentityFile {
    fn key(&self) -> Result<IdentityKey, String> {
        if self.version != 1 {
            return Err(format!("version {} is not known", self.version));
        }
        let seed = decode_hex(&self.seed).ok_or("the seed is not 32 bytes of hex")?;
        let key = IdentityKey::from_seed(seed);
        if key.peer_id().to_string() == self.peer_id {
            Ok(key)
        } else {
            Err("the seed does not belong to the peer id".to_owned())
        }
    }
}

impl From<&IdentityKey> for IdentityFile {
    fn from(key: &IdentityKey) -> Self {
        let seed = key
            .seed()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Self {
            version: 1,
            peer_id: key.peer_id().to_string(),
            seed,
        }
    }
}

fn decode_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

/// Reads a file; `None` where there is none.
///
/// # Errors
/// When it cannot be read, is larger than 1 MiB, or is damaged.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, StateError> {
    let io_error = |source| StateError::Io {
        action: "read",
        path: path.to_owned(),
        source,
    };
    let damaged = |reason: String| StateError::Damaged {
        path: path.to_owned(),
        reason,
    };
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error(error)),
        Ok(metadata) if metadata.len() > MAX_FILE_BYTES => {
            return Err(damaged("larger than 1 MiB".to_owned()));
        }
        Ok(_) => {}
    }
    let text = fs::read(path).map_err(io_error)?;
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(|error| damaged(error.to_string()))
}

/// Replaces a file as a whole.
///
/// # Errors
/// As the system says; the file is the old one then.
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<(), StateError> {
    put_json(path, value, |file| file.persist(path))
}

/// Makes a file as a whole, unless there is one.
fn create_json<T: Serialize>(path: &Path, value: &T) -> Result<(), StateError> {
    put_json(path, value, |file| file.persist_noclobber(path))
}

fn put_json<T: Serialize>(
    path: &Path,
    value: &T,
    put: impl FnOnce(NamedTempFile) -> Result<fs::File, PersistError>,
) -> Result<(), StateError> {
    let io_error = |source| StateError::Io {
        action: "write",
        path: path.to_owned(),
        source,
    };
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(io::Error::from)
        .map_err(io_error)?;
    text.push(b'\n');
    let mut file = tempfile::Builder::new()
        .prefix(".p2claw-")
        .permissions(fs::Permissions::from_mode(0o600))
        .tempfile_in(directory)
        // Its own words name the temporary file, which nobody knows.
        .map_err(|error| io_error(error.kind().into()))?;
    file.write_all(&text).map_err(io_error)?;
    file.as_file().sync_all().map_err(io_error)?;
    put(file).map_err(|error| io_error(error.error))?;
    // The rename itself is to last, too.
    fs::File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(io_error)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
    use super::*;

    /// IDN-001
    #[test]
    fn the_key_is_made_once_and_kept_private() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path().join("a/b")).unwrap();
        let first = state.identity_key(|| [7; 32]).unwrap();
        let second = state.identity_key(|| [8; 32]).unwrap();
        assert_eq!(first.peer_id(), second.peer_id());
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&state.identity()), 0o600);
        assert_eq!(mode(state.path()), 0o700);
        assert_eq!(
            fs::read_dir(state.path()).unwrap().count(),
            1,
            "no temporary file stays"
        );
    }

    /// `p2claw identity` beside the first `p2claw run`.
    #[test]
    fn of_two_first_starts_one_makes_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path()).unwrap();
        let other = state.clone();
        let late = state
            .identity_key(|| {
                other.identity_key(|| [8; 32]).unwrap();
                [7; 32]
            })
            .unwrap();
        assert_eq!(late.seed(), &[8; 32]);
        assert_eq!(state.identity_key(|| [9; 32]).unwrap().seed(), &[8; 32]);
        assert_eq!(fs::read_dir(state.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_file_is_named_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path()).unwrap();
        let key = state.identity_key(|| [7; 32]).unwrap();
        let good = fs::read_to_string(state.identity()).unwrap();
        let seed: String = key
            .seed()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        for damage in [
            String::new(),
            good[..good.len() / 2].to_owned(),
            good.replace(&seed, &"0".repeat(64)),
            good.replace("\"version\": 1", "\"version\": 9"),
            " ".repeat(2 * 1024 * 1024),
        ] {
            fs::write(state.identity(), &damage).unwrap();
            let error = state.identity_key(|| [9; 32]).unwrap_err();
            assert!(error.to_string().contains("identity.json"), "{error}");
            assert_eq!(fs::read_to_string(state.identity()).unwrap(), damage);
        }
    }
}
