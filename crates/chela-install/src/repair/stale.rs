//! References of the config to plugins that are nowhere. What may come back stays: official plugins, recorded ones, blocked ones.

use std::collections::BTreeSet;

use chela_catalog::{Snapshot, official_by_id};
use chela_config::{Config, Edit, SetMode};
use serde_json::Value;

use crate::config_change::SLOTS;

/// Keys of `channels` that are no channels (INS-299).
const SHARED: [&str; 2] = ["defaults", "modelByChannel"];

/// What to change, and what to say about it.
#[derive(Debug, Default)]
pub(super) struct Stale {
    pub edits: Vec<Edit>,
    pub lines: Vec<String>,
}

impl Stale {
    fn unset(&mut self, path: &[&str]) {
        self.edits.push(Edit::Unset { path: path.iter().map(|key| (*key).to_owned()).collect() });
    }

    fn set(&mut self, path: &[&str], value: Value) {
        self.edits.push(Edit::Set { path: path.iter().map(|key| (*key).to_owned()).collect(), value, mode: SetMode::Replace });
    }
}

/// Looks through the config.
pub(super) fn find(config: &Config, snapshot: &Snapshot) -> Stale {
    let plugins = &config.source["plugins"];
    let mut out = Stale::default();
    let mut gone: BTreeSet<String> = BTreeSet::new();
    for name in ["allow", "deny"] {
        let Some(list) = plugins[name].as_array() else { continue };
        let is_stale = |entry: &&Value| entry.as_str().is_some_and(|id| is_stale(snapshot, id));
        let ids: Vec<&str> = list.iter().filter(is_stale).filter_map(Value::as_str).collect();
        if !ids.is_empty() {
            let kept: Vec<Value> = list.iter().filter(|entry| !is_stale(entry)).cloned().collect();
            // An empty allowlist would let everything in (INS-056).
            if kept.is_empty() && name == "allow" {
                continue;
            }
            out.lines.push(format!("took {} out of `plugins.{name}`: no such plugin", quoted(&ids)));
            gone.extend(ids.iter().map(|id| (*id).to_owned()));
            if kept.is_empty() { out.unset(&["plugins", name]) } else { out.set(&["plugins", name], kept.into()) }
        }
    }
    for id in plugins["entries"].as_object().into_iter().flat_map(serde_json::Map::keys).filter(|id| is_stale(snapshot, id)) {
        out.lines.push(format!("took `plugins.entries.{id}` out: no such plugin"));
        out.unset(&["plugins", "entries", id]);
        gone.insert(id.clone());
    }
    for (_, slot, default) in SLOTS {
        let named = plugins["slots"][slot].as_str().map(str::trim);
        if let Some(id) = named.filter(|id| !id.eq_ignore_ascii_case("none") && *id != default && is_stale(snapshot, id)) {
            out.lines.push(format!("set `plugins.slots.{slot}` to \"{default}\": there is no plugin \"{id}\""));
            out.set(&["plugins", "slots", slot], default.into());
        }
    }
    channels(config, snapshot, &gone, &mut out);
    out
}

/// Settings of channels whose plugin is among what is gone, and what leads to them.
fn channels(config: &Config, snapshot: &Snapshot, gone: &BTreeSet<String>, out: &mut Stale) {
    let owned = |id: &str| snapshot.plugins.iter().any(|plugin| plugin.manifest.channels.iter().any(|channel| channel == id));
    let section = config.source["channels"].as_object();
    let stale: Vec<&str> = section
        .into_iter()
        .flat_map(serde_json::Map::keys)
        .map(String::as_str)
        .filter(|id| !SHARED.contains(id) && gone.contains(*id) && !owned(id))
        .collect();
    for id in &stale {
        out.lines.push(format!("took `channels.{id}` out: its plugin is gone"));
        out.unset(&["channels", id]);
    }
    let leads_there = |value: &Value| value["heartbeat"]["target"].as_str().is_some_and(|target| stale.contains(&target));
    let agents = &config.source["agents"];
    if leads_there(&agents["defaults"]) {
        out.lines.push("took `agents.defaults.heartbeat.target` out: its channel is gone".to_owned());
        out.unset(&["agents", "defaults", "heartbeat", "target"]);
    }
    for (at, _) in agents["list"].as_array().into_iter().flatten().enumerate().filter(|(_, agent)| leads_there(agent)) {
        out.lines.push(format!("took `agents.list[{at}].heartbeat.target` out: its channel is gone"));
        out.unset(&["agents", "list", &at.to_string(), "heartbeat", "target"]);
    }
    for (provider, models) in config.source["channels"]["modelByChannel"].as_object().into_iter().flatten() {
        for id in stale.iter().filter(|id| models.get(**id).is_some()) {
            out.lines.push(format!("took `channels.modelByChannel.{provider}.{id}` out: its channel is gone"));
            out.unset(&["channels", "modelByChannel", provider, id]);
        }
    }
}

/// Nothing on this machine has the id, and nothing is known that would bring it.
fn is_stale(snapshot: &Snapshot, id: &str) -> bool {
    let id = id.trim();
    let is_known = snapshot.plugins.iter().any(|plugin| {
        let manifest = &plugin.manifest;
        plugin.id == id
            || manifest.legacy_plugin_ids.iter().any(|former| former == id)
            || manifest.channels.iter().any(|channel| channel == id)
            || manifest.command_aliases.iter().any(|alias| alias.name.eq_ignore_ascii_case(id))
    });
    let is_told = || snapshot.diagnostics.iter().any(|entry| entry.plugin_id.as_deref() == Some(id));
    !id.is_empty() && !is_known && !is_told() && !snapshot.index.records.contains_key(id) && official_by_id(id).is_none()
}

fn quoted(ids: &[&str]) -> String {
    ids.iter().map(|id| format!("\"{id}\"")).collect::<Vec<_>>().join(", ")
}
