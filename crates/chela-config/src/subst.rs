//! `${NAME}` in strings of the configuration (GW-130).

use serde_json::Value;

use crate::env::Env;

/// A `${NAME}` whose variable is unset or empty; the text stays as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingVariable {
    /// The variable.
    pub name: String,
    /// Dotted path of the string that names it.
    pub path: String,
}

enum Piece<'a> {
    Text(&'a str),
    /// `${NAME}`
    Reference(&'a str),
    /// `$${NAME}`, which stands for the text `${NAME}`.
    Escaped(&'a str),
}

/// Replaces the references in every string, but not in keys. Only upper-case names count; anything
/// else with a `$` is plain text. Missing variables are collected, not an error.
pub fn substitute(value: &Value, env: &Env) -> (Value, Vec<MissingVariable>) {
    let mut missing = Vec::new();
    let out = walk(value, env, &mut String::new(), &mut missing);
    (out, missing)
}

/// Whether a string holds a reference that would be replaced.
pub fn contains_reference(text: &str) -> bool {
    pieces(text).any(|piece| matches!(piece, Piece::Reference(_)))
}

fn walk(value: &Value, env: &Env, path: &mut String, missing: &mut Vec<MissingVariable>) -> Value {
    let len = path.len();
    let out = match value {
        Value::String(text) if text.contains('$') => Value::String(replace(text, env, path, missing)),
        Value::Array(items) => {
            let mut out = Vec::with_capacity(items.len());
            for (index, item) in items.iter().enumerate() {
                path.push_str(&format!("[{index}]"));
                out.push(walk(item, env, path, missing));
                path.truncate(len);
            }
            Value::Array(out)
        }
        Value::Object(map) => {
            let mut out = serde_json::Map::with_capacity(map.len());
            for (key, item) in map {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
                out.insert(key.clone(), walk(item, env, path, missing));
                path.truncate(len);
            }
            Value::Object(out)
        }
        other => other.clone(),
    };
    path.truncate(len);
    out
}

fn replace(text: &str, env: &Env, path: &str, missing: &mut Vec<MissingVariable>) -> String {
    let mut out = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Escaped(name) => out.push_str(&format!("${{{name}}}")),
            Piece::Reference(name) => match env.get(name).filter(|value| !value.is_empty()) {
                Some(value) => out.push_str(value),
                None => {
                    out.push_str(&format!("${{{name}}}"));
                    missing.push(MissingVariable { name: name.to_owned(), path: path.to_owned() });
                }
            },
        }
    }
    out
}

fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let at = rest.find('$').unwrap_or(rest.len());
        if at > 0 {
            let (head, tail) = rest.split_at(at);
            rest = tail;
            return Some(Piece::Text(head));
        }
        if let Some(name) = braced_name(rest, "$${") {
            rest = &rest[name.len() + 4..];
            return Some(Piece::Escaped(name));
        }
        if let Some(name) = braced_name(rest, "${") {
            rest = &rest[name.len() + 3..];
            return Some(Piece::Reference(name));
        }
        let (head, tail) = rest.split_at(1);
        rest = tail;
        Some(Piece::Text(head))
    })
}

fn braced_name<'a>(text: &'a str, open: &str) -> Option<&'a str> {
    let (name, _) = text.strip_prefix(open)?.split_once('}')?;
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_uppercase() || b == b'_');
    (first && bytes.all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    // GW-130
    #[test]
    fn forms() {
        let env: Env = [("A", "1"), ("B_2", "two"), ("EMPTY", ""), ("low", "no")].into_iter().collect();
        let cases = [
            ("${A}", "1", 0),
            ("x${A}y${B_2}z", "x1ytwoz", 0),
            ("$${A}", "${A}", 0),
            ("$$${A}", "$${A}", 0),
            ("$A ${low} ${} ${A", "$A ${low} ${} ${A", 0),
            ("${MISSING}/${EMPTY}", "${MISSING}/${EMPTY}", 2),
            ("$", "$", 0),
            ("${A}${A}", "11", 0),
        ];
        for (text, want, missing) in cases {
            let (got, warnings) = substitute(&json!({"k": [text]}), &env);
            assert_eq!(got["k"][0], want, "{text}");
            assert_eq!(warnings.len(), missing, "{text}");
            assert!(warnings.iter().all(|w| w.path == "k[0]"));
        }
    }

    // GW-130
    #[test]
    fn keys_and_other_types_stay() {
        let env: Env = [("A", "1")].into_iter().collect();
        let value = json!({"${A}": "${A}", "n": 1, "b": true, "z": null});
        assert_eq!(substitute(&value, &env).0, json!({"${A}": "1", "n": 1, "b": true, "z": null}));
    }
}
