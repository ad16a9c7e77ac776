//! Claude marketplaces: lists of plugins in a directory or a repository (INS-272..INS-283).

pub(crate) mod manifest;

use std::path::{Component, Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use crate::choice::known_marketplaces;
use crate::error::InstallError;
use crate::git::{Git, GitSpec};
use crate::install::Installer;
use crate::scratch::Scratch;
use crate::world::World;
pub use manifest::{EntrySource, MarketplaceEntry};
use manifest::{Manifest, bad_entry, is_web};

/// Where the manifest is (INS-272).
const MANIFESTS: [&str; 2] = [".claude-plugin/marketplace.json", "marketplace.json"];
/// Largest manifest that is read, in bytes.
const MAX_MANIFEST: u64 = 8 << 20;

/// A marketplace on this machine.
#[derive(Debug)]
pub(crate) struct Marketplace {
    pub manifest: Manifest,
    pub root: PathBuf,
    /// How it is called in messages.
    pub label: String,
}

/// What `plugins marketplace list` gives (INS-282).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MarketplaceListing {
    /// The marketplace, as it is called in messages.
    pub source: String,
    /// Its own name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its plugins, in its order.
    pub plugins: Vec<MarketplaceEntry>,
}

impl Installer {
    /// Lists the plugins of a marketplace; nothing in the state directory is written.
    ///
    /// # Errors
    /// When there is none at `source`, or it breaks the rules.
    pub fn marketplace_list(&self, source: &str) -> Result<MarketplaceListing, InstallError> {
        let scratch = Scratch::create(&self.world.env)?;
        let found = load(&self.world, source, &scratch.path().join("marketplace"))?;
        let mut plugins = found.manifest.plugins;
        plugins.iter_mut().for_each(|plugin| plugin.source = plugin.source.redacted());
        Ok(MarketplaceListing { source: found.label, name: found.manifest.name, version: found.manifest.version, plugins })
    }
}

/// Finds a marketplace: a name that Claude knows, a path, or a repository, which is cloned to the new directory `clone` (INS-276).
pub(crate) fn load(world: &World, source: &str, clone: &Path) -> Result<Marketplace, InstallError> {
    let source = source.trim();
    let home = world.env.non_empty("HOME").map_or_else(|| world.paths.home.clone(), PathBuf::from);
    let Some(known) = known_marketplaces(&home).and_then(|mut known| known.get_mut(source).map(Value::take)) else {
        return load_from(world, source, None, source, clone);
    };
    let copy = crate::clawhub::digest::text(&known, "installLocation").map(|text| world.user_path(text));
    if let Some(manifest) = copy.and_then(|copy| local_manifest(&copy).ok()) {
        return local(&manifest, source.to_owned());
    }
    let unusable = |why: String| {
        InstallError::refused(format!(
            "Claude knows the marketplace \"{source}\", but has no usable copy of it, and its source is unusable: {why}"
        ))
        .hint("add it to Claude again, or give its path or repository")
    };
    // Claude calls a path `directory` or `file`.
    let path = match known["source"]["source"].as_str() {
        Some("directory" | "file") => crate::clawhub::digest::text(&known["source"], "path"),
        _ => None,
    };
    if let Some(path) = path {
        return load_from(world, path, None, source, clone);
    }
    match EntrySource::parse(&known["source"]).map_err(unusable)? {
        EntrySource::Path { path } => load_from(world, &path, None, source, clone),
        EntrySource::Github { repo: url, reference, .. }
        | EntrySource::Git { url, reference, .. }
        | EntrySource::GitSubdir { url, reference, .. } => load_from(world, &url, reference.as_deref(), source, clone),
        EntrySource::Url { url } => load_from(world, &url, None, source, clone),
    }
}

fn load_from(world: &World, source: &str, reference: Option<&str>, label: &str, clone: &Path) -> Result<Marketplace, InstallError> {
    let path = world.user_path(source);
    if !source.is_empty() && reference.is_none() && path.exists() {
        let manifest = local_manifest(&path)?;
        let label = if label == source { manifest.display().to_string() } else { label.to_owned() };
        return local(&manifest, label);
    }
    let spec = repository(world, source, reference).ok_or_else(|| {
        InstallError::refused(format!("unsupported marketplace source: {}", crate::redact::redact(source)))
            .hint("give a path, a marketplace name that Claude knows, `OWNER/REPO` or a git address")
    })?;
    let label = spec.label.clone();
    Git::find(&world.env)?.clone(&spec, clone)?;
    let not_found =
        || InstallError::refused(format!("marketplace manifest not found in {label}")).hint(format!("it should be `{}`", MANIFESTS[0]));
    let manifest = MANIFESTS.iter().map(|name| clone.join(name)).find(|path| path.is_file()).ok_or_else(not_found)?;
    let root = fs_err::canonicalize(clone)?;
    if !manifest.canonicalize()?.starts_with(&root) {
        return Err(not_found());
    }
    let found = Marketplace { manifest: read(&manifest, &label)?, root, label };
    found.refuse_foreign()?;
    Ok(found)
}

fn local(manifest: &Path, label: String) -> Result<Marketplace, InstallError> {
    let dir = manifest.parent().unwrap_or(manifest);
    let inner = dir.file_name().is_some_and(|name| name == ".claude-plugin");
    let root = if inner { dir.parent().unwrap_or(dir) } else { dir };
    Ok(Marketplace { manifest: read(manifest, &manifest.display().to_string())?, root: root.to_owned(), label })
}

/// The manifest of a directory, or the file itself.
fn local_manifest(path: &Path) -> Result<PathBuf, InstallError> {
    if path.is_file() {
        return Ok(path.to_owned());
    }
    let inner = path.file_name().is_some_and(|name| name == ".claude-plugin");
    let root = if inner { path.parent().unwrap_or(path) } else { path };
    MANIFESTS.iter().map(|name| root.join(name)).find(|path| path.is_file()).ok_or_else(|| {
        InstallError::refused(format!("marketplace manifest not found under {}", path.display()))
            .hint(format!("it should be `{}`", MANIFESTS[0]))
    })
}

fn read(path: &Path, label: &str) -> Result<Manifest, InstallError> {
    if fs_err::metadata(path)?.len() > MAX_MANIFEST {
        return Err(InstallError::refused(format!("invalid marketplace JSON at {label}: larger than {MAX_MANIFEST} bytes")));
    }
    Manifest::parse(&fs_err::read(path)?, label).map_err(InstallError::refused)
}

/// A repository and maybe a ref behind `#`; paths are none.
pub(crate) fn repository(world: &World, source: &str, reference: Option<&str>) -> Option<GitSpec> {
    if source.starts_with(['.', '~', '/']) {
        return None;
    }
    let mut spec = GitSpec::parse(source, &|text| world.user_path(text))?;
    if let Some(reference) = reference {
        spec.reference = Some(reference.to_owned());
    }
    Some(spec)
}

impl Marketplace {
    /// Only paths inside the clone, one bad entry refuses all (INS-277).
    fn refuse_foreign(&self) -> Result<(), InstallError> {
        for plugin in &self.manifest.plugins {
            let problem = match &plugin.source {
                EntrySource::Path { path } if is_web(path) || Path::new(path).is_absolute() => {
                    Some(format!("a marketplace in a repository may only name paths inside it, not `{}`", crate::redact::redact(path)))
                }
                EntrySource::Path { path } => inside(&self.root, path, true).err().map(|error| error.to_string()),
                other => Some(format!("a marketplace in a repository may not name a `{}` source", other.kind())),
            };
            if let Some(problem) = problem {
                return Err(InstallError::refused(bad_entry(&plugin.name, &self.label, &problem)));
            }
        }
        Ok(())
    }

    /// INS-281.
    pub(crate) fn entry(&self, name: &str) -> Result<&MarketplaceEntry, InstallError> {
        self.manifest.plugins.iter().find(|plugin| plugin.name == name).ok_or_else(|| {
            let mut names: Vec<&str> = self.manifest.plugins.iter().map(|plugin| plugin.name.as_str()).collect();
            names.sort_unstable();
            let available = if names.is_empty() { String::new() } else { format!(" (available: {})", names.join(", ")) };
            InstallError::refused(format!("plugin \"{name}\" not found in marketplace {}{available}", self.label))
        })
    }
}

/// A path below `root` (INS-279); with `real`, links are followed and must stay inside as well.
pub(crate) fn inside(root: &Path, path: &str, real: bool) -> Result<PathBuf, InstallError> {
    let escapes = || InstallError::refused(format!("plugin source escapes marketplace root: {path}"));
    let mut resolved = root.to_owned();
    let mut depth = 0_usize;
    for part in Path::new(path).components() {
        match part {
            Component::Normal(name) => {
                depth += 1;
                resolved.push(name);
            }
            Component::ParentDir => {
                depth = depth.checked_sub(1).ok_or_else(escapes)?;
                resolved.pop();
            }
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return Err(escapes()),
        }
    }
    match resolved.canonicalize() {
        Err(_) => Err(InstallError::refused(format!("plugin source not found in marketplace root: {path}"))),
        Ok(target) if real && !target.starts_with(root.canonicalize()?) => Err(escapes()),
        Ok(_) => Ok(resolved),
    }
}
