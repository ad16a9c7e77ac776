//! How much of the conversation fits into the model's context.

use std::ops::Deref;
use std::sync::OnceLock;

use chela_store::Entry;
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

/// Role of the message that stands for what was compacted.
pub const SUMMARY_ROLE: &str = "compactionSummary";

/// A message and the entry that holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// Entry id.
    pub id: String,
    /// The message.
    pub message: Value,
}

/// The messages that models see: all of them, or from the newest compaction on its summary and what it kept.
pub fn conversation(entries: Vec<Entry>) -> Vec<Placed> {
    let newest = entries.iter().rposition(|e| e.kind == crate::compaction::ENTRY);
    let mut placed = Vec::with_capacity(entries.len());
    let mut skip = false;
    if let Some(compaction) = newest.and_then(|at| entries.get(at)) {
        let body = &compaction.body;
        let message = serde_json::json!({
            "role": SUMMARY_ROLE, "summary": body["summary"], "tokensBefore": body["tokensBefore"], "timestamp": compaction.at_ms,
        });
        placed.push(Placed { id: compaction.id.clone(), message });
        skip = true;
    }
    let first_kept = newest.and_then(|at| entries.get(at)?.body["firstKeptEntryId"].as_str().map(str::to_string));
    for (at, entry) in entries.into_iter().enumerate() {
        skip &= newest.is_some_and(|newest| at < newest) && first_kept.as_ref() != Some(&entry.id);
        if !skip && entry.kind == "message" {
            placed.push(Placed { id: entry.id, message: crate::message::without_details(entry.body) });
        }
    }
    placed
}

/// About how many tokens these messages are.
pub fn estimate_tokens<'a>(messages: impl IntoIterator<Item = &'a Value>) -> u64 {
    messages.into_iter().map(size_of).sum::<u64>().div_ceil(CHARS_PER_TOKEN)
}

/// About how many tokens a text is.
pub fn estimate_text(text: &str) -> u64 {
    (text.len() as u64).div_ceil(CHARS_PER_TOKEN)
}

/// Context window that is assumed when nobody says how large it is, in tokens.
pub const DEFAULT_CONTEXT_TOKENS: u64 = 128_000;
/// Characters for one token: a cautious guess for text of unknown language.
const CHARS_PER_TOKEN: u64 = 3;
/// Share of the window that stays free for the answer and the tools' schemas.
const RESERVED_SHARE: u64 = 4;

/// The newest messages that fit, beginning with a user message so that no tool result loses its call. A summary of what came before
/// them stays.
pub fn fit(messages: &[Value], context_tokens: u64, fixed_chars: usize) -> impl Iterator<Item = &Value> {
    let (summary, rest) = match messages.split_first() {
        Some((first, rest)) if first["role"] == SUMMARY_ROLE => (Some(first), rest),
        _ => (None, messages),
    };
    let fixed = fixed_chars + summary.map_or(0, |s| size_of(s) as usize);
    summary.into_iter().chain(newest(rest, context_tokens, fixed))
}

fn newest(messages: &[Value], context_tokens: u64, fixed_chars: usize) -> &[Value] {
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
        let fit = |all: &[Value], tokens, fixed| fit(all, tokens, fixed).cloned().collect::<Vec<_>>();
        assert_eq!(fit(&all, 10_000, 0).len(), 5);
        let some = fit(&all, 200, 0);
        assert_eq!(some.len(), 3);
        assert_eq!(some[0]["role"], "user");
        assert!(fit(&all, 100, 0).is_empty(), "a tool result must not come without its call");
        assert!(fit(&all, 1, 1000).is_empty());
        let mut summed = vec![json!({"role": SUMMARY_ROLE, "summary": "s"})];
        summed.extend(all);
        let some = fit(&summed, 210, 0);
        assert_eq!((some.len(), &some[0]["role"], &some[1]["role"]), (4, &json!(SUMMARY_ROLE), &json!("user")));
    }

    #[test]
    fn models_see_the_newest_summary_and_what_it_kept() {
        let entry = |id: &str, kind: &str, body: Value| Entry { id: id.into(), parent_id: None, seq: 0, kind: kind.into(), at_ms: 7, body };
        let said = |id: &str| entry(id, "message", message("user", 1));
        let compaction =
            |id: &str, kept: Option<&str>| entry(id, "compaction", json!({"summary": id, "tokensBefore": 9, "firstKeptEntryId": kept}));
        let ids = |entries: Vec<Entry>| conversation(entries).into_iter().map(|p| p.id).collect::<Vec<_>>().join(" ");
        assert_eq!(ids(vec![said("a"), entry("x", "custom_message", json!({})), said("b")]), "a b");
        assert_eq!(ids(vec![said("a"), said("b"), compaction("c", Some("b")), said("d")]), "c b d");
        assert_eq!(ids(vec![said("a"), compaction("b", None), said("c"), compaction("d", Some("c")), said("e")]), "d c e");
        assert_eq!(ids(vec![said("a"), compaction("b", None)]), "b");
        let summary = conversation(vec![compaction("c", None)]).remove(0).message;
        assert_eq!(summary, json!({"role": SUMMARY_ROLE, "summary": "c", "tokensBefore": 9, "timestamp": 7}));
    }
}
