//! Whether a plugin's code names the hook, so that an installation starts listeners only.

use std::path::{Path, PathBuf};

/// Looked for in the code. A listener that hides the name from the operator gates nothing on the command line.
const NEEDLE: &str = "before_install";
/// Files of one plugin that are read; a plugin with more counts as one that names the hook.
const FILES: usize = 4000;
/// Bytes of one plugin that are read, as above.
const BYTES: u64 = 32 << 20;
/// Endings of code.
const CODE: &[&str] = &["js", "mjs", "cjs", "ts", "mts", "cts", "jsx", "tsx"];

/// Where a plugin's code lies: of an installed one the whole version directory, with its dependencies.
pub(super) fn code_of(root: &Path, packages: &Path) -> PathBuf {
    let Ok(inner) = root.strip_prefix(packages) else { return root.to_path_buf() };
    packages.join(inner.components().take(2).collect::<PathBuf>())
}

/// True when a file of code below `dir` holds the name, and when that cannot be said.
pub(super) fn names_hook(dir: &Path) -> bool {
    let (mut files, mut bytes, mut open) = (0, 0, vec![dir.to_path_buf()]);
    while let Some(dir) = open.pop() {
        let Ok(entries) = fs_err::read_dir(&dir) else { return true };
        for entry in entries.flatten() {
            let (path, Ok(kind)) = (entry.path(), entry.file_type()) else { return true };
            if kind.is_dir() {
                open.push(path);
            } else if path.extension().and_then(|e| e.to_str()).is_some_and(|e| CODE.contains(&e)) {
                // A link to a file is code like any other; one to a directory has no such name.
                let Ok(text) = fs_err::read(&path) else { return true };
                files += 1;
                bytes += text.len() as u64;
                if files > FILES || bytes > BYTES || String::from_utf8_lossy(&text).contains(NEEDLE) {
                    return true;
                }
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_that_names_the_hook_is_found_in_dependencies_too_and_other_files_do_not_count() {
        let dir = tempfile::tempdir().unwrap();
        let packages = dir.path().join("packages");
        let root = packages.join("p/1.0.0-a/node_modules/p");
        let dependency = packages.join("p/1.0.0-a/node_modules/guard/lib");
        fs_err::create_dir_all(&root).unwrap();
        fs_err::create_dir_all(&dependency).unwrap();
        fs_err::write(root.join("index.js"), "api.on('agent_end')").unwrap();
        fs_err::write(root.join("README.md"), "before_install").unwrap();
        let code = code_of(&root, &packages);
        assert_eq!(code, packages.join("p/1.0.0-a"));
        assert!(!names_hook(&code));
        fs_err::write(dependency.join("index.cjs"), b"\xff api.on(\"before_install\")").unwrap();
        assert!(names_hook(&code));
        assert!(!names_hook(&root));
        assert_eq!(code_of(dir.path(), &packages), dir.path());
        assert!(names_hook(&dir.path().join("gone")));
    }
}
