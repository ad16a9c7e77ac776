//! The gateway under measurement: its state directory, config, start and end.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::client::{Client, Shared};
use crate::plugins::Plugin;

/// The shared secret of every gateway that is measured.
pub const TOKEN: &str = "bench-token";
/// Longest start and longest stop.
const PATIENCE: Duration = Duration::from_secs(90);

/// What a gateway is started with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The binary.
    pub binary: PathBuf,
    /// Port of the mock model.
    pub model_port: u16,
    /// Plugins on the load path, all enabled.
    pub plugins: Vec<Plugin>,
    /// Config of single plugins.
    pub plugin_config: Map<String, Value>,
    /// The worker that all plugins share, by its name; one each without it.
    pub group: Option<String>,
    /// More environment.
    pub env: Vec<(String, String)>,
}

/// A state directory with a config.
pub struct State {
    dir: TempDir,
    port: u16,
    setup: Setup,
}

impl State {
    /// Writes the config.
    pub fn new(setup: Setup) -> Result<Self> {
        Self::in_dir(setup, tempfile::Builder::new().prefix("chela-bench-").tempdir()?)
    }

    /// As [`State::new`], in memory where the system has a place for it: what is measured then holds no time of the disk.
    pub fn in_memory(setup: Setup) -> Result<Self> {
        match tempfile::Builder::new().prefix("chela-bench-").tempdir_in("/dev/shm") {
            Ok(dir) => Self::in_dir(setup, dir),
            Err(_) => Self::new(setup),
        }
    }

    fn in_dir(setup: Setup, dir: TempDir) -> Result<Self> {
        let port = free_port()?;
        let entry = |p: &Plugin| {
            let mut entry = json!({"enabled": true, "hooks": {"allowConversationAccess": true}});
            if let Some(config) = setup.plugin_config.get(&p.id) {
                entry["config"] = config.clone();
            }
            if let Some(group) = &setup.group {
                entry["runtime"] = json!({"group": group});
            }
            (p.id.clone(), entry)
        };
        let entries: Map<String, Value> = setup.plugins.iter().map(entry).collect();
        let config = json!({
            "gateway": {"mode": "local", "port": port, "bind": "loopback", "auth": {"mode": "token", "token": TOKEN}},
            "agents": {"defaults": {"model": {"primary": "mock/mock-1"}, "workspace": dir.path().join("workspace"), "skipBootstrap": true}},
            "models": {"mode": "replace", "providers": {"mock": {
                "baseUrl": format!("http://127.0.0.1:{}/v1", setup.model_port), "apiKey": "mock", "api": "openai-completions",
                "models": [{"id": "mock-1", "name": "Mock", "contextWindow": 2_000_000, "maxTokens": 8192}],
            }}},
            "plugins": {"load": {"paths": setup.plugins.iter().map(|p| &p.dir).collect::<Vec<_>>()}, "entries": entries},
        });
        fs_err::write(dir.path().join("openclaw.json"), config.to_string())?;
        for folder in ["home", "tmp"] {
            fs_err::create_dir(dir.path().join(folder))?;
        }
        Ok(Self { dir, port, setup })
    }

    /// Puts sessions there, as another program's `sessions.json` would bring them.
    pub fn with_sessions(&self, count: usize) -> Result<()> {
        let dir = self.dir.path().join("agents/main/sessions");
        fs_err::create_dir_all(&dir)?;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis() as u64;
        let row = |n: usize| json!({"sessionId": format!("s{n}"), "updatedAt": now, "sessionStartedAt": now, "lastInteractionAt": now});
        let rows: Map<String, Value> = (0..count).map(|n| (format!("agent:main:there:{n}"), row(n))).collect();
        fs_err::write(dir.join("sessions.json"), Value::Object(rows).to_string())?;
        Ok(())
    }

    /// A command of the binary on this state.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.setup.binary);
        command.args(args).current_dir(self.dir.path()).stdin(Stdio::null());
        // Another gateway's settings must not leak into the measurement.
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("OPENCLAW_")) {
            command.env_remove(name);
        }
        command.env("OPENCLAW_STATE_DIR", self.dir.path()).env("HOME", self.dir.path().join("home")).env("NO_COLOR", "1");
        command.env("TMPDIR", self.dir.path().join("tmp"));
        command.envs(self.setup.env.iter().cloned());
        command
    }

    /// Starts the gateway and waits for its first hello.
    pub async fn start(&self) -> Result<Gateway> {
        let log = fs_err::File::create(self.dir.path().join("bench-gateway.log"))?;
        let (out, err) = (log.file().try_clone()?, log.into_file());
        let port = self.port.to_string();
        let begun = Instant::now();
        let child = self.command(&["gateway", "run", "--port", &port]).stdout(out).stderr(err).spawn()?;
        let mut gateway = Gateway { child, port: self.port, ready: Duration::ZERO };
        loop {
            if let Ok(client) = Client::connect(self.port, TOKEN).await {
                gateway.ready = begun.elapsed();
                drop(client);
                return Ok(gateway);
            }
            if let Some(status) = gateway.child.try_wait()? {
                let log = fs_err::read_to_string(self.dir.path().join("bench-gateway.log"))?;
                bail!("the gateway ended with {status}:\n{log}");
            }
            if begun.elapsed() > PATIENCE {
                bail!("the gateway did not answer within {} s", PATIENCE.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// A running gateway; killed when dropped.
pub struct Gateway {
    child: Child,
    /// Its port.
    pub port: u16,
    /// From exec to the first hello.
    pub ready: Duration,
}

impl Gateway {
    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A new connection.
    pub async fn client(&self) -> Result<Client> {
        Client::connect(self.port, TOKEN).await
    }

    /// A new connection that tasks share.
    pub async fn shared(&self) -> Result<Shared> {
        Ok(self.client().await?.share())
    }

    /// Waits until this many plugins have registered or failed, those of the program itself not counted.
    pub async fn wait_plugins(&self, count: usize) -> Result<()> {
        let begun = Instant::now();
        let mut client = self.client().await?;
        let is_settled = |p: &&Value| p["origin"] != "bundled" && p["state"] != "stopped" && p["state"] != "starting";
        loop {
            let list = client.call("plugins.list", json!({})).await?;
            if let Some(failed) = list["plugins"].as_array().into_iter().flatten().find(|p| p["enabled"] == true && p["state"] == "error") {
                bail!("a plugin did not start, its figures would say nothing: {failed}");
            }
            let settled = list["plugins"].as_array().into_iter().flatten().filter(is_settled).count();
            if settled >= count {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                bail!("{settled} of {count} plugins started");
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Asks it to stop, and waits; returns how long that took.
    pub async fn stop(mut self) -> Result<Duration> {
        let begun = Instant::now();
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("no process id")?;
        kill_process(pid, Signal::TERM)?;
        while self.child.try_wait()?.is_none() {
            if begun.elapsed() > PATIENCE {
                bail!("the gateway did not stop");
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(begun.elapsed())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // A measurement that failed must not leave its gateway behind.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
