//! What the tests of the lane share: a plugin to start, a host that writes down, waiting.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chela_node::{NodeLane, NodeLaneOptions, NodePlugin, Timing};
use chela_plugin::{
    Call, CallError, CallTarget, HostCaller, HostServices, PluginControl, PluginSpec, RegistrationMode, StartError, StartedPlugin,
    WorkerEvent,
};
use serde_json::{Value, json};

/// Everything that plugins told the host.
#[derive(Default)]
pub struct Recorder {
    pub notes: Mutex<Vec<(String, String, Value)>>,
    pub events: Mutex<Vec<(String, WorkerEvent)>>,
    pub requests: Mutex<Vec<(String, String, Value)>>,
}

#[async_trait]
impl HostServices for Recorder {
    async fn request(&self, caller: &HostCaller, method: &str, params: Value) -> Result<Value, CallError> {
        self.requests.lock().unwrap().push((caller.plugin_id.clone(), method.into(), params.clone()));
        match method {
            "host.echo" => Ok(json!({ "plugin": caller.plugin_id, "params": params })),
            "host.slow" => {
                tokio::time::sleep(Duration::from_millis(300)).await;
                Ok(Value::Null)
            }
            "host.never" => std::future::pending().await,
            "host.denied" => Err(CallError::refused("DENIED", "not for you")),
            _ => Err(CallError::NotBuilt(method.into())),
        }
    }

    fn note(&self, caller: &HostCaller, method: &str, params: Value) {
        self.notes.lock().unwrap().push((caller.plugin_id.clone(), method.into(), params));
    }

    fn worker_event(&self, plugin_id: &str, event: WorkerEvent) {
        self.events.lock().unwrap().push((plugin_id.into(), event));
    }
}

impl Recorder {
    pub fn has_event(&self, f: impl Fn(&WorkerEvent) -> bool) -> bool {
        self.events.lock().unwrap().iter().any(|(_, event)| f(event))
    }

    pub fn log_lines(&self) -> Vec<String> {
        let notes = self.notes.lock().unwrap();
        notes.iter().filter(|(_, m, _)| m == "log").map(|(_, _, p)| p["message"].as_str().unwrap_or_default().to_string()).collect()
    }
}

/// A lane in a state directory of its own.
pub struct Bench {
    pub dir: tempfile::TempDir,
    pub host: Arc<Recorder>,
    pub lane: NodeLane,
}

/// Times short enough for tests.
pub fn quick() -> Timing {
    let ms = Duration::from_millis;
    Timing {
        hello: ms(4000),
        probe_grace: ms(300),
        liveness_interval: ms(200),
        liveness_timeout: ms(600),
        backoff: (ms(20), ms(100)),
        memory_interval: ms(100),
        restart_wait: ms(8000),
        ..Timing::default()
    }
}

/// The environment for lanes under test. Node is found as in production, but a managed one is fetched once for all tests.
pub async fn environment() -> BTreeMap<String, String> {
    static NODE: tokio::sync::OnceCell<String> = tokio::sync::OnceCell::const_new();
    let mut env: BTreeMap<String, String> = std::env::vars().collect();
    let find = || async {
        let options = NodeLaneOptions::new(env!("CARGO_TARGET_TMPDIR"), env.clone(), "2026.5.12");
        chela_node::find_node(&options).await.unwrap().path.display().to_string()
    };
    let node = NODE.get_or_init(find).await.clone();
    env.insert("CHELA_NODE".into(), node);
    env
}

impl Bench {
    /// A lane whose workers run the tests' own script.
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut NodeLaneOptions)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut options = NodeLaneOptions::new(dir.path(), environment().await, "2026.5.12");
        options.sdk_dir = Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/worker"));
        options.timing = quick();
        change(&mut options);
        Self { lane: NodeLane::new(options), host: Arc::default(), dir }
    }

    pub fn mark(&self) -> PathBuf {
        self.dir.path().join("mark")
    }

    pub fn spec(&self, id: &str, behaviour: &str) -> PluginSpec {
        let mark = self.mark();
        let env = [("TEST_BEHAVIOUR", behaviour), ("TEST_MARK", mark.to_str().unwrap())];
        PluginSpec {
            id: id.into(),
            name: None,
            version: None,
            description: None,
            kinds: Vec::new(),
            root_dir: self.dir.path().into(),
            entry: self.dir.path().join("index.js"),
            mode: RegistrationMode::Full,
            config: Arc::new(json!({})),
            plugin_config: json!({}),
            workspace_dir: self.dir.path().into(),
            state_dir: self.dir.path().into(),
            group: None,
            memory_mib: 512,
            env_grants: Vec::new(),
            env: env.map(|(k, v)| (k.to_string(), v.to_string())).into(),
            permissions: Default::default(),
            bundled: false,
        }
    }

    pub async fn try_start(&self, spec: PluginSpec) -> Result<Running, StartError> {
        let (plugin, started) = self.lane.start_plugin(spec, self.host.clone()).await?;
        Ok(Running { plugin, started })
    }

    pub async fn start(&self, behaviour: &str) -> Running {
        self.try_start(self.spec("probe", behaviour)).await.unwrap()
    }
}

/// A started plugin.
#[derive(Debug)]
pub struct Running {
    pub plugin: Arc<NodePlugin>,
    pub started: StartedPlugin,
}

impl Running {
    /// The handle of the function that was registered under a name.
    pub fn handle(&self, name: &str) -> u64 {
        handle(&self.started.registrations, name)
    }

    pub async fn call(&self, name: &str, args: Value) -> Result<Value, CallError> {
        self.plugin.call(self.handle(name), Call::new(list(args))).await
    }

    pub async fn call_within(&self, name: &str, args: Value, ms: u64) -> Result<Value, CallError> {
        self.plugin.call(self.handle(name), Call::new(list(args)).budget(Some(Duration::from_millis(ms)))).await
    }

    pub async fn stop(&self) {
        self.plugin.stop("the test is over", Duration::from_secs(2)).await;
    }
}

pub fn handle(registrations: &[chela_plugin::Registration], name: &str) -> u64 {
    let found = registrations.iter().find(|r| r.args[0]["name"] == name).unwrap_or_else(|| panic!("no `{name}`"));
    found.args[0]["execute"]["$fn"].as_u64().unwrap()
}

fn list(args: Value) -> Vec<Value> {
    match args {
        Value::Array(args) => args,
        other => vec![other],
    }
}

/// Waits until a condition holds, for at most 20 seconds.
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(20), "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Living processes with `mark` in their command line.
pub fn alive(mark: &str) -> usize {
    let own = std::process::id();
    let processes = chela_process::ProcessTable::read().unwrap().below(0).pids;
    let has = |pid: &u32| std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains(mark));
    processes.iter().filter(|pid| **pid != own && has(pid)).count()
}
