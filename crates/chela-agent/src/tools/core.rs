//! Tools of the host itself.

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
                "Show the current session: agent, model, number of messages, tokens used and the time",
                json!({"type": "object", "properties": {}, "additionalProperties": false}),
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
    pub async fn run(self, runtime: &AgentRuntime, session_key: &str) -> Result<Value, String> {
        match self {
            Self::SessionStatus => session_status(runtime, session_key).await,
        }
    }
}

async fn session_status(runtime: &AgentRuntime, session_key: &str) -> Result<Value, String> {
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
