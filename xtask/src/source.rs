//! The repository's own source files, read once.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use walkdir::WalkDir;

/// One source file.
pub struct Source {
    /// Path relative to the root, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl Source {
    /// The part before the file's test module.
    pub fn without_tests(&self) -> &str {
        self.text.split("#[cfg(test)]").next().unwrap_or_default()
    }

    /// True for files that hold nothing but tests.
    pub fn is_test_file(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        self.path.contains("/tests/")
            || self.path.contains("/test/")
            || name == "tests.rs"
            || name.ends_with("_tests.rs")
            || name.starts_with("testing")
            || name.starts_with("testkit")
            || name.starts_with("test_")
    }
}

/// All files with one of these extensions below `dirs`, without build output and vendored code.
pub fn read(root: &Path, dirs: &[&str], extensions: &[&str]) -> Result<Vec<Source>> {
    let mut found = Vec::new();
    for dir in dirs {
        let base = root.join(dir);
        if !base.exists() {
            continue;
        }
        let walk = WalkDir::new(&base).sort_by_file_name().into_iter().filter_entry(|e| !is_skipped(e.path()));
        for entry in walk {
            let entry = entry.with_context(|| format!("could not walk `{}`", base.display()))?;
            let path = entry.path();
            let fits = path.extension().and_then(|e| e.to_str()).is_some_and(|e| extensions.contains(&e));
            if entry.file_type().is_file() && fits {
                found.push(load(root, path)?);
            }
        }
    }
    Ok(found)
}

fn is_skipped(path: &Path) -> bool {
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    matches!(name, "target" | "node_modules" | "vendor" | "snapshots")
}

fn load(root: &Path, path: &Path) -> Result<Source> {
    let text = std::fs::read_to_string(path).with_context(|| format!("could not read `{}`", path.display()))?;
    let relative: PathBuf = path.strip_prefix(root).unwrap_or(path).into();
    Ok(Source { path: relative.to_string_lossy().replace('\\', "/"), text })
}
