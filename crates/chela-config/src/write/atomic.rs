//! Files that are either the old or the new one, never a part: temporary file, sync, rename, sync of the
//! directory; backups; a lock against other writers (GW-138).

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;

use crate::error::ConfigError;

/// Mode of the configuration and everything derived from it.
const PRIVATE: u32 = 0o600;
/// How many earlier versions are kept: `.bak`, `.bak.1` ... `.bak.4`.
pub const BACKUP_GENERATIONS: usize = 5;

/// Appends to the file name: `openclaw.json` + `.bak`.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(suffix);
    path.with_file_name(name)
}

/// Replaces a file. When this fails the old file is untouched and nothing else is left behind.
pub(crate) fn replace(path: &Path, content: &str, keep_backups: bool) -> Result<(), ConfigError> {
    let dir = parent(path);
    let temp = with_suffix(path, &format!(".{}.{}.tmp", std::process::id(), unique()));
    let result = write_temp(&temp, content).and_then(|()| {
        if keep_backups && path.exists() {
            rotate_backups(path)?;
        }
        std::fs::rename(&temp, path).map_err(ConfigError::io("replace", path))
    });
    if result.is_err() {
        // The error that matters is the first one.
        let _ = std::fs::remove_file(&temp);
        return result;
    }
    sync_dir(dir);
    Ok(())
}

/// Removes a file; its last content stays as a backup.
pub(crate) fn remove(path: &Path) -> Result<(), ConfigError> {
    rotate_backups(path)?;
    std::fs::remove_file(path).map_err(ConfigError::io("remove", path))?;
    sync_dir(parent(path));
    Ok(())
}

/// Creates a private file, with its directory; `false` when it exists already.
pub(crate) fn write_new_private(path: &Path, content: &str) -> Result<bool, ConfigError> {
    create_private_dir(parent(path))?;
    let temp = with_suffix(path, &format!(".{}.{}.tmp", std::process::id(), unique()));
    write_temp(&temp, content).inspect_err(|_| {
        let _ = std::fs::remove_file(&temp);
    })?;
    // A link, unlike a rename, does not replace a file that is there.
    let linked = std::fs::hard_link(&temp, path);
    let _ = std::fs::remove_file(&temp);
    match linked {
        Ok(()) => {
            sync_dir(parent(path));
            Ok(true)
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(ConfigError::io("write", path)(error)),
    }
}

/// Makes a directory that only its owner may enter; one that exists stays as it is.
pub(crate) fn create_private_dir(dir: &Path) -> Result<(), ConfigError> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(ConfigError::io("create directory", dir))
}

/// Appends a line to a private file.
pub(crate) fn append_line(path: &Path, line: &str) -> Result<(), ConfigError> {
    create_private_dir(parent(path))?;
    let mut file = File::options().create(true).append(true).mode(PRIVATE).open(path).map_err(ConfigError::io("open", path))?;
    file.write_all(format!("{line}\n").as_bytes()).map_err(ConfigError::io("write", path))
}

fn write_temp(temp: &Path, content: &str) -> Result<(), ConfigError> {
    let fail = |error| ConfigError::io("write", temp)(error);
    let mut file = File::options().write(true).create_new(true).mode(PRIVATE).open(temp).map_err(fail)?;
    file.write_all(content.as_bytes()).map_err(fail)?;
    file.sync_all().map_err(fail)
}

/// Moves every backup one generation on and keeps the current file as `.bak`.
fn rotate_backups(path: &Path) -> Result<(), ConfigError> {
    let name = |generation: usize| match generation {
        0 => with_suffix(path, ".bak"),
        n => with_suffix(path, &format!(".bak.{n}")),
    };
    for generation in (0..BACKUP_GENERATIONS - 1).rev() {
        let from = name(generation);
        match std::fs::rename(&from, name(generation + 1)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(ConfigError::io("keep backup", from)(error));
            }
            _ => {}
        }
    }
    let backup = name(0);
    // A link costs no space, which matters on a full disk; the rename that follows separates the two.
    if std::fs::hard_link(path, &backup).is_err() {
        std::fs::copy(path, &backup).map_err(ConfigError::io("write backup", &backup))?;
    }
    std::fs::set_permissions(&backup, std::fs::Permissions::from_mode(PRIVATE)).map_err(ConfigError::io("protect", &backup))
}

fn sync_dir(dir: &Path) {
    // Some file systems cannot sync a directory; the rename itself has happened.
    if let Ok(handle) = File::open(dir) {
        let _ = handle.sync_all();
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn unique() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Held while the configuration is read, changed and written. The system releases it when the process
/// ends, however it ends.
pub(crate) struct WriteLock {
    path: PathBuf,
    _file: File,
}

impl WriteLock {
    /// Waits for the lock.
    pub(crate) fn acquire(config_path: &Path, timeout: Duration) -> Result<Self, ConfigError> {
        let path = with_suffix(config_path, ".lock");
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(file) = try_lock(&path)? {
                return Ok(Self { path, _file: file });
            }
            if Instant::now() >= deadline {
                return Err(ConfigError::Locked { path: config_path.to_path_buf(), lock: path });
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for WriteLock {
    fn drop(&mut self) {
        // While it is locked it is ours to remove. One that stays harms nobody.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn try_lock(path: &Path) -> Result<Option<File>, ConfigError> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(PRIVATE)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32)
        .open(path)
        .map_err(ConfigError::io("open lock", path))?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => return Ok(None),
        Err(error) => return Err(ConfigError::io("lock", path)(error.into())),
    }
    // A lock on a file that its former holder removed meanwhile holds nobody off.
    let same = |there: std::fs::Metadata| file.metadata().is_ok_and(|ours| (ours.dev(), ours.ino()) == (there.dev(), there.ino()));
    Ok(std::fs::symlink_metadata(path).is_ok_and(same).then_some(file))
}
