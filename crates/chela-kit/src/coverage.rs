//! `chela sdk coverage`: what a plugin imports from the SDK, what is carried, what is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use chela_catalog::{CatalogInputs, Lane, PluginRecord};
use chela_scan::{ImportReport, Wanted};
use serde::Serialize;

use crate::compat::{self, Notice};
use crate::error::KitError;
use crate::sdk::{self, Exports, Release};

/// What the SDK carries of the releases of the reference.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Overview {
    /// Carried subpaths, with the number of their exports.
    pub subpaths: BTreeMap<String, usize>,
    /// Carried exports in total.
    pub exports: usize,
    /// Each release in comparison.
    pub releases: Vec<ReleaseCoverage>,
}

/// How much of one release is carried.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseCoverage {
    /// The release.
    pub version: &'static str,
    /// Its subpaths.
    pub subpaths: usize,
    /// Those that are carried, wholly or in part.
    pub carried_subpaths: usize,
    /// Its exports.
    pub exports: usize,
    /// Those that are carried.
    pub carried_exports: usize,
    /// Subpaths that are not carried at all.
    pub missing_subpaths: Vec<String>,
    /// Missing exports of carried subpaths.
    pub missing_exports: BTreeMap<String, Vec<String>>,
}

/// What one plugin needs of the SDK.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PluginCoverage {
    /// The plugin's id.
    pub plugin_id: String,
    /// Its directory.
    pub root_dir: PathBuf,
    /// Files that were read.
    pub files: usize,
    /// What it imports, by subpath.
    pub imports: BTreeMap<String, Need>,
    /// Imported subpaths that are not carried.
    pub missing_subpaths: Vec<String>,
    /// Imported exports that are not carried, as `subpath#name`.
    pub missing_exports: Vec<String>,
    /// Older forms that it uses, with the reference's codes.
    pub compatibility: Vec<Notice>,
    /// Files that could not be read.
    pub not_scanned: Vec<chela_scan::NotScanned>,
}

/// What a plugin needs of one subpath.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Need {
    /// False when the subpath is not carried.
    pub carried: bool,
    /// Names that are imported.
    pub names: BTreeMap<String, NeededName>,
    /// Places where the whole module is handed on: more names may be used.
    pub whole: Vec<String>,
    /// True when it is only loaded by `import()` or `require`.
    pub dynamic_only: bool,
}

/// One imported name.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NeededName {
    /// True when the SDK exports it.
    pub carried: bool,
    /// Releases of the reference that export it; none for what no release has.
    pub releases: Vec<&'static str>,
    /// First use in each file, `file:line`.
    pub places: Vec<String>,
}

/// Compares the SDK with the releases of the reference.
///
/// # Errors
/// [`KitError::Embedded`] when the program is damaged.
pub fn overview() -> Result<Overview, KitError> {
    let carried = sdk::carried()?;
    let releases = sdk::releases()?.iter().map(|release| compare(&carried, release)).collect();
    Ok(Overview {
        exports: carried.values().map(BTreeSet::len).sum(),
        subpaths: carried.into_iter().map(|(subpath, names)| (subpath, names.len())).collect(),
        releases,
    })
}

fn compare(carried: &Exports, release: &Release) -> ReleaseCoverage {
    let mut out = ReleaseCoverage {
        version: release.version,
        subpaths: release.exports.len(),
        carried_subpaths: 0,
        exports: 0,
        carried_exports: 0,
        missing_subpaths: Vec::new(),
        missing_exports: BTreeMap::new(),
    };
    for (subpath, names) in &release.exports {
        out.exports += names.len();
        let Some(have) = carried.get(subpath) else {
            out.missing_subpaths.push(subpath.clone());
            continue;
        };
        out.carried_subpaths += 1;
        let missing: Vec<String> = names.difference(have).cloned().collect();
        out.carried_exports += names.len() - missing.len();
        if !missing.is_empty() {
            out.missing_exports.insert(subpath.clone(), missing);
        }
    }
    out
}

/// What the plugins in a directory import from the SDK. Nothing is run.
///
/// # Errors
/// [`KitError::NoPlugin`] when the catalog finds none there, and when its files cannot be read.
pub fn plugins_in(dir: &Path) -> Result<Vec<PluginCoverage>, KitError> {
    let (carried, releases) = (sdk::carried()?, sdk::releases()?);
    records(dir)?.iter().map(|record| plugin(record, &carried, &releases)).collect()
}

/// The plugins that the catalog finds in a directory, as if a config named it as a load path.
///
/// # Errors
/// [`KitError::NoPlugin`] with what the catalog says.
pub fn records(dir: &Path) -> Result<Vec<PluginRecord>, KitError> {
    let real = fs_err::canonicalize(dir)?;
    let nowhere = real.join(".chela-no-state");
    let config = serde_json::json!({"plugins": {"load": {"paths": [&real]}}});
    let snapshot = chela_catalog::scan(&CatalogInputs::new(&nowhere, &nowhere, config));
    let found: Vec<PluginRecord> = snapshot.plugins.into_iter().filter(|plugin| plugin.lane == Lane::Node).collect();
    if found.is_empty() {
        let told: Vec<String> = snapshot.diagnostics.iter().map(|one| one.message.clone()).collect();
        let why = if told.is_empty() { "it has no `openclaw.plugin.json`".to_owned() } else { told.join("; ") };
        return Err(KitError::NoPlugin { dir: dir.into(), why });
    }
    Ok(found)
}

/// What one plugin's own code imports from the SDK.
///
/// # Errors
/// When its directory cannot be read.
pub fn scan(record: &PluginRecord) -> Result<ImportReport, KitError> {
    let entries: Vec<PathBuf> = std::iter::once(record.source.clone()).chain(record.setup_source.clone()).collect();
    let forms: Vec<&str> = compat::OLD_FORMS.iter().map(|(form, ..)| *form).collect();
    let (options, members): (Vec<&str>, Vec<&str>) = forms.into_iter().partition(|form| form.ends_with(')'));
    let wanted = Wanted { specifiers: &|specifier| sdk::subpath_of(specifier).is_some(), members: &members, options: &options };
    Ok(chela_scan::imports(&record.root_dir, &entries, wanted)?)
}

fn plugin(record: &PluginRecord, carried: &Exports, releases: &[Release]) -> Result<PluginCoverage, KitError> {
    let report = scan(record)?;
    let mut out = PluginCoverage {
        plugin_id: record.id.clone(),
        root_dir: record.root_dir.clone(),
        files: report.files,
        imports: BTreeMap::new(),
        missing_subpaths: Vec::new(),
        missing_exports: Vec::new(),
        compatibility: compat::of_plugin(record, &report),
        not_scanned: report.not_scanned,
    };
    for (specifier, imported) in report.imports {
        let Some(subpath) = sdk::subpath_of(&specifier) else { continue };
        let have = carried.get(&subpath);
        let need =
            out.imports.entry(subpath.clone()).or_insert_with(|| Need { carried: have.is_some(), dynamic_only: true, ..Need::default() });
        need.dynamic_only &= !imported.linked;
        need.whole.extend(imported.whole);
        for (name, places) in imported.names {
            // A default import of a module without one is the module itself: so do the loaders of the reference.
            let is_carried = have.is_some_and(|names| names.contains(&name) || name == "default");
            let known = |release: &&Release| release.exports.get(&subpath).is_some_and(|names| names.contains(&name));
            let entry = need.names.entry(name.clone()).or_default();
            entry.carried = is_carried;
            entry.releases = releases.iter().filter(known).map(|release| release.version).collect();
            entry.places.extend(places);
        }
    }
    for (subpath, need) in &out.imports {
        if !need.carried {
            out.missing_subpaths.push(subpath.clone());
        }
        let missing = need.names.iter().filter(|(_, name)| !name.carried);
        out.missing_exports.extend(missing.map(|(name, _)| format!("{subpath}#{name}")));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(dir: &Path, name: &str, text: &str) {
        fs_err::create_dir_all(dir.join(name).parent().unwrap()).unwrap();
        fs_err::write(dir.join(name), text).unwrap();
    }

    #[test]
    fn a_plugins_needs_are_held_against_what_is_carried() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "openclaw.plugin.json", r#"{"id": "needs", "configSchema": {"type": "object"}}"#);
        write(dir.path(), "package.json", r#"{"name": "needs", "version": "1.0.0", "openclaw": {"extensions": ["./index.ts"]}}"#);
        write(
            dir.path(),
            "index.ts",
            "import { definePluginEntry, noSuchThing } from 'openclaw/plugin-sdk/plugin-entry';\n\
             import type { OpenClawPluginApi } from 'openclaw/plugin-sdk/no-such-types';\n\
             import { x } from 'openclaw/plugin-sdk/no-such-subpath';\n\
             export default definePluginEntry({ id: 'needs', register(api: OpenClawPluginApi) { noSuchThing(x); } });",
        );
        let found = plugins_in(dir.path()).unwrap();
        let [one] = &found[..] else { panic!("{found:?}") };
        assert_eq!((one.plugin_id.as_str(), one.files), ("needs", 1));
        assert_eq!(one.missing_subpaths, ["no-such-subpath"]);
        assert_eq!(one.missing_exports, ["no-such-subpath#x", "plugin-entry#noSuchThing"]);
        let entry = &one.imports["plugin-entry"];
        assert!(entry.names["definePluginEntry"].carried && entry.names["definePluginEntry"].releases.len() == 2);
        assert!(entry.names["noSuchThing"].releases.is_empty());
        assert_eq!(entry.names["noSuchThing"].places, ["index.ts:1"]);
        assert!(!one.imports.contains_key("no-such-types"), "a type needs nothing when the plugin runs");
    }

    #[test]
    fn a_directory_without_a_plugin_is_an_error_that_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let error = plugins_in(dir.path()).unwrap_err().to_string();
        assert!(error.starts_with("no plugin in `"), "{error}");
    }

    #[test]
    fn the_overview_adds_up() {
        let all = overview().unwrap();
        for release in &all.releases {
            assert_eq!(release.subpaths, release.carried_subpaths + release.missing_subpaths.len());
            let missing: usize = release.missing_exports.values().map(Vec::len).sum();
            assert!(release.carried_exports + missing <= release.exports && release.carried_exports > 0);
        }
        assert_eq!(all.exports, all.subpaths.values().sum::<usize>());
    }
}
