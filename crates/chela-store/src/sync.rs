//! Makes commits safe from a power failure, beside the writer: it never waits for the disk, and one sync covers all commits before it,
//! because the write-ahead log is one file.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;

use rusqlite::Connection;

use crate::writer::Job;
use crate::{Result, StoreError};

/// Calls that are committed and wait for the disk.
pub(crate) type Committed = Vec<Box<dyn Job>>;

/// The write-ahead log, open for the life of the store: SQLite removes the file only with its last connection.
pub(crate) struct Wal {
    file: File,
    path: PathBuf,
    broken: AtomicBool,
}

impl Wal {
    /// Opens the log of a database; `None` where the file system allows none, and SQLite has to sync each commit itself.
    pub(crate) fn open(conn: &Connection, db_path: &Path) -> Result<Option<Arc<Self>>> {
        let fail = |e: rusqlite::Error| StoreError::sqlite(db_path, "open", &e);
        let mode: String = conn.pragma_query_value(None, "journal_mode", |r| r.get(0)).map_err(fail)?;
        if !mode.eq_ignore_ascii_case("wal") {
            return Ok(None);
        }
        // Whatever is still to be done there creates the file.
        conn.execute_batch("BEGIN IMMEDIATE; COMMIT").map_err(fail)?;
        let mut name = db_path.as_os_str().to_owned();
        name.push("-wal");
        let path = PathBuf::from(name);
        let file = File::open(&path).map_err(|e| StoreError::io(&path, "open", e))?;
        // SQLite syncs the entry of the log in its directory with the log's own first sync, which is ours now.
        let dir = path.parent().unwrap_or(Path::new("."));
        File::open(dir).and_then(|d| d.sync_all()).map_err(|e| StoreError::io(dir, "sync", e))?;
        Ok(Some(Arc::new(Self { file, path, broken: AtomicBool::new(false) })))
    }

    /// Waits until all that was committed so far is on the disk. After one failure it fails for good: the system forgets what it could
    /// not write, so that a later sync proves nothing about earlier commits.
    pub(crate) fn sync(&self) -> Result<()> {
        let fail = |e| StoreError::io(&self.path, "sync", e);
        if self.broken.load(Ordering::Acquire) {
            return Err(fail(std::io::Error::other("an earlier sync failed; check the disk and restart the gateway")));
        }
        self.file.sync_data().map_err(|e| {
            self.broken.store(true, Ordering::Release);
            tracing::error!(path = %self.path.display(), error = %e, "the database's log could not be synced; nothing more is acknowledged until a restart");
            fail(e)
        })
    }
}

/// Answers calls once their commits are on the disk, until the writer has gone.
pub(crate) fn run(wal: &Wal, queue: &Receiver<Committed>) {
    while let Ok(mut jobs) = queue.recv() {
        while let Ok(more) = queue.try_recv() {
            jobs.extend(more);
        }
        let outcome = wal.sync();
        for job in jobs {
            job.finish(outcome.clone());
        }
    }
}
