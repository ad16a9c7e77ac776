//! JSON5 with positions: a parser that remembers where every value stands, so that errors name line
//! and column and an edit touches only the value it changes.

mod edit;
mod lexer;
mod parser;

use serde_json::{Map, Value};

pub use edit::{Rewritten, rewrite};
pub(crate) use lexer::comments;
pub use parser::{MAX_DEPTH, parse};

/// A range of bytes in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The value's text, without surrounding space and comments.
    pub span: Span,
    /// The value.
    pub kind: Kind,
}

/// What a [`Node`] is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A string, number, boolean or null.
    Scalar(Value),
    /// A list.
    Array(Vec<Element>),
    /// An object, in the order of the text; a key given twice appears twice.
    Object(Vec<Member>),
}

/// An entry of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Element {
    /// The value.
    pub node: Node,
    /// Where the comma behind it stands, if there is one.
    pub comma: Option<usize>,
}

/// An entry of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The key, unescaped.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// Whether the key is written in quotes.
    pub quoted: bool,
    /// The value.
    pub node: Node,
    /// Where the comma behind it stands, if there is one.
    pub comma: Option<usize>,
}

/// Text that is not JSON5.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// Byte offset of the fault.
    pub offset: usize,
    /// What was expected and found.
    pub message: String,
}

impl Node {
    /// The plain value. A key given twice keeps its place and takes its last value.
    pub fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Scalar(value) => value.clone(),
            Kind::Array(items) => Value::Array(items.iter().map(|item| item.node.to_value()).collect()),
            Kind::Object(members) => {
                let mut map = Map::with_capacity(members.len());
                for member in members {
                    map.insert(member.key.clone(), member.node.to_value());
                }
                Value::Object(map)
            }
        }
    }

    /// The member that counts for a key: the last one of that name.
    pub fn member(&self, key: &str) -> Option<&Member> {
        match &self.kind {
            Kind::Object(members) => members.iter().rev().find(|member| member.key == key),
            _ => None,
        }
    }

    /// The child under a key or a list index.
    pub fn child(&self, segment: &str) -> Option<&Node> {
        match &self.kind {
            Kind::Object(_) => self.member(segment).map(|member| &member.node),
            Kind::Array(items) => items.get(segment.parse::<usize>().ok()?).map(|item| &item.node),
            Kind::Scalar(_) => None,
        }
    }
}

/// Parses text to a plain value.
///
/// # Errors
/// [`SyntaxError`] with the offset of the fault.
pub fn parse_value(text: &str) -> Result<Value, SyntaxError> {
    Ok(parse(text)?.to_value())
}

/// Equality as JavaScript sees it: `1` and `1.0` are the same number, the order of keys does not count.
pub fn same_value(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || (a.is_f64() || b.is_f64()) && a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_value(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| same_value(value, other)))
        }
        _ => a == b,
    }
}

/// Line and column of a byte offset, both from 1; columns count characters.
pub fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    // GW-126: JSON5
    #[test]
    fn accepts_json5() {
        let cases: &[(&str, Value)] = &[
            ("{}", json!({})),
            ("\u{feff}// c\n{a:1,'b':\"x\",/*c*/\"c\":[1,2,],}", json!({"a": 1, "b": "x", "c": [1, 2]})),
            ("[+1,-1,.5,5.,1e3,0xFF,-0x10,1.0]", json!([1, -1, 0.5, 5, 1000, 255, -16, 1])),
            ("'a\\\nb\\x41\\u0042\\'\\q\\v\\0'", json!("abAB'q\u{b}\0")),
            ("\"\\uD83D\\uDE00\"", json!("😀")),
            ("{$schema:'x',_a:1,ünï:2,\\u0061b:3}", json!({"$schema": "x", "_a": 1, "ünï": 2, "ab": 3})),
            ("{a:1,a:2}", json!({"a": 2})),
            ("\u{a0}null\u{2028}", json!(null)),
            ("18446744073709551615", json!(u64::MAX)),
        ];
        for (text, want) in cases {
            assert_eq!(&parse_value(text).unwrap(), want, "{text:?}");
        }
    }

    // GW-126: line and column of a fault
    #[test]
    fn faults_have_a_place_and_a_reason() {
        let cases = [
            ("", 1, 1, "empty"),
            ("{\n  a: 1\n  b: 2\n}", 3, 3, "`,` or `}`"),
            ("{a: }", 1, 5, "value"),
            ("{\"a\" 1}", 1, 6, "`:`"),
            ("[1 2]", 1, 4, "`,` or `]`"),
            ("{a: 'x\n'}", 1, 7, "line break"),
            ("{a: \"x", 1, 5, "never closed"),
            ("{a: 1} x", 1, 8, "after the value"),
            ("/* x", 1, 1, "never closed"),
            ("{é: 01}", 1, 5, "leading zero"),
            ("Infinity", 1, 1, "Infinity"),
            ("'\\uD83D'", 1, 2, "surrogate"),
            ("truex", 1, 1, "truex"),
            ("{a: 1", 1, 6, "`,` or `}`"),
            ("{,}", 1, 2, "key"),
        ];
        for (text, line, column, part) in cases {
            let error = parse(text).unwrap_err();
            assert_eq!(position(text, error.offset), (line, column), "{text:?}: {}", error.message);
            assert!(error.message.contains(part), "{text:?}: {}", error.message);
        }
        let deep = "[".repeat(100_000);
        assert!(parse(&deep).unwrap_err().message.contains("nested"));
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1.0e9..1.0e9f64).prop_map(|n| json!(n)),
            (-9..9i32).prop_map(|n| json!(f64::from(n))),
            "\\PC{0,8}".prop_map(Value::from),
            "[\"'\\\\\n\t\u{2028}/*#]{0,5}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec(("[a-zA-Z$_.é \"]{0,6}", inner), 0..5).prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    fn close(a: &Value, b: &Value) -> bool {
        match (a, b) {
            (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
            (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| close(a, b)),
            (Value::Object(a), Value::Object(b)) => a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|o| close(v, o))),
            _ => a == b,
        }
    }

    proptest! {
        #[test]
        fn json_round_trips(value in any_value()) {
            let text = serde_json::to_string_pretty(&value).unwrap();
            prop_assert!(same_value(&parse_value(&text).unwrap(), &value));
        }

        #[test]
        fn agrees_with_an_independent_parser(text in "[\\[\\]{}:,'\"a0-9.+eE x/*\n-]{0,24}") {
            let theirs = ::json5::from_str::<Value>(&text);
            if let (Ok(ours), Ok(theirs)) = (parse_value(&text), theirs) {
                prop_assert!(close(&ours, &theirs), "{} {}", ours, theirs);
            }
        }

        #[test]
        fn any_rewrite_yields_the_target(old in any_value(), new in any_value()) {
            let text = format!("// head\n{}\n// tail\n", serde_json::to_string_pretty(&old).unwrap());
            let done = rewrite(&text, &new).unwrap();
            prop_assert!(same_value(&parse_value(&done.text).unwrap(), &new), "{}", done.text);
            prop_assert!(done.text.contains("// head") && done.text.contains("// tail"));
            prop_assert!(!done.comments_lost);
        }
    }
}
