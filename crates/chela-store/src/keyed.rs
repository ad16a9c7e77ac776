//! The plugin keyed store: small durable values with a lifetime, per plugin and namespace (RT-074..087).
//!
//! Open to every plugin, unlike the reference's (RT-148).

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use rusqlite::params;
use serde_json::Value;

use crate::tx::Tx;
use crate::{Result, Store, StoreError, time};

/// Longest namespace in bytes (RT-076).
const MAX_NAMESPACE: usize = 128;
/// Longest key in bytes (RT-081).
const MAX_KEY: usize = 512;
/// Largest value, serialised, in bytes (RT-082).
const MAX_VALUE: usize = 65_536;
/// Deepest nesting of a value (RT-082).
const MAX_DEPTH: usize = 64;
/// Live rows of one plugin over all namespaces (RT-085).
const MAX_PER_PLUGIN: i64 = 1000;

/// The reference's error codes (RT-087).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyedErrorCode {
    /// An argument breaks a rule.
    InvalidInput,
    /// A limit of rows, size or depth is reached.
    LimitExceeded,
    /// The write failed; nothing was stored.
    WriteFailed,
    /// The read failed.
    ReadFailed,
    /// A stored value is no JSON.
    Corrupt,
    /// The store is closed.
    OpenFailed,
}

impl KeyedErrorCode {
    /// The code as plugins see it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidInput => "PLUGIN_STATE_INVALID_INPUT",
            Self::LimitExceeded => "PLUGIN_STATE_LIMIT_EXCEEDED",
            Self::WriteFailed => "PLUGIN_STATE_WRITE_FAILED",
            Self::ReadFailed => "PLUGIN_STATE_READ_FAILED",
            Self::Corrupt => "PLUGIN_STATE_CORRUPT",
            Self::OpenFailed => "PLUGIN_STATE_OPEN_FAILED",
        }
    }
}

/// An error of the keyed store, with what the reference's error object carries.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct KeyedError {
    /// Code.
    pub code: KeyedErrorCode,
    /// What was tried: `open`, `register`, `lookup`, `consume`, `delete`, `entries` or `clear`.
    pub operation: &'static str,
    /// What happened.
    pub message: String,
    /// The database, for errors of storage.
    pub path: Option<PathBuf>,
}

/// A live entry.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyedEntry {
    /// Key.
    pub key: String,
    /// Value.
    pub value: Value,
    /// When it was registered, milliseconds.
    pub created_at: i64,
    /// When it ends, milliseconds.
    pub expires_at: Option<i64>,
}

/// Options a namespace was opened with in this process (RT-078).
#[derive(Default)]
pub(crate) struct KeyedOptions(Mutex<HashMap<(String, String), Options>>);

#[derive(Debug, Clone, Copy, PartialEq)]
struct Options {
    max_entries: i64,
    default_ttl_ms: Option<i64>,
}

/// One namespace of one plugin.
#[derive(Clone)]
pub struct KeyedStore {
    store: Store,
    plugin_id: String,
    namespace: String,
    options: Options,
}

type Keyed<T> = std::result::Result<T, KeyedError>;

impl Store {
    /// Opens a namespace; numbers come as the plugin gave them (RT-075..079).
    ///
    /// # Errors
    /// [`KeyedErrorCode::InvalidInput`] for a namespace, number or plugin id that breaks a rule, and for options
    /// other than those of an earlier open in this process.
    pub fn keyed_store(&self, plugin_id: &str, namespace: &str, max_entries: f64, default_ttl_ms: Option<f64>) -> Keyed<KeyedStore> {
        let invalid = |message: String| invalid("open", message);
        let name = namespace.trim();
        let shape = name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
        if !shape || name.len() > MAX_NAMESPACE {
            return Err(invalid(format!(
                "namespace `{namespace}` must be 1 to {MAX_NAMESPACE} letters, digits, `.`, `_` or `-`, starting with a letter or digit"
            )));
        }
        if plugin_id.trim().is_empty() || plugin_id.starts_with("core:") {
            return Err(invalid(format!("plugin id `{plugin_id}` cannot own plugin state")));
        }
        let max_entries = whole(max_entries).ok_or_else(|| invalid("`maxEntries` must be a whole number of at least 1".into()))?;
        let default_ttl_ms = ttl(default_ttl_ms, "open")?;
        let options = Options { max_entries, default_ttl_ms };
        let mut known = self.inner.keyed_options.0.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = *known.entry((plugin_id.to_owned(), name.to_owned())).or_insert(options);
        if earlier != options {
            return Err(invalid(format!("namespace `{name}` of `{plugin_id}` is open already with other options")));
        }
        Ok(KeyedStore { store: self.clone(), plugin_id: plugin_id.to_owned(), namespace: name.to_owned(), options })
    }

    /// Deletes every expired entry of every plugin; returns how many.
    ///
    /// # Errors
    /// Write errors.
    pub async fn sweep_keyed(&self) -> Result<usize> {
        self.write(|tx| tx.exec("DELETE FROM plugin_state WHERE expires_at IS NOT NULL AND expires_at <= ?1", [time::now_ms()])).await
    }
}

impl KeyedStore {
    /// Stores a value, replacing what the key held, its creation time and its lifetime (RT-083).
    ///
    /// # Errors
    /// See [`KeyedErrorCode`].
    pub async fn register(&self, key: &str, value: &Value, ttl_ms: Option<f64>) -> Keyed<()> {
        self.put(key, value, ttl_ms, false).await.map(|_| ())
    }

    /// Stores a value unless the key holds a live one; true when it was stored (RT-083).
    ///
    /// # Errors
    /// See [`KeyedErrorCode`].
    pub async fn register_if_absent(&self, key: &str, value: &Value, ttl_ms: Option<f64>) -> Keyed<bool> {
        self.put(key, value, ttl_ms, true).await
    }

    /// The live value of a key.
    ///
    /// # Errors
    /// See [`KeyedErrorCode`].
    pub async fn lookup(&self, key: &str) -> Keyed<Option<Value>> {
        let (plugin, namespace, key) = (self.plugin_id.clone(), self.namespace.clone(), checked_key(key, "lookup")?);
        let found = self.store.read(move |conn, _| {
            use rusqlite::OptionalExtension;
            conn.prepare_cached(SELECT_ONE)?
                .query_row(params![plugin, namespace, key, time::now_ms()], |r| r.get::<_, String>(0))
                .optional()
        });
        let json = found.await.map_err(|e| storage("lookup", KeyedErrorCode::ReadFailed, &e))?;
        json.map(|json| self.parse(&json, "lookup")).transpose()
    }

    /// Takes the live value of a key out.
    ///
    /// # Errors
    /// See [`KeyedErrorCode`].
    pub async fn consume(&self, key: &str) -> Keyed<Option<Value>> {
        let (plugin, namespace, key) = (self.plugin_id.clone(), self.namespace.clone(), checked_key(key, "consume")?);
        let taken = self.store.write(move |tx| {
            let found = tx.one(SELECT_ONE, params![plugin, namespace, key, time::now_ms()], |r| r.get::<_, String>(0))?;
            if found.is_some() {
                tx.exec(DELETE_ONE, [&plugin, &namespace, &key])?;
            }
            Ok(found)
        });
        let json = taken.await.map_err(|e| storage("consume", KeyedErrorCode::ReadFailed, &e))?;
        json.map(|json| self.parse(&json, "consume")).transpose()
    }

    /// Removes a key; true when it was there.
    ///
    /// # Errors
    /// See [`KeyedErrorCode`].
    pub async fn delete(&self, key: &str) -> Keyed<bool> {
        let (plugin, namespace, key) = (self.plugin_id.clone(), self.namespace.clone(), checked_key(key, "delete")?);
        let gone = self.store.write(move |tx| Ok(tx.exec(DELETE_ONE, [&plugin, &namespace, &key])? > 0));
        gone.await.map_err(|e| storage("delete", KeyedErrorCode::WriteFailed, &e))
    }

    /// Every live entry, oldest first, then by key (RT-086).
    ///
    /// # Errors
    /// See [`KeyedErrorCode`].
    pub async fn entries(&self) -> Keyed<Vec<KeyedEntry>> {
        let (plugin, namespace) = (self.plugin_id.clone(), self.namespace.clone());
        let found = self.store.read(move |conn, _| {
            let sql = "SELECT entry_key, value_json, created_at, expires_at FROM plugin_state WHERE plugin_id = ?1 AND namespace = ?2 \
                       AND (expires_at IS NULL OR expires_at > ?3) ORDER BY created_at, entry_key";
            let mut stmt = conn.prepare_cached(sql)?;
            let rows = stmt.query_map(params![plugin, namespace, time::now_ms()], |r| {
                Ok((r.get::<_, String>(0)?, r.get::<_, String>(1)?, r.get::<_, i64>(2)?, r.get::<_, Option<i64>>(3)?))
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        });
        let rows = found.await.map_err(|e| storage("entries", KeyedErrorCode::ReadFailed, &e))?;
        rows.into_iter()
            .map(|(key, json, created_at, expires_at)| Ok(KeyedEntry { value: self.parse(&json, "entries")?, key, created_at, expires_at }))
            .collect()
    }

    /// Removes every entry of the namespace.
    ///
    /// # Errors
    /// See [`KeyedErrorCode`].
    pub async fn clear(&self) -> Keyed<()> {
        let (plugin, namespace) = (self.plugin_id.clone(), self.namespace.clone());
        let done =
            self.store.write(move |tx| tx.exec("DELETE FROM plugin_state WHERE plugin_id = ?1 AND namespace = ?2", [&plugin, &namespace]));
        done.await.map(|_| ()).map_err(|e| storage("clear", KeyedErrorCode::WriteFailed, &e))
    }

    async fn put(&self, key: &str, value: &Value, ttl_ms: Option<f64>, only_if_absent: bool) -> Keyed<bool> {
        let key = checked_key(key, "register")?;
        let json = checked_value(value)?;
        let ttl = ttl(ttl_ms, "register")?.or(self.options.default_ttl_ms);
        let (plugin, namespace, max) = (self.plugin_id.clone(), self.namespace.clone(), self.options.max_entries);
        let row = NewRow { plugin, namespace, key, json, ttl, max };
        let stored = self.store.write(move |tx| tx.register(&row, only_if_absent)).await;
        stored.map_err(|e| match e {
            StoreError::Invalid { field: LIMIT, detail } => KeyedError {
                code: KeyedErrorCode::LimitExceeded,
                operation: "register",
                message: detail,
                path: Some(self.store.db_path().to_owned()),
            },
            other => storage("register", KeyedErrorCode::WriteFailed, &other),
        })
    }

    fn parse(&self, json: &str, operation: &'static str) -> Keyed<Value> {
        serde_json::from_str(json).map_err(|e| KeyedError {
            code: KeyedErrorCode::Corrupt,
            operation,
            message: format!("a value in namespace `{}` of `{}` is no JSON: {e}", self.namespace, self.plugin_id),
            path: Some(self.store.db_path().to_owned()),
        })
    }
}

/// Marks the one refusal of a transaction that plugins see under a code of its own.
const LIMIT: &str = "plugin state";
const SELECT_ONE: &str = "SELECT value_json FROM plugin_state WHERE plugin_id = ?1 AND namespace = ?2 AND entry_key = ?3 AND (expires_at IS NULL OR expires_at > ?4)";
const DELETE_ONE: &str = "DELETE FROM plugin_state WHERE plugin_id = ?1 AND namespace = ?2 AND entry_key = ?3";

struct NewRow {
    plugin: String,
    namespace: String,
    key: String,
    json: String,
    ttl: Option<i64>,
    max: i64,
}

impl Tx<'_> {
    fn register(&mut self, row: &NewRow, only_if_absent: bool) -> Result<bool> {
        let now = time::now_ms();
        let (plugin, namespace) = (&row.plugin, &row.namespace);
        self.exec(
            "DELETE FROM plugin_state WHERE plugin_id = ?1 AND namespace = ?2 AND expires_at IS NOT NULL AND expires_at <= ?3",
            params![plugin, namespace, now],
        )?;
        let on_conflict = if only_if_absent { "NOTHING" } else { "UPDATE SET value_json = ?4, created_at = ?5, expires_at = ?6" };
        let sql = format!(
            "INSERT INTO plugin_state (plugin_id, namespace, entry_key, value_json, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
             ON CONFLICT (plugin_id, namespace, entry_key) DO {on_conflict}"
        );
        let expires = row.ttl.map(|ttl| now.saturating_add(ttl));
        if self.exec(&sql, params![plugin, namespace, row.key, row.json, now, expires])? == 0 {
            return Ok(false);
        }
        self.evict(row, now)?;
        let live = "SELECT COUNT(*) FROM plugin_state WHERE plugin_id = ?1 AND (expires_at IS NULL OR expires_at > ?2)";
        let count: i64 = self.one(live, params![plugin, now], |r| r.get(0))?.unwrap_or_default();
        if count > MAX_PER_PLUGIN {
            return Err(StoreError::invalid(
                LIMIT,
                format!(
                    "plugin `{plugin}` has more than {MAX_PER_PLUGIN} live entries: delete some, or open its namespaces with fewer `maxEntries`"
                ),
            ));
        }
        Ok(true)
    }

    /// Removes the oldest other entries above the namespace's maximum (RT-084).
    fn evict(&mut self, row: &NewRow, now: i64) -> Result<()> {
        let sql = "SELECT COUNT(*) FROM plugin_state WHERE plugin_id = ?1 AND namespace = ?2 AND (expires_at IS NULL OR expires_at > ?3)";
        let count: i64 = self.one(sql, params![row.plugin, row.namespace, now], |r| r.get(0))?.unwrap_or_default();
        if count > row.max {
            self.exec(
                "DELETE FROM plugin_state WHERE rowid IN (SELECT rowid FROM plugin_state WHERE plugin_id = ?1 AND namespace = ?2 \
                 AND entry_key <> ?3 AND (expires_at IS NULL OR expires_at > ?4) ORDER BY created_at, entry_key LIMIT ?5)",
                params![row.plugin, row.namespace, row.key, now, count - row.max],
            )?;
        }
        Ok(())
    }
}

fn invalid(operation: &'static str, message: String) -> KeyedError {
    KeyedError { code: KeyedErrorCode::InvalidInput, operation, message, path: None }
}

fn storage(operation: &'static str, code: KeyedErrorCode, e: &StoreError) -> KeyedError {
    let (code, path) = match e {
        StoreError::Closed => (KeyedErrorCode::OpenFailed, None),
        StoreError::DiskFull { path } | StoreError::Sqlite { path, .. } | StoreError::Io { path, .. } => (code, Some(path.clone())),
        _ => (code, None),
    };
    KeyedError { code, operation, message: e.to_string(), path }
}

fn checked_key(raw: &str, operation: &'static str) -> Keyed<String> {
    let key = raw.trim();
    if key.is_empty() || key.len() > MAX_KEY {
        return Err(invalid(operation, format!("an entry key must have 1 to {MAX_KEY} bytes")));
    }
    Ok(key.to_owned())
}

fn checked_value(value: &Value) -> Keyed<String> {
    let limit = |message: String| KeyedError { code: KeyedErrorCode::LimitExceeded, operation: "register", message, path: None };
    if depth_of(value, 0) > MAX_DEPTH {
        return Err(limit(format!("the value is nested deeper than {MAX_DEPTH}")));
    }
    let json = value.to_string();
    if json.len() > MAX_VALUE { Err(limit(format!("the value is larger than {MAX_VALUE} bytes"))) } else { Ok(json) }
}

fn depth_of(value: &Value, depth: usize) -> usize {
    if depth > MAX_DEPTH {
        return depth;
    }
    match value {
        Value::Array(items) => items.iter().map(|v| depth_of(v, depth + 1)).max().unwrap_or(depth),
        Value::Object(map) => map.values().map(|v| depth_of(v, depth + 1)).max().unwrap_or(depth),
        _ => depth,
    }
}

fn ttl(raw: Option<f64>, operation: &'static str) -> Keyed<Option<i64>> {
    raw.map(|ms| whole(ms).ok_or_else(|| invalid(operation, "a lifetime must be a whole number of at least 1 millisecond".into())))
        .transpose()
}

fn whole(number: f64) -> Option<i64> {
    const MAX_SAFE: f64 = 9_007_199_254_740_991.0;
    (number.fract() == 0.0 && (1.0..=MAX_SAFE).contains(&number)).then_some(number as i64)
}
