//! A real gateway in a process of its own, clients for it, and plugins to give it.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "the helpers of a test fail the test, and print its figures")]

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::Message;

/// Names the directory of the gateway that a process plays.
pub const DIRECTORY: &str = "CHELA_TEST_GATEWAY";
pub const TOKEN: &str = "a-token-of-the-tests";
/// Longest wait for anything. A shared machine may be slow; a test that needs it all is broken.
pub const PATIENCE: Duration = Duration::from_secs(45);

/// One gateway at a time: the faults need a whole processor.
pub async fn alone() -> tokio::sync::MutexGuard<'static, ()> {
    static ONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    ONE.lock().await
}

/// Runs a gateway when the process was started for that. To be called by an ignored test named `plays_the_gateway`.
pub fn play() {
    let Some(dir) = std::env::var_os(DIRECTORY).map(PathBuf::from) else { return };
    let filter = tracing_subscriber::EnvFilter::new("info");
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).with_env_filter(filter).init();
    let env = chela_config::Env::from_process();
    let paths = chela_config::StatePaths::from_env(&env).unwrap();
    let config = match chela_config::load(&paths, &env) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("error: {error}");
            std::process::exit(1);
        }
    };
    let ready = dir.join("ready");
    let options = chela_gateway::run::RunOptions {
        paths,
        env,
        config,
        port: Some(std::env::var("TEST_PORT").unwrap().parse().unwrap()),
        bind: None,
        auth: chela_config::AuthOverride::default(),
        allow_unconfigured: true,
        process_started: Instant::now(),
        temp_dir: dir,
        on_ready: Box::new(move |told| {
            std::fs::write(ready.with_extension("new"), &told.plain_url).unwrap();
            std::fs::rename(ready.with_extension("new"), &ready).unwrap();
        }),
        cli_commands: std::collections::BTreeSet::new(),
        observer: None,
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    match runtime.block_on(chela_gateway::run::run(options)) {
        Ok(_) => std::process::exit(0),
        Err(error) => {
            eprintln!("error: {error}");
            std::process::exit(1);
        }
    }
}

/// The Node for workers: found as in production, a managed one fetched once for all tests.
async fn node() -> String {
    static NODE: tokio::sync::OnceCell<String> = tokio::sync::OnceCell::const_new();
    let find = || async {
        let env: BTreeMap<String, String> = std::env::vars().collect();
        let options = chela_node::NodeLaneOptions::new(env!("CARGO_TARGET_TMPDIR"), env, "2026.5.12");
        chela_node::find_node(&options).await.unwrap().path.display().to_string()
    };
    NODE.get_or_init(find).await.clone()
}

/// Directory of a plugin of the repository.
pub fn fixture(id: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/plugins").join(id).canonicalize().unwrap()
}

/// A state directory, before and between runs of its gateway.
pub struct Home {
    pub dir: tempfile::TempDir,
    pub config: Value,
    pub vars: Vec<(String, String)>,
}

impl Home {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = json!({
            "gateway": {"mode": "local", "auth": {"mode": "token", "token": TOKEN}},
            "agents": {"defaults": {"skipBootstrap": true, "workspace": dir.path().join("workspace")}},
            "plugins": {"load": {"paths": []}, "entries": {}},
        });
        Self { dir, config, vars: Vec::new() }
    }

    pub fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// Adds a plugin by its directory; `entry` is merged into its entry.
    pub fn plugin_at(&mut self, id: &str, root: &Path, entry: &Value) {
        self.config["plugins"]["load"]["paths"].as_array_mut().unwrap().push(json!(root));
        let mut own = json!({"enabled": true, "hooks": {"allowConversationAccess": true}});
        for (key, value) in entry.as_object().into_iter().flatten() {
            own[key] = value.clone();
        }
        self.config["plugins"]["entries"][id] = own;
    }

    /// Adds a plugin of the repository.
    pub fn plugin(&mut self, id: &str, entry: &Value) {
        self.plugin_at(id, &fixture(id), entry);
    }

    /// A copy of a plugin of the repository under another id.
    pub fn copy_of(&self, id: &str, other: &str) -> PathBuf {
        let root = self.dir.path().join("plugins").join(other);
        std::fs::create_dir_all(&root).unwrap();
        for entry in std::fs::read_dir(fixture(id)).unwrap().flatten() {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            let json = entry.path().extension().is_some_and(|e| e == "json");
            std::fs::write(root.join(entry.file_name()), if json { text.replace(id, other) } else { text }).unwrap();
        }
        root
    }

    pub fn write_config(&self) {
        std::fs::create_dir_all(self.state()).unwrap();
        std::fs::write(self.state().join("openclaw.json"), self.config.to_string()).unwrap();
    }

    /// A process for the gateway; it does not run yet.
    pub async fn command(&self, port: u16) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "plays_the_gateway", "--ignored", "--nocapture", "--test-threads=1"]);
        command.env(DIRECTORY, self.dir.path()).env("TEST_PORT", port.to_string()).env("CHELA_NODE", node().await);
        command.env("HOME", self.dir.path()).env("OPENCLAW_STATE_DIR", self.state()).env_remove("OPENCLAW_CONFIG_PATH");
        command.envs(self.vars.iter().cloned());
        let log = std::fs::File::options().create(true).append(true).open(self.dir.path().join("log")).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        command
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// Starts the gateway and waits until it answers.
    pub async fn start(&self) -> Gateway {
        self.write_config();
        let ready = self.dir.path().join("ready");
        let _ = std::fs::remove_file(&ready);
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut child = self.command(port).await.spawn().unwrap();
        let begun = Instant::now();
        loop {
            if ready.exists() {
                return Gateway { child, port };
            }
            let over = child.try_wait().unwrap();
            assert!(over.is_none() && begun.elapsed() < PATIENCE, "no gateway ({over:?}): {}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Processes that belong to this state directory: all that have its path in their environment.
    pub fn processes(&self) -> Vec<u32> {
        let wanted = format!("{DIRECTORY}={}\0", self.dir.path().display());
        let mut found = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse().ok()) else { continue };
            let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
            if environment.windows(wanted.len()).any(|w| w == wanted.as_bytes()) {
                found.push(pid);
            }
        }
        found
    }

    /// Waits until no process of the gateway is left.
    pub async fn nobody_left(&self) {
        until("no process of the gateway is left", || self.processes().is_empty()).await;
    }
}

/// A gateway that runs. Dropping it kills it.
pub struct Gateway {
    pub child: Child,
    pub port: u16,
}

impl Gateway {
    pub async fn client(&self) -> Client {
        Client::connect(self.port, TOKEN).await.unwrap()
    }

    /// Sends a signal and waits for the end.
    pub async fn signal(&mut self, name: &str) -> std::process::ExitStatus {
        let begun = Instant::now();
        let mut send = true;
        loop {
            if std::mem::take(&mut send) {
                let _ = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status().unwrap();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "the gateway does not end by {name}");
            // The handler for faults restores the default and returns: a real fault would repeat by itself.
            send = name == "SEGV";
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for a condition, at most [`PATIENCE`].
pub async fn until(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

type Waiting = Arc<Mutex<HashMap<String, (bool, oneshot::Sender<Value>)>>>;

/// A WebSocket client with any number of requests open.
pub struct Client {
    out: mpsc::UnboundedSender<Message>,
    waiting: Waiting,
    next: AtomicU64,
}

impl Client {
    /// Connects with a token; the error is the server's.
    pub async fn connect(port: u16, token: &str) -> Result<Self, Value> {
        let (socket, _) = tokio_tungstenite::connect_async(format!("ws://127.0.0.1:{port}/")).await.unwrap();
        let (mut sink, mut source) = socket.split();
        let (out, mut outgoing) = mpsc::unbounded_channel::<Message>();
        let waiting = Waiting::default();
        let table = waiting.clone();
        tokio::spawn(async move {
            while let Some(message) = outgoing.recv().await {
                if sink.send(message).await.is_err() {
                    return;
                }
            }
        });
        tokio::spawn(async move {
            while let Some(Ok(message)) = source.next().await {
                let Message::Text(text) = message else { continue };
                let frame: Value = serde_json::from_str(&text).unwrap();
                let id = frame["id"].as_str().unwrap_or_default();
                let accepted = matches!(frame["payload"]["status"].as_str(), Some("accepted"));
                let mut table = table.lock().unwrap();
                if frame["type"] == "res" && table.get(id).is_some_and(|(last, _)| !(*last && accepted)) {
                    let (_, reply) = table.remove(id).unwrap();
                    let _ = reply.send(frame);
                }
            }
            // Whoever waits learns that the connection is over.
            table.lock().unwrap().clear();
        });
        let client = Self { out, waiting, next: AtomicU64::new(1) };
        let params = json!({
            "minProtocol": 4, "maxProtocol": 4, "auth": {"token": token}, "scopes": ["operator.admin"],
            "client": {"id": "gateway-client", "version": "1", "platform": "linux", "mode": "backend"},
        });
        let hello = client.request("connect", params, false).await;
        if hello["ok"] == true { Ok(client) } else { Err(hello) }
    }

    async fn request(&self, method: &str, params: Value, last: bool) -> Value {
        let id = self.next.fetch_add(1, Ordering::Relaxed).to_string();
        let (reply, answer) = oneshot::channel();
        self.waiting.lock().unwrap().insert(id.clone(), (last, reply));
        let _ = self.out.send(Message::text(json!({"type": "req", "id": id, "method": method, "params": params}).to_string()));
        match tokio::time::timeout(PATIENCE, answer).await {
            Ok(Ok(frame)) => frame,
            Ok(Err(_)) => json!({"ok": false, "error": {"code": "GONE", "message": "the connection ended"}}),
            Err(_) => panic!("no answer to `{method}`"),
        }
    }

    /// The response frame of a method.
    pub async fn call(&self, method: &str, params: Value) -> Value {
        let begun = Instant::now();
        loop {
            let frame = self.request(method, params.clone(), false).await;
            // A gateway that still reads its journal says when to come again (GW-73).
            if frame["error"]["details"]["code"] != "NOT_READY" || begun.elapsed() > PATIENCE {
                return frame;
            }
            tokio::time::sleep(Duration::from_millis(frame["error"]["retryAfterMs"].as_u64().unwrap_or(50))).await;
        }
    }

    /// A whole turn of a session of its own; the last response's payload.
    pub async fn turn(&self, session: &str, message: &str) -> Value {
        let key = format!("agent:main:{session}");
        // The gateway remembers ids over restarts, so another client must not use the same.
        let id = uuid::Uuid::new_v4().to_string();
        let params = json!({"message": message, "sessionKey": key, "idempotencyKey": id, "deliver": false});
        let frame = self.request("agent", params, true).await;
        assert_eq!(frame["ok"], true, "{frame}");
        frame["payload"].clone()
    }

    /// The row of a plugin in `plugins.list`.
    pub async fn plugin(&self, id: &str) -> Value {
        let list = self.call("plugins.list", json!({})).await;
        let rows = list["payload"]["plugins"].as_array().unwrap_or_else(|| panic!("{list}")).clone();
        rows.into_iter().find(|row| row["id"] == id).unwrap_or_else(|| panic!("no plugin `{id}`: {list}"))
    }

    /// Waits until a plugin's row is as wanted and returns it.
    pub async fn plugin_until(&self, id: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let row = self.plugin(id).await;
            if wanted(&row) {
                return row;
            }
            assert!(begun.elapsed() < PATIENCE, "`{id}` is not {what}: {row:#}");
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }
}

/// Asks for `health` every 20 ms on a connection of its own, until it is stopped.
pub struct Probe {
    stop: tokio_util::sync::CancellationToken,
    task: tokio::task::JoinHandle<Vec<Duration>>,
}

impl Probe {
    pub async fn start(gateway: &Gateway) -> Self {
        let client = gateway.client().await;
        let stop = tokio_util::sync::CancellationToken::new();
        let until = stop.clone();
        let task = tokio::spawn(async move {
            let mut times = Vec::new();
            while !until.is_cancelled() {
                let begun = Instant::now();
                let frame = client.call("health", json!({})).await;
                assert_eq!(frame["payload"]["ok"], true, "{frame}");
                times.push(begun.elapsed());
                tokio::time::sleep(Duration::from_millis(20).saturating_sub(begun.elapsed())).await;
            }
            times
        });
        Self { stop, task }
    }

    /// Prints how long the answers took. None may have taken a second, whatever else the machine does.
    pub async fn finish(self, what: &str) {
        self.stop.cancel();
        let mut times = self.task.await.unwrap();
        times.sort();
        let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
        let max = at(1.0);
        println!("health during {what}: {} probes, median {:?}, p99 {:?}, max {max:?}", times.len(), at(0.5), at(0.99));
        assert!(max < Duration::from_secs(1), "`health` took {max:?} during {what}");
    }
}
