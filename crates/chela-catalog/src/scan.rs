//! One scan: index, discovery, duplicates, enablement, slots, config, owners.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chela_manifest::{ChannelConfig, NoticeLevel};
use serde_json::Value;

use crate::auto_enable::{self, Implied};
use crate::channel_catalog::ExternalCatalog;
use crate::config_check::{References, validate_entry};
use crate::diagnostic::{Diagnostic, Level, dedupe};
use crate::discover::{self, CandidateKind};
use crate::enablement::{Decision, MemoryDecision, Subject, decide, decide_memory};
use crate::inputs::CatalogInputs;
use crate::installs::InstallIndex;
use crate::owners::OwnerMaps;
use crate::policy::{PluginPolicy, SlotChoice};
use crate::record::{ActivationSource, Failure, Lane, Origin, PluginRecord, Status};
use crate::resolve::{self, Resolved};
use crate::snapshot::Snapshot;

/// Channel ids that are known without a plugin: those of the program's own surfaces.
const KNOWN_CHANNELS: [&str; 1] = ["webchat"];

/// Scans all roots and gives an immutable picture of every plugin. Runs no plugin code, reads each
/// manifest once, and never fails: what is wrong with a plugin is a diagnostic of that plugin.
pub fn scan(inputs: &CatalogInputs) -> Snapshot {
    let policy = PluginPolicy::from_config_value(&inputs.config);
    let index = InstallIndex::read(inputs, &policy);
    scan_with(inputs, index)
}

/// As [`scan`], with install records that are not, or not yet, those of the file.
pub fn scan_with(inputs: &CatalogInputs, index: InstallIndex) -> Snapshot {
    let mut policy = PluginPolicy::from_config_value(&inputs.config);
    let found = discover::discover(inputs, &policy, &index);
    let mut diagnostics = found.diagnostics;
    let plugins = resolve::resolve(inputs, &index, found.candidates, &mut diagnostics);
    policy.rename_ids(&former_ids(&plugins));
    let implied = auto_enable::imply(&inputs.config, &policy, &plugins);

    let mut issues = Vec::new();
    let mut memory = MemorySlot::new(&policy);
    let mut records = Vec::with_capacity(plugins.len());
    for plugin in plugins {
        remarks(&plugin, &implied.effective, &mut diagnostics);
        let mut record = build(inputs, &policy, &implied, plugin);
        memory.settle(&mut record);
        validate(&mut record, &policy, &mut diagnostics, &mut issues);
        records.push(record);
    }
    diagnostics.extend(memory.unfilled());
    let diagnostics = dedupe(diagnostics);
    let external = ExternalCatalog::new(inputs);
    let references = References {
        config: &inputs.config,
        policy: &policy,
        index: &index,
        plugins: &records,
        diagnostics: &diagnostics,
        known_channels: &KNOWN_CHANNELS,
        external: &external,
    };
    let mut all = references.issues();
    all.extend(issues);
    Snapshot {
        owners: OwnerMaps::build(&records),
        plugins: records,
        diagnostics,
        config_issues: all,
        policy,
        index,
        workspace_dir: inputs.workspace_dir.clone(),
        host_version: inputs.host_version.clone(),
        config: Arc::new(inputs.config.clone()),
        env_names: Arc::new(inputs.env.iter().filter(|(_, value)| !value.trim().is_empty()).map(|(name, _)| name.clone()).collect()),
    }
}

/// Former id to present id; an id that a plugin has now is nobody's former id (MAN-031).
fn former_ids(plugins: &[Resolved]) -> BTreeMap<String, String> {
    let present: BTreeSet<&str> = plugins.iter().map(|p| p.manifest.id.as_str()).collect();
    let mut former = BTreeMap::new();
    for plugin in plugins {
        for old in &plugin.manifest.legacy_plugin_ids {
            if !present.contains(old.as_str()) {
                let id = plugin.manifest.id.clone();
                former.entry(old.clone()).or_insert(id);
            }
        }
    }
    former
}

/// Diagnostics about a manifest that is otherwise fine.
fn remarks(plugin: &Resolved, policy: &PluginPolicy, diagnostics: &mut Vec<Diagnostic>) {
    let manifest = &plugin.manifest;
    let mut push = |level: Level, code: &'static str, message: String| {
        let diagnostic = Diagnostic::new(level, code, message).plugin(Some(&manifest.id)).at(&plugin.manifest_path);
        diagnostics.push(diagnostic);
    };
    for notice in manifest.notices() {
        let level = match notice.level {
            NoticeLevel::Warn => Level::Warn,
            NoticeLevel::Info => Level::Info,
        };
        push(level, notice.code, notice.message);
    }
    if plugin.candidate.entry_count > 1 {
        // The documents promise a plugin per entry; one manifest id allows one plugin (MAN-238).
        let message = format!(
            "package declares {} entries with one manifest id; only `{}` is used",
            plugin.candidate.entry_count,
            plugin.candidate.source.display()
        );
        push(Level::Info, "package-entries-collapsed", message);
    }
    if plugin.bundle_format.is_some() && plugin.candidate.root_dir.join(chela_manifest::MANIFEST_FILE_NAME).exists() {
        // The documents let the native manifest win; the reference takes the bundle without a word (BUN-009, BUN-161).
        let message = "directory holds a native manifest and is taken as a bundle all the same; declare `openclaw.extensions` in \
                       package.json to load the native plugin";
        push(Level::Warn, "bundle-hides-native", message.to_owned());
    }
    if plugin.candidate.origin == Origin::Bundled {
        return;
    }
    let providers = manifest.unmirrored_env_providers();
    if !providers.is_empty() {
        let message = format!(
            "providerAuthEnvVars is deprecated compatibility metadata; mirror the variables of {} in \
             setup.providers[].envVars",
            providers.join(", ")
        );
        push(Level::Warn, "provider-auth-env-vars", message);
    }
    let channels = manifest.channels_without_config();
    let wanted = policy.enabled
        && !policy.is_disabled(&manifest.id)
        && !policy.is_denied(&manifest.id)
        && (policy.allow.is_empty() || policy.is_allowed(&manifest.id));
    if wanted && !channels.is_empty() {
        let message = format!(
            "channel plugin manifest declares {} without channelConfigs metadata; add \
             openclaw.plugin.json#channelConfigs so that config can be checked before the plugin runs",
            channels.join(", ")
        );
        push(Level::Warn, "channel-config-missing", message);
    }
}

fn build(inputs: &CatalogInputs, policy: &PluginPolicy, implied: &Implied, plugin: Resolved) -> PluginRecord {
    let decision = enablement(inputs, policy, implied, &plugin);
    let Resolved { candidate, manifest, manifest_path, bundle_format, install } = plugin;
    let package = candidate.package;
    let from_package =
        |read: fn(&chela_manifest::PackageMeta) -> &Option<String>| package.as_deref().and_then(|package| read(package).clone());
    let bundle = match &candidate.kind {
        CandidateKind::Bundle(info) => Some(info.content.clone()),
        CandidateKind::Builtin(_) | CandidateKind::Native(_) => None,
    };
    let lane = match candidate.kind {
        CandidateKind::Builtin(_) => Lane::Builtin,
        CandidateKind::Bundle(_) => Lane::Bundle,
        CandidateKind::Native(_) => Lane::Node,
    };
    let version = match candidate.origin {
        Origin::Bundled => Some(version_base(&inputs.host_version)),
        _ => manifest.version.clone().or_else(|| from_package(|p| &p.version)),
    };
    PluginRecord {
        id: manifest.id.clone(),
        name: manifest.name.clone().or_else(|| from_package(|p| &p.name)).unwrap_or_else(|| manifest.id.clone()),
        description: manifest.description.clone().or_else(|| from_package(|p| &p.description)),
        version,
        origin: candidate.origin,
        root_dir: candidate.root_dir,
        source: candidate.source,
        setup_source: candidate.setup_source,
        bundle_format,
        bundle,
        lane,
        manifest_path,
        workspace_dir: candidate.workspace_dir,
        install,
        status: if decision.enabled { Status::Loaded } else { Status::Disabled },
        enabled: decision.enabled,
        explicitly_enabled: decision.explicitly_enabled,
        activation_source: decision.source,
        activation_reason: decision.reason,
        failure: None,
        fills_memory_slot: false,
        fills_context_engine_slot: decision.enabled
            && manifest.has_kind("context-engine")
            && policy.slots.context_engine.plugin_id() == Some(&manifest.id),
        config: None,
        policy: policy.entry(&manifest.id).clone(),
        channel_configs: channel_configs(&manifest, package.as_deref()),
        compat: manifest.compat_codes(),
        package,
        manifest,
    }
}

fn enablement(inputs: &CatalogInputs, policy: &PluginPolicy, implied: &Implied, plugin: &Resolved) -> Decision {
    let id = plugin.manifest.id.as_str();
    let channel = inputs.config.get("channels").and_then(|channels| channels.get(id));
    let auto_reason = implied.reason(id);
    let subject = Subject {
        id,
        origin: plugin.candidate.origin,
        default_on: plugin.manifest.is_default_on(&inputs.platform),
        channel_enabled: channel.and_then(|channel| channel.get("enabled")) == Some(&Value::Bool(true)),
        auto_reason: auto_reason.as_deref(),
    };
    let mut decision = decide(subject, policy, &implied.effective);
    if let Some(other) = implied.replaced.get(id).filter(|_| decision.enabled) {
        decision.enabled = false;
        decision.source = ActivationSource::Disabled;
        decision.reason = Some(format!("replaced by \"{other}\", which is preferred over it"));
    }
    decision
}

/// `2026.6.11-beta.1` is reported as `2026.6.11` (MAN-030).
fn version_base(version: &str) -> String {
    version.split(['-', '+']).next().unwrap_or(version).to_owned()
}

/// MAN-185.
fn channel_configs(manifest: &chela_manifest::Manifest, package: Option<&chela_manifest::PackageMeta>) -> BTreeMap<String, ChannelConfig> {
    let mut configs = manifest.channel_configs.clone();
    let channel = package.and_then(|package| package.channel.as_ref());
    if let Some(channel) = channel
        && let Some(config) = channel.id.as_ref().and_then(|id| configs.get_mut(id))
    {
        config.label = config.label.take().or_else(|| channel.label.clone());
        config.description = config.description.take().or_else(|| channel.blurb.clone());
        config.commands = config.commands.take().or_else(|| channel.commands.clone());
        if config.prefer_over.is_empty() {
            config.prefer_over.clone_from(&channel.prefer_over);
        }
    }
    configs
}

/// The memory slot while plugins are gone through in order (INS-060, INS-061).
struct MemorySlot {
    choice: SlotChoice,
    explicit: bool,
    plugins_on: bool,
    filled_by: Option<String>,
}

impl MemorySlot {
    fn new(policy: &PluginPolicy) -> Self {
        Self { choice: policy.slots.memory.clone(), explicit: policy.slots.memory_is_explicit, plugins_on: policy.enabled, filled_by: None }
    }

    fn settle(&mut self, record: &mut PluginRecord) {
        if !record.enabled || !record.manifest.has_kind("memory") {
            return;
        }
        let several = record.manifest.kind.len() > 1;
        match decide_memory(&record.id, several, &self.choice, self.filled_by.as_deref()) {
            MemoryDecision::Selected => {
                record.fills_memory_slot = true;
                self.filled_by = Some(record.id.clone());
            }
            MemoryDecision::WithoutSlot => {}
            MemoryDecision::Off(reason) => {
                record.enabled = false;
                record.status = Status::Disabled;
                record.activation_source = ActivationSource::Disabled;
                record.activation_reason = Some(reason);
            }
        }
    }

    /// A slot that the operator named and nobody fills. The default id is not the operator's.
    fn unfilled(&self) -> Option<Diagnostic> {
        let id = self.choice.plugin_id()?;
        let wanted = self.explicit && self.plugins_on && self.filled_by.is_none();
        wanted.then(|| {
            let message = format!("memory slot plugin not found or not marked as memory: {id}");
            Diagnostic::new(Level::Warn, "memory-slot-unfilled", message)
        })
    }
}

/// Config of one plugin; an invalid one makes the plugin unusable and nothing else (MAN-065).
fn validate(
    record: &mut PluginRecord,
    policy: &PluginPolicy,
    diagnostics: &mut Vec<Diagnostic>,
    issues: &mut Vec<crate::config_check::PluginConfigIssue>,
) {
    // Bundles have no schema (MAN-067).
    if record.lane == Lane::Bundle {
        return;
    }
    let config = record.policy.config.as_ref();
    let schema = record.manifest.config_schema();
    if !schema.is_object() {
        // Files cannot get here without one; a manifest that is part of the program can (MAN-066).
        if record.enabled {
            record.status = Status::Error;
            record.failure = Some(Failure { phase: "validation", message: "missing config schema".to_owned() });
        }
        let missing = Diagnostic::new(Level::Error, "config-schema-missing", "missing config schema");
        diagnostics.push(missing.plugin(Some(&record.id)).at(&record.manifest_path));
        return;
    }
    let outcome = validate_entry(&record.id, schema, config, record.enabled);
    record.config = outcome.value;
    if let Some(first) = outcome.issues.first() {
        let message = match &outcome.bad_schema {
            Some(message) => message.clone(),
            None => describe(&record.id, first, outcome.issues.len()),
        };
        if record.enabled {
            record.status = Status::Error;
            record.failure = Some(Failure { phase: "validation", message: message.clone() });
        }
        let level = if record.enabled { Level::Error } else { Level::Warn };
        let diagnostic = Diagnostic::new(level, "plugin-config-invalid", message).plugin(Some(&record.id)).at(&record.manifest_path);
        diagnostics.push(diagnostic);
    }
    if policy.present {
        issues.extend(outcome.issues);
    }
}

fn describe(id: &str, first: &crate::config_check::PluginConfigIssue, count: usize) -> String {
    let base = format!("plugins.entries.{id}.config");
    let at = first.path.strip_prefix(&base).unwrap_or(&first.path);
    let at = at.trim_start_matches('.');
    let at = if at.is_empty() { "<root>" } else { at };
    let text = first.message.trim_start_matches("invalid config: ");
    let more = match count {
        0 | 1 => String::new(),
        count => format!(" (+{} more)", count - 1),
    };
    format!("invalid config: {at}: {text}{more}")
}
