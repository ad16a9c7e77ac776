//! The chat-completions stream.

use crate::classify;
use crate::error::{ErrorKind, ModelError};
use crate::partial_json::{MAX_ARGUMENT_BYTES, decode_entities, parse_arguments};
use crate::reader::{Progress, WireParser};
use crate::sse::SseEvent;
use crate::types::{ModelEvent, ModelRef, StopReason, ThinkingBlock, ToolCall, Usage};
use serde::Deserialize;
use serde_json::Value;
use std::collections::VecDeque;

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Option<Vec<Choice>>,
    #[serde(default)]
    usage: Option<Value>,
    #[serde(default)]
    timings: Option<Value>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default, alias = "message")]
    delta: Option<Delta>,
    #[serde(default)]
    finish_reason: Option<String>,
    #[serde(default)]
    usage: Option<Value>,
}

#[derive(Deserialize, Default)]
struct Delta {
    #[serde(default)]
    content: Option<Value>,
    #[serde(default)]
    refusal: Option<String>,
    #[serde(default)]
    reasoning_details: Option<Value>,
    #[serde(default)]
    reasoning_content: Option<Value>,
    #[serde(default)]
    reasoning: Option<Value>,
    #[serde(default)]
    reasoning_text: Option<Value>,
    #[serde(default)]
    tool_calls: Option<Vec<CallDelta>>,
}

#[derive(Deserialize)]
struct CallDelta {
    #[serde(default)]
    index: Option<usize>,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    function: Option<FunctionDelta>,
}

#[derive(Deserialize)]
struct FunctionDelta {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    arguments: Option<Value>,
}

struct Call {
    index: Option<usize>,
    id: Option<String>,
    name: String,
    arguments: String,
}

/// State of one answer.
pub(crate) struct Parser {
    model: ModelRef,
    html_arguments: bool,
    visible_types: Vec<String>,
    calls: Vec<Call>,
    thinking: String,
    refusal: String,
    usage: Usage,
    finish: Option<String>,
    done: bool,
    ended: bool,
}

impl Parser {
    pub(crate) fn new(model: ModelRef, html_arguments: bool, visible_types: Vec<String>) -> Self {
        Self {
            model,
            html_arguments,
            visible_types,
            calls: Vec::new(),
            thinking: String::new(),
            refusal: String::new(),
            usage: Usage::default(),
            finish: None,
            done: false,
            ended: false,
        }
    }

    fn fail(&self, kind: ErrorKind, message: impl Into<String>) -> ModelError {
        ModelError::new(kind, &self.model, message)
    }

    fn chunk(&mut self, chunk: Chunk, out: &mut VecDeque<ModelEvent>) -> Result<(), ModelError> {
        if let Some(error) = chunk.error.filter(|e| !e.is_null()) {
            return Err(classify::from_stream(&self.model, &serde_json::json!({"error": error})));
        }
        let mut usage = chunk.usage.filter(Value::is_object).or(chunk.timings.filter(Value::is_object));
        // Only the first choice is asked for.
        if let Some(choice) = chunk.choices.and_then(|c| c.into_iter().next()) {
            if let Some(delta) = choice.delta {
                self.delta(delta, out)?;
            }
            self.finish = choice.finish_reason.filter(|r| !r.is_empty()).or(self.finish.take());
            usage = usage.or(choice.usage.filter(Value::is_object));
        }
        if let Some(usage) = usage {
            self.usage = usage_of(&usage);
            out.push_back(ModelEvent::Usage(self.usage));
        }
        Ok(())
    }

    fn delta(&mut self, delta: Delta, out: &mut VecDeque<ModelEvent>) -> Result<(), ModelError> {
        self.reasoning(&delta, out);
        if let Some(content) = &delta.content {
            self.content(content, out);
        }
        if let Some(refusal) = delta.refusal {
            self.refusal.push_str(&refusal);
        }
        for call in delta.tool_calls.into_iter().flatten() {
            self.call_delta(call, out)?;
        }
        Ok(())
    }

    /// The first source that holds reasoning counts, since servers repeat it under several names (PRV-260).
    fn reasoning(&mut self, delta: &Delta, out: &mut VecDeque<ModelEvent>) {
        let mut found = false;
        for detail in delta.reasoning_details.as_ref().and_then(Value::as_array).into_iter().flatten() {
            let text = detail.get("text").and_then(Value::as_str).unwrap_or_default();
            let kind = detail.get("type").and_then(Value::as_str).unwrap_or_default();
            if kind == "reasoning.text" && !text.is_empty() {
                found = true;
                self.think(text, out);
            } else if !text.is_empty() && self.visible_types.iter().any(|t| t == kind) {
                out.push_back(ModelEvent::TextDelta(text.to_owned()));
            }
        }
        let names = [&delta.reasoning_content, &delta.reasoning, &delta.reasoning_text];
        let text = names.into_iter().filter_map(|v| v.as_ref()?.as_str()).find(|t| !t.is_empty());
        if let Some(text) = text.filter(|_| !found) {
            self.think(text, out);
        }
    }

    fn think(&mut self, text: &str, out: &mut VecDeque<ModelEvent>) {
        self.thinking.push_str(text);
        out.push_back(ModelEvent::ThinkingDelta(text.to_owned()));
    }

    fn content(&mut self, content: &Value, out: &mut VecDeque<ModelEvent>) {
        match content {
            Value::String(text) if !text.is_empty() => out.push_back(ModelEvent::TextDelta(text.clone())),
            Value::Array(parts) => parts.iter().for_each(|p| self.content(p, out)),
            Value::Object(part) => {
                let kind = part.get("type").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
                let thinks = kind.contains("thinking") || kind.contains("reasoning");
                match ["text", "content", "thinking", "reasoning"].iter().find_map(|n| part.get(*n)) {
                    Some(Value::String(text)) if thinks && !text.is_empty() => self.think(text, out),
                    Some(Value::Array(inner)) if thinks => {
                        let text: String = inner.iter().filter_map(|v| v.get("text").and_then(Value::as_str)).collect();
                        self.think(&text, out);
                    }
                    Some(inner) if !thinks => self.content(inner, out),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// A new id begins a new call, whatever the index says: some servers number every call 0 (PRV-259).
    fn call_delta(&mut self, delta: CallDelta, out: &mut VecDeque<ModelEvent>) -> Result<(), ModelError> {
        let id = delta.id.filter(|id| !id.is_empty());
        let (name, arguments) = delta.function.map_or((None, None), |f| (f.name, f.arguments));
        let name = name.filter(|n| !n.is_empty());
        let known = match (&id, delta.index) {
            (Some(id), _) => {
                let same_id = self.calls.iter().position(|c| c.id.as_ref() == Some(id));
                same_id.or_else(|| {
                    let unnamed = |c: &Call| c.id.is_none() && delta.index.is_some() && c.index == delta.index;
                    self.calls.iter().position(unnamed)
                })
            }
            (None, Some(index)) => self.calls.iter().rposition(|c| c.index == Some(index)),
            // Without id and index, a name begins a call and anything else goes on with the last one.
            (None, None) if name.is_some() => None,
            (None, None) => self.calls.len().checked_sub(1),
        };
        let fragment = match arguments {
            Some(Value::String(text)) => text,
            Some(Value::Null) | None => String::new(),
            Some(object) => object.to_string(),
        };
        let (at, fresh) = match known {
            Some(at) => (at, false),
            None => {
                self.calls.push(Call { index: delta.index, id: None, name: String::new(), arguments: String::new() });
                (self.calls.len() - 1, true)
            }
        };
        let call = &mut self.calls[at];
        call.id = call.id.take().or_else(|| id.clone());
        if call.name.is_empty() {
            call.name = name.clone().unwrap_or_default();
        }
        if call.arguments.len() + fragment.len() > MAX_ARGUMENT_BYTES {
            let text = format!("the arguments of the call to `{}` are larger than {MAX_ARGUMENT_BYTES} bytes", call.name);
            return Err(self.fail(ErrorKind::Invalid, text));
        }
        call.arguments.push_str(&fragment);
        if fresh || !fragment.is_empty() {
            let (id, name) = if fresh { (id, name) } else { (None, None) };
            out.push_back(ModelEvent::ToolCallDelta { index: at, id, name, args_fragment: fragment });
        }
        Ok(())
    }

    fn finish_calls(&mut self, out: &mut VecDeque<ModelEvent>) -> bool {
        let mut any = false;
        for (at, call) in std::mem::take(&mut self.calls).into_iter().enumerate() {
            if call.name.is_empty() {
                tracing::warn!(model = %self.model, "a tool call without a name was left out");
                continue;
            }
            any = true;
            let mut arguments = parse_arguments(&call.arguments);
            if self.html_arguments {
                decode_entities(&mut arguments);
            }
            let id = call.id.unwrap_or_else(|| format!("call_{}_{at}", uuid::Uuid::new_v4().simple()));
            out.push_back(ModelEvent::ToolCall(ToolCall { id, name: call.name, arguments }));
        }
        any
    }
}

impl WireParser for Parser {
    fn event(&mut self, event: &SseEvent, out: &mut VecDeque<ModelEvent>) -> Result<Progress, ModelError> {
        let data = event.data.trim();
        if data == "[DONE]" {
            self.done = true;
            return Ok(Progress::Finished);
        }
        if data.is_empty() {
            return Ok(Progress::More);
        }
        match serde_json::from_str::<Chunk>(data) {
            Ok(chunk) => self.chunk(chunk, out)?,
            Err(e) if event.event == "error" => {
                let text = format!("the provider reported an error: {}", data.chars().take(300).collect::<String>());
                tracing::debug!(error = %e, "error event without JSON");
                return Err(self.fail(ErrorKind::Server(500), text));
            }
            Err(e) => {
                let start: String = data.chars().take(120).collect();
                let text = format!("a piece of the answer makes no sense ({e}): `{start}`");
                return Err(self.fail(ErrorKind::Invalid, text));
            }
        }
        Ok(if self.finish.is_some() { Progress::Closing } else { Progress::More })
    }

    fn document(&mut self, value: &Value, out: &mut VecDeque<ModelEvent>) -> Result<(), ModelError> {
        let chunk =
            Chunk::deserialize(value).map_err(|e| self.fail(ErrorKind::Invalid, format!("the answer is no chat completion: {e}")))?;
        if chunk.error.is_none() && chunk.choices.as_ref().is_none_or(Vec::is_empty) {
            return Err(classify_document(&self.model, value));
        }
        self.chunk(chunk, out)?;
        self.done = true;
        Ok(())
    }

    fn end(&mut self, out: &mut VecDeque<ModelEvent>) -> Result<(), ModelError> {
        if std::mem::replace(&mut self.ended, true) {
            return Ok(());
        }
        if !self.done && self.finish.is_none() {
            return Err(self.fail(ErrorKind::Connection, "the answer was cut off before the model had finished"));
        }
        if !self.thinking.is_empty() {
            let text = std::mem::take(&mut self.thinking);
            let model = Some(self.model.to_string());
            out.push_back(ModelEvent::Thinking(ThinkingBlock { text, signature: None, redacted: None, model }));
        }
        let stop = match self.finish.as_deref() {
            None | Some("stop" | "end" | "eos" | "stop_sequence") => StopReason::Stop,
            Some("length" | "max_tokens") => StopReason::Length,
            Some("tool_calls" | "tool_call" | "function_call") => StopReason::ToolUse,
            Some("content_filter") => {
                return Err(self.fail(ErrorKind::Refusal, "the provider's content filter stopped the answer"));
            }
            Some(other) => {
                let text = format!("the model stopped for an unknown reason: `{other}`");
                return Err(self.fail(ErrorKind::Invalid, text));
            }
        };
        if !self.refusal.is_empty() {
            return Err(self.fail(ErrorKind::Refusal, format!("the model refused: {}", self.refusal)));
        }
        let called = self.finish_calls(out);
        let stop_reason = match (stop, called) {
            // A stop with calls, or calls announced that never came (PRV-256).
            (StopReason::Stop, true) => StopReason::ToolUse,
            (StopReason::ToolUse, false) => StopReason::Stop,
            (stop, _) => stop,
        };
        out.push_back(ModelEvent::Done { stop_reason, usage: self.usage });
        Ok(())
    }
}

fn classify_document(model: &ModelRef, value: &Value) -> ModelError {
    let mut error = classify::from_stream(model, value);
    if error.message == "the provider reported an error" {
        error.kind = ErrorKind::Invalid;
        error.message = "the answer holds no choice; is `baseUrl` the address of a chat-completions server?".to_owned();
    }
    error
}

/// Token counts in any of the spellings (PRV-283).
fn usage_of(usage: &Value) -> Usage {
    let number = |pointer: &str| usage.pointer(pointer).and_then(Value::as_u64);
    let first = |pointers: &[&str]| pointers.iter().find_map(|p| number(p)).unwrap_or(0);
    let cache_read = first(&[
        "/prompt_tokens_details/cached_tokens",
        "/input_tokens_details/cached_tokens",
        "/cache_read_input_tokens",
        "/prompt_cache_hit_tokens",
    ]);
    let prompt = first(&["/prompt_tokens", "/input_tokens", "/prompt_n"]);
    let output = first(&["/completion_tokens", "/output_tokens", "/predicted_n"]);
    let cache_write = first(&["/prompt_tokens_details/cache_write_tokens", "/cache_creation_input_tokens"]);
    let input = prompt.saturating_sub(cache_read).saturating_sub(cache_write);
    Usage { input, output, cache_read, cache_write, total: 0 }.with_total()
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
