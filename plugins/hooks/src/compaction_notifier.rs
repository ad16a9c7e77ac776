//! `compaction-notifier`: tells the chat when its history is being summarised, and when that is done.

use chela_plugin::builtin::PluginApi;
use serde_json::{Value, json};

pub(crate) const NAME: &str = "compaction-notifier";

pub(crate) fn handler(api: &mut PluginApi) -> Value {
    api.function(|call| async move {
        let event = call.args.into_iter().next().unwrap_or_default();
        let Some(text) = text(&event) else { return Ok(Value::Null) };
        let mut messages = event["messages"].as_array().cloned().unwrap_or_default();
        messages.push(text.into());
        Ok(json!({ "messages": messages }))
    })
}

fn text(event: &Value) -> Option<String> {
    let number = |key: &str| event["context"].get(key).and_then(Value::as_i64).filter(|n| *n >= 0);
    match event["action"].as_str()? {
        "compact:before" => {
            let messages = number("messageCount").map(|n| format!(" of {} messages", grouped(n))).unwrap_or_default();
            Some(format!("🧹 Summarising the history{messages}, so that the conversation can go on…"))
        }
        "compact:after" => {
            let change = number("tokensBefore").zip(number("tokensAfter"));
            let change = change.map(|(before, after)| format!(": {} → {} tokens", grouped(before), grouped(after))).unwrap_or_default();
            Some(format!("✅ The history is summarised{change}"))
        }
        _ => None,
    }
}

/// Digits in groups of three.
fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_name_what_is_known() {
        let cases = [
            (json!({"action": "compact:before", "context": {"messageCount": 1234}}), Some("of 1,234 messages")),
            (json!({"action": "compact:before", "context": {"messageCount": -1}}), Some("Summarising the history, so")),
            (json!({"action": "compact:after", "context": {"tokensBefore": 1_234_567, "tokensAfter": 89}}), Some("1,234,567 → 89 tokens")),
            (json!({"action": "compact:after", "context": {}}), Some("summarised")),
            (json!({"action": "patch", "context": {}}), None),
        ];
        for (event, part) in cases {
            let said = text(&event);
            assert_eq!(said.is_some(), part.is_some(), "{event}");
            assert!(part.is_none_or(|part| said.as_ref().is_some_and(|said| said.contains(part))), "{said:?}");
        }
    }
}
