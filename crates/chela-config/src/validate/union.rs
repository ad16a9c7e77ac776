//! Alternatives (`anyOf`): the message should speak of the one that was meant.

use serde_json::{Map, Value};

use super::{Walker, matches_type, type_names, type_of};
use crate::schema::resolve;

/// Accepts a value that fits one alternative; otherwise reports against the closest one.
pub(super) fn check(walker: &mut Walker, alternatives: &'static [Value], value: &Value) {
    let mut flat = Vec::new();
    flatten(alternatives, &mut flat);
    let mut failures = Vec::new();
    for alternative in &flat {
        let mut attempt = Walker { path: walker.path.clone(), issues: Vec::new() };
        attempt.check(alternative, value);
        if attempt.issues.is_empty() {
            return;
        }
        failures.push((*alternative, attempt.issues));
    }
    if let Some(object) = value.as_object()
        && let Some((key, choices)) = discriminator(&flat)
    {
        if let Some(at) = choices.iter().position(|choice| object.get(key) == Some(choice)) {
            let objects = failures.into_iter().filter(|(schema, _)| is_object_schema(schema));
            walker.issues.extend(objects.into_iter().nth(at).map(|(_, issues)| issues).unwrap_or_default());
        } else {
            walker.path.push(key.to_owned());
            match object.get(key) {
                Some(got) => walker.report_choice(&choices, got),
                None => walker.report("is required"),
            }
            walker.path.pop();
        }
        return;
    }
    let fitting: Vec<_> = failures
        .iter()
        .filter(|(schema, _)| schema.as_object().is_some_and(|rules| !rules.contains_key("enum") && matches_type(rules, value)))
        .collect();
    if let Some((_, issues)) = fitting.into_iter().min_by_key(|(_, issues)| issues.len()) {
        walker.issues.extend(issues.iter().cloned());
        return;
    }
    report_none(walker, &flat, value);
}

/// No alternative has the value's type: name them all.
fn report_none(walker: &mut Walker, alternatives: &[&'static Value], value: &Value) {
    let choices: Vec<Value> = alternatives.iter().filter_map(|a| a.get("enum").and_then(Value::as_array)).flatten().cloned().collect();
    let mut types: Vec<String> =
        alternatives.iter().filter_map(|a| a.as_object().filter(|rules| rules.contains_key("type")).map(type_names)).collect();
    types.dedup();
    if types.is_empty() {
        walker.report_choice(&choices, value);
        return;
    }
    types.extend(choices.iter().map(Value::to_string));
    let got = if choices.is_empty() || value.is_object() || value.is_array() { type_of(value).to_owned() } else { value.to_string() };
    walker.report(format!("expected {}, got {got}", types.join(" or ")));
    if !choices.is_empty()
        && let Some(issue) = walker.issues.last_mut()
    {
        issue.allowed_values = Some(choices);
    }
}

fn flatten(alternatives: &'static [Value], out: &mut Vec<&'static Value>) {
    for alternative in alternatives {
        let alternative = resolve(alternative);
        match alternative.get("anyOf").and_then(Value::as_array) {
            Some(inner) => flatten(inner, out),
            None => out.push(alternative),
        }
    }
}

fn is_object_schema(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("object")
}

/// The required key whose fixed value tells the object alternatives apart, with the value of each.
fn discriminator(alternatives: &[&'static Value]) -> Option<(&'static str, Vec<Value>)> {
    let objects: Vec<&'static Value> = alternatives.iter().copied().filter(|schema| is_object_schema(schema)).collect();
    let first = objects.first().filter(|_| objects.len() > 1)?;
    let properties: &'static Map<String, Value> = first.get("properties")?.as_object()?;
    properties.keys().find_map(|key| {
        let fixed = |schema: &&'static Value| {
            let required = schema.get("required").and_then(Value::as_array)?.iter().any(|name| name == key);
            let choices = resolve(schema.get("properties")?.get(key)?).get("enum")?.as_array()?;
            (required && choices.len() == 1).then(|| choices[0].clone())
        };
        let choices: Option<Vec<Value>> = objects.iter().map(fixed).collect();
        choices.map(|choices| (key.as_str(), choices))
    })
}
