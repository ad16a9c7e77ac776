//! What JSON cannot say: objects with one key that starts with `$` (see `PROTOCOL.md`, "Values").

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

/// A value with a tag.
#[derive(Clone, Debug, PartialEq)]
pub enum Tagged {
    /// A function of the sender.
    Fn(u64),
    /// A function of the receiver, sent back.
    Ref(u64),
    /// An abort signal of the sender, and whether it has fired already.
    Signal {
        /// As its owner counts.
        id: u64,
        /// True when it had fired before it was sent.
        aborted: bool,
    },
    /// An async iterator or readable stream of the sender.
    Stream(u64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// An error: `{name, message, code?, stack?}`.
    Error(Value),
    /// A date as ISO text.
    Date(String),
    /// `undefined`.
    Undefined,
    /// `NaN` or an infinity.
    Num(f64),
    /// A `Map`, `Set`, `bigint`, regular expression or escaped object; the tag without `$` and its content.
    Other(String, Value),
}

impl Tagged {
    /// Reads a tagged value; `None` for plain JSON and for tags with content of the wrong type.
    pub fn read(value: &Value) -> Option<Self> {
        let map = value.as_object()?;
        let (tag, content) = map.iter().next()?;
        match tag.as_str() {
            "$fn" => content.as_u64().map(Self::Fn),
            "$signal" => content.as_u64().map(|id| Self::Signal { id, aborted: map.get("aborted") == Some(&Value::Bool(true)) }),
            _ if map.len() != 1 => None,
            "$ref" => content.as_u64().map(Self::Ref),
            "$stream" => content.as_u64().map(Self::Stream),
            "$bytes" => STANDARD.decode(content.as_str()?).ok().map(Self::Bytes),
            "$error" => content.is_object().then(|| Self::Error(content.clone())),
            "$date" => content.as_str().map(|t| Self::Date(t.into())),
            "$undefined" => Some(Self::Undefined),
            "$num" => content.as_str()?.parse().ok().map(Self::Num),
            "$map" | "$set" | "$bigint" | "$regexp" | "$obj" => Some(Self::Other(tag[1..].into(), content.clone())),
            _ => None,
        }
    }
}

/// Bytes as a value.
pub fn bytes(content: &[u8]) -> Value {
    json!({ "$bytes": STANDARD.encode(content) })
}

/// The bytes in `{"$bytes": base64}`.
pub fn read_bytes(value: &Value) -> Option<Vec<u8>> {
    match Tagged::read(value)? {
        Tagged::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}

/// Protects plain data that the receiver must not read as tags: every object with one key that starts with `$` is wrapped.
pub fn escape(value: Value) -> Value {
    match value {
        Value::Object(map) if map.len() == 1 && map.keys().all(|k| k.starts_with('$')) => {
            let pairs: Vec<Value> = map.into_iter().map(|(k, v)| json!([k, escape(v)])).collect();
            json!({ "$obj": pairs })
        }
        Value::Object(map) => Value::Object(map.into_iter().map(|(k, v)| (k, escape(v))).collect::<Map<_, _>>()),
        Value::Array(items) => items.into_iter().map(escape).collect(),
        plain => plain,
    }
}

/// Undoes [`escape`] for plain data.
pub fn unescape(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            if let Some(Tagged::Other(tag, Value::Array(pairs))) = Tagged::read(&Value::Object(map.clone()))
                && tag == "obj"
            {
                let member = |pair: Value| match pair {
                    Value::Array(mut kv) if kv.len() == 2 => {
                        let value = kv.pop()?;
                        Some((kv.pop()?.as_str()?.to_string(), unescape(value)))
                    }
                    _ => None,
                };
                return Value::Object(pairs.into_iter().filter_map(member).collect());
            }
            Value::Object(map.into_iter().map(|(k, v)| (k, unescape(v))).collect())
        }
        Value::Array(items) => items.into_iter().map(unescape).collect(),
        plain => plain,
    }
}

/// Applies `f` to every number under one of `tags` (such as `$fn`), at any depth. Used to give handles another numbering.
pub fn renumber(value: &mut Value, tags: &[&str], f: &mut impl FnMut(u64) -> u64) {
    match value {
        Value::Object(map) => {
            if let Some((tag, content)) = map.iter_mut().next()
                && tags.contains(&tag.as_str())
                && let Some(number) = content.as_u64()
            {
                *content = f(number).into();
                return;
            }
            map.values_mut().for_each(|v| renumber(v, tags, f));
        }
        Value::Array(items) => items.iter_mut().for_each(|v| renumber(v, tags, f)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_read_and_plain_objects_are_not() {
        let cases = [
            (json!({"$fn": 3, "name": "f", "async": true}), Some(Tagged::Fn(3))),
            (json!({"$ref": 4}), Some(Tagged::Ref(4))),
            (json!({"$signal": 5}), Some(Tagged::Signal { id: 5, aborted: false })),
            (json!({"$signal": 5, "aborted": true, "reason": "x"}), Some(Tagged::Signal { id: 5, aborted: true })),
            (json!({"$bytes": "aGk="}), Some(Tagged::Bytes(b"hi".to_vec()))),
            (json!({"$num": "Infinity"}), Some(Tagged::Num(f64::INFINITY))),
            (json!({"$undefined": true}), Some(Tagged::Undefined)),
            (json!({"$set": [1]}), Some(Tagged::Other("set".into(), json!([1])))),
            (json!({"$bytes": "no base64!"}), None),
            (json!({"$ref": 4, "b": 1}), None),
            (json!({"$schema": "x"}), None),
            (json!({}), None),
        ];
        for (value, expected) in cases {
            assert_eq!(Tagged::read(&value), expected, "{value}");
        }
        assert_eq!(read_bytes(&bytes(&[0, 255])), Some(vec![0, 255]));
    }

    #[test]
    fn escaping_protects_data_that_looks_like_a_tag() {
        let data = json!({"a": {"$fn": 1}, "b": [{"$obj": 2}, {"$x": {"$y": 3}}], "c": {"$fn": 1, "z": 2}});
        let escaped = escape(data.clone());
        assert_eq!(Tagged::read(&escaped["a"]), Some(Tagged::Other("obj".into(), json!([["$fn", 1]]))));
        assert_eq!(unescape(escaped), data);
    }

    #[test]
    fn renumbering_reaches_every_depth() {
        let mut value = json!({"a": [{"$fn": 1, "name": "x"}], "b": {"$stream": 2}, "c": {"$ref": 3}});
        renumber(&mut value, &["$fn", "$stream"], &mut |n| n + 10);
        assert_eq!(value, json!({"a": [{"$fn": 11, "name": "x"}], "b": {"$stream": 12}, "c": {"$ref": 3}}));
    }
}
