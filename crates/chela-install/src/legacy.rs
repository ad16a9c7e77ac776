//! Installations that the reference made: its npm root, clones and copies. They are removed without npm (INS-304, INS-305).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chela_catalog::InstallRecord;
use serde_json::{Map, Value};

use crate::error::InstallError;
use crate::fsops::{remove_if_empty, remove_tree};
use crate::intent::Leftover;
use crate::layout::{Layout, key_of};

/// What of an installation of the reference may be removed; nothing for one of ours, for a linked source and for foreign paths
/// without a copy at the default place.
pub(crate) fn leftover_of(layout: &Layout, id: &str, record: &InstallRecord) -> Option<Leftover> {
    if is_linked(record) {
        return None;
    }
    let path = PathBuf::from(record.text("installPath")?);
    if is_ours(layout, &path) {
        return None;
    }
    let modules = layout.npm_root().join("node_modules");
    if record.source == "npm"
        && let Some(name) = package_below(&modules, &path)
    {
        return Some(Leftover::NpmPackage { root: layout.npm_root(), name });
    }
    if record.source == "git" && is_strictly_inside(&layout.git_root(), &path) {
        return Some(Leftover::Clone { path });
    }
    if is_strictly_inside(&layout.extensions(), &path) {
        return Some(Leftover::Directory { path });
    }
    let default = layout.extensions().join(key_of(id));
    default.is_dir().then_some(Leftover::Directory { path: default })
}

/// A path install whose source is used where it lies (INS-303).
pub(crate) fn is_linked(record: &InstallRecord) -> bool {
    if record.source != "path" {
        return false;
    }
    match (record.text("sourcePath"), record.text("installPath")) {
        (Some(source), Some(install)) => real(Path::new(source)) == real(Path::new(install)),
        _ => true,
    }
}

/// True for a path below our own packages.
pub(crate) fn is_ours(layout: &Layout, path: &Path) -> bool {
    path.starts_with(layout.packages())
}

impl Leftover {
    /// The directory that goes.
    pub(crate) fn path(&self) -> PathBuf {
        match self {
            Self::NpmPackage { root, name } => root.join("node_modules").join(name),
            Self::Clone { path } | Self::Directory { path } => path.clone(),
        }
    }
}

/// Removes it.
pub(crate) fn remove(leftover: &Leftover) -> Result<(), InstallError> {
    match leftover {
        Leftover::Directory { path } => remove_tree(path)?,
        Leftover::Clone { path } => {
            remove_tree(path)?;
            if let Some(parent) = path.parent() {
                remove_if_empty(parent);
            }
        }
        Leftover::NpmPackage { root, name } => remove_npm(root, name)?,
    }
    Ok(())
}

/// Takes a package out of the shared npm root: its entry, its directory, and every package that nothing else needs.
fn remove_npm(root: &Path, name: &str) -> Result<(), InstallError> {
    edit_json(&root.join("package.json"), |package| {
        package.get_mut("dependencies").and_then(Value::as_object_mut).is_some_and(|list| list.shift_remove(name).is_some())
    })?;
    let mut unneeded = BTreeSet::from([format!("node_modules/{name}")]);
    for lock in [root.join("package-lock.json"), root.join("node_modules/.package-lock.json")] {
        edit_json(&lock, |lock| {
            let Some(packages) = lock.get_mut("packages").and_then(Value::as_object_mut) else {
                return false;
            };
            if let Some(list) = packages.get_mut("").and_then(|top| top.get_mut("dependencies")).and_then(Value::as_object_mut) {
                list.shift_remove(name);
                // The hidden lock of npm has no top entry; what is needed follows from the other one alone.
                let needed = reachable(packages);
                unneeded.extend(packages.keys().filter(|path| !path.is_empty() && !needed.contains(*path)).cloned());
            }
            unneeded.iter().for_each(|path| drop(packages.shift_remove(path)));
            true
        })?;
    }
    for path in &unneeded {
        let inside = path.starts_with("node_modules/") && !path.split('/').any(|part| matches!(part, "" | "." | ".."));
        if inside {
            let dir = root.join(path);
            remove_tree(&dir)?;
            if let Some(scope) = dir.parent().filter(|scope| scope.file_name().is_some_and(|name| name.to_string_lossy().starts_with('@')))
            {
                remove_if_empty(scope);
            }
        }
    }
    Ok(())
}

/// Lock paths that the top entry needs, directly or not.
fn reachable(packages: &Map<String, Value>) -> BTreeSet<String> {
    let mut needed = BTreeSet::new();
    let mut open = vec![String::new()];
    while let Some(path) = open.pop() {
        let Some(package) = packages.get(&path) else { continue };
        for list in ["dependencies", "optionalDependencies", "peerDependencies"] {
            for name in package.get(list).and_then(Value::as_object).into_iter().flat_map(Map::keys) {
                if let Some(found) = resolve(packages, &path, name).filter(|found| !needed.contains(found)) {
                    needed.insert(found.clone());
                    open.push(found);
                }
            }
        }
    }
    needed
}

/// Where Node would find `name` from a package: the nearest `node_modules` upward.
fn resolve(packages: &Map<String, Value>, from: &str, name: &str) -> Option<String> {
    let mut base = from;
    loop {
        let path = if base.is_empty() { format!("node_modules/{name}") } else { format!("{base}/node_modules/{name}") };
        if packages.contains_key(&path) {
            return Some(path);
        }
        if base.is_empty() {
            return None;
        }
        base = base.rfind("/node_modules/").map_or("", |at| &base[..at]);
    }
}

/// Changes a JSON file if it is there, is an object and `edit` says that it changed.
fn edit_json(path: &Path, edit: impl FnOnce(&mut Map<String, Value>) -> bool) -> Result<(), InstallError> {
    let bytes = match fs_err::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let Ok(Value::Object(mut object)) = serde_json::from_slice(&bytes) else {
        return Err(InstallError::refused(format!("`{}` is not a JSON object", path.display())));
    };
    if edit(&mut object) {
        crate::fsops::replace_file(path, format!("{:#}\n", Value::Object(object)).as_bytes())?;
    }
    Ok(())
}

fn package_below(modules: &Path, path: &Path) -> Option<String> {
    let mut parts = path.strip_prefix(modules).ok()?.components().map(|part| part.as_os_str().to_string_lossy().into_owned());
    let first = parts.next()?;
    let name = if first.starts_with('@') { format!("{first}/{}", parts.next()?) } else { first };
    let safe = !name.split('/').any(|part| part == ".." || part == ".");
    (safe && parts.next().is_none()).then_some(name)
}

fn is_strictly_inside(root: &Path, path: &Path) -> bool {
    let (root, path) = (real(root), real(path));
    path != root && path.starts_with(&root)
}

fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(fields: Value) -> InstallRecord {
        InstallRecord::from_fields(fields.as_object().unwrap().clone()).unwrap()
    }

    // INS-303, INS-305
    #[test]
    fn only_managed_places_are_removed() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let at = |path: &str| dir.path().join(path).to_string_lossy().into_owned();
        let cases = [
            (json!({"source": "npm", "installPath": at("npm/node_modules/@s/p")}), Some("npm/node_modules/@s/p")),
            (json!({"source": "git", "installPath": at("git/git-1/repo")}), Some("git/git-1/repo")),
            (json!({"source": "archive", "installPath": at("extensions/a")}), Some("extensions/a")),
            (json!({"source": "path", "sourcePath": "/x", "installPath": "/x"}), None),
            (json!({"source": "path", "sourcePath": "/x"}), None),
            (json!({"source": "archive", "installPath": "/home"}), None),
            (json!({"source": "archive", "installPath": at("extensions")}), None),
            (json!({"source": "npm", "installPath": at("chela/packages/a/current/node_modules/a")}), None),
        ];
        for (fields, expected) in cases {
            let found = leftover_of(&layout, "a", &record(fields.clone())).map(|leftover| leftover.path());
            assert_eq!(found, expected.map(|path| dir.path().join(path)), "{fields}");
        }
        // A foreign path falls back to the default copy of that id.
        std::fs::create_dir_all(layout.extensions().join("a")).unwrap();
        let found = leftover_of(&layout, "a", &record(json!({"source": "archive", "installPath": "/home"})));
        assert_eq!(found.map(|leftover| leftover.path()), Some(layout.extensions().join("a")));
    }

    // INS-304
    #[test]
    fn a_package_leaves_the_npm_root_with_what_only_it_needs() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("npm");
        for name in ["@s/p", "q", "shared", "only", "only/node_modules/deep"] {
            std::fs::create_dir_all(root.join("node_modules").join(name)).unwrap();
        }
        let dependencies = json!({"@s/p": "1", "q": "1"});
        std::fs::write(root.join("package.json"), json!({"private": true, "dependencies": dependencies}).to_string()).unwrap();
        let lock = json!({"lockfileVersion": 3, "packages": {
            "": {"dependencies": dependencies},
            "node_modules/@s/p": {"dependencies": {"shared": "1", "only": "1"}},
            "node_modules/q": {"dependencies": {"shared": "1"}},
            "node_modules/shared": {}, "node_modules/only": {"dependencies": {"deep": "1"}}, "node_modules/only/node_modules/deep": {},
        }});
        std::fs::write(root.join("package-lock.json"), lock.to_string()).unwrap();
        remove(&Leftover::NpmPackage { root: root.clone(), name: "@s/p".into() }).unwrap();
        let read = |name: &str| -> Value { serde_json::from_slice(&std::fs::read(root.join(name)).unwrap()).unwrap() };
        assert_eq!(read("package.json"), json!({"private": true, "dependencies": {"q": "1"}}));
        let keys: Vec<String> = read("package-lock.json")["packages"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(keys, ["", "node_modules/q", "node_modules/shared"]);
        let left: BTreeSet<String> = std::fs::read_dir(root.join("node_modules"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        assert_eq!(left, ["q", "shared"].map(String::from).into());
    }
}
