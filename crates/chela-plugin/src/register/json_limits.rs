//! The limits of JSON values that plugins leave with the host (HOOK-262).

use serde_json::Value;

const MAX_DEPTH: usize = 32;
const MAX_NODES: usize = 4096;
const MAX_KEYS: usize = 512;
const MAX_STRING: usize = 64 * 1024;
const MAX_BYTES: usize = 256 * 1024;

/// True when the value respects the limits: depth 32, 4096 nodes, 512 keys per object, strings of 65536 characters, 262144 bytes
/// serialised, and no tagged value (a function, a date, ...) anywhere (HOOK-262).
pub fn is_plugin_json(value: &Value) -> bool {
    let mut nodes = 0;
    within(value, 0, &mut nodes) && value.to_string().len() <= MAX_BYTES
}

fn within(value: &Value, depth: usize, nodes: &mut usize) -> bool {
    *nodes += 1;
    if *nodes > MAX_NODES || depth > MAX_DEPTH {
        return false;
    }
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
        Value::String(text) => fits(text),
        Value::Array(items) => items.iter().all(|v| within(v, depth + 1, nodes)),
        Value::Object(map) => map.len() <= MAX_KEYS && !is_tagged(map) && map.iter().all(|(k, v)| fits(k) && within(v, depth + 1, nodes)),
    }
}

/// Lengths count UTF-16 units, as the plugins' language does.
fn fits(text: &str) -> bool {
    text.len() <= MAX_STRING || text.encode_utf16().count() <= MAX_STRING
}

fn is_tagged(map: &serde_json::Map<String, Value>) -> bool {
    const TAGS: &[&str] =
        &["$fn", "$ref", "$signal", "$stream", "$bytes", "$error", "$date", "$map", "$set", "$bigint", "$regexp", "$undefined", "$num"];
    map.keys().next().is_some_and(|k| TAGS.contains(&k.as_str()))
}

/// Checks a value against a JSON Schema that compiled at registration.
///
/// # Errors
/// The first violation, with its place.
pub fn check_schema(schema: &Value, value: &Value) -> Result<(), String> {
    let validator = jsonschema::validator_for(schema).map_err(|e| e.to_string())?;
    validator.validate(value).map_err(|e| format!("at {}: {e}", e.instance_path()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    // HOOK-262
    #[test]
    fn values_at_and_over_each_limit() {
        let nested = |n: usize| (0..n).fold(json!(1), |v, _| json!([v]));
        let keys = |n: usize| Value::Object((0..n).map(|i| (i.to_string(), json!(0))).collect());
        let cases = [
            (json!({"a": [1, null, "x"]}), true),
            (nested(32), true),
            (nested(33), false),
            (keys(512), true),
            (keys(513), false),
            (json!("x".repeat(65_536)), true),
            (json!("x".repeat(65_537)), false),
            (json!(vec![0; 4095]), true),
            (json!(vec![0; 4096]), false),
            (json!(vec!["x".repeat(60_000); 5]), false),
            (json!({"f": {"$fn": 1}}), false),
            (json!({"d": {"$date": "2026-01-01T00:00:00.000Z"}}), false),
        ];
        for (value, expected) in cases {
            assert_eq!(is_plugin_json(&value), expected, "{:.60}", value.to_string());
        }
    }
}
