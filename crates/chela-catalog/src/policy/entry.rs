//! `plugins.entries.<id>`: what the operator sets for one plugin.

use std::collections::BTreeMap;

use chela_manifest::permissions::Grant;
use serde_json::Value;

/// The longest hook time-out that config may set, in milliseconds (INS-069).
pub const MAX_HOOK_TIMEOUT_MS: u64 = 600_000;

/// The entry of one plugin. Values of a wrong type are dropped.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EntryPolicy {
    /// `enabled`, where set.
    pub enabled: Option<bool>,
    /// `config` as written; `None` when the key is absent.
    pub config: Option<Value>,
    /// `hooks`.
    pub hooks: HookPolicy,
    /// `subagent`.
    pub subagent: SubagentPolicy,
    /// `llm`.
    pub llm: LlmPolicy,
    /// `env`: variables for this plugin alone.
    pub env: BTreeMap<String, String>,
    /// True when `apiKey` is present; the value is never kept here.
    pub has_api_key: bool,
    /// `runtime.group`: plugins of one group share a worker process.
    pub runtime_group: Option<String>,
    /// `permissions`: what the operator grants.
    pub permissions: Grant,
    /// True when the entry says more than that it exists (INS-066).
    pub is_material: bool,
}

/// `hooks` of an entry (INS-069).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HookPolicy {
    /// Whether hooks may change the prompt.
    pub allow_prompt_injection: Option<bool>,
    /// Whether hooks may read the conversation.
    pub allow_conversation_access: Option<bool>,
    /// Time-out of all hooks of the plugin, milliseconds.
    pub timeout_ms: Option<u64>,
    /// Time-outs by hook name, milliseconds.
    pub timeouts: BTreeMap<String, u64>,
}

/// `subagent` of an entry (INS-070).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubagentPolicy {
    /// Whether the plugin may choose the model of a subagent.
    pub allow_model_override: Option<bool>,
    /// `Some(empty)` means configured with nothing allowed (INS-071).
    pub allowed_models: Option<Vec<String>>,
}

/// `llm` of an entry (INS-070).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LlmPolicy {
    /// Whether the plugin may choose the model.
    pub allow_model_override: Option<bool>,
    /// `Some(empty)` means configured with nothing allowed (INS-071).
    pub allowed_models: Option<Vec<String>>,
    /// Whether the plugin may act as another agent.
    pub allow_agent_id_override: Option<bool>,
}

impl EntryPolicy {
    pub(super) fn read(value: &Value) -> Self {
        let at = |key: &str| value.get(key);
        let is_object = |key: &str| at(key).is_some_and(Value::is_object);
        let enabled = at("enabled").and_then(Value::as_bool);
        Self {
            enabled,
            config: at("config").cloned(),
            hooks: HookPolicy::read(at("hooks")),
            subagent: SubagentPolicy {
                allow_model_override: flag(at("subagent"), "allowModelOverride"),
                allowed_models: models(at("subagent")),
            },
            llm: LlmPolicy {
                allow_model_override: flag(at("llm"), "allowModelOverride"),
                allowed_models: models(at("llm")),
                allow_agent_id_override: flag(at("llm"), "allowAgentIdOverride"),
            },
            env: strings(at("env")),
            has_api_key: at("apiKey").is_some(),
            runtime_group: at("runtime")
                .and_then(|runtime| runtime.get("group"))
                .and_then(Value::as_str)
                .map(str::trim)
                .filter(|group| !group.is_empty())
                .map(str::to_owned),
            permissions: Grant::read(at("permissions")),
            is_material: enabled == Some(true)
                || ["config", "hooks", "subagent", "llm"].into_iter().any(is_object)
                || at("apiKey").is_some()
                || at("env").is_some(),
        }
    }
}

impl HookPolicy {
    fn read(value: Option<&Value>) -> Self {
        let timeouts = value.and_then(|hooks| hooks.get("timeouts")).and_then(Value::as_object).into_iter().flatten();
        Self {
            allow_prompt_injection: flag(value, "allowPromptInjection"),
            allow_conversation_access: flag(value, "allowConversationAccess"),
            timeout_ms: timeout(value.and_then(|hooks| hooks.get("timeoutMs"))),
            timeouts: timeouts.filter_map(|(name, ms)| Some((name.clone(), timeout(Some(ms))?))).collect(),
        }
    }

    /// The time-out for one hook: its own, else the plugin's.
    pub fn timeout_for(&self, hook: &str) -> Option<u64> {
        self.timeouts.get(hook).copied().or(self.timeout_ms)
    }
}

fn timeout(value: Option<&Value>) -> Option<u64> {
    let value = value?;
    // JSON `5.0` is an integer to the programs that wrote these files.
    let ms = value.as_u64().or_else(|| {
        let float = value.as_f64()?;
        (float.fract() == 0.0 && (1.0..=MAX_HOOK_TIMEOUT_MS as f64).contains(&float)).then_some(float as u64)
    })?;
    (1..=MAX_HOOK_TIMEOUT_MS).contains(&ms).then_some(ms)
}

fn flag(block: Option<&Value>, key: &str) -> Option<bool> {
    block?.get(key)?.as_bool()
}

fn models(block: Option<&Value>) -> Option<Vec<String>> {
    let items = block?.get("allowedModels")?.as_array()?;
    let models = items.iter().filter_map(Value::as_str).map(str::trim);
    Some(models.filter(|id| !id.is_empty()).map(str::to_owned).collect())
}

fn strings(block: Option<&Value>) -> BTreeMap<String, String> {
    let entries = block.and_then(Value::as_object).into_iter().flatten();
    entries.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}
