//! What plugins that ship with the host make of tool results before a model sees them (API-129).

use std::time::Duration;

use chela_models::ToolCall;
use chela_plugin::Call;
use serde_json::{Value, json};

use super::{Caller, Tool, ToolOutcome, text_result};

/// The runtime of the built-in loop, as plugins name it.
const RUNTIME: &str = "pi";
/// Longest handler: the model waits for it.
const BUDGET: Duration = Duration::from_secs(30);
/// Limits of a result: blocks, characters of a text, characters of an image, bytes and depth of the details.
const MOST_BLOCKS: usize = 200;
const MOST_TEXT: usize = 100_000;
const MOST_IMAGE: usize = 5_000_000;
const MOST_DETAILS: usize = 100_000;
const MOST_DEPTH: usize = 20;

/// Runs the handlers one after another, each on what the one before it made. One that fails, or makes what is no result, hides the
/// result: what it was there to take out must not get through.
pub(super) async fn apply(caller: &Caller<'_>, tool: &Tool, call: &ToolCall, outcome: &mut ToolOutcome) {
    let registry = caller.hooks.registry();
    for own in registry.middleware.iter().filter(|own| own.runtimes.iter().any(|runtime| runtime == RUNTIME)) {
        let of = |name: &str| caller.context.get(name).cloned().unwrap_or_default();
        let mut event = json!({"toolCallId": call.id, "toolName": tool.name, "args": outcome.params, "result": outcome.result});
        if outcome.is_error {
            event["isError"] = true.into();
        }
        let context = json!({
            "runtime": RUNTIME, "harness": RUNTIME, "agentId": of("agentId"), "sessionId": of("sessionId"),
            "sessionKey": caller.session_key, "runId": caller.run_id,
        });
        let request = Call::new(vec![event, context]).budget(Some(BUDGET)).cancelled_by(caller.cancel.clone());
        let problem = match own.handler.call(request).await {
            Ok(mut answer) => match answer.get_mut("result").map(Value::take).filter(|result| !result.is_null()) {
                None => continue,
                Some(result) if is_result(&result) => {
                    outcome.result = result;
                    continue;
                }
                Some(_) => "what it made is no tool result, or too large".to_owned(),
            },
            Err(error) => error.to_string(),
        };
        tracing::warn!(target: "tools", plugin = %own.owner.id, tool = tool.name, "a handler of tool results failed: {problem}");
        outcome.result = text_result("Tool output unavailable due to post-processing error.");
        outcome.result["details"] = json!({"status": "error", "middlewareError": true});
        return;
    }
}

fn is_result(value: &Value) -> bool {
    let block = |block: &Value| match block["type"].as_str() {
        Some("text") => block["text"].as_str().is_some_and(|text| text.len() <= MOST_TEXT),
        Some("image") => {
            let mime = block["mimeType"].as_str().is_some_and(|mime| !mime.trim().is_empty());
            mime && block["data"].as_str().is_some_and(|data| data.len() <= MOST_IMAGE)
        }
        _ => false,
    };
    let content = value["content"].as_array().is_some_and(|blocks| blocks.len() <= MOST_BLOCKS && blocks.iter().all(block));
    content && is_shallow(&value["details"], 0) && value["details"].to_string().len() <= MOST_DETAILS
}

fn is_shallow(value: &Value, depth: usize) -> bool {
    depth <= MOST_DEPTH
        && match value {
            Value::Array(items) => items.iter().all(|item| is_shallow(item, depth + 1)),
            Value::Object(map) => map.values().all(|item| is_shallow(item, depth + 1)),
            _ => true,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_have_a_form_and_limits() {
        let text = |length: usize| json!({"type": "text", "text": "x".repeat(length)});
        let deep = (0..MOST_DEPTH + 1).fold(json!(1), |inner, _| json!([inner]));
        for (value, want) in [
            (json!({"content": []}), true),
            (json!({"content": [text(5)], "details": {"a": [1]}}), true),
            (json!({"content": [text(MOST_TEXT + 1)]}), false),
            (json!({"content": [{"type": "image", "data": "AA", "mimeType": "image/png"}]}), true),
            (json!({"content": [{"type": "image", "data": "AA", "mimeType": " "}]}), false),
            (json!({"content": [{"type": "video"}]}), false),
            (json!({"content": "text"}), false),
            (json!("text"), false),
            (json!({"content": vec![text(1); MOST_BLOCKS + 1]}), false),
            (json!({"content": [], "details": "x".repeat(MOST_DETAILS)}), false),
            (json!({"content": [], "details": deep}), false),
        ] {
            let shown: String = value.to_string().chars().take(80).collect();
            assert_eq!(is_result(&value), want, "{shown}");
        }
    }
}
