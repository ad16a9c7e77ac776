//! Which of a plugin's files changed. They are looked at, not subscribed to: that works on every file system and for every way in which
//! editors save, and a plugin's own files are few.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// Files that are looked at; of a plugin with more, the first of each directory.
const FILES: usize = 3_000;
/// Directories inside each other.
const DEPTH: usize = 12;
/// Directories whose changes say nothing about the plugin's own code.
const LEFT_OUT: [&str; 4] = ["node_modules", "reports", "coverage", "target"];
/// Shortest time between two looks.
const INTERVAL: Duration = Duration::from_millis(75);

/// What tells two states of a file apart.
type Stamp = (Option<SystemTime>, u64);

/// The files of a directory as they were at the last look.
#[derive(Debug)]
pub struct Watch {
    root: PathBuf,
    seen: BTreeMap<PathBuf, Stamp>,
    cost: Duration,
}

impl Watch {
    /// Looks for the first time.
    pub fn new(root: &Path) -> Self {
        let mut watch = Self { root: root.into(), seen: BTreeMap::new(), cost: Duration::ZERO };
        watch.changed();
        watch
    }

    /// Time until the next look is worth its cost.
    pub fn interval(&self) -> Duration {
        INTERVAL.max(self.cost * 20)
    }

    /// Files that came, went or changed since the last look, from the directory.
    pub fn changed(&mut self) -> Vec<PathBuf> {
        let begun = Instant::now();
        let mut now = BTreeMap::new();
        look(&self.root, &self.root, DEPTH, &mut now);
        self.cost = begun.elapsed();
        let differs = |(path, stamp): &(&PathBuf, &Stamp)| self.seen.get(*path) != Some(stamp);
        let mut changed: Vec<PathBuf> = now.iter().filter(differs).map(|(path, _)| path.clone()).collect();
        changed.extend(self.seen.keys().filter(|path| !now.contains_key(*path)).cloned());
        self.seen = now;
        changed
    }
}

fn look(root: &Path, dir: &Path, depth: usize, out: &mut BTreeMap<PathBuf, Stamp>) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') || LEFT_OUT.contains(&&*name) || out.len() >= FILES {
            continue;
        }
        let path = entry.path();
        match entry.metadata() {
            Ok(meta) if meta.is_dir() && depth > 0 => look(root, &path, depth - 1, out),
            Ok(meta) if meta.is_file() => {
                let relative = path.strip_prefix(root).unwrap_or(&path).to_path_buf();
                out.insert(relative, (meta.modified().ok(), meta.len()));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_the_plugins_own_files_are_seen_and_others_are_not() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        };
        write("index.ts", "a");
        write("src/b.ts", "b");
        let mut watch = Watch::new(dir.path());
        assert!(watch.changed().is_empty());
        write("node_modules/x/index.js", "x");
        write(".git/HEAD", "x");
        assert!(watch.changed().is_empty());
        write("src/b.ts", "bb");
        write("new.json", "{}");
        assert_eq!(watch.changed(), [PathBuf::from("new.json"), "src/b.ts".into()]);
        fs_err::remove_file(dir.path().join("new.json")).unwrap();
        assert_eq!(watch.changed(), [PathBuf::from("new.json")]);
        // Saved under another name and renamed, as editors do.
        write("index.ts~", "other");
        fs_err::rename(dir.path().join("index.ts~"), dir.path().join("index.ts")).unwrap();
        assert_eq!(watch.changed(), [PathBuf::from("index.ts")]);
    }
}
