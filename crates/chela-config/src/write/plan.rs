//! Turns edits into new texts of the files that they concern.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Map, Value};

use super::{Edit, SetMode, gateway_mode};
use crate::dotted::{format_path, get_path, merge_patch, set_path, unset_path};
use crate::env::Env;
use crate::error::ConfigError;
use crate::include::{INCLUDE_KEY, IncludeContext, parse_error};
use crate::json5::{self, same_value};
use crate::paths::{StatePaths, lexical};
use crate::subst::substitute;

/// A file under change: what it says and what it shall say.
struct Document {
    text: String,
    before: Value,
    after: Value,
    exists: bool,
    /// Set when the text is not JSON5 and is replaced as a whole.
    broken: bool,
}

/// The new texts.
pub(super) struct Written {
    pub(super) texts: BTreeMap<PathBuf, String>,
    /// What the files that were looked at for the change said; `None` for one that is new.
    pub(super) before: BTreeMap<PathBuf, Option<String>>,
    pub(super) comments_lost: bool,
}

pub(super) struct Plan<'a> {
    main: PathBuf,
    paths: &'a StatePaths,
    env: &'a Env,
    documents: BTreeMap<PathBuf, Document>,
    /// The configuration as it stands, includes put in.
    source: Value,
}

impl<'a> Plan<'a> {
    pub(super) fn new(paths: &'a StatePaths, env: &'a Env, raw: Option<&str>, edits: &[Edit]) -> Result<Self, ConfigError> {
        let main = paths.config_path.clone();
        let text = raw.unwrap_or("{}\n").to_owned();
        let repair = matches!(edits, [Edit::Replace(_)]);
        let (value, broken) = match json5::parse_value(&text) {
            Ok(value) => (value, false),
            Err(_) if repair => (Value::Object(Map::new()), true),
            Err(error) => return Err(parse_error(&main, &text, error)),
        };
        let overlay = BTreeMap::new();
        let resolved = IncludeContext::new(&main, paths.include_roots(env), &overlay).resolve(&value, &main);
        let source = match resolved {
            Ok(source) => source,
            // A broken include must not stand in the way of taking it out.
            Err(_) => value.clone(),
        };
        let document = Document { text, before: value.clone(), after: value, exists: raw.is_some(), broken };
        Ok(Self { documents: BTreeMap::from([(main.clone(), document)]), main, paths, env, source })
    }

    pub(super) fn gateway_mode(&self) -> Option<String> {
        gateway_mode(&self.source)
    }

    pub(super) fn apply(&mut self, edits: &[Edit]) -> Result<(), ConfigError> {
        for edit in edits {
            match edit {
                Edit::Set { path, value, mode } => {
                    let value = self.combined(path, value, *mode)?;
                    self.put(path, Some(value))?;
                }
                Edit::Unset { path } => self.put(path, None)?,
                Edit::Patch(patch) => {
                    let mut target = self.source.clone();
                    merge_patch(&mut target, patch);
                    self.become_value(&target)?;
                }
                Edit::Replace(target) => self.become_value(target)?,
            }
        }
        Ok(())
    }

    /// The value to write for a `Set`, from what is there and what is given.
    fn combined(&self, path: &[String], value: &Value, mode: SetMode) -> Result<Value, ConfigError> {
        let Some(old) = get_path(&self.source, path) else {
            return Ok(value.clone());
        };
        match mode {
            SetMode::Replace => Ok(value.clone()),
            SetMode::Merge => merged(old, value).ok_or_else(|| ConfigError::BadPath {
                path: format_path(path),
                message: "what is there cannot be merged with this value; replace it".to_owned(),
            }),
            SetMode::Guarded => {
                let removed = removed_entries(path, old, value);
                if removed.is_empty() {
                    return Ok(value.clone());
                }
                Err(ConfigError::Destructive { path: format_path(path), removed })
            }
        }
    }

    /// Writes the differences between the configuration and `target`, each where it belongs.
    fn become_value(&mut self, target: &Value) -> Result<(), ConfigError> {
        if !target.is_object() {
            return Err(ConfigError::BadPath { path: "<root>".to_owned(), message: "the configuration must be an object".to_owned() });
        }
        if self.documents.get(&self.main).is_some_and(|document| document.broken) {
            if let Some(document) = self.documents.get_mut(&self.main) {
                document.after = target.clone();
            }
            self.source = target.clone();
            return Ok(());
        }
        // A client may send back values in which `${NAME}` was already replaced; those did not change.
        let mut env = self.env.clone();
        env.apply_config_block(&self.source);
        let effective = substitute(&self.source, &env).0;
        let mut changes = Vec::new();
        differences(&self.source, &effective, target, &mut Vec::new(), &mut changes);
        for (path, value) in changes {
            self.put(&path, value)?;
        }
        Ok(())
    }

    /// Sets or removes one value in the file that holds it.
    fn put(&mut self, path: &[String], value: Option<Value>) -> Result<(), ConfigError> {
        match &value {
            Some(value) => set_path(&mut self.source, path, value.clone())?,
            None => {
                unset_path(&mut self.source, path);
            }
        }
        let whole = value.as_ref().is_some_and(|value| value.get(INCLUDE_KEY).is_none());
        let (file, rest) = self.route(path, whole)?;
        let Some(document) = self.documents.get_mut(&file) else {
            return Ok(());
        };
        match value {
            Some(value) => set_path(&mut document.after, &rest, value),
            None => {
                unset_path(&mut document.after, &rest);
                Ok(())
            }
        }
    }

    /// Which file holds a path, and the path within it (GW-140). `whole`: a value takes the place of all that the path leads to, so
    /// that a section which is an include is replaced in its file and not cut off from it.
    fn route(&mut self, path: &[String], whole: bool) -> Result<(PathBuf, Vec<String>), ConfigError> {
        let mut file = self.main.clone();
        let mut chain = vec![lexical(&file)];
        let mut rest = path;
        while let Some(document) = self.documents.get(&file) {
            match owner(&document.after, rest, whole) {
                Owner::ThisFile => break,
                Owner::Include { name, depth } if depth > 0 || chain.len() > 1 => {
                    let name = name.to_owned();
                    file = self.open_include(&name, &chain)?;
                    chain.push(file.clone());
                    rest = &rest[depth..];
                }
                Owner::Include { .. } | Owner::Mixed => {
                    return Err(ConfigError::IncludeOwned {
                        path: format_path(path),
                        message: format!(
                            "it comes from an `$include` in `{}` that is not one file for one section; edit the files by hand",
                            file.display()
                        ),
                    });
                }
            }
        }
        Ok((file, rest.to_vec()))
    }

    fn open_include(&mut self, name: &str, chain: &[PathBuf]) -> Result<PathBuf, ConfigError> {
        let overlay = BTreeMap::new();
        let context = IncludeContext::new(&self.main, self.paths.include_roots(self.env), &overlay);
        let (file, text) = context.read(name, chain)?;
        // Replacing the file would cut a link off from what it leads to.
        super::require_regular(&file)?;
        if chain.contains(&file) {
            let message = format!("`{}` includes itself; mend the `$include` by hand", file.display());
            return Err(ConfigError::IncludeOwned { path: name.to_owned(), message });
        }
        if !self.documents.contains_key(&file) {
            let value = json5::parse_value(&text).map_err(|error| parse_error(&file, &text, error))?;
            let document = Document { text, before: value.clone(), after: value, exists: true, broken: false };
            self.documents.insert(file.clone(), document);
        }
        Ok(file)
    }

    /// Notes time and version in `meta` when the main file changes (GW-138).
    pub(super) fn stamp(&mut self, version: &str) {
        if let Some(document) = self.documents.get_mut(&self.main)
            && (!document.exists || document.broken || !same_value(&document.before, &document.after))
            && let Some(root) = document.after.as_object_mut()
            && let Some(meta) = root.entry("meta").or_insert_with(|| Value::Object(Map::new())).as_object_mut()
            && !meta.contains_key(INCLUDE_KEY)
        {
            meta.insert("lastTouchedVersion".to_owned(), version.into());
            meta.insert("lastTouchedAt".to_owned(), format!("{:.3}", jiff::Timestamp::now()).into());
        }
    }

    pub(super) fn finish(self) -> Result<Written, ConfigError> {
        let mut written = Written { texts: BTreeMap::new(), before: BTreeMap::new(), comments_lost: false };
        for (file, document) in self.documents {
            written.before.insert(file.clone(), document.exists.then(|| document.text.clone()));
            if document.broken {
                let text = format!("{:#}\n", document.after);
                written.comments_lost = true;
                written.texts.insert(file, text);
            } else if !document.exists || !same_value(&document.before, &document.after) {
                let done = json5::rewrite(&document.text, &document.after).map_err(|e| parse_error(&file, &document.text, e))?;
                written.comments_lost |= done.comments_lost;
                written.texts.insert(file, done.text);
            }
        }
        Ok(written)
    }
}

/// Who holds a value within a file.
enum Owner<'a> {
    ThisFile,
    /// The file `name`, included `depth` keys down.
    Include {
        name: &'a str,
        depth: usize,
    },
    /// Several files, or a file and the keys beside its `$include`.
    Mixed,
}

fn owner<'a>(root: &'a Value, path: &[String], whole: bool) -> Owner<'a> {
    let alone = |node: &Value| node.as_object().is_some_and(|map| map.len() == 1);
    let mut node = root;
    for (depth, segment) in path.iter().enumerate() {
        let beside = node.get(segment);
        if let Some(include) = node.get(INCLUDE_KEY).filter(|_| segment != INCLUDE_KEY) {
            return match (include, beside) {
                (Value::String(name), None) if alone(node) => Owner::Include { name, depth },
                // A plain value beside an `$include` wins over it, so it can be changed here.
                (_, Some(own)) if !own.is_array() && !own.is_object() => Owner::ThisFile,
                _ => Owner::Mixed,
            };
        }
        match beside.or_else(|| segment.parse::<usize>().ok().and_then(|index| node.get(index))) {
            Some(next) => node = next,
            None => return Owner::ThisFile,
        }
    }
    match node.get(INCLUDE_KEY).filter(|_| whole) {
        None => Owner::ThisFile,
        Some(Value::String(name)) if alone(node) => Owner::Include { name, depth: path.len() },
        Some(_) => Owner::Mixed,
    }
}

/// Paths at which `target` differs from `source`, with the value to set or `None` to remove.
fn differences(source: &Value, effective: &Value, target: &Value, path: &mut Vec<String>, out: &mut Vec<(Vec<String>, Option<Value>)>) {
    if same_value(source, target) || same_value(effective, target) {
        return;
    }
    let (Some(old), Some(new)) = (source.as_object(), target.as_object()) else {
        out.push((path.clone(), Some(keep_references(source, effective, target))));
        return;
    };
    for key in old.keys().filter(|key| !new.contains_key(*key)) {
        path.push(key.clone());
        out.push((path.clone(), None));
        path.pop();
    }
    for (key, value) in new {
        path.push(key.clone());
        match old.get(key) {
            Some(old) => differences(old, &effective[key], value, path, out),
            None => out.push((path.clone(), Some(value.clone()))),
        }
        path.pop();
    }
}

/// The target with `${NAME}` kept where the target merely repeats its value.
fn keep_references(source: &Value, effective: &Value, target: &Value) -> Value {
    if same_value(effective, target) {
        return source.clone();
    }
    match (source, target) {
        (Value::Array(old), Value::Array(new)) => new
            .iter()
            .enumerate()
            .map(|(at, item)| old.get(at).map_or_else(|| item.clone(), |old| keep_references(old, &effective[at], item)))
            .collect(),
        (Value::Object(old), Value::Object(new)) => {
            let entry = |(key, item): (&String, &Value)| {
                (key.clone(), old.get(key).map_or_else(|| item.clone(), |old| keep_references(old, &effective[key], item)))
            };
            Value::Object(new.iter().map(entry).collect())
        }
        _ => target.clone(),
    }
}

/// Objects merge, lists of objects with ids merge by id; anything else cannot be merged.
fn merged(old: &Value, new: &Value) -> Option<Value> {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let mut out = old.clone();
            for (key, value) in new {
                let value = match out.get(key) {
                    Some(existing) if existing.is_object() && value.is_object() => merged(existing, value)?,
                    _ => value.clone(),
                };
                out.insert(key.clone(), value);
            }
            Some(Value::Object(out))
        }
        (Value::Array(old), Value::Array(new)) => {
            let mut out = old.clone();
            for item in new {
                let same_id = |known: &&mut Value| item["id"].is_string() && known["id"] == item["id"];
                match out.iter_mut().find(same_id) {
                    Some(known) => *known = merged(known, item)?,
                    None => out.push(item.clone()),
                }
            }
            Some(Value::Array(out))
        }
        _ => None,
    }
}

/// The user's own entries that replacing would remove.
fn removed_entries(path: &[String], old: &Value, new: &Value) -> Vec<String> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let guarded_map = matches!(
        path[..],
        ["agents", "defaults", "models"]
            | ["models", "providers"]
            | ["models", "providers", _]
            | ["plugins", "entries"]
            | ["auth", "profiles"]
    );
    let guarded_list = matches!(path[..], ["models", "providers", _, "models"] | ["agents", "list"]);
    match (old, new) {
        (Value::Object(old), Value::Object(new)) if guarded_map => old.keys().filter(|key| !new.contains_key(*key)).cloned().collect(),
        (Value::Array(old), Value::Array(new)) if guarded_list => {
            let id = |item: &Value| item["id"].as_str().map(str::to_owned);
            old.iter().filter_map(id).filter(|known| !new.iter().filter_map(id).any(|other| other == *known)).collect()
        }
        _ => Vec::new(),
    }
}
