//! Validation of config values against plugin schemas (MAN-045..MAN-061, MAN-234, MAN-235).
//!
//! A schema is compiled only when the quick check cannot already say "valid", so that a scan of
//! many plugins with ordinary schemas compiles none.

mod defaults;
mod messages;
mod quick;

use serde_json::Value;

pub use messages::{AllowedValues, SchemaIssue};

/// The outcome of checking a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Checked {
    /// Valid; the value has the schema's defaults filled in (MAN-050, MAN-051).
    Valid(Value),
    /// Invalid; every error is listed (MAN-046).
    Invalid(Vec<SchemaIssue>),
    /// The schema itself cannot be used; the text says why (MAN-234).
    BadSchema(String),
}

/// Fills defaults into a copy of `value` and validates it.
///
/// The dialect is draft-07 as Ajv takes it: all errors are collected, extra properties are kept,
/// unknown keywords and formats are ignored, and `uri` is the only format that counts (MAN-047,
/// MAN-048). A schema that names a later draft in `$schema` is read by that draft (MAN-235).
pub fn check(schema: &Value, value: &Value) -> Checked {
    let mut value = value.clone();
    defaults::fill(schema, &mut value);
    if quick::is_valid(schema, &value) {
        return Checked::Valid(value);
    }
    let validator = match compile(schema) {
        Ok(validator) => validator,
        Err(message) => return Checked::BadSchema(message),
    };
    let mut issues = Vec::new();
    for error in validator.iter_errors(&value) {
        messages::push(&error, &value, &mut issues);
    }
    if issues.is_empty() {
        return Checked::Valid(value);
    }
    Checked::Invalid(issues)
}

/// Says whether a schema can be used at all, for `doctor`.
///
/// # Errors
/// The reason, in one line.
pub fn compile_check(schema: &Value) -> Result<(), String> {
    compile(schema).map(|_| ())
}

/// Formats that the validator knows and the reference does not enforce (MAN-048).
const IGNORED_FORMATS: [&str; 19] = [
    "date",
    "date-time",
    "duration",
    "email",
    "hostname",
    "idn-email",
    "idn-hostname",
    "ipv4",
    "ipv6",
    "iri",
    "iri-reference",
    "json-pointer",
    "regex",
    "relative-json-pointer",
    "time",
    "uri-reference",
    "uri-template",
    "uuid",
    "unknown",
];

fn compile(schema: &Value) -> Result<jsonschema::Validator, String> {
    let (draft, schema) = dialect(schema)?;
    let mut options = jsonschema::options()
        .with_draft(draft)
        .should_validate_formats(true)
        .with_format("uri", |text: &str| url::Url::parse(text).is_ok());
    for format in IGNORED_FORMATS {
        options = options.with_format(format, |_: &str| true);
    }
    options.build(&schema).map_err(|error| one_line(&error.to_string()))
}

/// The draft that `$schema` names, and the schema without that key.
fn dialect(schema: &Value) -> Result<(jsonschema::Draft, Value), String> {
    let mut schema = schema.clone();
    let named = schema.as_object_mut().and_then(|object| object.shift_remove("$schema"));
    let draft = match named.as_ref().and_then(Value::as_str) {
        None => jsonschema::Draft::Draft7,
        Some(uri) => match uri.trim().trim_end_matches('#') {
            "" | "http://json-schema.org/draft-07/schema" | "https://json-schema.org/draft-07/schema" | "http://json-schema.org/schema" => {
                jsonschema::Draft::Draft7
            }
            "http://json-schema.org/draft-06/schema" => jsonschema::Draft::Draft6,
            "http://json-schema.org/draft-04/schema" => jsonschema::Draft::Draft4,
            "https://json-schema.org/draft/2019-09/schema" => jsonschema::Draft::Draft201909,
            "https://json-schema.org/draft/2020-12/schema" => jsonschema::Draft::Draft202012,
            other => return Err(format!("unknown `$schema` `{other}`")),
        },
    };
    Ok((draft, schema))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
