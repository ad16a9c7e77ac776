//! Reading values that came from a plugin: function handles and tagged values (see `PROTOCOL.md`, "Values").

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::LazyLock;

use serde_json::{Value, json};

/// The word that makes a value mean the config. It is random, so that no data of a stranger means it by chance or on purpose.
static CONFIG_MARK: LazyLock<String> = LazyLock::new(|| {
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
});

/// The word in [`gateway_config`], which workers are told when they load a plugin.
pub fn config_mark() -> &'static str {
    &CONFIG_MARK
}

/// Stands for the gateway's config in what is sent to a plugin: each plugin sees its own view of it there, so a confined one cannot be
/// handed the secrets of others, and nothing large travels.
pub fn gateway_config() -> Value {
    json!({ "$config": config_mark() })
}

/// True for what [`gateway_config`] makes.
pub fn is_gateway_config(value: &Value) -> bool {
    value.get("$config").and_then(Value::as_str) == Some(config_mark())
}

/// The handle in `{"$fn": n}`, if the value is a function.
pub fn function_handle(value: &Value) -> Option<u64> {
    value.as_object()?.get("$fn")?.as_u64()
}

/// All function handles anywhere inside `value`.
pub fn collect_handles(value: &Value, into: &mut Vec<u64>) {
    match value {
        Value::Object(map) => {
            if let Some(handle) = function_handle(value) {
                into.push(handle);
                return;
            }
            map.values().for_each(|v| collect_handles(v, into));
        }
        Value::Array(items) => items.iter().for_each(|v| collect_handles(v, into)),
        _ => {}
    }
}

/// True when the plugin's value was `undefined` (absent, or the tagged form inside an array).
pub fn is_undefined(value: &Value) -> bool {
    value.get("$undefined").is_some()
}

/// A trimmed, non-empty string member.
pub fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str().map(str::trim).filter(|s| !s.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_found_at_any_depth() {
        let mut found = Vec::new();
        collect_handles(&json!({"a": [{"$fn": 3}, {"b": {"$fn": 4}}], "c": 1}), &mut found);
        assert_eq!(found, [3, 4]);
        assert_eq!(function_handle(&json!({"$fn": "x"})), None);
    }
}
