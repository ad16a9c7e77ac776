//! A quick "surely valid" for ordinary schemas; it never says "valid" where the validator would not.

use serde_json::{Map, Value};

const MAX_DEPTH: usize = 32;

/// True when the value is certainly valid. False means "ask the validator".
pub(super) fn is_valid(schema: &Value, value: &Value) -> bool {
    accepts(schema, value, 0)
}

fn accepts(schema: &Value, value: &Value, depth: usize) -> bool {
    let schema = match schema {
        Value::Bool(accepts) => return *accepts,
        Value::Object(schema) if depth < MAX_DEPTH => schema,
        _ => return false,
    };
    schema.iter().all(|(keyword, argument)| match keyword.as_str() {
        "title" | "description" | "default" | "examples" | "$comment" | "$id" | "readOnly" | "writeOnly" => {
            keyword != "$id" || argument.is_string()
        }
        "$schema" => argument.as_str().is_some_and(|uri| uri.contains("draft-07")),
        "type" => has_type(argument, value),
        "enum" => argument.as_array().is_some_and(|all| all.contains(value)),
        "const" => argument == value,
        "minimum" => bound(argument, value, |value, limit| value >= limit),
        "maximum" => bound(argument, value, |value, limit| value <= limit),
        "minLength" => length(argument, value, |length, limit| length >= limit),
        "maxLength" => length(argument, value, |length, limit| length <= limit),
        "properties" => properties(argument, value, depth),
        "required" => required(argument, value),
        "additionalProperties" => additional(schema, argument, value, depth),
        "items" => items(argument, value, depth),
        _ => false,
    })
}

fn has_type(argument: &Value, value: &Value) -> bool {
    match argument {
        Value::String(name) => is_a(name, value),
        Value::Array(names) => {
            let known = names.iter().all(|name| name.as_str().is_some_and(is_type_name));
            known && names.iter().filter_map(Value::as_str).any(|name| is_a(name, value))
        }
        _ => false,
    }
}

fn is_type_name(name: &str) -> bool {
    matches!(name, "null" | "boolean" | "object" | "array" | "number" | "integer" | "string")
}

fn is_a(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        _ => false,
    }
}

fn bound(argument: &Value, value: &Value, holds: impl Fn(f64, f64) -> bool) -> bool {
    match (argument.as_f64(), value.as_f64()) {
        (Some(limit), Some(value)) => holds(value, limit),
        (Some(_), None) => true,
        _ => false,
    }
}

fn length(argument: &Value, value: &Value, holds: impl Fn(u64, u64) -> bool) -> bool {
    match (argument.as_u64(), value.as_str()) {
        (Some(limit), Some(text)) => holds(text.chars().count() as u64, limit),
        (Some(_), None) => true,
        _ => false,
    }
}

/// Only the properties that are present are looked at; the others cannot fail.
fn properties(argument: &Value, value: &Value, depth: usize) -> bool {
    let Some(properties) = argument.as_object() else {
        return false;
    };
    let Some(map) = value.as_object() else {
        return true;
    };
    map.iter().all(|(key, entry)| match properties.get(key) {
        Some(schema) => accepts(schema, entry, depth + 1),
        None => true,
    })
}

fn required(argument: &Value, value: &Value) -> bool {
    let (Some(keys), Some(map)) = (argument.as_array(), value.as_object()) else {
        return argument.is_array();
    };
    keys.iter().all(|key| key.as_str().is_some_and(|key| map.contains_key(key)))
}

fn additional(schema: &Map<String, Value>, argument: &Value, value: &Value, depth: usize) -> bool {
    let Some(map) = value.as_object() else {
        return true;
    };
    let declared = schema.get("properties").and_then(Value::as_object);
    map.iter()
        .filter(|(key, _)| !declared.is_some_and(|declared| declared.contains_key(*key)))
        .all(|(_, entry)| accepts(argument, entry, depth + 1))
}

fn items(argument: &Value, value: &Value, depth: usize) -> bool {
    match (argument, value) {
        (Value::Array(_), _) => false,
        (_, Value::Array(entries)) => entries.iter().all(|entry| accepts(argument, entry, depth + 1)),
        _ => true,
    }
}
