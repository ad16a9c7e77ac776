//! `HOOK.md` hooks in a running gateway.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use chela_models::testing::MockServer;
use serde_json::{Value, json};

use support::gateway::Gateway;

/// Writes a hook whose handler adds a line to `log` for each event.
fn hook(dir: &Path, name: &str, events: &[&str], handler: (&str, &str)) {
    std::fs::create_dir_all(dir).unwrap();
    let metadata = json!({"openclaw": {"events": events}});
    std::fs::write(dir.join("HOOK.md"), format!("---\nname: {name}\ndescription: test\nmetadata: {metadata}\n---\n")).unwrap();
    std::fs::write(dir.join(handler.0), handler.1).unwrap();
}

fn recorder(log: &Path) -> String {
    format!(
        "import fs from 'node:fs';\nexport default async (event: any) => {{\n  const {{ type, action, sessionKey, context }} = event;\n  \
         fs.appendFileSync({}, JSON.stringify({{ event: `${{type}}:${{action}}`, sessionKey, context, isDate: event.timestamp instanceof Date, \
         pid: process.pid, own: process.env.OWN_VAR }}) + '\\n');\n  event.messages.push(`heard ${{action}}`);\n}};\n",
        json!(log)
    )
}

fn rows(log: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn until(what: &str, gateway: &Gateway, mut done: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !done() {
        assert!(begun.elapsed() < support::PATIENCE, "{what} did not happen:\n{}", gateway.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn heard(log: &Path, event: &str) -> usize {
    rows(log).iter().filter(|row| row["event"] == event).count()
}

fn place() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let (hooks, log) = (dir.path().join("hooks"), dir.path().join("heard"));
    (dir, hooks, log)
}

// HOOK-266, HOOK-269, HOOK-272, HOOK-283, HOOK-287, HOOK-291
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handlers_of_directories_are_fired_and_bad_ones_harm_nobody() {
    let node = support::node().await.unwrap();
    let (dir, hooks, log) = place();
    let events = ["gateway", "command", "message:received"];
    hook(&hooks.join("a-throws"), "a-throws", &events, ("handler.js", "export default () => { throw new Error('no luck'); };"));
    hook(&hooks.join("b-broken"), "b-broken", &events, ("handler.js", "import './not-there.js'; export default () => {};"));
    hook(&hooks.join("c-none"), "c-none", &events, ("handler.js", "export const other = 1;"));
    hook(&hooks.join("recorder"), "recorder", &events, ("handler.ts", &recorder(&log)));
    let (workspace, legacy) = (dir.path().join("ws"), dir.path().join("legacy"));
    std::fs::create_dir(&workspace).unwrap();
    std::fs::write(
        workspace.join("old.js"),
        format!("require('node:fs').writeFileSync({}, 'loaded'); exports.go = () => {{}};", json!(legacy)),
    )
    .unwrap();
    let config = json!({
        "agents": {"defaults": {"skipBootstrap": true, "workspace": workspace}},
        "hooks": {"internal": {
            "entries": {"recorder": {"env": {"OWN_VAR": "mine"}}},
            "load": {"extraDirs": [hooks]},
            "handlers": [{"event": "command:new", "module": "old.js", "export": "go"}],
        }},
    });
    let gateway = Gateway::start(&node, config).await;
    until("gateway:startup", &gateway, || heard(&log, "gateway:startup") == 1).await;
    until("the legacy handler", &gateway, || legacy.exists()).await;
    let startup = rows(&log).remove(0);
    assert!(startup["context"]["workspaceDir"] == json!(workspace) && startup["context"]["cfg"].is_object(), "{startup}");
    let mut client = gateway.client().await;
    let message = json!({"sessionKey": "agent:main:main", "message": "hello", "idempotencyKey": "k1"});
    client.call("chat.send", message).await;
    until("message:received", &gateway, || heard(&log, "message:received") == 1).await;
    client.call("sessions.reset", json!({"key": "main", "reason": "new"})).await;
    until("command:new", &gateway, || heard(&log, "command:new") == 1).await;
    let all = rows(&log);
    let new = all.iter().find(|row| row["event"] == "command:new").unwrap();
    assert!(new["context"].get("sessionEntry").is_some() && new["context"]["cfg"].is_object(), "{new}");
    assert!(new["context"].get("pluginConfig").is_none(), "{new}");
    assert!(new["sessionKey"].as_str().unwrap().ends_with(":main"), "{new}");
    assert!(all.iter().all(|row| row["isDate"] == true && row["own"] == "mine"), "{all:?}");
    let said = gateway.log();
    for part in ["no luck", "\\\"b-broken\\\" does not load", "\\\"c-none\\\" does not load"] {
        let plain = part.replace('\\', "");
        assert!(said.contains(part) || said.contains(&plain), "{part}:\n{said}");
    }
    let status = client.call("status", json!({})).await;
    assert_eq!(status["plugins"]["failed"], 0, "{status}");
    gateway.signal(rustix::process::Signal::TERM);
    until("gateway:shutdown", &gateway, || heard(&log, "gateway:shutdown") == 1).await;
}

// HOOK-269: a handler that never gives its worker back holds up neither the gateway nor a turn
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_spins_stops_no_turn_and_no_gateway() {
    let node = support::node().await.unwrap();
    let (_dir, hooks, log) = place();
    let spin = format!("import fs from 'node:fs';\nexport default () => {{ fs.writeFileSync({}, '{{}}'); for (;;) {{}} }};", json!(log));
    hook(&hooks.join("spins"), "spins", &["gateway:startup", "message:received"], ("handler.js", &spin));
    let mut gateway = Gateway::start(&node, json!({"hooks": {"internal": {"load": {"extraDirs": [hooks]}}}})).await;
    until("the spinning handler", &gateway, || log.exists()).await;
    let mut client = gateway.client().await;
    assert!(client.turn("hello").await.contains("hello"));
    assert!(client.call("health", json!({})).await["ok"].as_bool().unwrap());
    gateway.signal(rustix::process::Signal::TERM);
    let begun = std::time::Instant::now();
    while gateway.ended().is_none() {
        assert!(begun.elapsed() < support::PATIENCE, "the gateway does not stop:\n{}", gateway.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

// The bundled hooks that are built run in the gateway itself, without Node.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bundled_hooks_need_no_worker() {
    let (dir, ..) = place();
    let gateway = Gateway::start(&dir.path().join("no-node"), json!({})).await;
    let mut client = gateway.client().await;
    let list = client.call("plugins.list", json!({})).await;
    let commands = gateway.state().join("logs/commands.log");
    let (code, _, err) = chela(&gateway, &["hooks", "enable", "command-logger"]);
    assert_eq!(code, 0, "{err}");
    let begun = std::time::Instant::now();
    let row = loop {
        client.call("sessions.reset", json!({"key": "main", "reason": "new"})).await;
        let text = std::fs::read_to_string(&commands).unwrap_or_default();
        if let Some(line) = text.lines().next() {
            break serde_json::from_str::<Value>(line).unwrap();
        }
        assert!(begun.elapsed() < support::PATIENCE, "{}", gateway.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!((&row["action"], row["sessionKey"].as_str().unwrap().ends_with(":main")), (&json!("new"), true), "{row}");
    assert!(row["timestamp"].as_str().unwrap().ends_with('Z'), "{row}");
    assert_eq!(
        client.call("plugins.list", json!({})).await["plugins"].as_array().unwrap().len(),
        list["plugins"].as_array().unwrap().len()
    );
    assert_eq!(client.call("health", json!({})).await["plugins"]["errors"], json!([]), "no Node was looked for");
}

// The bundled hooks that act at the start, at a reset and at a compaction; no Node here either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bundled_hooks_boot_remember_and_tell() {
    let (dir, ..) = place();
    let workspace = dir.path().join("workspace");
    std::fs::create_dir_all(&workspace).unwrap();
    std::fs::write(workspace.join("BOOT.md"), "Water the plants.\n").unwrap();
    let model = MockServer::start().await;
    let entry = json!({"enabled": true});
    let mut config = support::hooks::config(&model.openai_url(), &workspace, &dir.path().join("log"));
    config.as_object_mut().unwrap().shift_remove("plugins");
    let memory = json!({"enabled": true, "llmSlug": true, "messages": 2});
    config["hooks"] = json!({"internal": {"entries": {"boot-md": entry, "compaction-notifier": entry, "session-memory": memory}}});
    let gateway = Gateway::start(&dir.path().join("no-node"), config).await;
    let asked = |part: &str| model.requests().iter().filter(|r| r.body.to_string().contains(part)).count();
    until("the agent reads BOOT.md", &gateway, || asked("Water the plants.") == 1).await;
    let mut client = gateway.client().await;
    let rows = async |client: &mut support::ws::Client| {
        let list = client.call("sessions.list", json!({})).await;
        list["sessions"].as_array().unwrap().iter().map(|row| row["key"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let begun = std::time::Instant::now();
    while !rows(&mut client).await.is_empty() {
        assert!(begun.elapsed() < support::PATIENCE, "the session of the start stays:\n{}", gateway.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    for message in ["an old story", "mind the roof"] {
        client.turn(message).await;
    }
    let said = client.chat("/compact").await;
    assert!(said.contains("🧹") && said.contains("of 4 messages") && said.contains("✅"), "{said}");

    client.turn("the last words").await;
    client.call("sessions.reset", json!({"key": "agent:main:main", "reason": "new"})).await;
    let files =
        || std::fs::read_dir(workspace.join("memory")).map(|all| all.map(|f| f.unwrap().path()).collect::<Vec<_>>()).unwrap_or_default();
    until("the file of the session", &gateway, || files().iter().any(|f| f.extension().is_some_and(|e| e == "md"))).await;
    let file = files().into_iter().find(|f| f.extension().is_some_and(|e| e == "md")).unwrap();
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    assert!(name.ends_with("-mock-reply-all-good.md"), "the model names it: {name}");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.starts_with("# Session: ") && text.contains("- **Session Key**: agent:main:main\n"), "{text}");
    assert!(text.contains("- **Source**: gateway:sessions.reset\n"), "{text}");
    assert!(text.ends_with("## Conversation Summary\n\nuser: the last words\nassistant: Mock reply: all good.\n"), "{text}");
}

// Without a Node that runs, the gateway is there all the same, and says what is wrong.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hooks_that_cannot_be_run_are_told_by_health() {
    let (dir, hooks, log) = place();
    hook(&hooks.join("recorder"), "recorder", &["command"], ("handler.ts", &recorder(&log)));
    let gateway = Gateway::start(&dir.path().join("no-node"), json!({"hooks": {"internal": {"load": {"extraDirs": [hooks]}}}})).await;
    let mut client = gateway.client().await;
    let begun = std::time::Instant::now();
    let found = loop {
        let health = client.call("health", json!({})).await;
        if let Some(row) = health["plugins"]["errors"].as_array().unwrap().first() {
            break row.clone();
        }
        assert!(begun.elapsed() < support::PATIENCE, "{health}:\n{}", gateway.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(found["id"] == "chela/hook-files" && found["error"].as_str().unwrap().contains("no-node"), "{found}");
    assert!(client.turn("hello").await.contains("hello"));
}

/// The command line beside the running gateway.
fn chela(gateway: &Gateway, args: &[&str]) -> (i32, String, String) {
    let out = std::process::Command::new(env!("CARGO_BIN_EXE_chela"))
        .args(args)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", gateway.state().parent().unwrap())
        .env("OPENCLAW_STATE_DIR", gateway.state())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (out.status.code().unwrap(), text(out.stdout), text(out.stderr))
}

// HOOK-286, HOOK-287, HOOK-288: switched by the verbs while the gateway runs; a pack that is installed, updated and removed
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hooks_come_and_go_while_the_gateway_runs() {
    let node = support::node().await.unwrap();
    let (dir, _, log) = place();
    let gateway = Gateway::start(&node, json!({})).await;
    let own = gateway.state().join("hooks/own");
    hook(&own, "own", &["command"], ("handler.ts", &recorder(&log)));
    let mut client = gateway.client().await;
    client.turn("hello").await;
    client.call("sessions.reset", json!({"key": "main", "reason": "new"})).await;
    assert_eq!(rows(&log).len(), 0, "nothing was enabled");
    assert!(!gateway.log().contains("hook-files"), "no worker without hooks");

    let (code, out, err) = chela(&gateway, &["hooks", "enable", "own"]);
    assert_eq!((code, out.as_str()), (0, "✓ Enabled hook: 🔗 own\n"), "{err}");
    assert!(err.contains("takes it up by itself"), "{err}");
    until("the worker", &gateway, || gateway.log().contains("ready plugin=\"chela/hook-files\"")).await;
    client.call("sessions.reset", json!({"key": "main", "reason": "new"})).await;
    assert_eq!(heard(&log, "command:new"), 1, "{}", gateway.log());

    let pack = dir.path().join("pack");
    let second = dir.path().join("second");
    hook(&pack.join("h/one"), "packed", &["command:reset"], ("handler.ts", &recorder(&second)));
    std::fs::write(pack.join("package.json"), json!({"name": "my-pack", "version": "1.0.0", "openclaw": {"hooks": ["h/one"]}}).to_string())
        .unwrap();
    let (code, out, err) = chela(&gateway, &["plugins", "install", pack.to_str().unwrap()]);
    assert!(code == 0 && out.contains("Installed hook pack: my-pack"), "{out}{err}");
    until("the pack", &gateway, || {
        gateway.log().contains("hooks=[\"packed\", \"own\"]") || gateway.log().contains("hooks=[\"own\", \"packed\"]")
    })
    .await;
    until("the new worker", &gateway, || gateway.log().matches("ready plugin=\"chela/hook-files\"").count() == 2).await;
    client.call("sessions.reset", json!({"key": "main", "reason": "reset"})).await;
    assert_eq!((heard(&second, "command:reset"), heard(&log, "command:reset")), (1, 1), "{}", gateway.log());
    let (code, out, err) = chela(&gateway, &["hooks", "list", "--json"]);
    let list: Value = serde_json::from_str(&out).unwrap();
    let ready = |name: &str| list["hooks"].as_array().unwrap().iter().any(|row| row["name"] == name && row["eligible"] == true);
    assert!(code == 0 && ready("own") && ready("packed"), "{list} {err}");

    let (code, out, err) = chela(&gateway, &["plugins", "uninstall", "my-pack", "--force"]);
    assert!(code == 0 && out.contains("Uninstalled hook pack \"my-pack\". Removed: install record, hook entry, directory"), "{out}{err}");
    assert!(!gateway.state().join("hooks/my-pack").exists());
    let (code, _, err) = chela(&gateway, &["hooks", "disable", "own"]);
    assert_eq!(code, 0, "{err}");
    let begun = std::time::Instant::now();
    loop {
        // A reset while the change is not yet taken may still be heard.
        let before = rows(&log).len() + rows(&second).len();
        client.call("sessions.reset", json!({"key": "main", "reason": "reset"})).await;
        if rows(&log).len() + rows(&second).len() == before {
            break;
        }
        assert!(begun.elapsed() < support::PATIENCE, "{}", gateway.log());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

// HOOK-281, HOOK-283, BUN-065, BUN-066, BUN-067, BUN-068: hooks of a Codex bundle
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hooks_of_a_bundle_run_and_are_switched_with_it() {
    let node = support::node().await.unwrap();
    let (dir, _, log) = place();
    let bundle = dir.path().join("bundle");
    std::fs::create_dir_all(bundle.join(".codex-plugin")).unwrap();
    std::fs::write(bundle.join(".codex-plugin/plugin.json"), json!({"name": "codex-pack"}).to_string()).unwrap();
    hook(&bundle.join("hooks/mine"), "mine", &["command:new"], ("index.ts", &recorder(&log)));
    let config = json!({
        "hooks": {"internal": {"enabled": true}},
        "plugins": {"load": {"paths": [bundle]}, "entries": {"codex-pack": {"enabled": true}}},
    });
    let gateway = Gateway::start(&node, config).await;
    until("the worker", &gateway, || gateway.log().contains("ready plugin=\"chela/hook-files\"")).await;
    let mut client = gateway.client().await;
    client.turn("hello").await;
    client.call("sessions.reset", json!({"key": "main", "reason": "new"})).await;
    assert_eq!(heard(&log, "command:new"), 1, "{}", gateway.log());
    let (code, out, _) = chela(&gateway, &["hooks", "info", "mine", "--json"]);
    let row: Value = serde_json::from_str(&out).unwrap();
    let facts = (&row["source"], &row["pluginId"], &row["managedByPlugin"], &row["enabledByConfig"], &row["loadable"]);
    assert_eq!((code, facts), (0, (&json!("openclaw-plugin"), &json!("codex-pack"), &json!(true), &json!(true), &json!(true))), "{row}");
    for verb in ["enable", "disable"] {
        let (code, out, err) = chela(&gateway, &["hooks", verb, "mine"]);
        assert!(code == 1 && out.is_empty() && err.contains("is managed by plugin \"codex-pack\""), "{code} {out} {err}");
        assert!(err.contains(&format!("chela plugins {verb} codex-pack")), "{err}");
    }
}
