//! `chela migrate` with a provider of a plugin.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

struct Home {
    dir: tempfile::TempDir,
    node: std::path::PathBuf,
}

impl Home {
    async fn new() -> Self {
        let home = Self { dir: tempfile::tempdir().unwrap(), node: support::node().await.unwrap() };
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/plugins/migration-provider").canonicalize().unwrap();
        let config = json!({"plugins": {"load": {"paths": [fixture]}, "entries": {"migration-provider": {"enabled": true}}}});
        std::fs::create_dir_all(home.state()).unwrap();
        std::fs::write(home.state().join("openclaw.json"), config.to_string()).unwrap();
        std::fs::create_dir_all(home.dir.path().join("old")).unwrap();
        std::fs::write(home.dir.path().join("old/notes.md"), "remember the roof").unwrap();
        home
    }

    fn state(&self) -> std::path::PathBuf {
        self.dir.path().join("state")
    }

    fn run(&self, args: &[&str]) -> (i32, String, String) {
        let old = self.dir.path().join("old");
        let from = ["--from", old.to_str().unwrap()];
        let out = Command::new(env!("CARGO_BIN_EXE_chela"))
            .args([&["migrate"], args, &from].concat())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.dir.path())
            .env("OPENCLAW_STATE_DIR", self.state())
            .env("CHELA_NODE", &self.node)
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (out.status.code().unwrap(), text(out.stdout), text(out.stderr))
    }

    fn json(&self, args: &[&str]) -> Value {
        let (code, out, err) = self.run(&[args, &["--json"]].concat());
        assert_eq!(code, 0, "{out}{err}");
        serde_json::from_str(&out).unwrap()
    }
}

// API-055
#[tokio::test]
async fn a_plan_is_shown_before_anything_changes() {
    let home = Home::new().await;
    let target = home.state().join("workspace/notes.md");
    let list = home.json(&["list"]);
    assert_eq!(
        (&list["providers"][0]["id"], &list["providers"][0]["detected"]["found"]),
        (&json!("old-assistant"), &json!(true)),
        "{list}"
    );
    let plan = home.json(&["old-assistant", "--dry-run"]);
    assert_eq!(
        (&plan["summary"]["planned"], &plan["summary"]["sensitive"], &plan["items"][0]["status"]),
        (&json!(1), &json!(1), &json!("planned"))
    );
    assert!(!plan.to_string().contains("sk-very-secret"), "{plan}");
    // Nobody agreed.
    let (code, out, err) = home.run(&["old-assistant"]);
    assert!(code == 2 && out.contains("planned") && err.contains("--yes"), "{code} {out} {err}");
    assert!(!target.exists());
    let (code, _, err) = home.run(&["apply", "old-assistant", "--yes", "--no-backup"]);
    assert!(code == 2 && err.contains("--force") && !target.exists(), "{err}");

    let done = home.json(&["apply", "old-assistant", "--yes"]);
    assert_eq!(done["summary"]["migrated"], 1, "{done}");
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "remember the roof");
    // The backup is from before.
    let backup = Path::new(done["backupPath"].as_str().unwrap());
    assert!(backup.join("openclaw.json").is_file() && !backup.join("workspace/notes.md").exists());

    // What is there already is a conflict.
    let (code, _, err) = home.run(&["apply", "old-assistant", "--yes"]);
    assert!(code == 1 && err.contains("1 conflicts"), "{err}");
    let done = home.json(&["apply", "old-assistant", "--yes", "--overwrite", "--include-secrets", "--no-backup", "--force"]);
    assert_eq!((&done["summary"]["migrated"], &done["backupPath"]), (&json!(2), &Value::Null), "{done}");
    let (code, _, err) = home.run(&["apply", "hermes", "--yes"]);
    assert!(code == 1 && err.contains("known are `old-assistant`"), "{err}");
    let (code, _, err) = home.run(&["broken", "--dry-run"]);
    assert!(code == 1 && err.contains("nothing to read here"), "{err}");
}
