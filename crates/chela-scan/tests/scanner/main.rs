//! The scan through its public functions.
#![allow(clippy::unwrap_used)] // helpers outside `#[test]` functions

mod denied;
mod packages;
mod snippets;

use tempfile::TempDir;

/// A directory with these files.
fn tree(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs_err::create_dir_all(path.parent().unwrap()).unwrap();
        fs_err::write(path, text).unwrap();
    }
    dir
}
