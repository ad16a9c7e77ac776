//! The life of sessions against a small model: whatever happens in whatever order, also when the process is killed while a plugin is
//! being told, each session that was started ends once, for the right reason, and its listener hears of both, the start first. What it
//! hears again says so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chela_agent::lifecycle::EndReason;
use chela_agent::runtime::PluginGeneration;
use chela_agent::{Accepted, AgentRuntime, Entry, RunEvent, RunRef, RunSink, RuntimeParts, TurnPlugins, TurnRequest};
use chela_hooks::{HookEngine, InternalBus};
use chela_models::{AuthStore, ModelCatalog, ModelRegistry};
use chela_plugin::{
    Call, CallError, CallTarget, Definition, HandlerOutcome, HookBatch, HookName, LinkReport, PluginControl, PluginFacts, Registration,
    RegistryBuilder, RegistryInputs, StartedPlugin, WorkerStatus,
};
use chela_store::{Durability, NewSession, OpenReason, SessionRow, Store, StoreOptions};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::sync::watch;

const PATIENCE: Duration = Duration::from_secs(45);
/// The last one ends daily, the others when they are idle.
const KEYS: [&str; 3] = ["agent:main:x:a", "agent:main:x:b", "agent:main:x:group:c"];
const DAILY: usize = 2;
const PLUGIN: &str = "recorder";

/// A plugin that keeps what it was told beyond the life of the gateway, as one with a file of its own would.
#[derive(Debug, Default)]
struct Recorder {
    told: Mutex<Vec<(HookName, Value)>>,
    down: AtomicBool,
    /// It does not answer until the process is gone; `Some(true)` when it has heard all the same.
    stuck: Mutex<Option<bool>>,
    killed: watch::Sender<bool>,
}

impl Recorder {
    /// Each event when it was heard first. What is heard again says so.
    fn first_times(&self, hook: HookName) -> Vec<Value> {
        let told = self.told.lock().unwrap();
        let mut known = BTreeSet::new();
        let mut first = Vec::new();
        for (_, event) in told.iter().filter(|(h, _)| *h == hook) {
            match known.insert(event["eventId"].as_str().unwrap()) {
                true => first.push(event.clone()),
                false => assert_eq!(event["redelivered"], true, "heard twice: {event}"),
            }
        }
        first
    }

    /// A session is heard to start before it is heard to end, and to end before it goes on.
    fn check_order(&self) {
        let told = self.told.lock().unwrap();
        let (mut known, mut open) = (BTreeSet::new(), BTreeSet::new());
        for (hook, event) in told.iter().filter(|(_, event)| known.insert(event["eventId"].as_str().unwrap())) {
            let session = event["sessionId"].as_str().unwrap();
            let in_order = match hook {
                HookName::SessionStart => open.insert(session),
                _ => open.remove(session),
            };
            assert!(in_order, "{hook} of {session} came too early: {told:#?}");
        }
    }
}

#[async_trait]
impl CallTarget for Recorder {
    fn worker_key(&self) -> u64 {
        1
    }

    async fn call(&self, _: u64, _: Call) -> Result<Value, CallError> {
        Ok(Value::Null)
    }

    async fn hooks(&self, batch: HookBatch) -> Result<Vec<HandlerOutcome>, CallError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(CallError::Gone { plugin: PLUGIN.into(), reason: "exit code 1".into() });
        }
        let stuck = *self.stuck.lock().unwrap();
        if stuck != Some(false) {
            self.told.lock().unwrap().push((batch.hook, batch.event.value().clone()));
        }
        if stuck.is_some() {
            let _ = self.killed.subscribe().wait_for(|killed| *killed).await;
            return Err(CallError::Gone { plugin: PLUGIN.into(), reason: "the gateway is gone".into() });
        }
        Ok(batch.handlers.iter().map(|_| HandlerOutcome { result: Ok(Value::Null), undefined: true, duration: Duration::ZERO }).collect())
    }

    fn release(&self, _: &[u64]) {}
}

#[async_trait]
impl PluginControl for Recorder {
    async fn stop(&self, _: &str, _: Duration) {}

    fn status(&self) -> WorkerStatus {
        WorkerStatus::default()
    }

    fn notify(&self, _: &str, _: &Value) {}
}

struct Fixed(PluginGeneration);

#[async_trait]
impl TurnPlugins for Fixed {
    fn current(&self) -> PluginGeneration {
        self.0.clone()
    }

    async fn ensure_for_turn(&self) {}

    fn injecting(&self) -> Vec<String> {
        Vec::new()
    }

    fn run_ended(&self, _: &str) {}
}

struct Quiet;

impl RunSink for Quiet {
    fn emit(&self, _: &RunRef, _: RunEvent) {}
}

fn generation(recorder: &Arc<Recorder>) -> PluginGeneration {
    let manifest = json!({"id": PLUGIN, "configSchema": {}}).to_string();
    let mut facts = PluginFacts::new(PLUGIN, PLUGIN, Arc::new(chela_manifest::parse_manifest(manifest.as_bytes()).unwrap().manifest));
    facts.bundled = true;
    let on = |hook: &str, handle: u64| Registration { method: "on".into(), args: vec![json!(hook), json!({"$fn": handle})] };
    let started = StartedPlugin {
        definition: Definition::default(),
        registrations: vec![on("session_start", 1), on("session_end", 2)],
        link_report: LinkReport::default(),
        target: recorder.clone(),
        control: recorder.clone(),
        duration: Duration::ZERO,
    };
    let mut builder = RegistryBuilder::new(RegistryInputs::default());
    builder.add(facts, started);
    let registry = builder.build();
    PluginGeneration { hooks: HookEngine::new(registry.clone()), internal: Arc::new(InternalBus::new(&registry)), registry }
}

/// One process of the gateway on a state directory.
struct Process {
    runtime: Arc<AgentRuntime>,
    plugins: PluginGeneration,
}

impl Process {
    async fn start(dir: &Path, recorder: &Arc<Recorder>) -> Self {
        let base = dir.to_path_buf();
        let mut options = StoreOptions::new(dir.join("chela/db"), move |agent| base.join("agents").join(agent).join("sessions"));
        options.durability = Durability::Normal;
        options.patience = PATIENCE;
        let store = Store::open(options).unwrap();
        let env: chela_config::Env = [("HOME", dir.to_str().unwrap())].into_iter().collect();
        let paths = chela_config::StatePaths::from_env(&env).unwrap();
        std::fs::create_dir_all(paths.config_path.parent().unwrap()).unwrap();
        std::fs::write(
            &paths.config_path,
            json!({
                "session": {"reset": {"mode": "idle", "idleMinutes": 60}, "resetByType": {"group": {"mode": "daily"}}},
            })
            .to_string(),
        )
        .unwrap();
        let config = Arc::new(chela_config::load(&paths, &env).unwrap());
        let auth = AuthStore::new(Default::default());
        let models = Arc::new(ModelRegistry::from_catalog(&ModelCatalog::from_config(&Value::Null), &chela_models::http_client(), &auth));
        let plugins = generation(recorder);
        let parts = RuntimeParts {
            store,
            plugins: Arc::new(Fixed(plugins.clone())),
            models,
            config,
            sink: Arc::new(Quiet),
            telemetry: Arc::default(),
            state_dir: dir.to_path_buf(),
        };
        let this = Self { runtime: AgentRuntime::new(parts), plugins };
        this.runtime.lifecycle.recover().await.unwrap();
        this.catch_up(recorder).await;
        this
    }

    /// What the host does when a plugin has started.
    async fn catch_up(&self, recorder: &Recorder) {
        if !recorder.down.load(Ordering::SeqCst) {
            self.runtime.lifecycle.deliver_pending(&self.plugins.registry, PLUGIN).await;
        }
    }

    /// A message; no model answers here, which does not matter to the session.
    async fn message(&self, key: &str) {
        let request = TurnRequest {
            run_id: uuid::Uuid::new_v4().to_string(),
            session_key: key.into(),
            agent_id: "main".into(),
            message: "hello".into(),
            images: Vec::new(),
            entry: Entry::Agent,
            surface: "webchat".into(),
            sender_id: None,
            sender_is_owner: true,
            scopes: Vec::new(),
            model: None,
            thinking: None,
            extra_system_prompt: None,
            client_tools: Vec::new(),
            queue: Default::default(),
            exec: serde_json::Map::new(),
            inbound: None,
            trigger: "user",
            timeout: PATIENCE,
        };
        let Accepted::New(ticket, mut pledge) = self.runtime.accept(&request, "test").await.unwrap() else { panic!("known") };
        pledge.kept().await.unwrap();
        drop(pledge);
        chela_agent::turn::run(self.runtime.clone(), request, ticket).await;
    }

    /// What `sessions.reset`, `/new` and a compaction into another transcript do with the session.
    async fn replace(&self, key: &str, reason: EndReason) {
        let opened = self.runtime.store.open_session(key, "main", OpenReason::System).await.unwrap();
        self.runtime.lifecycle.ensure_started(&opened.row, None).await;
        let (old, new) = self.runtime.store.replace_session(key, NewSession::default()).await.unwrap();
        self.runtime.lifecycle.replaced(&old, &new, reason).await;
    }

    async fn delete(&self, key: &str) {
        if let Some(row) = self.runtime.store.delete_session(key, true).await.unwrap() {
            self.runtime.lifecycle.end(&row, EndReason::Deleted, None).await;
        }
    }

    async fn grow_old(&self, key: &str) {
        let age = |row: &mut SessionRow| {
            row.last_interaction_at_ms -= 2 * 3_600_000;
            row.session_started_at_ms -= 2 * 86_400_000;
        };
        self.runtime.store.update_session(key, age).await.unwrap();
    }

    async fn sweep(&self) {
        let now = chela_agent::clock::now_ms();
        while chela_agent::expiry::sweep(&self.runtime, now).await.unwrap() > 0 {}
    }

    /// The end of a process; nothing of it is left when this returns.
    async fn end(self, drain: bool, recorder: &Recorder) {
        if drain {
            self.runtime.lifecycle.drain(EndReason::Restart, PATIENCE).await;
        }
        let closed = self.runtime.store.closed();
        drop(self);
        recorder.killed.send_replace(true);
        tokio::time::timeout(PATIENCE, closed).await.expect("the store is still held");
    }
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Message(usize),
    Reset(usize),
    New(usize),
    Compact(usize),
    Delete(usize),
    GrowOld(usize),
    Sweep,
    Kill,
    /// A message or a reset, and a kill while the plugin is told what comes of it; it may have heard it.
    Cut {
        key: usize,
        reset: bool,
        heard: bool,
    },
    Restart,
    PluginDown,
    PluginUp,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let key = 0..KEYS.len();
    let one = prop_oneof![
        4 => key.clone().prop_map(Act::Message),
        2 => key.clone().prop_map(Act::Reset),
        1 => key.clone().prop_map(Act::New),
        1 => key.clone().prop_map(Act::Compact),
        1 => key.clone().prop_map(Act::Delete),
        2 => key.clone().prop_map(Act::GrowOld),
        2 => Just(Act::Sweep),
        1 => Just(Act::Kill),
        3 => (key, any::<bool>(), any::<bool>()).prop_map(|(key, reset, heard)| Act::Cut { key, reset, heard }),
        1 => Just(Act::Restart),
        1 => Just(Act::PluginDown),
        1 => Just(Act::PluginUp),
    ];
    prop::collection::vec(one, 1..14)
}

/// What must be true of a session key.
#[derive(Clone, Copy, Default)]
struct Session {
    announced: bool,
    old: bool,
}

#[derive(Default)]
struct Model {
    sessions: BTreeMap<usize, Session>,
    starts: usize,
    ends: BTreeMap<(usize, &'static str), usize>,
}

/// Why a session that is too old ends.
fn too_old(key: usize) -> &'static str {
    if key == DAILY { "daily" } else { "idle" }
}

impl Model {
    fn replace(&mut self, key: usize, reason: &'static str) {
        self.start(key);
        self.end(key, reason);
        self.sessions.insert(key, Session::default());
        self.start(key);
    }

    fn start(&mut self, key: usize) {
        let session = self.sessions.entry(key).or_default();
        if !session.announced {
            session.announced = true;
            self.starts += 1;
        }
    }

    fn end(&mut self, key: usize, reason: &'static str) {
        if self.sessions.get_mut(&key).is_some_and(|s| std::mem::take(&mut s.announced)) {
            *self.ends.entry((key, reason)).or_default() += 1;
        }
    }

    fn apply(&mut self, act: Act) {
        match act {
            Act::Message(key) => {
                if self.sessions.get(&key).is_some_and(|s| s.old) {
                    self.end(key, too_old(key));
                    self.sessions.insert(key, Session::default());
                }
                self.start(key);
            }
            Act::Reset(key) => self.replace(key, "reset"),
            Act::New(key) => self.replace(key, "new"),
            Act::Compact(key) => self.replace(key, "compaction"),
            Act::Delete(key) => {
                self.end(key, "deleted");
                self.sessions.remove(&key);
            }
            Act::GrowOld(key) => {
                if let Some(session) = self.sessions.get_mut(&key) {
                    session.old = true;
                }
            }
            Act::Sweep => (0..KEYS.len())
                .filter(|k| self.sessions.get(k).is_some_and(|s| s.old))
                .collect::<Vec<_>>()
                .into_iter()
                .for_each(|k| self.end(k, too_old(k))),
            Act::Kill => (0..KEYS.len()).for_each(|key| self.end(key, "unknown")),
            Act::Cut { key, reset, .. } => {
                self.apply(if reset { Act::Reset(key) } else { Act::Message(key) });
                self.apply(Act::Kill);
            }
            Act::Restart => (0..KEYS.len()).for_each(|key| self.end(key, "restart")),
            Act::PluginDown | Act::PluginUp => {}
        }
    }
}

async fn play(acts: &[Act]) {
    let dir = tempfile::tempdir().unwrap();
    let recorder = Arc::new(Recorder::default());
    let mut process = Process::start(dir.path(), &recorder).await;
    let mut model = Model::default();
    for act in acts {
        match *act {
            Act::Message(key) => process.message(KEYS[key]).await,
            Act::Reset(key) => process.replace(KEYS[key], EndReason::Reset).await,
            Act::New(key) => process.replace(KEYS[key], EndReason::New).await,
            Act::Compact(key) => process.replace(KEYS[key], EndReason::Compaction).await,
            Act::Delete(key) => process.delete(KEYS[key]).await,
            Act::GrowOld(key) if model.sessions.contains_key(&key) => process.grow_old(KEYS[key]).await,
            Act::GrowOld(_) => {}
            Act::Sweep => process.sweep().await,
            Act::Kill | Act::Restart | Act::Cut { .. } => {
                if let Act::Cut { key, reset, heard } = *act {
                    *recorder.stuck.lock().unwrap() = Some(heard);
                    match reset {
                        true => process.replace(KEYS[key], EndReason::Reset).await,
                        false => process.message(KEYS[key]).await,
                    }
                }
                process.end(matches!(act, Act::Restart), &recorder).await;
                *recorder.stuck.lock().unwrap() = None;
                recorder.killed.send_replace(false);
                process = Process::start(dir.path(), &recorder).await;
            }
            Act::PluginDown => recorder.down.store(true, Ordering::SeqCst),
            Act::PluginUp => {
                recorder.down.store(false, Ordering::SeqCst);
                process.catch_up(&recorder).await;
            }
        }
        model.apply(*act);
    }
    // The last start of all: what is owed is told.
    recorder.down.store(false, Ordering::SeqCst);
    process.catch_up(&recorder).await;
    process.end(true, &recorder).await;
    model.apply(Act::Restart);
    recorder.killed.send_replace(false);
    let last = Process::start(dir.path(), &recorder).await;
    let wanted: usize = model.ends.values().sum();
    let begun = Instant::now();
    while (recorder.first_times(HookName::SessionEnd).len() < wanted || recorder.first_times(HookName::SessionStart).len() < model.starts)
        && begun.elapsed() < PATIENCE
    {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let (starts, ends) = (recorder.first_times(HookName::SessionStart), recorder.first_times(HookName::SessionEnd));
    assert_eq!((starts.len(), ends.len()), (model.starts, wanted), "all were heard: {starts:#?} {ends:#?}");
    let mut counted: BTreeMap<(usize, &str), usize> = BTreeMap::new();
    for end in &ends {
        let key = KEYS.iter().position(|k| *k == end["sessionKey"]).unwrap();
        *counted.entry((key, end["reason"].as_str().unwrap())).or_default() += 1;
    }
    assert_eq!(counted, model.ends.iter().map(|(k, n)| (*k, *n)).collect());
    assert_eq!(wanted, model.starts, "the model ends what it starts");
    recorder.check_order();
    last.end(true, &recorder).await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, max_shrink_iters: 40, failure_persistence: None, ..ProptestConfig::default() })]

    // HOOK-220, HOOK-225, HOOK-235, HOOK-236, HOOK-241
    #[test]
    fn every_started_session_ends_once_for_its_listener(acts in acts()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(play(&acts));
    }
}
