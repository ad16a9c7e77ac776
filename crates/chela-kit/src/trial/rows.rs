//! From recorded calls to rows of the report, and what counts as a failure.

use chela_node::{Called, Observed};
use chela_plugin::{Adapter, CallError};
use serde_json::Value;

use super::report::CallRow;

/// Errors of the language itself: the plugin's own mistake, whatever the arguments were.
const MISTAKES: [&str; 4] = ["TypeError", "ReferenceError", "SyntaxError", "RangeError"];
/// Longest text in a row, in characters.
const TEXT: usize = 2_000;

/// Characters before and after what a text says to be lacking.
const CONTEXT: usize = 120;
/// Directories of the embedded SDK.
const OWN: [&str; 2] = ["/plugin-sdk/", "/worker/"];

/// How an error shows.
pub(super) fn outcome(error: &CallError) -> &'static str {
    match error {
        CallError::Thrown { .. } => "threw",
        CallError::TimedOut(_) | CallError::Cancelled => "timedOut",
        CallError::Gone { .. } => "gone",
        CallError::NotBuilt(_) | CallError::Refused { .. } => "refused",
    }
}

/// Whether an error is the plugin's or the SDK's fault even when the arguments were made up.
pub(super) fn is_fault(error: &CallError) -> bool {
    match error {
        // What `fetch` throws when nobody answers.
        CallError::Thrown { name, message, .. } if name == "TypeError" && message == "fetch failed" => false,
        CallError::Thrown { name, code, .. } => {
            MISTAKES.contains(&name.as_str()) || matches!(code.as_deref(), Some("CHELA_SDK_MISSING_EXPORT" | "NOT_BUILT"))
        }
        CallError::TimedOut(_) | CallError::Gone { .. } | CallError::NotBuilt(_) => true,
        CallError::Cancelled | CallError::Refused { .. } => false,
    }
}

/// What errors, logs and results say when the SDK or the host lacks something that the plugin used.
const OURS: [&str; 3] = ["CHELA_SDK_MISSING", "is not built yet", "which this SDK does not carry"];

/// The part of a text that says that something is lacking on this side; plugins often turn such errors into results and log lines.
pub(super) fn lacking(text: &str) -> Option<String> {
    let line = text.lines().find(|line| OURS.iter().any(|mark| line.contains(mark)))?;
    let at = OURS.iter().filter_map(|mark| line.find(mark)).min()?;
    let from = line[..at].char_indices().rev().nth(CONTEXT).map_or(0, |(at, _)| at);
    Some(line[from..].chars().take(2 * CONTEXT).collect())
}

/// Whether an error of the language was thrown by the SDK itself: the innermost file of its stack is one of its own.
pub(super) fn is_of_sdk(error: &CallError) -> bool {
    let CallError::Thrown { stack: Some(stack), name, .. } = error else { return false };
    let innermost = stack.lines().skip_while(|line| !line.trim_start().starts_with("at ")).find(|line| !line.contains("node:"));
    MISTAKES.contains(&name.as_str()) && innermost.is_some_and(|line| line.contains("/sdk/") && OWN.iter().any(|dir| line.contains(dir)))
}

/// The row of a call.
pub(super) fn row(call: &Observed, kind: &'static str, name: &str, how: &'static str) -> CallRow {
    let input = match &call.what {
        Called::Hook(_, event) => event.value().clone(),
        Called::Function(Some(Adapter::Tool), args) => args.get(1).cloned().unwrap_or_default(),
        Called::Function(_, args) => args.first().cloned().unwrap_or_default(),
        Called::Fault(_) | Called::Log(_) => Value::Null,
    };
    let error = call.result.as_ref().err();
    CallRow {
        kind,
        name: name.into(),
        how,
        valid_arguments: None,
        input: shortened(input),
        outcome: error.map_or("returned", outcome),
        returned: call.result.as_ref().ok().cloned().map(shortened),
        error: error.map(|error| match error {
            CallError::Thrown { name, message, .. } if !message.starts_with(name.as_str()) => format!("{name}: {message}"),
            other => other.to_string(),
        }),
        ms: (call.took.as_secs_f64() * 1e4).round() / 10.0,
    }
}

/// Long texts are cut: a report is for reading.
fn shortened(value: Value) -> Value {
    match value {
        Value::String(text) if text.chars().count() > TEXT => {
            let cut: String = text.chars().take(TEXT).collect();
            format!("{cut}… ({} characters)", text.chars().count()).into()
        }
        Value::Array(list) => list.into_iter().map(shortened).collect(),
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, shortened(value))).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lacking_on_this_side_is_told_apart() {
        assert_eq!(lacking("fine\nError: `runtime.x.y` is not built yet"), Some("Error: `runtime.x.y` is not built yet".into()));
        assert_eq!(lacking("the plan is not built"), None);
        let thrown = |stack: &str| CallError::Thrown {
            name: "TypeError".into(),
            message: "m".into(),
            code: None,
            stack: Some(stack.into()),
            data: None,
        };
        let own =
            "TypeError: m\n    at x (node:internal/y:1:1)\n    at z (file:///c/sdk/1f/plugin-sdk/core.js:3:1)\n    at file:///p/index.js:1";
        assert!(is_of_sdk(&thrown(own)));
        assert!(!is_of_sdk(&thrown("TypeError: m\n    at file:///p/index.js:1\n    at z (file:///c/sdk/1f/worker/call.js:3:1)")));
    }
}
