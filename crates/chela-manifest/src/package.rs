//! `package.json` of a plugin: identity, dependencies and the `openclaw` object (MAN-191..MAN-221).

pub mod channel;

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use thiserror::Error;

use crate::normalise::{record, string, strings};
use crate::version::{FloorError, check_min_host_version};
use channel::PackageChannel;

/// Why a `package.json` could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PackageError {
    /// Not strict JSON.
    #[error("invalid package.json: {0}")]
    Parse(String),
    /// Parsed, but not to an object.
    #[error("invalid package.json: must contain a JSON object")]
    NotAnObject,
}

/// `openclaw.extensions` (MAN-192).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum EntryList {
    /// Absent or not an array.
    #[default]
    Missing,
    /// An array without a usable string.
    Empty,
    /// The entries, blanks dropped.
    Entries(Vec<String>),
}

impl EntryList {
    /// The entries; empty for the other states.
    pub fn entries(&self) -> &[String] {
        match self {
            Self::Entries(entries) => entries,
            Self::Missing | Self::Empty => &[],
        }
    }
}

/// A parsed `package.json`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PackageMeta {
    /// Package name.
    pub name: Option<String>,
    /// Package version.
    pub version: Option<String>,
    /// Package description.
    pub description: Option<String>,
    /// Dependency name to spec (MAN-221).
    pub dependencies: BTreeMap<String, String>,
    /// Optional dependency name to spec (MAN-221).
    pub optional_dependencies: BTreeMap<String, String>,
    /// Entry files (MAN-192).
    pub extensions: EntryList,
    /// Built entry files; read them through [`PackageMeta::runtime_entries`] (MAN-198).
    pub runtime_extensions: Vec<String>,
    /// The error of an unusable item in `runtimeExtensions` (MAN-199).
    pub runtime_extensions_error: Option<String>,
    /// Setup-only module (MAN-204).
    pub setup_entry: Option<String>,
    /// Built setup-only module (MAN-205).
    pub runtime_setup_entry: Option<String>,
    /// Install metadata (MAN-207, MAN-212).
    pub install: PackageInstall,
    /// Channel metadata (MAN-215).
    pub channel: Option<PackageChannel>,
    /// Only `true` counts (MAN-218).
    pub defer_channel_load_until_after_listen: bool,
    /// `compat.pluginApi`, needed for publishing only (MAN-219).
    pub compat_plugin_api: Option<String>,
    /// `compat.minGatewayVersion`, needed for publishing only (MAN-219).
    pub compat_min_gateway_version: Option<String>,
    /// Hook directories: a hook pack, not a plugin (MAN-220).
    pub hooks: Vec<String>,
    /// The object as written.
    pub raw: Map<String, Value>,
}

/// `openclaw.install` (MAN-207, MAN-212).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PackageInstall {
    /// ClawHub spec.
    pub clawhub_spec: Option<String>,
    /// npm spec.
    pub npm_spec: Option<String>,
    /// Local path.
    pub local_path: Option<String>,
    /// `clawhub`, `npm` or `local`.
    pub default_choice: Option<String>,
    /// Expected integrity of the npm artifact.
    pub expected_integrity: Option<String>,
    /// Only `true` counts.
    pub allow_invalid_config_recovery: bool,
    /// The floor as written, so that a wrong type can be told from an absent key.
    pub min_host_version: Option<Value>,
}

impl PackageMeta {
    /// Checks the host floor against the version that the host advertises (MAN-207..MAN-210).
    ///
    /// # Errors
    /// See [`check_min_host_version`].
    pub fn check_floor(&self, host: &str, allow_bare: bool) -> Result<(), FloorError> {
        check_min_host_version(self.install.min_host_version.as_ref(), host, allow_bare)
    }

    /// The runtime entry for each of `extensions`, empty when none are declared.
    ///
    /// # Errors
    /// The text to report when an item is unusable or the lengths differ (MAN-198, MAN-199).
    pub fn runtime_entries(&self) -> Result<&[String], String> {
        if let Some(error) = &self.runtime_extensions_error {
            return Err(error.clone());
        }
        let runtime = &self.runtime_extensions;
        let wanted = self.extensions.entries().len();
        if !runtime.is_empty() && runtime.len() != wanted {
            return Err(format!(
                "package.json openclaw.runtimeExtensions length ({}) must match \
                 openclaw.extensions length ({wanted})",
                runtime.len()
            ));
        }
        Ok(runtime)
    }

    /// The id that a package suggests: its name without scope, and without a `-provider` suffix
    /// (MAN-193, MAN-194).
    pub fn id_hint(&self) -> Option<&str> {
        let name = self.name.as_deref()?;
        let unscoped = name.rsplit('/').next().unwrap_or(name);
        match unscoped.strip_suffix("-provider") {
            Some(stem) if !stem.is_empty() => Some(stem),
            _ => Some(unscoped),
        }
    }

    /// True for a package that carries hooks and no plugin entry (MAN-220).
    pub fn is_hook_pack(&self) -> bool {
        !self.hooks.is_empty() && self.extensions.entries().is_empty()
    }
}

/// Parses `package.json`; strict JSON only, as npm does.
///
/// # Errors
/// [`PackageError`] for bad syntax or a value that is not an object.
pub fn parse_package(bytes: &[u8]) -> Result<PackageMeta, PackageError> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| PackageError::Parse(error.to_string()))?;
    let Value::Object(raw) = value else {
        return Err(PackageError::NotAnObject);
    };
    Ok(from_raw(raw))
}

fn from_raw(raw: Map<String, Value>) -> PackageMeta {
    let empty = Map::new();
    let host = record(raw.get("openclaw")).unwrap_or(&empty);
    let compat = record(host.get("compat")).unwrap_or(&empty);
    let startup = record(host.get("startup")).unwrap_or(&empty);
    let (runtime_extensions, runtime_extensions_error) = match runtime_extensions(host.get("runtimeExtensions")) {
        Ok(entries) => (entries, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    PackageMeta {
        name: string(raw.get("name")),
        version: string(raw.get("version")),
        description: string(raw.get("description")),
        dependencies: dependencies(raw.get("dependencies")),
        optional_dependencies: dependencies(raw.get("optionalDependencies")),
        extensions: entry_list(host.get("extensions")),
        runtime_extensions,
        runtime_extensions_error,
        setup_entry: string(host.get("setupEntry")),
        runtime_setup_entry: string(host.get("runtimeSetupEntry")),
        install: install(host.get("install")),
        channel: channel::read(host.get("channel")),
        defer_channel_load_until_after_listen: startup.get("deferConfiguredChannelFullLoadUntilAfterListen") == Some(&Value::Bool(true)),
        compat_plugin_api: string(compat.get("pluginApi")),
        compat_min_gateway_version: string(compat.get("minGatewayVersion")),
        hooks: strings(host.get("hooks")),
        raw,
    }
}

fn dependencies(value: Option<&Value>) -> BTreeMap<String, String> {
    record(value)
        .into_iter()
        .flatten()
        .filter(|(name, _)| !name.trim().is_empty())
        .filter_map(|(name, spec)| Some((name.trim().to_owned(), string(Some(spec))?)))
        .collect()
}

fn entry_list(value: Option<&Value>) -> EntryList {
    if !value.is_some_and(Value::is_array) {
        return EntryList::Missing;
    }
    match strings(value) {
        entries if entries.is_empty() => EntryList::Empty,
        entries => EntryList::Entries(entries),
    }
}

fn runtime_extensions(value: Option<&Value>) -> Result<Vec<String>, String> {
    let items = value.and_then(Value::as_array).into_iter().flatten();
    items
        .enumerate()
        .map(|(index, item)| {
            string(Some(item)).ok_or_else(|| format!("package.json openclaw.runtimeExtensions[{index}] must be a non-empty string"))
        })
        .collect()
}

fn install(value: Option<&Value>) -> PackageInstall {
    let Some(block) = record(value) else {
        return PackageInstall::default();
    };
    PackageInstall {
        clawhub_spec: string(block.get("clawhubSpec")),
        npm_spec: string(block.get("npmSpec")),
        local_path: string(block.get("localPath")),
        default_choice: string(block.get("defaultChoice")).filter(|choice| matches!(choice.as_str(), "clawhub" | "npm" | "local")),
        expected_integrity: string(block.get("expectedIntegrity")),
        allow_invalid_config_recovery: block.get("allowInvalidConfigRecovery") == Some(&Value::Bool(true)),
        min_host_version: block.get("minHostVersion").cloned(),
    }
}

#[cfg(test)]
mod tests;
