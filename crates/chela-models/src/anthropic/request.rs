//! The body of a messages request.

use super::messages::Messages;
use crate::compat::Endpoint;
use crate::history::{IdMode, Unpaired, plan};
use crate::schema::{Dialect, rewrite};
use crate::thinking::{AnthropicThinking, anthropic_thinking};
use crate::transport::Target;
use crate::types::{ModelRequest, ToolChoice, ToolSpec};
use crate::wire::Rows;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Value, json};

/// Output limit when neither the request nor a model row gives one; every model in service allows it.
const DEFAULT_MAX_TOKENS: u32 = 8192;
/// Highest limit taken from a model row (PRV-242).
const MAX_FROM_ROW: u32 = 32_000;

/// Serialises a request once, straight from its parts.
pub(crate) fn body(request: &ModelRequest, target: &Target, stream: bool) -> Result<Vec<u8>, serde_json::Error> {
    let steps = plan(&request.messages, Unpaired::Synthesise, IdMode::Plain);
    let cache = cache_control(target);
    let model = request.model.to_string();
    let messages = Messages { steps: &steps, model: &model, images: target.takes_images(), cache: cache.as_ref() };
    serde_json::to_vec(&Body { request, target, stream, messages, cache: cache.as_ref() })
}

/// Cache marks go to Anthropic itself, and elsewhere only when the configuration asks for them.
fn cache_control(target: &Target) -> Option<Value> {
    let native = target.endpoint == Endpoint::Anthropic;
    match target.params.get("cacheRetention").and_then(Value::as_str) {
        Some("none") => None,
        Some("long") => Some(json!({"type": "ephemeral", "ttl": "1h"})),
        Some("short") => Some(json!({"type": "ephemeral"})),
        _ => native.then(|| json!({"type": "ephemeral"})),
    }
}

struct Body<'a> {
    request: &'a ModelRequest,
    target: &'a Target,
    stream: bool,
    messages: Messages<'a>,
    cache: Option<&'a Value>,
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let request = self.request;
        let mut out = s.serialize_map(None)?;
        out.serialize_entry("model", &request.model.model)?;
        let (max_tokens, thinking) = self.limits();
        out.serialize_entry("max_tokens", &max_tokens)?;
        out.serialize_entry("stream", &self.stream)?;
        if let Some(system) = request.system.as_deref().filter(|t| !t.trim().is_empty()) {
            out.serialize_entry("system", &[System { text: system, cache: self.cache }])?;
        }
        let tools_offered = self.target.flags.tools && !request.tools.is_empty();
        if tools_offered {
            let dialect = Dialect::of(&request.model.provider, &self.target.compat.unsupported_tool_schema_keywords);
            let tools = Rows(&request.tools, |tool| Tool { tool, dialect });
            out.serialize_entry("tools", &tools)?;
        }
        if let Some(choice) = tool_choice(&request.tool_choice).filter(|_| tools_offered) {
            out.serialize_entry("tool_choice", &choice)?;
        }
        out.serialize_entry("messages", &self.messages)?;
        let thinks = matches!(thinking, AnthropicThinking::Adaptive(_) | AnthropicThinking::Budget(_));
        match thinking {
            AnthropicThinking::Default => {}
            AnthropicThinking::Disabled => out.serialize_entry("thinking", &json!({"type": "disabled"}))?,
            AnthropicThinking::Adaptive(effort) => {
                out.serialize_entry("thinking", &json!({"type": "adaptive"}))?;
                out.serialize_entry("output_config", &json!({"effort": effort}))?;
            }
            AnthropicThinking::Budget(tokens) => {
                out.serialize_entry("thinking", &json!({"type": "enabled", "budget_tokens": tokens}))?;
            }
        }
        // The service refuses a temperature together with thinking.
        if let Some(temperature) = request.temperature.filter(|_| !thinks) {
            out.serialize_entry("temperature", &temperature)?;
        }
        out.end()
    }
}

impl Body<'_> {
    fn limits(&self) -> (u32, AnthropicThinking) {
        let cap = self.target.max_tokens();
        let from_row = cap.map_or(DEFAULT_MAX_TOKENS, |m| m.min(MAX_FROM_ROW));
        let base = self.request.max_tokens.filter(|m| *m > 0).unwrap_or(from_row).max(1);
        let reasons = self.target.row.as_ref().is_none_or(|row| row.reasoning);
        let level = self.request.thinking.filter(|_| reasons);
        match anthropic_thinking(&self.request.model.model, level) {
            AnthropicThinking::Budget(budget) => {
                // The budget comes on top of the answer, within what the model can write (PRV-280).
                let total = base.saturating_add(budget).min(cap.unwrap_or(u32::MAX)).max(base);
                let budget = budget.min(total.saturating_sub(1024));
                let thinking = if budget < 1024 { AnthropicThinking::Disabled } else { AnthropicThinking::Budget(budget) };
                (total, thinking)
            }
            thinking => (base, thinking),
        }
    }
}

fn tool_choice(choice: &ToolChoice) -> Option<Value> {
    match choice {
        ToolChoice::Auto => None,
        ToolChoice::None => Some(json!({"type": "none"})),
        ToolChoice::Required => Some(json!({"type": "any"})),
        ToolChoice::Tool(name) => Some(json!({"type": "tool", "name": name})),
    }
}

struct System<'a> {
    text: &'a str,
    cache: Option<&'a Value>,
}

impl Serialize for System<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(None)?;
        map.serialize_entry("type", "text")?;
        map.serialize_entry("text", self.text)?;
        if let Some(cache) = self.cache {
            map.serialize_entry("cache_control", cache)?;
        }
        map.end()
    }
}

struct Tool<'a> {
    tool: &'a ToolSpec,
    dialect: Dialect<'a>,
}

impl Serialize for Tool<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(Some(3))?;
        map.serialize_entry("name", &self.tool.name)?;
        map.serialize_entry("description", &self.tool.description)?;
        map.serialize_entry("input_schema", &*rewrite(&self.tool.parameters, self.dialect))?;
        map.end()
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
