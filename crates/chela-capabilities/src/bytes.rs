//! Bytes in values of plugins: `{"$bytes": "<base64>"}` (see `PROTOCOL.md`, "Values").

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// The bytes of a value, if it is bytes.
pub fn read(value: &Value) -> Option<Vec<u8>> {
    STANDARD.decode(base64_of(value)?).ok()
}

/// The base64 text of a value of bytes.
pub fn base64_of(value: &Value) -> Option<&str> {
    let object = value.as_object().filter(|o| o.len() == 1)?;
    object.get("$bytes")?.as_str()
}

/// True for bytes that are not empty.
pub fn has_bytes(value: Option<&Value>) -> bool {
    value.and_then(base64_of).is_some_and(|text| !text.is_empty())
}

/// Bytes as a value.
pub fn value(bytes: &[u8]) -> Value {
    json!({"$bytes": STANDARD.encode(bytes)})
}

/// Bytes as base64 text.
pub fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Base64 text as bytes.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text.trim()).ok()
}
