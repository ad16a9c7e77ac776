//! Groups, environments and the embedded SDK, with a real Node.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test fail the test")]

mod support;

use std::time::Duration;

use chela_plugin::{CallError, CallTarget, HandlerRef, HookBatch, HookName, PluginControl, SharedJson, WorkerState};
use serde_json::json;
use support::Bench;
use tokio_util::sync::CancellationToken;

fn grouped(bench: &Bench, id: &str, behaviour: &str) -> chela_plugin::PluginSpec {
    let mut spec = bench.spec(id, behaviour);
    spec.group = Some("small".into());
    spec
}

#[tokio::test]
async fn plugins_of_a_group_share_a_worker() {
    let bench = Bench::new().await;
    let (a, b) = tokio::join!(bench.try_start(grouped(&bench, "a", "")), bench.try_start(grouped(&bench, "b", "")));
    let (a, b) = (a.unwrap(), b.unwrap());
    assert_eq!(a.plugin.worker_key(), b.plugin.worker_key());
    assert_eq!(a.plugin.status().pid, b.plugin.status().pid);
    let error = bench.try_start(grouped(&bench, "a", "")).await.unwrap_err();
    assert!(error.message.contains("`small` already"), "{}", error.message);
    // A request must name its plugin, and only plugins of this worker can be named.
    let ask = |plugin: &'static str| {
        a.call("askHost", if plugin.is_empty() { json!(["host.echo", {}]) } else { json!(["host.echo", {}, plugin]) })
    };
    assert_eq!(ask("b").await.unwrap()["plugin"], "b");
    assert_eq!(ask("").await.unwrap_err().code(), "INVALID_PARAMS");
    assert_eq!(ask("stranger").await.unwrap_err().code(), "DENIED");
    a.stop().await;
    assert_eq!(b.call("echo", json!([1])).await.unwrap(), json!([1]));
    assert_eq!(b.plugin.status().state, WorkerState::Running);
    b.stop().await;
    assert_eq!(b.plugin.status().pid, None);
    let again = bench.try_start(grouped(&bench, "a", "")).await.unwrap();
    assert_eq!(again.call("echo", json!([1])).await.unwrap(), json!([1]));
}

#[tokio::test]
async fn a_crash_of_a_group_brings_all_its_plugins_back() {
    let bench = Bench::new().await;
    let a = bench.try_start(grouped(&bench, "a", "")).await.unwrap();
    let b = bench.try_start(grouped(&bench, "b", "")).await.unwrap();
    a.call("exit", json!([2])).await.unwrap_err();
    assert_eq!(b.call("echo", json!(["b"])).await.unwrap(), json!(["b"]));
    assert_eq!(a.call("echo", json!(["a"])).await.unwrap(), json!(["a"]));
    assert_eq!(b.plugin.status().restarts, 1);
}

/// One plugin of a group spins: what the worker owed the others is done by the next one, their calls fail with the reason.
#[tokio::test]
async fn a_plugin_that_spins_takes_no_decision_from_its_neighbours() {
    let bench = Bench::with(|o| o.timing.liveness_timeout = Duration::from_secs(60)).await;
    let a = bench.try_start(grouped(&bench, "a", "")).await.unwrap();
    let b = bench.try_start(grouped(&bench, "b", "")).await.unwrap();
    let batch = |handle: u64, hook: HookName, ms: u64| HookBatch {
        hook,
        handlers: vec![HandlerRef { handle, timeout: Some(Duration::from_millis(ms)) }],
        event: SharedJson::new(json!(null)),
        ctx: SharedJson::new(json!({})),
        mode: hook.mode(),
        stop: hook.stop_rule(),
        cancel: CancellationToken::new(),
    };
    let spinning = a.plugin.hooks(batch(a.handle("spin"), HookName::BeforeToolCall, 500));
    let others = async {
        // Sent behind the handler that spins: the worker reads its lane in order.
        let asked = (batch(b.handle("echo"), HookName::BeforeToolCall, 20_000), batch(b.handle("echo"), HookName::MessageSent, 20_000));
        tokio::join!(b.plugin.hooks(asked.0), b.plugin.hooks(asked.1), b.call("echo", json!([1])))
    };
    let (late, (gate, observer, call)) = tokio::join!(spinning, others);
    assert!(matches!(late.unwrap()[0].result, Err(CallError::TimedOut(500))));
    for answer in [gate, observer] {
        assert_eq!(answer.unwrap()[0].result.as_ref().unwrap(), &json!([null, {}]));
    }
    let error = call.unwrap_err();
    assert!(matches!(&error, CallError::Gone { reason, .. } if reason.contains("ran out of its budget")), "{error}");
    assert_eq!(b.plugin.status().restarts, 1);
}

/// Three plugins of one group that write their names when they are called; the second one never yields.
async fn one_of_three_spins(hook: HookName, first: &str) -> (Bench, Vec<support::Running>, HookBatch) {
    let bench = Bench::with(|o| {
        o.sdk_dir = None;
        o.timing.liveness_timeout = Duration::from_secs(60);
    })
    .await;
    let told = bench.dir.path().join("told");
    let mut plugins = Vec::new();
    for (id, does) in [("a", first), ("b", "for (;;);"), ("c", "")] {
        let entry = bench.dir.path().join(format!("{id}.mjs"));
        let note = format!("fs.appendFileSync({:?}, '{id}')", told.display().to_string());
        let source = format!(
            "import fs from 'node:fs'; export default (api) => {{ \
               api.on('{hook}', async () => {{ {note}; {does} return {{prependContext: '{id}'}}; }}); }};"
        );
        std::fs::write(&entry, source).unwrap();
        let mut spec = grouped(&bench, id, "");
        spec.entry = entry;
        plugins.push(bench.try_start(spec).await.unwrap());
    }
    let handle = |p: &support::Running| p.started.registrations.iter().find(|r| r.method == "on").unwrap().args[1]["$fn"].as_u64().unwrap();
    let batch = HookBatch {
        hook,
        handlers: plugins.iter().map(|p| HandlerRef { handle: handle(p), timeout: Some(Duration::from_secs(2)) }).collect(),
        event: SharedJson::new(json!({})),
        ctx: SharedJson::new(json!({})),
        mode: hook.mode(),
        stop: hook.stop_rule(),
        cancel: CancellationToken::new(),
    };
    (bench, plugins, batch)
}

/// Who was called, in order, and how each of them ended.
fn what_became(bench: &Bench, outcomes: &[chela_plugin::HandlerOutcome]) -> (String, Vec<String>) {
    let told = std::fs::read_to_string(bench.dir.path().join("told")).unwrap();
    let ends = outcomes.iter().map(|o| match &o.result {
        Ok(value) => value["prependContext"].as_str().unwrap_or_default().to_string(),
        Err(CallError::TimedOut(_)) => "late".into(),
        Err(other) => other.to_string(),
    });
    (told, ends.collect())
}

/// An observer that never yields keeps the one behind it from beginning: that one is called in the next worker. Those that had begun
/// are not told twice of the same.
#[tokio::test]
async fn observers_that_another_kept_from_beginning_are_called_once() {
    let (bench, plugins, batch) = one_of_three_spins(HookName::MessageSent, "").await;
    let outcomes = plugins[0].plugin.hooks(batch.clone()).await.unwrap();
    let (told, ends) = what_became(&bench, &outcomes);
    assert_eq!((told.as_str(), ends), ("abc", ["late", "late", "c"].map(str::to_string).to_vec()));
    assert_eq!(plugins[0].plugin.status().restarts, 1);
    // The worker that follows works like the first.
    let alone = HookBatch { handlers: vec![batch.handlers[0].clone(), batch.handlers[2].clone()], ..batch };
    let outcomes = plugins[0].plugin.hooks(alone).await.unwrap();
    assert!(outcomes.iter().all(|outcome| outcome.result.is_ok()), "{outcomes:?}");
}

/// In a sequence the one that stands still is known, also when the one before it took most of its time.
#[tokio::test]
async fn a_sequence_goes_on_without_the_one_that_stands_still() {
    let slow = "await new Promise((resolve) => setTimeout(resolve, 1000));";
    let (bench, plugins, batch) = one_of_three_spins(HookName::BeforePromptBuild, slow).await;
    let outcomes = plugins[0].plugin.hooks(batch).await.unwrap();
    let (told, ends) = what_became(&bench, &outcomes);
    assert_eq!((told.as_str(), ends), ("abac", ["a", "late", "c"].map(str::to_string).to_vec()));
}

/// A hundred plugins with a handler that does nothing live in one worker, and a dispatch to all of them is one round trip.
#[tokio::test]
async fn a_hundred_plugins_share_a_worker_and_a_round_trip() {
    let bench = Bench::with(|o| o.sdk_dir = None).await;
    let entry = bench.dir.path().join("index.mjs");
    std::fs::write(&entry, "export default (api) => { api.on('before_prompt_build', () => {}); };").unwrap();
    let mut plugins = Vec::new();
    for at in 0..100 {
        let mut spec = grouped(&bench, &format!("p{at}"), "");
        spec.entry = entry.clone();
        plugins.push(bench.try_start(spec).await.unwrap());
    }
    let first = &plugins[0];
    assert!(
        plugins.iter().all(|p| p.plugin.worker_key() == first.plugin.worker_key() && p.plugin.status().pid == first.plugin.status().pid)
    );
    let handle = |p: &support::Running| p.started.registrations.iter().find(|r| r.method == "on").unwrap().args[1]["$fn"].as_u64().unwrap();
    let handlers = plugins.iter().map(|p| HandlerRef { handle: handle(p), timeout: Some(Duration::from_secs(20)) }).collect();
    let hook = HookName::BeforePromptBuild;
    let batch = HookBatch {
        hook,
        handlers,
        event: SharedJson::new(json!({"prompt": "x".repeat(1000), "messages": []})),
        ctx: SharedJson::new(json!({})),
        mode: hook.mode(),
        stop: hook.stop_rule(),
        cancel: CancellationToken::new(),
    };
    let mut best = Duration::MAX;
    for _ in 0..20 {
        let begun = std::time::Instant::now();
        let outcomes = first.plugin.hooks(batch.clone()).await.unwrap();
        assert_eq!(outcomes.iter().filter(|o| o.undefined).count(), 100);
        best = best.min(begun.elapsed());
    }
    println!("100 handlers of one group in {best:?}");
}

#[tokio::test]
async fn credentials_are_withheld_unless_granted() {
    let bench = Bench::with(|o| {
        for (name, value) in [("MY_API_KEY", "k"), ("GRANTED_TOKEN", "t"), ("HARMLESS", "h")] {
            o.env.insert(name.into(), value.into());
        }
    })
    .await;
    let mut spec = bench.spec("probe", "");
    spec.env_grants = vec!["GRANTED_TOKEN".into()];
    spec.env.push(("OWN_SECRET".into(), "s".into()));
    let probe = bench.try_start(spec).await.unwrap();
    let names = json!([["MY_API_KEY", "GRANTED_TOKEN", "HARMLESS", "OWN_SECRET", "CHELA_WORKER", "CHELA_PLUGIN_ID"]]);
    assert_eq!(probe.call("env", names).await.unwrap(), json!([null, "t", "h", "s", "1", "probe"]));
    let withheld = probe.plugin.status().withheld_env;
    assert!(withheld.contains(&"MY_API_KEY".to_string()) && !withheld.contains(&"GRANTED_TOKEN".to_string()), "{withheld:?}");
}

/// The embedded worker script loads a plugin and runs a hook.
#[tokio::test]
async fn the_embedded_sdk_runs_a_plugin() {
    let bench = Bench::with(|o| o.sdk_dir = None).await;
    let entry = bench.dir.path().join("index.ts");
    let source = "export default { id: 'probe', register(api: any): void { api.on('gateway_start', (event: any) => ({ got: event })); } };";
    std::fs::write(&entry, source).unwrap();
    std::fs::write(bench.dir.path().join("package.json"), r#"{"type":"module"}"#).unwrap();
    let mut spec = bench.spec("probe", "");
    spec.entry = entry;
    let probe = bench.try_start(spec).await.unwrap();
    let on = probe.started.registrations.iter().find(|r| r.method == "on").unwrap();
    assert_eq!(on.args[0], "gateway_start");
    let batch = chela_plugin::HookBatch {
        hook: chela_plugin::HookName::GatewayStart,
        handlers: vec![chela_plugin::HandlerRef { handle: on.args[1]["$fn"].as_u64().unwrap(), timeout: Some(Duration::from_secs(20)) }],
        event: chela_plugin::SharedJson::new(json!({"port": 1})),
        ctx: chela_plugin::SharedJson::new(json!({})),
        mode: chela_plugin::DispatchMode::Parallel,
        stop: None,
        cancel: tokio_util::sync::CancellationToken::new(),
    };
    let outcomes = probe.plugin.hooks(batch).await.unwrap();
    assert_eq!(outcomes[0].result.as_ref().unwrap(), &json!({"got": {"port": 1}}));
    probe.stop().await;
}
