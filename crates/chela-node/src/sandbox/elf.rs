//! The loader that a program names, which the kernel runs in its place.

use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Bytes of a file that are looked at: program headers lie at the beginning.
const HEAD: u64 = 64 * 1024;
const INTERPRETER: u32 = 3;

/// What a program file begins with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Program {
    /// Compiled code, and its loader when it has one.
    Code(Option<PathBuf>),
    /// A script: its interpreter and the argument behind it.
    Script(PathBuf, Option<String>),
    /// Neither, or not readable.
    Other,
}

/// Looks at a program.
pub(super) fn look(path: &Path) -> Program {
    let mut head = Vec::new();
    let read = fs_err::File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    if read.is_err() {
        return Program::Other;
    }
    if head.starts_with(b"#!") {
        return script(&head);
    }
    if head.starts_with(b"\x7fELF") { Program::Code(interpreter(&head)) } else { Program::Other }
}

fn script(head: &[u8]) -> Program {
    let line = head[2..].split(|b| *b == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let mut words = line.split_whitespace();
    match words.next() {
        Some(program) => Program::Script(program.into(), words.next().map(str::to_owned)),
        None => Program::Other,
    }
}

/// The loader's path in a 64-bit file of this machine's byte order.
fn interpreter(head: &[u8]) -> Option<PathBuf> {
    let half = |at: usize| head.get(at..at + 2).and_then(|b| Some(u16::from_ne_bytes(b.try_into().ok()?)));
    let word = |at: usize| head.get(at..at + 4).and_then(|b| Some(u32::from_ne_bytes(b.try_into().ok()?)));
    let long = |at: usize| head.get(at..at + 8).and_then(|b| usize::try_from(u64::from_ne_bytes(b.try_into().ok()?)).ok());
    let (first, size, count) = (long(32)?, usize::from(half(54)?), usize::from(half(56)?));
    (0..count).find_map(|index| {
        let at = first.checked_add(index.checked_mul(size)?)?;
        if word(at)? != INTERPRETER {
            return None;
        }
        let (from, length) = (long(at + 8)?, long(at + 32)?);
        let text = head.get(from..from.checked_add(length)?)?.split(|b| *b == 0).next()?;
        Some(PathBuf::from(std::str::from_utf8(text).ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_name_their_loaders() {
        let Program::Code(Some(loader)) = look(Path::new("/bin/sh")) else { panic!("/bin/sh names no loader") };
        assert!(loader.is_file(), "{}", loader.display());
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        for (text, found) in [
            ("#!/usr/bin/env node\nx", Program::Script("/usr/bin/env".into(), Some("node".into()))),
            ("#! /bin/sh -e\n", Program::Script("/bin/sh".into(), Some("-e".into()))),
            ("#!\n", Program::Other),
            ("text", Program::Other),
            ("\x7fELF", Program::Code(None)),
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(look(&path), found, "{text:?}");
        }
        assert_eq!(look(&dir.path().join("absent")), Program::Other);
    }
}
