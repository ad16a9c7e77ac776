//! From candidates to one winner per id: host floor, duplicates (MAN-207..MAN-211, INS-030..INS-039).

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use chela_manifest::{FloorError, Manifest};

use crate::diagnostic::{Diagnostic, Level};
use crate::discover::{Candidate, CandidateKind, ManifestLoad};
use crate::fsio::real_path;
use crate::inputs::CatalogInputs;
use crate::installs::{InstallIndex, InstallRecord};
use crate::official::official_by_package;
use crate::record::{BundleFormat, Origin};

/// A candidate with its manifest, chosen for its id.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub candidate: Candidate,
    pub manifest: Arc<Manifest>,
    pub manifest_path: PathBuf,
    pub bundle_format: Option<BundleFormat>,
    pub install: Option<InstallRecord>,
}

/// Picks one winner per id, in the order in which ids were first seen.
pub(crate) fn resolve(
    inputs: &CatalogInputs,
    index: &InstallIndex,
    candidates: Vec<Candidate>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Resolved> {
    let mut winners: Vec<Resolved> = Vec::with_capacity(candidates.len());
    let mut by_id: HashMap<String, usize> = HashMap::with_capacity(candidates.len());
    for candidate in candidates {
        let Some(next) = load(inputs, index, candidate, diagnostics) else {
            continue;
        };
        match by_id.get(&next.manifest.id) {
            None => {
                by_id.insert(next.manifest.id.clone(), winners.len());
                winners.push(next);
            }
            Some(&at) => {
                if let Some(existing) = winners.get_mut(at) {
                    settle(existing, next, diagnostics);
                }
            }
        }
    }
    winners
}

fn load(inputs: &CatalogInputs, index: &InstallIndex, candidate: Candidate, diagnostics: &mut Vec<Diagnostic>) -> Option<Resolved> {
    let (manifest, manifest_path, bundle_format) = match &candidate.kind {
        CandidateKind::Native(load) => match &**load {
            ManifestLoad::Ok { manifest, path } => (manifest.clone(), path.clone(), None),
            broken => {
                diagnostics.extend(broken.diagnostic());
                return None;
            }
        },
        CandidateKind::Bundle(info) => {
            let manifest = Manifest {
                id: info.id.clone(),
                name: Some(info.name.clone().unwrap_or_else(|| info.id.clone())),
                description: info.description.clone(),
                version: info.version.clone(),
                skills: info.content.skills.clone(),
                ..Manifest::default()
            };
            (Arc::new(manifest), info.manifest_path.clone(), Some(info.format))
        }
        CandidateKind::Builtin(plugin) => {
            let path = plugin.root_dir.join(chela_manifest::MANIFEST_FILE_NAME);
            (plugin.manifest.clone(), path, None)
        }
    };
    let manifest = with_official_contracts(manifest, &candidate);
    let install = covering_record(inputs, index, &manifest.id, &candidate);
    let resolved = Resolved { candidate, manifest, manifest_path, bundle_format, install };
    meets_floor(inputs, &resolved, diagnostics).then_some(resolved)
}

/// Of an official package, the contract lists that were settled before its manifest had them count too (MAN-105).
fn with_official_contracts(manifest: Arc<Manifest>, candidate: &Candidate) -> Arc<Manifest> {
    let package = candidate.package.as_deref().filter(|_| candidate.origin != Origin::Bundled);
    let official = package.and_then(|package| official_by_package(package.name.as_deref()?));
    let Some(official) = official.filter(|official| official.id == manifest.id && !official.contracts.is_empty()) else {
        return manifest;
    };
    let mut manifest = Arc::unwrap_or_clone(manifest);
    for (name, ids) in &official.contracts {
        manifest.contracts.add(name, ids);
    }
    Arc::new(manifest)
}

/// The install record of this id whose path covers the candidate (INS-030).
fn covering_record(inputs: &CatalogInputs, index: &InstallIndex, id: &str, candidate: &Candidate) -> Option<InstallRecord> {
    if !matches!(candidate.origin, Origin::Global | Origin::Config) {
        return None;
    }
    let record = index.records.get(id)?;
    let source = real_path(&candidate.source)?;
    let paths = [record.text("installPath"), record.text("sourcePath")];
    let covers = paths.into_iter().flatten().any(|text| {
        let path = inputs.user_path(text);
        source.starts_with(real_path(&path).unwrap_or(path))
    });
    covers.then(|| record.clone())
}

fn meets_floor(inputs: &CatalogInputs, resolved: &Resolved, diagnostics: &mut Vec<Diagnostic>) -> bool {
    let candidate = &resolved.candidate;
    let Some(package) = candidate.package.as_deref() else {
        return true;
    };
    // What is part of the program always fits it (MAN-211).
    if candidate.origin == Origin::Bundled {
        return true;
    }
    let bare = candidate.origin == Origin::Global && resolved.install.is_some();
    let Err(error) = package.check_floor(&inputs.host_version, bare) else {
        return true;
    };
    let (level, code, message) = match &error {
        FloorError::Invalid => (Level::Error, "host-floor-invalid", format!("plugin manifest invalid | {error}")),
        FloorError::Unmet { .. } => (Level::Warn, "host-floor-unmet", error.to_string()),
        FloorError::UnknownHost { .. } => (Level::Warn, "host-floor-unknown", error.to_string()),
    };
    let diagnostic = Diagnostic::new(level, code, message).plugin(Some(&resolved.manifest.id)).at(&candidate.root_dir.join("package.json"));
    diagnostics.push(diagnostic);
    false
}

/// Keeps the better of two candidates of one id.
fn settle(existing: &mut Resolved, next: Resolved, diagnostics: &mut Vec<Diagnostic>) {
    if existing.candidate.root_dir == next.candidate.root_dir {
        if same_root_rank(next.candidate.origin) < same_root_rank(existing.candidate.origin) {
            *existing = next;
        }
        return;
    }
    let next_wins = rank(&next) < rank(existing);
    let quiet = is_intended_override(existing, &next) || is_same_package(existing, &next);
    let loser = if next_wins { std::mem::replace(existing, next) } else { next };
    if !quiet {
        diagnostics.push(duplicate(existing, &loser));
    }
}

/// Rank of origins when one directory was found twice (INS-034).
fn same_root_rank(origin: Origin) -> u8 {
    match origin {
        Origin::Config => 0,
        Origin::Workspace => 1,
        Origin::Global => 2,
        Origin::Bundled => 3,
    }
}

/// Precedence of different copies; lower wins (INS-030..INS-033).
fn rank(resolved: &Resolved) -> u8 {
    match resolved.candidate.origin {
        Origin::Config => 0,
        Origin::Global if resolved.install.is_some() => 1,
        Origin::Bundled => 2,
        Origin::Workspace => 3,
        Origin::Global => 4,
    }
}

/// An installed copy of a bundled plugin is what the operator asked for (INS-032).
fn is_intended_override(left: &Resolved, right: &Resolved) -> bool {
    let pair = |installed: &Resolved, bundled: &Resolved| installed.install.is_some() && bundled.candidate.origin == Origin::Bundled;
    pair(left, right) || pair(right, left)
}

/// Two global copies of one package version (INS-037).
fn is_same_package(left: &Resolved, right: &Resolved) -> bool {
    let identity = |resolved: &Resolved| {
        let package = resolved.candidate.package.as_deref()?;
        Some((package.name.clone()?, package.version.clone()?))
    };
    left.candidate.origin == Origin::Global
        && right.candidate.origin == Origin::Global
        && identity(left).is_some()
        && identity(left) == identity(right)
}

/// INS-035, INS-036, INS-038.
fn duplicate(winner: &Resolved, loser: &Resolved) -> Diagnostic {
    let source = winner.candidate.source.display();
    let from = loser.candidate.origin.as_str();
    let message = match winner.candidate.origin {
        Origin::Config => format!(
            "duplicate plugin id resolved by explicit config-selected plugin; {from} plugin will be \
             overridden by config plugin ({source})"
        ),
        origin => format!("duplicate plugin id detected; {from} plugin will be overridden by {} plugin ({source})", origin.as_str()),
    };
    Diagnostic::new(Level::Warn, "plugin-duplicate", message).plugin(Some(&winner.manifest.id)).at(&loser.candidate.source)
}
