//! The immutable picture of all plugins.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::Value;

use crate::config_check::PluginConfigIssue;
use crate::diagnostic::Diagnostic;
use crate::installs::InstallIndex;
use crate::owners::OwnerMaps;
use crate::policy::PluginPolicy;
use crate::record::PluginRecord;

/// What one scan found. It never changes; a new scan gives a new snapshot.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// One record per id, in the order in which ids were first seen (INS-316).
    pub plugins: Vec<PluginRecord>,
    /// Findings about files and plugins, without repeats.
    pub diagnostics: Vec<Diagnostic>,
    /// Findings about the config file.
    pub config_issues: Vec<PluginConfigIssue>,
    /// Who declares what.
    pub owners: OwnerMaps,
    /// The policy as the operator wrote it, former ids replaced.
    pub policy: PluginPolicy,
    /// Install records.
    pub index: InstallIndex,
    /// The workspace that was scanned, if any.
    pub workspace_dir: Option<PathBuf>,
    /// The version that was held against host floors.
    pub host_version: String,
    /// The config that the snapshot was made from.
    pub config: Arc<Value>,
    /// Names, never values, of environment variables that hold something; references to secrets are tested against them.
    pub env_names: Arc<BTreeSet<String>>,
}

impl Snapshot {
    /// The plugin of this id.
    pub fn get(&self, id: &str) -> Option<&PluginRecord> {
        self.plugins.iter().find(|plugin| plugin.id == id)
    }

    /// The plugin of this id, former id, or display name (INS-320, MAN-031).
    pub fn find(&self, text: &str) -> Option<&PluginRecord> {
        let former = |plugin: &&PluginRecord| {
            let mut ids = plugin.manifest.legacy_plugin_ids.iter();
            ids.any(|id| id == text)
        };
        self.get(text).or_else(|| self.plugins.iter().find(|plugin| plugin.name == text)).or_else(|| self.plugins.iter().find(former))
    }

    /// The diagnostics of one plugin.
    pub fn diagnostics_of<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a Diagnostic> {
        self.diagnostics.iter().filter(move |diagnostic| diagnostic.plugin_id.as_deref() == Some(id))
    }

    /// The plugin that fills the memory slot.
    pub fn memory_plugin(&self) -> Option<&PluginRecord> {
        self.plugins.iter().find(|plugin| plugin.fills_memory_slot)
    }

    /// The plugin that is the selected context engine.
    pub fn context_engine_plugin(&self) -> Option<&PluginRecord> {
        self.plugins.iter().find(|plugin| plugin.fills_context_engine_slot)
    }
}
