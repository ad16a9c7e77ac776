//! Filling in the defaults that a schema declares (MAN-050).
//!
//! As in Ajv, defaults count inside `properties` and `items`, also through `allOf` and local
//! `$ref`s, and not inside `anyOf`, `oneOf`, `not` and `if`.

use serde_json::{Map, Value};

/// Bounds the walk, so that a schema that refers to itself ends.
const MAX_DEPTH: usize = 64;

/// Fills defaults into `value`, in place.
pub(super) fn fill(schema: &Value, value: &mut Value) {
    fill_at(schema, schema, value, 0);
}

fn fill_at(root: &Value, schema: &Value, value: &mut Value, depth: usize) {
    let Some(object) = schema.as_object() else {
        return;
    };
    if depth >= MAX_DEPTH {
        return;
    }
    if let Some(target) = object.get("$ref").and_then(Value::as_str) {
        // Draft-07 ignores the siblings of `$ref`.
        if let Some(target) = local_ref(root, target) {
            fill_at(root, target, value, depth + 1);
        }
        return;
    }
    match value {
        Value::Object(map) => fill_object(root, object, map, depth),
        Value::Array(items) => fill_items(root, object, items, depth),
        _ => {}
    }
    let branches = object.get("allOf").and_then(Value::as_array);
    for branch in branches.into_iter().flatten() {
        fill_at(root, branch, value, depth + 1);
    }
}

fn fill_object(root: &Value, schema: &Map<String, Value>, map: &mut Map<String, Value>, depth: usize) {
    let properties = schema.get("properties").and_then(Value::as_object);
    for (key, property) in properties.into_iter().flatten() {
        if !map.contains_key(key) {
            match property.get("default") {
                Some(default) => map.insert(key.clone(), default.clone()),
                None => continue,
            };
        }
        if let Some(entry) = map.get_mut(key) {
            fill_at(root, property, entry, depth + 1);
        }
    }
    let patterns = schema.get("patternProperties").and_then(Value::as_object);
    let compiled: Vec<_> =
        patterns.into_iter().flatten().filter_map(|(source, rest)| Some((regex::Regex::new(source).ok()?, rest))).collect();
    let other = schema.get("additionalProperties");
    for (key, entry) in map.iter_mut() {
        let declared = properties.is_some_and(|properties| properties.contains_key(key));
        let mut matched = declared;
        for (regex, rest) in &compiled {
            if regex.is_match(key) {
                matched = true;
                fill_at(root, rest, entry, depth + 1);
            }
        }
        if let Some(other) = other.filter(|_| !matched) {
            fill_at(root, other, entry, depth + 1);
        }
    }
}

fn fill_items(root: &Value, schema: &Map<String, Value>, items: &mut Vec<Value>, depth: usize) {
    match schema.get("items") {
        Some(Value::Array(tuple)) => {
            for (index, item) in tuple.iter().enumerate() {
                // A missing element can only be appended, never leave a hole.
                if index == items.len()
                    && let Some(default) = item.get("default")
                {
                    items.push(default.clone());
                }
                if let Some(entry) = items.get_mut(index) {
                    fill_at(root, item, entry, depth + 1);
                }
            }
        }
        Some(item) => {
            for entry in items {
                fill_at(root, item, entry, depth + 1);
            }
        }
        None => {}
    }
}

fn local_ref<'a>(root: &'a Value, target: &str) -> Option<&'a Value> {
    root.pointer(target.strip_prefix('#')?)
}
