//! The first person who is approved owns the commands (CH-46).

use serde_json::Value;

/// The entry for `commands.ownerAllowFrom` when the config names no owner yet: `<channel>:<id>`.
pub fn owner_entry(config: &Value, channel: &str, id: &str) -> Option<String> {
    let text = |owner: &Value| match owner {
        Value::String(text) => !text.trim().is_empty(),
        Value::Number(_) => true,
        _ => false,
    };
    let known = config.pointer("/commands/ownerAllowFrom").and_then(Value::as_array).is_some_and(|owners| owners.iter().any(text));
    let id = id.trim();
    if known || id.is_empty() {
        return None;
    }
    let prefixed = id.split_once(':').is_some_and(|(prefix, _)| prefix.eq_ignore_ascii_case(channel));
    Some(if prefixed { id.to_owned() } else { format!("{channel}:{id}") })
}
