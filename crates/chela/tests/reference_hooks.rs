//! The hooks that a plugin hears, in this program and in the reference implementation: the same plugin, the same turns, the same
//! model. `CHELA_REFERENCE_DIR` names an installed npm package `openclaw`; without it nothing is compared.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "helpers of a test fail the test")]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use chela_models::testing::MockServer;
use serde_json::{Value, json};
use support::gateway::{Gateway, TOKEN};
use support::hooks::{Heard, Log, config, play};
use support::ws::Client;
use support::{PATIENCE, node};

type Story = Vec<(&'static str, Vec<Heard>)>;

/// The reference as a gateway.
struct Reference {
    port: u16,
    home: tempfile::TempDir,
    process: Child,
}

impl Reference {
    async fn start(node: &Path, program: &Path, config: Value, home: tempfile::TempDir) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let state = home.path().join("state");
        std::fs::create_dir_all(&state).unwrap();
        let mut whole = config;
        whole["gateway"] = json!({"mode": "local", "port": port, "bind": "loopback", "auth": {"mode": "token", "token": TOKEN}});
        std::fs::write(state.join("openclaw.json"), whole.to_string()).unwrap();
        let log = std::fs::File::create(home.path().join("log")).unwrap();
        let process = Command::new(node)
            .arg(program)
            .args(["gateway", "run"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", home.path())
            .env("TMPDIR", home.path())
            .env("OPENCLAW_STATE_DIR", &state)
            .env("OPENCLAW_DISABLE_BONJOUR", "1")
            .current_dir(home.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut reference = Self { port, home, process };
        reference.until_it_answers().await;
        reference
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }

    async fn until_it_answers(&mut self) {
        let begun = Instant::now();
        while tokio::net::TcpStream::connect(("127.0.0.1", self.port)).await.is_err() {
            let ended = self.process.try_wait().unwrap();
            assert!(ended.is_none() && begun.elapsed() < PATIENCE, "no reference ({ended:?}):\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn terminate(process: &Child) {
    let _ = rustix::process::kill_process(rustix::process::Pid::from_child(process), rustix::process::Signal::TERM);
}

impl Drop for Reference {
    fn drop(&mut self) {
        terminate(&self.process);
        let begun = Instant::now();
        while matches!(self.process.try_wait(), Ok(None)) && begun.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn theirs(node: &Path, program: &Path) -> Story {
    let home = tempfile::tempdir().unwrap();
    let (model, file) = (MockServer::start().await, home.path().join("heard.jsonl"));
    let reference = Reference::start(node, program, config(&model.openai_url(), &home.path().join("workspace"), &file), home).await;
    let mut client = Client::connect(reference.port, TOKEN).await;
    let mut log = Log::new(file);
    let mut story = play(&mut client, &mut log).await;
    terminate(&reference.process);
    story.push(("stop", log.take("stop", &["gateway_stop", "gateway:shutdown"]).await));
    story
}

async fn ours(node: &Path) -> Story {
    let place = tempfile::tempdir().unwrap();
    let (model, file) = (MockServer::start().await, place.path().join("heard.jsonl"));
    let gateway = Gateway::start(node, config(&model.openai_url(), &place.path().join("workspace"), &file)).await;
    let mut client = gateway.client().await;
    let mut log = Log::new(file);
    let mut story = play(&mut client, &mut log).await;
    drop(gateway);
    story.push(("stop", log.take("stop", &["gateway_stop", "gateway:shutdown"]).await));
    story
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_hears_what_it_hears_in_the_reference() {
    let Some(program) = std::env::var_os("CHELA_REFERENCE_DIR").map(|dir| PathBuf::from(dir).join("openclaw.mjs")) else {
        eprintln!("skipped: `CHELA_REFERENCE_DIR` does not name an installed reference");
        return;
    };
    assert!(program.is_file(), "`CHELA_REFERENCE_DIR`: there is no {}", program.display());
    let node = node().await.unwrap();
    let (theirs, ours) = (theirs(&node, &program).await, ours(&node).await);
    if let Some(dir) = std::env::var_os("DUMP") {
        for (name, story) in [("theirs", &theirs), ("ours", &ours)] {
            let mut out = String::new();
            for (step, heard) in story { for h in heard { out.push_str(&json!({"step": step, "line": h.line}).to_string()); out.push('\n'); } }
            std::fs::write(PathBuf::from(&dir).join(name), out).unwrap();
        }
    }
}
