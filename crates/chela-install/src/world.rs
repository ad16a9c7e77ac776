//! What the installer reads and writes around the packages: config, catalog and index.

use std::path::PathBuf;
use std::time::Duration;

use chela_catalog::installs::{IndexRecords, RefreshReason, build_index, index_text};
use chela_catalog::{CatalogInputs, InstallIndex, InstallRecord, PluginPolicy, Snapshot, scan_with};
use chela_config::{Config, ConfigError, Edit, Env, Former, StatePaths, WriteOptions};
use serde_json::{Map, Value};

use crate::config_change::edits;
use crate::error::InstallError;
use crate::fsops::{create_private_dir, remove_if_empty, remove_if_there, replace_file};
use crate::intent::{Intent, Operation};
use crate::layout::Layout;
use crate::origin::Origin;

/// Longest wait for another writer of the config.
const CONFIG_LOCK: Duration = Duration::from_secs(10);
/// How often an edit is made anew because somebody else wrote the config in between.
const CONFIG_TRIES: usize = 4;

/// Makes the inputs of a scan from a config; the caller knows the bundled plugins and the workspace.
pub type CatalogSource = Box<dyn Fn(&Config) -> CatalogInputs + Send + Sync>;

/// The surroundings.
pub(crate) struct World {
    pub paths: StatePaths,
    pub env: Env,
    pub layout: Layout,
    pub catalog: CatalogSource,
    /// For the config's audit log.
    pub actor: String,
}

impl World {
    /// The config, valid or not.
    pub(crate) fn config(&self) -> Result<Config, InstallError> {
        Ok(chela_config::load_lenient(&self.paths, &self.env)?.0)
    }

    /// The config, which must be valid before a plugin is installed (INS-129). What is wrong with plugins alone is no fault of the
    /// config here, so the recovery of the reference (INS-130) needs no exception.
    pub(crate) fn valid_config(&self) -> Result<Config, InstallError> {
        let (config, issues) = chela_config::load_lenient(&self.paths, &self.env)?;
        if issues.is_empty() {
            return Ok(config);
        }
        let mut error = InstallError::refused("Config invalid; run `chela doctor --fix` before installing plugins.");
        for issue in issues.iter().take(20) {
            error = error.hint(format!("`{}`: {}", self.paths.display(&config.path), issue.render()));
        }
        Err(error)
    }

    /// The install records of the file, legacy and recovered ones included.
    pub(crate) fn records(&self, config: &Config) -> IndexRecords {
        let inputs = (self.catalog)(config);
        InstallIndex::read(&inputs, &PluginPolicy::from_config_value(&inputs.config)).records
    }

    /// All plugins, with these records.
    pub(crate) fn snapshot(&self, config: &Config, records: &IndexRecords) -> Snapshot {
        let inputs = (self.catalog)(config);
        let mut index = InstallIndex::read(&inputs, &PluginPolicy::from_config_value(&inputs.config));
        index.records.clone_from(records);
        scan_with(&inputs, index)
    }

    /// A new index for this config and these records.
    pub(crate) fn build_index(&self, config: &Config, records: &IndexRecords, reason: Option<RefreshReason>) -> Value {
        build_index(&self.snapshot(config, records), records, reason, now_ms())
    }

    /// Replaces the index file (INS-072).
    pub(crate) fn write_index(&self, index: &Value) -> Result<(), InstallError> {
        let path = self.layout.index();
        if let Some(dir) = path.parent() {
            create_private_dir(dir)?;
        }
        replace_file(&path, index_text(index).as_bytes())?;
        Ok(())
    }

    /// Writes a new index for these records. The one that an install made goes with the last record.
    pub(crate) fn put_index(&self, intent: &Intent, config: &Config, records: &IndexRecords) -> Result<(), InstallError> {
        let origin =
            Origin::read(&self.layout).filter(|origin| intent.operation == Operation::Uninstall && records.is_empty() && !origin.index);
        let Some(origin) = origin else {
            return self.write_index(&self.build_index(config, records, Some(RefreshReason::SourceChanged)));
        };
        let path = self.layout.index();
        remove_if_there(&path)?;
        if let Some(dir) = path.parent().filter(|_| !origin.index_dir) {
            remove_if_empty(dir);
        }
        Ok(())
    }

    /// What the config would be; refuses what would make it invalid.
    pub(crate) fn try_config(&self, intent: &Intent) -> Result<Prospect, InstallError> {
        let config = self.config()?;
        let edits = edits(&intent.config, &intent.plugin, &config);
        let former = self.former(intent, &config);
        if edits.list.is_empty() && former.is_none() {
            return Ok(Prospect { config, files: Vec::new(), warnings: edits.warnings });
        }
        let options = WriteOptions { dry_run: true, former, ..self.options() };
        let outcome = chela_config::write(&self.paths, &self.env, &edits.list, &options)?;
        Ok(Prospect { config: outcome.config, files: outcome.files, warnings: edits.warnings })
    }

    /// What the config may go back to. A file that somebody removed is not made anew for that.
    fn former(&self, intent: &Intent, config: &Config) -> Option<Former> {
        let back = intent.operation == Operation::Uninstall && config.exists;
        Origin::read(&self.layout).filter(|_| back).map(|origin| origin.former())
    }

    /// Writes the change into the config.
    pub(crate) fn write_config(&self, intent: &Intent) -> Result<Written, InstallError> {
        self.edit(&|config| edits(&intent.config, &intent.plugin, config).list, &|config| self.former(intent, config))
    }

    /// Writes edits, made anew from the config as it is then.
    pub(crate) fn edit_config(&self, edits: &dyn Fn(&Config) -> Vec<Edit>) -> Result<Written, InstallError> {
        self.edit(edits, &|_| None)
    }

    fn edit(&self, edits: &dyn Fn(&Config) -> Vec<Edit>, former: &dyn Fn(&Config) -> Option<Former>) -> Result<Written, InstallError> {
        for _ in 0..CONFIG_TRIES {
            let config = self.config()?;
            let (edits, former) = (edits(&config), former(&config));
            if edits.is_empty() && former.is_none() {
                return Ok(Written { config, warnings: Vec::new() });
            }
            let options = WriteOptions { base_hash: Some(config.hash.clone()), former, ..self.options() };
            match chela_config::write(&self.paths, &self.env, &edits, &options) {
                Ok(outcome) => return Ok(Written { config: outcome.config, warnings: outcome.warnings }),
                Err(ConfigError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(InstallError::refused(format!("`{}` is being changed by others all the time", self.paths.display(&self.paths.config_path)))
            .hint("run the command again"))
    }

    fn options(&self) -> WriteOptions {
        // A plugin's settings may be most of a small file, so a large drop is no sign of a fault here.
        WriteOptions { actor: self.actor.clone(), lock_timeout: CONFIG_LOCK, allow_size_drop: true, ..WriteOptions::default() }
    }

    /// The path as the user would write it.
    pub(crate) fn user_path(&self, text: &str) -> PathBuf {
        self.paths.resolve_user_path(text)
    }
}

/// The config as a change would leave it.
pub(crate) struct Prospect {
    pub config: Config,
    /// The files that would be written.
    pub files: Vec<PathBuf>,
    pub warnings: Vec<String>,
}

/// The config after a write.
pub(crate) struct Written {
    pub config: Config,
    pub warnings: Vec<String>,
}

/// Records with one replaced, added or removed.
pub(crate) fn with_record(records: &IndexRecords, id: &str, record: Option<&Map<String, Value>>) -> IndexRecords {
    let mut next = records.clone();
    match record.and_then(|fields| InstallRecord::from_fields(fields.clone())) {
        Some(record) => drop(next.insert(id.to_owned(), record)),
        None => drop(next.remove(id)),
    }
    next
}

fn now_ms() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default()
}

/// Now, as records write it.
pub(crate) fn now_text() -> String {
    format!("{:.3}", jiff::Timestamp::now())
}
