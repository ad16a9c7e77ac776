//! A sink for archives that checks what every entry promises, and keeps nothing.

use std::io::Read;

use chela_archive::{ArchiveError, Extracted, Limits, Manner, Options, Sink};

/// Small limits, so that a run reaches them.
pub const LIMITS: Limits =
    Limits { archive_bytes: 1 << 20, entries: 64, extracted_bytes: 1 << 18, entry_bytes: 1 << 17, path_bytes: 256, depth: 8 };

/// How an archive is read, from the bits of a byte.
pub fn options(how: u8) -> Options {
    let manner = if how & 2 == 0 { Manner::Strict } else { Manner::Npm };
    Options { limits: LIMITS, strip: usize::from(how & 4 != 0), manner }
}

/// What was given so far.
#[derive(Default)]
pub struct Checks {
    bytes: u64,
    entries: u64,
}

impl Checks {
    /// Compares the totals, and them with the limits.
    pub fn finish(&self, done: Option<Extracted>) {
        if let Some(done) = done {
            assert_eq!((done.files + done.dirs, done.bytes), (self.entries, self.bytes));
        }
        assert!(self.entries <= LIMITS.entries && self.bytes <= LIMITS.extracted_bytes);
    }

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
