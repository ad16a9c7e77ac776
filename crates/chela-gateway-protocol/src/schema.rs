//! A small validator for parameters of requests.
//!
//! A [`Schema`] is a constant; [`check`] returns every problem in the reference's words and order (missing
//! properties, then unexpected ones, then each property's own), so that clients which show or match those
//! messages see what they know.

use serde_json::Value;

/// What a value must look like.
#[derive(Debug, Clone, Copy)]
pub enum Schema {
    /// Anything.
    Any,
    /// A string.
    Str,
    /// A string of at least one character.
    NonEmptyStr,
    /// A boolean.
    Bool,
    /// A number.
    Number,
    /// A whole number of at least this much.
    IntMin(i64),
    /// A whole number within both bounds.
    IntRange(i64, i64),
    /// One of these strings.
    OneOf(&'static [&'static str]),
    /// An array of these.
    Array(&'static Schema),
    /// An object with any keys (but no empty one) and values of this kind.
    Map(&'static Schema),
    /// An object with these fields and no others.
    Object(&'static [Field]),
    /// An object with these fields; others are allowed.
    OpenObject(&'static [Field]),
}

/// One field of an object.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The key.
    pub name: &'static str,
    /// Whether it must be there.
    pub required: bool,
    /// What its value must look like.
    pub schema: Schema,
}

/// A field that must be there.
pub const fn required(name: &'static str, schema: Schema) -> Field {
    Field { name, required: true, schema }
}

/// A field that may be absent.
pub const fn optional(name: &'static str, schema: Schema) -> Field {
    Field { name, required: false, schema }
}

/// All problems of `value`, joined with `; `, or nothing when it fits.
pub fn check(schema: &Schema, value: &Value) -> Result<(), String> {
    let mut problems = Vec::new();
    walk(schema, value, "", &mut problems);
    if problems.is_empty() {
        return Ok(());
    }
    let mut unique: Vec<String> = Vec::with_capacity(problems.len());
    for problem in problems {
        if !unique.contains(&problem) {
            unique.push(problem);
        }
    }
    Err(unique.join("; "))
}

fn walk(schema: &Schema, value: &Value, path: &str, out: &mut Vec<String>) {
    match schema {
        Schema::Any => {}
        Schema::Str => expect(value.is_string(), path, "must be string", out),
        Schema::NonEmptyStr => match value.as_str() {
            Some("") => report(path, "must NOT have fewer than 1 characters", out),
            Some(_) => {}
            None => report(path, "must be string", out),
        },
        Schema::Bool => expect(value.is_boolean(), path, "must be boolean", out),
        Schema::Number => expect(value.is_number(), path, "must be number", out),
        Schema::IntMin(min) => integer(value, Some(*min), None, path, out),
        Schema::IntRange(min, max) => integer(value, Some(*min), Some(*max), path, out),
        Schema::OneOf(names) => one_of(names, value, path, out),
        Schema::Array(item) => match value.as_array() {
            Some(items) => {
                for (index, entry) in items.iter().enumerate() {
                    walk(item, entry, &format!("{path}/{index}"), out);
                }
            }
            None => report(path, "must be array", out),
        },
        Schema::Map(item) => match value.as_object() {
            Some(map) => {
                for (key, entry) in map {
                    if key.is_empty() {
                        report(path, "property name must be valid", out);
                    }
                    walk(item, entry, &child(path, key), out);
                }
            }
            None => report(path, "must be object", out),
        },
        Schema::Object(fields) => object(fields, false, value, path, out),
        Schema::OpenObject(fields) => object(fields, true, value, path, out),
    }
}

fn object(fields: &[Field], open: bool, value: &Value, path: &str, out: &mut Vec<String>) {
    let Some(map) = value.as_object() else {
        report(path, "must be object", out);
        return;
    };
    for field in fields.iter().filter(|field| field.required) {
        if !map.contains_key(field.name) {
            let problem = format!("must have required property '{}'", field.name);
            report(path, &problem, out);
        }
    }
    if !open {
        for key in map.keys() {
            if !fields.iter().any(|field| field.name == key) {
                let place = if path.is_empty() { "at root".to_owned() } else { format!("at {path}") };
                out.push(format!("{place}: unexpected property '{key}'"));
            }
        }
    }
    for field in fields {
        if let Some(entry) = map.get(field.name) {
            walk(&field.schema, entry, &child(path, field.name), out);
        }
    }
}

fn integer(value: &Value, min: Option<i64>, max: Option<i64>, path: &str, out: &mut Vec<String>) {
    // JSON has no integer type: 4.0 is the whole number 4 for every client written in JavaScript.
    let whole = value.as_f64().filter(|number| number.fract() == 0.0 && number.is_finite());
    let Some(number) = whole else {
        report(path, "must be integer", out);
        return;
    };
    if let Some(min) = min.filter(|min| number < *min as f64) {
        report(path, &format!("must be >= {min}"), out);
    }
    if let Some(max) = max.filter(|max| number > *max as f64) {
        report(path, &format!("must be <= {max}"), out);
    }
}

fn one_of(names: &[&str], value: &Value, path: &str, out: &mut Vec<String>) {
    if value.as_str().is_some_and(|text| names.contains(&text)) {
        return;
    }
    report(path, "must be equal to constant", out);
    report(path, "must match a schema in anyOf", out);
}

fn expect(fits: bool, path: &str, problem: &str, out: &mut Vec<String>) {
    if !fits {
        report(path, problem, out);
    }
}

fn report(path: &str, problem: &str, out: &mut Vec<String>) {
    if path.is_empty() {
        out.push(problem.to_owned());
    } else {
        out.push(format!("at {path}: {problem}"));
    }
}

fn child(path: &str, key: &str) -> String {
    format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const SAMPLE: Schema = Schema::Object(&[
        required("name", Schema::NonEmptyStr),
        required("count", Schema::IntRange(1, 9)),
        optional("tags", Schema::Array(&Schema::NonEmptyStr)),
        optional("flags", Schema::Map(&Schema::Bool)),
        optional("mode", Schema::OneOf(&["a", "b"])),
    ]);

    #[test]
    fn problems_read_like_the_reference_and_come_in_its_order() {
        let cases = [
            (json!({"name":"x","count":4.0}), None),
            (json!([]), Some("must be object")),
            (
                json!({"extra":1,"count":0}),
                Some("must have required property 'name'; at root: unexpected property 'extra'; at /count: must be >= 1"),
            ),
            (json!({"name":"","count":10}), Some("at /name: must NOT have fewer than 1 characters; at /count: must be <= 9")),
            (
                json!({"name":"x","count":"1","tags":["",5]}),
                Some("at /count: must be integer; at /tags/0: must NOT have fewer than 1 characters; at /tags/1: must be string"),
            ),
            (
                json!({"name":"x","count":1,"flags":{"a/b":1},"mode":"c"}),
                Some("at /flags/a~1b: must be boolean; at /mode: must be equal to constant; at /mode: must match a schema in anyOf"),
            ),
        ];
        for (value, expected) in cases {
            assert_eq!(check(&SAMPLE, &value).err().as_deref(), expected, "{value}");
        }
    }
}
