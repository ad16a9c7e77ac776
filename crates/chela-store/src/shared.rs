//! What the threads of one store share.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use crate::cache::{RecentSet, RowCache};
use crate::expiry::ExpiryWatch;
use crate::windows::WindowCache;
use crate::{Result, StoreError, schema};

/// Reading connections kept open.
const IDLE_READERS: usize = 4;

pub(crate) type DirFor = Box<dyn Fn(&str) -> PathBuf + Send + Sync>;

pub(crate) struct Shared {
    pub(crate) db_path: PathBuf,
    pub(crate) sessions_dir_for: DirFor,
    pub(crate) cwd: String,
    cache: Mutex<RowCache>,
    windows: Mutex<WindowCache>,
    loaded: Mutex<RecentSet>,
    readers: Mutex<Vec<Connection>>,
    finished_runs: AtomicU32,
    pub(crate) expiry: ExpiryWatch,
}

impl Shared {
    pub(crate) fn new(db_path: PathBuf, sessions_dir_for: DirFor, cwd: String) -> Self {
        Self {
            db_path,
            sessions_dir_for,
            cwd,
            cache: Mutex::default(),
            windows: Mutex::default(),
            loaded: Mutex::default(),
            readers: Mutex::default(),
            finished_runs: AtomicU32::new(0),
            expiry: ExpiryWatch::default(),
        }
    }

    /// Locks are held for a look or an insertion, never across an await; what they guard is valid after every
    /// single step, so a panic elsewhere does not spoil it.
    pub(crate) fn cache(&self) -> MutexGuard<'_, RowCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn windows(&self) -> MutexGuard<'_, WindowCache> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a finished run; true for the first and then for each `every`-th.
    pub(crate) fn is_prune_due(&self, every: u32) -> bool {
        self.finished_runs.fetch_add(1, Ordering::Relaxed).is_multiple_of(every)
    }

    pub(crate) fn is_loaded(&self, session_id: &str) -> bool {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner).contains(session_id)
    }

    pub(crate) fn mark_loaded(&self, session_id: String) {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner).insert(session_id);
    }

    pub(crate) fn mark_unloaded(&self, session_id: &str) {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner).remove(session_id);
    }

    /// Runs a query on a reading connection of the calling thread's own.
    pub(crate) fn read<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let conn = match idle {
            Some(conn) => conn,
            None => schema::open_reader(&self.db_path)?,
        };
        let outcome = work(&conn).map_err(|e| self.sqlite("read", &e));
        let mut idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_READERS {
            idle.push(conn);
        }
        outcome
    }

    pub(crate) fn sqlite(&self, operation: &'static str, e: &rusqlite::Error) -> StoreError {
        StoreError::sqlite(&self.db_path, operation, e)
    }

    pub(crate) fn close_readers(&self) {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
