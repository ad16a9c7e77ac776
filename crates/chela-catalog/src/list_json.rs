//! `plugins list --json` (INS-312..INS-316, MAN-069).

use serde_json::{Map, Value, json};

use crate::dependencies::dependency_status;
use crate::record::{Origin, PluginRecord};
use crate::snapshot::Snapshot;

impl Snapshot {
    /// The whole object: `{workspaceDir?, registry, plugins, diagnostics}`. With `enabled_only`, only
    /// enabled plugins are listed (INS-315).
    pub fn list_json(&self, enabled_only: bool) -> Value {
        let plugins = self.plugins.iter();
        let rows: Vec<Value> = plugins.filter(|plugin| plugin.enabled || !enabled_only).map(PluginRecord::to_list_json).collect();
        let diagnostics = self.diagnostics.iter().map(|entry| entry.to_json());
        let mut out = Map::new();
        if let Some(workspace) = &self.workspace_dir {
            out.insert("workspaceDir".into(), workspace.to_string_lossy().into());
        }
        out.insert("registry".into(), json!({"source": "derived", "diagnostics": self.index.diagnostics_json()}));
        out.insert("plugins".into(), rows.into());
        out.insert("diagnostics".into(), diagnostics.collect());
        Value::Object(out)
    }
}

impl PluginRecord {
    /// One row (INS-313). Status comes from enablement alone (INS-314), except that a plugin whose
    /// config is invalid says so; `configSchema` and `contracts` are always empty here (MAN-069).
    pub fn to_list_json(&self) -> Value {
        let mut row = self.row();
        // Here the package's version wins (MAN-029).
        let package = self.package.as_deref().and_then(|package| package.version.as_deref());
        if let Some(version) = package.filter(|_| self.origin != Origin::Bundled) {
            match row.get_mut("version") {
                Some(shown) => *shown = version.into(),
                None => drop(row.insert("version".into(), version.into())),
            }
        }
        row.insert("configSchema".into(), false.into());
        row.insert("contracts".into(), json!({}));
        if let Some(failure) = &self.failure {
            row.insert("error".into(), failure.message.as_str().into());
            row.insert("failurePhase".into(), failure.phase.into());
        }
        row.insert("dependencyStatus".into(), dependency_status(self));
        Value::Object(row)
    }

    /// The keys that `list` and `inspect` share, without `configSchema` and what follows it.
    pub(crate) fn row(&self) -> Map<String, Value> {
        let manifest = &self.manifest;
        let mut row = Map::new();
        let mut put = |key: &str, value: Value| row.insert(key.into(), value);
        put("id", self.id.as_str().into());
        put("name", self.name.as_str().into());
        if let Some(version) = &self.version {
            put("version", version.as_str().into());
        }
        if let Some(description) = &self.description {
            put("description", description.as_str().into());
        }
        put("format", self.format().into());
        if let Some(format) = self.bundle_format {
            put("bundleFormat", format.as_str().into());
        }
        if let Some(kind) = manifest.kind_json() {
            put("kind", kind);
        }
        put("source", self.source.to_string_lossy().into());
        put("rootDir", self.root_dir.to_string_lossy().into());
        put("origin", self.origin.as_str().into());
        put("enabled", self.enabled.into());
        put("compat", self.compat.clone().into());
        put("syntheticAuthRefs", manifest.synthetic_auth_refs.clone().into());
        put("status", self.status.as_str().into());
        put("toolNames", json!([]));
        put("hookNames", json!([]));
        put("channelIds", manifest.channels.clone().into());
        let setup_backends = manifest.setup.iter().flat_map(|setup| &setup.cli_backends);
        let backends = manifest.cli_backends.iter().chain(setup_backends).cloned();
        put("cliBackendIds", backends.collect());
        put("providerIds", manifest.providers.clone().into());
        for (key, contract) in CONTRACT_KEYS {
            put(key, manifest.contracts.get(contract).to_vec().into());
        }
        for key in ["agentHarnessIds", "gatewayMethods", "cliCommands", "services"] {
            put(key, json!([]));
        }
        put("gatewayDiscoveryServiceIds", json!([]));
        let aliases = manifest.command_aliases.iter().map(|alias| alias.name.as_str());
        put("commands", aliases.collect());
        put("httpRoutes", 0.into());
        put("hookCount", 0.into());
        row
    }
}

/// Row keys that come from contract lists, in the order of the row.
const CONTRACT_KEYS: [(&str, &str); 11] = [
    ("speechProviderIds", "speechProviders"),
    ("realtimeTranscriptionProviderIds", "realtimeTranscriptionProviders"),
    ("realtimeVoiceProviderIds", "realtimeVoiceProviders"),
    ("mediaUnderstandingProviderIds", "mediaUnderstandingProviders"),
    ("imageGenerationProviderIds", "imageGenerationProviders"),
    ("videoGenerationProviderIds", "videoGenerationProviders"),
    ("musicGenerationProviderIds", "musicGenerationProviders"),
    ("webFetchProviderIds", "webFetchProviders"),
    ("webSearchProviderIds", "webSearchProviders"),
    ("migrationProviderIds", "migrationProviders"),
    ("memoryEmbeddingProviderIds", "memoryEmbeddingProviders"),
];
