//! The config file: parsed, validated and edited. The first line is the text, what follows a NUL byte is a patch.
#![no_main]

use chela_config::json5::{parse_value, same_value};
use chela_config::{get_path, merge_patch, parse_path, set_path, unset_path, validate};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (text, patch) = text.split_once('\0').unwrap_or((text, "{gateway: {port: 1}}"));
    let Ok(value) = parse_value(text) else { return };
    let _ = validate(&value);
    // An edit to the same value touches nothing.
    let same = chela_config::json5::rewrite(text, &value);
    assert_eq!(same.map(|done| done.text).ok().as_deref(), Some(text));
    if let Ok(patch) = parse_value(patch) {
        let mut target = value.clone();
        merge_patch(&mut target, &patch);
        edited(text, &target);
    }
    if let Ok(path) = parse_path(patch) {
        let mut target = value;
        if set_path(&mut target, &path, Value::from(7)).is_ok() {
            assert_eq!(get_path(&target, &path), Some(&Value::from(7)));
            edited(text, &target);
            unset_path(&mut target, &path);
            edited(text, &target);
        }
    }
});

/// The edited text holds the wanted value.
fn edited(text: &str, target: &Value) {
    let Ok(done) = chela_config::json5::rewrite(text, target) else { panic!("a text that parses can be edited") };
    let Ok(value) = parse_value(&done.text) else { panic!("an edited text parses") };
    assert!(same_value(&value, target));
}
