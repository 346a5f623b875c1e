//! Aliases in an embedded database.

use super::{MAX_CANDIDATES, Registry, RegistryError, Standing};
use async_trait::async_trait;
use p2claw_identity::{Alias, PeerId};
use redb::backends::FileBackend;
use redb::{Builder, Database, DatabaseError, ReadableTable, TableDefinition};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Alias of each key; empty for one that has revoked it.
const ALIASES: TableDefinition<'_, &[u8; 32], &str> = TableDefinition::new("aliases by key");
/// Key of each alias that was ever given.
const KEYS: TableDefinition<'_, &str, &[u8; 32]> = TableDefinition::new("keys by alias");
/// Facts about the file itself.
const FILE: TableDefinition<'_, &str, u32> = TableDefinition::new("file");
/// Version of these tables.
const LAYOUT: u32 = 1;

/// Memory for pages, in bytes. The engine would take 1 GiB; a million aliases are about 100 MB,
/// and most lookups are of the same few.
const CACHE_BYTES: usize = 16 * 1024 * 1024;

/// A registry in one file, which only one process may have open.
#[derive(Clone)]
pub struct EmbeddedRegistry {
    path: PathBuf,
    database: Arc<Database>,
}

impl std::fmt::Debug for EmbeddedRegistry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedRegistry")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl EmbeddedRegistry {
    /// Opens the file, or makes an empty one that only its owner can read.
    ///
    /// # Errors
    /// When the file is in use, damaged, of a later version, or cannot be made. It is left as it
    /// is then.
    pub async fn open(path: PathBuf) -> Result<Self, RegistryError> {
        let opened = {
            let path = path.clone();
            tokio::task::spawn_blocking(move || open(&path)).await
        };
        let database = opened.map_err(|error| damaged(&path, &error))??;
        Ok(Self {
            path,
            database: Arc::new(database),
        })
    }

    /// Runs one transaction where it may block.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, RegistryError> {
        let database = Arc::clone(&self.database);
        match tokio::task::spawn_blocking(move || work(&database)).await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(Failure::Exhausted)) => Err(RegistryError::Exhausted),
            Ok(Err(Failure::Engine(reason))) => Err(damaged(&self.path, &reason)),
            Err(error) => Err(damaged(&self.path, &error)),
        }
    }
}

/// Why a transaction failed.
enum Failure {
    Exhausted,
    Engine(String),
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Engine(error.to_string())
    }
}

fn damaged(path: &Path, reason: &impl ToString) -> RegistryError {
    RegistryError::Damaged {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

fn open(path: &Path) -> Result<Database, RegistryError> {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options
        .open(path)
        .map_err(|error| RegistryError::Unopened {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
    let not_open = |error: DatabaseError| {
        if matches!(error, DatabaseError::DatabaseAlreadyOpen) {
            RegistryError::InUse(path.to_owned())
        } else {
            damaged(path, &error)
        }
    };
    let database = Builder::new()
        .set_cache_size(CACHE_BYTES)
        .create_with_backend(FileBackend::new(file).map_err(not_open)?)
        .map_err(not_open)?;
    match check_layout(&database) {
        Ok(()) => Ok(database),
        Err(Failure::Engine(reason)) => Err(damaged(path, &reason)),
        Err(Failure::Exhausted) => Err(RegistryError::Exhausted),
    }
}

fn check_layout(database: &Database) -> Result<(), Failure> {
    let transaction = database.begin_write()?;
    {
        let mut file = transaction.open_table(FILE)?;
        let found = file.get("layout")?.map(|layout| layout.value());
        match found {
            None => {
                file.insert("layout", LAYOUT)?;
            }
            Some(LAYOUT) => {}
            Some(other) => {
                return Err(Failure::Engine(format!(
                    "it has layout {other}, which this version does not know"
                )));
            }
        }
        transaction.open_table(ALIASES)?;
        transaction.open_table(KEYS)?;
    }
    transaction.commit()?;
    Ok(())
}

fn standing(alias: &str) -> Result<Standing, Failure> {
    if alias.is_empty() {
        Ok(Standing::Revoked)
    } else {
        Ok(Standing::Alias(Alias::parse(alias)?))
    }
}

fn register(database: &Database, peer: PeerId) -> Result<Standing, Failure> {
    let reading = redb::ReadableDatabase::begin_read(database)?;
    if let Some(alias) = reading.open_table(ALIASES)?.get(peer.as_bytes())? {
        return standing(alias.value());
    }
    drop(reading);
    // There is one write transaction at a time, so what is read in it stays true until its end.
    let writing = database.begin_write()?;
    let given = {
        let mut aliases = writing.open_table(ALIASES)?;
        let mut keys = writing.open_table(KEYS)?;
        if let Some(alias) = aliases.get(peer.as_bytes())? {
            return standing(alias.value());
        }
        let mut free = None;
        for counter in 0..MAX_CANDIDATES {
            let candidate = Alias::candidate(&peer, counter);
            if keys.get(candidate.as_str())?.is_none() {
                free = Some(candidate);
                break;
            }
        }
        let alias = free.ok_or(Failure::Exhausted)?;
        keys.insert(alias.as_str(), peer.as_bytes())?;
        aliases.insert(peer.as_bytes(), alias.as_str())?;
        alias
    };
    writing.commit()?;
    Ok(Standing::Alias(given))
}

#[async_trait]
impl Registry for EmbeddedRegistry {
    async fn register(&self, peer: PeerId) -> Result<Standing, RegistryError> {
        self.run(move |database| register(database, peer)).await
    }

    async fn is_given(&self, alias: &Alias) -> Result<bool, RegistryError> {
        let alias = alias.clone();
        self.run(move |database| {
            let reading = redb::ReadableDatabase::begin_read(database)?;
            let Some(key) = reading.open_table(KEYS)?.get(alias.as_str())? else {
                return Ok(false);
            };
            let aliases = reading.open_table(ALIASES)?;
            let current = aliases.get(key.value())?;
            Ok(current.is_some_and(|current| current.value() == alias.as_str()))
        })
        .await
    }

    async fn revoke(&self, peer: PeerId) -> Result<(), RegistryError> {
        self.run(move |database| {
            let writing = database.begin_write()?;
            // The alias stays in the other table, so that nobody else gets it.
            writing.open_table(ALIASES)?.insert(peer.as_bytes(), "")?;
            writing.commit()?;
            Ok(())
        })
        .await
    }
}
