//! `agents.*` and `tools.*`.

use std::path::PathBuf;

use serde_json::Value;

use super::{flag, text, texts, texts_opt, whole};
use crate::load::Config;
use crate::paths::{DEFAULT_AGENT_ID, normalize_agent_id};

/// A model and what to use when it fails; written as a text or as `{primary, fallbacks, timeoutMs}`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelChoice {
    /// `provider/model`.
    pub primary: Option<String>,
    /// Tried in this order.
    pub fallbacks: Vec<String>,
    /// Limit for one attempt, in milliseconds.
    pub timeout_ms: Option<u64>,
}

/// Which tools may be used; `None` means that nothing is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolPolicy {
    /// `minimal`, `coding`, `messaging` or `full`.
    pub profile: Option<String>,
    /// Only these.
    pub allow: Option<Vec<String>>,
    /// These on top of the profile.
    pub also_allow: Vec<String>,
    /// Never these.
    pub deny: Vec<String>,
}

/// One entry of `agents.list`, with `agents.defaults` filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentSettings {
    /// The normalised id.
    pub id: String,
    /// Display name.
    pub name: Option<String>,
    /// Directory the agent works in, absolute.
    pub workspace: PathBuf,
    /// Directory of its auth profiles and model list, absolute.
    pub agent_dir: PathBuf,
    /// The agent's model, else the default one.
    pub model: ModelChoice,
    /// Text instead of the usual system prompt.
    pub system_prompt_override: Option<String>,
    /// The agent's own tool policy.
    pub tools: ToolPolicy,
    /// `off`, `minimal`, ... `max`.
    pub thinking_default: Option<String>,
    /// The entry as written (`Null` for an agent that is not listed).
    pub raw: Value,
}

/// `agents.*`.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentsSettings {
    /// The agent for everything that names none.
    pub default_id: String,
    /// The agents; at least the default one.
    pub list: Vec<AgentSettings>,
    /// `agents.defaults.model`.
    pub model: ModelChoice,
    /// `agents.defaults.imageModel`.
    pub image_model: ModelChoice,
    /// Longest turn, in seconds (default 48 hours).
    pub timeout_seconds: u64,
    /// Turns that run at the same time.
    pub max_concurrent: usize,
    /// Subagent turns that run at the same time.
    pub subagents_max_concurrent: usize,
    /// Whether workspace files are not put into the first prompt.
    pub skip_bootstrap: bool,
    /// Time zone for the prompt.
    pub user_timezone: Option<String>,
    /// `agents.defaults` as written.
    pub defaults: Value,
}

/// `tools.*`.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolsSettings {
    /// The gateway-wide policy.
    pub policy: ToolPolicy,
    /// `tools.exec.host`.
    pub exec_host: Option<String>,
    /// `tools.exec.security`.
    pub exec_security: Option<String>,
    /// `tools.exec.ask`.
    pub exec_ask: Option<String>,
    /// Limit for one command, in seconds.
    pub exec_timeout_sec: Option<u64>,
    /// Whether file tools stay in the workspace.
    pub fs_workspace_only: bool,
    /// The section as written, for tools that read more of it.
    pub raw: Value,
}

impl AgentsSettings {
    /// The listed agent with this id.
    pub fn get(&self, id: &str) -> Option<&AgentSettings> {
        let id = normalize_agent_id(id);
        self.list.iter().find(|agent| agent.id == id)
    }
}

impl Config {
    /// Reads `agents.*`.
    pub fn agents(&self) -> AgentsSettings {
        let defaults = &self.effective["agents"]["defaults"];
        let entries: &[Value] = self.effective["agents"]["list"].as_array().map_or(&[], Vec::as_slice);
        let chosen = entries.iter().find(|entry| flag(entry, "default") == Some(true)).or(entries.first());
        let default_id = chosen.map_or_else(|| DEFAULT_AGENT_ID.to_owned(), |entry| normalize_agent_id(entry["id"].as_str().unwrap_or("")));
        let mut list: Vec<AgentSettings> = entries.iter().map(|entry| self.agent(entry, &default_id)).collect();
        if list.is_empty() {
            list.push(self.agent(&Value::Null, &default_id));
        }
        AgentsSettings {
            default_id,
            list,
            model: model_choice(&defaults["model"]),
            image_model: model_choice(&defaults["imageModel"]),
            timeout_seconds: whole(defaults, "timeoutSeconds").unwrap_or(48 * 60 * 60),
            max_concurrent: whole(defaults, "maxConcurrent").unwrap_or(4) as usize,
            subagents_max_concurrent: whole(&defaults["subagents"], "maxConcurrent").unwrap_or(8) as usize,
            skip_bootstrap: flag(defaults, "skipBootstrap").unwrap_or(false),
            user_timezone: text(defaults, "userTimezone"),
            defaults: defaults.clone(),
        }
    }

    fn agent(&self, entry: &Value, default_id: &str) -> AgentSettings {
        let defaults = &self.effective["agents"]["defaults"];
        let id = normalize_agent_id(entry["id"].as_str().unwrap_or(default_id));
        let shared = text(defaults, "workspace").map(|path| self.paths.resolve_user_path(&path));
        let workspace = match (text(entry, "workspace"), shared) {
            (Some(own), _) => self.paths.resolve_user_path(&own),
            (None, Some(shared)) if id == default_id => shared,
            (None, Some(shared)) => shared.join(&id),
            (None, None) if id == default_id => self.paths.default_workspace(&self.env),
            (None, None) => self.paths.state_dir.join(format!("workspace-{id}")),
        };
        let own_model = model_choice(&entry["model"]);
        AgentSettings {
            name: text(entry, "name"),
            workspace,
            agent_dir: text(entry, "agentDir").map_or_else(|| self.paths.agent_dir(&id), |dir| self.paths.resolve_user_path(&dir)),
            model: if own_model.primary.is_some() { own_model } else { model_choice(&defaults["model"]) },
            system_prompt_override: text(entry, "systemPromptOverride").or_else(|| text(defaults, "systemPromptOverride")),
            tools: tool_policy(&entry["tools"]),
            thinking_default: text(entry, "thinkingDefault").or_else(|| text(defaults, "thinkingDefault")),
            raw: entry.clone(),
            id,
        }
    }

    /// Reads `tools.*`.
    pub fn tools(&self) -> ToolsSettings {
        let tools = &self.effective["tools"];
        let exec = &tools["exec"];
        ToolsSettings {
            policy: tool_policy(tools),
            exec_host: text(exec, "host"),
            exec_security: text(exec, "security"),
            exec_ask: text(exec, "ask"),
            exec_timeout_sec: whole(exec, "timeoutSec"),
            fs_workspace_only: flag(&tools["fs"], "workspaceOnly").unwrap_or(false),
            raw: tools.clone(),
        }
    }
}

fn model_choice(value: &Value) -> ModelChoice {
    match value.as_str().map(str::trim).filter(|t| !t.is_empty()) {
        Some(primary) => ModelChoice { primary: Some(primary.to_owned()), ..ModelChoice::default() },
        None => {
            ModelChoice { primary: text(value, "primary"), fallbacks: texts(value, "fallbacks"), timeout_ms: whole(value, "timeoutMs") }
        }
    }
}

fn tool_policy(value: &Value) -> ToolPolicy {
    ToolPolicy {
        profile: text(value, "profile"),
        allow: texts_opt(value, "allow"),
        also_allow: texts(value, "alsoAllow"),
        deny: texts(value, "deny"),
    }
}
