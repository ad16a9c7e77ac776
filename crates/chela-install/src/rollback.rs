//! `plugins rollback`: back to the version before the last change, and to its install record.

use std::path::Path;

use chela_config::Config;
use serde_json::Value;

use crate::checks::below;
use crate::error::InstallError;
use crate::fsops::link_target;
use crate::install::{Installer, Purpose};
use crate::intent::{Intent, Operation, Switch};
use crate::layout::key_of;
use crate::lock_record::{Drift, LockRecord};
use crate::records::RecordFields;
use crate::source::Fetched;
use crate::transaction::{CURRENT, PREVIOUS, commit};

/// What a rollback did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolledBack {
    /// Plugin id.
    pub plugin_id: String,
    /// The version that was in use.
    pub from: Option<String>,
    /// The version that is in use now.
    pub to: Option<String>,
    /// Things that went wrong without harm.
    pub warnings: Vec<String>,
}

impl Installer {
    /// Switches a plugin back. The version that it leaves can be switched back to in turn.
    ///
    /// # Errors
    /// Without an install record or an earlier version, when the files of that version are not what was installed, and when a
    /// `before_install` listener refuses or fails.
    pub fn rollback(&self, id: &str) -> Result<RolledBack, InstallError> {
        self.refuse_nix("rollback")?;
        let _session = self.begin()?;
        let config = self.world.valid_config()?;
        let records = self.world.records(&config);
        let record = records
            .get(id)
            .ok_or_else(|| InstallError::refused(format!("No install record for \"{id}\".")).hint("see `chela plugins list`"))?;
        let dir = self.world.layout.plugin(&key_of(id));
        let (from, to) = (link_target(&dir.join(CURRENT)), link_target(&dir.join(PREVIOUS)));
        let Some(to) = to.filter(|to| dir.join(to).is_dir()) else {
            return Err(InstallError::refused(format!("plugin \"{id}\" has no earlier version to go back to"))
                .hint("an update or `chela plugins install --force` keeps the version before it"));
        };
        let target = dir.join(&to);
        let lock = LockRecord::read(&target)?;
        refuse_drift(id, &lock.drift(&target)?)?;
        self.ask_about(&config, id, &target, &lock)?;
        let mut intent = Intent::new(Operation::Rollback, id);
        intent.before = Some(record.fields.clone());
        intent.after = Some(lock.record.clone());
        intent.switch = Some(Switch { from, to: Some(to) });
        let done = commit(&self.world, &*self.moments, &intent, &records, None)?;
        let version = |fields: &serde_json::Map<String, Value>| fields.get("version").and_then(Value::as_str).map(str::to_owned);
        Ok(RolledBack { plugin_id: id.to_owned(), from: version(&record.fields), to: version(&lock.record), warnings: done.warnings })
    }

    /// What comes back is asked about like what comes anew (INS-247); a listener that fails refuses it. The code was judged when it was
    /// installed, so a finding of the scan is told to listeners and refuses nothing here.
    fn ask_about(&self, config: &Config, id: &str, target: &Path, lock: &LockRecord) -> Result<(), InstallError> {
        let dir = target.join("node_modules").join(&lock.module);
        let text = |key: &str| lock.record.get(key).and_then(Value::as_str);
        // A script's record names the file below the directory, every other one the directory.
        let root = self.world.layout.plugin(&key_of(id)).join(CURRENT).join("node_modules").join(&lock.module);
        let script = text("installPath").and_then(|path| Path::new(path).strip_prefix(root).ok()?.to_str()).filter(|name| !name.is_empty());
        let kind = match (script, text("source")) {
            (Some(_), _) => "plugin-file",
            (None, Some("npm")) => "plugin-npm",
            (None, Some("git")) => "plugin-git",
            (None, Some("path")) => "plugin-dir",
            _ => "plugin-archive",
        };
        let fetched = Fetched { script: script.map(str::to_owned), ..Fetched::new(dir.clone(), kind, RecordFields::of("")) };
        let purpose =
            Purpose { operation: Operation::Rollback, spec: text("spec"), force: true, unsafe_code: false, expected_id: Some(id) };
        let candidate = self.check(config, &fetched, &purpose)?;
        let entries = below(&candidate.entries, &dir);
        self.hear(&candidate, (&dir, target), entries, &fetched, &purpose).map(drop)
    }

    /// Compares the files of an installed plugin with its lock record; empty for plugins that this program did not copy.
    ///
    /// # Errors
    /// When the record or a file cannot be read.
    pub fn drift(&self, id: &str) -> Result<Vec<Drift>, InstallError> {
        let dir = self.world.layout.plugin(&key_of(id));
        match link_target(&dir.join(CURRENT)) {
            Some(version) => LockRecord::read(&dir.join(&version))?.drift(&dir.join(version)),
            None => Ok(Vec::new()),
        }
    }
}

/// Refuses files that are not what was installed, with both hashes of each.
fn refuse_drift(id: &str, drift: &[Drift]) -> Result<(), InstallError> {
    let Some(first) = drift.first() else {
        return Ok(());
    };
    let text = |hash: &Option<String>| hash.clone().unwrap_or_else(|| "no such file".to_owned());
    let more = if drift.len() > 1 { format!(" (and {} more files)", drift.len() - 1) } else { String::new() };
    let message = format!(
        "files of plugin \"{id}\" changed since they were installed: {}{more}\nExpected: {}\nActual:   {}",
        first.file,
        text(&first.expected),
        text(&first.actual)
    );
    Err(InstallError::refused(message).hint("install the version that you want with `chela plugins install SPEC --force`"))
}
