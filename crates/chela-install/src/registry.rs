//! `plugins registry`: the stored index beside a new one, and writing it anew (INS-099..INS-109).

use chela_catalog::installs::{RefreshReason, RegistryState, compare, read_stored, refresh_policy};
use chela_config::Config;
use serde_json::Value;

use crate::error::InstallError;
use crate::install::Installer;

/// The stored index and the one that would be written now.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// How they compare.
    pub state: RegistryState,
    /// Why to refresh, sorted (INS-101).
    pub reasons: Vec<&'static str>,
    /// The file, when it is usable.
    pub persisted: Option<Value>,
    /// What it would be.
    pub current: Value,
}

impl Installer {
    /// Compares; writes nothing and runs no plugin (INS-106).
    ///
    /// # Errors
    /// When the config cannot be read.
    pub fn inspect_registry(&self) -> Result<Inspection, InstallError> {
        let config = self.world.config()?;
        let persisted = read_stored(&self.world.layout.index());
        let current = self.world.build_index(&config, &self.world.records(&config), None);
        let (state, reasons) = compare(persisted.as_ref(), &current);
        Ok(Inspection { state, reasons, persisted, current })
    }

    /// Writes the index anew (INS-104).
    ///
    /// # Errors
    /// When another process installs, or the file cannot be written.
    pub fn refresh_registry(&self) -> Result<Value, InstallError> {
        let _session = self.begin()?;
        let config = self.world.config()?;
        let index = self.world.build_index(&config, &self.world.records(&config), Some(RefreshReason::Manual));
        self.world.write_index(&index)?;
        Ok(index)
    }

    /// Follows a change of policy by enable or disable: only policy fields when the index fits otherwise, else all of it (INS-107).
    /// Without an index nothing is written.
    ///
    /// # Errors
    /// As [`Installer::refresh_registry`]; callers warn, since the change itself is done (INS-109).
    pub fn refresh_policy(&self, config: &Config, ids: &[&str]) -> Result<(), InstallError> {
        let Some(stored) = read_stored(&self.world.layout.index()) else {
            return Ok(());
        };
        let _session = self.begin()?;
        let records = self.world.records(config);
        let snapshot = self.world.snapshot(config, &records);
        let now = u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or_default();
        let next = refresh_policy(&stored, &snapshot, ids, now)
            .unwrap_or_else(|| self.world.build_index(config, &records, Some(RefreshReason::PolicyChanged)));
        self.world.write_index(&next)
    }
}
