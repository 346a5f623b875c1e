//! Which app is where: the table that `expose` and `unexpose` change.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use p2claw_identity::AppName;
use p2claw_network::{Machine, Network};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::{
    proxy::UpstreamClient,
    state::{self, StateError},
    upstream::{Connector, Upstream},
};

/// Apps of one agent. Coord's own limit may be lower (`Welcome.max_routes`).
pub const MAX_ROUTES: usize = 256;

/// One app.
#[derive(Debug)]
pub struct Route {
    /// Where it listens.
    pub upstream: Upstream,
    /// Give it the public `Host` instead of its own.
    pub preserve_host: bool,
    pub(crate) client: UpstreamClient,
}

/// A route as it is kept in `routes.json` and shown by the local API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteEntry {
    /// Where it listens.
    pub upstream: Upstream,
    /// Give it the public `Host` instead of its own.
    #[serde(default)]
    pub preserve_host: bool,
}

/// Why a route was refused.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// The table is full.
    #[error(
        "expose {app}: {limit} apps are exposed already, which is the limit; unexpose one first"
    )]
    Full {
        /// The app that found no place.
        app: AppName,
        /// Places in the table.
        limit: usize,
    },
    /// The table could not be written; it stands as it was.
    #[error(transparent)]
    State(#[from] StateError),
}

/// The table, kept in a file where a path is given.
#[derive(Debug)]
pub struct Routes {
    network: Arc<dyn Network>,
    file: Option<PathBuf>,
    table: Mutex<BTreeMap<AppName, Arc<Route>>>,
    limit: AtomicUsize,
    changed: watch::Sender<u64>,
}

impl Routes {
    /// Reads the table from `file`, or starts an empty one.
    ///
    /// # Errors
    /// When the file is there and is not what this program wrote; it is left as it is.
    pub fn load(file: Option<PathBuf>) -> Result<Self, StateError> {
        Self::load_on(Arc::new(Machine), file)
    }

    /// The same, with upstreams on another machine than this.
    ///
    /// # Errors
    /// As [`Routes::load`].
    pub fn load_on(network: Arc<dyn Network>, file: Option<PathBuf>) -> Result<Self, StateError> {
        let entries: BTreeMap<String, RouteEntry> = match &file {
            Some(path) => state::read_json(path)?.unwrap_or_default(),
            None => BTreeMap::new(),
        };
        let mut table = BTreeMap::new();
        for (name, entry) in entries {
            let app = AppName::parse(&name).map_err(|error| StateError::Damaged {
                path: file.clone().unwrap_or_default(),
                reason: format!("route {name:?}: {error}"),
            })?;
            table.insert(app, Arc::new(Route::new(entry, &network)));
        }
        Ok(Self {
            network,
            file,
            table: Mutex::new(table),
            limit: AtomicUsize::new(MAX_ROUTES),
            changed: watch::channel(0).0,
        })
    }

    /// Adds or replaces a route; returns what it replaced.
    ///
    /// # Errors
    /// When the table is full or cannot be written; it then stands as it was.
    pub fn expose(
        &self,
        app: AppName,
        entry: RouteEntry,
    ) -> Result<Option<RouteEntry>, RouteError> {
        let mut table = self.table();
        let limit = self.limit.load(Ordering::Relaxed);
        if !table.contains_key(&app) && table.len() >= limit {
            return Err(RouteError::Full { app, limit });
        }
        let mut next = table.clone();
        let replaced = next.insert(app, Arc::new(Route::new(entry, &self.network)));
        self.keep(&next)?;
        *table = next;
        drop(table);
        self.changed.send_modify(|generation| *generation += 1);
        Ok(replaced.map(|route| route.entry()))
    }

    /// Takes in how many apps coord allows: one more would only push another out.
    pub(crate) fn limit(&self, max_routes: u32) {
        let coord = usize::try_from(max_routes).unwrap_or(usize::MAX);
        self.limit.store(coord.min(MAX_ROUTES), Ordering::Relaxed);
    }

    /// Takes a route away. `false`: there was none.
    ///
    /// # Errors
    /// When the table cannot be written; it then stands as it was.
    pub fn unexpose(&self, app: &AppName) -> Result<bool, RouteError> {
        let mut table = self.table();
        let mut next = table.clone();
        if next.remove(app).is_none() {
            return Ok(false);
        }
        self.keep(&next)?;
        *table = next;
        drop(table);
        self.changed.send_modify(|generation| *generation += 1);
        Ok(true)
    }

    /// The route of an app.
    #[must_use]
    pub fn get(&self, app: &AppName) -> Option<Arc<Route>> {
        self.table().get(app).cloned()
    }

    /// All apps, in order.
    #[must_use]
    pub fn entries(&self) -> BTreeMap<AppName, RouteEntry> {
        self.table()
            .iter()
            .map(|(app, route)| (app.clone(), route.entry()))
            .collect()
    }

    /// Names of all apps, in order.
    #[must_use]
    pub fn apps(&self) -> Vec<AppName> {
        self.table().keys().cloned().collect()
    }

    /// Tells of each change.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn keep(&self, table: &BTreeMap<AppName, Arc<Route>>) -> Result<(), StateError> {
        let Some(path) = &self.file else {
            return Ok(());
        };
        let entries: BTreeMap<String, RouteEntry> = table
            .iter()
            .map(|(app, route)| (app.to_string(), route.entry()))
            .collect();
        state::write_json(path, &entries)
    }

    fn table(&self) -> MutexGuard<'_, BTreeMap<AppName, Arc<Route>>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Route {
    fn new(entry: RouteEntry, network: &Arc<dyn Network>) -> Self {
        let client = UpstreamClient::new(Connector {
            upstream: entry.upstream.clone(),
            network: Arc::clone(network),
        });
        Self {
            upstream: entry.upstream,
            preserve_host: entry.preserve_host,
            client,
        }
    }

    fn entry(&self) -> RouteEntry {
        RouteEntry {
            upstream: self.upstream.clone(),
            preserve_host: self.preserve_host,
        }
    }
}
