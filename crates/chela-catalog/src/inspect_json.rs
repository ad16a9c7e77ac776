//! `plugins inspect --json` (INS-317..INS-326, MAN-068).

use std::collections::BTreeSet;

use chela_manifest::permissions::Grant;
use serde_json::{Map, Value, json};

use crate::dependencies::dependency_status;
use crate::record::{Lane, PluginRecord, Status};
use crate::runtime::RuntimeFacts;
use crate::skills::Skills;
use crate::snapshot::Snapshot;
use crate::{inspect_bundle, inspect_manifest, setup};

impl Snapshot {
    /// The object of one plugin, by id, former id or display name (INS-320); `None` when there is no
    /// such plugin. Without `facts` the plugin has not been run (INS-321).
    pub fn inspect_json(&self, id: &str, facts: Option<&RuntimeFacts>) -> Option<Value> {
        let none = RuntimeFacts::default();
        let plugin = self.find(id)?;
        Some(inspect(self, plugin, facts.unwrap_or(&none), &self.skills()))
    }

    /// The compatibility notices of one plugin, as its object has them (INS-326).
    pub(crate) fn compatibility_of(&self, plugin: &PluginRecord, facts: Option<&RuntimeFacts>) -> Value {
        let none = RuntimeFacts::default();
        let facts = facts.unwrap_or(&none);
        let shape = shape(capabilities(plugin, facts).len(), facts);
        compatibility(plugin, shape, uses_legacy(facts), &facts.notices)
    }

    /// The objects of all plugins (INS-319); `facts` is asked for each id.
    pub fn inspect_all_json<'a>(&self, facts: impl Fn(&str) -> Option<&'a RuntimeFacts>) -> Vec<Value> {
        let none = RuntimeFacts::default();
        let skills = self.skills();
        self.plugins.iter().map(|plugin| inspect(self, plugin, facts(&plugin.id).unwrap_or(&none), &skills)).collect()
    }
}

fn inspect(snapshot: &Snapshot, plugin: &PluginRecord, facts: &RuntimeFacts, skills: &Skills) -> Value {
    let capabilities = capabilities(plugin, facts);
    let shape = shape(capabilities.len(), facts);
    let mut out = Map::new();
    let mut put = |key: &str, value: Value| out.insert(key.into(), value);
    if let Some(workspace) = &snapshot.workspace_dir {
        put("workspaceDir", workspace.to_string_lossy().into());
    }
    put("plugin", plugin_row(plugin, facts));
    put("shape", shape.into());
    put(
        "capabilityMode",
        match capabilities.len() {
            0 => "none",
            1 => "plain",
            _ => "hybrid",
        }
        .into(),
    );
    put("capabilityCount", capabilities.len().into());
    let rows = capabilities.iter();
    put("capabilities", rows.map(|(kind, ids)| json!({"kind": kind, "ids": ids})).collect());
    put("typedHooks", facts.typed_hooks_json().into());
    put("customHooks", facts.custom_hooks_json().into());
    put("tools", facts.tools_json().into());
    put("commands", commands(plugin, facts).into());
    put("cliCommands", facts.cli_commands.clone().into());
    put("services", facts.services.clone().into());
    put("gatewayDiscoveryServices", facts.gateway_discovery_services.clone().into());
    put("gatewayMethods", facts.gateway_methods.clone().into());
    let bundle = inspect_bundle::read(plugin);
    put("mcpServers", bundle.mcp.into());
    put("lspServers", bundle.lsp.into());
    put("httpRouteCount", facts.http_route_count.into());
    put("bundleCapabilities", inspect_bundle::capabilities(plugin));
    let cold = snapshot.diagnostics_of(&plugin.id);
    let of_skills = skills.diagnostics.iter().filter(|entry| entry.plugin_id.as_deref() == Some(&plugin.id));
    let of_setup = setup::disagreements(plugin, facts);
    let all = cold.chain(of_skills).chain(&of_setup).chain(&bundle.diagnostics).chain(&facts.diagnostics).map(|entry| entry.to_json());
    put("diagnostics", all.collect());
    put("policy", policy(plugin));
    let (declared, grant) = (&plugin.manifest.permissions, &plugin.policy.permissions);
    if declared.is_some() || *grant != Grant::Open {
        put("permissions", json!({"state": grant.word(), "declared": declared, "effective": plugin.permissions().enforced()}));
    }
    let legacy = uses_legacy(facts);
    put("usesLegacyBeforeAgentStart", legacy.into());
    put("compatibility", compatibility(plugin, shape, legacy, &facts.notices));
    if let Some(record) = &plugin.install {
        put("install", Value::Object(record.fields.clone()));
    }
    for (key, value) in inspect_manifest::additions(snapshot, plugin, skills) {
        put(key, value);
    }
    Value::Object(out)
}

/// The `plugin` object: the row of `list` and what `inspect` adds (INS-318).
fn plugin_row(plugin: &PluginRecord, facts: &RuntimeFacts) -> Value {
    let manifest = &plugin.manifest;
    let mut row = plugin.row();
    let mut put = |key: &str, value: Value| row.insert(key.into(), value);
    if let Some(description) = &facts.description {
        put("description", description.as_str().into());
    }
    if plugin.fills_memory_slot {
        put("memorySlotSelected", true.into());
    }
    if let Some(name) = plugin.package.as_deref().and_then(|package| package.name.as_deref()) {
        put("packageName", name.into());
    }
    put("explicitlyEnabled", plugin.explicitly_enabled.into());
    put("activated", plugin.enabled.into());
    put("activationSource", plugin.activation_source.as_str().into());
    if let Some(reason) = &plugin.activation_reason {
        put("activationReason", reason.as_str().into());
    }
    let status = facts.status.unwrap_or(plugin.status);
    put("status", status.as_str().into());
    let tools = facts.tools.iter().flat_map(|tool| &tool.names).cloned();
    put("toolNames", tools.collect());
    // Typed hooks are counted, not named here.
    let custom: BTreeSet<&str> = facts.custom_hooks.iter().map(|hook| hook.name.as_str()).collect();
    put("hookNames", custom.into_iter().collect());
    put("hookCount", (facts.typed_hooks.len() + facts.custom_hooks.len()).into());
    put("channelIds", union(&manifest.channels, &facts.channel_ids).into());
    put("cliBackendIds", union(&manifest.cli_backends, &facts.cli_backend_ids).into());
    put("providerIds", union(&manifest.providers, &facts.provider_ids).into());
    put("agentHarnessIds", facts.agent_harness_ids.clone().into());
    put("contextEngineIds", facts.context_engine_ids.clone().into());
    put("gatewayMethods", facts.gateway_methods.clone().into());
    put("cliCommands", facts.cli_commands.clone().into());
    put("services", facts.services.clone().into());
    put("gatewayDiscoveryServiceIds", facts.gateway_discovery_services.clone().into());
    put("commands", commands(plugin, facts).into());
    put("httpRoutes", facts.http_route_count.into());
    let native = plugin.lane != Lane::Bundle;
    put("configSchema", native.into());
    if native {
        put("configJsonSchema", manifest.config_schema().clone());
    }
    if let Some(hints) = manifest.ui_hints() {
        put("configUiHints", hints.clone());
    }
    let contracts = json!(manifest.contracts);
    if contracts.as_object().is_some_and(|lists| !lists.is_empty()) {
        put("contracts", contracts);
    }
    put("imported", (facts.imported && native).into());
    failure(plugin, facts, &mut put);
    if !native {
        put("bundleCapabilities", inspect_bundle::capabilities(plugin));
    }
    put("dependencyStatus", dependency_status(plugin));
    Value::Object(row)
}

/// What a plugin registered; before it ran, what its manifest announces.
fn commands(plugin: &PluginRecord, facts: &RuntimeFacts) -> Vec<String> {
    match facts.imported {
        true => facts.commands.clone(),
        false => plugin.manifest.command_aliases.iter().map(|alias| alias.name.clone()).collect(),
    }
}

fn failure(plugin: &PluginRecord, facts: &RuntimeFacts, put: &mut impl FnMut(&str, Value) -> Option<Value>) {
    let cold = plugin.failure.as_ref();
    let error = facts.error.as_deref().or(cold.map(|failure| failure.message.as_str()));
    if let Some(error) = error {
        put("error", error.into());
    }
    let phase = facts.failure_phase.as_deref();
    if let Some(phase) = phase.or(cold.map(|failure| failure.phase)) {
        put("failurePhase", phase.into());
    }
    if let Some(at) = &facts.failed_at {
        put("failedAt", at.as_str().into());
    }
}

fn union(declared: &[String], registered: &[String]) -> Vec<String> {
    let mut all = declared.to_vec();
    for id in registered {
        if !all.contains(id) {
            all.push(id.clone());
        }
    }
    all
}

/// INS-324: the kinds that count, in order, with their ids.
fn capabilities(plugin: &PluginRecord, facts: &RuntimeFacts) -> Vec<(&'static str, Vec<String>)> {
    let manifest = &plugin.manifest;
    let contract = |name: &str| manifest.contracts.get(name).to_vec();
    let loaded = facts.status.unwrap_or(plugin.status) == Status::Loaded;
    let engines = if loaded && manifest.has_kind("context-engine") { facts.context_engine_ids.clone() } else { Vec::new() };
    let kinds = [
        ("cli-backend", union(&manifest.cli_backends, &facts.cli_backend_ids)),
        ("text-inference", union(&manifest.providers, &facts.provider_ids)),
        ("speech", contract("speechProviders")),
        ("realtime-transcription", contract("realtimeTranscriptionProviders")),
        ("realtime-voice", contract("realtimeVoiceProviders")),
        ("media-understanding", contract("mediaUnderstandingProviders")),
        ("image-generation", contract("imageGenerationProviders")),
        ("web-search", contract("webSearchProviders")),
        ("agent-harness", facts.agent_harness_ids.clone()),
        ("context-engine", engines),
        ("channel", union(&manifest.channels, &facts.channel_ids)),
    ];
    kinds.into_iter().filter(|(_, ids)| !ids.is_empty()).collect()
}

/// INS-323.
fn shape(capabilities: usize, facts: &RuntimeFacts) -> &'static str {
    let hooks = facts.typed_hooks.len() + facts.custom_hooks.len();
    let other = facts.tools.len()
        + facts.commands.len()
        + facts.cli_commands.len()
        + facts.services.len()
        + facts.gateway_discovery_services.len()
        + facts.gateway_methods.len()
        + facts.http_route_count;
    match capabilities {
        0 if hooks > 0 && other == 0 => "hook-only",
        0 => "non-capability",
        1 => "plain-capability",
        _ => "hybrid-capability",
    }
}

/// INS-325.
fn policy(plugin: &PluginRecord) -> Value {
    let hooks = &plugin.policy.hooks;
    let subagent = &plugin.policy.subagent;
    let mut out = Map::new();
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            out.insert(key.into(), value);
        }
    };
    put("allowPromptInjection", hooks.allow_prompt_injection.map(Value::from));
    put("allowConversationAccess", hooks.allow_conversation_access.map(Value::from));
    put("hookTimeoutMs", hooks.timeout_ms.map(Value::from));
    let timeouts = (!hooks.timeouts.is_empty()).then(|| json!(hooks.timeouts));
    put("hookTimeouts", timeouts);
    put("allowModelOverride", subagent.allow_model_override.map(Value::from));
    let models = subagent.allowed_models.clone().unwrap_or_default();
    put("allowedModels", Some(models.into()));
    put("hasAllowedModelsConfig", Some(subagent.allowed_models.is_some().into()));
    Value::Object(out)
}

fn uses_legacy(facts: &RuntimeFacts) -> bool {
    let mut hooks = facts.typed_hooks.iter();
    hooks.any(|hook| hook.name == "before_agent_start")
}

/// INS-326.
fn compatibility(plugin: &PluginRecord, shape: &str, legacy: bool, seen: &[Value]) -> Value {
    let mut notices = Vec::new();
    let mut push = |code: &str, compat: &str, severity: &str, message: &str| {
        notices.push(json!({
            "pluginId": plugin.id,
            "code": code,
            "compatCode": compat,
            "severity": severity,
            "message": message,
        }));
    };
    if legacy {
        push(
            "legacy-before-agent-start",
            "legacy-before-agent-start",
            "warn",
            "uses the legacy hook before_agent_start; new work belongs in before_model_resolve or \
             before_prompt_build",
        );
    }
    if shape == "hook-only" {
        push("hook-only", "hook-only-plugin-shape", "info", "registers hooks and nothing else, which stays supported");
    }
    notices.extend_from_slice(seen);
    notices.into()
}
