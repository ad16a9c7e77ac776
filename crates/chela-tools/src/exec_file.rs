//! `exec-approvals.json` on the disk: read whole, written atomically, never through a link.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use chela_approvals::exec_file::{ExecFile, ExecFileError, FILE_NAME, MAX_BYTES, digest};

/// One writer of this process at a time; other programs are seen by the digest.
static WRITING: Mutex<()> = Mutex::new(());

/// Why the file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The disk.
    #[error("{0}; look at its owner and mode")]
    Io(#[from] std::io::Error),
    /// The content.
    #[error("`{path}`: {source}; mend it, or replace it with `chela approvals set --file FILE`")]
    Content {
        /// The file.
        path: String,
        /// What is wrong.
        source: ExecFileError,
    },
    /// It is no plain file.
    #[error("`{0}` is no plain file of reasonable size; nothing was read or written")]
    Unsafe(String),
    /// Somebody else wrote it meanwhile.
    #[error("the file has changed since it was read; read it again")]
    Stale,
    /// The work was cut short.
    #[error("the work on exec approvals was cut short: {0}")]
    Cut(String),
}

/// The file as it was found.
#[derive(Debug, Clone)]
pub struct OnDisk {
    /// Its path.
    pub path: PathBuf,
    /// False when there is none: then everything is as the config says.
    pub exists: bool,
    /// Digest of its bytes.
    pub hash: String,
    /// Its content.
    pub file: ExecFile,
}

/// Reads the file of a state directory.
///
/// # Errors
/// See [`DiskError`]. A file that cannot be understood is an error: taken for an empty one it would allow more.
pub fn read_now(state_dir: &Path) -> Result<OnDisk, DiskError> {
    let path = state_dir.join(FILE_NAME);
    let found = match fs_err::symlink_metadata(&path) {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(OnDisk { path, exists: false, hash: digest(None), file: ExecFile::default() });
        }
        Err(error) => return Err(error.into()),
    };
    if !found.is_file() || found.len() > MAX_BYTES {
        return Err(DiskError::Unsafe(path.display().to_string()));
    }
    let raw = fs_err::read_to_string(&path)?;
    let file = ExecFile::parse(&raw).map_err(|source| DiskError::Content { path: path.display().to_string(), source })?;
    Ok(OnDisk { path, exists: true, hash: digest(Some(&raw)), file })
}

/// As [`read_now`], beside the runtime.
///
/// # Errors
/// As [`read_now`].
pub async fn read(state_dir: PathBuf) -> Result<OnDisk, DiskError> {
    beside(move || read_now(&state_dir)).await
}

/// Puts a new content in place of what has the digest `base`; an existing file cannot be replaced without one.
///
/// # Errors
/// [`DiskError::Stale`] when it has changed; see [`DiskError`].
pub async fn replace(state_dir: PathBuf, file: ExecFile, base: Option<String>) -> Result<(), DiskError> {
    beside(move || {
        let _one = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
        let current = read_now(&state_dir);
        let mut file = file;
        match &current {
            Ok(current) => {
                let same = if current.exists { base.as_deref() == Some(&current.hash) } else { base.is_none_or(|b| b == current.hash) };
                if !same {
                    return Err(DiskError::Stale);
                }
                file.keep_socket_of(&current.file);
            }
            // Replacing is how a broken file is mended.
            Err(DiskError::Content { .. }) => {}
            Err(_) => return current.map(drop),
        }
        write(&state_dir, &file)
    })
    .await
}

/// Changes the content; `change` says whether there is something to write. Returns that.
///
/// # Errors
/// See [`DiskError`].
pub async fn change(state_dir: PathBuf, change: impl FnOnce(&mut ExecFile) -> bool + Send + 'static) -> Result<bool, DiskError> {
    beside(move || change_now(&state_dir, change)).await
}

/// As [`change`], for who may block.
///
/// # Errors
/// See [`DiskError`].
pub fn change_now(state_dir: &Path, change: impl FnOnce(&mut ExecFile) -> bool) -> Result<bool, DiskError> {
    let _one = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut found = read_now(state_dir)?;
    let changed = change(&mut found.file);
    if changed {
        write(state_dir, &found.file)?;
    }
    Ok(changed)
}

fn write(state_dir: &Path, file: &ExecFile) -> Result<(), DiskError> {
    fs_err::create_dir_all(state_dir)?;
    let path = state_dir.join(FILE_NAME);
    let temp = state_dir.join(format!(".{FILE_NAME}.{}.tmp", uuid::Uuid::new_v4().simple()));
    let written = (|| {
        let mut out = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temp)?;
        out.write_all(file.to_text().as_bytes())?;
        out.sync_all()?;
        fs_err::rename(&temp, &path)
    })();
    if written.is_err() {
        let _ = std::fs::remove_file(&temp);
    }
    Ok(written?)
}

async fn beside<T: Send + 'static>(work: impl FnOnce() -> Result<T, DiskError> + Send + 'static) -> Result<T, DiskError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| DiskError::Cut(error.to_string()))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[tokio::test]
    async fn a_file_is_replaced_only_by_who_has_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let at = || dir.path().to_owned();
        assert!(!read(at()).await.unwrap().exists);
        let added = change(at(), |file| file.add_pattern("main", "rg", 1)).await.unwrap();
        assert!(added && !change(at(), |file| file.add_pattern("main", "rg", 2)).await.unwrap());
        let found = read(at()).await.unwrap();
        assert!(found.exists);
        assert_eq!(fs_err::metadata(&found.path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(replace(at(), ExecFile::default(), None).await, Err(DiskError::Stale)));
        assert!(matches!(replace(at(), ExecFile::default(), Some("x".into())).await, Err(DiskError::Stale)));
        replace(at(), ExecFile::default(), Some(found.hash)).await.unwrap();
        assert_eq!(read(at()).await.unwrap().file, ExecFile::default());
    }

    #[tokio::test]
    async fn what_cannot_be_understood_is_no_empty_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        std::fs::write(&path, "{oops").unwrap();
        assert!(matches!(read_now(dir.path()), Err(DiskError::Content { .. })));
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        assert!(matches!(read_now(dir.path()), Err(DiskError::Unsafe(_))));
        assert!(matches!(replace(dir.path().to_owned(), ExecFile::default(), None).await, Err(DiskError::Unsafe(_))));
    }
}
