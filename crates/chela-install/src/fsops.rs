//! File operations that leave either the old or the new state: atomic files, switched links, copies, removal.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use fs_err::os::unix::fs::OpenOptionsExt;
use sha2::{Digest, Sha256};

use crate::error::InstallError;

/// Most entries that a copied directory may have; a plugin with its dependencies has some ten thousand.
const MAX_ENTRIES: usize = 300_000;
/// Most bytes that a copied directory may have.
const MAX_BYTES: u64 = 4 << 30;
/// Deepest directory that is copied.
const MAX_DEPTH: usize = 96;
/// Mode of copied files: nothing inside a version changes.
const FILE: u32 = 0o444;
/// Mode of copied programs.
const PROGRAM: u32 = 0o555;

/// SHA-256 of each file by its path with `/`, sorted.
pub(crate) type FileHashes = std::collections::BTreeMap<String, String>;

/// Makes a directory and those above it, for the owner alone.
pub(crate) fn create_private_dir(dir: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .map_err(|error| std::io::Error::new(error.kind(), format!("failed to create directory `{}`: {error}", dir.display())))
}

/// Replaces a private file in one step.
pub(crate) fn replace_file(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let temp = sibling(path);
    let written = (|| {
        let mut file = fs_err::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temp)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs_err::rename(&temp, path)
    })();
    if written.is_err() {
        // The first error is the one that matters.
        let _ = std::fs::remove_file(&temp);
        return written;
    }
    sync_dir(path.parent());
    Ok(())
}

fn sibling(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.tmp", uuid::Uuid::new_v4().simple()))
}

/// Removes what [`replace_file`] left of `path` when its process was killed within. Nobody else may be writing the file.
pub(crate) fn sweep_siblings(path: &Path) -> std::io::Result<()> {
    let (Some(dir), Some(name)) = (path.parent().filter(|dir| dir.is_dir()), path.file_name()) else { return Ok(()) };
    let prefix = format!(".{}.", name.to_string_lossy());
    for entry in fs_err::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let random = name.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix(".tmp"));
        if random.is_some_and(|text| uuid::Uuid::try_parse(text).is_ok()) && entry.file_type()?.is_file() {
            remove_if_there(&entry.path())?;
        }
    }
    Ok(())
}

/// Makes what happened in a directory durable, where the file system can.
pub(crate) fn sync_dir(dir: Option<&Path>) {
    if let Some(Ok(handle)) = dir.map(std::fs::File::open) {
        // Some file systems cannot sync a directory; the change itself has happened.
        let _ = handle.sync_all();
    }
}

/// Points a link at `target` in one step, or removes it.
pub(crate) fn switch_link(link: &Path, target: Option<&str>) -> std::io::Result<()> {
    match target {
        Some(target) => {
            let temp = sibling(link);
            symlink(target, &temp)?;
            fs_err::rename(&temp, link).inspect_err(|_| {
                let _ = std::fs::remove_file(&temp);
            })?;
        }
        None => remove_if_there(link)?,
    }
    sync_dir(link.parent());
    Ok(())
}

/// Lets two directories change places in one step, where the file system can; elsewhere in three.
pub(crate) fn exchange(one: &Path, other: &Path) -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    if rustix::fs::renameat_with(rustix::fs::CWD, one, rustix::fs::CWD, other, rustix::fs::RenameFlags::EXCHANGE).is_ok() {
        return Ok(());
    }
    let aside = sibling(other);
    fs_err::rename(other, &aside)?;
    fs_err::rename(one, other).inspect_err(|_| {
        let _ = std::fs::rename(&aside, other);
    })?;
    fs_err::rename(&aside, one)
}

/// What a link says, if it is one.
pub(crate) fn link_target(link: &Path) -> Option<String> {
    Some(std::fs::read_link(link).ok()?.to_string_lossy().into_owned())
}

/// Removes a file that may be gone already.
pub(crate) fn remove_if_there(path: &Path) -> std::io::Result<()> {
    match fs_err::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes a directory if it is empty; anything else is left alone.
pub(crate) fn remove_if_empty(dir: &Path) {
    // Not empty and not there are both as it should be.
    let _ = std::fs::remove_dir(dir);
}

/// Removes a directory tree, read-only directories included. A tree that is not there is removed already.
pub(crate) fn remove_tree(dir: &Path) -> std::io::Result<()> {
    match std::fs::symlink_metadata(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Ok(stat) if !stat.is_dir() => return fs_err::remove_file(dir),
        _ => {}
    }
    match fs_err::remove_dir_all(dir) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            open_up(dir);
            fs_err::remove_dir_all(dir)
        }
        other => other,
    }
}

fn open_up(dir: &Path) {
    // What cannot be opened is named by the removal that follows.
    let _ = std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700));
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_up(&entry.path());
        }
    }
}

/// Copies a directory: files without write permission, links that stay inside, nothing else. `.git` at the top and a link to the
/// host's own package are left out; the host gives plugins that package itself.
///
/// # Errors
/// A link that leaves the directory, a device, socket or pipe, too many entries, and the file system's own errors.
pub(crate) fn copy_tree(from: &Path, to: &Path) -> Result<FileHashes, InstallError> {
    let root = fs_err::canonicalize(from)?;
    let mut copy = Copy { root: &root, hashes: FileHashes::new(), entries: 0, bytes: 0 };
    copy.dir(&root, to, "", 0)?;
    Ok(copy.hashes)
}

struct Copy<'a> {
    root: &'a Path,
    hashes: FileHashes,
    entries: usize,
    bytes: u64,
}

impl Copy<'_> {
    fn dir(&mut self, from: &Path, to: &Path, prefix: &str, depth: usize) -> Result<(), InstallError> {
        if depth > MAX_DEPTH {
            return Err(InstallError::refused(format!("directory is nested more than {MAX_DEPTH} levels deep: {}", from.display())));
        }
        fs_err::create_dir(to)?;
        for entry in fs_err::read_dir(from)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(text) = name.to_str() else {
                return Err(InstallError::refused(format!("file name is not UTF-8: {}", entry.path().display())));
            };
            let relative = if prefix.is_empty() { text.to_owned() } else { format!("{prefix}/{text}") };
            self.entries += 1;
            if self.entries > MAX_ENTRIES {
                return Err(InstallError::refused(format!("directory has more than {MAX_ENTRIES} entries: {}", self.root.display())));
            }
            let kind = entry.file_type()?;
            let (source, target) = (entry.path(), to.join(&name));
            if relative == ".git" {
                continue;
            } else if kind.is_dir() {
                self.dir(&source, &target, &relative, depth + 1)?;
            } else if kind.is_file() {
                let hash = self.file(&source, &target)?;
                self.hashes.insert(relative, hash);
            } else if kind.is_symlink() {
                self.link(&source, &target, &relative)?;
            } else {
                return Err(InstallError::refused(format!("not a file, directory or link: {}", source.display())));
            }
        }
        Ok(())
    }

    fn file(&mut self, from: &Path, to: &Path) -> Result<String, InstallError> {
        let mut source = fs_err::File::open(from)?;
        let program = source.metadata()?.permissions().mode() & 0o111 != 0;
        let mut target = fs_err::OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let n = source.read(&mut buffer)?;
            if n == 0 {
                break;
            }
            self.bytes += n as u64;
            if self.bytes > MAX_BYTES {
                return Err(InstallError::refused(format!("directory holds more than {MAX_BYTES} bytes: {}", self.root.display())));
            }
            hash.update(&buffer[..n]);
            target.write_all(&buffer[..n])?;
        }
        fs_err::set_permissions(to, std::fs::Permissions::from_mode(if program { PROGRAM } else { FILE }))?;
        Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    fn link(&mut self, from: &Path, to: &Path, relative: &str) -> Result<(), InstallError> {
        if relative == "node_modules/openclaw" {
            return Ok(());
        }
        let target = fs_err::read_link(from)?;
        let inside = target.is_relative() && fs_err::canonicalize(from).is_ok_and(|real| real.starts_with(self.root));
        if !inside {
            let message = format!("link leaves the plugin directory: {} -> {}", from.display(), target.display());
            return Err(InstallError::refused(message));
        }
        symlink(&target, to)?;
        Ok(())
    }
}

/// Hashes the files of a directory as [`copy_tree`] does, and makes them read-only. With `own_only`, a `node_modules` at its top is
/// left out: dependencies that were laid out there are links into a store.
pub(crate) fn seal_tree(dir: &Path, own_only: bool) -> Result<FileHashes, InstallError> {
    let mut hashes = FileHashes::new();
    seal(dir, "", own_only, &mut hashes)?;
    Ok(hashes)
}

fn seal(dir: &Path, prefix: &str, own_only: bool, hashes: &mut FileHashes) -> Result<(), InstallError> {
    for entry in fs_err::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let relative = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        let kind = entry.file_type()?;
        if own_only && relative == "node_modules" {
            continue;
        } else if kind.is_dir() {
            seal(&entry.path(), &relative, own_only, hashes)?;
        } else if kind.is_file() {
            let program = entry.metadata()?.permissions().mode() & 0o111 != 0;
            fs_err::set_permissions(entry.path(), std::fs::Permissions::from_mode(if program { PROGRAM } else { FILE }))?;
            hashes.insert(relative, hash_file(&entry.path())?);
        }
    }
    Ok(())
}

/// SHA-256 of a file, in hex.
pub(crate) fn hash_file(path: &Path) -> std::io::Result<String> {
    let mut file = fs_err::File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            n => hash.update(&buffer[..n]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_killed_write_left_is_swept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        replace_file(&path, b"1").unwrap();
        let kept = [".a.json.notes.tmp", ".a.json.tmp", ".b.json.362201e90ccc466e9ea0eb0b84e4e40f.tmp", "a.json"];
        kept.iter().for_each(|name| std::fs::write(dir.path().join(name), "x").unwrap());
        std::fs::write(sibling(&path), "half").unwrap();
        sweep_siblings(&path).unwrap();
        let mut left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, kept);
        sweep_siblings(&dir.path().join("gone/a.json")).unwrap();
    }

    #[test]
    fn copies_hold_files_and_inner_links_only() {
        let dir = tempfile::tempdir().unwrap();
        let from = dir.path().join("from");
        std::fs::create_dir_all(from.join("node_modules/.bin")).unwrap();
        std::fs::create_dir(from.join(".git")).unwrap();
        std::fs::write(from.join("a.js"), "a").unwrap();
        std::fs::write(from.join(".git/HEAD"), "x").unwrap();
        symlink("../../a.js", from.join("node_modules/.bin/a")).unwrap();
        symlink("/usr", from.join("node_modules/openclaw")).unwrap();
        let to = dir.path().join("to");
        let hashes = copy_tree(&from, &to).unwrap();
        assert_eq!(hashes.keys().collect::<Vec<_>>(), ["a.js"]);
        assert_eq!(hashes["a.js"], hash_file(&from.join("a.js")).unwrap());
        assert_eq!(std::fs::read_to_string(to.join("node_modules/.bin/a")).unwrap(), "a");
        assert!(!to.join(".git").exists() && to.join("node_modules/openclaw").symlink_metadata().is_err());
        assert_eq!(to.join("a.js").metadata().unwrap().permissions().mode() & 0o777, FILE);
        assert_eq!(seal_tree(&to, false).unwrap(), hashes);
        remove_tree(&to).unwrap();
        assert!(!to.exists());

        symlink("/etc/passwd", from.join("out")).unwrap();
        let error = copy_tree(&from, &to).unwrap_err().to_string();
        assert!(error.contains("link leaves the plugin directory"), "{error}");
    }

    #[test]
    fn links_are_switched_in_one_step() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("current");
        for target in [Some("a"), Some("b"), None, None] {
            switch_link(&link, target).unwrap();
            assert_eq!(link_target(&link).as_deref(), target);
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
