//! `package.json#openclaw` of a stranger, and the version floor in it.
#![no_main]

use chela_manifest::{check_min_host_version, parse_package};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = parse_package(data);
    if let Ok(text) = std::str::from_utf8(data) {
        let floor = serde_json::Value::from(text);
        for allow_bare in [false, true] {
            let _ = check_min_host_version(Some(&floor), "2026.5.12", allow_bare);
        }
    }
});
