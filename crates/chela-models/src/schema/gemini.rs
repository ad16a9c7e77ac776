//! The subset of JSON Schema that Google's models take: no references, no unions of different kinds, few keywords.

use serde_json::{Map, Value, json};

/// Keywords that are refused.
const REFUSED: &[&str] = &[
    "patternProperties",
    "additionalProperties",
    "$schema",
    "$id",
    "$ref",
    "$defs",
    "definitions",
    "examples",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "multipleOf",
    "pattern",
    "format",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
    "not",
];
/// What people read of a schema; it stays when the schema is replaced.
const WORDS: &[&str] = &["description", "title", "default"];
/// Schemas that one tool may have once its references are followed; what comes after it is left open.
const MOST: usize = 5_000;
/// How deep they may lie in each other, references followed.
const DEEPEST: usize = 100;

/// The schema in that subset.
pub(super) fn clean(schema: &Value) -> Value {
    Cleaner { root: schema, left: MOST, depth: 0, open: Vec::new() }.schema(schema)
}

struct Cleaner<'a> {
    root: &'a Value,
    left: usize,
    depth: usize,
    /// References that are being followed.
    open: Vec<&'a str>,
}

impl<'a> Cleaner<'a> {
    fn schema(&mut self, schema: &'a Value) -> Value {
        let Value::Object(map) = schema else { return schema.clone() };
        if self.left == 0 || self.depth == DEEPEST {
            return json!({});
        }
        self.left -= 1;
        self.depth += 1;
        let out = self.object(map);
        self.depth -= 1;
        out
    }

    fn object(&mut self, map: &'a Map<String, Value>) -> Value {
        if let Some(name) = map.get("$ref").and_then(Value::as_str) {
            return self.reference(map, name);
        }
        for union in ["anyOf", "oneOf"] {
            if let Some(Value::Array(variants)) = map.get(union) {
                let variants: Vec<Value> = variants.iter().map(|v| self.schema(v)).filter(|v| !is_null(v)).collect();
                return with_words(one_of(variants), map);
            }
        }
        let mut out = Map::new();
        for (key, value) in map.iter().filter(|(key, _)| !REFUSED.contains(&key.as_str())) {
            match (key.as_str(), value) {
                ("const", value) => drop(out.insert("enum".into(), json!([value]))),
                ("type", Value::Array(kinds)) => drop(out.insert("type".into(), without_null(kinds))),
                ("properties", Value::Object(all)) => {
                    let all: Map<String, Value> = all.iter().map(|(name, value)| (name.clone(), self.schema(value))).collect();
                    out.insert("properties".into(), all.into());
                }
                ("items", Value::Object(_)) => drop(out.insert("items".into(), self.schema(value))),
                ("items" | "allOf" | "prefixItems", Value::Array(list)) => {
                    let list: Vec<Value> = list.iter().map(|one| self.schema(one)).collect();
                    out.insert(key.clone(), list.into());
                }
                _ => drop(out.insert(key.clone(), value.clone())),
            }
        }
        require_what_is_there(&mut out);
        out.into()
    }

    fn reference(&mut self, map: &Map<String, Value>, name: &'a str) -> Value {
        let pointer = name.strip_prefix('#').filter(|p| p.starts_with("/$defs/") || p.starts_with("/definitions/"));
        let target = pointer.and_then(|pointer| self.root.pointer(pointer));
        let found = match target {
            // A schema that contains itself has no end.
            Some(target) if !self.open.contains(&name) => {
                self.open.push(name);
                let found = self.schema(target);
                self.open.pop();
                found
            }
            _ => json!({}),
        };
        with_words(found, map)
    }
}

fn is_null(schema: &Value) -> bool {
    schema["type"] == "null" || schema["type"] == json!(["null"]) || schema["enum"] == json!([null])
}

/// One schema for several: the words of all where each is a word, the one where there is one, else no more than their kind.
fn one_of(mut variants: Vec<Value>) -> Value {
    let kinds: Vec<Value> = variants.iter().map(|v| v["type"].clone()).filter(Value::is_string).collect();
    let same = kinds.len() == variants.len() && kinds.windows(2).all(|two| two[0] == two[1]);
    let words = variants.iter().map(|v| v["enum"].as_array().filter(|list| list.len() == 1).map(|list| list[0].clone()));
    match (words.collect::<Option<Vec<Value>>>(), kinds.first()) {
        (Some(words), Some(kind)) if same => json!({"type": kind, "enum": words}),
        _ if variants.len() == 1 => variants.remove(0),
        (_, Some(kind)) => json!({"type": kind}),
        _ => json!({}),
    }
}

fn with_words(mut schema: Value, from: &Map<String, Value>) -> Value {
    if let Value::Object(map) = &mut schema {
        map.extend(WORDS.iter().filter_map(|name| Some(((*name).to_owned(), from.get(*name)?.clone()))));
    }
    schema
}

fn without_null(kinds: &[Value]) -> Value {
    let mut kinds: Vec<Value> = kinds.iter().filter(|kind| *kind != "null").cloned().collect();
    if kinds.len() == 1 { kinds.remove(0) } else { kinds.into() }
}

/// A name that no property has must not be required.
fn require_what_is_there(map: &mut Map<String, Value>) {
    let Some(Value::Array(required)) = map.get("required") else { return };
    let has = |name: &Value| name.as_str().is_some_and(|name| map.get("properties").is_some_and(|all| all.get(name).is_some()));
    let kept: Vec<Value> = required.iter().filter(|name| has(name)).cloned().collect();
    if kept.is_empty() {
        map.remove("required");
    } else {
        map.insert("required".into(), kept.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // TOOL-28
    #[test]
    fn only_what_google_takes_is_left() {
        let schema = json!({
            "type": "object", "additionalProperties": false, "required": ["mode", "ghost"],
            "$defs": {"point": {"type": "object", "properties": {"x": {"type": "integer", "minimum": 0}}}, "loop": {"$ref": "#/$defs/loop"}},
            "properties": {
                "mode": {"description": "how", "anyOf": [{"type": "string", "const": "a"}, {"type": "string", "const": "b"}]},
                "pattern": {"type": ["string", "null"], "pattern": "x", "maxLength": 3},
                "at": {"$ref": "#/$defs/point", "description": "where"},
                "loop": {"$ref": "#/$defs/loop"}, "far": {"$ref": "https://x"},
                "maybe": {"oneOf": [{"type": "number"}, {"type": "null"}]},
                "mixed": {"anyOf": [{"type": "string"}, {"type": "array", "items": {}}]},
                "list": {"type": "array", "items": {"const": 5}},
            },
        });
        let want = json!({
            "type": "object", "required": ["mode"], "properties": {
                "mode": {"type": "string", "enum": ["a", "b"], "description": "how"},
                "pattern": {"type": "string"},
                "at": {"type": "object", "properties": {"x": {"type": "integer"}}, "description": "where"},
                "loop": {}, "far": {},
                "maybe": {"type": "number"},
                "mixed": {"type": "string"},
                "list": {"type": "array", "items": {"enum": [5]}},
            },
        });
        assert_eq!(clean(&schema), want);
    }

    #[test]
    fn references_that_multiply_come_to_an_end() {
        let mut defs = Map::new();
        for at in 0..40 {
            let next = json!({"$ref": format!("#/$defs/d{}", at + 1)});
            defs.insert(format!("d{at}"), json!({"type": "object", "properties": {"a": next, "b": next}}));
        }
        let cleaned = clean(&json!({"type": "object", "$defs": defs, "properties": {"a": {"$ref": "#/$defs/d0"}}}));
        assert!(cleaned.to_string().len() < 1_000_000);
    }
}
