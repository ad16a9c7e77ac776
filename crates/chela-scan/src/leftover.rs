//! What a scan did not look at (INS-364: the reference does not say).

use std::collections::BTreeSet;
use std::fs::DirEntry;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::ScanError;
use crate::graph;
use crate::limits::{Mode, ScanTarget};
use crate::report::ScanReport;

/// Lines of the list; a plugin with more is told so.
const LISTED: usize = 1_000;
/// Directories that are looked into.
const DIRECTORIES: usize = 10_000;
/// Directories inside each other.
const DEPTH: usize = 64;
/// Directories of tests (INS-210).
const TEST_DIRECTORIES: [&str; 5] = ["__fixtures__", "__mocks__", "__tests__", "test", "tests"];

/// Why a bundle scan leaves out a name, if it does (INS-209, INS-210).
pub(crate) fn is_left_out(name: &str, directory: bool) -> Option<&'static str> {
    if name == "node_modules" {
        Some("dependencies are only checked by name")
    } else if name.starts_with('.') {
        Some("hidden")
    } else if directory {
        TEST_DIRECTORIES.contains(&name).then_some("tests")
    } else {
        is_test_file(name).then_some("test file")
    }
}

/// `*.mock.*`, `*.spec.*`, `*.test.*`
fn is_test_file(name: &str) -> bool {
    let Some((stem, _)) = name.rsplit_once('.') else { return false };
    stem.rsplit_once('.').is_some_and(|(_, kind)| ["mock", "spec", "test"].iter().any(|test| kind.eq_ignore_ascii_case(test)))
}

/// Entries of a directory by name.
pub(crate) fn sorted(dir: &Path) -> Result<Vec<DirEntry>, ScanError> {
    let failed = |source| ScanError::Read { path: dir.into(), source };
    let mut entries = std::fs::read_dir(dir).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    entries.sort_by_key(DirEntry::file_name);
    Ok(entries)
}

/// Lists what is not among `seen` and could run.
pub(crate) fn list(target: &ScanTarget<'_>, real: &Path, seen: &BTreeSet<PathBuf>, report: &mut ScanReport) {
    let mut open = vec![(real.to_path_buf(), 0)];
    let mut directories = 0;
    while let Some((dir, depth)) = open.pop() {
        directories += 1;
        if directories > DIRECTORIES || report.not_scanned.len() >= LISTED {
            report.skip(".", "there is more that was not looked at");
            return;
        }
        let shown = |path: &Path| path.strip_prefix(real).unwrap_or(path).to_path_buf();
        let Ok(entries) = sorted(&dir) else {
            report.skip(shown(&dir), "cannot be read");
            continue;
        };
        for entry in entries {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            let Ok(kind) = entry.file_type() else { continue };
            let relative = shown(&path);
            if kind.is_dir() {
                let whole = match is_left_out(&name, true) {
                    Some(reason) if name == "node_modules" || target.mode == Mode::Bundle => Some(reason),
                    _ if name == ".git" => Some("hidden"),
                    _ if depth >= DEPTH => Some("lies too deep"),
                    _ => None,
                };
                match whole {
                    Some(reason) => report.skip(relative, reason),
                    None => open.push((path, depth + 1)),
                }
            } else if kind.is_symlink() && !seen.contains(&relative) {
                report.skip(relative, "a link");
            } else if let Some(reason) = reason(&path, &name, target.mode).filter(|_| kind.is_file() && !seen.contains(&relative)) {
                report.skip(relative, reason);
            }
        }
    }
}

/// Why a file that could run was not looked at; none for data.
fn reason(path: &Path, name: &str, mode: Mode) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    if [".d.ts", ".d.mts", ".d.cts"].iter().any(|end| lower.ends_with(end)) {
        return None; // types only
    }
    if graph::is_scannable(path) {
        return Some(match mode {
            Mode::Package => "no entry imports it",
            Mode::Bundle => is_left_out(name, false).unwrap_or("not reached"),
        });
    }
    let extension = lower.rsplit_once('.').map_or("", |(stem, extension)| if stem.is_empty() { "" } else { extension });
    match extension {
        "sh" | "bash" | "zsh" | "fish" | "ksh" | "command" => Some("shell script"),
        "bat" | "cmd" | "ps1" | "psm1" | "vbs" | "py" | "rb" | "pl" | "php" | "lua" | "awk" | "tcl" => Some("script in another language"),
        "node" | "so" | "dylib" | "dll" | "exe" | "a" | "o" | "bin" => Some("native code"),
        "wasm" => Some("WebAssembly"),
        "jar" | "class" | "pyc" | "zip" | "tgz" | "gz" | "tar" | "xz" | "7z" => Some("archive or byte code"),
        "coffee" | "vue" | "svelte" | "astro" => Some("source in another language"),
        "" => sniffed(path),
        _ if is_executable(path) => sniffed(path),
        _ => None,
    }
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|found| found.permissions().mode() & 0o111 != 0)
}

fn sniffed(path: &Path) -> Option<&'static str> {
    let mut head = Vec::new();
    fs_err::File::open(path).ok()?.take(4).read_to_end(&mut head).ok()?;
    match head.as_slice() {
        [b'#', b'!', ..] => Some("script with an interpreter line"),
        [0x7f, b'E', b'L', b'F'] | [0xcf, 0xfa, 0xed, 0xfe] | [0xca, 0xfe, 0xba, 0xbe] | [b'M', b'Z', ..] => Some("native code"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // INS-210
    #[test]
    fn names_of_tests_are_left_out() {
        for name in ["a.test.ts", "a.spec.js", "x.y.MOCK.mjs"] {
            assert_eq!(is_left_out(name, false), Some("test file"), "{name}");
        }
        for name in ["test.js", "spec.ts", "a.testing.ts", "contest.js", ".test"] {
            assert_ne!(is_left_out(name, false), Some("test file"), "{name}");
        }
        for name in TEST_DIRECTORIES {
            assert_eq!(is_left_out(name, true), Some("tests"));
        }
        assert_eq!(is_left_out("Tests", true), None);
    }
}
