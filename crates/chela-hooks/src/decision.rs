//! Decisions of `before_agent_run` and the constant texts of refusals (HOOK-143..148, HOOK-166..168).

use serde_json::Value;

/// The block reason of `before_tool_call` when the plugin gave none (HOOK-166).
pub const DEFAULT_TOOL_BLOCK_REASON: &str = "Tool call blocked by plugin hook";
/// What the model hears when a `before_tool_call` handler failed (HOOK-168).
pub const TOOL_HOOK_FAILED: &str = "Tool call blocked because before_tool_call hook failed";
/// Who blocked when a `before_agent_run` handler failed (HOOK-148).
pub const BLOCKED_BY_FAILURE: &str = "before_agent_run";

/// True for a well-formed decision of `before_agent_run` (HOOK-143, HOOK-144).
pub fn is_valid_decision(value: &Value) -> bool {
    let Some(decision) = value.as_object() else {
        return false;
    };
    let blank = |v: &Value| v.as_str().is_none_or(|s| s.trim().is_empty());
    match decision.get("outcome").and_then(Value::as_str) {
        Some("pass") => decision.len() == 1,
        Some("block") => {
            decision.contains_key("reason")
                && decision.iter().all(|(key, value)| match key.as_str() {
                    "outcome" => true,
                    "reason" | "message" | "category" => !blank(value),
                    "metadata" => value.is_object(),
                    _ => false,
                })
        }
        _ => false,
    }
}

/// What the user reads when a run was blocked (HOOK-147). The decision's reason, category and metadata never appear (HOOK-149).
pub fn block_text(decision: &Value, blocked_by: &str) -> String {
    match decision.get("message").and_then(Value::as_str).map(str::trim).filter(|m| !m.is_empty()) {
        Some(message) => {
            format!("Your message could not be sent: {message} (blocked by {blocked_by})")
        }
        None => format!("Your message could not be sent: blocked by {blocked_by}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    // HOOK-143, HOOK-144, HOOK-145
    #[test]
    fn valid_and_invalid_decisions() {
        let cases = [
            (json!({"outcome": "pass"}), true),
            (json!({"outcome": "pass", "reason": "x"}), false),
            (json!({"outcome": "block", "reason": "r"}), true),
            (json!({"outcome": "block", "reason": " "}), false),
            (json!({"outcome": "block"}), false),
            (json!({"outcome": "block", "reason": "r", "message": "m", "category": "c", "metadata": {}}), true),
            (json!({"outcome": "block", "reason": "r", "message": ""}), false),
            (json!({"outcome": "block", "reason": "r", "category": 1}), false),
            (json!({"outcome": "block", "reason": "r", "metadata": []}), false),
            (json!({"outcome": "block", "reason": "r", "extra": 1}), false),
            (json!({"outcome": "maybe"}), false),
            (json!("pass"), false),
            (json!(null), false),
        ];
        for (value, expected) in cases {
            assert_eq!(is_valid_decision(&value), expected, "{value}");
        }
    }

    // HOOK-147
    #[test]
    fn the_text_for_the_user() {
        let block = json!({"outcome": "block", "reason": "secret", "message": " too long "});
        assert_eq!(block_text(&block, "guard"), "Your message could not be sent: too long (blocked by guard)");
        assert_eq!(block_text(&json!({"reason": "secret"}), "guard"), "Your message could not be sent: blocked by guard");
    }
}
