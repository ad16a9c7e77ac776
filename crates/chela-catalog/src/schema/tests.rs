use serde_json::json;

use super::*;

fn issues(schema: Value, value: Value) -> Vec<(String, String)> {
    match check(&schema, &value) {
        Checked::Invalid(issues) => issues.into_iter().map(|i| (i.path, i.message)).collect(),
        other => panic!("expected issues, got {other:?}"),
    }
}

fn valid(schema: Value, value: Value) -> Value {
    match check(&schema, &value) {
        Checked::Valid(value) => value,
        other => panic!("expected a valid value, got {other:?}"),
    }
}

// MAN-046, MAN-057, MAN-058, MAN-059, MAN-061, MAN-245
#[test]
fn messages_are_worded_as_ajv_does() {
    let cases = [
        (json!({"required": ["n"]}), json!({}), "n", "must have required property 'n'"),
        (json!({"properties": {"n": {"type": "integer"}}}), json!({"n": "1"}), "n", "must be integer"),
        (json!({"properties": {"n": {"type": ["string", "null"]}}}), json!({"n": 1}), "n", "must be "),
        (json!({"additionalProperties": false}), json!({"x": 1}), "", "must NOT have additional properties (unexpected: \"x\")"),
        (
            json!({"properties": {"m": {"enum": ["a", "b"]}}}),
            json!({"m": "c"}),
            "m",
            "must be equal to one of the allowed values (allowed: \"a\", \"b\")",
        ),
        (json!({"properties": {"m": {"const": 3}}}), json!({"m": 4}), "m", "must be equal to constant (allowed: 3)"),
        (json!({"properties": {"m": {"minimum": 1.0}}}), json!({"m": 0}), "m", "must be >= 1"),
        (json!({"properties": {"m": {"maximum": 2.5}}}), json!({"m": 3}), "m", "must be <= 2.5"),
        (json!({"properties": {"m": {"exclusiveMinimum": 1}}}), json!({"m": 1}), "m", "must be > 1"),
        (json!({"properties": {"m": {"multipleOf": 2}}}), json!({"m": 3}), "m", "must be multiple of 2"),
        (json!({"properties": {"m": {"minLength": 2}}}), json!({"m": "a"}), "m", "must NOT have fewer than 2 characters"),
        (json!({"properties": {"m": {"maxItems": 1}}}), json!({"m": [1, 2]}), "m", "must NOT have more than 1 items"),
        (
            json!({"properties": {"m": {"uniqueItems": true}}}),
            json!({"m": [1, 2, 1]}),
            "m",
            "must NOT have duplicate items (items ## 0 and 2 are identical)",
        ),
        (json!({"properties": {"m": {"pattern": "^a"}}}), json!({"m": "b"}), "m", "must match pattern \"^a\""),
        (json!({"properties": {"m": {"format": "uri"}}}), json!({"m": "no url"}), "m", "must match format \"uri\""),
        (json!({"properties": {"a": {"items": {"type": "string"}}}}), json!({"a": ["x", 1]}), "a.1", "must be string"),
        (json!({"minProperties": 1}), json!({}), "", "must NOT have fewer than 1 properties"),
        (json!({"not": {}}), json!({}), "", "must NOT be valid"),
    ];
    for (schema, value, path, message) in cases {
        let found = issues(schema.clone(), value);
        assert_eq!(found.len(), 1, "{schema}: {found:?}");
        assert_eq!(found[0].0, path, "{schema}");
        assert!(found[0].1.starts_with(message), "{schema}: {}", found[0].1);
    }
}

// MAN-046: every error is reported, also those of the branches.
#[test]
fn all_errors_are_collected() {
    let schema = json!({"type": "object", "required": ["a", "b"], "additionalProperties": false,
        "properties": {"a": {}, "b": {}, "c": {"anyOf": [{"type": "string"}, {"type": "number"}]}}});
    let found = issues(schema, json!({"c": true, "x": 1, "y": 2}));
    let texts: Vec<&str> = found.iter().map(|(_, text)| text.as_str()).collect();
    for expected in [
        "must have required property 'a'",
        "must have required property 'b'",
        "must NOT have additional properties (unexpected: \"x\")",
        "must NOT have additional properties (unexpected: \"y\")",
        "must be string",
        "must be number",
        "must match a schema in anyOf",
    ] {
        assert!(texts.contains(&expected), "{expected} in {texts:?}");
    }
}

// MAN-060
#[test]
fn allowed_values_are_limited() {
    let mut values: Vec<Value> = (0..15).map(Value::from).collect();
    values.push(json!(0));
    let schema = json!({"enum": values});
    let Checked::Invalid(issues) = check(&schema, &json!("x")) else { panic!("must be invalid") };
    let allowed = issues[0].allowed.as_ref().unwrap();
    assert_eq!(allowed.values.len(), 12);
    assert_eq!(allowed.hidden, 3);
    assert!(issues[0].message.ends_with("11, ... (+3 more))"), "{}", issues[0].message);
    let long = json!({"const": "x".repeat(200)});
    let Checked::Invalid(issues) = check(&long, &json!(1)) else { panic!("must be invalid") };
    assert!(issues[0].message.contains("... (+40 chars)"), "{}", issues[0].message);
}

// MAN-047, MAN-048, MAN-049
#[test]
fn only_uri_is_a_format() {
    for format in ["email", "date-time", "ipv4", "uuid", "made-up", "hostname"] {
        valid(json!({"type": "string", "format": format}), json!("certainly not"));
    }
    valid(json!({"format": "uri"}), json!("x-scheme:anything"));
    valid(json!({"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "minProperties": 0}), json!({}));
}

// MAN-050, MAN-051
#[test]
fn defaults_are_filled_into_a_copy() {
    let schema = json!({
        "type": "object", "additionalProperties": {"properties": {"z": {"default": 9}}},
        "properties": {
            "a": {"type": "integer", "default": 1},
            "b": {"type": "object", "default": {}, "properties": {"c": {"default": true}}},
            "list": {"items": {"properties": {"d": {"default": "x"}}}},
            "ref": {"$ref": "#/definitions/r", "default": {}},
            "none": {"type": "string"},
            "any": {"anyOf": [{"properties": {"no": {"default": 1}}}]},
        },
        "allOf": [{"properties": {"e": {"default": null}}}],
        "definitions": {"r": {"properties": {"f": {"default": 2}}}},
    });
    let given = json!({"a": 5, "list": [{}, {"d": "y"}], "any": {}, "other": {}});
    let before = given.clone();
    assert_eq!(
        valid(schema, given.clone()),
        json!({"a": 5, "list": [{"d": "x"}, {"d": "y"}], "any": {}, "other": {"z": 9}, "b": {"c": true},
            "ref": {"f": 2}, "e": null})
    );
    assert_eq!(given, before);
}

// A schema that refers to itself must not recurse without end.
#[test]
fn recursive_schemas_end() {
    let schema = json!({"properties": {"next": {"$ref": "#", "default": {}}}});
    let filled = valid(schema, json!({}));
    assert!(filled["next"]["next"].is_object());
}

// MAN-234, MAN-235
#[test]
fn bad_schemas_are_told_apart_from_bad_values() {
    let bad = [
        json!({"type": "nonsense"}),
        json!({"properties": {"a": {"pattern": "("}}, "minProperties": 0}),
        json!({"$ref": "https://example.invalid/x.json"}),
        json!({"$schema": "https://example.invalid/dialect", "type": "object"}),
    ];
    for schema in bad {
        assert!(matches!(check(&schema, &json!({})), Checked::BadSchema(_)), "{schema}");
        assert!(compile_check(&schema).is_err(), "{schema}");
    }
    let later = json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
        "properties": {"t": {"prefixItems": [{"type": "string"}]}}});
    assert_eq!(issues(later, json!({"t": [1]}))[0].0, "t.0");
}

// The quick check may only say what the validator says.
#[test]
fn the_quick_check_agrees_with_the_validator() {
    let schemas = [
        json!({"type": "object", "properties": {"a": {"type": "string", "maxLength": 2}, "b": {"enum": [1, "x"]}},
            "required": ["a"], "additionalProperties": false}),
        json!({"type": ["object", "null"], "additionalProperties": {"type": "number", "minimum": 0, "maximum": 5}}),
        json!({"properties": {"l": {"type": "array", "items": {"type": "integer"}}}}),
        json!({"const": {"a": 1}}),
        json!({"oneOf": [{"type": "object"}]}),
    ];
    let values = [
        json!({}),
        json!(null),
        json!({"a": "x"}),
        json!({"a": "xyz"}),
        json!({"a": "x", "b": 1}),
        json!({"b": 2}),
        json!({"l": [1, 2.5]}),
        json!({"l": [1]}),
        json!({"a": 1}),
        json!({"a": 6}),
        json!([1]),
        json!({"a": "x", "z": 1}),
    ];
    let mut accepted = 0;
    for schema in &schemas {
        let validator = compile(schema).unwrap();
        for value in &values {
            if quick::is_valid(schema, value) {
                accepted += 1;
                assert!(validator.is_valid(value), "{schema} {value}");
            }
        }
    }
    assert!(accepted > 8, "{accepted}");
}
