//! Small JSON files that another program may write at the same time.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

/// Attempts to take a lock (CH-45).
const ATTEMPTS: usize = 10;
/// First and longest wait between attempts (CH-45).
const WAITS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// A lock this old was left behind (CH-45).
const STALE: Duration = Duration::from_secs(30);

/// Makes a directory that only its owner may enter.
pub(crate) fn private_dir(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

/// A file as JSON; null when it is missing or broken.
pub(crate) fn read(file: &Path) -> Value {
    let text = fs_err::read_to_string(file).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// Replaces a file as a whole; only its owner may read it.
pub(crate) fn write(file: &Path, value: &Value) -> std::io::Result<()> {
    let dir = file.parent().unwrap_or(Path::new("."));
    let mut temp = tempfile::NamedTempFile::new_in(dir)?;
    serde_json::to_writer_pretty(&mut temp, value)?;
    temp.as_file().sync_all()?;
    temp.persist(file).map(|_| ()).map_err(|e| e.error)
}

/// A time as the files have it.
pub(crate) fn stamp(at: i64) -> String {
    jiff::Timestamp::from_millisecond(at).map(|t| format!("{t:.3}")).unwrap_or_default()
}

/// The time of a stamp, in ms since 1970.
pub(crate) fn time_of(value: &Value) -> Option<i64> {
    value.as_str()?.parse::<jiff::Timestamp>().ok().map(|t| t.as_millisecond())
}

/// The reference's lock beside a file, so that both may run on one state directory (CH-45).
pub(crate) struct FileLock(PathBuf);

impl FileLock {
    pub(crate) fn take(file: &Path) -> std::io::Result<Self> {
        let lock = PathBuf::from(format!("{}.lock", file.display()));
        let mut wait = WAITS.0;
        for _ in 0..=ATTEMPTS {
            match fs_err::OpenOptions::new().write(true).create_new(true).open(&lock) {
                Ok(_) => return Ok(Self(lock)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                    let age = fs_err::metadata(&lock).and_then(|m| m.modified()).ok().and_then(|at| at.elapsed().ok());
                    if age.is_some_and(|age| age > STALE) {
                        let _ = fs_err::remove_file(&lock);
                        continue;
                    }
                    std::thread::sleep(jittered(wait));
                    wait = (wait * 2).min(WAITS.1);
                }
                Err(error) => return Err(error),
            }
        }
        Err(std::io::Error::other(format!("`{}` is held by another program; remove it when none runs", lock.display())))
    }
}

/// Between one and two times as long: programs that wait together come back apart.
fn jittered(wait: Duration) -> Duration {
    let [random, ..] = *uuid::Uuid::new_v4().as_bytes();
    wait + wait.mul_f32(f32::from(random) / 255.0)
}

impl Drop for FileLock {
    fn drop(&mut self) {
        let _ = fs_err::remove_file(&self.0);
    }
}
