//! What plugins make of the result of a tool before the model and the hooks see it (API-072, API-129).

use std::time::Duration;

use chela_plugin::Call;
use serde_json::{Value, json};

use super::{Caller, text_result};

/// Longest work of one handler.
const BUDGET: Duration = Duration::from_secs(30);
/// The runtime that this crate is.
const RUNTIME: &str = "pi";
/// Most blocks of a result.
const MOST_BLOCKS: usize = 200;
/// Longest text of a block, in characters.
const LONGEST_TEXT: usize = 100_000;
/// Longest image of a block, in characters of base64.
const LONGEST_IMAGE: usize = 5_000_000;
/// Largest details, in bytes, and how deep and how many members they may have.
const LARGEST_DETAILS: usize = 100_000;
const DEEPEST_DETAILS: usize = 20;
const MOST_MEMBERS: usize = 1_000;

/// Hands the result to each handler in turn. One that fails, or gives something else than a result, hides the result: what it was to
/// take out must not get through.
pub(super) async fn apply(caller: &Caller<'_>, tool: &str, call: &str, args: &Value, is_error: bool, result: Value) -> Value {
    let registry = caller.hooks.registry();
    let mut current = result;
    for entry in registry.middleware.iter().filter(|entry| entry.runtimes.iter().any(|runtime| runtime == RUNTIME)) {
        let event = json!({"toolCallId": call, "toolName": tool, "args": args, "isError": is_error, "result": current});
        let request = Call::new(vec![event, context(caller)]).budget(Some(BUDGET)).cancelled_by(caller.cancel.clone());
        let answer = entry.handler.call(request).await;
        current = match answer.map(|mut answer| answer.get_mut("result").map(Value::take)) {
            Ok(None) => current,
            Ok(Some(next)) if next.is_null() || chela_plugin::value::is_undefined(&next) => current,
            Ok(Some(next)) if is_result(&next) => next,
            Ok(Some(_)) => {
                tracing::warn!(target: "tools", plugin = %entry.owner.id, tool, "a tool result that a plugin changed is no result, and was dropped");
                return hidden();
            }
            Err(error) => {
                tracing::warn!(target: "tools", plugin = %entry.owner.id, tool, "a plugin that changes tool results failed: {error}");
                return hidden();
            }
        };
    }
    current
}

fn context(caller: &Caller<'_>) -> Value {
    let mut context = json!({"runtime": RUNTIME, "harness": RUNTIME, "sessionKey": caller.session_key});
    for name in ["agentId", "sessionId"] {
        if let Some(value) = caller.context.get(name) {
            context[name] = value.clone();
        }
    }
    if let Some(run) = caller.run_id {
        context["runId"] = run.into();
    }
    context
}

fn hidden() -> Value {
    let mut result = text_result("The output of this tool is not available: a plugin that looks at results failed");
    result["details"] = json!({"status": "error", "middlewareError": true});
    result
}

fn is_result(value: &Value) -> bool {
    let Some(blocks) = value.get("content").and_then(Value::as_array) else { return false };
    let mut members = 0;
    let details = value.get("details").filter(|details| !details.is_null());
    blocks.len() <= MOST_BLOCKS
        && blocks.iter().all(is_block)
        && details.is_none_or(|details| details.to_string().len() <= LARGEST_DETAILS && is_bounded(details, 0, &mut members))
}

fn is_block(block: &Value) -> bool {
    let within = |name: &str, most: usize| block[name].as_str().is_some_and(|text| text.len() <= most);
    match block["type"].as_str() {
        Some("text") => within("text", LONGEST_TEXT),
        Some("image") => within("data", LONGEST_IMAGE) && block["mimeType"].as_str().is_some_and(|mime| !mime.trim().is_empty()),
        _ => false,
    }
}

fn is_bounded(value: &Value, depth: usize, members: &mut usize) -> bool {
    let children: Vec<&Value> = match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(object) => object.values().collect(),
        _ => return depth <= DEEPEST_DETAILS,
    };
    *members += children.len();
    depth <= DEEPEST_DETAILS && *members <= MOST_MEMBERS && children.into_iter().all(|child| is_bounded(child, depth + 1, members))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_results_within_the_limits_are_taken() {
        let text = |text: &str| json!({"content": [{"type": "text", "text": text}]});
        let mut deep = json!(1);
        for _ in 0..=DEEPEST_DETAILS {
            deep = json!({"in": deep});
        }
        for (value, good) in [
            (text("a"), true),
            (text(&"x".repeat(LONGEST_TEXT + 1)), false),
            (json!({"content": "a"}), false),
            (json!({"content": [{"type": "audio", "data": "x"}]}), false),
            (json!({"content": [{"type": "image", "mimeType": "image/png", "data": "x"}], "details": {"a": [1]}}), true),
            (json!({"content": [{"type": "image", "mimeType": " ", "data": "x"}]}), false),
            (json!({"content": [], "details": deep}), false),
            (json!({"content": [], "details": "x".repeat(LARGEST_DETAILS)}), false),
            (json!({"content": vec![json!({"type": "text", "text": ""}); MOST_BLOCKS + 1]}), false),
        ] {
            assert_eq!(is_result(&value), good, "{}", value.to_string().chars().take(80).collect::<String>());
        }
    }
}
