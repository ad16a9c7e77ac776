//! Calls, hooks, host functions, signals and streams with a real Node.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::result_large_err,
    reason = "the helpers of a test fail the test, and carry its errors"
)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chela_plugin::call::{HandlerRef, SharedJson};
use chela_plugin::{Call, CallError, CallTarget, DispatchMode, HookBatch, HookName, HostFn, PluginControl, WorkerEvent, WorkerState};
use futures::StreamExt;
use serde_json::{Value, json};
use support::{Bench, until};
use tokio_util::sync::CancellationToken;

fn batch(handlers: Vec<HandlerRef>) -> HookBatch {
    HookBatch {
        hook: HookName::BeforeToolCall,
        handlers,
        event: SharedJson::new(json!({"toolName": "x"})),
        ctx: SharedJson::new(json!({"sessionKey": "k"})),
        mode: DispatchMode::Sequential,
        stop: None,
        cancel: CancellationToken::new(),
    }
}

#[tokio::test]
async fn a_plugin_is_loaded_called_and_stopped() {
    let bench = Bench::new().await;
    let probe = bench.start("").await;
    assert_eq!(probe.started.definition.id.as_deref(), Some("probe"));
    assert_eq!(probe.call("echo", json!([1, {"a": null}])).await.unwrap(), json!([1, {"a": null}]));
    let status = probe.plugin.status();
    assert_eq!((status.state, status.lane, status.calls, status.errors, status.restarts), (WorkerState::Running, "node", 1, 0, 0));
    assert!(status.pid.is_some() && status.started_at_ms.is_some());
    assert!(status.runtime.unwrap().starts_with("node v2"));
    let pid = status.pid.unwrap();
    probe.stop().await;
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    assert_eq!(probe.plugin.status().state, WorkerState::Stopped);
    let error = probe.call("echo", json!([])).await.unwrap_err();
    assert!(matches!(&error, CallError::Gone { plugin, .. } if plugin == "probe"), "{error}");
    assert!(bench.host.has_event(|e| matches!(e, WorkerEvent::Ready)));
}

#[tokio::test]
async fn errors_keep_their_name_message_and_code() {
    let bench = Bench::new().await;
    let probe = bench.start("").await;
    let error = probe.call("fails", json!([])).await.unwrap_err();
    let CallError::Thrown { name, message, code, .. } = error else { panic!("{error}") };
    assert_eq!((name.as_str(), message.as_str(), code.as_deref()), ("TypeError", "no good", Some("E_BAD")));
    let status = probe.plugin.status();
    assert_eq!((status.errors, status.last_error.as_deref()), (1, Some("no good")));
}

// HOOK-108
#[tokio::test]
async fn a_hook_batch_travels_in_one_round_trip() {
    let bench = Bench::new().await;
    let probe = bench.start("").await;
    let names = ["echo", "nothing", "nul", "fails"];
    let handlers = names.iter().map(|n| HandlerRef { handle: probe.handle(n), timeout: Some(Duration::from_secs(9)) }).collect();
    let outcomes = probe.plugin.hooks(batch(handlers)).await.unwrap();
    assert_eq!(outcomes[0].result.as_ref().unwrap(), &json!([{"toolName": "x"}, {"sessionKey": "k"}]));
    assert_eq!((outcomes[1].result.as_ref().unwrap(), outcomes[1].undefined), (&Value::Null, true));
    assert_eq!((outcomes[2].result.as_ref().unwrap(), outcomes[2].undefined), (&Value::Null, false));
    assert_eq!(outcomes[3].result.as_ref().unwrap_err().to_string(), "no good");
    assert_eq!(probe.plugin.status().calls, 4);
}

#[tokio::test]
async fn only_an_idle_worker_is_woken() {
    let bench = Bench::new().await;
    let probe = bench.start("").await;
    let woken = async || probe.plugin.call(probe.handle("woken"), Call::default()).await.unwrap();
    assert_eq!(woken().await, 0);
    tokio::time::sleep(Duration::from_millis(20)).await;
    probe.plugin.wake();
    assert_eq!(woken().await, 1);
    assert_eq!(probe.plugin.status().errors, 0);
}

#[tokio::test]
async fn host_functions_can_be_called_while_the_call_runs() {
    let bench = Bench::new().await;
    let probe = bench.start("").await;
    let count = Arc::new(AtomicUsize::new(0));
    let function = |count: &Arc<AtomicUsize>| -> HostFn {
        let count = count.clone();
        Arc::new(move |args| {
            count.fetch_add(1, Ordering::Relaxed);
            Box::pin(
                async move { if args == [json!("bad")] { Err(CallError::refused("DENIED", "no")) } else { Ok(json!({ "got": args })) } },
            )
        })
    };
    let with = |args: Vec<Value>| {
        let mut call = Call::default();
        call.args = std::iter::once(call.function(function(&count))).chain(args).collect();
        call
    };
    let host = probe.handle("callHost");
    assert_eq!(probe.plugin.call(host, with(vec![json!(1), json!("b")])).await.unwrap(), json!({"got": [1, "b"]}));
    let error = probe.plugin.call(host, with(vec![json!("bad")])).await.unwrap_err();
    assert_eq!(error.code(), "DENIED");
    assert_eq!(count.load(Ordering::Relaxed), 2);
    probe.plugin.call(probe.handle("callHostLater"), with(vec![])).await.unwrap();
    until("the late call is refused", || {
        bench.host.requests.lock().unwrap().iter().any(|(_, m, p)| m == "host.told" && p["code"] == "NOT_FOUND")
    })
    .await;
    assert_eq!(count.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn an_abort_signal_reaches_the_plugin() {
    let bench = Bench::new().await;
    let probe = bench.start("").await;
    let token = CancellationToken::new();
    let mut call = Call::default();
    call.args = vec![call.signal(token.clone())];
    let plugin = probe.plugin.clone();
    let handle = probe.handle("untilAbort");
    let waiting = tokio::spawn(async move { plugin.call(handle, call).await });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!waiting.is_finished());
    token.cancel();
    assert_eq!(waiting.await.unwrap().unwrap(), json!("aborted"));
}

#[tokio::test]
async fn cancelling_and_dropping_a_call_fire_its_abort_signal() {
    let bench = Bench::new().await;
    let probe = bench.start("").await;
    let file = bench.dir.path().join("cancelled");
    let handle = probe.handle("untilCancelled");
    let call = || Call::new(vec![json!(file)]);
    let cancel = CancellationToken::new();
    let (result, ()) = tokio::join!(probe.plugin.call(handle, call().cancelled_by(cancel.clone())), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        cancel.cancel();
    });
    assert!(matches!(result, Err(CallError::Cancelled)));
    until("the plugin sees the cancellation", || std::fs::read_to_string(&file).is_ok_and(|t| t == "cancelled")).await;
    std::fs::remove_file(&file).unwrap();
    let dropped = tokio::time::timeout(Duration::from_millis(50), probe.plugin.call(handle, call())).await;
    assert!(dropped.is_err());
    until("the plugin sees the drop", || file.exists()).await;
    assert_eq!(probe.call("echo", json!([1])).await.unwrap(), json!([1]));
}

#[tokio::test]
async fn streams_flow_as_they_are_asked_for() {
    let bench = Bench::new().await;
    let probe = bench.start("").await;
    let value = probe.call("stream", json!([100])).await.unwrap();
    let items: Vec<_> = probe.plugin.stream(&value["body"]).unwrap().map(Result::unwrap).collect().await;
    assert_eq!(items, (1..=100).rev().map(Value::from).collect::<Vec<_>>());
    let value = probe.call("stream", json!([100])).await.unwrap();
    let mut stream = probe.plugin.stream(&value["body"]).unwrap();
    assert!(probe.plugin.stream(&value["body"]).is_err(), "a stream has one reader");
    stream.next().await.unwrap().unwrap();
    drop(stream);
    until("the plugin learns that nobody reads", || std::fs::read_to_string(bench.mark()).is_ok_and(|t| t == "closed 7")).await;
    let value = probe.call("stream", json!([1000, true])).await.unwrap();
    let mut stream = probe.plugin.stream(&value["body"]).unwrap();
    stream.next().await.unwrap().unwrap();
    // Everything that the plugin pushes arrives while nobody takes it.
    assert_eq!(probe.call("echo", json!([1])).await.unwrap(), json!([1]));
    let greedy: Vec<_> = stream.collect().await;
    assert_eq!(greedy.last().unwrap().as_ref().unwrap_err().code(), "PROTOCOL");
    assert!(greedy.len() < 100);
}

#[tokio::test]
async fn a_stream_of_the_host_is_read_as_far_as_the_plugin_wants() {
    let bench = Bench::new().await;
    let probe = bench.start("").await;
    let taken = Arc::new(AtomicUsize::new(0));
    let numbers = |upto: usize| {
        let taken = taken.clone();
        taken.store(0, Ordering::Relaxed);
        futures::stream::iter(0..upto).map(move |n| {
            taken.fetch_add(1, Ordering::Relaxed);
            if n == 5 { Err(CallError::thrown("five is too much")) } else { Ok(json!(n)) }
        })
    };
    let read = async |stream, most: Value| {
        let mut call = Call::new(Vec::new());
        let stream = call.stream(stream);
        call.args = vec![stream, most];
        probe.plugin.call(probe.handle("readStream"), call).await.unwrap()
    };
    assert_eq!(read(numbers(3).boxed(), Value::Null).await, json!([0, 1, 2, "end"]));
    assert_eq!(read(numbers(9).boxed(), Value::Null).await, json!([0, 1, 2, 3, 4, "five is too much"]));
    // Two at a time were asked for, so no more than four were taken from the source, which nobody holds after the reader left.
    let (guard, dropped) = tokio::sync::oneshot::channel::<()>();
    let endless = numbers(usize::MAX).map(move |item| (&guard, item).1);
    assert_eq!(read(endless.boxed(), json!(3)).await, json!([0, 1, 2]));
    assert!(dropped.await.is_err());
    assert!(taken.load(Ordering::Relaxed) <= 4);
}

#[tokio::test]
async fn host_requests_carry_the_caller_and_their_errors() {
    let bench = Bench::new().await;
    let probe = bench.start("").await;
    let echoed = probe.call("askHost", json!(["host.echo", {"a": 1, "pluginId": "other"}, "another"])).await.unwrap();
    assert_eq!(echoed, json!({"plugin": "probe", "params": {"a": 1, "pluginId": "other"}}));
    for (method, code) in [("host.nothing.here", "NOT_BUILT"), ("host.denied", "DENIED"), ("unknown", "NOT_BUILT")] {
        let error = probe.call("askHost", json!([method, {}])).await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
    }
    assert_eq!(probe.call("cancelHost", json!(["host.never"])).await.unwrap(), json!("CANCELLED"));
    let answers = probe.call("requests", json!([])).await.unwrap();
    let refused = answers.as_array().unwrap().iter().filter(|a| *a == "TOO_MANY_REQUESTS").count();
    assert_eq!(refused, 600 - 512);
}

#[tokio::test]
async fn the_blocking_lane_serves_host_functions_and_typescript() {
    let bench = Bench::new().await;
    let probe = bench.start("").await;
    let echoed = probe.call("askBlocking", json!(["host.echo", {"a": 1}])).await.unwrap();
    assert_eq!(echoed["params"], json!({"a": 1}));
    let file = bench.dir.path().join("x.ts");
    std::fs::write(&file, "export const a: number = 1;").unwrap();
    let code = probe.call("askBlocking", json!(["transpile", {"path": file}])).await.unwrap();
    assert!(code["code"].as_str().unwrap().starts_with("export const a = 1;"), "{code}");
    std::fs::write(&file, "export const = 1;").unwrap();
    let error = probe.call("askBlocking", json!(["transpile", {"path": file}])).await.unwrap_err();
    assert!(error.to_string().contains("x.ts:1:14"), "{error}");
    assert_eq!(probe.call("askBlocking", json!(["host.no", {}])).await.unwrap_err().code(), "NOT_BUILT");
    assert!(bench.dir.path().join("chela/ts-cache").is_dir());
}

#[tokio::test]
async fn functions_that_come_later_can_be_called_and_released() {
    let bench = Bench::new().await;
    let probe = bench.start("").await;
    let made = probe.call("newFunction", json!([])).await.unwrap();
    let handle = made["made"]["$fn"].as_u64().unwrap();
    assert_eq!(probe.plugin.call(handle, Call::new(vec![json!(5)])).await.unwrap(), json!([5]));
    probe.plugin.release(&[handle]);
    let second = bench.try_start(bench.spec("second", "")).await.unwrap();
    assert_ne!(second.plugin.worker_key(), probe.plugin.worker_key());
    let error = probe.plugin.call(handle + (1 << 40), Call::default()).await.unwrap_err();
    assert!(matches!(error, CallError::Gone { .. }), "a handle of a run that never was: {error}");
}

#[tokio::test]
async fn faults_and_config_updates_pass() {
    let bench = Bench::new().await;
    let probe = bench.start("").await;
    probe.call("fault", json!([])).await.unwrap();
    until("the fault is told", || {
        bench.host.has_event(|e| matches!(e, WorkerEvent::Fault { kind, message } if kind == "unhandledRejection" && message == "lost"))
    })
    .await;
    probe.plugin.notify("config", &json!({"a": 1}));
    until("the plugin gets the update", || {
        std::fs::read_to_string(bench.mark()).is_ok_and(|t| t.contains("\"m\":\"runtimeEvent\"") && t.contains("\"name\":\"config\""))
    })
    .await;
}

/// Prints the time of a round trip; run with `--ignored --nocapture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn hook_round_trip() {
    let bench = Bench::new().await;
    let probe = bench.start("").await;
    let mut times = Vec::new();
    for _ in 0..3000 {
        let handlers = vec![HandlerRef { handle: probe.handle("nothing"), timeout: Some(Duration::from_secs(5)) }];
        let begun = std::time::Instant::now();
        probe.plugin.hooks(batch(handlers)).await.unwrap();
        times.push(begun.elapsed());
    }
    times.drain(..500);
    times.sort();
    println!("hook round trip: p50 {:?}, p99 {:?}", times[times.len() / 2], times[times.len() * 99 / 100]);
}
