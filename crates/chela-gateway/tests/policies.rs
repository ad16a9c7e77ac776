//! Trusted tool policies in a turn. Only bundled plugins may register them, so a plugin of this test is one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "support/live.rs"]
mod live;
#[path = "support/turn.rs"]
mod made;

use std::sync::{Arc, Mutex};

use chela_agent::runtime::PluginGeneration;
use chela_agent::{AgentRuntime, RunEvent, RunRef, RunSink, RuntimeParts, TurnPlugins};
use chela_hooks::{HookEngine, InternalBus};
use chela_models::{AuthInputs, AuthStore, ModelCatalog, ModelRegistry};
use chela_plugin::builtin::{BuiltinLane, BuiltinPlugin, PluginApi};
use chela_plugin::{
    Call, CallError, HookName, HostCaller, HostServices, Lane, PluginFacts, PluginSpec, RegistrationMode, RegistryBuilder, RegistryInputs,
    WorkerEvent,
};
use chela_store::{ExtensionPatch, OpenReason, Store, StoreOptions};
use live::{Home, text};
use serde_json::{Value, json};

type Seen = Arc<Mutex<Vec<Value>>>;

/// Registers a tool, two policies and a hook, and notes who was asked with what.
struct Guard(Seen);

impl BuiltinPlugin for Guard {
    fn manifest(&self) -> &'static str {
        r#"{"id": "guard", "configSchema": {}, "contracts": {"tools": ["danger"], "agentToolResultMiddleware": ["pi", "codex"]}}"#
    }

    fn register(&self, api: &mut PluginApi) -> Result<(), String> {
        let seen = self.0.clone();
        let note = move |who: &str, params: &Value| seen.lock().unwrap().push(json!({"who": who, "params": params}));
        let run = note.clone();
        let execute = api.function(move |call: Call| {
            run("tool", &call.args[1]);
            async { Ok(json!({"content": [{"type": "text", "text": "done"}]})) }
        });
        let tool = json!({"name": "danger", "description": "d", "parameters": {"type": "object"}, "execute": execute});
        api.register("registerTool", vec![tool]);
        let ask = note.clone();
        let first = api.function(move |call: Call| {
            ask("first policy", &call.args[0]["params"]);
            async move { first_policy(&call).await }
        });
        let ask = note.clone();
        let second = api.function(move |call: Call| {
            ask("second policy", &call.args[0]["params"]);
            async { Ok(Value::Null) }
        });
        for (id, evaluate) in [("first", first), ("second", second)] {
            api.register("registerTrustedToolPolicy", vec![json!({"id": id, "description": id, "evaluate": evaluate})]);
        }
        let result = api.function(|call: Call| async move { changed_result(&call) });
        api.register("registerAgentToolResultMiddleware", vec![result, json!({"runtimes": ["pi"]})]);
        let other = api.function(|_: Call| async { Err::<Value, _>(CallError::thrown("of another runtime")) });
        api.register("registerAgentToolResultMiddleware", vec![other, json!({"runtimes": ["codex"]})]);
        api.on(HookName::BeforeToolCall, 0, move |call: Call| {
            note("hook", &call.args[0]["params"]);
            async { Ok(Value::Null) }
        });
        Ok(())
    }
}

#[allow(clippy::result_large_err, reason = "the type of a builtin plugin's function")]
fn changed_result(call: &Call) -> Result<Value, CallError> {
    let (event, context) = (&call.args[0], &call.args[1]);
    assert_eq!((&event["toolName"], &context["runtime"], &context["sessionKey"]), (&json!("danger"), &json!("pi"), &json!("agent:main:p")));
    match event["args"]["say"].as_str().unwrap_or_default() {
        "rewrite" => {
            let text = format!("was {}", text(&event["result"]));
            Ok(json!({"result": {"content": [{"type": "text", "text": text}]}}))
        }
        "nonsense" => Ok(json!({"result": {"content": "no blocks"}})),
        "break" => Err(CallError::thrown("SECRET")),
        _ => Ok(Value::Null),
    }
}

async fn first_policy(call: &Call) -> Result<Value, CallError> {
    match call.args[0]["params"]["say"].as_str().unwrap_or_default() {
        "block" => Ok(json!({"allow": false})),
        "reason" => Ok(json!({"allow": false, "reason": "not here"})),
        "throw" => Err(CallError::thrown("SECRET")),
        "approve" => Ok(json!({"requireApproval": {"title": "t", "description": "d"}})),
        "state" => {
            let (_, accessor) = &call.fns[0];
            let state = accessor(vec!["notes".into()]).await?;
            Ok(json!({"params": {"say": "state", "state": state}}))
        }
        _ => Ok(Value::Null),
    }
}

struct Nothing;

#[async_trait::async_trait]
impl HostServices for Nothing {
    async fn request(&self, _: &HostCaller, method: &str, _: Value) -> Result<Value, CallError> {
        Err(CallError::NotBuilt(method.into()))
    }

    fn note(&self, _: &HostCaller, _: &str, _: Value) {}

    fn worker_event(&self, _: &str, _: WorkerEvent) {}
}

impl RunSink for Nothing {
    fn emit(&self, _: &RunRef, _: RunEvent) {}
}

struct Plugins(PluginGeneration);

#[async_trait::async_trait]
impl TurnPlugins for Plugins {
    fn current(&self) -> PluginGeneration {
        self.0.clone()
    }

    async fn ensure_for_turn(&self) {}

    fn injecting(&self) -> Vec<String> {
        Vec::new()
    }

    fn run_ended(&self, _: &str) {}
}

async fn plugins(seen: &Seen) -> Plugins {
    let guard = Guard(seen.clone());
    let manifest = chela_manifest::parse_manifest(guard.manifest().as_bytes()).unwrap().manifest;
    let mut facts = PluginFacts::new("guard", "guard", Arc::new(manifest));
    facts.bundled = true;
    let spec = PluginSpec {
        id: "guard".into(),
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
    let lane = BuiltinLane::new(vec![("guard".into(), Arc::new(guard))]);
    let started = lane.start(spec, Arc::new(Nothing)).await.unwrap();
    let mut builder = RegistryBuilder::new(RegistryInputs::default());
    builder.add(facts, started);
    let registry = builder.build();
    assert_eq!(registry.trusted_policies.len(), 2);
    Plugins(PluginGeneration { hooks: HookEngine::new(registry.clone()), internal: Arc::new(InternalBus::new(&registry)), registry })
}

async fn turn(runtime: &Arc<AgentRuntime>, message: String) -> Vec<Value> {
    let outcome = made::run(runtime, made::request("agent:main:p", &message)).await;
    assert_eq!(outcome.error, None);
    let window = runtime.store.window(&outcome.session_id, 4).await.unwrap();
    window.into_iter().map(|e| e.body).filter(|m| m["role"] == "toolResult").collect()
}

// HOOK-160, HOOK-172, HOOK-173, HOOK-174, HOOK-175, API-072, API-129
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trusted_policies_come_before_the_hooks_and_may_refuse_or_change_a_call() {
    let home = Home::new().await;
    home.write_config();
    let options = live::options(home.dir.path(), "", || {});
    let config = Arc::new(options.config);
    let dir = home.dir.path().join("sessions");
    let store = Store::open(StoreOptions::new(home.dir.path().join("db/chela.sqlite"), move |_| dir.clone())).unwrap();
    store.open_session("agent:main:p", "main", OpenReason::System).await.unwrap();
    for plugin_id in ["guard", "other"] {
        let patch = ExtensionPatch {
            plugin_id: plugin_id.into(),
            namespace: "notes".into(),
            value: Some(json!({"of": plugin_id})),
            ..ExtensionPatch::default()
        };
        store.patch_extension("agent:main:p", patch).await.unwrap();
    }
    let models = Arc::new(ModelRegistry::default());
    let catalog = ModelCatalog::from_config(config.get("models").unwrap());
    models.replace_configured(&catalog, &chela_models::http_client(), &AuthStore::new(AuthInputs::default()));
    let seen = Seen::default();
    let parts = RuntimeParts {
        store,
        plugins: Arc::new(plugins(&seen).await),
        models,
        config,
        sink: Arc::new(Nothing),
        state_dir: home.dir.path().join("state"),
        telemetry: Arc::default(),
    };
    let runtime = AgentRuntime::new(parts);
    let asked_by = ["first policy", "second policy", "hook", "tool"];
    let rows = [
        ("go", 4, "done"),
        ("block", 1, "blocked by first"),
        ("reason", 1, "not here"),
        ("throw", 1, "Tool call blocked because before_tool_call hook failed"),
        ("approve", 2, "Plugin approval unavailable (no approval route)"),
        ("rewrite", 4, "was done"),
        ("nonsense", 4, "The output of this tool is not available: a plugin that looks at results failed"),
        ("break", 4, "The output of this tool is not available: a plugin that looks at results failed"),
        ("state", 4, "done"),
    ];
    for (say, asked, answer) in rows {
        seen.lock().unwrap().clear();
        let results = turn(&runtime, format!(r#"[[tool:danger {{"say":"{say}"}}]]"#)).await;
        let who: Vec<Value> = seen.lock().unwrap().iter().map(|s| s["who"].clone()).collect();
        assert_eq!(who, asked_by[..asked], "{say}");
        assert!(results.len() == 1 && text(&results[0]) == answer && !results[0].to_string().contains("SECRET"), "{say}: {results:#?}");
    }
    let state = json!({"say": "state", "state": {"of": "guard"}});
    let last: Vec<Value> = seen.lock().unwrap().iter().map(|s| s["params"].clone()).collect();
    assert_eq!(last, [json!({"say": "state"}), state.clone(), state.clone(), state]);
}
