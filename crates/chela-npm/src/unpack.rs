//! Reads an npm tarball by the rules for what strangers pack: no links, no devices, nothing outside, limits.
//!
//! As npm does, the first directory of every path is dropped and links are left out, not followed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use tar::{Archive, EntryType};

/// Entries of one tarball (INS-161).
const MAX_ENTRIES: usize = 50_000;
/// Bytes of one file (INS-161).
const MAX_FILE: u64 = 256 * 1024 * 1024;
/// Bytes of all files (INS-161).
const MAX_TOTAL: u64 = 512 * 1024 * 1024;
/// Headers and padding that may come on top of [`MAX_TOTAL`], in bytes.
const HEADER_ROOM: u64 = MAX_ENTRIES as u64 * 2048;
/// Bytes of a path, and of one part of it: what file systems take.
const MAX_PATH: usize = 1024;
const MAX_PART: usize = 255;
/// Directories above a file.
const MAX_DEPTH: usize = 64;

/// A file of a tarball.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileEntry {
    /// Path inside the package, `/`-separated.
    pub path: String,
    /// Some execute bit is set.
    pub executable: bool,
    /// Bytes.
    pub size: u64,
}

/// What was passed over.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Passed {
    /// Paths of symbolic and hard links.
    pub links: Vec<String>,
}

/// Gives each file of a gzipped (or plain) tarball to `sink`, with a reader of its content. A path that
/// comes twice is given twice; the later one counts.
///
/// # Errors
/// `InvalidData` with a text that names entry and rule, or what `sink` returned.
pub(crate) fn unpack(mut tarball: impl Read, mut sink: impl FnMut(FileEntry, &mut dyn Read) -> io::Result<()>) -> io::Result<Passed> {
    let mut magic = [0_u8; 2];
    let mut got = 0;
    while got < 2 {
        match tarball.read(&mut magic[got..])? {
            0 => break,
            count => got += count,
        }
    }
    let start = io::Cursor::new(magic).take(got as u64).chain(tarball);
    let plain: Box<dyn Read> = if magic == [0x1f, 0x8b] { Box::new(MultiGzDecoder::new(start)) } else { Box::new(start) };
    let mut archive = Archive::new(plain.take(MAX_TOTAL + HEADER_ROOM));
    let mut passed = Passed::default();
    let mut seen = Seen::default();
    let (mut count, mut total) = (0_usize, 0_u64);
    for entry in archive.entries()? {
        let mut entry = entry?;
        count += 1;
        if count > MAX_ENTRIES {
            return Err(refused(format!("archive-entry-count-exceeds-limit: more than {MAX_ENTRIES} entries")));
        }
        let raw = String::from_utf8(entry.path_bytes().into_owned()).map_err(|_| refused("an entry's name is not UTF-8".into()))?;
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => {}
            EntryType::Directory | EntryType::XGlobalHeader => continue,
            EntryType::Symlink | EntryType::Link => {
                passed.links.push(raw.chars().take(MAX_PATH).collect());
                continue;
            }
            other => return Err(refused(format!("archive entry is neither file nor directory: {raw} ({other:?})"))),
        }
        let Some(path) = inner_path(&raw)? else { continue };
        let size = entry.size();
        total = total.saturating_add(size);
        if size > MAX_FILE {
            return Err(refused(format!(
                "archive-entry-extracted-size-exceeds-limit: {raw} has {size} bytes, at most {MAX_FILE} are allowed"
            )));
        }
        if total > MAX_TOTAL {
            return Err(refused(format!("archive-extracted-size-exceeds-limit: more than {MAX_TOTAL} bytes")));
        }
        seen.add(&path)?;
        let executable = entry.header().mode().unwrap_or(0) & 0o111 != 0;
        sink(FileEntry { path, executable, size }, &mut entry)?;
    }
    if count == 0 {
        return Err(refused("the archive is empty or no tar file".into()));
    }
    Ok(passed)
}

/// The path without its first directory; `None` for files beside it, which npm ignores too.
fn inner_path(raw: &str) -> io::Result<Option<String>> {
    let escapes = || refused(format!("archive entry escapes destination: {raw}"));
    if raw.starts_with('/') || raw.contains('\0') || raw.as_bytes().get(1) == Some(&b':') {
        return Err(escapes());
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in raw.split('/') {
        match part {
            "" | "." => {}
            ".." => return Err(escapes()),
            part => parts.push(part),
        }
    }
    if raw.len() > MAX_PATH || parts.len() > MAX_DEPTH || parts.iter().any(|part| part.len() > MAX_PART) {
        return Err(refused(format!("archive entry has a path that is too long: {}…", raw.chars().take(80).collect::<String>())));
    }
    Ok((parts.len() > 1).then(|| parts[1..].join("/")))
}

/// Files and directories so far: one name cannot be both.
#[derive(Default)]
struct Seen {
    files: BTreeSet<String>,
    dirs: BTreeMap<String, ()>,
}

impl Seen {
    fn add(&mut self, path: &str) -> io::Result<()> {
        let clash = |name: &str| refused(format!("archive has both a file and a directory: {name}"));
        if self.dirs.contains_key(path) {
            return Err(clash(path));
        }
        for (at, _) in path.match_indices('/') {
            let dir = &path[..at];
            if self.files.contains(dir) {
                return Err(clash(dir));
            }
            if !self.dirs.contains_key(dir) {
                self.dirs.insert(dir.to_owned(), ());
            }
        }
        self.files.insert(path.to_owned());
        Ok(())
    }
}

fn refused(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use tar::{Builder, Header};

    use super::*;

    fn header(kind: EntryType, size: u64, mode: u32) -> Header {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(size);
        header.set_mode(mode);
        header
    }

    /// A header with a name that `tar` itself would refuse to write.
    fn raw(name: &str, kind: EntryType, body: &[u8]) -> Vec<u8> {
        let mut header = header(kind, body.len() as u64, 0o644);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        let mut out = header.as_bytes().to_vec();
        out.extend_from_slice(body);
        out.resize(out.len().div_ceil(512) * 512, 0);
        out.extend([0; 1024]);
        out
    }

    type Unpacked = (Vec<(FileEntry, Vec<u8>)>, Passed);

    fn files(tarball: &[u8]) -> io::Result<Unpacked> {
        let mut found = Vec::new();
        let passed = unpack(tarball, |entry, content| {
            let mut bytes = Vec::new();
            content.read_to_end(&mut bytes)?;
            found.push((entry, bytes));
            Ok(())
        })?;
        Ok((found, passed))
    }

    #[test]
    fn files_modes_and_links() {
        let mut builder = Builder::new(Vec::new());
        builder.append_data(&mut header(EntryType::Regular, 2, 0o600), "package/a.js", &b"hi"[..]).unwrap();
        builder.append_data(&mut header(EntryType::Regular, 1, 0o755), "package/bin/x", &b"x"[..]).unwrap();
        builder.append_link(&mut header(EntryType::Symlink, 0, 0o777), "package/l", "/etc/passwd").unwrap();
        builder.append_data(&mut header(EntryType::Regular, 1, 0o644), "stray", &b"x"[..]).unwrap();
        let plain = builder.into_inner().unwrap();
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gz.write_all(&plain).unwrap();
        for tarball in [plain, gz.finish().unwrap()] {
            let (found, passed) = files(&tarball).unwrap();
            let shown: Vec<_> = found.iter().map(|(e, b)| (e.path.as_str(), e.executable, b.len())).collect();
            assert_eq!(shown, [("a.js", false, 2), ("bin/x", true, 1)]);
            assert_eq!(passed.links, ["package/l"]);
        }
    }

    // INS-163
    #[test]
    fn what_is_refused() {
        let cases = [
            (raw("package/../../evil", EntryType::Regular, b"x"), "archive entry escapes destination: package/../../evil"),
            (raw("/etc/passwd", EntryType::Regular, b"x"), "archive entry escapes destination: /etc/passwd"),
            (raw("C:/x", EntryType::Regular, b"x"), "archive entry escapes destination: C:/x"),
            (raw("package/dev", EntryType::Char, b""), "neither file nor directory"),
            (raw("package/fifo", EntryType::Fifo, b""), "neither file nor directory"),
            (Vec::new(), "empty"),
        ];
        for (tarball, text) in cases {
            let error = files(&tarball).unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
        let mut both = raw("package/a", EntryType::Regular, b"x");
        both.truncate(1024);
        both.extend(raw("package/a/b", EntryType::Regular, b"x"));
        assert!(files(&both).unwrap_err().to_string().contains("both a file and a directory: a"));
        let mut huge = raw("package/a", EntryType::Regular, b"x");
        let mut big = header(EntryType::Regular, MAX_FILE + 1, 0o644);
        big.as_old_mut().name[..9].copy_from_slice(b"package/a");
        big.set_cksum();
        huge[..512].copy_from_slice(big.as_bytes());
        assert!(files(&huge).unwrap_err().to_string().contains("archive-entry-extracted-size-exceeds-limit"));
        let cut = &raw("package/a", EntryType::Regular, &[7; 2000])[..900];
        assert!(files(cut).is_err(), "a truncated file is no file");
    }
}
