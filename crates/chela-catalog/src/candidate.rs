//! One directory as an installer looks at it before it becomes a plugin: the rules of discovery, with an error where discovery
//! would pass the directory over (INS-132..INS-141).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chela_manifest::{EntryList, FloorError, Manifest, PackageMeta, parse_package, validate_plugin_id};
use thiserror::Error;

use crate::bundle::{self, BundleFormat};
use crate::diagnostic::{Diagnostic, Level};
use crate::discover::ManifestLoad;
use crate::discover::{load_manifest, package_bytes};
use crate::entries::{EntryScope, is_script_file};
use crate::fsio::real_path;
use crate::gates;
use crate::record::Origin;

/// What is asked of the directory.
#[derive(Debug, Clone, Copy)]
pub struct CandidateRules<'a> {
    /// The version that is held against the package's floor.
    pub host_version: &'a str,
    /// Refuse what the reference refuses (`plugins.compat.strict`).
    pub strict: bool,
    /// Refuse hard-linked files, world-writable paths and foreign owners; a copy has none of these.
    pub in_place: bool,
}

/// A directory that can become a plugin.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The id that it will have.
    pub id: String,
    /// Display name.
    pub name: Option<String>,
    /// `package.json`, when there is one.
    pub package: Option<Arc<PackageMeta>>,
    /// The manifest; for a bundle, none.
    pub manifest: Option<Arc<Manifest>>,
    /// Set for bundles.
    pub bundle_format: Option<BundleFormat>,
    /// Real paths of the files that will be loaded.
    pub entries: Vec<PathBuf>,
    /// Version: package, else manifest.
    pub version: Option<String>,
    /// Things worth saying that stop nothing.
    pub notes: Vec<Diagnostic>,
}

impl Candidate {
    /// Kinds that fill a slot (`memory`, `context-engine`).
    pub fn kinds(&self) -> &[String] {
        self.manifest.as_deref().map_or(&[], |manifest| manifest.kind.as_slice())
    }

    /// Channels that the plugin owns.
    pub fn channels(&self) -> &[String] {
        self.manifest.as_deref().map_or(&[], |manifest| manifest.channels.as_slice())
    }
}

/// Why a directory cannot become a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct CandidateError {
    /// The code that scripts of the reference know (INS-134), where there is one.
    pub code: Option<&'static str>,
    /// One line or more, with the next step where there is one.
    pub message: String,
}

fn error(code: Option<&'static str>, message: impl Into<String>) -> CandidateError {
    CandidateError { code, message: message.into() }
}

/// Looks at a directory that should hold a native package or a bundle.
///
/// # Errors
/// [`CandidateError`] with the reference's wording.
pub fn inspect_directory(dir: &Path, rules: CandidateRules<'_>) -> Result<Candidate, CandidateError> {
    let root = real_path(dir).ok_or_else(|| error(None, format!("directory not found: {}", dir.display())))?;
    let package = read_package(&root, rules);
    let declares_entries = matches!(&package, Ok(Some(package)) if !package.extensions.entries().is_empty());
    if !declares_entries && let Some(format) = bundle::detect(&root) {
        return bundle_candidate(&root, format, package.ok().flatten(), rules);
    }
    let Some(package) = package? else {
        return Err(error(None, "extracted package missing package.json"));
    };
    native_candidate(&root, package, rules)
}

/// Looks at a script that is a plugin by itself. Its manifest must lie beside it (INS-345).
///
/// # Errors
/// [`CandidateError`].
pub fn inspect_file(path: &Path, rules: CandidateRules<'_>) -> Result<Candidate, CandidateError> {
    let file = real_path(path).ok_or_else(|| error(None, format!("file not found: {}", path.display())))?;
    let root = file.parent().unwrap_or(Path::new("/")).to_owned();
    if !is_script_file(&file) {
        return Err(error(None, format!("plugin path is not a supported file: {}", path.display())));
    }
    let manifest = usable_manifest(&root, rules)?;
    gate(&root, &file, rules, &manifest.id)?;
    validate_plugin_id(&manifest.id).map_err(|why| error(None, why.to_string()))?;
    Ok(Candidate {
        id: manifest.id.clone(),
        name: manifest.name.clone(),
        package: None,
        version: manifest.version.clone(),
        manifest: Some(manifest),
        bundle_format: None,
        entries: vec![file],
        notes: Vec::new(),
    })
}

fn read_package(root: &Path, rules: CandidateRules<'_>) -> Result<Option<Arc<PackageMeta>>, CandidateError> {
    let invalid = |why: String| error(None, format!("invalid package.json: {why}"));
    let Some(bytes) = package_bytes(root, rules.in_place).map_err(invalid)? else {
        return Ok(None);
    };
    let package = parse_package(&bytes).map_err(|why| error(None, why.to_string()))?;
    Ok(Some(Arc::new(package)))
}

fn bundle_candidate(
    root: &Path,
    format: BundleFormat,
    package: Option<Arc<PackageMeta>>,
    rules: CandidateRules<'_>,
) -> Result<Candidate, CandidateError> {
    let info = bundle::load(root, format, rules.in_place).map_err(|why| error(None, why.message))?;
    validate_plugin_id(&info.id).map_err(|why| error(None, why.to_string()))?;
    gate(root, root, rules, &info.id)?;
    Ok(Candidate {
        id: info.id,
        name: info.name,
        version: info.version.or_else(|| package.as_deref().and_then(|package| package.version.clone())),
        package,
        manifest: None,
        bundle_format: Some(format),
        entries: Vec::new(),
        notes: Vec::new(),
    })
}

fn native_candidate(root: &Path, package: Arc<PackageMeta>, rules: CandidateRules<'_>) -> Result<Candidate, CandidateError> {
    match package.extensions {
        EntryList::Missing => {
            let message = "package.json missing openclaw.extensions; update the plugin package to include openclaw.extensions \
                           (for example [\"./dist/index.js\"])";
            return Err(error(Some("missing_openclaw_extensions"), message));
        }
        EntryList::Empty => return Err(error(Some("empty_openclaw_extensions"), "package.json openclaw.extensions is empty")),
        EntryList::Entries(_) => {}
    }
    let manifest = usable_manifest(root, rules)?;
    validate_plugin_id(&manifest.id).map_err(|why| error(None, why.to_string()))?;
    floor(&package, &manifest.id, rules)?;
    let mut notes = Vec::new();
    let entries = entries(root, &package, &manifest.id, rules, &mut notes)?;
    for entry in &entries {
        gate(root, entry, rules, &manifest.id)?;
    }
    Ok(Candidate {
        id: manifest.id.clone(),
        name: manifest.name.clone().or_else(|| package.name.clone()),
        version: package.version.clone().or_else(|| manifest.version.clone()),
        manifest: Some(manifest),
        package: Some(package),
        bundle_format: None,
        entries,
        notes,
    })
}

/// Every source needs a manifest: without one nothing could load the plugin (INS-165, INS-344, INS-359).
fn usable_manifest(root: &Path, rules: CandidateRules<'_>) -> Result<Arc<Manifest>, CandidateError> {
    let why = match load_manifest(root, rules.in_place) {
        ManifestLoad::Ok { manifest, .. } => return Ok(manifest),
        ManifestLoad::Missing { path } => format!("plugin manifest not found: {}", path.display()),
        ManifestLoad::Broken { message, .. } => message,
    };
    Err(error(Some("missing_plugin_manifest"), format!("package missing valid openclaw.plugin.json: {why}")))
}

/// INS-140.
fn floor(package: &PackageMeta, id: &str, rules: CandidateRules<'_>) -> Result<(), CandidateError> {
    let Err(why) = package.check_floor(rules.host_version, false) else {
        return Ok(());
    };
    Err(match why {
        FloorError::Invalid => error(
            Some("invalid_min_host_version"),
            format!("invalid package.json openclaw.install.minHostVersion: {}", FloorError::Invalid),
        ),
        FloorError::Unmet { floor, host } => error(
            Some("incompatible_host_version"),
            format!("plugin \"{id}\" requires OpenClaw >={floor}, but this host is {host}. Upgrade OpenClaw and retry."),
        ),
        FloorError::UnknownHost { floor } => error(
            Some("unknown_host_version"),
            format!("plugin \"{id}\" requires OpenClaw >={floor}, but this host version could not be determined"),
        ),
    })
}

/// The files that will be loaded; each declared entry must have one (INS-141).
fn entries(
    root: &Path,
    package: &PackageMeta,
    id: &str,
    rules: CandidateRules<'_>,
    notes: &mut Vec<Diagnostic>,
) -> Result<Vec<PathBuf>, CandidateError> {
    let scope = EntryScope {
        root,
        label: root,
        origin: Origin::Global,
        tracked: true,
        strict: rules.strict,
        reject_hardlinks: rules.in_place,
        id_hint: Some(id),
    };
    let mut said = Vec::new();
    let found = scope.extensions(package, &mut said);
    scope.setup(package, &mut said);
    let wrong: Vec<&str> = said.iter().filter(|entry| entry.level != Level::Info).map(|entry| entry.message.as_str()).collect();
    if !wrong.is_empty() || found.is_empty() {
        let message = if wrong.is_empty() { "no entry of openclaw.extensions can be used".to_owned() } else { wrong.join("; ") };
        return Err(error(Some("invalid_openclaw_extensions"), message));
    }
    notes.extend(said);
    Ok(found)
}

fn gate(root: &Path, source: &Path, rules: CandidateRules<'_>, id: &str) -> Result<(), CandidateError> {
    match gates::blocked(root, source, None, id).filter(|_| rules.in_place) {
        Some(blocked) => Err(error(None, blocked.message)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
