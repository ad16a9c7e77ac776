//! What a gateway loads (HOOK-287, HOOK-288, HOOK-291).

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

use crate::discover::{Hook, discover};
use crate::inputs::{HookInputs, HookSource, inside};
use crate::report::HookStatus;

/// Most handlers that are loaded.
const MAX_HANDLERS: usize = 500;

/// A handler to load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedHook {
    /// Name, for the log.
    pub name: String,
    /// Description.
    pub description: String,
    /// Events that it gets.
    pub events: Vec<String>,
    /// Its module, a real path.
    pub file: PathBuf,
    /// The directory that the module belongs to.
    pub root: PathBuf,
    /// The export that is called.
    pub export: String,
    /// Size and time of the module, so that a changed file is another one.
    pub stamp: (u64, u128),
}

/// All that a gateway loads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadPlan {
    /// Handlers, in the order in which they are registered.
    pub hooks: Vec<PlannedHook>,
    /// Bundled hooks, each with its entry in the config.
    pub bundled: Vec<(String, Value)>,
    /// Names of variables that the hooks ask for.
    pub env_names: Vec<String>,
    /// Variables that the config sets for them; the first value of a name counts.
    pub env: Vec<(String, String)>,
    /// What is not loaded though it was asked for.
    pub warnings: Vec<String>,
}

/// True when the config asks for internal hooks at all (HOOK-287).
pub fn is_configured(internal: &Value) -> bool {
    match internal.get("enabled") {
        Some(Value::Bool(enabled)) => *enabled,
        _ => any_entry(internal) || !extra_dirs(internal).is_empty() || any_install(internal) || !legacy(internal).is_empty(),
    }
}

fn any_entry(internal: &Value) -> bool {
    let entries = internal.get("entries").and_then(Value::as_object);
    entries.is_some_and(|all| all.values().any(|entry| entry.get("enabled") != Some(&Value::Bool(false))))
}

fn any_install(internal: &Value) -> bool {
    internal.get("installs").and_then(Value::as_object).is_some_and(|all| !all.is_empty())
}

fn extra_dirs(internal: &Value) -> Vec<&str> {
    let dirs = internal.pointer("/load/extraDirs").and_then(Value::as_array).into_iter().flatten();
    dirs.filter_map(Value::as_str).filter(|dir| !dir.trim().is_empty()).collect()
}

fn legacy(internal: &Value) -> &[Value] {
    internal.get("handlers").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The names to load; `None` for all.
fn only(internal: &Value) -> Option<BTreeSet<&str>> {
    if internal.get("enabled") == Some(&Value::Bool(true)) || !extra_dirs(internal).is_empty() || !legacy(internal).is_empty() {
        return None;
    }
    let mut names = BTreeSet::new();
    for (name, entry) in internal.get("entries").and_then(Value::as_object).into_iter().flatten() {
        if entry.get("enabled") != Some(&Value::Bool(false)) {
            names.insert(name.trim());
        }
    }
    for record in internal.get("installs").and_then(Value::as_object).into_iter().flat_map(|all| all.values()) {
        let hooks: Vec<&str> = record.get("hooks").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        if hooks.is_empty() {
            return None;
        }
        names.extend(hooks.into_iter().map(str::trim));
    }
    Some(names)
}

/// What to load by this config. Nothing is loaded unless the config asks for internal hooks.
pub fn plan(inputs: &HookInputs) -> LoadPlan {
    let internal = inputs.internal();
    let mut plan = LoadPlan::default();
    if !is_configured(internal) {
        return plan;
    }
    let found = discover(inputs);
    plan.warnings = found.warnings.clone();
    let names = only(internal);
    let named = |hook: &Hook| names.as_ref().is_none_or(|names| names.contains(hook.file.name.as_str()) || names.contains(hook.key()));
    for hook in found.hooks.iter().filter(|hook| named(hook)) {
        plan.hook(hook, inputs);
    }
    for handler in legacy(internal) {
        plan.legacy(handler, inputs);
    }
    if plan.hooks.len() > MAX_HANDLERS {
        plan.warnings.push(format!("{} hooks are to be loaded, the limit is {MAX_HANDLERS}; the others are left out", plan.hooks.len()));
        plan.hooks.truncate(MAX_HANDLERS);
    }
    plan
}

impl LoadPlan {
    fn hook(&mut self, hook: &Hook, inputs: &HookInputs) {
        let name = &hook.file.name;
        let entry = inputs.entry(hook.key());
        if !HookStatus::of(hook, inputs).loadable {
            return;
        }
        if hook.source == HookSource::Bundled {
            self.bundled.push((name.clone(), entry.clone()));
            return;
        }
        let metadata = &hook.file.metadata;
        if metadata.events.is_empty() {
            self.warnings.push(format!("hook \"{name}\" names no events in its metadata, so it never runs"));
            return;
        }
        self.variables(name, &metadata.requires.env, entry);
        self.hooks.push(PlannedHook {
            name: name.clone(),
            description: hook.file.description.clone(),
            events: metadata.events.clone(),
            stamp: stamp(&hook.file.handler),
            file: hook.file.handler.clone(),
            root: hook.file.dir.clone(),
            export: metadata.export.clone().unwrap_or_else(|| "default".to_owned()),
        });
    }

    /// All hooks share one process, so of two values for one name the first counts.
    fn variables(&mut self, hook: &str, names: &[String], entry: &Value) {
        self.env_names.extend(names.iter().cloned());
        for (name, value) in entry.get("env").and_then(Value::as_object).into_iter().flatten() {
            let Some(value) = value.as_str() else { continue };
            match self.env.iter().find(|(known, _)| known == name) {
                Some((_, known)) if known != value => {
                    self.warnings.push(format!(
                        "hook \"{hook}\" sets the variable `{name}` to another value than a hook before it; the first counts"
                    ));
                }
                Some(_) => {}
                None => self.env.push((name.clone(), value.to_owned())),
            }
        }
    }

    /// HOOK-291.
    fn legacy(&mut self, handler: &Value, inputs: &HookInputs) {
        let text = |key: &str| handler.get(key).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
        let refused = |why: String| format!("`hooks.internal.handlers`: {why}");
        let (Some(event), Some(module)) = (text("event"), text("module")) else {
            return self.warnings.push(refused("an entry needs `event` and `module`".to_owned()));
        };
        if PathBuf::from(module).is_absolute() {
            return self.warnings.push(refused(format!("`{module}` must be relative to the workspace")));
        }
        let file = inside(&inputs.workspace_dir, module);
        let Some(file) = file.filter(|file| file.metadata().is_ok_and(|stat| stat.is_file() && !crate::file::has_other_names(&stat)))
        else {
            return self.warnings.push(refused(format!("`{module}` is no file inside the workspace")));
        };
        self.hooks.push(PlannedHook {
            name: format!("{module} ({event})"),
            description: String::new(),
            events: vec![event.to_owned()],
            stamp: stamp(&file),
            root: file.parent().map_or_else(|| inputs.workspace_dir.clone(), PathBuf::from),
            file,
            export: text("export").unwrap_or("default").to_owned(),
        });
    }
}

fn stamp(file: &std::path::Path) -> (u64, u128) {
    let time = |stat: &std::fs::Metadata| stat.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok().map(|age| age.as_nanos());
    file.metadata().map(|stat| (stat.len(), time(&stat).unwrap_or_default())).unwrap_or_default()
}

#[cfg(test)]
mod tests;
