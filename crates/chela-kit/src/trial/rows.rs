//! From recorded calls to rows of the report, and what counts as a failure.

use chela_node::{Called, Observed};
use chela_plugin::{Adapter, CallError};
use serde_json::Value;

use super::report::CallRow;

/// Errors of the language itself: the plugin's own mistake, whatever the arguments were.
const MISTAKES: [&str; 4] = ["TypeError", "ReferenceError", "SyntaxError", "RangeError"];
/// Longest text in a row, in characters.
const TEXT: usize = 2_000;

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
