//! Looking for hooks, and which of two with one name counts (HOOK-281..283).

use std::path::{Path, PathBuf};

use crate::bundled;
use crate::file::{HookFile, read_hook};
use crate::inputs::{HookInputs, HookSource, inside};

/// Most folders that are looked at in one directory of hooks.
const MAX_FOLDERS: usize = 1000;
/// Most hooks that one package may list.
const MAX_PACKAGE_HOOKS: usize = 200;
/// Largest `package.json` of a hook pack, in bytes.
const MAX_PACKAGE_BYTES: usize = 4 << 20;

/// A hook that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// What its directory says. Of a bundled hook, the paths are `builtin:` names.
    pub file: HookFile,
    /// Where it comes from.
    pub source: HookSource,
    /// The plugin that brings it.
    pub plugin_id: Option<String>,
}

impl Hook {
    /// Its key in the config (HOOK-286).
    pub fn key(&self) -> &str {
        self.file.metadata.hook_key.as_deref().unwrap_or(&self.file.name)
    }
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Discovered {
    /// One hook for each name, by rising precedence of what first had the name.
    pub hooks: Vec<Hook>,
    /// Folders that were skipped, and hooks that lost against another of their name.
    pub warnings: Vec<String>,
}

/// Looks for hooks. It cannot fail: what is wrong with one folder is a warning.
pub fn discover(inputs: &HookInputs) -> Discovered {
    let mut found = Discovered::default();
    for row in &bundled::ROWS {
        let (name, description) = (row.name, row.description);
        let dir = PathBuf::from(format!("builtin:hooks/{name}"));
        let (path, handler) = (dir.join(crate::HOOK_FILE), dir.join("handler"));
        let file = HookFile { name: name.to_owned(), description: description.to_owned(), path, dir, handler, metadata: row.metadata() };
        found.hooks.push(Hook { file, source: HookSource::Bundled, plugin_id: None });
    }
    let mut seen = Vec::new();
    for place in &inputs.plugin_dirs {
        let (id, path) = (&place.plugin_id, &place.path);
        match inside(&place.root, path) {
            Some(dir) if seen.contains(&dir) => {}
            Some(dir) => {
                found.directory(&dir, HookSource::Plugin, Some(id));
                seen.push(dir);
            }
            None => found.warnings.push(format!("hook path `{path}` of plugin `{id}` is not there or leaves the plugin's directory")),
        }
    }
    for dir in &inputs.extra_dirs {
        found.added(dir);
    }
    found.directory(&inputs.managed_dir, HookSource::Managed, None);
    found.directory(&inputs.workspace_hooks(), HookSource::Workspace, None);
    found
}

impl Discovered {
    /// The hook of this name, or of this key in the config.
    pub fn find(&self, text: &str) -> Option<&Hook> {
        self.hooks.iter().find(|hook| hook.file.name == text).or_else(|| self.hooks.iter().find(|hook| hook.key() == text))
    }

    fn directory(&mut self, dir: &Path, source: HookSource, plugin: Option<&str>) {
        let Ok(entries) = std::fs::read_dir(dir) else { return };
        let is_dir = |entry: &std::fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
        let mut folders: Vec<PathBuf> = entries.flatten().filter(is_dir).map(|entry| entry.path()).take(MAX_FOLDERS + 1).collect();
        folders.sort();
        if folders.len() > MAX_FOLDERS {
            folders.truncate(MAX_FOLDERS);
            self.warnings.push(format!("`{}` has more than {MAX_FOLDERS} folders; the others are not looked at", dir.display()));
        }
        for folder in folders {
            self.folder(&folder, &package_hooks(&folder), source, plugin);
        }
    }

    /// A directory that the operator added. A linked pack or hook is such a directory itself; otherwise hooks lie in it.
    fn added(&mut self, dir: &Path) {
        let listed = package_hooks(dir);
        if listed.is_empty() && !dir.join(crate::HOOK_FILE).exists() {
            return self.directory(dir, HookSource::Managed, None);
        }
        self.folder(dir, &listed, HookSource::Managed, None);
    }

    /// A hook, or a package that lists its hooks.
    fn folder(&mut self, folder: &Path, listed: &[String], source: HookSource, plugin: Option<&str>) {
        if listed.is_empty() {
            self.hook(folder, source, plugin);
        }
        for path in listed {
            match inside(folder, path) {
                Some(dir) => self.hook(&dir, source, plugin),
                None => self.warnings.push(format!("hook path \"{path}\" of `{}` is not there or leaves the package", folder.display())),
            }
        }
    }

    fn hook(&mut self, dir: &Path, source: HookSource, plugin: Option<&str>) {
        match read_hook(dir) {
            Ok(Some(file)) => self.take(Hook { file, source, plugin_id: plugin.map(str::to_owned) }),
            Ok(None) => {}
            Err(error) => self.warnings.push(error.to_string()),
        }
    }

    fn take(&mut self, hook: Hook) {
        match self.hooks.iter_mut().find(|known| known.file.name == hook.file.name) {
            None => self.hooks.push(hook),
            Some(known) if hook.source.replaces(known.source) => *known = hook,
            Some(known) => self.warnings.push(format!(
                "{} hook \"{}\" of `{}` is ignored: it cannot take the place of the {} hook of that name",
                hook.source.as_str(),
                hook.file.name,
                hook.file.dir.display(),
                known.source.as_str()
            )),
        }
    }
}

/// `openclaw.hooks` of a folder's `package.json`.
fn package_hooks(folder: &Path) -> Vec<String> {
    let real = folder.canonicalize().ok();
    let bytes = real.and_then(|dir| chela_catalog::read_root_file(&dir, "package.json", true, MAX_PACKAGE_BYTES).ok());
    let package = bytes.and_then(|bytes| chela_manifest::parse_package(&bytes).ok());
    let mut hooks = package.map(|package| package.hooks).unwrap_or_default();
    hooks.truncate(MAX_PACKAGE_HOOKS);
    hooks
}

#[cfg(test)]
mod tests;
