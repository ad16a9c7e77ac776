//! `transcripts`: what is said in meetings, kept on disk (2026.6.11).

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use chela_agent::tools::{HostTool, HostToolCall, HostToolSpec, ToolContext};
use chela_plugin::registry::Registry;
use serde_json::{Value, json};

use super::{alive, param, scope, words};
use crate::host::Surroundings;
use crate::transcripts::Transcripts;

/// Listens to meetings with the providers of plugins.
pub(super) struct TranscriptsTool {
    pub(super) host: Weak<dyn Surroundings>,
    pub(super) transcripts: Arc<Transcripts>,
}

impl std::fmt::Debug for TranscriptsTool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TranscriptsTool")
    }
}

#[async_trait]
impl HostTool for TranscriptsTool {
    fn name(&self) -> &'static str {
        "transcripts"
    }

    fn describe(&self, _: &Registry, _: &ToolContext) -> Option<HostToolSpec> {
        if self.host.upgrade()?.setting("/transcripts/enabled") != Some(Value::Bool(true)) {
            return None;
        }
        let fields = json!({"type": "object", "additionalProperties": false, "required": ["action"], "properties": {
            "action": words(&["start", "stop", "status", "import", "summarize"], "What to do"),
            "sessionId": param("string", "The transcript; made up for a new one when absent"),
            "title": param("string", "Title of a new transcript"),
            "providerId": param("string", "Who listens; `status` names those there are. Pasted text needs none"),
            "accountId": param("string", "Account of the provider"),
            "guildId": param("string", "Server of the meeting, where the provider has servers"),
            "channelId": param("string", "Channel of the meeting"),
            "meetingUrl": param("string", "Address of the meeting"),
            "transcript": param("string", "The text to import"),
            "speakerLabel": param("string", "Who said lines without a name"),
        }});
        Some(HostToolSpec {
            label: "Transcripts".into(),
            description: "Listen to a meeting and keep what is said, import a transcript, or summarize one".into(),
            parameters: fields,
            owner_only: false,
        })
    }

    fn limits_itself(&self) -> bool {
        true
    }

    async fn run(&self, call: HostToolCall<'_>) -> Result<Value, String> {
        let host = alive(&self.host)?;
        let scope = scope(host.as_ref(), &call);
        self.transcripts.act(&scope, &call.params).await
    }
}
