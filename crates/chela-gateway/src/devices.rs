//! Paired devices, pending requests and setup codes, in the reference's files (GW-148).
//!
//! `paired.json`, `pending.json` and `bootstrap.json` stay readable and writable by the reference in both directions: fields
//! that we do not know are kept, and another program's change is noticed before every operation. Tokens stay
//! in clear as there (files have mode 0600), because the reference could not use the file otherwise and the
//! hello must be able to repeat a token; comparisons take constant time.

mod bootstrap;
pub mod model;
mod pairing;
mod tokens;

pub use bootstrap::{BootstrapUse, IssuedBootstrap};
pub use model::{BootstrapProfile, BootstrapToken, DeviceRecord, DeviceToken, PairedDevice, PendingDevice};
pub use pairing::{ApproveOutcome, DeviceClaim, PairingRequested};
pub(crate) use tokens::random_token;
pub use tokens::{TokenCheck, TokenError};

use chela_gateway_protocol::limits::{BOOTSTRAP_TOKEN_TTL_MS, PENDING_DEVICE_TTL_MS};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// What can go wrong with the files.
#[derive(Debug, thiserror::Error)]
pub enum DeviceStoreError {
    /// The file cannot be read or written.
    #[error("cannot access device file `{path}`: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not what it should be.
    #[error("device file `{path}` is not valid: {problem}; repair it or move it away")]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The system gives no random numbers.
    #[error("no random numbers for a device token: {0}")]
    Random(String),
}

/// The store. Operations block on small files; call them off the I/O path.
#[derive(Debug)]
pub struct DeviceStore {
    paired_path: PathBuf,
    pending_path: PathBuf,
    bootstrap_path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) paired: BTreeMap<String, PairedDevice>,
    pub(crate) pending: BTreeMap<String, PendingDevice>,
    pub(crate) bootstrap: BTreeMap<String, BootstrapToken>,
    paired_seen: Option<FileStamp>,
    pending_seen: Option<FileStamp>,
    bootstrap_seen: Option<FileStamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileStamp {
    modified: Option<SystemTime>,
    len: u64,
}

/// Which files an operation changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dirty {
    Nothing,
    Paired,
    Pending,
    /// Paired devices and pending requests.
    Both,
    Bootstrap,
}

impl DeviceStore {
    /// A store over a directory; the files need not exist.
    pub fn new(dir: &Path) -> Self {
        DeviceStore {
            paired_path: dir.join("paired.json"),
            pending_path: dir.join("pending.json"),
            bootstrap_path: dir.join("bootstrap.json"),
            state: Mutex::default(),
        }
    }

    /// All paired devices and pending requests, newest first.
    pub fn list(&self) -> Result<(Vec<PairedDevice>, Vec<PendingDevice>), DeviceStoreError> {
        let state = self.load()?;
        let mut paired: Vec<_> = state.paired.values().cloned().collect();
        paired.sort_by_key(|device| std::cmp::Reverse(device.approved_at_ms));
        let mut pending: Vec<_> = state.pending.values().cloned().collect();
        pending.sort_by_key(|request| std::cmp::Reverse(request.ts));
        Ok((paired, pending))
    }

    /// One paired device.
    pub fn paired(&self, device_id: &str) -> Result<Option<PairedDevice>, DeviceStoreError> {
        Ok(self.load()?.paired.get(device_id.trim()).cloned())
    }

    /// Loads what changed on disk and drops requests that have outlived their time (GW-51).
    pub(crate) fn load(&self) -> Result<MutexGuard<'_, State>, DeviceStoreError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { paired, pending, bootstrap, paired_seen, pending_seen, bootstrap_seen } = &mut *state;
        refresh(&self.paired_path, paired, paired_seen)?;
        refresh(&self.pending_path, pending, pending_seen)?;
        refresh(&self.bootstrap_path, bootstrap, bootstrap_seen)?;
        let now = now_ms();
        pending.retain(|_, request| now - request.ts <= PENDING_DEVICE_TTL_MS);
        bootstrap.retain(|_, token| now - token.ts <= BOOTSTRAP_TOKEN_TTL_MS);
        Ok(state)
    }

    /// Runs one operation and writes what it changed. When writing fails the memory is read again from disk
    /// next time, so that it never claims what the files do not hold.
    pub(crate) fn update<T>(
        &self,
        operation: impl FnOnce(&mut State) -> Result<(T, Dirty), DeviceStoreError>,
    ) -> Result<T, DeviceStoreError> {
        let mut state = self.load()?;
        let (result, dirty) = operation(&mut state)?;
        let written = self.write(&mut state, dirty);
        if written.is_err() {
            *state = State::default();
        }
        written.map(|()| result)
    }

    fn write(&self, state: &mut State, dirty: Dirty) -> Result<(), DeviceStoreError> {
        if matches!(dirty, Dirty::Pending | Dirty::Both) {
            write_private(&self.pending_path, &state.pending)?;
            state.pending_seen = file_stamp(&self.pending_path)?;
        }
        if matches!(dirty, Dirty::Paired | Dirty::Both) {
            write_private(&self.paired_path, &state.paired)?;
            state.paired_seen = file_stamp(&self.paired_path)?;
        }
        if dirty == Dirty::Bootstrap {
            write_private(&self.bootstrap_path, &state.bootstrap)?;
            state.bootstrap_seen = file_stamp(&self.bootstrap_path)?;
        }
        Ok(())
    }
}

pub(crate) fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

fn file_stamp(path: &Path) -> Result<Option<FileStamp>, DeviceStoreError> {
    match std::fs::metadata(path) {
        Ok(meta) => Ok(Some(FileStamp { modified: meta.modified().ok(), len: meta.len() })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(io_error(path, source)),
    }
}

fn refresh<T: DeserializeOwned>(path: &Path, rows: &mut BTreeMap<String, T>, seen: &mut Option<FileStamp>) -> Result<(), DeviceStoreError> {
    let stamp = file_stamp(path)?;
    if stamp != *seen {
        *rows = read_map(path)?;
        *seen = stamp;
    }
    Ok(())
}

pub(crate) fn read_map<T: DeserializeOwned>(path: &Path) -> Result<BTreeMap<String, T>, DeviceStoreError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(source) => return Err(io_error(path, source)),
    };
    let format = |problem: String| DeviceStoreError::Format { path: path.to_owned(), problem };
    let value: Value = serde_json::from_slice(&bytes).map_err(|error| format(error.to_string()))?;
    // Like the reference: anything but a map counts as empty.
    let Value::Object(map) = value else {
        return Ok(BTreeMap::new());
    };
    map.into_iter()
        .map(|(key, value)| {
            serde_json::from_value(value).map(|entry| (key.clone(), entry)).map_err(|error| format(format!("entry `{key}`: {error}")))
        })
        .collect()
}

pub(crate) fn write_private<T: Serialize>(path: &Path, value: &T) -> Result<(), DeviceStoreError> {
    use std::io::Write;
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    let failed = |source| io_error(path, source);
    let text = serde_json::to_string_pretty(value).map_err(|error| failed(io::Error::other(error)))?;
    if let Some(dir) = path.parent() {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
    }
    let part = path.with_extension(format!("json.{}.tmp", uuid::Uuid::new_v4()));
    let result = (|| {
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&part, path)
    })();
    if result.is_err() {
        let _ = std::fs::remove_file(&part); // the error of the write is the one to report
    }
    result.map_err(failed)
}

fn io_error(path: &Path, source: io::Error) -> DeviceStoreError {
    DeviceStoreError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests;
