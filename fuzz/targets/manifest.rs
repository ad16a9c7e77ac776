//! `openclaw.plugin.json` of a stranger.
#![no_main]

use chela_manifest::{parse_manifest, parse_object, validate_plugin_id};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let parsed = parse_manifest(data);
    // A manifest is an object: what parses as one must parse as the other.
    assert!(parsed.is_err() || parse_object(data).is_ok());
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = validate_plugin_id(text);
    }
});
