//! The way back: a file that means again what it said before is given that text again, to the byte.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use super::gateway_mode;
use crate::env::Env;
use crate::error::ConfigError;
use crate::json5::{comments, same_value};
use crate::load::{Config, load_text, read_raw};
use crate::paths::StatePaths;

/// What the configuration said before a series of writes.
///
/// A write that leaves the same meaning and the same comments puts these texts back instead of its own, so that edits which undo
/// each other leave no trace in the formatting, in `meta.lastTouched*`, or as a file that was not there.
#[derive(Debug, Clone)]
pub struct Former {
    /// The configuration file; `None` when there was none.
    pub main: Option<String>,
    /// Included files that were written to.
    pub included: BTreeMap<PathBuf, String>,
    /// Takes out of a configuration what makes no difference.
    pub normal: fn(&mut Value),
}

/// The files to write for it.
pub(super) struct Return {
    pub(super) config: Config,
    /// The new texts; `None` removes the file.
    pub(super) texts: BTreeMap<PathBuf, Option<String>>,
    /// What the included files say now.
    pub(super) seen: BTreeMap<PathBuf, Option<String>>,
}

impl Former {
    /// The way back from `config`, whose files say what `written` says and otherwise what the disk says.
    pub(super) fn back(
        &self,
        paths: &StatePaths,
        env: &Env,
        config: &Config,
        written: &BTreeMap<PathBuf, String>,
    ) -> Result<Option<Return>, ConfigError> {
        // A text that is no configuration any more, for instance since a later version reads it otherwise, is none to go back to.
        let Ok(former) = load_text(paths, env, self.main.as_deref(), &self.included) else { return Ok(None) };
        if !same_value(&self.meaning(&former.source), &self.meaning(&config.source)) {
            return Ok(None);
        }
        let mut found = Return { config: former, texts: BTreeMap::new(), seen: BTreeMap::new() };
        let included = self.included.iter().map(|(file, text)| (file, Some(text)));
        for (file, wanted) in included.chain([(&paths.config_path, self.main.as_ref())]) {
            let there = read_raw(file)?;
            let now = written.get(file).or(there.as_ref());
            let remarks = |text: Option<&String>| text.map(|text| comments(text).concat()).unwrap_or_default();
            if remarks(now) != remarks(wanted) {
                return Ok(None);
            }
            if there.as_ref() != wanted {
                found.texts.insert(file.clone(), wanted.cloned());
            }
            found.seen.insert(file.clone(), there);
        }
        Ok(Some(found))
    }

    fn meaning(&self, source: &Value) -> Value {
        let mut value = source.clone();
        if let Some(root) = value.as_object_mut() {
            if let Some(meta) = root.get_mut("meta").and_then(Value::as_object_mut) {
                meta.retain(|key, _| !key.starts_with("lastTouched"));
            }
            root.retain(|key, value| key != "meta" || value.as_object().is_none_or(|meta| !meta.is_empty()));
        }
        // What a new file begins with says nothing that no file did not say.
        if self.main.is_none() && gateway_mode(&value).as_deref() == Some("local") {
            let root = value.as_object_mut();
            root.into_iter().for_each(|root| root.retain(|key, value| key != "gateway" || value.as_object().is_none_or(|g| g.len() > 1)));
        }
        (self.normal)(&mut value);
        value
    }
}
