//! One hook's directory: `HOOK.md` and its handler (HOOK-283, HOOK-284, HOOK-290).

use std::path::{Path, PathBuf};

use chela_catalog::{ReadFailure, read_root_file};

use crate::front_matter::FrontMatter;
use crate::metadata::HookMetadata;

/// What describes a hook.
pub const HOOK_FILE: &str = "HOOK.md";
/// What a hook runs; the first that is there.
pub const HANDLERS: [&str; 4] = ["handler.ts", "handler.js", "index.ts", "index.js"];
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

/// Reads one hook. `None` when the directory has no `HOOK.md`.
///
/// # Errors
/// A text that names the directory: an unreadable or unsafe `HOOK.md`, no handler, or one that is a link to somewhere else.
pub fn read_hook(dir: &Path) -> Result<Option<HookFile>, String> {
    let Ok(real) = dir.canonicalize() else { return Ok(None) };
    let shown = dir.display();
    let bytes = match read_root_file(&real, HOOK_FILE, true, MAX_HOOK_FILE) {
        Ok(bytes) => bytes,
        Err(ReadFailure::Missing) => return Ok(None),
        Err(ReadFailure::Unsafe(why) | ReadFailure::Io(why)) => return Err(format!("`{HOOK_FILE}` of `{shown}` is not read: {why}")),
    };
    let fields =
        FrontMatter::parse(&String::from_utf8_lossy(&bytes)).map_err(|why| format!("`{HOOK_FILE}` of `{shown}` is not read: {why}"))?;
    let folder = dir.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = fields.text("name").unwrap_or(folder);
    let handler = handler(&real).map_err(|why| format!("hook \"{name}\" has {HOOK_FILE} but no usable handler in `{shown}`: {why}"))?;
    let mut metadata = fields.metadata().map(|raw| HookMetadata::read(&raw)).unwrap_or_default();
    metadata.emoji = metadata.emoji.or_else(|| fields.text("emoji"));
    metadata.homepage = metadata.homepage.or_else(|| ["homepage", "website", "url"].into_iter().find_map(|key| fields.text(key)));
    let description = fields.text("description").unwrap_or_default();
    Ok(Some(HookFile { name, description, path: dir.join(HOOK_FILE), dir: real, handler, metadata }))
}

/// The first handler that is there and lies inside. One that is a link to somewhere else does not count.
fn handler(dir: &Path) -> Result<PathBuf, String> {
    let mut refused = None;
    for name in HANDLERS {
        let path = dir.join(name);
        let Ok(real) = path.canonicalize() else { continue };
        if !real.starts_with(dir) {
            refused = refused.or_else(|| Some(format!("`{name}` is a link that leaves the directory")));
            continue;
        }
        match real.metadata() {
            Ok(stat) if stat.is_file() && !has_other_names(&stat) => return Ok(real),
            Ok(stat) if stat.is_file() => refused = refused.or_else(|| Some(format!("`{name}` is a hard link"))),
            _ => {}
        }
    }
    Err(refused.unwrap_or_else(|| format!("{} missing", HANDLERS.join("/"))))
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
        let error = read_hook(&dir).unwrap_err();
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
        assert!(read_hook(&dir).unwrap_err().contains("`handler.js` is a link that leaves the directory"));
        fs_err::write(dir.join("index.js"), "").unwrap();
        assert_eq!(read_hook(&dir).unwrap().unwrap().handler, dir.join("index.js"));
        fs_err::hard_link(dir.join("index.js"), base.join("twin.js")).unwrap();
        assert!(read_hook(&dir).is_err());
        fs_err::remove_file(base.join("twin.js")).unwrap();
        fs_err::remove_file(dir.join("HOOK.md")).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", dir.join("HOOK.md")).unwrap();
        assert!(read_hook(&dir).unwrap_err().contains("symlink leaves"), "a HOOK.md from elsewhere");
    }
}
