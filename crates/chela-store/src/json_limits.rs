//! Limits of JSON values that plugins hand to the host (HOOK-262). Lengths of text are counted as JavaScript does,
//! in UTF-16 units.

use serde_json::Value;

/// Deepest nesting.
pub const MAX_DEPTH: usize = 32;
/// Values in total, containers included.
pub const MAX_NODES: usize = 4096;
/// Members of one object.
pub const MAX_KEYS: usize = 512;
/// Length of a text or a member name, UTF-16 units.
pub const MAX_TEXT: usize = 65_536;
/// Serialised size in bytes.
pub const MAX_BYTES: usize = 262_144;

/// Which limit a value breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LimitError {
    /// Nested too deep.
    #[error("the value is nested deeper than {MAX_DEPTH}")]
    Depth,
    /// Too many values.
    #[error("the value has more than {MAX_NODES} parts")]
    Nodes,
    /// Too many members.
    #[error("an object has more than {MAX_KEYS} members")]
    Keys,
    /// A text is too long.
    #[error("a text is longer than {MAX_TEXT} characters")]
    Text,
    /// Too large in total.
    #[error("the value is larger than {MAX_BYTES} bytes")]
    Bytes,
}

/// Checks a value against every limit.
///
/// # Errors
/// The first limit that is broken.
pub fn check(value: &Value) -> Result<(), LimitError> {
    let mut nodes = 0;
    walk(value, 0, &mut nodes)?;
    if value.to_string().len() > MAX_BYTES { Err(LimitError::Bytes) } else { Ok(()) }
}

/// Length of a text in UTF-16 units.
pub fn utf16_len(text: &str) -> usize {
    text.encode_utf16().count()
}

fn walk(value: &Value, depth: usize, nodes: &mut usize) -> Result<(), LimitError> {
    *nodes += 1;
    if *nodes > MAX_NODES {
        return Err(LimitError::Nodes);
    }
    if depth > MAX_DEPTH {
        return Err(LimitError::Depth);
    }
    match value {
        Value::String(text) => text_fits(text),
        Value::Array(items) => items.iter().try_for_each(|item| walk(item, depth + 1, nodes)),
        Value::Object(map) if map.len() > MAX_KEYS => Err(LimitError::Keys),
        Value::Object(map) => map.iter().try_for_each(|(name, item)| {
            text_fits(name)?;
            walk(item, depth + 1, nodes)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

fn text_fits(text: &str) -> Result<(), LimitError> {
    // Bytes are never fewer than UTF-16 units: short texts need no counting.
    if text.len() <= MAX_TEXT || utf16_len(text) <= MAX_TEXT { Ok(()) } else { Err(LimitError::Text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn nested(depth: usize) -> Value {
        (0..depth).fold(json!(1), |inner, _| json!([inner]))
    }

    #[test]
    fn limits() {
        // HOOK-262
        let object = |n: usize| Value::Object((0..n).map(|i| (format!("k{i}"), json!(0))).collect());
        let cases = [
            (nested(32), Ok(())),
            (nested(33), Err(LimitError::Depth)),
            (json!(vec![0; 4095]), Ok(())),
            (json!(vec![0; 4096]), Err(LimitError::Nodes)),
            (object(512), Ok(())),
            (object(513), Err(LimitError::Keys)),
            (json!("ü".repeat(65_536)), Ok(())),
            (json!("a".repeat(65_537)), Err(LimitError::Text)),
            (json!("😀".repeat(32_769)), Err(LimitError::Text)),
            (json!(vec!["a".repeat(60_000); 5]), Err(LimitError::Bytes)),
        ];
        for (n, (value, want)) in cases.into_iter().enumerate() {
            assert_eq!(check(&value), want, "case {n}");
        }
    }
}
