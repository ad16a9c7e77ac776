//! What is installed, as far as a glance at a few names and times tells.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Time, size and file number of each file; a missing file has none.
pub(super) type Stamps = Vec<(PathBuf, Option<(SystemTime, u64, u64)>)>;

/// Stamps of these files.
pub(super) fn stamps(files: Vec<PathBuf>) -> Stamps {
    let stamp = |path: &PathBuf| fs_err::metadata(path).ok().and_then(|m| Some((m.modified().ok()?, m.len(), m.ino())));
    files.into_iter().map(|path| (path.clone(), stamp(&path))).collect()
}

/// The plugin index, and the version that each installed plugin stands at.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Installed {
    index: Stamps,
    /// Each plugin's `current` and where it points, in order of the names.
    versions: Vec<(PathBuf, PathBuf)>,
    /// An installation is in the middle of its steps.
    pub(super) under_way: bool,
}

impl Installed {
    /// Looks at the state directory: reads one directory and one link for each plugin.
    pub(super) fn look(state_dir: &Path) -> Self {
        let packages = state_dir.join("chela/packages");
        let entries = fs_err::read_dir(&packages).into_iter().flatten().flatten();
        let link = |path: PathBuf| fs_err::read_link(&path).ok().map(|target| (path, target));
        let mut versions: Vec<(PathBuf, PathBuf)> = entries.filter_map(|entry| link(entry.path().join("current"))).collect();
        versions.sort();
        Self { index: stamps(vec![state_dir.join("plugins/installs.json")]), versions, under_way: packages.join(".intent.json").exists() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switched_version_a_new_index_and_a_pending_change_are_seen() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path();
        let empty = Installed::look(state);
        assert!(empty == Installed::look(state) && !empty.under_way);
        let plugin = state.join("chela/packages/p");
        std::fs::create_dir_all(&plugin).unwrap();
        std::os::unix::fs::symlink("1.0.0-a", plugin.join("current")).unwrap();
        let first = Installed::look(state);
        assert!(first != empty);
        std::os::unix::fs::symlink("1.0.1-b", plugin.join("next")).unwrap();
        std::fs::rename(plugin.join("next"), plugin.join("current")).unwrap();
        let second = Installed::look(state);
        assert!(second != first);
        std::fs::create_dir_all(state.join("plugins")).unwrap();
        std::fs::write(state.join("plugins/installs.json"), "{}").unwrap();
        assert!(Installed::look(state) != second);
        std::fs::write(state.join("chela/packages/.intent.json"), "{}").unwrap();
        assert!(Installed::look(state).under_way);
    }
}
