//! Which directory of an extracted archive is the package.

use std::path::{Path, PathBuf};

use crate::error::{ArchiveError, shown};

/// Files that make the top of an archive the package itself (INS-159).
pub const ROOT_MARKERS: [&str; 5] =
    ["package.json", "openclaw.plugin.json", ".codex-plugin/plugin.json", ".claude-plugin/plugin.json", ".cursor-plugin/plugin.json"];

/// The package in an extracted archive: `package`, else the top when it holds a marker (INS-160), else the only directory.
///
/// # Errors
/// [`ArchiveError::Layout`] names the directories; [`ArchiveError::Read`].
pub fn package_root(extracted: &Path) -> Result<PathBuf, ArchiveError> {
    let direct = extracted.join("package");
    if is_directory(&direct) {
        return Ok(direct);
    }
    if ROOT_MARKERS.iter().any(|marker| extracted.join(marker).symlink_metadata().is_ok()) {
        return Ok(extracted.into());
    }
    let mut dirs = Vec::new();
    for entry in fs_err::read_dir(extracted).map_err(ArchiveError::read)? {
        let entry = entry.map_err(ArchiveError::read)?;
        if is_directory(&entry.path()) {
            dirs.push(entry.file_name());
        }
    }
    dirs.sort();
    match dirs.as_slice() {
        [only] => Ok(extracted.join(only)),
        _ => Err(ArchiveError::Layout { dirs: dirs.iter().map(|dir| shown(dir.as_encoded_bytes())).collect() }),
    }
}

fn is_directory(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    // INS-159, INS-160
    #[test]
    fn the_package_directory_comes_first_then_the_top_then_the_only_directory() {
        let table: &[(&[&str], Result<&str, &str>)] = &[
            (&["package/package.json", "package.json"], Ok("package")),
            (&["package.json", "dist/index.js"], Ok("")),
            (&["openclaw.plugin.json", "a/x", "b/x"], Ok("")),
            (&[".claude-plugin/plugin.json", "skills/x"], Ok("")),
            (&["my-plugin-1.0/package.json", "NOTES"], Ok("my-plugin-1.0")),
            (&["b/package.json", "a/x"], Err("unexpected archive layout (dirs: a, b)")),
            (&["index.js"], Err("unexpected archive layout (dirs: )")),
        ];
        for (files, expected) in table {
            let dir = tempfile::tempdir().unwrap();
            for file in *files {
                fs_err::create_dir_all(dir.path().join(file).parent().unwrap()).unwrap();
                fs_err::write(dir.path().join(file), "{}").unwrap();
            }
            let root = package_root(dir.path());
            match expected {
                Ok(path) => assert_eq!(root.unwrap(), if path.is_empty() { dir.path().to_path_buf() } else { dir.path().join(path) }),
                Err(text) => assert_eq!(root.unwrap_err().to_string(), *text),
            }
        }
    }

    #[test]
    fn a_link_called_package_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc", dir.path().join("package")).unwrap();
        assert!(package_root(dir.path()).is_err());
    }
}
