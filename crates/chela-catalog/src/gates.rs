//! Safety gates before a candidate is considered (INS-020..INS-029).

use std::path::{Path, PathBuf};

use crate::diagnostic::{Diagnostic, Level};
use crate::fsio::{current_uid, mode_and_owner, real_path};

/// Code of every "blocked plugin candidate" diagnostic.
pub(crate) const BLOCKED: &str = "plugin-blocked";

/// Checks a candidate outside the program, whose `root` is a real path: containment, world-writable bits, ownership. Only the
/// root and the entry file are looked at (INS-028).
pub(crate) fn blocked(root: &Path, source: &Path, owner_uid: Option<u32>, id_hint: &str) -> Option<Diagnostic> {
    let (path, message) = escape(root, source).or_else(|| permissions(root, source, owner_uid))?;
    Some(Diagnostic::new(Level::Warn, BLOCKED, format!("blocked plugin candidate: {message}")).plugin(Some(id_hint)).at(&path))
}

fn escape(root: &Path, source: &Path) -> Option<(PathBuf, String)> {
    let real_source = real_path(source)?;
    if real_source.starts_with(root) {
        return None;
    }
    let message = format!("source escapes plugin root ({} -> {}; root={})", source.display(), real_source.display(), root.display());
    Some((source.to_owned(), message))
}

fn permissions(root: &Path, source: &Path, owner_uid: Option<u32>) -> Option<(PathBuf, String)> {
    let expected = owner_uid.unwrap_or_else(current_uid);
    let same = root == source;
    let paths = [root, source];
    for path in paths.into_iter().take(if same { 1 } else { 2 }) {
        let shown = path.display();
        let Ok(stat) = path.metadata() else {
            return Some((path.to_owned(), format!("cannot stat path ({shown})")));
        };
        let Some((mode, uid)) = mode_and_owner(&stat) else {
            continue;
        };
        if mode & 0o002 != 0 {
            let message = format!("world-writable path ({shown}, mode={mode:03o})");
            return Some((path.to_owned(), message));
        }
        if uid != expected && uid != 0 {
            let message = format!("suspicious ownership ({shown}, uid={uid}, expected uid={expected} or root)");
            return Some((path.to_owned(), message));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    // INS-024
    #[test]
    fn a_path_that_cannot_be_looked_at_is_blocked() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let gone = root.join("gone.js");
        let blocked = blocked(&root, &gone, None, "a").unwrap();
        assert_eq!(blocked.message, format!("blocked plugin candidate: cannot stat path ({})", gone.display()));
        assert_eq!((blocked.plugin_id.as_deref(), blocked.code, blocked.level), (Some("a"), Some(BLOCKED), Level::Warn));
    }
}
