//! What makes two calls, and two results, the same: everything but what changes each time, such as ids and times.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Value, json};

/// Of a tool and its arguments; the order of members does not count.
pub(super) fn of_call(tool: &str, args: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    tool.hash(&mut hasher);
    hash_value(args, &mut hasher);
    hasher.finish()
}

/// Of what came back.
pub(super) fn of_result(tool: &str, args: &Value, result: &Value, is_error: bool) -> u64 {
    let mut hasher = DefaultHasher::new();
    is_error.hash(&mut hasher);
    hash_value(&stable(tool, args, result), &mut hasher);
    hasher.finish()
}

fn stable(tool: &str, args: &Value, result: &Value) -> Value {
    let (details, text) = (&result["details"], crate::message::text_of(result));
    let text = text.trim();
    let pick = |names: &[&str]| -> Value { names.iter().map(|name| ((*name).to_owned(), details[*name].clone())).collect() };
    match (tool, details["status"].as_str(), args["action"].as_str()) {
        ("exec", Some("running"), _) => pick(&["status", "tail"]),
        ("exec", Some("completed" | "failed"), _) => {
            let output = details["aggregated"].as_str().map(str::trim).filter(|o| !o.is_empty()).unwrap_or(text);
            json!([pick(&["status", "exitCode", "timedOut"]), output])
        }
        ("exec", Some("approval-pending" | "approval-unavailable"), _) => pick(&["status", "reason", "host", "command"]),
        ("process", _, Some("poll")) => json!([pick(&["status", "exitCode", "exitSignal", "aggregated"]), text]),
        ("process", _, Some("log")) => {
            json!([pick(&["status", "totalLines", "totalChars", "truncated", "exitCode", "exitSignal"]), text])
        }
        _ => json!([details, text]),
    }
}

fn hash_value(value: &Value, hasher: &mut DefaultHasher) {
    match value {
        Value::Object(object) => {
            let mut members: Vec<_> = object.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            (b'{', members.len()).hash(hasher);
            for (name, value) in members {
                name.hash(hasher);
                hash_value(value, hasher);
            }
        }
        Value::Array(items) => {
            (b'[', items.len()).hash(hasher);
            items.iter().for_each(|item| hash_value(item, hasher));
        }
        other => other.hash(hasher),
    }
}
