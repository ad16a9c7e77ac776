//! Transcripts as people and clients see them (GW-86).

use chela_agent::message;
use chela_store::Entry;
use serde_json::{Value, json};

/// Characters of one message when the caller does not say.
const DEFAULT_CHARS: usize = 100_000;
/// Most characters of one message that a caller may ask for.
const MAX_CHARS: usize = 500_000;
/// The answer that means "say nothing" (HOOK-152).
const SILENT: &str = "NO_REPLY";
/// Size of a whole answer in bytes, about.
const TOTAL_BYTES: usize = 6 * 1024 * 1024;

/// Limits of one answer.
pub(crate) struct HistoryLimits {
    chars: usize,
}

impl HistoryLimits {
    /// With the caller's limit of characters, else the one of `gateway.webchat.chatHistoryMaxChars`, if any.
    pub(crate) fn of(gateway: &crate::gateway::Gateway, chars: Option<u64>) -> Self {
        Self::with_chars(chars.or_else(|| gateway.host.runtime.config().gateway().chat_history_max_chars))
    }

    /// With this limit of characters, if any.
    pub(crate) fn with_chars(chars: Option<u64>) -> Self {
        Self { chars: chars.map_or(DEFAULT_CHARS, |c| c as usize).clamp(1, MAX_CHARS) }
    }
}

/// The messages with their place in the session; `total` is the number of messages in it.
pub(crate) fn raw(entries: &[Entry], total: u64) -> Vec<Value> {
    let messages: Vec<&Entry> = entries.iter().filter(|e| e.kind == "message").collect();
    let first = total.saturating_sub(messages.len() as u64) + 1;
    messages.iter().zip(first..).map(|(entry, seq)| marked(entry, seq)).collect()
}

/// The place of a message that [`raw`] made.
pub(crate) fn seq_of(message: &Value) -> u64 {
    message.pointer("/__openclaw/seq").and_then(Value::as_u64).unwrap_or(0)
}

fn marked(entry: &Entry, seq: u64) -> Value {
    let mut message = entry.body.clone();
    if let Some(object) = message.as_object_mut() {
        let mut mark = object.get("__openclaw").and_then(Value::as_object).cloned().unwrap_or_default();
        mark.insert("id".into(), entry.id.clone().into());
        mark.insert("seq".into(), seq.into());
        object.insert("__openclaw".into(), mark.into());
    }
    message
}

/// As [`raw`], without details, with over-long texts replaced, newest first to stay under the total.
pub(crate) fn shown(entries: &[Entry], total: u64, limits: HistoryLimits) -> Vec<Value> {
    present(raw(entries, total), limits)
}

/// What [`shown`] does, with messages that [`raw`] made.
pub(crate) fn present(mut messages: Vec<Value>, limits: HistoryLimits) -> Vec<Value> {
    messages.retain(|m| m["role"] != "assistant" || message::text_of(m).trim() != SILENT);
    let mut left = TOTAL_BYTES;
    for message in messages.iter_mut().rev() {
        if let Some(object) = message.as_object_mut() {
            object.remove("details");
        }
        shorten(message, limits.chars);
        let size = message.to_string().len();
        if size > left {
            message["content"] = json!([{"type": "text", "text": "[message left out: the answer would be too large]"}]);
        } else {
            left -= size;
        }
    }
    messages
}

fn shorten(message: &mut Value, chars: usize) {
    for block in message.get_mut("content").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(text) = block.get("text").and_then(Value::as_str) else { continue };
        if let Some((at, _)) = text.char_indices().nth(chars) {
            block["text"] = format!("{}\n[cut here]", &text[..at]).into();
        }
    }
}

/// Items of a preview: texts, and tool calls by name.
pub(crate) fn preview_items(body: &Value, chars: usize) -> Vec<Value> {
    let cut = |text: &str| text.chars().take(chars).collect::<String>();
    let role = match body["role"].as_str() {
        Some("user") => "user",
        Some("assistant") => "assistant",
        Some("toolResult") => "tool",
        _ => return Vec::new(),
    };
    let calls = body["content"].as_array().into_iter().flatten().filter(|b| b["type"] == "toolCall");
    let mut items: Vec<Value> =
        calls.map(|b| json!({"role": "tool", "text": format!("call {}", b["name"].as_str().unwrap_or("?"))})).collect();
    let text = message::text_of(body);
    if !text.is_empty() {
        items.insert(0, json!({"role": role, "text": cut(&text)}));
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, body: Value) -> Entry {
        Entry { id: id.into(), parent_id: None, seq: 0, kind: "message".into(), at_ms: 0, body }
    }

    // GW-86
    #[test]
    fn shown_messages_have_ids_and_no_details_and_bounded_texts() {
        let entries = [
            entry("a", json!({"role": "user", "content": [{"type": "text", "text": "x".repeat(50)}]})),
            entry("b", json!({"role": "toolResult", "content": [], "details": {"big": 1}})),
        ];
        let out = shown(&entries, 7, HistoryLimits::with_chars(Some(10)));
        assert_eq!(out[0]["__openclaw"], json!({"id": "a", "seq": 6}));
        assert_eq!(out[0]["content"][0]["text"], "xxxxxxxxxx\n[cut here]");
        assert!(out[1].get("details").is_none());
    }

    #[test]
    fn previews_name_tool_calls() {
        let body = json!({"role": "assistant", "content": [{"type": "text", "text": "hello"}, {"type": "toolCall", "name": "t"}]});
        assert_eq!(preview_items(&body, 3), [json!({"role": "assistant", "text": "hel"}), json!({"role": "tool", "text": "call t"})]);
    }
}
