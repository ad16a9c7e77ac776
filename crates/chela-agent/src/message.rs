//! Transcript messages in the reference's format, and their translation for model transports.
//!
//! A message is kept as the JSON object that the transcript holds (GW-151), because hooks, transcripts and clients all see that
//! object; only the model transport sees [`ChatMessage`].

use chela_models::{ChatMessage, ContentPart, ThinkingBlock, ToolCall, Usage};
use serde_json::{Map, Value, json};

/// Member of a user message whose text several messages share: the ids of their runs.
pub const SHARED_BY: &str = "sharedByRuns";

/// A user message. `images` are `{type:"image", data, mimeType}` blocks.
pub fn user(text: &str, images: &[Value], at_ms: i64) -> Value {
    let mut content = vec![json!({"type": "text", "text": text})];
    content.extend(images.iter().cloned());
    json!({"role": "user", "content": content, "timestamp": at_ms})
}

/// Facts about the model call that produced an assistant message.
#[derive(Clone, Debug)]
pub struct AssistantFacts<'a> {
    /// Transport name, such as `openai-completions`.
    pub api: &'a str,
    /// Provider id.
    pub provider: &'a str,
    /// Model id.
    pub model: &'a str,
    /// Tokens of this call.
    pub usage: Usage,
    /// Why the model stopped.
    pub stop: &'a str,
    /// Error text of a failed call.
    pub error: Option<&'a str>,
}

/// An assistant message from what the model streamed.
pub fn assistant(text: &str, thinking: &[ThinkingBlock], calls: &[ToolCall], facts: &AssistantFacts<'_>, at_ms: i64) -> Value {
    let mut content: Vec<Value> = thinking.iter().map(thinking_block).collect();
    if !text.is_empty() {
        content.push(json!({"type": "text", "text": text}));
    }
    for call in calls {
        content.push(json!({"type": "toolCall", "id": call.id, "name": call.name, "arguments": call.arguments}));
    }
    let mut message = json!({
        "role": "assistant",
        "content": content,
        "api": facts.api,
        "provider": facts.provider,
        "model": facts.model,
        "usage": usage(&facts.usage),
        "stopReason": facts.stop,
        "timestamp": at_ms,
    });
    if let (Some(error), Some(object)) = (facts.error, message.as_object_mut()) {
        object.insert("errorMessage".into(), error.into());
    }
    message
}

fn thinking_block(block: &ThinkingBlock) -> Value {
    let mut out = json!({"type": "thinking", "thinking": block.text});
    let extra = [("thinkingSignature", &block.signature), ("redacted", &block.redacted), ("model", &block.model)];
    if let Some(object) = out.as_object_mut() {
        object.extend(extra.into_iter().filter_map(|(name, value)| Some((name.to_string(), Value::from(value.clone()?)))));
    }
    out
}

/// The result of a tool call. `details` stay in the transcript and never reach the model (API-125).
pub fn tool_result(call: &ToolCall, content: Value, details: Option<Value>, is_error: bool, at_ms: i64) -> Value {
    let mut message = Map::new();
    message.insert("role".into(), "toolResult".into());
    message.insert("toolCallId".into(), call.id.clone().into());
    message.insert("toolName".into(), call.name.clone().into());
    message.insert("content".into(), content);
    if let Some(details) = details {
        message.insert("details".into(), details);
    }
    message.insert("isError".into(), is_error.into());
    message.insert("timestamp".into(), at_ms.into());
    Value::Object(message)
}

/// A message as models and the hooks before them see it: without the details of tool results (HOOK-204).
pub fn without_details(mut message: Value) -> Value {
    if message["role"] == "toolResult"
        && let Some(object) = message.as_object_mut()
    {
        object.shift_remove("details");
    }
    message
}

/// Usage in the transcript's shape.
pub fn usage(usage: &Usage) -> Value {
    json!({
        "input": usage.input,
        "output": usage.output,
        "cacheRead": usage.cache_read,
        "cacheWrite": usage.cache_write,
        "totalTokens": usage.total,
        "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0, "total": 0},
    })
}

/// The plain text of a message's content, blocks joined by line breaks.
pub fn text_of(message: &Value) -> String {
    match message.get("content") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(blocks)) => {
            let texts: Vec<&str> = blocks.iter().filter(|b| b["type"] == "text").filter_map(|b| b["text"].as_str()).collect();
            texts.join("\n")
        }
        _ => String::new(),
    }
}

/// Translates a transcript message; `None` for kinds that models do not see.
pub fn to_chat(message: &Value) -> Option<ChatMessage> {
    match message.get("role")?.as_str()? {
        "user" => Some(ChatMessage::User { content: parts(message.get("content")?) }),
        crate::history::SUMMARY_ROLE => {
            let summary = message.get("summary")?.as_str()?;
            Some(ChatMessage::user(format!("What was said before, as a summary:\n<summary>\n{summary}\n</summary>")))
        }
        // A failed call may have said nothing; providers refuse empty messages.
        "assistant" => Some(to_assistant(message)).filter(|m| !is_empty(m)),
        "toolResult" => Some(ChatMessage::ToolResult {
            call_id: text_member(message, "toolCallId"),
            name: text_member(message, "toolName"),
            content: parts(message.get("content")?),
            is_error: message.get("isError").and_then(Value::as_bool).unwrap_or(false),
        }),
        _ => None,
    }
}

fn is_empty(message: &ChatMessage) -> bool {
    matches!(message, ChatMessage::Assistant { text, tool_calls, thinking } if text.is_empty() && tool_calls.is_empty() && thinking.is_empty())
}

fn text_member(message: &Value, key: &str) -> String {
    message.get(key).and_then(Value::as_str).unwrap_or_default().to_string()
}

fn to_assistant(message: &Value) -> ChatMessage {
    let blocks = message.get("content").and_then(Value::as_array);
    let (mut tool_calls, mut thinking) = (Vec::new(), Vec::new());
    let optional = |block: &Value, key: &str| block.get(key).and_then(Value::as_str).map(str::to_string);
    for block in blocks.into_iter().flatten() {
        match block["type"].as_str() {
            Some("toolCall") => tool_calls.push(ToolCall {
                id: text_member(block, "id"),
                name: text_member(block, "name"),
                arguments: block.get("arguments").cloned().unwrap_or_else(|| json!({})),
            }),
            Some("thinking") => thinking.push(ThinkingBlock {
                text: text_member(block, "thinking"),
                signature: optional(block, "thinkingSignature"),
                redacted: optional(block, "redacted"),
                model: optional(block, "model"),
            }),
            _ => {}
        }
    }
    ChatMessage::Assistant { text: text_of(message), tool_calls, thinking }
}

fn parts(content: &Value) -> Vec<ContentPart> {
    match content {
        Value::String(text) => vec![ContentPart::text(text)],
        Value::Array(blocks) => blocks.iter().filter_map(part).collect(),
        _ => Vec::new(),
    }
}

fn part(block: &Value) -> Option<ContentPart> {
    match block["type"].as_str()? {
        "text" => Some(ContentPart::text(block["text"].as_str()?)),
        "image" => Some(ContentPart::Image {
            data_base64: block["data"].as_str()?.to_string(),
            mime: block["mimeType"].as_str().unwrap_or("image/png").to_string(),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // API-125
    #[test]
    fn details_never_reach_the_model() {
        let call = ToolCall { id: "c".into(), name: "t".into(), arguments: json!({}) };
        let message = tool_result(&call, json!([{"type": "text", "text": "seen"}]), Some(json!({"secret": 1})), false, 1);
        assert_eq!(message["details"]["secret"], 1);
        assert!(!format!("{:?}", to_chat(&message)).contains("secret"));
    }
}
