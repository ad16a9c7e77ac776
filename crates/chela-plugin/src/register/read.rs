//! Reading members of plugin objects the way the registration methods want them.

use serde_json::Value;

/// The trimmed text, or an empty one for anything else.
pub(super) fn trimmed(value: Option<&Value>) -> &str {
    value.and_then(Value::as_str).map_or("", str::trim)
}

/// The trimmed member, or an empty text.
pub(super) fn member<'a>(object: &'a Value, key: &str) -> &'a str {
    trimmed(object.get(key))
}

/// An optional text member: absent is `Ok(None)`, blank or not a text is `Err`.
pub(super) fn optional_text(object: &Value, key: &str) -> Result<Option<String>, ()> {
    match object.get(key) {
        None => Ok(None),
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(Some(text.trim().into())),
        Some(_) => Err(()),
    }
}

/// An optional list of texts: absent is `Ok(None)`, anything but a list of non-blank texts is `Err`.
pub(super) fn optional_texts(object: &Value, key: &str) -> Result<Option<Vec<String>>, ()> {
    let Some(value) = object.get(key) else {
        return Ok(None);
    };
    let items = value.as_array().ok_or(())?;
    let texts: Vec<String> = items.iter().map(|v| trimmed(Some(v)).to_string()).collect();
    if texts.iter().any(String::is_empty) { Err(()) } else { Ok(Some(texts)) }
}

/// The non-blank texts of a list member, trimmed, first occurrence of each (API-195).
pub(super) fn unique_texts(value: Option<&Value>) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for text in value.and_then(Value::as_array).into_iter().flatten().map(|v| trimmed(Some(v))).filter(|t| !t.is_empty()) {
        if !texts.iter().any(|t| t == text) {
            texts.push(text.into());
        }
    }
    texts
}

/// True for a list with at least one item.
pub(super) fn has_items(value: Option<&Value>) -> bool {
    value.and_then(Value::as_array).is_some_and(|items| !items.is_empty())
}

/// True when the function is declared `async` (`PROTOCOL.md`, "Values").
pub(super) fn is_async(function: &Value) -> bool {
    function.get("async") == Some(&Value::Bool(true))
}

/// Sets or removes a member of an object; does nothing to other values.
pub(super) fn set(object: &mut Value, key: &str, value: Option<Value>) {
    if let Value::Object(map) = object {
        match value {
            Some(value) => {
                map.insert(key.into(), value);
            }
            None => {
                map.shift_remove(key);
            }
        }
    }
}
