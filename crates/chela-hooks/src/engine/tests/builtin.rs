//! Builtin plugins through the whole engine, and what that costs.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Instant;

use chela_plugin::builtin::{BuiltinLane, BuiltinPlugin, PluginApi};
use chela_plugin::{HostCaller, HostServices, Lane, PluginSpec, RegistrationMode, RegistryBuilder, RegistryInputs, WorkerEvent};

use super::*;
use crate::testing::facts;

struct NoHost;

#[async_trait::async_trait]
impl HostServices for NoHost {
    async fn request(&self, _: &HostCaller, method: &str, _: Value) -> Result<Value, CallError> {
        Err(CallError::NotBuilt(method.into()))
    }

    fn note(&self, _: &HostCaller, _: &str, _: Value) {}

    fn worker_event(&self, _: &str, _: WorkerEvent) {}
}

static CALLS: AtomicUsize = AtomicUsize::new(0);

struct ManyHooks;

impl BuiltinPlugin for ManyHooks {
    fn manifest(&self) -> &'static str {
        r#"{"id": "many", "configSchema": {}}"#
    }

    fn register(&self, api: &mut PluginApi) -> Result<(), String> {
        for hook in FIVE {
            for _ in 0..100 {
                api.on(hook, 0, |_| async {
                    CALLS.fetch_add(1, SeqCst);
                    Ok(Value::Null)
                });
            }
        }
        Ok(())
    }
}

const FIVE: [HookName; 5] =
    [HookName::BeforePromptBuild, TOOL, HookName::MessageSending, HookName::ToolResultPersist, HookName::SessionStart];

#[tokio::test]
async fn a_hundred_builtin_handlers_on_five_hooks_are_cheap() {
    let lane = BuiltinLane::new(vec![("many".into(), std::sync::Arc::new(ManyHooks))]);
    let facts = facts("many");
    let spec = PluginSpec {
        id: facts.id.clone(),
        name: None,
        version: None,
        description: None,
        kinds: Vec::new(),
        root_dir: "/".into(),
        entry: "/".into(),
        mode: RegistrationMode::Full,
        config: Arc::new(json!({})),
        plugin_config: json!({}),
        workspace_dir: "/".into(),
        state_dir: "/".into(),
        group: None,
        memory_mib: 0,
        env_grants: vec![],
        env: vec![],
        permissions: Default::default(),
        bundled: true,
    };
    let started = lane.start(spec, Arc::new(NoHost)).await.unwrap();
    let mut builder = RegistryBuilder::new(RegistryInputs::default());
    builder.add(facts, started);
    let engine = HookEngine::new(builder.build());
    let event = json!({"params": {"a": 1}, "message": {"role": "user", "content": "x".repeat(2000)}});
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let begun = Instant::now();
        for hook in FIVE {
            let done = fire(&engine, hook, event.clone()).await;
            assert_eq!((done.called, done.failures.len()), (100, 0));
        }
        best = best.min(begun.elapsed());
    }
    assert_eq!(CALLS.load(SeqCst), 2500);
    println!("500 handler calls in {best:?}");
    // Very generous: debug builds on machines that have much else to do.
    assert!(best < Duration::from_secs(5), "{best:?}");
}
