//! Paths as models give them, and whether they lie where the tool may work (TOOL-36).

use std::io;
use std::path::{Component, Path, PathBuf};

/// Where a file tool works.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// The agent's workspace; relative paths start here.
    pub(crate) workspace: PathBuf,
    /// What `~` stands for.
    pub(crate) home: PathBuf,
    /// Nothing outside of the workspace may be touched.
    pub(crate) confined: bool,
}

impl Place {
    /// The file that a path means. Blocks on the disk when the place is confined.
    ///
    /// # Errors
    /// A text for the model when the path leaves the workspace.
    pub(crate) fn resolve(&self, given: &str) -> Result<PathBuf, String> {
        let given = given.trim();
        // Models quote files as `@path`; some give URLs.
        let given = given.strip_prefix('@').filter(|_| !self.workspace.join(given).exists()).unwrap_or(given);
        let given = given.strip_prefix("file://").unwrap_or(given);
        if given.is_empty() || given.contains('\0') {
            return Err("`path` names no file".into());
        }
        let path = match given {
            "~" => self.home.clone(),
            _ => match given.strip_prefix("~/") {
                Some(rest) => self.home.join(rest),
                None => self.workspace.join(given),
            },
        };
        let path = clean(&path);
        if self.confined {
            self.check(&path)
                .map_err(|reason| format!("`{given}` is outside of the workspace `{}`: {reason}", self.workspace.display()))?;
        }
        Ok(path)
    }

    /// The path for people: relative to the workspace where it lies in it.
    pub(crate) fn show(&self, path: &Path) -> String {
        match path.strip_prefix(&self.workspace) {
            Ok(rest) if !rest.as_os_str().is_empty() => rest.display().to_string(),
            _ => path.display().to_string(),
        }
    }

    /// True when no link leads out: what exists of the path is looked up, and the rest has no `..` any more.
    fn check(&self, path: &Path) -> Result<(), String> {
        let root = fs_err::canonicalize(&self.workspace).map_err(|e| e.to_string())?;
        let mut existing = path.to_path_buf();
        let mut rest = Vec::new();
        let real = loop {
            match std::fs::symlink_metadata(&existing) {
                Ok(_) => break fs_err::canonicalize(&existing).map_err(|e| e.to_string())?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let Some(name) = existing.file_name().map(ToOwned::to_owned) else { return Err("it names no file".into()) };
                    rest.push(name);
                    existing.pop();
                }
                Err(error) => return Err(error.to_string()),
            }
        };
        let real = rest.into_iter().rev().fold(real, |path, name| path.join(name));
        if real.starts_with(&root) { Ok(()) } else { Err("it leads elsewhere".into()) }
    }
}

fn clean(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(out.pop()),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    // TOOL-36
    #[test]
    fn a_confined_place_has_no_way_out() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = dir.path().join("w");
        std::fs::create_dir_all(workspace.join("sub")).unwrap();
        std::fs::write(dir.path().join("secret"), "x").unwrap();
        std::os::unix::fs::symlink(dir.path(), workspace.join("out")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("secret"), workspace.join("link")).unwrap();
        std::os::unix::fs::symlink("sub", workspace.join("in")).unwrap();
        std::os::unix::fs::symlink("nowhere", workspace.join("dangling")).unwrap();
        let mut place = Place { workspace: workspace.clone(), home: dir.path().to_owned(), confined: true };
        for (given, fits) in [
            ("a.txt", true),
            ("sub/new/deep.txt", true),
            ("in/x", true),
            ("sub/../a", true),
            ("../secret", false),
            ("/etc/passwd", false),
            ("~/secret", false),
            ("out/secret", false),
            ("link", false),
            ("out/new", false),
            ("dangling", false),
            ("", false),
        ] {
            assert_eq!(place.resolve(given).is_ok(), fits, "{given}");
        }
        let inside = workspace.join("b").display().to_string();
        assert_eq!(place.resolve(&inside).unwrap(), workspace.join("b"));
        place.confined = false;
        assert_eq!(place.resolve("~/secret").unwrap(), dir.path().join("secret"));
        assert_eq!(place.resolve("@sub/a").unwrap(), workspace.join("sub/a"));
        assert_eq!((place.show(&workspace.join("sub/a")), place.show(Path::new("/etc/x"))), ("sub/a".into(), "/etc/x".into()));
    }
}
