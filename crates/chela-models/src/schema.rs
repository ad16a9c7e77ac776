//! Schemas of tools as endpoints take them (TOOL-28): an object at the top without a union, lists that say what is in them, and without
//! the keywords that an endpoint refuses.

mod gemini;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// What an endpoint does not take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect<'a> {
    /// The subset of JSON Schema that Google's models take.
    gemini: bool,
    /// Keywords that are removed.
    drop: &'a [String],
}

impl<'a> Dialect<'a> {
    /// That of a provider; `drop` are the keywords which its model row names.
    pub(crate) fn of(provider: &str, drop: &'a [String]) -> Self {
        let provider = provider.to_ascii_lowercase();
        let google = provider.contains("google") || provider.contains("gemini");
        Self { gemini: google && !provider.contains("anthropic"), drop }
    }
}

/// The schema for an endpoint; the same one where nothing is to be changed.
pub(crate) fn rewrite<'a>(parameters: &'a Value, dialect: Dialect<'_>) -> Cow<'a, Value> {
    let fine = parameters["type"] == "object" && parameters["properties"].is_object() && union_of(parameters).is_none();
    if fine && !dialect.gemini && dialect.drop.is_empty() && lists_are_whole(parameters) {
        return Cow::Borrowed(parameters);
    }
    let mut value = at_top(parameters);
    fill_lists(&mut value);
    if dialect.gemini {
        return Cow::Owned(gemini::clean(&value));
    }
    strip(&mut value, dialect.drop, false);
    Cow::Owned(value)
}

fn union_of(schema: &Value) -> Option<&Vec<Value>> {
    schema["anyOf"].as_array().or_else(|| schema["oneOf"].as_array())
}

/// An object schema: that of the whole, or the variants of a union put together.
fn at_top(schema: &Value) -> Value {
    let mut map = schema.as_object().cloned().unwrap_or_default();
    if let Some(variants) = union_of(schema) {
        return Value::Object(merged(&map, variants));
    }
    map.entry("type").or_insert_with(|| json!("object"));
    if !map.get("properties").is_some_and(Value::is_object) {
        map.insert("properties".into(), json!({}));
    }
    Value::Object(map)
}

/// All properties of all variants; required is what every variant requires.
fn merged(top: &Map<String, Value>, variants: &[Value]) -> Map<String, Value> {
    let mut properties = top.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    let objects: Vec<&Map<String, Value>> = variants.iter().filter_map(|v| v["properties"].as_object()).collect();
    for (name, schema) in objects.iter().copied().flatten() {
        let known = properties.get(name).map(|known| either(known, schema));
        properties.insert(name.clone(), known.unwrap_or_else(|| schema.clone()));
    }
    let texts = |list: Option<&Value>| -> Vec<String> {
        list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut required = texts(top.get("required"));
    if required.is_empty() {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        let with_properties = variants.iter().filter(|v| v["properties"].is_object());
        with_properties.flat_map(|v| texts(v.get("required"))).for_each(|name| *counts.entry(name).or_default() += 1);
        required = counts.into_iter().filter(|(_, count)| *count == objects.len()).map(|(name, _)| name).collect();
    }
    let mut out = Map::from_iter([("type".to_owned(), json!("object"))]);
    for name in ["title", "description"] {
        out.extend(top.get(name).filter(|v| v.is_string()).map(|v| (name.to_owned(), v.clone())));
    }
    out.insert("properties".into(), properties.into());
    if !required.is_empty() {
        out.insert("required".into(), required.into());
    }
    out.insert("additionalProperties".into(), top.get("additionalProperties").cloned().unwrap_or(Value::Bool(true)));
    out
}

/// Two schemas of one property: the words of both where either is a choice of words, else the first.
fn either(first: &Value, second: &Value) -> Value {
    let (one, other) = (words(first), words(second));
    if one.is_empty() && other.is_empty() {
        return first.clone();
    }
    let mut all: Vec<Value> = Vec::new();
    for word in one.into_iter().chain(other) {
        if !all.contains(word) {
            all.push(word.clone());
        }
    }
    let mut out = Map::new();
    for (name, source) in ["title", "description", "default"].iter().flat_map(|name| [(name, first), (name, second)]) {
        if let Some(value) = source.get(*name) {
            out.entry(*name).or_insert_with(|| value.clone());
        }
    }
    if let Some(kind) = one_kind(&all) {
        out.insert("type".into(), kind.into());
    }
    out.insert("enum".into(), all.into());
    out.into()
}

/// The values that a choice allows.
fn words(schema: &Value) -> Vec<&Value> {
    if let Some(list) = schema["enum"].as_array() {
        return list.iter().collect();
    }
    if let Some(value) = schema.get("const") {
        return vec![value];
    }
    union_of(schema).into_iter().flatten().flat_map(words).collect()
}

fn one_kind(values: &[Value]) -> Option<&'static str> {
    let kind = |value: &Value| match value {
        Value::String(_) => Some("string"),
        Value::Number(_) => Some("number"),
        Value::Bool(_) => Some("boolean"),
        _ => None,
    };
    let first = kind(values.first()?)?;
    values.iter().all(|value| kind(value) == Some(first)).then_some(first)
}

fn lists_are_whole(schema: &Value) -> bool {
    match schema {
        Value::Object(map) => {
            let bare = map.get("type").is_some_and(|t| t == "array") && !map.contains_key("items");
            !bare && map.values().all(lists_are_whole)
        }
        Value::Array(items) => items.iter().all(lists_are_whole),
        _ => true,
    }
}

/// Endpoints refuse a list that does not say what is in it.
fn fill_lists(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.get("type").is_some_and(|t| t == "array") && !map.contains_key("items") {
                map.insert("items".into(), json!({}));
            }
            // What stands under these is data, not a schema.
            let is_data = |name: &str| matches!(name, "enum" | "const" | "default" | "examples" | "required");
            map.iter_mut().filter(|(name, _)| !is_data(name)).for_each(|(_, inner)| fill_lists(inner));
        }
        Value::Array(items) => items.iter_mut().for_each(fill_lists),
        _ => {}
    }
}

/// Removes keywords from a schema; names of properties are not keywords.
fn strip(value: &mut Value, drop: &[String], names: bool) {
    match value {
        Value::Object(map) => {
            if !names {
                map.retain(|key, _| !drop.contains(key));
            }
            for (key, inner) in map.iter_mut() {
                strip(inner, drop, !names && matches!(key.as_str(), "properties" | "$defs" | "definitions"));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|v| strip(v, drop, false)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(provider: &str, schema: Value) -> Value {
        rewrite(&schema, Dialect::of(provider, &[])).into_owned()
    }

    // TOOL-28
    #[test]
    fn the_top_is_one_object() {
        let action = |word: &str| json!({"type": "string", "const": word});
        let union = json!({"description": "d", "oneOf": [
            {"type": "object", "required": ["action", "id"], "properties": {"action": action("get"), "id": {"type": "string"}}},
            {"type": "object", "required": ["action"], "properties": {"action": action("list"), "tags": {"type": "array"}}},
        ]});
        let want = json!({"type": "object", "description": "d", "additionalProperties": true, "required": ["action"], "properties": {
            "action": {"type": "string", "enum": ["get", "list"]}, "id": {"type": "string"}, "tags": {"type": "array", "items": {}},
        }});
        assert_eq!(rewritten("openai", union.clone()), want);
        assert_eq!(rewritten("anthropic", union), want, "neither takes a union at the top");
        for (schema, want) in [
            (json!({}), json!({"type": "object", "properties": {}})),
            (json!({"type": "object"}), json!({"type": "object", "properties": {}})),
            (json!({"type": "object", "properties": []}), json!({"type": "object", "properties": {}})),
            (json!({"required": ["a"]}), json!({"required": ["a"], "type": "object", "properties": {}})),
            (
                json!({"anyOf": [{"properties": {"a": {"type": "number"}}}, {"properties": {"a": {"type": "string"}}}, 5], "additionalProperties": false}),
                json!({"type": "object", "properties": {"a": {"type": "number"}}, "additionalProperties": false}),
            ),
        ] {
            assert_eq!(rewritten("openai", schema.clone()), want, "{schema}");
        }
    }

    // TOOL-28
    #[test]
    fn what_is_fine_is_not_copied() {
        let fine = json!({"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}, {"type": "number"}], "minLength": 1}}});
        assert!(matches!(rewrite(&fine, Dialect::of("openai", &[])), Cow::Borrowed(_)));
        assert!(matches!(rewrite(&fine, Dialect::of("google", &[])), Cow::Owned(_)));
        let data = json!({"type": "object", "properties": {"a": {"default": {"type": "array"}, "type": "array"}}});
        assert_eq!(rewritten("x", data)["properties"]["a"], json!({"default": {"type": "array"}, "type": "array", "items": {}}));
    }
}
