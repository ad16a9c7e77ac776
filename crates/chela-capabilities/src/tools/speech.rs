//! `tts` (TOOL-86).

use std::sync::Weak;

use async_trait::async_trait;
use chela_agent::tools::{HostTool, HostToolCall, HostToolSpec, ToolContext};
use chela_plugin::registry::Registry;
use serde_json::{Value, json};

use super::{alive, param, result, scope};
use crate::host::Surroundings;
use crate::kind::{Capability, Provider};
use crate::params::Params;
use crate::speech;

/// Speaks with the providers of plugins.
pub(super) struct SpeechTool(pub(super) Weak<dyn Surroundings>);

impl std::fmt::Debug for SpeechTool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SpeechTool")
    }
}

#[async_trait]
impl HostTool for SpeechTool {
    fn name(&self) -> &'static str {
        "tts"
    }

    fn describe(&self, registry: &Registry, _: &ToolContext) -> Option<HostToolSpec> {
        Provider::any(registry, Capability::Speech).then(|| HostToolSpec {
            label: "Text to speech".into(),
            description: "Speak a text, only when the user asks for audio. The file is delivered by itself".into(),
            parameters: json!({"type": "object", "required": ["text"], "properties": {
                "text": param("string", "What to say"),
                "channel": param("string", "The channel that the audio is for; the current one when absent"),
                "timeoutMs": param("number", "Longest time for one provider, in milliseconds"),
            }}),
            owner_only: false,
        })
    }

    async fn run(&self, call: HostToolCall<'_>) -> Result<Value, String> {
        let host = alive(&self.0)?;
        let params = Params(&call.params);
        let text = params.needed("text")?;
        let time = params.whole("timeoutMs", 1, 600_000)?;
        let current = call.context.get("messageChannel").or_else(|| call.context.get("messageProvider")).and_then(Value::as_str);
        let channel = params.text("channel").or_else(|| current.map(str::to_string));
        let scope = scope(host.as_ref(), &call);
        let mut request = json!({"text": text, "channel": channel});
        if let Some(time) = time {
            request["timeoutMs"] = time.into();
        }
        let spoken = speech::to_file(&scope, &request).await;
        if spoken["success"] != true {
            return Err(spoken["error"].as_str().unwrap_or("TTS conversion failed").to_string());
        }
        let mut media = json!({"mediaUrl": spoken["audioPath"], "trustedLocalMedia": true});
        if spoken["audioAsVoice"] == true || spoken["voiceCompatible"] == true {
            media["audioAsVoice"] = true.into();
        }
        // What was said must not be read as an instruction for the delivery.
        let said = text.replace("[[", "[\u{2060}[").replace("MEDIA:", "\u{2060}MEDIA:");
        let details =
            json!({"audioPath": spoken["audioPath"], "provider": spoken["provider"], "attempts": spoken["attempts"], "media": media});
        Ok(result(format!("(spoken) {said}"), details))
    }
}
