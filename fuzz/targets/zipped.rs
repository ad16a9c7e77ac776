//! Zip files: the first byte says how they are read.
#![no_main]

#[path = "shared/checks.rs"]
mod checks;

use std::io::Cursor;

use checks::{Checks, options};
use chela_archive::{Kind, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((how, data)) = data.split_first() else { return };
    let mut checks = Checks::default();
    let done = read(Cursor::new(data), Kind::Zip, &options(*how), &mut checks);
    checks.finish(done.ok());
});
