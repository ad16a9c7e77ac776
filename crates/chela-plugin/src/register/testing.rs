//! Fakes for the tests of this crate.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{PluginFacts, RegistryBuilder, RegistryInputs};
use crate::call::{Call, CallError, CallTarget, HandlerOutcome, HookBatch};
use crate::lane::{Definition, LinkReport, PluginControl, Registration, StartedPlugin, WorkerStatus};
use crate::registry::Registry;

/// A target and control that answers nothing.
#[derive(Debug)]
struct Idle;

#[async_trait]
impl CallTarget for Idle {
    fn worker_key(&self) -> u64 {
        1
    }

    async fn call(&self, _: u64, _: Call) -> Result<Value, CallError> {
        Err(CallError::Cancelled)
    }

    async fn hooks(&self, _: HookBatch) -> Result<Vec<HandlerOutcome>, CallError> {
        Err(CallError::Cancelled)
    }

    fn release(&self, _: &[u64]) {}
}

#[async_trait]
impl PluginControl for Idle {
    async fn stop(&self, _: &str, _: Duration) {}

    fn status(&self) -> WorkerStatus {
        WorkerStatus::default()
    }

    fn notify(&self, _: &str, _: &Value) {}
}

/// A function value.
pub(crate) fn f(handle: u64) -> Value {
    json!({ "$fn": handle })
}

pub(crate) fn started(calls: &[(&str, Value)]) -> StartedPlugin {
    let registrations = calls
        .iter()
        .map(|(method, args)| Registration { method: (*method).into(), args: args.as_array().cloned().unwrap_or_default() })
        .collect();
    StartedPlugin {
        definition: Definition::default(),
        registrations,
        link_report: LinkReport::default(),
        target: Arc::new(Idle),
        control: Arc::new(Idle),
        duration: Duration::from_millis(3),
    }
}

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
