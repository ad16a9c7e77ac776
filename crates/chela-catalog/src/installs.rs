//! The plugin index file: its install records, and the making of a new one (INS-017, INS-018, INS-072..INS-081, INS-091, INS-093, INS-094,
//! INS-098).
//!
//! A scan always derives the plugin rows from the files themselves, which costs milliseconds, so a
//! stale index can never hide a plugin (INS-354); only the install records are taken from it.

mod hash;
mod inspect;
mod package_source;
mod write;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::inputs::CatalogInputs;
use crate::policy::PluginPolicy;

pub use hash::{hash_json, policy_hash, sha256_hex};
pub use inspect::{RegistryState, compare};
pub use write::{
    INDEX_VERSION, INDEX_WARNING, MIGRATION_VERSION, RECORD_KEYS, RefreshReason, build_index, compat_registry_version, index_text,
    ordered_record, refresh_policy,
};

/// Install records by plugin id.
pub type IndexRecords = BTreeMap<String, InstallRecord>;

/// Switch that ignores the index, install records included (INS-094, INS-098).
pub const DISABLE_INDEX_ENV: &str = "OPENCLAW_DISABLE_PERSISTED_PLUGIN_REGISTRY";

/// Where a plugin came from, as the installer recorded it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct InstallRecord {
    /// `npm path archive git clawhub marketplace` (INS-081).
    pub source: String,
    /// Every key of the record, as stored (INS-080).
    pub fields: Map<String, Value>,
}

impl InstallRecord {
    /// A record from its stored object; nothing when it names no source.
    pub fn from_fields(fields: Map<String, Value>) -> Option<Self> {
        record(&fields)
    }

    /// A string field, trimmed, if it is there and not blank.
    pub fn text(&self, key: &str) -> Option<&str> {
        let text = self.fields.get(key)?.as_str()?.trim();
        (!text.is_empty()).then_some(text)
    }
}

/// What became of the index file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexState {
    /// Read and well formed.
    Read,
    /// No file, or one that does not have the shape of an index (INS-077, INS-093).
    Missing,
    /// Switched off by [`DISABLE_INDEX_ENV`] (INS-094).
    Disabled,
}

/// The part of the index that is used.
#[derive(Debug, Clone, PartialEq)]
pub struct InstallIndex {
    /// Path of the file (INS-072).
    pub path: PathBuf,
    /// What became of it.
    pub state: IndexState,
    /// Records by plugin id.
    pub records: IndexRecords,
}

/// The stored index as it is, when it has the shape of one (INS-077).
pub fn read_stored(path: &Path) -> Option<Value> {
    let index = read_object(path)?;
    let text = |key: &str| index.get(key).is_some_and(Value::is_string);
    let shaped = index.get("version") == Some(&INDEX_VERSION.into())
        && index.get("migrationVersion") == Some(&MIGRATION_VERSION.into())
        && text("hostContractVersion")
        && text("compatRegistryVersion")
        && text("policyHash")
        && index.get("generatedAtMs").is_some_and(Value::is_number)
        && index.get("plugins").is_some_and(Value::is_array)
        && index.get("diagnostics").is_some_and(Value::is_array);
    shaped.then_some(Value::Object(index))
}

impl InstallIndex {
    /// Reads `<state dir>/plugins/installs.json`. A file that is absent, unreadable or of another
    /// shape counts as missing and is never an error (INS-077); npm installs are then found through
    /// `<state dir>/npm/package.json` (INS-017), which real records override (INS-018).
    pub fn read(inputs: &CatalogInputs, policy: &PluginPolicy) -> Self {
        let path = inputs.state_dir.join("plugins").join("installs.json");
        let mut records = BTreeMap::new();
        if inputs.env_is_set(DISABLE_INDEX_ENV) {
            return Self { path, state: IndexState::Disabled, records };
        }
        recover_npm_records(&inputs.state_dir.join("npm"), &mut records);
        take_records(&policy.legacy_installs, &mut records);
        let state = match read_object(&path).and_then(|index| index_records(&index)) {
            Some(stored) => {
                records.extend(stored);
                IndexState::Read
            }
            None => IndexState::Missing,
        };
        Self { path, state, records }
    }

    /// The `registry.diagnostics` rows of `plugins list --json` (INS-093, INS-094).
    pub fn diagnostics_json(&self) -> Vec<Value> {
        let row = |level: &str, code: &str, message: String| serde_json::json!({"level": level, "code": code, "message": message});
        match self.state {
            IndexState::Read => Vec::new(),
            IndexState::Missing => vec![row(
                "info",
                "persisted-registry-missing",
                format!("no usable plugin index at `{}`; plugins were read from their own files", self.path.display()),
            )],
            IndexState::Disabled => vec![row(
                "warn",
                "persisted-registry-disabled",
                format!("`{DISABLE_INDEX_ENV}` is set; the plugin index and install records are ignored"),
            )],
        }
    }
}

fn read_object(path: &Path) -> Option<Map<String, Value>> {
    let bytes = fs_err::read(path).ok()?;
    match serde_json::from_slice(&bytes).ok()? {
        Value::Object(object) => Some(object),
        _ => None,
    }
}

/// Top-level records, or those inside the rows of old files (INS-078).
fn index_records(index: &Map<String, Value>) -> Option<BTreeMap<String, InstallRecord>> {
    let mut records = BTreeMap::new();
    if let Some(stored) = index.get("installRecords") {
        if let Some(stored) = stored.as_object() {
            take_records(stored, &mut records);
        }
        return Some(records);
    }
    for row in index.get("plugins")?.as_array()? {
        let id = row.get("pluginId").and_then(Value::as_str);
        let fields = row.get("installRecord").and_then(Value::as_object);
        if let (Some(id), Some(record)) = (id, fields.and_then(record)) {
            records.insert(id.to_owned(), record);
        }
    }
    Some(records)
}

fn take_records(stored: &Map<String, Value>, records: &mut BTreeMap<String, InstallRecord>) {
    for (id, fields) in stored {
        if let Some(record) = fields.as_object().and_then(record) {
            records.insert(id.clone(), record);
        }
    }
}

fn record(fields: &Map<String, Value>) -> Option<InstallRecord> {
    Some(InstallRecord { source: fields.get("source")?.as_str()?.to_owned(), fields: fields.clone() })
}

/// Packages of the managed npm root that have plugin entries (INS-017).
fn recover_npm_records(npm_root: &Path, records: &mut BTreeMap<String, InstallRecord>) {
    let Some(root) = read_object(&npm_root.join("package.json")) else {
        return;
    };
    let dependencies = root.get("dependencies").and_then(Value::as_object);
    for (name, spec) in dependencies.into_iter().flatten() {
        let Some(spec) = spec.as_str().map(str::trim).filter(|spec| !spec.is_empty()) else {
            continue;
        };
        let dir = npm_root.join("node_modules").join(name);
        if let Some((id, record)) = recovered_record(&dir, name, spec) {
            records.insert(id, record);
        }
    }
}

fn recovered_record(dir: &Path, name: &str, spec: &str) -> Option<(String, InstallRecord)> {
    let bytes = fs_err::read(dir.join("package.json")).ok()?;
    let package = chela_manifest::parse_package(&bytes).ok()?;
    if package.extensions.entries().is_empty() {
        return None;
    }
    let manifest = read_object(&dir.join(chela_manifest::MANIFEST_FILE_NAME));
    let id = manifest
        .as_ref()
        .and_then(|manifest| manifest.get("id")?.as_str())
        .map(str::trim)
        .filter(|id| !id.is_empty())
        .or(package.name.as_deref())
        .unwrap_or(name)
        .to_owned();
    chela_manifest::validate_plugin_id(&id).ok()?;
    let mut fields = Map::new();
    let mut put = |key: &str, value: String| fields.insert(key.into(), value.into());
    put("source", "npm".into());
    put("spec", format!("{name}@{spec}"));
    put("installPath", dir.to_string_lossy().into_owned());
    if let Some(version) = &package.version {
        put("version", version.clone());
        put("resolvedName", name.into());
        put("resolvedVersion", version.clone());
        put("resolvedSpec", format!("{name}@{version}"));
    }
    Some((id, record(&fields)?))
}

#[cfg(test)]
mod tests;
