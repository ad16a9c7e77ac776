//! What is known about the sandbox of a plugin, for people.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How a plugin is confined, and what it tried or touched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SandboxStatus {
    /// `observe` or `enforce`.
    pub mode: &'static str,
    /// Who holds each permission: `kernel`, `node`, `javascript`, `gateway` or `nobody`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub held_by: BTreeMap<&'static str, &'static str>,
    /// What is weaker than it could be on this machine, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<String>,
    /// How often something was denied.
    pub denied: u64,
    /// What was denied, as far as JavaScript or the gateway saw it; at most a few hundred different ones are kept.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub denials: Vec<Touch>,
    /// What it touched beyond its own files, when that is recorded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub touched: Vec<Touch>,
}

/// One thing that a plugin reached for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Touch {
    /// The permission: `files.read`, `files.write`, `network`, `env`, `childProcesses`, `nativeAddons`.
    pub permission: String,
    /// The path, host and port, name or program.
    pub what: String,
    /// How often.
    pub count: u64,
}
