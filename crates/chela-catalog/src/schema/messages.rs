//! Validator errors in the wording of Ajv (MAN-057..MAN-061, MAN-245).

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::{Map, Value};

/// How many allowed values are shown (MAN-060).
const MAX_SHOWN: usize = 12;

/// How many characters of one allowed value are shown (MAN-060).
const MAX_VALUE_CHARS: usize = 160;

/// One validation error.
#[derive(Debug, Clone, PartialEq)]
pub struct SchemaIssue {
    /// Dotted instance path; empty for the root.
    pub path: String,
    /// Ajv's message.
    pub message: String,
    /// Set for `enum` and `const`.
    pub allowed: Option<AllowedValues>,
}

/// The values that an `enum` or `const` admits (MAN-059, MAN-060).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AllowedValues {
    /// The values shown.
    pub values: Vec<Value>,
    /// How many more there are.
    pub hidden: usize,
}

/// Appends the issues of one error about the value `root`; an error about several keys gives one issue each.
pub(super) fn push(error: &ValidationError<'_>, root: &Value, issues: &mut Vec<SchemaIssue>) {
    let path = dotted(error.instance_path().as_str());
    let mut issue = |path: String, message: String, allowed: Option<AllowedValues>| {
        issues.push(SchemaIssue { path, message, allowed });
    };
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            let key = property.as_str().unwrap_or_default();
            let path = join(&path, key);
            issue(path, format!("must have required property '{key}'"), None);
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            // Ajv leaves the key out of the text; without it nobody can act on the message.
            for key in unexpected {
                issue(path.clone(), unexpected_key(key), None);
            }
        }
        // `additionalProperties: false` without `properties` names the object and not the key; with
        // nothing declared, every key is unexpected.
        ValidationErrorKind::FalseSchema if error.schema_path().as_str().ends_with("/additionalProperties") => {
            let object = root.pointer(error.instance_path().as_str());
            let object = object.and_then(Value::as_object);
            for key in object.into_iter().flat_map(Map::keys) {
                issue(path.clone(), unexpected_key(key), None);
            }
        }
        ValidationErrorKind::Enum { options } => {
            let values = options.as_array().cloned().unwrap_or_default();
            let text = "must be equal to one of the allowed values";
            let (message, allowed) = with_allowed(text, &values);
            issue(path, message, Some(allowed));
        }
        ValidationErrorKind::Constant { expected_value } => {
            let text = "must be equal to constant";
            let (message, allowed) = with_allowed(text, std::slice::from_ref(&**expected_value));
            issue(path, message, Some(allowed));
        }
        ValidationErrorKind::AnyOf { context }
        | ValidationErrorKind::OneOfNotValid { context }
        | ValidationErrorKind::OneOfMultipleValid { context } => {
            let message = text(error);
            // Ajv lists what was wrong with each branch first.
            for branch in context.iter().flatten() {
                push(branch, root, issues);
            }
            issues.push(SchemaIssue { path, message, allowed: None });
        }
        ValidationErrorKind::PropertyNames { error: inner } => {
            let message = text(error);
            push(inner, root, issues);
            issues.push(SchemaIssue { path, message, allowed: None });
        }
        _ => issue(path, text(error), None),
    }
}

fn unexpected_key(key: &str) -> String {
    format!("must NOT have additional properties (unexpected: \"{key}\")")
}

fn text(error: &ValidationError<'_>) -> String {
    use ValidationErrorKind as Kind;
    match error.kind() {
        Kind::Type { kind } => format!("must be {}", type_names(kind)),
        Kind::Minimum { limit } => format!("must be >= {}", number(limit)),
        Kind::Maximum { limit } => format!("must be <= {}", number(limit)),
        Kind::ExclusiveMinimum { limit } => format!("must be > {}", number(limit)),
        Kind::ExclusiveMaximum { limit } => format!("must be < {}", number(limit)),
        Kind::MultipleOf { multiple_of } => format!("must be multiple of {multiple_of}"),
        Kind::MinLength { limit } => format!("must NOT have fewer than {limit} characters"),
        Kind::MaxLength { limit } => format!("must NOT have more than {limit} characters"),
        Kind::MinItems { limit } => format!("must NOT have fewer than {limit} items"),
        Kind::MaxItems { limit } => format!("must NOT have more than {limit} items"),
        Kind::AdditionalItems { limit } => format!("must NOT have more than {limit} items"),
        Kind::MinProperties { limit } => format!("must NOT have fewer than {limit} properties"),
        Kind::MaxProperties { limit } => format!("must NOT have more than {limit} properties"),
        Kind::Pattern { pattern } => format!("must match pattern \"{pattern}\""),
        Kind::Format { format } => format!("must match format \"{format}\""),
        Kind::UniqueItems => duplicate_items(error.instance()),
        Kind::Contains => "must contain at least 1 valid item(s)".to_owned(),
        Kind::AnyOf { .. } => "must match a schema in anyOf".to_owned(),
        Kind::OneOfNotValid { .. } | Kind::OneOfMultipleValid { .. } => "must match exactly one schema in oneOf".to_owned(),
        Kind::Not { .. } => "must NOT be valid".to_owned(),
        Kind::PropertyNames { .. } => "property name must be valid".to_owned(),
        Kind::FalseSchema => "boolean schema is false".to_owned(),
        _ => super::one_line(&error.to_string()),
    }
}

fn type_names(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(name) => name.to_string(),
        TypeKind::Multiple(names) => {
            let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
            names.join(",")
        }
    }
}

/// A number as JavaScript prints it: `1.0` is `1`.
fn number(limit: &Value) -> String {
    match limit.as_f64() {
        Some(float) if float.fract() == 0.0 && float.abs() < 1e15 => format!("{float:.0}"),
        _ => limit.to_string(),
    }
}

fn duplicate_items(instance: &Value) -> String {
    let items = instance.as_array().map_or(&[][..], Vec::as_slice);
    for (later, item) in items.iter().enumerate().rev() {
        let earlier = items.iter().take(later).rposition(|other| other == item);
        if let Some(earlier) = earlier {
            return format!("must NOT have duplicate items (items ## {earlier} and {later} are identical)");
        }
    }
    "must NOT have duplicate items".to_owned()
}

fn with_allowed(text: &str, values: &[Value]) -> (String, AllowedValues) {
    let mut distinct: Vec<&Value> = Vec::new();
    for value in values {
        if !distinct.contains(&value) {
            distinct.push(value);
        }
    }
    let shown: Vec<&Value> = distinct.iter().take(MAX_SHOWN).copied().collect();
    let hidden = distinct.len() - shown.len();
    let labels: Vec<String> = shown.iter().map(|value| label(value)).collect();
    let mut list = labels.join(", ");
    if hidden > 0 {
        list.push_str(&format!(", ... (+{hidden} more)"));
    }
    let allowed = AllowedValues { values: shown.into_iter().cloned().collect(), hidden };
    (format!("{text} (allowed: {list})"), allowed)
}

fn label(value: &Value) -> String {
    match value {
        Value::String(text) => Value::from(cut(text)).to_string(),
        other => cut(&other.to_string()),
    }
}

fn cut(text: &str) -> String {
    let length = text.chars().count();
    if length <= MAX_VALUE_CHARS {
        return text.to_owned();
    }
    let head: String = text.chars().take(MAX_VALUE_CHARS).collect();
    format!("{head}... (+{} chars)", length - MAX_VALUE_CHARS)
}

/// A JSON pointer as a dotted path.
fn dotted(pointer: &str) -> String {
    let parts: Vec<String> = pointer.split('/').skip(1).map(unescape).collect();
    parts.join(".")
}

fn unescape(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

fn join(base: &str, key: &str) -> String {
    if base.is_empty() {
        return key.to_owned();
    }
    format!("{base}.{key}")
}
