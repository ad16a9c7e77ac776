//! Commands of plugins through the built binary.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

/// A home with these fixtures, enabled, and the binary run in it.
struct Home {
    dir: tempfile::TempDir,
    node: std::path::PathBuf,
}

fn fixture(id: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/plugins").join(id).canonicalize().unwrap()
}

fn plugins(ids: &[&str]) -> Value {
    let paths: Vec<_> = ids.iter().map(|id| fixture(id)).collect();
    let entries: serde_json::Map<String, Value> = ids.iter().map(|id| ((*id).to_owned(), json!({"enabled": true}))).collect();
    json!({"load": {"paths": paths}, "entries": entries})
}

impl Home {
    async fn new(ids: &[&str]) -> Self {
        let home = Self { dir: tempfile::tempdir().unwrap(), node: support::node().await.unwrap() };
        home.config(&json!({"plugins": plugins(ids), "agents": {"defaults": {"workspace": home.dir.path().join("ws")}}}));
        home
    }

    fn config(&self, config: &Value) {
        std::fs::create_dir_all(self.dir.path().join("state")).unwrap();
        std::fs::write(self.dir.path().join("state/openclaw.json"), config.to_string()).unwrap();
    }

    fn run(&self, args: &[&str]) -> (i32, String, String) {
        run_in(&self.dir.path().join("state"), self.dir.path(), &self.node, args)
    }
}

fn run_in(state: &Path, home: &Path, node: &Path, args: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chela"));
    command.args(args).env_clear();
    // A gateway is found by its lock file, which lies in the directory for temporary files.
    let temp = state.parent().unwrap().join("tmp");
    if temp.is_dir() {
        command.env("TMPDIR", temp);
    }
    let out = command
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .env("OPENCLAW_STATE_DIR", state)
        .env("CHELA_NODE", node)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (out.status.code().unwrap(), text(out.stdout), text(out.stderr))
}

// API-059, API-175, API-177, API-179, API-182, API-190
#[tokio::test]
async fn a_command_without_a_manifest_alias_is_found_and_run() {
    let home = Home::new(&["cli-nested", "service"]).await;
    let (code, out, err) = home.run(&["deck", "show", "ace", "--count", "3"]);
    assert_eq!((code, out.as_str()), (0, "deck ace x3\n"), "{err}");
    assert!(err.contains("shown"), "{err}");
    let (code, out, err) = home.run(&["deck", "show", "ace", "--json"]);
    assert_eq!(code, 0, "{err}");
    let row: Value = serde_json::from_str(&out).unwrap();
    let workspace = home.dir.path().join("ws");
    assert_eq!(row, json!({"name": "ace", "count": 1, "parentPath": [], "config": "object", "workspace": workspace, "logs": "function"}));
    let (code, out, err) = home.run(&["deck", "state"]);
    assert_eq!((code, out.as_str()), (0, "kept 1\n"), "{err}");
    assert!(!home.dir.path().join("state/service-fixture.log").exists(), "no service starts for a command");
    let (code, out, err) = home.run(&["deck", "nodes"]);
    assert!(code == 1 && out.is_empty() && err.contains("failed"), "no gateway knows of nodes: {out} {err}");
}

#[tokio::test]
async fn exit_codes_and_errors_of_commands_come_through() {
    let home = Home::new(&["cli-nested"]).await;
    assert_eq!(home.run(&["deck", "leave"]).0, 7);
    let (code, out, err) = home.run(&["deck", "break"]);
    assert_eq!((code, out.as_str()), (1, ""), "{err}");
    assert!(err.contains("command `deck` of plugin `cli-nested` failed") && err.contains("the deck fell down"), "{err}");
    let (code, _, err) = home.run(&["deck", "show"]);
    assert!(code == 1 && err.contains("missing required argument 'name'"), "{code} {err}");
    let (code, _, err) = home.run(&["deck", "show", "x", "--nope"]);
    assert!(code == 1 && err.contains("unknown option '--nope'"), "{code} {err}");
    let (code, out, _) = home.run(&["deck", "show", "--help"]);
    assert!(code == 0 && out.contains("--count <n>") && out.contains("how many"), "{out}");
}

// API-059, API-060, API-180, API-181
#[tokio::test]
async fn commands_below_a_parent_are_found_and_ours_stay_ours() {
    let home = Home::new(&["cli-nested"]).await;
    assert_eq!(home.run(&["nodes", "table", "3"]).1, "nodes table with 3 legs\n");
    assert_eq!(home.run(&["nodes", "lamp"]).1, "lamp on\n");
    for (args, said) in [
        (["nodes", "--help"], "`chela nodes` is not built"),
        (["nodes", "chair"], "`chela nodes` is not built"),
        (["tool", "x"], "unknown command `chela tool`"),
        (["dek", "show"], "unknown command `chela dek`"),
    ] {
        let (code, out, err) = home.run(&args);
        assert!(code == 2 && out.is_empty() && err.contains(said), "{args:?}: {code} {out} {err}");
    }
    // API-184
    std::fs::write(home.dir.path().join("state/openclaw.json"), "{ broken").unwrap();
    let (code, out, err) = home.run(&["deck", "leave"]);
    assert!(code == 1 && out.is_empty() && err.contains("openclaw.json"), "{code} {err}");
}

// A gateway has the state: commands of plugins run all the same, and what needs the state says why it cannot be had.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_run_beside_a_gateway() {
    let node = support::node().await.unwrap();
    let gateway = support::gateway::Gateway::start(&node, json!({"plugins": plugins(&["cli-nested"])})).await;
    let home = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| run_in(&gateway.state(), home.path(), &node, args);
    let (code, out, err) = run(&["deck", "show", "ace"]);
    assert_eq!((code, out.as_str()), (0, "deck ace x1\n"), "{err}");
    let (code, out, err) = run(&["deck", "state"]);
    assert!(code == 1 && out.is_empty() && err.contains("which the running gateway holds"), "{code} {out} {err}");
    // RT-055
    let (code, out, err) = run(&["deck", "nodes"]);
    assert_eq!((code, out.as_str()), (0, "{\"nodes\":[]}\n"), "{err}");
}
