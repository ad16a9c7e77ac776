//! Transcript entries and their JSONL lines (GW-151).

use serde_json::{Map, Value};

use crate::{Result, StoreError, time};

pub(crate) const MESSAGE: &str = "message";
/// Version in the header line.
const SESSION_VERSION: u64 = 3;
/// Members the store writes itself.
const OWN_MEMBERS: [&str; 4] = ["type", "id", "parentId", "timestamp"];

/// An entry to append.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEntry {
    /// Entry type: `message`, `model_change`, `thinking_level_change`, `custom`, `custom_message`, `compaction`, ...
    pub kind: String,
    /// For `message` the message object itself; for other kinds an object whose members stand beside `type`.
    pub body: Value,
    /// Entry id; `None` lets the store choose. At most 256 bytes, unique in the transcript.
    pub id: Option<String>,
    /// Time of the entry in milliseconds; `None` means now.
    pub at_ms: Option<i64>,
}

impl NewEntry {
    /// A `message` entry.
    pub fn message(message: Value) -> Self {
        Self::of_kind(MESSAGE, message)
    }

    /// An entry of another type.
    pub fn of_kind(kind: impl Into<String>, body: Value) -> Self {
        Self { kind: kind.into(), body, id: None, at_ms: None }
    }
}

/// What the store gave an appended entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryMeta {
    /// Entry id, unique in its transcript.
    pub id: String,
    /// Entry before it in the chain.
    pub parent_id: Option<String>,
    /// Place in the transcript, from 0; rises by one with each entry.
    pub seq: u64,
}

/// A stored entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Entry id.
    pub id: String,
    /// Entry before it in the chain.
    pub parent_id: Option<String>,
    /// Place in the transcript.
    pub seq: u64,
    /// Entry type.
    pub kind: String,
    /// Time in milliseconds.
    pub at_ms: i64,
    /// For `message` the message object; for other kinds the members beside type, id, parentId and timestamp.
    pub body: Value,
}

/// An entry as the database holds it.
pub(crate) struct Stored<'a> {
    pub(crate) id: &'a str,
    pub(crate) parent_id: Option<&'a str>,
    pub(crate) kind: &'a str,
    pub(crate) at: i64,
    pub(crate) line: &'a str,
    pub(crate) active: bool,
}

/// True for the kinds a model context is built from.
pub(crate) fn is_context(kind: &str) -> bool {
    matches!(kind, "message" | "custom_message" | "compaction" | "branch_summary")
}

/// The header line, without its line end.
pub(crate) fn header(session_id: &str, at_ms: i64, cwd: &str, parent: Option<&str>) -> String {
    let mut map = Map::new();
    map.insert("type".into(), "session".into());
    map.insert("version".into(), SESSION_VERSION.into());
    map.insert("id".into(), session_id.into());
    map.insert("timestamp".into(), time::iso(at_ms).into());
    map.insert("cwd".into(), cwd.into());
    if let Some(parent) = parent {
        map.insert("parentSession".into(), parent.into());
    }
    Value::Object(map).to_string()
}

/// The line of an entry, without its line end.
pub(crate) fn line(new: &NewEntry, id: &str, parent_id: Option<&str>, at_ms: i64) -> Result<String> {
    if new.kind.trim().is_empty() || new.kind == "session" {
        return Err(StoreError::invalid("entry kind", format!("`{}` names no entry type", new.kind)));
    }
    let Value::Object(body) = &new.body else {
        return Err(StoreError::invalid("entry body", format!("the body of a `{}` entry must be an object", new.kind)));
    };
    let head = |name: &str, value: Value| format!("\"{name}\":{value}");
    let mut parts = vec![
        head("type", new.kind.as_str().into()),
        head("id", id.into()),
        head("parentId", parent_id.map_or(Value::Null, Value::from)),
        head("timestamp", time::iso(at_ms).into()),
    ];
    if new.kind == MESSAGE {
        parts.push(format!("\"message\":{}", new.body));
    } else {
        for (name, value) in body {
            if OWN_MEMBERS.contains(&name.as_str()) {
                return Err(StoreError::invalid("entry body", format!("`{name}` is written by the store")));
            }
            parts.push(format!("{}:{value}", Value::from(name.as_str())));
        }
    }
    Ok(format!("{{{}}}", parts.join(",")))
}

/// The body of a stored line.
pub(crate) fn body_of(line: &str, kind: &str) -> Option<Value> {
    let Ok(Value::Object(mut map)) = serde_json::from_str(line) else {
        return None;
    };
    if kind == MESSAGE {
        return map.shift_remove("message");
    }
    for name in OWN_MEMBERS {
        map.shift_remove(name);
    }
    Some(Value::Object(map))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lines_have_the_reference_form() {
        // GW-151
        let new = NewEntry::message(json!({"role": "user", "content": "h\u{2028}i\n"}));
        let text = line(&new, "0a1b2c3d", None, 0).unwrap();
        assert_eq!(
            text,
            "{\"type\":\"message\",\"id\":\"0a1b2c3d\",\"parentId\":null,\"timestamp\":\"1970-01-01T00:00:00.000Z\",\
             \"message\":{\"role\":\"user\",\"content\":\"h\u{2028}i\\n\"}}"
        );
        assert_eq!(body_of(&text, MESSAGE), Some(new.body));
        let change = NewEntry::of_kind("model_change", json!({"provider": "p", "modelId": "m"}));
        let text = line(&change, "b", Some("a"), 1).unwrap();
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&value["type"], &value["parentId"], &value["modelId"]), (&json!("model_change"), &json!("a"), &json!("m")));
        assert_eq!(body_of(&text, "model_change"), Some(change.body));
        assert_eq!(
            header("s", 0, "/w", Some("old.jsonl")),
            r#"{"type":"session","version":3,"id":"s","timestamp":"1970-01-01T00:00:00.000Z","cwd":"/w","parentSession":"old.jsonl"}"#
        );
    }

    #[test]
    fn what_cannot_be_an_entry_is_refused() {
        for bad in [
            NewEntry::of_kind("session", json!({})),
            NewEntry::of_kind(" ", json!({})),
            NewEntry::message(json!("text")),
            NewEntry::of_kind("custom", json!({"id": "x"})),
        ] {
            assert!(matches!(line(&bad, "a", None, 0), Err(StoreError::Invalid { .. })), "{bad:?}");
        }
    }
}
