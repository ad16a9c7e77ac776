//! What an install or uninstall changes in the config (INS-147, INS-148, INS-155, INS-296): edits of single keys, so that comments,
//! order and everything else stay.

use std::path::PathBuf;

use chela_config::{Config, Edit, SetMode};
use serde_json::{Map, Value};

use crate::intent::ConfigChange;

/// Slots by the kind that fills them, with what fills them by default (INS-058, INS-059).
pub(crate) const SLOTS: [(&str, &str, &str); 2] = [("memory", "memory", "memory-core"), ("context-engine", "contextEngine", "legacy")];

/// Edits and what to say about them.
#[derive(Debug, Default)]
pub(crate) struct Edits {
    pub list: Vec<Edit>,
    pub warnings: Vec<String>,
}

impl Edits {
    fn set(&mut self, path: &[&str], value: impl Into<Value>) {
        self.list.push(Edit::Set { path: keys(path), value: value.into(), mode: SetMode::Replace });
    }

    fn unset(&mut self, path: &[&str]) {
        self.list.push(Edit::Unset { path: keys(path) });
    }
}

fn keys(path: &[&str]) -> Vec<String> {
    path.iter().map(|key| (*key).to_owned()).collect()
}

/// The edits that `change` needs in this config; none when it is as wanted already.
pub(crate) fn edits(change: &ConfigChange, id: &str, config: &Config) -> Edits {
    let mut edits = Edits::default();
    match change {
        ConfigChange::None => {}
        ConfigChange::Install { kinds, load_path, enable } => install(&mut edits, id, config, kinds, load_path.as_deref(), *enable),
        ConfigChange::HookPack { record, hooks, extra_dir, enable } => {
            if *enable && config.source["hooks"]["internal"]["enabled"] != true {
                edits.set(&["hooks", "internal", "enabled"], true);
            }
            hook_pack(&mut edits, id, config, record, hooks, extra_dir.as_deref());
            return edits;
        }
        ConfigChange::HookPackRemoval { hooks, extra_dir } => {
            hook_pack_removal(&mut edits, id, config, hooks, extra_dir.as_deref());
            return edits;
        }
        ConfigChange::Uninstall { channels, load_path } => uninstall(&mut edits, id, config, channels, load_path.as_deref()),
    }
    // Legacy records were read as records and are in the index from now on (INS-091).
    if !matches!(change, ConfigChange::None) && config.source["plugins"].get("installs").is_some() {
        edits.unset(&["plugins", "installs"]);
    }
    edits
}

fn install(edits: &mut Edits, id: &str, config: &Config, kinds: &[String], load_path: Option<&str>, enable: bool) {
    let plugins = &config.source["plugins"];
    if let Some(path) = load_path {
        let mut paths = list(&plugins["load"]["paths"]);
        let known = paths.iter().filter_map(Value::as_str).any(|known| same_path(config, known, path));
        if !known {
            paths.push(path.into());
            edits.set(&["plugins", "load", "paths"], paths);
        }
    }
    if !enable {
        return;
    }
    let mut allow = list(&plugins["allow"]);
    if !allow.is_empty() && !allow.iter().any(|entry| entry == id) {
        allow.push(id.into());
        allow.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
        edits.set(&["plugins", "allow"], allow);
    }
    without(edits, plugins, "deny", id);
    if plugins["entries"][id]["enabled"] != true {
        edits.set(&["plugins", "entries", id, "enabled"], true);
    }
    for (_, slot, default) in SLOTS.iter().filter(|(kind, ..)| kinds.iter().any(|own| own == kind)) {
        let before = plugins["slots"][*slot].as_str();
        if before != Some(id) {
            edits.set(&["plugins", "slots", slot], id);
            let before = before.unwrap_or(default);
            if before != id {
                edits.warnings.push(format!("Exclusive slot \"{slot}\" switched from \"{before}\" to \"{id}\"."));
            }
        }
    }
}

/// INS-192.
fn hook_pack(edits: &mut Edits, id: &str, config: &Config, record: &Map<String, Value>, hooks: &[String], extra_dir: Option<&str>) {
    let internal = &config.source["hooks"]["internal"];
    for hook in hooks.iter().filter(|hook| internal["entries"][hook.as_str()]["enabled"] != true) {
        edits.set(&["hooks", "internal", "entries", hook, "enabled"], true);
    }
    let mut dirs = list(&internal["load"]["extraDirs"]);
    if let Some(dir) = extra_dir.filter(|dir| !dirs.iter().any(|known| known == dir)) {
        dirs.push(dir.into());
        edits.set(&["hooks", "internal", "load", "extraDirs"], dirs);
    }
    if internal["installs"].get(id).and_then(Value::as_object) != Some(record) {
        edits.set(&["hooks", "internal", "installs", id], record.clone());
    }
}

/// What [`hook_pack`] wrote goes, and sections that it was the last in. Whether internal hooks are on stays the operator's.
fn hook_pack_removal(edits: &mut Edits, id: &str, config: &Config, hooks: &[String], extra_dir: Option<&str>) {
    let internal = &config.source["hooks"]["internal"];
    for (section, gone) in [("entries", hooks), ("installs", &[id.to_owned()][..])] {
        let Some(all) = internal[section].as_object() else { continue };
        let there: Vec<&String> = gone.iter().filter(|name| all.contains_key(*name)).collect();
        if !there.is_empty() && there.len() == all.len() {
            edits.unset(&["hooks", "internal", section]);
        } else {
            there.iter().for_each(|name| edits.unset(&["hooks", "internal", section, name]));
        }
    }
    let dirs = list(&internal["load"]["extraDirs"]);
    let kept: Vec<Value> = dirs.iter().filter(|known| known.as_str() != extra_dir).cloned().collect();
    match (extra_dir.is_some() && kept.len() < dirs.len(), kept.is_empty()) {
        (false, _) => {}
        (true, false) => edits.set(&["hooks", "internal", "load", "extraDirs"], kept),
        (true, true) if internal["load"].as_object().is_some_and(|load| load.len() == 1) => edits.unset(&["hooks", "internal", "load"]),
        (true, true) => edits.unset(&["hooks", "internal", "load", "extraDirs"]),
    }
}

fn uninstall(edits: &mut Edits, id: &str, config: &Config, channels: &[String], load_path: Option<&str>) {
    let plugins = &config.source["plugins"];
    let mut gone = Vec::new();
    if plugins["entries"].get(id).is_some() {
        edits.unset(&["plugins", "entries", id]);
        if plugins["entries"].as_object().is_some_and(|entries| entries.len() == 1) {
            edits.unset(&["plugins", "entries"]);
            gone.push("entries");
        }
    }
    for name in ["allow", "deny"] {
        if without(edits, plugins, name, id) {
            gone.push(name);
        }
    }
    if let Some(path) = load_path.filter(|path| has_load_path(config, path)) {
        let kept: Vec<Value> = list(&plugins["load"]["paths"])
            .into_iter()
            .filter(|known| !known.as_str().is_some_and(|known| same_path(config, known, path)))
            .collect();
        if !kept.is_empty() {
            edits.set(&["plugins", "load", "paths"], kept);
        } else if plugins["load"].as_object().is_some_and(|load| load.len() == 1) {
            edits.unset(&["plugins", "load"]);
            gone.push("load");
        } else {
            edits.unset(&["plugins", "load", "paths"]);
        }
    }
    for (_, slot, default) in SLOTS {
        if plugins["slots"][slot] == id {
            edits.set(&["plugins", "slots", slot], default);
        }
    }
    // A section that this plugin was the last in goes with it.
    if !gone.is_empty() && plugins.as_object().is_some_and(|section| section.keys().all(|key| gone.contains(&key.as_str()))) {
        edits.unset(&["plugins"]);
    }
    let section = config.source["channels"].as_object();
    let owned: Vec<&String> = channels.iter().filter(|key| section.is_some_and(|section| section.contains_key(*key))).collect();
    for key in &owned {
        edits.unset(&["channels", key]);
    }
    if !owned.is_empty() && section.is_some_and(|section| section.len() == owned.len()) {
        edits.unset(&["channels"]);
    }
}

/// Takes an id out of a list; true when the list goes with it.
fn without(edits: &mut Edits, plugins: &Value, name: &str, id: &str) -> bool {
    let all = list(&plugins[name]);
    let kept: Vec<Value> = all.iter().filter(|entry| *entry != id).cloned().collect();
    if kept.len() == all.len() {
        return false;
    }
    if kept.is_empty() {
        edits.unset(&["plugins", name])
    } else {
        edits.set(&["plugins", name], kept.clone())
    }
    kept.is_empty()
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

/// True when the config loads this path.
pub(crate) fn has_load_path(config: &Config, path: &str) -> bool {
    let paths = config.source["plugins"]["load"]["paths"].as_array().into_iter().flatten();
    paths.filter_map(Value::as_str).any(|known| same_path(config, known, path))
}

fn same_path(config: &Config, left: &str, right: &str) -> bool {
    let real = |text: &str| -> PathBuf {
        let path = config.paths.resolve_user_path(text);
        path.canonicalize().unwrap_or(path)
    };
    left == right || real(left) == real(right)
}
