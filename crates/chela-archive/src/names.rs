//! Names of entries: what is refused, and which two names are one for some file system.

use std::collections::HashMap;

use icu_normalizer::ComposingNormalizerBorrowed;

use crate::error::{ArchiveError, shown};
use crate::limits::{Limits, Manner, Options};

/// Longest part between two slashes, as Linux file systems have it.
const PART_BYTES: usize = 255;

/// The checked parts of a name. Empty for the archive's root (`.` or `./`).
pub(crate) fn parts<'a>(raw: &'a [u8], limits: &Limits) -> Result<Vec<&'a str>, ArchiveError> {
    let name = || shown(raw);
    if raw.len() > limits.path_bytes {
        return Err(ArchiveError::NameLength { name: name(), limit: limits.path_bytes });
    }
    if raw.contains(&0) {
        return Err(ArchiveError::NulByte { name: name() });
    }
    let text = std::str::from_utf8(raw).map_err(|_| ArchiveError::NotUtf8 { name: name() })?;
    if text.split(['/', '\\']).any(|part| part == "..") {
        return Err(ArchiveError::Escapes { name: name() });
    }
    if text.starts_with(['/', '\\']) {
        return Err(ArchiveError::Absolute { name: name() });
    }
    if matches!(text.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic()) {
        return Err(ArchiveError::DrivePath { name: name() });
    }
    if text.contains('\\') {
        return Err(ArchiveError::Backslash { name: name() });
    }
    if text.contains(char::is_control) {
        return Err(ArchiveError::ControlCharacter { name: name() });
    }
    let parts: Vec<&str> = text.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if parts.len() > limits.depth {
        return Err(ArchiveError::Depth { name: name(), limit: limits.depth });
    }
    if parts.iter().any(|part| part.len() > PART_BYTES) {
        return Err(ArchiveError::NameLength { name: name(), limit: PART_BYTES });
    }
    Ok(parts)
}

/// What a file system that folds letter case and Unicode forms would make of a part.
///
/// Letters are folded one by one through upper case, which also makes `ß` and `SS`, `ſ` and `s`, `ς` and `σ` one.
fn folded(part: &str) -> String {
    if part.is_ascii() {
        return part.to_ascii_lowercase();
    }
    let nfc = ComposingNormalizerBorrowed::new_nfc();
    let composed = nfc.normalize(part);
    let lower: String = composed.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect();
    nfc.normalize(&lower).into_owned()
}

struct Known {
    /// Only where it is not the key itself, to keep a hostile table small.
    spelling: Option<Box<str>>,
    directory: bool,
}

/// All names of an archive so far.
#[derive(Default)]
pub(crate) struct Names {
    known: HashMap<Box<str>, Known>,
}

impl Names {
    /// Notes an entry and the directories above it.
    pub(crate) fn add(&mut self, parts: &[&str], directory: bool, options: &Options) -> Result<(), ArchiveError> {
        let mut key = String::new();
        let mut spelling = String::new();
        for (at, part) in parts.iter().enumerate() {
            if at > 0 {
                key.push('/');
                spelling.push('/');
            }
            spelling.push_str(part);
            match options.manner {
                Manner::Strict => key.push_str(&folded(part)),
                Manner::Npm => key.push_str(part),
            }
            let last = at + 1 == parts.len();
            self.note(&key, &spelling, directory || !last, last && options.manner == Manner::Strict)?;
        }
        // Directories that no entry names cost as much on the disk as those that one does.
        if self.known.len() as u64 > options.limits.entries.saturating_mul(2) {
            return Err(ArchiveError::EntryCount { limit: options.limits.entries });
        }
        Ok(())
    }

    fn note(&mut self, key: &str, spelling: &str, directory: bool, once: bool) -> Result<(), ArchiveError> {
        let Some(known) = self.known.get(key) else {
            let spelling = (spelling != key).then(|| spelling.into());
            self.known.insert(key.into(), Known { spelling, directory });
            return Ok(());
        };
        let first = known.spelling.as_deref().unwrap_or(key);
        if first != spelling {
            return Err(ArchiveError::Collision { first: shown(first.as_bytes()), second: shown(spelling.as_bytes()) });
        }
        if known.directory != directory || (once && !directory) {
            return Err(ArchiveError::Duplicate { name: shown(spelling.as_bytes()) });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &[u8]) -> String {
        let limits = Limits { path_bytes: 600, depth: 4, ..Limits::default() };
        match parts(raw, &limits) {
            Ok(parts) => parts.join("|"),
            Err(error) => error.to_string(),
        }
    }

    // INS-163
    #[test]
    fn names_that_are_refused_say_why() {
        let long = [b'a'; 601];
        let long_part = [b'b'; 256];
        let table: &[(&[u8], &str)] = &[
            (b"package/index.js", "package|index.js"),
            (b"./package//a/./b", "package|a|b"),
            (b"./", ""),
            (b"a/..b/c..", "a|..b|c.."),
            (b"../x", "archive entry escapes destination: ../x"),
            (b"a/../b", "archive entry escapes destination: a/../b"),
            (b"a\\..\\b", "archive entry escapes destination: a\\..\\b"),
            (b"/etc/passwd", "archive entry is absolute: /etc/passwd"),
            (b"\\\\host\\share", "archive entry is absolute: \\\\host\\share"),
            (b"C:\\x", "archive entry uses a drive path: C:\\x"),
            (b"c:x", "archive entry uses a drive path: c:x"),
            (b"a\\b", "archive entry name holds a backslash: a\\b"),
            (b"a\0b", "archive entry name holds a NUL byte: a\\u{0}b"),
            (b"a\x1b[2J", "archive entry name holds a control character: a\\u{1b}[2J"),
            (b"a\xffb", "archive entry name is not UTF-8: a\u{fffd}b"),
            (b"1/2/3/4/5", "archive entry lies too deep (more than 4 levels): 1/2/3/4/5"),
        ];
        for (raw, expected) in table {
            assert_eq!(check(raw), *expected);
        }
        assert!(check(&long).starts_with("archive entry name is too long (more than 600 bytes): aaa"));
        assert!(check(&long).chars().count() < 300, "an error must not repeat an endless name");
        assert!(check(&long_part).starts_with("archive entry name is too long (more than 255 bytes)"));
    }

    fn add_all(manner: Manner, names: &[(&str, bool)]) -> Result<(), String> {
        let mut all = Names::default();
        for (name, directory) in names {
            let parts: Vec<&str> = name.split('/').collect();
            all.add(&parts, *directory, &Options { manner, ..Options::default() }).map_err(|e| e.to_string())?;
        }
        Ok(())
    }

    #[test]
    fn names_that_some_file_system_takes_for_one_are_refused() {
        let collides = |a: &str, b: &str| add_all(Manner::Strict, &[(a, false), (b, false)]).unwrap_err();
        for (a, b) in [
            ("README.md", "readme.MD"),
            ("A/x", "a/y"),
            ("caf\u{e9}", "cafe\u{301}"),
            ("CAF\u{c9}", "cafe\u{301}"),
            ("stra\u{df}e", "STRASSE"),
            ("\u{3c3}", "\u{3c2}"),
            ("\u{212a}", "k"),
        ] {
            assert!(collides(a, b).contains("letter case or Unicode form"), "{a} {b}");
            assert!(add_all(Manner::Npm, &[(a, false), (b, false)]).is_ok(), "{a} {b}");
        }
        assert_eq!(collides("a/b", "a/b"), "archive holds the entry twice: a/b");
        assert_eq!(collides("a", "a/b"), "archive holds the entry twice: a");
        assert_eq!(collides("a/b", "a"), "archive holds the entry twice: a");
        assert!(add_all(Manner::Npm, &[("a", false), ("a", false)]).is_ok());
        assert!(add_all(Manner::Npm, &[("a", false), ("a/b", false)]).is_err());
        assert!(add_all(Manner::Strict, &[("a", true), ("a", true), ("a/b", false), ("a/c", false)]).is_ok());
    }
}
