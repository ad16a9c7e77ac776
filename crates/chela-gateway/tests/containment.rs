//! Plugins that misbehave, through a whole gateway with real workers: it answers throughout, the turn follows the hook's own rule, the
//! worker is stopped, restarted, quarantined, other plugins are not touched, and `plugins.list` says what happened.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test fail the test")]

#[path = "support/process.rs"]
mod process;

use std::time::{Duration, Instant};

use process::{Client, Gateway, Home, Probe, alone, until};
use serde_json::{Value, json};

#[test]
#[ignore = "started by the tests as a process of its own"]
fn plays_the_gateway() {
    process::play();
}

/// A gateway with a healthy plugin and a faulty one, and a probe that runs.
struct Scene {
    home: Home,
    gateway: Gateway,
    client: Client,
    probe: Probe,
    /// Process of the healthy plugin's worker.
    healthy: Value,
}

impl Scene {
    async fn new(change: impl FnOnce(&mut Home)) -> Self {
        let mut home = Home::new();
        home.plugin("hello-tool", &json!({}));
        change(&mut home);
        let gateway = home.start().await;
        let client = gateway.client().await;
        // The healthy plugin starts with the first turn; nobody waits for that turn.
        let first = json!({"message": "first", "sessionKey": "agent:main:first", "idempotencyKey": "first", "deliver": false});
        assert_eq!(client.call("agent", first).await["ok"], true);
        let healthy = client.plugin_until("hello-tool", "running", |row| row["state"] == "running").await["pid"].clone();
        assert!(healthy.is_u64(), "{healthy}");
        let probe = Probe::start(&gateway).await;
        Self { home, gateway, client, probe, healthy }
    }

    /// `fault-any` with a fault of choice in a hook of choice; its handlers have one second.
    async fn fault(hook: &str, kind: &str, extra: Value) -> Self {
        let mut entry = json!({
            "config": {"hook": hook, "kind": kind},
            "hooks": {"allowConversationAccess": true, "allowPromptInjection": true, "timeoutMs": 1000},
        });
        for (key, value) in extra.as_object().into_iter().flatten() {
            entry[key] = value.clone();
        }
        let scene = Self::new(|home| home.plugin("fault-any", &entry)).await;
        scene.client.plugin_until("fault-any", "running", |row| row["state"] == "running").await;
        scene
    }

    async fn row(&self) -> Value {
        self.client.plugin("fault-any").await
    }

    /// Waits for a restart beyond `restarts`.
    async fn restarted(&self, restarts: u64) -> Value {
        let again = |row: &Value| row["state"] == "running" && row["restarts"].as_u64().unwrap() > restarts;
        self.client.plugin_until("fault-any", "running again", again).await
    }

    /// The end of every scene: a plain turn works, the healthy plugin was not touched, and nobody waited long for `health`.
    async fn finish(mut self, what: &str) {
        let reply = self.client.turn("after", "/tool hello {\"name\": \"Ada\"}").await;
        assert_eq!(reply["status"], "ok", "{reply}");
        assert!(text(&reply).contains("Ada"), "{reply}");
        let row = self.client.plugin("hello-tool").await;
        assert_eq!((&row["pid"], &row["restarts"]), (&self.healthy, &json!(0)), "{row}");
        self.probe.finish(what).await;
        let status = self.gateway.signal("TERM").await;
        assert!(status.success(), "{status}: {}", self.home.log());
        self.home.nobody_left().await;
    }
}

fn text(reply: &Value) -> String {
    let payloads = reply["result"]["payloads"].as_array().cloned().unwrap_or_default();
    payloads.iter().filter_map(|p| p["text"].as_str()).collect()
}

fn contains(row: &Value, key: &str, text: &str) -> bool {
    row[key].as_str().is_some_and(|t| t.contains(text))
}

// HOOK-105: `before_prompt_build` fails open.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_throws_or_rejects_does_not_stop_the_turn() {
    let _alone = alone().await;
    for (kind, words) in [("throw", "fault-any: thrown"), ("reject", "fault-any: rejected")] {
        let scene = Scene::fault("before_prompt_build", kind, json!({})).await;
        let before = scene.row().await["pid"].clone();
        let reply = scene.client.turn("one", "FAULT please").await;
        assert_eq!(reply["status"], "ok", "{reply}");
        let row = scene.row().await;
        assert_eq!((&row["pid"], &row["state"]), (&before, &json!("running")), "{row}");
        assert!(contains(&row, "lastError", words), "{row}");
        assert_eq!(row["hookStats"][0]["failures"], 1, "{row}");
        scene.finish(kind).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejection_nobody_handles_is_reported_and_the_worker_lives() {
    let _alone = alone().await;
    let scene = Scene::fault("before_prompt_build", "asyncreject", json!({})).await;
    let before = scene.row().await["pid"].clone();
    assert_eq!(scene.client.turn("one", "FAULT please").await["status"], "ok");
    let row = scene.client.plugin_until("fault-any", "told of the rejection", |row| row["lastError"].is_string()).await;
    assert_eq!(row["pid"], before);
    assert!(contains(&row, "lastError", "rejected outside of the call"), "{row}");
    scene.finish("asyncreject").await;
}

// HOOK-105, HOOK-106: a dead worker is a failed handler; the next turn has the worker again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_ends_in_a_hook_is_restarted() {
    let _alone = alone().await;
    for (kind, words) in [("exit", "exited with code 7"), ("kill", "ended by signal 9"), ("asyncthrow", "exited with code 70")] {
        let scene = Scene::fault("before_prompt_build", kind, json!({})).await;
        let before = scene.row().await;
        let begun = Instant::now();
        let reply = scene.client.turn("one", "FAULT please").await;
        assert_eq!(reply["status"], "ok", "{kind}: {reply}");
        println!("{kind}: the turn took {:?}", begun.elapsed());
        let row = scene.restarted(0).await;
        assert!(contains(&row, "lastExit", words), "{kind}: {row}");
        assert!(contains(&row, "lastError", words) || kind == "asyncthrow", "{kind}: {row}");
        assert_ne!(row["pid"], before["pid"]);
        scene.finish(kind).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_ends_again_and_again_is_quarantined() {
    let _alone = alone().await;
    let scene = Scene::fault("before_prompt_build", "exit", json!({})).await;
    for failure in 0..4 {
        assert_eq!(scene.client.turn("one", "FAULT please").await["status"], "ok");
        scene.restarted(failure).await;
    }
    assert_eq!(scene.client.turn("one", "FAULT please").await["status"], "ok");
    let row = scene.client.plugin_until("fault-any", "quarantined", |row| row["state"] == "quarantined").await;
    assert!(contains(&row, "reason", "exited with code 7"), "{row}");
    assert_eq!((&row["restarts"], &row["pid"]), (&json!(5), &Value::Null), "{row}");
    let inspected = scene.client.call("plugins.inspect", json!({"id": "fault-any"})).await;
    assert_eq!(inspected["payload"]["runtime"]["state"], "quarantined", "{inspected}");
    // Without the worker the turn has nothing to wait for.
    let begun = Instant::now();
    assert_eq!(scene.client.turn("one", "FAULT please").await["status"], "ok");
    assert!(begun.elapsed() < Duration::from_secs(2), "a turn waited {:?} for a plugin in quarantine", begun.elapsed());
    scene.finish("quarantine").await;
}

// HOOK-098
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_never_answers_ends_at_its_budget_and_the_worker_lives() {
    let _alone = alone().await;
    let scene = Scene::fault("before_prompt_build", "hang", json!({})).await;
    let before = scene.row().await["pid"].clone();
    let begun = Instant::now();
    let reply = scene.client.turn("one", "FAULT please").await;
    assert_eq!(reply["status"], "ok", "{reply}");
    assert!(begun.elapsed() >= Duration::from_secs(1) && begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let row = scene.row().await;
    assert_eq!((&row["pid"], &row["restarts"]), (&before, &json!(0)), "{row}");
    assert!(contains(&row, "lastError", "timed out after 1000ms"), "{row}");
    assert_eq!(row["hookStats"][0]["timeouts"], 1, "{row}");
    scene.finish("hang").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handler_that_spins_is_ended_with_its_worker() {
    let _alone = alone().await;
    let scene = Scene::fault("before_prompt_build", "spin", json!({})).await;
    let begun = Instant::now();
    let reply = scene.client.turn("one", "FAULT please").await;
    assert_eq!(reply["status"], "ok", "{reply}");
    println!("spin: the turn took {:?}", begun.elapsed());
    let row = scene.restarted(0).await;
    println!("spin: running again after {:?}", begun.elapsed());
    assert!(contains(&row, "lastExit", "ran out of its budget and the worker did not answer"), "{row}");
    scene.finish("spin").await;
}

// HOOK-106: what a failing handler guards is refused, the turn goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guard_that_fails_refuses_the_tool_call() {
    let _alone = alone().await;
    for kind in ["throw", "exit", "spin"] {
        let scene = Scene::fault("before_tool_call", kind, json!({})).await;
        let reply = scene.client.turn("one", "/tool hello {\"name\": \"FAULT\"}").await;
        assert_eq!(reply["status"], "ok", "{kind}: {reply}");
        assert!(!text(&reply).contains("Hello, FAULT"), "{kind}: the tool ran: {reply}");
        if kind != "throw" {
            // While the guard is away it cannot allow anything.
            scene.restarted(0).await;
        }
        scene.finish(&format!("before_tool_call {kind}")).await;
    }
}

// HOOK-106
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gate_that_fails_refuses_the_run() {
    let _alone = alone().await;
    for kind in ["throw", "exit"] {
        let scene = Scene::fault("before_agent_run", kind, json!({})).await;
        let reply = scene.client.turn("one", "FAULT please").await;
        assert!(!text(&reply).contains("demonstration"), "{kind}: the run went on: {reply}");
        println!("before_agent_run {kind}: {}", text(&reply));
        scene.finish(&format!("before_agent_run {kind}")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tool_whose_worker_dies_is_an_error_result_at_once() {
    let _alone = alone().await;
    let scene = Scene::new(|home| home.plugin("fault-die-midcall", &json!({}))).await;
    scene.client.plugin_until("fault-die-midcall", "running", |row| row["state"] == "running").await;
    let begun = Instant::now();
    let reply = scene.client.turn("one", "/tool die_midcall {}").await;
    assert_eq!(reply["status"], "ok", "{reply}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let again = |row: &Value| row["state"] == "running" && row["restarts"] == 1;
    let row = scene.client.plugin_until("fault-die-midcall", "running again", again).await;
    assert!(contains(&row, "lastExit", "signal 9"), "{row}");
    scene.finish("death within a call").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_output_and_notes_leaves_the_gateway_alone() {
    let _alone = alone().await;
    let scene = Scene::fault("before_prompt_build", "flood", json!({})).await;
    let memory = resident_mib(scene.gateway.child.id());
    assert_eq!(scene.client.turn("one", "FAULT please").await["status"], "ok");
    tokio::time::sleep(Duration::from_secs(4)).await;
    let after = resident_mib(scene.gateway.child.id());
    println!("flood: the gateway has {memory} MiB before and {after} MiB after");
    assert!(after < memory + 150, "the flood filled the gateway's memory: {memory} -> {after} MiB");
    let log = std::fs::metadata(scene.home.dir.path().join("log")).unwrap().len();
    assert!(log < 40 * 1024 * 1024, "the flood filled the log with {log} bytes");
    scene.finish("flood").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_over_its_memory_cap_is_restarted() {
    let _alone = alone().await;
    let scene = Scene::fault("before_prompt_build", "leak", json!({"runtime": {"memoryMb": 256}})).await;
    assert_eq!(scene.client.turn("one", "FAULT please").await["status"], "ok");
    let row = scene.restarted(0).await;
    assert!(contains(&row, "lastExit", "above its cap of 256 MiB") && contains(&row, "lastExit", "runtime.memoryMb"), "{row}");
    scene.finish("leak").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn children_of_a_worker_end_with_it_and_with_the_gateway() {
    let _alone = alone().await;
    let scene = Scene::fault("before_prompt_build", "fork", json!({})).await;
    let before = scene.home.processes().len();
    assert_eq!(scene.client.turn("one", "FAULT please").await["status"], "ok");
    until("two children more", || scene.home.processes().len() >= before + 2).await;
    // The end of the scene stops the gateway and finds nobody.
    scene.finish("fork").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_that_fails_to_load_or_register_is_an_error_and_the_rest_works() {
    let _alone = alone().await;
    let cases = [
        ("register", "throw", "fault-any: thrown"),
        ("register", "exit", "exited with code 7"),
        ("register", "kill", "signal 9"),
        ("load", "throw", "fault-any: thrown"),
        ("load", "exit", "exited with code 7"),
    ];
    for (place, kind, words) in cases {
        let entry = match place {
            "load" => json!({"env": {"FAULT_AT_LOAD": kind}}),
            _ => json!({"config": {"hook": "register", "kind": kind}}),
        };
        let scene = Scene::new(|home| home.plugin("fault-any", &entry)).await;
        let row = scene.client.plugin_until("fault-any", "failed", |row| row["state"] == "error").await;
        assert!(contains(&row, "error", words), "{place} {kind}: {row}");
        assert_eq!(row["pid"], Value::Null, "{row}");
        scene.finish(&format!("{place} {kind}")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_that_spins_while_it_loads_or_registers_is_stopped() {
    let _alone = alone().await;
    let scene = Scene::new(|home| {
        home.plugin("fault-any", &json!({"config": {"hook": "register", "kind": "spin"}}));
        let root = home.copy_of("fault-any", "fault-load");
        home.plugin_at("fault-load", &root, &json!({"env": {"FAULT_AT_LOAD": "spin"}}));
    })
    .await;
    for id in ["fault-any", "fault-load"] {
        scene.client.plugin_until(id, "starting", |row| row["state"] == "starting").await;
    }
    let begun = Instant::now();
    assert_eq!(scene.client.turn("one", "hello").await["status"], "ok");
    println!("spin at start: the first turn took {:?}", begun.elapsed());
    let begun = Instant::now();
    assert_eq!(scene.client.turn("one", "hello").await["status"], "ok");
    assert!(begun.elapsed() < Duration::from_secs(5), "a later turn waited {:?} for plugins that spin", begun.elapsed());
    for id in ["fault-any", "fault-load"] {
        let row = scene.client.plugin_until(id, "failed", |row| row["state"] == "error").await;
        assert!(contains(&row, "error", "did not register within"), "{row}");
    }
    // The gateway, and a guard and a worker for the healthy plugin: nobody is left spinning.
    until("the spinning workers are gone", || scene.home.processes().len() <= 3).await;
    scene.finish("spin at start").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_of_another_protocol_version_is_refused() {
    let _alone = alone().await;
    let entry = json!({"env": {"CHELA_TEST_PROTOCOL_VERSION": "9.0"}});
    let scene = Scene::new(|home| home.plugin("fault-any", &entry)).await;
    let row = scene.client.plugin_until("fault-any", "refused", |row| row["state"] == "error" || row["state"] == "quarantined").await;
    assert!(row.to_string().contains("9.0") && row.to_string().contains("1.0"), "{row}");
    scene.finish("another protocol version").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_process_is_left_however_the_gateway_ends() {
    let _alone = alone().await;
    for signal in ["TERM", "INT", "KILL", "SEGV"] {
        let mut home = Home::new();
        home.plugin("hello-tool", &json!({}));
        home.plugin(
            "fault-any",
            &json!({"config": {"hook": "before_prompt_build", "kind": "fork"}, "hooks": {"allowPromptInjection": true}}),
        );
        home.plugin("fault-spin", &json!({}));
        let mut gateway = home.start().await;
        let client = gateway.client().await;
        assert_eq!(client.turn("first", "first").await["status"], "ok");
        for id in ["hello-tool", "fault-any", "fault-spin"] {
            client.plugin_until(id, "running", |row| row["state"] == "running").await;
        }
        let before = home.processes().len();
        assert_eq!(client.turn("one", "FAULT please").await["status"], "ok");
        until("two children more", || home.processes().len() >= before + 2).await;
        let begun = Instant::now();
        let status = gateway.signal(signal).await;
        let ended = begun.elapsed();
        home.nobody_left().await;
        println!("{signal}: {status} after {ended:?}, nobody left after {:?}", begun.elapsed());
    }
}

fn resident_mib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}
