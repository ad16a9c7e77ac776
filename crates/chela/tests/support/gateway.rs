//! The program as a gateway, with a home of its own.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::ws::Client;

/// The token of every gateway under test.
pub const TOKEN: &str = "the-token-of-the-tests";

/// A gateway that runs. It ends when this is dropped.
pub struct Gateway {
    pub port: u16,
    home: tempfile::TempDir,
    process: Child,
}

impl Gateway {
    /// Starts it with `plugins` (the section of the config) and waits until it answers.
    pub async fn start(node: &Path, config: Value) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let home = tempfile::tempdir().unwrap();
        let state = home.path().join("state");
        std::fs::create_dir_all(&state).unwrap();
        let mut whole = json!({
            "gateway": {"mode": "local", "port": port, "bind": "loopback", "auth": {"mode": "token", "token": TOKEN}},
            "agents": {"defaults": {"skipBootstrap": true, "workspace": home.path().join("workspace")}},
        });
        for (key, value) in config.as_object().into_iter().flatten() {
            whole[key] = value.clone();
        }
        std::fs::write(state.join("openclaw.json"), whole.to_string()).unwrap();
        let log = File::create(home.path().join("log")).unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_chela"))
            .args(["gateway", "run"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home.path())
            .env("OPENCLAW_STATE_DIR", &state)
            .env("CHELA_NODE", node)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut gateway = Self { port, home, process };
        gateway.until_it_answers().await;
        gateway
    }

    async fn until_it_answers(&mut self) {
        let begun = std::time::Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            let ended = self.process.try_wait().unwrap();
            assert!(ended.is_none() && begun.elapsed() < super::PATIENCE, "no gateway ({ended:?}):\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// An administrator's connection.
    pub async fn client(&self) -> Client {
        Client::connect(self.port, TOKEN).await
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.process), signal).unwrap();
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.process.try_wait().unwrap()
    }

    /// What it wrote so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }

    /// Its state directory.
    pub fn state(&self) -> PathBuf {
        self.home.path().join("state")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // Asked politely it ends its workers and their children itself; a kill leaves that to the guards.
        let pid = rustix::process::Pid::from_child(&self.process);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let begun = std::time::Instant::now();
        while matches!(self.process.try_wait(), Ok(None)) && begun.elapsed() < Duration::from_secs(15) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
