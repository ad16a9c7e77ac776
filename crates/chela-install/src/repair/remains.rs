//! Files that nothing uses: broken ones of the extensions root are set aside under a name that scans pass over (INS-011), what the
//! reference's installer and its older repairs made and left is removed.

use std::path::{Path, PathBuf};

use chela_catalog::{Level, Snapshot};

use super::Repaired;
use crate::error::InstallError;
use crate::fsops::remove_tree;
use crate::layout::Layout;

/// Endings of scripts that may be plugins (INS-004).
const SCRIPTS: [&str; 6] = ["ts", "js", "mts", "cts", "mjs", "cjs"];
/// Dependencies that older references installed beside plugins.
const STAGED: [&str; 2] = ["plugin-runtime-deps", "bundled-plugin-runtime-deps"];
/// What an interrupted install of the reference leaves in the extensions root (INS-145).
const STAGE_PREFIX: &str = ".openclaw-install-stage-";
const BACKUPS: &str = ".openclaw-install-backups";

/// Removes what the reference staged.
pub(super) fn remove(layout: &Layout, done: &mut Repaired) {
    let mut remains: Vec<PathBuf> = STAGED.iter().map(|name| layout.state_dir().join(name)).collect();
    for entry in std::fs::read_dir(layout.extensions()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(STAGE_PREFIX) || name == BACKUPS {
            remains.push(entry.path());
        }
    }
    for path in remains.into_iter().filter(|path| path.symlink_metadata().is_ok_and(|stat| stat.is_dir())) {
        match remove_tree(&path) {
            Ok(()) => done.changes.push(format!("removed what an older installer left: `{}`", path.display())),
            Err(error) => done.warnings.push(format!("what an older installer left cannot be removed: {error}")),
        }
    }
}

/// Renames what cannot be a plugin: directories with a broken or missing manifest, and scripts without one beside them.
pub(super) fn set_aside(root: &Path, snapshot: &Snapshot, done: &mut Repaired) -> Result<(), InstallError> {
    let Ok(real) = root.canonicalize() else {
        return Ok(());
    };
    let broken: Vec<&Path> = snapshot
        .diagnostics
        .iter()
        .filter(|entry| entry.level == Level::Error && matches!(entry.code, Some("manifest-missing" | "manifest-invalid")))
        .filter_map(|entry| entry.source.as_deref())
        .collect();
    let mut paths: Vec<PathBuf> = Vec::new();
    for manifest in broken {
        let Some(dir) = manifest.parent() else { continue };
        if dir == real || dir == root {
            // A manifest there would belong to the scripts beside it.
            paths.extend(scripts_of(&real));
        } else if let Ok(below) = dir.strip_prefix(&real).or_else(|_| dir.strip_prefix(root))
            && let Some(first) = below.components().next()
        {
            paths.push(real.join(first));
        }
    }
    paths.sort();
    paths.dedup();
    for path in paths.into_iter().filter(|path| !is_recorded(snapshot, path)) {
        let aside = free_name(&path);
        fs_err::rename(&path, &aside)?;
        done.changes.push(format!("set a broken plugin aside: `{}` is `{}` now", path.display(), aside.display()));
    }
    Ok(())
}

fn scripts_of(root: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_script = |path: &PathBuf| path.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| SCRIPTS.contains(&ending));
    entries.filter(|path| path.is_file() && is_script(path)).collect()
}

fn is_recorded(snapshot: &Snapshot, path: &Path) -> bool {
    let paths = snapshot.index.records.values().flat_map(|record| [record.text("installPath"), record.text("sourcePath")]);
    paths.flatten().any(|recorded| Path::new(recorded).canonicalize().is_ok_and(|recorded| recorded.starts_with(path)))
}

fn free_name(path: &Path) -> PathBuf {
    let named = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(".disabled");
        name.push(suffix);
        PathBuf::from(name)
    };
    let first = named("");
    let mut others = (2..).map(|n| named(&format!("-{n}")));
    if first.symlink_metadata().is_err() { first } else { others.find(|name| name.symlink_metadata().is_err()).unwrap_or(first) }
}
