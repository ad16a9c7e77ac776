//! What to scan, and how much of it.

use std::path::{Path, PathBuf};

/// How files are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The import graph of the entries (INS-207).
    Package,
    /// The whole tree without dot-directories, `node_modules` and tests, and the entries (INS-209).
    Bundle,
}

/// What to scan.
#[derive(Clone, Copy, Debug)]
pub struct ScanTarget<'a> {
    /// The plugin's directory.
    pub root: &'a Path,
    /// Declared entries, relative to `root` or absolute.
    pub entries: &'a [PathBuf],
    /// How files are chosen.
    pub mode: Mode,
}

/// How much is scanned. The default is the reference's (INS-206, INS-207).
#[derive(Clone, Copy, Debug)]
pub struct ScanLimits {
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Files that are scanned.
    pub files: usize,
    /// Files that the import graph may hold.
    pub graph_files: usize,
}

impl Default for ScanLimits {
    fn default() -> Self {
        Self { file_bytes: 1 << 20, files: 500, graph_files: 1000 }
    }
}

/// How large a tree of dependencies may be (INS-232), and which links may leave it.
#[derive(Clone, Debug)]
pub struct TreeLimits {
    /// Directories inside each other.
    pub depth: usize,
    /// Directories.
    pub directories: usize,
    /// `package.json` files.
    pub manifests: usize,
    /// Directories outside the tree to which the host's own peer link (`node_modules/openclaw`) may lead.
    pub host_roots: Vec<PathBuf>,
}

impl Default for TreeLimits {
    fn default() -> Self {
        Self { depth: 64, directories: 10_000, manifests: 10_000, host_roots: Vec::new() }
    }
}

impl TreeLimits {
    /// The limits with the overrides of the environment that `get` reads: positive whole numbers, anything else is ignored.
    pub fn from_env(get: impl Fn(&str) -> Option<String>) -> Self {
        let default = Self::default();
        let read = |name: &str, fallback: usize| get(name).and_then(|text| leading_number(&text)).filter(|n| *n > 0).unwrap_or(fallback);
        Self {
            depth: read("OPENCLAW_INSTALL_SCAN_MAX_DEPTH", default.depth),
            directories: read("OPENCLAW_INSTALL_SCAN_MAX_DIRECTORIES", default.directories),
            manifests: read("OPENCLAW_INSTALL_SCAN_MAX_MANIFESTS", default.manifests),
            host_roots: default.host_roots,
        }
    }
}

/// As `parseInt` reads it: `12abc` is 12.
fn leading_number(text: &str) -> Option<usize> {
    let text = text.trim();
    let text = text.strip_prefix('+').unwrap_or(text);
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    text[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    // INS-232
    #[test]
    fn the_environment_overrides_the_tree_limits() {
        let defaults = TreeLimits::from_env(|_| None);
        assert_eq!((defaults.depth, defaults.directories, defaults.manifests), (64, 10_000, 10_000));
        for (text, depth) in [("7", 7), (" 12x", 12), ("0", 64), ("-3", 64), ("x", 64), ("", 64)] {
            assert_eq!(TreeLimits::from_env(|name| name.ends_with("_DEPTH").then(|| text.into())).depth, depth, "{text}");
        }
        assert_eq!(TreeLimits::from_env(|name| name.ends_with("_DIRECTORIES").then(|| "3".into())).directories, 3);
        assert_eq!(TreeLimits::from_env(|name| name.ends_with("_MANIFESTS").then(|| "4".into())).manifests, 4);
    }
}
