//! What a plugin discovers about its provider, laid under what the operator wrote (PRV-66, PRV-67).

use serde_json::{Map, Value};

/// Limits that count only when they are finite and positive.
const LIMITS: &[&str] = &["contextWindow", "contextTokens", "maxTokens"];

/// The settings of a provider: every field of `explicit` wins over `discovered`, headers are merged by name. A non-empty list of models
/// replaces the discovered one, unless `wildcard` is set (the allow-list takes all of the provider's models): then both are merged by id.
pub fn merge_discovered(discovered: &Value, explicit: Option<&Value>, wildcard: bool) -> Value {
    let Some(explicit) = explicit.and_then(Value::as_object) else { return discovered.clone() };
    let mut merged = discovered.as_object().cloned().unwrap_or_default();
    for (name, value) in explicit {
        match (name.as_str(), value) {
            ("models", value) => {
                let rows = value.as_array().map(Vec::as_slice).unwrap_or_default();
                if !rows.is_empty() {
                    merged.insert("models".into(), models(merged.get("models"), rows, wildcard));
                }
            }
            ("headers", Value::Object(own)) => {
                let mut headers = merged.get("headers").and_then(Value::as_object).cloned().unwrap_or_default();
                headers.extend(own.clone());
                merged.insert("headers".into(), headers.into());
            }
            _ => {
                merged.insert(name.clone(), value.clone());
            }
        }
    }
    merged.into()
}

fn models(discovered: Option<&Value>, explicit: &[Value], wildcard: bool) -> Value {
    let found = discovered.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut rows: Vec<Value> = explicit.iter().map(|row| model(found.iter().find(|f| same(f, row)), row)).collect();
    if wildcard {
        rows.extend(found.iter().filter(|f| !explicit.iter().any(|row| same(f, row))).cloned());
    }
    rows.into()
}

fn id_of(row: &Value) -> Option<&str> {
    row.as_str().or_else(|| row.get("id")?.as_str()).map(str::trim)
}

fn same(a: &Value, b: &Value) -> bool {
    match (id_of(a), id_of(b)) {
        (Some(a), Some(b)) => a.eq_ignore_ascii_case(b),
        _ => false,
    }
}

fn model(found: Option<&Value>, explicit: &Value) -> Value {
    let (Some(found), Some(own)) = (found.and_then(Value::as_object), explicit.as_object()) else { return explicit.clone() };
    let mut row: Map<String, Value> = found.clone();
    for (name, value) in own {
        let usable = !LIMITS.contains(&name.as_str()) || value.as_f64().is_some_and(|n| n.is_finite() && n > 0.0);
        if usable {
            row.insert(name.clone(), value.clone());
        }
    }
    row.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    // PRV-66, PRV-67
    #[test]
    fn what_the_operator_wrote_wins() {
        let found = json!({"baseUrl": "http://found", "api": "openai-completions", "headers": {"x-a": "1", "x-b": "1"},
            "models": [{"id": "a", "reasoning": true, "contextWindow": 10, "maxTokens": 5}, {"id": "b"}]});
        assert_eq!(merge_discovered(&found, None, false), found);
        let own = json!({"baseUrl": "http://own", "headers": {"x-b": "2"}, "models": []});
        let merged = merge_discovered(&found, Some(&own), false);
        assert_eq!((&merged["baseUrl"], &merged["api"]), (&json!("http://own"), &json!("openai-completions")));
        assert_eq!((&merged["headers"], &merged["models"]), (&json!({"x-a": "1", "x-b": "2"}), &found["models"]));
        let own = json!({"models": [{"id": "A", "contextWindow": 7, "maxTokens": 0, "input": ["text"]}]});
        let row = json!({"id": "A", "reasoning": true, "contextWindow": 7, "maxTokens": 5, "input": ["text"]});
        assert_eq!(merge_discovered(&found, Some(&own), false)["models"], json!([row]));
        assert_eq!(merge_discovered(&found, Some(&own), true)["models"], json!([row, {"id": "b"}]));
    }
}
