//! From a fetched package to a version directory in use.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chela_catalog::candidate::Candidate;
use chela_catalog::installs::{IndexRecords, sha256_hex};
use chela_catalog::{Origin, PluginRecord};
use chela_config::Config;
use serde_json::{Value, json};

use crate::checks::below;
use crate::config_change::SLOTS;
use crate::error::InstallError;
use crate::fsops::{FileHashes, link_target, seal_tree};
use crate::install::{Installed, Installer, Purpose};
use crate::intent::{ConfigChange, Intent, Operation, Switch};
use crate::layout::{module_path, version_dir};
use crate::legacy::{is_ours, leftover_of};
use crate::lock_record::LockRecord;
use crate::npm::Npm;
use crate::scan::refuse_denied;
use crate::source::{Fetched, Fetching, Source};
use crate::stage::Stage;
use crate::transaction::{CURRENT, commit};

impl Installer {
    /// Fetches, checks and places a package.
    pub(crate) fn bring(
        &self,
        config: &Config,
        records: &IndexRecords,
        source: &dyn Source,
        purpose: Purpose<'_>,
    ) -> Result<Installed, InstallError> {
        let stage = Stage::create(&self.world.layout)?;
        let fetched = source.fetch(&Fetching { stage: &stage, progress: &*self.progress })?;
        let checked = match self.check(config, &fetched, &purpose) {
            Ok(checked) => checked,
            Err(error) => return self.instead_hook_pack(&stage, fetched, &purpose, error),
        };
        self.refuse_existing(records, &checked, &purpose)?;
        self.place(records, &stage, fetched, checked, &purpose)
    }

    /// Scan, listeners, dependencies, then the change itself.
    fn place(
        &self,
        records: &IndexRecords,
        stage: &Stage,
        mut fetched: Fetched,
        candidate: Candidate,
        purpose: &Purpose<'_>,
    ) -> Result<Installed, InstallError> {
        let mut intent = Intent::new(purpose.operation, &candidate.id);
        let module = match candidate.bundle_format {
            None => module_path(candidate.package.as_deref().and_then(|package| package.name.as_deref()), &intent.key),
            // Its directory may be what a bundle is called after.
            Some(_) => PathBuf::from(&intent.key),
        };
        let entries = below(&candidate.entries, &fetched.dir);
        // What strangers wrote is looked at before anything that it asks for is fetched (INS-360).
        let brings_more = fetched.wants_dependencies && candidate.bundle_format.is_none();
        let early = match brings_more {
            true => Some(self.judge(&candidate, (&fetched.dir, &fetched.dir), entries.clone(), &fetched, purpose)?),
            false => None,
        };
        let dir = if fetched.dir.starts_with(stage.modules()) {
            fetched.dir.clone()
        } else {
            if brings_more {
                fetched.packages = self.dependencies(stage, &fetched.dir, &module)?;
            }
            stage.adopt(&fetched.dir, &module)?
        };
        let module = dir.strip_prefix(stage.modules()).map(Path::to_owned).unwrap_or(module);
        let unmet = unmet(&candidate, &fetched, &dir);
        let files = match fetched.files.take() {
            Some(files) => files,
            None => seal_tree(&dir, !fetched.packages.is_null())?,
        };
        let scan = match early {
            Some(scan) => {
                refuse_denied(&format!("Plugin \"{}\"", candidate.id), &stage.version(), &self.world.env)?;
                scan
            }
            None => self.judge(&candidate, (&dir, &stage.version()), entries, &fetched, purpose)?,
        };

        let before = records.get(&candidate.id);
        let layout = &self.world.layout;
        let plugin_dir = layout.plugin(&intent.key);
        let mut install_path = plugin_dir.join(CURRENT).join("node_modules").join(&module);
        if let Some(script) = &fetched.script {
            install_path.push(script);
        }
        // What the files do not say, the place they came from may have said.
        let version = candidate.version.clone().or_else(|| fetched.record.text("version").map(str::to_owned));
        let record = fetched.record.with("installPath", install_path.to_str()).with("version", version.as_deref()).after(before);
        let mut lock = LockRecord::new(&candidate.id, &module);
        let name = unique(&plugin_dir, &version_dir(candidate.version.as_deref(), &content_hash(&files, &fetched.packages)));
        (lock.record, lock.files) = (record.clone(), files);
        (lock.packages, lock.trust, lock.scan) = (fetched.packages, fetched.trust, scan);
        lock.write(&stage.version())?;

        intent.switch = Some(Switch { from: link_target(&plugin_dir.join(CURRENT)), to: Some(name) });
        intent.before = before.map(|record| record.fields.clone());
        intent.after = Some(record.clone());
        intent.leftovers = before.and_then(|record| leftover_of(layout, &candidate.id, record)).into_iter().collect();
        if purpose.operation == Operation::Install {
            intent.config = ConfigChange::Install { kinds: candidate.kinds().to_vec(), load_path: None, enable: true };
        }
        let rivals = self.rivals(records, &candidate);
        let details = [("command", "install"), ("pluginId", candidate.id.as_str())];
        let done = self
            .trace
            .phase("config mutation", &details, || commit(&self.world, &*self.moments, &intent, records, Some(&stage.version())))?;
        let mut warnings = done.notices;
        warnings.extend(done.warnings);
        warnings.extend(unmet);
        warnings.extend(self.outdone(&rivals));
        warnings.extend(self.shadowed(&candidate.id));
        Ok(Installed { plugin_id: candidate.id, version: candidate.version, record, linked: None, enabled: true, hooks: None, warnings })
    }

    /// What an archive needs and does not carry (INS-166). Nothing is asked of the registry when it carries all.
    pub(crate) fn dependencies(&self, stage: &Stage, dir: &Path, module: &Path) -> Result<Value, InstallError> {
        let Ok(bytes) = std::fs::read(dir.join("package.json")) else {
            return Ok(Value::Null);
        };
        let package: Value = serde_json::from_slice(&bytes).map_err(std::io::Error::other)?;
        let name = module.to_string_lossy().into_owned();
        let manifest = chela_npm::Manifest::from_value(&name, package["version"].as_str().unwrap_or("0.0.0"), &package);
        let needs = manifest.needs.dependencies.keys().chain(manifest.needs.optional.keys());
        let missing = |name: &&String| !dir.join("node_modules").join(name).join("package.json").is_file();
        if needs.filter(missing).count() == 0 {
            return Ok(Value::Null);
        }
        let npm = Npm::new(&self.world, self.progress.clone())?;
        let root = chela_npm::Root::Local { manifest: Arc::new(manifest), dir: Some(dir.to_owned()) };
        Ok(npm.lay_out(root, &stage.version())?.packages)
    }

    /// Enabled plugins that want a slot which this one takes, by slot.
    fn rivals(&self, records: &IndexRecords, candidate: &Candidate) -> Vec<(&'static str, Vec<String>)> {
        let kinds = SLOTS.iter().filter(|(kind, ..)| candidate.kinds().iter().any(|own| own == kind));
        let Some(config) = self.world.config().ok().filter(|_| kinds.clone().next().is_some()) else {
            return Vec::new();
        };
        let snapshot = self.world.snapshot(&config, records);
        let wants = |plugin: &&PluginRecord, kind: &str| {
            plugin.enabled && plugin.id != candidate.id && plugin.manifest.kind.iter().any(|own| own == kind)
        };
        let of = |kind: &str| snapshot.plugins.iter().filter(|plugin| wants(plugin, kind)).map(|plugin| plugin.id.clone()).collect();
        kinds.map(|(kind, slot, _)| (*slot, of(kind))).collect()
    }

    /// Says which of them are off now: the slot's choice decides that for all of its kind (INS-148, INS-350).
    fn outdone(&self, rivals: &[(&'static str, Vec<String>)]) -> Vec<String> {
        let Some(config) = self.world.config().ok().filter(|_| rivals.iter().any(|(_, ids)| !ids.is_empty())) else {
            return Vec::new();
        };
        let snapshot = self.world.snapshot(&config, &self.world.records(&config));
        let is_off = |id: &&String| snapshot.get(id).is_some_and(|plugin| !plugin.enabled);
        let lines = rivals.iter().map(|(slot, ids)| (slot, ids.iter().filter(is_off).map(String::as_str).collect::<Vec<_>>()));
        lines
            .filter(|(_, ids)| !ids.is_empty())
            .map(|(slot, ids)| format!("Disabled other \"{slot}\" slot plugins: {}.", ids.join(", ")))
            .collect()
    }

    /// A load path of the config wins over what was installed just now.
    fn shadowed(&self, id: &str) -> Option<String> {
        let config = self.world.config().ok()?;
        let snapshot = self.world.snapshot(&config, &self.world.records(&config));
        let active = snapshot.get(id).filter(|plugin| plugin.origin == Origin::Config && !is_ours(&self.world.layout, &plugin.root_dir))?;
        Some(format!(
            "plugin \"{id}\" is installed but not in use: the config loads another copy from `{}`; take that out of `plugins.load.paths`",
            self.world.paths.display(&active.source)
        ))
    }
}

fn content_hash(files: &FileHashes, packages: &Value) -> String {
    sha256_hex(json!({"files": files, "packages": packages}).to_string().as_bytes())
}

/// The name, or the name with a number when a directory has it: a version directory never changes.
fn unique(dir: &Path, name: &str) -> String {
    let taken = |name: &str| dir.join(name).symlink_metadata().is_ok();
    if !taken(name) {
        return name.to_owned();
    }
    (2..).map(|n| format!("{name}.{n}")).find(|name| !taken(name)).unwrap_or_else(|| name.to_owned())
}

/// What a directory needs and does not carry: it is taken as it is (INS-153), so the user is told before the plugin fails to start.
fn unmet(candidate: &Candidate, fetched: &Fetched, dir: &Path) -> Option<String> {
    let package = candidate
        .package
        .as_deref()
        .filter(|_| fetched.kind == "plugin-dir" && !fetched.wants_dependencies && candidate.bundle_format.is_none())?;
    let absent: Vec<&str> = package
        .dependencies
        .keys()
        .map(String::as_str)
        .filter(|name| *name != "openclaw" && !dir.join("node_modules").join(name).exists())
        .collect();
    if absent.is_empty() {
        return None;
    }
    let id = &candidate.id;
    Some(format!(
        "\"{id}\" needs {}, which its directory does not carry; a directory is copied as it is: run `npm install --omit=dev` in it and \
         install it again, or install it packed (`npm pack`), which brings them",
        absent.join(", ")
    ))
}
