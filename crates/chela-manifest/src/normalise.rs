//! The shared rules for reading loosely typed manifest fields (MAN-014, MAN-017..MAN-020).

use std::collections::BTreeMap;

use serde_json::{Map, Number, Value};

/// A string, trimmed; anything else, and a blank string, is absent (MAN-017).
pub(crate) fn string(value: Option<&Value>) -> Option<String> {
    let text = value?.as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Array items that are non-blank strings, trimmed, in order, duplicates kept (MAN-018, MAN-246).
pub(crate) fn strings(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::Array(items)) => items.iter().filter_map(|item| string(Some(item))).collect(),
        _ => Vec::new(),
    }
}

/// Like [`strings`], keeping only the allowed values.
pub(crate) fn strings_in(value: Option<&Value>, allowed: &[&str]) -> Vec<String> {
    let mut list = strings(value);
    list.retain(|item| allowed.contains(&item.as_str()));
    list
}

/// A real boolean; `"true"` and `1` are absent (MAN-019).
pub(crate) fn boolean(value: Option<&Value>) -> Option<bool> {
    value?.as_bool()
}

/// A plain object.
pub(crate) fn record(value: Option<&Value>) -> Option<&Map<String, Value>> {
    value?.as_object()
}

/// The objects of an array; other items are dropped.
pub(crate) fn records(value: Option<&Value>) -> impl Iterator<Item = &Map<String, Value>> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}

/// The key as a record key: trimmed, not blank, and not one that means a prototype (MAN-014).
pub(crate) fn record_key(key: &str) -> Option<&str> {
    let key = key.trim();
    let blocked = matches!(key, "__proto__" | "prototype" | "constructor");
    (!key.is_empty() && !blocked).then_some(key)
}

/// A map of strings; blank and non-string values are dropped.
pub(crate) fn string_map(value: Option<&Value>) -> BTreeMap<String, String> {
    keyed(value, |entry| string(Some(entry)))
}

/// A map of string lists; entries whose list is empty are dropped.
pub(crate) fn string_list_map(value: Option<&Value>) -> BTreeMap<String, Vec<String>> {
    keyed(value, |entry| {
        let list = strings(Some(entry));
        (!list.is_empty()).then_some(list)
    })
}

/// Reads each safe key of an object with `read`, leaving out what reads as absent.
pub(crate) fn keyed<T>(value: Option<&Value>, read: impl Fn(&Value) -> Option<T>) -> BTreeMap<String, T> {
    let mut out = BTreeMap::new();
    for (key, entry) in record(value).into_iter().flatten() {
        if let (Some(key), Some(entry)) = (record_key(key), read(entry)) {
            out.insert(key.to_owned(), entry);
        }
    }
    out
}

/// The value, unless it equals the empty value of its type (MAN-020).
pub(crate) fn non_empty<T: Default + PartialEq>(value: T) -> Option<T> {
    (value != T::default()).then_some(value)
}

/// A number that passes `accept`.
pub(crate) fn number(value: Option<&Value>, accept: impl Fn(f64) -> bool) -> Option<Number> {
    let number = value?.as_number()?;
    accept(number.as_f64()?).then(|| number.clone())
}

/// Provider ids inside model blocks are compared in lower case (MAN-121, MAN-248).
pub(crate) fn provider_key(value: &str) -> Option<String> {
    let key = value.trim().to_lowercase();
    (!key.is_empty()).then_some(key)
}
