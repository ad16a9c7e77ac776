//! Zip files: the first byte says how they are read.
#![no_main]

use std::io::{Cursor, Read};

use chela_archive::{ArchiveError, Kind, Limits, Manner, Options, Sink, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((how, data)) = data.split_first() else { return };
    let manner = if how & 2 == 0 { Manner::Strict } else { Manner::Npm };
    let limits = Limits { archive_bytes: 1 << 20, entries: 64, extracted_bytes: 1 << 18, entry_bytes: 1 << 17, path_bytes: 256, depth: 8 };
    let options = Options { limits, strip: usize::from(how & 4 != 0), manner };
    let mut checks = Checks { bytes: 0, entries: 0 };
    if let Ok(done) = read(Cursor::new(data), Kind::Zip, &options, &mut checks) {
        assert_eq!((done.files + done.dirs, done.bytes), (checks.entries, checks.bytes));
    }
    assert!(checks.entries <= limits.entries && checks.bytes <= limits.extracted_bytes);
});

/// Checks what every entry promises, and keeps nothing.
struct Checks {
    bytes: u64,
    entries: u64,
}

impl Checks {
    fn name(&mut self, path: &str) {
        self.entries += 1;
        assert!(!path.is_empty() && !path.starts_with('/') && !path.contains(['\\', '\0']));
        assert!(path.split('/').all(|part| !part.is_empty() && part != "." && part != ".."));
    }
}

impl Sink for Checks {
    fn directory(&mut self, path: &str) -> Result<(), ArchiveError> {
        self.name(path);
        Ok(())
    }

    fn file(&mut self, path: &str, _: bool, data: &mut dyn Read) -> Result<u64, ArchiveError> {
        self.name(path);
        let mut seen = 0;
        let mut buffer = [0; 4096];
        loop {
            let count = data.read(&mut buffer).map_err(|source| ArchiveError::Read { source })?;
            seen += count as u64;
            if count == 0 {
                self.bytes += seen;
                return Ok(seen);
            }
        }
    }
}
