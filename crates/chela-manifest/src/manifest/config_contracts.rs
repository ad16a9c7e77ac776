//! Config paths with special meaning (MAN-188..MAN-190).

use serde::Serialize;
use serde_json::{Map, Value};

use crate::normalise::{boolean, non_empty, record, records, string, strings};

/// The `configContracts` block.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigContracts {
    /// Paths that a migration reads (MAN-188).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub compatibility_migration_paths: Vec<String>,
    /// Paths that old runtimes read (MAN-188).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub compatibility_runtime_paths: Vec<String>,
    /// Values that weaken safety (MAN-189).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dangerous_flags: Vec<DangerousFlag>,
    /// Paths that hold secrets (MAN-190).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_inputs: Option<SecretInputs>,
}

/// A config value that weakens safety (MAN-189).
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct DangerousFlag {
    /// Dotted path.
    pub path: String,
    /// The scalar that is dangerous there.
    pub equals: Value,
}

/// Paths that hold secrets (MAN-190).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretInputs {
    /// Whether a bundled plugin is on by default when a secret is present.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bundled_default_enabled: Option<bool>,
    /// At least one path.
    pub paths: Vec<SecretPath>,
}

/// One secret path (MAN-190).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SecretPath {
    /// Dotted path.
    pub path: String,
    /// `string` or nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
}

pub(crate) fn read(value: Option<&Value>) -> Option<ConfigContracts> {
    let block = record(value)?;
    non_empty(ConfigContracts {
        compatibility_migration_paths: strings(block.get("compatibilityMigrationPaths")),
        compatibility_runtime_paths: strings(block.get("compatibilityRuntimePaths")),
        dangerous_flags: records(block.get("dangerousFlags")).filter_map(read_flag).collect(),
        secret_inputs: read_secrets(block.get("secretInputs")),
    })
}

fn read_flag(item: &Map<String, Value>) -> Option<DangerousFlag> {
    // An absent `equals` is not a literal, so the flag is dropped.
    let equals = item.get("equals")?;
    let scalar = !equals.is_array() && !equals.is_object();
    scalar.then_some(DangerousFlag { path: string(item.get("path"))?, equals: equals.clone() })
}

fn read_secrets(value: Option<&Value>) -> Option<SecretInputs> {
    let block = record(value)?;
    let paths: Vec<_> = records(block.get("paths"))
        .filter_map(|item| {
            Some(SecretPath {
                path: string(item.get("path"))?,
                expected: item.get("expected").filter(|value| value.as_str() == Some("string")).map(|_| "string".to_owned()),
            })
        })
        .collect();
    (!paths.is_empty()).then(|| SecretInputs { bundled_default_enabled: boolean(block.get("bundledDefaultEnabled")), paths })
}
