//! Compares the stored index with what is on the disk now (INS-099..INS-102).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::hash::hash_json;

/// How the stored index compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RegistryState {
    /// It says what a new one would say.
    Fresh,
    /// It differs; see the reasons.
    Stale,
    /// There is no usable file.
    Missing,
}

impl RegistryState {
    /// The word of `plugins registry --json` (INS-100).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Missing => "missing",
        }
    }
}

/// The state and the sorted reasons to refresh (INS-101).
pub fn compare(persisted: Option<&Value>, current: &Value) -> (RegistryState, Vec<&'static str>) {
    let Some(persisted) = persisted else {
        return (RegistryState::Missing, vec!["missing"]);
    };
    let reasons = reasons(persisted, current);
    let state = if reasons.is_empty() { RegistryState::Fresh } else { RegistryState::Stale };
    (state, reasons.into_iter().collect())
}

fn reasons(before: &Value, now: &Value) -> BTreeSet<&'static str> {
    let mut reasons = BTreeSet::new();
    for (key, reason) in [
        ("version", "missing"),
        ("hostContractVersion", "host-contract-changed"),
        ("compatRegistryVersion", "compat-registry-changed"),
        ("migrationVersion", "migration"),
        ("policyHash", "policy-changed"),
    ] {
        if before[key] != now[key] {
            reasons.insert(reason);
        }
    }
    if hash_json(&before["installRecords"]) != hash_json(&now["installRecords"]) {
        reasons.insert("source-changed");
    }
    let (before, now) = (rows(before), rows(now));
    for (id, old) in &before {
        let Some(new) = now.get(id) else {
            reasons.insert("source-changed");
            continue;
        };
        let package = |row: &Value| (row["packageVersion"].clone(), row["packageJson"]["path"].clone(), row["packageJson"]["hash"].clone());
        for (differs, reason) in [
            (["rootDir", "manifestPath", "installRecordHash"].iter().any(|key| old[key] != new[key]), "source-changed"),
            (old["enabled"] != new["enabled"], "policy-changed"),
            (old["manifestHash"] != new["manifestHash"], "stale-manifest"),
            (package(old) != package(new), "stale-package"),
        ] {
            if differs {
                reasons.insert(reason);
            }
        }
    }
    // A plugin that is new and off changes nothing that runs (INS-102).
    if now.iter().any(|(id, row)| !before.contains_key(id) && row["enabled"] != false) {
        reasons.insert("source-changed");
    }
    reasons
}

fn rows(index: &Value) -> BTreeMap<&str, &Value> {
    let rows = index["plugins"].as_array().into_iter().flatten();
    rows.filter_map(|row| Some((row["pluginId"].as_str()?, row))).collect()
}
