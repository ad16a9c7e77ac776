//! Values for a JSON schema: a valid one, and one that is not.

use serde_json::{Map, Value, json};

/// Schemas inside each other that are followed.
const DEPTH: usize = 12;

/// A small value that the schema allows: what it requires, and what it has defaults for. `None` when none could be made.
pub fn valid(schema: &Value) -> Option<Value> {
    let made = make(schema, schema, "", DEPTH);
    is_valid(schema, &made).then_some(made)
}

/// A value that the schema forbids, made from a valid one. `None` for a schema that allows everything.
pub fn invalid(schema: &Value, valid: &Value) -> Option<Value> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let required: Vec<&str> = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let first = required.iter().copied().chain(properties.into_iter().flat_map(|all| all.keys().map(String::as_str)));
    let wrong = [json!({"not": "what was asked for"}), json!(12_345), json!("not what was asked for"), Value::Null];
    for name in first {
        for value in &wrong {
            let mut broken = valid.clone();
            if let Some(object) = broken.as_object_mut() {
                object.insert(name.into(), value.clone());
            }
            if !is_valid(schema, &broken) {
                return Some(broken);
            }
        }
    }
    if !is_valid(schema, &json!({})) {
        return Some(json!({}));
    }
    let mut broken = valid.clone();
    match broken.as_object_mut() {
        Some(object) if !required.is_empty() => {
            object.shift_remove(required[0]);
        }
        Some(object) => {
            object.insert("unexpected".into(), true.into());
        }
        None => broken = json!(["unexpected"]),
    }
    (!is_valid(schema, &broken)).then_some(broken)
}

/// Whether a value fits. A schema that cannot be compiled fits everything.
pub fn is_valid(schema: &Value, value: &Value) -> bool {
    jsonschema::validator_for(schema).map_or(true, |validator| validator.is_valid(value))
}

fn make(root: &Value, schema: &Value, name: &str, depth: usize) -> Value {
    if let Some(value) = given(schema) {
        return value;
    }
    if depth == 0 {
        return Value::Null;
    }
    if let Some(target) = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#')).and_then(|p| root.pointer(p)) {
        return make(root, target, name, depth - 1);
    }
    for key in ["anyOf", "oneOf"] {
        let options = schema.get(key).and_then(Value::as_array).into_iter().flatten();
        let mut made = options.map(|option| make(root, &merged(schema, option, key), name, depth - 1));
        if let Some(first) = made.find(|value| !value.is_null()) {
            return first;
        }
    }
    if let Some(parts) = schema.get("allOf").and_then(Value::as_array) {
        let whole = parts.iter().fold(schema.clone(), |whole, part| merged(&whole, part, "allOf"));
        return make(root, &whole, name, depth - 1);
    }
    match kind(schema) {
        "object" => object(root, schema, depth),
        "array" => {
            let count = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0).min(16);
            let items = schema.get("items").cloned().unwrap_or(json!({"type": "string"}));
            (0..count).map(|_| make(root, &items, name, depth - 1)).collect()
        }
        "string" => text(schema, name).into(),
        "integer" => number(schema, true),
        "number" => number(schema, false),
        "boolean" => false.into(),
        _ => Value::Null,
    }
}

/// A value that the schema itself names.
fn given(schema: &Value) -> Option<Value> {
    let list = |key: &str| schema.get(key).and_then(Value::as_array).and_then(|list| list.first()).cloned();
    schema.get("const").or_else(|| schema.get("default")).cloned().or_else(|| list("examples")).or_else(|| list("enum"))
}

/// A schema and one of its alternatives as one schema.
fn merged(schema: &Value, part: &Value, without: &str) -> Value {
    let mut out = schema.as_object().cloned().unwrap_or_default();
    out.shift_remove(without);
    for (key, value) in part.as_object().into_iter().flatten() {
        match (out.get_mut(key), value) {
            (Some(Value::Object(have)), Value::Object(more)) => have.extend(more.clone()),
            (Some(Value::Array(have)), Value::Array(more)) if key == "required" => have.extend(more.iter().cloned()),
            _ => {
                out.insert(key.clone(), value.clone());
            }
        }
    }
    Value::Object(out)
}

fn kind(schema: &Value) -> &str {
    let named = match schema.get("type") {
        Some(Value::String(kind)) => Some(kind.as_str()),
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
        _ => None,
    };
    let guessed = || if schema.get("properties").is_some() || schema.get("required").is_some() { "object" } else { "string" };
    named.unwrap_or_else(guessed)
}

fn object(root: &Value, schema: &Value, depth: usize) -> Value {
    let required: Vec<&str> = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let mut out = Map::new();
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        if required.contains(&name.as_str()) || property.get("default").is_some() {
            out.insert(name.clone(), make(root, property, name, depth - 1));
        }
    }
    for name in required {
        out.entry(name).or_insert_with(|| Value::from("trial"));
    }
    Value::Object(out)
}

fn text(schema: &Value, name: &str) -> String {
    let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
    let name = name.to_ascii_lowercase();
    let named = |words: &[&str]| words.iter().any(|word| name.contains(word));
    let made = match format {
        "date-time" => "2026-01-02T03:04:05Z",
        "date" => "2026-01-02",
        "time" => "03:04:05Z",
        "email" => "trial@example.org",
        "uri" | "url" | "uri-reference" => "http://127.0.0.1:9/trial",
        "uuid" => "00000000-0000-4000-8000-000000000000",
        // Port 9 discards: nobody answers there.
        _ if named(&["url", "uri", "endpoint"]) => "http://127.0.0.1:9/trial",
        _ if named(&["path", "file", "dir"]) => "trial.txt",
        _ if named(&["email"]) => "trial@example.org",
        _ if named(&["date"]) => "2026-01-02",
        _ => "trial",
    };
    let least = schema.get("minLength").and_then(Value::as_u64).unwrap_or(0).min(4096) as usize;
    let most = schema.get("maxLength").and_then(Value::as_u64).unwrap_or(4096) as usize;
    let mut made = made.to_owned();
    while made.len() < least {
        made.push('x');
    }
    made.truncate(most);
    made
}

fn number(schema: &Value, whole: bool) -> Value {
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    let step = bound("multipleOf").filter(|step| *step > 0.0);
    let least = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|low| low + step.unwrap_or(1.0)));
    let most = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|high| high - step.unwrap_or(1.0)));
    let mut made = least.unwrap_or(1.0);
    if let Some(step) = step {
        made = (made / step).ceil() * step;
    }
    if let Some(most) = most {
        made = made.min(most);
    }
    if whole || made.fract() == 0.0 { Value::from(made.ceil() as i64) } else { json!(made) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_fits_and_what_is_broken_does_not() {
        let schemas = [
            json!({"type": "object", "properties": {"query": {"type": "string"}, "limit": {"type": "integer", "minimum": 3, "maximum": 9}}, "required": ["query", "limit"]}),
            json!({"type": "object", "properties": {"kind": {"enum": ["a", "b"]}, "when": {"type": "string", "format": "date-time"}}, "required": ["kind", "when"]}),
            json!({"type": "object", "required": ["list"], "properties": {"list": {"type": "array", "minItems": 2, "items": {"type": "object", "required": ["n"], "properties": {"n": {"type": "number", "exclusiveMinimum": 0}}}}}}),
            json!({"anyOf": [{"type": "object", "required": ["a"], "properties": {"a": {"type": "string", "minLength": 9}}}, {"type": "string"}]}),
            json!({"type": "object", "$defs": {"id": {"type": "integer", "multipleOf": 5, "minimum": 7}}, "properties": {"id": {"$ref": "#/$defs/id"}}, "required": ["id"]}),
            json!({"allOf": [{"type": "object", "required": ["x"], "properties": {"x": {"type": ["null", "boolean"]}}}, {"required": ["y"], "properties": {"y": {"const": 4}}}]}),
            json!({"type": "object", "additionalProperties": false, "properties": {}}),
        ];
        for schema in schemas {
            let good = valid(&schema).unwrap_or_else(|| panic!("{schema}"));
            let bad = invalid(&schema, &good);
            assert!(bad.as_ref().is_some_and(|bad| !is_valid(&schema, bad)), "{schema}: {good} {bad:?}");
        }
    }

    #[test]
    fn a_schema_that_allows_everything_has_no_invalid_value() {
        for schema in [json!({}), json!({"type": "object"})] {
            let good = valid(&schema).unwrap();
            assert_eq!(invalid(&schema, &good), None, "{schema}");
        }
    }

    #[test]
    fn what_cannot_be_made_is_said_to_be_so() {
        let schema = json!({"type": "object", "required": ["code"], "properties": {"code": {"type": "string", "pattern": "^[0-9]{4}$"}}});
        assert_eq!(valid(&schema), None);
    }
}
