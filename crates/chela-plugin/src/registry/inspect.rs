//! What `plugins inspect --runtime` says about a plugin (INS-317..326).

use serde_json::{Value, json};

use super::{PluginEntry, Registry};
use crate::register::entries::{Notice, Owner, Recorded};

/// Capability kinds in the order of the report, with the method that brings them (INS-324).
const CAPABILITIES: &[(&str, &str)] = &[
    ("cli-backend", "registerCliBackend"),
    ("text-inference", "registerProvider"),
    ("speech", "registerSpeechProvider"),
    ("realtime-transcription", "registerRealtimeTranscriptionProvider"),
    ("realtime-voice", "registerRealtimeVoiceProvider"),
    ("media-understanding", "registerMediaUnderstandingProvider"),
    ("image-generation", "registerImageGenerationProvider"),
    ("web-search", "registerWebSearchProvider"),
    ("agent-harness", "registerAgentHarness"),
    ("context-engine", "registerContextEngine"),
    ("channel", "registerChannel"),
];

/// Id lists of the plugin row, with the method that fills them (INS-313, INS-318).
const ID_LISTS: &[(&str, &str)] = &[
    ("channelIds", "registerChannel"),
    ("cliBackendIds", "registerCliBackend"),
    ("providerIds", "registerProvider"),
    ("speechProviderIds", "registerSpeechProvider"),
    ("realtimeTranscriptionProviderIds", "registerRealtimeTranscriptionProvider"),
    ("realtimeVoiceProviderIds", "registerRealtimeVoiceProvider"),
    ("mediaUnderstandingProviderIds", "registerMediaUnderstandingProvider"),
    ("imageGenerationProviderIds", "registerImageGenerationProvider"),
    ("videoGenerationProviderIds", "registerVideoGenerationProvider"),
    ("musicGenerationProviderIds", "registerMusicGenerationProvider"),
    ("webFetchProviderIds", "registerWebFetchProvider"),
    ("webSearchProviderIds", "registerWebSearchProvider"),
    ("migrationProviderIds", "registerMigrationProvider"),
    ("memoryEmbeddingProviderIds", "registerMemoryEmbeddingProvider"),
    ("agentHarnessIds", "registerAgentHarness"),
    ("contextEngineIds", "registerContextEngine"),
    ("gatewayDiscoveryServiceIds", "registerGatewayDiscoveryService"),
];

impl Registry {
    /// The runtime part of `plugins inspect <id> --runtime --json`: `plugin` holds the members of the plugin's row that only a run
    /// can know, the rest are top-level keys (INS-317, INS-318, INS-321). `Null` for an unknown id.
    pub fn inspect(&self, plugin_id: &str) -> Value {
        let Some(entry) = self.plugin(plugin_id) else {
            return Value::Null;
        };
        let owner = &entry.owner;
        let capabilities = self.capabilities(entry);
        let shape = self.shape(owner, capabilities.len());
        let legacy = self.typed_hooks.iter().any(|h| h.owner == *owner && h.hook == crate::HookName::BeforeAgentStart);
        let diagnostics: Vec<_> = self.diagnostics.iter().filter(|d| d.plugin_id.as_deref() == Some(plugin_id)).collect();
        let recorded_only: Vec<_> = self.not_consumed().into_iter().filter(|n| n.plugin_id == plugin_id).collect();
        json!({
            "plugin": self.row(entry),
            "shape": shape,
            "capabilityMode": match capabilities.len() { 0 => "none", 1 => "plain", _ => "hybrid" },
            "capabilityCount": capabilities.len(),
            "capabilities": capabilities,
            "typedHooks": self.typed_hook_rows(owner),
            "customHooks": self.custom_hook_rows(owner),
            "tools": self.tools.iter().filter(|t| t.owner == *owner).map(|t| json!({ "names": t.names, "optional": t.optional })).collect::<Vec<_>>(),
            "commands": self.command_names(owner),
            "cliCommands": self.cli_paths(owner),
            "services": self.service_ids(owner),
            "gatewayDiscoveryServices": self.recorded_ids(owner, "registerGatewayDiscoveryService"),
            "gatewayMethods": self.method_names(owner),
            "httpRouteCount": self.routes.all().iter().filter(|r| r.owner == *owner).count(),
            "diagnostics": diagnostics,
            "usesLegacyBeforeAgentStart": legacy,
            "compatibility": self.compatibility(owner, shape, legacy),
            "recordedOnly": recorded_only,
            "linkReport": entry.link_report,
            "worker": entry.control.as_ref().map(|c| c.status()),
            "loadMs": entry.duration.map(|d| d.as_secs_f64() * 1000.0),
        })
    }

    fn row(&self, entry: &PluginEntry) -> Value {
        let owner = &entry.owner;
        let mut row = json!({
            "id": owner.id.as_ref(),
            "name": entry.name,
            "version": entry.version,
            "description": entry.description,
            "kind": entry.kinds,
            "imported": entry.target.is_some(),
            "status": if entry.failure.is_some() { "error" } else { "loaded" },
            "toolNames": self.tools.iter().filter(|t| t.owner == *owner).flat_map(|t| &t.names).collect::<Vec<_>>(),
            "hookNames": self.internal_hooks.iter().filter(|h| h.owner == *owner).map(|h| &h.name).collect::<Vec<_>>(),
            "hookCount": self.typed_hooks.iter().filter(|h| h.owner == *owner).count(),
            "commands": self.command_names(owner),
            "cliCommands": self.cli_paths(owner),
            "services": self.service_ids(owner),
            "gatewayMethods": self.method_names(owner),
            "httpRoutes": self.routes.all().iter().filter(|r| r.owner == *owner).count(),
        });
        for (key, method) in ID_LISTS {
            row[*key] = json!(self.ids(owner, method));
        }
        match entry.kinds.as_slice() {
            [] => drop(row.as_object_mut().map(|r| r.shift_remove("kind"))),
            [one] => row["kind"] = json!(one),
            _ => {}
        }
        for key in ["name", "version", "description"] {
            if row[key].is_null() {
                row.as_object_mut().map(|r| r.shift_remove(key));
            }
        }
        if let Some(failure) = &entry.failure {
            row["error"] = json!(failure.message);
            row["failurePhase"] = json!(failure.phase);
        }
        row
    }

    fn capabilities(&self, entry: &PluginEntry) -> Vec<Value> {
        let is_engine = entry.kinds.iter().any(|k| k == "context-engine");
        CAPABILITIES
            .iter()
            .filter(|(kind, _)| *kind != "context-engine" || is_engine)
            .map(|(kind, method)| (kind, self.ids(&entry.owner, method)))
            .filter(|(_, ids)| !ids.is_empty())
            .map(|(kind, ids)| json!({ "kind": kind, "ids": ids }))
            .collect()
    }

    /// INS-323.
    fn shape(&self, owner: &Owner, capabilities: usize) -> &'static str {
        if capabilities > 0 {
            return if capabilities == 1 { "plain-capability" } else { "hybrid-capability" };
        }
        let hooks = self.typed_hooks.iter().any(|h| *h.owner == *owner) || self.internal_hooks.iter().any(|h| *h.owner == *owner);
        let others = self.tools.iter().any(|t| *t.owner == *owner)
            || !self.command_names(owner).is_empty()
            || !self.cli_paths(owner).is_empty()
            || !self.service_ids(owner).is_empty()
            || !self.method_names(owner).is_empty()
            || !self.recorded_ids(owner, "registerGatewayDiscoveryService").is_empty()
            || self.routes.all().iter().any(|r| *r.owner == *owner);
        if hooks && !others { "hook-only" } else { "non-capability" }
    }

    fn compatibility(&self, owner: &Owner, shape: &str, legacy: bool) -> Vec<Notice> {
        let notice = |code: &str, compat_code: &str, severity, message: &str| Notice {
            plugin_id: owner.id.to_string(),
            code: code.into(),
            compat_code: compat_code.into(),
            severity,
            message: message.into(),
        };
        let mut notices = Vec::new();
        if legacy {
            let code = "legacy-before-agent-start";
            let message = "uses the old hook before_agent_start; before_model_resolve and before_prompt_build replace it";
            notices.push(notice(code, code, "warn", message));
        }
        if shape == "hook-only" {
            let message = "registers hooks and nothing else; that works and stays supported";
            notices.push(notice("hook-only", "hook-only-plugin-shape", "info", message));
        }
        notices.extend(self.notices.iter().filter(|n| n.plugin_id == *owner.id).cloned());
        notices
    }

    fn typed_hook_rows(&self, owner: &Owner) -> Vec<Value> {
        let mut own: Vec<_> = self.typed_hooks.iter().filter(|h| *h.owner == *owner).collect();
        own.sort_by_key(|h| h.hook.as_str());
        own.iter().map(|h| json!({ "name": h.hook.as_str(), "priority": number(h.priority) })).collect()
    }

    fn custom_hook_rows(&self, owner: &Owner) -> Vec<Value> {
        let mut own: Vec<_> = self.internal_hooks.iter().filter(|h| *h.owner == *owner).collect();
        own.sort_by_key(|h| &h.name);
        let sorted = |events: &[String]| {
            let mut events = events.to_vec();
            events.sort();
            events
        };
        own.iter().map(|h| json!({ "name": h.name, "events": sorted(&h.events) })).collect()
    }

    fn ids(&self, owner: &Owner, method: &str) -> Vec<&str> {
        if method == "registerProvider" {
            return self.providers.iter().filter(|p| *p.owner == *owner).map(|p| p.id.as_str()).collect();
        }
        self.recorded_ids(owner, method)
    }

    fn recorded_ids(&self, owner: &Owner, method: &str) -> Vec<&str> {
        let own = |r: &&Recorded| r.method == method && *r.owner == *owner;
        self.recorded.iter().filter(own).map(|r| r.id.as_str()).collect()
    }

    fn command_names(&self, owner: &Owner) -> Vec<&str> {
        self.commands.all().iter().filter(|c| *c.owner == *owner).map(|c| c.name.as_str()).collect()
    }

    fn cli_paths(&self, owner: &Owner) -> Vec<String> {
        self.cli.iter().filter(|c| *c.owner == *owner).flat_map(crate::register::CliEntry::paths).collect()
    }

    fn service_ids(&self, owner: &Owner) -> Vec<&str> {
        self.services.iter().filter(|s| *s.owner == *owner).map(|s| s.id.as_str()).collect()
    }

    fn method_names(&self, owner: &Owner) -> Vec<&str> {
        self.gateway_methods.iter().filter(|m| *m.owner == *owner).map(|m| m.name.as_str()).collect()
    }
}

/// Whole numbers without a fraction, as plugins wrote them.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 9e15 { json!(value as i64) } else { json!(value) }
}
