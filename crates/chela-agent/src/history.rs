//! How much of the conversation fits into the model's context.

use std::ops::Deref;
use std::sync::OnceLock;

use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// The messages of a session before the turn. Several hooks get all of them, so their text is made once.
#[derive(Debug, Default)]
pub struct History {
    messages: Vec<Value>,
    text: OnceLock<Box<RawValue>>,
}

impl History {
    /// Keeps these messages, oldest first.
    pub fn new(messages: Vec<Value>) -> Self {
        Self { messages, text: OnceLock::new() }
    }
}

impl Deref for History {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        &self.messages
    }
}

impl Serialize for History {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.text.get().is_none() {
            let text = serde_json::value::to_raw_value(&self.messages).map_err(serde::ser::Error::custom)?;
            let _ = self.text.set(text);
        }
        self.text.get().serialize(serializer)
    }
}

/// Context window that is assumed when nobody says how large it is, in tokens.
pub const DEFAULT_CONTEXT_TOKENS: u64 = 128_000;
/// Characters for one token: a cautious guess for text of unknown language.
const CHARS_PER_TOKEN: u64 = 3;
/// Share of the window that stays free for the answer and the tools' schemas.
const RESERVED_SHARE: u64 = 4;

/// The newest messages that fit, beginning with a user message so that no tool result loses its call.
pub fn fit(messages: &[Value], context_tokens: u64, fixed_chars: usize) -> &[Value] {
    let window = context_tokens.saturating_mul(CHARS_PER_TOKEN);
    let mut left = (window - window / RESERVED_SHARE).saturating_sub(fixed_chars as u64);
    let mut first = messages.len();
    for (at, message) in messages.iter().enumerate().rev() {
        let size = size_of(message);
        if size > left {
            break;
        }
        left -= size;
        first = at;
    }
    if first == 0 {
        return messages;
    }
    let start = messages[first..].iter().position(|m| m["role"] == "user").map_or(messages.len(), |skip| first + skip);
    &messages[start..]
}

/// Size of what the model would see, without building the JSON text. Images count as a flat amount.
fn size_of(value: &Value) -> u64 {
    match value {
        Value::String(text) => text.len() as u64,
        Value::Array(items) => items.iter().map(size_of).sum::<u64>() + 2,
        Value::Object(object) if object.get("type").is_some_and(|t| t == "image") => 6000,
        Value::Object(object) => {
            object.iter().filter(|(k, _)| *k != "details" && *k != "usage").map(|(k, v)| k.len() as u64 + size_of(v)).sum()
        }
        _ => 8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn message(role: &str, length: usize) -> Value {
        json!({"role": role, "content": "x".repeat(length)})
    }

    #[test]
    fn the_text_of_the_messages_is_made_once() {
        let history = History::new(vec![message("user", 2)]);
        let texts = [(); 2].map(|()| serde_json::to_string(&json!({"a": 1, "messages": &history})).unwrap());
        assert_eq!(texts[0], r#"{"a":1,"messages":[{"role":"user","content":"xx"}]}"#);
        assert_eq!(serde_json::to_string(&history).unwrap(), r#"[{"role":"user","content":"xx"}]"#);
        assert_eq!((&texts[0], history.len()), (&texts[1], 1));
    }

    #[test]
    fn everything_fits_or_the_newest_part_from_a_user_message_on() {
        let all = vec![
            message("user", 100),
            message("assistant", 100),
            message("user", 100),
            message("toolResult", 100),
            message("assistant", 100),
        ];
        assert_eq!(fit(&all, 10_000, 0).len(), 5);
        let some = fit(&all, 200, 0);
        assert_eq!(some.len(), 3);
        assert_eq!(some[0]["role"], "user");
        assert!(fit(&all, 100, 0).is_empty(), "a tool result must not come without its call");
        assert!(fit(&all, 1, 1000).is_empty());
    }
}
