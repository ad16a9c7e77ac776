//! Arguments of tool calls, read leniently: models and their servers cut, wrap and mangle JSON.

use serde_json::{Map, Value};

/// Largest arguments of one call in bytes (PRV-258).
pub(crate) const MAX_ARGUMENT_BYTES: usize = 256_000;

/// Reads arguments. Always an object: `{}` when nothing can be made of the text (PRV-259).
pub(crate) fn parse_arguments(text: &str) -> Value {
    let text = text.trim();
    if text.is_empty() {
        return Value::Object(Map::new());
    }
    let parsed = serde_json::from_str(text).ok().or_else(|| serde_json::from_str(&repair(text)).ok());
    match parsed {
        Some(Value::Object(map)) => Value::Object(map),
        // Some servers encode the JSON text once more.
        Some(Value::String(inner)) if inner.trim_start().starts_with('{') => parse_arguments(&inner),
        _ => Value::Object(Map::new()),
    }
}

/// Closes what is open, drops trailing commas and dangling keys, and escapes raw control characters in strings.
fn repair(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut open: Vec<char> = Vec::new();
    let (mut in_string, mut escaped) = (false, false);
    for c in text.chars() {
        if in_string {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => in_string = false,
                c if c < ' ' => {
                    push_escaped(&mut out, c);
                    continue;
                }
                _ => {}
            }
            out.push(c);
            continue;
        }
        match c {
            '"' => in_string = true,
            '{' => open.push('}'),
            '[' => open.push(']'),
            '}' | ']' => {
                drop_trailing_comma(&mut out);
                if open.pop() != Some(c) {
                    return text.to_owned();
                }
            }
            _ => {}
        }
        out.push(c);
        if open.is_empty() && (c == '}' || c == ']') {
            return out;
        }
    }
    close(out, open, in_string, escaped)
}

fn close(mut out: String, mut open: Vec<char>, in_string: bool, escaped: bool) -> String {
    if escaped {
        out.pop();
    }
    if in_string {
        out.push('"');
    }
    drop_trailing_comma(&mut out);
    if out.ends_with(':') {
        out.push_str("null");
    }
    while let Some(c) = open.pop() {
        out.push(c);
    }
    out
}

fn push_escaped(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c => out.push_str(&format!("\\u{:04x}", c as u32)),
    }
}

fn drop_trailing_comma(out: &mut String) {
    let kept = out.trim_end().len();
    out.truncate(kept);
    if out.ends_with(',') {
        out.pop();
    }
}

/// Undoes HTML entities in every string, for models whose row says `toolCallArgumentsEncoding: "html-entities"`.
pub(crate) fn decode_entities(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('&') => {
            let pairs = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&apos;", "'"), ("&amp;", "&")];
            for (entity, plain) in pairs {
                *text = text.replace(entity, plain);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(decode_entities),
        Value::Object(map) => map.values_mut().for_each(decode_entities),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn good_and_bad_arguments() {
        // PRV-259 (lenient reading, `{}` if unusable)
        let cases = [
            (r#"{"a":1}"#, json!({"a":1})),
            ("", json!({})),
            ("  ", json!({})),
            ("null", json!({})),
            ("[1]", json!({})),
            ("hello", json!({})),
            (r#"{"a":"x"#, json!({"a":"x"})),
            (r#"{"a":"x","#, json!({"a":"x"})),
            (r#"{"a":["#, json!({"a":[]})),
            (r#"{"a":"#, json!({"a":null})),
            (r#"{"a":1,}"#, json!({"a":1})),
            ("{\"a\":\"x\ny\"}", json!({"a":"x\ny"})),
            (r#"{"a":1} trailing"#, json!({"a":1})),
            (r#""{\"a\":1}""#, json!({"a":1})),
            (r#"{"a":"x\"#, json!({"a":"x"})),
            (r#"{]"#, json!({})),
        ];
        for (text, want) in cases {
            assert_eq!(parse_arguments(text), want, "{text:?}");
        }
    }

    #[test]
    fn entities() {
        let mut value = json!({"a": ["&lt;b&gt; &amp;amp; &quot;", 1]});
        decode_entities(&mut value);
        assert_eq!(value, json!({"a": ["<b> &amp; \"", 1]}));
    }

    proptest! {
        #[test]
        fn any_text_gives_an_object(text in "[{}\\[\\]\",:a1\\\\ \\n]{0,40}") {
            prop_assert!(parse_arguments(&text).is_object());
        }
    }
}
