//! Fakes for the tests of this crate.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{PluginFacts, RegistryBuilder, RegistryInputs};
use crate::lane::StartedPlugin;
use crate::registry::Registry;
pub(crate) use crate::testing::{f, started};

pub(crate) fn facts(id: &str, manifest: Value) -> PluginFacts {
    let mut manifest = manifest;
    manifest["id"] = id.into();
    manifest["configSchema"] = json!({ "type": "object" });
    let parsed = chela_manifest::parse_manifest(manifest.to_string().as_bytes()).unwrap();
    PluginFacts::new(id, &format!("/p/{id}/index.js"), Arc::new(parsed.manifest))
}

/// Several plugins of one build.
pub(crate) struct World {
    pub(crate) inputs: RegistryInputs,
    plugins: Vec<(PluginFacts, StartedPlugin)>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { inputs: RegistryInputs { strict: true, ..RegistryInputs::default() }, plugins: Vec::new() }
    }

    pub(crate) fn plugin(self, id: &str, calls: &[(&str, Value)]) -> Self {
        self.with(facts(id, json!({})), calls)
    }

    pub(crate) fn bundled(self, id: &str, calls: &[(&str, Value)]) -> Self {
        let mut facts = facts(id, json!({ "contracts": { "agentToolResultMiddleware": ["pi", "codex"] } }));
        facts.bundled = true;
        self.with(facts, calls)
    }

    pub(crate) fn with(mut self, facts: PluginFacts, calls: &[(&str, Value)]) -> Self {
        self.plugins.push((facts, started(calls)));
        self
    }

    pub(crate) fn build(self) -> Arc<Registry> {
        let mut builder = RegistryBuilder::new(self.inputs);
        for (facts, started) in self.plugins {
            builder.add(facts, started);
        }
        builder.build()
    }
}

/// `level message` of every diagnostic.
pub(crate) fn said(registry: &Registry) -> Vec<String> {
    let level = |l| format!("{l:?}").to_lowercase();
    registry.diagnostics.iter().map(|d| format!("{} {}", level(d.level), d.message)).collect()
}
