//! `chela-lock.json` of a version directory: what was installed, from where, and the hash of each file of the plugin itself.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::InstallError;
use crate::fsops::{FileHashes, hash_file, replace_file};

/// Name of the file in the version directory.
pub(crate) const LOCK_FILE: &str = "chela-lock.json";
const VERSION: u32 = 1;

/// The record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LockRecord {
    pub lock_version: u32,
    /// Plugin id.
    pub plugin: String,
    /// Path of the plugin below `node_modules`.
    pub module: String,
    /// The install record: source, spec, resolution, integrity.
    pub record: Map<String, Value>,
    /// SHA-256 of the plugin's own files.
    pub files: FileHashes,
    /// Dependencies: resolved source and integrity of each.
    pub packages: Value,
    /// What the code scan found.
    pub scan: Value,
    /// Registry signatures and provenance: what was checked and how it came out.
    pub trust: Value,
}

/// A file that is not what was installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Drift {
    /// Path below the plugin's directory.
    pub file: String,
    /// SHA-256 when it was installed; nothing for a file that came later.
    pub expected: Option<String>,
    /// SHA-256 now; nothing for a file that is gone.
    pub actual: Option<String>,
}

impl LockRecord {
    pub(crate) fn new(plugin: &str, module: &Path) -> Self {
        Self {
            lock_version: VERSION,
            plugin: plugin.to_owned(),
            module: module.to_string_lossy().into_owned(),
            record: Map::new(),
            files: FileHashes::new(),
            packages: Value::Null,
            scan: Value::Null,
            trust: Value::Null,
        }
    }

    pub(crate) fn write(&self, version_dir: &Path) -> Result<(), InstallError> {
        let mut text = serde_json::to_vec_pretty(self).map_err(std::io::Error::other)?;
        text.push(b'\n');
        replace_file(&version_dir.join(LOCK_FILE), &text)?;
        Ok(())
    }

    pub(crate) fn read(version_dir: &Path) -> Result<Self, InstallError> {
        let path = version_dir.join(LOCK_FILE);
        let bytes = fs_err::read(&path)?;
        serde_json::from_slice(&bytes).ok().filter(|record: &Self| record.lock_version == VERSION).ok_or_else(|| {
            InstallError::refused(format!("lock record `{}` is not understood", path.display())).hint("reinstall the plugin with `--force`")
        })
    }

    /// Compares the plugin's own files with the record.
    pub(crate) fn drift(&self, version_dir: &Path) -> Result<Vec<Drift>, InstallError> {
        let root = version_dir.join("node_modules").join(&self.module);
        let mut drift = Vec::new();
        for (file, expected) in &self.files {
            let actual = match hash_file(&root.join(file)) {
                Ok(hash) => Some(hash),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                Err(error) => return Err(error.into()),
            };
            if actual.as_ref() != Some(expected) {
                drift.push(Drift { file: file.clone(), expected: Some(expected.clone()), actual });
            }
        }
        Ok(drift)
    }
}
