//! The repository's fixture plugins under the embedded SDK, with a real Node.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test fail the test")]

mod support;

use std::path::Path;
use std::time::{Duration, Instant};

use chela_plugin::{
    Adapter, Call, CallError, CallTarget, DispatchMode, HandlerOutcome, HandlerRef, HookBatch, HookName, PluginControl, PluginSpec,
    SharedJson, WorkerEvent,
};
use serde_json::{Value, json};
use support::{Bench, Running, until};
use tokio_util::sync::CancellationToken;

async fn bench() -> Bench {
    Bench::with(|o| o.sdk_dir = None).await
}

fn fixture(bench: &Bench, id: &str, config: Value) -> PluginSpec {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/plugins").join(id).canonicalize().unwrap();
    let package: Value = serde_json::from_slice(&std::fs::read(root.join("package.json")).unwrap()).unwrap();
    let entry = package["openclaw"]["extensions"][0].as_str().or(package["main"].as_str()).unwrap_or("index.js").to_string();
    PluginSpec { entry: root.join(entry), root_dir: root, plugin_config: config, ..bench.spec(id, "") }
}

async fn start(bench: &Bench, id: &str, config: Value) -> Running {
    bench.try_start(fixture(bench, id, config)).await.unwrap()
}

fn hook_handles(probe: &Running, hook: &str) -> Vec<u64> {
    let on = probe.started.registrations.iter().filter(|r| r.method == "on" && r.args[0] == hook);
    on.map(|r| r.args[1]["$fn"].as_u64().unwrap()).collect()
}

async fn message_received(probe: &Running, budget: u64) -> Result<Vec<HandlerOutcome>, CallError> {
    let handlers = hook_handles(probe, "message_received");
    assert!(!handlers.is_empty());
    let batch = HookBatch {
        hook: HookName::MessageReceived,
        handlers: handlers.into_iter().map(|handle| HandlerRef { handle, timeout: Some(Duration::from_millis(budget)) }).collect(),
        event: SharedJson::new(json!({"content": "hi"})),
        ctx: SharedJson::new(json!({})),
        mode: DispatchMode::Parallel,
        stop: None,
        cancel: CancellationToken::new(),
    };
    probe.plugin.hooks(batch).await
}

async fn tool(probe: &Running, budget: u64) -> Result<Value, CallError> {
    let register = probe.started.registrations.iter().find(|r| r.method == "registerTool").unwrap();
    let mut call = Call::default().adapter(Adapter::Tool).budget(Some(Duration::from_millis(budget)));
    let signal = call.signal(CancellationToken::new());
    call.args = vec![json!("call-1"), json!({"name": "you", "text": "you"}), signal];
    probe.plugin.call(register.args[0]["execute"]["$fn"].as_u64().unwrap(), call).await
}

#[tokio::test]
async fn a_tool_runs_in_every_module_format() {
    let bench = bench().await;
    for id in ["hello-tool", "cjs-plugin", "ts-plugin"] {
        let probe = start(&bench, id, json!({})).await;
        assert!(!probe.started.registrations.is_empty(), "{id}");
        if probe.started.registrations.iter().any(|r| r.method == "registerTool") {
            let result = tool(&probe, 20_000).await.unwrap();
            assert_eq!(result["content"][0]["type"], "text", "{id}: {result}");
        }
        probe.stop().await;
    }
}

#[tokio::test]
async fn a_lying_worker_is_refused() {
    let bench = bench().await;
    let mut spec = fixture(&bench, "fault-lie", json!({}));
    spec.env.push(("CHELA_TEST_PROTOCOL_VERSION".into(), "9.0".into()));
    let error = bench.try_start(spec).await.unwrap_err();
    assert!(error.message.contains("version 9.0"), "{}", error.message);
}

#[tokio::test]
async fn faults_in_register_are_told_with_their_phase() {
    let bench = bench().await;
    let error = bench.try_start(fixture(&bench, "fault-throw", json!({"where": "register"}))).await.unwrap_err();
    assert_eq!((error.phase, error.transient), (chela_plugin::StartPhase::Register, false), "{}", error.message);
    assert!(error.message.contains("thrown in register"), "{}", error.message);
    let error = bench.try_start(fixture(&bench, "fault-exit", json!({"when": "register", "code": 7}))).await.unwrap_err();
    assert!(error.transient && error.message.contains("exited with code 7"), "{}", error.message);
}

#[tokio::test]
async fn dying_plugins_fail_their_calls_and_come_back() {
    let bench = bench().await;
    let probe = start(&bench, "fault-die-midcall", json!({})).await;
    let error = tool(&probe, 20_000).await.unwrap_err();
    assert!(matches!(&error, CallError::Gone { reason, .. } if reason.contains("signal 9")), "{error}");
    until("it is back", || probe.plugin.status().pid.is_some()).await;
    for (id, text) in [("fault-exit", "code 3"), ("fault-selfkill", "signal 9")] {
        let probe = start(&bench, id, json!({})).await;
        let error = message_received(&probe, 20_000).await.unwrap_err();
        assert!(error.to_string().contains(text), "{id}: {error}");
    }
}

// HOOK-098
#[tokio::test]
async fn hanging_and_spinning_plugins_are_left_in_time() {
    let bench = bench().await;
    let hang = start(&bench, "fault-hang", json!({})).await;
    let outcomes = message_received(&hang, 100).await.unwrap();
    assert!(matches!(outcomes[0].result, Err(CallError::TimedOut(100))));
    assert!(matches!(tool(&hang, 100).await, Err(CallError::TimedOut(100))));
    assert_eq!(hang.plugin.status().restarts, 0);
    let spin = start(&bench, "fault-spin", json!({})).await;
    let begun = Instant::now();
    let outcomes = message_received(&spin, 100).await.unwrap();
    assert!(matches!(outcomes[0].result, Err(CallError::TimedOut(100))));
    assert!(begun.elapsed() < Duration::from_secs(10));
    until("the spinning worker is replaced", || spin.plugin.status().restarts == 1).await;
}

#[tokio::test]
async fn children_that_ignore_signals_end_with_their_plugin() {
    let bench = bench().await;
    let file = bench.dir.path().join("pids");
    let mut spec = fixture(&bench, "fault-fork", json!({}));
    spec.env.push(("FAULT_FORK_PIDS".into(), file.display().to_string()));
    let probe = bench.try_start(spec).await.unwrap();
    message_received(&probe, 20_000).await.unwrap();
    let pids = || std::fs::read_to_string(&file).unwrap_or_default().lines().map(str::to_string).collect::<Vec<_>>();
    until("two children", || pids().len() == 2).await;
    probe.stop().await;
    for pid in pids() {
        assert!(!Path::new(&format!("/proc/{pid}")).exists(), "{pid}");
    }
}

#[tokio::test]
async fn leaks_rejections_and_floods_are_contained() {
    let bench = bench().await;
    let leak = bench.try_start(PluginSpec { memory_mib: 250, ..fixture(&bench, "fault-leak", json!({})) }).await.unwrap();
    message_received(&leak, 20_000).await.unwrap();
    until("the cap is enforced", || leak.plugin.status().last_exit.is_some_and(|r| r.contains("above its cap of 250 MiB"))).await;
    let reject = start(&bench, "fault-reject", json!({})).await;
    until("the rejection is told", || {
        bench.host.has_event(|e| matches!(e, WorkerEvent::Fault { kind, .. } if kind == "unhandledRejection"))
    })
    .await;
    assert_eq!(reject.plugin.status().restarts, 0);
    let flood = start(&bench, "fault-flood", json!({"lines": 2000, "turns": 5})).await;
    message_received(&flood, 20_000).await.unwrap();
    until("the flood arrives", || bench.host.log_lines().iter().any(|l| l.starts_with("flood"))).await;
    flood.stop().await;
    assert!(bench.host.log_lines().len() < 20_000);
}
