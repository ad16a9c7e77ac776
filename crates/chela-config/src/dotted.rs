//! Paths into the configuration, as `config get|set|unset` take them: `agents.list[0].id`,
//! `plugins.entries["my.plugin"].enabled`, `a\.b`.

use serde_json::{Map, Value};

use crate::error::ConfigError;
use crate::include::is_prototype_key;
use crate::json5;

/// Splits a path. Dots and brackets separate, `\` takes the next character as it is, a bracket may hold
/// a quoted key.
///
/// # Errors
/// [`ConfigError::BadPath`] when it is empty, a bracket is not closed, or a key is not allowed.
pub fn parse_path(path: &str) -> Result<Vec<String>, ConfigError> {
    let mut parts = Vec::new();
    let mut current = String::new();
    let mut rest = path.trim();
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\\' => {
                if let Some(next) = rest.chars().next() {
                    current.push(next);
                    rest = &rest[next.len_utf8()..];
                }
            }
            '.' => parts.push(std::mem::take(&mut current)),
            '[' => {
                parts.push(std::mem::take(&mut current));
                let close = closing_bracket(rest).ok_or_else(|| bad(path, "`[` without `]`"))?;
                parts.push(bracket(&rest[..close], path)?);
                rest = &rest[close + 1..];
            }
            c => current.push(c),
        }
    }
    parts.push(current);
    let parts: Vec<String> = parts.into_iter().map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect();
    if parts.is_empty() {
        return Err(bad(path, "it is empty"));
    }
    if let Some(key) = parts.iter().find(|part| is_prototype_key(part)) {
        return Err(bad(path, format!("`{key}` is not allowed as a key")));
    }
    Ok(parts)
}

fn closing_bracket(text: &str) -> Option<usize> {
    let trimmed = text.trim_start();
    let quote = trimmed.chars().next().filter(|c| matches!(c, '"' | '\''));
    match quote {
        Some(quote) => {
            let open = text.len() - trimmed.len() + 1;
            let mut escaped = false;
            let end = open
                + text[open..].find(|c| {
                    let closes = c == quote && !escaped;
                    escaped = c == '\\' && !escaped;
                    closes
                })?;
            text[end..].find(']').map(|at| end + at)
        }
        None => text.find(']'),
    }
}

fn bracket(inside: &str, path: &str) -> Result<String, ConfigError> {
    let inside = inside.trim();
    if inside.starts_with(['"', '\'']) {
        return match json5::parse_value(inside) {
            Ok(Value::String(key)) if !key.trim().is_empty() => Ok(key),
            _ => Err(bad(path, format!("`{inside}` is not a quoted key"))),
        };
    }
    if inside.is_empty() { Err(bad(path, "`[]` needs an index or a key")) } else { Ok(inside.to_owned()) }
}

/// A path as text, with quotes where a key needs them, so that [`parse_path`] reads it back.
pub fn format_path<S: AsRef<str>>(segments: &[S]) -> String {
    let mut out = String::new();
    for segment in segments {
        let segment = segment.as_ref();
        if segment.contains(['.', '[', ']', '\\', '"', '\'']) || segment.trim() != segment {
            out.push_str(&format!("[{}]", Value::from(segment)));
        } else {
            if !out.is_empty() {
                out.push('.');
            }
            out.push_str(segment);
        }
    }
    out
}

/// Reads a value as it is given on the command line: JSON5 when it is JSON5, else the text itself.
///
/// # Errors
/// [`ConfigError::BadPath`] naming the fault, only with `strict`.
pub fn parse_cli_value(raw: &str, strict: bool) -> Result<Value, ConfigError> {
    match json5::parse_value(raw.trim()) {
        Ok(value) => Ok(value),
        Err(error) if strict => {
            Err(ConfigError::BadPath { path: "<value>".to_owned(), message: format!("the value is not JSON: {}", error.message) })
        }
        Err(_) => Ok(Value::String(raw.to_owned())),
    }
}

/// The value at a path.
pub fn get_path<'a, S: AsRef<str>>(root: &'a Value, path: &[S]) -> Option<&'a Value> {
    let mut current = root;
    for segment in path {
        current = match current {
            Value::Array(items) => items.get(index(segment.as_ref())?)?,
            Value::Object(map) => map.get(segment.as_ref())?,
            _ => return None,
        };
    }
    Some(current)
}

/// Puts a value at a path, making objects (or lists, before an index) on the way. An index may be at
/// most the length of the list; then the value is appended.
///
/// # Errors
/// [`ConfigError::BadPath`] when the way leads through a value that has no such entry.
pub fn set_path<S: AsRef<str>>(root: &mut Value, path: &[S], value: Value) -> Result<(), ConfigError> {
    let whole = format_path(path);
    let mut current = root;
    for (at, segment) in path.iter().enumerate() {
        let segment = segment.as_ref();
        let next_is_index = path.get(at + 1).is_some_and(|next| index(next.as_ref()).is_some());
        let last = at + 1 == path.len();
        let slot = match current {
            Value::Array(items) => {
                let wanted = index(segment).ok_or_else(|| bad(&whole, format!("`{segment}` is not an index, but there is a list")))?;
                if wanted > items.len() {
                    return Err(bad(&whole, format!("the list has {} entries; index {wanted} would leave a gap", items.len())));
                }
                if wanted == items.len() {
                    items.push(Value::Null);
                }
                &mut items[wanted]
            }
            Value::Object(map) => map.entry(segment.to_owned()).or_insert(Value::Null),
            _ => {
                return Err(bad(&whole, format!("cannot put `{segment}` into a value that is no object")));
            }
        };
        if !last && !slot.is_object() && !slot.is_array() {
            *slot = if next_is_index { Value::Array(Vec::new()) } else { Value::Object(Map::new()) };
        }
        current = slot;
    }
    *current = value;
    Ok(())
}

/// Removes the value at a path; later list entries move up. Returns whether there was one.
pub fn unset_path<S: AsRef<str>>(root: &mut Value, path: &[S]) -> bool {
    let Some((last, parents)) = path.split_last() else {
        return false;
    };
    let mut current = root;
    for segment in parents {
        let next = match current {
            Value::Array(items) => index(segment.as_ref()).and_then(|at| items.get_mut(at)),
            Value::Object(map) => map.get_mut(segment.as_ref()),
            _ => None,
        };
        match next {
            Some(next) => current = next,
            None => return false,
        }
    }
    match current {
        Value::Array(items) => match index(last.as_ref()).filter(|at| *at < items.len()) {
            Some(at) => {
                items.remove(at);
                true
            }
            None => false,
        },
        Value::Object(map) => map.shift_remove(last.as_ref()).is_some(),
        _ => false,
    }
}

/// Applies an RFC 7396 merge patch: `null` deletes, objects merge, lists and scalars replace (GW-139).
pub fn merge_patch(base: &mut Value, patch: &Value) {
    let Some(patch) = patch.as_object() else {
        *base = patch.clone();
        return;
    };
    if !base.is_object() {
        *base = Value::Object(Map::new());
    }
    if let Some(map) = base.as_object_mut() {
        for (key, value) in patch {
            if is_prototype_key(key) {
                continue;
            }
            if value.is_null() {
                map.shift_remove(key);
            } else {
                merge_patch(map.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
    }
}

fn index(segment: &str) -> Option<usize> {
    segment.bytes().all(|b| b.is_ascii_digit()).then(|| segment.parse().ok()).flatten()
}

fn bad(path: &str, message: impl Into<String>) -> ConfigError {
    ConfigError::BadPath { path: path.to_owned(), message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn paths() {
        let cases: &[(&str, &[&str])] = &[
            ("gateway.port", &["gateway", "port"]),
            ("agents.list[0].id", &["agents", "list", "0", "id"]),
            ("plugins.entries[\"my.plugin\"].enabled", &["plugins", "entries", "my.plugin", "enabled"]),
            ("a['x]y'][2]", &["a", "x]y", "2"]),
            ("a\\.b.c", &["a.b", "c"]),
            (" a..b. ", &["a", "b"]),
            ("models[openai/gpt-5.4]", &["models", "openai/gpt-5.4"]),
        ];
        for (text, want) in cases {
            assert_eq!(parse_path(text).unwrap(), *want, "{text}");
        }
        for text in ["", " . ", "a[", "a[]", "a['']", "__proto__.x", "a.constructor"] {
            assert!(parse_path(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn cli_values() {
        assert_eq!(parse_cli_value("19001", false).unwrap(), json!(19001));
        assert_eq!(parse_cli_value("{a: ['x']}", false).unwrap(), json!({"a": ["x"]}));
        assert_eq!(parse_cli_value("2h", false).unwrap(), json!("2h"));
        assert_eq!(parse_cli_value("true", false).unwrap(), json!(true));
        assert!(parse_cli_value("2h", true).is_err());
    }

    #[test]
    fn set_makes_the_way_and_leaves_no_gaps() {
        let mut value = json!({});
        set_path(&mut value, &["a", "0", "b"], json!(1)).unwrap();
        set_path(&mut value, &["a", "1"], json!(2)).unwrap();
        assert_eq!(value, json!({"a": [{"b": 1}, 2]}));
        assert!(set_path(&mut value, &["a", "9"], json!(1)).is_err());
        assert!(set_path(&mut value, &["a", "x"], json!(1)).is_err());
        assert!(unset_path(&mut value, &["a", "0"]));
        assert!(!unset_path(&mut value, &["a", "5"]) && !unset_path(&mut value, &["b"]));
        assert_eq!(value, json!({"a": [2]}));
    }

    // GW-139
    #[test]
    fn merge_patch_follows_the_rfc() {
        let mut value = json!({"a": {"b": 1, "c": 2}, "l": [1, 2]});
        merge_patch(&mut value, &json!({"a": {"b": null, "d": 3}, "l": [9], "n": {"x": null}}));
        assert_eq!(value, json!({"a": {"c": 2, "d": 3}, "l": [9], "n": {}}));
    }

    proptest! {
        #[test]
        fn set_get_unset_round_trip(path in prop::collection::vec("[a-zA-Z.\"'\\[\\] \\\\-]{1,6}", 1..5), n in any::<i32>()) {
            let path: Vec<String> = path.into_iter().map(|p| p.trim().to_owned()).filter(|p| !p.is_empty()).collect();
            prop_assume!(!path.is_empty());
            let mut value = json!({"keep": 1});
            prop_assume!(path[0] != "keep");
            set_path(&mut value, &path, json!(n)).unwrap();
            prop_assert_eq!(get_path(&value, &path), Some(&json!(n)));
            prop_assert_eq!(parse_path(&format_path(&path)).unwrap(), path.clone());
            prop_assert!(unset_path(&mut value, &path));
            prop_assert_eq!(get_path(&value, &path), None);
            prop_assert_eq!(&value["keep"], &json!(1));
        }
    }
}
