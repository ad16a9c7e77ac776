//! The embedded SDK: the worker script and the `openclaw` package, written out once per content.

use std::io;
use std::path::{Path, PathBuf};

use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

/// The files of the SDK, without its tests and tools.
#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/../../sdk/node"]
#[exclude = "test/*"]
#[exclude = "tools/*"]
struct Files;

/// The worker's entry within the SDK.
pub(crate) const ENTRY: &str = "worker/main.js";

/// The text of one of the SDK's files, named from its root.
pub fn file(name: &str) -> Option<std::borrow::Cow<'static, [u8]>> {
    Files::get(name).map(|file| file.data)
}

/// Writes the SDK below `cache_dir` unless it is there, and returns its directory.
///
/// # Errors
/// When the directory cannot be written; the error names the path.
pub fn install(cache_dir: &Path) -> io::Result<PathBuf> {
    let mut names: Vec<_> = Files::iter().collect();
    names.sort();
    let mut hash = Sha256::new();
    let mut files = Vec::with_capacity(names.len());
    for name in names {
        let Some(file) = Files::get(&name) else {
            continue;
        };
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name.as_bytes());
        hash.update(file.metadata.sha256_hash());
        files.push((name, file.data));
    }
    let digest: String = hash.finalize().iter().take(8).map(|b| format!("{b:02x}")).collect();
    let sdk = cache_dir.join("sdk");
    let target = sdk.join(digest);
    if target.join(ENTRY).is_file() {
        return Ok(target);
    }
    let scratch = sdk.join(format!(".new-{}-{}", std::process::id(), uuid::Uuid::new_v4().simple()));
    for (name, data) in files {
        let path = scratch.join(name.as_ref());
        fs_err::create_dir_all(path.parent().unwrap_or(&scratch))?;
        fs_err::write(&path, data)?;
    }
    publish(&scratch, &target)
}

/// Gives the finished directory its name in one step. Another process may have been faster, with the same content.
fn publish(scratch: &Path, target: &Path) -> io::Result<PathBuf> {
    let renamed = fs_err::rename(scratch, target);
    if renamed.is_err() && !target.join(ENTRY).is_file() && target.exists() {
        // Left over from something that removed files; it cannot be in use without its entry.
        fs_err::remove_dir_all(target)?;
        fs_err::rename(scratch, target)?;
        return Ok(target.to_path_buf());
    }
    if renamed.is_err() {
        let _ = fs_err::remove_dir_all(scratch);
        if !target.join(ENTRY).is_file() {
            return renamed.map(|()| target.to_path_buf());
        }
    }
    Ok(target.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sdk_is_written_once_and_repaired_when_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let sdk = install(dir.path()).unwrap();
        assert!(sdk.join(ENTRY).is_file());
        assert!(!sdk.join("test").exists() && !sdk.join("tools").exists());
        let written = fs_err::metadata(sdk.join(ENTRY)).unwrap().modified().unwrap();
        assert_eq!(install(dir.path()).unwrap(), sdk);
        assert_eq!(fs_err::metadata(sdk.join(ENTRY)).unwrap().modified().unwrap(), written);
        fs_err::remove_file(sdk.join(ENTRY)).unwrap();
        assert_eq!(install(dir.path()).unwrap(), sdk);
        assert!(sdk.join(ENTRY).is_file());
        assert_eq!(fs_err::read_dir(dir.path().join("sdk")).unwrap().count(), 1, "no scratch directory is left");
    }
}
