//! The JSON Schema of openclaw.json: every key the reference knows, and ours.
//!
//! The schema is data (`schema/openclaw.config.schema.json`); it is parsed when it is first needed.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::{Map, Value};

const TEXT: &str = include_str!("../schema/openclaw.config.schema.json");

// The text is part of the program and a test parses it, so the fallback is never seen.
static SCHEMA: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(TEXT).unwrap_or(Value::Bool(true)));

/// The schema of the whole file.
pub fn config_schema() -> &'static Value {
    &SCHEMA
}

/// The schema for `config schema`, with the configuration schemas of the plugins and channels that are
/// installed put in their places (`plugins.entries.<id>.config`, `channels.<id>`).
pub fn published_schema(plugin_configs: &BTreeMap<String, Value>, channel_configs: &BTreeMap<String, Value>) -> Value {
    let mut schema = SCHEMA.clone();
    if let Some(entries) = schema.pointer_mut("/properties/plugins/properties/entries").and_then(Value::as_object_mut) {
        let entry = entries.get("additionalProperties").cloned().unwrap_or_default();
        let mut known = Map::new();
        for (id, config) in plugin_configs {
            let mut entry = entry.clone();
            entry["properties"]["config"] = config.clone();
            known.insert(id.clone(), entry);
        }
        entries.insert("properties".to_owned(), Value::Object(known));
    }
    if let Some(channels) = schema.pointer_mut("/properties/channels/properties").and_then(Value::as_object_mut) {
        for (id, config) in channel_configs {
            channels.insert(id.clone(), config.clone());
        }
    }
    schema
}

/// The node that describes a path, following keys, wildcards, list items and alternatives; `None` when
/// the schema does not know the path.
pub fn lookup<'a>(segments: impl IntoIterator<Item = &'a str>) -> Option<&'static Value> {
    let mut node = resolve(&SCHEMA);
    for segment in segments {
        node = child(node, segment)?;
    }
    Some(node)
}

/// The schema of the member or item `segment` of what `node` describes.
pub(crate) fn child(node: &'static Value, segment: &str) -> Option<&'static Value> {
    let node = resolve(node);
    if *node == Value::Bool(true) {
        return Some(node);
    }
    if let Some(found) = node.get("properties").and_then(|p| p.get(segment)) {
        return Some(resolve(found));
    }
    if let Some(alternatives) = node.get("anyOf").and_then(Value::as_array) {
        return alternatives.iter().find_map(|alternative| child(alternative, segment));
    }
    if let Ok(index) = segment.parse::<usize>() {
        let tuple = node.get("prefixItems").and_then(|items| items.get(index));
        if let Some(found) = tuple.or_else(|| node.get("items")) {
            return Some(resolve(found));
        }
    }
    match node.get("additionalProperties") {
        Some(found) if found.is_object() || *found == Value::Bool(true) => Some(resolve(found)),
        _ => None,
    }
}

/// Follows `$ref`.
pub(crate) fn resolve(node: &'static Value) -> &'static Value {
    match node.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#')) {
        Some(pointer) => SCHEMA.pointer(pointer).map_or(node, resolve),
        None => node,
    }
}

/// Whether the schema marks the value as a secret.
pub(crate) fn is_sensitive(node: &Value) -> bool {
    node.get("x-sensitive") == Some(&Value::Bool(true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_schema_is_valid_json_schema_with_known_keywords() {
        let parsed: Value = serde_json::from_str(TEXT).unwrap();
        assert!(jsonschema::meta::is_valid(&parsed));
        fn visit(node: &Value) {
            const KNOWN: &[&str] = &[
                "$ref",
                "$schema",
                "$defs",
                "title",
                "type",
                "properties",
                "additionalProperties",
                "propertyNames",
                "required",
                "items",
                "prefixItems",
                "minItems",
                "maxItems",
                "anyOf",
                "enum",
                "minimum",
                "maximum",
                "exclusiveMinimum",
                "minLength",
                "maxLength",
                "pattern",
                "format",
                "x-sensitive",
            ];
            let Some(map) = node.as_object() else { return };
            for (key, value) in map {
                assert!(KNOWN.contains(&key.as_str()), "{key}");
                match key.as_str() {
                    "properties" | "$defs" => value.as_object().unwrap().values().for_each(visit),
                    "anyOf" | "prefixItems" => value.as_array().unwrap().iter().for_each(visit),
                    "items" | "additionalProperties" | "propertyNames" => visit(value),
                    "$ref" => assert!(resolve(lookup([]).unwrap()).is_object() && value.as_str().unwrap().starts_with("#/$defs/")),
                    "pattern" => assert!(crate::validate::formats::is_known_pattern(value.as_str().unwrap()), "{value}"),
                    "format" => assert!(crate::validate::formats::is_known_format(value.as_str().unwrap()), "{value}"),
                    _ => {}
                }
            }
        }
        visit(&parsed);
    }

    #[test]
    fn lookup_follows_every_kind_of_step() {
        for path in [
            "gateway.port",
            "agents.list.0.heartbeat.every",
            "models.providers.x.apiKey",
            "channels.any.thing",
            "plugins.entries.p.runtime.memoryMb",
            "agents.defaults.model.primary",
        ] {
            assert!(lookup(path.split('.')).is_some(), "{path}");
        }
        for path in ["gateway.prot", "nope", "gateway.port.x", "plugins.entries.p.nope"] {
            assert!(lookup(path.split('.')).is_none(), "{path}");
        }
    }

    #[test]
    fn published_schema_carries_plugins_and_channels() {
        let one = BTreeMap::from([("demo".to_owned(), json!({"type": "object", "title": "Demo"}))]);
        let schema = published_schema(&one, &one);
        assert_eq!(schema["properties"]["plugins"]["properties"]["entries"]["properties"]["demo"]["properties"]["config"]["title"], "Demo");
        assert_eq!(schema["properties"]["channels"]["properties"]["demo"]["title"], "Demo");
        assert!(jsonschema::meta::is_valid(&schema));
    }
}
