//! The size limits of tool results in the transcript (HOOK-199..203).

use serde_json::{Map, Value, json};

/// Largest `details` that are stored unchanged, in bytes of JSON.
const DETAILS_LIMIT: usize = 8192;
/// Longest text of a tool result, in characters.
const TEXT_LIMIT: usize = 16_000;
/// Longest copied string in a summary, in characters.
const STRING_LIMIT: usize = 2000;
/// Longest copied string when the summary itself is too large.
const FALLBACK_STRING_LIMIT: usize = 200;
/// Members that a summary copies.
const COPIED: &[&str] = &[
    "status",
    "sessionId",
    "pid",
    "startedAt",
    "endedAt",
    "cwd",
    "name",
    "exitCode",
    "exitSignal",
    "retryInMs",
    "total",
    "totalLines",
    "totalChars",
    "truncated",
    "fullOutputPath",
    "truncation",
    "tail",
    "sessions",
];

/// Caps a tool result message: its text and its details.
pub fn cap(mut message: Value) -> Value {
    if let Some(blocks) = message.get_mut("content").and_then(Value::as_array_mut) {
        blocks.iter_mut().for_each(cap_text);
    }
    let size = message.get("details").map(|d| d.to_string().len()).unwrap_or(0);
    if size > DETAILS_LIMIT
        && let Some(details) = message.get_mut("details")
    {
        *details = summary(details, size);
    }
    message
}

fn cap_text(block: &mut Value) {
    let Some(text) = block.get("text").and_then(Value::as_str) else { return };
    if let Some((at, _)) = text.char_indices().nth(TEXT_LIMIT) {
        let cut = format!("{}\n[cut here: {} more characters]", &text[..at], text[at..].chars().count());
        block["text"] = cut.into();
    }
}

fn summary(details: &Value, size: usize) -> Value {
    let full = build(details, size, STRING_LIMIT);
    let length = full.to_string().len();
    if length <= DETAILS_LIMIT {
        return full;
    }
    let mut small = build(details, size, FALLBACK_STRING_LIMIT);
    if let Some(object) = small.as_object_mut() {
        object.remove("sessions");
        object.insert("finalDetailsTruncated".into(), true.into());
        object.insert("sanitizedDetailsBytes".into(), length.into());
    }
    small
}

fn build(details: &Value, size: usize, string_limit: usize) -> Value {
    let mut out = Map::new();
    out.insert("persistedDetailsTruncated".into(), true.into());
    out.insert("originalDetailsBytes".into(), size.into());
    let Some(object) = details.as_object() else { return Value::Object(out) };
    let keys: Vec<&String> = object.keys().take(40).collect();
    out.insert("originalDetailKeys".into(), json!(keys));
    for name in COPIED {
        let Some(value) = object.get(*name) else { continue };
        match (value, *name) {
            (Value::Array(list), "sessions") => {
                let kept: Vec<Value> = list.iter().take(10).map(|s| shorten(s, 500)).collect();
                out.insert("sessions".into(), kept.into());
                if list.len() > 10 {
                    out.insert("sessionsTruncated".into(), (list.len() - 10).into());
                }
            }
            _ => {
                out.insert((*name).into(), shorten(value, string_limit));
            }
        }
    }
    Value::Object(out)
}

fn shorten(value: &Value, limit: usize) -> Value {
    match value {
        Value::String(text) => match text.char_indices().nth(limit) {
            Some((at, _)) => format!("{} [cut]", &text[..at]).into(),
            None => value.clone(),
        },
        Value::Object(object) => object.iter().map(|(k, v)| (k.clone(), shorten(v, limit))).collect::<Map<_, _>>().into(),
        Value::Array(list) => list.iter().take(40).map(|v| shorten(v, limit)).collect::<Vec<_>>().into(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(details: Value) -> Value {
        cap(json!({"role": "toolResult", "content": [], "details": details}))
    }

    // HOOK-199
    #[test]
    fn small_details_stay_as_they_are() {
        let details = json!({"a": "x".repeat(8000)});
        assert_eq!(with(details.clone())["details"], details);
    }

    // HOOK-200, HOOK-201
    #[test]
    fn large_details_become_a_summary() {
        let sessions: Vec<Value> = (0..12).map(|n| json!({"n": n, "log": "y".repeat(900)})).collect();
        let out = with(json!({"status": "ok", "tail": "z".repeat(3000), "blob": "x".repeat(9000)}));
        let summary = &out["details"];
        assert_eq!(summary["persistedDetailsTruncated"], true);
        assert_eq!(summary["originalDetailKeys"], json!(["status", "tail", "blob"]));
        assert_eq!(summary["status"], "ok");
        assert!(summary["tail"].as_str().unwrap().chars().count() < 2010);
        assert!(summary.get("blob").is_none());
        let out = with(json!({"sessions": sessions}));
        assert_eq!(out["details"]["sessionsTruncated"], 2);
        assert_eq!(out["details"]["sessions"].as_array().unwrap().len(), 10);
    }

    // HOOK-202
    #[test]
    fn a_summary_that_is_still_too_large_is_cut_again() {
        let big = json!({"status": "s".repeat(3000), "cwd": "c".repeat(3000), "name": "n".repeat(3000), "tail": "t".repeat(3000), "truncation": "u".repeat(3000)});
        let out = with(big);
        assert_eq!(out["details"]["finalDetailsTruncated"], true);
        assert!(out["details"].to_string().len() <= DETAILS_LIMIT);
    }

    // HOOK-203
    #[test]
    fn long_text_is_cut_with_a_notice() {
        let out = cap(json!({"content": [{"type": "text", "text": "a".repeat(16_500)}]}));
        let text = out["content"][0]["text"].as_str().unwrap();
        assert!(text.ends_with("[cut here: 500 more characters]"));
    }
}
