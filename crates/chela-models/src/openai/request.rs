//! The body of a chat-completions request.

use super::messages::Messages;
use crate::compat::{Effective, MaxTokensField, ThinkingFormat};
use crate::history::{IdMode, Unpaired, plan};
use crate::schema::{Dialect, rewrite};
use crate::thinking::{ThinkingLevel, looks_like_reasoning, openai_effort};
use crate::transport::Target;
use crate::types::{ModelRequest, ToolChoice, ToolSpec};
use crate::wire::Rows;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};

/// Serialises a request once, straight from its parts.
pub(crate) fn body(request: &ModelRequest, target: &Target, stream: bool) -> Result<Vec<u8>, serde_json::Error> {
    let ids = if target.flags.mistral_tool_ids { IdMode::Strict9 } else { IdMode::Plain };
    let steps = plan(&request.messages, Unpaired::Drop, ids);
    let messages = Messages {
        system: request.system.as_deref(),
        steps: &steps,
        flags: &target.flags,
        developer: target.flags.developer_role && reasons(request, target),
        images: target.takes_images(),
    };
    serde_json::to_vec(&Body { request, target, stream, messages, extra: extra(request, target) })
}

struct Body<'a> {
    request: &'a ModelRequest,
    target: &'a Target,
    stream: bool,
    messages: Messages<'a>,
    /// Fields that come last and replace those of the same name.
    extra: Map<String, Value>,
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let (request, flags) = (self.request, &self.target.flags);
        let mut out = Fields { map: s.serialize_map(None)?, extra: &self.extra };
        out.put("model", &request.model.model)?;
        out.put("messages", &self.messages)?;
        out.put("stream", &self.stream)?;
        if self.stream && flags.usage_in_streaming {
            out.put("stream_options", &json!({"include_usage": true}))?;
        }
        if flags.store {
            out.put("store", &false)?;
        }
        if let Some(session) = request.session_id.as_ref().filter(|_| flags.prompt_cache_key) {
            out.put("prompt_cache_key", session)?;
        }
        if let Some(limit) = request.max_tokens.or(self.target.max_tokens()) {
            let field = match flags.max_tokens_field {
                MaxTokensField::MaxTokens => "max_tokens",
                MaxTokensField::MaxCompletionTokens => "max_completion_tokens",
            };
            out.put(field, &limit)?;
        }
        if let Some(temperature) = request.temperature {
            out.put("temperature", &temperature)?;
        }
        if flags.tools && !request.tools.is_empty() {
            let dialect = Dialect::of(&request.model.provider, &self.target.compat.unsupported_tool_schema_keywords);
            out.put("tools", &Rows(&request.tools, |tool| Tool { tool, dialect }))?;
            match &request.tool_choice {
                ToolChoice::Auto => {}
                ToolChoice::None => out.put("tool_choice", "none")?,
                ToolChoice::Required => out.put("tool_choice", "required")?,
                ToolChoice::Tool(name) => {
                    out.put("tool_choice", &json!({"type": "function", "function": {"name": name}}))?;
                }
            }
        }
        for (name, value) in &self.extra {
            out.map.serialize_entry(name, value)?;
        }
        out.map.end()
    }
}

struct Fields<'a, M> {
    map: M,
    extra: &'a Map<String, Value>,
}

impl<M: SerializeMap> Fields<'_, M> {
    fn put<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), M::Error> {
        if self.extra.contains_key(name) { Ok(()) } else { self.map.serialize_entry(name, value) }
    }
}

/// Whether the model reasons, by its row or by its name.
fn reasons(request: &ModelRequest, target: &Target) -> bool {
    target.row.as_ref().map_or_else(|| looks_like_reasoning(&request.model.model), |row| row.reasoning)
}

/// Reasoning fields and the parameters of the configuration (PRV-250).
fn extra(request: &ModelRequest, target: &Target) -> Map<String, Value> {
    let mut extra = Map::new();
    if let Some(level) = request.thinking
        && reasons(request, target)
    {
        reasoning(&mut extra, request, target, level);
    }
    if let Some(parallel) = target.params.get("parallel_tool_calls").filter(|v| v.is_boolean()) {
        // Endpoints refuse the field when no tool is offered.
        if target.flags.tools && !request.tools.is_empty() {
            extra.insert("parallel_tool_calls".to_owned(), parallel.clone());
        }
    }
    if let Some(Value::Object(kwargs)) = target.params.get("chat_template_kwargs") {
        merge_into(&mut extra, "chat_template_kwargs", kwargs.clone());
    }
    for name in ["extra_body", "extraBody"] {
        if let Some(Value::Object(fields)) = target.params.get(name) {
            extra.extend(fields.iter().map(|(k, v)| (k.clone(), v.clone())));
        }
    }
    extra
}

fn merge_into(extra: &mut Map<String, Value>, name: &str, more: Map<String, Value>) {
    match extra.get_mut(name) {
        Some(Value::Object(existing)) => existing.extend(more),
        _ => {
            extra.insert(name.to_owned(), Value::Object(more));
        }
    }
}

fn reasoning(extra: &mut Map<String, Value>, request: &ModelRequest, target: &Target, level: ThinkingLevel) {
    let on = level != ThinkingLevel::Off;
    let effort = || openai_effort(&request.model.model, level, &target.compat);
    let flags: &Effective = &target.flags;
    let switch = || json!({"type": if on { "enabled" } else { "disabled" }});
    match flags.thinking_format {
        ThinkingFormat::Qwen => {
            extra.insert("enable_thinking".to_owned(), json!(on));
        }
        ThinkingFormat::QwenChatTemplate => {
            merge_into(extra, "chat_template_kwargs", Map::from_iter([("enable_thinking".to_owned(), json!(on))]));
        }
        ThinkingFormat::Zai => {
            extra.insert("thinking".to_owned(), switch());
        }
        ThinkingFormat::OpenRouter => {
            if let Some(effort) = effort() {
                extra.insert("reasoning".to_owned(), json!({"effort": effort}));
            }
        }
        format => {
            if format == ThinkingFormat::DeepSeek {
                extra.insert("thinking".to_owned(), switch());
            }
            let effort = if flags.reasoning_effort && (on || format == ThinkingFormat::OpenAi) { effort() } else { None };
            if let Some(effort) = effort {
                extra.insert("reasoning_effort".to_owned(), Value::String(effort));
            }
        }
    }
}

struct Tool<'a> {
    tool: &'a ToolSpec,
    dialect: Dialect<'a>,
}

impl Serialize for Tool<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(Some(2))?;
        map.serialize_entry("type", "function")?;
        map.serialize_entry("function", &Function(self))?;
        map.end()
    }
}

struct Function<'a>(&'a Tool<'a>);

impl Serialize for Function<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(Some(3))?;
        map.serialize_entry("name", &self.0.tool.name)?;
        map.serialize_entry("description", &self.0.tool.description)?;
        map.serialize_entry("parameters", &*rewrite(&self.0.tool.parameters, self.0.dialect))?;
        map.end()
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
