//! Issues of the config file that only the catalog can see (MAN-013, MAN-052..MAN-061,
//! MAN-077, MAN-094, MAN-136, MAN-137, MAN-182, MAN-224..MAN-233, MAN-244, INS-027).

mod models;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::channel_catalog::ExternalCatalog;
use crate::diagnostic::{Diagnostic, Level};
use crate::gates::BLOCKED;
use crate::installs::InstallIndex;
use crate::official::{official_by_id, official_plugins};
use crate::policy::{BUILTIN_CONTEXT_ENGINE, PluginPolicy};
use crate::record::PluginRecord;
use crate::schema::{self, Checked, SchemaIssue};

/// One issue of the config file.
///
/// An error makes `config validate` fail. It never stops another command: the plugin that it is
/// about is unusable, and nothing else (MAN-234..MAN-237).
#[derive(Debug, Clone, PartialEq)]
pub struct PluginConfigIssue {
    /// [`Level::Error`] or [`Level::Warn`].
    pub level: Level,
    /// Dotted config path.
    pub path: String,
    /// One line.
    pub message: String,
    /// Values that would be accepted (MAN-059).
    pub allowed_values: Option<Vec<Value>>,
    /// How many more values would be accepted (MAN-060).
    pub allowed_values_hidden: usize,
}

impl PluginConfigIssue {
    fn new(level: Level, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { level, path: path.into(), message: message.into(), allowed_values: None, allowed_values_hidden: 0 }
    }

    fn schema(base: &str, issue: SchemaIssue) -> Self {
        let path = match issue.path.as_str() {
            "" => base.to_owned(),
            path => format!("{base}.{path}"),
        };
        let (values, hidden) = match issue.allowed {
            Some(allowed) => (Some(allowed.values), allowed.hidden),
            None => (None, 0),
        };
        Self {
            allowed_values: values,
            allowed_values_hidden: hidden,
            ..Self::new(Level::Error, path, format!("invalid config: {}", issue.message))
        }
    }

    /// The JSON row of `config validate --json` (MAN-063).
    pub fn to_json(&self) -> Value {
        let mut row = Map::new();
        row.insert("path".into(), self.path.as_str().into());
        row.insert("message".into(), self.message.as_str().into());
        if let Some(values) = &self.allowed_values {
            row.insert("allowedValues".into(), values.clone().into());
            if self.allowed_values_hidden > 0 {
                row.insert("allowedValuesHiddenCount".into(), self.allowed_values_hidden.into());
            }
        }
        Value::Object(row)
    }
}

/// Plugins that were once part of the reference and are gone for good (MAN-230).
const REMOVED_PLUGINS: [&str; 2] = ["google-antigravity-auth", "google-gemini-cli-auth"];

/// Config of one plugin after validation.
pub(crate) struct PluginConfig {
    /// With defaults; `None` when not validated or invalid.
    pub value: Option<Value>,
    /// Empty when valid.
    pub issues: Vec<PluginConfigIssue>,
    /// Set when the schema itself is unusable.
    pub bad_schema: Option<String>,
}

/// Validates `plugins.entries.<id>.config` (MAN-052, MAN-053, MAN-055).
pub(crate) fn validate_entry(id: &str, schema: &Value, config: Option<&Value>, enabled: bool) -> PluginConfig {
    let mut outcome = PluginConfig { value: None, issues: Vec::new(), bad_schema: None };
    if config.is_none() && !enabled {
        return outcome;
    }
    let base = format!("plugins.entries.{id}.config");
    let empty = Value::Object(Map::new());
    match schema::check(schema, config.unwrap_or(&empty)) {
        Checked::Valid(value) => outcome.value = Some(value),
        Checked::Invalid(issues) => {
            let issues = issues.into_iter();
            outcome.issues = issues.map(|issue| PluginConfigIssue::schema(&base, issue)).collect();
        }
        Checked::BadSchema(why) => {
            let message = format!("plugin configSchema cannot be used: {why}");
            let path = format!("plugins.entries.{id}");
            outcome.issues.push(PluginConfigIssue::new(Level::Error, path, &*message));
            outcome.bad_schema = Some(message);
        }
    }
    outcome
}

/// What the reference check looks at.
pub(crate) struct References<'a> {
    pub config: &'a Value,
    pub policy: &'a PluginPolicy,
    pub index: &'a InstallIndex,
    pub plugins: &'a [PluginRecord],
    pub diagnostics: &'a [Diagnostic],
    /// Channel ids that the program knows without a plugin.
    pub known_channels: &'a [&'a str],
    /// Channels of packages that are not installed (MAN-223).
    pub external: &'a ExternalCatalog,
}

impl References<'_> {
    /// Issues about ids, slots, load paths and channels.
    pub fn issues(&self) -> Vec<PluginConfigIssue> {
        let mut issues = Vec::new();
        // Without a `plugins` section there is nothing that could refer to a plugin (MAN-233).
        if self.policy.present {
            self.about_diagnostics(&mut issues);
            self.ids(&mut issues);
            self.slots(&mut issues);
            self.disabled_with_config(&mut issues);
        }
        self.channels(&mut issues);
        models::suppressed(self.config, self.plugins, &mut issues);
        issues
    }

    fn knows(&self, id: &str) -> bool {
        self.plugins.iter().any(|plugin| plugin.id == id)
    }

    /// A broken plugin is a warning here: it must not make the whole config unusable (MAN-236). A
    /// load path that is not there is an error of the config itself (MAN-229).
    fn about_diagnostics(&self, issues: &mut Vec<PluginConfigIssue>) {
        for diagnostic in self.diagnostics {
            let (level, path) = match (&diagnostic.plugin_id, diagnostic.code) {
                (_, Some("plugin-path-missing")) => (Level::Error, "plugins.load.paths".to_owned()),
                (_, Some("plugin-config-invalid")) => continue,
                (Some(id), _) => (Level::Warn, format!("plugins.entries.{id}")),
                (None, _) => (Level::Warn, "plugins".to_owned()),
            };
            if diagnostic.level == Level::Info {
                continue;
            }
            let about = match &diagnostic.plugin_id {
                Some(id) => format!("plugin {id}: {}", diagnostic.message),
                None => format!("plugin: {}", diagnostic.message),
            };
            issues.push(PluginConfigIssue::new(level, path, about));
        }
    }

    fn ids(&self, issues: &mut Vec<PluginConfigIssue>) {
        for id in self.policy.entries.keys().filter(|id| !self.knows(id)) {
            self.missing(format!("plugins.entries.{id}"), id, Level::Warn, issues);
        }
        for id in self.policy.allow.iter().filter(|id| !self.knows(id)) {
            match self.alias_owner(id) {
                Some(owner) => issues.push(PluginConfigIssue::new(
                    Level::Warn,
                    "plugins.allow",
                    format!(
                        "\"{id}\" is not a plugin, it is a command provided by the \"{owner}\" \
                         plugin; use \"{owner}\" in plugins.allow instead"
                    ),
                )),
                None => self.missing("plugins.allow".into(), id, Level::Warn, issues),
            }
        }
        for id in self.policy.deny.iter().filter(|id| !self.knows(id)) {
            self.missing("plugins.deny".into(), id, Level::Warn, issues);
        }
    }

    fn slots(&self, issues: &mut Vec<PluginConfigIssue>) {
        let slots = &self.policy.slots;
        if let Some(id) = slots.memory.plugin_id()
            && slots.memory_is_explicit
            && !self.knows(id)
        {
            self.missing("plugins.slots.memory".into(), id, Level::Error, issues);
        }
        // The reference never checks this slot (MAN-244); a wrong id falls back to the built-in
        // engine, so a warning is enough.
        if let Some(id) = slots.context_engine.plugin_id()
            && id != BUILTIN_CONTEXT_ENGINE
            && !self.knows(id)
        {
            self.missing("plugins.slots.contextEngine".into(), id, Level::Warn, issues);
        }
    }

    /// MAN-224..MAN-228, INS-027.
    fn missing(&self, path: String, id: &str, level: Level, issues: &mut Vec<PluginConfigIssue>) {
        let removed = REMOVED_PLUGINS.contains(&id);
        let level = if removed { Level::Warn } else { level };
        let message = if removed {
            format!("plugin removed: {id} (stale config entry ignored; remove it from plugins config)")
        } else if let Some(blocked) = self.blocked(id) {
            let source = blocked.source.as_ref();
            let source = source.map(|path| format!("; source: {}", path.display()));
            format!(
                "plugin present but blocked: {id} (see the plugin warning{}; fix the blocked plugin \
                 path instead of removing config)",
                source.unwrap_or_default()
            )
        } else if level == Level::Error {
            format!("plugin not found: {id}")
        } else if let Some(official) = official_by_id(id).filter(|_| path != "plugins.deny") {
            // Who denies a plugin wants no advice on how to get it.
            format!("plugin not installed: {id} (an official plugin; install it with `chela plugins install {}`)", official.id)
        } else {
            format!("plugin not found: {id} (stale config entry ignored; remove it from plugins config)")
        };
        issues.push(PluginConfigIssue::new(level, path, message));
    }

    fn blocked(&self, id: &str) -> Option<&Diagnostic> {
        self.diagnostics.iter().find(|diagnostic| diagnostic.code == Some(BLOCKED) && diagnostic.plugin_id.as_deref() == Some(id))
    }

    fn alias_owner(&self, name: &str) -> Option<&str> {
        let owner = self.plugins.iter().find(|plugin| {
            let mut aliases = plugin.manifest.command_aliases.iter();
            aliases.any(|alias| alias.name.eq_ignore_ascii_case(name))
        });
        owner.map(|plugin| plugin.id.as_str())
    }

    /// MAN-054.
    fn disabled_with_config(&self, issues: &mut Vec<PluginConfigIssue>) {
        for plugin in self.plugins.iter().filter(|plugin| !plugin.enabled) {
            let set = plugin.policy.config.as_ref().is_some_and(|config| !config.is_null());
            if set {
                let reason = plugin.activation_reason.as_deref().unwrap_or("disabled");
                issues.push(PluginConfigIssue::new(
                    Level::Warn,
                    format!("plugins.entries.{}", plugin.id),
                    format!("plugin disabled ({reason}) but config is present"),
                ));
            }
        }
    }

    /// `channels.<id>`: unknown ids, and the schemas that plugins bring (MAN-077, MAN-181, MAN-182).
    fn channels(&self, issues: &mut Vec<PluginConfigIssue>) {
        let channels = self.config.get("channels").and_then(Value::as_object);
        let owned: BTreeSet<&str> = self
            .plugins
            .iter()
            .flat_map(|plugin| &plugin.manifest.channels)
            .map(String::as_str)
            .chain(self.known_channels.iter().copied())
            .collect();
        for (id, value) in channels.into_iter().flatten() {
            if matches!(id.as_str(), "defaults" | "modelByChannel") {
                continue;
            }
            if !owned.contains(id.as_str()) {
                issues.push(self.unknown_channel(id));
                continue;
            }
            let owner = self.plugins.iter().find_map(|plugin| {
                let mut owns = plugin.manifest.channels.iter();
                plugin.channel_configs.get(id).filter(|_| owns.any(|owned| owned == id))
            });
            if let Some(owner) = owner {
                channel_schema(id, &owner.schema, value, issues);
            }
        }
    }

    fn unknown_channel(&self, id: &str) -> PluginConfigIssue {
        let path = format!("channels.{id}");
        let stale = self.policy.is_allowed(id) || self.policy.entries.contains_key(id) || self.index.records.contains_key(id);
        if stale {
            let message = format!(
                "unknown channel id: {id} (stale channel plugin config ignored; remove it, or install \
                 the plugin)"
            );
            return PluginConfigIssue::new(Level::Warn, path, message);
        }
        let official = official_plugins().iter().find(|plugin| plugin.channel.as_deref() == Some(id));
        let spec = self.external.channel(id).map(|entry| entry.install_spec()).or(official.map(|plugin| plugin.id.as_str()));
        let hint = spec.map(|spec| format!(" (package `{spec}` brings it: run `chela plugins install {spec}`)"));
        PluginConfigIssue::new(Level::Error, path, format!("unknown channel id: {id}{}", hint.unwrap_or_default()))
    }
}

fn channel_schema(id: &str, schema: &Value, value: &Value, issues: &mut Vec<PluginConfigIssue>) {
    let base = format!("channels.{id}");
    match schema::check(schema, value) {
        Checked::Valid(_) => {}
        Checked::Invalid(found) => {
            let found = found.into_iter();
            issues.extend(found.map(|issue| PluginConfigIssue::schema(&base, issue)));
        }
        Checked::BadSchema(why) => {
            let message = format!("channel schema cannot be used: {why}");
            issues.push(PluginConfigIssue::new(Level::Warn, base, message));
        }
    }
}
