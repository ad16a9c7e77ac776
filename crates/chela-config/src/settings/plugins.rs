//! `plugins.*`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use super::{flag, text, text_map, texts, texts_opt, whole};
use crate::load::Config;
use crate::secret::SecretInput;

/// `plugins.entries.<id>.hooks`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PluginHooksPolicy {
    /// Whether hooks may add to the prompt, when set.
    pub allow_prompt_injection: Option<bool>,
    /// Whether hooks may read conversations, when set.
    pub allow_conversation_access: Option<bool>,
    /// Limit for every hook, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// Limits by hook name, in milliseconds.
    pub timeouts: BTreeMap<String, u64>,
}

/// `plugins.entries.<id>.llm` and `.subagent`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PluginLlmPolicy {
    /// Whether the plugin may choose the model.
    pub allow_model_override: bool,
    /// The models it may choose; `None` allows any.
    pub allowed_models: Option<Vec<String>>,
    /// Whether it may name another agent (`llm` only).
    pub allow_agent_id_override: bool,
}

/// `plugins.entries.<id>` (MAN-070).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PluginEntry {
    /// Switched on or off by the user; `None` leaves it to the plugin's own default.
    pub enabled: Option<bool>,
    /// Key for the plugin's service.
    pub api_key: Option<SecretInput>,
    /// Variables for the plugin's process.
    pub env: BTreeMap<String, String>,
    /// What its hooks may do.
    pub hooks: PluginHooksPolicy,
    /// What its subagents may do.
    pub subagent: PluginLlmPolicy,
    /// What its model calls may do.
    pub llm: PluginLlmPolicy,
    /// The plugin's own configuration; `None` when there is none.
    pub config: Option<Value>,
    /// Plugins with the same group share a process.
    pub group: Option<String>,
    /// Memory limit of its process, in mebibytes.
    pub memory_mb: Option<u64>,
    /// What the operator grants, as written (`chela_manifest::permissions::Grant` reads it).
    pub permissions: Option<Value>,
}

/// `plugins.*`.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginsSettings {
    /// Whether plugins are used at all.
    pub enabled: bool,
    /// When not empty, only these plugins may run.
    pub allow: Vec<String>,
    /// Plugins that never run.
    pub deny: Vec<String>,
    /// Extra plugin files and directories, absolute.
    pub load_paths: Vec<PathBuf>,
    /// Which plugin fills which slot (`memory`, `contextEngine`).
    pub slots: BTreeMap<String, String>,
    /// Settings by plugin id.
    pub entries: BTreeMap<String, PluginEntry>,
    /// `plugins.bundledDiscovery`: `compat` or `allowlist`.
    pub bundled_discovery: Option<String>,
    /// Whether a plugin that uses what is not built fails instead of running with less.
    pub compat_strict: bool,
}

impl Config {
    /// Reads `plugins.*`.
    pub fn plugins(&self) -> PluginsSettings {
        let p = &self.effective["plugins"];
        let entries = p["entries"].as_object().into_iter().flatten();
        PluginsSettings {
            enabled: flag(p, "enabled").unwrap_or(true),
            allow: texts(p, "allow"),
            deny: texts(p, "deny"),
            load_paths: texts(&p["load"], "paths").iter().map(|path| self.paths.resolve_user_path(path)).collect(),
            slots: text_map(p, "slots"),
            entries: entries.map(|(id, entry)| (id.clone(), self.plugin_entry(entry))).collect(),
            bundled_discovery: text(p, "bundledDiscovery"),
            compat_strict: flag(&p["compat"], "strict").unwrap_or(false),
        }
    }

    fn plugin_entry(&self, entry: &Value) -> PluginEntry {
        let hooks = &entry["hooks"];
        let timeouts = hooks["timeouts"].as_object().into_iter().flatten();
        PluginEntry {
            enabled: flag(entry, "enabled"),
            api_key: entry.get("apiKey").and_then(|key| self.secret_input(key)),
            env: text_map(entry, "env"),
            hooks: PluginHooksPolicy {
                allow_prompt_injection: flag(hooks, "allowPromptInjection"),
                allow_conversation_access: flag(hooks, "allowConversationAccess"),
                timeout_ms: whole(hooks, "timeoutMs"),
                timeouts: timeouts.filter_map(|(name, ms)| Some((name.clone(), ms.as_f64()? as u64))).collect(),
            },
            subagent: policy(&entry["subagent"]),
            llm: policy(&entry["llm"]),
            config: entry.get("config").cloned(),
            group: text(&entry["runtime"], "group"),
            memory_mb: whole(&entry["runtime"], "memoryMb"),
            permissions: entry.get("permissions").cloned(),
        }
    }
}

fn policy(value: &Value) -> PluginLlmPolicy {
    PluginLlmPolicy {
        allow_model_override: flag(value, "allowModelOverride").unwrap_or(false),
        allowed_models: texts_opt(value, "allowedModels"),
        allow_agent_id_override: flag(value, "allowAgentIdOverride").unwrap_or(false),
    }
}
