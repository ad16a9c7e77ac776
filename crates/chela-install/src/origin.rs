//! What the state directory said before the first install, so that the last uninstall leaves it as it was, to the byte.
//!
//! The note lies beside the packages and goes with the last of them. Config that somebody else changed meanwhile is theirs and stays
//! (see [`chela_config::Former`]).

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use chela_catalog::installs::IndexRecords;
use chela_config::Former;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config_change::SLOTS;
use crate::error::InstallError;
use crate::fsops::{remove_if_there, replace_file};
use crate::layout::Layout;

/// Version of the file. One of another version is as good as none: it only makes the way back shorter.
const VERSION: u32 = 1;

/// The note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Origin {
    version: u32,
    /// The config file; `None` when there was none.
    config: Option<String>,
    /// Files that the config includes and that an install wrote to.
    included: BTreeMap<PathBuf, String>,
    /// Whether there was an index.
    pub index: bool,
    /// Whether there was a directory for it.
    pub index_dir: bool,
    /// The plugins that had a record.
    plugins: BTreeSet<String>,
}

impl Origin {
    /// The note, if there is one.
    pub(crate) fn read(layout: &Layout) -> Option<Self> {
        let bytes = std::fs::read(layout.origin()).ok()?;
        serde_json::from_slice::<Self>(&bytes).ok().filter(|origin| origin.version == VERSION)
    }

    /// Notes how things are, unless that was done before; `files` are those of the config that are about to be written.
    pub(crate) fn note(layout: &Layout, config: &std::path::Path, files: &[PathBuf], records: &IndexRecords) -> Result<(), InstallError> {
        let known = Self::read(layout);
        let mut next = match known.clone() {
            Some(origin) => origin,
            None => Self {
                version: VERSION,
                config: text_of(config)?,
                included: BTreeMap::new(),
                index: layout.index().exists(),
                index_dir: layout.index().parent().is_some_and(std::path::Path::exists),
                plugins: records.keys().cloned().collect(),
            },
        };
        for file in files.iter().filter(|file| *file != config && !next.included.contains_key(*file)).cloned().collect::<Vec<_>>() {
            if let Some(text) = text_of(&file)? {
                next.included.insert(file, text);
            }
        }
        if known.as_ref() != Some(&next) {
            let text = serde_json::to_vec(&next).map_err(std::io::Error::other)?;
            replace_file(&layout.origin(), &text)?;
        }
        Ok(())
    }

    /// Removes the note when nothing is left that was installed since.
    pub(crate) fn settle(layout: &Layout, records: &IndexRecords) -> Result<(), InstallError> {
        let over = |origin: Self| records.keys().all(|id| origin.plugins.contains(id));
        if layout.origin().exists() && Self::read(layout).is_none_or(over) {
            remove_if_there(&layout.origin())?;
        }
        Ok(())
    }

    /// The texts to go back to.
    pub(crate) fn former(&self) -> Former {
        Former { main: self.config.clone(), included: self.included.clone(), normal }
    }
}

fn text_of(path: &std::path::Path) -> Result<Option<String>, InstallError> {
    match fs_err::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Takes out what an install and an uninstall leave behind and what means nothing: a slot with its default (INS-298), the order of
/// the allowlist, sections without entries.
fn normal(config: &mut Value) {
    let Some(root) = config.as_object_mut() else { return };
    let Some(plugins) = root.get_mut("plugins").and_then(Value::as_object_mut) else { return };
    if let Some(slots) = plugins.get_mut("slots").and_then(Value::as_object_mut) {
        slots.retain(|slot, value| !SLOTS.iter().any(|(_, name, default)| name == slot && value == default));
    }
    for list in ["allow", "deny"] {
        if let Some(list) = plugins.get_mut(list).and_then(Value::as_array_mut) {
            list.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
        }
    }
    if let Some(load) = plugins.get_mut("load").and_then(Value::as_object_mut) {
        load.retain(|_, value| value.as_array().is_none_or(|list| !list.is_empty()));
    }
    plugins.retain(|_, value| !value.as_object().is_some_and(serde_json::Map::is_empty));
    if plugins.is_empty() {
        root.remove("plugins");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_means_nothing_is_taken_out() {
        let normal = |mut value: Value| {
            super::normal(&mut value);
            value
        };
        for (value, expected) in [
            (json!({"a": 1}), json!({"a": 1})),
            (json!({"plugins": {"slots": {"memory": "memory-core", "contextEngine": "legacy"}, "entries": {}}}), json!({})),
            (json!({"plugins": {"slots": {"memory": "mine"}}}), json!({"plugins": {"slots": {"memory": "mine"}}})),
            (json!({"plugins": {"allow": ["b", "a"], "load": {"paths": []}}}), json!({"plugins": {"allow": ["a", "b"]}})),
            (json!({"plugins": {"load": {"paths": ["p"]}}}), json!({"plugins": {"load": {"paths": ["p"]}}})),
            (json!({"plugins": {"allow": [], "entries": {"x": {}}}}), json!({"plugins": {"allow": [], "entries": {"x": {}}}})),
        ] {
            assert_eq!(normal(value.clone()), expected, "{value}");
        }
    }
}
