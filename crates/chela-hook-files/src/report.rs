//! What `hooks list`, `info` and `check` say about each hook.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Value, json};

use crate::discover::{Discovered, Hook, discover};
use crate::eligibility::{Missing, missing};
use crate::inputs::{HookInputs, HookSource};
use crate::metadata::InstallOption;

/// The blocked reason of a hook whose requirements are not met.
const MISSING: &str = "missing requirements";

/// One hook and whether it can run. Serialised as `hooks info --json` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HookStatus {
    /// Name.
    pub name: String,
    /// Description.
    pub description: String,
    /// Where it comes from.
    pub source: HookSource,
    /// The plugin that brings it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin_id: Option<String>,
    /// Its `HOOK.md`.
    pub file_path: PathBuf,
    /// Its directory.
    pub base_dir: PathBuf,
    /// Its handler.
    pub handler_path: PathBuf,
    /// Its key in the config.
    pub hook_key: String,
    /// Shown before its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub emoji: Option<String>,
    /// A page about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
    /// Events.
    pub events: Vec<String>,
    /// Runs whatever its requirements say.
    pub always: bool,
    /// On by config (HOOK-286).
    pub enabled_by_config: bool,
    /// Nothing is missing.
    pub requirements_satisfied: bool,
    /// On, and nothing is missing.
    pub loadable: bool,
    /// Why it is not loadable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked_reason: Option<&'static str>,
    /// It is switched with its plugin only (BUN-067).
    pub managed_by_plugin: bool,
    /// What it needs: `bins anyBins env config os`.
    pub requirements: Missing,
    /// What of it is missing.
    pub missing: Missing,
    /// Config paths that it needs: `path satisfied`.
    pub config_checks: Vec<Value>,
    /// Ways to get what it needs.
    pub install: Vec<InstallOption>,
}

/// All hooks with their state.
#[derive(Debug, Clone)]
pub struct Report {
    /// Workspace of the default agent.
    pub workspace_dir: PathBuf,
    /// Directory of the user's hooks.
    pub managed_dir: PathBuf,
    /// The hooks.
    pub hooks: Vec<HookStatus>,
    /// What was skipped.
    pub warnings: Vec<String>,
}

impl Report {
    /// Looks for hooks and says how each is.
    pub fn make(inputs: &HookInputs) -> Self {
        let Discovered { hooks, warnings } = discover(inputs);
        Self {
            workspace_dir: inputs.workspace_dir.clone(),
            managed_dir: inputs.managed_dir.clone(),
            hooks: hooks.iter().map(|hook| HookStatus::of(hook, inputs)).collect(),
            warnings,
        }
    }

    /// The hook of this name, or of this key in the config.
    pub fn find(&self, text: &str) -> Option<&HookStatus> {
        self.hooks.iter().find(|hook| hook.name == text).or_else(|| self.hooks.iter().find(|hook| hook.hook_key == text))
    }
}

impl HookStatus {
    /// The state of one hook.
    pub(crate) fn of(hook: &Hook, inputs: &HookInputs) -> Self {
        let (file, metadata, key) = (&hook.file, &hook.file.metadata, hook.key().to_owned());
        let missing = missing(hook, inputs);
        let off = switched_off(hook, inputs.entry(&key).get("enabled"));
        let satisfied = missing.is_empty();
        let needs = &metadata.requires;
        Self {
            name: file.name.clone(),
            description: file.description.clone(),
            source: hook.source,
            plugin_id: hook.plugin_id.clone(),
            file_path: file.path.clone(),
            base_dir: file.dir.clone(),
            handler_path: file.handler.clone(),
            hook_key: key,
            emoji: metadata.emoji.clone(),
            homepage: metadata.homepage.clone(),
            events: metadata.events.clone(),
            always: metadata.always,
            enabled_by_config: off.is_none(),
            requirements_satisfied: satisfied,
            loadable: off.is_none() && satisfied,
            blocked_reason: off.or((!satisfied).then_some(MISSING)),
            managed_by_plugin: hook.source == HookSource::Plugin,
            requirements: Missing {
                bins: needs.bins.clone(),
                any_bins: needs.any_bins.clone(),
                env: needs.env.clone(),
                config: needs.config.clone(),
                os: metadata.os.clone(),
            },
            config_checks: needs
                .config
                .iter()
                .map(|path| json!({"path": path, "satisfied": crate::eligibility::is_set(&inputs.config, path)}))
                .collect(),
            missing,
            install: metadata.install.clone(),
        }
    }

    /// The row of `hooks list --json`.
    pub fn row(&self) -> Value {
        let mut row = json!({
            "name": self.name, "description": self.description, "emoji": self.emoji, "eligible": self.loadable,
            "disabled": !self.enabled_by_config, "enabledByConfig": self.enabled_by_config,
            "requirementsSatisfied": self.requirements_satisfied, "loadable": self.loadable, "blockedReason": self.blocked_reason,
            "source": self.source, "pluginId": self.plugin_id, "events": self.events, "homepage": self.homepage,
            "missing": self.missing, "managedByPlugin": self.managed_by_plugin,
        });
        if let Some(row) = row.as_object_mut() {
            row.retain(|_, value| !value.is_null());
        }
        row
    }
}

/// Why the config keeps a hook off (HOOK-286).
fn switched_off(hook: &Hook, enabled: Option<&Value>) -> Option<&'static str> {
    match (hook.source, enabled) {
        (HookSource::Plugin, _) => None,
        (_, Some(Value::Bool(false))) => Some("disabled in config"),
        (HookSource::Workspace, enabled) if enabled != Some(&Value::Bool(true)) => Some("workspace hook (disabled by default)"),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
