//! Tar files, plain and gzipped: the first byte says which, and how strictly they are read.
#![no_main]

#[path = "shared/checks.rs"]
mod checks;

use checks::{Checks, options};
use chela_archive::{Kind, read_stream};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((how, data)) = data.split_first() else { return };
    let kind = if how & 1 == 0 { Kind::Tar } else { Kind::Tgz };
    let mut checks = Checks::default();
    let done = read_stream(data, kind, &options(*how), &mut checks);
    checks.finish(done.ok());
});
