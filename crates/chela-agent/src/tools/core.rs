//! Tools of the host itself.

use chela_models::ModelRef;
use serde_json::{Value, json};

use super::{Tool, ToolKind, text_result};
use crate::runtime::AgentRuntime;

/// The host's tools, in the order in which they are offered.
pub const CORE_TOOLS: &[CoreTool] = &[CoreTool::SessionStatus];

/// A tool of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoreTool {
    /// Tells the model about its own session: model, messages, tokens, time.
    SessionStatus,
}

impl CoreTool {
    /// Name.
    pub fn name(self) -> &'static str {
        match self {
            Self::SessionStatus => "session_status",
        }
    }

    /// The tool as it is offered.
    pub fn describe(self) -> Tool {
        let (label, description, parameters) = match self {
            Self::SessionStatus => (
                "Session status",
                "Show the current session: agent, model, number of messages, tokens used and the time; `model` changes its model",
                json!({"type": "object", "additionalProperties": false, "properties": {
                    "sessionKey": {"type": "string", "description": "The session; only the current one"},
                    "model": {"type": "string", "description": "provider/model for the turns that follow, or `default`"},
                }}),
            ),
        };
        Tool {
            name: self.name().into(),
            label: Some(label.into()),
            description: description.into(),
            parameters,
            plugin_id: None,
            owner_only: false,
            kind: ToolKind::Core(self),
        }
    }

    /// Runs it.
    ///
    /// # Errors
    /// A text for the model.
    pub async fn run(self, runtime: &AgentRuntime, session_key: &str, params: &Value) -> Result<Value, String> {
        match self {
            Self::SessionStatus => session_status(runtime, session_key, params).await,
        }
    }
}

async fn session_status(runtime: &AgentRuntime, session_key: &str, params: &Value) -> Result<Value, String> {
    let text = |name: &str| params[name].as_str().map(str::trim).filter(|text| !text.is_empty());
    if let Some(other) = text("sessionKey").filter(|key| *key != session_key && *key != "current") {
        return Err(format!("session_status of `{other}` is not possible: tools for other sessions are not built yet"));
    }
    if let Some(model) = text("model") {
        set_model(runtime, session_key, model).await?;
    }
    let row = runtime.store.session(session_key).await.map_err(|e| e.to_string())?;
    let Some(row) = row else { return Err(format!("session `{session_key}` does not exist")) };
    let model = format!("{}/{}", row.model_provider.as_deref().unwrap_or("?"), row.model.as_deref().unwrap_or("?"));
    let now = jiff::Zoned::now().strftime("%A %Y-%m-%d %H:%M %Z").to_string();
    let text = format!(
        "Session {session_key}\nAgent: {}\nModel: {model}\nMessages: {}\nTokens in/out: {}/{}\nTime: {now}",
        row.agent_id,
        row.message_count,
        row.input_tokens.unwrap_or(0),
        row.output_tokens.unwrap_or(0),
    );
    let mut result = text_result(text);
    result["details"] = json!({"sessionKey": session_key, "sessionId": row.session_id, "messageCount": row.message_count});
    Ok(result)
}

/// The turns that follow use another model; `default` takes the choice back (TOOL-64).
async fn set_model(runtime: &AgentRuntime, session_key: &str, wanted: &str) -> Result<(), String> {
    let chosen = match wanted {
        "default" => None,
        name => Some(choose(runtime, name)?),
    };
    let change = move |row: &mut chela_store::SessionRow| {
        for name in ["providerOverride", "modelOverride", "modelOverrideSource"] {
            row.extra.shift_remove(name);
        }
        if let Some(model) = chosen {
            row.extra.insert("providerOverride".into(), model.provider.into());
            row.extra.insert("modelOverride".into(), model.model.into());
        }
    };
    runtime.store.update_session(session_key, change).await.map(drop).map_err(|e| e.to_string())
}

/// A model that there is, and that the operator's list of models has, where there is one.
fn choose(runtime: &AgentRuntime, name: &str) -> Result<ModelRef, String> {
    let wish = ModelRef::parse(name).ok().filter(|_| name.contains('/')).ok_or_else(|| format!("`{name}` is no provider/model"))?;
    let config = runtime.config();
    let listed = config.get("agents.defaults.models").and_then(Value::as_object).filter(|list| !list.is_empty());
    let has = |entry: &String| match entry.strip_suffix("/*") {
        Some(provider) => provider == wish.provider,
        None => ModelRef::parse(entry).is_ok_and(|model| model.same_as(&wish)),
    };
    if listed.is_some_and(|list| !list.keys().any(has)) {
        return Err(format!("the model {} may not be chosen here: `agents.defaults.models` does not have it", wish.key()));
    }
    runtime.models().resolve(&wish).map(|found| found.model).map_err(|e| e.to_string())
}
