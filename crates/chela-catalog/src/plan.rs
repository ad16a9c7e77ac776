//! The activation plan: for one trigger, which plugins start and why, and why the others do not
//! (MAN-168..MAN-177).

use std::collections::BTreeSet;

use chela_manifest::ActivationCapability;
use serde::Serialize;
use serde_json::Value;

use crate::auto_enable::configured_channels;
use crate::record::{Lane, PluginRecord, Status};
use crate::snapshot::Snapshot;

/// What makes plugins necessary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// The gateway starts.
    GatewayStartup,
    /// An agent turn begins.
    Turn,
    /// A slash command, without the slash.
    Command(String),
    /// An HTTP request path.
    Route(String),
    /// A channel id.
    Channel(String),
    /// A model provider id.
    Provider(String),
    /// A command-line command.
    Cli(String),
}

/// One line of the plan; there is one for every plugin of the snapshot, in its order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedActivation {
    /// Plugin id.
    pub plugin_id: String,
    /// Whether its code is needed for this trigger.
    pub start: bool,
    /// Why, or why not.
    pub reason: String,
    /// The hints and ownerships that matched, by their documented labels (MAN-173, MAN-174).
    pub labels: Vec<&'static str>,
}

/// Plans one trigger over all plugins of the snapshot.
pub fn activation_plan(snapshot: &Snapshot, trigger: &Trigger) -> Vec<PlannedActivation> {
    let planner = Planner {
        snapshot,
        configured_channels: configured_channels(&snapshot.config).into_iter().collect(),
        declared: declared_by_someone(snapshot, trigger),
    };
    snapshot.plugins.iter().map(|plugin| planner.plan(plugin, trigger)).collect()
}

struct Planner<'a> {
    snapshot: &'a Snapshot,
    configured_channels: BTreeSet<String>,
    /// A startable plugin declares the command of the trigger.
    declared: bool,
}

struct Verdict {
    start: bool,
    reason: String,
    labels: Vec<&'static str>,
}

impl Verdict {
    fn yes(reason: impl Into<String>, labels: Vec<&'static str>) -> Self {
        Self { start: true, reason: reason.into(), labels }
    }

    fn no(reason: impl Into<String>) -> Self {
        Self { start: false, reason: reason.into(), labels: Vec::new() }
    }
}

impl Planner<'_> {
    fn plan(&self, plugin: &PluginRecord, trigger: &Trigger) -> PlannedActivation {
        let verdict = match unstartable(plugin) {
            Some(reason) => Verdict::no(reason),
            None => match trigger {
                Trigger::GatewayStartup => self.startup(plugin),
                Trigger::Turn => self.turn(plugin),
                Trigger::Command(name) | Trigger::Cli(name) => self.command(plugin, name),
                Trigger::Route(path) => route(plugin, path),
                Trigger::Channel(id) => owned(
                    "channel",
                    id,
                    vec![
                        matched(&plugin.manifest.activation.on_channels, id, "activation-channel-hint"),
                        matched(&plugin.manifest.channels, id, "manifest-channel-owner"),
                    ],
                ),
                Trigger::Provider(id) => provider(plugin, id),
            },
        };
        PlannedActivation { plugin_id: plugin.id.clone(), start: verdict.start, reason: verdict.reason, labels: verdict.labels }
    }

    fn startup(&self, plugin: &PluginRecord) -> Verdict {
        if let Some(reason) = self.startup_reason(plugin) {
            return reason;
        }
        let waits = match restriction(plugin) {
            Some(hints) => format!("waits for {hints}"),
            None => "starts with the first agent turn".to_owned(),
        };
        Verdict::no(waits)
    }

    /// Why the plugin is needed as soon as the gateway runs, if it is.
    fn startup_reason(&self, plugin: &PluginRecord) -> Option<Verdict> {
        if plugin.lane == Lane::Builtin {
            return Some(Verdict::yes("builtin plugin, part of the program", vec![]));
        }
        let activation = &plugin.manifest.activation;
        if activation.on_startup == Some(true) {
            return Some(Verdict::yes("activation.onStartup is true", vec![]));
        }
        if plugin.fills_memory_slot {
            return Some(Verdict::yes("selected memory slot", vec![]));
        }
        if plugin.fills_context_engine_slot {
            return Some(Verdict::yes("selected context engine slot", vec![]));
        }
        let mut hinted = activation.on_config_paths.iter();
        if let Some(path) = hinted.find(|path| is_configured(&self.snapshot.config, path)) {
            let reason = format!("config path `{path}` is set");
            return Some(Verdict::yes(reason, vec!["activation-config-path-hint"]));
        }
        let configured = |list: &[String]| {
            let mut list = list.iter();
            list.find(|id| self.configured_channels.contains(*id)).cloned()
        };
        if let Some(id) = configured(&activation.on_channels) {
            let reason = format!("channel `{id}` is configured");
            return Some(Verdict::yes(reason, vec!["activation-channel-hint"]));
        }
        let id = configured(&plugin.manifest.channels)?;
        let reason = format!("channel `{id}` is configured");
        Some(Verdict::yes(reason, vec!["manifest-channel-owner"]))
    }

    fn turn(&self, plugin: &PluginRecord) -> Verdict {
        if let Some(reason) = self.startup_reason(plugin) {
            return reason;
        }
        match restriction(plugin) {
            Some(hints) => Verdict::no(format!("not needed for agent turns: waits for {hints}")),
            None => Verdict::yes(NEEDED_FOR_TURNS, turn_labels(plugin)),
        }
    }

    fn command(&self, plugin: &PluginRecord, name: &str) -> Verdict {
        let labels = command_labels(plugin, name);
        if !labels.is_empty() {
            return Verdict::yes(format!("declares command `{name}`"), labels);
        }
        if plugin.lane == Lane::Builtin {
            return Verdict::yes("builtin plugin, part of the program", vec![]);
        }
        if self.declared {
            return Verdict::no(format!("another plugin declares command `{name}`"));
        }
        // Commands need no declaration, so an unknown one may belong to any open plugin.
        match restriction(plugin) {
            Some(hints) => Verdict::no(format!("does not declare command `{name}`; waits for {hints}")),
            None => Verdict::yes(format!("no plugin declares command `{name}`: may register it"), vec![]),
        }
    }
}

const NEEDED_FOR_TURNS: &str = "needed for agent turns: may register hooks or tools";

/// Why a plugin cannot start at all.
fn unstartable(plugin: &PluginRecord) -> Option<String> {
    match plugin.status {
        Status::Disabled => {
            let reason = plugin.activation_reason.as_deref().unwrap_or("disabled");
            Some(format!("disabled: {reason}"))
        }
        Status::Error => {
            let message = plugin.failure.as_ref().map(|failure| failure.message.as_str());
            Some(format!("error: {}", message.unwrap_or("unknown")))
        }
        Status::Loaded if plugin.lane == Lane::Bundle => Some("the bundle lane is not built yet".to_owned()),
        Status::Loaded => None,
    }
}

/// The hints that clearly restrict a plugin to something other than agent turns.
fn restriction(plugin: &PluginRecord) -> Option<String> {
    let manifest = &plugin.manifest;
    let activation = &manifest.activation;
    let hints = activation.hint_names();
    let takes_part = activation.on_startup == Some(true)
        || !manifest.contracts.tools().is_empty()
        || !manifest.kind.is_empty()
        || activation.has_capability(ActivationCapability::Tool)
        || activation.has_capability(ActivationCapability::Hook);
    if hints.is_empty() || takes_part {
        return None;
    }
    let names: Vec<String> = hints.iter().map(|hint| format!("activation.{hint}")).collect();
    Some(names.join(", "))
}

fn turn_labels(plugin: &PluginRecord) -> Vec<&'static str> {
    let manifest = &plugin.manifest;
    let hinted = |capability| manifest.activation.has_capability(capability);
    let mut labels = Vec::new();
    if hinted(ActivationCapability::Tool) || hinted(ActivationCapability::Hook) {
        labels.push("activation-capability-hint");
    }
    if !manifest.contracts.tools().is_empty() {
        labels.push("manifest-tool-contract");
    }
    labels
}

/// MAN-175: the command-line command of an alias, else its name.
fn command_labels(plugin: &PluginRecord, name: &str) -> Vec<&'static str> {
    let manifest = &plugin.manifest;
    let mut labels = Vec::new();
    labels.extend(matched(&manifest.activation.on_commands, name, "activation-command-hint"));
    let mut aliases = manifest.command_aliases.iter();
    let alias = aliases.any(|alias| {
        let command = alias.cli_command.as_ref().unwrap_or(&alias.name);
        same(command, name)
    });
    if alias {
        labels.push("manifest-command-alias");
    }
    labels
}

fn provider(plugin: &PluginRecord, id: &str) -> Verdict {
    let manifest = &plugin.manifest;
    let setup: Vec<String> = manifest.setup.iter().flat_map(|setup| &setup.providers).map(|provider| provider.id.clone()).collect();
    owned(
        "provider",
        id,
        vec![
            matched(&manifest.activation.on_providers, id, "activation-provider-hint"),
            matched(&manifest.providers, id, "manifest-provider-owner")
                .or_else(|| matched(&manifest.cli_backends, id, "manifest-provider-owner")),
            matched(&setup, id, "manifest-setup-provider-owner"),
        ],
    )
}

/// Routes have no ownership fallback (MAN-176). A hint covers its own path and what lies under it.
fn route(plugin: &PluginRecord, path: &str) -> Verdict {
    let path = path.trim().to_lowercase();
    let mut hints = plugin.manifest.activation.on_routes.iter();
    let hint = hints.find(|hint| {
        let hint = hint.to_lowercase();
        let base = hint.trim_end_matches('*').trim_end_matches('/');
        path.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    match hint {
        Some(hint) => Verdict::yes(format!("activation.onRoutes covers it with `{hint}`"), vec!["activation-route-hint"]),
        None => Verdict::no("no activation.onRoutes hint covers the path"),
    }
}

fn owned(what: &str, id: &str, found: Vec<Option<&'static str>>) -> Verdict {
    let labels: Vec<_> = found.into_iter().flatten().collect();
    if labels.is_empty() {
        return Verdict::no(format!("does not declare {what} `{id}`"));
    }
    Verdict::yes(format!("declares {what} `{id}`"), labels)
}

fn matched(list: &[String], name: &str, label: &'static str) -> Option<&'static str> {
    list.iter().any(|entry| same(entry, name)).then_some(label)
}

fn same(left: &str, right: &str) -> bool {
    left.trim().to_lowercase() == right.trim().to_lowercase()
}

fn declared_by_someone(snapshot: &Snapshot, trigger: &Trigger) -> bool {
    let (Trigger::Command(name) | Trigger::Cli(name)) = trigger else {
        return false;
    };
    snapshot.plugins.iter().any(|plugin| plugin.is_startable() && !command_labels(plugin, name).is_empty())
}

/// Present, and not explicitly disabled at or above the path (MAN-177).
fn is_configured(config: &Value, path: &str) -> bool {
    let is_off = |value: &Value| value.get("enabled") == Some(&Value::Bool(false));
    let mut value = config;
    for key in path.split('.').filter(|key| !key.is_empty()) {
        match value.get(key) {
            Some(next) if !is_off(next) => value = next,
            _ => return false,
        }
    }
    !matches!(value, Value::Null | Value::Bool(false))
}

#[cfg(test)]
mod tests;
