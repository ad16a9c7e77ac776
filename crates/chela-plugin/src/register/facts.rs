//! What the control plane knows about a plugin when its registrations arrive.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chela_manifest::{CapabilityMetadata, Manifest};
use serde_json::Value;

use crate::hook::{DispatchMode, HookName};
use crate::lane::RegistrationMode;
use crate::register::entries::Owner;

/// `plugins.entries.<id>.hooks` (HOOK-094, HOOK-095, HOOK-120..126).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HookPolicy {
    /// Access to hooks that see conversations.
    pub allow_conversation_access: Option<bool>,
    /// Permission to put text into prompts.
    pub allow_prompt_injection: Option<bool>,
    /// Budget of every handler in ms, 1 to 600000.
    pub timeout_ms: Option<u64>,
    /// Budgets by hook name in ms, 1 to 600000.
    pub timeouts: BTreeMap<String, u64>,
}

impl HookPolicy {
    /// The longest budget that the config may give, in ms (HOOK-095).
    pub const MAX_TIMEOUT_MS: u64 = 600_000;

    /// The effective budget of one handler: the config for the hook, the config for the plugin, the `api.on` option, the hook's
    /// default (HOOK-094). Handlers of the two synchronous hooks always have the default (HOOK-101).
    pub fn budget(&self, hook: HookName, option_ms: Option<u64>) -> Duration {
        if hook.mode() == DispatchMode::Sync {
            return hook.default_timeout();
        }
        let valid = |ms: &u64| (1..=Self::MAX_TIMEOUT_MS).contains(ms);
        self.timeouts
            .get(hook.as_str())
            .copied()
            .filter(valid)
            .or(self.timeout_ms.filter(valid))
            .or(option_ms)
            .map_or_else(|| hook.default_timeout(), Duration::from_millis)
    }
}

/// Facts about one plugin, independent of its code.
#[derive(Clone, Debug)]
pub struct PluginFacts {
    /// Manifest id.
    pub id: String,
    /// Display name from the manifest.
    pub name: Option<String>,
    /// Version from the manifest or the package.
    pub version: Option<String>,
    /// Description from the manifest.
    pub description: Option<String>,
    /// Where it was found: `bundled`, `global`, `workspace`, `config`, ...
    pub origin: String,
    /// Ships with the host: trusted with reserved names and bundled-only methods (API-105).
    pub bundled: bool,
    /// The operator chose it by name in the config, so that it may register what is trusted (2026.6.11).
    pub chosen: bool,
    /// The official package of the reserved command owner (API-069): npm package `@openclaw/codex` with the id `codex`.
    pub official: bool,
    /// The entry file, for diagnostics.
    pub source: String,
    /// The plugin's directory.
    pub root_dir: Option<PathBuf>,
    /// Kinds from the manifest (`memory`, `context-engine`).
    pub kinds: Vec<String>,
    /// What the plugin was loaded for (API-022).
    pub mode: RegistrationMode,
    /// The validated plugin config, given to `registerHook` handlers (HOOK-115).
    pub plugin_config: Value,
    /// The manifest.
    pub manifest: Arc<Manifest>,
}

impl PluginFacts {
    /// Facts of a plugin that is loaded in full; the other members are derived from the manifest or empty.
    pub fn new(id: &str, source: &str, manifest: Arc<Manifest>) -> Self {
        Self {
            id: id.into(),
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            description: manifest.description.clone(),
            origin: "config".into(),
            bundled: false,
            chosen: false,
            official: false,
            source: source.into(),
            root_dir: None,
            kinds: manifest.kind.clone(),
            mode: RegistrationMode::Full,
            plugin_config: Value::Null,
            manifest,
        }
    }

    /// The names in `contracts.<member>`, trimmed, without duplicates (MAN-096..102).
    pub fn contract(&self, member: &str) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for name in self.manifest.contracts.get(member).iter().map(|n| n.trim()).filter(|n| !n.is_empty()) {
            if !names.iter().any(|n| n == name) {
                names.push(name.into());
            }
        }
        names
    }

    /// Tools that `toolMetadata.<tool>.optional` marks as optional (API-115).
    pub(crate) fn optional_tools(&self) -> BTreeSet<String> {
        self.manifest.tool_metadata.iter().filter(|(_, meta)| meta.optional).map(|(tool, _)| tool.clone()).collect()
    }

    /// Tools that are there only where one of the signals of `toolMetadata.<tool>` holds (API-118).
    pub(crate) fn conditional_tools(&self) -> BTreeMap<String, CapabilityMetadata> {
        let signals = self.manifest.tool_metadata.iter().map(|(tool, meta)| (tool, &meta.signals));
        let has_any = |s: &CapabilityMetadata| {
            !(s.config_signals.is_empty() && s.auth_signals.is_empty() && s.auth_providers.is_empty() && s.aliases.is_empty())
        };
        signals.filter(|(_, signals)| has_any(signals)).map(|(tool, signals)| (tool.clone(), signals.clone())).collect()
    }

    pub(crate) fn owner(&self) -> Arc<Owner> {
        Arc::new(Owner {
            id: self.id.as_str().into(),
            name: self.name.clone(),
            source: self.source.clone(),
            root_dir: self.root_dir.clone(),
            bundled: self.bundled,
        })
    }
}

/// Kinds in a `kind` member: one name or a list.
pub fn kinds_of(kind: Option<&Value>) -> Vec<String> {
    let names: Vec<&str> = match kind {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    names.into_iter().map(str::trim).filter(|k| !k.is_empty()).map(Into::into).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // HOOK-094, HOOK-095, HOOK-101
    #[test]
    fn the_nearest_budget_wins() {
        let hook = HookName::BeforePromptBuild;
        let ms = |p: &HookPolicy, hook, option| p.budget(hook, option).as_millis();
        let mut policy = HookPolicy::default();
        assert_eq!(ms(&policy, hook, None), 15_000);
        assert_eq!(ms(&policy, hook, Some(700_000)), 700_000);
        policy.timeout_ms = Some(40);
        assert_eq!(ms(&policy, hook, Some(7)), 40);
        policy.timeouts.insert("before_prompt_build".into(), 30);
        assert_eq!(ms(&policy, hook, Some(7)), 30);
        policy.timeouts.insert("before_prompt_build".into(), 600_001);
        assert_eq!(ms(&policy, hook, Some(7)), 40);
        assert_eq!(ms(&policy, HookName::ToolResultPersist, Some(7)), 2_000);
    }
}
