//! Workers made by hand.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chela_plugin::{
    Call, CallError, CallTarget, Definition, DispatchMode, HandlerOutcome, HookBatch, HookPolicy, LinkReport, PluginControl, PluginFacts,
    Registration, Registry, RegistryBuilder, RegistryInputs, StartedPlugin, WorkerStatus,
};
use serde_json::{Value, json};

/// What a handler does when it is called.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Return(Value),
    Undefined,
    Throw(&'static str),
    Hang,
    /// Returns `{"message": {...event.message, key: true}}`.
    Mark(&'static str),
}

/// A worker whose handlers have scripts; it keeps no budget and ignores cancellation, like a hung process.
#[derive(Debug)]
pub(crate) struct Worker {
    key: u64,
    acts: HashMap<u64, Act>,
    /// Hook batches in order: the handles that travelled together.
    pub(crate) batches: Mutex<Vec<Vec<u64>>>,
    /// Events as handlers saw them, and arguments of plain calls.
    pub(crate) seen: Mutex<Vec<Value>>,
    /// How often it was told that hooks will come.
    pub(crate) woken: AtomicUsize,
    gone: bool,
}

impl Worker {
    pub(crate) fn new(key: u64, acts: &[(u64, Act)]) -> Arc<Self> {
        Self::make(key, acts, false)
    }

    pub(crate) fn gone(key: u64, acts: &[(u64, Act)]) -> Arc<Self> {
        Self::make(key, acts, true)
    }

    fn make(key: u64, acts: &[(u64, Act)], gone: bool) -> Arc<Self> {
        Arc::new(Self {
            key,
            acts: acts.iter().cloned().collect(),
            batches: Mutex::default(),
            seen: Mutex::default(),
            woken: AtomicUsize::new(0),
            gone,
        })
    }

    pub(crate) fn batches(&self) -> Vec<Vec<u64>> {
        self.batches.lock().unwrap().clone()
    }

    pub(crate) fn seen(&self) -> Vec<Value> {
        self.seen.lock().unwrap().clone()
    }

    async fn act(&self, handle: u64, event: &Value) -> (Result<Value, CallError>, bool) {
        self.seen.lock().unwrap().push(event.clone());
        match &self.acts[&handle] {
            Act::Return(value) => (Ok(value.clone()), false),
            Act::Undefined => (Ok(Value::Null), true),
            Act::Throw(text) => (Err(CallError::thrown(*text)), false),
            Act::Hang => std::future::pending().await,
            Act::Mark(key) => {
                let mut message = event["message"].clone();
                message[*key] = true.into();
                (Ok(json!({ "message": message })), false)
            }
        }
    }
}

#[async_trait]
impl CallTarget for Worker {
    fn worker_key(&self) -> u64 {
        self.key
    }

    async fn call(&self, handle: u64, call: Call) -> Result<Value, CallError> {
        self.act(handle, &Value::Array(call.args)).await.0
    }

    async fn hooks(&self, batch: HookBatch) -> Result<Vec<HandlerOutcome>, CallError> {
        self.batches.lock().unwrap().push(batch.handlers.iter().map(|h| h.handle).collect());
        if self.gone {
            return Err(CallError::Gone { plugin: "p".into(), reason: "exit code 1".into() });
        }
        let mut event = batch.event.clone();
        let mut outcomes = Vec::new();
        for handler in &batch.handlers {
            let begun = Instant::now();
            let seen = event.clone();
            let act = self.act(handler.handle, seen.value());
            let limit = handler.timeout.unwrap_or(Duration::from_secs(3600));
            let honest = batch.mode == DispatchMode::Parallel || !matches!(self.acts[&handler.handle], Act::Hang);
            let (result, undefined) = if honest {
                tokio::time::timeout(limit, act).await.unwrap_or((Err(CallError::TimedOut(limit.as_millis() as u64)), false))
            } else {
                act.await
            };
            if let Some((name, value)) = result.as_ref().ok().and_then(|result| batch.hook.carried(result)) {
                event = event.with(name, value);
            }
            let stop = match (&result, batch.stop) {
                (Ok(value), Some(rule)) => rule.satisfied_by(value, undefined),
                (Err(_), _) => batch.hook.fails_closed(),
                _ => false,
            };
            outcomes.push(HandlerOutcome { result, undefined, duration: begun.elapsed() });
            if stop {
                break;
            }
        }
        Ok(outcomes)
    }

    fn wake(&self) {
        self.woken.fetch_add(1, Ordering::Relaxed);
    }

    fn release(&self, _: &[u64]) {}
}

#[async_trait]
impl PluginControl for Worker {
    async fn stop(&self, _: &str, _: Duration) {}

    fn status(&self) -> WorkerStatus {
        WorkerStatus::default()
    }

    fn notify(&self, _: &str, _: &Value) {}
}

pub(crate) fn facts(id: &str) -> PluginFacts {
    let manifest = json!({ "id": id, "configSchema": {} }).to_string();
    let mut facts = PluginFacts::new(id, id, Arc::new(chela_manifest::parse_manifest(manifest.as_bytes()).unwrap().manifest));
    facts.bundled = true;
    facts.plugin_config = json!({ "of": id });
    facts
}

pub(crate) fn started(worker: &Arc<Worker>, calls: &[(&str, Value)]) -> StartedPlugin {
    let registrations =
        calls.iter().map(|(m, args)| Registration { method: (*m).into(), args: args.as_array().cloned().unwrap_or_default() }).collect();
    StartedPlugin {
        definition: Definition::default(),
        registrations,
        link_report: LinkReport::default(),
        target: worker.clone(),
        control: worker.clone(),
        duration: Duration::ZERO,
    }
}

/// `on` with a priority.
pub(crate) fn on(hook: &str, handle: u64, priority: i64) -> (&'static str, Value) {
    ("on", json!([hook, { "$fn": handle }, { "priority": priority }]))
}

/// A plugin: id, worker, registrations.
pub(crate) type Plugin<'a> = (&'a str, &'a Arc<Worker>, Vec<(&'a str, Value)>);

/// A registry of these plugins.
pub(crate) fn registry(plugins: &[Plugin<'_>]) -> Arc<Registry> {
    registry_with(plugins, &[])
}

pub(crate) fn registry_with(plugins: &[Plugin<'_>], policies: &[(&str, HookPolicy)]) -> Arc<Registry> {
    let policies = policies.iter().map(|(id, policy)| ((*id).to_string(), policy.clone())).collect();
    let mut builder = RegistryBuilder::new(RegistryInputs { policies, ..RegistryInputs::default() });
    for (id, worker, calls) in plugins {
        builder.add(facts(id), started(worker, calls));
    }
    let registry = builder.build();
    assert!(registry.plugins.iter().all(|p| p.failure.is_none()));
    registry
}
