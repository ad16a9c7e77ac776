//! Makes the plugin index from a snapshot (INS-072..INS-089). Writing the text to the disk is the installer's.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::hash::{hash_json, policy_hash, sha256_hex};
use super::package_source::describe;
use super::{IndexRecords, InstallRecord};
use crate::record::{Lane, Origin, PluginRecord};
use crate::snapshot::Snapshot;

/// Version of the file's shape (INS-073).
pub const INDEX_VERSION: u64 = 1;
/// Version of the last migration of the file (INS-073).
pub const MIGRATION_VERSION: u64 = 1;
/// First words of the file (INS-074).
pub const INDEX_WARNING: &str = "DO NOT EDIT. Generated from plugin manifests, install records and config policy. Change it with `chela plugins \
     install`, `update`, `uninstall`, `enable` or `disable`; rebuild it with `chela plugins registry --refresh`.";

/// Compatibility codes that rows may carry; the index is rebuilt when this table changes (INS-075, INS-101).
const COMPAT_TABLE: [&str; 9] = [
    "activation-agent-harness-hint",
    "activation-capability-hint",
    "activation-channel-hint",
    "activation-command-hint",
    "activation-config-path-hint",
    "activation-provider-hint",
    "activation-route-hint",
    "channel-env-vars",
    "provider-auth-env-vars",
];

/// Keys of an install record in the order in which they are written (INS-080).
pub const RECORD_KEYS: [&str; 31] = [
    "source",
    "spec",
    "sourcePath",
    "installPath",
    "version",
    "resolvedName",
    "resolvedVersion",
    "resolvedSpec",
    "integrity",
    "shasum",
    "resolvedAt",
    "installedAt",
    "clawhubUrl",
    "clawhubPackage",
    "clawhubFamily",
    "clawhubChannel",
    "artifactKind",
    "artifactFormat",
    "npmIntegrity",
    "npmShasum",
    "npmTarballName",
    "clawpackSha256",
    "clawpackSpecVersion",
    "clawpackManifestSha256",
    "clawpackSize",
    "gitUrl",
    "gitRef",
    "gitCommit",
    "marketplaceName",
    "marketplaceSource",
    "marketplacePlugin",
];

/// Why the index was written (INS-073, INS-104, INS-107, INS-108).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefreshReason {
    /// `plugins registry --refresh`.
    Manual,
    /// Enable or disable.
    PolicyChanged,
    /// Install, update or uninstall.
    SourceChanged,
}

impl RefreshReason {
    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::PolicyChanged => "policy-changed",
            Self::SourceChanged => "source-changed",
        }
    }
}

/// SHA-256 over the compatibility table (INS-075).
pub fn compat_registry_version() -> String {
    hash_json(&json!(COMPAT_TABLE))
}

/// The record with its keys in the order of the file; keys that are not known come last (INS-079, INS-080).
pub fn ordered_record(record: &InstallRecord) -> Value {
    let mut out = Map::new();
    out.insert("source".into(), record.source.as_str().into());
    for key in RECORD_KEYS {
        if let Some(value) = record.fields.get(key).filter(|_| key != "source") {
            out.insert(key.into(), value.clone());
        }
    }
    for (key, value) in record.fields.iter().filter(|(key, _)| !RECORD_KEYS.contains(&key.as_str())) {
        out.insert(key.clone(), value.clone());
    }
    Value::Object(out)
}

/// Builds the whole index (INS-073). Records keep plugins that are broken or missing (INS-079) and are sorted by id (INS-082).
pub fn build_index(snapshot: &Snapshot, records: &IndexRecords, reason: Option<RefreshReason>, generated_at_ms: u64) -> Value {
    let ordered: BTreeMap<&String, Value> = records.iter().map(|(id, record)| (id, ordered_record(record))).collect();
    let mut index = Map::new();
    let mut put = |key: &str, value: Value| index.insert(key.into(), value);
    put("version", INDEX_VERSION.into());
    put("warning", INDEX_WARNING.into());
    put("hostContractVersion", snapshot.host_version.as_str().into());
    put("compatRegistryVersion", compat_registry_version().into());
    put("migrationVersion", MIGRATION_VERSION.into());
    put("policyHash", policy_hash(&snapshot.config).into());
    put("generatedAtMs", generated_at_ms.into());
    if let Some(reason) = reason {
        put("refreshReason", reason.as_str().into());
    }
    put("installRecords", json!(ordered));
    put("plugins", snapshot.plugins.iter().map(|plugin| row(plugin, ordered.get(&plugin.id))).collect());
    put("diagnostics", diagnostics(snapshot));
    Value::Object(index)
}

/// The file's text: two spaces of indent and a newline at the end (INS-072).
pub fn index_text(index: &Value) -> String {
    format!("{index:#}\n")
}

/// The index after enable or disable, when only policy has changed since it was written (INS-107); nothing when it has to be
/// rebuilt: other versions, or a plugin of `ids` that it does not know.
pub fn refresh_policy(index: &Value, snapshot: &Snapshot, ids: &[&str], generated_at_ms: u64) -> Option<Value> {
    let same = index["version"] == INDEX_VERSION
        && index["migrationVersion"] == MIGRATION_VERSION
        && index["hostContractVersion"] == snapshot.host_version.as_str()
        && index["compatRegistryVersion"] == compat_registry_version().as_str();
    let rows = index.get("plugins")?.as_array()?;
    let known = |id: &&str| rows.iter().any(|row| row["pluginId"] == **id);
    if !same || !ids.iter().all(known) {
        return None;
    }
    let mut next = index.clone();
    next["policyHash"] = policy_hash(&snapshot.config).into();
    next["generatedAtMs"] = generated_at_ms.into();
    next["refreshReason"] = RefreshReason::PolicyChanged.as_str().into();
    for row in next.get_mut("plugins")?.as_array_mut()? {
        if let Some(plugin) = row["pluginId"].as_str().and_then(|id| snapshot.get(id)) {
            row["enabled"] = plugin.enabled.into();
        }
    }
    Some(next)
}

/// Info diagnostics are not part of the file's shape (INS-089).
fn diagnostics(snapshot: &Snapshot) -> Value {
    let rows = snapshot.diagnostics.iter().filter(|entry| entry.level != crate::Level::Info);
    rows.map(|entry| {
        let mut row = entry.to_json();
        if let Some(row) = row.as_object_mut() {
            row.remove("code");
        }
        row
    })
    .collect()
}

/// One plugin row (INS-083..INS-088).
fn row(plugin: &PluginRecord, record: Option<&Value>) -> Value {
    let manifest = &plugin.manifest;
    let mut row = Map::new();
    let mut put = |key: &str, value: Value| row.insert(key.into(), value);
    let manifest_bytes = fs_err::read(&plugin.manifest_path).ok();
    put("pluginId", plugin.id.as_str().into());
    put("manifestPath", plugin.manifest_path.to_string_lossy().into());
    put("manifestHash", manifest_bytes.as_deref().map_or_else(|| derived_hash(plugin), sha256_hex).into());
    if let Some(signature) = signature(&plugin.manifest_path) {
        put("manifestFile", signature);
    }
    put("source", plugin.source.to_string_lossy().into());
    put("rootDir", plugin.root_dir.to_string_lossy().into());
    put("origin", plugin.origin.as_str().into());
    put("enabled", plugin.enabled.into());
    put("startup", startup(plugin));
    put("compat", plugin.compat.clone().into());
    if plugin.format() != "openclaw" {
        put("format", plugin.format().into());
    }
    if let Some(format) = plugin.bundle_format {
        put("bundleFormat", format.as_str().into());
    }
    if manifest.enabled_by_default {
        put("enabledByDefault", true.into());
    }
    for (key, list) in
        [("enabledByDefaultOnPlatforms", &manifest.enabled_by_default_on_platforms), ("syntheticAuthRefs", &manifest.synthetic_auth_refs)]
    {
        if !list.is_empty() {
            put(key, list.clone().into());
        }
    }
    if let Some(setup) = &plugin.setup_source {
        put("setupSource", setup.to_string_lossy().into());
    }
    let Some(package) = plugin.package.as_deref() else {
        if let Some(record) = record {
            put("installRecordHash", hash_json(record).into());
        }
        return Value::Object(row);
    };
    for (key, text) in [("packageName", &package.name), ("packageVersion", &package.version)] {
        if let Some(text) = text {
            put(key, text.as_str().into());
        }
    }
    if let Some(record) = record {
        put("installRecordHash", hash_json(record).into());
    }
    if let Some(source) = describe(package) {
        put("packageInstall", source);
    }
    if let Some(channel) = package.channel.as_ref().filter(|channel| channel.id.is_some()) {
        put("packageChannel", Value::Object(channel.raw.clone()));
    }
    if let Some(file) = package_json(plugin) {
        put("packageJson", file);
    }
    Value::Object(row)
}

/// Stands for the file of a bundle that needs no manifest, and of a plugin that is part of the program (INS-088).
fn derived_hash(plugin: &PluginRecord) -> String {
    if plugin.lane == Lane::Builtin {
        return hash_json(&Value::Object(plugin.manifest.raw.clone()));
    }
    hash_json(&json!({
        "id": plugin.id, "name": plugin.name, "description": plugin.description, "version": plugin.version,
        "format": plugin.format(), "bundleFormat": plugin.bundle_format.map(super::super::record::BundleFormat::as_str),
    }))
}

/// INS-086.
fn startup(plugin: &PluginRecord) -> Value {
    let manifest = &plugin.manifest;
    let mut harnesses: Vec<&str> =
        manifest.activation.on_agent_harnesses.iter().chain(&manifest.cli_backends).map(String::as_str).collect();
    harnesses.sort_unstable();
    harnesses.dedup();
    json!({
        "sidecar": manifest.activation.on_startup == Some(true),
        "memory": manifest.has_kind("memory"),
        "deferConfiguredChannelFullLoadUntilAfterListen":
            plugin.package.as_deref().is_some_and(|package| package.defer_channel_load_until_after_listen),
        "agentHarnesses": harnesses,
    })
}

/// `{size, mtimeMs, ctimeMs}` of a regular file (INS-087).
fn signature(path: &std::path::Path) -> Option<Value> {
    let stat = path.metadata().ok().filter(std::fs::Metadata::is_file)?;
    let (mtime, ctime) = times(&stat)?;
    Some(json!({"size": stat.len(), "mtimeMs": mtime, "ctimeMs": ctime}))
}

#[cfg(unix)]
fn times(stat: &std::fs::Metadata) -> Option<(f64, f64)> {
    use std::os::unix::fs::MetadataExt;
    let ms = |seconds: i64, nanos: i64| seconds as f64 * 1e3 + nanos as f64 / 1e6;
    Some((ms(stat.mtime(), stat.mtime_nsec()), ms(stat.ctime(), stat.ctime_nsec())))
}

#[cfg(not(unix))]
fn times(_stat: &std::fs::Metadata) -> Option<(f64, f64)> {
    None
}

/// INS-087. A plugin inside the program has no file.
fn package_json(plugin: &PluginRecord) -> Option<Value> {
    if plugin.origin == Origin::Bundled {
        return None;
    }
    let path = plugin.root_dir.join("package.json");
    let bytes = fs_err::read(&path).ok()?;
    let mut file = json!({"path": "package.json", "hash": sha256_hex(&bytes)});
    if let Some(signature) = signature(&path) {
        file["fileSignature"] = signature;
    }
    Some(file)
}
