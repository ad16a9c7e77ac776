//! Reading values that came from a plugin: function handles and tagged values (see `PROTOCOL.md`, "Values").

use serde_json::Value;

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
    use serde_json::json;

    #[test]
    fn handles_are_found_at_any_depth() {
        let mut found = Vec::new();
        collect_handles(&json!({"a": [{"$fn": 3}, {"b": {"$fn": 4}}], "c": 1}), &mut found);
        assert_eq!(found, [3, 4]);
        assert_eq!(function_handle(&json!({"$fn": "x"})), None);
    }
}
