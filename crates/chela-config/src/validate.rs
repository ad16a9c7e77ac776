//! Checks a configuration against the schema and names every fault with its path (GW-127, MAN-070).

pub(crate) mod formats;
mod rules;
mod union;

use serde_json::{Map, Value};

use crate::error::ConfigIssue;
use crate::schema::{config_schema, resolve};

/// Keys that older versions wrote and that are ignored rather than refused.
const TOLERATED: &[(&str, &str)] = &[("commands", "modelsWrite"), ("plugins", "installs")];

/// At most this many accepted values are listed with an issue.
const MAX_ALLOWED_VALUES: usize = 12;

/// All faults of a configuration; empty when it is valid. Rules that look at several values at once are
/// checked only when every single value is right.
pub fn validate(config: &Value) -> Vec<ConfigIssue> {
    let mut walker = Walker { path: Vec::new(), issues: Vec::new() };
    walker.check(config_schema(), config);
    if walker.issues.is_empty() {
        return rules::check(config);
    }
    walker.issues
}

struct Walker {
    path: Vec<String>,
    issues: Vec<ConfigIssue>,
}

impl Walker {
    fn report(&mut self, message: impl Into<String>) {
        self.issues.push(ConfigIssue::new(self.path.join("."), message));
    }

    fn within(&mut self, segment: impl Into<String>, schema: &'static Value, value: &Value) {
        self.path.push(segment.into());
        self.check(schema, value);
        self.path.pop();
    }

    fn check(&mut self, schema: &'static Value, value: &Value) {
        let schema = resolve(schema);
        let Some(rules) = schema.as_object() else {
            return;
        };
        if let Some(alternatives) = rules.get("anyOf").and_then(Value::as_array) {
            return union::check(self, alternatives, value);
        }
        if let Some(allowed) = rules.get("enum").and_then(Value::as_array) {
            if !allowed.contains(value) {
                self.report_choice(allowed, value);
            }
            return;
        }
        if !matches_type(rules, value) {
            self.report(format!("expected {}, got {}", type_names(rules), type_of(value)));
            return;
        }
        match value {
            Value::String(text) => self.check_string(rules, text),
            Value::Number(_) => self.check_number(rules, value),
            Value::Array(items) => self.check_array(rules, items),
            Value::Object(map) => self.check_object(rules, map),
            _ => {}
        }
    }

    fn report_choice(&mut self, allowed: &[Value], value: &Value) {
        let shown: Vec<String> = allowed.iter().take(MAX_ALLOWED_VALUES).map(Value::to_string).collect();
        let hidden = allowed.len().saturating_sub(MAX_ALLOWED_VALUES);
        let got = match value {
            Value::Object(_) | Value::Array(_) => type_of(value).to_owned(),
            other => other.to_string(),
        };
        let more = if hidden > 0 { format!(" and {hidden} more") } else { String::new() };
        self.report(format!("expected one of {}{more}, got {got}", shown.join(", ")));
        if let Some(issue) = self.issues.last_mut() {
            issue.allowed_values = Some(allowed.iter().take(MAX_ALLOWED_VALUES).cloned().collect());
            issue.allowed_values_hidden_count = (hidden > 0).then_some(hidden);
        }
    }

    fn check_string(&mut self, rules: &'static Map<String, Value>, text: &str) {
        let length = text.chars().count() as u64;
        if number(rules, "minLength").is_some_and(|min| (length as f64) < min) {
            self.report(if length == 0 { "must not be empty".to_owned() } else { "too short".to_owned() });
        } else if let Some(max) = number(rules, "maxLength").filter(|max| length as f64 > *max) {
            self.report(format!("longer than {max} characters"));
        }
        for (keyword, check) in
            [("pattern", formats::check_pattern as fn(&str, &str) -> Option<&'static str>), ("format", formats::check_format)]
        {
            if let Some(wanted) = rules.get(keyword).and_then(Value::as_str).and_then(|name| check(name, text)) {
                self.report(format!("expected {wanted}"));
            }
        }
    }

    fn check_number(&mut self, rules: &'static Map<String, Value>, value: &Value) {
        let Some(got) = value.as_f64() else { return };
        if let Some(min) = number(rules, "minimum").filter(|min| got < *min) {
            self.report(format!("must be at least {min}, got {value}"));
        } else if let Some(min) = number(rules, "exclusiveMinimum").filter(|min| got <= *min) {
            self.report(format!("must be greater than {min}, got {value}"));
        } else if let Some(max) = number(rules, "maximum").filter(|max| got > *max) {
            self.report(format!("must be at most {max}, got {value}"));
        }
    }

    fn check_array(&mut self, rules: &'static Map<String, Value>, items: &[Value]) {
        let count = items.len() as f64;
        if let Some(min) = number(rules, "minItems").filter(|min| count < *min) {
            self.report(format!("needs at least {min} entries, has {count}"));
        } else if let Some(max) = number(rules, "maxItems").filter(|max| count > *max) {
            self.report(format!("may have at most {max} entries, has {count}"));
        }
        let tuple = rules.get("prefixItems").and_then(Value::as_array);
        for (index, item) in items.iter().enumerate() {
            let schema = tuple.and_then(|tuple| tuple.get(index)).or_else(|| rules.get("items"));
            if let Some(schema) = schema {
                self.within(index.to_string(), schema, item);
            }
        }
    }

    fn check_object(&mut self, rules: &'static Map<String, Value>, map: &Map<String, Value>) {
        let properties = rules.get("properties").and_then(Value::as_object);
        let others = rules.get("additionalProperties");
        let names = rules.get("propertyNames").and_then(Value::as_object);
        for (key, value) in map {
            if let Some(schema) = properties.and_then(|known| known.get(key)) {
                self.within(key, schema, value);
                continue;
            }
            match others {
                Some(Value::Bool(false)) => self.report_unknown(key, properties),
                Some(schema) => {
                    if let Some(names) = names {
                        self.path.push(key.clone());
                        self.check_string(names, key);
                        self.path.pop();
                    }
                    self.within(key, schema, value);
                }
                None => {}
            }
        }
        for required in rules.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            if !map.contains_key(required) {
                self.path.push(required.to_owned());
                self.report("is required");
                self.path.pop();
            }
        }
    }

    fn report_unknown(&mut self, key: &str, known: Option<&Map<String, Value>>) {
        let parent = self.path.join(".");
        if TOLERATED.contains(&(parent.as_str(), key)) {
            return;
        }
        self.report(format!("Unrecognized key: \"{key}\""));
        let meant = match (parent.as_str(), key) {
            ("gateway", "token" | "password") => Some(format!("gateway.auth.{key}")),
            _ => known.and_then(|known| nearest(key, known.keys())).map(str::to_owned),
        };
        if let Some(issue) = self.issues.last_mut() {
            issue.hint = meant.map(|meant| format!("did you mean `{meant}`?"));
        }
    }
}

fn number(rules: &Map<String, Value>, keyword: &str) -> Option<f64> {
    rules.get(keyword).and_then(Value::as_f64)
}

/// Whether the value has one of the types that the schema names.
fn matches_type(rules: &Map<String, Value>, value: &Value) -> bool {
    match rules.get("type") {
        Some(Value::String(name)) => has_type(name, value),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).any(|name| has_type(name, value)),
        _ => true,
    }
}

fn has_type(name: &str, value: &Value) -> bool {
    // Whole numbers beyond this are not exact in JavaScript, which plugins see.
    const SAFE: f64 = 9_007_199_254_740_991.0;
    match name {
        "integer" => value.as_f64().is_some_and(|n| n.fract() == 0.0 && n.abs() <= SAFE),
        name => name == type_of(value),
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn type_names(rules: &Map<String, Value>) -> String {
    match rules.get("type") {
        Some(Value::String(name)) => name.clone(),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => "another type".to_owned(),
    }
}

/// The known key that the user probably meant.
fn nearest<'a>(key: &str, known: impl Iterator<Item = &'a String>) -> Option<&'a str> {
    let lower = key.to_lowercase();
    let best = known.map(|candidate| (distance(&lower, &candidate.to_lowercase()), candidate)).min_by_key(|(distance, _)| *distance)?;
    (best.0 <= 1 + key.len() / 5).then_some(best.1.as_str())
}

/// Edit distance, with a swap of neighbours counted as one.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let same = a[i - 1] == b[j - 1];
            let mut cost = (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + usize::from(!same));
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                cost = cost.min(rows[i - 2][j - 2] + 1);
            }
            row.push(cost);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests;
