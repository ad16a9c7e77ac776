//! Permissions from outside: the program runs a confined plugin, which is denied what it was not granted, and is told what to change.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a failed expectation of a test ends the test")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use support::gateway::Gateway;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/plugins/reaches").canonicalize().unwrap()
}

/// True when this machine can hold a sandbox; a test says so and ends otherwise.
fn can_confine() -> bool {
    let kernel = chela_process::Kernel::probe();
    let able = kernel.landlock >= 3 && kernel.ask;
    if !able {
        eprintln!("skipped: this kernel holds no whole sandbox ({kernel:?})");
    }
    able
}

async fn gateway(permissions: Value) -> Gateway {
    let node = support::node().await.unwrap();
    let entry = json!({"enabled": true, "permissions": permissions});
    let others = json!({"other": {"apiKey": "sk-of-another-plugin"}});
    let plugins = json!({"load": {"paths": [fixture()]}, "entries": {"reaches": entry, "other": others["other"]}});
    Gateway::start(&node, json!({"plugins": plugins, "models": {"providers": {"p": {"baseUrl": "https://p.example", "apiKey": "sk-of-a-provider", "models": []}}}})).await
}

/// The program, beside the gateway.
fn chela(state: &Path, node: &Path, args: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chela"));
    command.args(args).env_clear().env("HOME", state.parent().unwrap()).env("OPENCLAW_STATE_DIR", state).env("CHELA_NODE", node);
    command.env("LOOKS_KEY", "k");
    // A gateway is found by its lock file, which lies in the directory for temporary files.
    let temp = state.parent().unwrap().join("tmp");
    if temp.is_dir() {
        command.env("TMPDIR", temp);
    }
    let out = command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("COLUMNS", "120").output().unwrap();
    assert!(out.status.success(), "{args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_permission_that_is_missing_is_named_with_its_key() {
    if !can_confine() {
        return;
    }
    let gateway = gateway(json!({})).await;
    let mut client = gateway.client().await;
    client.plugin_until("reaches", "running", |row| row["state"] == "running").await;
    let mut tell = async |how: &str, what: &str| client.call("reaches.do", json!({"how": how, "what": what})).await;
    let addon = fixture().join("fake.node");
    let mut answers = Vec::new();
    for (name, how, what) in [
        ("denied_files_read", "read", "/etc/shadow"),
        ("denied_files_write", "write", "/etc/new"),
        ("denied_network", "fetch", "https://api.example.com/v1"),
        ("denied_listen", "listen", ""),
        ("denied_child_processes", "spawn", "git"),
        ("denied_native_addons", "addon", addon.to_str().unwrap()),
        ("denied_env", "env", "CHELA_NODE"),
    ] {
        answers.push((name, tell(how, what).await));
    }
    insta::with_settings!({filters => vec![(addon.to_str().unwrap(), "[fixture]/fake.node")]}, {
        for (name, answer) in answers {
            insta::assert_json_snapshot!(name, answer);
        }
    });
    let node = support::node().await.unwrap();
    let row = support_denials(&gateway, &node).await;
    let seen: Vec<String> =
        row.iter().map(|r| format!("{} {} {}", r["permission"].as_str().unwrap(), r["what"].as_str().unwrap(), r["count"])).collect();
    let seen = seen.join("\n").replace(fixture().to_str().unwrap(), "[fixture]");
    insta::assert_snapshot!("denials", seen);
    let text = chela(&gateway.state(), &node, &["plugins", "inspect", "reaches", "--runtime"]);
    assert!(text.contains("sandbox") && text.contains("files.read /etc/shadow (1)"), "{text}");
    assert!(text.contains("limits") && text.contains("cgroup"), "what the kernel limits, or why it does not: {text}");
    let proposed: Value = serde_json::from_str(&chela(&gateway.state(), &node, &["plugins", "permissions", "reaches", "--json"])).unwrap();
    assert_eq!(proposed["proposal"]["childProcesses"], json!(["git"]), "{proposed}");
}

/// The denials that the gateway tells, once all are there.
async fn support_denials(gateway: &Gateway, node: &Path) -> Vec<Value> {
    let begun = std::time::Instant::now();
    loop {
        let report: Value = serde_json::from_str(&chela(&gateway.state(), node, &["plugins", "permissions", "reaches", "--json"])).unwrap();
        let rows = report["denials"].as_array().cloned().unwrap_or_default();
        if rows.len() >= 7 {
            return rows;
        }
        assert!(begun.elapsed() < support::PATIENCE, "{report:#}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

// RT-149
#[tokio::test(flavor = "multi_thread")]
async fn the_config_of_a_confined_plugin_has_no_secrets_of_others() {
    if !can_confine() {
        return;
    }
    for (permissions, hidden) in [(json!({}), true), (Value::Null, false)] {
        let gateway = if permissions.is_null() { gateway(json!("observe")).await } else { gateway(permissions).await };
        let mut client = gateway.client().await;
        client.plugin_until("reaches", "running", |row| row["state"] == "running").await;
        let seen = client.call("reaches.do", json!({"how": "config"})).await["value"].as_str().unwrap().to_owned();
        for secret in ["sk-of-another-plugin", "sk-of-a-provider"] {
            assert_eq!(seen.contains(secret), !hidden, "{secret}: {seen}");
        }
        assert!(!seen.contains(support::gateway::TOKEN), "nobody gets the gateway's own");
        let handed = handed(&mut client).await;
        for (place, config) in &handed {
            let config = config.as_str().unwrap();
            assert!(config.contains("https://p.example") && !config.contains(support::gateway::TOKEN), "{place}: {config}");
            for secret in ["sk-of-another-plugin", "sk-of-a-provider"] {
                assert_eq!(config.contains(secret), !hidden, "{place}: {config}");
            }
        }
        let described = client.call("reaches.do", json!({"how": "describe", "what": "/etc/hostname"})).await;
        assert_eq!(described["error"].as_str().is_some_and(|text| text.contains("`/etc/hostname` is not granted")), hidden, "{described}");
        for how in ["command", "mutate", "auth", "approve"] {
            let answer = client.call("reaches.do", json!({"how": how})).await;
            let inside = answer["permission"] == "childProcesses";
            let refused = inside || answer["error"].as_str().is_some_and(|text| text.contains("is confined"));
            assert_eq!(refused, hidden, "{how}: {answer}");
        }
    }
}

/// The configs that the plugin was handed, once all are there.
async fn handed(client: &mut support::ws::Client) -> serde_json::Map<String, Value> {
    let begun = std::time::Instant::now();
    loop {
        let seen = client.call("reaches.do", json!({"how": "handed"})).await["value"].as_object().cloned().unwrap_or_default();
        if ["service", "hook", "provider", "channel"].iter().all(|place| seen.contains_key(*place)) {
            return seen;
        }
        assert!(begun.elapsed() < support::PATIENCE, "{seen:?}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_is_watched_and_then_confined_to_what_was_seen() {
    if !can_confine() {
        return;
    }
    let node = support::node().await.unwrap();
    let home = tempfile::tempdir().unwrap();
    let (state, plugin) = (home.path().join("state"), home.path().join("looks"));
    std::fs::create_dir_all(&state).unwrap();
    std::fs::create_dir(&plugin).unwrap();
    std::fs::create_dir(home.path().join("tmp")).unwrap();
    std::fs::write(home.path().join("notes"), "n").unwrap();
    let notes = home.path().join("notes");
    let code = format!(
        "import fs from 'node:fs';\nexport default {{ register(api) {{ fs.readFileSync({:?}); process.env.LOOKS_KEY; \
         api.registerTool({{ name: 'look', description: 'd', parameters: {{ type: 'object' }}, execute: async () => ({{ content: [] }}) }}); }} }};",
        notes.to_str().unwrap()
    );
    std::fs::write(plugin.join("index.js"), code).unwrap();
    std::fs::write(
        plugin.join("package.json"),
        r#"{"name": "looks", "version": "1.0.0", "type": "module", "openclaw": {"extensions": ["./index.js"]}}"#,
    )
    .unwrap();
    let manifest = json!({"id": "looks", "configSchema": {"type": "object"}, "contracts": {"tools": ["look"]}, "permissions": {"network": "any", "files": "all"}});
    std::fs::write(plugin.join("openclaw.plugin.json"), manifest.to_string()).unwrap();
    let config = format!(
        "{{\n  // mine\n  plugins: {{load: {{paths: [{:?}]}}, entries: {{looks: {{enabled: true}}}}}}\n}}",
        plugin.to_str().unwrap()
    );
    std::fs::write(state.join("openclaw.json"), config).unwrap();
    let show = |text: &str| text.replace(home.path().to_str().unwrap(), "[home]");

    insta::assert_snapshot!("permissions_open", show(&chela(&state, &node, &["plugins", "permissions", "looks"])));
    insta::assert_snapshot!(
        "permissions_observed",
        show(&chela(&state, &node, &["plugins", "permissions", "looks", "--observe", "--apply"]))
    );
    let written = std::fs::read_to_string(state.join("openclaw.json")).unwrap();
    assert!(written.contains("// mine"), "{written}");
    insta::assert_snapshot!("permissions_applied", show(&chela(&state, &node, &["plugins", "permissions", "looks"])));
    let inspected: Value = serde_json::from_str(&chela(&state, &node, &["plugins", "inspect", "looks", "--runtime", "--json"])).unwrap();
    assert_eq!(inspected["plugin"]["status"], "loaded", "confined to what was seen, it still loads: {inspected}");
    let dropped =
        inspected["diagnostics"].as_array().unwrap().iter().any(|row| row["message"].as_str().unwrap().contains("permissions.files"));
    assert!(dropped, "{inspected}");
}
