//! The tree of a plugin and its dependencies.

use std::collections::{HashSet, VecDeque};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::manifest::{self, Declared};
use super::{DenylistHit, Place, is_denied_path};
use crate::error::ScanError;
use crate::leftover::sorted;
use crate::limits::TreeLimits;

/// Largest `package.json`, in bytes. Those of the registry have a few thousand.
const MANIFEST_BYTES: u64 = 16 << 20;

/// All hits of a tree, each directory once (INS-232).
pub(super) fn tree(root: &Path, limits: &TreeLimits) -> Result<Vec<DenylistHit>, ScanError> {
    let real = fs_err::canonicalize(root).map_err(|source| ScanError::Read { path: root.into(), source })?;
    let mut walk = Walk { root, real, limits, hits: Vec::new(), manifests: 0 };
    let mut seen = HashSet::new();
    let mut open = VecDeque::from([(root.to_path_buf(), 0)]);
    while let Some((dir, depth)) = open.pop_front() {
        if depth > limits.depth {
            return Err(ScanError::Depth { limit: limits.depth, path: dir });
        }
        if !seen.insert(dir.canonicalize().unwrap_or_else(|_| dir.clone())) {
            continue;
        }
        if seen.len() > limits.directories {
            return Err(ScanError::Directories { limit: limits.directories, path: root.into() });
        }
        for entry in sorted(&dir)? {
            let kind = entry.file_type().map_err(|source| ScanError::Read { path: entry.path(), source })?;
            let path = entry.path();
            if kind.is_symlink() {
                walk.link(&path)?;
            } else if kind.is_dir() {
                walk.named(&path, &Place::Directory);
                open.push_back((path, depth + 1));
            } else if kind.is_file() {
                walk.named(&path, &Place::File);
                if entry.file_name() == "package.json" {
                    walk.manifest(&path)?;
                }
            }
        }
    }
    Ok(walk.hits)
}

struct Walk<'a> {
    root: &'a Path,
    real: PathBuf,
    limits: &'a TreeLimits,
    hits: Vec<DenylistHit>,
    manifests: usize,
}

impl Walk<'_> {
    fn relative(&self, path: &Path) -> PathBuf {
        path.strip_prefix(self.root).unwrap_or(path).into()
    }

    fn named(&mut self, path: &Path, place: &Place) {
        let relative = self.relative(path);
        let parts = parts(&relative);
        if let Some(dependency) = below_node_modules(&parts, *place == Place::File) {
            self.hits.push(DenylistHit { place: place.clone(), path: relative, dependency });
        }
    }

    /// INS-233: a link may stay inside, or lead to the host that the peer dependency means.
    fn link(&mut self, path: &Path) -> Result<(), ScanError> {
        self.named(path, &Place::Directory);
        self.named(path, &Place::File);
        let relative = self.relative(path);
        let names = parts(&relative);
        if !names.iter().any(|name| name.eq_ignore_ascii_case("node_modules")) {
            return Ok(());
        }
        let target = path.canonicalize().map_err(|source| ScanError::LinkBroken { path: relative.clone(), source })?;
        let Ok(inside) = target.strip_prefix(&self.real) else {
            let peer = matches!(names.as_slice(), [.., a, b] if a == "node_modules" && b == "openclaw")
                || matches!(names.as_slice(), [.., a, b, c] if a == "node_modules" && b == ".bin" && c == "openclaw");
            let host = |root: &PathBuf| root.canonicalize().is_ok_and(|root| target.starts_with(root));
            if peer && self.limits.host_roots.iter().any(host) {
                return Ok(());
            }
            return Err(ScanError::LinkLeaves { path: relative });
        };
        let names = parts(inside);
        if let Some(dependency) = names.iter().find(|name| is_denied_path(name)) {
            self.hits.push(DenylistHit { place: Place::Directory, path: inside.into(), dependency: dependency.clone() });
        } else if let Some(dependency) =
            names.last().and_then(|name| loads_as(name)).filter(|name| target.is_file() && is_denied_path(name))
        {
            self.hits.push(DenylistHit { place: Place::File, path: inside.into(), dependency: dependency.into() });
        }
        Ok(())
    }

    fn manifest(&mut self, path: &Path) -> Result<(), ScanError> {
        self.manifests += 1;
        if self.manifests > self.limits.manifests {
            return Err(ScanError::Manifests { limit: self.limits.manifests, path: self.root.into() });
        }
        let failed = |source| ScanError::Read { path: path.into(), source };
        let mut bytes = Vec::new();
        fs_err::File::open(path).map_err(failed)?.take(MANIFEST_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > MANIFEST_BYTES {
            return Err(ScanError::ManifestSize { limit: MANIFEST_BYTES, path: path.into() });
        }
        // Packages ship broken manifests as test data; npm installs nothing from them either.
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let Ok(value) = serde_json::from_slice::<Value>(text) else { return Ok(()) };
        let package = value.get("name").and_then(Value::as_str).map(str::trim).filter(|name| !name.is_empty()).map(String::from);
        let relative = self.relative(path);
        self.hits.extend(manifest::denied(&value).into_iter().map(|Declared { field, dependency, declared_as }| DenylistHit {
            place: Place::Field { field, declared_as, package: package.clone() },
            path: relative.clone(),
            dependency,
        }));
        Ok(())
    }
}

fn parts(path: &Path) -> Vec<String> {
    path.iter().map(|part| part.to_string_lossy().into_owned()).collect()
}

/// A denied package in a path below `node_modules`; of a file's name what it loads as.
fn below_node_modules(parts: &[String], file: bool) -> Option<String> {
    let name = |part: &String| if file { loads_as(part).map(String::from) } else { Some(part.clone()) };
    for (at, part) in parts.iter().enumerate() {
        if !part.eq_ignore_ascii_case("node_modules") {
            continue;
        }
        let id = match parts.get(at + 1) {
            Some(scope) if scope.starts_with('@') => parts.get(at + 2).and_then(name).map(|name| format!("{scope}/{name}")),
            Some(part) => name(part),
            None => None,
        };
        if let Some(id) = id.filter(|id| is_denied_path(id)) {
            return Some(id);
        }
    }
    None
}

/// `x` for `x`, `x.js`, `x.json` and `x.node`.
fn loads_as(file: &str) -> Option<&str> {
    match file.rsplit_once('.') {
        Some((stem, extension)) if ["js", "json", "node"].iter().any(|e| extension.eq_ignore_ascii_case(e)) && !stem.is_empty() => {
            Some(stem)
        }
        Some(_) => None,
        None => Some(file),
    }
}
