//! Workers that misbehave, with a real Node: nothing of them is left, and nobody waits for them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "the helpers of a test fail the test")]

mod support;

use std::time::{Duration, Instant};

use chela_plugin::call::{HandlerRef, SharedJson};
use chela_plugin::{Call, CallError, CallTarget, DispatchMode, HookBatch, HookName, PluginControl, StartPhase, WorkerEvent, WorkerState};
use serde_json::{Value, json};
use support::{Bench, Running, alive, handle, until};
use tokio_util::sync::CancellationToken;

/// Calls until the restarted worker answers.
async fn answers_again(probe: &Running) {
    let begun = Instant::now();
    while probe.call("echo", json!([1])).await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the worker did not come back: {:?}", probe.plugin.status());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn mark(name: &str) -> String {
    format!("{}{}", std::process::id(), name.len())
}

#[tokio::test]
async fn a_worker_of_another_protocol_version_is_sent_away() {
    let bench = Bench::new().await;
    let error = bench.try_start(bench.spec("probe", "liar")).await.unwrap_err();
    assert!(!error.transient);
    assert!(error.message.contains("version 9.0") && error.message.contains("1.2"), "{}", error.message);
    assert!(bench.host.has_event(|e| matches!(e, WorkerEvent::Quarantined { reason } if reason.contains("9.0"))));
    until("the worker reads its `bye`", || std::fs::read_to_string(bench.mark()).is_ok_and(|t| t.contains("9.0"))).await;
}

#[tokio::test]
async fn starts_that_fail_say_where_and_leave_nothing() {
    let cases = [
        ("dieInLoad", StartPhase::Load, true, "exited with code 9; its last output:\ncannot go on"),
        ("refuse", StartPhase::Register, false, "plugin export missing register/activate"),
        ("notAHello", StartPhase::Load, true, "first frame is not a `hello`"),
        ("noHello", StartPhase::Load, true, "no `hello` within 0.7 s"),
    ];
    for (behaviour, phase, transient, text) in cases {
        let limit = if behaviour == "noHello" { 700 } else { 8000 };
        let bench = Bench::with(|o| o.timing.hello = Duration::from_millis(limit)).await;
        let dir = bench.dir.path().to_str().unwrap().to_string();
        let error = bench.try_start(bench.spec("probe", behaviour)).await.unwrap_err();
        assert_eq!((error.phase, error.transient), (phase, transient), "{behaviour}: {}", error.message);
        assert!(error.message.contains(text), "{behaviour}: {}", error.message);
        assert_eq!(alive(&dir), 0, "{behaviour}");
    }
}

// HOOK-098
#[tokio::test]
async fn a_call_past_its_budget_fails_at_once_and_a_living_worker_stays() {
    let bench = Bench::new().await;
    let probe = bench.start("").await;
    let file = bench.dir.path().join("cancelled");
    let begun = Instant::now();
    let error = probe.call_within("untilCancelled", json!([file]), 100).await.unwrap_err();
    assert!(matches!(error, CallError::TimedOut(100)), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(5));
    until("the abort signal fires", || std::fs::read_to_string(&file).is_ok_and(|t| t.contains("timed out"))).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let status = probe.plugin.status();
    assert_eq!((status.state, status.restarts, status.errors), (WorkerState::Running, 0, 1));
}

#[tokio::test]
async fn a_worker_that_spins_past_a_budget_is_restarted() {
    let bench = Bench::new().await;
    let probe = bench.start("").await;
    let pid = probe.plugin.status().pid;
    let error = probe.call_within("spin", json!([]), 100).await.unwrap_err();
    assert!(matches!(error, CallError::TimedOut(100)), "{error}");
    answers_again(&probe).await;
    let status = probe.plugin.status();
    assert_ne!(status.pid, pid);
    assert_eq!(status.restarts, 1);
    assert!(status.last_exit.unwrap().contains("ran out of its budget"));
    assert!(bench.host.has_event(|e| matches!(e, WorkerEvent::Exited { restarting_in_ms: Some(_), .. })));
}

#[tokio::test]
async fn a_worker_that_spins_without_a_budget_is_found_by_its_silence() {
    let bench = Bench::new().await;
    let probe = bench.start("").await;
    let error = probe.call("spin", json!([])).await.unwrap_err();
    assert!(matches!(&error, CallError::Gone { reason, .. } if reason.contains("did not answer for 0.6 s")), "{error}");
    answers_again(&probe).await;
}

#[tokio::test]
async fn a_hook_that_spins_does_not_use_up_the_budgets_of_the_others() {
    let bench = Bench::with(|o| o.timing.liveness_timeout = Duration::from_secs(60)).await;
    let probe = bench.start("").await;
    let batch = |names: &[&str], budget: u64| HookBatch {
        hook: HookName::BeforePromptBuild,
        handlers: names.iter().map(|n| HandlerRef { handle: probe.handle(n), timeout: Some(Duration::from_millis(budget)) }).collect(),
        event: SharedJson::new(Value::Null),
        ctx: SharedJson::new(json!({})),
        mode: DispatchMode::Sequential,
        stop: None,
        cancel: CancellationToken::new(),
    };
    let begun = Instant::now();
    let outcomes = probe.plugin.hooks(batch(&["echo", "spin", "echo", "echo"], 3000)).await.unwrap();
    // The one that spins is known, though the time of the one before it was up first.
    let told: Vec<_> = outcomes.iter().map(|o| o.result.as_ref().map_err(ToString::to_string).cloned()).collect();
    let late = || Err::<Value, String>("timed out after 3000ms".into());
    let echoed = || Ok(json!([null, {}]));
    assert_eq!(told, [echoed(), late(), echoed(), echoed()]);
    assert!(begun.elapsed() < Duration::from_secs(12), "no longer than all budgets and a grace: {:?}", begun.elapsed());
    answers_again(&probe).await;
    let outcomes = probe.plugin.hooks(batch(&["hang"], 100)).await.unwrap();
    assert!(matches!(outcomes[0].result, Err(CallError::TimedOut(100))));
}

#[tokio::test]
async fn a_worker_that_waits_for_the_host_is_not_restarted() {
    let bench = Bench::new().await;
    let probe = bench.start("").await;
    // The event loop stands still for 300 ms here, longer than the grace after this budget.
    let error = probe.call_within("askBlocking", json!(["host.slow", {}]), 20).await.unwrap_err();
    assert!(matches!(error, CallError::TimedOut(20)), "{error}");
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!(probe.plugin.status().restarts, 0);
}

#[tokio::test]
async fn a_crash_fails_calls_in_flight_and_the_handles_survive_it() {
    let bench = Bench::new().await;
    let probe = bench.start("shifting").await;
    let (hanging, exiting) = tokio::join!(probe.call("hang", json!([])), probe.call("exit", json!([3])));
    for error in [hanging.unwrap_err(), exiting.unwrap_err()] {
        assert!(matches!(&error, CallError::Gone { reason, .. } if reason.contains("exited with code 3")), "{error}");
    }
    // The second run numbers its functions differently; waiting for it is the call's business.
    assert_eq!(probe.call("echo", json!([7])).await.unwrap(), json!([7]));
    assert!(!bench.host.has_event(|e| matches!(e, WorkerEvent::Reregistered)));
    assert_eq!(probe.plugin.registrations().as_slice(), probe.started.registrations.as_slice());
    let status = probe.plugin.status();
    assert_eq!((status.state, status.restarts), (WorkerState::Running, 1));
}

#[tokio::test]
async fn a_restart_with_other_registrations_is_told() {
    let bench = Bench::new().await;
    let probe = bench.start("shiftingMore").await;
    probe.call("exit", json!([3])).await.unwrap_err();
    until("the change is told", || bench.host.has_event(|e| matches!(e, WorkerEvent::Reregistered))).await;
    let error = probe.call("echo", json!([])).await.unwrap_err();
    assert!(matches!(&error, CallError::Gone { reason, .. } if reason.contains("earlier run")), "{error}");
    let now = probe.plugin.registrations();
    assert_eq!(now.len(), probe.started.registrations.len() + 1);
    assert_eq!(probe.plugin.call(handle(&now, "echo"), Call::new(vec![json!(1)])).await.unwrap(), json!([1]));
}

#[tokio::test]
async fn a_worker_that_keeps_failing_is_quarantined() {
    let bench = Bench::new().await;
    let probe = bench.start("").await;
    for _ in 0..5 {
        let error = probe.call("exit", json!([4])).await.unwrap_err();
        assert!(matches!(error, CallError::Gone { .. }), "{error}");
    }
    until("quarantine", || probe.plugin.status().state == WorkerState::Quarantined).await;
    assert!(bench.host.has_event(|e| matches!(e, WorkerEvent::Quarantined { reason } if reason.contains("exited with code 4"))));
    let begun = Instant::now();
    let error = probe.call("echo", json!([])).await.unwrap_err();
    assert!(error.to_string().contains("quarantine"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(2));
    let status = probe.plugin.status();
    assert_eq!((status.restarts, status.pid), (5, None));
    probe.stop().await;
    assert_eq!(probe.plugin.status().state, WorkerState::Stopped);
}

#[tokio::test]
async fn a_call_does_not_wait_for_a_restart_that_is_far_away() {
    let bench = Bench::with(|o| o.timing.backoff = (Duration::from_secs(60), Duration::from_secs(60))).await;
    let probe = bench.start("").await;
    probe.call("exit", json!([4])).await.unwrap_err();
    until("backoff", || probe.plugin.status().state == WorkerState::Backoff).await;
    let begun = Instant::now();
    let error = probe.call_within("echo", json!([]), 30_000).await.unwrap_err();
    assert!(error.to_string().contains("starts again in"), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(5));
    probe.stop().await;
}

#[tokio::test]
async fn a_leak_ends_at_the_cap_with_its_reason() {
    let bench = Bench::new().await;
    let mut spec = bench.spec("probe", "");
    spec.memory_mib = 200;
    let probe = bench.try_start(spec).await.unwrap();
    until("memory is read", || probe.plugin.status().rss_bytes.is_some_and(|b| b > 10_000_000)).await;
    probe.call("leak", json!([])).await.unwrap();
    until("the cap is enforced", || probe.plugin.status().restarts > 0).await;
    let reason = probe.plugin.status().last_exit.unwrap();
    assert!(reason.contains("above its cap of 200 MiB"), "{reason}");
    answers_again(&probe).await;
}

#[tokio::test]
async fn children_of_a_plugin_end_with_it() {
    let bench = Bench::new().await;
    let mark = mark("children");
    let probe = bench.start("").await;
    probe.call("fork", json!([mark])).await.unwrap();
    until("three sleepers", || alive(&format!("700.{mark}")) >= 3).await;
    probe.stop().await;
    assert_eq!(alive(&format!("700.{mark}")), 0);
}

#[tokio::test]
async fn a_dropped_plugin_and_a_dropped_start_leave_nothing() {
    let bench = Bench::new().await;
    let mark = mark("a dropped plugin");
    let probe = bench.start("").await;
    probe.call("fork", json!([mark])).await.unwrap();
    until("three sleepers", || alive(&format!("700.{mark}")) >= 3).await;
    let pid = probe.plugin.status().pid.unwrap();
    drop(probe);
    until("all are gone", || alive(&format!("700.{mark}")) == 0 && !std::path::Path::new(&format!("/proc/{pid}")).exists()).await;
    let dir = bench.dir.path().to_str().unwrap().to_string();
    let start = bench.try_start(bench.spec("second", "noHello"));
    assert!(tokio::time::timeout(Duration::from_millis(300), start).await.is_err());
    until("the abandoned start is gone", || alive(&dir) == 0).await;
}

#[tokio::test]
async fn a_stubborn_worker_is_killed_after_the_grace() {
    let bench = Bench::new().await;
    let probe = bench.start("stubborn").await;
    let pid = probe.plugin.status().pid.unwrap();
    probe.plugin.stop("the test is over", Duration::from_millis(200)).await;
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
}

#[tokio::test]
async fn a_flood_of_output_is_dropped_and_counted() {
    // How soon a worker that writes so much answers a probe depends on what else the machine does.
    let bench = Bench::with(|o| o.timing.liveness_timeout = Duration::from_secs(60)).await;
    let probe = bench.start("").await;
    probe.call("flood", json!([])).await.unwrap();
    probe.call("notes", json!([])).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    probe.stop().await;
    until("the loss is told", || bench.host.log_lines().iter().any(|l| l.contains("lines were dropped"))).await;
    let lines = bench.host.log_lines();
    assert!(lines.iter().any(|l| l == "line 0"));
    assert!(lines.len() < 20_000, "{}", lines.len());
    assert!(bench.host.notes.lock().unwrap().iter().all(|(plugin, _, _)| plugin == "probe"));
}

#[tokio::test]
async fn a_worker_that_does_not_read_is_refused_more() {
    let bench = Bench::with(|o| {
        o.timing.liveness_timeout = Duration::from_secs(60);
        o.timing.probe_grace = Duration::from_secs(60);
    })
    .await;
    let probe = bench.start("").await;
    probe.call("deaf", json!([])).await.unwrap();
    let big = Value::from("x".repeat(8 * 1024 * 1024));
    let mut refused = None;
    for _ in 0..8 {
        let error = probe.call_within("echo", json!([big]), 50).await.unwrap_err();
        refused = matches!(error, CallError::Refused { .. } | CallError::Gone { .. }).then(|| error.to_string());
        if refused.is_some() {
            break;
        }
    }
    assert!(refused.as_ref().is_some_and(|r| r.contains("is not reading") || r.contains("ran out")), "{refused:?}");
}

#[tokio::test]
async fn garbage_on_the_lane_ends_the_worker() {
    let bench = Bench::new().await;
    let probe = bench.start("").await;
    let (_, hanging) = tokio::join!(probe.call("garbage", json!([])), probe.call("hang", json!([])));
    assert!(matches!(&hanging, Err(CallError::Gone { reason, .. }) if reason.contains("over the limit")), "{hanging:?}");
    answers_again(&probe).await;
}
