//! A whole gateway in this process: a state directory of its own, a mock model server, real workers for the plugins.
#![allow(dead_code)] // each test file uses its part

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chela_config::{Env, StatePaths};
use chela_gateway::gateway::StopRequest;
use chela_gateway::run::{Ended, RunOptions, run_until};
use chela_models::testing::MockServer;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

pub const TOKEN: &str = "live-token";
const WAIT: Duration = Duration::from_secs(30);

/// Node for workers: the one that is named or found, else a managed one, fetched once for all tests.
pub async fn node() -> String {
    static NODE: tokio::sync::OnceCell<String> = tokio::sync::OnceCell::const_new();
    let find = || async {
        let options = chela_node::NodeLaneOptions::new(env!("CARGO_TARGET_TMPDIR"), std::env::vars().collect(), "2026.5.12");
        chela_node::find_node(&options).await.unwrap().path.display().to_string()
    };
    NODE.get_or_init(find).await.clone()
}

/// State of a gateway, and what it is started with.
pub struct Home {
    pub dir: tempfile::TempDir,
    pub model: MockServer,
    pub config: Value,
}

impl Home {
    /// A home whose default model is the mock server's.
    pub async fn new() -> Self {
        Self::with_reply("Mock reply: all good.").await
    }

    pub async fn with_reply(reply: &str) -> Self {
        let model = MockServer::with_reply(reply).await;
        let mut config = base_config(&model.openai_url());
        let dir = tempfile::tempdir().unwrap();
        config["agents"]["defaults"]["workspace"] = json!(dir.path().join("workspace"));
        Self { model, dir, config }
    }

    /// Adds a plugin with this code; `activation.onStartup` is set. It may see conversations.
    pub fn plugin(&mut self, id: &str, code: &str) -> &mut Self {
        self.plugin_with(id, code, json!({}))
    }

    /// As [`Home::plugin`], with further members of the manifest.
    pub fn plugin_with(&mut self, id: &str, code: &str, manifest: Value) -> &mut Self {
        let dir = self.dir.path().join("plugins").join(id);
        std::fs::create_dir_all(&dir).unwrap();
        let mut own = json!({"id": id, "name": id, "version": "1.0.0", "description": id, "activation": {"onStartup": true},
            "configSchema": {"type": "object", "additionalProperties": true, "properties": {}}});
        own.as_object_mut().unwrap().extend(manifest.as_object().unwrap().clone());
        let package = json!({"name": id, "version": "1.0.0", "type": "module", "openclaw": {"extensions": ["./index.js"]}});
        std::fs::write(dir.join("index.js"), code).unwrap();
        std::fs::write(dir.join("openclaw.plugin.json"), own.to_string()).unwrap();
        std::fs::write(dir.join("package.json"), package.to_string()).unwrap();
        self.enable(id, &dir)
    }

    /// Adds a plugin of the fixtures.
    pub fn fixture(&mut self, id: &str) -> &mut Self {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/plugins").join(id);
        let dir = dir.canonicalize().unwrap();
        self.enable(id, &dir)
    }

    fn enable(&mut self, id: &str, dir: &Path) -> &mut Self {
        let paths = &mut self.config["plugins"]["load"]["paths"];
        if paths.is_null() {
            *paths = json!([]);
        }
        paths.as_array_mut().unwrap().push(json!(dir));
        let log = self.log();
        self.config["plugins"]["entries"][id] = json!({
            "enabled": true, "hooks": {"allowConversationAccess": true},
            "env": {"RECORDER_LOG": log, "SESSION_RECORDER_LOG": log, "TEST_LOG": log},
        });
        self
    }

    /// The file that the recorders write.
    pub fn log(&self) -> PathBuf {
        self.dir.path().join("recorded.jsonl")
    }

    /// Lines of [`Home::log`].
    pub fn recorded(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.log()).unwrap_or_default();
        text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
    }

    /// Waits until the recorded lines satisfy `enough`.
    pub async fn until(&self, what: &str, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let begun = Instant::now();
        loop {
            let lines = self.recorded();
            if enough(&lines) {
                return lines;
            }
            assert!(begun.elapsed() < WAIT, "{what}: {lines:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub fn config_path(&self) -> PathBuf {
        self.dir.path().join("state/openclaw.json")
    }

    pub fn write_config(&self) {
        std::fs::create_dir_all(self.dir.path().join("state")).unwrap();
        std::fs::write(self.config_path(), serde_json::to_string_pretty(&self.config).unwrap()).unwrap();
    }

    /// Starts a gateway on this state and waits for its plugins.
    pub async fn start(&self) -> Live {
        let live = self.start_cold().await;
        live.plugins_up().await;
        live
    }

    /// Starts a gateway and waits only until it answers.
    pub async fn start_cold(&self) -> Live {
        self.start_cold_with(&[]).await
    }

    /// As [`Home::start_cold`], with further environment variables.
    pub async fn start_cold_with(&self, vars: &[(&str, &str)]) -> Live {
        self.write_config();
        let node = node().await;
        let (stop, asked) = oneshot::channel::<StopRequest>();
        let (ready, mut is_ready) = mpsc::unbounded_channel();
        let mut options = options(self.dir.path(), &node, move || {
            let _ = ready.send(());
        });
        let all = options.env.iter().chain(vars.iter().copied());
        options.env = all.map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let port = options.port.unwrap();
        let asked = async move {
            match asked.await {
                Ok(request) => request,
                Err(_) => std::future::pending().await,
            }
        };
        let mut task = tokio::spawn(async move { run_until(options, asked).await.map_err(|e| e.to_string()) });
        tokio::select! {
            Some(()) = is_ready.recv() => {}
            ended = &mut task => panic!("the gateway ended: {ended:?}"),
        }
        Live { port, stop: Some(stop), task, database: self.dir.path().join("state/chela/chela.sqlite") }
    }
}

/// The options of a gateway in `dir`.
pub fn options(dir: &Path, node: &str, ready: impl Fn() + Send + Sync + 'static) -> RunOptions {
    let text = |path: &str| dir.join(path).display().to_string();
    let vars = [
        ("HOME", text("home")),
        ("OPENCLAW_STATE_DIR", text("state")),
        ("OPENCLAW_GATEWAY_TOKEN", TOKEN.into()),
        ("CHELA_NODE", node.into()),
        ("PATH", std::env::var("PATH").unwrap_or_default()),
    ];
    std::fs::create_dir_all(dir.join("home")).unwrap();
    std::fs::create_dir_all(dir.join("tmp")).unwrap();
    let env: Env = vars.into_iter().map(|(k, v)| (k.to_string(), v)).collect();
    let paths = StatePaths::from_env(&env).unwrap();
    let config = chela_config::load(&paths, &env).unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    RunOptions {
        paths,
        env,
        config,
        port: Some(port),
        bind: None,
        auth: Default::default(),
        allow_unconfigured: true,
        process_started: Instant::now(),
        temp_dir: dir.join("tmp"),
        on_ready: Box::new(move |_| ready()),
        cli_commands: Default::default(),
        observer: None,
    }
}

fn base_config(url: &str) -> Value {
    let model = json!({"id": "mock-1", "name": "mock", "contextWindow": 200_000, "maxTokens": 4096, "input": ["text", "image"]});
    let provider = json!({"baseUrl": url, "api": "openai-completions", "apiKey": "k", "models": [model]});
    json!({
        "gateway": {"mode": "local", "auth": {"mode": "token", "token": TOKEN}, "http": {"endpoints": {"chatCompletions": {"enabled": true}}}},
        "models": {"providers": {"mock": provider}},
        "agents": {"defaults": {"model": {"primary": "mock/mock-1"}, "skipBootstrap": true}},
        "plugins": {},
    })
}

/// A running gateway.
pub struct Live {
    pub port: u16,
    stop: Option<oneshot::Sender<StopRequest>>,
    task: JoinHandle<Result<Ended, String>>,
    database: PathBuf,
}

impl Live {
    /// Waits until no plugin is starting.
    pub async fn plugins_up(&self) {
        let mut client = self.client().await;
        let begun = Instant::now();
        loop {
            let list = client.ok("plugins.list", json!({})).await;
            let rows = list["plugins"].as_array().unwrap().clone();
            if rows.iter().filter(|p| p["enabled"] == true).all(|p| p["state"] == "running" || p["state"] == "error") {
                let failed: Vec<&Value> = rows.iter().filter(|p| p["state"] == "error").collect();
                assert!(failed.is_empty(), "{failed:#?}");
                return;
            }
            assert!(begun.elapsed() < WAIT, "{rows:#?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub async fn stop(self) {
        self.end(None).await;
    }

    pub async fn restart(self) {
        self.end(Some(1000)).await;
    }

    async fn end(mut self, restart_expected_ms: Option<u64>) {
        let request = StopRequest { reason: "gateway stopping".into(), restart_expected_ms };
        assert!(self.stop.take().unwrap().send(request).is_ok());
        self.ended().await;
    }

    /// Waits until it has ended by itself. Nothing of it holds the database then.
    pub async fn ended(mut self) -> Ended {
        let ended = tokio::time::timeout(WAIT, &mut self.task).await.expect("the gateway did not stop").unwrap().unwrap();
        let state = self.database.parent().unwrap().parent().unwrap().to_path_buf();
        let options = || {
            let state = state.clone();
            chela_store::StoreOptions::new(&self.database, move |agent: &str| state.join("agents").join(agent).join("sessions"))
        };
        // Tasks that were taken down let go of it in their next step, which a busy machine may put off.
        let begun = Instant::now();
        while let Err(held) = chela_store::Store::open(options()) {
            assert!(begun.elapsed() < Duration::from_secs(5), "the database is still held: {held:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        ended
    }

    pub async fn client(&self) -> Client {
        Client::connect(self.port).await
    }

    /// One HTTP request with the token; status, headers and body.
    pub async fn http(&self, method: &str, path: &str, body: Option<Value>) -> (u16, String, String) {
        self.http_with(method, path, body, &[("authorization", &format!("Bearer {TOKEN}"))]).await
    }

    pub async fn http_with(&self, method: &str, path: &str, body: Option<Value>, headers: &[(&str, &str)]) -> (u16, String, String) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let body = body.map(|b| b.to_string()).unwrap_or_default();
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
        stream.write_all(format!("{head}content-type: application/json\r\n\r\n{body}").as_bytes()).await.unwrap();
        let mut raw = Vec::new();
        tokio::time::timeout(WAIT, stream.read_to_end(&mut raw)).await.unwrap().unwrap();
        let text = String::from_utf8_lossy(&raw).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head.to_ascii_lowercase(), body.to_owned())
    }
}

/// A WebSocket client with all scopes. Events are kept until somebody asks for them.
pub struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub events: Vec<Value>,
    next: u64,
}

impl Client {
    pub async fn connect(port: u16) -> Self {
        Self::connect_as(port, &["operator.admin", "operator.read", "operator.write", "operator.approvals", "operator.pairing"]).await
    }

    pub async fn connect_as(port: u16, scopes: &[&str]) -> Self {
        let (socket, _) = tokio_tungstenite::connect_async(format!("ws://127.0.0.1:{port}/")).await.unwrap();
        let mut client = Self { socket, events: Vec::new(), next: 0 };
        let params = json!({
            "minProtocol": 3, "maxProtocol": 4, "role": "operator", "auth": {"token": TOKEN},
            "client": {"id": "gateway-client", "version": "1", "platform": "linux", "mode": "backend"},
            "scopes": scopes,
        });
        client.ok("connect", params).await;
        client
    }

    async fn frame(&mut self) -> Value {
        loop {
            let frame = tokio::time::timeout(WAIT, self.socket.next()).await.expect("no frame in time");
            if let Message::Text(text) = frame.expect("the connection ended").unwrap() {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }

    pub async fn request(&mut self, method: &str, params: Value) -> String {
        self.next += 1;
        let id = format!("r{}", self.next);
        let text = json!({"type": "req", "id": id, "method": method, "params": params}).to_string();
        self.socket.send(Message::text(text)).await.unwrap();
        id
    }

    pub async fn response(&mut self, id: &str) -> Value {
        loop {
            let frame = self.frame().await;
            if frame["type"] == "res" && frame["id"] == id {
                return frame;
            }
            self.events.push(frame);
        }
    }

    pub async fn call(&mut self, method: &str, params: Value) -> Value {
        let id = self.request(method, params).await;
        self.response(&id).await
    }

    pub async fn ok(&mut self, method: &str, params: Value) -> Value {
        let answer = self.call(method, params).await;
        assert_eq!(answer["ok"], true, "{method}: {answer}");
        answer["payload"].clone()
    }

    pub async fn error(&mut self, method: &str, params: Value) -> Value {
        let answer = self.call(method, params).await;
        assert_eq!(answer["ok"], false, "{method}: {answer}");
        answer["error"].clone()
    }

    /// The next event that `wanted` accepts; others before it are kept.
    pub async fn event(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut at = 0;
        loop {
            while at < self.events.len() {
                if wanted(&self.events[at]) {
                    return self.events.remove(at);
                }
                at += 1;
            }
            let frame = self.frame().await;
            self.events.push(frame);
        }
    }

    /// The last `chat` event of a run.
    pub async fn chat_end(&mut self, run_id: &str) -> Value {
        let ended = |e: &Value| e["event"] == "chat" && e["payload"]["runId"] == run_id && e["payload"]["state"] != "delta";
        self.event(ended).await["payload"].clone()
    }

    /// Sends a message and waits for the end of its run.
    pub async fn say(&mut self, session: &str, message: &str) -> Value {
        let run = uuid::Uuid::new_v4().to_string();
        let started = self.ok("chat.send", json!({"sessionKey": session, "message": message, "idempotencyKey": run})).await;
        assert_eq!(started["status"], "started", "{started}");
        self.chat_end(&run).await
    }
}

/// The text of a message.
pub fn text(message: &Value) -> String {
    chela_agent::message::text_of(message)
}
