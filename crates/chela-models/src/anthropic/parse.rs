//! The Anthropic messages stream.

use crate::classify;
use crate::error::{ErrorKind, ModelError};
use crate::partial_json::{MAX_ARGUMENT_BYTES, decode_entities, parse_arguments};
use crate::reader::{Progress, WireParser};
use crate::sse::SseEvent;
use crate::types::{ModelEvent, ModelRef, StopReason, ThinkingBlock, ToolCall, Usage};
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};

enum Block {
    Text,
    Thinking(ThinkingBlock),
    Call { at: usize, id: String, name: String, json: String, whole: Value },
    Other,
}

/// State of one answer.
pub(crate) struct Parser {
    model: ModelRef,
    html_arguments: bool,
    blocks: BTreeMap<u64, Block>,
    calls: usize,
    usage: Usage,
    stop: Option<String>,
    stopped: bool,
    ended: bool,
}

impl Parser {
    pub(crate) fn new(model: ModelRef, html_arguments: bool) -> Self {
        Self { model, html_arguments, blocks: BTreeMap::new(), calls: 0, usage: Usage::default(), stop: None, stopped: false, ended: false }
    }

    fn fail(&self, kind: ErrorKind, message: impl Into<String>) -> ModelError {
        ModelError::new(kind, &self.model, message)
    }

    fn take_usage(&mut self, usage: Option<&Value>, out: &mut VecDeque<ModelEvent>) {
        let Some(usage) = usage.filter(|u| u.is_object()) else {
            return;
        };
        // The counts come in parts, so an absent one leaves the earlier value.
        let set = |name: &str, slot: &mut u64| {
            if let Some(n) = usage.get(name).and_then(Value::as_u64) {
                *slot = n;
            }
        };
        set("input_tokens", &mut self.usage.input);
        set("output_tokens", &mut self.usage.output);
        set("cache_read_input_tokens", &mut self.usage.cache_read);
        set("cache_creation_input_tokens", &mut self.usage.cache_write);
        self.usage = self.usage.with_total();
        out.push_back(ModelEvent::Usage(self.usage));
    }

    fn start_block(&mut self, index: u64, block: &Value, out: &mut VecDeque<ModelEvent>) {
        let text = |name: &str| block.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let state = match block.get("type").and_then(Value::as_str) {
            Some("text") => {
                push_text(out, text("text"));
                Block::Text
            }
            Some("thinking") => {
                let thought = text("thinking");
                if !thought.is_empty() {
                    out.push_back(ModelEvent::ThinkingDelta(thought.clone()));
                }
                let signature = Some(text("signature")).filter(|s| !s.is_empty());
                Block::Thinking(ThinkingBlock { text: thought, signature, ..self.new_thinking() })
            }
            Some("redacted_thinking") => Block::Thinking(ThinkingBlock { redacted: Some(text("data")), ..self.new_thinking() }),
            Some("tool_use") => {
                let (at, id, name) = (self.calls, text("id"), text("name"));
                self.calls += 1;
                out.push_back(ModelEvent::ToolCallDelta {
                    index: at,
                    id: Some(id.clone()),
                    name: Some(name.clone()),
                    args_fragment: String::new(),
                });
                Block::Call { at, id, name, json: String::new(), whole: block.get("input").cloned().unwrap_or_default() }
            }
            _ => Block::Other,
        };
        self.blocks.insert(index, state);
    }

    fn new_thinking(&self) -> ThinkingBlock {
        ThinkingBlock { model: Some(self.model.to_string()), ..ThinkingBlock::default() }
    }

    fn delta(&mut self, index: u64, delta: &Value, out: &mut VecDeque<ModelEvent>) -> Result<(), ModelError> {
        let text = |name: &str| delta.get(name).and_then(Value::as_str).unwrap_or_default();
        match (delta.get("type").and_then(Value::as_str), self.blocks.get_mut(&index)) {
            (Some("text_delta"), _) => push_text(out, text("text").to_owned()),
            (Some("thinking_delta"), Some(Block::Thinking(block))) => {
                block.text.push_str(text("thinking"));
                out.push_back(ModelEvent::ThinkingDelta(text("thinking").to_owned()));
            }
            (Some("signature_delta"), Some(Block::Thinking(block))) => {
                block.signature.get_or_insert_default().push_str(text("signature"));
            }
            (Some("input_json_delta"), Some(Block::Call { at, name, json, .. })) => {
                let fragment = text("partial_json");
                if json.len() + fragment.len() > MAX_ARGUMENT_BYTES {
                    let text = format!("the arguments of the call to `{name}` are larger than {MAX_ARGUMENT_BYTES} bytes");
                    return Err(self.fail(ErrorKind::Invalid, text));
                }
                json.push_str(fragment);
                if !fragment.is_empty() {
                    out.push_back(ModelEvent::ToolCallDelta { index: *at, id: None, name: None, args_fragment: fragment.to_owned() });
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn finish_block(&mut self, index: u64, out: &mut VecDeque<ModelEvent>) {
        match self.blocks.get_mut(&index) {
            Some(Block::Thinking(block)) => {
                out.push_back(ModelEvent::Thinking(std::mem::take(block)));
                self.blocks.remove(&index);
            }
            // Calls wait for the end, so that they come after all text.
            Some(Block::Call { .. }) | None => {}
            Some(_) => {
                self.blocks.remove(&index);
            }
        }
    }

    fn finish_calls(&mut self, out: &mut VecDeque<ModelEvent>) -> bool {
        let mut any = false;
        for block in std::mem::take(&mut self.blocks).into_values() {
            match block {
                Block::Call { id, name, json, whole, .. } => {
                    any = true;
                    let mut arguments = match whole {
                        Value::Object(map) if json.is_empty() => Value::Object(map),
                        _ => parse_arguments(&json),
                    };
                    if self.html_arguments {
                        decode_entities(&mut arguments);
                    }
                    let id = if id.is_empty() { format!("toolu_{}", uuid::Uuid::new_v4().simple()) } else { id };
                    out.push_back(ModelEvent::ToolCall(ToolCall { id, name, arguments }));
                }
                Block::Thinking(block) => out.push_back(ModelEvent::Thinking(block)),
                Block::Text | Block::Other => {}
            }
        }
        any
    }

    fn message_delta(&mut self, value: &Value, out: &mut VecDeque<ModelEvent>) {
        if let Some(reason) = value.pointer("/delta/stop_reason").and_then(Value::as_str) {
            self.stop = Some(reason.to_owned());
        }
        self.take_usage(value.get("usage"), out);
    }
}

fn push_text(out: &mut VecDeque<ModelEvent>, text: String) {
    if !text.is_empty() {
        out.push_back(ModelEvent::TextDelta(text));
    }
}

impl WireParser for Parser {
    fn event(&mut self, event: &SseEvent, out: &mut VecDeque<ModelEvent>) -> Result<Progress, ModelError> {
        let data = event.data.trim();
        if data.is_empty() {
            return Ok(Progress::More);
        }
        if data == "[DONE]" {
            return Ok(Progress::Finished);
        }
        let value: Value = serde_json::from_str(data).map_err(|e| {
            let start: String = data.chars().take(120).collect();
            self.fail(ErrorKind::Invalid, format!("a piece of the answer makes no sense ({e}): `{start}`"))
        })?;
        let index = value.get("index").and_then(Value::as_u64).unwrap_or(0);
        // Some proxies leave the type out of the data and give it as the event name only.
        match value.get("type").and_then(Value::as_str).unwrap_or(&event.event) {
            "message_start" => self.take_usage(value.pointer("/message/usage"), out),
            "content_block_start" => {
                let block = value.get("content_block").cloned().unwrap_or_default();
                self.start_block(index, &block, out);
            }
            "content_block_delta" => {
                let delta = value.get("delta").cloned().unwrap_or_default();
                self.delta(index, &delta, out)?;
            }
            "content_block_stop" => self.finish_block(index, out),
            "message_delta" => self.message_delta(&value, out),
            "message_stop" => {
                self.stopped = true;
                return Ok(Progress::Finished);
            }
            "error" => return Err(classify::from_stream(&self.model, &value)),
            _ => {}
        }
        Ok(if self.stop.is_some() { Progress::Closing } else { Progress::More })
    }

    fn document(&mut self, value: &Value, out: &mut VecDeque<ModelEvent>) -> Result<(), ModelError> {
        if value.get("error").is_some_and(|e| !e.is_null()) {
            return Err(classify::from_stream(&self.model, value));
        }
        let Some(content) = value.get("content").and_then(Value::as_array) else {
            let text = "the answer holds no content; is `baseUrl` the address of an Anthropic messages server?";
            return Err(self.fail(ErrorKind::Invalid, text));
        };
        for (index, block) in (0u64..).zip(content) {
            self.start_block(index, block, out);
            self.finish_block(index, out);
        }
        self.stop = value.get("stop_reason").and_then(Value::as_str).map(str::to_owned);
        self.stopped = true;
        self.take_usage(value.get("usage"), out);
        Ok(())
    }

    fn end(&mut self, out: &mut VecDeque<ModelEvent>) -> Result<(), ModelError> {
        if std::mem::replace(&mut self.ended, true) {
            return Ok(());
        }
        let stop = match self.stop.as_deref() {
            None if self.stopped => StopReason::Stop,
            None => {
                return Err(self.fail(ErrorKind::Connection, "the answer was cut off before the model had finished"));
            }
            Some("end_turn" | "pause_turn" | "stop_sequence") => StopReason::Stop,
            Some("max_tokens" | "model_context_window_exceeded") => StopReason::Length,
            Some("tool_use") => StopReason::ToolUse,
            Some(reason @ ("refusal" | "sensitive")) => {
                return Err(self.fail(ErrorKind::Refusal, format!("the model refused to answer (`{reason}`)")));
            }
            Some(other) => {
                let text = format!("the model stopped for an unknown reason: `{other}`");
                return Err(self.fail(ErrorKind::Invalid, text));
            }
        };
        let called = self.finish_calls(out);
        let stop_reason = if stop == StopReason::ToolUse && !called { StopReason::Stop } else { stop };
        out.push_back(ModelEvent::Done { stop_reason, usage: self.usage });
        Ok(())
    }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
