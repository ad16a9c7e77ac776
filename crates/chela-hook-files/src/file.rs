//! One hook's directory: `HOOK.md` and its handler (HOOK-283, HOOK-284, HOOK-290).

use std::path::{Path, PathBuf};

use chela_catalog::{ReadFailure, read_root_file};

use crate::front_matter::FrontMatter;
use crate::metadata::HookMetadata;

/// What describes a hook.
pub const HOOK_FILE: &str = "HOOK.md";
/// What a hook runs; the first that is there.
pub const HANDLERS: [&str; 4] = ["handler.ts", "handler.js", "index.ts", "index.js"];
/// Longest name in characters; the rest is cut off.
const MAX_NAME: usize = 200;
/// Largest `HOOK.md` that is read, in bytes.
const MAX_HOOK_FILE: usize = 1 << 20;

/// A hook as its directory describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookFile {
    /// Front-matter name, else the directory's.
    pub name: String,
    /// Front-matter description; empty without one.
    pub description: String,
    /// The `HOOK.md`.
    pub path: PathBuf,
    /// Real path of the directory.
    pub dir: PathBuf,
    /// Real path of the handler, inside the directory.
    pub handler: PathBuf,
    /// Its metadata; defaults without any.
    pub metadata: HookMetadata,
}

/// Why a directory with a `HOOK.md` is no hook.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HookError {
    /// The `HOOK.md` is unsafe, too large, or cannot be read.
    #[error("`{HOOK_FILE}` of `{dir}` is not read: {why}")]
    Unreadable {
        /// The directory.
        dir: String,
        /// The reason.
        why: String,
    },
    /// There is nothing to run.
    #[error("hook \"{name}\" in `{dir}` has no handler: {} missing", HANDLERS.join("/"))]
    NoHandler {
        /// The hook's name.
        name: String,
        /// The directory.
        dir: String,
    },
    /// What it would run is refused (HOOK-290).
    #[error("hook \"{name}\" in `{dir}` has no safe handler: `{file}` {why}")]
    UnsafeHandler {
        /// The hook's name.
        name: String,
        /// The directory.
        dir: String,
        /// The handler.
        file: String,
        /// The reason.
        why: &'static str,
    },
}

/// Reads one hook. `None` when the directory has no `HOOK.md`.
///
/// # Errors
/// [`HookError`].
pub fn read_hook(dir: &Path) -> Result<Option<HookFile>, HookError> {
    let Ok(real) = dir.canonicalize() else { return Ok(None) };
    let unreadable = |why: String| HookError::Unreadable { dir: dir.display().to_string(), why };
    let bytes = match read_root_file(&real, HOOK_FILE, true, MAX_HOOK_FILE) {
        Ok(bytes) => bytes,
        Err(ReadFailure::Missing) => return Ok(None),
        Err(ReadFailure::Unsafe(why) | ReadFailure::Io(why)) => return Err(unreadable(why)),
    };
    let fields = FrontMatter::parse(&String::from_utf8_lossy(&bytes)).map_err(unreadable)?;
    let folder = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    // Names are printed, logged and config keys.
    let name: String = fields.text("name").unwrap_or(folder).chars().filter(|c| !c.is_control()).take(MAX_NAME).collect();
    let handler = handler(&real, &name)?;
    let mut metadata = fields.metadata().map(|raw| HookMetadata::read(&raw)).unwrap_or_default();
    metadata.emoji = metadata.emoji.or_else(|| fields.text("emoji"));
    metadata.homepage = metadata.homepage.or_else(|| ["homepage", "website", "url"].into_iter().find_map(|key| fields.text(key)));
    let description = fields.text("description").unwrap_or_default();
    Ok(Some(HookFile { name, description, path: dir.join(HOOK_FILE), dir: real, handler, metadata }))
}

/// The first handler that is there and lies inside. One that is a link to somewhere else does not count.
fn handler(dir: &Path, name: &str) -> Result<PathBuf, HookError> {
    let (name, dir_text) = (name.to_owned(), dir.display().to_string());
    let mut refused = None;
    for file in HANDLERS {
        let Ok(real) = dir.join(file).canonicalize() else { continue };
        let Ok(stat) = real.metadata() else { continue };
        let why = match stat.is_file() {
            false => continue,
            true if !real.starts_with(dir) => "is a link that leaves the directory",
            true if has_other_names(&stat) => "is a hard link",
            true => return Ok(real),
        };
        refused = refused.or(Some((file.to_owned(), why)));
    }
    Err(match refused {
        Some((file, why)) => HookError::UnsafeHandler { name, dir: dir_text, file, why },
        None => HookError::NoHandler { name, dir: dir_text },
    })
}

#[cfg(unix)]
pub(crate) fn has_other_names(stat: &std::fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(stat) > 1
}

#[cfg(not(unix))]
pub(crate) fn has_other_names(_stat: &std::fs::Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    // HOOK-283, HOOK-284, HOOK-290
    #[test]
    fn the_first_handler_inside_counts() {
        let base = tempfile::tempdir().unwrap();
        let base = base.path().canonicalize().unwrap();
        fs_err::write(base.join("outside.js"), "").unwrap();
        let dir = base.join("folder");
        fs_err::create_dir(&dir).unwrap();
        assert_eq!(read_hook(&dir), Ok(None));
        fs_err::write(dir.join("HOOK.md"), "# no front matter").unwrap();
        let error = read_hook(&dir).unwrap_err().to_string();
        assert!(error.ends_with("handler.ts/handler.js/index.ts/index.js missing"), "{error}");
        for (name, expected) in
            [("index.js", "index.js"), ("index.ts", "index.ts"), ("handler.js", "handler.js"), ("handler.ts", "handler.ts")]
        {
            fs_err::write(dir.join(name), "").unwrap();
            let hook = read_hook(&dir).unwrap().unwrap();
            assert_eq!((hook.name.as_str(), hook.handler), ("folder", dir.join(expected)));
        }
        for name in HANDLERS {
            fs_err::remove_file(dir.join(name)).unwrap();
        }
        std::os::unix::fs::symlink(base.join("outside.js"), dir.join("handler.js")).unwrap();
        assert!(read_hook(&dir).unwrap_err().to_string().contains("`handler.js` is a link that leaves the directory"));
        fs_err::write(dir.join("index.js"), "").unwrap();
        assert_eq!(read_hook(&dir).unwrap().unwrap().handler, dir.join("index.js"));
        fs_err::hard_link(dir.join("index.js"), base.join("twin.js")).unwrap();
        assert!(read_hook(&dir).is_err());
        fs_err::remove_file(base.join("twin.js")).unwrap();
        fs_err::remove_file(dir.join("HOOK.md")).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", dir.join("HOOK.md")).unwrap();
        assert!(read_hook(&dir).unwrap_err().to_string().contains("symlink leaves"), "a HOOK.md from elsewhere");
    }
}
