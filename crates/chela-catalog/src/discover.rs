//! Discovery: from roots to candidates (INS-001..INS-019). Each manifest is read and parsed once.

mod load;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use chela_manifest::PackageMeta;

use crate::bundle::{self, BundleInfo};
use crate::diagnostic::{Diagnostic, Level};
use crate::entries::{DEFAULT_ENTRIES, EntryScope, is_script_file};
use crate::fsio::real_path;
use crate::gates;
use crate::inputs::{BundledPlugin, CatalogInputs};
use crate::installs::InstallIndex;
use crate::policy::PluginPolicy;
use crate::record::Origin;
pub(crate) use load::{ManifestLoad, manifest as load_manifest, package_bytes};

/// Directory names that a scan passes over (INS-010).
const SKIPPED: [&str; 10] = [".git", ".hg", ".svn", ".turbo", ".yarn", ".yarn-cache", "build", "coverage", "dist", "node_modules"];

/// A file or directory that may become a plugin.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub origin: Origin,
    pub root_dir: PathBuf,
    pub source: PathBuf,
    pub setup_source: Option<PathBuf>,
    pub kind: CandidateKind,
    pub package: Option<Arc<PackageMeta>>,
    pub workspace_dir: Option<PathBuf>,
    /// How many entries the package declares; above one, only the first becomes a plugin (MAN-195).
    pub entry_count: usize,
}

#[derive(Debug, Clone)]
pub(crate) enum CandidateKind {
    Native(Rc<ManifestLoad>),
    Bundle(BundleInfo),
    Builtin(BundledPlugin),
}

/// Everything that discovery found.
#[derive(Debug, Default)]
pub(crate) struct Discovery {
    pub candidates: Vec<Candidate>,
    pub diagnostics: Vec<Diagnostic>,
}

/// Runs discovery in the order of INS-002.
pub(crate) fn discover(inputs: &CatalogInputs, policy: &PluginPolicy, index: &InstallIndex) -> Discovery {
    let mut finder = Finder {
        inputs,
        strict: policy.strict_compat,
        out: Discovery::default(),
        seen: HashSet::new(),
        manifests: HashMap::new(),
        tracked: tracked_dirs(inputs, index),
    };
    for path in &policy.load_paths {
        finder.add_path(&inputs.user_path(path), Origin::Config);
    }
    if let Some(workspace) = &inputs.workspace_dir {
        let root = workspace.join(".openclaw").join("extensions");
        finder.add_root(&root, Origin::Workspace, &HashSet::new());
    }
    for plugin in &inputs.bundled {
        finder.add_bundled(plugin);
    }
    let installed = installed_paths(inputs, index);
    for path in &installed {
        finder.add_path(path, Origin::Global);
    }
    // An install record's directory was scanned above, so it is left out here (INS-016).
    let done = installed.iter().filter_map(|path| plugin_dir(path)).collect();
    let global = inputs.state_dir.join("extensions");
    finder.add_root(&global, Origin::Global, &done);
    finder.out
}

fn installed_paths(inputs: &CatalogInputs, index: &InstallIndex) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = Vec::new();
    for record in index.records.values() {
        let Some(text) = record.text("installPath").or(record.text("sourcePath")) else {
            continue;
        };
        let path = inputs.user_path(text);
        if path.exists() && !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}

/// Real directories that an install record names, by either of its paths.
fn tracked_dirs(inputs: &CatalogInputs, index: &InstallIndex) -> HashSet<PathBuf> {
    let records = index.records.values();
    let texts = records.flat_map(|record| [record.text("installPath"), record.text("sourcePath")]);
    texts.flatten().filter_map(|text| plugin_dir(&inputs.user_path(text))).collect()
}

fn plugin_dir(path: &Path) -> Option<PathBuf> {
    let real = real_path(path)?;
    if real.is_file() {
        return real.parent().map(Path::to_owned);
    }
    Some(real)
}

struct Finder<'a> {
    inputs: &'a CatalogInputs,
    strict: bool,
    out: Discovery,
    seen: HashSet<PathBuf>,
    manifests: HashMap<PathBuf, Rc<ManifestLoad>>,
    tracked: HashSet<PathBuf>,
}

impl Finder<'_> {
    /// A load path or install path: a file, a plugin directory, or a directory of plugins (INS-003).
    fn add_path(&mut self, path: &Path, origin: Origin) {
        let shown = path.display();
        let Ok(stat) = path.metadata() else {
            let message = format!("plugin path not found: {shown}");
            let missing = Diagnostic::new(Level::Error, "plugin-path-missing", message);
            self.out.diagnostics.push(missing.at(path));
            return;
        };
        if stat.is_dir() {
            let Some(root) = real_path(path) else { return };
            if !self.plugin_dir(path, &root, origin) {
                self.scan_dir(path, &root, origin, &HashSet::new());
            }
        } else if stat.is_file() && is_script_file(path) {
            self.loose_file(path, origin);
        } else {
            let message = format!("plugin path is not a supported file: {shown}");
            let wrong = Diagnostic::new(Level::Error, "plugin-path-unsupported", message);
            self.out.diagnostics.push(wrong.at(path));
        }
    }

    /// A root that holds plugins; it need not exist.
    fn add_root(&mut self, dir: &Path, origin: Origin, skip: &HashSet<PathBuf>) {
        if let Some(real) = real_path(dir) {
            self.scan_dir(dir, &real, origin, skip);
        }
    }

    fn scan_dir(&mut self, dir: &Path, real: &Path, origin: Origin, skip: &HashSet<PathBuf>) {
        let entries = match std::fs::read_dir(dir) {
            Ok(entries) => entries,
            Err(error) => {
                let message = format!("failed to read extensions dir: {} ({error})", dir.display());
                let unreadable = Diagnostic::new(Level::Warn, "extensions-unreadable", message);
                self.out.diagnostics.push(unreadable.at(dir));
                return;
            }
        };
        let mut entries: Vec<_> = entries.filter_map(Result::ok).collect();
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let path = dir.join(entry.file_name());
            let Ok(kind) = entry.file_type() else {
                continue;
            };
            // A symlink counts as what it points at (INS-013).
            let (is_file, is_dir) = if kind.is_symlink() {
                let stat = path.metadata();
                let target = |test: fn(&std::fs::Metadata) -> bool| stat.as_ref().is_ok_and(test);
                (target(|stat| stat.is_file()), target(|stat| stat.is_dir()))
            } else {
                (kind.is_file(), kind.is_dir())
            };
            if is_file && is_script_file(&path) {
                self.loose_file(&path, origin);
            } else if is_dir && !is_skipped(&entry.file_name().to_string_lossy()) {
                let child = if kind.is_symlink() { real_path(&path) } else { Some(real.join(entry.file_name())) };
                if let Some(child) = child.filter(|child| !skip.contains(child)) {
                    self.plugin_dir(&path, &child, origin);
                }
            }
        }
    }

    /// Tries a directory as a plugin: package entries, bundle layout, default index (INS-008).
    /// False when it is none of these.
    fn plugin_dir(&mut self, shown: &Path, root: &Path, origin: Origin) -> bool {
        let reject_hardlinks = !self.lifts_hardlink_rule(root);
        let package = load::package(root, reject_hardlinks, &mut self.out.diagnostics);
        let manifest = self.manifest(root, reject_hardlinks);
        let hint = manifest.id().or_else(|| package.as_deref().and_then(PackageMeta::id_hint)).map(str::to_owned);
        let scope = EntryScope {
            root,
            label: shown,
            origin,
            tracked: self.tracked.contains(root),
            strict: self.strict,
            reject_hardlinks,
            id_hint: hint.as_deref(),
        };
        let setup_source = package.as_deref().and_then(|package| scope.setup(package, &mut self.out.diagnostics));
        let workspace_dir = self.workspace_of(origin);
        let candidate = |source: PathBuf, kind: CandidateKind, entry_count: usize| Candidate {
            origin,
            root_dir: root.to_owned(),
            source,
            setup_source: setup_source.clone(),
            kind,
            package: package.clone(),
            workspace_dir: workspace_dir.clone(),
            entry_count,
        };
        if let Some(package) = package.as_deref().filter(|p| !p.extensions.entries().is_empty()) {
            let sources = scope.extensions(package, &mut self.out.diagnostics);
            let count = package.extensions.entries().len();
            let found: Vec<_> =
                sources.into_iter().map(|source| candidate(source, CandidateKind::Native(manifest.clone()), count)).collect();
            let hint = hint.clone();
            found.into_iter().for_each(|found| self.add(found, hint.as_deref()));
            return true;
        }
        if let Some(format) = bundle::detect(root) {
            match bundle::load(root, format, reject_hardlinks) {
                Ok(info) => {
                    let id = info.id.clone();
                    let found = candidate(root.to_owned(), CandidateKind::Bundle(info), 1);
                    self.add(found, Some(&id));
                    return true;
                }
                // The default index is still tried (BUN-012).
                Err(error) => {
                    self.out.diagnostics.push(Diagnostic::new(Level::Error, "manifest-invalid", error.message).at(&error.manifest_path))
                }
            }
        }
        let index = DEFAULT_ENTRIES.iter().map(|name| root.join(name));
        if let Some(source) = index.into_iter().find(|path| path.exists()) {
            let found = candidate(source, CandidateKind::Native(manifest), 1);
            let base = root.file_name().map(|name| name.to_string_lossy().into_owned());
            self.add(found, hint.or(base).as_deref());
            return true;
        }
        if !matches!(*manifest, ManifestLoad::Missing { .. }) {
            // A manifest without code would otherwise vanish without a word.
            let message = "plugin has a manifest but no entry file; declare `openclaw.extensions` in \
                           package.json or add an index file";
            let silent = Diagnostic::new(Level::Warn, "entry-missing", message);
            self.out.diagnostics.push(silent.plugin(hint.as_deref()).at(shown));
            return true;
        }
        false
    }

    /// A script that is a plugin by itself; its manifest lies beside it (MAN-002, INS-009).
    fn loose_file(&mut self, path: &Path, origin: Origin) {
        let Some(root) = path.parent().and_then(real_path) else {
            return;
        };
        let Some(name) = path.file_name() else { return };
        let reject_hardlinks = !self.lifts_hardlink_rule(&root);
        let kind = CandidateKind::Native(self.manifest(&root, reject_hardlinks));
        let hint = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let found = Candidate {
            origin,
            source: root.join(name),
            root_dir: root,
            setup_source: None,
            kind,
            package: None,
            workspace_dir: self.workspace_of(origin),
            entry_count: 1,
        };
        self.add(found, hint.as_deref());
    }

    fn add_bundled(&mut self, plugin: &BundledPlugin) {
        self.out.candidates.push(Candidate {
            origin: Origin::Bundled,
            root_dir: plugin.root_dir.clone(),
            source: plugin.root_dir.clone(),
            setup_source: None,
            kind: CandidateKind::Builtin(plugin.clone()),
            package: plugin.package.clone(),
            workspace_dir: None,
            entry_count: 1,
        });
    }

    /// Passes the safety gates, then becomes a candidate once.
    fn add(&mut self, candidate: Candidate, hint: Option<&str>) {
        if !self.seen.insert(candidate.source.clone()) {
            return;
        }
        let blocked = gates::blocked(&candidate.root_dir, &candidate.source, self.inputs.owner_uid, hint.unwrap_or_default());
        match blocked {
            Some(diagnostic) => self.out.diagnostics.push(diagnostic),
            None => self.out.candidates.push(candidate),
        }
    }

    fn manifest(&mut self, root: &Path, reject_hardlinks: bool) -> Rc<ManifestLoad> {
        if let Some(known) = self.manifests.get(root) {
            return known.clone();
        }
        let loaded = Rc::new(load::manifest(root, reject_hardlinks));
        self.manifests.insert(root.to_owned(), loaded.clone());
        loaded
    }

    fn workspace_of(&self, origin: Origin) -> Option<PathBuf> {
        match origin {
            Origin::Workspace => self.inputs.workspace_dir.clone(),
            _ => None,
        }
    }

    fn lifts_hardlink_rule(&self, root: &Path) -> bool {
        lifts_hardlink_rule(self.inputs, root)
    }
}

/// Nix keeps identical files of its store as hard links (MAN-010).
fn lifts_hardlink_rule(inputs: &CatalogInputs, root: &Path) -> bool {
    inputs.env_is_set("OPENCLAW_NIX_MODE") && root.starts_with("/nix/store")
}

/// Directory names that a scan passes over (INS-010, INS-011).
fn is_skipped(name: &str) -> bool {
    let name = name.to_lowercase();
    SKIPPED.contains(&name.as_str()) || name.ends_with(".bak") || name.contains(".backup-") || name.contains(".disabled")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // MAN-010
    #[test]
    fn nix_lifts_the_hard_link_rule_in_its_store_only() {
        let mut inputs = CatalogInputs::new("/state", "/home/me", json!({}));
        let lifts = |inputs: &CatalogInputs, root: &str| lifts_hardlink_rule(inputs, Path::new(root));
        assert!(!lifts(&inputs, "/nix/store/abc-plugin"));
        for (value, expected) in [("1", true), ("0", false), ("", false)] {
            inputs.env.insert("OPENCLAW_NIX_MODE".into(), value.into());
            assert_eq!(lifts(&inputs, "/nix/store/abc-plugin"), expected, "{value:?}");
            assert!(!lifts(&inputs, "/nix/storehouse/abc") && !lifts(&inputs, "/home/me/nix/store/abc"));
        }
        // What the lifted rule allows, and what it does not.
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        fs_err::write(root.join("other.json"), r#"{"id": "a", "configSchema": {}}"#).unwrap();
        fs_err::hard_link(root.join("other.json"), root.join("openclaw.plugin.json")).unwrap();
        assert!(matches!(load::manifest(&root, false), ManifestLoad::Ok { .. }));
        assert!(matches!(load::manifest(&root, true), ManifestLoad::Broken { .. }));
    }
}
