//! Approvals through the program: asked in a turn, answered on the command line, kept over a kill, remembered after it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed expectation of a test ends the test")]

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(90);

/// A gateway that is killed and started again on the same state.
struct Place {
    home: tempfile::TempDir,
    port: u16,
    process: Option<Child>,
}

impl Place {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = json!({
            "gateway": {"mode": "local", "port": port, "bind": "loopback", "auth": {"mode": "token", "token": "the-token"}},
            "agents": {"defaults": {"skipBootstrap": true, "workspace": home.path().join("workspace")}},
            "tools": {"exec": {"security": "allowlist", "ask": "on-miss"}},
        });
        std::fs::create_dir_all(home.path().join("state")).unwrap();
        std::fs::write(home.path().join("state/openclaw.json"), config.to_string()).unwrap();
        Self { home, port, process: None }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chela"));
        command.args(args).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", self.home.path());
        command.env("OPENCLAW_STATE_DIR", self.home.path().join("state")).current_dir(self.home.path());
        command
    }

    fn run(&self, args: &[&str], input: &str) -> (bool, String) {
        let mut command = self.command(args);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let out = child.wait_with_output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        (out.status.success(), text)
    }

    fn ok(&self, args: &[&str]) -> String {
        let (fine, text) = self.run(args, "");
        assert!(fine, "{args:?}: {text}");
        text
    }

    fn json(&self, args: &[&str]) -> Value {
        let out = self.command(args).output().unwrap();
        assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
        serde_json::from_slice(&out.stdout).unwrap()
    }

    fn start(&mut self) {
        let log = std::fs::File::create(self.home.path().join("log")).unwrap();
        let mut command = self.command(&["gateway", "run"]);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.process = Some(command.spawn().unwrap());
        self.until("the gateway answers", |place| TcpStream::connect(("127.0.0.1", place.port)).is_ok());
    }

    fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    fn until(&self, what: &str, done: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !done(self) {
            let log = || std::fs::read_to_string(self.home.path().join("log")).unwrap_or_default();
            assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}\n{}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn workspace(&self, file: &str) -> PathBuf {
        self.home.path().join("workspace").join(file)
    }

    /// A turn in which the embedded model runs a command.
    fn turn(&self, command: Value) -> String {
        self.ok(&["agent", "--message", &format!("/tool exec {command}")])
    }

    fn waiting(&self) -> Vec<String> {
        let rows = self.json(&["approvals", "list", "--json"]);
        rows["exec"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn runs(line: &str) -> bool {
    std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let found = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&found).replace('\0', " ").trim_end() == line
    })
}

// HOOK-193, TOOL-41, TOOL-42
#[test]
fn a_command_waits_over_a_kill_and_always_means_exactly_this_command() {
    let mut place = Place::new();
    place.start();
    let touch = json!({"command": "touch a > /dev/null"});
    assert!(place.turn(touch.clone()).contains("waits for approval"));
    let ids = place.waiting();
    assert_eq!(ids.len(), 1);
    assert!(place.ok(&["approvals", "list"]).contains("touch a > /dev/null"));

    place.kill();
    place.start();
    assert_eq!(place.waiting(), ids, "a kill neither loses nor answers it");
    assert!(!place.workspace("a").exists());
    let (fine, text) = place.run(&["approvals", "approve", "nothing-like-it"], "");
    assert!(!fine && text.contains("approvals list"), "{text}");
    place.ok(&["approvals", "approve", &ids[0][..8], "--always"]);
    place.until("the command runs", |place| place.workspace("a").exists());
    let kept = |place: &Place| place.json(&["approvals", "get", "--json"])["file"]["agents"]["main"]["allowlist"][0]["source"].clone();
    place.until("it is remembered", |place| kept(place) == "allow-always");

    place.kill();
    place.start();
    std::fs::remove_file(place.workspace("a")).unwrap();
    place.turn(touch);
    assert!(place.workspace("a").exists() && place.waiting().is_empty(), "it is not asked for again");
    assert!(place.turn(json!({"command": "touch ab > /dev/null"})).contains("waits for approval"));
    place.ok(&["approvals", "deny", &place.waiting()[0]]);
    assert!(place.waiting().is_empty() && !place.workspace("ab").exists());

    place.ok(&["approvals", "allowlist", "add", "sleep", "--gateway"]);
    let running = place.turn(json!({"command": "sleep 86399", "background": true}));
    assert!(running.contains("still running"), "{running}");
    assert!(runs("sleep 86399"));
    place.ok(&["approvals", "allowlist", "remove", "sleep", "--agent", "*"]);
    assert!(place.turn(json!({"command": "sleep 86399", "background": true})).contains("waits for approval"));
    place.kill();
    place.until("the command is gone with the gateway", |_| !runs("sleep 86399"));

    let (fine, text) = place.run(&["approvals", "set", "--stdin"], "{version: 1, defaults: {security: 'deny'}}");
    assert!(fine, "{text}");
    assert!(place.ok(&["approvals", "get"]).contains("deny"));
    let (fine, text) = place.run(&["approvals", "set", "--stdin"], "{version: 2}");
    assert!(!fine && text.contains("version"), "{text}");
    place.start();
    assert!(place.turn(json!({"command": "true"})).contains("exec denied"));
    let trail = place.json(&["approvals", "audit", "--json"]);
    let what: Vec<&str> = trail["entries"].as_array().unwrap().iter().filter_map(|e| e["what"].as_str()).collect();
    assert!(what.contains(&"allow-always") && what.contains(&"deny") && what.contains(&"requested"), "{what:?}");
    assert!(place.ok(&["approvals", "grants"]).contains("Nothing"));
}

// TOOL-41
#[test]
fn config_and_approvals_file_are_set_together() {
    let place = Place::new();
    let state = place.home.path().join("state");
    let before = place.json(&["exec-policy", "show", "--json"]);
    assert_eq!(
        (&before["approvalsExists"], &before["effectivePolicy"]["scopes"][0]["security"]["effective"]),
        (&json!(false), &json!("allowlist"))
    );
    let set = place.json(&["exec-policy", "preset", "deny-all", "--json"]);
    let scope = &set["effectivePolicy"]["scopes"][0];
    assert_eq!(
        (&set["preset"], &scope["security"]["effective"], &scope["askFallback"]["effective"]),
        (&json!("deny-all"), &json!("deny"), &json!("deny"))
    );
    let file = || -> Value { serde_json::from_str(&std::fs::read_to_string(state.join("exec-approvals.json")).unwrap()).unwrap() };
    assert_eq!(file()["defaults"], json!({"security": "deny", "ask": "off", "askFallback": "deny"}));
    let config = || -> Value { serde_json::from_str(&std::fs::read_to_string(state.join("openclaw.json")).unwrap()).unwrap() };
    assert_eq!(config()["tools"]["exec"], json!({"security": "deny", "ask": "off", "host": "gateway"}));
    let set = place.json(&["exec-policy", "set", "--ask", "always", "--json"]);
    assert_eq!((&set["applied"], &config()["tools"]["exec"]["ask"]), (&json!({"ask": "always"}), &json!("always")));
    assert_eq!((&file()["defaults"]["ask"], &file()["defaults"]["security"]), (&json!("always"), &json!("deny")));
    assert!(place.ok(&["exec-policy", "show"]).contains("security=deny ask=always askFallback=deny"));

    for args in [&["preset", "reckless"][..], &["set"], &["set", "--ask", "now"], &["set", "--host", "node"], &["set", "--security", ""]] {
        let all: Vec<&str> = std::iter::once("exec-policy").chain(args.iter().copied()).collect();
        assert!(!place.run(&all, "").0, "{args:?}");
    }
    // What cannot be written whole is not written at all.
    let (kept, broken) = (file(), "{ not a config");
    std::fs::write(state.join("openclaw.json"), broken).unwrap();
    assert!(!place.run(&["exec-policy", "preset", "yolo"], "").0);
    assert_eq!(file(), kept);
}
