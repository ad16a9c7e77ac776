//! What `doctor --fix` mends about plugins (INS-340): plugins that the config names and that are not there, references to plugins that
//! are nowhere, broken files that block nothing and help nobody, remains of the reference's own repairs, a stale index.

mod overrides;
mod remains;
mod stale;
mod wanted;

use chela_catalog::OfficialPlugin;
use chela_catalog::installs::{IndexRecords, RegistryState, compare, read_stored};
use chela_config::Config;
use chela_manifest::NpmSpec;

use crate::error::InstallError;
use crate::install::{Installed, Installer, Purpose};
use crate::intent::Operation;
use crate::npm::Npm;
use crate::source::Source;
use crate::source::npm_pack::NpmPack;
use crate::update::{Status, UpdateRequest};
use overrides::Override;

/// What a repair did, a line for each thing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Repaired {
    /// What is mended.
    pub changes: Vec<String>,
    /// What could not be mended, with the reason.
    pub warnings: Vec<String>,
}

impl Installer {
    /// Mends what can be mended without asking. Each installation is a change of its own; what fails is a warning.
    ///
    /// # Errors
    /// When the config is invalid, another process installs, or files cannot be read.
    pub fn repair(&self) -> Result<Repaired, InstallError> {
        self.refuse_nix("repair")?;
        let _session = self.begin()?;
        let mut done = Repaired::default();
        // Switched off, plugins are kept as they are, references to missing ones included (INS-341).
        if self.world.valid_config()?.plugins().enabled {
            self.bring_back(&mut done)?;
            self.bring_wanted(&mut done)?;
            self.forget_missing(&mut done)?;
            self.set_aside(&mut done)?;
        }
        remains::remove(&self.world.layout, &mut done);
        self.renew_index(&mut done)?;
        Ok(done)
    }

    /// Plugins with an install record whose files are gone: from where they came.
    fn bring_back(&self, done: &mut Repaired) -> Result<(), InstallError> {
        let config = self.world.config()?;
        let records = self.world.records(&config);
        let snapshot = self.world.snapshot(&config, &records);
        for (id, record) in &records {
            let gone = record.text("installPath").is_none_or(|path| !self.world.user_path(path).exists());
            let named = wanted::is_named(&config, id) && !wanted::is_off(&config, id);
            let from_afar = matches!(record.source.as_str(), "npm" | "git" | "clawhub" | "marketplace");
            if !gone || !named || !from_afar || snapshot.get(id).is_some() {
                continue;
            }
            let outcome = match self.overridden(&config, &records, id) {
                Ok(Some(_)) => {
                    done.changes.push(format!("installed the missing plugin \"{id}\" from the source that `{}` names", overrides::ENV));
                    continue;
                }
                Ok(None) => self.update_one(&config, id, None, &UpdateRequest::default(), &mut |_| false),
                Err(error) => {
                    done.warnings.push(format!("plugin \"{id}\" is missing and cannot be installed: {error}"));
                    continue;
                }
            };
            match outcome.status {
                Status::Error | Status::Skipped => done.warnings.push(outcome.message),
                Status::Updated | Status::Unchanged => done.changes.push(format!("installed the missing plugin \"{id}\" again")),
            }
        }
        Ok(())
    }

    /// Official plugins that the config asks for.
    fn bring_wanted(&self, done: &mut Repaired) -> Result<(), InstallError> {
        let config = self.world.config()?;
        let snapshot = self.world.snapshot(&config, &self.world.records(&config));
        for official in wanted::missing(&config, &snapshot) {
            let records = self.world.records(&config);
            if records.contains_key(&official.id) {
                continue;
            }
            match self.bring_official(&config, &records, official) {
                Ok(installed) => {
                    let from = installed.record.get("spec").and_then(serde_json::Value::as_str).unwrap_or(&official.npm_spec);
                    done.changes
                        .push(format!("installed {} (\"{}\"), which the config asks for, from `{from}`", official.label, official.id));
                }
                Err(error) => done.warnings.push(format!("\"{}\" is missing and cannot be installed: {error}", official.id)),
            }
        }
        Ok(())
    }

    fn bring_official(
        &self,
        config: &Config,
        records: &IndexRecords,
        official: &'static OfficialPlugin,
    ) -> Result<Installed, InstallError> {
        if let Some(installed) = self.overridden(config, records, &official.id)? {
            return Ok(installed);
        }
        if let Some(spec) = official.clawhub_spec.as_deref().filter(|_| official.prefers_claw_hub) {
            let found = self.clawhub_source(spec, None, spec).and_then(|source| self.setup(config, records, &source, spec, &official.id));
            match found {
                Err(error) if matches!(error.code(), Some("package_not_found" | "version_not_found")) => {}
                other => return other,
            }
        }
        let spec = parsed(&official.npm_spec)?;
        let npm = Npm::new(&self.world, self.progress.clone())?;
        let source = npm.source(npm.select(&spec, Some(official))?, &spec.raw, official.integrity_of(&spec.raw), Some(official));
        self.setup(config, records, &source, &spec.raw, &official.id)
    }

    /// The source that the environment names for this id instead (INS-342). It is a stranger, whatever its name (INS-343).
    fn overridden(&self, config: &Config, records: &IndexRecords, id: &str) -> Result<Option<Installed>, InstallError> {
        let Some(instead) = overrides::of(&self.world.env, id, &|text| self.world.user_path(text))? else {
            return Ok(None);
        };
        match instead {
            Override::Npm(spec) => {
                let npm = Npm::new(&self.world, self.progress.clone())?;
                let source = npm.source(npm.select(&spec, None)?, &spec.raw, None, None);
                self.setup(config, records, &source, &spec.raw, id)
            }
            Override::NpmPack(path) => {
                let spec = path.display().to_string();
                self.setup(config, records, &NpmPack { path }, &spec, id)
            }
        }
        .map(Some)
    }

    fn setup(&self, config: &Config, records: &IndexRecords, source: &dyn Source, spec: &str, id: &str) -> Result<Installed, InstallError> {
        let purpose = Purpose {
            operation: Operation::Install,
            spec: Some(spec),
            force: records.contains_key(id),
            unsafe_code: false,
            expected_id: Some(id),
        };
        self.bring(config, records, source, purpose)
    }

    /// References to plugins that are nowhere, and to their channels.
    fn forget_missing(&self, done: &mut Repaired) -> Result<(), InstallError> {
        let config = self.world.config()?;
        let snapshot = self.world.snapshot(&config, &self.world.records(&config));
        let stale = stale::find(&config, &snapshot);
        if stale.lines.is_empty() {
            return Ok(());
        }
        if let Some(broken) = snapshot.diagnostics.iter().find(|entry| entry.level == chela_catalog::Level::Error) {
            done.warnings.push(format!("stale plugin ids stay in the config until this is mended: {}", broken.message));
            return Ok(());
        }
        self.world.edit_config(&|config| {
            let snapshot = self.world.snapshot(config, &self.world.records(config));
            stale::find(config, &snapshot).edits
        })?;
        done.changes.extend(stale.lines);
        Ok(())
    }

    /// Broken files and directories of the extensions root that no record owns (INS-347).
    fn set_aside(&self, done: &mut Repaired) -> Result<(), InstallError> {
        let config = self.world.config()?;
        let records = self.world.records(&config);
        let snapshot = self.world.snapshot(&config, &records);
        remains::set_aside(&self.world.layout.extensions(), &snapshot, done)
    }

    /// An index that does not fit what is there any more is written anew; a missing one stays missing.
    fn renew_index(&self, done: &mut Repaired) -> Result<(), InstallError> {
        let Some(stored) = read_stored(&self.world.layout.index()) else {
            return Ok(());
        };
        let config = self.world.config()?;
        let records = self.world.records(&config);
        let (state, reasons) = compare(Some(&stored), &self.world.build_index(&config, &records, None));
        if state != RegistryState::Fresh {
            self.world.write_index(&self.world.build_index(&config, &records, Some(chela_catalog::installs::RefreshReason::Manual)))?;
            done.changes.push(format!("wrote the plugin index anew ({})", reasons.join(", ")));
        }
        Ok(())
    }
}

fn parsed(spec: &str) -> Result<NpmSpec, InstallError> {
    NpmSpec::parse(spec).map_err(|error| InstallError::coded("invalid_npm_spec", error.to_string()))
}
