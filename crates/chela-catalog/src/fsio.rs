//! Careful file access: bounded reads inside a root, realpath checks, mode and owner.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

/// The largest `package.json` and marker manifest that is read, in bytes.
pub(crate) const MAX_PACKAGE_BYTES: usize = 4 * 1024 * 1024;

/// Why a file inside a plugin root was not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadFailure {
    /// No such file.
    Missing,
    /// Refused; the text says why (MAN-004, MAN-008, MAN-009).
    Unsafe(String),
    /// The operating system refused.
    Io(String),
}

/// Reads `root/name`, where `root` is a real path and `name` a plain file name.
///
/// One open, one stat, one read in the ordinary case. A symlink is followed only to a place inside
/// the root; hard links are refused when `reject_hardlinks`; anything but a regular file is refused
/// without blocking on it.
///
/// # Errors
/// [`ReadFailure`] says which of these it was.
pub fn read_root_file(root: &Path, name: &str, reject_hardlinks: bool, limit: usize) -> Result<Vec<u8>, ReadFailure> {
    let path = root.join(name);
    let file = match open_no_follow(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(ReadFailure::Missing),
        Err(error) if is_symlink(&path) => {
            let _ = error;
            let target = real_path(&path).ok_or(ReadFailure::Missing)?;
            if !target.starts_with(root) {
                return Err(ReadFailure::Unsafe(format!("symlink leaves the plugin root: {}", target.display())));
            }
            open_no_follow(&target).map_err(|error| ReadFailure::Io(error.to_string()))?
        }
        Err(error) => return Err(ReadFailure::Io(error.to_string())),
    };
    read_bounded(file, reject_hardlinks, limit)
}

/// Reads a file below `root`, a real path, that a stranger names. It must lie inside by its real path and have one name only
/// (BUN-150, BUN-151).
pub(crate) fn read_inside(root: &Path, relative: &str, limit: usize) -> Result<Vec<u8>, ReadFailure> {
    let path = chela_config::paths::lexical(&root.join(relative));
    if !path.starts_with(root) {
        return Err(ReadFailure::Unsafe("leaves the plugin root".into()));
    }
    let Some(real) = real_path(&path) else { return Err(ReadFailure::Missing) };
    if !real.starts_with(root) {
        return Err(ReadFailure::Unsafe(format!("leaves the plugin root: {}", real.display())));
    }
    match (real.parent(), real.file_name().and_then(|name| name.to_str())) {
        (Some(dir), Some(name)) => read_root_file(dir, name, true, limit),
        _ => Err(ReadFailure::Missing),
    }
}

fn read_bounded(mut file: File, reject_hardlinks: bool, limit: usize) -> Result<Vec<u8>, ReadFailure> {
    let stat = file.metadata().map_err(|error| ReadFailure::Io(error.to_string()))?;
    if !stat.is_file() {
        return Err(ReadFailure::Unsafe("not a regular file".into()));
    }
    if reject_hardlinks && link_count(&stat) > 1 {
        return Err(ReadFailure::Unsafe("hard-linked file".into()));
    }
    if stat.len() > limit as u64 {
        return Err(ReadFailure::Unsafe(format!("{} bytes, the limit is {limit}", stat.len())));
    }
    let mut bytes = Vec::with_capacity(stat.len() as usize + 1);
    // The file may have grown since the stat, so the read is bounded as well.
    file.by_ref().take(limit as u64 + 1).read_to_end(&mut bytes).map_err(|error| ReadFailure::Io(error.to_string()))?;
    if bytes.len() > limit {
        return Err(ReadFailure::Unsafe(format!("more than {limit} bytes, the limit")));
    }
    Ok(bytes)
}

#[cfg(unix)]
fn open_no_follow(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    // NONBLOCK keeps a FIFO in a plugin directory from stopping the scan.
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path)
}

#[cfg(not(unix))]
fn open_no_follow(path: &Path) -> std::io::Result<File> {
    if is_symlink(path) {
        return Err(std::io::Error::other("is a symlink"));
    }
    OpenOptions::new().read(true).open(path)
}

fn is_symlink(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|stat| stat.file_type().is_symlink())
}

#[cfg(unix)]
pub(crate) fn link_count(stat: &Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::nlink(stat)
}

#[cfg(not(unix))]
pub(crate) fn link_count(_stat: &Metadata) -> u64 {
    1
}

/// The real path, or nothing when it cannot be resolved.
pub(crate) fn real_path(path: &Path) -> Option<PathBuf> {
    path.canonicalize().ok()
}

/// Permission bits and owner; `None` where the platform has none (INS-025).
#[cfg(unix)]
pub(crate) fn mode_and_owner(stat: &Metadata) -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt;
    Some((stat.mode() & 0o777, stat.uid()))
}

#[cfg(not(unix))]
pub(crate) fn mode_and_owner(_stat: &Metadata) -> Option<(u32, u32)> {
    None
}

/// The user that the process runs as.
#[cfg(unix)]
pub(crate) fn current_uid() -> u32 {
    rustix::process::getuid().as_raw()
}

#[cfg(not(unix))]
pub(crate) fn current_uid() -> u32 {
    0
}
