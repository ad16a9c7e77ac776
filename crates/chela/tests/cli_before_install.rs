//! Plugins that listen to `before_install` are asked by the command line, with and without a gateway; and a running gateway takes what
//! was installed without a restart.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed expectation of a test ends the test")]

#[path = "support/home.rs"]
mod home;
mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use home::{Home, Out};
use serde_json::{Value, json};
use support::gateway::Gateway;

const GUARD: &str = r#"
import fs from 'node:fs';
export default function register(api) {
  const { mode, log } = api.pluginConfig;
  if (mode === 'broken') throw new Error('the guard is ill');
  api.on('before_install', (event, ctx) => {
    fs.appendFileSync(log, JSON.stringify({ pid: process.pid, event, ctx }) + '\n');
    if (event.targetName === 'free') return;
    if (mode === 'block') return { block: true, blockReason: 'the policy says no' };
    if (mode === 'plain') return { block: true };
    if (mode === 'throw') throw new Error('the guard fell over');
    const finding = (severity, message) => ({ ruleId: 'r', severity, file: 'index.js', line: 3, message });
    return { block: false, findings: [finding('warn', 'looks odd'), finding('info', 'of no weight')] };
  });
}"#;

/// A package that is a plugin, in `dir`.
fn package(dir: &Path, id: &str, version: &str, code: &str) -> PathBuf {
    let dir = dir.join(format!("{id}-{version}"));
    std::fs::create_dir_all(&dir).unwrap();
    let manifest =
        json!({"id": id, "name": id, "activation": {"onStartup": true}, "configSchema": {"type": "object", "additionalProperties": true}});
    let package = json!({"name": format!("@me/{id}"), "version": version, "type": "module", "openclaw": {"extensions": ["./index.js"]}});
    std::fs::write(dir.join("openclaw.plugin.json"), manifest.to_string()).unwrap();
    std::fs::write(dir.join("package.json"), package.to_string()).unwrap();
    std::fs::write(dir.join("index.js"), code).unwrap();
    dir
}

fn recorded(log: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

const PLAIN: &str = "export default { register() {} };";

// INS-235, INS-236, INS-237, INS-238, INS-239, INS-240, INS-241, INS-242, INS-243, INS-246, INS-247, HOOK-083
#[tokio::test(flavor = "multi_thread")]
async fn listeners_are_asked_without_a_gateway_and_a_failing_one_refuses() {
    let node = support::node().await.unwrap().display().to_string();
    let home = Home::new();
    let (base, log) = (PathBuf::from(home.path("")), PathBuf::from(home.path("asked.jsonl")));
    let guard = package(&base, "guard", "1.0.0", GUARD);
    let target = package(&base, "target", "1.0.0", PLAIN);
    let configure = |mode: &str, enabled: bool| {
        let entry = json!({"enabled": enabled, "config": {"mode": mode, "log": log}});
        home.config(&json!({"plugins": {"load": {"paths": [guard]}, "entries": {"guard": entry}}}).to_string());
    };
    let install = |path: &Path, more: &[&str]| -> Out {
        let args: Vec<&str> = ["plugins", "install", path.to_str().unwrap()].iter().chain(more).copied().collect();
        home.run_with(&[("CHELA_NODE", &node)], &args)
    };
    for (mode, text) in [
        ("block", "the policy says no"),
        ("plain", "Installation blocked by plugin hook"),
        // INS-244, INS-366, HOOK-306: the reference installs here.
        ("throw", "handler of plugin `guard` threw: "),
        ("broken", "plugin `guard` may listen to `before_install` and does not run: "),
    ] {
        configure(mode, true);
        let before = home.read_config();
        let out = install(&target, &[]);
        assert_eq!((out.code, out.stdout.as_str()), (1, ""), "{mode}: {}", out.stderr);
        assert!(out.stderr.contains(text), "{mode}: {}", out.stderr);
        assert_eq!(home.read_config(), before, "{mode}");
        assert!(!home.state().join("chela/packages/target").exists(), "{mode}");
    }
    let out = install(&target, &["--dangerously-force-unsafe-install"]);
    assert_eq!(out.code, 1, "the flag does not pass a listener: {}", out.stderr);

    let _ = std::fs::remove_file(&log);
    configure("findings", true);
    let out = install(&target, &[]);
    assert_eq!((out.code, out.stdout.lines().next()), (0, Some("Installed plugin: target")), "{}", out.stderr);
    assert!(out.stderr.contains("Plugin scanner: looks odd (index.js:3)") && !out.stderr.contains("of no weight"), "{}", out.stderr);
    assert_eq!(install(&package(&base, "target", "1.1.0", PLAIN), &["--force"]).code, 0);
    let asked = recorded(&log);
    let event = &asked[0]["event"];
    let keys: Vec<&str> = event.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["targetType", "targetName", "sourcePath", "sourcePathKind", "origin", "request", "builtinScan", "plugin"]);
    assert_eq!(event["request"], json!({"kind": "plugin-dir", "mode": "install", "requestedSpecifier": target}));
    assert_eq!(
        (&event["targetName"], &event["origin"], &event["sourcePathKind"]),
        (&json!("target"), &json!("plugin-package"), &json!("directory"))
    );
    assert_eq!((&event["builtinScan"]["status"], &event["builtinScan"]["critical"]), (&json!("ok"), &json!(0)));
    assert_eq!((&event["plugin"]["packageName"], &event["plugin"]["version"]), (&json!("@me/target"), &json!("1.0.0")));
    assert_eq!(asked[0]["ctx"], json!({"targetType": "plugin", "requestKind": "plugin-dir", "origin": "plugin-package"}));
    assert_eq!(asked[1]["event"]["request"]["mode"], "update");

    // One that is off is not asked, and nothing is started for it.
    configure("block", false);
    let other = package(&base, "other", "1.0.0", PLAIN);
    let out = home.run_with(&[("CHELA_NODE", "/gone/node")], &["plugins", "install", other.to_str().unwrap()]);
    assert_eq!(out.code, 0, "{}", out.stderr);
    assert_eq!(recorded(&log).len(), 2);
}

async fn row(gateway: &Gateway, id: &str) -> Option<Value> {
    let list = gateway.client().await.call("plugins.list", json!({})).await;
    list["plugins"].as_array().unwrap().iter().find(|p| p["id"] == id).cloned()
}

async fn until(gateway: &Gateway, id: &str, what: &str, wanted: impl Fn(Option<&Value>) -> bool) -> Option<Value> {
    let begun = std::time::Instant::now();
    loop {
        let seen = row(gateway, id).await;
        if wanted(seen.as_ref()) {
            return seen;
        }
        assert!(begun.elapsed() < support::PATIENCE, "{id} never {what}: {seen:?}\n{}", gateway.log());
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

// INS-247, INS-365: and what is installed, updated, switched and removed is taken by the gateway that runs.
#[tokio::test(flavor = "multi_thread")]
async fn a_running_gateway_asks_its_plugins_and_takes_what_comes_and_goes_without_a_restart() {
    let node = support::node().await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("asked.jsonl");
    let guard = package(dir.path(), "guard", "1.0.0", GUARD);
    let entry = json!({"enabled": true, "config": {"mode": "block", "log": log}});
    let gateway = Gateway::start(&node, json!({"plugins": {"load": {"paths": [guard]}, "entries": {"guard": entry}}})).await;
    let up = |seen: Option<&Value>| seen.is_some_and(|p| p["state"] == "running");
    let worker = until(&gateway, "guard", "up", up).await.unwrap()["pid"].clone();
    let state = gateway.state();
    let chela = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chela"));
        // No plugin can be started by the command itself.
        command
            .args(args)
            .env_clear()
            .env("HOME", state.parent().unwrap())
            .env("OPENCLAW_STATE_DIR", &state)
            .env("CHELA_NODE", "/gone/node");
        let out = command.output().unwrap();
        (out.status.code(), String::from_utf8(out.stdout).unwrap() + &String::from_utf8(out.stderr).unwrap())
    };
    let path = |version: &str, id: &str| package(dir.path(), id, version, PLAIN).display().to_string();

    let (code, text) = chela(&["plugins", "install", &path("1.0.0", "target")]);
    assert!(code == Some(1) && text.contains("the policy says no"), "{code:?} {text}");
    assert!(row(&gateway, "target").await.is_none());

    let (code, text) = chela(&["plugins", "install", &path("1.0.0", "free")]);
    assert_eq!(code, Some(0), "{text}");
    let first = until(&gateway, "free", "up", up).await.unwrap();
    assert_eq!(first["version"], "1.0.0");
    let (code, text) = chela(&["plugins", "install", &path("2.0.0", "free"), "--force"]);
    assert_eq!(code, Some(0), "{text}");
    let second = until(&gateway, "free", "swapped", |p| up(p) && p.is_some_and(|p| p["version"] == "2.0.0")).await.unwrap();
    assert_ne!(first["pid"], second["pid"]);
    let (code, text) = chela(&["plugins", "rollback", "free"]);
    assert_eq!(code, Some(0), "{text}");
    until(&gateway, "free", "rolled back", |p| up(p) && p.is_some_and(|p| p["version"] == "1.0.0")).await;
    assert_eq!(chela(&["plugins", "disable", "free"]).0, Some(0));
    until(&gateway, "free", "off", |p| p.is_some_and(|p| p["state"] == "disabled")).await;
    assert_eq!(chela(&["plugins", "enable", "free"]).0, Some(0));
    until(&gateway, "free", "on", up).await;
    let (code, text) = chela(&["plugins", "uninstall", "free", "--force"]);
    assert_eq!(code, Some(0), "{text}");
    until(&gateway, "free", "gone", |p| p.is_none()).await;

    let asked = recorded(&log);
    // Twice for an installation, once each for the update and for going back.
    assert!(asked.len() == 4 && asked.iter().all(|line| line["pid"] == worker), "{asked:?}");
    assert_eq!(row(&gateway, "guard").await.unwrap()["pid"], worker, "the guard went on all the time");
}
