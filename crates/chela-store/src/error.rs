//! Errors of the store: each names the file, the operation and, where there is one, the next step.

use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Everything that can go wrong in the store.
///
/// Cloneable, because one failed commit answers every caller of its batch.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// No space is left for the database; nothing of the failed call was stored and what was stored before is whole.
    #[error("no space left to write `{path}`: free disk space and repeat the call; nothing stored before is lost", path = path.display())]
    DiskFull {
        /// The database file.
        path: PathBuf,
    },
    /// A file operation beside the database failed.
    #[error("cannot {operation} `{path}`: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried, as a verb phrase.
        operation: &'static str,
        /// The cause.
        source: Arc<std::io::Error>,
    },
    /// SQLite refused an operation.
    #[error("database `{path}` failed during {operation}: {message}", path = path.display())]
    Sqlite {
        /// The database file.
        path: PathBuf,
        /// What was tried.
        operation: &'static str,
        /// SQLite's own words.
        message: String,
    },
    /// A stored value cannot be read back.
    #[error("`{path}` holds a value that cannot be read: {detail}", path = path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Which value, and why.
        detail: String,
    },
    /// The database was written by a newer release.
    #[error("database `{path}` has schema version {found}, this release reads up to {supported}: start the newer release", path = path.display())]
    SchemaTooNew {
        /// The database file.
        path: PathBuf,
        /// The version found.
        found: i64,
        /// The newest version known here.
        supported: i64,
    },
    /// Another process has the database open.
    #[error("database `{path}` is in use by another process: stop the running gateway or talk to it instead", path = path.display())]
    InUse {
        /// The database file.
        path: PathBuf,
    },
    /// There is no session with this key.
    #[error("no session has the key `{key}`")]
    UnknownSession {
        /// The canonical key asked for.
        key: String,
    },
    /// There is no transcript with this session id.
    #[error("no transcript has the session id `{session_id}`")]
    UnknownTranscript {
        /// The session id asked for.
        session_id: String,
    },
    /// An argument breaks a rule of the store.
    #[error("invalid {field}: {detail}")]
    Invalid {
        /// The argument.
        field: &'static str,
        /// The rule.
        detail: String,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// A caller's update function panicked; nothing of the call was stored.
    #[error("an update function panicked; nothing of the call was stored")]
    UpdatePanicked,
}

impl StoreError {
    /// True when the same call may succeed later without a change in its arguments.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::DiskFull { .. } | Self::Io { .. } | Self::InUse { .. })
    }

    pub(crate) fn io(path: &Path, operation: &'static str, source: std::io::Error) -> Self {
        if source.kind() == std::io::ErrorKind::StorageFull {
            return Self::DiskFull { path: path.to_owned() };
        }
        Self::Io { path: path.to_owned(), operation, source: Arc::new(source) }
    }

    pub(crate) fn sqlite(path: &Path, operation: &'static str, source: &rusqlite::Error) -> Self {
        if is_full(source) {
            return Self::DiskFull { path: path.to_owned() };
        }
        Self::Sqlite { path: path.to_owned(), operation, message: source.to_string() }
    }

    pub(crate) fn invalid(field: &'static str, detail: impl Into<String>) -> Self {
        Self::Invalid { field, detail: detail.into() }
    }
}

/// SQLite reports a full disk as FULL, and as an I/O error while it grows the shared-memory file.
fn is_full(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::SqliteFailure(e, _) => {
            e.code == rusqlite::ErrorCode::DiskFull || e.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE
        }
        _ => false,
    }
}

/// Result of the store.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;
