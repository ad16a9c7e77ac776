//! Plugin code: whatever it is, the scan answers and its findings point into the file.
#![no_main]

use std::path::Path;

use chela_scan::scan_text;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((how, data)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(data) else { return };
    let name = ["a.js", "a.mjs", "a.cjs", "a.ts", "a.tsx", "a.mts", "a.jsx", "a.cts"][usize::from(how & 7)];
    let Ok((findings, _)) = scan_text(Path::new(name), text) else { panic!("a scan answers") };
    let lines = text.matches('\n').count() + 1;
    for finding in findings {
        assert!((1..=lines).contains(&finding.line), "{finding:?}");
        assert!(finding.evidence.chars().count() <= 121);
    }
});
