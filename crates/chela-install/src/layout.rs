//! Where installations live inside the state directory, and how ids and versions become directory names.

use std::path::{Path, PathBuf};

use chela_catalog::installs::sha256_hex;

/// Longest plain directory name; longer ones are cut and get a hash.
const MAX_NAME: usize = 100;

/// The paths of `<state>/chela/packages`.
#[derive(Debug, Clone)]
pub struct Layout {
    state_dir: PathBuf,
}

impl Layout {
    /// The layout of a state directory; nothing is created.
    pub fn new(state_dir: impl Into<PathBuf>) -> Self {
        Self { state_dir: state_dir.into() }
    }

    /// The state directory.
    pub fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// `<state>/chela/packages`.
    pub fn packages(&self) -> PathBuf {
        self.state_dir.join("chela").join("packages")
    }

    /// The directory of one plugin, with all its versions.
    pub fn plugin(&self, key: &str) -> PathBuf {
        self.packages().join(key)
    }

    /// Where things are fetched, unpacked and checked.
    pub fn stage_root(&self) -> PathBuf {
        self.packages().join(".stage")
    }

    /// The pending change.
    pub fn intent(&self) -> PathBuf {
        self.packages().join(".intent.json")
    }

    /// What was there before the first install. It holds the text of the config, so it is private as that is.
    pub(crate) fn origin(&self) -> PathBuf {
        self.packages().join(".origin.json")
    }

    /// The lock that every writing verb holds.
    pub fn lock(&self) -> PathBuf {
        self.packages().join(".lock")
    }

    /// The plugin index (INS-072).
    pub fn index(&self) -> PathBuf {
        self.state_dir.join("plugins").join("installs.json")
    }

    /// Where the reference keeps copies (INS-142).
    pub fn extensions(&self) -> PathBuf {
        self.state_dir.join("extensions")
    }

    /// Where the reference lets npm install (INS-168).
    pub fn npm_root(&self) -> PathBuf {
        self.state_dir.join("npm")
    }

    /// Where the reference keeps clones (INS-186).
    pub fn git_root(&self) -> PathBuf {
        self.state_dir.join("git")
    }
}

/// The directory name of a plugin id (INS-142). A name with a leading dot is hashed too: such names are ours.
pub fn key_of(id: &str) -> String {
    let id = id.trim();
    if id.contains('/') || id.starts_with('.') || id.len() > MAX_NAME { format!("@{}", hashed_segment(id)) } else { id.replace('\\', "__") }
}

/// A safe path segment; what had to change gets ten hex digits of its hash.
fn hashed_segment(text: &str) -> String {
    let mut base = String::new();
    for c in text.chars() {
        let c = if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
        if c != '-' || !base.ends_with('-') {
            base.push(c);
        }
    }
    let base = base.trim_matches('-');
    let safe = if base.is_empty() || base == "." || base == ".." { "skill" } else { base };
    let hash = &sha256_hex(text.as_bytes())[..10];
    let cut = &safe[..safe.len().min(50)];
    if safe != text || safe.len() > 60 { format!("{cut}-{hash}") } else { safe.to_owned() }
}

/// `<version>-<hash8>`, the version made safe.
pub(crate) fn version_dir(version: Option<&str>, content_hash: &str) -> String {
    let safe: String =
        version.unwrap_or("0").chars().map(|c| if c.is_ascii_alphanumeric() || ".+-_".contains(c) { c } else { '-' }).take(64).collect();
    let safe = safe.trim_start_matches('.');
    format!("{}-{}", if safe.is_empty() { "0" } else { safe }, &content_hash[..content_hash.len().min(8)])
}

/// The path below `node_modules` of a package: its name when npm would take it, else `fallback`.
pub(crate) fn module_path(name: Option<&str>, fallback: &str) -> PathBuf {
    let part = |text: &str| !text.is_empty() && !text.starts_with('.') && !text.contains(['\\', '\0', ':']);
    let usable = |name: &&str| match name.strip_prefix('@') {
        None => part(name) && !name.contains('/'),
        Some(scoped) => scoped.split_once('/').is_some_and(|(scope, rest)| part(scope) && part(rest) && !rest.contains('/')),
    };
    PathBuf::from(name.filter(usable).unwrap_or(fallback))
}

#[cfg(test)]
mod tests {
    use super::*;

    // INS-142
    #[test]
    fn ids_become_the_references_directory_names() {
        for (id, key) in [("alpha", "alpha"), ("a b", "a b"), ("@a/b", "@a-b-c93bbe639b"), (".lock", "@.lock")] {
            assert_eq!(key_of(id), key, "{id}");
        }
        assert!(key_of(&"x".repeat(300)).len() < 80);
    }

    #[test]
    fn versions_and_names_are_safe_path_segments() {
        assert_eq!(version_dir(Some("1.2.3"), "0123456789"), "1.2.3-01234567");
        assert_eq!(version_dir(Some("../../x"), "0123456789"), "-..-x-01234567");
        assert_eq!(version_dir(None, "0123456789"), "0-01234567");
        for (name, expected) in [
            (Some("@s/p"), "@s/p"),
            (Some("Legacy"), "Legacy"),
            (Some("../p"), "key"),
            (Some("@s/../p"), "key"),
            (Some(".bin"), "key"),
            (None, "key"),
        ] {
            assert_eq!(module_path(name, "key"), Path::new(expected), "{name:?}");
        }
    }
}
